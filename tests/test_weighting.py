"""Weights for follow-up against R's Firth fit, direct maximisation and simulated selection."""

from __future__ import annotations

import numpy as np
import pytest
from captem import missing, weighting
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.optimize import minimize
from scipy.special import expit, log_expit


def selection(n=300, seed=1, slope=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return rng.random(n) < expit(0.5 + slope * x[:, 0]), x


def penalised(beta, y, design) -> float:
    eta = design @ beta
    information = (design.T * (expit(eta) * expit(-eta))) @ design
    likelihood = y @ log_expit(eta) + (1 - y) @ log_expit(-eta)
    return float(likelihood + np.linalg.slogdet(information)[1] / 2)


def test_the_slopes_against_r():
    meta, frames = load("F01_endometrial")
    d = frames["d"]
    x = d[["NV", "PI", "EH"]].to_numpy(float)
    found = weighting.inverse_probability_weights(d["HG"], x)
    assert found.converged
    assert found.max_abs_score < 1e-8
    expected = answer(meta, "firth")["coef"]
    assert_matches(found.coefficients[1:], list(expected)[1:], meta)
    assert found.separated == (0,)
    assert found.probabilities.sum() == pytest.approx(d["HG"].sum(), abs=1e-9)
    eta = found.coefficients[0] + x @ found.coefficients[1:]
    np.testing.assert_allclose(found.probabilities, expit(eta), rtol=1e-10)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_the_slopes_against_another_optimiser(seed):
    y, x = selection(40, seed)
    design = np.column_stack([np.ones(40), x])
    best = minimize(lambda b: -penalised(b, y, design), np.zeros(3), options={"gtol": 1e-7})
    found = weighting.inverse_probability_weights(y, x)
    np.testing.assert_allclose(found.coefficients[1:], best.x[1:], atol=1e-4)


def test_weights_by_their_definition():
    y, x = selection()
    found = weighting.inverse_probability_weights(y, x)
    raw = y.mean() / found.probabilities[y]
    low, high = np.percentile(raw, [1, 99])
    np.testing.assert_allclose(found.weights[y], np.clip(raw, low, high), rtol=1e-12)
    assert (found.weights[~y] == 0).all()
    assert found.truncated == np.sum((raw < low) | (raw > high)) > 0
    assert (found.largest, found.mean) == (raw.max(), pytest.approx(1, abs=0.05))
    w = found.weights
    assert found.effective_n == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-12)
    assert found.effective_n < y.sum()
    assert found.smallest_probability == found.probabilities.min()
    assert not found.exploding
    assert found.aliased == found.separated == ()


def test_without_predictors_every_patient_counts_once():
    y, _ = selection()
    found = weighting.inverse_probability_weights(y, np.empty((len(y), 0)))
    np.testing.assert_allclose(found.weights[y], 1.0, rtol=1e-12)
    assert found.effective_n == pytest.approx(y.sum(), rel=1e-12)


def test_selection_on_what_is_known_is_undone():
    """The outcome is x + noise, of mean 0; those with a large x are scanned again more often."""
    plain, weighted = [], []
    for seed in range(60):
        y, x = selection(400, seed)
        outcome = x[:, 0] + np.random.default_rng(seed).normal(size=400)
        w = weighting.inverse_probability_weights(y, x).weights
        plain.append(outcome[y].mean())
        weighted.append(w @ outcome / w.sum())
    assert np.mean(plain) > 0.25
    assert np.mean(weighted) == pytest.approx(0.0, abs=0.06)


def test_units_origins_and_the_order_of_patients_do_not_matter():
    y, x = selection()
    plain = weighting.inverse_probability_weights(y, x)
    moved = weighting.inverse_probability_weights(y, x * [1000, 1e-3] + [738_000, 5])
    np.testing.assert_allclose(moved.weights, plain.weights, rtol=1e-8)
    turned = weighting.inverse_probability_weights(y[::-1], x[::-1])
    np.testing.assert_allclose(turned.weights[::-1], plain.weights, rtol=1e-10)


def test_collinear_columns_are_left_out_and_named():
    y, x = selection()
    wide = np.column_stack([np.full(len(y), 3.0), x, x[:, 0] - x[:, 1]])
    found = weighting.inverse_probability_weights(y, wide)
    plain = weighting.inverse_probability_weights(y, x)
    assert found.aliased == (0, 3)
    assert np.isnan(found.coefficients[[1, 4]]).all()
    np.testing.assert_allclose(found.weights, plain.weights, rtol=1e-9)


def test_a_group_never_scanned_again_is_seen():
    y, x = selection()
    old = (np.arange(len(y)) < 30).astype(float)
    y[:30] = False
    found = weighting.inverse_probability_weights(y, np.column_stack([x, old]))
    assert found.converged
    assert found.separated == (2,)
    assert found.smallest_probability < 0.02
    assert not found.exploding


def test_weights_that_explode_are_seen():
    """One of 41 patients with a high value was scanned again, of 200 others most."""
    high = np.repeat([0.0, 1.0], [200, 41])
    y = np.concatenate([np.arange(200) < 180, np.arange(41) < 1])
    found = weighting.inverse_probability_weights(y, high[:, None])
    assert found.exploding
    assert found.largest > 10
    assert found.weights.max() < found.largest


def test_the_weights_are_found_beside_the_other_answers_to_missing_values():
    assert missing.inverse_probability_weights is weighting.inverse_probability_weights


@pytest.mark.parametrize(
    ("observed", "x", "sentence"),
    [
        ([0, 1, 2], np.ones((3, 1)), "true or false"),
        ([0, 1, np.nan], np.ones((3, 1)), "true or false"),
        ([[0, 1]], np.ones((2, 1)), "true or false"),
        ([0, 1], np.ones(2), "one row"),
        ([0, 1], np.ones((3, 1)), "one row"),
        ([0, 1], [[1.0], [np.nan]], "finite"),
        ([1, 1], np.ones((2, 1)), "nothing to model"),
        ([0, 0], np.ones((2, 1)), "nothing to model"),
        ([], np.empty((0, 1)), "nothing to model"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(observed, x, sentence):
    with pytest.raises(ValueError, match=sentence):
        weighting.inverse_probability_weights(observed, x)
