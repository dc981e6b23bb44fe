"""The other ways to look at the primary contrast: who is analysed, and which score and MIB1 count.

Each alternative is a patient table as the primary model reads it, changed in one respect, or the
reason why it cannot be had. What is asked of it is in `captem.sensitivity`; why it is asked stands
beside each analysis:

===================================  =============================================================
sensitivity.mib1_interval            a MIB1 printed as an interval may be either end
sensitivity.baseline_interval        and so may a baseline score
sensitivity.reference_organs         liver and spleen of each scan, and those of baseline at both:
                                     an analogue darkens them, and an unchanged lesion scores higher
sensitivity.same_scanner, _tracer    SUV and score depend on both
sensitivity.without_interval_prrt,   an effect of another treatment is none of CAPTEM
_therapy
sensitivity.without_ssa_change       an analogue begun or stopped moves liver, spleen and score
sensitivity.lesion_rule              which lesion speaks for the patient
sensitivity.lesion_size              small lesions read low, and lesions shrink
sensitivity.reader                   another reader
sensitivity.landmark                 responders are given more cycles: those who got k of them
sensitivity.source                   one source at a time
===================================  =============================================================

A patient of whom it is not known whether something changed stays in; only a known change is left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from captem import between_scans, surrogate
from captem import lesions as lesion_rules
from captem.criterion import SCORES

_BASELINE = SCORES[:2]
_FOLLOW_UP = SCORES[2:]
# The rule `all` picks the same lesion as `lowest`.
_SCANS = {"pre": "baseline", "post": "follow-up"}
_LESION_RULES = ("highest", "index", "lowest")


@dataclass(frozen=True)
class Alternative:
    """A changed patient table, or why there is none; `variant` tells those of an analysis apart."""

    analysis: str
    variant: str
    patients: pd.DataFrame
    refusal: str = ""


def all_of(
    patients: pd.DataFrame,
    lesions: pd.DataFrame,
    rule: str,
    boundaries: surrogate.Boundaries | None,
    settings: Mapping[str, Any],
) -> list[Alternative]:
    """Return every alternative for the patients of a subset.

    Parameters
    ----------
    patients : canonical patient table of the subset.
    lesions : canonical lesion table.
    rule : which lesion speaks for the patient in the study.
    boundaries : the declared boundaries of the surrogate score (see `captem.surrogate`).
    settings : `lesion_size_mm` and `landmark_cycles`, lists, as in the config.
    """
    return [
        *_ends(patients, "mib1", "sensitivity.mib1_interval", "MIB1 index"),
        *_ends(patients, "krenning_pre", "sensitivity.baseline_interval", "baseline score"),
        *_reference_organs(patients, boundaries),
        *_without_changes(patients),
        *_by_lesion_rule(patients, lesions),
        *(
            alternative
            for limit in settings["lesion_size_mm"]
            for alternative in _above_size(patients, lesions, rule, limit)
        ),
        *_readers(patients),
        *(_landmark(patients, cycles) for cycles in settings["landmark_cycles"]),
    ]


def sources(patients: pd.DataFrame) -> dict[str, Alternative]:
    """Return the patients of each source alone, by the name of the subset."""
    names = list(dict.fromkeys(patients["source"]))
    alone = "all patients come from one source" if len(names) < 2 else ""
    return {
        f"source_{name}": Alternative(
            "sensitivity.source", "", patients[patients["source"].eq(name)], alone
        )
        for name in names
    }


def _ends(patients: pd.DataFrame, name: str, analysis: str, words: str) -> Iterator[Alternative]:
    low, high = patients[f"{name}_low"], patients[f"{name}_high"]
    closed = ~high.astype(float).isin([float("inf")])
    refusal = "" if (low.ne(high) & low.notna() & closed).any() else f"no {words} is an interval"
    for end, values in (("low", low), ("high", high)):
        # An open end is not invented: these patients stay out, as in the primary model.
        both = {
            f"{name}_low": values.where(closed, low),
            f"{name}_high": values.where(closed, high),
        }
        yield Alternative(analysis, end, patients.assign(**both), refusal)


def _reference_organs(
    patients: pd.DataFrame, boundaries: surrogate.Boundaries | None
) -> Iterator[Alternative]:
    analysis = "sensitivity.reference_organs"
    scores = surrogate.columns(patients, boundaries)
    for variant, name in (("own_reference", "post"), ("baseline_reference", "post_fixed")):
        derived = {
            column: scores[f"surrogate_{scan}_{end}"]
            for scan, columns in (("pre", _BASELINE), (name, _FOLLOW_UP))
            for end, column in zip(("low", "high"), columns, strict=True)
        }
        scored = patients.assign(**derived)
        known = scored[list(SCORES)].notna().all(axis=1).any()
        refusal = "" if known else "no patient has SUVmax of tumour, liver and spleen at both scans"
        yield Alternative(analysis, variant, scored, refusal)


def _without_changes(patients: pd.DataFrame) -> Iterator[Alternative]:
    asked: tuple[tuple[str, str, Callable[[pd.DataFrame], pd.Series]], ...] = (
        ("same_scanner", "the scanner", lambda rows: between_scans.changed(rows, "scanner")),
        ("same_tracer", "the tracer", lambda rows: between_scans.changed(rows, "tracer")),
        ("without_interval_prrt", "treatment between the scans", between_scans.prrt),
        ("without_interval_therapy", "treatment between the scans", between_scans.other_therapy),
        ("without_ssa_change", "the analogue", lambda rows: between_scans.changed(rows, "ssa")),
    )
    for name, words, answered in asked:
        answers = answered(patients)
        refusal = "" if answers.notna().any() else f"of no patient {words} is known at both scans"
        if "treatment" in words and refusal:
            refusal = f"of no patient {words} is known"
        kept = patients[~answers.fillna(False).astype(bool)]
        yield Alternative(f"sensitivity.{name}", "", kept, refusal)


def _by_lesion_rule(patients: pd.DataFrame, lesions: pd.DataFrame) -> Iterator[Alternative]:
    """Score patients by one of their lesions; whoever has none that is compared is left out."""
    own = lesions[lesions["patient_id"].isin(patients["patient_id"])]
    compared = lesion_rules.matched(own, SCORES)
    for name, values in lesion_rules.values_by_rule(compared, SCORES, _LESION_RULES).items():
        scored = _scored(patients, values)
        refusal = ""
        if compared.empty:
            refusal = "no lesion has a score at both scans"
        elif values.empty:
            refusal = "no lesion is marked as the index lesion"
        yield Alternative("sensitivity.lesion_rule", name, scored, refusal)


def _scored(patients: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Return the patients with scores by `patient_id` in place of theirs; missing where none."""
    return patients.assign(
        **values.reindex(patients["patient_id"]).set_axis(patients.index).to_dict("series")
    )


def _above_size(
    patients: pd.DataFrame, lesions: pd.DataFrame, rule: str, limit: float
) -> Iterator[Alternative]:
    """Score patients by their lesions of at least `limit` mm, at baseline and at both scans.

    Whoever has none is left out; the patient's own score would count the small ones too.
    """
    compared = lesion_rules.matched(lesions, SCORES)
    compared = compared[compared["patient_id"].isin(patients["patient_id"])]
    large = pd.Series(True, index=compared.index)
    for variant, time in (("at_baseline", "pre"), ("at_both_scans", "post")):
        name = f"diameter_mm_{time}"
        diameters = compared.get(name, pd.Series(float("nan"), index=compared.index)).astype(float)
        large &= diameters.ge(limit)
        refusal = (
            "" if diameters.notna().any() else f"no size of a lesion is known at {_SCANS[time]}"
        )
        values = lesion_rules.patient_values(compared[large], SCORES, rule)
        scored = _scored(patients, values)
        yield Alternative("sensitivity.lesion_size", f"{limit:g}_mm_{variant}", scored, refusal)


def _readers(patients: pd.DataFrame) -> Iterator[Alternative]:
    second = [
        f"krenning_{time}_reader2_{end}" for time in ("pre", "post") for end in ("low", "high")
    ]
    given = set(second) <= set(patients)
    both = patients[patients[second].notna().all(axis=1)] if given else patients[:0]
    refusal = "" if len(both) else "no patient has scores of a second reader at both scans"
    yield Alternative("sensitivity.reader", "reader_1", both, refusal)
    read = both.assign(
        **{name: both[other] for name, other in zip(SCORES, second, strict=True)}
    ) if given else both  # fmt: skip
    yield Alternative("sensitivity.reader", "reader_2", read, refusal)


def _landmark(patients: pd.DataFrame, cycles: int) -> Alternative:
    """Keep patients who had completed that many cycles: within them no reward is left."""
    given = patients.get("captem_cycles", pd.Series(float("nan"), index=patients.index))
    refusal = "" if given.notna().any() else "no patient has a number of CAPTEM cycles"
    kept = patients[given.astype(float).ge(cycles)]
    return Alternative("sensitivity.landmark", f"{cycles}_cycles", kept, refusal)
