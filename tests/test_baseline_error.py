"""Noise in the baseline score: regression calibration against its closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from captem import baseline_error, bias, bias_reduced, krenning_model, statistics
from captem.baseline_error import Naive, Noise
from captem.schemas import STATISTICS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

Z = float(ndtri(0.975))
SWEEP = (0.5, 0.6, 0.7, 0.8, 0.9)


def study(seed: int, n: int = 60, correlation: float = -0.5, effect: float = 0.0):
    """Follow-up scores (n,) and x (n, 2); true uptake is behind both and behind MIB1."""
    rng = np.random.default_rng(seed)
    true, other, error = rng.normal(size=(3, n))
    cuts = ndtri([0.2, 0.4, 0.6, 0.8])
    before = np.searchsorted(cuts, math.sqrt(0.8) * true + math.sqrt(0.2) * error)
    mib1 = correlation * true + math.sqrt(1 - correlation**2) * other
    after = np.searchsorted(3 * cuts - 1, 3 * true + effect * mib1 + rng.logistic(size=n))
    return after, np.column_stack([before, 3 + 1.5 * mib1])


def naive_of(y, x) -> Naive:
    fit = bias_reduced.fit(y, y, x)
    return Naive(fit.beta, fit.covariance[-2:, -2:], x)


def rows_of(y, x, reliabilities=SWEEP, shares=bias.EQUAL_SHARES):
    return {
        row["row_id"]: row for row in baseline_error.rows("all", y, y, x, reliabilities, shares)
    }


def name(variant: str) -> str:
    return f"sensitivity.baseline_error/krenning/all/log2_mib1/{variant}"


def test_noise_of_a_score_is_that_of_two_scores_drawn():
    rng = np.random.default_rng(1)
    shares = bias.shares_of([1, 3, 6, 6, 4])
    cuts = ndtri(np.cumsum(shares)[:-1])
    true, *errors = rng.normal(size=(3, 400_000))
    first, second = (
        np.searchsorted(cuts, math.sqrt(0.7) * true + math.sqrt(0.3) * e) for e in errors
    )
    found = baseline_error.noise(0.7, shares)
    assert found.correlation == pytest.approx(np.corrcoef(first, second)[0, 1], abs=0.003)
    assert found.variance == pytest.approx(((first - second) ** 2).mean() / 2, abs=0.005)


def test_a_reading_that_repeats_itself_leaves_the_reported_row():
    y, x = study(1)
    model = baseline_error.KRENNING
    outcomes = pd.DataFrame({"krenning_post_low": y, "krenning_post_high": y})
    reported = krenning_model.fit(model, "all", "primary", outcomes, x).rows[1]
    assert reported["row_id"] == "model.krenning/krenning/all/log2_mib1"
    row = rows_of(y, x, [1.0])[name("reliability_1")]
    for column in ("estimate", "conf_low", "conf_high", "statistic", "p_value"):
        assert row[column] == pytest.approx(reported[column], rel=1e-12)
    assert row["status"] == reported["status"]


def test_the_correction_undoes_normal_noise_exactly_where_it_is_known():
    """Moments of a normal model taken as the sample: W, Z and a linear follow-up are exact."""
    rng = np.random.default_rng(3)
    x = rng.multivariate_normal([0, 0], [[1, -0.4], [-0.4, 1]], size=200)
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, ddof=0)).T)
    # Population: X and Z with variance 1 and covariance -.5, W = X + noise of variance .25.
    together = np.array([[1.25, -0.5], [-0.5, 1.0]])
    x = x @ np.linalg.cholesky(together).T
    beta_x, beta_z = 2.0, 0.3
    gamma = np.linalg.solve(together, np.array([[1.0, -0.5], [-0.5, 1.0]]) @ [beta_x, beta_z])
    assert abs(gamma[1] - beta_z) > 0.2
    found = baseline_error.corrected(
        Naive(gamma, np.zeros((2, 2)), x), Noise(correlation=1 / 1.25, variance=0.25)
    )
    # t is divided by n - 2, the moments by n.
    assert found.beta == pytest.approx(beta_z, abs=0.01)


def test_choosing_by_the_observed_baseline_leaves_the_correction_as_it_is():
    """beta_Z from the moments of those with a low W is that of everybody."""
    rng = np.random.default_rng(4)
    true, other, error = rng.normal(size=(3, 400_000))
    z = -0.5 * true + math.sqrt(0.75) * other
    w = true + 0.5 * error
    y = 2.0 * true + 0.3 * z
    low = w < -0.3
    x = np.column_stack([w, z])[low]
    design = np.column_stack([np.ones(low.sum()), x])
    gamma = np.linalg.lstsq(design, y[low], rcond=None)[0][1:]
    naive = Naive(gamma, np.zeros((2, 2)), x)
    found = baseline_error.corrected(naive, Noise(correlation=0.8, variance=0.25))
    assert abs(gamma[1] - 0.3) > 0.2
    assert found.beta == pytest.approx(0.3, abs=0.02)
    # The reliability among those chosen is lower, and would correct too much.
    own = Noise(correlation=1 - 0.25 / w[low].var(), variance=0.25)
    wrong = baseline_error.corrected(naive, own)
    assert wrong is None or abs(wrong.beta - 0.3) > 0.1


def test_standard_error_against_a_bootstrap():
    y, x = study(5, n=150)
    noise = baseline_error.noise(0.8)
    found = baseline_error.corrected(naive_of(y, x), noise)
    rng = np.random.default_rng(6)
    again = []
    for _ in range(300):
        i = rng.integers(len(y), size=len(y))
        again.append(baseline_error.corrected(naive_of(y[i], x[i]), noise).beta)
    assert found.error == pytest.approx(np.std(again), rel=0.15)


def test_size_is_nearer_five_percent_than_without_correction():
    noise = baseline_error.noise(0.8)
    plain, mended = [], []
    for seed in range(250):
        naive = naive_of(*study(1000 + seed))
        found = baseline_error.corrected(naive, noise)
        plain.append(abs(naive.gamma[1]) > Z * math.sqrt(naive.covariance[1, 1]))
        mended.append(abs(found.beta) > Z * found.error)
    assert np.mean(plain) > 0.15
    assert np.mean(mended) < 0.08


@given(st.integers(0, 200), st.sampled_from([0.3, 2.0, 10.0]), st.floats(-5, 5))
@settings(max_examples=15, deadline=None)
def test_unit_and_origin_of_mib1_do_not_matter(seed, scale, shift):
    y, x = study(seed, n=40)
    naive = naive_of(y, x)
    turned = naive_of(y, x * [1, scale] + [0, shift])
    noise = baseline_error.noise(0.8)
    one, other = baseline_error.corrected(naive, noise), baseline_error.corrected(turned, noise)
    assert (one is None) == (other is None)
    if one is not None:
        assert other.beta * scale == pytest.approx(one.beta, rel=1e-6, abs=1e-9)
        assert other.error * scale == pytest.approx(one.error, rel=1e-6)
        assert other.clear == one.clear


def test_rows_in_another_order_are_the_same():
    y, x = study(7)
    turned = np.random.default_rng(8).permutation(len(y))
    for key, row in rows_of(y, x).items():
        other = rows_of(y[turned], x[turned])[key]
        assert other["status"] == row["status"]
        if row["status"] != "not_estimable":
            assert other["estimate"] == pytest.approx(row["estimate"], rel=1e-9)


def tipping_studies():
    found = []
    for seed in range(40):
        y, x = study(seed)
        naive = naive_of(y, x)
        if abs(naive.gamma[1]) > Z * math.sqrt(naive.covariance[1, 1]):
            found.append((y, x, naive))
    return found


def test_tipping_values_are_where_the_sweep_crosses():
    studies = tipping_studies()
    assert len(studies) > 5
    for y, x, naive in studies:
        tip = baseline_error.tipping_interval(naive)
        above = baseline_error.corrected(naive, baseline_error.noise(tip + 1e-4))
        below = baseline_error.corrected(naive, baseline_error.noise(tip - 1e-4))
        assert abs(above.beta) > Z * above.error
        assert abs(below.beta) < Z * below.error
        tip = baseline_error.tipping(naive)
        if tip is not None:
            at = baseline_error.corrected(naive, baseline_error.noise(tip))
            assert at.beta == pytest.approx(0, abs=1e-6)
            row = rows_of(y, x)[name("tipping")]
            assert (row["estimate"], row["estimand"]) == (tip, "reliability")
            assert row.get("p_value") is None


def test_where_the_correction_leads_away_from_one_there_is_no_tipping_value():
    x = study(9)[1]
    naive = Naive(np.array([1.0, 0.3]), np.diag([0.04, 0.01]), x)
    assert np.corrcoef(x.T)[0, 1] < 0
    assert baseline_error.tipping(naive) is None
    assert 0 < baseline_error.tipping_interval(naive) < 1
    towards = Naive(np.array([1.0, -0.3]), np.diag([0.04, 0.01]), x)
    assert 0 < baseline_error.tipping(towards) < baseline_error.tipping_interval(towards) < 1


def test_an_interval_that_includes_one_anyway_has_no_tipping_value():
    seed = next(
        s for s in range(50) if baseline_error.tipping_interval(naive_of(*study(s))) is None
    )
    row = rows_of(*study(seed))[name("tipping_interval")]
    assert row["status"] == "not_estimable"
    assert "includes an odds ratio of 1 as it is" in row["reason"]


def test_a_baseline_that_may_be_noise_given_mib1_is_refused():
    y, x = study(10)
    x[:, 1] = x[:, 0] + np.random.default_rng(1).normal(scale=0.4, size=len(x))
    row = rows_of(y, x, [0.5, 0.9])[name("reliability_0.5")]
    assert row["status"] == "not_estimable"
    assert "may all be noise" in row["reason"]
    assert row.get("estimate") is None


def test_what_refuses_the_primary_model_refuses_these():
    y, x = study(11, n=4)
    for row in rows_of(y, x).values():
        assert row["status"] == "not_estimable"
        assert "parameters" in row["reason"] or "effective" in row["reason"]
    y, x = study(12)
    x[:, 0] = 2
    assert all("cannot be told apart" in row["reason"] for row in rows_of(y, x).values())


def test_what_makes_the_primary_model_unstable_makes_these():
    y, x = study(13, n=23)
    row = rows_of(y, x)[name("reliability_0.9")]
    assert row["status"] == "unstable"
    assert "effective observations per coefficient" in row["reason"]


def test_screened_with_one_score_only_leave_nothing_to_sweep():
    rows = rows_of(*study(14), shares=bias.shares_of([0, 0, 7, 0, 0]))
    assert {row["status"] for row in rows.values()} == {"not_estimable"}
    with pytest.raises(ValueError, match="one score"):
        baseline_error.noise(0.8, (0.0, 0.0, 1.0, 0.0, 0.0))


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(-0.95, 0.95))
@settings(max_examples=60, deadline=None)
def test_never_a_number_that_is_none(seed, n, correlation):
    rows = list(rows_of(*study(seed, n, correlation), (0.0, 0.4, 0.8, 0.99)).values())
    STATISTICS.validate(statistics.frame(rows))
    for row in rows:
        if row["status"] == "not_estimable":
            assert row["reason"]
            assert row.get("estimate") is None
        elif row["estimand"] == "reliability":
            assert 0 <= row["estimate"] <= 1
        else:
            assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"] < math.inf
            assert "assumes" in row["reason"]


@pytest.mark.parametrize("correlation", [0.0, -0.7])
def test_variance_of_the_correction_is_that_of_the_jackknife(correlation):
    """With gamma known, only c varies; with little of W left over MIB1 its denominator does too."""
    x, noise = study(15, 80, correlation)[1], baseline_error.noise(0.75)

    def at(rows):
        return baseline_error.corrected(Naive(np.array([-1.0, 0.0]), np.zeros((2, 2)), rows), noise)

    left_out = np.array([at(np.delete(x, i, axis=0)).beta for i in range(len(x))])
    spread = math.sqrt((len(x) - 1) * left_out.var())
    assert at(x).error == pytest.approx(spread, rel=0.05)
