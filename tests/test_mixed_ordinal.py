"""The cumulative link mixed model against R, brute-force integration, and under its symmetries."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from captem import mixed_likelihood, mixed_ordinal, mixed_search, ordinal
from reference_cases import answer, assert_matches, load
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

CHI2_95 = chi2.ppf(0.95, 1)


def parameters(fit) -> np.ndarray:
    return np.concatenate([fit.thresholds, fit.beta])


def brute_loglik(low, high, x, groups, cuts, beta, sigma) -> float:
    """The likelihood as `mixed_ordinal` defines it, by a fine trapezoidal rule over u / sigma."""
    v = np.linspace(-9, 9, 4001)
    upper = np.array([cuts.get(int(j), np.inf) for j in high])
    lower = np.array([cuts.get(int(j) - 1, -np.inf) for j in low])
    eta = (x @ beta)[:, None] + sigma * v
    chances = expit(upper[:, None] - eta) - expit(lower[:, None] - eta)
    density = np.exp(-(v**2) / 2) / np.sqrt(2 * np.pi)
    rows = [np.flatnonzero(np.asarray(groups) == group) for group in np.unique(groups)]
    return float(sum(np.log(np.trapezoid(chances[r].prod(axis=0) * density, v)) for r in rows))


def cuts_of(fit) -> dict[int, float]:
    """Threshold above each score, for a fit whose categories are single scores without gaps."""
    return dict(zip([high for _, high in fit.categories[:-1]], fit.thresholds, strict=True))


def cohort(seed, patients=8, lesions=32, sigma=1.0, p=2, intervals=True):
    """Lesions with scores 0..3, unevenly spread over patients; some scores are intervals."""
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(patients), rng.integers(0, patients, lesions - patients)])
    x = rng.normal(size=(lesions, p)).round(2)
    effects = sigma * rng.normal(size=patients)
    latent = x.sum(axis=1) * 0.6 + effects[groups] + rng.logistic(size=lesions)
    low = np.digitize(latent, [-1.2, 0.3, 1.8])
    high = low
    if intervals:
        high = np.minimum(low + rng.choice([0, 1, 2], lesions, p=[0.8, 0.15, 0.05]), 3)
    return low, high, x, groups


def wine():
    meta, frames = load("M01_wine_clmm")
    d = frames["d"]
    x = np.column_stack([d["temp"] == "warm", d["contact"] == "yes"])
    return meta, d["rating"].to_numpy(), x, d["judge"]


@pytest.mark.parametrize(("nodes", "prefix"), [(1, ""), (10, "agq10_")])
def test_wine_against_r(nodes, prefix):
    meta, y, x, judge = wine()
    fit = mixed_ordinal.fit(y, y, x, judge, nodes)
    assert fit.converged
    assert not fit.boundary
    assert fit.nodes == nodes
    assert fit.threshold_labels == ("1|2", "2|3", "3|4", "4|5")
    assert fit.max_abs_gradient < 1e-7
    assert_matches(parameters(fit), answer(meta, prefix + "coef"), meta)
    assert_matches(fit.standard_errors[:-1], answer(meta, prefix + "se"), meta)
    assert_matches(fit.sigma, answer(meta, prefix + "re_sd"), meta)
    assert_matches(fit.loglik, answer(meta, prefix + "loglik"), meta)
    assert_matches(parameters(fit.fixed), answer(meta, "clm_coef"), meta)


def test_tests_and_modes_of_wine_against_r():
    meta, y, x, judge = wine()
    fit = mixed_ordinal.fit(y, y, x, judge, nodes=1)
    expected = answer(meta, "lr_random")
    assert_matches(mixed_ordinal.random_effect_test(fit), expected[["chi2", "p_half"]], meta)
    rows = answer(meta, "lr_drop1")[["LRT", "Pr(>Chi)"]].iloc[1:]
    assert_matches([mixed_ordinal.likelihood_ratio(fit, j) for j in (0, 1)], rows, meta)
    # R's numbers follow the order of the judges' names, here that of their first appearance.
    assert [int(judge) for judge in fit.patients] == list(range(1, 10))
    assert_matches(fit.modes, answer(meta, "condmodes_laplace"), meta)


@pytest.mark.parametrize("seed", [1, 2, 11, 13])
def test_the_maximum_is_that_of_the_integral(seed):
    """Loglik and curvature are those of the trapezoidal rule, and another optimiser ends there."""
    low, high, x, groups = cohort(seed, sigma=(0.8, 1.5, 2.5)[seed % 3], patients=9)
    fit = mixed_ordinal.fit(low, high, x, groups, nodes=30)
    assert fit.converged
    assert not fit.boundary
    scores = list(cuts_of(fit))
    m = len(scores)

    def negative(v):
        if np.any(np.diff(v[:m]) <= 0):
            return 1e6
        cuts = dict(zip(scores, v[:m], strict=True))
        return -brute_loglik(low, high, x, groups, cuts, v[m:-1], np.exp(v[-1]))

    at = np.append(parameters(fit), np.log(fit.sigma))
    assert -negative(at) == pytest.approx(fit.loglik, abs=1e-7)
    found = minimize(negative, at + 0.05, method="BFGS", options={"gtol": 1e-5})
    assert -found.fun <= fit.loglik + 1e-6
    np.testing.assert_allclose(found.x, at, atol=2e-3)
    h = 1e-3 * np.eye(len(at))
    curvature = [
        [
            (
                negative(at + a + b)
                - negative(at + a - b)
                - negative(at - a + b)
                + negative(at - a - b)
            )
            / 4e-6
            for b in h
        ]
        for a in h
    ]
    np.testing.assert_allclose(np.array(curvature) @ fit.covariance, np.eye(len(at)), atol=1e-3)


@pytest.mark.parametrize("nodes", [1, 2, 10])
@pytest.mark.parametrize("sigma", [0.0, 0.7, -1.5, 6.0])
def test_the_gradient_is_that_of_the_rule_itself(nodes, sigma):
    low, high, x, groups = cohort(3)
    panel = mixed_ordinal.fit(low, high, x, groups)._panel.with_nodes(nodes)
    at = np.array([-1.0, 0.2, 1.5, 0.4, -0.3, sigma])
    slopes = [
        (panel.at(at + move).loglik - panel.at(at - move).loglik) / 2e-5
        for move in 1e-5 * np.eye(len(at))
    ]
    np.testing.assert_allclose(panel.at(at).gradient, slopes, atol=1e-7)


@pytest.mark.parametrize("sigma", [0.5, 3.0, 30.0])
def test_modes_are_where_the_slope_vanishes_however_large_sigma_is(sigma):
    low, high, x, groups = cohort(4, patients=5)
    panel = mixed_ordinal.fit(low, high, x, groups)._panel
    at = np.array([-1.0, 0.2, 1.5, 0.4, -0.3, sigma])
    modes = panel.at(at).modes
    ends = panel.likelihood.design @ at[:-1] + panel.side * sigma * modes[panel.owner]
    pull = np.bincount(panel.owner, panel.side * expit(-ends))
    np.testing.assert_allclose(sigma * pull, modes, atol=1e-9)


def test_more_nodes_are_taken_where_ten_are_too_few():
    low, high, x, groups = cohort(7, patients=12, lesions=60, sigma=6.0, intervals=False)
    fit = mixed_ordinal.fit(low, high, x, groups)
    assert fit.converged
    assert fit.sigma > 3
    assert fit.nodes > 10
    assert fit.quadrature_error <= mixed_search.QUADRATURE_GOAL
    exact = brute_loglik(low, high, x, groups, cuts_of(fit), fit.beta, fit.sigma)
    assert fit.loglik == pytest.approx(exact, abs=2e-4)
    assert mixed_ordinal.fit(low, high, x, groups, nodes=1).nodes == 1


def no_spread():
    """Every patient has the same lesions, so patients differ less than by chance."""
    low = np.tile([0, 1, 2, 3, 1, 2, 0, 3], 6)
    x = np.tile([0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.5], 6)[:, None]
    return low, x, np.repeat(np.arange(6), 8)


def test_without_differences_between_patients_it_is_the_fixed_effects_fit():
    low, x, groups = no_spread()
    fit = mixed_ordinal.fit(low, low, x, groups)
    plain = ordinal.fit(low, low, x)
    assert fit.boundary
    assert fit.converged
    assert fit.identified
    assert fit.sigma == 0.0
    assert fit.loglik == plain.loglik
    np.testing.assert_array_equal(parameters(fit), parameters(plain))
    np.testing.assert_allclose(fit.covariance[:-1, :-1], plain.covariance, rtol=1e-12)
    assert np.isnan(fit.covariance[-1]).all()
    assert (fit.modes == 0.0).all()
    assert mixed_ordinal.random_effect_test(fit) == (0.0, 1.0)
    assert mixed_ordinal.likelihood_ratio(fit, 0) == pytest.approx(
        ordinal.likelihood_ratio(plain, 0)
    )
    np.testing.assert_allclose(
        mixed_ordinal.profile_interval(fit, 0), ordinal.profile_interval(plain, 0), rtol=1e-6
    )


def test_a_maximum_at_zero_is_left_for_a_higher_one_far_away():
    low, groups = np.array([1, 3, 2, 3, 1, 0, 1]), [0, 1, 0, 0, 0, 2, 0]
    x = np.empty((7, 0))
    fit = mixed_ordinal.fit(low, low, x, groups)
    at_zero = np.append(fit.fixed.thresholds, 0.0)
    assert (np.linalg.eigvalsh(fit._panel.information(at_zero)) > 0.0).all()
    assert fit.converged
    assert fit.sigma > 3.0
    exact = [
        brute_loglik(low, low, x, groups, cuts_of(found), np.empty(0), sigma)
        for found, sigma in ((fit, fit.sigma), (fit.fixed, 0.0))
    ]
    assert exact[0] > exact[1] + 0.02


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_names_of_patients_and_order_of_rows_do_not_matter(seed):
    low, high, x, groups = cohort(seed)
    fit = mixed_ordinal.fit(low, high, x, groups)
    order = np.random.default_rng(seed).permutation(len(low))
    names = np.array(["b", "a", "ü", "10", "9", "", "Z", "x y"])
    other = mixed_ordinal.fit(low[order], high[order], x[order], names[groups[order]])
    np.testing.assert_allclose(parameters(other), parameters(fit), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(other.covariance, fit.covariance, rtol=1e-5, atol=1e-8)
    assert other.sigma == pytest.approx(fit.sigma, rel=1e-7)
    assert other.loglik == pytest.approx(fit.loglik, abs=1e-9)
    modes = dict(zip(other.patients, other.modes, strict=True))
    for patient, mode in zip(fit.patients, fit.modes, strict=True):
        assert modes[names[patient]] == pytest.approx(mode, abs=1e-7)


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_reversing_the_scale_reverses_signs(seed):
    low, high, x, groups = cohort(seed)
    fit = mixed_ordinal.fit(low, high, x, groups)
    turned = mixed_ordinal.fit(3 - high, 3 - low, x, groups)
    np.testing.assert_allclose(turned.beta, -fit.beta, rtol=1e-6)
    np.testing.assert_allclose(turned.thresholds, -fit.thresholds[::-1], rtol=1e-6)
    np.testing.assert_allclose(turned.modes, -fit.modes, atol=1e-7)
    assert turned.sigma == pytest.approx(fit.sigma, rel=1e-6)
    assert turned.loglik == pytest.approx(fit.loglik, abs=1e-9)


def test_units_and_origin_of_a_predictor_do_not_matter():
    low, high, x, groups = cohort(2)
    fit = mixed_ordinal.fit(low, high, x, groups)
    other = mixed_ordinal.fit(low, high, (x + 30.0) * 1000.0, groups)
    np.testing.assert_allclose(other.beta * 1000.0, fit.beta, rtol=1e-6)
    np.testing.assert_allclose(
        other.standard_errors[3:5] * 1000, fit.standard_errors[3:5], rtol=1e-5
    )
    assert other.sigma == pytest.approx(fit.sigma, rel=1e-7)


def test_a_small_sigma_is_found_in_few_steps():
    """There the information changes as much as sigma does, within a short step."""
    random = np.random.default_rng([77, 48])
    patients, each = int(random.integers(5, 15)), int(random.integers(2, 5))
    whose = np.repeat(np.arange(patients), each)
    x, effect = random.normal(size=(len(whose), 1)), random.normal(size=patients)[whose]
    latent = 0.7 * x[:, 0] + 0.8 * effect + random.logistic(size=len(whose))
    score = (latent[:, None] > [-0.8, 0.6]).sum(axis=1)
    # A term that holds so much of the patients' effect that little of it is left.
    part = 0.18359375
    term = 2 * part * effect + (1 - part) * random.normal(size=len(whose))
    found = mixed_ordinal.fit(score, score, np.column_stack([x[:, 0], term]), whose)
    assert found.sigma == pytest.approx(0.0223962, abs=1e-5)
    assert found.converged and not found.boundary and found.iterations < 30
    assert found.max_abs_gradient < 1e-7


def test_with_one_lesion_in_each_patient_sigma_is_not_estimated():
    low, high, x, _ = cohort(3)
    fit = mixed_ordinal.fit(low, high, x, range(len(low)))
    plain = ordinal.fit(low, high, x)
    assert not fit.identified
    assert not fit.boundary
    assert fit.repeated == 0
    assert np.isnan(fit.sigma)
    assert np.isnan(fit.modes).all()
    assert np.isnan(mixed_ordinal.random_effect_test(fit)).all()
    np.testing.assert_array_equal(parameters(fit), parameters(plain))
    np.testing.assert_allclose(fit.standard_errors[:-1], plain.standard_errors, rtol=1e-12)
    assert mixed_ordinal.likelihood_ratio(fit, 1) == pytest.approx(
        ordinal.likelihood_ratio(plain, 1)
    )


def test_an_outcome_that_may_be_anything_says_nothing():
    low, high, x, groups = cohort(1)
    fit = mixed_ordinal.fit(low, high, x, groups)
    more = mixed_ordinal.fit(
        np.append(low, [0, 0]), np.append(high, [3, 3]), np.vstack([x, [[9, 9], [-9, 9]]]),
        [*groups, 0, "new"],
    )  # fmt: skip
    np.testing.assert_allclose(parameters(more), parameters(fit), rtol=1e-9)
    assert more.repeated == fit.repeated
    assert more.patients[-1] == "new"
    assert more.modes[-1] == 0.0
    singles = mixed_ordinal.fit([0, 1, 2, 0, 0], [0, 1, 2, 2, 2], np.zeros((5, 0)), [1, 2, 3, 1, 2])
    assert not singles.identified


def test_patients_whose_lesions_agree_leave_sigma_without_a_bound():
    low = np.repeat([0, 1, 2, 3, 1, 2, 0, 3, 2, 1], 3)
    fit = mixed_ordinal.fit(low, low, np.empty((30, 0)), np.repeat(np.arange(10), 3))
    assert fit.unbounded
    assert not fit.converged
    assert np.isnan(fit.covariance).all()
    assert fit.loglik > fit.fixed.loglik


def test_agreement_within_patients_leaves_tests_of_coefficients_open():
    low = np.repeat([0, 1, 2, 3, 1, 2, 0, 3, 2, 1], 3)
    x = np.tile([0.0, 1.0, 2.0], 10)[:, None]
    fit = mixed_ordinal.fit(low, low, x, np.repeat(np.arange(10), 3))
    assert fit.unbounded
    assert np.isnan(mixed_ordinal.likelihood_ratio(fit, 0)).all()
    assert np.isnan(mixed_ordinal.profile_interval(fit, 0)).all()


def test_separation_is_found_with_its_direction():
    low, _, x, groups = cohort(5, sigma=1.0, intervals=False, p=1, lesions=40)
    rare = np.zeros(len(low))
    rare[np.flatnonzero(low == 3)[:4]] = 1.0
    fit = mixed_ordinal.fit(low, low, np.column_stack([x, rare]), groups)
    assert fit.upward.tolist() == [False, True]
    assert fit.downward.tolist() == [False, False]
    assert fit.separated.tolist() == [False, True]
    assert not fit.converged
    assert np.isnan(fit.covariance).all()
    # With the four explained whatever the patient, they drop out.
    rest = rare == 0
    limit = mixed_ordinal.fit(low[rest], low[rest], x[rest], groups[rest])
    assert fit.loglik == pytest.approx(limit.loglik, abs=1e-6)
    assert fit.sigma == pytest.approx(limit.sigma, abs=1e-3)
    without = mixed_ordinal.fit(low, low, x, groups)
    statistic, p = mixed_ordinal.likelihood_ratio(fit, 1)
    assert statistic == pytest.approx(2 * (limit.loglik - without.loglik), abs=1e-5)
    assert p == pytest.approx(chi2.sf(statistic, 1))
    bound, infinite = mixed_ordinal.profile_interval(fit, 1)
    assert np.isfinite(bound)
    assert infinite == np.inf


def test_aliased_columns_are_named_and_left_out():
    low, high, x, groups = cohort(2)
    wide = np.column_stack([np.full(len(low), 3.0), x[:, 0], 2 * x[:, 0] - 5, x[:, 1]])
    fit = mixed_ordinal.fit(low, high, wide, groups)
    plain = mixed_ordinal.fit(low, high, x, groups)
    assert fit.aliased == (0, 2)
    np.testing.assert_allclose(fit.beta[[1, 3]], plain.beta, rtol=1e-9)
    assert np.isnan(fit.beta[[0, 2]]).all()
    shown = [0, 1, 2, 4, 6, 7]
    np.testing.assert_allclose(fit.covariance[np.ix_(shown, shown)], plain.covariance, rtol=1e-7)
    assert mixed_ordinal.likelihood_ratio(fit, 2) == (0.0, 1.0)
    assert mixed_ordinal.profile_interval(fit, 2) == (-np.inf, np.inf)


def test_the_ends_of_a_profile_interval_meet_their_definition():
    """At each end, the integral maximised over the rest by another optimiser falls by 1.92."""
    low, high, x, groups = cohort(2)
    fit = mixed_ordinal.fit(low, high, x, groups, nodes=20)
    scores = list(cuts_of(fit))
    start = np.concatenate([fit.thresholds, fit.beta[1:], [fit.sigma]])
    for end in mixed_ordinal.profile_interval(fit, 0):

        def negative(v, end=end):
            cuts = dict(zip(scores, v[:3], strict=True))
            return -brute_loglik(low, high, x, groups, cuts, np.array([end, v[3]]), v[4])

        found = minimize(negative, start, method="BFGS", options={"gtol": 1e-5})
        assert 2 * (fit.loglik + found.fun) == pytest.approx(CHI2_95, abs=1e-4)


def test_a_profile_interval_excludes_zero_exactly_when_the_test_rejects():
    low, high, x, groups = cohort(5)
    fit = mixed_ordinal.fit(low, high, x, groups)
    p = mixed_ordinal.likelihood_ratio(fit, 0)[1]
    ends = mixed_ordinal.profile_interval(fit, 0, level=1 - p)
    assert min(abs(ends[0]), abs(ends[1])) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "groups", "empty_without", "empty_with"),
    [
        ("00000020120201202012", "00000021220212202122", "00000111112222233333", (1,), (1,)),
        ("1022021220010", "2222122220021", "0022022201110", (1,), ()),
        ("102020102", "212021222", "121032030", (), (1,)),
    ],
)
def test_a_category_held_only_by_intervals_may_empty(low, high, groups, empty_without, empty_with):
    """It may do so with patient effects and not without them, or the other way round."""
    low, high, groups = (np.array([int(c) for c in cells]) for cells in (low, high, groups))
    fit = mixed_ordinal.fit(low, high, np.empty((len(low), 0)), groups, nodes=40)
    assert fit.converged
    assert fit.sigma > 0.5
    assert fit.fixed.collapsed == empty_without
    assert fit.collapsed == empty_with

    def negative(v):
        cuts = {0: v[0], 1: v[0] + v[1] ** 2}
        return -brute_loglik(low, high, np.empty((len(low), 0)), groups, cuts, np.empty(0), v[2])

    found = minimize(negative, [0.0, 0.5, 1.0], method="Nelder-Mead", options={"fatol": 1e-9})
    assert fit.loglik == pytest.approx(-found.fun, abs=1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_no_cohort_breaks_it(seed):
    """Whatever comes out is finite or flagged, and never below the model without patients."""
    rng = np.random.default_rng(1000 + seed)
    patients = int(rng.integers(1, 12))
    low, high, x, groups = cohort(
        seed,
        patients=patients,
        lesions=patients + int(rng.integers(4, 25)),
        sigma=float(rng.choice([0.0, 0.5, 2.0, 10.0])),
        p=int(rng.integers(0, 4)),
        intervals=bool(rng.integers(0, 2)),
    )
    low[:2], high[:2] = (0, 3), (0, 3)
    with np.errstate(all="raise", under="ignore"):
        fit = mixed_ordinal.fit(low, high, x, groups)
    assert fit.loglik >= fit.fixed.loglik
    assert np.isfinite(parameters(fit)[: len(fit.thresholds)]).all()
    assert (np.diff(fit.thresholds) > 0).all()
    if fit.converged:
        used = ~np.isnan(np.diag(fit.covariance))
        assert (np.diag(fit.covariance)[used] > 0).all()
        assert used[:-1].all()
        assert used[-1] == (fit.identified and not fit.boundary)
        assert fit.max_abs_gradient < 1e-6
        exact = brute_loglik(
            low, high, x, groups, expanded(fit), fit.beta, 0.0 if fit.boundary else fit.sigma
        )
        assert fit.loglik == pytest.approx(exact, abs=2e-3)
    else:
        assert fit.separated.any() or fit.unbounded or fit.quadrature_error > 1e-3


def expanded(fit) -> dict[int, float]:
    """The threshold above every score 0..2, emptied categories having zero width."""
    ends = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
    return {j: float(ends[sum(high <= j for _, high in fit.categories)]) for j in range(3)}


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ([1, 1, 2], "one patient for each outcome"),
        ([1, 1, 2, None], "missing"),
        ([1, 1, 2, np.nan], "missing"),
        ([1, 1, 2, [3]], "no plain label"),
    ],
)
def test_malformed_patients_are_refused_in_a_sentence(groups, sentence):
    with pytest.raises(ValueError, match=sentence):
        mixed_ordinal.fit([0, 1, 2, 1], [0, 1, 2, 1], np.empty((4, 0)), groups)


def test_missing_labels_of_pandas_are_refused():
    import pandas as pd

    for labels in (pd.Series(["a", None, "b"]), pd.Series([1, pd.NA, 2], dtype="Int64")):
        with pytest.raises(ValueError, match="missing"):
            mixed_ordinal.fit([0, 1, 2], [0, 1, 2], np.empty((3, 0)), labels)


@pytest.mark.parametrize("nodes", [0, -1, 2.5, 201, True])
def test_a_number_of_nodes_that_is_none_is_refused(nodes):
    with pytest.raises(ValueError, match="quadrature nodes"):
        mixed_ordinal.fit([0, 1, 2], [0, 1, 2], np.empty((3, 0)), [1, 1, 2], nodes)


def test_malformed_scores_columns_and_levels_are_refused():
    low, high, x, groups = cohort(2)
    with pytest.raises(ValueError, match="above its `high`"):
        mixed_ordinal.fit(low + 5, high, x, groups)
    with pytest.raises(ValueError, match="No threshold can be estimated"):
        mixed_ordinal.fit(0 * low, 0 * low, x, groups)
    fit = mixed_ordinal.fit(low, high, x, groups)
    with pytest.raises(ValueError, match="There is no column"):
        mixed_ordinal.likelihood_ratio(fit, 2)
    with pytest.raises(ValueError, match="There is no column"):
        mixed_ordinal.profile_interval(fit, -1)
    with pytest.raises(ValueError, match="confidence level"):
        mixed_ordinal.profile_interval(fit, 0, 95)


@pytest.mark.parametrize("count", [1, 2, 10, 175])
def test_the_quadrature_rule_integrates_polynomials(count):
    nodes, log_weights = mixed_likelihood.rule(count)
    weights = np.exp(log_weights - nodes**2 / 2)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights @ nodes**2 == pytest.approx(float(count > 1), abs=1e-10)


def test_importing_the_module_stays_light():
    """Start-up time counts in every rule: no heavy part of scipy, no pandas."""
    code = (
        "import sys, captem.mixed_ordinal;"
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
