"""Boundaries of looks: against R's rpact, published tables, and drawn trials."""

from __future__ import annotations

import math

import numpy as np
import pytest
from captem import group_sequential as sequential
from captem.group_sequential import OBRIEN_FLEMING, POCOCK
from hypothesis import given, settings
from hypothesis import strategies as st

# R 4.2.2, rpact 3.3.4: getDesignGroupSequential(sided = 2, alpha = 0.05, informationRates = ...,
# typeOfDesign = "asOF", "asP", "OF", "P")$criticalValues.
UNEQUAL = (0.1, 0.3, 0.4, 0.85, 1)
FIFTHS = (0.2, 0.4, 0.6, 0.8, 1)
SPENDING = [
    (OBRIEN_FLEMING, FIFTHS,
     (4.8768849488, 3.3570119217, 2.6802800670, 2.2898167744, 2.0310320482)),
    (OBRIEN_FLEMING, (0.2, 0.5, 1), (4.87688494879, 2.96262925118, 1.96859636158)),
    (OBRIEN_FLEMING, (1 / 3, 2 / 3, 1), (3.71030287326, 2.51142748445, 1.99304748327)),
    (POCOCK, FIFTHS,
     (2.43797668805, 2.42681386322, 2.41019383818, 2.3966454044, 2.38598456234)),
    (POCOCK, UNEQUAL, (2.65511004797, 2.44840281457, 2.5330317989, 2.2538504079, 2.37445633858)),
]  # fmt: skip
CLASSICAL = [
    (OBRIEN_FLEMING, FIFTHS,
     (4.5617422989, 3.2256389136, 2.6337231442, 2.2808711494, 2.0400731752)),
    (OBRIEN_FLEMING, UNEQUAL,
     (6.4177826684, 3.7053085512, 3.2088913342, 2.2012812948, 2.0294810760)),
    (POCOCK, UNEQUAL, (2.44105678745,) * 5),
    (POCOCK, (0.5, 1), (2.17827208882,) * 2),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "information", "expected"), SPENDING)
def test_spending_boundaries_are_those_of_r(shape, information, expected):
    found = sequential.spending_boundaries(information, 0.05, shape)
    assert found == pytest.approx(expected, abs=2e-8)


def test_where_r_stops_at_six_digits_the_boundary_is_between_its_bounds():
    """The second look is the first to cross in no more than all, and no less than all but the first
    look's chance, of what lies beyond its boundary. rpact's 3.92857442 is outside of that.
    """
    found = sequential.spending_boundaries(UNEQUAL, 0.05, OBRIEN_FLEMING)
    first, second = (sequential.spent(share, 0.05, OBRIEN_FLEMING) for share in UNEQUAL[:2])
    assert sequential.p_of(found[0]) == pytest.approx(first, rel=1e-9)
    assert second - first < sequential.p_of(found[1]) < second
    assert found[1:] == pytest.approx((3.9285744, 3.3670451, 2.1723322, 2.0401014), abs=2e-6)


@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_other_levels_are_those_of_r(alpha):
    expected = {
        (0.01, OBRIEN_FLEMING): (5.49296102545, 3.80139502138, 3.04448317736, 2.60300720483),
        (0.01, POCOCK): (2.91352430217, 2.94208449870, 2.95120278746, 2.95606189221),
        (0.1, OBRIEN_FLEMING): (3.74955183721, 2.53994257003, 2.01606985182, 1.72017704695),
        (0.1, POCOCK): (2.09990269156, 2.07671178132, 2.05315507203, 2.03471241146),
    }
    for shape in (OBRIEN_FLEMING, POCOCK):
        found = sequential.spending_boundaries((0.25, 0.5, 0.75, 1), alpha, shape)
        assert found == pytest.approx(expected[alpha, shape], abs=2e-8)


@pytest.mark.parametrize(("shape", "information", "expected"), CLASSICAL)
def test_classical_boundaries_are_those_of_r(shape, information, expected):
    found = sequential.classical_boundaries(information, 0.05, shape)
    assert found == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize(
    ("looks", "pocock", "obrien_fleming"),
    [
        (1, 1.960, 1.960), (2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024),
        (5, 2.413, 2.040), (6, 2.453, 2.053), (7, 2.485, 2.063), (8, 2.512, 2.072),
        (9, 2.535, 2.080), (10, 2.555, 2.087),
    ],
)  # fmt: skip
def test_the_constants_of_equal_looks_are_the_published_ones(looks, pocock, obrien_fleming):
    """Jennison & Turnbull 2000, Group Sequential Methods, tables 2.1 and 2.3, alpha 0.05."""
    equal = [place / looks for place in range(1, looks + 1)]
    found = sequential.classical_boundaries(equal, 0.05, POCOCK)
    assert [round(c, 3) for c in found] == [pocock] * looks
    assert (
        round(sequential.classical_boundaries(equal, 0.05, OBRIEN_FLEMING)[-1], 3) == obrien_fleming
    )


rising = st.lists(st.integers(1, 200), min_size=1, max_size=6, unique=True).map(sorted)


@settings(max_examples=40, deadline=None)
@given(rising, st.sampled_from([OBRIEN_FLEMING, POCOCK]), st.sampled_from([0.01, 0.05, 0.2]))
def test_what_is_spent_is_what_is_crossed(patients, shape, alpha):
    information = [n / patients[-1] for n in patients]
    boundaries = sequential.spending_boundaries(information, alpha, shape)
    assert sequential.crossed(information, boundaries) == pytest.approx(alpha, rel=1e-8)
    assert sequential.crossed(
        information, sequential.classical_boundaries(information, alpha, shape)
    ) == pytest.approx(alpha, rel=1e-8)
    for place, share in enumerate(information, start=1):
        so_far = sequential.crossed(information[:place], boundaries[:place])
        assert so_far == pytest.approx(sequential.spent(share, alpha, shape), rel=1e-7, abs=1e-15)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(5, 100), min_size=2, max_size=5, unique=True).map(sorted))
def test_a_boundary_depends_on_the_looks_before_and_on_no_later_one(patients):
    information = [n / 120 for n in patients]
    assert sequential.spending_boundaries(information)[:-1] == pytest.approx(
        sequential.spending_boundaries(information[:-1])
    )


def test_a_first_look_that_spends_nothing_leaves_the_classical_end_as_it_is():
    found = sequential.classical_boundaries((0.002, 1))
    assert found[1] == pytest.approx(1.959964, abs=1e-6) and found[0] > 40


def test_the_end_spends_what_is_left_with_fewer_or_more_patients_than_planned():
    for end in (0.8, 1.0, 1.3):
        information = (0.4, end)
        found = sequential.spending_boundaries(information, ended=True)
        assert sequential.crossed(information, found) == pytest.approx(0.05, rel=1e-9)
    assert sequential.crossed((0.4, 0.8), sequential.spending_boundaries((0.4, 0.8))) < 0.03


def test_drawn_trials_cross_as_often_as_alpha_says():
    information = np.array([0.3, 0.55, 1.0])
    boundaries = sequential.spending_boundaries(information, 0.1, POCOCK)
    steps = np.sqrt(np.diff(information, prepend=0))
    sums = np.cumsum(np.random.default_rng(7).standard_normal((200_000, 3)) * steps, axis=1)
    crossed = (np.abs(sums / np.sqrt(information)) > boundaries).any(axis=1).mean()
    # Four standard errors of 200 000 draws.
    assert crossed == pytest.approx(0.1, abs=4 * math.sqrt(0.1 * 0.9 / 200_000))


def test_repeated_intervals_hold_the_truth_at_all_looks_together():
    information = np.array([0.3, 0.55, 1.0])
    boundaries = sequential.spending_boundaries(information)
    levels = [sequential.repeated_level(c) for c in boundaries]
    steps = np.sqrt(np.diff(information, prepend=0))
    drift = 2.5
    rng = np.random.default_rng(8)
    sums = np.cumsum(rng.standard_normal((100_000, 3)) * steps + drift * steps**2, axis=1)
    quantiles = np.array([-_quantile((1 - level) / 2) for level in levels])
    held = (np.abs(sums / information - drift) <= quantiles / np.sqrt(information)).all(axis=1)
    assert held.mean() == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 100_000))


def _quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def test_five_looks_at_five_percent_find_something_in_fourteen():
    """Armitage, McPherson & Rowe 1969, table 2: .142."""
    assert round(sequential.crossed(FIFTHS, [1.959964] * 5), 3) == 0.142


def test_a_first_look_of_five_looks_needs_nineteen_differences_one_way():
    first = sequential.classical_boundaries(FIFTHS)[0]
    assert f"{sequential.p_of(first):.0e}" == "5e-06"
    assert sequential.differences_needed(sequential.p_of(first)) == 19


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-12, 1.0))
def test_differences_needed_are_the_fewest(p):
    needed = sequential.differences_needed(p)
    assert 2.0 ** (1 - needed) <= p * (1 + 1e-9)
    assert needed == 1 or 2.0 ** (2 - needed) > p * (1 - 1e-9)


def test_no_boundary_where_nothing_may_be_spent():
    found = sequential.spending_boundaries((0.001, 1))
    assert math.isinf(found[0]) and found[1] == pytest.approx(1.959964, abs=1e-6)
    assert sequential.p_of(math.inf) == 0 and sequential.repeated_level(math.inf) == 1


@pytest.mark.parametrize(
    "given_", [{"information": [0.5, 0.5]}, {"information": []}, {"information": [0.0, 1]},
               {"information": [1], "alpha": 1.5}, {"information": [1], "shape": "haybittle"}],
)  # fmt: skip
def test_what_is_no_design_is_refused(given_):
    with pytest.raises(ValueError):
        sequential.spending_boundaries(**given_)


def test_boundaries_that_were_applied_stay_and_the_others_follow():
    shares = [0.25, 0.5, 0.75, 1.0]
    every = sequential.spending_boundaries(shares)
    assert sequential.spending_boundaries(shares, held=every[:2]) == pytest.approx(every)
    stricter = sequential.spending_boundaries(shares, held=[every[0], every[1] + 0.5], ended=True)
    assert stricter[2] < every[2] and sequential.crossed(shares, stricter) == pytest.approx(0.05)


def test_a_look_that_used_up_more_than_its_share_leaves_nothing_at_the_next():
    found = sequential.spending_boundaries([0.25, 0.5, 1.0], held=[2.2], ended=True)
    assert found[1] == math.inf and math.isfinite(found[2])
    assert sequential.crossed([0.25, 0.5, 1.0], found) == pytest.approx(0.05)
