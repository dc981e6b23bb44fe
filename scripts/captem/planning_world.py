"""What planned studies are drawn from: the scores observed so far, MIB1 and cycles, or the config.

The world of a study is small and aggregate (no codes): counts of scores at both scans, and the
values of MIB1 and of cycles that occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import eligibility, limits, planning_grid, terms
from captem.bias import two_readings
from captem.planning_grid import OBSERVED

SCORES = np.arange(5)
# Of a row of the matrix, and of the shares at baseline: worth one patient, spread evenly over the
# five scores (Perks 1947, J Inst Actuar 73:285-334).
PRIOR = 1 / len(SCORES)
EXAMPLE = "baseline: [0.1, 0.4, 0.3, 0.15, 0.05]"


@dataclass(frozen=True)
class World:
    """What studies are drawn from.

    Attributes:
        counts: patients by score at baseline (rows) and follow-up (columns), (5, 5); one whose
            score is an interval counts in parts.
        scored: how many patients that is.
        values: (doublings of MIB1, cycles) of the patients to draw from, each less its mean; NaN
            cycles where they have no part.
        reliability: how alike the scores of both scans are where the change is not observed.
    """

    counts: tuple[tuple[float, ...], ...]
    scored: int
    values: tuple[tuple[float, float], ...]
    reliability: float

    def as_json(self) -> dict[str, Any]:
        """Return the world as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> World:
        """Return the world that `as_json` wrote."""
        rows, values = (
            tuple(tuple(float(value) for value in row) for row in given[name])
            for name in ("counts", "values")
        )
        return cls(rows, given["scored"], values, given["reliability"])  # type: ignore[arg-type]


def world(
    patients: pd.DataFrame, settings: Mapping[str, Any], mib1_floor: float
) -> tuple[World, list[str]]:
    """Return what studies are drawn from, and why that is not enough for the grid, a sentence each.

    Parameters
    ----------
    patients : canonical table, all patients of the study whatever their source.
    settings : the section `planning` of the config, resolved.
    mib1_floor : percent; lower values of MIB1 are raised to it.
    """
    chosen = eligibility.analysed(patients, "transition")
    counts = observed_counts(chosen)
    values, missing = _values(patients, settings, mib1_floor)
    reasons = []
    mixes = planning_grid.mixes(settings["baseline"])
    if refusal := limits.too_few_pairs(len(chosen)):
        if OBSERVED in mixes:
            reasons.append(
                f"planning, baseline: observed, but {refusal}. Write the shares of the baseline "
                f"scores 0 to 4 that you expect, such as planning: {{{EXAMPLE}}}"
            )
        if OBSERVED in settings["change"]:
            reasons.append(
                f"planning, change: observed, but {refusal}. Write the odds ratios of a higher "
                "score at follow-up that are worth finding, such as planning: {change: [1.5, 2, 3]}"
            )
    own = tuple(tuple(float(value) for value in row) for row in counts)
    made = World(own, len(chosen), values, float(settings["reliability"]))
    return made, reasons + missing


def observed_counts(chosen: pd.DataFrame) -> np.ndarray:
    """Return (5, 5) patients by score at baseline and follow-up.

    A score that is an interval is each of its scores as likely, in simulation only.
    """
    total = np.zeros((5, 5))
    for a, b, c, d in chosen[
        [f"krenning_{time}_{end}" for time in ("pre", "post") for end in ("low", "high")]
    ].to_numpy(dtype=int):
        total[a : b + 1, c : d + 1] += 1 / ((b - a + 1) * (d - c + 1))
    return total


def _values(
    patients: pd.DataFrame, settings: Mapping[str, Any], mib1_floor: float
) -> tuple[tuple[tuple[float, float], ...], list[str]]:
    """Return MIB1 and cycles of the patients to draw from, and what is missing."""
    known = terms.main(patients, mib1_floor)
    doublings = known["log2_mib1"].to_numpy(dtype=float)
    doublings = np.where(np.isfinite(doublings), doublings, np.nan)
    cycles = known["captem_cycles"].to_numpy(dtype=float)
    with_cycles = any(value != 1 for value in settings["cycle_odds_ratio"])
    missing = []
    if settings["mib1"]:
        doublings = np.log2(np.maximum(np.array(settings["mib1"], dtype=float), mib1_floor))
        # ASSUME: values of the config are not those of single patients, so the two are unrelated.
        pairs = _unrelated(doublings, settings["cycles"] or cycles[np.isfinite(cycles)])
    elif settings["cycles"]:
        pairs = _unrelated(doublings[np.isfinite(doublings)], settings["cycles"])
    else:
        keep = np.isfinite(doublings) & (np.isfinite(cycles) | (not with_cycles))
        pairs = np.column_stack([doublings, cycles])[keep]
    if not np.isfinite(pairs[:, 0]).any():
        missing.append(
            "planning, mib1: no patient has a MIB1 index to draw from. Write values that you "
            "expect, in percent and as often as each occurs, such as planning: "
            "{mib1: [2, 5, 10, 10, 20, 40]}"
        )
    elif with_cycles and not np.isfinite(pairs[:, 1]).any():
        missing.append(
            "planning, cycles: an effect of cycles is asked for, and no patient has their number. "
            "Write values that you expect, such as planning: {cycles: [2, 4, 6, 6, 8]}, or leave "
            "cycle_odds_ratio out"
        )
    if missing:
        return (), missing
    if not with_cycles:
        pairs[:, 1] = 0.0
    centred = pairs - pairs.mean(axis=0)
    return tuple((float(a), float(b)) for a, b in centred), []


def _unrelated(doublings: Any, cycles: Any) -> np.ndarray:
    first, second = np.asarray(doublings, dtype=float), np.asarray(cycles, dtype=float)
    if not len(second):
        second = np.array([np.nan])
    return np.array([(a, b) for a in first for b in second], dtype=float).reshape(-1, 2)


def shares_and_rows(
    of: World, scenario: planning_grid.Scenario, random: np.random.Generator, replicates: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares at baseline (R, 5), and the follow-up scores given it (R, 5, 5), as drawn.

    What is observed is drawn anew for each replicate from its Dirichlet distribution: a study of
    few patients leaves much open, and the power that is found is the mean over what it leaves open.
    """
    counts = np.array(of.counts)
    if scenario.baseline == OBSERVED:
        shares = dirichlet(random, counts.sum(axis=1) + PRIOR, replicates)
    else:
        shares = np.tile(np.array(scenario.baseline, dtype=float), (replicates, 1))
    if scenario.change == OBSERVED:
        rows = np.stack(
            [dirichlet(random, row + PRIOR, replicates) for row in counts], axis=1
        )  # fmt: skip
        return shares, rows
    # ASSUME: where nothing is observed, two scores of a patient without a change are two readings
    # of one tumour (captem.bias), and a change multiplies the odds of every higher score.
    means = shares.mean(axis=0)
    joint = two_readings(of.reliability, tuple(means / means.sum()))
    total = joint.sum(axis=1, keepdims=True)
    still = np.where(total > 0, joint / np.where(total > 0, total, 1), np.eye(5))
    moved = of_survival(shifted(survival(still), np.array(float(scenario.change))))
    return shares, np.broadcast_to(moved, (replicates, 5, 5))


def dirichlet(random: np.random.Generator, alpha: np.ndarray, replicates: int) -> np.ndarray:
    """Return (replicates, k) shares; of gamma variables, the sum of which is never zero."""
    drawn = random.standard_gamma(alpha, size=(replicates, len(alpha)))
    drawn = np.maximum(drawn, np.finfo(float).tiny)
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def survival(chances: np.ndarray) -> np.ndarray:
    """Return (..., 4) the chances of a score of at least 1, 2, 3, 4, from (..., 5) of each."""
    return np.clip(np.cumsum(chances[..., :0:-1], axis=-1)[..., ::-1], 0.0, 1.0)


def of_survival(above: np.ndarray) -> np.ndarray:
    """Return (..., 5) the chances of each score: the reverse of `survival`."""
    ones, zeros = np.ones((*above.shape[:-1], 1)), np.zeros((*above.shape[:-1], 1))
    return -np.diff(np.concatenate([ones, above, zeros], axis=-1), axis=-1)


def shifted(above: np.ndarray, odds_ratio: np.ndarray) -> np.ndarray:
    """Return chances whose odds are multiplied; 0 and 1 stay what they are.

    >>> shifted(np.array([0.0, 0.5, 1.0]), np.array(3.0))
    array([0.  , 0.75, 1.  ])
    """
    raised = above * odds_ratio
    return np.asarray(raised / (1 - above + raised))
