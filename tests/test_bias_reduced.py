"""Bias-reduced proportional odds against R, brute-force expectations, and its symmetries."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from captem import bias_reduced, ordinal
from captem.adjusted_score import partitions, state_at
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.special import expit
from test_ordinal import cohort60, cohorts, complete_separation, housing, informative

properties = settings(max_examples=30, deadline=None, derandomize=True)


def parameters(fit):
    return np.concatenate([fit.thresholds, fit.beta])


def fitted(low, high, x, weights=None):
    """A fit without aliased columns; other examples are set aside."""
    assume(informative(low, high))
    fit = bias_reduced.fit(low, high, x, weights)
    assume(fit.converged and not fit.aliased)
    return fit


def same(actual, expected, rtol=1e-6, atol=1e-6):
    assert actual.converged == expected.converged
    assert actual.threshold_labels == expected.threshold_labels
    np.testing.assert_allclose(parameters(actual), parameters(expected), rtol=rtol, atol=atol)
    np.testing.assert_allclose(actual.covariance, expected.covariance, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", [cohort60, complete_separation])
def test_cumulative_logits_against_r(case):
    meta, y, x = case()
    fit = bias_reduced.fit(y, y, x)
    expected = answer(meta, "br_clm")
    assert fit.converged
    assert fit.max_abs_adjusted_score < 1e-9
    assert_matches(parameters(fit), expected["coef"], meta, rtol=1e-6)
    assert_matches(fit.standard_errors, expected["se"], meta, rtol=1e-6)


@pytest.mark.parametrize(
    ("case", "outcome", "columns"),
    [
        ("F01_endometrial", "HG", ["NV", "PI", "EH"]),
        ("F02_complete_separation10", "converted", ["x"]),
    ],
)
def test_two_categories_are_firth_s_logistic_regression(case, outcome, columns):
    meta, frames = load(case)
    y, x = frames["d"][outcome].to_numpy(), frames["d"][columns].to_numpy()
    fit = bias_reduced.fit(y, y, x)
    signs = np.array([-1.0] + [1.0] * len(columns))
    assert_matches(signs * parameters(fit), answer(meta, "brglm2_coef"), meta)
    assert_matches(fit.standard_errors, answer(meta, "brglm2_se"), meta)


def test_separation_is_told_although_the_estimate_is_finite():
    _, y, x = complete_separation()
    fit = bias_reduced.fit(y, y, x)
    assert fit.separated.tolist() == [True]
    assert fit.collapsed == (3,)
    assert not fit.boundary
    assert np.isfinite(fit.covariance).all()
    _, y, x = cohort60()
    assert not bias_reduced.fit(y, y, x).separated.any()


def test_large_weighted_tables_are_hardly_adjusted():
    _, y, x, weights = housing()
    reduced, plain = bias_reduced.fit(y, y, x, weights), ordinal.fit(y, y, x, weights)
    np.testing.assert_allclose(parameters(reduced), parameters(plain), atol=0.01)
    assert not np.allclose(parameters(reduced), parameters(plain), rtol=1e-6, atol=0)


def log_shares(cuts, eta, cells):
    """log P(cell), cell = (first, last) category, straight from the definition."""
    ends = np.concatenate([[-np.inf], cuts, [np.inf]])
    return np.array([np.log(expit(ends[b + 1] - eta) - expit(ends[a] - eta)) for a, b in cells])


def derivatives(function, at, h=1e-4):
    """Values, gradients and Hessians of a vector function by central differences."""
    q = len(at)
    unit = h * np.eye(q)
    gradient = np.array([(function(at + e) - function(at - e)) / (2 * h) for e in unit])
    hessian = np.array(
        [
            [
                (function(at + a + b) - function(at + a - b) - function(at - a + b)
                 + function(at - a - b)) / (4 * h * h)
                for b in unit
            ]
            for a in unit
        ]
    )  # fmt: skip
    return function(at), gradient.T, hessian.transpose(2, 0, 1)


LOW, HIGH = np.array([0, 1, 2, 0]), np.array([0, 1, 3, 1])
X = np.array([[0.3, 1.0], [-1.2, 0.0], [0.8, 1.0], [0.1, -0.5]])
WEIGHTS = np.array([1.0, 2.0, 1.0, 3.0])
AT = np.array([-0.7, 0.4, 1.5, 0.6, -0.9])
PARTITIONS = [
    [(0, 0), (1, 1), (2, 2), (3, 3)],
    [(0, 0), (1, 1), (2, 2), (3, 3)],
    [(0, 0), (1, 1), (2, 3)],
    [(0, 1), (2, 2), (3, 3)],
]


def rows_of_the_example():
    """Per outcome: probabilities, scores and second derivatives of its cells, numerically."""
    return [
        derivatives(lambda v, x=x, cells=cells: log_shares(v[:3], x @ v[3:], cells), AT)
        for x, cells in zip(X, PARTITIONS, strict=True)
    ]


def assert_adjustment(actual, information, adjustment):
    np.testing.assert_allclose(actual.information, information, rtol=1e-6, atol=1e-9)
    score = np.zeros(5)
    for (_, g, _), cells, low, high, w in zip(
        rows_of_the_example(), PARTITIONS, LOW, HIGH, WEIGHTS, strict=True
    ):
        score += w * g[cells.index((low, high))]
    np.testing.assert_allclose(actual.score, score + adjustment, rtol=1e-5, atol=1e-6)


def example_state():
    cells = partitions(LOW - 1, HIGH, 3, X, WEIGHTS)
    return state_at(cells, AT)


def test_the_adjustment_is_the_formula_with_third_moments_per_outcome():
    """P_t and Q_t summed over the cells of each outcome's own partition, by differences."""
    information, third = np.zeros((5, 5)), np.zeros((5, 5, 5))
    for (value, g, hessian), w in zip(rows_of_the_example(), WEIGHTS, strict=True):
        p = np.exp(value)
        information += w * np.einsum("c,ca,cb->ab", p, g, g)
        third += w * np.einsum("c,ca,cb,ct->tab", p, g, g, g)
        third += w * np.einsum("c,cab,ct->tab", p, hessian, g)
    adjustment = 0.5 * np.einsum("ab,tba->t", np.linalg.inv(information), third)
    assert_adjustment(example_state(), information, adjustment)


def test_the_adjustment_is_the_expectation_over_every_possible_sample():
    """All joint outcomes of the seven patients, without using their independence."""
    rows = [
        row for row, w in zip(rows_of_the_example(), WEIGHTS, strict=True) for _ in range(int(w))
    ]
    information, third, total = np.zeros((5, 5)), np.zeros((5, 5, 5)), 0.0
    for sample in itertools.product(*(range(len(value)) for value, _, _ in rows)):
        p = np.exp(sum(row[0][c] for row, c in zip(rows, sample, strict=True)))
        u = sum(row[1][c] for row, c in zip(rows, sample, strict=True))
        j = sum(row[2][c] for row, c in zip(rows, sample, strict=True))
        total += p
        information += p * np.outer(u, u)
        third += p * u[:, None, None] * (np.outer(u, u) + j)
    assert total == pytest.approx(1.0)
    adjustment = 0.5 * np.einsum("ab,tba->t", np.linalg.inv(information), third)
    assert_adjustment(example_state(), information, adjustment)


def test_the_derivative_of_the_adjusted_score():
    cells = partitions(LOW - 1, HIGH, 3, X, WEIGHTS)
    h = 1e-5 * np.eye(5)
    numeric = [(state_at(cells, AT + e).score - state_at(cells, AT - e).score) / 2e-5 for e in h]
    actual = state_at(cells, AT, derivative=True).derivative
    np.testing.assert_allclose(actual, np.transpose(numeric), rtol=1e-6, atol=1e-7)


def test_bias_is_far_below_that_of_maximum_likelihood():
    """The exact mean over all samples of 3 groups of 8, against the first-order bias -I^-1 A."""
    x = np.repeat([-1.0, 0.0, 1.0], 2)[:, None]
    y = np.tile([0, 1], 3)
    truth, error, mass = 0.8, 0.0, 0.0
    chances = expit(truth * np.array([-1.0, 0.0, 1.0]))
    for up in itertools.product(range(9), repeat=3):
        if sum(up) in (0, 24):
            continue
        p = 1.0
        for k, chance in zip(up, chances, strict=True):
            p *= _binomial(8, k) * chance**k * (1 - chance) ** (8 - k)
        found = bias_reduced.fit(y, y, x, np.ravel([(8 - k, k) for k in up]))
        assert found.converged
        error += p * (found.beta[0] - truth)
        mass += p
    expected = np.ravel([(8 * (1 - c), 8 * c) for c in chances])
    there = state_at(partitions(y - 1, y, 1, x, expected), np.array([0.0, truth]))
    # At the expected counts U is 0, so that the score is A.
    first_order = -(there.inverse @ there.score)[1]
    assert mass == pytest.approx(1.0, abs=1e-6)
    assert first_order > 0.05
    assert abs(error) < 0.15 * abs(first_order)


def _binomial(n, k):
    return float(np.prod([(n - i) / (i + 1) for i in range(k)]))


def test_three_categories_bias_is_smaller_than_that_of_maximum_likelihood():
    rng = np.random.default_rng(5)
    x = np.linspace(-1.5, 1.5, 30)[:, None]
    errors = []
    for _ in range(150):
        latent = x[:, 0] + rng.logistic(size=30)
        y = np.searchsorted([-0.8, 0.8], latent)
        plain = ordinal.fit(y, y, x)
        if plain.converged:
            errors.append([bias_reduced.fit(y, y, x).beta[0] - 1, plain.beta[0] - 1])
    reduced, plain = np.abs(np.mean(errors, axis=0))
    assert reduced < plain


def interval_case():
    _, frames = load("O05_interval_small")
    d = frames["d"]
    return d["post_lo"].to_numpy(), d["post_hi"].to_numpy(), d[["krenning_pre"]].to_numpy()


def test_interval_outcomes_solve_their_adjusted_equations():
    low, high, x = interval_case()
    fit = bias_reduced.fit(low, high, x)
    assert fit.converged
    cells = partitions(low - 1, high, 4, x, np.ones(len(low)))
    there = state_at(cells, parameters(fit))
    np.testing.assert_allclose(there.score, 0.0, atol=1e-8)
    np.testing.assert_allclose(fit.covariance, there.inverse, rtol=1e-7)
    plain = ordinal.fit(low, high, x)
    assert 0 < fit.beta[0] < plain.beta[0]


def test_scores_never_told_apart_are_one_score():
    low, high, x = interval_case()
    merged = np.minimum(low, 3), np.where(high >= 3, 4, high)
    coarse = np.minimum(low, 3), np.minimum(high, 3)
    wide = np.where(merged[0] >= 3, 3, merged[0])
    first = bias_reduced.fit(wide, merged[1], x)
    second = bias_reduced.fit(*coarse, x)
    np.testing.assert_allclose(parameters(first), parameters(second), rtol=1e-8)
    assert first.collapsed == (3, 4)


def test_a_category_held_by_intervals_may_empty():
    low, high = np.array([0, 2, 0, 1]), np.array([0, 2, 1, 2])
    fit = bias_reduced.fit(low, high, np.empty((4, 0)), (5, 5, 1, 1))
    assert fit.converged
    assert fit.boundary
    assert fit.collapsed == (1,)
    assert fit.threshold_labels == ("0|2",)
    # Its two categories have 6 outcomes each.
    assert fit.thresholds[0] == pytest.approx(0.0, abs=1e-8)
    open_middle = bias_reduced.fit(low, high, np.empty((4, 0)), (2, 2, 5, 5))
    assert open_middle.categories == ((0, 0), (1, 1), (2, 2))


def test_one_threshold_without_predictors_adds_half_an_outcome_to_each_side():
    y = np.repeat([0, 1], [7, 2])
    fit = bias_reduced.fit(y, y, np.empty((9, 0)))
    assert fit.thresholds[0] == pytest.approx(np.log(7.5 / 2.5))


@properties
@given(cohorts(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(data, random):
    low, high, x = data
    order = list(range(len(low)))
    random.shuffle(order)
    fit = fitted(low, high, x)
    same(bias_reduced.fit(low[order], high[order], x[order]), fit)


@properties
@given(cohorts())
def test_reversing_the_scale_reverses_signs(data):
    low, high, x = data
    fit = fitted(low, high, x)
    turned = bias_reduced.fit(3 - high, 3 - low, x)
    np.testing.assert_allclose(turned.beta, -fit.beta, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(turned.thresholds, -fit.thresholds[::-1], rtol=1e-6, atol=1e-6)


@properties
@given(cohorts(), st.sampled_from([1e-6, 0.25, -3.0, 1e5]), st.floats(-100, 100))
def test_units_and_origin_of_a_predictor_do_not_matter(data, factor, origin):
    low, high, x = data
    fit = fitted(low, high, x)
    moved = x.copy()
    moved[:, 0] = (x[:, 0] + origin) * factor
    other = bias_reduced.fit(low, high, moved)
    np.testing.assert_allclose(other.beta[0] * factor, fit.beta[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other.beta[1:], fit.beta[1:], rtol=1e-5, atol=1e-6)
    m = len(fit.thresholds)
    se = other.standard_errors[m] * abs(factor)
    np.testing.assert_allclose(se, fit.standard_errors[m], rtol=1e-5)


@properties
@given(cohorts(intervals=False))
def test_a_category_never_seen_is_a_category_that_does_not_exist(data):
    low, _, x = data
    fit = fitted(low, low, x)
    ranks = np.unique(low, return_inverse=True)[1]
    for scores in (ranks, np.array([0, 2, 3, 7])[low]):
        other = bias_reduced.fit(scores, scores, x)
        np.testing.assert_allclose(parameters(other), parameters(fit), rtol=1e-7, atol=1e-7)


@properties
@given(cohorts(), st.data())
def test_weights_equal_repetition(data, draw):
    low, high, x = data
    counts = draw.draw(st.lists(st.integers(0, 3), min_size=len(low), max_size=len(low)))
    repeated = np.repeat(np.arange(len(low)), counts)
    assume(len(repeated) > 0)
    fit = fitted(low[repeated], high[repeated], x[repeated])
    same(bias_reduced.fit(low, high, x, counts), fit)


@properties
@given(cohorts())
def test_an_outcome_that_may_be_anything_changes_nothing(data):
    low, high, x = data
    fit = fitted(low, high, x)
    more = bias_reduced.fit(
        np.append(low, low.min()), np.append(high, high.max()), np.vstack([x, 1e3 * x[:1] + 7])
    )
    np.testing.assert_allclose(parameters(more), parameters(fit), rtol=1e-6, atol=1e-7)


@properties
@given(cohorts(intervals=False, n=(10, 24)))
def test_many_copies_bring_maximum_likelihood(data):
    low, _, x = data
    fit = fitted(low, low, x, np.full(len(low), 1e5))
    plain = ordinal.fit(low, low, x)
    assume(plain.converged and plain.condition_number < 1e3)
    np.testing.assert_allclose(parameters(fit), parameters(plain), rtol=1e-3, atol=1e-3)


def random_cohort(seed):
    """Of any size and quality: separated, constant and sparse predictors, some intervals."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(5, 81)), int(rng.integers(2, 7))
    x = rng.normal(size=(n, int(rng.integers(1, 4))))
    if seed % 3 == 0:
        x[:, 0] = rng.random(n) < 0.15
    latent = x @ rng.normal(size=x.shape[1]) * rng.choice([0, 1, 5]) + rng.logistic(size=n)
    y = np.searchsorted(np.quantile(latent, np.sort(rng.random(k - 1))), latent)
    high = y if seed % 2 else np.minimum(y + rng.choice([0, 0, 0, 1, 2], size=n), k - 1)
    return y, high, x


@pytest.mark.parametrize("block", range(4))
def test_random_cohorts_are_fitted_or_say_that_they_are_not(block):
    fits = 0
    for seed in range(50 * block, 50 * block + 50):
        low, high, x = random_cohort(seed)
        try:
            fit = bias_reduced.fit(low, high, x)
        except ValueError as error:
            assert "No threshold" in str(error)
            continue
        fits += 1
        assert fit.converged
        kept = np.delete(fit.beta, fit.aliased)
        assert np.isfinite(kept).all()
        assert np.abs(kept).max(initial=0.0) < 1e3
        assert (np.diff(fit.thresholds) > 0).all()
        assert np.isfinite(fit.standard_errors[: len(fit.thresholds)]).all()
    assert fits > 40


def test_of_several_roots_the_one_that_attracts_scoring_is_taken():
    """Separated scores whose adjusted equations have two roots; scoring leaves the nearer one."""
    y = np.repeat([0, 1, 2, 3], [4, 6, 2, 3])
    x = np.array([-10, -9, -8, -8, -2, -1, 0, 1, 2, 4, 5, 5, 7, 7, 8.0])[:, None]
    cells = partitions(y - 1, y, 3, x, np.ones(15))

    def newton(at):
        for _ in range(30):
            there = state_at(cells, at, derivative=True)
            at = at - np.linalg.solve(there.derivative, there.score)
        np.testing.assert_allclose(there.score, 0.0, atol=1e-9)
        return at, np.linalg.eigvals(-there.inverse @ there.derivative).real.min()

    other, pull = newton(np.array([-4.39, 3.78, 5.80, 0.96]))
    assert pull < 0
    fit = bias_reduced.fit(y, y, x)
    found, pull = newton(parameters(fit))
    assert pull > 0
    np.testing.assert_allclose(found, parameters(fit), rtol=1e-8)
    assert not np.allclose(found, other, rtol=0.1)
    at = other + 0.01
    for _ in range(2000):
        here = state_at(cells, at)
        at = at + 0.5 * here.inverse @ here.score
    np.testing.assert_allclose(at, found, rtol=1e-6)


def test_aliased_columns_are_named_and_left_out():
    _, y, x = cohort60()
    wide = np.column_stack([np.full(60, 3.0), x[:, 0], 2 * x[:, 0] - 5, x[:, 1]])
    fit, plain = bias_reduced.fit(y, y, wide), bias_reduced.fit(y, y, x[:, :2])
    assert fit.aliased == (0, 2)
    np.testing.assert_allclose(fit.beta[[1, 3]], plain.beta, rtol=1e-8)
    assert np.isnan(fit.beta[[0, 2]]).all()


@pytest.mark.parametrize(
    ("low", "high", "x", "weights", "sentence"),
    [
        ([2, 2], [2, 2], [[0], [1]], None, "No threshold can be estimated"),
        ([0, 1], [0, 1], [[0]], None, "one row of predictors"),
        ([0, 1], [0, 1], [[0], [np.nan]], None, "finite"),
        ([0, 1], [0, 1], [[0], [1]], [0, 0], "no outcomes of positive weight"),
        ([0, 1], [0, 1], [[0], [1]], [1, -1], "not negative"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(low, high, x, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        bias_reduced.fit(low, high, x, weights)
