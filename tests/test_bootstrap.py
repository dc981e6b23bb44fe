"""Bootstrap intervals against R, against their definitions, and where they cannot be had."""

from __future__ import annotations

import numpy as np
import pytest
from captem import bootstrap
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy import stats

properties = settings(max_examples=80, deadline=None, derandomize=True)
numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


def reference():
    """Each statistic of B01: estimate, replicates computed as counts @ rows, jackknife."""
    meta, frames = load("B01_bootstrap")
    gain = (frames["d"]["krenning_post"] - frames["d"]["krenning_pre"]).to_numpy()
    n = len(gain)
    rows = frames["idx"].to_numpy() - 1
    counts = np.stack([np.bincount(row, minlength=n) for row in rows])
    out = {}
    for name, values in (("mean_gain", gain.astype(float)), ("prop_up", (gain > 0) * 1.0)):
        left_out = (values.sum() - values) / (n - 1)
        # A third of tenths and a tenth of thirds differ by rounding: the ties are to be found.
        out[name] = (values.mean(), (counts @ (values / n)), left_out)
    return meta, out


@pytest.mark.parametrize(("name", "check"), [("mean_gain", "bca_mean"), ("prop_up", "bca_prop")])
def test_bca_against_r(name, check):
    meta, cases = reference()
    found = bootstrap.bca_interval(*cases[name])
    expected = answer(meta, check)
    actual = [found.z0, found.acceleration, found.low, found.high]
    assert_matches(actual, expected[["z0", "a", "lower", "upper"]], meta)
    assert (found.used, found.not_estimated, found.beyond) == (999, 0, False)


@pytest.mark.parametrize("name", ["mean_gain", "prop_up"])
def test_percentile_against_r(name):
    meta, cases = reference()
    found = bootstrap.percentile_interval(cases[name][1])
    assert_matches([found.low, found.high], answer(meta, "percentile_type6").loc[name], meta)


def test_bca_of_a_continuous_statistic_against_scipy():
    """Without ties, scipy's BCa differs only in its quantiles (type 7), which 9,999 hardly show."""
    rng = np.random.default_rng(5)
    sample = np.exp(rng.normal(size=25))
    counts = bootstrap.resamples(25, 9_999, seed=3)
    left_out = (sample.sum() - sample) / 24
    found = bootstrap.bca_interval(sample.mean(), counts @ sample / 25, left_out)
    other = stats.bootstrap(
        (sample,), np.mean, n_resamples=0, method="BCa",
        bootstrap_result=stats._resampling.BootstrapResult(
            confidence_interval=None, bootstrap_distribution=counts @ sample / 25,
            standard_error=None,
        ),
    ).confidence_interval  # fmt: skip
    np.testing.assert_allclose([found.low, found.high], other, rtol=5e-3)


@properties
@given(st.lists(numbers, min_size=1, max_size=60), st.floats(0.001, 0.999))
def test_the_quantile_is_numpys_weibull(values, share):
    ascending = np.sort(np.array(values))
    expected = np.quantile(ascending, share, method="weibull")
    assert bootstrap.quantile6(ascending, share) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@properties
@given(st.lists(numbers, min_size=2, max_size=30), st.lists(numbers, min_size=2, max_size=10))
def test_turning_the_scale_turns_the_interval(replicates, left_out):
    values, left_out = np.array(replicates), np.array(left_out)
    estimate = float(np.median(values))
    found = bootstrap.bca_interval(estimate, values, left_out, 0.8)
    turned = bootstrap.bca_interval(-estimate, -values, -left_out, 0.8)
    np.testing.assert_allclose([-turned.high, -turned.low], [found.low, found.high], atol=1e-4)


def test_a_symmetric_distribution_without_skewness_gives_the_percentile_interval():
    values = np.repeat([-1.0, 0.0, 1.0], 333)
    found = bootstrap.bca_interval(0.0, values, [-0.1, 0.0, 0.1])
    assert (found.z0, found.acceleration) == (0.0, 0.0)
    plain = bootstrap.percentile_interval(values)
    assert (found.low, found.high) == (plain.low, plain.high)


def test_replicates_without_an_estimate_are_left_out_and_counted():
    values = np.append(np.arange(1.0, 100.0), [np.nan] * 7)
    found = bootstrap.bca_interval(50.0, values, [1.0, 2.0, 3.0], 0.9)
    assert (found.used, found.not_estimated) == (99, 7)
    assert (found.low, found.high) == (5.0, 95.0)


def test_infinite_replicates_keep_their_place():
    values = np.append(np.arange(1.0, 90.0), [np.inf] * 10)
    found = bootstrap.percentile_interval(values, 0.9)
    assert (found.low, found.high) == (5.0, np.inf)


def test_too_few_replicates_for_the_level_are_said():
    found = bootstrap.percentile_interval(np.arange(20.0))
    assert found.beyond
    assert (found.low, found.high) == (0.0, 19.0)
    assert not bootstrap.percentile_interval(np.arange(39.0)).beyond


@pytest.mark.parametrize(
    ("estimate", "replicates", "left_out"),
    [
        (9.0, [1.0, 2.0, 3.0], [1.0, 2.0]),
        (0.0, [1.0, 2.0, 3.0], [1.0, 2.0]),
        (np.nan, [1.0, 2.0, 3.0], [1.0, 2.0]),
        (2.0, [], [1.0, 2.0]),
        (2.0, [np.nan], [1.0, 2.0]),
        (2.0, [1.0, 2.0, 3.0], [1.0, np.inf]),
        (2.0, [1.0, 2.0, 3.0], []),
    ],
)
def test_an_interval_that_cannot_be_had_is_nan(estimate, replicates, left_out):
    found = bootstrap.bca_interval(estimate, replicates, left_out)
    assert np.isnan([found.low, found.high]).all()


def test_a_denominator_that_runs_out_is_nan():
    """With one row far from the others a is large, and 1 - a (z0 + z) passes through 0."""
    left_out = np.array([0.0] * 100 + [1.0])
    values = np.concatenate([np.full(1, 1.0), np.full(999, -1.0)])
    found = bootstrap.bca_interval(0.5, values, -left_out, 0.9999)
    assert found.acceleration * (found.z0 + 3.89) > 1
    assert np.isnan(found.high)


def test_the_same_row_left_out_changes_nothing():
    found = bootstrap.bca_interval(0.3, [0.2, 0.3, 0.4], [0.1 + 0.2, 0.3, 0.3])
    assert found.acceleration == 0.0


def test_resamples_are_the_same_for_the_same_seed():
    counts = bootstrap.resamples(12, 400, seed=8)
    assert counts.shape == (400, 12)
    assert (counts.sum(axis=1) == 12).all()
    assert (counts == bootstrap.resamples(12, 400, seed=8)).all()
    assert (counts != bootstrap.resamples(12, 400, seed=9)).any()
    assert counts.mean(axis=0) == pytest.approx(np.ones(12), abs=0.2)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_malformed_input_is_refused(level):
    with pytest.raises(ValueError, match="confidence level"):
        bootstrap.percentile_interval([1.0], level)
    with pytest.raises(ValueError, match="confidence level"):
        bootstrap.bca_interval(1.0, [1.0], [1.0], level)
    with pytest.raises(ValueError, match="one-dimensional"):
        bootstrap.percentile_interval([[1.0]])
    with pytest.raises(ValueError, match="one-dimensional"):
        bootstrap.bca_interval(1.0, [1.0], [[1.0]])
    with pytest.raises(ValueError, match="at least one"):
        bootstrap.resamples(0, 5, seed=1)
