"""What noise and the choice of patients would give without any effect of the treatment.

A patient is chosen because uptake was low at baseline. Part of that is a reading that came out low
by chance, and the next reading is then higher by itself (regression to the mean). How much of the
observed gain this explains depends on how reliable a reading is, which is not known for the
Krenning score; so it is swept, and no single interval is pretended.

The model. A reading is a true uptake plus an error, both normal, with variances that make
`reliability` the correlation of two readings of the same unchanged tumour; the score is the reading
cut so that the screened patients have the scores 0 to 4 in given shares. A patient whose first
score was x then has a second score y with the chance P(y | x) of this table. That the study took
only low first scores does not matter for P(y | x): the baseline scores of the study's own patients
carry its rule of selection.

Sources: Mee & Chua 1991, Am Stat 45:39 and Ostermann 2008, BMC Med Res Methodol 8:52 (regression to
the mean after selection by baseline); the sweep in place of an estimate follows from the first
scores alone not telling what the patients who were not chosen are like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from captem import drawn, limits, paired
from captem.result import Result

STUDIES = 2000
# ASSUME: where the study does not say whom it screened, each score is as common among them.
EQUAL_SHARES = (0.2,) * 5
_GRID = np.linspace(-8.5, 8.5, 1701)
_HALVINGS = 60
_REACHED = np.linspace(0, 0.99, 100)
_PERCENTILES = "2.5th and 97.5th percentile of simulated studies"


@dataclass(frozen=True)
class Study:
    """The scores of one subset: ends (n, 2) before and after, and the shares of the screened."""

    before: np.ndarray
    after: np.ndarray
    shares: tuple[float, ...] = EQUAL_SHARES

    @property
    def gains(self) -> tuple[float, float]:
        """Return the smallest and the largest mean gain that the scores leave open, in steps."""
        low, high = self.after[:, 0] - self.before[:, 1], self.after[:, 1] - self.before[:, 0]
        return float(low.mean()), float(high.mean())

    @property
    def kinds(self) -> list[tuple[int, int, int]]:
        """Return the distinct baseline scores as (lower end, upper end, patients)."""
        ends, counts = np.unique(self.before.astype(int), axis=0, return_counts=True)
        return [(int(a), int(b), int(n)) for (a, b), n in zip(ends, counts, strict=True)]


def two_readings(reliability: float, shares: Sequence[float] = EQUAL_SHARES) -> np.ndarray:
    """Return the (5, 5) chances of a first (rows) and a second score without any change between.

    Parameters
    ----------
    reliability : correlation of two readings, 0 to below 1.
    shares : how common the scores 0 to 4 are among the screened; they add up to 1.

    >>> two_readings(0.8).sum().round(12), two_readings(0.0)[0, 0].round(12)
    (np.float64(1.0), np.float64(0.04))
    """
    cuts = ndtri(np.clip(np.cumsum([0.0, *shares]), 0, 1))
    cuts[0], cuts[-1] = -np.inf, np.inf
    true = np.sqrt(reliability) * _GRID
    below = ndtr((cuts[:, None] - true) / np.sqrt(1 - reliability))
    chance = np.diff(below, axis=0)
    weights = np.exp(-(_GRID**2) / 2)
    joint = (chance * weights) @ chance.T
    return joint / joint.sum()


def expected_gain(study: Study, reliability: float) -> float:
    """Return the mean gain, in steps, that noise and the choice of these patients give alone."""
    total = 0.0
    for patients, chances in _chances(study, reliability):
        share = chances / chances.sum()
        total += patients * float((share * (drawn.SCORES - drawn.SCORES[:, None])).sum())
    return total / len(study.before)


def _chances(study: Study, reliability: float) -> list[tuple[int, np.ndarray]]:
    """Return for each kind of patient the chances of both scores, given what baseline may be."""
    joint = two_readings(reliability, study.shares)
    found = []
    for low, high, patients in study.kinds:
        rows = (low <= drawn.SCORES) & (high >= drawn.SCORES)
        found.append((patients, joint * rows[:, None]))
    return found


def tipping(study: Study, gain: float) -> float | None:
    """Return the highest reliability at which noise and selection alone give `gain`, or None.

    The gain that they give need not fall with the reliability throughout, so the whole range up to
    0.99 is gone through.
    """
    if gain == 0:
        return None
    way = math.copysign(1.0, gain)

    def short(reliability: float) -> float:
        return way * (gain - expected_gain(study, reliability))

    reaches = [place for place, value in enumerate(_REACHED) if short(value) <= 0]
    if not reaches:
        return None
    last = reaches[-1]
    if last == len(_REACHED) - 1:
        return float(_REACHED[last])
    low, high = _REACHED[last], _REACHED[last + 1]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if short(middle) <= 0:
            low = middle
        else:
            high = middle
    return float((low + high) / 2)


def regression_to_mean(study: Study, reliabilities: Sequence[float]) -> list[Result]:
    """Return the observed mean gain, what noise and selection give over a sweep, and the tipping
    value.

    The tipping value is the reliability at which they would explain all of the observed gain.
    """
    blank = Result("bias.regression_to_mean", "mean gain expected from noise and selection alone",
                   unit="steps", n_patients=len(study.before))  # fmt: skip
    observed = replace(blank, term="observed", estimand="observed mean gain")
    tip = replace(
        blank, term="tipping", unit="reliability",
        estimand="reliability at which noise and selection alone give the observed gain",
    )  # fmt: skip
    swept = [replace(blank, term=f"reliability_{value:.12g}") for value in reliabilities]
    if refusal := limits.too_few_pairs(len(study.before)):
        return [result.refused(refusal) for result in (observed, *swept, tip)]
    low, high = study.gains
    assumed = _assumed(study)
    found = [replace(observed, estimate=(low + high) / 2)]
    if low != high:
        found += [replace(observed, variant="low", estimate=low),
                  replace(observed, variant="high", estimate=high)]  # fmt: skip
    if refusal := _refusal(study):
        return found + [result.refused(refusal) for result in (*swept, tip)]
    found += [
        replace(result, estimate=expected_gain(study, value), reason=assumed)
        for result, value in zip(swept, reliabilities, strict=True)
    ]
    ends = (
        {"": (low + high) / 2} if low == high else {"": (low + high) / 2, "low": low, "high": high}
    )
    for variant, gain in ends.items():
        asked = replace(tip, variant=variant)
        value = tipping(study, gain)
        if value is not None:
            found.append(replace(asked, estimate=value, reason=assumed))
        elif not variant:
            found.append(asked.refused(_never(study, gain)))
    return found


def _never(study: Study, gain: float) -> str:
    if gain == 0:
        return "the mean gain is zero, so there is nothing to explain"
    given = [expected_gain(study, value) for value in _REACHED]
    most = max(given) if gain > 0 else min(given)
    far = "most" if gain > 0 else "least"
    return (
        f"noise and selection alone do not on average give a mean gain of {gain:.2g} steps, "
        f"whatever the reliability (the {far} they give is {most:.2g}); "
        f"{_assumed(study)}"
    )


def no_effect(
    study: Study, reliabilities: Sequence[float], threshold: float, seed: int
) -> list[Result]:
    """Return, over a sweep, what studies without any effect show: P, mean gain, criterion gained.

    Studies are drawn with the baseline scores of this one and follow-up scores that are second
    readings of the same unchanged tumours; `threshold` is the score that meets the criterion. First
    comes how many patients of this study gained it, by their own scores.
    """
    n = len(study.before)
    blank = Result("bias.no_effect", "", n_patients=n)
    tests = replace(blank, estimand="share of studies without any effect with P <= .05")
    gains = replace(
        blank, estimand="mean gain of a study without any effect", variant="mean_gain",
        unit="steps",
    )  # fmt: skip
    gained = replace(
        blank, estimand="patients who gain the criterion by their own scores, without any effect",
        outcome="criterion", unit="patients",
    )  # fmt: skip
    found = [_gained(study, threshold, replace(gained, term="observed"))]
    intervals = int((study.before[:, 0] != study.before[:, 1]).sum())
    for place, value in enumerate(reliabilities):
        asked = [replace(part, term=f"reliability_{value:.12g}") for part in (tests, gains, gained)]
        if refusal := _refusal(study):
            found += [result.refused(refusal) for result in asked]
            continue
        simulated = drawn.tables(_chances(study, value), STUDIES, seed + place)
        assumed = f"{STUDIES} simulated studies; {_assumed(study)}"
        if refusal := limits.no_small_p(n):
            found.append(asked[0].refused(refusal))
        else:
            p = drawn.p_values(simulated)
            found.append(drawn.rejections(asked[0], p, "studies", assumed, intervals))
        found += _agreement(blank, value, study)
        meets = threshold <= drawn.SCORES
        newly = simulated[:, ~meets][:, :, meets].sum(axis=(1, 2))
        means = drawn.gain_counts(simulated) @ np.arange(-4, 5) / n
        found += [
            _spread(result, values, assumed)
            for result, values in zip(asked[1:], (means, newly), strict=True)
        ]
    return found


def _agreement(blank: Result, reliability: float, study: Study) -> list[Result]:
    """Return how often two readings at this reliability give one score, and their linear kappa."""
    joint = two_readings(reliability, study.shares)
    apart = np.abs(np.subtract.outer(drawn.SCORES, drawn.SCORES))
    by_chance = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    asked = replace(blank, term=f"reliability_{reliability:.12g}", reason=_assumed(study))
    return [
        replace(asked, variant="same_score", estimate=float(np.trace(joint)),
                estimand="share of scans of the screened read twice with the same score"),
        replace(asked, variant="kappa", estimand="linear weighted kappa of two readings",
                estimate=float(1 - (joint * apart).sum() / (by_chance * apart).sum())),
    ]  # fmt: skip


def _gained(study: Study, threshold: float, question: Result) -> Result:
    if refusal := limits.too_few_pairs(len(study.before)):
        return question.refused(refusal)
    told = paired.directions_of_criterion(study.before, study.after, threshold)
    left_open = told.may_rise + told.may_either
    return replace(
        question, estimate=float(told.up),
        estimand="patients who gained the criterion by their own scores",
        reason=f"in {left_open} more the scores leave it open" if left_open else "",
    )  # fmt: skip


def _spread(question: Result, values: np.ndarray, assumed: str) -> Result:
    """Return the mean of simulated values, and where 95 % of them lie."""
    mean = float(values.mean())
    low, high = np.quantile(values, [0.025, 0.975])
    return replace(
        question, estimate=mean, conf_low=min(float(low), mean), conf_high=max(float(high), mean),
        conf_level=drawn.LEVEL, interval_method=_PERCENTILES, reason=assumed,
    )  # fmt: skip


def _refusal(study: Study) -> str:
    if refusal := limits.too_few_pairs(len(study.before)):
        return refusal
    for low, high, _ in study.kinds:
        if sum(study.shares[low : high + 1]) <= 0:
            return (
                f"the study has a patient with score {low} at baseline, and none of the screened "
                "patients in the setting noise: screened has it"
            )
    return ""


def _assumed(study: Study) -> str:
    if study.shares == EQUAL_SHARES:
        return "assumes that the patients screened had each score equally often"
    return "with the scores of the patients screened as the config gives them"


def shares_of(screened: Sequence[float]) -> tuple[float, ...]:
    """Return the shares of the scores 0 to 4 from counts; equal shares where none are given."""
    total = float(sum(screened))
    return tuple(float(count) / total for count in screened) if total else EQUAL_SHARES


def rows(
    study: Study,
    reliabilities: Sequence[float],
    threshold: float,
    seed: int,
    subset: str,
    role: Callable[[str], str],
) -> list[dict[str, Any]]:
    """Return the rows `bias.*` of one subset."""
    found = regression_to_mean(study, reliabilities) + no_effect(
        study, reliabilities, threshold, seed
    )
    return [result.row(subset, role("sensitivity")) for result in found]
