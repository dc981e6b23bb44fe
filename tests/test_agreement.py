"""Weighted kappa against SAS, statsmodels and its own definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from captem.agreement import weighted_kappa
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

WEIGHTS = st.sampled_from(["linear", "quadratic"])
SCORES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def readers(pairs):
    return tuple(np.array(column) for column in zip(*pairs, strict=True))


def scores(table):
    """The two readers' scores from a table of counts, rows the first reader."""
    table = np.array(table)
    return np.indices(table.shape).reshape(2, -1).repeat(table.ravel(), axis=1)


def told(kappa):
    return (kappa.estimate, kappa.standard_error, kappa.conf_low, kappa.conf_high)


def test_against_a_printout_of_sas():
    # The weighted kappa example of SAS/STAT that statsmodels is tested against too.
    kappa = weighted_kappa(*scores([[0, 4, 1], [0, 8, 0], [0, 1, 5]]), categories=3)
    assert told(kappa) == pytest.approx((0.4701, 0.1457, 0.1845, 0.7558), abs=5e-5)
    assert kappa.n == 19


@given(SCORES, WEIGHTS)
def test_against_statsmodels(pairs, weights):
    first, second = readers(pairs)
    assume(len(set(first)) > 1 and len(set(second)) > 1 and (first != second).any())
    table = np.bincount(5 * first + second, minlength=25).reshape(5, 5)
    with np.errstate(all="ignore"):
        expected = cohens_kappa(table, wt={"linear": "linear", "quadratic": "quadratic"}[weights])
    kappa = weighted_kappa(first, second, weights)
    assert kappa.estimate == pytest.approx(expected.kappa, abs=1e-12)
    assert kappa.standard_error**2 == pytest.approx(expected.var_kappa, abs=1e-12)
    if not math.isnan(kappa.conf_low):
        assert kappa.conf_low == pytest.approx(max(-1, expected.kappa_low), abs=1e-9)
        assert kappa.conf_high == pytest.approx(min(1, expected.kappa_upp), abs=1e-9)


@given(SCORES, WEIGHTS)
def test_agreement_is_the_mean_weight_and_its_mean_over_all_pairings(pairs, weights):
    first, second = readers(pairs)
    power = {"linear": 1, "quadratic": 2}[weights]
    kappa = weighted_kappa(first, second, weights)
    assert kappa.observed == pytest.approx(np.mean(1 - (abs(first - second) / 4) ** power))
    assert kappa.expected == pytest.approx(
        np.mean(1 - (abs(first[:, None] - second[None, :]) / 4) ** power)
    )


@given(SCORES, WEIGHTS)
def test_readers_scale_and_unused_categories_do_not_matter(pairs, weights):
    first, second = readers(pairs)
    expected = told(weighted_kappa(first, second, weights))
    for other in (
        weighted_kappa(second, first, weights),
        weighted_kappa(4 - first, 4 - second, weights),
        weighted_kappa(first, second, weights, categories=9),
        weighted_kappa(first + 2, second + 2, weights, categories=7),
    ):
        assert told(other) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(SCORES)
def test_quadratic_kappa_is_the_concordance_coefficient(pairs):
    # Fleiss & Cohen 1973: with n as divisor, twice the covariance over the mean squares.
    first, second = readers(pairs)
    kappa = weighted_kappa(first, second, "quadratic").estimate
    below = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    if below == 0:
        assert math.isnan(kappa)
    else:
        expected = 2 * np.cov(first, second, bias=True)[0, 1] / below
        assert kappa == pytest.approx(expected, abs=1e-12)


@given(SCORES, WEIGHTS)
def test_every_patient_twice_narrows_the_interval_by_root_two(pairs, weights):
    first, second = readers(pairs)
    once = weighted_kappa(first, second, weights)
    twice = weighted_kappa(np.tile(first, 2), np.tile(second, 2), weights)
    assert twice.estimate == pytest.approx(once.estimate, nan_ok=True, abs=1e-12)
    assert twice.standard_error * math.sqrt(2) == pytest.approx(
        once.standard_error, nan_ok=True, abs=1e-12
    )


@given(SCORES, WEIGHTS)
def test_the_interval_stays_within_one_and_widens_with_the_level(pairs, weights):
    first, second = readers(pairs)
    kappa = weighted_kappa(first, second, weights)
    wider = weighted_kappa(first, second, weights, level=0.99)
    assume(not math.isnan(kappa.conf_low))
    assert -1 <= wider.conf_low <= kappa.conf_low < kappa.conf_high <= wider.conf_high <= 1


def test_the_interval_is_clipped():
    kappa = weighted_kappa([0, 1, 2, 3, 4, 2], [0, 1, 2, 3, 4, 3])
    assert kappa.conf_high == 1
    z = stats.norm.ppf(0.975)
    assert kappa.conf_low == pytest.approx(kappa.estimate - z * kappa.standard_error, rel=1e-12)
    assert kappa.estimate + z * kappa.standard_error > 1


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_perfect_agreement_has_no_interval(weights):
    kappa = weighted_kappa([0, 1, 2, 3, 3], [0, 1, 2, 3, 3], weights)
    assert (kappa.estimate, kappa.standard_error, kappa.observed) == (1, 0, 1)
    assert math.isnan(kappa.conf_low) and math.isnan(kappa.conf_high)


@given(st.integers(0, 4), st.integers(1, 20), WEIGHTS)
def test_one_score_from_both_is_no_kappa(score, n, weights):
    kappa = weighted_kappa([score] * n, [score] * n, weights)
    assert all(math.isnan(value) for value in told(kappa))
    assert (kappa.n, kappa.observed, kappa.expected) == (n, 1, 1)


@given(st.integers(0, 4), st.lists(st.integers(0, 4), min_size=1, max_size=30), WEIGHTS)
def test_one_reader_with_one_score_is_kappa_zero_without_interval(score, others, weights):
    assume(set(others) != {score})
    kappa = weighted_kappa([score] * len(others), others, weights)
    assert (kappa.estimate, kappa.standard_error) == (pytest.approx(0, abs=1e-12), 0)
    assert math.isnan(kappa.conf_low) and math.isnan(kappa.conf_high)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([], []), "both readers"),
        (([0, 1], [0, 1, 2]), "of one length"),
        (([0, 5], [0, 1]), "from 0 to 4"),
        (([0, 1], [0, -1]), "from 0 to 4"),
        (([0, 1.5], [0, 1]), "whole numbers"),
        (([0, math.nan], [0, 1]), "whole numbers"),
        (([0, 1], [0, 1], "equal"), "equal"),
        (([0, 0], [0, 0], "linear", 1), "2 categories"),
    ],
)
def test_malformed_input_is_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        weighted_kappa(*arguments)
