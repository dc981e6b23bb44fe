"""Who is in which analysis, and why the others are not: the one place for both.

Each criterion is a column of `eligibility.csv` that is true or false for each patient. The flow
diagram and the analyses read the same answers, so that their counts cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Criterion:
    """A condition for being analysed; `otherwise` says in words why a patient is left out."""

    name: str
    otherwise: str
    met: Callable[[pd.DataFrame], pd.Series]


def _given(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    def known(patients: pd.DataFrame) -> pd.Series:
        if column not in patients:
            return pd.Series(False, index=patients.index)
        return patients[column].notna()

    return known


def _some(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Whether a number of lesions (`lesion_data.with_counts`) is above 0; without it, no."""

    def counted(patients: pd.DataFrame) -> pd.Series:
        if column not in patients:
            return pd.Series(False, index=patients.index)
        return patients[column].gt(0)

    return counted


_BASELINE = Criterion("baseline_score", "no baseline score", _given("krenning_pre_low"))
_FOLLOW_UP = Criterion("follow_up_score", "no follow-up score", _given("krenning_post_low"))
_INFORMATIVE = Criterion(
    "follow_up_score_narrow",
    "follow-up score may be any",
    lambda patients: (
        ~(patients["krenning_post_low"].eq(0) & patients["krenning_post_high"].eq(4)).fillna(False)
    ),
)
_SUV_BASELINE = Criterion("baseline_suvmax", "no baseline SUVmax", _given("suvmax_pre"))
_SUV_FOLLOW_UP = Criterion("follow_up_suvmax", "no follow-up SUVmax", _given("suvmax_post"))
_MIB1 = Criterion("mib1", "no MIB1 index", _given("mib1_low"))
_MIB1_CLOSED = Criterion(
    "mib1_closed",
    "MIB1 index without an upper end",
    lambda patients: ~np.isinf(patients["mib1_high"].astype(float)),
)
_CYCLES = Criterion("cycles", "number of cycles not known", _given("captem_cycles"))
_LESION_SCORED = Criterion(
    "lesion_scores", "no lesion scored at both scans", _some("lesions_scored")
)
_LESION_TELLING = Criterion(
    "lesion_follow_up_score_narrow",
    "follow-up score of the lesions may be any",
    _some("lesions_telling"),
)
_LESION_MEASURED = Criterion(
    "lesion_suvmax", "no lesion with SUVmax at both scans", _some("lesions_measured")
)
_SCORED = Criterion(
    "scored_by_rule",
    "no pair of scores that the rule can use",
    lambda patients: patients["scored"].astype(bool),
)

_NOT_MET = Criterion(
    "criterion_not_met_before",
    "criterion met before, or left open",
    lambda patients: patients["criterion_pre"].eq("no"),
)
_CLOSED_AFTER = Criterion(
    "criterion_known_after",
    "criterion after left open",
    lambda patients: patients["criterion_post"].notna(),
)

NEEDS: dict[str, tuple[Criterion, ...]] = {
    "transition": (_BASELINE, _FOLLOW_UP),
    "criterion": (_SCORED,),
    "transition.suvmax_ratio": (_SUV_BASELINE, _SUV_FOLLOW_UP),
    "association.mib1": (_BASELINE, _FOLLOW_UP, _MIB1, _MIB1_CLOSED),
    "association.mib1_suvmax": (_SUV_BASELINE, _SUV_FOLLOW_UP, _MIB1, _MIB1_CLOSED),
    "association.cycles": (_BASELINE, _FOLLOW_UP, _CYCLES),
    "association.cycles_suvmax": (_SUV_BASELINE, _SUV_FOLLOW_UP, _CYCLES),
    "model.krenning": (_BASELINE, _FOLLOW_UP, _INFORMATIVE, _MIB1, _MIB1_CLOSED),
    "model.krenning_cycles": (_BASELINE, _FOLLOW_UP, _INFORMATIVE, _MIB1, _MIB1_CLOSED, _CYCLES),
    "model.criterion": (_SCORED, _NOT_MET, _CLOSED_AFTER, _MIB1, _MIB1_CLOSED),
    "model.criterion_cycles": (_SCORED, _NOT_MET, _CLOSED_AFTER, _MIB1, _MIB1_CLOSED, _CYCLES),
    "model.suvmax": (_SUV_BASELINE, _SUV_FOLLOW_UP, _MIB1, _MIB1_CLOSED),
    "model.suvmax_cycles": (_SUV_BASELINE, _SUV_FOLLOW_UP, _MIB1, _MIB1_CLOSED, _CYCLES),
    "model.lesion_krenning": (_LESION_SCORED, _LESION_TELLING, _MIB1, _MIB1_CLOSED),
    "model.lesion_krenning_cycles": (
        _LESION_SCORED,
        _LESION_TELLING,
        _MIB1,
        _MIB1_CLOSED,
        _CYCLES,
    ),
    "model.lesion_suvmax": (_LESION_MEASURED, _MIB1, _MIB1_CLOSED),
    "model.lesion_suvmax_cycles": (_LESION_MEASURED, _MIB1, _MIB1_CLOSED, _CYCLES),
}


def needs(analysis: str, covariates: Sequence[str] = ()) -> tuple[Criterion, ...]:
    """Return the conditions for being in `analysis`.

    `covariates` are those that the config lays down; a model of patients holds them all, so each
    has to be known, also where too few patients are left for it (see `captem.terms`).
    """
    of_patients = analysis.startswith("model.") and not analysis.startswith("model.lesion_")
    more = tuple(_covariate(name) for name in covariates) if of_patients else ()
    return (*NEEDS[analysis], *more)


def _covariate(name: str) -> Criterion:
    words = {
        "age_years": "age", "primary_site": "primary site", "ssa_pre": "analogue at baseline",
        "prior_prrt": "PRRT before baseline",
    }.get(name, name)  # fmt: skip
    return Criterion(f"covariate_{name}", f"{words} not known", _given(name))


def answers(patients: pd.DataFrame, criteria: Sequence[Criterion]) -> pd.DataFrame:
    """Return one Boolean column a criterion, in the rows of `patients`."""
    return pd.DataFrame(
        {item.name: item.met(patients).astype(bool) for item in criteria}, index=patients.index
    )


def all_answers(patients: pd.DataFrame, covariates: Sequence[str] = ()) -> pd.DataFrame:
    """Return the answers to every condition of any analysis."""
    every = dict.fromkeys(item for analysis in NEEDS for item in needs(analysis, covariates))
    return answers(patients, tuple(every))


def reasons(answered: pd.DataFrame, conditions: Sequence[Criterion]) -> pd.Series:
    """Return why each patient is left out, the first condition not met, or ``""``."""
    # The place of the first condition that fails; behind the last, where all are met.
    met = np.column_stack([answered[item.name].to_numpy(bool) for item in conditions])
    first = np.where(met.all(axis=1), len(conditions), met.argmin(axis=1))
    words = np.array([*(item.otherwise for item in conditions), ""], dtype=object)
    return pd.Series(words[first], index=answered.index, dtype=object)


def left_out(patients: pd.DataFrame, analysis: str, covariates: Sequence[str] = ()) -> pd.Series:
    """Return the reason why each patient is not in `analysis`; empty for those who are."""
    conditions = needs(analysis, covariates)
    return reasons(answers(patients, conditions), conditions)


def analysed(patients: pd.DataFrame, analysis: str, covariates: Sequence[str] = ()) -> pd.DataFrame:
    """Return the patients that are in `analysis`."""
    return patients[left_out(patients, analysis, covariates).eq("")]
