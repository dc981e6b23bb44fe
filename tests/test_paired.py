"""Paired tests and proportions against R and against enumeration."""

from __future__ import annotations

import itertools
import math

import pytest
from captem import paired
from hypothesis import given
from hypothesis import strategies as st
from reference_cases import answer, load
from scipy import stats

COUNTS = st.integers(0, 60)


@pytest.mark.parametrize(
    "case", ["S01_sleep", "T02_vision", "T03_cohort30_empty_middle", "T04_n1", "T05_all_zero"]
)
def test_sign_test_against_r(case):
    meta, _ = load(case)
    expected = answer(meta, "sign_test")
    up, down = int(expected["n_pos"]), int(expected["n_neg"])
    assert paired.sign_test((up, down)).p_value == pytest.approx(expected["p_exact"], rel=1e-9)
    assert paired.mid_p_binomial(up, down) == pytest.approx(expected["p_midp"], rel=1e-9)


@pytest.mark.parametrize(
    ("case", "discordant"),
    [("T01_pm_approval", (150, 86)), ("T03_cohort30_empty_middle", (2, 7)), ("T04_n1", (0, 1)),
     ("T05_all_zero", (0, 0))],
)  # fmt: skip
def test_mcnemar_against_r(case, discordant):
    meta, _ = load(case)
    expected = answer(meta, "mcnemar")
    assert sum(discordant) == expected["n_discordant"]
    assert paired.mcnemar(*discordant).p_value == pytest.approx(expected["p_exact"], rel=1e-9)
    mid_p = paired.mcnemar(*discordant, mid_p=True)
    assert mid_p.p_value == pytest.approx(expected["p_midp"], rel=1e-9)


def test_proportion_intervals_against_r():
    meta, frames = load("P01_prop_grid")
    grid = frames["d"]
    wilson, exact = answer(meta, "wilson95"), answer(meta, "clopper_pearson95")
    for i, (count, n) in enumerate(zip(grid["x"], grid["n"], strict=True)):
        assert paired.wilson(count, n) == pytest.approx(tuple(wilson.iloc[i]), abs=1e-6)
        assert paired.clopper_pearson(count, n) == pytest.approx(tuple(exact.iloc[i]), abs=1e-6)


@given(COUNTS, COUNTS)
def test_exact_p_against_scipy(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert paired.two_sided_binomial(first, second) == pytest.approx(expected, rel=1e-9)


@given(COUNTS, COUNTS)
def test_mid_p_is_the_exact_p_less_half_of_what_is_as_extreme(first, second):
    n = first + second
    point = stats.binom.pmf(first, n, 0.5)
    as_extreme = point if first == second else 2 * point
    expected = paired.two_sided_binomial(first, second) - (as_extreme / 2 if n else 0)
    assert paired.mid_p_binomial(first, second) == pytest.approx(expected, rel=1e-9)


@given(COUNTS, COUNTS)
def test_swapping_the_scans_mirrors_the_test(first, second):
    assert paired.two_sided_binomial(first, second) == paired.two_sided_binomial(second, first)


def test_the_far_tail_is_exact():
    assert paired.two_sided_binomial(400, 0) == pytest.approx(2.0**-399, rel=1e-12)
    assert paired.two_sided_binomial(3000, 2500) == pytest.approx(
        stats.binomtest(3000, 5500).pvalue, rel=1e-9
    )


@given(
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.lists(st.sets(st.sampled_from([-1, 0, 1]), min_size=1).map(frozenset), max_size=5),
)
def test_open_directions_span_every_completion(certain, open_changes):
    values = [
        paired.two_sided_binomial(certain[0] + ways.count(1), certain[1] + ways.count(-1))
        for ways in itertools.product(*open_changes)
    ]
    test = paired.sign_test(certain, open_changes)
    assert (test.p_low, test.p_high, test.p_value) == (min(values), max(values), max(values))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_proportion_and_widen_with_the_level(counts):
    count, n = counts
    for interval in (paired.wilson, paired.clopper_pearson):
        low, high = interval(count, n)
        wider_low, wider_high = interval(count, n, 0.99)
        assert 0 <= wider_low <= low <= count / n <= high <= wider_high <= 1
        mirrored = interval(n - count, n)
        assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (10, 10), (3, 7), (250, 500)])
def test_intervals_against_scipy(count, n):
    exact = stats.binomtest(count, n).proportion_ci(method="exact")
    wilson = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert paired.clopper_pearson(count, n) == pytest.approx((exact.low, exact.high), abs=1e-10)
    assert paired.wilson(count, n) == pytest.approx((wilson.low, wilson.high), abs=1e-10)


def test_nobody_changed_is_p_one():
    assert paired.sign_test((0, 0)).p_value == 1
    assert paired.mcnemar(0, 0, mid_p=True).p_value == 1
    assert math.isclose(paired.sign_test((3, 0)).p_value, 0.25)
