"""Refits: under weights, the estimator that the model reports."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import criterion_model, krenning_model, model_parts, refits, suvmax_model
from reference_cases import load

OUTCOMES = ("krenning", "criterion", "suvmax")
REPORTED = {
    outcome: (
        model_parts.Model(f"model.{outcome}", outcome, (baseline, "log2_mib1"), "secondary"),
        module,
    )
    for outcome, baseline, module in (
        ("krenning", "krenning_pre", krenning_model),
        ("criterion", "krenning_pre", criterion_model),
        ("suvmax", "log2_suvmax_pre", suvmax_model),
    )
}


@pytest.fixture(scope="module")
def patients():
    data = load("O03")[1]["d"]
    score = data["krenning_post"]
    return pd.DataFrame(
        {
            "krenning_post_low": score - (np.arange(len(data)) % 7 == 3) * (score > 0),
            "krenning_post_high": score,
            "criterion_post": np.where(score >= 3, "yes", "no"),
            "suvmax_post": data["suvmax_post"],
            "krenning_pre": data["krenning_pre"],
            "log2_suvmax_pre": np.log2(data["suvmax_pre"]),
            "log2_mib1": np.log2(data["mib1"]),
        }
    )


def terms(outcome, patients):
    return patients[list(REPORTED[outcome][0].terms)].to_numpy(dtype=float)


def reported(outcome, patients):
    """The coefficients that the model's own module reports."""
    model, module = REPORTED[outcome]
    rows = module.fit(model, "all", "secondary", patients, terms(outcome, patients)).rows
    ratios = np.array([row["estimate"] for row in rows[: len(model.terms)]])
    return np.log2(ratios) if outcome == "suvmax" else np.log(ratios)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_weights_of_one_give_the_reported_estimate(outcome, patients):
    found = refits.refit(outcome, patients, terms(outcome, patients), np.ones((2, len(patients))))
    np.testing.assert_allclose(found, np.tile(reported(outcome, patients), (2, 1)), rtol=1e-6)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_weight_is_a_repetition(outcome, patients):
    counts = np.random.default_rng(4).multinomial(len(patients), [1 / len(patients)] * 60, 5)
    found = refits.refit(outcome, patients, terms(outcome, patients), counts)
    for row, times in zip(found, counts, strict=True):
        drawn = patients.loc[patients.index.repeat(times)]
        np.testing.assert_allclose(row, reported(outcome, drawn), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_estimate_is_nan_throughout(outcome, patients):
    x = terms(outcome, patients)
    same_outcome = patients["criterion_post"].eq("yes").to_numpy(dtype=float)
    same_outcome *= patients["krenning_post_low"].eq(3).to_numpy()
    same_baseline = (x[:, 0] == x[0, 0]).astype(float)
    weights = np.stack([np.zeros(60), same_baseline, np.ones(60), np.eye(60)[3], same_outcome])
    found = refits.refit(outcome, patients, x, weights)
    assert np.isnan(found[[0, 1, 3]]).all()
    assert np.isfinite(found[2]).all()
    assert np.isnan(found[4]).all() == (outcome != "suvmax")


def test_a_model_without_intercept_column_does_not_depend_on_units(patients):
    x = terms("suvmax", patients)
    weights = np.random.default_rng(5).random((3, 60))
    plain = refits.refit("suvmax", patients, x, weights)
    moved = refits.refit("suvmax", patients, x * [1000.0, 0.001] + [3e5, -7.0], weights)
    np.testing.assert_allclose(moved * [1000.0, 0.001], plain, rtol=1e-8)


def test_weighted_least_squares_against_statsmodels(patients):
    from statsmodels.regression.linear_model import WLS

    x = terms("suvmax", patients)
    weights = np.random.default_rng(6).random((4, 60)) * 3.0
    found = refits.refit("suvmax", patients, x, weights)
    design = np.column_stack([np.ones(60), x])
    y = np.log2(patients["suvmax_post"].to_numpy())
    for row, weight in zip(found, weights, strict=True):
        np.testing.assert_allclose(row, WLS(y, design, weights=weight).fit().params[1:], rtol=1e-9)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_weights_at_all_give_no_rows(outcome, patients):
    x = terms(outcome, patients)
    assert refits.refit(outcome, patients, x, np.ones((0, 60))).shape == (0, 2)


def test_malformed_input(patients):
    x = terms("krenning", patients)
    for outcome, columns, weights in (
        ("lesion", x, np.ones((1, 60))),
        ("krenning", x[:5], np.ones((1, 60))),
        ("krenning", x, np.ones(60)),
        ("krenning", x, -np.ones((1, 60))),
        ("krenning", x, np.full((1, 60), np.nan)),
    ):
        with pytest.raises(ValueError, match=r"."):
            refits.refit(outcome, patients, columns, weights)
