"""The search of `captem.bias_reduced` for many replicates at once.

Each replicate takes the steps that it would take alone until it is near a root, and from there its
way to the root is a cheaper one (`search`). Those that have arrived leave.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from captem.adjusted_score_batch import Partition, partitions, positive_definite, states_at
from captem.bias_reduced import CLOSED, LARGEST_MOVE, NEAR, SETTLED
from captem.ordinal_data import Booleans, Floats, Integers

_MAX_ITERATIONS = 2000
# A few replicates that take long are quicker alone.
_PATIENCE = 40
_FEW = 5
# Steps by an updated derivative have to be shorter than Newton's, as they end less sharply.
_LED_SETTLED = 1e-8


@dataclass(frozen=True, eq=False)
class Problem:
    """R replicates with m thresholds each.

    `lower` and `upper` (R, n) index the thresholds at an outcome's ends, -1 and m for an infinite
    one; x is (n, p), or (R, n, p); weights (R, n) are 0 for what says nothing. `unheld` (R, m - 1)
    are the categories between two thresholds that no outcome occupies alone.
    """

    parts: list[Partition]
    thresholds: int
    unheld: Booleans

    def only(self, chosen: Booleans | Integers) -> Problem:
        """Some of the replicates."""
        return Problem(
            [part.only(chosen) for part in self.parts], self.thresholds, self.unheld[chosen]
        )

    def moved(self, steps: Floats) -> Floats:
        """Largest change of a linear predictor in each replicate, (R, q) to (R,)."""
        found = np.zeros(len(steps))
        for part in self.parts:
            cuts = steps[:, part.thresholds]
            eta = part.linear(steps[:, self.thresholds :])
            present = part.weights > 0.0
            low = high = eta
            if not present.all():
                low, high = np.where(present, eta, np.inf), np.where(present, eta, -np.inf)
            most = cuts.max(axis=1) - low.min(axis=1)
            least = cuts.min(axis=1) - high.max(axis=1)
            np.maximum(found, np.maximum(most, -least), out=found)
        return found

    def emptied(self, parameters: Floats, steps: Floats) -> Integers:
        """The first category that empties, counted from 1, shape (R,); 0 where none does."""
        if not self.unheld.any():
            return np.zeros(len(steps), dtype=np.int64)
        m = self.thresholds
        widths, change = np.diff(parameters[:, :m], axis=1), np.diff(steps[:, :m], axis=1)
        closes = self.unheld & (widths < CLOSED) & (change < 0.0)
        return np.where(closes.any(axis=1), closes.argmax(axis=1) + 1, 0)


def problem_of(lower: Integers, upper: Integers, m: int, x: Floats, weights: Floats) -> Problem:
    """Arrange replicates; shapes as in `Problem`."""
    alone = np.where((upper - lower == 1) & (weights > 0.0), upper, 0)
    held = [(alone == category).any(axis=1) for category in range(1, m)]
    unheld = ~np.array(held, dtype=bool).reshape(m - 1, len(weights)).T
    return Problem(partitions(lower, upper, m, x, weights), m, unheld)


@dataclass(frozen=True, eq=False)
class Found:
    """Where each search ended.

    `parameters` (R, q) and, where it converged, `inverse` (R, q, q) of the expected information;
    `converged` (R,); `emptied` (R,) is the category between two thresholds, counted from 1, that
    emptied on the way, or 0; `given_up` (R,), to be fitted alone: the information could not be
    inverted, or few were left.
    """

    parameters: Floats
    inverse: Floats
    converged: Booleans
    emptied: Integers
    given_up: Booleans

    @classmethod
    def nothing(cls, start: Floats) -> Found:
        """No root yet."""
        size, q = start.shape
        return cls(
            start.copy(),
            np.full((size, q, q), np.nan),
            np.zeros(size, dtype=bool),
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=bool),
        )


@dataclass(frozen=True, eq=False)
class _Walk:
    """Replicates on their way.

    `near` are close to a root. Of these, the ones that are `led` have in `lead` what a score is
    multiplied by to give a step of Newton's method, the others a derivative.
    """

    names: Integers
    parameters: Floats
    damping: Floats
    previous: Floats
    near: Booleans
    led: Booleans
    lead: Floats
    score: Floats
    information: Floats
    inverse: Floats
    derivative: Floats
    regular: Booleans

    def only(self, chosen: Booleans) -> _Walk:
        return _Walk(*(getattr(self, field.name)[chosen] for field in fields(_Walk)))


def search(problem: Problem, start: Floats) -> Found:
    """Damped Fisher scoring from `start` (R, q), then Newton; see `bias_reduced.fit`.

    Near a root the derivative is taken once and then updated (Broyden 1965, Math Comp 19:577-593),
    for as long as each step lessens the score as one of Newton's has to; it is taken anew where one
    does not.
    """
    size, q = start.shape
    found = Found.nothing(start)
    none = np.zeros(size, dtype=bool)
    lead = np.zeros((size, q, q))
    walk = _at(
        problem, np.arange(size), start, np.ones(size), np.zeros((size, q)), none, none, lead
    )
    for iteration in range(_MAX_ITERATIONS):
        if iteration >= _PATIENCE and len(walk.names) <= _FEW:
            found.given_up[walk.names] = True
            return found
        steps = (walk.inverse @ walk.score[:, :, None])[:, :, 0]
        emptied = np.where(walk.regular, problem.emptied(walk.parameters, steps), 0)
        leaving = ~walk.regular | (emptied > 0)
        newton, ahead, moved = _newton(problem, walk, walk.near & ~leaving)
        arrived = newton & (moved < np.where(walk.led, _LED_SETTLED, SETTLED))
        if arrived.any():
            _arrive(problem, walk, arrived, ahead, found)
            leaving |= arrived
        if leaving.any():
            others = leaving & ~arrived
            where = walk.names[others]
            found.parameters[where] = walk.parameters[others]
            found.emptied[where], found.given_up[where] = emptied[others], ~walk.regular[others]
            going = ~leaving
            if not going.any():
                return found
            problem, walk = problem.only(going), walk.only(going)
            newton, ahead, steps = newton[going], ahead[going], steps[going]
        walk = _advanced(problem, walk, steps, newton, ahead)
    found.parameters[walk.names] = walk.parameters
    return found


def _arrive(problem: Problem, walk: _Walk, arrived: Booleans, ahead: Floats, found: Found) -> None:
    """Write the roots. A step that was led is so short that the information stays as it is."""
    where = walk.names[arrived]
    found.parameters[where], found.inverse[where] = ahead[arrived], walk.inverse[arrived]
    found.converged[where] = True
    last = arrived & ~walk.led
    if last.any():
        there = states_at(
            problem.only(last).parts, problem.thresholds, ahead[last], derivative=False
        )
        where = walk.names[last]
        found.inverse[where] = there.inverse
        found.converged[where], found.given_up[where] = there.regular, ~there.regular


def _at(
    problem: Problem,
    names: Integers,
    parameters: Floats,
    damping: Floats,
    previous: Floats,
    near: Booleans,
    led: Booleans,
    lead: Floats,
) -> _Walk:
    """Evaluate the adjusted scores, and the derivatives of those that are near and not led."""
    size, q = parameters.shape
    score, regular = np.empty((size, q)), np.empty(size, dtype=bool)
    information, inverse = np.empty((size, q, q)), np.empty((size, q, q))
    derivative = np.full((size, q, q), np.nan)
    wanted = near & ~led
    for derived, chosen in ((True, wanted), (False, ~wanted)):
        if not chosen.any():
            continue
        part = problem if chosen.all() else problem.only(chosen)
        there = states_at(part.parts, problem.thresholds, parameters[chosen], derived)
        score[chosen], regular[chosen] = there.score, there.regular
        information[chosen], inverse[chosen] = there.information, there.inverse
        if derived:
            derivative[chosen] = there.derivative
    return _Walk(
        names,
        parameters,
        damping,
        previous,
        near,
        led,
        lead,
        score,
        information,
        inverse,
        derivative,
        regular,
    )


def _newton(problem: Problem, walk: _Walk, wanted: Booleans) -> tuple[Booleans, Floats, Floats]:
    """Newton steps towards roots that attract Fisher scoring: which there are, where, how far.

    Writes into `walk.lead` for those that have a derivative.
    """
    m = problem.thresholds
    fresh = wanted & ~walk.led
    fresh[fresh] = np.isfinite(walk.derivative[fresh]).all(axis=(1, 2))
    fresh[fresh] = attracting(walk.inverse[fresh], walk.derivative[fresh])
    if fresh.any():
        walk.lead[fresh] = np.linalg.inv(-walk.derivative[fresh])
    taken = wanted & (walk.led | fresh)
    ahead, moved = walk.parameters.copy(), np.full(len(taken), np.inf)
    if taken.any():
        steps = np.where(taken[:, None], (walk.lead @ walk.score[:, :, None])[:, :, 0], 0.0)
        taken &= (np.diff((ahead + steps)[:, :m], axis=1) > 0.0).all(axis=1)
        ahead[taken] += steps[taken]
        moved = np.where(taken, problem.moved(steps), np.inf)
    return taken, ahead, moved


def attracting(inverse: Floats, derivative: Floats) -> Booleans:
    """Whether every eigenvalue of -inverse @ derivative has a positive real part.

    It does where the symmetric part of -derivative is positive definite, and so that of a matrix
    similar to the product.
    """
    found = positive_definite(-derivative - derivative.transpose(0, 2, 1))
    unsure = ~found
    if unsure.any():
        pull = np.linalg.eigvals(-inverse[unsure] @ derivative[unsure]).real
        found[unsure] = pull.min(axis=1) > 0.0
    return found


def _advanced(
    problem: Problem, walk: _Walk, steps: Floats, newton: Booleans, ahead: Floats
) -> _Walk:
    """Take Newton's steps where they halve the score, and scoring steps elsewhere.

    Where a step that was led does not halve it, the replicate stays and gets a derivative.
    """
    stays = walk.near & walk.led & ~newton
    scoring = ~newton & ~stays
    parameters, damping, previous = ahead, walk.damping.copy(), np.zeros_like(ahead)
    near = newton | stays
    if scoring.any():
        _score_step(problem, walk, steps, scoring, (parameters, damping, previous, near))
    there = _at(problem, walk.names, parameters, damping, previous, near, newton.copy(), walk.lead)
    if not newton.any():
        return there
    before = _squared(walk.score, walk.inverse)
    after = _squared(there.score, there.inverse)
    refused = newton & ~(there.regular & (after < 0.25 * before))
    _follow(there, walk, newton & ~refused)
    if not refused.any():
        return there
    parameters[refused] = walk.parameters[refused]
    again = refused & ~walk.led
    if again.any():
        _score_step(problem, walk, steps, again, (parameters, damping, previous, near))
    there.led[refused] = False
    second = _at(
        problem.only(refused),
        walk.names[refused],
        parameters[refused],
        damping[refused],
        previous[refused],
        near[refused],
        there.led[refused],
        walk.lead[refused],
    )
    for field in fields(_Walk):
        getattr(there, field.name)[refused] = getattr(second, field.name)
    return there


def _squared(score: Floats, inverse: Floats) -> Floats:
    """score' inverse score of each replicate, (R,)."""
    return np.einsum("ri,ri->r", score, (inverse @ score[:, :, None])[:, :, 0])


def _follow(there: _Walk, before: _Walk, taken: Booleans) -> None:
    """Broyden's update of what leads on, given how the scores changed by the steps taken."""
    lead = there.lead[taken]
    step = (there.parameters - before.parameters)[taken]
    seen = (lead @ (there.score - before.score)[taken][:, :, None])[:, :, 0]
    back = (step[:, None, :] @ lead)[:, 0] / np.einsum("ri,ri->r", step, seen)[:, None]
    there.lead[taken] = lead - (step + seen)[:, :, None] * back[:, None, :]


def _score_step(
    problem: Problem,
    walk: _Walk,
    steps: Floats,
    chosen: Booleans,
    into: tuple[Floats, Floats, Floats, Booleans],
) -> None:
    """Write the damped scoring step of some replicates: parameters, damping, step, nearness."""
    parameters, damping, previous, near = into
    part = problem if chosen.all() else problem.only(chosen)
    step, old = steps[chosen], walk.parameters[chosen]
    moved = part.moved(step)
    back = (walk.information[chosen] @ walk.previous[chosen][:, :, None])[:, :, 0]
    swings = np.einsum("ri,ri->r", step, back) < 0.0
    held = walk.damping[chosen]
    held = np.where(swings, np.maximum(0.25, 0.5 * held), np.minimum(1.0, 1.2 * held))
    with np.errstate(divide="ignore", over="ignore"):
        length = np.minimum(held, np.where(moved > 0.0, LARGEST_MOVE / moved, 1.0))
    m = problem.thresholds
    widths, change = np.diff(old[:, :m], axis=1), np.diff(step[:, :m], axis=1)
    narrows = change < 0.0
    room = np.where(narrows, 0.9 * widths / np.where(narrows, -change, 1.0), np.inf)
    length = np.minimum(length, room.min(axis=1, initial=np.inf))
    parameters[chosen] = old + length[:, None] * step
    damping[chosen], previous[chosen], near[chosen] = held, step, moved < NEAR
