"""The answer in full, with the number behind each statement; the page has the short one above.

Every number is a row of `statistics.csv`.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from captem import rounding
from captem.statistics import ALL, CONFIRMATORY
from captem.summary_words import (
    MASKED,
    Rows,
    Statistic,
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
    one_place,
    patients,
    percentage,
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

NOBODY = "No patient is recorded yet, so there is nothing to report."
AGAIN = "scanned again and scored at both scans"
ONE_ONLY = "Nothing can be inferred from one patient about others."
TOO_FEW_TO_SHOW = (
    "How many patients there are is masked, as it is small or would give a small number away."
)


def answer(statistics: pd.DataFrame) -> list[str]:
    """Return the answer in sentences with the numbers of this data cut."""
    rows = records(statistics)
    if nothing := without_pairs(rows):
        return nothing
    if scored(rows, ALL) == 1:
        return [one_patient(rows), ONE_ONLY]
    said = [
        joined(f"{again(rows)}.", begun(_directions(rows, ALL)), _balance(rows, ALL)),
        _criterion(rows, ALL, "all " if scored(rows, CONFIRMATORY) else ""),
        _mib1(rows, ALL),
    ]
    planned = scored(rows, CONFIRMATORY)
    if planned > 1:
        said.insert(1, _of_planned(rows, planned))
    elif has_planned(rows):
        said.append(no_claim(rows))
    said.insert(2 if planned > 1 else 1, _noise(rows, claimed(rows)))
    return [sentence for sentence in said if sentence]


def _of_planned(rows: Rows, planned: int) -> str:
    return joined(
        f"Among the {planned} patients of sources that were planned ahead "
        "(the only ones on which a claim may rest):",
        _directions(rows, CONFIRMATORY),
        _balance(rows, CONFIRMATORY),
        _criterion(rows, CONFIRMATORY),
        _mib1(rows, CONFIRMATORY),
    )


def without_pairs(rows: Rows) -> list[str]:
    """Return what is said where no patient is scored at both scans, or nothing."""
    everyone, up = included(rows), direction(rows, ALL)
    if hidden(everyone, "n_patients"):
        return [TOO_FEW_TO_SHOW]
    if not count(everyone, "n_patients"):
        return [NOBODY]
    if scored(rows, ALL):
        return []
    if hidden(up, "n_patients"):
        return [
            f"Of {patients(everyone)}, a masked number has a Krenning score at both scans: it is "
            "small, or would give a small number away."
        ]
    none = (
        f"Of {patients(everyone)}, none has a Krenning score at both scans: how the score changed "
        "cannot be said."
    )
    return [none, *filter(None, [suvmax(rows, ALL)])]


def again(rows: Rows) -> str:
    """Return how many of the patients were scanned again and scored."""
    everyone, n = included(rows), scored(rows, ALL)
    if count(everyone, "n_patients") == n:
        return f"All {n} patients were {AGAIN}"
    return f"Of {patients(everyone)}, {n} were {AGAIN}"


def no_claim(rows: Rows) -> str:
    """Return that the confirmatory sources have too few patients for any claim."""
    up = direction(rows, CONFIRMATORY)
    if hidden(up, "n_patients"):
        have = "a masked number is"
    else:
        have = "one patient is" if scored(rows, CONFIRMATORY) else "none is"
    return (
        f"Of the sources that were planned ahead, {have} scored at both scans so far: there is "
        "nothing yet on which a claim may rest."
    )


def one_patient(rows: Rows) -> str:
    """Return what happened to the only patient who is scored at both scans."""
    everyone = included(rows)
    who = (
        "One patient is reported"
        if count(everyone, "n_patients") == 1
        else f"Of {patients(everyone)}, one was scored at both scans"
    )
    return (
        f"{who}: {happened(rows)}. The SSTR criterion {_known(rows, 'before')} before "
        f"and {_known(rows, 'after')} after."
    )


def happened(rows: Rows) -> str:
    """Return what became of uptake in the only patient who is scored at both scans."""
    ways = {"up": "uptake rose", "same": "uptake stayed the same", "down": "uptake fell",
            "undetermined": "the scores leave open whether uptake changed"}  # fmt: skip
    return next(
        words for way, words in ways.items() if count(direction(rows, ALL, way), "n_events")
    )


def _known(rows: Rows, time: str) -> str:
    row = find(rows, f"criterion.{time}", "criterion", ALL)
    if count(find(rows, f"criterion.{time}", "criterion", ALL, "undetermined"), "n_events"):
        return "was left open by the scores"
    return "was met" if count(row, "n_events") else "was not met"


def suvmax(rows: Rows, subset: str) -> str:
    """Return how SUVmax changed, or nothing."""
    row = find(rows, "transition.suvmax_ratio", "suvmax", subset)
    if row is None or not has_interval(row):
        return ""
    return (
        f"SUVmax was {rounding.number(row['estimate'])} times that of baseline "
        f"({rounding.level(row['conf_level'])} CI "
        f"{rounding.interval(row['conf_low'], row['conf_high'])}; "
        f"P {rounding.p_value(row['p_value'])})."
    )


def _directions(rows: Rows, subset: str) -> str:
    found = {way: direction(rows, subset, way) for way in ("up", "same", "down", "undetermined")}
    parts = [
        f"in {_events(found['up'])} uptake rose{_with_interval(found['up'])}",
        f"in {_events(found['same'])} it stayed the same",
        f"in {_events(found['down'])} it fell",
    ]
    left_open = found["undetermined"]
    if hidden(left_open, "n_events") or count(left_open, "n_events"):
        parts.append(f"in {_events(left_open)} the scores leave it open")
    return f"{listed(parts)}."


def _events(row: Statistic | None) -> str:
    return told(row, "n_events")


def _with_interval(row: Statistic | None) -> str:
    """Print the share of a proportion row with its interval, as in ` (29%; 95% CI 18% to 44%)`."""
    if row is None or hidden(row, "n_events") or hidden(row, "n_patients"):
        return ""
    text = share(row)
    if has_interval(row):
        text += f"; {rounding.level(row['conf_level'])} CI {ends(row)}"
    return f" ({text})"


def _balance(rows: Rows, subset: str) -> str:
    """Return by how much more patients rose than fell, and whether chance could do it."""
    net = find(rows, "transition.net_improvement", "krenning", subset)
    test = find(rows, "transition.signed_rank", "krenning", subset)
    change, chance = suvmax(rows, subset), ""
    if test is not None and not math.isnan(test["p_value"]):
        caution = f"; {reason_words(test['reason'])}" if test["status"] != "ok" else ""
        chance = f"{_p_of(test)}{caution}"
    if net is None or not has_interval(net):
        return joined(f"For the change of the score, {chance}." if chance else "", change)
    size = percentage(net["estimate"], count(net, "n_patients"))
    limits = f"{rounding.level(net['conf_level'])} CI {ends(net)}"
    said = "; ".join(filter(None, (limits, chance)))
    return joined(f"The share that rose minus the share that fell is {size} ({said}).", change)


def _p_of(row: Statistic) -> str:
    """Print P, and that it is the largest where interval scores leave it open."""
    text = rounding.p_value(row["p_value"])
    if math.isnan(row["p_low"]) or rounding.p_value(row["p_low"]) == text:
        return f"P {text}"
    bound = "at most" if "bounds" in row["p_method"] else "the largest"
    return f"P {text}, {bound} that interval scores leave open"


def _criterion(rows: Rows, subset: str, whose: str = "") -> str:
    row = find(rows, "criterion.gained", "criterion", subset)
    if row is None or nobody(row):
        return nobody_below(rows, subset)
    unknown = find(rows, "criterion.gained", "criterion", subset, "undetermined")
    left = ""
    if hidden(unknown, "n_events") or count(unknown, "n_events"):
        left = f"; in {_events(unknown)} the scores leave it open"
        left += ", and the interval allows for it" if has_interval(row) else ""
    return (
        f"Of {whose}{told(row, 'n_patients')} who did not meet the SSTR criterion before, "
        f"{_events(row)} met it after{_with_interval(row)}{left}."
    )


def nobody(row: Statistic) -> bool:
    """Return whether a row is about no patient at all."""
    return not count(row, "n_patients") and not hidden(row, "n_patients")


def nobody_below(rows: Rows, subset: str) -> str:
    """Return that no patient could newly meet the criterion, and why."""
    before = find(rows, "criterion.before", "criterion", subset)
    n = count(before, "n_patients")
    if n and count(before, "n_events") == n:
        return f"All {n} met the SSTR criterion before already, so none could newly meet it."
    return "No scored patient was known to be without the SSTR criterion before."


def _noise(rows: Rows, subset: str) -> str:
    """Return what noise and selection alone would give, over all that is assumed of the noise."""
    gains = without_effect(rows, "krenning", subset, "mean_gain")
    gained = without_effect(rows, "criterion", subset)
    tests = without_effect(rows, "krenning", subset)
    seen = observed_gain(rows, subset)
    if not gains:
        return _noise_unknown(rows, subset)
    values = [row["term"].rpartition("_")[2] for row in gains]
    reliability = " to ".join(dict.fromkeys((min(values, key=float), max(values, key=float))))
    observed = f"; observed: {printed_gain(seen)}" if seen else ""
    parts = [
        f"a mean gain of {estimates(gains, two_places)} steps (95% of such studies: "
        f"{_span(gains, two_places)}{observed})"
    ]
    below = find(rows, "criterion.gained", "criterion", subset)
    if gained and below is not None and not nobody(below):
        parts.append(
            f"{estimates(gained, one_place)} patients who gain the criterion "
            f"({_span(gained, whole)}{_met(rows, subset, gained)})"
        )
    if tests:
        parts.append(f"P ≤ .05 in {estimates(tests, _percent)} of such studies")
    assumed = gains[0]["reason"].rpartition("; ")[2]
    joined = ", and " if assumed.startswith("assumes") else ", "
    whom = " in the patients of these sources" if subset == CONFIRMATORY else ""
    return (
        f"Had the treatment done nothing{whom}, noise and the choice of patients alone would give "
        f"{listed(parts)}. This holds if a score repeats itself with a reliability of "
        f"{reliability}, which is not known{joined}{assumed}."
    )


def _met(rows: Rows, subset: str, gained: Rows) -> str:
    """Return how many gained the criterion by their own scores, and whether noise gives that."""
    met = find(rows, "bias.no_effect", "criterion", subset, "observed")
    if met is None or math.isnan(met["estimate"]):
        return f"; here: {MASKED}" if masked(met) else ""
    verdict = (
        "which noise alone may give"
        if met["estimate"] <= max(row["conf_high"] for row in gained)
        else "more than noise alone gives in 95% of such studies"
    )
    return f"; here {whole(met['estimate'])} by their own scores, {verdict}"


def _noise_unknown(rows: Rows, subset: str) -> str:
    asked = next(
        (row for row in rows if row["analysis"] == "bias.no_effect" and row["subset"] == subset
         and row["term"].startswith("reliability_")), None,
    )  # fmt: skip
    if asked is None:
        return ""
    what = "What noise and the choice of patients alone would give"
    if masked(asked):
        return f"{what} is {MASKED}."
    return f"{what} cannot be said: {reason_words(asked['reason'])}."


def _percent(value: float) -> str:
    return percentage(value, 1)


def _span(rows: Rows, printed: Any) -> str:
    low, high = min(row["conf_low"] for row in rows), max(row["conf_high"] for row in rows)
    return f"{printed(low)} to {printed(high)}"


def _mib1(rows: Rows, subset: str) -> str:
    row = find(rows, "model.krenning", "krenning", subset, "log2_mib1")
    if row is None:
        return ""
    if masked(row):
        return f"Whether MIB1 index goes with the score at follow-up is {MASKED}."
    if row["status"] == "not_estimable":
        return (
            "Whether a higher MIB1 index goes with a higher score at follow-up cannot be answered "
            "from these data; why stands under the questions without an answer."
        )
    if row["status"] == "unstable":
        return (
            "Whether MIB1 index goes with the score at follow-up cannot be told from so few "
            "patients; what the model gives stands in the table of models."
        )
    low, high = row["conf_low"], row["conf_high"]
    way = "higher" if row["estimate"] > 1 else "lower"
    found = (
        f"At the same baseline score, a higher MIB1 index went with a {way} score at follow-up"
        if low > 1 or high < 1
        else "It stays open whether MIB1 index goes with the score at follow-up"
    )
    caution = " This is exploratory." if row["role"] == "exploratory" else ""
    return (
        f"{found}: for each doubling of MIB1 index the odds of a higher score were "
        f"{rounding.number(row['estimate'])} times as large "
        f"({rounding.level(row['conf_level'])} CI {rounding.interval(low, high)}).{caution}"
    )
