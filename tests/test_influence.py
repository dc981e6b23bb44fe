"""Leave-one-out, least squares with HC3, and diagnostics: against R, statsmodels and refits."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from captem import firth, influence, ordinal
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from statsmodels.stats.outliers_influence import OLSInfluence

properties = settings(max_examples=60, deadline=None, derandomize=True)


def suv(case):
    meta, frames = load(case)
    d = frames["d"]
    y = np.log2(d["suvmax_post"] / d["suvmax_pre"]).to_numpy()
    return meta, y, np.column_stack([np.log2(d["mib1"]), d["cycles"]])


@st.composite
def samples(draw):
    n, p = draw(st.integers(6, 20)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(size=(n, p)) if draw(st.booleans()) else rng.integers(0, 4, (n, p)) * 1.0
    assume(not ordinal.aliased(x))
    return rng.normal(size=n), x


def test_hc3_against_r():
    meta, y, x = suv("L01_suv_hc3")
    fit = influence.ols(y, x)
    r2 = answer(meta, "r2")
    assert (fit.df, fit.leverage_one, fit.perfect, fit.aliased) == (r2["df"], (), False, ())
    assert_matches(fit.sigma, r2["sigma"], meta)
    assert_matches(fit.coefficients, answer(meta, "coef"), meta)
    assert_matches(np.sqrt(np.diag(fit.covariance)), answer(meta, "se_classic"), meta)
    assert_matches(fit.standard_errors_hc3, answer(meta, "se_hc3"), meta)
    assert_matches(fit.covariance_hc3, answer(meta, "vcov_hc3"), meta)
    assert_matches(fit.leverage, answer(meta, "hatvalues"), meta)
    every = range(3)
    assert_matches([influence.hc3_interval(fit, j) for j in every], answer(meta, "ci_hc3_t"), meta)
    assert_matches([influence.hc3_test(fit, j)[1] for j in every], answer(meta, "p_hc3_t"), meta)


def test_diagnostics_against_r():
    meta, y, x = suv("V01_influence")
    fit = influence.ols(y, x)
    assert_matches(fit.leverage, answer(meta, "lm_hat"), meta)
    assert_matches(fit.rstudent, answer(meta, "lm_rstudent"), meta)
    assert_matches(fit.cooks_distance, answer(meta, "lm_cooks"), meta)
    assert_matches(fit.dfbetas, answer(meta, "lm_dfbetas"), meta)


def test_leave_one_out_of_a_fit_that_knows_only_rows_against_r():
    meta, frames = load("V01_influence")
    d = frames["d"]
    y = d["krenning_post"].to_numpy()
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"])])
    found = influence.leave_one_out(
        influence.by_rows(lambda rows: ordinal.fit(y[rows], y[rows], x[rows]).beta), len(y)
    )
    expected = answer(meta, "loo_coef").to_numpy()
    assert_matches(found.estimates, expected, meta)
    assert_matches(found.low, expected.min(axis=0), meta)
    assert_matches(found.high, expected.max(axis=0), meta)
    assert found.low_without.tolist() == expected.argmin(axis=0).tolist()
    assert found.high_without.tolist() == expected.argmax(axis=0).tolist()
    assert found.not_finite.tolist() == [0, 0]


def test_leave_one_out_of_a_batch_is_that_of_the_single_fits():
    _, frames = load("F01_endometrial")
    d = frames["d"]
    y, x = d["HG"].to_numpy(), d[["NV", "PI", "EH"]].to_numpy(dtype=float)
    batch = influence.leave_one_out(lambda w: firth.fit_many(y, x, w).coefficients, len(y))
    rows = influence.by_rows(lambda chosen: firth.fit(y[chosen], x[chosen]).coefficients)
    single = influence.leave_one_out(rows, len(y))
    np.testing.assert_allclose(batch.estimates, single.estimates, rtol=1e-7, atol=1e-8)


def test_estimates_that_fail_do_not_enter_the_range_and_are_counted():
    table = np.array([[1.0, np.nan], [np.inf, np.nan], [3.0, np.nan], [-2.0, np.nan]])
    found = influence.leave_one_out(lambda w: table, 4)
    assert found.low.tolist()[0] == -2.0
    assert found.high.tolist()[0] == 3.0
    assert np.isnan([found.low[1], found.high[1]]).all()
    assert found.low_without.tolist() == [3, -1]
    assert found.high_without.tolist() == [2, -1]
    assert found.not_finite.tolist() == [1, 4]


@properties
@given(samples())
def test_least_squares_against_statsmodels(data):
    y, x = data
    fit = influence.ols(y, x)
    other = sm.OLS(y, sm.add_constant(x, has_constant="add")).fit()
    close = {"rtol": 1e-6, "atol": 1e-8}
    np.testing.assert_allclose(fit.coefficients, other.params, **close)
    np.testing.assert_allclose(fit.covariance, other.cov_params(), **close)
    assume(not fit.leverage_one and fit.leverage.max() < 0.999)
    robust = other.get_robustcov_results("HC3", use_t=True)
    np.testing.assert_allclose(fit.covariance_hc3, robust.cov_params(), **close)
    every = range(len(fit.coefficients))
    intervals = [influence.hc3_interval(fit, j, 0.9) for j in every]
    np.testing.assert_allclose(intervals, robust.conf_int(alpha=0.1), **close)
    tests = np.array([influence.hc3_test(fit, j) for j in every])
    np.testing.assert_allclose(tests.T, [robust.tvalues, robust.pvalues], **close)
    peer = OLSInfluence(other)
    np.testing.assert_allclose(fit.rstudent, peer.resid_studentized_external, **close)
    np.testing.assert_allclose(fit.cooks_distance, peer.cooks_distance[0], **close)
    np.testing.assert_allclose(fit.dfbetas, peer.dfbetas, **close)


@properties
@given(samples())
def test_the_coefficients_without_a_row_are_those_of_a_refit(data):
    y, x = data
    fit = influence.ols(y, x)
    for row in range(len(y)):
        if row in fit.leverage_one:
            assert np.isnan(fit.without[row]).all()
            continue
        refit = influence.ols(np.delete(y, row), np.delete(x, row, axis=0))
        np.testing.assert_allclose(fit.without[row], refit.coefficients, rtol=1e-6, atol=1e-7)


def test_a_leverage_of_one_refuses_hc3_where_statsmodels_gives_noise():
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=12), np.arange(12) == 4])
    y = rng.normal(size=12)
    fit = influence.ols(y, x)
    assert fit.leverage_one == (4,)
    assert np.isnan(fit.covariance_hc3).all()
    assert np.isnan(influence.hc3_interval(fit, 1)).all()
    assert np.isnan(influence.hc3_test(fit, 1)).all()
    assert np.isfinite(fit.coefficients).all()
    assert np.isfinite(fit.covariance).all()
    assert np.isnan([fit.rstudent[4], fit.cooks_distance[4]]).all()
    assert np.isfinite(np.delete(fit.rstudent, 4)).all()
    assert np.isfinite(np.delete(fit.dfbetas, 4, axis=0)).all()
    # A leverage that is merely high is no reason.
    near = x.copy()
    near[5, 1] = 1e-3
    assert np.isfinite(influence.ols(y, near).standard_errors_hc3).all()


def test_no_residual_degrees_of_freedom():
    fit = influence.ols([1.0, 2.0, 4.0], [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    assert fit.df == 0
    assert np.isnan(fit.covariance).all()
    assert np.isnan(fit.covariance_hc3).all()
    assert np.isnan(fit.sigma)
    one = influence.ols([2.0], np.empty((1, 0)))
    assert one.coefficients.tolist() == [2.0]
    assert np.isnan(one.standard_errors_hc3).all()


@pytest.mark.parametrize("y", [np.zeros(8), np.full(8, 0.1), 0.3 + 0.1 * np.arange(8.0)])
def test_residuals_of_rounding_give_no_standard_error(y):
    fit = influence.ols(y, np.arange(8.0)[:, None])
    assert fit.perfect
    assert np.isnan(fit.covariance_hc3).all()
    assert np.isnan(influence.hc3_test(fit, 1)).all()
    assert np.isnan(fit.rstudent).all()


def test_aliased_columns_are_named_and_left_out():
    _, y, x = suv("L01_suv_hc3")
    wide = np.column_stack([np.full(len(y), 2.0), x[:, 0], 3 * x[:, 0] - 1, x[:, 1]])
    fit, plain = influence.ols(y, wide), influence.ols(y, x)
    assert fit.aliased == (1, 3)
    kept = [0, 2, 4]
    np.testing.assert_allclose(fit.coefficients[kept], plain.coefficients, rtol=1e-9)
    np.testing.assert_allclose(
        fit.covariance_hc3[np.ix_(kept, kept)], plain.covariance_hc3, rtol=1e-8
    )
    assert np.isnan(fit.coefficients[[1, 3]]).all()
    assert np.isnan(influence.hc3_interval(fit, 1)).all()
    assert np.isnan(fit.dfbetas[:, [1, 3]]).all()


@properties
@given(samples(), st.sampled_from([1e-6, -3.0, 1e6]), st.sampled_from([0.0, 738_000.0]))
def test_units_and_origin_of_a_predictor_do_not_matter(data, factor, origin):
    y, x = data
    fit = influence.ols(y, x)
    moved = x.copy()
    moved[:, 0] = (x[:, 0] + origin) * factor
    other = influence.ols(y, moved)
    np.testing.assert_allclose(other.coefficients[1] * factor, fit.coefficients[1], rtol=1e-6)
    np.testing.assert_allclose(other.leverage, fit.leverage, atol=1e-7)
    if not fit.leverage_one and fit.leverage.max() < 0.999:
        error = other.standard_errors_hc3[1] * abs(factor)
        assert error == pytest.approx(fit.standard_errors_hc3[1], rel=1e-5)


def test_the_condition_number_is_that_of_the_cross_products():
    _, y, x = suv("L01_suv_hc3")
    z = np.column_stack([np.ones(len(y)), x])
    assert influence.ols(y, x).condition_number == pytest.approx(np.linalg.cond(z.T @ z))


@pytest.mark.parametrize(
    ("y", "x", "sentence"),
    [
        ([0, np.nan], [[0], [1]], "finite"),
        (["a", "b"], [[0], [1]], "numbers"),
        ([[0, 1]], [[0], [1]], "one-dimensional"),
        ([0, 1], [0, 1], "two-dimensional"),
        ([0, 1], [[0]], "one row of predictors"),
        ([], np.empty((0, 1)), "no outcomes"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(y, x, sentence):
    with pytest.raises(ValueError, match=sentence):
        influence.ols(y, x)


def test_what_does_not_exist_is_refused():
    fit = influence.ols([0.0, 1.0, 3.0], [[0], [1], [2]])
    for column in (-1, 2):
        with pytest.raises(ValueError, match="There is no coefficient"):
            influence.hc3_interval(fit, column)
    with pytest.raises(ValueError, match="confidence level"):
        influence.hc3_interval(fit, 1, 95)
    with pytest.raises(ValueError, match="at least two"):
        influence.leave_one_out(lambda w: w.sum(axis=1), 1)
    with pytest.raises(ValueError, match="one estimate"):
        influence.leave_one_out(lambda w: [1.0], 3)
