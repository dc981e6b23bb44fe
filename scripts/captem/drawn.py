"""Studies drawn at random: tables of scores before and after, and the primary test of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from captem import proportions, signed_rank
from captem.result import Result

SCORES = np.arange(5)
ALPHA = 0.05
LEVEL = 0.95


def tables(kinds: Iterable[tuple[int, np.ndarray]], studies: int, seed: int) -> np.ndarray:
    """Return (studies, 5, 5) counts of patients by score before (rows) and after (columns).

    Parameters
    ----------
    kinds : for each kind of patient how many there are, and the (5, 5) chances of their two scores,
        which add up to 1.
    """
    random = np.random.default_rng(seed)
    total = np.zeros((studies, 25), dtype=np.int64)
    for patients, chances in kinds:
        total += random.multinomial(patients, chances.ravel() / chances.sum(), size=studies)
    return total.reshape(studies, 5, 5)


def gain_counts(drawn: np.ndarray) -> np.ndarray:
    """Return (studies, 9) how many patients of each study gained -4 to 4 steps."""
    return np.stack([np.trace(drawn, step, axis1=1, axis2=2) for step in range(-4, 5)], axis=1)


def p_values(drawn: np.ndarray) -> np.ndarray:
    """Return the P of the primary test, the signed-rank test with Pratt zeros, of each study."""
    counts, where = np.unique(gain_counts(drawn), axis=0, return_inverse=True)
    found = [
        signed_rank.conditional_test(*signed_rank.groups_of_gains(row)).p_value for row in counts
    ]
    return np.array(found)[where.ravel()]


def net_improvements(drawn: np.ndarray) -> np.ndarray:
    """Return (up - down) / n of each study."""
    counts = gain_counts(drawn)
    return (counts[:, 5:].sum(axis=1) - counts[:, :4].sum(axis=1)) / counts.sum(axis=1)


def rejections(question: Result, p: np.ndarray, what: str, said: str, intervals: int = 0) -> Result:
    """Return in which share of the drawn studies P <= .05, with the interval of that share.

    Parameters
    ----------
    question : the result without its numbers.
    p : (studies,) as `p_values` returns them.
    what : what was drawn, for the name of the method; `said` : what it rests on.
    intervals : patients of the study whose scores are intervals, which are drawn as points.
    """
    status = "ok"
    if intervals:
        status = "unstable"
        said = (
            f"{intervals} {'patient has' if intervals == 1 else 'patients have'} an interval score "
            "that is drawn as a point here; the test of the study takes the largest P over all "
            f"that the intervals allow, and rejects less often; {said}"
        )
    rejected = int((p <= ALPHA).sum())
    low, high = proportions.wilson(rejected, len(p), LEVEL)
    return replace(
        question, estimate=rejected / len(p), conf_low=low, conf_high=high, conf_level=LEVEL,
        interval_method=f"Wilson, of simulated {what}", status=status, reason=said,
    )  # fmt: skip
