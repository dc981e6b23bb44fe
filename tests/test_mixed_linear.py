"""The random-intercept model against lme4, full matrices, and its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from captem import mixed_linear
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.optimize import minimize

properties = settings(max_examples=40, deadline=None, derandomize=True)
ON_THE_BOUNDARY = 9


def sleepstudy():
    meta, frames = load("M02_sleepstudy")
    d = frames["d"]
    return meta, d["Reaction"].to_numpy(), d[["Days"]].to_numpy(), d["Subject"].to_numpy()


def unbalanced(seed: int, g: int = 9, tau: float = 1.0):
    """A column at the level of rows and one at the level of groups; groups of 1 to 6 rows."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, g)
    groups = np.repeat(np.arange(g), sizes)
    x = np.column_stack([rng.normal(size=len(groups)), rng.gamma(2.0, 5.0, g)[groups]])
    y = 3.0 + x @ [0.7, -0.1] + tau * rng.normal(size=g)[groups] + rng.normal(size=len(groups))
    return y, x, groups


def full_matrices(y, x, groups, tau2, sigma2):
    """Likelihood, Kenward-Roger and Satterthwaite as the papers write them, with n x n matrices.

    The general l x p contrast form of the degrees of freedom, in tau2 and sigma2 themselves.
    """
    n = len(y)
    design = np.column_stack([np.ones(n), x])
    q = design.shape[1]
    z = (groups[:, None] == np.unique(groups)).astype(float)
    parts = [z @ z.T, np.eye(n)]
    v = tau2 * parts[0] + sigma2 * parts[1]
    vi = np.linalg.inv(v)
    information = design.T @ vi @ design
    phi = np.linalg.inv(information)
    projection = vi - vi @ design @ phi @ design.T @ vi
    loglik = -0.5 * (
        np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(information)[1]
        + y @ projection @ y
        + (n - q) * np.log(2 * np.pi)
    )
    p = [-design.T @ vi @ g @ vi @ design for g in parts]
    expected, observed = np.empty((2, 2)), np.empty((2, 2))
    for r in range(2):
        for s in range(2):
            expected[r, s] = 0.5 * np.trace(projection @ parts[r] @ projection @ parts[s])
            quadratic = y @ projection @ parts[r] @ projection @ parts[s] @ projection @ y
            observed[r, s] = quadratic - expected[r, s]
    w = np.linalg.inv(expected)
    total = np.zeros((q, q))
    for r in range(2):
        for s in range(2):
            q_rs = design.T @ vi @ parts[r] @ vi @ parts[s] @ vi @ design
            total += w[r, s] * (q_rs - p[r] @ phi @ p[s])
    adjusted = phi + 2 * phi @ total @ phi

    degrees, satterthwaite = [], []
    for c in np.eye(q):
        contrast = c[:, None]
        rows = 1
        theta = contrast @ np.linalg.inv(contrast.T @ phi @ contrast) @ contrast.T
        a1 = a2 = 0.0
        for r in range(2):
            for s in range(2):
                first, second = theta @ phi @ p[r] @ phi, theta @ phi @ p[s] @ phi
                a1 += w[r, s] * np.trace(first) * np.trace(second)
                a2 += w[r, s] * np.trace(first @ second)
        b = (a1 + 6 * a2) / (2 * rows)
        g = ((rows + 1) * a1 - (rows + 4) * a2) / ((rows + 2) * a2)
        below = 3 * rows + 2 * (1 - g)
        c1, c2, c3 = g / below, (rows - g) / below, (rows + 2 - g) / below
        mean = 1 / (1 - a2 / rows)
        variance = 2 / rows * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
        rho = variance / (2 * mean**2)
        df = 4 + (rows + 2) / (rows * rho - 1)
        assert df / (mean * (df - 2)) == pytest.approx(1.0)
        degrees.append(df)
        change = np.array([-c @ phi @ p[r] @ phi @ c for r in range(2)])
        satterthwaite.append(2 * (c @ phi @ c) ** 2 / (change @ np.linalg.inv(observed) @ change))
    return loglik, phi, adjusted, degrees, satterthwaite


def test_sleepstudy_against_r():
    meta, y, x, groups = sleepstudy()
    fit = mixed_linear.fit(y, x, groups)
    assert fit.converged and fit.identified and fit.local_maxima == 1
    assert not (fit.boundary or fit.degenerate)
    assert fit.max_abs_gradient < 1e-8
    assert_matches(fit.beta, answer(meta, "fixef"), meta)
    assert_matches(fit.standard_errors, answer(meta, "se"), meta)
    assert_matches(np.sqrt([fit.group_variance, fit.residual_variance]), answer(meta, "vc"), meta)
    assert_matches(fit.reml_criterion, answer(meta, "reml_crit"), meta)
    assert_matches(fit.ml_loglik, answer(meta, "ml_loglik"), meta)
    assert_matches(fit.ml_beta, answer(meta, "ml_fixef"), meta)
    assert_matches(
        np.sqrt([fit.ml_group_variance, fit.ml_residual_variance]), answer(meta, "ml_vc"), meta
    )
    assert_matches(fit.icc, answer(meta, "icc"), meta)
    # Their optimiser stops at 1e-10 in the ratio of standard deviations.
    assert_matches(fit.random_intercepts, answer(meta, "ranef"), meta)


@pytest.mark.parametrize(
    ("method", "check"),
    [("kenward_roger", "kenward_roger"), ("satterthwaite", "satterthwaite")],
)
def test_tests_of_sleepstudy_against_r(method, check):
    meta, y, x, groups = sleepstudy()
    fit = mixed_linear.fit(y, x, groups)
    expected = answer(meta, check)
    se = fit.kenward_roger_se if method == "kenward_roger" else fit.standard_errors
    assert_matches(se, expected["Std. Error"], meta)
    actual = [mixed_linear.t_test(fit, j, method) for j in range(2)]
    assert_matches(np.array(actual)[:, 1], expected["df"], meta)
    assert_matches(np.array(actual)[:, 0], expected["t value"], meta)
    assert_matches(np.array(actual)[:, 2], expected["Pr(>|t|)"], meta)


@pytest.mark.parametrize("seed", [seed for seed in range(25) if seed != ON_THE_BOUNDARY])
def test_unbalanced_data_against_full_matrices(seed):
    y, x, groups = unbalanced(seed)
    fit = mixed_linear.fit(y, x, groups)
    assert not fit.boundary
    loglik, phi, adjusted, degrees, satterthwaite = full_matrices(
        y, x, groups, fit.group_variance, fit.residual_variance
    )
    assert fit.reml_criterion == pytest.approx(-2 * loglik, rel=1e-10)
    np.testing.assert_allclose(fit.covariance, phi, rtol=1e-8)
    np.testing.assert_allclose(fit.kenward_roger_covariance, adjusted, rtol=1e-8)
    np.testing.assert_allclose(fit.kenward_roger_df, degrees, rtol=1e-6)
    np.testing.assert_allclose(fit.satterthwaite_df, satterthwaite, rtol=1e-6)
    assert (fit.kenward_roger_se >= fit.standard_errors).all()


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_no_other_variances_have_a_higher_restricted_likelihood(seed):
    y, x, groups = unbalanced(seed)
    fit = mixed_linear.fit(y, x, groups)

    def negative(v):
        return -full_matrices(y, x, groups, *np.exp(v))[0]

    starts = ([-3.0, 0.0], [1.0, 0.0], [0.0, 0.0])
    best = min(minimize(negative, s, method="Nelder-Mead").fun for s in starts)
    assert fit.reml_criterion / 2 == pytest.approx(best, abs=1e-5)
    assert fit.reml_criterion / 2 <= best + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_against_statsmodels(seed):
    y, x, groups = unbalanced(seed, g=20)
    fit = mixed_linear.fit(y, x, groups)
    model = sm.MixedLM(y, sm.add_constant(x), groups)
    reml = model.fit(reml=True, gtol=1e-10)
    np.testing.assert_allclose(fit.beta, reml.fe_params, rtol=1e-4)
    assert fit.group_variance == pytest.approx(float(np.asarray(reml.cov_re)[0, 0]), rel=1e-3)
    assert fit.residual_variance == pytest.approx(reml.scale, rel=1e-3)
    assert fit.ml_loglik == pytest.approx(model.fit(reml=False).llf, abs=1e-5)


def test_balanced_group_effects_are_a_t_test_of_group_means():
    """With a balanced design and a column of groups, Kenward-Roger is exact: g - 2 df."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(8), 3)
    treated = (np.arange(8) < 4).astype(float)
    y = 2.0 * rng.normal(size=8)[groups] + rng.normal(size=24)
    fit = mixed_linear.fit(y, treated[groups, None], groups)
    means = y.reshape(8, 3).mean(axis=1)
    ols = sm.OLS(means, sm.add_constant(treated)).fit()
    t, df, p = mixed_linear.t_test(fit, 1)
    assert df == pytest.approx(6.0)
    assert t == pytest.approx(ols.tvalues[1])
    assert p == pytest.approx(ols.pvalues[1])
    np.testing.assert_allclose(mixed_linear.interval(fit, 1), ols.conf_int()[1])


def test_balanced_variances_are_those_of_the_analysis_of_variance():
    rng = np.random.default_rng(8)
    y = 1.5 * rng.normal(size=6)[:, None] + rng.normal(size=(6, 4))
    fit = mixed_linear.fit(y.ravel(), np.empty((24, 0)), np.repeat(np.arange(6), 4))
    within = y.var(axis=1, ddof=1).mean()
    assert fit.residual_variance == pytest.approx(within)
    assert fit.group_variance == pytest.approx(y.mean(axis=1).var(ddof=1) - within / 4)
    assert fit.within_df == 18 and fit.between_df == 5


def test_a_zero_variance_is_flagged_and_is_least_squares():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(6), 3)
    # The same three values in every group: the group means vary less than chance.
    y = np.tile([1.0, 2.0, 4.0], 6)
    x = rng.normal(size=(18, 1))
    fit = mixed_linear.fit(y, x, groups)
    ols = sm.OLS(y, sm.add_constant(x)).fit()
    assert fit.boundary and fit.converged and fit.identified
    assert fit.group_variance == 0.0 and fit.icc == 0.0
    assert (fit.random_intercepts == 0.0).all()
    np.testing.assert_allclose(fit.beta, ols.params)
    np.testing.assert_allclose(fit.kenward_roger_covariance, ols.cov_params())
    assert mixed_linear.t_test(fit, 1)[1] == 16.0
    assert mixed_linear.random_intercept_test(fit) == (0.0, 1.0)
    assert fit.ml_loglik == pytest.approx(ols.llf)


def test_the_highest_of_several_maxima_is_found():
    """A restricted likelihood falling at 0 with a maximum inside, against a fine grid."""
    seen = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        sizes = rng.permutation([1, 1, 1, 2, 20, 1])
        groups = np.repeat(np.arange(6), sizes)
        y = rng.standard_t(1.5, size=6)[groups] + rng.normal(size=len(groups))
        fit = mixed_linear.fit(y, np.empty((len(y), 0)), groups)
        if fit.local_maxima < 2:
            continue
        seen += 1
        for ratio in np.logspace(-4, 4, 60):
            sigma2 = fit.residual_variance
            other = full_matrices(y, np.empty((len(y), 0)), groups, ratio * sigma2, sigma2)[0]
            assert fit.reml_criterion <= -2 * other + 1e-9
        if seen == 3:
            break
    assert seen > 0


def test_the_likelihood_ratio_is_half_chi_squared():
    y, x, groups = unbalanced(3)
    fit = mixed_linear.fit(y, x, groups)
    from scipy.stats import chi2

    statistic, p = mixed_linear.random_intercept_test(fit)
    null = full_matrices(y, x, groups, 0.0, sm.OLS(y, sm.add_constant(x)).fit().scale)[0]
    assert statistic == pytest.approx(-2 * null - fit.reml_criterion)
    assert p == pytest.approx(chi2.sf(statistic, 1) / 2)


def test_one_row_a_group_cannot_split_the_variance_and_is_least_squares():
    meta, frames = load("L01_suv_hc3")
    d = frames["d"]
    y = np.log2(d["suvmax_post"] / d["suvmax_pre"]).to_numpy()
    x = np.column_stack([np.log2(d["mib1"]), d["cycles"]])
    fit = mixed_linear.fit(y, x, np.arange(len(y)))
    assert not fit.identified and fit.converged and not fit.boundary
    assert np.isnan(fit.group_variance) and np.isnan(fit.icc)
    assert_matches(fit.beta, answer(meta, "coef"), meta)
    assert_matches(fit.kenward_roger_se, answer(meta, "se_classic"), meta)
    assert (fit.kenward_roger_df == 37).all()
    assert np.isnan(mixed_linear.random_intercept_test(fit)).all()


@pytest.mark.parametrize(
    ("x", "groups"),
    [
        (np.empty((6, 0)), [1, 1, 1, 1, 1, 1]),
        ([[0.0]] * 3 + [[1.0]] * 3, [1, 1, 1, 2, 2, 2]),
        ([[0.0], [1.0], [0.3], [0.9], [0.1], [0.5]], [1, 1, 2, 3, 4, 5]),
    ],
    ids=["one group", "as many group columns as groups", "nothing left within"],
)
def test_variances_that_cannot_be_told_apart_give_no_standard_error(x, groups):
    y = [1.0, 2.0, 2.5, 4.0, 3.0, 6.0]
    fit = mixed_linear.fit(y, x, groups)
    assert not fit.identified and not fit.converged and not fit.degenerate
    assert np.isfinite(fit.beta).all()
    assert np.isnan(fit.kenward_roger_covariance).all()
    assert np.isnan(mixed_linear.t_test(fit, 0)).any()


@pytest.mark.parametrize(
    "y", [[1, 1, 2, 2, 3, 3], [1.1] * 6, [0.0] * 6, [0.1, 0.1, 0.3, 0.3, 7, 7]]
)
def test_rows_that_do_not_vary_within_groups_are_degenerate(y):
    fit = mixed_linear.fit(y, np.empty((6, 0)), ["a", "a", "b", "b", "c", "c"])
    assert fit.degenerate and not fit.converged
    assert np.isnan(fit.standard_errors).all()


def test_aliased_columns_are_left_out():
    y, x, groups = unbalanced(1)
    fit = mixed_linear.fit(y, np.column_stack([x[:, 0], 2 * x[:, 0] + 1, x[:, 1]]), groups)
    plain = mixed_linear.fit(y, x, groups)
    assert fit.aliased == (1,)
    assert np.isnan(fit.beta[2]) and np.isnan(fit.kenward_roger_df[2])
    np.testing.assert_allclose(fit.beta[[0, 1, 3]], plain.beta)
    np.testing.assert_allclose(fit.kenward_roger_se[[0, 1, 3]], plain.kenward_roger_se)


def estimates(fit) -> np.ndarray:
    return np.concatenate(
        [
            fit.beta,
            fit.kenward_roger_se,
            fit.kenward_roger_df,
            fit.satterthwaite_df,
            [fit.group_variance, fit.residual_variance, fit.reml_criterion, fit.ml_loglik],
        ]
    )


@properties
@given(st.integers(0, 10_000))
def test_order_of_rows_and_names_of_groups_change_nothing(seed):
    y, x, groups = unbalanced(seed)
    plain = mixed_linear.fit(y, x, groups)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    names = rng.permutation([f"patient {i}" for i in range(9)])
    other = mixed_linear.fit(y[order], x[order], names[groups[order]])
    np.testing.assert_allclose(estimates(other), estimates(plain), rtol=1e-6, atol=1e-9)
    again = dict(zip(other.group_labels, other.random_intercepts, strict=True))
    np.testing.assert_allclose(
        [again[names[label]] for label in plain.group_labels],
        plain.random_intercepts,
        rtol=1e-6,
        atol=1e-9,
    )


@properties
@given(
    st.integers(0, 10_000), st.sampled_from([1e-4, 3.0, 1e5]), st.sampled_from([0.0, -50.0, 1e4])
)
def test_units_change_only_units(seed, factor, shift):
    y, x, groups = unbalanced(seed)
    plain = mixed_linear.fit(y, x, groups)
    other = mixed_linear.fit(factor * (y + shift), x * [1e3, 1e-3] + [0.0, 2e3], groups)
    np.testing.assert_allclose(
        other.beta[1:] * [1e3, 1e-3], factor * plain.beta[1:], rtol=1e-5, atol=1e-7 * factor
    )
    assert other.icc == pytest.approx(plain.icc, rel=1e-5, abs=1e-9)
    np.testing.assert_allclose(other.kenward_roger_df[1:], plain.kenward_roger_df[1:], rtol=1e-5)
    np.testing.assert_allclose(
        [mixed_linear.t_test(other, j)[2] for j in (1, 2)],
        [mixed_linear.t_test(plain, j)[2] for j in (1, 2)],
        rtol=1e-5,
    )
    assert mixed_linear.random_intercept_test(other)[1] == pytest.approx(
        mixed_linear.random_intercept_test(plain)[1], rel=1e-5
    )


@properties
@given(st.integers(0, 10_000))
def test_the_same_groups_twice_double_the_likelihood(seed):
    y, x, groups = unbalanced(seed)
    once = mixed_linear.fit(y, x, groups)
    twice = mixed_linear.fit(np.tile(y, 2), np.tile(x, (2, 1)), np.r_[groups, groups + 100])
    np.testing.assert_allclose(twice.ml_beta, once.ml_beta, rtol=1e-6, atol=1e-8)
    assert twice.ml_group_variance == pytest.approx(once.ml_group_variance, rel=1e-6, abs=1e-9)
    assert twice.ml_loglik == pytest.approx(2 * once.ml_loglik)


@properties
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_small_cohorts_never_raise_and_never_give_numbers_without_converging(seed, g):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(g), rng.integers(1, 4, g))
    x = rng.integers(0, 3, (len(groups), 2)).astype(float)
    y = rng.integers(0, 4, len(groups)).astype(float)
    try:
        fit = mixed_linear.fit(y, x, groups)
    except ValueError as error:
        assert "coefficients" in str(error)
        return
    known = np.delete(fit.kenward_roger_se, [1 + j for j in fit.aliased])
    assert fit.converged == np.isfinite(known).all()
    if fit.converged and fit.identified:
        assert 0.0 <= fit.icc < 1.0 and fit.max_abs_gradient < 1e-5


@pytest.mark.parametrize(
    ("y", "x", "groups", "message"),
    [
        ([1.0, 2.0], [[1.0], [2.0]], [1, 2], "2 rows for 2 coefficients"),
        ([1.0, np.nan, 2.0], np.empty((3, 0)), [1, 1, 2], "finite"),
        ([1.0, 2.0, 2.0], np.empty((3, 0)), [1, 1], "one group label"),
        ([1.0, 2.0, 2.0], np.empty((3, 0)), ["a", None, "b"], "missing"),
        ([1.0, 2.0, 2.0], np.empty((3, 0)), [1.0, np.nan, 2.0], "missing"),
        ([1.0, 2.0, 2.0], np.array([[1.0], [np.inf], [2.0]]), [1, 1, 2], "finite"),
        ([1.0, 2.0], np.empty((3, 0)), [1, 1, 2], "one outcome"),
    ],
)
def test_malformed_input_is_an_error(y, x, groups, message):
    with pytest.raises(ValueError, match=message):
        mixed_linear.fit(y, x, groups)


def test_unknown_coefficients_and_methods_are_errors():
    fit = mixed_linear.fit(*unbalanced(0))
    with pytest.raises(ValueError, match="no coefficient 3"):
        mixed_linear.t_test(fit, 3)
    with pytest.raises(ValueError, match="no method"):
        mixed_linear.t_test(fit, 0, "z")
    with pytest.raises(ValueError, match="level"):
        mixed_linear.interval(fit, 0, 1.0)
