"""Planned studies, drawn in blocks: who they hold, and what their readers see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from captem import planning_world
from captem.planning_grid import BLOCK, Cell, Scenario, seed_of
from captem.planning_world import SCORES, World
from captem.reader_error import misreading


@dataclass(frozen=True, eq=False)
class Studies:
    """R studies of n patients.

    Attributes:
        before, after: the scores as read, (R, n).
        doublings: of MIB1, from the mean, (R, n).
        scanned: whether a patient has the follow-up scan, (R, n).
    """

    before: np.ndarray
    after: np.ndarray
    doublings: np.ndarray
    scanned: np.ndarray


def block(of: World, cell: Cell, number: int, seed: int) -> Studies:
    """Return the studies of one block; the same whichever job draws it.

    Parameters
    ----------
    seed : of the study; with it, what the cell says and the number of the block decide alone.
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=seed_of(cell, number))
    return draw(of, cell.scenario, cell.patients, BLOCK, np.random.default_rng(sequence))


def draw(
    of: World, scenario: Scenario, patients: int, replicates: int, random: np.random.Generator
) -> Studies:
    """Return studies of so many patients.

    A patient has a score at baseline, and MIB1 and cycles of some patient of the world; the score
    at follow-up comes from the chances given the baseline, the odds of every higher score
    multiplied by the odds ratios to the power of doublings and cycles from their means. Both are
    then read, and the patient may be lost before the second scan, whatever the scores.
    """
    shape = (replicates, patients)
    shares, rows = planning_world.shares_and_rows(of, scenario, random, replicates)
    before = _scores(np.cumsum(shares, axis=1).T[:, :, None], random.random(shape))
    values = np.array(of.values)
    whose = random.integers(len(values), size=shape)
    effects = np.array([math.log(scenario.mib1_odds_ratio), math.log(scenario.cycle_odds_ratio)])
    odds_ratios = np.exp(values @ effects)[whose]
    given = before + len(SCORES) * np.arange(replicates)[:, None]
    uniform = random.random(shape)
    after = np.zeros(shape, dtype=np.int64)
    for above in np.moveaxis(planning_world.survival(rows), -1, 0):
        after += uniform < planning_world.shifted(above.ravel()[given], odds_ratios)
    read = np.cumsum(reading(scenario.reader_error, scenario.lesions), axis=1).T
    before, after = (
        _scores([below[scores] for below in read], random.random(shape))
        for scores in (before, after)
    )
    # ASSUME: at random; who is not scanned again is no sicker than who is.
    scanned = random.random(shape) >= scenario.drop_out
    return Studies(before, after, values[:, 0][whose], scanned)


def joined(parts: Sequence[Studies]) -> Studies:
    """Return studies of as many patients as one."""
    return Studies(
        *(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Studies))
    )


def _scores(below: Sequence[np.ndarray] | np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Return scores (R, n) with chances of at most 0, 1, 2, 3 and 4, each as (R, n) or (R, 1)."""
    found = np.zeros(uniform.shape, dtype=np.int64)
    for chances in below[:-1]:
        found += uniform >= chances
    return found


def reading(rate: float, lesions: int) -> np.ndarray:
    """Return the (5, 5) chances that a patient's score (row) is read as another (column).

    The patient's score is the highest that more than half of the lesions reach; each of them has
    the patient's true score and is read by itself, one step off at the rate of `reader_error`.

    >>> reading(0.2, 1)[0]
    array([0.9, 0.1, 0. , 0. , 0. ])
    """
    # ASSUME: the lesions of a patient have one true score, and are misread independently.
    if rate == 0:
        return np.eye(5)
    each = planning_world.survival(misreading(rate))
    needed = lesions // 2 + 1
    most = np.zeros_like(each)
    for reached in range(needed, lesions + 1):
        most += math.comb(lesions, reached) * each**reached * (1 - each) ** (lesions - reached)
    # Sums of chances may pass 1 by rounding.
    return np.maximum(planning_world.of_survival(np.clip(most, 0.0, 1.0)), 0.0)
