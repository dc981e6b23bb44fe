"""What a clinician reads in one minute: how many, how sure, and what noise alone would give.

Plain words and no name of a method; the answer in full, with every test, stands below it on the
page (`captem.summary_answer`). Every number is a row of `statistics.csv`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from captem.statistics import ALL, CONFIRMATORY
from captem.summary_answer import (
    AGAIN,
    ONE_ONLY,
    again,
    no_claim,
    nobody,
    nobody_below,
    one_patient,
    without_pairs,
)
from captem.summary_words import (
    MASKED,
    Rows,
    begun,
    claimed,
    count,
    direction,
    ends,
    estimates,
    has_interval,
    has_planned,
    hidden,
    included,
    joined,
    listed,
    masked,
    observed_gain,
    patients,
    printed_gain,
    scored,
    share,
    told,
    two_places,
    whole,
    without_effect,
)
from captem.table_parts import find, records
from captem.wording import reason_words

NO_COMPARISON = (
    "Nobody without CAPTEM was observed for comparison: nothing here shows an effect of the drug."
)
NOISE = "noise and the choice of patients"
_USUALLY = "more than noise alone usually gives"
_REPEAT = "unless a score repeats itself well, which is not known"


@dataclass(frozen=True)
class Lead:
    """The sentence that everybody reads, and the few that follow it.

    `range_said` tells whether a likely range is among them, which the page then explains.
    """

    headline: str
    further: tuple[str, ...] = ()

    @property
    def range_said(self) -> bool:
        return any("likely range" in text for text in (self.headline, *self.further))


def lead(statistics: pd.DataFrame) -> Lead:
    """Return the short answer of this data cut."""
    rows = records(statistics)
    if nothing := without_pairs(rows):
        return Lead(nothing[0], tuple(nothing[1:]))
    if scored(rows, ALL) == 1:
        return Lead(one_patient(rows), (ONE_ONLY,))
    subset = claimed(rows)
    parts = (
        f"{_again(rows, subset)}.",
        _gained(rows, subset),
        _by_noise(rows, subset, judged=True),
    )
    headline = " ".join(filter(None, parts))
    further = [_uptake(rows, subset), _mib1(rows, subset)]
    if subset == CONFIRMATORY:
        further.append(_everybody(rows))
    elif has_planned(rows):
        further.append(no_claim(rows))
    return Lead(headline, tuple(filter(None, (*further, NO_COMPARISON))))


def _again(rows: Rows, subset: str) -> str:
    if subset == ALL:
        return again(rows)
    n = scored(rows, subset)
    # Who has a score at baseline, scanned again or not.
    everyone = find(rows, "sensitivity.not_rescanned", "krenning", subset, "up")
    asked = count(everyone, "n_patients")
    where = "from sources planned ahead"
    if asked == n:
        return f"All {n} patients {where} were {AGAIN}"
    if not asked:
        return f"{n} patients {where} were {AGAIN}"
    return f"Of {asked} patients {where}, {n} were {AGAIN}"


def _gained(rows: Rows, subset: str) -> str:
    """Return how many newly met the criterion, with the range that chance leaves."""
    row = find(rows, "criterion.gained", "criterion", subset)
    if row is None or nobody(row):
        return nobody_below(rows, subset)
    if hidden(row, "n_patients"):
        return f"How many were below the SSTR criterion, and how many newly met it, is {MASKED}."
    said = f"Of {count(row, 'n_patients')} below the SSTR criterion, "
    said += f"{told(row, 'n_events')} newly met it"
    if not hidden(row, "n_events"):
        detail = [f"likely range {ends(row)}"] if has_interval(row) else []
        detail += _left_open(rows, subset)
        said += f": {share(row)}"
        said += f" ({'; '.join(detail)})" if detail else ""
    return f"{said}."


def _left_open(rows: Rows, subset: str) -> list[str]:
    row = find(rows, "criterion.gained", "criterion", subset, "undetermined")
    if not hidden(row, "n_events") and not count(row, "n_events"):
        return []
    return [f"in {told(row, 'n_events')} the scores leave it open"]


def _by_noise(rows: Rows, subset: str, judged: bool) -> str:
    """Return how many noise alone would make newly meet the criterion.

    `judged`: and whether what was seen is more than that.
    """
    row = find(rows, "criterion.gained", "criterion", subset)
    if row is None or nobody(row):
        return ""
    expected = without_effect(rows, "criterion", subset)
    if not expected:
        return _noise_unknown(rows, subset)
    about = estimates(expected, whole)
    most = whole(max(row["conf_high"] for row in expected))
    said = f"{begun(NOISE)} alone would give about {'none' if about == '0' else about}"
    said += f" (by chance up to {most})"
    met = find(rows, "bias.no_effect", "criterion", subset, "observed")
    if met is None or math.isnan(met["estimate"]):
        return f"{said}."
    seen = met["estimate"]
    if hidden(row, "n_events") or seen != count(row, "n_events"):
        said += f", counted by the patients' own scores, by which {whole(seen)} newly met it"
    # Those of whom the scores leave it open may be more.
    undecided = find(rows, "criterion.gained", "criterion", subset, "undetermined")
    verdict = _verdict(expected, seen, seen + count(undecided, "n_events"))
    return f"{said}, {verdict}." if judged else f"{said}."


def _noise_unknown(rows: Rows, subset: str) -> str:
    what = f"How many {NOISE} alone would give"
    start = f"bias.no_effect/criterion/{subset}/reliability_"
    asked = [row for row in rows if row["row_id"].startswith(start)]
    if not asked or masked(asked[0]):
        return f"{what} is {MASKED}." if asked else ""
    return f"{what} cannot be said: {reason_words(asked[0]['reason'])}."


def _verdict(expected: Rows, low: float, high: float) -> str:
    """Return how an observed value, from `low` to `high`, stands beside 95 % of what noise gives.

    `expected` has a row for each reliability of the scores that is assumed.
    """
    limits = [row["conf_high"] for row in expected]
    if high <= min(limits):
        return "so this can be noise alone"
    if low > max(limits):
        return f"so this is {_USUALLY}"
    if low > min(limits):
        return f"so noise alone may give this, {_REPEAT}"
    return f"so whether this is {_USUALLY} stays open"


def _uptake(rows: Rows, subset: str) -> str:
    """Return in how many uptake rose, and how the mean gain stands beside noise."""
    ways = {way: direction(rows, subset, way) for way in ("up", "same", "down", "undetermined")}
    parts = [
        f"rose in {told(ways['up'], 'n_events')} of {scored(rows, subset)} patients",
        f"stayed the same in {told(ways['same'], 'n_events')}",
        f"fell in {told(ways['down'], 'n_events')}",
    ]
    text = f"Uptake {listed(parts)}"
    if hidden(ways["undetermined"], "n_events") or count(ways["undetermined"], "n_events"):
        text += f"; in {told(ways['undetermined'], 'n_events')} the scores leave it open"
    gain = observed_gain(rows, subset)
    expected = without_effect(rows, "krenning", subset, "mean_gain")
    if not gain or not expected:
        return f"{text}."
    low, high = gain.get("low", gain["observed"]), gain.get("high", gain["observed"])
    verdict = f", {_verdict(expected, low, high)}" if low > 0 else ""
    return (
        f"{text}. The mean gain was {printed_gain(gain)} steps of the Krenning score (0 to 4), "
        f"where {NOISE} alone would give {estimates(expected, two_places)}{verdict}."
    )


def _mib1(rows: Rows, subset: str) -> str:
    row = find(rows, "model.krenning", "krenning", subset, "log2_mib1")
    if row is None:
        return ""
    if row["status"] != "ok":
        why = "cannot be told from so few patients"
        if row["status"] == "not_estimable":
            why = f"is {MASKED}" if masked(row) else "cannot be answered from these data"
        return f"Whether the MIB1 index goes with it {why}."
    if row["conf_low"] <= 1 <= row["conf_high"]:
        return "Whether the MIB1 index goes with it stays open."
    way = "higher" if row["estimate"] > 1 else "lower"
    caution = ", an exploratory finding" if row["role"] == "exploratory" else ""
    return (
        "Among patients with the same score at baseline, those with a higher MIB1 index had "
        f"{way} scores at follow-up{caution}."
    )


def _everybody(rows: Rows) -> str:
    """Return the same for all patients, of whom some were not planned ahead."""
    everyone = f"{scored(rows, ALL)} of {patients(included(rows))} were scored at both scans"
    said = joined(f"{everyone}.", _gained(rows, ALL), _by_noise(rows, ALL, judged=False))
    return f"All sources together, on which no claim may rest: {said}"
