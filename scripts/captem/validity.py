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
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from captem import validity_rows, worlds, worlds_lesions
from captem.calibration_grid import BLOCK, LESIONS, PATIENTS, RESAMPLED, ROWS
from captem.lesion_parts import GEE
from captem.model_parts import PRIMARY_TERM
from captem.planned_models import CYCLES
from captem.resampled import BOOTSTRAP, PERMUTATION
from captem.validity_rows import THRESHOLD
from captem.worlds import Scenario, Study, World

SEED = 2027
ALPHA = 0.05
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


def block(
    scenario: Scenario, patients: int, number: int, studies: int = BLOCK, rows: str = PATIENTS
) -> pd.DataFrame:
    """Draw a block of studies and return its counts: `KEYS` and `COUNTED`, a line a row.

    Parameters
    ----------
    patients : of each study.
    number : of the block; with scenario, size and rows it alone decides what is drawn.
    rows : which rows are asked for, one of `calibration_grid.ROWS`.
    """
    place: tuple[int, ...] = (worlds.SCENARIOS.index(scenario), patients, number)
    if rows != PATIENTS:
        place = (*place, ROWS.index(rows))
    stream = np.random.SeedSequence(SEED, spawn_key=place)
    known = truth(scenario, rows)
    counts: dict[str, np.ndarray] = {}
    for found in _rows(scenario, patients, stream.spawn(studies), rows):
        for row in found:
            counts.setdefault(row["row_id"], np.zeros(len(COUNTED)))
            counts[row["row_id"]] += _counts(row, known.get(row["row_id"], math.nan))
    lines = [[scenario.name, patients, name, *found] for name, found in counts.items()]
    return pd.DataFrame(lines, columns=[*KEYS, *COUNTED])


def _rows(
    scenario: Scenario, patients: int, streams: Iterable[np.random.SeedSequence], rows: str
) -> Iterator[list[dict[str, Any]]]:
    world = worlds.base()
    drawn: list[Study] = []
    seeds: list[int] = []
    lesions: list[pd.DataFrame] = []
    for stream in streams:
        rng = np.random.default_rng(stream)
        drawn.append(worlds.draw(rng, world, scenario, patients))
        if rows == LESIONS:
            lesions.append(worlds_lesions.draw(rng, world, scenario, drawn[-1]))
        seeds.append(int(rng.integers(2**31)))
    if rows == LESIONS:
        return validity_rows.of_lesions(drawn, lesions)
    if rows == RESAMPLED:
        return validity_rows.beside(drawn, seeds)
    return validity_rows.of_patients(drawn, seeds, few=scenario in worlds.OF_BIAS)


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
def truth(scenario: Scenario, rows: str = PATIENTS) -> dict[str, float]:
    """Return the truth by row, where a scenario has one; of the others nothing is said.

    Proportions, coefficients of rank and odds ratios over all patients come from a very large
    study.
    """
    if scenario not in worlds.OF_TRUTH:
        return {}
    if rows == LESIONS:
        return _of_lesions(worlds.base(), scenario)
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
                found[CYCLES] = 1.0
            if not scenario.exchanged:
                found |= (
                    {"log2_suvmax_pre": 2.0 ** world.suv_line[1]} if outcome == "suvmax"
                    else {"krenning_pre": math.exp(world.per_step)}
                )  # fmt: skip
            for term, value in found.items():
                row = f"{analysis}/{outcome}/all/{term}"
                beside = ("maximum_likelihood", BOOTSTRAP, PERMUTATION)
                told |= {row: value} | {f"{row}/{variant}": value for variant in beside}
    return told


def _of_lesions(world: World, scenario: Scenario) -> dict[str, float]:
    """Return the truth of the models of lesions, of a patient and over all patients."""
    baseline, mib1 = worlds_lesions.odds_ratios_across(scenario, SEED)
    slope = world.suv_line[2] if scenario.odds_ratio != 1 else 0.0
    suv = {"log2_suvmax_pre": 2.0 ** world.suv_line[1], PRIMARY_TERM: 2.0**slope}
    score = {"krenning_pre": math.exp(world.per_step), PRIMARY_TERM: scenario.odds_ratio}
    across = {"krenning_pre": baseline, PRIMARY_TERM: mib1}
    told: dict[str, float] = {}
    for outcome, of_patient, of_all in (
        ("lesion_krenning", score, across), ("lesion_suvmax", suv, suv),
    ):  # fmt: skip
        for analysis in (f"model.{outcome}", f"model.{outcome}_cycles"):
            for variant, values in (("", of_patient), (f"/{GEE}", of_all)):
                told |= {
                    f"{analysis}/{outcome}/all/{term}{variant}": value
                    for term, value in (values | {CYCLES: 1.0}).items()
                }
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
    return scenario in every and (CYCLES in parts or parts[0] == "association.cycles")


def gathered(blocks: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the sums of all blocks, in their order."""
    every = pd.concat(list(blocks), ignore_index=True)
    every = every.astype({"patients": int, **dict.fromkeys(COUNTED, float)})
    return every.groupby(list(KEYS), sort=False, as_index=False)[list(COUNTED)].sum()
