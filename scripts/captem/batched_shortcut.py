"""A shorter way to the roots of `captem.batched_scoring`, for the replicates that let it be taken.

The search of `captem.bias_reduced` spends most of its steps far from the root, where it has to be
careful, and most of its time on derivatives. Where outcomes are not near separation both can be
had for less: the start is near (a regression of latent scores, `_start`), and after the first
derivative Newton's method goes on with Broyden's updates of it (1965, Math Comp 19:577-593).

A replicate is let go, and searched from the beginning, unless each step is at most half as long as
the one before and the root attracts Fisher scoring, by the exact derivative near it. That is what
the search asks of a root as well.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, xlogy

from captem.adjusted_score_batch import inverses, positive_definite, states_at
from captem.batched_scoring import Found, Problem, search
from captem.ordinal_data import Booleans, Floats

_STEPS = 15
# In units of the linear predictor: of the first step, before a derivative, and of the last step.
_FARTHEST = 3.0
_NEAR = 1.0
_SETTLED = 1e-9
_SHRINKS = 0.5
# Minus the derivative of U + A beside the information, at least; at most 2 less that. Fisher scoring
# then shortens every error by a third or more. Where two roots attract, one of them hardly does.
_STEEP = 1.0 / 3.0
# Weight of the outcomes in a cell: with less, more than one root may attract.
_FEWEST = 1.0
# Share of the latent variance that predictors may explain in the start.
_MOST = 0.9


def roots(problem: Problem, start: Floats) -> Found:
    """What `search` finds from `start`: marginal thresholds and no effects, (R, q)."""
    found = shortcut(problem, start)
    rest = np.flatnonzero(~found.converged)
    if len(rest):
        end = search(problem.only(rest), start[rest])
        for name in ("parameters", "inverse", "converged", "emptied", "given_up"):
            getattr(found, name)[rest] = getattr(end, name)
    return found


def shortcut(problem: Problem, start: Floats) -> Found:
    """The roots that can be had in this way; the other replicates are not `converged`."""
    size, q = start.shape
    found = Found.nothing(start)
    nearer, regular = _start(problem, start)
    names = np.flatnonzero(regular & ~problem.unheld.any(axis=1))
    at = nearer[names]
    newton = np.zeros((len(names), q, q))
    derived = np.zeros(len(names), dtype=bool)
    step, score = np.zeros_like(at), np.zeros_like(at)
    last = np.full(len(names), _FARTHEST / _SHRINKS)
    part = problem if len(names) == size else problem.only(names)
    for _ in range(_STEPS):
        if not len(names):
            break
        there, inverse, good = _evaluated(part, at, ~derived & (last < _NEAR), newton)
        new = ~derived & (last < _NEAR)
        _update(newton, derived, step, there - score)
        derived |= new
        matrices = np.where(derived[:, None, None], newton, inverse)
        step, score = (matrices @ there[:, :, None])[:, :, 0], there
        ahead = at + step
        with np.errstate(invalid="ignore"):
            moved = part.moved(step)
            good &= moved <= _SHRINKS * last
            good &= (np.diff(ahead[:, : problem.thresholds], axis=1) > 0.0).all(axis=1)
        at, last = ahead, moved
        arrived = good & derived & (moved < _SETTLED)
        where = names[arrived]
        found.parameters[where], found.inverse[where] = at[arrived], inverse[arrived]
        found.converged[where] = True
        going = good & ~arrived
        if not going.all():
            part, names, at, last = part.only(going), names[going], at[going], last[going]
            newton, derived, step, score = newton[going], derived[going], step[going], score[going]
    return found


def _evaluated(
    part: Problem, at: Floats, new: Booleans, newton: Floats
) -> tuple[Floats, Floats, Booleans]:
    """Adjusted scores, inverse informations, and which are regular; `newton` where it is `new`."""
    size, q = at.shape
    score, inverse = np.empty((size, q)), np.empty((size, q, q))
    good = np.empty(size, dtype=bool)
    for derivative, chosen in ((True, new), (False, ~new)):
        if not chosen.any():
            continue
        own = part if chosen.all() else part.only(chosen)
        there = states_at(own.parts, part.thresholds, at[chosen], derivative)
        score[chosen], inverse[chosen] = there.score, there.inverse
        fine = there.regular
        if derivative:
            fine &= np.isfinite(there.derivative).all(axis=(1, 2))
            slope = -0.5 * (there.derivative + there.derivative.transpose(0, 2, 1))
            fine &= positive_definite(slope - _STEEP * there.information)
            fine &= positive_definite((2.0 - _STEEP) * there.information - slope)
            matrices = np.where(fine[:, None, None], -there.derivative, np.eye(q))
            newton[chosen] = np.linalg.inv(matrices)
        good[chosen] = fine
    return score, inverse, good


def _update(newton: Floats, derived: Booleans, step: Floats, change: Floats) -> None:
    """Broyden's update of the inverse of minus the derivative, given how a step changed U + A."""
    if not derived.any():
        return
    # Of those without a derivative nothing is used.
    with np.errstate(invalid="ignore", divide="ignore"):
        ahead = (newton @ change[:, :, None])[:, :, 0]
        back = (step[:, None, :] @ newton)[:, 0]
        back /= np.einsum("ri,ri->r", step, ahead)[:, None]
        newton[derived] -= ((step + ahead)[:, :, None] * back[:, None, :])[derived]


def _start(problem: Problem, marginal: Floats) -> tuple[Floats, Booleans]:
    """Parameters by regression, and where there are any.

    Each outcome gets the mean of the logistic distribution between its marginal thresholds. The
    slopes of these latent scores are attenuated by as much as the scores vary less than the
    distribution; then all are brought from the marginal scale to that of the residuals.
    """
    m = problem.thresholds
    size, p = len(marginal), marginal.shape[1] - m
    cuts = marginal[:, :m]
    total = np.zeros(size)
    mean, spread = np.zeros((size, p)), np.zeros((size, p, p))
    latent, squared, with_x = np.zeros(size), np.zeros(size), np.zeros((size, p))
    share = np.hstack([np.zeros((size, 1)), expit(cuts), np.ones((size, 1))])
    area = xlogy(share, share) + xlogy(1.0 - share, 1.0 - share)
    enough = np.ones(size, dtype=bool)
    for part in problem.parts:
        total += part.weights.sum(axis=1)
        mean += part.sums(part.weights)
        spread += part.squares()
        ends = np.concatenate([[0], part.thresholds + 1, [m + 1]])
        for cell, (begin, end) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            there = np.where(part.observed == cell, part.weights, 0.0)
            z = (area[:, end] - area[:, begin]) / (share[:, end] - share[:, begin])
            count = there.sum(axis=1)
            enough &= (count == 0.0) | (count >= _FEWEST)
            latent += count * z
            squared += count * z * z
            with_x += z[:, None] * part.sums(there)
    mean /= total[:, None]
    latent /= total
    spread = spread / total[:, None, None] - mean[:, :, None] * mean[:, None, :]
    with_x = with_x / total[:, None] - latent[:, None] * mean
    inverse, regular = inverses(spread)
    slopes = (inverse @ with_x[:, :, None])[:, :, 0]
    varies = squared / total - latent * latent
    explained = np.einsum("ri,ri->r", slopes, with_x) / varies
    wider = 1.0 / np.sqrt(1.0 - np.clip(explained, 0.0, _MOST))
    slopes *= (wider * (np.pi**2 / 3.0) / varies)[:, None]
    shift = np.einsum("ri,ri->r", mean, slopes)
    found = np.hstack([wider[:, None] * cuts + shift[:, None], slopes])
    return found, regular & enough & np.isfinite(found).all(axis=1)
