"""Which counts have to be masked so that no small one can be worked out from those that are shown.

Counts are variables of a system of linear equations: parts add up to their total, and so on. What
is not shown is unknown to a reader, who knows that no count is negative. A small count (at least 1
and below `min_count`) is safe where the equations leave it open whether it is `min_count` or
more: its largest possible value, by linear programming over all that is shown, reaches that.

The bounds are those of real numbers; where counts are split (a patient with an interval score is
half in each of two cells) they need not be whole.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

SMALL, COMPLEMENT = "small count", "complement"
RECOVERABLE, FOLLOWS = "could be worked out from totals", "follows from masked counts"
_TINY = 1e-7
# A number of patients that no study has; how many counts are tried out before one is taken.
_FAR, _TRIED = 1e6, 8
# A count of this cost is masked only where nothing else can be.
LAST_RESORT = 4.0


@dataclass
class System:
    """Counts by name, and the equations between them.

    Attributes:
        values: what each count is.
        hidden: the counts that are nowhere shown, such as what is left of a total.
        costs: how much a reader would miss a count (0 where it is not named), for the choice of
            what is masked to keep another from being worked out.
        equations: coefficients by name; each adds up to 0.
    """

    values: dict[str, float] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    costs: dict[str, float] = field(default_factory=dict)
    equations: list[dict[str, float]] = field(default_factory=list)

    def show(self, name: str, value: float, cost: float = 0.0) -> str:
        """Add a count that is shown somewhere; a name stands for one count."""
        if abs(self.values.setdefault(name, float(value)) - value) > _TINY:
            raise ValueError(f"two values for the count {name}")
        self.hidden.discard(name)
        self.costs[name] = max(cost, self.costs.get(name, 0.0))
        return name

    def hide(self, name: str, value: float) -> str:
        """Add a count that is not shown."""
        if name not in self.values:
            self.values[name] = float(value)
            self.hidden.add(name)
        return name

    def equal(self, coefficients: Mapping[str, float]) -> None:
        """Add an equation, the sum of coefficients times counts being 0, where it holds."""
        terms = {name: factor for name, factor in coefficients.items() if factor}
        if abs(sum(factor * self.values[name] for name, factor in terms.items())) < _TINY:
            self.equations.append(terms)

    def adds_up(self, total: str, parts: Iterable[str], rest: str = "") -> None:
        """Add that a total is its parts; with a name for it, and a hidden count that is left."""
        terms: dict[str, float] = defaultdict(float)
        terms[total] += 1.0
        for part in parts:
            terms[part] -= 1.0
        left = sum(factor * self.values[name] for name, factor in terms.items())
        if rest and left >= -_TINY:
            terms[self.hide(rest, max(left, 0.0))] -= 1.0
        self.equal(terms)


def is_small(value: float, min_count: int) -> bool:
    """Return whether a count is too small to be shown; nobody is no small count."""
    return _TINY < value < min_count - _TINY


def masked(system: System, min_count: int, *, secondary: bool = True) -> dict[str, str]:
    """Return the shown counts that have to be masked, and why.

    Parameters
    ----------
    secondary : whether also what is needed so that no small count can be worked out; for tests.
    """
    found = {
        name: SMALL
        for name, value in system.values.items()
        if name not in system.hidden and is_small(value, min_count)
    }
    return _with_secondary(system, min_count, found) if secondary else found


def _with_secondary(system: System, min_count: int, found: dict[str, str]) -> dict[str, str]:
    search = _Search(system, min_count, set(found))
    for name in sorted(search.small, key=search.price):
        while not search.safe(name) and search.mask_one(name):
            pass
    more = [name for name in search.masked if name not in found]
    # The most valued first: one that turned out not to be needed is shown again.
    for name in sorted(more, key=search.price, reverse=True):
        search.show_again(name)
    for name in more:
        if name in search.masked:
            rests = [
                other
                for place in search.places[name]
                for other in system.equations[place]
                if other in system.hidden and is_small(system.values[other], min_count)
            ]
            found[name] = COMPLEMENT if rests else RECOVERABLE
    return found


class _Search:
    """What is masked so far, and for each safe count values of all counts that show it to be so.

    Masking more never makes a count unsafe; showing one again does only where the values that are
    kept for a count have another value for that one.
    """

    def __init__(self, system: System, min_count: int, masked: set[str]):
        self.system, self.min_count, self.masked = system, min_count, masked
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, equation in enumerate(system.equations):
            for name in equation:
                self.places[name].append(place)
        self.small = {name for name, n in system.values.items() if is_small(n, min_count)}
        self._proofs: dict[str, dict[str, float]] = {}

    def unknown(self, name: str) -> bool:
        return name in self.masked or name in self.system.hidden

    def price(self, name: str) -> tuple[float, float, str]:
        value = self.system.values[name]
        # Nobody is often known beforehand, and hides little.
        return self.system.costs.get(name, 0.0) + (0.5 if value == 0 else 0.0), value, name

    def connected(self, name: str) -> tuple[list[str], list[int]]:
        """Return the unknown counts that hang together with one, and their equations."""
        names, places, waiting = {name}, set(), deque([name])
        while waiting:
            for place in self.places[waiting.popleft()]:
                if place in places:
                    continue
                places.add(place)
                for other in self.system.equations[place]:
                    if self.unknown(other) and other not in names:
                        names.add(other)
                        waiting.append(other)
        return sorted(names), sorted(places)

    def safe(self, name: str) -> bool:
        """Return whether a small count may be as large as `min_count` by all that is shown."""
        if name not in self._proofs and (proof := self._proof(name)) is not None:
            # The same values often show it of others, too.
            for other in proof.keys() & self.small:
                if proof[other] >= self.min_count - _TINY:
                    self._proofs.setdefault(other, proof)
        return name in self._proofs

    def _proof(self, name: str) -> dict[str, float] | None:
        if any(self._bounded(name, place) for place in self.places[name]):
            return None
        found = largest(self.system, self.connected(name), name)
        return found if found and found[name] >= self.min_count - _TINY else None

    def _bounded(self, name: str, place: int) -> bool:
        """Return whether one equation alone keeps a count below `min_count`."""
        equation, known = self.system.equations[place], 0.0
        for other, factor in equation.items():
            if not self.unknown(other):
                known -= factor * self.system.values[other]
            elif factor * equation[name] < 0:
                return False
        return known / equation[name] < self.min_count - _TINY

    def mask_one(self, name: str) -> bool:
        """Mask one count more: the cheapest that makes this one safe, or else the cheapest at all.

        First of the equations that the count stands in, then of those that hang together with it.
        Returns whether there was any.
        """
        around = (self.places[name], self.connected(name)[1])
        # What tells readers what the study is goes where nothing else is left to mask.
        for last, places in itertools.product((False, True), around):
            mates = {mate for place in places for mate in self.system.equations[place]}
            shown = sorted((mate for mate in mates if not self.unknown(mate)), key=self.price)
            shown = [mate for mate in shown if last or self.system.costs[mate] < LAST_RESORT]
            for mate in shown[:_TRIED]:
                self.masked.add(mate)
                if self.safe(name):
                    return True
                self.masked.discard(mate)
            if shown:
                self.masked.add(shown[0])
                return True
        return False

    def show_again(self, name: str) -> None:
        """Show a count again where each small one stays safe."""
        self.masked.discard(name)
        value = self.system.values[name]
        renewed: dict[str, dict[str, float]] = {}
        near = {mate for place in self.places[name] for mate in self.system.equations[place]}
        # Those that it would give away, if any, are most often in its own equations.
        for other in sorted(self.small, key=lambda other: (other not in near, other)):
            proof = self._proofs.get(other)
            if proof is None or abs(proof.get(name, value) - value) < _TINY:
                continue
            # What shows it of a count before may show it of this one.
            enough = (kept for kept in renewed.values()
                      if kept.get(other, 0.0) >= self.min_count - _TINY)  # fmt: skip
            again = next(enough, None) or self._proof(other)
            if again is None:
                self.masked.add(name)
                return
            renewed[other] = again
        self._proofs |= renewed


def largest(
    system: System, part: tuple[list[str], list[int]], name: str
) -> dict[str, float] | None:
    """Return values of the unknown counts at which one of them is as large as can be.

    Where there is no largest value, one at which it is far above any count. `part` holds the
    unknown counts that hang together, and the places of their equations. None where the program
    fails, which is no proof of anything.
    """
    names, places = part
    order = {other: column for column, other in enumerate(names)}
    entries, right = [], np.zeros(len(places))
    for line, place in enumerate(places):
        for other, factor in system.equations[place].items():
            if other in order:
                entries.append((line, order[other], factor))
            else:
                right[line] -= factor * system.values[other]
    aim = np.zeros(len(names))
    aim[order[name]] = -1.0
    equations: Any = None
    if entries and places:
        lines, columns, factors = zip(*entries, strict=True)
        equations = coo_matrix((factors, (lines, columns)), shape=(len(places), len(names)))
    found = linprog(
        aim, A_eq=equations, b_eq=None if equations is None else right, bounds=(0.0, _FAR)
    )
    return dict(zip(names, found.x, strict=True)) if found.status == 0 else None
