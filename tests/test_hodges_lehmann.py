"""The Hodges-Lehmann estimate against R, its definition, and coverage by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from captem import hodges_lehmann, signed_rank
from hypothesis import given
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load

NUMBERS = st.lists(st.floats(-8, 8), min_size=1, max_size=40)
SCORES = st.lists(st.integers(-4, 4), min_size=1, max_size=40)


def walsh(differences) -> np.ndarray:
    d = np.asarray(differences, dtype=float)
    return np.sort([(d[i] + d[j]) / 2 for i in range(len(d)) for j in range(i + 1)])


def rank_sums(n: int) -> np.ndarray:
    """Return the sum of the ranks of the rises for each of the 2^n patterns of signs."""
    patterns = np.array(list(itertools.product([0, 1], repeat=n)))
    return patterns @ np.arange(1, n + 1)


def achieved(n: int, k: int) -> float:
    return 1 - 2 * float((rank_sums(n) < k).mean())


@pytest.mark.parametrize(
    ("case", "check"),
    [
        ("S01_sleep", "hl_order_statistic"),
        ("T03_cohort30_empty_middle", "hl_with_zeros"),
        ("T05_all_zero", "hl_with_zeros"),
    ],
)
def test_estimate_and_interval_against_r(case, check):
    meta, frames = load(case)
    frame = frames["d"]
    first, second = ("g1", "g2") if case == "S01_sleep" else ("krenning_pre", "krenning_post")
    d = (frame[second] - frame[first]).to_numpy()
    expected = answer(meta, check)
    found = hodges_lehmann.shift(d)
    ends = [found.estimate, found.low, found.high]
    assert_matches(ends, expected[["estimate", "lower", "upper"]], meta)
    n, k = len(d), hodges_lehmann.rank_from_end(len(d))
    tail = signed_rank.lower_tail(np.arange(1, n + 1), np.ones(n, dtype=int), k - 1)
    assert_matches(1 - 2 * tail, expected["achieved_conf"], meta)


def test_walsh_median_against_r():
    meta, frames = load("S01_sleep")
    d = (frames["d"]["g2"] - frames["d"]["g1"]).to_numpy()
    assert_matches(hodges_lehmann.shift(d).estimate, answer(meta, "walsh_median"), meta)


@given(NUMBERS | SCORES)
def test_estimate_and_ends_are_walsh_averages_by_rank(d):
    averages = walsh(d)
    found = hodges_lehmann.shift(np.array(d))
    assert found.estimate == pytest.approx(np.median(averages), abs=1e-12)
    k = hodges_lehmann.rank_from_end(len(d))
    if k:
        assert (found.low, found.high) == (averages[k - 1], averages[-k])
        assert found.low <= found.estimate <= found.high
    else:
        assert math.isnan(found.low) and math.isnan(found.high)


@given(NUMBERS | SCORES, st.floats(-4, 4))
def test_moving_and_mirroring_the_differences(d, by):
    found, d = hodges_lehmann.shift(np.array(d)), np.array(d, dtype=float)
    moved, mirrored = hodges_lehmann.shift(d + by), hodges_lehmann.shift(-d)
    np.testing.assert_allclose(moved[:3], np.array(found[:3]) + by, atol=1e-12)
    np.testing.assert_allclose(mirrored[:3], [-found.estimate, -found.high, -found.low], atol=1e-12)


@pytest.mark.parametrize("n", range(1, 13))
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
def test_the_rank_is_the_largest_that_keeps_the_level(n, level):
    k = hodges_lehmann.rank_from_end(n, level)
    assert k == 0 or achieved(n, k) >= level
    assert achieved(n, k + 1) < level


@pytest.mark.parametrize("n", range(6, 11))
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_coverage_over_all_signs_is_the_achieved_level(n, level):
    """Every pattern of signs is as likely: the share of intervals that hold the true shift 0."""
    sizes = 1.1 ** np.arange(n)
    held = 0
    for signs in itertools.product([-1, 1], repeat=n):
        found = hodges_lehmann.shift(sizes * np.array(signs), level)
        held += found.low <= 0 <= found.high
    assert held / 2**n == achieved(n, hodges_lehmann.rank_from_end(n, level)) >= level


def test_the_interval_holds_the_shifts_that_the_test_does_not_reject():
    d = np.random.default_rng(3).normal(0.4, 1, 15)
    found = hodges_lehmann.shift(d)
    for by in np.linspace(-1, 2, 121):
        test = signed_rank.conditional_test(*signed_rank.groups(d - by))
        assert (test.p_value > 0.05) == (found.low <= by <= found.high)


@pytest.mark.parametrize("n", range(1, 6))
def test_up_to_five_pairs_have_no_interval(n):
    found = hodges_lehmann.shift(np.arange(1.0, n + 1))
    assert found.estimate == (n + 1) / 2
    assert math.isnan(found.low) and math.isnan(found.high)


# Many pairs


@pytest.mark.parametrize("n", [3, 40, 300])
@pytest.mark.parametrize("kind", ["measured", "scores", "zeros", "rounded", "few", "same"])
def test_counting_equals_listing(n, kind, monkeypatch):
    rng = np.random.default_rng(n)
    d = {
        "measured": rng.normal(0.3, 1, n),
        "scores": rng.integers(-4, 5, n),
        "zeros": rng.normal(size=n) * (rng.random(n) < 0.4),
        "rounded": np.round(rng.normal(size=n), 1),
        "few": rng.choice([-1.1, 0.7], n),
        "same": np.full(n, 0.3),
    }[kind]
    listed = hodges_lehmann.shift(d)
    monkeypatch.setattr(hodges_lehmann, "_LISTED_UP_TO", 0)
    counted = hodges_lehmann.shift(d)
    np.testing.assert_allclose(counted[:3], listed[:3], rtol=0, atol=1e-12)
    assert not listed.low > listed.estimate and not counted.high < counted.low


@pytest.mark.parametrize(("kind", "seed"), [("scores", 2), ("rounded", 4)])
def test_counting_ties_next_to_a_rounded_middle(kind, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    d = rng.integers(-4, 5, 333) if kind == "scores" else np.round(rng.normal(size=333), 1)
    listed = hodges_lehmann.shift(d)
    monkeypatch.setattr(hodges_lehmann, "_LISTED_UP_TO", 0)
    np.testing.assert_allclose(hodges_lehmann.shift(d)[:3], listed[:3], rtol=0, atol=1e-12)


def test_1600_rounded_differences():
    d = np.round(np.random.default_rng(2).normal(size=1600), 1)
    found = hodges_lehmann.shift(d)
    assert found.low <= found.estimate <= found.high


def test_every_place_is_found_by_counting(monkeypatch):
    rng = np.random.default_rng(8)
    d = np.sort(np.round(rng.normal(size=25), 1))
    places = list(range(1, 326))
    monkeypatch.setattr(hodges_lehmann, "_LISTED_UP_TO", 0)
    np.testing.assert_allclose(hodges_lehmann._walsh(d, places), walsh(d), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["measured", "scores", "rounded"])
def test_beyond_the_list(kind):
    """1,600 pairs, where the averages are counted, against a list made here."""
    rng = np.random.default_rng(5)
    d = {"measured": rng.normal(size=1600), "scores": rng.choice([-1.0, 1, 2], 1600),
         "rounded": np.round(rng.normal(size=1600), 2)}[kind]  # fmt: skip
    first, second = np.tril_indices(1600)
    averages = np.sort((d[first] + d[second]) / 2)
    k = hodges_lehmann.rank_from_end(1600)
    found = hodges_lehmann.shift(d)
    assert not found.exact
    expected = [np.median(averages), averages[k - 1], averages[-k]]
    np.testing.assert_allclose(found[:3], expected, rtol=0, atol=1e-12)


def test_the_normal_rank_is_next_to_the_exact_one_at_the_switch(monkeypatch):
    n = signed_rank.EXACT_UP_TO
    exact = hodges_lehmann.rank_from_end(n)
    monkeypatch.setattr(hodges_lehmann, "EXACT_UP_TO", n - 1)
    near = hodges_lehmann.rank_from_end(n)
    assert 0 <= abs(near - exact) <= 5
    assert exact > 0.45 * n * n / 2


def test_many_zeros_are_counted_quickly(monkeypatch):
    """Halving down to a zero would end at the smallest number there is, a thousand steps later."""
    calls = []
    real = np.searchsorted
    monkeypatch.setattr(np, "searchsorted", lambda *a, **k: calls.append(1) or real(*a, **k))
    d = np.concatenate([np.zeros(1200), np.random.default_rng(3).normal(size=800)])
    assert hodges_lehmann.shift(d).estimate == 0
    assert len(calls) < 250
