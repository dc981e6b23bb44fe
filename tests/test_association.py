"""Rank correlations against R, scipy and enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from captem import association
from captem.association import kendall, spearman
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy import stats

BOTH = pytest.mark.parametrize("coefficient", [kendall, spearman])
SCIPY = {kendall: stats.kendalltau, spearman: stats.spearmanr}
VALUES = st.integers(-2, 3)


def paired(low, high, first=VALUES, second=VALUES):
    """Two lists of one length between `low` and `high`, neither of them constant."""
    return (
        st.integers(low, high)
        .flatmap(
            lambda n: st.tuples(
                st.lists(first, min_size=n, max_size=n), st.lists(second, min_size=n, max_size=n)
            )
        )
        .filter(lambda lists: all(len(set(values)) > 1 for values in lists))
    )


def sample(n, x_values, y_values, seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, x_values, n), rng.integers(0, y_values, n)


def s_by_definition(x, y):
    pairs = itertools.combinations(range(len(x)), 2)
    return sum(int(np.sign(x[j] - x[i]) * np.sign(y[j] - y[i])) for i, j in pairs)


def ranks_by_definition(x, y):
    return float(np.dot(stats.rankdata(x) - (len(x) + 1) / 2, stats.rankdata(y)))


BY_DEFINITION = {kendall: s_by_definition, spearman: ranks_by_definition}


def p_by_enumeration(coefficient, x, y):
    statistic = BY_DEFINITION[coefficient]
    values = np.abs([statistic(x, order) for order in itertools.permutations(y)])
    return float(np.mean(values >= abs(statistic(x, y)) - 1e-9)), float(
        np.mean(values >= values.max() - 1e-9)
    )


def completions(low, high):
    return itertools.product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))


@pytest.fixture
def without_counting(monkeypatch):
    monkeypatch.setattr(association, "_EXACT_WORK", 0)


@pytest.fixture
def only_normal(without_counting, monkeypatch):
    monkeypatch.setattr(association, "_DRAWN_WORK", 0)


def test_exact_p_against_r():
    meta, frames = load("B02_perm_association")
    x, gain = np.log2(frames["d"]["mib1"]), frames["d"]["gain"]
    tau, rho = kendall(x, gain), spearman(x, gain)
    assert_matches(tau.estimate, answer(meta, "kendall_tau_b"), meta)
    assert_matches(tau.p_value, answer(meta, "kendall_exact_p"), meta)
    assert_matches(rho.estimate, answer(meta, "spearman_rho"), meta)
    assert_matches(rho.p_value, answer(meta, "spearman_exact_p"), meta)
    assert tau.method == "Kendall tau-b, exact by enumeration"
    assert rho.method == "Spearman rho, exact by enumeration"
    assert tau.n == rho.n == 7


def test_normal_p_against_r(only_normal):
    # coin's asymptotic Spearman test has this variance, R's cor.test the tie-corrected one of S.
    meta, frames = load("B02_perm_association")
    x, gain = frames["d"]["mib1"], frames["d"]["gain"]
    assert_matches(kendall(x, gain).p_value, answer(meta, "cor_test_kendall"), meta)
    assert_matches(spearman(x, gain).p_value, answer(meta, "coin_spearman_asym_p"), meta)
    assert kendall(x, gain).method == "Kendall tau-b, normal approximation"


@BOTH
@given(lists=paired(2, 6))
@settings(max_examples=40, deadline=None)
def test_exact_p_is_the_share_of_all_permutations(coefficient, lists):
    found = coefficient(*lists)
    p, smallest = p_by_enumeration(coefficient, *lists)
    assert found.p_value == pytest.approx(p, rel=1e-12)
    assert found.smallest_p == pytest.approx(smallest, rel=1e-12)
    assert found.p_low == found.p_high == found.p_value


@BOTH
@given(lists=paired(2, 40, second=st.floats(-3, 3).map(lambda value: round(value, 1))))
@settings(max_examples=40, deadline=None)
def test_estimates_against_scipy(coefficient, lists):
    assert coefficient(*lists).estimate == pytest.approx(
        SCIPY[coefficient](*lists).statistic, abs=1e-12
    )


@pytest.mark.parametrize(
    "values", [(6, 9), (80, 5), (600, 600), (2, 3), (3, 2000)], ids=lambda pair: f"{pair}"
)
def test_many_patients_against_scipy(values):
    x, y = sample(1500, *values)
    x = x - 2 * y * (y % 3 == 0) * 0.01
    expected = stats.kendalltau(x, y, method="asymptotic")
    found = kendall(x, y)
    assert found.method == "Kendall tau-b, normal approximation"
    assert found.estimate == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert math.isnan(found.smallest_p)
    rho = stats.spearmanr(x, y).statistic
    assert spearman(x, y).estimate == pytest.approx(rho, abs=1e-12)
    assert spearman(x, y).p_value == pytest.approx(
        2 * stats.norm.sf(abs(rho) * math.sqrt(1499)), rel=1e-9
    )


def test_a_hundred_thousand_different_values_against_scipy():
    rng = np.random.default_rng(3)
    x = rng.normal(size=100_000)
    y = rng.normal(size=100_000) + 0.01 * x
    expected = stats.kendalltau(x, y, method="asymptotic")
    assert kendall(x, y).estimate == pytest.approx(expected.statistic, abs=1e-12)
    assert kendall(x, y).p_value == pytest.approx(expected.pvalue, rel=1e-9)
    rho = stats.spearmanr(x, y).statistic
    assert spearman(x, y).estimate == pytest.approx(rho, abs=1e-12)


def test_exact_p_without_ties_against_scipy():
    # scipy's exact P of tau is the number of permutations with as many inversions.
    x = np.arange(11)
    y = [3, 0, 1, 2, 8, 4, 5, 10, 6, 9, 7]
    found = kendall(x, y)
    assert found.method == "Kendall tau-b, exact by enumeration"
    assert found.p_value == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue, rel=1e-12)
    assert found.smallest_p == pytest.approx(2 / math.factorial(11), rel=1e-12)


def test_exact_p_of_two_groups_is_the_exact_rank_sum_test():
    # With a binary y both coefficients order the permutations as the rank sum does.
    rng = np.random.default_rng(4)
    x = rng.permutation(40)
    y = np.repeat([0, 1], [23, 17])
    expected = stats.mannwhitneyu(x[y == 1], x[y == 0], method="exact").pvalue
    for coefficient in (kendall, spearman):
        assert coefficient(x, y).p_value == pytest.approx(expected, rel=1e-9)
        assert "exact" in coefficient(x, y).method


@BOTH
@given(lists=paired(2, 9), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_what_leaves_an_exact_p_as_it_is(coefficient, lists, shuffle):
    x, y = (np.array(values) for values in lists)
    found = coefficient(x, y)
    order = list(range(len(x)))
    shuffle.shuffle(order)
    assert coefficient(x[order], y[order]) == found
    assert coefficient(np.exp(x) + 7, y) == found
    mirrored = coefficient(x, -y)
    assert mirrored.estimate == pytest.approx(-found.estimate, abs=1e-15)
    exchanged = coefficient(y, x)
    assert exchanged.estimate == pytest.approx(found.estimate, abs=1e-15)
    for other in (mirrored, exchanged):
        assert other.p_value == pytest.approx(found.p_value, rel=1e-12)
        assert other.smallest_p == pytest.approx(found.smallest_p, rel=1e-12)


@BOTH
@pytest.mark.parametrize(("x_values", "y_values"), [(90, 9), (9, 90), (10**6, 10**6), (6, 4)])
def test_relabelling_leaves_a_drawn_p_as_it_is(coefficient, x_values, y_values, without_counting):
    x, y = sample(60, x_values, y_values)
    found = coefficient(x, y)
    assert found.method.endswith(", permutation (19,999 draws)")
    assert math.isnan(found.smallest_p)
    order = np.random.default_rng(2).permutation(60)
    assert repr(coefficient(x[order], y[order])) == repr(found)
    assert repr(coefficient(np.sqrt(x), y)) == repr(found)
    assert coefficient(x, y, seed=2).p_value != found.p_value


@BOTH
@pytest.mark.parametrize("seed", range(5))
def test_drawn_p_agrees_with_the_exact_one(coefficient, seed, monkeypatch):
    x, y = sample(8, 6, 4, seed)
    exact = coefficient(x, y).p_value
    monkeypatch.setattr(association, "_EXACT_WORK", 0)
    drawn = coefficient(x, y, seed=seed)
    assert "permutation" in drawn.method
    error = math.sqrt(exact * (1 - exact) / association.DRAWS)
    assert abs(drawn.p_value - exact) <= 4 * error + 1 / association.DRAWS
    # (b + 1) / (B + 1) for a whole b.
    assert drawn.p_value * 20_000 == pytest.approx(round(drawn.p_value * 20_000), abs=1e-6)


@BOTH
def test_a_drawn_p_is_never_zero(coefficient, without_counting):
    assert coefficient(range(60), range(60)).p_value == 1 / 20_000


@BOTH
def test_the_three_ways_to_p_agree(coefficient, monkeypatch):
    x, y = sample(30, 40, 3, 6)
    exact = coefficient(x, y)
    monkeypatch.setattr(association, "_EXACT_WORK", 0)
    drawn = coefficient(x, y)
    monkeypatch.setattr(association, "_DRAWN_WORK", 0)
    normal = coefficient(x, y)
    assert [found.method.split(", ")[1].split()[0] for found in (exact, drawn, normal)] == [
        "exact", "permutation", "normal"
    ]  # fmt: skip
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.015)
    assert normal.p_value == pytest.approx(exact.p_value, abs=0.015)


@BOTH
def test_a_cohort_of_the_usual_size_is_exact(coefficient):
    x = np.array([2, 3, 3, 5, 5, 5, 7.5, 8, 8, 10, 10, 12, 12, 15, 15, 18, 20, 20])
    y = np.array([2, 1, 2, 1, 0, 1, 1, 0, 1, 2, 0, 1, 0, 0, -1, 0, 1, 0])
    found = coefficient(x, y)
    assert "exact" in found.method
    rng = np.random.default_rng(5)
    statistic = SCIPY[coefficient]
    draws = [abs(statistic(x, rng.permutation(y)).statistic) for _ in range(1000)]
    share = np.mean(np.array(draws) >= abs(statistic(x, y).statistic) - 1e-9)
    assert abs(share - found.p_value) <= 4 * math.sqrt(found.p_value / 1000)


@BOTH
@given(
    st.lists(st.tuples(VALUES, VALUES, st.sampled_from([0, 0, 1, 2])), min_size=3, max_size=6),
)
@settings(max_examples=30, deadline=None)
def test_interval_values_span_every_completion(coefficient, patients):
    x, low, width = (np.array(column) for column in zip(*patients, strict=True))
    assume(len(set(x)) > 1 and width.any())
    each = [coefficient(x, y) for y in completions(low, low + width)]
    found = coefficient(x, low, low + width)
    assert found.p_low == pytest.approx(min(one.p_value for one in each), rel=1e-12)
    assert found.p_high == pytest.approx(max(one.p_value for one in each), rel=1e-12)
    assert found.p_value == found.p_high
    least = [one.smallest_p for one in each if not math.isnan(one.estimate)]
    assert found.smallest_p == pytest.approx(min(least, default=1.0), rel=1e-12)
    middle = coefficient(x, low + width / 2).estimate
    assert found.estimate == pytest.approx(middle, abs=1e-15, nan_ok=True)


@BOTH
@pytest.mark.parametrize("limit", ["_EXACT_WORK", "_DRAWN_WORK"])
def test_interval_values_span_every_completion_whatever_the_way(coefficient, limit, monkeypatch):
    monkeypatch.setattr(association, "_EXACT_WORK", 0)
    monkeypatch.setattr(association, limit, 0)
    x, low = sample(25, 12, 5)
    high = low + (np.arange(25) % 6 == 0)
    each = [coefficient(x, y) for y in completions(low, high)]
    found = coefficient(x, low, high)
    assert len({one.method for one in each} | {found.method}) == 1
    # Without counting, p of one completion depends on nothing but that completion.
    assert found.p_low == pytest.approx(min(one.p_value for one in each), rel=1e-12)
    assert found.p_high == pytest.approx(max(one.p_value for one in each), rel=1e-12)


@BOTH
@given(
    st.lists(
        st.tuples(st.integers(0, 9), VALUES, st.sampled_from([0, 0, 0, 1, 2])),
        min_size=4,
        max_size=40,
    ),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_bounds_hold_for_every_completion(coefficient, patients, seed):
    x, low, width = (np.array(column) for column in zip(*patients, strict=True))
    assume(len(set(x)) > 1 and width.any())
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("_EXACT_WORK", "_DRAWN_WORK", "_COMPLETIONS"):
            patch.setattr(association, limit, 0)
        found = coefficient(x, low, low + width)
        assert found.method.endswith("normal approximation, bounds over the intervals")
        rng = np.random.default_rng(seed)
        ends = [low, low + width, np.where(x > 4, low, low + width)]
        drawn = [rng.integers(low, low + width + 1) for _ in range(15)]
        for y in (*ends, *drawn):
            p = coefficient(x, y).p_value
            assert found.p_low * (1 - 1e-9) <= p <= found.p_high * (1 + 1e-9)


@BOTH
def test_bounds_that_decide(coefficient):
    # An association with few intervals: the bounds must not be so wide as to say nothing.
    x, noise = sample(2000, 100, 4)
    low = (x + 100 * noise) // 125
    high = low + (np.arange(2000) % 100 == 0)
    found = coefficient(x, low, high)
    assert "bounds" in found.method
    assert found.p_low < coefficient(x, low).p_value < found.p_high < 1e-4


@BOTH
def test_a_p_too_small_for_a_number_is_not_zero(coefficient):
    assert 0 < coefficient(range(5000), range(5000)).p_value < 1e-300


@BOTH
def test_a_hundred_thousand_patients_with_intervals(coefficient):
    rng = np.random.default_rng(2)
    x, low = rng.integers(1, 80, 100_000), rng.integers(-3, 4, 100_000)
    high = low + (np.arange(100_000) % 20 == 0)
    found = coefficient(x, low, high)
    p = coefficient(x, rng.integers(low, high + 1)).p_value
    assert found.p_low <= p <= found.p_high
    assert found.p_low < 1e-4


@BOTH
@pytest.mark.parametrize(
    ("x", "y", "which"), [([1, 1, 1], [0, 1, 2], "first"), ([1, 2, 3], [0, 0, 0], "second")]
)
def test_a_constant_is_p_one_and_said(coefficient, x, y, which):
    found = coefficient(x, y)
    assert math.isnan(found.estimate)
    assert (found.p_value, found.p_low, found.p_high, found.n) == (1, 1, 1, 3)
    assert found.method.endswith(f"not defined: the {which} variable is constant")


@BOTH
def test_equal_intervals_have_no_estimate_but_a_range(coefficient):
    found = coefficient([1, 2, 3, 4], [0, 0, 0, 0], [1, 1, 1, 1])
    assert math.isnan(found.estimate)
    assert (found.p_low, found.p_high) == (pytest.approx(1 / 3), 1)


@BOTH
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([1], [1]), "at least 2 patients"),
        (([], []), "at least 2 patients"),
        (([1, 2], [1, 2, 3]), "of one length"),
        (([[1, 2]], [[1, 2]]), "one-dimensional"),
        (([1, math.nan], [1, 2]), "finite"),
        (([1, 2], [1, math.inf]), "finite"),
        (([1, 2], [1, 2], [0, 2]), "above the highest"),
        (([1, 2], [1, 2], [1, 2.5]), "whole numbers"),
    ],
)
def test_malformed_input_is_refused(coefficient, arguments, told):
    with pytest.raises(ValueError, match=told):
        coefficient(*arguments)


@BOTH
def test_known_values_may_be_fractions_also_as_closed_intervals(coefficient):
    x, y = [1, 2, 3, 4, 5], [0.5, 0.25, 1.5, 2.5, 2.25]
    assert coefficient(x, y, y) == coefficient(x, y)
