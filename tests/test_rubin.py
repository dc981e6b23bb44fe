"""Rubin's rules against R's mice, published limits and repeated sampling."""

from __future__ import annotations

import numpy as np
import pytest
from captem import rubin
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy import stats


def least_squares(y, x):
    """Coefficients and covariance, the intercept first."""
    design = np.column_stack([np.ones(len(y)), x])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    residual = y - design @ beta
    return beta, inverse * (residual @ residual) / (len(y) - design.shape[1])


def nhanes():
    meta, frames = load("I01_nhanes_rubin")
    fits = [
        least_squares(part["chl"].to_numpy(), part[["age", "bmi"]].to_numpy())
        for _, part in frames["imputed"].groupby("imp")
    ]
    betas, covariances = (np.array(member) for member in zip(*fits, strict=True))
    return meta, frames["incomplete"], betas, covariances


def pooled_nhanes():
    meta, _, betas, covariances = nhanes()
    return meta, rubin.pool(betas, np.diagonal(covariances, axis1=1, axis2=2), df_complete=22)


def test_the_fits_of_the_case_against_r():
    meta, incomplete, betas, covariances = nhanes()
    assert_matches(betas, answer(meta, "per_imputation_coef"), meta)
    errors = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    assert_matches(errors, answer(meta, "per_imputation_se"), meta)
    complete = incomplete.dropna()
    found = least_squares(complete["chl"].to_numpy(), complete[["age", "bmi"]].to_numpy())[0]
    assert_matches(found, answer(meta, "complete_case"), meta)


def test_estimates_intervals_and_p_against_r():
    meta, pooled = pooled_nhanes()
    actual = [
        pooled.estimate, pooled.standard_error, pooled.statistic, pooled.df, pooled.p_value,
        pooled.conf_low, pooled.conf_high,
    ]  # fmt: skip
    assert_matches(np.column_stack(actual), answer(meta, "pooled"), meta)
    assert pooled.failed.tolist() == [0, 0, 0]


def test_the_parts_of_the_variance_against_r():
    meta, pooled = pooled_nhanes()
    actual = [
        np.full(3, pooled.imputations), pooled.estimate, pooled.within, pooled.between,
        pooled.total, np.full(3, 22), pooled.df, pooled.riv, pooled.lambda_, pooled.fmi,
    ]  # fmt: skip
    assert_matches(np.column_stack(actual), answer(meta, "pool_table"), meta)


def test_the_test_of_several_coefficients_against_r():
    meta, _, betas, covariances = nhanes()
    test = rubin.wald(betas[:, 1:], covariances[:, 1:, 1:], df_complete=22)
    actual = [test.statistic, test.df1, test.df2, test.p_value, test.riv]
    assert_matches(actual, answer(meta, "D1"), meta)


def test_a_vector_of_one_coefficient_is_its_column():
    _, _, betas, covariances = nhanes()
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    one = rubin.pool(betas[:, 1], variances[:, 1], 22)
    all_of_them = rubin.pool(betas, variances, 22)
    assert one.estimate.shape == ()
    assert float(one.p_value) == all_of_them.p_value[1]
    assert float(one.df) == all_of_them.df[1]


def test_without_limit_of_the_data_the_degrees_of_freedom_are_rubins():
    """Rubin 1987: (m - 1) (1 + 1/r)^2."""
    pooled = rubin.pool([1.0, 2.0, 4.0, 4.5], [1.0, 1.5, 1.2, 0.9], np.inf)
    assert pooled.df == pytest.approx(3 * (1 + 1 / pooled.riv) ** 2, rel=1e-12)
    assert rubin.pool([1.0, 2.0, 4.0, 4.5], [1.0, 1.5, 1.2, 0.9], 1e9).df == pytest.approx(
        pooled.df, rel=1e-6
    )


@pytest.mark.parametrize("df_complete", [10, np.inf])
def test_imputations_that_agree_give_the_fit_itself(df_complete):
    pooled = rubin.pool([2.0] * 3, [0.5] * 3, df_complete)
    assert (pooled.estimate, pooled.total, pooled.between) == (2.0, 0.5, 0.0)
    assert (pooled.riv, pooled.lambda_) == (0.0, 0.0)
    assert pooled.df == (np.inf if np.isinf(df_complete) else 11 / 13 * 10)
    p = 2 * stats.t.sf(2 / np.sqrt(0.5), pooled.df)
    assert pooled.p_value == pytest.approx(p, rel=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 4)), min_size=2, max_size=12),
    st.integers(1, 100),
    st.floats(0.5, 0.99),
)
def test_df_stay_below_those_of_complete_data_and_the_interval_agrees_with_p(rows, df, level):
    estimates, variances = zip(*rows, strict=True)
    pooled = rubin.pool(estimates, variances, df, level)
    assert 0 < pooled.df <= df
    assert pooled.total >= pooled.within
    assert 0 <= pooled.lambda_ <= pooled.fmi + 1e-12
    covers = pooled.conf_low <= 0 <= pooled.conf_high
    if abs(pooled.p_value - (1 - level)) > 1e-9:
        assert covers == (pooled.p_value > 1 - level)


def test_a_failed_fit_is_not_passed_over():
    estimates = [[1.0, 2.0, 3.0], [1.1, np.nan, 3.1], [0.9, 2.2, 2.8]]
    variances = [[1.0, 1.0, np.inf], [1.0, np.nan, 1.0], [1.0, 1.0, 1.0]]
    pooled = rubin.pool(estimates, variances, 20)
    assert pooled.failed.tolist() == [0, 1, 1]
    assert np.isfinite([pooled.estimate[0], pooled.p_value[0]]).all()
    for part in ("estimate", "total", "df", "p_value", "conf_low", "fmi"):
        assert np.isnan(getattr(pooled, part)[1:]).all()


def test_the_interval_covers_the_mean_of_a_sample_imputed_by_its_own_model():
    """Rubin's rules are exact in the end for proper imputation of a normal sample, 15 of 40."""
    rng = np.random.default_rng(8)
    n, kept, m, studies = 40, 25, 20, 4000
    y = rng.normal(3, 2, (studies, kept))
    spread = y.var(axis=1, ddof=1)
    sigma2 = (kept - 1) * spread[:, None] / rng.chisquare(kept - 1, (studies, m))
    mu = y.mean(axis=1)[:, None] + np.sqrt(sigma2 / kept) * rng.normal(size=(studies, m))
    drawn = mu[..., None] + np.sqrt(sigma2)[..., None] * rng.normal(size=(studies, m, n - kept))
    whole = np.concatenate([np.broadcast_to(y[:, None], (studies, m, kept)), drawn], axis=2)
    pooled = rubin.pool(whole.mean(axis=2).T, whole.var(axis=2, ddof=1).T / n, n - 1)
    covered = np.mean((pooled.conf_low <= 3) & (pooled.conf_high >= 3))
    assert covered == pytest.approx(0.95, abs=0.012)
    assert pooled.lambda_.mean() == pytest.approx((n - kept) / n, abs=0.04)


def test_one_coefficient_as_a_pooled_wald_test_is_nearly_that_by_t():
    rng = np.random.default_rng(3)
    estimates, variances = rng.normal(1.0, 0.3, 50), rng.uniform(0.2, 0.3, 50)
    test = rubin.wald(estimates[:, None], variances[:, None, None], 100)
    pooled = rubin.pool(estimates, variances, 100)
    assert test.statistic == pytest.approx(float(pooled.statistic) ** 2, rel=1e-12)
    assert test.p_value == pytest.approx(float(pooled.p_value), rel=0.02)


def test_the_pooled_wald_test_with_unlimited_data_is_that_of_1991():
    rng = np.random.default_rng(4)
    estimates, covariances = rng.normal(size=(6, 3)), np.stack([np.eye(3)] * 6)
    unlimited = rubin.wald(estimates, covariances, np.inf)
    assert rubin.wald(estimates, covariances, 1e9).df2 == pytest.approx(unlimited.df2, rel=1e-6)
    agreed = rubin.wald(np.ones((6, 3)), covariances, np.inf)
    assert agreed.df2 == np.inf
    assert agreed.p_value == pytest.approx(stats.chi2.sf(3, 3), rel=1e-12)


def test_the_pooled_wald_test_is_the_same_in_other_coordinates():
    _, _, betas, covariances = nhanes()
    turn = np.array([[2.0, 1.0], [-1.0, 3.0]])
    plain = rubin.wald(betas[:, 1:], covariances[:, 1:, 1:], 22)
    turned = rubin.wald(betas[:, 1:] @ turn.T, turn @ covariances[:, 1:, 1:] @ turn.T, 22)
    assert turned.p_value == pytest.approx(plain.p_value, rel=1e-9)


def test_few_patients_and_much_missing_leave_no_degrees_of_freedom():
    estimates = np.random.default_rng(5).normal(0, 5, (5, 2))
    test = rubin.wald(estimates, np.stack([np.eye(2)] * 5), 10)
    assert np.isnan([test.df2, test.p_value]).all()


@pytest.mark.parametrize(
    ("estimates", "variances", "df", "level", "sentence"),
    [
        ([1.0], [1.0], 10, 0.95, "at least 2"),
        ([1.0, 2.0], [1.0], 10, 0.95, "same shape"),
        (1.0, 1.0, 10, 0.95, "same shape"),
        ([1.0, 2.0], [1.0, 0.0], 10, 0.95, "positive"),
        ([1.0, 2.0], [1.0, -1.0], 10, 0.95, "positive"),
        ([1.0, 2.0], [1.0, 1.0], 0, 0.95, "degrees of freedom"),
        ([1.0, 2.0], [1.0, 1.0], np.nan, 0.95, "degrees of freedom"),
        ([1.0, 2.0], [1.0, 1.0], 10, 95, "confidence level"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(estimates, variances, df, level, sentence):
    with pytest.raises(ValueError, match=sentence):
        rubin.pool(estimates, variances, df, level)


@pytest.mark.parametrize(
    ("estimates", "covariances", "df", "sentence"),
    [
        (np.ones((2, 2)), np.stack([np.eye(2)] * 2), 10, "too few"),
        (np.ones((5, 2)), np.ones((5, 2)), 10, "k by k"),
        (np.ones((5, 2)), np.stack([np.eye(2)] * 5), 0, "degrees of freedom"),
        (np.full((5, 2), np.nan), np.stack([np.eye(2)] * 5), 10, "finite"),
        (np.ones((5, 2)), np.zeros((5, 2, 2)), 10, "positive definite"),
    ],
)
def test_a_wald_test_of_malformed_input_is_refused(estimates, covariances, df, sentence):
    with pytest.raises(ValueError, match=sentence):
        rubin.wald(estimates, covariances, df)
