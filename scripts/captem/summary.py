"""One page for people: the question, the answer, what can fool it, and where each number is from.

The sentences take their numbers from `statistics.csv`, `flow.csv` and the small tables beside them;
nothing is computed here, and no row of a patient reaches the page.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from captem import rounding
from captem.captions import NOT_DRAWN
from captem.lesions import RULE_WORDS
from captem.origin import RECORDED, data_kind
from captem.statistics import ALL, CONFIRMATORY
from captem.table_formats import TABLE_CSS, to_html, typeset
from captem.table_parts import (
    CHANGE_WORDS,
    CYCLES,
    DATA_NOTES,
    MEASURE_WORDS,
    NOISE_WORDS,
    SINGLE_ARM,
    Row,
    Table,
    analysis_words,
    find,
    records,
    subset_words,
    titled,
)
from captem.wording import (
    ALTERNATIVE_WORDS,
    BESIDE,
    MODEL_WORDS,
    OCCASION_WORDS,
    PREDICTED_WORDS,
    PREDICTOR_WORDS,
    TERM_WORDS,
    reason_words,
)

Rows = list[dict[str, Any]]
_STEP_WORDS = {
    "recorded": "Patients and lesions in the source files",
    "excluded": "Left out",
    "included": "Patients included",
    "follow_up_pet": "Follow-up PET",
    "transition": "Change of the Krenning score",
    "criterion": "SSTR criterion",
    "transition.suvmax_ratio": "Change of SUVmax",
    "association.mib1": "Gain of the Krenning score against MIB1 index",
    "association.mib1_suvmax": "Change of SUVmax against MIB1 index",
    "association.cycles": "Gain of the Krenning score against CAPTEM cycles",
    "association.cycles_suvmax": "Change of SUVmax against CAPTEM cycles",
    "model.suvmax": "Model of SUVmax at follow-up",
    "model.criterion": "Model of the SSTR criterion gained",
    "model.criterion_cycles": "The same model with CAPTEM cycles",
    "model.suvmax_cycles": "The same model with CAPTEM cycles",
    "model.krenning": "Model of the Krenning score at follow-up",
    "model.krenning_cycles": "The same model with CAPTEM cycles",
    "model.lesion_krenning": "Model of the Krenning score of lesions",
    "model.lesion_krenning_cycles": "The same model with CAPTEM cycles",
    "model.lesion_suvmax": "Model of SUVmax of lesions",
    "model.lesion_suvmax_cycles": "The same model with CAPTEM cycles",
}
_CHECK_WORDS = {
    "censored": "a bound such as <=1 or >20, kept as an interval",
    "interval": "a range such as 7%-8%, kept as an interval",
    "roman": "a Roman numeral",
    "roman_interval": "a range of Roman numerals such as III-IV, kept as an interval",
    "percent_sign": "a percent sign left out",
    "spelling": "spelling made uniform",
    "missing_code": "a code for a missing value",
    "unknown_column": "column that the data dictionary does not know, kept as it is",
    "identity_dropped": "column that may identify a person, left out",
    "different_lesions": "score and SUVmax of a patient come from different lesions",
    "lesions_disagree": "score of the patient is not what the lesions give",
    "not_readable": "cell that could not be read",
    "out_of_range": "value outside what is allowed",
}
_SVG_WIDTH = re.compile(rb'<svg[^>]*?\bwidth="([0-9.]+)pt"')
_ASSOCIATION_WORDS = {name: f"Uptake gain with {words}" for name, words in PREDICTOR_WORDS.items()}
_CHANGES = {"ssa": "somatostatin analogue", "scanner": "scanner", "tracer": "tracer"}


@dataclass(frozen=True)
class Figure:
    """A figure of the page: one heading sentence, the picture, its caption and what it shows."""

    name: str
    title: str
    svg: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Caveat:
    """What can fool the reader, in one bold phrase and a sentence; `n` patients are concerned."""

    head: str
    text: str
    n: int = 0


def _count(row: Mapping[str, Any] | None, name: str) -> int:
    return 0 if row is None or pd.isna(row[name]) else int(row[name])


def _patients(n: int) -> str:
    return f"{n} patient{'' if n == 1 else 's'}"


def _with_interval(row: Mapping[str, Any]) -> str:
    """Print the share of a proportion row with its interval, as in `29%; 95% CI 18% to 44%`."""
    n, events = _count(row, "n_patients"), _count(row, "n_events")
    text = rounding.percent(events, n)
    if math.isnan(row["conf_low"]):
        return text
    ends = rounding.percent_interval(row["conf_low"], row["conf_high"], n)
    return f"{text}; {rounding.level(row['conf_level'])} CI {ends}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


# The answer


def answer(statistics: pd.DataFrame) -> list[str]:
    """Return the answer in plain sentences with the numbers of this data cut."""
    rows = records(statistics)
    included = _count(find(rows, "describe.patients", "characteristics", ALL), "n_patients")
    scored = _scored(rows, ALL)
    if not included:
        return ["No patient is recorded yet, so there is nothing to report."]
    if not scored:
        return [
            f"Of {_patients(included)}, none has a Krenning score at both scans: how the score "
            "changed cannot be said.",
            *([suvmax] if (suvmax := _suvmax(rows, ALL).strip()) else []),
        ]
    if scored == 1:
        return [*_one_patient(rows, included),
                "Nothing can be inferred from one patient about others."]  # fmt: skip
    said = [
        f"Of {_patients(included)}, {scored} were scanned again and scored at both scans. "
        f"{_begun(_directions(rows, ALL))} {_balance(rows, ALL)}",
        _criterion(rows, ALL, "all " if _scored(rows, CONFIRMATORY) else ""),
        _mib1(rows, ALL),
    ]
    planned = _scored(rows, CONFIRMATORY)
    if any(row["subset"] == CONFIRMATORY for row in rows) and planned < 2:
        said.append(
            f"Of the sources that were planned ahead, {'one patient is' if planned else 'none is'} "
            "scored at both scans so far: there is nothing yet on which a claim may rest."
        )
    elif planned:
        said.insert(
            1,
            f"Among the {planned} patients of sources that were planned ahead "
            f"(the only ones on which a claim may rest): {_directions(rows, CONFIRMATORY)} "
            f"{_balance(rows, CONFIRMATORY)} {_criterion(rows, CONFIRMATORY)} "
            f"{_mib1(rows, CONFIRMATORY)}",
        )
    claimed = CONFIRMATORY if planned > 1 else ALL
    said.insert(2 if planned > 1 else 1, _noise(rows, claimed))
    return [sentence.strip() for sentence in said if sentence]


def _balance(rows: Rows, subset: str) -> str:
    """Return by how much more patients rose than fell, and whether chance could do it."""
    net = find(rows, "transition.net_improvement", "krenning", subset)
    test = find(rows, "transition.signed_rank", "krenning", subset)
    up = find(rows, "transition.proportion", "krenning", subset, "up")
    down = find(rows, "transition.proportion", "krenning", subset, "down")
    if net is None or test is None or math.isnan(net["conf_low"]) or math.isnan(test["p_value"]):
        return ""
    n, more = _count(net, "n_patients"), _count(up, "n_events") - _count(down, "n_events")
    ends = rounding.percent_interval(net["conf_low"], net["conf_high"], n)
    caution = f"; {test['reason']}" if test["status"] != "ok" else ""
    return (
        f"Net: {more} of {n} ({rounding.percent(more, n)}; {rounding.level(net['conf_level'])} CI "
        f"{ends}; {_p_of(test)}{caution}).{_suvmax(rows, subset)}"
    )


def _p_of(row: Mapping[str, Any]) -> str:
    """Print P, and that it is the largest where interval scores leave it open."""
    text = rounding.p_value(row["p_value"])
    if rounding.p_value(row["p_low"]) == text:
        return f"P {text}"
    bound = "at most" if "bounds" in row["p_method"] else "the largest"
    return f"P {text}, {bound} that interval scores leave open"


def _suvmax(rows: Rows, subset: str) -> str:
    row = find(rows, "transition.suvmax_ratio", "suvmax", subset)
    if row is None or math.isnan(row["conf_low"]):
        return ""
    ends = rounding.interval(row["conf_low"], row["conf_high"])
    return (
        f" SUVmax was {rounding.number(row['estimate'])} times that of baseline "
        f"({rounding.level(row['conf_level'])} CI {ends}; P {rounding.p_value(row['p_value'])})."
    )


def _noise(rows: Rows, subset: str) -> str:
    """Return what noise and selection alone would give, over all that is assumed of the noise."""
    chosen = [row for row in rows if row["subset"] == subset]
    gains, tests, gained = (
        [
            row
            for row in chosen
            if row["row_id"].startswith(f"bias.no_effect/{outcome}/{subset}/reliability_")
            and row["row_id"].partition("/reliability_")[2].partition("/")[2] == variant
            and row["status"] != "not_estimable"
        ]
        for outcome, variant in (("krenning", "mean_gain"), ("krenning", ""), ("criterion", ""))
    )
    mean = find(chosen, "bias.regression_to_mean", "krenning", subset, "observed")
    met = find(chosen, "bias.no_effect", "criterion", subset, "observed")
    if mean is None or met is None:
        return ""
    if not gains:
        reason = next((row["reason"] for row in chosen if row["analysis"] == "bias.no_effect"
                       and row["term"].startswith("reliability_")), "")  # fmt: skip
        return f"What noise and the choice of patients alone would give cannot be said: {reason}."
    values = [row["term"].rpartition("_")[2] for row in gains]
    reliability = " to ".join(dict.fromkeys((min(values, key=float), max(values, key=float))))
    highest = max(row["conf_high"] for row in gained)
    verdict = (
        "which noise alone may give"
        if met["estimate"] <= highest
        else "more than noise alone gives in 95% of such studies"
    )
    parts = [
        f"a mean gain of {_range(gains, _two_places)} steps (95% of such studies: "
        f"{_span(gains, _two_places)}; observed: {_observed_gain(chosen)})",
        f"{_range(gained, _one_place)} patients who gain the criterion ({_span(gained, _whole)}; "
        f"here {_whole(met['estimate'])} by their own scores, {verdict})",
    ]
    if tests:
        parts.append(f"P ≤ .05 in {_range(tests, _percent)} of such studies")
    assumed = gains[0]["reason"].rpartition("; ")[2]
    joined = ", and " if assumed.startswith("assumes") else ", "
    whom = " in the patients of these sources" if subset == CONFIRMATORY else ""
    return (
        f"Had the treatment done nothing{whom}, noise and the choice of patients alone would give "
        f"{_listed(parts)}. This holds if a score repeats itself with a reliability of "
        f"{reliability}, which is not known{joined}{assumed}."
    )


def _observed_gain(rows: Rows) -> str:
    """Print the mean gain of the study, as a range where interval scores leave it open."""
    found = {
        row["row_id"].rpartition("/")[2]: row["estimate"]
        for row in rows
        if row["analysis"] == "bias.regression_to_mean" and row["term"] == "observed"
    }
    if "low" in found:
        return f"{_two_places(found['low'])} to {_two_places(found['high'])}"
    return _two_places(found["observed"])


def _two_places(value: float) -> str:
    return rounding.fixed(value, 2)


def _one_place(value: float) -> str:
    return rounding.fixed(value, 1)


def _whole(value: float) -> str:
    return rounding.fixed(value, 0)


def _percent(value: float) -> str:
    return f"{rounding.fixed(100 * value, 0)}%"


def _range(rows: Rows, printed: Callable[[float], str]) -> str:
    values = [row["estimate"] for row in rows]
    return " to ".join(dict.fromkeys((printed(min(values)), printed(max(values)))))


def _span(rows: Rows, printed: Callable[[float], str]) -> str:
    low, high = min(row["conf_low"] for row in rows), max(row["conf_high"] for row in rows)
    return f"{printed(low)} to {printed(high)}"


def _scored(rows: Rows, subset: str) -> int:
    return _count(find(rows, "transition.proportion", "krenning", subset, "up"), "n_patients")


def _directions(rows: Rows, subset: str) -> str:
    found = {
        way: find(rows, "transition.proportion", "krenning", subset, way)
        for way in ("up", "same", "down", "undetermined")
    }
    up = found["up"]
    if up is None:
        return ""
    parts = [f"in {_count(up, 'n_events')} uptake rose ({_with_interval(up)})"]
    parts += [
        f"in {_count(found[way], 'n_events')} it {verb}"
        for way, verb in (("same", "stayed the same"), ("down", "fell"))
    ]
    if open_scores := _count(found["undetermined"], "n_events"):
        parts.append(f"in {open_scores} the scores leave it open")
    return f"{_listed(parts)}."


def _criterion(rows: Rows, subset: str, whose: str = "") -> str:
    row = find(rows, "criterion.gained", "criterion", subset)
    n = _count(row, "n_patients")
    if row is None or not n:
        return "No scored patient was known to be without the SSTR criterion before."
    unknown = _count(
        find(rows, "criterion.gained", "criterion", subset, "undetermined"), "n_events"
    )
    left = (
        f"; in {unknown} the scores leave it open, and the interval allows for it"
        if unknown
        else ""
    )
    return (
        f"Of {whose}{n} who did not meet the SSTR criterion before, "
        f"{_count(row, 'n_events')} met it after ({_with_interval(row)}){left}."
    )


def _mib1(rows: Rows, subset: str) -> str:
    row = find(rows, "model.krenning", "krenning", subset, "log2_mib1")
    if row is None:
        return ""
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
    known = low > 1 or high < 1
    way = "higher" if row["estimate"] > 1 else "lower"
    found = (
        f"At the same baseline score, a higher MIB1 index went with a {way} score at follow-up"
        if known
        else "It stays open whether MIB1 index goes with the score at follow-up"
    )
    caution = " This is exploratory." if row["role"] == "exploratory" else ""
    return (
        f"{found}: for each doubling of MIB1 index the odds of a higher score were "
        f"{rounding.number(row['estimate'])} times as large "
        f"({rounding.level(row['conf_level'])} CI {rounding.interval(low, high)}).{caution}"
    )


def _one_patient(rows: Rows, included: int) -> list[str]:
    said = {"up": "uptake rose", "same": "uptake stayed the same", "down": "uptake fell",
            "undetermined": "the scores leave open whether uptake changed"}  # fmt: skip
    happened = next(
        words for way, words in said.items()
        if _count(find(rows, "transition.proportion", "krenning", ALL, way), "n_events")
    )  # fmt: skip
    who = "One patient is reported" if included == 1 else (
        f"Of {_patients(included)}, one was scored at both scans"
    )  # fmt: skip
    return [f"{who}: {happened}. The SSTR criterion {_known(rows, 'before')} before "
            f"and {_known(rows, 'after')} after."]  # fmt: skip


def _known(rows: Rows, time: str) -> str:
    row = find(rows, f"criterion.{time}", "criterion", ALL)
    if _count(find(rows, f"criterion.{time}", "criterion", ALL, "undetermined"), "n_events"):
        return "was left open by the scores"
    return "was met" if _count(row, "n_events") else "was not met"


# The caveats


def caveats(statistics: pd.DataFrame) -> list[Caveat]:
    """Return what can fool a reader of this cohort: the counts decide which, the largest first."""
    rows = records(statistics)
    included = _count(find(rows, "describe.patients", "characteristics", ALL), "n_patients")
    if not included:
        return []
    live = [
        *_too_few(rows),
        *_not_rescanned(rows, included),
        *_chosen_low(rows),
        *_exploratory(rows),
        *_other_treatment(rows),
        *_changed(rows),
        *_left_open(rows),
    ]
    always = [
        Caveat("One group only", f"{SINGLE_ARM} There is nobody to compare with."),
        Caveat(
            "Uptake is not benefit",
            "Uptake is necessary for PRRT and not sufficient, and a gain in uptake is not a "
            "benefit: it has been seen during progression as well.",
        ),
    ]
    return [always[0], *sorted(live, key=lambda caveat: -caveat.n), always[1], *_unrecorded(rows)]


def _too_few(rows: Rows) -> list[Caveat]:
    row, scored = find(rows, "transition.sign_test", "krenning", ALL), _scored(rows, ALL)
    if row is None or row["status"] == "ok" or not scored:
        return []
    if row["status"] != "unstable":
        text = f"With so few ({scored} scored twice) a real change cannot be told from chance."
        return [Caveat("Very few patients", text, scored)]
    changed = _count(row, "n_events")
    open_scores = _count(find(rows, "transition.proportion", "krenning", ALL, "undetermined"),
                         "n_events")  # fmt: skip
    text = f"Uptake changed in {changed} of {_patients(scored)}"
    if open_scores:
        text += f" for certain, and in {open_scores} the scores leave it open"
    text += ": a test on so few says little."
    return [Caveat("Few changes", text, scored)]


def _not_rescanned(rows: Rows, included: int) -> list[Caveat]:
    missing = included - _scored(rows, ALL)
    if not missing:
        return []
    return [Caveat(
        "Not everyone was scored twice",
        f"Without a pair of scores: {missing} of {_patients(included)}. "
        "Those who are scanned again may differ from those who are not.",
        missing,
    )]  # fmt: skip


def _chosen_low(rows: Rows) -> list[Caveat]:
    n = _count(find(rows, "criterion.before", "criterion", ALL), "n_patients")
    low = _count(find(rows, "criterion.gained", "criterion", ALL), "n_patients")
    if 2 * low <= n:
        return []
    text = (
        f"{low} of {_patients(n)} did not meet the SSTR criterion before. Where scores are "
        "low by chance, the next ones are higher without any treatment (regression to the mean)"
    )
    known = any(row["analysis"] == "bias.regression_to_mean" and row["status"] != "not_estimable"
                for row in rows)  # fmt: skip
    text += "; how much that may be stands above." if known else "."
    return [Caveat("Patients with low uptake", text, low)]


def _exploratory(rows: Rows) -> list[Caveat]:
    row = find(rows, "criterion.gained", "criterion", ALL)
    if row is None or row["role"] != "exploratory":
        return []
    scored, planned = _scored(rows, ALL), _scored(rows, CONFIRMATORY)
    if scored == 0:
        return []
    text = (
        "No source was planned ahead as confirmatory, so every result is exploratory."
        if not any(row["subset"] == CONFIRMATORY for row in rows)
        else f"{scored - planned} of {scored} come from sources that were not planned ahead "
        "(retrospective ones, for instance); results that use them are exploratory."
    )
    return [Caveat("Exploratory", text, scored - planned)]


def _other_treatment(rows: Rows) -> list[Caveat]:
    levels = _levels(rows, "describe.interval_therapy")
    given = {name: row for name, row in levels.items()
             if name.casefold() not in _NO_TREATMENT and _count(row, "n_events")}  # fmt: skip
    if not given:
        return []
    known = max(_count(row, "n_patients") for row in given.values())
    counts = [f"{name} in {_count(row, 'n_events')}" for name, row in given.items()]
    return [Caveat(
        "Other treatment between the scans",
        f"Of {known} with this recorded: {_listed(counts)}. It may have changed uptake as well.",
        sum(_count(row, "n_events") for row in given.values()),
    )]  # fmt: skip


_NO_TREATMENT = {"none", "no", "nil", "0", "missing"}


def _levels(rows: Rows, analysis: str) -> dict[str, dict[str, Any]]:
    return {row["term"]: row for row in rows
            if row["analysis"] == analysis and row["subset"] == ALL}  # fmt: skip


def _changed(rows: Rows) -> list[Caveat]:
    effects = {
        "ssa": "An analogue dims normal liver, so an unchanged lesion can score higher.",
        "scanner": "Values of two scanners are not the same measure.",
        "tracer": "Values of two tracers are not the same measure.",
    }
    found = []
    for name, effect in effects.items():
        row = _levels(rows, f"describe.{name}_changed").get("yes")
        if changed := _count(row, "n_events"):
            words = f"{_begun(_CHANGES[name])} changed"
            text = f"In {changed} of {_count(row, 'n_patients')} with both recorded. {effect}"
            found.append(Caveat(words, text, changed))
    return found


def _left_open(rows: Rows) -> list[Caveat]:
    row = find(rows, "transition.proportion", "krenning", ALL, "undetermined")
    if not (count := _count(row, "n_events")):
        return []
    text = f"In {_patients(count)} a range leaves the direction open; no side is taken."
    return [Caveat("Scores given as a range", text, count)]


def _unrecorded(rows: Rows) -> list[Caveat]:
    # A column without a value in any row says as little as a column that is not there.
    known = {
        row["analysis"]
        for row in rows
        if row["term"] != "missing" and row["status"] != "not_estimable"
    }
    asked = {"interval_therapy": "other treatment between the scans"} | {
        f"{name}_changed": f"a change of {words}" for name, words in _CHANGES.items()
    }
    missing = [words for name, words in asked.items() if f"describe.{name}" not in known]
    if not missing:
        return []
    text = f"These data do not say anything on {_listed(missing)}, so none of it can be ruled out."
    return [Caveat("Not recorded", text)]


# Small tables of the page


def flow_table(flow: pd.DataFrame, data: str = RECORDED) -> Table:
    """Return `flow.csv` as a table: who is in which analysis, and why the others are not."""
    lines: list[Row] = []
    above = ""
    for row in flow.to_dict("records"):
        reason = "" if pd.isna(row["reason"]) else str(row["reason"])
        step = _STEP_WORDS.get(row["step"], analysis_words(row["step"]))
        cells = (str(int(row["n"])), str(int(row["n_lesions"])))
        if row["step"] in ("recorded", "excluded", "included") or not reason:
            lines.append(Row((f"{step}: {reason}" if reason else step, *cells)))
            continue
        if row["step"] != above:
            lines.append(Row((step, "", ""), heading=True))
            above = row["step"]
        lines.append(Row((reason, *cells), indent=True))
    return Table(
        "flow", titled("Patients and lesions in each analysis", data),
        ("Step", "Patients", "All lesions of these patients"), tuple(lines), data=data,
    )  # fmt: skip


def counted(frame: pd.DataFrame, name: str, title: str, data: str = RECORDED) -> Table:
    """Return how often each rule of `problems.csv` or `repairs.csv` applied, never to whom."""
    keys = ["severity", "rule"] if "severity" in frame else ["rule"]
    sizes: Any = frame.groupby(keys, sort=True).size() if len(frame) else {}
    lines = []
    for key, count in sizes.items():
        *severity, rule = key if isinstance(key, tuple) else (key,)
        words = ": ".join([*severity, _check_words(rule)])
        lines.append(Row((_begun(words), str(int(count)))))
    return Table(name, titled(title, data), ("What", "How often"), tuple(lines), data=data)


def _check_words(rule: str) -> str:
    if rule.startswith("from_lesions_"):
        return f"taken from the lesions (rule: {rule.removeprefix('from_lesions_')})"
    return _CHECK_WORDS.get(rule, rule.replace("_", " "))


def unanswered(statistics: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return every question without an answer, in words, grouped by the reason why.

    A question asked again in another way, or answered by another method, is not a question more;
    the tables of models and of sensitivity, and `statistics.csv`, have those.
    """
    groups: dict[str, list[str]] = {}
    for row in records(statistics):
        # That nothing explains the gain is an answer.
        if row["status"] == "not_estimable" and row["term"] != "tipping" and not _again(row):
            questions = groups.setdefault(reason_words(row["reason"]), [])
            if (question := _question(row)) not in questions:
                questions.append(question)
    return list(groups.items())


def _again(row: Mapping[str, Any]) -> bool:
    """Whether a row answers what another row asks first."""
    if row["analysis"] in ALTERNATIVE_WORDS or row["analysis"] == "sensitivity.source":
        return True
    if row["analysis"] in PREDICTED_WORDS:
        return True
    method = str(row["row_id"]).rpartition("/")[2]
    return row["analysis"].startswith("model.") and method in BESIDE


def _question(row: Mapping[str, Any]) -> str:
    analysis, term = row["analysis"], row["term"]
    family, _, name = analysis.partition(".")
    if family == "describe":
        words = MEASURE_WORDS.get(name, analysis_words(analysis))
        # Median and quartiles are missing together, and are one question.
        detail = "" if term in ("median", "quartile_1", "quartile_3") else term
    elif family == "model":
        words = MODEL_WORDS.get(analysis, analysis_words(analysis))
        detail = TERM_WORDS.get(term, term)
    elif analysis in PREDICTOR_WORDS:
        words = _ASSOCIATION_WORDS[analysis]
        detail = "SUVmax" if row["outcome"] == "suvmax" else ""
    elif analysis in NOISE_WORDS:
        # Every value of a sweep is refused for the same reason, and is one question.
        words, detail = NOISE_WORDS[analysis], OCCASION_WORDS.get(term, "")
    else:
        known = CHANGE_WORDS.get((analysis, term))
        words, detail = known or analysis_words(analysis), "" if known else term
        if row["outcome"].startswith("lesion_"):
            words = f"Lesions: {words}"
    where = subset_words(row["subset"])
    return f"{': '.join(filter(None, (words, detail)))} ({where})"


def methods(statistics: pd.DataFrame) -> list[tuple[str, str]]:
    """Return which methods gave the intervals and P values, by question."""
    found: dict[str, list[str]] = {}
    for row in records(statistics):
        names = [name for name in (row["interval_method"], row["p_method"]) if name]
        names = list(dict.fromkeys(names))
        if not names:
            continue
        key = (row["analysis"], row["term"])
        named = MODEL_WORDS | PREDICTED_WORDS | NOISE_WORDS | _ASSOCIATION_WORDS
        words = named.get(row["analysis"]) or (
            "Direction of change" if row["analysis"] == "transition.proportion"
            else CHANGE_WORDS.get(key, analysis_words(row["analysis"]))
        )  # fmt: skip
        if row["analysis"] in ALTERNATIVE_WORDS or row["analysis"] == "sensitivity.source":
            words = "The primary question asked in other ways"
        kept = found.setdefault(words, [])
        kept += [name for name in names if name not in kept]
    return [(words, "; ".join(names)) for words, names in found.items()]


def source_notes(sources: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the files with the notes at their top; files with the same note stand together."""
    groups: dict[str, dict[str, Any]] = {}
    for row in sources.to_dict("records"):
        note = "" if pd.isna(row["note"]) else str(row["note"])
        group = groups.setdefault(note, {"note": note, "files": []})
        kind = "synthetic" if row["synthetic"] == "yes" else "recorded"
        group["files"].append(
            f"{row['source']}, {row['table']}: {row['file']} (rows: {int(row['rows'])}; {kind})"
        )
    return list(groups.values())


def flattened(provenance: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines of a name and a text."""
    lines: list[tuple[str, str]] = []
    for key, value in provenance.items():
        name = f"{above} / {key}" if above else str(key)
        if isinstance(value, Mapping):
            lines += flattened(value, name)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value, start=1):
                lines += flattened(item, f"{name} / {number}")
        elif isinstance(value, list | tuple):
            lines.append((name, ", ".join(map(str, value)) or "none"))
        else:
            lines.append((name, str(value)))
    return lines


def criterion_words(criterion: Mapping[str, Any] | None) -> str:
    """Return what `SSTR criterion met` means in this study."""
    if not criterion:
        return ""
    where = RULE_WORDS[criterion["rule"]]
    score = rounding.measure(float(criterion["threshold"]))
    return (
        f"a Krenning score of {score} or more, {where}, "
        "or of the patient where no lesion is scored at both scans"
    )


# The page


def render(
    template: str,
    *,
    study: str,
    cut: str,
    statistics: pd.DataFrame,
    flow: pd.DataFrame,
    sources: pd.DataFrame,
    problems: pd.DataFrame,
    repairs: pd.DataFrame,
    tables: list[Table],
    figures: list[Figure],
    provenance: Mapping[str, Any],
    criterion: Mapping[str, Any] | None = None,
) -> str:
    """Return the whole page; it loads nothing from elsewhere.

    Parameters
    ----------
    template : text of `workflow/report/summary.html.jinja`.
    study, cut : names of the study and of the data cut.
    statistics, flow, sources, problems, repairs : the result files of these names.
    tables, figures : what the page shows, in order.
    provenance : versions and inputs, may be nested.
    criterion : `threshold` and `rule` of the config, to say what the criterion means.
    """
    data = data_kind(sources)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["typeset"] = lambda text: Markup(typeset(text))
    return environment.from_string(template).render(
        study=study,
        cut=cut,
        data_note=DATA_NOTES[data],
        css=Markup(TABLE_CSS),
        criterion=criterion_words(criterion),
        answer=answer(statistics),
        caveats=caveats(statistics),
        cycles_note=CYCLES,
        figures=[_shown(figure, data) for figure in figures],
        tables=[Markup(to_html(table)) for table in tables],
        flow=Markup(to_html(flow_table(flow, data))),
        problems=_counts_or_none(problems, "problems", "Problems found in the data", data),
        repairs=_counts_or_none(repairs, "repairs", "Values not read as they were written", data),
        unanswered=unanswered(statistics),
        sources=source_notes(sources),
        methods=methods(statistics),
        provenance=flattened(provenance),
    )


def _shown(figure: Figure, data: str) -> dict[str, Any]:
    width = _SVG_WIDTH.search(figure.svg)
    return {
        "name": figure.name,
        "title": titled(figure.title, data),
        "uri": "data:image/svg+xml;base64," + base64.b64encode(figure.svg).decode("ascii"),
        "width": f"{width.group(1).decode()}pt" if width else "100%",
        "caption": figure.caption,
        "alt": figure.alt,
        "drawn": not figure.alt.startswith(NOT_DRAWN),
    }


def _counts_or_none(frame: pd.DataFrame, name: str, title: str, data: str) -> Markup | None:
    return Markup(to_html(counted(frame, name, title, data))) if len(frame) else None
