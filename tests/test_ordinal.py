"""Proportional-odds regression against R, against its own definition, and under its symmetries."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from captem import ordinal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

# R reads its profile intervals off a spline through a coarse grid: they are right to about 1e-5.
R_PROFILE_RTOL = 1e-4
CHI2_95 = chi2.ppf(0.95, 1)

properties = settings(max_examples=60, deadline=None, derandomize=True)


def parameters(fit: ordinal.OrdinalFit) -> np.ndarray:
    return np.concatenate([fit.thresholds, fit.beta])


def direct_loglik(low, high, x, cuts, beta, weights=None) -> float:
    """The likelihood as the module docstring defines it; `cuts` maps j to theta_j."""
    eta = x @ beta
    upper = np.array([cuts.get(int(j), np.inf) for j in high])
    lower = np.array([cuts.get(int(j) - 1, -np.inf) for j in low])
    terms = np.log(expit(upper - eta) - expit(lower - eta))
    return float(terms @ (np.ones(len(eta)) if weights is None else weights))


def cuts_of(fit: ordinal.OrdinalFit, bottom: int, top: int) -> dict[int, float]:
    """The threshold above every score in bottom..top-1, emptied categories having zero width."""
    cuts = {}
    for j in range(bottom, top):
        below = sum(high <= j for _, high in fit.categories)
        ends = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
        cuts[j] = float(ends[below])
    return cuts


@st.composite
def cohorts(draw, columns=(1, 2), intervals=True, n=(6, 24)):
    """Scores 0..3, many of them intervals, and a few tied predictor values."""
    size = draw(st.integers(*n))
    p = draw(st.integers(*columns))
    first = np.array(draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)))
    low = high = first
    if intervals:
        second = np.array(
            draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=size, max_size=size))
        )
        high = np.minimum(first + second, 3)
    cells = st.integers(-4, 4).map(lambda value: value / 2)
    x = np.array(draw(st.lists(cells, min_size=size * p, max_size=size * p)), dtype=float)
    return low, high, x.reshape(size, p)


def fitted(low, high, x, weights=None) -> ordinal.OrdinalFit:
    """A fit with a finite, unique maximum; other examples are set aside."""
    assume(informative(low, high))
    fit = ordinal.fit(low, high, x, weights)
    assume(fit.converged and not fit.aliased)
    return fit


def informative(low, high) -> bool:
    try:
        ordinal.null_loglik(low, high)
    except ValueError:
        return False
    return True


def assert_same_fit(actual: ordinal.OrdinalFit, expected: ordinal.OrdinalFit) -> None:
    assert actual.converged == expected.converged
    assert actual.threshold_labels == expected.threshold_labels
    np.testing.assert_allclose(parameters(actual), parameters(expected), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(actual.covariance, expected.covariance, rtol=1e-5, atol=1e-7)
    assert actual.loglik == pytest.approx(expected.loglik, rel=1e-9, abs=1e-9)


def wine():
    meta, frames = load("O01_wine")
    d = frames["d"]
    x = np.column_stack([d["temp"] == "warm", d["contact"] == "yes"])
    return meta, d["rating"].to_numpy(), x


def housing():
    meta, frames = load("O02_housing")
    d = frames["d"]
    score = d["Sat"].map({"Low": 0, "Medium": 1, "High": 2}).to_numpy()
    x = np.column_stack(
        [
            d["Infl"] == "Medium",
            d["Infl"] == "High",
            d["Type"] == "Apartment",
            d["Type"] == "Atrium",
            d["Type"] == "Terrace",
            d["Cont"] == "High",
        ]
    )
    return meta, score, x, d["Freq"].to_numpy()


def cohort60():
    meta, frames = load("O03_cohort60")
    d = frames["d"]
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"]), d["cycles"]])
    return meta, d["krenning_post"].to_numpy(), x


def test_wine_against_r():
    meta, y, x = wine()
    fit = ordinal.fit(y, y, x)
    assert fit.converged
    assert fit.threshold_labels == ("1|2", "2|3", "3|4", "4|5")
    assert_matches(parameters(fit), answer(meta, "coef"), meta)
    assert_matches(fit.standard_errors, answer(meta, "se"), meta)
    assert_matches(fit.covariance, answer(meta, "vcov"), meta)
    assert_matches(fit.loglik, answer(meta, "loglik"), meta)
    assert_matches(fit.condition_number, answer(meta, "condition_number"), meta)
    assert_matches(
        2 * (fit.loglik - ordinal.null_loglik(y, y)), answer(meta, "lr_vs_null")["chi2"], meta
    )


def test_weighted_housing_against_r():
    meta, y, x, weights = housing()
    fit = ordinal.fit(y, y, x, weights)
    assert_matches(parameters(fit), answer(meta, "coef"), meta)
    assert_matches(fit.standard_errors, answer(meta, "se"), meta)
    assert_matches(fit.loglik, answer(meta, "loglik"), meta)
    drop = answer(meta, "lr_drop1").loc["Cont"]
    assert_matches(ordinal.likelihood_ratio(fit, 5), drop[["LRT", "Pr(>Chi)"]], meta)


def test_cohort60_against_r():
    meta, y, x = cohort60()
    fit = ordinal.fit(y, y, x)
    assert fit.threshold_labels == ("0|1", "1|2", "2|3", "3|4")
    assert fit.collapsed == ()
    assert fit.max_abs_gradient < 1e-9
    assert_matches(parameters(fit), answer(meta, "coef"), meta)
    assert_matches(fit.standard_errors, answer(meta, "se"), meta)
    assert_matches(fit.covariance, answer(meta, "vcov"), meta)
    assert_matches(fit.loglik, answer(meta, "loglik"), meta)
    assert_matches(fit.condition_number, answer(meta, "condition_number"), meta)
    assert not ordinal.separated(y, y, x).any()


def test_cohort60_gain_scores_below_zero_against_r():
    meta, y, x = cohort60()
    gain = y - x[:, 0].astype(int)
    fit = ordinal.fit(gain, gain, x[:, 1:])
    expected = answer(meta, "gain_model_coef")
    assert list(fit.threshold_labels) == list(expected.index[:6])
    assert_matches(parameters(fit), expected, meta)
    assert_matches(fit.standard_errors, answer(meta, "gain_model_se"), meta)


def test_cohort60_with_baseline_as_factor_against_r():
    meta, y, x = cohort60()
    factor = np.column_stack([x[:, 0] == level for level in (1, 2, 3, 4)])
    fit = ordinal.fit(y, y, np.column_stack([factor, x[:, 1:]]))
    assert_matches(parameters(fit), answer(meta, "pre_as_factor_coef"), meta)


@pytest.mark.parametrize("case", [wine, cohort60])
def test_likelihood_ratio_against_r(case):
    meta, y, x = case()
    fit = ordinal.fit(y, y, x)
    rows = answer(meta, "lr_drop1")[["LRT", "Pr(>Chi)"]].iloc[1:]
    assert_matches([ordinal.likelihood_ratio(fit, j) for j in range(x.shape[1])], rows, meta)


@pytest.mark.parametrize("case", [wine, cohort60, housing])
def test_profile_intervals_against_r(case):
    meta, y, x, *weights = case()
    fit = ordinal.fit(y, y, x, *weights)
    actual = [ordinal.profile_interval(fit, j) for j in range(x.shape[1])]
    assert_matches(actual, answer(meta, "profile_ci"), meta, rtol=R_PROFILE_RTOL)


@pytest.mark.parametrize("case", [wine, cohort60, housing])
def test_profile_interval_ends_meet_their_definition(case):
    """At each end, the likelihood maximised over the rest by another optimiser falls by 1.92."""
    _, y, x, *weights = case()
    weights = weights[0] if weights else np.ones(len(y))
    fit = ordinal.fit(y, y, x, weights)
    for column in range(x.shape[1]):
        rest = np.delete(x, column, axis=1)
        m = len(fit.thresholds)
        scores = [int(label.split("|")[0]) for label in fit.threshold_labels]
        start = np.delete(parameters(fit), m + column)
        for end in ordinal.profile_interval(fit, column):

            def negative(v, end=end, column=column, rest=rest, m=m, scores=scores):
                cuts = dict(zip(scores, v[:m], strict=True))
                beta = np.insert(v[m:], column, end)
                return -direct_loglik(y, y, x, cuts, beta, weights)

            found = minimize(negative, start, method="BFGS", options={"gtol": 1e-6})
            assert 2 * (fit.loglik + found.fun) == pytest.approx(CHI2_95, abs=1e-6)


def test_profile_interval_follows_its_level():
    _, y, x = cohort60()
    fit = ordinal.fit(y, y, x)
    narrow, wide = (ordinal.profile_interval(fit, 1, level) for level in (0.8, 0.99))
    assert wide[0] < narrow[0] < fit.beta[1] < narrow[1] < wide[1]


def test_profile_interval_excludes_zero_exactly_when_the_test_rejects():
    _, y, x = cohort60()
    fit = ordinal.fit(y, y, x)
    for column in range(3):
        p = ordinal.likelihood_ratio(fit, column)[1]
        at_p = ordinal.profile_interval(fit, column, level=1 - p)
        assert min(abs(at_p[0]), abs(at_p[1])) == pytest.approx(0.0, abs=1e-7)


def test_interval_outcomes_against_r():
    meta, frames = load("O05_interval_small")
    d = frames["d"]
    x = d[["krenning_pre"]].to_numpy()
    fit = ordinal.fit(d["post_lo"], d["post_hi"], x)
    expected = answer(meta, "fit")
    assert fit.converged
    assert_matches(parameters(fit), expected["coef"], meta)
    assert_matches(fit.standard_errors, expected["se"], meta)
    assert_matches(fit.loglik, expected["loglik"], meta)
    exact = (d["post_lo"] == d["post_hi"]).to_numpy()
    points = d.loc[exact, "post_lo"]
    assert_matches(
        parameters(ordinal.fit(points, points, x[exact])), answer(meta, "exact_only_clm"), meta
    )


def test_leave_one_out_against_r():
    meta, frames = load("V01_influence")
    d = frames["d"]
    y = d["krenning_post"].to_numpy()
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"])])
    actual = [
        ordinal.fit(np.delete(y, i), np.delete(y, i), np.delete(x, i, axis=0)).beta
        for i in range(len(y))
    ]
    assert_matches(actual, answer(meta, "loo_coef"), meta)


def complete_separation():
    meta, frames = load("O04_complete_separation")
    d = frames["d"]
    return meta, d["krenning_post"].to_numpy(), np.log2(d[["mib1"]].to_numpy())


def test_complete_separation_is_found_with_its_direction():
    meta, y, x = complete_separation()
    assert ordinal.separated(y, y, x).tolist() == [True]
    found = ordinal.recession(y, y, x)
    assert found.downward.tolist() == [True]
    assert found.upward.tolist() == [False]
    assert found.complete
    assert_matches(ordinal.null_loglik(y, y), answer(meta, "loglik_null"), meta, rtol=1e-9)


def test_complete_separation_keeps_a_likelihood_ratio_and_one_bound():
    meta, y, x = complete_separation()
    fit = ordinal.fit(y, y, x)
    assert not fit.converged
    assert np.isnan(fit.covariance).all()
    assert fit.loglik == pytest.approx(0.0, abs=1e-9)
    assert fit.threshold_labels == ("1|2", "2|4")
    assert fit.collapsed == (3,)
    statistic, p = ordinal.likelihood_ratio(fit, 0)
    assert_matches(statistic, -2 * answer(meta, "loglik_null"), meta, rtol=1e-9)
    assert p == pytest.approx(chi2.sf(statistic, 1), rel=1e-9)

    low, high = ordinal.profile_interval(fit, 0)
    assert low == -np.inf

    def negative(v):
        return -direct_loglik(y, y, x, {1: v[0], 2: v[1], 3: v[1]}, np.array([high]))

    centre = high * np.log2([30.0, 12.0])
    found = minimize(negative, centre, method="Nelder-Mead", options={"fatol": 1e-12})
    assert 2 * found.fun == pytest.approx(CHI2_95, abs=1e-6)


def test_quasi_complete_separation_names_only_the_receding_column():
    y = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
    group = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1.0])
    noise = np.array([1, 2, 4, 1, 3, 2, 3, 1, 4, 2.0])
    x = np.column_stack([noise, group])
    found = ordinal.recession(y, y, x)
    assert found.upward.tolist() == [False, True]
    assert found.downward.tolist() == [False, False]
    assert not found.complete
    fit = ordinal.fit(y, y, x)
    assert not fit.converged
    low, high = ordinal.profile_interval(fit, 1)
    assert np.isfinite(low)
    assert high == np.inf
    # With the receding group at its limit, its members are explained and drop out.
    rest = ordinal.fit(y[group == 0], y[group == 0], noise[group == 0, None])
    assert fit.loglik == pytest.approx(rest.loglik, abs=1e-9)
    np.testing.assert_allclose(
        ordinal.profile_interval(fit, 0), ordinal.profile_interval(rest, 0), atol=1e-6
    )


def test_the_finite_bound_of_a_receding_coefficient_is_found_from_afar():
    low, high = np.array([2, 0, 2, 2, 2, 1]), np.array([3, 0, 3, 2, 3, 1])
    x = np.array([[-2, 0], [3, 1], [2, 1], [0, 0], [-1, 1], [1, 0.0]])
    fit = ordinal.fit(low, high, x)
    bound, infinite = ordinal.profile_interval(fit, 1)
    assert infinite == np.inf

    def negative(v):
        if v[1] <= v[0]:
            return np.inf
        cuts = {0: v[0], 1: v[1], 2: np.inf}
        return -direct_loglik(low, high, x, cuts, np.array([v[2], bound]))

    found = minimize(negative, [0, 1, 0], method="Nelder-Mead", options={"fatol": 1e-12})
    assert 2 * (fit.loglik + found.fun) == pytest.approx(CHI2_95, abs=1e-6)


@properties
@given(cohorts(columns=(1, 1)))
def test_separation_by_one_predictor_is_an_order_relation(data):
    """One coefficient rises for ever iff surely lower scores never have a larger predictor."""
    low, high, x = data
    assume(informative(low, high) and not ordinal.fit(low, high, x).aliased)
    surely_below = high[:, None] < low[None, :]
    rising = bool(np.all(~surely_below | (x <= x.T)))
    falling = bool(np.all(~surely_below | (x >= x.T)))
    found = ordinal.recession(low, high, x)
    assert found.upward.tolist() == [rising]
    assert found.downward.tolist() == [falling]


@properties
@given(cohorts(columns=(1, 3), n=(4, 14)))
def test_a_maximum_is_attained_exactly_when_nothing_recedes(data):
    low, high, x = data
    assume(informative(low, high))
    fit = ordinal.fit(low, high, x)
    assert fit.converged != ordinal.separated(low, high, x).any()
    for column in range(x.shape[1]):
        ends = ordinal.profile_interval(fit, column)
        found = ordinal.recession(low, high, x)
        if column not in fit.aliased:
            assert np.isinf(ends).tolist() == [found.downward[column], found.upward[column]]


@properties
@given(cohorts(columns=(0, 2)), st.integers(0, 2**32 - 1))
def test_the_maximum_is_the_direct_likelihoods_and_no_neighbour_is_higher(data, seed):
    low, high, x = data
    fit = fitted(low, high, x)
    bottom, top = low.min(), high.max()
    cuts = cuts_of(fit, bottom, top)
    assert direct_loglik(low, high, x, cuts, fit.beta) == pytest.approx(fit.loglik, abs=1e-8)
    assert (np.diff(fit.thresholds) > 0).all()
    rng = np.random.default_rng(seed)
    for size in (1e-4, 1e-2, 0.5):
        moved = np.sort(np.array(list(cuts.values())) + size * rng.normal(size=len(cuts)))
        beta = fit.beta + size * rng.normal(size=x.shape[1])
        near = direct_loglik(low, high, x, dict(zip(cuts, moved, strict=True)), beta)
        assert near <= fit.loglik + 1e-9


@properties
@given(cohorts())
def test_the_covariance_inverts_the_curvature_of_the_direct_likelihood(data):
    low, high, x = data
    fit = fitted(low, high, x)
    assume(not fit.collapsed and fit.condition_number < 1e3)
    scores = [int(label.split("|")[0]) for label in fit.threshold_labels]
    m, at, h = len(scores), parameters(fit), 1e-4

    def loglik(v):
        return direct_loglik(low, high, x, dict(zip(scores, v[:m], strict=True)), v[m:])

    unit = h * np.eye(len(at))
    curvature = [
        [
            (loglik(at + a + b) - loglik(at + a - b) - loglik(at - a + b) + loglik(at - a - b))
            / (4 * h * h)
            for b in unit
        ]
        for a in unit
    ]
    np.testing.assert_allclose(-np.array(curvature) @ fit.covariance, np.eye(len(at)), atol=1e-3)


@properties
@given(cohorts(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(data, random):
    low, high, x = data
    fit = fitted(low, high, x)
    order = list(range(len(low)))
    random.shuffle(order)
    assert_same_fit(ordinal.fit(low[order], high[order], x[order]), fit)


@properties
@given(cohorts())
def test_reversing_the_scale_reverses_signs(data):
    low, high, x = data
    fit = fitted(low, high, x)
    turned = ordinal.fit(3 - high, 3 - low, x)
    np.testing.assert_allclose(turned.beta, -fit.beta, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(turned.thresholds, -fit.thresholds[::-1], rtol=1e-6, atol=1e-7)
    assert turned.loglik == pytest.approx(fit.loglik, abs=1e-9)
    assert turned.collapsed == tuple(sorted(3 - score for score in fit.collapsed))


@properties
@given(cohorts(intervals=False), st.integers(-5, 5))
def test_only_the_order_of_point_scores_matters(data, shift):
    """A category never seen is the same as a category that does not exist."""
    low, _, x = data
    fit = fitted(low, low, x)
    ranks = np.unique(low, return_inverse=True)[1]
    spread = np.array([0, 2, 3, 7])[low] + shift
    for scores in (ranks, spread):
        other = ordinal.fit(scores, scores, x)
        np.testing.assert_allclose(parameters(other), parameters(fit), rtol=1e-7, atol=1e-8)
        assert other.loglik == pytest.approx(fit.loglik, abs=1e-9)
    seen = set(spread.tolist())
    assert set(other.collapsed) == set(range(min(seen), max(seen) + 1)) - seen


@properties
@given(cohorts(), st.data())
def test_weights_equal_repetition(data, draw):
    low, high, x = data
    counts = draw.draw(st.lists(st.integers(0, 3), min_size=len(low), max_size=len(low)))
    repeated = np.repeat(np.arange(len(low)), counts)
    assume(len(repeated) > 0)
    fit = fitted(low[repeated], high[repeated], x[repeated])
    assert_same_fit(ordinal.fit(low, high, x, counts), fit)


@properties
@given(cohorts(), st.sampled_from([1e-6, 0.25, 3.0, 1e5]), st.floats(-100, 100))
def test_units_and_origin_of_a_predictor_do_not_matter(data, factor, origin):
    low, high, x = data
    fit = fitted(low, high, x)
    moved = x.copy()
    moved[:, 0] = (x[:, 0] + origin) * factor
    other = ordinal.fit(low, high, moved)
    assert other.converged
    np.testing.assert_allclose(other.beta[0] * factor, fit.beta[0], rtol=1e-5, atol=1e-6)
    assert other.loglik == pytest.approx(fit.loglik, abs=1e-9)
    np.testing.assert_allclose(
        np.array(ordinal.profile_interval(other, 0)) * factor,
        ordinal.profile_interval(fit, 0),
        rtol=1e-5,
        atol=1e-6,
    )


@properties
@given(cohorts())
def test_an_outcome_that_may_be_anything_changes_nothing(data):
    low, high, x = data
    fit = fitted(low, high, x)
    more = ordinal.fit(
        np.append(low, low.min()), np.append(high, high.max()), np.vstack([x, 1e3 * x[:1] + 7])
    )
    np.testing.assert_allclose(parameters(more), parameters(fit), rtol=1e-7, atol=1e-8)


def test_an_empty_middle_category_is_collapsed_and_named():
    _, frames = load("T03_cohort30_empty_middle")
    d = frames["d"]
    y = d["krenning_post"].to_numpy()
    fit = ordinal.fit(y, y, d[["krenning_pre"]].to_numpy())
    assert fit.threshold_labels == ("0|1", "1|3", "3|4")
    assert fit.categories == ((0, 0), (1, 1), (3, 3), (4, 4))
    assert fit.collapsed == (2,)


def test_scores_never_told_apart_are_one_category():
    low = np.array([0, 1, 3, 0, 3, 1])
    high = np.array([0, 1, 4, 1, 4, 1])
    fit = ordinal.fit(low, high, np.empty((6, 0)))
    assert fit.categories == ((0, 0), (1, 1), (3, 4))
    assert fit.threshold_labels == ("0|1", "1|3")
    assert fit.collapsed == (2, 3, 4)


@pytest.mark.parametrize("weights", [(5, 5, 1, 1), (3, 2, 2, 1), (1, 1, 5, 5), (2, 6, 5, 4)])
def test_a_category_held_only_by_intervals_may_empty_at_the_maximum(weights):
    """Scores 0, 2, 0-1, 1-2: the shares that maximise a multinomial with partial classification."""
    low, high = np.array([0, 2, 0, 1]), np.array([0, 2, 1, 2])
    fit = ordinal.fit(low, high, np.empty((4, 0)), weights)
    a, b, c, d = weights

    def negative(first, last):
        middle = 1 - first - last
        terms = (first, last, first + middle, last + middle)
        return -np.dot(weights, np.log(terms)) if middle >= 0 else np.inf

    steps = np.arange(1, 400) / 400
    best = min(negative(first, last) for first in steps for last in steps if first + last <= 1)
    assert fit.converged
    assert -fit.loglik <= best + 1e-12
    assert -fit.loglik == pytest.approx(best, abs=2e-3)
    # Karush-Kuhn-Tucker at an empty middle, where the shares are (a + c)/n and (b + d)/n.
    assert fit.collapsed == ((1,) if c / (a + c) + d / (b + d) <= 1 else ())


def test_a_category_emptied_on_the_way_is_refilled_at_the_maximum():
    low, high = np.array([0, 2, 0, 3, 2, 1]), np.array([1, 3, 1, 3, 3, 2])
    x = np.array([[2], [3], [3], [1], [-1], [3.0]])
    fit = ordinal.fit(low, high, x)
    assert fit.converged
    assert fit.categories == ((1, 1), (2, 2), (3, 3))

    def negative(v):
        if v[1] < v[0]:
            return np.inf
        return -direct_loglik(low, high, x, {0: -np.inf, 1: v[0], 2: v[1]}, v[2:])

    options = {"fatol": 1e-12, "xatol": 1e-8, "maxiter": 4000}
    found = minimize(negative, [0, 0.5, 0], method="Nelder-Mead", options=options)
    assert fit.loglik == pytest.approx(-found.fun, abs=1e-8)


def test_scores_that_share_every_category_have_no_threshold():
    with pytest.raises(ValueError, match="No threshold can be estimated"):
        ordinal.fit([2, 2, 2], [2, 2, 2], np.zeros((3, 1)))
    with pytest.raises(ValueError, match="No threshold can be estimated"):
        ordinal.fit([0, 1], [3, 2], np.zeros((2, 1)))


def test_aliased_columns_are_named_and_left_out():
    _, y, x = cohort60()
    wide = np.column_stack([np.full(60, 3.0), x[:, 0], 2 * x[:, 0] - 5, x[:, 1], x[:, 0] + x[:, 1]])
    assert ordinal.aliased(wide) == (0, 2, 4)
    fit = ordinal.fit(y, y, wide)
    plain = ordinal.fit(y, y, x[:, :2])
    assert fit.converged
    assert fit.aliased == (0, 2, 4)
    np.testing.assert_allclose(fit.beta[[1, 3]], plain.beta, rtol=1e-9)
    assert np.isnan(fit.beta[[0, 2, 4]]).all()
    shown = [0, 1, 2, 3, 5, 7]
    np.testing.assert_allclose(fit.covariance[np.ix_(shown, shown)], plain.covariance, rtol=1e-8)
    assert np.isnan(fit.covariance[4]).all()
    assert ordinal.profile_interval(fit, 2) == (-np.inf, np.inf)
    assert ordinal.likelihood_ratio(fit, 2) == (0.0, 1.0)
    assert not ordinal.separated(y, y, wide).any()


def test_a_distant_origin_or_a_large_unit_is_not_aliasing():
    days = 738_000 + np.arange(20.0)
    assert ordinal.aliased(np.column_stack([days, days**2, np.full(20, 738_000.3)])) == (2,)
    assert ordinal.aliased(np.empty((5, 0))) == ()
    assert ordinal.aliased([[1.0, 2.0]]) == (0, 1)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ([], [], 0.0),
        ([2, 2, 2], [2, 2, 2], 0.0),
        ([0, 0, 1, 1], [0, 0, 1, 1], 4 - 16 / 16),
        (range(10), range(10), 10 - 10 / 100),
        ([0, 1, 1], [0, 1, 3], 7 / 3 - (1 + 1 + 1 / 27) / (7 / 3) ** 2),
        ([0, 0], [1, 1], 0.0),
        ([0, 1, 0, 0], [0, 1, 1, 1], 2 - 2 / 4),
    ],
)
def test_effective_n(low, high, expected):
    assert ordinal.effective_n(list(low), list(high)) == pytest.approx(expected)


def test_effective_n_of_the_reference_cohort():
    _, y, _ = cohort60()
    counts = pd.Series(y).value_counts()
    assert ordinal.effective_n(y, y) == pytest.approx(60 - (counts**3).sum() / 3600)


@pytest.mark.parametrize(
    ("low", "high", "x", "weights", "sentence"),
    [
        ([0, 1.5], [0, 2], [[0], [1]], None, "`low` must be integers"),
        ([0, 1], [0, np.nan], [[0], [1]], None, "`high` must be integers"),
        (["a", "b"], [0, 1], [[0], [1]], None, "`low` must be integers"),
        ([[0, 1]], [0, 1], [[0], [1]], None, "one-dimensional"),
        ([0, 1], [0, 1, 2], [[0], [1]], None, "same length"),
        ([1, 1], [0, 1], [[0], [1]], None, "above its `high`"),
        ([0, 1], [0, 1], [0, 1], None, "two-dimensional"),
        ([0, 1], [0, 1], [[0], [np.inf]], None, "finite"),
        ([0, 1], [0, 1], [["a"], ["b"]], None, "numbers"),
        ([0, 1], [0, 1], [[0]], None, "one row of predictors"),
        ([0, 1], [0, 1], [[0], [1]], [1], "one weight"),
        ([0, 1], [0, 1], [[0], [1]], [1, -1], "not negative"),
        ([0, 1], [0, 1], [[0], [1]], [0, 0], "no outcomes of positive weight"),
        ([], [], np.empty((0, 1)), None, "no outcomes"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(low, high, x, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        ordinal.fit(low, high, x, weights)


@pytest.mark.parametrize("column", [-1, 3])
def test_a_column_that_does_not_exist_is_refused(column):
    _, y, x = cohort60()
    fit = ordinal.fit(y, y, x)
    with pytest.raises(ValueError, match="There is no column"):
        ordinal.profile_interval(fit, column)
    with pytest.raises(ValueError, match="There is no column"):
        ordinal.likelihood_ratio(fit, column)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_a_level_outside_zero_and_one_is_refused(level):
    _, y, x = cohort60()
    with pytest.raises(ValueError, match="confidence level"):
        ordinal.profile_interval(ordinal.fit(y, y, x), 0, level)


def test_importing_the_module_stays_light():
    """Start-up time counts in every rule: no heavy part of scipy, no pandas."""
    code = (
        "import sys, captem.ordinal;"
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
