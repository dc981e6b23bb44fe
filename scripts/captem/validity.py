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
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from captem import models, terms, transition_rows, transitions, worlds
from captem.model_parts import PRIMARY_TERM
from captem.worlds import Scenario, Study, World
from captem.worlds_list import BLOCK

SEED = 2027
ALPHA = 0.05
THRESHOLD, RULE = 3, "most"
_PLAN = terms.Plan.of(0.5, {"covariates": [], "splines": []})
_CYCLES = "captem_cycles"
COUNTED = (
    "studies", "given", "ok", "intervals", "covered", "tests", "rejected", "errors", "error_sum",
    "error_squares", "widths", "width_sum", "patients_sum",
)  # fmt: skip
KEYS = ("scenario", "patients", "row_id")
# Estimates that are ratios: their errors and widths are in natural logarithms.
_RATIOS = ("model.", "transition.win_odds", "transition.suvmax_ratio")
_OUTCOMES = ("krenning", "criterion", "suvmax")
# Rows that need two readers, organs or lesions, which are not drawn.
_LEFT_OUT = ("agreement.", "describe.", "sensitivity.")
# Tests whose P speaks of change between the scans.
_OF_CHANGE = (
    "transition.signed_rank", "transition.sign_test", "transition.suvmax_ratio",
    "transition.symmetry", "transition.marginal_homogeneity", "criterion.mcnemar",
)  # fmt: skip
# Patients from whom a truth without a formula is computed.
_MANY = 400_000


def rows(study: Study, seed: int) -> pd.DataFrame:
    """Return what captem says of a study: the rows on change and association, and of the models.

    Parameters
    ----------
    seed : of P values that are found by drawing.
    """
    patients = study.patients()
    changes = transitions.patient_transitions(patients, _LESIONS, THRESHOLD, RULE)
    of_change = transition_rows.estimate(patients, changes, _LESION_CHANGES, ["drawn"], seed=seed)
    of_change = of_change[of_change["outcome"].isin(_OUTCOMES)]
    found = pd.concat([of_change, models.of_patients(patients, changes, _PLAN)])
    told = found["analysis"].str.startswith(_LEFT_OUT) | found["term"].eq("undetermined")
    return found[~told]


_LESIONS = pd.DataFrame(
    columns=[
        "patient_id", "lesion_id", "source", "lesion_site", "index_lesion", "krenning_pre_low",
        "krenning_pre_high", "krenning_post_low", "krenning_post_high", "suvmax_pre", "suvmax_post",
        "diameter_mm_pre", "diameter_mm_post", "lesion_status_post", "synthetic",
    ]
)  # fmt: skip
_LESION_CHANGES = transitions.lesion_transitions(_LESIONS, THRESHOLD, _LESIONS[["patient_id"]])


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
    counts: dict[str, np.ndarray] = {}
    for one in stream.spawn(studies):
        rng = np.random.default_rng(one)
        study = worlds.draw(rng, worlds.base(), scenario, patients)
        for row in rows(study, int(rng.integers(2**31))).to_dict("records"):
            counts.setdefault(row["row_id"], np.zeros(len(COUNTED)))
            counts[row["row_id"]] += _counts(row, known.get(row["row_id"], math.nan))
    lines = [[scenario.name, patients, name, *found] for name, found in counts.items()]
    return pd.DataFrame(lines, columns=[*KEYS, *COUNTED])


def _counts(row: dict[str, Any], truth_: float) -> np.ndarray:
    found = dict.fromkeys(COUNTED, 0.0)
    found["studies"] = 1
    if row["status"] != "not_estimable":
        found["given"] = 1
        found["ok"] = row["status"] == "ok"
        found["patients_sum"] = 0 if pd.isna(row["n_patients"]) else row["n_patients"]
        if pd.notna(row["p_value"]):
            found["tests"], found["rejected"] = 1, row["p_value"] <= ALPHA
        ends = row["conf_low"], row["conf_high"]
        if pd.notna(ends[0]) and pd.notna(truth_):
            found["intervals"], found["covered"] = 1, ends[0] <= truth_ <= ends[1]
        ratio = row["row_id"].startswith(_RATIOS)
        told = [_scaled(value, ratio) for value in (row["estimate"], truth_, *ends)]
        if math.isfinite(told[0] - told[1]):
            found["errors"] = 1
            found["error_sum"], found["error_squares"] = told[0] - told[1], (told[0] - told[1]) ** 2
        if math.isfinite(told[3] - told[2]):
            found["widths"], found["width_sum"] = 1, told[3] - told[2]
    return np.array([float(found[name]) for name in COUNTED])


def _scaled(value: Any, ratio: bool) -> float:
    number = math.nan if pd.isna(value) else float(value)
    if not ratio:
        return number
    return math.log(number) if number > 0 else -math.inf if number == 0 else math.nan


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
    told = {}
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
    return every.groupby(list(KEYS), sort=False, as_index=False)[list(COUNTED)].sum()


def blocks_of(chunk: int, per_chunk: int, replicates: int) -> Sequence[tuple[int, int]]:
    """Return number and size of each block of a chunk; the last block may be smaller."""
    total = math.ceil(replicates / BLOCK)
    first = chunk * per_chunk
    return [
        (number, min(BLOCK, replicates - number * BLOCK))
        for number in range(first, min(first + per_chunk, total))
    ]
