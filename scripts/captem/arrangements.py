"""The ways in which values could have fallen to patients, within groups of patients that are alike.

If values are independent of the outcome within a group, each way of giving out the group's values
is as likely as the one seen. Where they are few, they are listed; else some are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Arrangements:
    """Arrangements of n values among n patients.

    Attributes:
        places: shape (R, n): in arrangement r patient i has the value of patient places[r, i].
        complete: these are all arrangements, each as likely as another, that seen among them;
            else they are drawn.
        number: how many arrangements there are, at most. No P can be below 1 / number.
    """

    places: Integers
    complete: bool
    number: int


def of(
    groups: ArrayLike,
    outcomes: ArrayLike,
    values: ArrayLike,
    most: int,
    rng: np.random.Generator,
) -> Arrangements:
    """List all arrangements where there are at most `most`, and draw `most` of them otherwise.

    In a group of k patients with a_1, a_2, ... patients of one value each, there are
    k! / (a_1! a_2! ...) arrangements of the values, and likewise of the outcomes. Both give the
    same pairs of value and outcome, so the fewer of the two are enough.

    Args:
        groups, outcomes, values: integers, shape (n,): equal numbers are the same group, outcome,
            value.
        most: at least 1.
        rng: for drawing; not used where all are listed.

    >>> found = of([0, 0, 0, 1], [1, 0, 0, 1], [1, 2, 3, 4], 9, np.random.default_rng(1))
    >>> found.complete, found.number, found.places[:, 0].tolist()
    (True, 3, [2, 1, 0])
    """
    group, outcome, value = (np.asarray(code) for code in (groups, outcomes, values))
    members = [np.flatnonzero(group == name) for name in np.unique(group)]
    number = math.prod(min(_count(outcome[m]), _count(value[m])) for m in members)
    if number > most:
        return Arrangements(_drawn(group, most, rng), False, number)
    places = np.tile(np.arange(len(group)), (number, 1))
    lists = [list(_listed(outcome[m], value[m])) for m in members]
    for row, chosen in zip(places, product(*lists), strict=True):
        for patients, order in zip(members, chosen, strict=True):
            row[patients] = patients[order]
    return Arrangements(places, True, number)


def _count(codes: Integers) -> int:
    """How many orders of these codes look different."""
    ties = np.unique(codes, return_counts=True)[1].tolist()
    return math.factorial(len(codes)) // math.prod(math.factorial(tie) for tie in ties)


def _drawn(groups: Integers, number: int, rng: np.random.Generator) -> Integers:
    size = len(groups)
    codes = np.unique(groups, return_inverse=True)[1].ravel()
    places = np.empty((number, size), dtype=np.int64)
    # Group by group, each in an order of its own.
    places[:, np.argsort(codes, kind="stable")] = np.argsort(
        codes + rng.random((number, size)), axis=1
    )
    return places


def _listed(outcomes: Integers, values: Integers) -> Iterator[Integers]:
    """All arrangements within one group, as places in it."""
    by_outcome = _count(outcomes) <= _count(values)
    codes = outcomes if by_outcome else values
    ranks = np.argsort(codes, kind="stable")
    for arranged in _orders(codes):
        ahead = np.argsort(arranged, kind="stable")
        # Those with an outcome get the values that stood where the arrangement has that outcome.
        source, target = (ahead, ranks) if by_outcome else (ranks, ahead)
        order = np.empty_like(ranks)
        order[target] = source
        yield order


def _orders(codes: Integers) -> Iterator[Integers]:
    """All orders of the codes that look different, ascending in the manner of a dictionary."""
    order = np.sort(codes)
    while True:
        yield order
        rises = np.flatnonzero(order[:-1] < order[1:])
        if not len(rises):
            return
        last = int(rises[-1])
        larger = int(np.flatnonzero(order > order[last])[-1])
        order = order.copy()
        order[[last, larger]] = order[[larger, last]]
        order[last + 1 :] = order[last + 1 :][::-1]
