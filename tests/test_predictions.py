"""Predictions: chances that add up, intervals of the delta method, bands of whole curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import krenning_model, predictions, terms
from captem.planned_models import KRENNING
from captem.terms import Plan
from figure_studies import study
from reference_cases import answer, load
from scipy.special import expit, logit
from studies import from_text

PLAN = Plan.of(0.5, {"covariates": [], "splines": []})


def made_up(n=40, seed=1, middle=True):
    random = np.random.default_rng(seed)
    pre = random.integers(0, 4, n)
    mib1 = np.exp(random.normal(2.3, 0.6, n)).round(1)
    step = random.integers(-1, 3, n)
    post = np.clip(pre + step, 0, 4)
    if not middle:
        post = np.where(post == 2, 3, post)
    return pd.DataFrame(
        {
            "patient_id": [f"p{i}" for i in range(n)],
            "source": "ward",
            "mib1_low": mib1, "mib1_high": mib1,
            "captem_cycles": pd.array(random.integers(2, 9, n), dtype="Int64"),
            "krenning_pre_low": pre, "krenning_pre_high": pre,
            "krenning_post_low": post, "krenning_post_high": post,
            "suvmax_pre": 5.0, "suvmax_post": 6.0,
        }
    )  # fmt: skip


def fit_of(patients):
    x = terms.columns(patients, KRENNING.terms, PLAN).to_numpy(dtype=float)
    found = krenning_model.fit(KRENNING, "all", "exploratory", patients, x)
    record = {"terms": list(KRENNING.terms)} | found.record
    return predictions.fitted(patients, record, PLAN), record


NAMES = list(KRENNING.terms)


def test_chances_are_the_means_of_those_of_the_patients():
    """Computed here patient by patient, from the definition of the model."""
    fit, _ = fit_of(made_up())
    grid = np.array([1.0, 2.5, 4.0])
    found = predictions.probabilities(fit, NAMES, "log2_mib1", grid).estimate
    for i, value in enumerate(grid):
        each = []
        for baseline, _ in fit.x:
            eta = fit.beta @ np.array([baseline, value])
            below = [0.0, *(1 / (1 + np.exp(-(t - eta))) for t in fit.thresholds), 1.0]
            each.append(np.diff(below))
        np.testing.assert_allclose(found[i], np.mean(each, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


def test_derivatives_against_numerical_ones():
    fit, _ = fit_of(made_up(seed=2))
    grid = np.array([2.0, 5.0])
    curves = predictions.probabilities(fit, NAMES, "log2_mib1", grid)
    gain = predictions.gains(fit, curves)
    m = len(fit.thresholds)
    parameters = np.concatenate([fit.thresholds, fit.beta])
    for q in range(len(parameters)):
        moved = []
        for sign in (1, -1):
            at = parameters.copy()
            at[q] += sign * 1e-6
            other = predictions.Fit(at[:m], at[m:], fit.covariance, fit.scores, fit.x, fit.baseline)
            chances = predictions.probabilities(other, NAMES, "log2_mib1", grid)
            moved.append((chances.estimate, predictions.gains(other, chances).estimate))
        np.testing.assert_allclose(
            curves.gradient[:, :, q], (moved[0][0] - moved[1][0]) / 2e-6, atol=1e-8
        )
        np.testing.assert_allclose(
            gain.gradient[:, :, q], (moved[0][1] - moved[1][1]) / 2e-6, atol=1e-8
        )


def test_of_one_patient_it_is_the_models_own_chance():
    patients = made_up(seed=3)
    fit, _ = fit_of(patients)
    alone = predictions.Fit(
        fit.thresholds, fit.beta, fit.covariance, fit.scores, fit.x[:1], fit.baseline[:1]
    )
    found = predictions.probabilities(alone, NAMES, "log2_mib1", fit.x[:1, 1]).estimate[0]
    below = expit(fit.thresholds - fit.x[0] @ fit.beta)
    np.testing.assert_allclose(found, np.diff([0.0, *below, 1.0]), rtol=1e-12)


def test_pointwise_intervals_hold_what_the_estimates_distribution_gives():
    """A large sample of parameters, put through the model: no delta method in it."""
    patients = made_up(n=400, seed=4)
    fit, _ = fit_of(patients)
    grid = np.array([3.0])
    curves = predictions.probabilities(fit, NAMES, "log2_mib1", grid)
    errors = predictions._errors(curves.gradient[:, 3], fit.covariance)
    low, high = predictions.interval(curves.estimate[:, 3], errors, 1.959964, "probability")
    random = np.random.default_rng(0)
    m = len(fit.thresholds)
    centre = np.concatenate([fit.thresholds, fit.beta])
    drawn = []
    for at in random.multivariate_normal(centre, fit.covariance, 4000):
        other = predictions.Fit(at[:m], at[m:], fit.covariance, fit.scores, fit.x, fit.baseline)
        drawn.append(predictions.probabilities(other, NAMES, "log2_mib1", grid).estimate[0, 3])
    sampled = np.quantile(drawn, [0.025, 0.975])
    np.testing.assert_allclose(logit([low[0], high[0]]), logit(sampled), atol=0.06)


# ordinal 2022.11.16, on the fit of case O03 (`fit` of its r_setup), one patient:
# predict(fit, data.frame(krenning_pre=1, lmib=4, cycles=6), se.fit=TRUE, interval=TRUE)
R_ALONE = {
    "fit": [0.0616857060527296, 0.183386448331353, 0.428483236367985, 0.276096984665665,
            0.0503476245822672],
    "se": [0.0428575365818684, 0.0707603327046974, 0.0855780689160609, 0.0731752618007289,
           0.0263706817680211],
    "lwr": [0.0151679964247011, 0.0816855827957441, 0.274287981719566, 0.156898900041777,
            0.0176685104446409],
    "upr": [0.219123400758362, 0.361818896603551, 0.597940288839178, 0.438728191556714,
            0.135153100685727],
}  # fmt: skip
# nd <- d; nd$lmib <- 4; colMeans(predict(fit, nd, type="prob")$fit), and its standard errors
# sqrt(diag(J V J')) with V = vcov(fit) and J by central differences in R
R_MEAN = [0.0397126049981725, 0.100599510109806, 0.257331504406966, 0.364040569064178,
          0.238315811420878]  # fmt: skip
R_MEAN_SE = [0.0260434425831, 0.0361076143675, 0.0535226488385, 0.0593171368859, 0.0461374813098]


def of_r(case, x):
    """The fit that R gives for a case, with rows `x` of patients."""
    meta, _ = load(case)
    coef, covariance = answer(meta, "coef"), answer(meta, "vcov")
    m = sum("|" in name for name in coef.index)
    return predictions.Fit(
        coef.to_numpy()[:m],
        coef.to_numpy()[m:],
        covariance.to_numpy(),
        tuple((k, k) for k in range(m + 1)),
        np.asarray(x, dtype=float),
        np.zeros(len(x)),
    )


def test_against_r_for_one_patient():
    fit = of_r("O03", [[1, 0, 6]])
    curves = predictions.probabilities(fit, ["pre", "lmib", "cycles"], "lmib", np.array([4.0]))
    np.testing.assert_allclose(curves.estimate[0], R_ALONE["fit"], rtol=1e-6)
    for k in range(5):
        errors = predictions._errors(curves.gradient[:, k], fit.covariance)
        ends = predictions.interval(curves.estimate[:, k], errors, 1.959963984540, "probability")
        found = [errors[0], ends[0][0], ends[1][0]]
        np.testing.assert_allclose(found, [R_ALONE[x][k] for x in ("se", "lwr", "upr")], rtol=1e-5)


def test_against_r_averaged_over_the_patients():
    d = load("O03")[1]["d"]
    fit = of_r("O03", np.column_stack([d["krenning_pre"], np.log2(d["mib1"]), d["cycles"]]))
    curves = predictions.probabilities(fit, ["pre", "lmib", "cycles"], "lmib", np.array([4.0]))
    np.testing.assert_allclose(curves.estimate[0], R_MEAN, rtol=1e-6)
    errors = [predictions._errors(curves.gradient[:, k], fit.covariance)[0] for k in range(5)]
    np.testing.assert_allclose(errors, R_MEAN_SE, rtol=1e-5)


def test_against_r_chances_of_wines():
    expected = answer(load("O01")[0], "predict_first6").to_numpy()
    # Rows 1, 3, 5 of the wine: cold without contact, cold with contact, warm without.
    for row, (temp, contact) in ((0, (0, 0)), (2, (0, 1)), (4, (1, 0))):
        fit = of_r("O01", [[0, contact]])
        found = predictions.probabilities(
            fit, ["temp", "contact"], "temp", np.array([float(temp)])
        ).estimate[0]
        np.testing.assert_allclose(found, expected[row], rtol=1e-5)


def test_a_band_holds_the_whole_curve_as_often_as_it_says():
    """Linear curves with normal estimates: what the critical value is exact for."""
    random = np.random.default_rng(5)
    covariance = np.array([[1.0, 0.3], [0.3, 0.5]])
    gradient = np.column_stack([np.ones(21), np.linspace(-2, 2, 21)])
    critical = predictions.critical_value(gradient, covariance, np.random.default_rng(6))
    errors = predictions._errors(gradient, covariance)
    draws = random.multivariate_normal([0, 0], covariance, 20000) @ gradient.T
    inside = (np.abs(draws) <= critical * errors).all(axis=1).mean()
    assert 0.94 < inside < 0.96
    # Two estimates: the band of Scheffe, sqrt(chi2_2), is an upper bound.
    assert 1.96 < critical < np.sqrt(5.9915)


def test_a_band_of_one_value_is_its_interval():
    critical = predictions.critical_value(
        np.array([[1.0, 0.0]]), np.eye(2), np.random.default_rng(1)
    )
    assert critical == pytest.approx(1.96, abs=0.06)


def test_a_score_that_nobody_has_has_no_chance_of_its_own():
    fit, record = fit_of(made_up(n=60, seed=7, middle=False))
    assert "1|3" in record["thresholds"]
    assert (2, 2) not in fit.scores
    assert {(0, 0), (1, 1), (3, 3), (4, 4)} == set(fit.scores)


def test_curves_of_the_example():
    curves = study(60).predictions
    statistics = study(60).statistics
    chances = curves[curves["quantity"].eq("probability")].astype({"value": float})
    assert len(chances[chances["over"].eq("mib1")]) == 41 * 5
    np.testing.assert_allclose(
        chances.groupby(["over", "value"])["estimate"].apply(lambda s: s.astype(float).sum()), 1
    )
    for name in ("conf_low", "conf_high", "band_low", "band_high"):
        assert pd.to_numeric(chances[name]).between(0, 1).all()
    assert (pd.to_numeric(chances["band_low"]) <= chances["conf_low"]).all()
    assert (pd.to_numeric(chances["band_high"]) >= chances["conf_high"]).all()
    observed = curves[curves["quantity"].eq("observed") & curves["over"].eq("mib1")]
    primary = statistics[statistics["row_id"].eq("model.krenning/krenning/all/log2_mib1")]
    assert observed["n_patients"].sum() == primary["n_patients"].iloc[0]
    assert set(pd.to_numeric(observed["value"]).round(6)) >= {5.0, 10.0}


def test_rows_of_the_statistics_lie_on_the_curves():
    curves, statistics = study(60).predictions, study(60).statistics
    rows = statistics[statistics["analysis"].eq("predicted.krenning")].set_index("term")
    curve = curves[
        curves["over"].eq("mib1") & curves["quantity"].eq("probability") & curves["score"].eq("3")
    ]
    values = np.log2(pd.to_numeric(curve["value"]))
    for value in (5, 10, 20):
        between = np.interp(np.log2(value), values, curve["estimate"])
        assert rows.loc[f"score_3_at_mib1_{value}", "estimate"] == pytest.approx(between, abs=1e-3)
    assert rows["row_id"].is_unique
    assert rows["interval_method"].eq("delta method, pointwise").all()


def test_the_expected_gain_is_that_of_the_chances():
    rows = study(60).statistics.set_index("term")
    rows = rows[rows["analysis"].eq("predicted.krenning")]
    expected = sum(score * rows.loc[f"score_{score}_at_mib1_10", "estimate"] for score in range(5))
    chosen = study(60).patients
    analysed = predictions.eligibility.analysed(chosen, "model.krenning")
    baseline = terms.midpoint(analysed, "krenning_pre").mean()
    assert rows.loc["gain_at_mib1_10", "estimate"] == pytest.approx(expected - baseline)


def test_a_refused_model_predicts_nothing_and_says_why():
    found = study(1)
    refused = found.predictions
    assert list(refused["status"]) == ["not_estimable", "not_estimable"]
    assert refused["reason"].notna().all()
    rows = found.statistics[found.statistics["analysis"].str.startswith("predicted.")]
    assert list(rows["status"]) == ["not_estimable", "not_estimable"]


def test_covariates_and_splines_are_held_as_they_are(tmp_path):
    patients = made_up(n=120, seed=8)
    text = pd.DataFrame(
        {
            "patient_id": patients["patient_id"],
            "krenning_pre": patients["krenning_pre_low"],
            "krenning_post": patients["krenning_post_low"],
            "mib1": patients["mib1_low"],
            "captem_cycles": patients["captem_cycles"],
            "age_years": np.random.default_rng(9).integers(30, 80, 120),
        }
    ).to_csv(index=False)
    models = {"covariates": ["age_years"], "splines": ["captem_cycles"]}
    found = from_text(tmp_path, text, models=models)
    assert "age_years" in found.models["model.krenning"]["all"]["terms"]
    assert "captem_cycles_nonlinear" in found.models["model.krenning_cycles"]["all"]["terms"]
    chances = found.predictions[found.predictions["quantity"].eq("probability")]
    assert set(chances["over"]) == {"mib1", "captem_cycles"}
    sums = chances.groupby(["over", "value"])["estimate"].sum()
    np.testing.assert_allclose(sums.astype(float), 1)


def test_the_same_seed_gives_the_same_bands():
    patients, records = study(60).patients, study(60).models
    first, second, other = (
        predictions.estimate(patients, records, PLAN, seed)[0] for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert not first["band_low"].equals(other["band_low"])
    assert first["conf_low"].equals(other["conf_low"])


def test_ranges_that_leave_a_threshold_open_give_no_chances_of_single_scores(tmp_path):
    """The odds ratio is known there, where one score ends and the next begins is not."""
    pairs = ("<=1,III-IV", "1-2,2-3", "0-1,1-2")
    rows = [f"E{i},{5 + i}-{6 + i},6,{pairs[i % 3]}" for i in range(12)]
    heading = "patient_id,mib1,captem_cycles,krenning_pre,krenning_post"
    study = from_text(tmp_path, "\n".join([heading, *rows]) + "\n")
    found = study.predictions[study.predictions["model"].eq("model.krenning")]
    assert list(found["status"]) == ["not_estimable"]
    assert "where one score ends" in found["reason"].iloc[0]
    row = study.statistics.set_index("row_id").loc["model.krenning/krenning/all/log2_mib1"]
    assert row["status"] != "not_estimable"
