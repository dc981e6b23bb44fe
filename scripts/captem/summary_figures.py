"""One plain sentence a figure: what it shows in this study.

Every number is a row of `statistics.csv`. A sentence names no method; the caption below the figure
does. Where the number that a sentence is about could not be estimated, or is masked, it says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from captem import rounding
from captem.statistics import ALL, CONFIRMATORY
from captem.summary_answer import happened
from captem.summary_lead import NOISE
from captem.summary_words import (
    MASKED,
    Rows,
    Statistic,
    begun,
    count,
    direction,
    estimates,
    has_planned,
    hidden,
    included,
    listed,
    masked,
    observed_gain,
    patients,
    percentage,
    printed_gain,
    scored,
    told,
    two_places,
    without_effect,
)
from captem.table_parts import find, records
from captem.wording import reason_words

NOT_SCORED = "No patient is scored at both scans."
SMALL = "What it shows in numbers is masked, as it rests on small counts."


def sentence(name: str, statistics: pd.DataFrame) -> str:
    """Return what the figure `name` shows in this study; KeyError if no sentence is known."""
    return _SENTENCES[name](records(statistics))


def _flow(rows: Rows) -> str:
    everyone, pairs = included(rows), direction(rows, ALL)
    if not count(everyone, "n_patients") and not hidden(everyone, "n_patients"):
        return "No patient is recorded yet."
    again = told(pairs, "n_patients")
    text = f"Of {patients(everyone)}, {'none' if again == '0' else again} can be compared "
    text += "before and after"
    if count(everyone, "n_patients") == 1:
        text = (
            f"The one patient can{'' if scored(rows, ALL) else 'not'} be compared before and after"
        )
    model = find(rows, "model.krenning", "krenning", ALL, "log2_mib1")
    if not count(model, "n_patients") and not hidden(model, "n_patients"):
        return f"{text}."
    return f"{text}; the question of the MIB1 index is asked of {told(model, 'n_patients')}."


def _matrix(rows: Rows) -> str:
    if unknown := _no_pairs(rows):
        return unknown
    ways = {way: direction(rows, ALL, way) for way in ("up", "same", "down", "undetermined")}
    if scored(rows, ALL) == 1:
        return f"{begun(happened(rows))} in the one patient scored at both scans."
    text = listed([
        f"Uptake rose in {told(ways['up'], 'n_events')} of {patients(ways['up'])}",
        f"stayed the same in {told(ways['same'], 'n_events')}",
        f"fell in {told(ways['down'], 'n_events')}",
    ])  # fmt: skip
    return f"{text}{_open(ways['undetermined'])}."


def _open(row: Statistic | None) -> str:
    if not count(row, "n_events") and not hidden(row, "n_events"):
        return ""
    return f"; in {told(row, 'n_events')} the scores leave it open"


def _no_pairs(rows: Rows) -> str:
    """Return why nothing can be said of directions, or nothing."""
    if scored(rows, ALL):
        return ""
    return SMALL if hidden(direction(rows, ALL), "n_patients") else NOT_SCORED


def _alluvial(rows: Rows) -> str:
    """Return how many patients are in bands that rise, that fall and that stay level."""
    if unknown := _no_pairs(rows):
        return unknown
    ways = {way: direction(rows, ALL, way) for way in ("up", "same", "down", "undetermined")}
    if scored(rows, ALL) == 1:
        return f"{begun(happened(rows))} in the one patient scored at both scans."
    return (
        f"The bands that rise hold {told(ways['up'], 'n_events')} of {patients(ways['up'])}, "
        f"those that fall {told(ways['down'], 'n_events')}, "
        f"the level ones {told(ways['same'], 'n_events')}{_open(ways['undetermined'])}."
    )


def _slopes(rows: Rows) -> str:
    if unknown := _no_pairs(rows):
        return unknown
    up = direction(rows, ALL)
    text = f"Uptake rose in {told(up, 'n_events')} of {patients(up)}"
    if scored(rows, ALL) == 1:
        text = f"{begun(happened(rows))} in the one patient scored at both scans"
    lesions = find(rows, "transition.proportion", "lesion_krenning", ALL, "up")
    if lesions is None or not (count(lesions, "n_lesions") or hidden(lesions, "n_lesions")):
        return f"{text}."
    return (
        f"{text}, and it rose in {told(lesions, 'n_events')} of {told(lesions, 'n_lesions')} "
        f"lesion{'' if count(lesions, 'n_lesions') == 1 else 's'} scored at both."
    )


def _waterfall(rows: Rows) -> str:
    row = find(rows, "transition.suvmax_ratio", "suvmax", ALL)
    if row is None or math.isnan(row["estimate"]):
        lesions = find(rows, "transition.suvmax_ratio", "lesion_suvmax", ALL)
        if lesions is None or math.isnan(lesions["estimate"]) or masked(row):
            return _unknown(row, "How much SUVmax changed")
        return (
            f"SUVmax at follow-up was {rounding.number(lesions['estimate'])} times that of "
            f"baseline in the typical lesion (of {count(lesions, 'n_lesions')})."
        )
    return (
        f"SUVmax at follow-up was {rounding.number(row['estimate'])} times that of baseline in "
        f"the typical patient (of {count(row, 'n_patients')}){_doubt(row)}."
    )


def _doubt(row: Statistic) -> str:
    """Return what to think of an estimate that is not to be read like the others."""
    if row["status"] == "unstable":
        return ", which is uncertain"
    return ", which is exploratory" if row["role"] == "exploratory" else ""


def _unknown(row: Statistic | None, what: str) -> str:
    if masked(row):
        return f"{what} is {MASKED}."
    why = reason_words(row["reason"]) if row is not None else ""
    return f"{what} cannot be said{f': {why}' if why else ''}."


def _gain_by_mib1(rows: Rows) -> str:
    return _with_mib1(rows) or _over_mib1(rows, "gain_at_mib1", _steps)


def _steps(low: Statistic, high: Statistic) -> str:
    return (
        f"is {two_places(low['estimate'])} steps at a MIB1 index of {_value(low)}% and "
        f"{two_places(high['estimate'])} steps at {_value(high)}%"
    )


def _with_mib1(rows: Rows) -> str:
    """Return why nothing can be said of the MIB1 index in the primary model, or nothing."""
    row = find(rows, "model.krenning", "krenning", ALL, "log2_mib1")
    if row is None or math.isnan(row["estimate"]):
        return _unknown(row, "Whether the MIB1 index goes with the score at follow-up")
    return ""


def _value(row: Statistic) -> str:
    return row["term"].rpartition("_")[2]


def _over_mib1(rows: Rows, name: str, said: Callable[[Statistic, Statistic], str]) -> str:
    """Return what is expected at the lowest and at the highest MIB1 index of the rows."""
    found = [
        row
        for row in rows
        if row["analysis"] == "predicted.krenning"
        and row["subset"] == ALL
        and row["term"].startswith(name)
        and not math.isnan(row["estimate"])
    ]
    if not found:
        return "No value of the MIB1 index is common enough to say what is to be expected."
    words = "expected gain" if name.startswith("gain") else "chance of the highest score"
    model = find(rows, "model.krenning", "krenning", ALL, "log2_mib1")
    doubt = "" if model is None else _doubt(model)
    if len(found) == 1:
        (row,) = found
        shown = (
            f"{two_places(row['estimate'])} steps"
            if name.startswith("gain")
            else percentage(row["estimate"], 1)
        )
        return f"The {words} is {shown} at a MIB1 index of {_value(row)}%{doubt}."
    found.sort(key=lambda row: float(_value(row)))
    return f"The {words} {said(found[0], found[-1])}{doubt}."


def _predicted(rows: Rows) -> str:
    if unknown := _with_mib1(rows):
        return unknown
    # Scores that the data cannot tell apart are one, as in `score_3_or_4`.
    names = {
        found[1]
        for row in rows
        if row["analysis"] == "predicted.krenning" and row["subset"] == ALL
        and (found := re.fullmatch(r"(score_\w+)_at_mib1_[\d.]+", row["term"]))
    }  # fmt: skip
    return _over_mib1(rows, f"{max(names, default='score')}_at_mib1", _chances)


def _chances(low: Statistic, high: Statistic) -> str:
    score = low["term"].partition("_at_")[0].removeprefix("score_").replace("_", " ")
    return (
        f"(score {score}) is {percentage(low['estimate'], 1)} at a MIB1 index of {_value(low)}% "
        f"and {percentage(high['estimate'], 1)} at {_value(high)}%"
    )


def _forest(rows: Rows) -> str:
    """Return what each doubling of the MIB1 index goes with, where a claim may rest first."""
    said = []
    for subset in (CONFIRMATORY, ALL) if has_planned(rows) else (ALL,):
        row = find(rows, "model.krenning", "krenning", subset, "log2_mib1")
        if row is None or math.isnan(row["estimate"]):
            continue
        where = "in the sources planned ahead" if subset == CONFIRMATORY else "in all patients"
        low, high = rounding.interval(row["conf_low"], row["conf_high"]).split(" to ")
        said.append(
            f"{rounding.number(row['estimate'])} times as large {where} (likely range {low} to "
            f"{high}{_doubt(row)})"
        )
    if not said:
        return _with_mib1(rows)
    return (
        "With each doubling of the MIB1 index, the odds of a higher score at follow-up were "
        f"{listed(said)}."
    )


def _timeline(rows: Rows) -> str:
    cycles = find(rows, "describe.captem_cycles", "characteristics", ALL, "median")
    everyone, n = included(rows), scored(rows, ALL)
    one = count(everyone, "n_patients") == 1
    said = []
    if cycles is not None and not math.isnan(cycles["estimate"]):
        number = rounding.measure(cycles["estimate"])
        half = f"half of the patients had {number} or more CAPTEM cycles"
        said.append(f"the patient had {number} CAPTEM cycles" if one else half)
    if n:
        half = f"{n} of {patients(everyone)} were scored at a second scan"
        said.append("was scored at a second scan" if one and said else half)
    if not said:
        return SMALL if masked(cycles) else "Neither cycles nor a second scan is recorded."
    return f"{begun(' and '.join(said))}."


def _sensitivity(rows: Rows) -> str:
    """Return between which values the primary contrast lies when it is asked otherwise."""
    reported = find(rows, "model.krenning", "krenning", ALL, "log2_mib1")
    if reported is None or math.isnan(reported["estimate"]):
        return _with_mib1(rows)
    others = [row for row in rows if _asked_again(row, reported)]
    text = (
        "With each doubling of the MIB1 index, the odds of a higher score at follow-up were "
        f"{rounding.number(reported['estimate'])} times as large"
    )
    if not others:
        return f"{text}; in no other way could it be asked{_doubt(reported)}."
    low, high = (
        rounding.number(choose(row["estimate"] for row in others)) for choose in (min, max)
    )
    return f"{text}, and {low} to {high} times when asked in other ways{_doubt(reported)}."


def _asked_again(row: dict[str, Any], reported: Statistic) -> bool:
    return (
        row["analysis"].startswith("sensitivity.")
        and (row["outcome"], row["subset"]) == ("krenning", ALL)
        and row["term"] == "log2_mib1"
        and (row["estimand"], row["unit"]) == (reported["estimand"], reported["unit"])
        and not math.isnan(row["estimate"])
    )


def _regression_to_mean(rows: Rows) -> str:
    gain = observed_gain(rows, ALL)
    expected = [
        row
        for row in rows
        if row["row_id"].startswith(f"bias.regression_to_mean/krenning/{ALL}/reliability_")
        and not math.isnan(row["estimate"])
    ] or without_effect(rows, "krenning", ALL, "mean_gain")
    if not gain or not expected:
        row = find(rows, "bias.regression_to_mean", "krenning", ALL, "observed")
        return _unknown(row, f"What {NOISE} alone would give")
    return (
        f"The mean gain was {printed_gain(gain)} steps; {NOISE} alone would give "
        f"{estimates(expected, two_places)}, by how well a score repeats itself."
    )


def _diagnostics(rows: Rows) -> str:
    if unknown := _with_mib1(rows):
        return unknown
    found = [
        row
        for end in ("lowest", "highest")
        for row in rows
        if row["row_id"] == f"sensitivity.leave_one_out/krenning/{ALL}/log2_mib1/{end}"
    ]
    ends = [row["estimate"] for row in found]
    reported = find(rows, "model.krenning", "krenning", ALL, "log2_mib1")
    if reported is None or len(ends) != 2 or any(map(math.isnan, ends)):
        return _unknown(found[0] if found else None, "Whether the answer rests on a single patient")
    low, high = map(rounding.number, ends)
    return (
        f"With all patients the odds of a higher score are {rounding.number(reported['estimate'])} "
        f"times as large with each doubling of the MIB1 index; without any one patient they are "
        f"{low} to {high} times as large{_doubt(reported)}."
    )


_SENTENCES: dict[str, Callable[[Rows], str]] = {
    "flow": _flow,
    "transition_matrix": _matrix,
    "alluvial": _alluvial,
    "paired_slopes": _slopes,
    "waterfall": _waterfall,
    "gain_by_mib1": _gain_by_mib1,
    "predicted": _predicted,
    "forest": _forest,
    "timeline": _timeline,
    "sensitivity": _sensitivity,
    "regression_to_mean": _regression_to_mean,
    "diagnostics": _diagnostics,
}
