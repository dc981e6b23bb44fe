"""Many bias-reduced fits at once: each is what `bias_reduced.fit` says of it."""

from __future__ import annotations

import numpy as np
import pytest
from captem import adjusted_score, adjusted_score_batch, batched_scoring, bias_reduced
from captem import bias_reduced_batch as batch
from captem.ordinal_batch import counts_of
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches
from test_bias_reduced import interval_case, random_cohort
from test_ordinal import cohort60, cohorts, complete_separation, housing

properties = settings(max_examples=20, deadline=None, derandomize=True)


def resamples(n, size, seed=1):
    return counts_of(np.random.default_rng(seed).integers(0, n, (size, n)), n)


def of(values, r, dimensions):
    """What replicate r has of an array that may be shared."""
    values = np.asarray(values)
    return values[r] if values.ndim > dimensions else values


def check(low, high, x, weights):
    """Compare every replicate with its single fit; returns the fits."""
    found = batch.fit_many(low, high, x, weights)
    assert np.isnan(found.beta[~found.converged]).all()
    assert not (found.converged & found.constant).any()
    np.testing.assert_array_equal(np.isnan(found.beta), np.isnan(found.standard_errors))
    for r, weight in enumerate(np.asarray(weights)):
        try:
            fit = bias_reduced.fit(of(low, r, 1), of(high, r, 1), of(x, r, 2), weight)
        except ValueError:
            assert found.constant[r]
            continue
        assert not found.constant[r]
        assert found.converged[r] == fit.converged
        assert tuple(np.flatnonzero(found.aliased[r])) == fit.aliased
        if fit.converged:
            errors = fit.standard_errors[len(fit.thresholds) :]
            np.testing.assert_allclose(found.beta[r], fit.beta, rtol=1e-8, atol=1e-8)
            np.testing.assert_allclose(found.standard_errors[r], errors, rtol=1e-7, atol=1e-7)
    return found


@pytest.mark.parametrize("case", [cohort60, complete_separation])
def test_the_cohort_itself_against_r(case):
    meta, y, x = case()
    found = batch.fit_many(y, y, x, np.ones((2, len(y))))
    p = x.shape[1]
    expected = answer(meta, "br_clm")
    assert found.converged.all()
    for r in range(2):
        assert_matches(found.beta[r], expected["coef"][-p:], meta, rtol=1e-6)
        assert_matches(found.standard_errors[r], expected["se"][-p:], meta, rtol=1e-6)


def test_a_bootstrap_equals_single_fits():
    _, y, x = cohort60()
    assert check(y, y, x, resamples(60, 60)).converged.all()


def test_leave_one_out_equals_single_fits():
    _, y, x = cohort60()
    check(y, y, x, 1 - np.eye(60))


def test_weights_that_are_no_counts():
    _, y, x, weights = housing()
    rng = np.random.default_rng(2)
    many = np.vstack([weights, weights * rng.exponential(size=(4, len(y))), 1e-3 * weights])
    check(y, y, x, many)


def test_small_resamples_lose_categories_and_columns():
    """Lost ends, lost middles, constant predictors, separation, one category: all in one."""
    rng = np.random.default_rng(3)
    y = np.array([0, 0, 1, 2, 2, 3, 4, 4, 4, 2])
    x = np.column_stack([rng.normal(size=10), np.arange(10) == 4, rng.normal(size=10)])
    counts = np.vstack([resamples(10, 120), np.zeros((1, 10), dtype=int), 3 * (y == 4)[None, :]])
    found = check(y, y, x, counts)
    assert found.constant[-2:].all()
    assert found.aliased[:, 1].any()
    assert found.converged[:-2].all()


def test_interval_outcomes():
    low, high, x = interval_case()
    check(low, high, x, resamples(len(low), 40))


def test_interval_outcomes_whose_categories_empty():
    low, high = np.array([0, 2, 0, 1, 2, 0, 1]), np.array([0, 2, 1, 2, 2, 0, 3])
    x = np.array([[0.1], [1.2], [0.7], [-0.4], [-1.0], [0.9], [0.3]])
    weights = resamples(7, 40)
    check(low, high, x, weights)
    fits = [bias_reduced.fit(low, high, x, weights[r]) for r in range(15)]
    assert sum(fit.boundary for fit in fits) > 2
    check(low, high, np.empty((7, 0)), np.array([[5, 5, 1, 1, 0, 0, 0], [2, 2, 5, 5, 0, 0, 0]]))


def test_a_separated_cohort_has_the_root_that_attracts_scoring():
    y = np.repeat([0, 1, 2, 3], [4, 6, 2, 3])
    x = np.array([-10, -9, -8, -8, -2, -1, 0, 1, 2, 4, 5, 5, 7, 7, 8.0])[:, None]
    assert check(y, y, x, np.vstack([np.ones((1, 15)), resamples(15, 60)])).converged.all()


def test_predictors_of_their_own():
    """As in a permutation or an imputation, some of them aliased."""
    _, y, x = cohort60()
    rng = np.random.default_rng(4)
    own = np.array([np.column_stack([x[:, 0], rng.permutation(x[:, 1])]) for _ in range(20)])
    own[3, :, 1] = 2 * own[3, :, 0] + 1
    own[4] = 1e6 + 1e3 * own[4]
    weights = np.vstack([np.ones((10, 60)), resamples(60, 10)])
    found = check(y, y, own, weights)
    assert found.aliased[:, 1].sum() == 1
    low, high, x = interval_case()
    moved = np.array([rng.permutation(x) for _ in range(12)])
    check(low, high, moved, resamples(len(low), 12))


def test_outcomes_of_their_own():
    """As in a simulation, with points and intervals."""
    _, y, x = cohort60()
    rng = np.random.default_rng(5)
    many = np.array([rng.permutation(y) for _ in range(20)])
    many[3] = np.minimum(many[3], 2)
    many[4] = 2
    high = np.minimum(many + (rng.random(many.shape) < 0.2), 4)
    weights = np.vstack([np.ones((15, 60)), resamples(60, 5)])
    found = check(many, many, x, weights)
    assert found.constant.tolist() == [r == 4 for r in range(20)]
    check(many, high, x, weights)
    own = x[None] + rng.normal(size=(20, 60, 1))
    check(many, high, own, weights)


@pytest.mark.parametrize("outlier", [1e7, 1e10])
def test_an_outcome_that_was_not_drawn_has_no_say(outlier):
    """An absurd outlier of weight 0 takes no digits from the others."""
    _, y, x = cohort60()
    moved = x.copy()
    moved[7, 1] = outlier
    counts = resamples(60, 12)
    counts[:6, 7] = 0
    counts[6:, 7] = 1
    check(y, y, moved, counts)


def test_repeated_weights_and_blocks_change_nothing(monkeypatch):
    _, y, x = cohort60()
    counts = resamples(60, 30)
    whole = batch.fit_many(y, y, x, counts)
    twice = batch.fit_many(y, y, x, np.vstack([counts, counts[::-1]]))
    np.testing.assert_allclose(twice.beta[:30], whole.beta, rtol=1e-9)
    np.testing.assert_array_equal(twice.beta[30:], twice.beta[:30][::-1])
    monkeypatch.setattr(batch, "_BLOCK", 7)
    monkeypatch.setattr(adjusted_score_batch, "_CHUNK", 1)
    parts = batch.fit_many(y, y, x, counts)
    np.testing.assert_allclose(parts.beta, whole.beta, rtol=1e-9)
    np.testing.assert_allclose(parts.standard_errors, whole.standard_errors, rtol=1e-9)


def test_the_common_search_settles_a_bootstrap_by_itself(monkeypatch):
    def refuse(*_):
        raise AssertionError("a replicate was fitted alone")

    monkeypatch.setattr(batch, "_one", refuse)
    _, y, x = cohort60()
    assert batch.fit_many(y, y, x, resamples(60, 300)).converged.all()


def test_a_search_that_does_not_arrive_says_so(monkeypatch):
    monkeypatch.setattr(batched_scoring, "_MAX_ITERATIONS", 2)
    _, y, x = cohort60()
    found = batch.fit_many(y, y, x, np.ones((2, 60)))
    assert not found.converged.any()
    assert not found.constant.any()
    assert np.isnan(found.beta).all()


def test_singular_information_is_left_to_the_single_fit(monkeypatch):
    _, y, x = cohort60()
    counts = resamples(60, 5)
    expected = batch.fit_many(y, y, x, counts)
    whole = adjusted_score_batch.states_at

    def without_the_first(parts, m, parameters, derivative):
        there = whole(parts, m, parameters, derivative)
        there.regular[0] = False
        return there

    monkeypatch.setattr(batched_scoring, "states_at", without_the_first)
    found = batch.fit_many(y, y, x, counts)
    np.testing.assert_allclose(found.beta, expected.beta, rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, expected.standard_errors, rtol=1e-8)


def test_where_an_updated_derivative_leads_astray_it_is_taken_anew(monkeypatch):
    _, y, x = cohort60()
    counts = resamples(60, 40)
    expected = batch.fit_many(y, y, x, counts)
    derivatives = []
    whole, follow = adjusted_score_batch.states_at, batched_scoring._follow

    def counted(parts, m, parameters, derivative):
        derivatives.append(derivative * len(parameters))
        return whole(parts, m, parameters, derivative)

    def astray(there, before, taken):
        follow(there, before, taken)
        there.lead[taken] *= np.where(np.arange(taken.sum()) % 2, -1.0, 9.0)[:, None, None]

    monkeypatch.setattr(batched_scoring, "states_at", counted)
    batch.fit_many(y, y, x, counts)
    # Mostly one derivative is enough.
    assert len(counts) <= sum(derivatives) <= 1.5 * len(counts)
    derivatives.clear()
    monkeypatch.setattr(batched_scoring, "_follow", astray)
    found = batch.fit_many(y, y, x, counts)
    assert sum(derivatives) > 2 * len(counts)
    assert found.converged.all()
    np.testing.assert_allclose(found.beta, expected.beta, rtol=1e-8)
    np.testing.assert_allclose(found.standard_errors, expected.standard_errors, rtol=1e-7)


def test_positive_definite_matrices_are_told_from_others():
    matrices = np.array([np.eye(3), np.diag([1.0, 0.0, 2.0]), np.ones((3, 3)), -np.eye(3)])
    matrices[0, 0, 1] = matrices[0, 1, 0] = 0.9
    kept = matrices.copy()
    found = adjusted_score_batch.positive_definite(matrices)
    assert found.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(matrices, kept)


def test_singular_matrices_are_told_from_others():
    matrices = np.array([[[2.0, 0.0], [0.0, 4.0]], [[1.0, 2.0], [2.0, 1.0]]])
    inverse, regular = adjusted_score_batch.inverses(matrices.transpose(1, 2, 0))
    assert regular.tolist() == [True, False]
    np.testing.assert_allclose(inverse[:, :, 0], [[0.5, 0.0], [0.0, 0.25]])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("p", [0, 1, 3])
def test_the_formulas_are_those_of_one_replicate(own, p):
    """Score, information and derivative away from a root, with intervals and absent outcomes."""
    rng = np.random.default_rng(6)
    low = rng.integers(0, 5, 30)
    high = np.minimum(low + rng.choice([0, 0, 1, 2], 30), 4)
    x = rng.normal(size=(5, 30, p) if own else (30, p))
    weights = rng.integers(0, 3, (5, 30)).astype(float)
    weights[:, (low == 0) & (high == 4)] = 0.0
    cuts = np.cumsum(rng.exponential(size=(5, 4)), axis=1) - 2.0
    at = np.hstack([cuts, rng.normal(size=(5, p))])
    parts = adjusted_score_batch.partitions(
        np.tile(low - 1, (5, 1)), np.tile(high, (5, 1)), 4, x, weights
    )
    there = adjusted_score_batch.states_at(parts, 4, at, derivative=True)
    assert there.regular.all()
    for r in range(5):
        has = weights[r] > 0
        cells = adjusted_score.partitions(
            low[has] - 1, high[has], 4, of(x, r, 2)[has], weights[r][has]
        )
        state = adjusted_score.state_at(cells, at[r], derivative=True)
        for name in ("score", "information", "inverse", "derivative"):
            expected = getattr(state, name)
            size = np.abs(expected).max()
            np.testing.assert_allclose(
                getattr(there, name)[r], expected, rtol=1e-9, atol=1e-9 * size
            )


@properties
@given(cohorts(n=(5, 16)), st.integers(0, 10**6))
def test_any_bootstrap_equals_single_fits(data, seed):
    low, high, x = data
    check(low, high, x, resamples(len(low), 5, seed))


@properties
@given(cohorts(n=(5, 16)), st.integers(0, 10**6))
def test_any_permutation_equals_single_fits(data, seed):
    low, high, x = data
    rng = np.random.default_rng(seed)
    check(low, high, np.array([rng.permutation(x) for _ in range(4)]), np.ones((4, len(low))))


@properties
@given(cohorts(n=(6, 12)), st.integers(0, 10**6))
def test_weights_equal_repetition_in_any_order(data, seed):
    low, high, x = data
    rng = np.random.default_rng(seed)
    counts = resamples(len(low), 3, seed)
    found = batch.fit_many(low, high, x, counts)
    rows = np.array([rng.permutation(np.repeat(np.arange(len(low)), c)) for c in counts])
    ones = np.ones(rows.shape)
    repeated = batch.fit_many(low[rows], high[rows], x[rows], ones)
    np.testing.assert_array_equal(repeated.converged, found.converged)
    np.testing.assert_array_equal(repeated.aliased, found.aliased)
    np.testing.assert_allclose(repeated.beta, found.beta, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(
        repeated.standard_errors, found.standard_errors, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("block", range(2))
def test_random_cohorts_equal_single_fits(block):
    for seed in range(8 * block, 8 * block + 8):
        low, high, x = random_cohort(seed)
        check(low, high, x, np.vstack([np.ones((1, len(low))), resamples(len(low), 4, seed)]))


@pytest.mark.parametrize("seed", [47, 107, 155])
def test_newton_steps_that_lead_astray_are_not_taken(seed):
    low, high, x = random_cohort(seed)
    check(low, high, x, np.vstack([np.ones((1, len(low))), resamples(len(low), 20, seed)]))


def test_no_replicates_are_no_fits():
    _, y, x = cohort60()
    found = batch.fit_many(y, y, x, np.empty((0, 60)))
    assert found.beta.shape == found.standard_errors.shape == found.aliased.shape == (0, 3)
    assert found.converged.shape == found.constant.shape == (0,)


@pytest.mark.parametrize(
    ("low", "high", "x", "weights", "sentence"),
    [
        ([0, 1], [0, 1], [[0], [1]], [1, 1], "replicates by outcomes"),
        ([0, 1], [0, 1], [[0], [1]], [[1, -1]], "not negative"),
        ([0, 1], [0, 1], [[0], [1]], [[1, np.nan]], "finite"),
        ([0, 1], [0, 1], [[0], [1]], [[1, 1, 1]], "one weight for each outcome"),
        ([0, 1], [0, 1], [[0]], [[1, 1]], "one row of predictors"),
        ([0, 1], [0, 1], [[0], [np.inf]], [[1, 1]], "finite"),
        ([0, 1], [0, 1], [[[0], [1]]], [[1, 1], [1, 1]], "one row of predictors"),
        ([1, 1], [0, 1], [[0], [1]], [[1, 1]], "above its `high`"),
        ([0, 1], [0.5, 1], [[0], [1]], [[1, 1]], "integers"),
        ([[0, 1]], [[0, 1]], [[0], [1]], [[1, 1], [1, 1]], "one weight for each outcome"),
        ([], [], np.empty((0, 1)), np.empty((2, 0)), "no outcomes"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(low, high, x, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        batch.fit_many(low, high, x, weights)
