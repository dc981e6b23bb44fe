"""Estimating equations with robust covariances against R, statsmodels, and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from captem import cluster_robust, clustered
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.linalg import cholesky
from scipy.stats import t as student

properties = settings(max_examples=30, deadline=None, derandomize=True)
FAMILIES = ("gaussian", "binomial")
WORKING = ("independence", "exchangeable")


def herds():
    meta, frames = load("M03_cbpp_gee")
    d = frames["d"]
    x = np.column_stack([d["period"] == period for period in (2, 3, 4)]).astype(float)
    return meta, d["y"].to_numpy(), x, d["herd"].to_numpy()


def suv():
    meta, frames = load("L01_suv_hc3")
    d = frames["d"]
    y = np.log2(d["suvmax_post"] / d["suvmax_pre"]).to_numpy()
    return meta, y, np.column_stack([np.log2(d["mib1"]), d["cycles"]]), d


def lesions(seed: int, family: str, g: int = 12):
    """Clusters of 1 to 6 rows that share an effect; one column varies within, one between."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(g), rng.integers(1, 7, g))
    x = np.column_stack([rng.normal(size=len(clusters)), rng.normal(size=g)[clusters]])
    eta = 0.2 + x @ [0.5, -0.4] + rng.normal(size=g)[clusters]
    if family == "gaussian":
        return eta + rng.normal(size=len(eta)), x, clusters
    return (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(float), x, clusters


def by_definition(y, x, clusters, family, beta, alpha, kind):
    """Pustejovsky and Tipton's formulas with full matrices, Cholesky roots and the full hat matrix.

    Returns the covariance and the degrees of freedom of each coefficient.
    """
    n = len(y)
    design = np.column_stack([np.ones(n), x])
    eta = design @ beta
    mu = eta if family == "gaussian" else 1 / (1 + np.exp(-eta))
    v = np.ones(n) if family == "gaussian" else mu * (1 - mu)
    same = clusters[:, None] == clusters
    correlation = np.where(np.eye(n) == 1, 1.0, np.where(same, alpha, 0.0))
    target = np.sqrt(v)[:, None] * correlation * np.sqrt(v)
    weight = np.linalg.inv(target)
    d = v[:, None] * design
    model = np.linalg.inv(d.T @ weight @ d)
    annihilator = np.eye(n) - d @ model @ d.T @ weight
    adjustment = np.zeros((n, n))
    for label in np.unique(clusters):
        rows = np.flatnonzero(clusters == label)
        block = np.ix_(rows, rows)
        if kind == "CR0":
            adjustment[block] = np.eye(len(rows))
        elif kind == "CR3":
            adjustment[block] = np.linalg.inv(annihilator[block])
        else:
            root = cholesky(target[block])
            inner = root @ (annihilator[rows] @ target @ annihilator[rows].T) @ root.T
            values, vectors = np.linalg.eigh(inner)
            adjustment[block] = root.T @ (vectors / np.sqrt(values)) @ vectors.T @ root
    residuals = y - mu
    together = adjustment @ np.where(same, np.outer(residuals, residuals), 0.0) @ adjustment.T
    covariance = model @ d.T @ weight @ together @ weight @ d @ model
    degrees = []
    for c in np.eye(design.shape[1]):
        columns = [
            annihilator[clusters == label].T
            @ adjustment[np.ix_(clusters == label, clusters == label)].T
            @ weight[np.ix_(clusters == label, clusters == label)]
            @ d[clusters == label]
            @ model
            @ c
            for label in np.unique(clusters)
        ]
        p = np.array(columns) @ target @ np.array(columns).T
        degrees.append(np.trace(p) ** 2 / np.sum(p**2))
    return covariance, np.array(degrees)


def test_independence_against_r():
    meta, y, x, herd = herds()
    fit = clustered.fit(y, x, herd, "binomial")
    assert fit.converged and fit.n_clusters == answer(meta, "n_clusters")
    assert fit.max_abs_score < 1e-8
    assert_matches(fit.beta, answer(meta, "indep_coef"), meta)
    assert_matches(fit.cr0.standard_errors, answer(meta, "indep_robust_se"), meta)
    assert_matches(np.sqrt(np.diag(fit.naive_covariance)), answer(meta, "indep_naive_se"), meta)
    assert_matches(fit.cr3.standard_errors, answer(meta, "mancl_derouen_CR3_se"), meta)
    expected = answer(meta, "clubsandwich_CR2")
    tests = [clustered.t_test(fit, j) for j in range(4)]
    assert_matches(np.column_stack([fit.beta, fit.cr2.standard_errors, tests]), expected, meta)
    np.testing.assert_allclose(fit.cr2.support, 1.0)


def test_exchangeable_against_r():
    meta, y, x, herd = herds()
    fit = clustered.fit(y, x, herd, "binomial", "exchangeable")
    assert fit.converged and fit.working == "exchangeable"
    assert_matches(fit.beta, answer(meta, "gee_exch_coef"), meta)
    assert_matches(fit.cr0.standard_errors, answer(meta, "gee_exch_robust_se"), meta)
    assert_matches(fit.alpha, answer(meta, "gee_exch_alpha"), meta)
    assert_matches(fit.scale, answer(meta, "gee_exch_scale"), meta)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("working", WORKING)
@pytest.mark.parametrize("seed", range(4))
def test_against_statsmodels(family, working, seed):
    y, x, clusters = lesions(seed, family)
    fit = clustered.fit(y, x, clusters, family, working)
    families = {"gaussian": sm.families.Gaussian(), "binomial": sm.families.Binomial()}
    structures = {
        "independence": sm.cov_struct.Independence(),
        "exchangeable": sm.cov_struct.Exchangeable(),
    }
    model = sm.GEE(
        y, sm.add_constant(x), clusters, family=families[family], cov_struct=structures[working]
    )
    robust = model.fit(maxiter=500, ctol=1e-12, params_niter=1)
    corrected = model.fit(maxiter=500, ctol=1e-12, cov_type="bias_reduced")
    assert fit.converged and fit.working == working
    np.testing.assert_allclose(fit.beta, robust.params, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fit.cr0.standard_errors, robust.bse, rtol=1e-6)
    np.testing.assert_allclose(fit.cr3.standard_errors, corrected.bse, rtol=1e-6)
    if working == "exchangeable":
        assert fit.alpha == pytest.approx(model.cov_struct.dep_params, rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("working", WORKING)
@pytest.mark.parametrize("seed", range(5, 8))
def test_covariances_and_degrees_of_freedom_by_definition(family, working, seed):
    y, x, clusters = lesions(seed, family)
    fit = clustered.fit(y, x, clusters, family, working)
    assert fit.converged and fit.working == working
    for kind, found in (("CR0", fit.cr0), ("CR2", fit.cr2), ("CR3", fit.cr3)):
        covariance, df = by_definition(y, x, clusters, family, fit.beta, fit.alpha, kind)
        np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(found.df, df, rtol=1e-6)
    # Expected under the working model: CR2 is right, CR0 too small, CR3 too large.
    np.testing.assert_allclose(fit.cr2.support, 1.0)
    assert (fit.cr0.support < 1.0).all() and (fit.cr3.support > 1.0).all()


def test_one_row_a_cluster_is_hc2_and_hc3_against_r():
    meta, y, x, d = suv()
    fit = clustered.fit(y, x, np.arange(len(y)))
    assert fit.singletons == 40 and fit.largest_share == 1 / 40
    assert_matches(fit.beta, answer(meta, "coef"), meta)
    assert_matches(fit.cr2.standard_errors, answer(meta, "se_hc2"), meta)
    assert_matches(fit.cr3.covariance, answer(meta, "vcov_hc3"), meta)
    assert_matches(np.sqrt(np.diag(fit.naive_covariance)), answer(meta, "se_classic"), meta)
    followup = np.log2(d["suvmax_post"]).to_numpy()
    with_baseline = np.column_stack([np.log2(d["suvmax_pre"]), x])
    ancova = clustered.fit(followup, with_baseline, np.arange(len(y)))
    assert_matches(ancova.beta, answer(meta, "cr2_check_ancova"), meta)


def test_one_row_a_cluster_has_bell_and_mccaffreys_degrees_of_freedom():
    """With A = diag((c'M x_i)^2 / (1 - h_ii)) and B = I - H, df = tr(AB)^2 / tr(ABAB)."""
    _, y, x, _ = suv()
    fit = clustered.fit(y, x, np.arange(len(y)))
    design = np.column_stack([np.ones(len(y)), x])
    model = np.linalg.inv(design.T @ design)
    hat = design @ model @ design.T
    for j in range(3):
        weights = np.diag((design @ model[j]) ** 2 / (1 - np.diag(hat)))
        product = weights @ (np.eye(len(y)) - hat)
        expected = np.trace(product) ** 2 / np.trace(product @ product)
        assert fit.cr2.df[j] == pytest.approx(expected)


def test_two_samples_of_single_rows_are_welchs_test():
    """HC2 for a difference of means is Welch's standard error; Bell-McCaffrey's df in closed form.

    With variances s^2/n in groups of a and b, equal under the working model, df is
    (1/a + 1/b)^2 / (1 / (a^2 (a - 1)) + 1 / (b^2 (b - 1))).
    """
    rng = np.random.default_rng(0)
    a, b = 5, 9
    y = rng.normal(size=a + b) * 2
    x = np.repeat([0.0, 1.0], [a, b])[:, None]
    fit = clustered.fit(y, x, np.arange(a + b))
    welch = np.sqrt(y[:a].var(ddof=1) / a + y[a:].var(ddof=1) / b)
    assert fit.cr2.standard_errors[1] == pytest.approx(welch)
    below = 1 / (a**2 * (a - 1)) + 1 / (b**2 * (b - 1))
    assert fit.cr2.df[1] == pytest.approx((1 / a + 1 / b) ** 2 / below)


def test_a_balanced_intercept_is_a_t_test_of_cluster_means():
    rng = np.random.default_rng(5)
    y = rng.normal(size=(7, 4)) + 2 * rng.normal(size=(7, 1))
    for working in WORKING:
        clusters = np.repeat(np.arange(7), 4)
        fit = clustered.fit(y.ravel(), np.empty((28, 0)), clusters, working=working)
        means = y.mean(axis=1)
        se = means.std(ddof=1) / np.sqrt(7)
        assert fit.cr2.standard_errors[0] == pytest.approx(se)
        assert fit.cr2.df[0] == pytest.approx(6.0)
        np.testing.assert_allclose(
            clustered.interval(fit, 0, 0.9), student.interval(0.9, 6, means.mean(), se)
        )
        assert clustered.t_test(fit, 0)[2] == pytest.approx(
            2 * student.sf(abs(means.mean() / se), 6)
        )


def test_other_covariances_can_be_tested_too():
    _, y, x, herd = herds()
    fit = clustered.fit(y, x, herd, "binomial")
    narrow, wide = (clustered.interval(fit, 1, robust=found) for found in (fit.cr0, fit.cr3))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    statistic, df, _ = clustered.t_test(fit, 1, fit.cr3)
    assert statistic == pytest.approx(fit.beta[1] / fit.cr3.standard_errors[1])
    assert df == fit.cr3.df[1]


def test_separation_is_found_and_nothing_is_estimated():
    x = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    fit = clustered.fit([0, 0, 0, 1, 1, 1], x, [1, 1, 2, 2, 3, 3], "binomial", "exchangeable")
    assert fit.separated == (1,) and not fit.converged
    assert np.isnan(fit.beta).all() and np.isnan(fit.cr2.covariance).all()
    equal = clustered.fit([1] * 6, x, [1, 1, 2, 2, 3, 3], "binomial")
    assert equal.separated == (0,) and not equal.converged


def test_a_cluster_that_alone_decides_a_coefficient_is_named():
    """Only patient c has the site: its residuals there cannot vary, the standard error is noise."""
    y = np.array([1.0, 2.0, 4.0, 3.0, 5.0, 9.0, 2.0, 2.5])
    clusters = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
    x = (clusters == "c")[:, None].astype(float)
    fit = clustered.fit(y, x, clusters)
    assert fit.full_leverage == ("c",)
    assert fit.cr2.support[0] == pytest.approx(1.0)
    assert fit.cr2.support[1] < 0.9
    assert np.isnan(fit.cr3.covariance).all()
    assert clustered.fit(y, x, [1, 2, 3, 4, 1, 2, 3, 4]).full_leverage == ()


def test_one_cluster_supports_nothing():
    fit = clustered.fit([1.0, 2.0, 4.0], np.empty((3, 0)), [7, 7, 7])
    assert fit.n_clusters == 1 and fit.largest_share == 1.0 and fit.full_leverage == (7,)
    assert fit.cr2.support[0] == pytest.approx(0.0, abs=1e-12)


def test_flags_of_sizes():
    fit = clustered.fit([1.0, 2, 4, 3, 7], np.empty((5, 0)), ["b", "a", "b", "b", "c"])
    assert fit.cluster_labels.tolist() == ["a", "b", "c"]
    assert fit.cluster_sizes.tolist() == [1, 3, 1]
    assert (fit.n_clusters, fit.singletons, fit.largest_share) == (3, 2, 0.6)


def test_a_correlation_that_no_cluster_can_have_falls_back_to_independence():
    y = np.array([0.0, 10, 0, 10, 0, 10, 0, 10, 1, 9])
    clusters = np.repeat(np.arange(5), 2)
    fit = clustered.fit(y, np.empty((10, 0)), clusters, working="exchangeable")
    assert fit.alpha < -1.0 and fit.working == "independence" and fit.converged
    plain = clustered.fit(y, np.empty((10, 0)), clusters)
    np.testing.assert_allclose(fit.cr2.covariance, plain.cr2.covariance)


def test_equations_that_chase_their_correlation_are_still_solved():
    """Plain alternation never settles here, neither ours nor that of statsmodels."""
    y, x, clusters = lesions(160, "binomial", g=5)
    fit = clustered.fit(y, x, clusters, "binomial", "exchangeable")
    assert fit.converged and fit.working == "exchangeable" and fit.max_abs_score < 1e-8
    mu = 1 / (1 + np.exp(-fit.beta[0] - x @ fit.beta[1:]))
    r = (y - mu) / np.sqrt(mu * (1 - mu))
    same = np.triu(clusters[:, None] == clusters, 1)
    phi = r @ r / (len(y) - 3)
    assert fit.alpha == pytest.approx(np.sum(np.outer(r, r)[same]) / phi / (same.sum() - 3))


def test_equations_that_are_not_solved_give_no_numbers(monkeypatch):
    _, y, x, herd = herds()
    monkeypatch.setattr(clustered, "_MAX_ITERATIONS", 8)
    assert clustered.fit(y, x, herd, "binomial").converged
    fit = clustered.fit(y, x, herd, "binomial", "exchangeable")
    assert not fit.converged and not fit.separated and fit.iterations == 8
    assert np.isnan(fit.beta).all() and np.isnan(fit.cr2.covariance).all()


def test_no_pairs_leave_no_correlation():
    fit = clustered.fit([1.0, 2, 4, 3], np.empty((4, 0)), [1, 2, 3, 4], working="exchangeable")
    assert np.isnan(fit.alpha) and fit.working == "independence" and fit.converged


@pytest.mark.parametrize(
    "y",
    [
        [0.1] * 4,
        [0.0] * 4,
        [1.0, 2.0, 4.0, 5.0],
        [1e6 + 0.1, 1e6 + 0.2, 1e6 + 0.4, 1e6 + 0.5],
        [1e8, 2e8, 4e8, 5e8],
    ],
)
@pytest.mark.parametrize("working", WORKING)
def test_an_exact_fit_has_no_standard_error(y, working):
    fit = clustered.fit(y, [[1.0], [2.0], [4.0], [5.0]], [1, 1, 2, 2], working=working)
    assert fit.degenerate and not fit.converged
    assert np.isnan(fit.cr2.covariance).all()


def test_aliased_columns_are_left_out():
    y, x, clusters = lesions(3, "binomial")
    fit = clustered.fit(y, np.column_stack([x[:, 0], -x[:, 0], x[:, 1]]), clusters, "binomial")
    plain = clustered.fit(y, x, clusters, "binomial")
    assert fit.aliased == (1,)
    assert np.isnan([fit.beta[2], fit.cr2.df[2], fit.cr2.standard_errors[2]]).all()
    np.testing.assert_allclose(fit.beta[[0, 1, 3]], plain.beta)
    np.testing.assert_allclose(fit.cr2.standard_errors[[0, 1, 3]], plain.cr2.standard_errors)
    np.testing.assert_allclose(fit.cr3.df[[0, 1, 3]], plain.cr3.df)


def estimates(fit) -> np.ndarray:
    parts = [fit.beta, [fit.alpha, fit.scale]]
    for robust in (fit.cr0, fit.cr2, fit.cr3):
        parts += [robust.covariance.ravel(), robust.df, robust.support]
    return np.concatenate(parts)


@properties
@given(st.integers(0, 10_000), st.sampled_from(FAMILIES), st.sampled_from(WORKING))
def test_order_of_rows_and_names_of_clusters_change_nothing(seed, family, working):
    y, x, clusters = lesions(seed, family)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    names = rng.permutation([f"patient {i}" for i in range(12)])
    plain = clustered.fit(y, x, clusters, family, working)
    other = clustered.fit(y[order], x[order], names[clusters[order]], family, working)
    np.testing.assert_allclose(estimates(other), estimates(plain), rtol=1e-6, atol=1e-8)


@properties
@given(st.integers(0, 10_000), st.sampled_from(FAMILIES), st.sampled_from(WORKING))
def test_units_change_only_units(seed, family, working):
    y, x, clusters = lesions(seed, family)
    plain = clustered.fit(y, x, clusters, family, working)
    factor, shift = (1e3, 1e6) if family == "gaussian" else (1.0, 0.0)
    scaled = x * [1e3, 1e-3] + [0.0, 2e3]
    other = clustered.fit(factor * y + shift, scaled, clusters, family, working)
    assert other.converged == plain.converged
    np.testing.assert_allclose(other.beta[1:] * [1e3, 1e-3], factor * plain.beta[1:], rtol=1e-6)
    for ours, theirs in ((other.cr2, plain.cr2), (other.cr3, plain.cr3)):
        np.testing.assert_allclose(
            ours.standard_errors[1:] * [1e3, 1e-3], factor * theirs.standard_errors[1:], rtol=1e-6
        )
        np.testing.assert_allclose(ours.df[1:], theirs.df[1:], rtol=1e-6)


@properties
@given(st.integers(0, 10_000), st.sampled_from(FAMILIES))
def test_every_cluster_twice_halves_the_plain_covariance(seed, family):
    y, x, clusters = lesions(seed, family)
    once = clustered.fit(y, x, clusters, family)
    twice = clustered.fit(np.tile(y, 2), np.tile(x, (2, 1)), np.r_[clusters, clusters + 50], family)
    np.testing.assert_allclose(twice.beta, once.beta, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(twice.cr0.covariance, once.cr0.covariance / 2, rtol=1e-6, atol=1e-12)
    if once.converged:
        # With twice the clusters all three come closer together, and have more freedom.
        assert (twice.cr2.df > once.cr2.df).all()
        gap = np.log(once.cr3.standard_errors / once.cr0.standard_errors)
        assert (np.log(twice.cr3.standard_errors / twice.cr0.standard_errors) < gap).all()


@properties
@given(st.integers(0, 10_000), st.sampled_from(WORKING))
def test_the_other_answer_flips_the_signs(seed, working):
    y, x, clusters = lesions(seed, "binomial")
    plain = clustered.fit(y, x, clusters, "binomial", working)
    other = clustered.fit(1 - y, x, clusters, "binomial", working)
    np.testing.assert_allclose(other.beta, -plain.beta, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(other.cr2.covariance, plain.cr2.covariance, rtol=1e-6, atol=1e-9)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(0, 10_000), st.integers(1, 8), st.sampled_from(FAMILIES), st.sampled_from(WORKING)
)
def test_small_cohorts_never_raise_and_never_give_numbers_without_converging(
    seed, g, family, working
):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(g), rng.integers(1, 5, g))
    x = rng.integers(0, 3, (len(clusters), 2)).astype(float)
    y = rng.integers(0, 2, len(clusters)).astype(float)
    try:
        with np.errstate(all="raise", under="ignore"):
            fit = clustered.fit(y, x, clusters, family, working)
    except ValueError as error:
        assert "coefficients" in str(error)
        return
    known = np.delete(fit.cr2.standard_errors, [1 + j for j in fit.aliased])
    assert fit.converged == np.isfinite(known).all()
    assert not (fit.converged and fit.separated)
    # The only other reason not to converge would be an equation without a solution.
    assert fit.converged or fit.separated or fit.degenerate or working == "exchangeable"
    if fit.converged:
        assert fit.max_abs_score < 1e-6
        short = np.delete(fit.cr2.support, [1 + j for j in fit.aliased]) < 1 - 1e-6
        assert not short.any() or fit.full_leverage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [[1.0], [2.0]], [1, 2]), "2 rows for 2 coefficients"),
        (([1.0, 2.0, 0.0], np.empty((3, 0)), [1, 1, 2], "binomial"), "0 or 1"),
        (([1.0, 2.0, 0.0], np.empty((3, 0)), [1, 1, 2], "poisson"), "no family"),
        (([1.0, 2.0, 0.0], np.empty((3, 0)), [1, 1, 2], "gaussian", "ar1"), "no working"),
        (([1.0, np.nan, 0.0], np.empty((3, 0)), [1, 1, 2]), "finite"),
        (([1.0, 2.0, 0.0], np.empty((3, 0)), [1, 1]), "one group label"),
    ],
)
def test_malformed_input_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        clustered.fit(*arguments)


def test_an_unknown_coefficient_is_an_error():
    fit = clustered.fit([1.0, 2.0, 0.0], np.empty((3, 0)), [1, 1, 2])
    with pytest.raises(ValueError, match="no coefficient 1"):
        clustered.t_test(fit, 1)


def test_the_working_model_makes_cr2_unbiased():
    """Mean over many outcomes drawn under independence; the expectation is exact, the mean not."""
    y, x, clusters = lesions(2, "gaussian")
    design = np.column_stack([np.ones(len(y)), x])
    model = np.linalg.inv(design.T @ design)
    annihilator = np.eye(len(y)) - design @ model @ design.T
    rng = np.random.default_rng(1)
    total = np.zeros((3, 3))
    for _ in range(400):
        residuals = annihilator @ rng.normal(size=len(y))
        parts = [
            cluster_robust.Cluster(design[clusters == c], np.eye(k), residuals[clusters == c])
            for c, k in enumerate(np.bincount(clusters))
        ]
        total += cluster_robust.sandwiches(parts, np.eye(3)).cr2.covariance
    np.testing.assert_allclose(np.diag(total) / 400, np.diag(model), rtol=0.15)
