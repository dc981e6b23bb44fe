"""The reachable counts against going through every completion."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from captem import completions
from hypothesis import given
from hypothesis import strategies as st

PLACES = 4
CHOICES = st.lists(
    st.sets(st.integers(0, PLACES - 1), min_size=1).map(lambda places: tuple(sorted(places))),
    max_size=5,
)


def by_force(certain, choices) -> set[tuple[int, ...]]:
    found = set()
    for chosen in itertools.product(*choices):
        found.add(tuple(np.asarray(certain) + np.bincount(chosen, minlength=len(certain))))
    return found


@given(st.lists(st.integers(0, 6), min_size=PLACES, max_size=PLACES), CHOICES)
def test_reachable_counts_are_those_of_all_completions(certain, choices):
    found = completions.reachable(np.array(certain), choices)
    assert found is not None
    rows = [tuple(row) for row in found.tolist()]
    assert len(rows) == len(set(rows))
    assert set(rows) == by_force(certain, choices) if choices else rows == [tuple(certain)]


def test_nothing_open_is_the_certain_counts():
    assert completions.reachable(np.array([3, 0, 2]), []).tolist() == [[3, 0, 2]]


def test_the_order_of_the_patients_does_not_matter():
    choices = [(0, 1), (1, 2, 3), (0, 1), (2, 3)]
    first = completions.reachable(np.zeros(PLACES, dtype=int), choices)
    for order in itertools.permutations(choices):
        np.testing.assert_array_equal(
            completions.reachable(np.zeros(PLACES, dtype=int), order), first
        )


def test_patients_with_the_same_interval_are_interchangeable():
    """1,000 patients who may stand in two places: 2^1000 completions, 1,001 counts."""
    found = completions.reachable(np.array([0, 5, 0]), [(0, 2)] * 1000)
    assert found.tolist() == [[k, 5, 1000 - k] for k in range(1001)]


@pytest.mark.parametrize(
    ("choices", "counts"), [([(0, 1)] * 30, 31), ([(0, 1, 2)] * 7, 36), ([(0, 1), (2, 3)] * 4, 25)]
)
def test_the_limit_is_on_the_counts(choices, counts):
    certain = np.zeros(PLACES, dtype=int)
    assert len(completions.reachable(certain, choices, limit=counts)) == counts
    assert completions.reachable(certain, choices, limit=counts - 1) is None


def test_too_many_are_refused_without_listing_them():
    certain = np.zeros(9, dtype=int)
    assert completions.reachable(certain, [tuple(range(9))] * 500) is None
    assert completions.reachable(certain, [(i, i + 1) for i in range(8)] * 60) is None
