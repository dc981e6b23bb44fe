"""Studies drawn from a world whose truth is known, to see what captem makes of them.

Every number of a world is invented: the scores and SUVmax of 3,000 synthetic patients
(`captem.synthetic`) give the shares of the baseline scores, and the coefficients of a
proportional-odds model and of a straight line in log2 SUVmax; `base` rounds them. A scenario says
what is true in it of change, MIB1 and cycles, or what misleads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from captem import ordinal, synthetic
from captem.calibration_grid import NAMES
from captem.reader_error import misreading

PARAMETERS = synthetic.Parameters()
_PATIENTS, _SEED = 3000, 2024
_STEPS = 5


@dataclass(frozen=True)
class World:
    """What studies are drawn from; MIB1 is counted in doublings from its median.

    Attributes:
        shares: share of patients with each baseline score, shape (5,).
        thresholds, per_step: theta and the log odds ratio per step of baseline, of the score.
        suv_mean, suv_sd: of log2 SUVmax at baseline.
        suv_line: intercept, slope on log2 SUVmax at baseline, slope on doublings of MIB1.
        suv_noise: standard deviation around that line, in doublings.
    """

    shares: tuple[float, ...]
    thresholds: tuple[float, ...]
    per_step: float
    suv_mean: float
    suv_sd: float
    suv_line: tuple[float, float, float]
    suv_noise: float


@dataclass(frozen=True)
class Scenario:
    """What is true in a world, or what misleads in it.

    Attributes:
        name, words: short, and for a reader.
        odds_ratio: of a higher follow-up score, per doubling of MIB1.
        exchanged: nothing changes; which scan is the first is a matter of chance.
        steady: the true score stays as it is; what changes is how it is read.
        misread: share of readings that are one step off, at both scans.
        chosen_up_to: only patients whose baseline is read at or below this are in the study.
        shifted: share of patients whose follow-up reads one step higher, as where an analogue was
            stopped or begun between the scans.
        mib1_on_baseline: steps by which the true baseline is lower with each doubling of MIB1.
        cycles_for_rise: cycles that a patient who rises is given on top.
        cycles_per_mib1: cycles on top for each doubling of MIB1.
    """

    name: str
    words: str
    odds_ratio: float = 1.0
    exchanged: bool = False
    steady: bool = False
    misread: float = 0.0
    chosen_up_to: int = 4
    shifted: float = 0.0
    mib1_on_baseline: float = 0.0
    cycles_for_rise: int = 0
    cycles_per_mib1: float = 0.0


NO_CHANGE = Scenario("no_change", "nothing changes between the scans", exchanged=True)
NO_MIB1 = Scenario("no_mib1", "uptake changes, and MIB1 has nothing to do with it")
MIB1 = Scenario("mib1", "each doubling of MIB1 doubles the odds of a higher score", odds_ratio=2.0)
OF_TRUTH = (NO_CHANGE, NO_MIB1, MIB1)
# What misleads, with numbers invented for the purpose.
OF_BIAS = (
    Scenario(
        "entry_low",
        "nothing changes; 3 of 10 readings are a step off, and only patients whose baseline was "
        "read as 0 or 1 are entered",
        steady=True, misread=0.3, chosen_up_to=1,
    ),
    Scenario(
        "ssa_shift",
        "nothing changes in the tumour; in 3 of 10 patients the follow-up reads a step higher, as "
        "where an analogue was begun between the scans and the liver is darker",
        steady=True, shifted=0.3,
    ),
    Scenario(
        "noisy_baseline",
        "nothing changes; MIB1 goes with a lower true score (half a step a doubling), and 4 of 10 "
        "readings are a step off",
        steady=True, misread=0.4, mib1_on_baseline=0.5,
    ),
    Scenario(
        "cycles_follow",
        "uptake changes whatever MIB1 and cycles are; patients who rise are given 3 cycles more, "
        "and each doubling of MIB1 ends treatment a cycle sooner",
        cycles_for_rise=3, cycles_per_mib1=-1.0,
    ),
)  # fmt: skip
SCENARIOS = (*OF_TRUTH, *OF_BIAS)


def named(name: str) -> Scenario:
    """Return the scenario of a name."""
    return SCENARIOS[NAMES.index(name)]


@dataclass(frozen=True, eq=False)
class Study:
    """One study: shape (n,) each; `suv_pre` and `suv_post` in doublings."""

    mib1: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    suv_pre: np.ndarray
    suv_post: np.ndarray
    cycles: np.ndarray

    @property
    def doublings(self) -> np.ndarray:
        """MIB1 in doublings from its median."""
        return np.log2(self.mib1 / PARAMETERS.mib1_median)

    def patients(self) -> pd.DataFrame:
        """Return the canonical table of patients."""
        n = len(self.pre)
        scores = {
            f"krenning_{time}_{end}": pd.array(score, dtype="Int64")
            for time, score in (("pre", self.pre), ("post", self.post))
            for end in ("low", "high")
        }
        return pd.DataFrame(
            {
                "patient_id": [f"P{number}" for number in range(n)],
                "source": "drawn",
                "mib1_low": self.mib1,
                "mib1_high": self.mib1,
                "captem_cycles": pd.array(self.cycles, dtype="Int64"),
                **scores,
                "suvmax_pre": 2.0**self.suv_pre,
                "suvmax_post": 2.0**self.suv_post,
                "synthetic": "yes",
            }
        )


def joined(studies: Sequence[Study]) -> Study:
    """Return the patients of several studies, one study after another."""
    names = (part.name for part in fields(Study))
    return Study(*(np.concatenate([getattr(study, name) for study in studies]) for name in names))


@cache
def base() -> World:
    """Return the world that synthetic patients come from, rounded to what is printed of it."""
    drawn = [
        patient
        for patient in synthetic.generate(_PATIENTS, _SEED).patients
        if patient.krenning_post is not None
    ]
    before = np.array([patient.krenning_pre for patient in drawn])
    after = np.array([patient.krenning_post for patient in drawn])
    doublings = np.log2([patient.mib1 / PARAMETERS.mib1_median for patient in drawn])
    of_scores = ordinal.fit(after, after, np.column_stack([before, doublings]))
    suv = np.log2([_suvs(patient) for patient in drawn])
    design = np.column_stack([np.ones(len(drawn)), suv[:, 0], doublings])
    line = np.linalg.lstsq(design, suv[:, 1])[0]
    rest = suv[:, 1] - design @ line
    shares = np.round(np.bincount(before, minlength=_STEPS) / len(before), 2)
    shares[shares.argmax()] += 1 - shares.sum()
    return World(
        shares=_rounded(shares, 2),
        thresholds=_rounded(of_scores.thresholds, 1),
        per_step=round(float(of_scores.beta[0]), 1),
        suv_mean=round(float(suv[:, 0].mean()), 1),
        suv_sd=round(float(suv[:, 0].std()), 1),
        suv_line=_rounded(line, 2),
        suv_noise=round(float(rest.std()), 2),
    )


def _rounded(values: Iterable[float], digits: int) -> Any:
    return tuple(round(float(value), digits) for value in values)


def _suvs(patient: synthetic.Patient) -> tuple[float, float]:
    """Return SUVmax before and after: the highest that most of the matched lesions reach."""
    pairs = [(a.pre.suvmax, a.post.suvmax) for a in patient.lesions if a.pre and a.post]
    first, last = (sorted(values, reverse=True) for values in zip(*pairs, strict=True))
    return first[len(pairs) // 2], last[len(pairs) // 2]


def draw(rng: np.random.Generator, world: World, scenario: Scenario, patients: int) -> Study:
    """Draw one study of as many patients."""
    if scenario.steady:
        return _steady(rng, world, scenario, patients)
    mib1 = _mib1(rng, patients)
    doublings = np.log2(mib1 / PARAMETERS.mib1_median)
    pre = rng.choice(_STEPS, patients, p=world.shares)
    latent = world.per_step * pre + math.log(scenario.odds_ratio) * doublings
    latent = latent + rng.logistic(size=patients)
    post = (latent[:, None] > np.array(world.thresholds)).sum(axis=1)
    start, on_itself, on_mib1 = world.suv_line
    effect = on_mib1 if scenario.odds_ratio != 1 else 0.0
    suv_pre = rng.normal(world.suv_mean, world.suv_sd, patients)
    suv_post = start + on_itself * suv_pre + effect * doublings
    suv_post = suv_post + rng.normal(0, world.suv_noise, patients)
    if scenario.exchanged:
        swapped = rng.random(patients) < 0.5
        pre, post = np.where(swapped, post, pre), np.where(swapped, pre, post)
        suv_pre, suv_post = (
            np.where(swapped, suv_post, suv_pre), np.where(swapped, suv_pre, suv_post),
        )  # fmt: skip
    cycles = _cycles(rng, patients) + scenario.cycles_for_rise * (post > pre)
    cycles = cycles + np.rint(scenario.cycles_per_mib1 * doublings).astype(int)
    # ASSUME a patient who is treated at all is given one cycle.
    cycles = np.maximum(cycles, 1)
    return Study(mib1, pre, post, suv_pre, suv_post, cycles)


def _steady(rng: np.random.Generator, world: World, scenario: Scenario, patients: int) -> Study:
    """Draw patients whose tumour stays as it is, until so many are read as the entry asks."""
    chances = misreading(scenario.misread)
    parts: list[np.ndarray] = []
    there = 0
    while there < patients:
        size = 4 * patients
        mib1 = _mib1(rng, size)
        doublings = np.log2(mib1 / PARAMETERS.mib1_median)
        true = rng.choice(_STEPS, size, p=world.shares)
        lower = scenario.mib1_on_baseline * doublings + rng.random(size)
        true = np.clip(true - np.floor(lower), 0, _STEPS - 1).astype(int)
        pre, post = (_read(rng, chances, true) for _ in range(2))
        post = np.minimum(post + (rng.random(size) < scenario.shifted), _STEPS - 1)
        suv = rng.normal(world.suv_mean, world.suv_sd, size)
        noise = rng.normal(0, world.suv_noise / math.sqrt(2), (2, size))
        drawn = np.vstack([mib1, pre, post, suv + noise[0], suv + noise[1]])
        parts.append(drawn[:, pre <= scenario.chosen_up_to])
        there += parts[-1].shape[1]
    found = np.hstack(parts)[:, :patients]
    scores = found[1:3].astype(int)
    return Study(found[0], scores[0], scores[1], found[3], found[4], _cycles(rng, patients))


def _read(rng: np.random.Generator, chances: np.ndarray, true: np.ndarray) -> np.ndarray:
    return (rng.random(len(true))[:, None] > chances.cumsum(axis=1)[true, :-1]).sum(axis=1)


def _mib1(rng: np.random.Generator, patients: int) -> np.ndarray:
    p = PARAMETERS
    drawn = rng.lognormal(math.log(p.mib1_median), p.mib1_log_sd, patients)
    return np.clip(np.rint(drawn), p.mib1_min, p.mib1_max)


def _cycles(rng: np.random.Generator, patients: int) -> np.ndarray:
    p = PARAMETERS
    drawn = np.rint(rng.normal(p.cycles_mean, p.cycles_sd, patients))
    return np.clip(drawn, p.cycles_min, p.cycles_max).astype(int)
