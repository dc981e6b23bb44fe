"""Many proportional-odds fits at once against R, and each against `ordinal.fit`."""

from __future__ import annotations

import numpy as np
import pytest
from captem import batched_newton, ordinal, ordinal_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from test_ordinal import cohort60, cohorts, complete_separation, housing, wine

properties = settings(max_examples=30, deadline=None, derandomize=True)


def expected_thresholds(fit, cuts):
    """theta at each cut: tied over lost categories, infinite beyond the ends, NaN inside one."""
    ends = np.concatenate([[-np.inf], fit.thresholds, [np.inf]])
    return [
        np.nan
        if any(low <= cut < high for low, high in fit.categories)
        else ends[sum(high <= cut for _, high in fit.categories)]
        for cut in cuts
    ]


def assert_equals_one_by_one(found, low, high, weights, predictors):
    """Every replicate is what `ordinal.fit` says of it; returns how many converged."""
    total = found.converged.astype(int) + found.diverged + found.constant
    assert (total == 1).all()
    assert np.isnan(found.beta[~found.converged]).all()
    assert np.isnan(found.thresholds[~found.converged]).all()
    for r in range(len(total)):
        try:
            fit = ordinal.fit(low, high, predictors(r), weights(r))
        except ValueError:
            assert found.constant[r]
            assert np.isnan(found.loglik[r])
            continue
        assert found.converged[r] == fit.converged
        assert found.loglik[r] == pytest.approx(fit.loglik, rel=1e-8, abs=1e-8)
        if not fit.converged:
            continue
        assert tuple(np.flatnonzero(found.aliased[r])) == fit.aliased
        assert found.categories[r] == len(fit.categories)
        np.testing.assert_allclose(found.beta[r], fit.beta, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            found.thresholds[r], expected_thresholds(fit, found.cuts), rtol=1e-6, atol=1e-6
        )
    return int(found.converged.sum())


def check_counts(low, high, x, counts):
    found = ordinal_batch.fit_many(low, high, x, counts)
    return assert_equals_one_by_one(found, low, high, lambda r: counts[r], lambda r: x)


def check_permuted(low, high, x, column, values):
    def predictors(r):
        moved = np.array(x, dtype=float)
        moved[:, column] = values[r]
        return moved

    found = ordinal_batch.fit_permuted(low, high, x, column, values)
    return assert_equals_one_by_one(found, low, high, lambda r: None, predictors)


def resamples(n, size, seed=1):
    return ordinal_batch.counts_of(np.random.default_rng(seed).integers(0, n, (size, n)), n)


@pytest.mark.parametrize("case", [wine, cohort60])
def test_the_cohort_itself_against_r(case):
    meta, y, x = case()
    found = ordinal_batch.fit_many(y, y, x, np.ones((1, len(y)), dtype=int))
    assert found.converged.all()
    actual = np.concatenate([found.thresholds[0], found.beta[0]])
    assert_matches(actual, answer(meta, "coef"), meta)
    assert_matches(found.loglik[0], answer(meta, "loglik"), meta)


def test_frequency_weights_against_r():
    meta, y, x, weights = housing()
    found = ordinal_batch.fit_many(y, y, x, weights[None, :])
    actual = np.concatenate([found.thresholds[0], found.beta[0]])
    assert_matches(actual, answer(meta, "coef"), meta)
    assert_matches(found.loglik[0], answer(meta, "loglik"), meta)


def test_interval_outcomes_against_r():
    meta, frames = load("O05_interval_small")
    d = frames["d"]
    low, high = d["post_lo"].to_numpy(), d["post_hi"].to_numpy()
    points = (low == high).astype(int)
    counts = np.vstack([np.ones(len(low), dtype=int), points])
    found = ordinal_batch.fit_many(low, high, d[["krenning_pre"]], counts)
    actual = np.hstack([found.thresholds, found.beta])
    assert_matches(actual[0], answer(meta, "fit")["coef"], meta)
    assert_matches(actual[1], answer(meta, "exact_only_clm"), meta)


def test_leave_one_out_against_r():
    meta, frames = load("V01_influence")
    d = frames["d"]
    y = d["krenning_post"].to_numpy()
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"])])
    found = ordinal_batch.fit_many(y, y, x, 1 - np.eye(len(y), dtype=int))
    assert_matches(found.beta, answer(meta, "loo_coef"), meta)


def test_complete_separation_is_flagged_without_a_number():
    _, y, x = complete_separation()
    found = ordinal_batch.fit_many(y, y, x, np.ones((3, len(y)), dtype=int))
    assert found.diverged.all()
    assert np.isnan(found.beta).all()
    np.testing.assert_allclose(found.loglik, 0.0, atol=1e-9)
    values = np.vstack([x[:, 0], np.roll(x[:, 0], 7)])
    found = ordinal_batch.fit_permuted(y, y, x, 0, values)
    assert found.diverged.tolist() == [True, False]


def test_a_bootstrap_equals_single_fits():
    _, y, x = cohort60()
    assert check_counts(y, y, x, resamples(60, 150)) > 140


def test_a_permutation_equals_single_fits():
    _, y, x = cohort60()
    rng = np.random.default_rng(2)
    values = np.array([rng.permutation(x[:, 1]) for _ in range(100)])
    assert check_permuted(y, y, x, 1, values) == 100


def test_small_resamples_lose_categories_and_columns():
    """Lost ends, lost middles, constant predictors, separation, one category: all in one."""
    rng = np.random.default_rng(3)
    y = np.array([0, 0, 1, 2, 2, 3, 4, 4, 4, 2])
    x = np.column_stack([rng.normal(size=10), np.arange(10) == 4, rng.normal(size=10)])
    counts = np.vstack([resamples(10, 200), np.zeros((1, 10), dtype=int), 3 * (y == 4)[None, :]])
    found = ordinal_batch.fit_many(y, y, x, counts)
    assert found.constant[-2:].all()
    assert found.aliased[:, 1].any()
    assert found.diverged.any()
    assert len(np.unique(found.categories[found.converged])) > 2
    assert np.isneginf(found.thresholds[:, 0]).any()
    check_counts(y, y, x, counts)


def test_interval_outcomes_whose_categories_empty():
    low, high = np.array([0, 2, 0, 1, 2, 0, 1]), np.array([0, 2, 1, 2, 2, 0, 3])
    x = np.array([[0.1], [1.2], [0.7], [-0.4], [-1.0], [0.9], [0.3]])
    check_counts(low, high, x, resamples(7, 150))
    check_counts(
        low, high, np.empty((7, 0)), np.array([[5, 5, 1, 1, 0, 0, 0], [2, 6, 5, 4, 0, 0, 0]])
    )


def test_categories_emptied_on_the_way_are_refilled_at_the_maximum():
    low, high = np.array([0, 2, 0, 3, 2, 1]), np.array([1, 3, 1, 3, 3, 2])
    x = np.array([[2], [3], [3], [1], [-1], [3.0]])
    check_counts(low, high, x, resamples(6, 60, seed=0))


def test_blocks_and_chunks_change_nothing(monkeypatch):
    _, y, x = cohort60()
    counts = resamples(60, 90)
    whole = ordinal_batch.fit_many(y, y, x, counts)
    monkeypatch.setattr(ordinal_batch, "_BLOCK", 40)
    monkeypatch.setattr(ordinal_batch, "_CHUNK", 1)
    parts = ordinal_batch.fit_many(y, y, x, counts)
    np.testing.assert_allclose(parts.beta, whole.beta, rtol=1e-8)
    np.testing.assert_allclose(parts.thresholds, whole.thresholds, rtol=1e-8)
    np.testing.assert_array_equal(parts.converged, whole.converged)


def test_the_common_search_settles_a_bootstrap_by_itself(monkeypatch):
    def refuse(*_):
        raise AssertionError("a replicate was fitted alone")

    monkeypatch.setattr(ordinal_batch, "_one", refuse)
    _, y, x = cohort60()
    assert ordinal_batch.fit_many(y, y, x, resamples(60, 500)).converged.sum() > 490


def test_a_search_that_gives_up_is_done_alone(monkeypatch):
    _, y, x = cohort60()
    counts = resamples(60, 10)
    expected = ordinal_batch.fit_many(y, y, x, counts)
    monkeypatch.setattr(batched_newton, "_MAX_ITERATIONS", 1)
    found = ordinal_batch.fit_many(y, y, x, counts)
    np.testing.assert_allclose(found.beta, expected.beta, rtol=1e-7)
    np.testing.assert_allclose(found.thresholds, expected.thresholds, rtol=1e-7)


def test_an_outcome_that_was_not_drawn_has_no_say():
    """An absurd outlier of weight 0, on which every step is long, does not delay the end."""
    _, y, x = cohort60()
    moved = x.copy()
    moved[7, 1] = 1e10
    counts = resamples(60, 40)
    counts[:, 7] = 0
    assert check_counts(y, y, moved, counts) == 40

    values = np.array([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0, 1e13])
    signs = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    design = signs[:, None] * np.column_stack([np.ones(7), -values])
    weights = np.array([3.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0])[:, None]
    empty = np.empty((0, 2))
    free = np.empty((0, 1), dtype=bool)
    columns = batched_newton.Columns(design, empty, weights, np.empty((0, 1)), None, free)
    found = batched_newton.maximise(columns, np.zeros((2, 1)))
    assert found.converged.all()


def test_columns_aliased_in_every_replicate_or_in_some():
    """A constant but for rounding, a sum of columns, and dates that differ in few outcomes."""
    _, y, x = cohort60()
    days = np.full(60, 738_000.3)
    sometimes = days + (np.arange(60) < 2)
    blurred = 1e12 + 4.0 * (np.arange(60) % 2)
    wide = np.column_stack([blurred, x[:, 0], 2 * x[:, 0] - 5, sometimes, x[:, 1]])
    counts = resamples(60, 40)
    found = ordinal_batch.fit_many(y, y, wide, counts)
    assert found.aliased[:, [0, 2]].all()
    assert 0 < found.aliased[:, 3].sum() < 40
    check_counts(y, y, wide, counts)
    check_counts(y, y, wide[:, [0, 4]], counts[:5])
    rng = np.random.default_rng(4)
    check_permuted(y, y, wide, 4, np.array([rng.permutation(x[:, 1]) for _ in range(8)]))
    check_permuted(y, y, wide, 1, np.array([rng.permutation(x[:, 0]), wide[:, 0], wide[:, 4]]))


def test_index_rows_are_counted():
    counts = ordinal_batch.counts_of([[0, 3, 3, 1], [2, 2, 2, 2]], 5)
    assert counts.tolist() == [[1, 1, 0, 2, 0], [0, 0, 4, 0, 0]]
    assert ordinal_batch.counts_of(np.empty((0, 4)), 5).shape == (0, 5)


def test_no_replicates_are_no_fits():
    _, y, x = cohort60()
    found = ordinal_batch.fit_many(y, y, x, np.empty((0, 60), dtype=int))
    assert found.beta.shape == (0, 3)
    assert found.thresholds.shape == (0, 4)


@properties
@given(cohorts(n=(5, 16)), st.integers(0, 10**6))
def test_any_bootstrap_equals_single_fits(data, seed):
    low, high, x = data
    check_counts(low, high, x, resamples(len(low), 6, seed))


@properties
@given(cohorts(n=(5, 16)), st.integers(0, 10**6))
def test_any_permutation_equals_single_fits(data, seed):
    low, high, x = data
    rng = np.random.default_rng(seed)
    values = np.array([rng.permutation(x[:, 0]) for _ in range(6)])
    check_permuted(low, high, x, 0, values)


@pytest.mark.parametrize("block", range(4))
def test_random_cohorts_never_converge_to_infinity(block):
    converged = 0
    for seed in range(50 * block, 50 * block + 50):
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(5, 81)), int(rng.integers(2, 7))
        x = rng.normal(size=(n, int(rng.integers(1, 4))))
        latent = x @ rng.normal(size=x.shape[1]) * rng.choice([0, 1, 9]) + rng.logistic(size=n)
        y = np.searchsorted(np.quantile(latent, np.sort(rng.random(k - 1))), latent)
        high = y if seed % 2 else np.minimum(y + rng.choice([0, 0, 0, 1, 2], size=n), k - 1)
        found = ordinal_batch.fit_many(y, high, x, resamples(n, 20, seed))
        assert (found.converged.astype(int) + found.diverged + found.constant == 1).all()
        kept = found.beta[found.converged][~found.aliased[found.converged]]
        assert np.isfinite(kept).all()
        assert np.abs(kept).max(initial=0.0) < 1e3
        assert np.isfinite(found.loglik[~found.constant]).all()
        converged += found.converged.sum()
    assert converged > 300


def test_the_solver_of_small_systems():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(5, 9, 4))
    matrices = np.einsum("rki,rkj->rij", half, half)
    matrices[3] = -matrices[3]
    right = rng.normal(size=(4, 5))
    rows, columns = np.tril_indices(4)
    found = batched_newton.solve(matrices[:, rows, columns].T, right)
    for r in (0, 1, 2, 4):
        np.testing.assert_allclose(found[:, r], np.linalg.solve(matrices[r], right[:, r]))
    assert np.isnan(found[:, 3]).all()


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ([[1, 1, 1]], "replicates by outcomes"),
        ([1, 1], "replicates by outcomes"),
        ([[1, -1]], "integers of at least 0"),
        ([[0.5, 1.0]], "integers of at least 0"),
    ],
)
def test_malformed_counts_are_refused(counts, sentence):
    with pytest.raises(ValueError, match=sentence):
        ordinal_batch.fit_many([0, 1], [0, 1], [[0], [1]], counts)


def test_malformed_replacements_are_refused():
    cohort = [0, 1], [0, 1], [[0], [1]]
    with pytest.raises(ValueError, match="no column 1"):
        ordinal_batch.fit_permuted(*cohort, 1, [[0, 1]])
    with pytest.raises(ValueError, match="one value for each outcome"):
        ordinal_batch.fit_permuted(*cohort, 0, [[0, 1, 2]])
    with pytest.raises(ValueError, match="finite"):
        ordinal_batch.fit_permuted(*cohort, 0, [[0, np.nan]])
    with pytest.raises(ValueError, match="one row of predictors"):
        ordinal_batch.fit_many([0, 1], [0, 1], [[0]], [[1, 1]])
    with pytest.raises(ValueError, match="between 0 and 1"):
        ordinal_batch.counts_of([[0, 2]], 2)
    with pytest.raises(ValueError, match="array of integers"):
        ordinal_batch.counts_of([[0.5, 1.0]], 2)
