"""What can fool a reader of this cohort: the counts decide which caveats stand, and in which order.

First what could overturn the answer by itself, then what concerns the most patients, last what is
true of every such study. Every number is a row of `statistics.csv`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from captem.statistics import ALL, CONFIRMATORY
from captem.summary_words import (
    Rows,
    Statistic,
    begun,
    claimed,
    count,
    direction,
    has_planned,
    hidden,
    included,
    listed,
    masked,
    patients,
    scored,
    share,
    told,
    without_effect,
)
from captem.table_parts import SINGLE_ARM, find, records

_CHANGES = {"ssa": "somatostatin analogue", "scanner": "scanner", "tracer": "tracer"}
_EFFECTS = {
    "ssa": "An analogue dims normal liver, so an unchanged lesion can score higher.",
    "scanner": "Values of two scanners are not the same measure.",
    "tracer": "Values of two tracers are not the same measure.",
}
_NO_TREATMENT = {"none", "no", "nil", "0", "missing"}


@dataclass(frozen=True)
class Caveat:
    """What can fool the reader, in one bold phrase and a sentence.

    `n` patients are concerned; `overturns` where it alone could be all that was seen.
    """

    head: str
    text: str
    n: int = 0
    overturns: bool = False


def caveats(statistics: pd.DataFrame) -> list[Caveat]:
    """Return the caveats of this cohort, the largest first."""
    rows = records(statistics)
    if not count(included(rows), "n_patients"):
        return []
    live = [
        *_too_few(rows),
        *_chosen_low(rows),
        *_not_rescanned(rows),
        *_exploratory(rows),
        *_unrecorded(rows),
        *_other_treatment(rows),
        *_changed(rows),
        *_left_open(rows),
    ]
    # Sorting keeps the order above among equals.
    live.sort(key=lambda caveat: (not caveat.overturns, -caveat.n))
    always = [
        Caveat("One group only", f"{SINGLE_ARM} There is nobody to compare with."),
        Caveat(
            "Uptake is not benefit",
            "Uptake is necessary for PRRT and not sufficient, and a gain in uptake is not a "
            "benefit: it has been seen during progression as well.",
        ),
    ]
    return [*live, *always]


def _too_few(rows: Rows) -> list[Caveat]:
    row, n = find(rows, "transition.sign_test", "krenning", ALL), scored(rows, ALL)
    if row is None or row["status"] == "ok" or masked(row) or not n:
        return []
    if n == 1:
        text = "What happened in one patient may be chance, and says nothing about others."
        return [Caveat("One patient only", text, n, overturns=True)]
    if row["status"] != "unstable":
        text = f"With so few ({n} scored twice) a real change cannot be told from chance."
        return [Caveat("Very few patients", text, n, overturns=True)]
    left_open = direction(rows, ALL, "undetermined")
    text = f"Uptake changed in {told(row, 'n_events')} of {n} patients"
    if hidden(left_open, "n_events") or count(left_open, "n_events"):
        text += f" for certain, and in {told(left_open, 'n_events')} the scores leave it open"
    return [Caveat("Few changes", f"{text}: a test on so few says little.", n, overturns=True)]


def _chosen_low(rows: Rows) -> list[Caveat]:
    """Return that patients were chosen for low uptake, which rises without any treatment."""
    before = find(rows, "criterion.before", "criterion", ALL)
    below = find(rows, "criterion.gained", "criterion", ALL)
    n, low = count(before, "n_patients"), count(below, "n_patients")
    if 2 * low <= n:
        return []
    who = "The patient" if n == 1 else f"{low} of {patients(before)}"
    text = (
        f"{who} did not meet the SSTR criterion before. Where scores are "
        "low by chance, the next ones are higher without any treatment (regression to the mean)"
    )
    known = bool(without_effect(rows, "krenning", ALL, "mean_gain"))
    text += "; how much that may be stands in the answer." if known else "."
    return [Caveat("Patients with low uptake", text, low, overturns=_may_be_noise(rows))]


def _may_be_noise(rows: Rows) -> bool:
    """Return whether noise alone may give as many who gain the criterion as were seen."""
    subset = claimed(rows)
    seen = find(rows, "bias.no_effect", "criterion", subset, "observed")
    limits = [row["conf_high"] for row in without_effect(rows, "criterion", subset)]
    if seen is None or math.isnan(seen["estimate"]) or not limits:
        return False
    return bool(seen["estimate"] <= max(limits))


def _not_rescanned(rows: Rows) -> list[Caveat]:
    everyone, pairs = included(rows), direction(rows, ALL)
    if hidden(pairs, "n_patients"):
        return []
    missing = count(everyone, "n_patients") - count(pairs, "n_patients")
    if not missing:
        return []
    if not scored(rows, ALL):
        text = f"Of {patients(everyone)}, none has a pair of scores, so no change is known."
        return [Caveat("Nobody was scored twice", text, missing, overturns=True)]
    text = (
        f"{count(pairs, 'n_patients')} of {patients(everyone)} have a pair of scores. Those who "
        "are scanned again may differ from those who are not"
    )
    ends = [_bound(rows, end) for end in ("worst", "best")]
    if all(ends):
        text += f": with the others, uptake may have risen in {ends[0]} to {ends[1]} of patients"
    return [Caveat("Not everyone was scored twice", f"{text}.", missing)]


def _bound(rows: Rows, end: str) -> str:
    """Print the share that rose if all without a follow-up score fell, or rose."""
    name = f"sensitivity.not_rescanned/krenning/{ALL}/up/{end}"
    row = next((row for row in rows if row["row_id"] == name), None)
    return "" if row is None or math.isnan(row["estimate"]) else share(row)


def _exploratory(rows: Rows) -> list[Caveat]:
    row = find(rows, "criterion.gained", "criterion", ALL)
    n = scored(rows, ALL)
    if row is None or row["role"] != "exploratory" or not n:
        return []
    planned = direction(rows, CONFIRMATORY)
    if not has_planned(rows):
        text = (
            "Nothing here was planned ahead (no confirmatory source, or no planned look at one), "
            "so every result is exploratory."
        )
    else:
        text = (
            f"{begun(told(planned, 'n_patients'))} of {n} patients scored twice come from sources "
            "that were planned ahead; results that use the others (retrospective ones, for "
            "instance) are exploratory."
        )
    return [Caveat("Exploratory", text, n - count(planned, "n_patients"))]


def _levels(rows: Rows, analysis: str) -> dict[str, Statistic]:
    return {
        row["term"]: row for row in rows if row["analysis"] == analysis and row["subset"] == ALL
    }


def _other_treatment(rows: Rows) -> list[Caveat]:
    levels = _levels(rows, "describe.interval_therapy")
    given = {
        name: row
        for name, row in levels.items()
        if name.casefold() not in _NO_TREATMENT
        and (count(row, "n_events") or hidden(row, "n_events"))
    }
    if not given:
        return []
    counts = [f"{name} in {told(row, 'n_events')}" for name, row in given.items()]
    known = max(count(row, "n_patients") for row in given.values())
    of = f"Of {known} with this recorded: " if known else ""
    return [Caveat(
        "Other treatment between the scans",
        f"{begun(f'{of}{listed(counts)}')}. It may have changed uptake as well.",
        sum(count(row, "n_events") for row in given.values()),
    )]  # fmt: skip


def _changed(rows: Rows) -> list[Caveat]:
    found = []
    for name, effect in _EFFECTS.items():
        row = _levels(rows, f"describe.{name}_changed").get("yes")
        if count(row, "n_events") or hidden(row, "n_events"):
            of = told(row, "n_patients")
            text = f"In {told(row, 'n_events')} of {of} patients with both recorded. {effect}"
            head = f"{begun(_CHANGES[name])} changed"
            found.append(Caveat(head, text, count(row, "n_events")))
    return found


def _left_open(rows: Rows) -> list[Caveat]:
    row = direction(rows, ALL, "undetermined")
    if not count(row, "n_events") and not (scored(rows, ALL) and hidden(row, "n_events")):
        return []
    text = f"In {patients(row, 'n_events')} a range leaves the direction open; no side is taken."
    return [Caveat("Scores given as a range", text, count(row, "n_events"))]


def _unrecorded(rows: Rows) -> list[Caveat]:
    # A column without a value in any row says as little as a column that is not there. Masked
    # values are recorded.
    known = {
        row["analysis"]
        for row in rows
        if row["term"] != "missing"
        and (row["status"] != "not_estimable" or hidden(row, "n_events"))
    }
    asked = {"interval_therapy": "other treatment between the scans"} | {
        f"{name}_changed": f"a change of {words}" for name, words in _CHANGES.items()
    }
    missing = [words for name, words in asked.items() if f"describe.{name}" not in known]
    if not missing:
        return []
    text = f"These data do not say anything on {listed(missing)}, so none of it can be ruled out."
    # It may have touched everyone who was scanned twice.
    return [Caveat("Not recorded", text, scored(rows, ALL))]
