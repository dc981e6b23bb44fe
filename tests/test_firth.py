"""Firth's logistic regression against R, against brute force, and under its symmetries."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from captem import firth, ordinal
from captem.firth_profile import Profile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import chi2

CHI2_95 = chi2.ppf(0.95, 1)
REFERENCES = {
    "F01_endometrial": (["NV", "PI", "EH"], "HG"),
    "F02_complete_separation10": (["x"], "converted"),
}

properties = settings(max_examples=40, deadline=None, derandomize=True)


def reference(case):
    meta, frames = load(case)
    predictors, outcome = REFERENCES[case]
    return meta, frames["d"][outcome].to_numpy(), frames["d"][predictors].to_numpy(dtype=float)


def direct(b, y, x, weights=None) -> float:
    """l + 1/2 log |I| as the module docstring defines it, in plain sums."""
    z = np.column_stack([np.ones(len(y)), x])
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    eta = z @ b
    chance = 1.0 / (1.0 + np.exp(-eta))
    loglik = np.sum(w * (y * eta - np.logaddexp(0.0, eta)))
    sign, logdet = np.linalg.slogdet(z.T @ np.diag(w * chance * (1.0 - chance)) @ z)
    return loglik + 0.5 * logdet if sign > 0 else -np.inf


def climbed(function, start):
    """The end of a search without derivatives, begun again from where it stopped."""
    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
    for _ in range(3):
        found = minimize(lambda b: -function(b), start, method="Nelder-Mead", options=options)
        start = found.x
    return found.x, -found.fun


@st.composite
def cohorts(draw, n=(5, 24), columns=(1, 2), both=True):
    """Outcomes and a few tied predictor values, often separated."""
    size, p = draw(st.integers(*n)), draw(st.integers(*columns))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    cells = st.integers(-4, 4).map(lambda value: value / 2)
    x = np.array(draw(st.lists(cells, min_size=size * p, max_size=size * p))).reshape(size, p)
    assume(not ordinal.aliased(x))
    assume(not both or 0 < y.sum() < size)
    return y, x


def assert_same_fit(actual, expected):
    assert actual.converged
    assert expected.converged
    np.testing.assert_allclose(actual.coefficients, expected.coefficients, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(actual.covariance, expected.covariance, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        actual.covariance_logistf, expected.covariance_logistf, rtol=1e-5, atol=1e-7
    )
    assert actual.penalised_loglik == pytest.approx(expected.penalised_loglik, abs=1e-9)
    assert actual.separated.tolist() == expected.separated.tolist()


@pytest.mark.parametrize("case", REFERENCES)
def test_estimates_and_both_standard_errors_against_r(case):
    meta, y, x = reference(case)
    fit = firth.fit(y, x)
    expected = answer(meta, "firth")
    assert fit.converged
    assert fit.max_abs_score < 1e-9
    assert_matches(fit.coefficients, expected["coef"], meta)
    assert_matches(fit.coefficients, answer(meta, "brglm2_coef"), meta)
    assert_matches(fit.standard_errors, expected["se"], meta)
    assert_matches(fit.standard_errors_logistf, expected["se_logistf"], meta)
    assert_matches(fit.penalised_loglik, expected["penalised_loglik"], meta)


@pytest.mark.parametrize("case", REFERENCES)
def test_profile_intervals_and_tests_against_r(case):
    meta, y, x = reference(case)
    fit = firth.fit(y, x)
    expected = answer(meta, "firth")
    every = range(x.shape[1] + 1)
    intervals = np.array([firth.profile_interval(fit, column) for column in every])
    assert_matches(intervals[:, 0], expected["pl_ci_lower"], meta)
    assert_matches(intervals[:, 1], expected["pl_ci_upper"], meta)
    tests = np.array([firth.likelihood_ratio(fit, column) for column in every])
    assert_matches(tests[:, 0], expected["plr_chisq"], meta)
    assert_matches(tests[:, 1], expected["plr_p"], meta)
    together = firth.likelihood_ratio(fit, *every[1:])
    assert_matches(together, expected["global_plr"][["chi2", "p"]], meta)


def test_standard_errors_of_brglm2():
    meta, y, x = reference("F01_endometrial")
    assert_matches(firth.fit(y, x).standard_errors, answer(meta, "brglm2_se"), meta)


def test_separation_is_that_of_the_plain_likelihood():
    """glm sends NV to infinity in F01, and every coefficient in F02; the penalty keeps them all."""
    _, y, x = reference("F01_endometrial")
    assert firth.fit(y, x).separated.tolist() == [False, True, False, False]
    _, y, x = reference("F02_complete_separation10")
    assert firth.fit(y, x).separated.tolist() == [True, True]


@pytest.mark.parametrize("seed", range(12))
def test_estimate_profile_and_test_against_brute_force(seed):
    """Estimate, one interval end and the test by a search without derivatives, weights included."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(8, 40)), int(rng.integers(1, 3))
    x = rng.normal(size=(n, p)) if seed % 2 else rng.integers(0, 3, size=(n, p)).astype(float)
    y = (rng.random(n) < rng.uniform(0.2, 0.8)).astype(int)
    y[:2] = 0, 1
    weights = rng.integers(1, 3, size=n) if seed % 3 == 0 else None
    assert not ordinal.aliased(x)
    fit = firth.fit(y, x, weights)
    at, height = climbed(lambda b: direct(b, y, x, weights), np.zeros(p + 1))
    assert fit.penalised_loglik == pytest.approx(height, abs=1e-9)
    np.testing.assert_allclose(fit.coefficients, at, atol=1e-4)

    def profile(value, start):
        return climbed(lambda rest: direct(np.insert(rest, 1, value), y, x, weights), start)

    rest = np.delete(at, 1)
    statistic, chance = firth.likelihood_ratio(fit, 1)
    assert statistic == pytest.approx(2 * (height - profile(0.0, rest)[1]), abs=1e-7)
    assert chance == pytest.approx(chi2.sf(statistic, 1), rel=1e-9)
    for end in firth.profile_interval(fit, 1):
        assert 2 * (height - profile(end, rest)[1]) == pytest.approx(CHI2_95, abs=1e-6)


@properties
@given(cohorts())
def test_the_score_vanishes_and_the_covariances_are_those_of_their_definitions(data):
    y, x = data
    fit = firth.fit(y, x)
    z = np.column_stack([np.ones(len(y)), x])
    chance = 1 / (1 + np.exp(-z @ fit.coefficients))
    v = chance * (1 - chance)
    h = np.diag(np.diag(np.sqrt(v)) @ z @ fit.covariance @ z.T @ np.diag(np.sqrt(v)))
    np.testing.assert_allclose(z.T @ (y - chance + h * (0.5 - chance)), 0, atol=1e-8)
    assert h.sum() == pytest.approx(z.shape[1])
    information = z.T @ np.diag(v) @ z
    np.testing.assert_allclose(fit.covariance @ information, np.eye(len(z.T)), atol=1e-7)
    augmented = z.T @ np.diag(v * (1 + h)) @ z
    np.testing.assert_allclose(fit.covariance_logistf @ augmented, np.eye(len(z.T)), atol=1e-7)
    assert fit.condition_number == pytest.approx(np.linalg.cond(information), rel=1e-6)


def test_the_highest_of_several_maxima_is_found_and_the_others_are_said():
    """Complete separation with an outlier: a search from 0 ends at a lower maximum."""
    x = np.array([0.1, 0.1, 0.0, 0.7, 5.6, 0.7, 38.0, 0.3, 13.0, 0.6, 0.1, 4.3])[:, None]
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1])
    fit = firth.fit(y, x)
    assert fit.maxima == 2
    near, low_height = climbed(lambda b: direct(b, y, x), np.zeros(2))
    grid = [direct([a, b], y, x) for a in np.linspace(-9, 9, 91) for b in np.linspace(-9, 9, 361)]
    assert abs(near[1]) < 0.2 < abs(fit.coefficients[1])
    assert low_height + 0.3 < max(grid) <= fit.penalised_loglik
    assert fit.penalised_loglik == pytest.approx(max(grid), abs=0.02)
    many = firth.fit_many(y, x, np.ones((1, len(y))))
    np.testing.assert_allclose(many.coefficients[0], fit.coefficients, rtol=1e-6)


def test_a_search_that_ends_between_two_equal_maxima_goes_on_either_way():
    """Four distinct rows in a symmetric plan: every search starts on the line between the two."""
    x = np.array([[0.5, -1.0], [-1.5, 1.0], [-0.5, -1.5], [-0.5, -0.5]])
    y, counts = np.array([1, 0, 0, 0]), np.array([2, 1, 1, 6])
    fit = firth.fit(y, x, counts)
    assert fit.converged
    assert fit.maxima == 2
    rng = np.random.default_rng(3)
    tops = [climbed(lambda b: direct(b, y, x, counts), 3 * rng.normal(size=3)) for _ in range(4)]
    assert fit.penalised_loglik == pytest.approx(max(top for _, top in tops), abs=1e-8)
    many = firth.fit_many(y, x, counts[None])
    assert many.converged.all()
    assert many.penalised_loglik[0] == pytest.approx(fit.penalised_loglik, abs=1e-8)


def drawn(seed, slopes):
    """A cohort of 8 to 39 with normal predictors, of which the outcome follows closely."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 40))
    x = rng.normal(size=(n, len(slopes)))
    return (rng.random(n) < expit(x @ slopes)).astype(float), x


def highest_by_chance(y, x, value, column, seed=0):
    """The profile at a value by brute force: many random points, and searches from the best."""
    rng = np.random.default_rng(seed)
    z = np.column_stack([np.ones(len(y)), x])
    spread = np.repeat([1.0, 3.0, 10.0, abs(value)], 1500)[:, None]
    points = np.insert(spread * rng.normal(size=(6000, z.shape[1] - 1)), column, value, axis=1)
    eta = points @ z.T
    variance = expit(eta) * expit(-eta)
    sign, logdet = np.linalg.slogdet(np.einsum("rn,ni,nj->rij", variance, z, z))
    heights = (y * eta - np.logaddexp(0.0, eta)).sum(axis=1) + 0.5 * logdet
    order = np.argsort(-np.where(sign > 0, heights, -np.inf))
    chosen = []
    for place in order:
        if all(np.abs(eta[place] - eta[other]).max() > 2.0 for other in chosen):
            chosen.append(place)
        if len(chosen) == 8:
            break

    def low(rest):
        return -direct(np.insert(rest, column, value), y, x)

    begin = [np.delete(points[place], column) for place in chosen]
    found = [minimize(low, start, method="Nelder-Mead") for start in begin]
    best = min(found, key=lambda end: end.fun)
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
    return -minimize(low, best.x, method="Nelder-Mead", options=options).fun


@pytest.mark.parametrize(("seed", "column"), [(108, 1), (297, 2), (365, 1), (408, 1)])
def test_intervals_of_separated_outcomes_follow_the_highest_of_several_maxima(seed, column):
    """Ends that are too short, or not found, where a search stays with one maximum."""
    y, x = drawn(seed, [2.0, 0.0])
    fit = firth.fit(y, x)
    assert fit.separated.any()
    top = fit.penalised_loglik
    for end in firth.profile_interval(fit, column):
        statistic = 2 * (top - highest_by_chance(y, x, end, column))
        assert statistic == pytest.approx(CHI2_95, abs=1e-6)
    at_zero = 2 * (top - highest_by_chance(y, x, 0.0, column))
    assert firth.likelihood_ratio(fit, column)[0] == pytest.approx(at_zero, abs=1e-7)


def test_the_interval_holds_all_that_is_kept_where_the_profile_falls_and_rises_again():
    y, x = drawn(69, [2.0, 0.0])
    fit = firth.fit(y, x)
    low, high = firth.profile_interval(fit, 1)
    heights = {value: highest_by_chance(y, x, value, 1) for value in (30.0, 46.0, 120.0, high)}
    away = {value: 2 * (fit.penalised_loglik - height) for value, height in heights.items()}
    assert away[30.0] < CHI2_95 < away[46.0]
    assert away[120.0] < CHI2_95
    assert low < 120 < high
    assert away[high] == pytest.approx(CHI2_95, abs=1e-5)


def test_the_profile_does_not_depend_on_what_was_asked_before():
    y, x = drawn(108, [2.0, 0.0])
    fit = firth.fit(y, x)
    values = np.random.default_rng(1).permutation(np.linspace(-5, 13, 19))

    def profile():
        error = fit.standard_errors[[1]]
        return Profile(fit._setup, (1,), fit.coefficients, fit.penalised_loglik, error)

    alone = [profile().height(value) for value in values]
    together, backwards, after_ends = profile(), profile(), profile()
    assert [together.height(value) for value in values] == alone
    assert [backwards.height(value) for value in values[::-1]] == alone[::-1]
    after_ends.ends(1.0)
    assert [after_ends.height(value) for value in values] == alone
    assert after_ends.ends(2.0) == profile().ends(2.0)


def test_a_profile_that_comes_above_the_estimate_is_refused():
    _, y, x = reference("F01_endometrial")
    fit = firth.fit(y, x)
    lower = replace(fit, penalised_loglik=fit.penalised_loglik - 0.5)
    assert np.isnan(firth.profile_interval(lower, 1)).all()
    assert np.isnan(firth.likelihood_ratio(lower, 2)).all()


@pytest.mark.parametrize("seed", [454, 595, 1093])
def test_the_highest_maximum_may_be_far_out_where_the_outcome_is_separated(seed):
    y, x = drawn(seed, [4.0, 1.0, 4.0])
    fit = firth.fit(y, x)
    assert fit.maxima > 1
    z = np.column_stack([np.ones(len(y)), x])
    assert np.abs(z @ fit.coefficients).max() > 20
    near, height = climbed(lambda b: direct(b, y, x), np.zeros(4))
    assert np.abs(z @ near).max() < 20
    assert fit.penalised_loglik > height + 0.05
    assert fit.penalised_loglik == pytest.approx(direct(fit.coefficients, y, x), abs=1e-8)
    many = firth.fit_many(y, x, np.ones((1, len(y))))
    assert many.penalised_loglik[0] == pytest.approx(fit.penalised_loglik, abs=1e-8)


@properties
@given(cohorts())
def test_relabelling_the_outcome_turns_the_signs(data):
    y, x = data
    fit, turned = firth.fit(y, x), firth.fit(1 - y, x)
    np.testing.assert_allclose(turned.coefficients, -fit.coefficients, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(turned.covariance, fit.covariance, rtol=1e-5, atol=1e-7)
    low, high = firth.profile_interval(fit, 1)
    np.testing.assert_allclose(firth.profile_interval(turned, 1), (-high, -low), rtol=1e-5)


@properties
@given(cohorts(), st.sampled_from([1e-6, 0.25, -3.0, 1e5]), st.floats(-100, 100))
def test_units_and_origin_of_a_predictor_do_not_matter(data, factor, origin):
    y, x = data
    fit = firth.fit(y, x)
    moved = x.copy()
    moved[:, 0] = (x[:, 0] + origin) * factor
    other = firth.fit(y, moved)
    assert other.converged
    np.testing.assert_allclose(other.coefficients[1] * factor, fit.coefficients[1], atol=1e-6)
    np.testing.assert_allclose(other.coefficients[2:], fit.coefficients[2:], atol=1e-6)
    error = other.standard_errors[1] * abs(factor)
    assert error == pytest.approx(fit.standard_errors[1], rel=1e-5)
    shift = np.log(abs(factor))
    assert other.penalised_loglik - shift == pytest.approx(fit.penalised_loglik, abs=1e-8)
    assert other.loglik == pytest.approx(fit.loglik, abs=1e-8)
    expected = firth.likelihood_ratio(fit, 1)
    np.testing.assert_allclose(firth.likelihood_ratio(other, 1), expected, atol=1e-7)
    ends = np.sort(np.array(firth.profile_interval(other, 1)) * factor)
    np.testing.assert_allclose(ends, firth.profile_interval(fit, 1), rtol=1e-5, atol=1e-6)


@properties
@given(cohorts(), st.data())
def test_weights_equal_repetition(data, draw):
    y, x = data
    counts = draw.draw(st.lists(st.integers(0, 3), min_size=len(y), max_size=len(y)))
    repeated = np.repeat(np.arange(len(y)), counts)
    assume(len(repeated) and 0 < y[repeated].sum() < len(repeated))
    assume(not ordinal.aliased(x[repeated]))
    assert_same_fit(firth.fit(y, x, counts), firth.fit(y[repeated], x[repeated]))


@properties
@given(cohorts(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(data, random):
    y, x = data
    order = list(range(len(y)))
    random.shuffle(order)
    assert_same_fit(firth.fit(y[order], x[order]), firth.fit(y, x))


@settings(properties, max_examples=15)
@given(cohorts(n=(3, 14), columns=(1, 3), both=False), st.integers(0, 2**32 - 1))
def test_many_fits_at_once_are_the_fits_one_by_one(data, seed):
    y, x = data
    n = len(y)
    rng = np.random.default_rng(seed)
    counts = np.vstack([np.ones((1, n)), 1 - np.eye(n), rng.multinomial(n, np.ones(n) / n, 5)])
    many = firth.fit_many(y, x, counts)
    for row, weights in enumerate(counts):
        one = firth.fit(y, x, weights)
        assert many.converged[row] == one.converged
        assert many.one_outcome[row] == one.one_outcome
        assert tuple(np.flatnonzero(many.aliased[row])) == one.aliased
        assert many.penalised_loglik[row] == pytest.approx(one.penalised_loglik, abs=1e-7)
        assert many.max_abs_score[row] < 1e-6
        if one.maxima > 1:  # another one may be as high
            continue
        np.testing.assert_allclose(many.coefficients[row], one.coefficients, atol=1e-6)
        np.testing.assert_allclose(many.standard_errors[row], one.standard_errors, rtol=1e-5)
        assert many.condition_number[row] == pytest.approx(one.condition_number, rel=1e-4)


def test_a_bootstrap_in_chunks_is_the_bootstrap_one_by_one():
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.normal(size=60), rng.integers(0, 2, 60), np.arange(60) == 7])
    y = (rng.random(60) < 0.4).astype(int)
    counts = rng.multinomial(60, np.ones(60) / 60, size=900)
    many = firth.fit_many(y, x, counts)
    assert many.converged.all()
    assert many.aliased[:, 3].tolist() == (counts[:, 7] == 0).tolist()
    assert np.isnan(many.coefficients[many.aliased]).all()
    for row in range(0, 900, 31):
        one = firth.fit(y, x, counts[row])
        np.testing.assert_allclose(many.coefficients[row], one.coefficients, atol=1e-7)


@pytest.mark.parametrize("seed", range(8))
def test_no_cohort_raises_or_converges_at_infinity(seed):
    """Small cohorts with outliers and separation: the penalised maximum is always there."""
    rng = np.random.default_rng(seed)
    for _ in range(12):
        n, p = int(rng.integers(2, 40)), int(rng.integers(0, 4))
        x = rng.normal(size=(n, p)) if rng.random() < 0.5 else rng.standard_t(1, size=(n, p))
        y = (rng.random(n) < rng.random()).astype(int)
        fit = firth.fit(y, x)
        kept = [j for j in range(p + 1) if j not in fit.aliased]
        kept = [0] if fit.one_outcome else kept
        assert fit.converged
        assert np.isfinite(fit.coefficients[kept]).all()
        assert np.isfinite(fit.standard_errors[kept]).all()
        assert fit.max_abs_score < 1e-5
        if len(kept) > 1 and not fit.aliased:
            low, high = firth.profile_interval(fit, 1)
            assert -np.inf < low < fit.coefficients[1] < high < np.inf


@pytest.mark.parametrize("outcome", [0, 1])
def test_with_one_outcome_only_the_intercept_is_estimated_and_it_is_said(outcome):
    y, x = np.full(9, outcome), np.arange(9.0)[:, None]
    fit = firth.fit(y, x)
    assert fit.one_outcome
    assert fit.converged
    odds = (y.sum() + 0.5) / (9 - y.sum() + 0.5)
    assert fit.coefficients[0] == pytest.approx(np.log(odds))
    assert np.isnan(fit.coefficients[1])
    assert np.isnan(fit.standard_errors[1])
    assert fit.separated.tolist() == [True, True]
    assert firth.profile_interval(fit, 1) == (-np.inf, np.inf)
    assert firth.likelihood_ratio(fit, 1) == (0.0, 1.0)
    low, high = firth.profile_interval(fit, 0)
    assert low < fit.coefficients[0] < high
    many = firth.fit_many(y, x, 1 - np.eye(9))
    assert many.one_outcome.all()
    assert np.isnan(many.coefficients[:, 1]).all()
    assert np.isfinite(many.coefficients[:, 0]).all()


def test_without_predictors_the_penalty_adds_half_an_event_to_each_side():
    fit = firth.fit([1, 1, 0, 0, 0, 0], np.empty((6, 0)))
    assert fit.coefficients.tolist() == pytest.approx([np.log(2.5 / 4.5)])

    def drop(b):
        # l* of a binomial with half an event more on each side, up to a constant
        return 2.5 * b - 7 * np.log1p(np.exp(b))

    top = drop(fit.coefficients[0])
    for end, far in zip(firth.profile_interval(fit, 0), (-9, 9), strict=True):
        expected = brentq(lambda b: 2 * (top - drop(b)) - CHI2_95, fit.coefficients[0], far)
        assert end == pytest.approx(expected, abs=1e-8)


def test_aliased_columns_are_named_and_left_out():
    _, y, x = reference("F01_endometrial")
    wide = np.column_stack([np.full(len(y), 3.0), x[:, 0], 2 * x[:, 0] - 5, x[:, 1:]])
    fit, plain = firth.fit(y, wide), firth.fit(y, x)
    assert fit.aliased == (1, 3)
    kept = [0, 2, 4, 5]
    np.testing.assert_allclose(fit.coefficients[kept], plain.coefficients, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance[np.ix_(kept, kept)], plain.covariance, rtol=1e-8)
    assert np.isnan(fit.coefficients[[1, 3]]).all()
    assert np.isnan(fit.covariance[1]).all()
    assert fit.separated.tolist() == [False, False, True, False, False, False]
    assert firth.profile_interval(fit, 3) == (-np.inf, np.inf)
    assert firth.likelihood_ratio(fit, 3) == (0.0, 1.0)
    np.testing.assert_allclose(
        firth.profile_interval(fit, 4), firth.profile_interval(plain, 2), rtol=1e-8
    )


def test_columns_that_nearly_coincide_are_still_fitted():
    rng = np.random.default_rng(4)
    first = rng.normal(size=40)
    x = np.column_stack([first, first + 1e-5 * rng.normal(size=40)])
    y = (rng.random(40) < 0.5).astype(int)
    fit = firth.fit(y, x)
    assert fit.converged
    assert fit.condition_number > 1e8
    apart = np.column_stack([first, (x[:, 1] - first) * 1e5])
    other = firth.fit(y, apart)
    assert fit.coefficients[2] / 1e5 == pytest.approx(other.coefficients[2], rel=1e-4)


def test_the_interval_excludes_zero_exactly_when_the_test_rejects():
    _, y, x = reference("F01_endometrial")
    fit = firth.fit(y, x)
    for column in range(4):
        p = firth.likelihood_ratio(fit, column)[1]
        at_p = firth.profile_interval(fit, column, level=1 - p)
        assert min(abs(at_p[0]), abs(at_p[1])) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize(
    ("y", "x", "weights", "sentence"),
    [
        ([0, 2], [[0], [1]], None, "0 or 1"),
        ([0, np.nan], [[0], [1]], None, "0 or 1"),
        (["a", "b"], [[0], [1]], None, "0 or 1"),
        ([[0, 1]], [[0], [1]], None, "one-dimensional"),
        ([0, 1], [0, 1], None, "two-dimensional"),
        ([0, 1], [[0], [np.inf]], None, "finite"),
        ([0, 1], [[0]], None, "one row of predictors"),
        ([0, 1], [[0], [1]], [1], "one weight"),
        ([0, 1], [[0], [1]], [1, -1], "not negative"),
        ([0, 1], [[0], [1]], [0, 0], "no outcomes of positive weight"),
        ([], np.empty((0, 1)), None, "no outcomes"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(y, x, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        firth.fit(y, x, weights)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ([1, 1], "one row per replicate"),
        ([[1, 1, 1]], "one column per outcome"),
        ([[1, -1]], "not negative"),
        ([[1, np.nan]], "finite"),
        ([[1, 1], [0, 0]], "no outcomes of positive weight"),
    ],
)
def test_malformed_counts_are_refused_in_a_sentence(counts, sentence):
    with pytest.raises(ValueError, match=sentence):
        firth.fit_many([0, 1], [[0], [1]], counts)


def test_no_replicates_are_no_fits():
    assert firth.fit_many([0, 1], [[0], [1]], np.empty((0, 2))).coefficients.shape == (0, 2)


@pytest.mark.parametrize("column", [-1, 2])
def test_a_coefficient_that_does_not_exist_is_refused(column):
    fit = firth.fit([0, 1, 0, 1], [[0], [1], [2], [3]])
    with pytest.raises(ValueError, match="There is no coefficient"):
        firth.profile_interval(fit, column)
    with pytest.raises(ValueError, match="There is no coefficient"):
        firth.likelihood_ratio(fit, column)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_a_level_outside_zero_and_one_is_refused(level):
    fit = firth.fit([0, 1, 0, 1], [[0], [1], [2], [3]])
    with pytest.raises(ValueError, match="confidence level"):
        firth.profile_interval(fit, 1, level)


def test_importing_the_module_stays_light():
    code = (
        "import sys, captem.firth, captem.influence, captem.bootstrap, captem.multiplicity;"
        "print([m for m in ('scipy.stats', 'scipy.optimize', 'pandas', 'statsmodels')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
