"""The rows of `statistics.csv` that captem gives of drawn studies, by the functions that write it.

Which rows a calibration asks for, in jobs of their own (`calibration_grid.ROWS`):

=========  =========================================================================================
patients   change, association and the models of patients
resampled  `/bootstrap` and `/permutation` beside the models of patients
lesions    the models of lesions
=========  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import (
    association,
    association_rows,
    criterion_model,
    criterion_rows,
    eligibility,
    krenning_model,
    lesion_data,
    lesion_krenning_model,
    lesion_suvmax_model,
    paired,
    resampled,
    statistics,
    suvmax_model,
    terms,
    transition_rows,
    transitions,
    worlds,
)
from captem.model_parts import PRIMARY_TERM, Model
from captem.planned_models import CYCLES, OF_LESIONS, OF_PATIENTS
from captem.worlds import Study

THRESHOLD, RULE = 3, "most"
# A permutation P is of its level with any number of draws: (b + 1) / (B + 1) <= .05 in 50 of 1,000.
EFFORT = association.Effort(exact=2_000_000, draws=999)
# Resamples, and arrangements: fewer than in `statistics.csv`, for the time they take.
REPLICATES = 499
_MIB1_FLOOR = 0.5


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a model is asked of a block of studies: those analysed, their terms, whose study."""

    chosen: pd.DataFrame
    x: np.ndarray
    study: np.ndarray

    @classmethod
    def of_block(
        cls, model: Model, patients: pd.DataFrame, of_criterion: pd.DataFrame, size: int
    ) -> _Asked:
        """Return what a model of patients is asked of all studies, each of `size` patients."""
        given = of_criterion if model.outcome == "criterion" else patients
        chosen = eligibility.analysed(given, model.analysis)
        return cls(chosen, _terms(model, chosen), chosen.index.to_numpy() // size)

    def of(self, number: int) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the part of one study."""
        first, last = np.searchsorted(self.study, [number, number + 1])
        return self.chosen.iloc[first:last], self.x[first:last]


def of_patients(
    studies: Sequence[Study], seeds: Sequence[int], *, few: bool = False
) -> Iterator[list[dict[str, Any]]]:
    """Yield what captem says of each study: the rows on change and association, and of the models.

    What belongs to each patient alone is computed for all studies at once.

    Parameters
    ----------
    studies, seeds : of as many patients each; seeds are those of P values found by drawing.
    few : only the rows on change of scores, association with the score, and the primary model with
        its twin, as those that a study reports of them first.
    """
    models = [model for model in OF_PATIENTS if not few or model.outcome == "krenning"]
    changes, asked = _asked(studies, models)
    size = len(studies[0].pre)
    for number, (study, seed) in enumerate(zip(studies, seeds, strict=True)):
        changed = changes.iloc[number * size : (number + 1) * size]
        found = _rows_of_change(study, changed, seed)
        found += _rows_of_association(study, seed, few)
        for model, answers in asked.items():
            found += _fitted(model, *answers.of(number), few)
        yield [row for row in found if row["term"] != "undetermined"]


def beside(studies: Sequence[Study], seeds: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows `/bootstrap` and `/permutation` of each study; see `of_patients`."""
    models = [model for model in OF_PATIENTS if CYCLES not in model.terms]
    _, asked = _asked(studies, models)
    for number, seed in enumerate(seeds):
        found = []
        for model, answers in asked.items():
            chosen, x = answers.of(number)
            fitted = _fitted(model, chosen, x, reported_only=True)
            reported = next(row for row in fitted if row["term"] == PRIMARY_TERM)
            found += resampled.rows(model, statistics.ALL, chosen, x, reported, seed, REPLICATES)
        yield found


def of_lesions(
    studies: Sequence[Study], lesions: Sequence[pd.DataFrame]
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the models of lesions, of each study.

    Parameters
    ----------
    studies : of as many patients each.
    lesions : of each study, as `worlds_lesions.draw` returns them.
    """
    size = len(studies[0].pre)
    patients = worlds.joined(studies).patients()
    every = pd.concat(lesions, ignore_index=True)
    counts = [len(drawn) for drawn in lesions]
    whose = np.repeat(np.arange(len(studies)) * size, counts) + every["patient"].to_numpy()
    every = every.assign(patient_id=patients["patient_id"].to_numpy()[whose]).drop(
        columns="patient"
    )
    with_lesions = lesion_data.with_counts(patients, every)
    study_of = dict(zip(patients["patient_id"], np.arange(len(patients)) // size, strict=True))
    asked = {}
    for model in OF_LESIONS:
        given = eligibility.analysed(with_lesions, model.analysis)
        chosen = lesion_data.rows(given, every, model.outcome)
        asked[model] = _Asked(chosen, _terms(model, chosen), chosen["patient_id"].map(study_of))
    for number in range(len(studies)):
        found = []
        for model, answers in asked.items():
            fit = _FIT_OF_LESIONS[model.outcome]
            found += fit(model, statistics.ALL, model.planned, *answers.of(number)).rows
        yield found


def _asked(
    studies: Sequence[Study], models: Sequence[Model]
) -> tuple[pd.DataFrame, dict[Model, _Asked]]:
    """Return the changes of all patients, and what each model is asked of them."""
    patients = worlds.joined(studies).patients()
    changes = transitions.patient_transitions(patients, NO_LESIONS, THRESHOLD, RULE)
    of_criterion = criterion_model.asked_of(patients, criterion_model.status_of(changes))
    size = len(studies[0].pre)
    return changes, {
        model: _Asked.of_block(model, patients, of_criterion, size) for model in models
    }


def _terms(model: Model, chosen: pd.DataFrame) -> np.ndarray:
    return terms.main(chosen, _MIB1_FLOOR)[list(model.terms)].to_numpy(dtype=float)


def _fitted(
    model: Model, chosen: pd.DataFrame, x: np.ndarray, reported_only: bool
) -> list[dict[str, Any]]:
    given = model, statistics.ALL, model.planned, chosen, x
    if model.outcome == "krenning":
        return krenning_model.fit(*given, reported_only=reported_only).rows
    fit = criterion_model.fit if model.outcome == "criterion" else suvmax_model.fit
    return fit(*given).rows


def _rows_of_change(study: Study, changed: pd.DataFrame, seed: int) -> list[dict[str, Any]]:
    pre, post = (np.column_stack([score, score]).astype(float) for score in (study.pre, study.post))
    ratio = paired.suvmax_ratio(2.0**study.suv_pre, 2.0**study.suv_post)
    return [
        *transition_rows.score_rows(pre, post, statistics.ALL, _as_planned, seed),
        ratio.row(),
        *criterion_rows.rows(changed, statistics.ALL, _as_planned),
    ]


def _rows_of_association(study: Study, seed: int, few: bool) -> list[dict[str, Any]]:
    gains = {"krenning": (study.post - study.pre).astype(float)}
    if not few:
        gains["suvmax"] = study.suv_post - study.suv_pre
    found = []
    for name, x in (("mib1", study.mib1), ("cycles", study.cycles.astype(float))):
        for outcome, gain in gains.items():
            found += association_rows.of_values(name, outcome, x, gain, gain, seed, EFFORT)
    return [answer.row() for answer in found]


def _as_planned(role: str) -> str:
    return role


NO_LESIONS = pd.DataFrame(
    columns=[
        "patient_id", "lesion_id", "source", "lesion_site", "index_lesion", "krenning_pre_low",
        "krenning_pre_high", "krenning_post_low", "krenning_post_high", "suvmax_pre", "suvmax_post",
        "diameter_mm_pre", "diameter_mm_post", "lesion_status_post", "synthetic",
    ]
)  # fmt: skip
_FIT_OF_LESIONS = {
    "lesion_krenning": lesion_krenning_model.fit,
    "lesion_suvmax": lesion_suvmax_model.fit,
}
