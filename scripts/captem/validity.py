"""What captem's own rows say of studies whose truth is known: how often they are right.

Each study of `captem.worlds` is given to the functions that write `statistics.csv`, so that limits,
refusals and doubts are theirs. Counted is, for each row, how often it is given, how often it is
`ok`, how often its interval holds the truth, how often P is at most .05, and how far the estimate
is from the truth.

Studies are drawn in blocks of `BLOCK`. Each block has a random stream of its own, and its counts
are added in the order of the blocks: the result is the same bytes however many blocks a job takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from captem import (
    association,
    association_rows,
    criterion_model,
    criterion_rows,
    eligibility,
    krenning_model,
    paired,
    statistics,
    suvmax_model,
    terms,
    transition_rows,
    transitions,
    worlds,
)
from captem.calibration_grid import BLOCK
from captem.model_parts import PRIMARY_TERM, Model
from captem.planned_models import OF_PATIENTS
from captem.worlds import Scenario, Study, World

SEED = 2027
ALPHA = 0.05
THRESHOLD, RULE = 3, "most"
_MIB1_FLOOR = 0.5
# A permutation P is of its level with any number of draws: (b + 1) / (B + 1) <= .05 in 50 of 1,000.
EFFORT = association.Effort(exact=2_000_000, draws=999)
_CYCLES = "captem_cycles"
COUNTED = (
    "studies", "given", "ok", "intervals", "covered", "tests", "rejected", "errors", "error_sum",
    "error_squares", "widths", "width_sum", "patients_sum",
)  # fmt: skip
KEYS = ("scenario", "patients", "row_id")
# Estimates that are ratios: their errors and widths are in natural logarithms.
_RATIOS = ("model.", "transition.win_odds", "transition.suvmax_ratio")
# Tests whose P speaks of change between the scans.
_OF_CHANGE = (
    "transition.signed_rank", "transition.sign_test", "transition.suvmax_ratio",
    "transition.symmetry", "transition.marginal_homogeneity", "criterion.mcnemar",
)  # fmt: skip
# Patients from whom a truth without a formula is computed.
_MANY = 400_000


@dataclass(frozen=True, eq=False)
class _Asked:
    """What the models are asked of a block of studies: those analysed, their terms, whose study."""

    chosen: pd.DataFrame
    x: np.ndarray
    study: np.ndarray

    @classmethod
    def of_block(
        cls, model: Model, patients: pd.DataFrame, of_criterion: pd.DataFrame, size: int
    ) -> _Asked:
        """Return what a model is asked of all studies, each of `size` patients."""
        given = of_criterion if model.outcome == "criterion" else patients
        chosen = eligibility.analysed(given, model.analysis)
        x = terms.main(chosen, _MIB1_FLOOR)[list(model.terms)].to_numpy(dtype=float)
        return cls(chosen, x, chosen.index.to_numpy() // size)

    def of(self, number: int) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the part of one study."""
        first, last = np.searchsorted(self.study, [number, number + 1])
        return self.chosen.iloc[first:last], self.x[first:last]


def rows(
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
    patients = worlds.joined(studies).patients()
    changes = transitions.patient_transitions(patients, _LESIONS, THRESHOLD, RULE)
    of_criterion = criterion_model.asked_of(patients, criterion_model.status_of(changes))
    size = len(studies[0].pre)
    asked = {
        model: _Asked.of_block(model, patients, of_criterion, size)
        for model in OF_PATIENTS
        if not few or model.outcome == "krenning"
    }
    for number, (study, seed) in enumerate(zip(studies, seeds, strict=True)):
        changed = changes.iloc[number * size : (number + 1) * size]
        found = _rows_of_change(study, changed, seed)
        found += _rows_of_association(study, seed, few)
        for model, answers in asked.items():
            found += _fitted(model, *answers.of(number), few)
        yield [row for row in found if row["term"] != "undetermined"]


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


_LESIONS = pd.DataFrame(
    columns=[
        "patient_id", "lesion_id", "source", "lesion_site", "index_lesion", "krenning_pre_low",
        "krenning_pre_high", "krenning_post_low", "krenning_post_high", "suvmax_pre", "suvmax_post",
        "diameter_mm_pre", "diameter_mm_post", "lesion_status_post", "synthetic",
    ]
)  # fmt: skip


def block(scenario: Scenario, patients: int, number: int, studies: int = BLOCK) -> pd.DataFrame:
    """Draw a block of studies and return its counts: `KEYS` and `COUNTED`, a line a row.

    Parameters
    ----------
    patients : of each study.
    number : of the block; it alone, with scenario and size, decides what is drawn.
    """
    place = worlds.SCENARIOS.index(scenario)
    stream = np.random.SeedSequence(SEED, spawn_key=(place, patients, number))
    known = truth(scenario)
    drawn, seeds = [], []
    for one in stream.spawn(studies):
        rng = np.random.default_rng(one)
        drawn.append(worlds.draw(rng, worlds.base(), scenario, patients))
        seeds.append(int(rng.integers(2**31)))
    counts: dict[str, np.ndarray] = {}
    for found in rows(drawn, seeds, few=scenario in worlds.OF_BIAS):
        for row in found:
            counts.setdefault(row["row_id"], np.zeros(len(COUNTED)))
            counts[row["row_id"]] += _counts(row, known.get(row["row_id"], math.nan))
    lines = [[scenario.name, patients, name, *found] for name, found in counts.items()]
    return pd.DataFrame(lines, columns=[*KEYS, *COUNTED])


def _counts(row: Mapping[str, Any], truth_: float) -> np.ndarray:
    found = dict.fromkeys(COUNTED, 0.0)
    found["studies"] = 1
    if row["status"] != "not_estimable":
        found["given"] = 1
        found["ok"] = row["status"] == "ok"
        found["patients_sum"] = row["n_patients"]
        p_value, estimate, low, high = (
            math.nan if row.get(name) is None else float(row[name])
            for name in ("p_value", "estimate", "conf_low", "conf_high")
        )
        if not math.isnan(p_value):
            found["tests"], found["rejected"] = 1, p_value <= ALPHA
        if not math.isnan(low + truth_):
            found["intervals"], found["covered"] = 1, low <= truth_ <= high
        ratio = row["row_id"].startswith(_RATIOS)
        told = [_scaled(value, ratio) for value in (estimate, truth_, low, high)]
        if math.isfinite(told[0] - told[1]):
            found["errors"] = 1
            found["error_sum"], found["error_squares"] = told[0] - told[1], (told[0] - told[1]) ** 2
        if math.isfinite(told[3] - told[2]):
            found["widths"], found["width_sum"] = 1, told[3] - told[2]
    return np.array([float(found[name]) for name in COUNTED])


def _scaled(value: float, ratio: bool) -> float:
    if not ratio:
        return value
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan


@cache
def truth(scenario: Scenario) -> dict[str, float]:
    """Return the truth by row, where a scenario has one; of the others nothing is said.

    Proportions and coefficients of rank come from a very large study.
    """
    if scenario not in worlds.OF_TRUTH:
        return {}
    rng = np.random.default_rng([SEED, worlds.SCENARIOS.index(scenario)])
    world = worlds.base()
    large = worlds.draw(rng, world, scenario, _MANY)
    return _of_change(large) | _of_association(large) | _of_models(world, scenario)


def _of_change(large: Study) -> dict[str, float]:
    gain = large.post - large.pre
    met, later = large.pre >= THRESHOLD, large.post >= THRESHOLD
    up, down = float((gain > 0).mean()), float((gain < 0).mean())
    doublings = large.suv_post - large.suv_pre
    # The pseudomedian: the median of the mean of two patients.
    ratio = float(np.median((doublings[: _MANY // 2] + doublings[_MANY // 2 :]) / 2))
    told = {f"transition.proportion/krenning/all/{name}": share for name, share in
            (("up", up), ("same", 1 - up - down), ("down", down))}  # fmt: skip
    told |= {
        "transition.net_improvement/krenning/all": up - down,
        "transition.win_odds/krenning/all": (1 + up - down) / (1 - up + down),
        "transition.suvmax_ratio/suvmax/all": 2.0**ratio,
        "criterion.before/criterion/all": float(met.mean()),
        "criterion.after/criterion/all": float(later.mean()),
        "criterion.gained/criterion/all": float(later[~met].mean()),
        "criterion.difference/criterion/all": float(later.mean() - met.mean()),
    }
    exact = {f"{name}/exact": value for name, value in told.items()}
    return told | exact | {
        "criterion.difference/criterion/all/tango": told["criterion.difference/criterion/all"]
    }  # fmt: skip


def _of_association(large: Study) -> dict[str, float]:
    told = {}
    outcomes = {"krenning": large.post - large.pre, "suvmax": large.suv_post - large.suv_pre}
    for name, x in (("mib1", large.mib1), ("cycles", large.cycles)):
        for outcome, gain in outcomes.items():
            row = f"association.{name}/{outcome}/all"
            told[row] = float(stats.kendalltau(x, gain).statistic)
            told[f"{row}/spearman"] = float(stats.spearmanr(x, gain).statistic)
    return told


def _of_models(world: World, scenario: Scenario) -> dict[str, float]:
    """Return the truth of the models; of the baseline terms only where the model is that drawn."""
    beta = math.log(scenario.odds_ratio)
    slope = world.suv_line[2] if scenario.odds_ratio != 1 else 0.0
    effects = {"krenning": math.exp(beta), "criterion": math.exp(beta), "suvmax": 2.0**slope}
    told: dict[str, float] = {}
    for outcome, effect in effects.items():
        for analysis in (f"model.{outcome}", f"model.{outcome}_cycles"):
            found = {PRIMARY_TERM: effect}
            if analysis.endswith("_cycles"):
                found[_CYCLES] = 1.0
            if not scenario.exchanged:
                found |= (
                    {"log2_suvmax_pre": 2.0 ** world.suv_line[1]} if outcome == "suvmax"
                    else {"krenning_pre": math.exp(world.per_step)}
                )  # fmt: skip
            for term, value in found.items():
                row = f"{analysis}/{outcome}/all/{term}"
                told |= {row: value, f"{row}/maximum_likelihood": value}
    return told


def is_null(scenario: str, row_id: str) -> bool:
    """Return whether what a test asks is not so in a scenario: a rejection is an error then."""
    if scenario == worlds.NO_CHANGE.name and row_id.startswith(_OF_CHANGE):
        return True
    parts = row_id.split("/")
    if scenario in (worlds.NO_CHANGE.name, worlds.NO_MIB1.name) and (
        PRIMARY_TERM in parts or parts[0] == "association.mib1"
    ):
        return True
    every = [known.name for known in worlds.OF_TRUTH]
    return scenario in every and (_CYCLES in parts or parts[0] == "association.cycles")


def gathered(blocks: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the sums of all blocks, in their order."""
    every = pd.concat(list(blocks), ignore_index=True)
    every = every.astype({"patients": int, **dict.fromkeys(COUNTED, float)})
    return every.groupby(list(KEYS), sort=False, as_index=False)[list(COUNTED)].sum()
