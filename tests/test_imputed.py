"""Imputed predictors: the complete-case answer where gaps say nothing, and refusals in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import (
    bias_reduced,
    criterion_model,
    firth,
    imputed,
    influence,
    krenning_model,
    limits,
    missing,
    model_parts,
    rubin,
    suvmax_model,
)

MODULES = {"krenning": krenning_model, "criterion": criterion_model, "suvmax": suvmax_model}
MODELS = {
    outcome: model_parts.Model(f"model.{outcome}", outcome, (baseline, "log2_mib1"), "secondary")
    for outcome, baseline in (
        ("krenning", "krenning_pre"),
        ("criterion", "krenning_pre"),
        ("suvmax", "log2_suvmax_pre"),
    )
}
OUTCOMES = tuple(MODELS)


def cohort(n: int, seed: int, effect: float = 0.5) -> pd.DataFrame:
    """Patients whose MIB1 goes with the baseline, and with the follow-up by `effect`."""
    rng = np.random.default_rng(seed)
    uptake = rng.normal(size=n)
    log2_mib1 = np.log2(np.exp(2.0 - 0.5 * uptake + 0.9 * rng.normal(size=n)).round() + 1.0)
    pre = np.clip(np.round(2.0 + uptake), 0, 4).astype(int)
    latent = pre - 2.0 + effect * (log2_mib1 - 3.0) + rng.logistic(size=n)
    post = np.digitize(latent, [-2.0, -0.5, 0.7, 2.0])
    return pd.DataFrame(
        {
            "krenning_pre_low": pre,
            "krenning_pre_high": pre,
            "krenning_post_low": post,
            "krenning_post_high": post,
            "criterion_post": np.where(latent > 0.0, "yes", "no"),
            "suvmax_pre": 2.0 ** (3.0 + uptake),
            "suvmax_post": 2.0 ** (3.0 + uptake + effect * log2_mib1 + rng.normal(size=n)),
            "krenning_pre": pre,
            "log2_mib1": log2_mib1,
            "log2_suvmax_pre": 3.0 + uptake,
        }
    )


def terms(outcome: str, patients: pd.DataFrame) -> np.ndarray:
    return patients[list(MODELS[outcome].terms)].to_numpy(dtype=float)


def without(patients: pd.DataFrame, share: float, seed: int = 1) -> pd.DataFrame:
    """Take MIB1 away from a share of the patients, whoever they are."""
    gone = np.random.default_rng(seed).permutation(len(patients)) < share * len(patients)
    return patients.assign(log2_mib1=patients["log2_mib1"].mask(gone))


def found(outcome, patients, seed=1, subset="all", model=None, x=None):
    x = terms(outcome, patients) if x is None else x
    return imputed.rows(model or MODELS[outcome], subset, patients, x, seed)


def complete(outcome, patients):
    patients = patients[patients["log2_mib1"].notna()]
    model = MODELS[outcome]
    return MODULES[outcome].fit(model, "all", "secondary", patients, terms(outcome, patients)).rows


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_rows_and_record(outcome):
    patients = without(cohort(90, seed=2), 0.3)
    result = found(outcome, patients)
    names = [f"{MODELS[outcome].analysis}/{outcome}/all/{t}/imputed" for t in MODELS[outcome].terms]
    assert [row["row_id"] for row in result.rows] == names
    row = result.rows[1]
    assert (row["role"], result.rows[0]["role"]) == ("sensitivity", "descriptive")
    assert row["conf_low"] < row["estimate"] < row["conf_high"]
    assert row["n_patients"] == 90
    assert row["interval_method"] == row["p_method"]
    assert row["interval_method"].endswith("multiple imputation, Barnard-Rubin t")
    assert ("n_events" in row) == (outcome == "criterion")
    record = result.record
    assert (record["incomplete"], record["imputations"]) == (27, 30)
    assert record["fraction_missing"] == pytest.approx(0.3)
    assert record["missing"]["log2_mib1"] == 27
    other = ["krenning_pre", "krenning_post"]
    if outcome != "suvmax":
        other = ["log2_suvmax_pre", "log2_suvmax_post"]
    assert record["auxiliaries"] == other
    assert set(record["rhat"]) == {"log2_mib1"}
    assert 0.0 < record["fraction_of_missing_information"]["log2_mib1"] < 0.7
    log = np.log2 if outcome == "suvmax" else np.log
    assert log(row["estimate"]) == pytest.approx(record["coefficients"]["log2_mib1"])
    assert row["df"] < 90 - 3


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_pooled_fits_are_those_of_the_single_engines(outcome):
    """The same tables, one fit after another by the engine of the reported row."""
    patients = without(cohort(60, seed=3), 0.25).sort_values("log2_mib1", ignore_index=True)
    result = found(outcome, patients)
    made = []

    def remembered(*arguments, **options):
        made.append(missing_impute(*arguments, **options))
        return made[-1]

    missing_impute = missing.impute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(missing, "impute", remembered)
        again = found(outcome, patients)
    assert again.rows == result.rows
    estimates, variances = [], []
    for table in made[0].values:
        x, follow_up = table[:, :2], table[:, 2]
        if outcome == "krenning":
            fit = bias_reduced.fit(follow_up.astype(int), follow_up.astype(int), x)
            estimates.append(fit.beta)
            variances.append(np.diag(fit.covariance)[-2:])
        elif outcome == "criterion":
            single = firth.fit(follow_up, x)
            estimates.append(single.coefficients[1:])
            variances.append(single.standard_errors[1:] ** 2)
        else:
            line = influence.ols(follow_up, x)
            estimates.append(line.coefficients[1:])
            variances.append(line.standard_errors_hc3[1:] ** 2)
    parameters = {"krenning": 6, "criterion": 3, "suvmax": 3}[outcome]
    pooled = rubin.pool(estimates, variances, 60 - parameters)
    for i, row in enumerate(result.rows):
        back = np.exp2 if outcome == "suvmax" else np.exp
        assert row["estimate"] == pytest.approx(back(pooled.estimate[i]), rel=1e-6)
        assert row["conf_low"] == pytest.approx(back(pooled.conf_low[i]), rel=1e-6)
        assert row["conf_high"] == pytest.approx(back(pooled.conf_high[i]), rel=1e-6)
        assert row["p_value"] == pytest.approx(pooled.p_value[i], rel=1e-5)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_gaps_by_chance_give_about_the_complete_case_answer(outcome):
    back = np.log2 if outcome == "suvmax" else np.log
    apart = []
    for seed in range(4):
        patients = without(cohort(80, seed=20 + seed), 0.2, seed)
        alone = complete(outcome, patients)[1]
        pooled = found(outcome, patients).rows[1]
        apart.append(back(pooled["estimate"] / alone["estimate"]))
        # Never narrower than if nothing had been missing, by more than chance.
        error = back(alone["conf_high"] / alone["conf_low"]) / 2
        assert abs(apart[-1]) < 0.5 * error
        assert back(pooled["conf_high"] / pooled["conf_low"]) / 2 > 0.7 * error
    assert abs(np.mean(apart)) < 0.1


def test_covariate_gaps_bring_their_patients_back():
    """A covariate that says nothing, missing in many: the answer is nearly that without it."""
    patients = cohort(80, seed=5)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=80)
    noise[rng.permutation(80)[:30]] = np.nan
    model = model_parts.Model(
        "model.suvmax", "suvmax", (*MODELS["suvmax"].terms, "age_years"), "secondary",
        (("age_years", "per 10 years"),),
    )  # fmt: skip
    x = np.column_stack([terms("suvmax", patients), noise])
    row = found("suvmax", patients, model=model, x=x).rows[1]
    whole = complete("suvmax", patients)[1]
    assert row["n_patients"] == 80
    assert row["estimate"] == pytest.approx(whole["estimate"], rel=0.05)
    width = np.log(row["conf_high"] / row["conf_low"])
    assert width == pytest.approx(np.log(whole["conf_high"] / whole["conf_low"]), rel=0.15)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_order_of_patients_does_not_matter_and_the_seed_does(outcome):
    patients = without(cohort(60, seed=7), 0.2)
    shuffled = patients.sample(frac=1.0, random_state=3)
    first = found(outcome, patients)
    assert found(outcome, patients).rows == first.rows
    for row, other in zip(first.rows, found(outcome, shuffled).rows, strict=True):
        assert row["estimate"] == pytest.approx(other["estimate"], rel=1e-9)
        assert row["conf_low"] == pytest.approx(other["conf_low"], rel=1e-9)
    values = {first.rows[1]["estimate"]}
    values |= {found(outcome, patients, seed=2).rows[1]["estimate"]}
    values |= {found(outcome, patients, subset="confirmatory").rows[1]["estimate"]}
    assert len(values) == 3


def refusal(result) -> str:
    assert {row["status"] for row in result.rows} == {"not_estimable"}
    assert {row["row_id"].rsplit("/", 1)[1] for row in result.rows} == {"imputed"}
    assert not {"estimate", "conf_low", "p_value"} & set(result.rows[0])
    (reason,) = {row["reason"] for row in result.rows}
    assert result.record["reason"] == reason
    return reason


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_refusals(outcome):
    patients = cohort(60, seed=8)
    nobody = "no term that the model keeps is missing"
    assert refusal(found(outcome, patients)) == nobody
    few = without(cohort(limits.MIN_FOR_IMPUTATION - 1, seed=8), 0.2)
    assert f"imputation needs {limits.MIN_FOR_IMPUTATION}" in refusal(found(outcome, few))
    assert "too many to impute" in refusal(found(outcome, without(patients, 0.51)))
    assert refusal(found(outcome, without(patients, 1.0)))
    assert refusal(found(outcome, without(patients, 0.2).iloc[:1])).startswith("only one patient")
    assert refusal(found(outcome, without(patients, 0.2).iloc[:0])).startswith("no patient")
    copied = without(patients, 0.2)
    known = copied["log2_mib1"].notna()
    copied.loc[known, MODELS[outcome].terms[0]] = 1.0
    assert "cannot be told apart" in refusal(found(outcome, copied))


def test_one_outcome_is_refused():
    patients = without(cohort(60, seed=8), 0.2)
    same = patients.assign(criterion_post="no", krenning_post_low=2, krenning_post_high=2)
    for outcome in ("criterion", "krenning"):
        assert "the same in all patients" in refusal(found(outcome, same))


def test_columns_that_belong_together_are_not_imputed_apart():
    patients = cohort(60, seed=8)
    gap = np.where(np.arange(60) < 6, np.nan, np.arange(60) % 2)
    for names, part in (
        (("sex=male", "sex=other"), "sex has several levels"),
        (("log2_mib1_nonlinear", "sex=male"), "made of another term"),
    ):
        model = model_parts.Model(
            "model.suvmax", "suvmax", (*MODELS["suvmax"].terms, *names), "secondary"
        )
        second = np.where(np.isnan(gap), np.nan, (np.arange(60) % 3 == 0) & (gap == 0))
        x = np.column_stack([terms("suvmax", patients), gap, second])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model_parts, "UNITS", model_parts.UNITS | dict.fromkeys(names, "step"))
            assert part in refusal(found("suvmax", patients, model=model, x=x))


def test_a_score_that_separates_is_unstable():
    patients = cohort(60, seed=9)
    rank = patients["log2_mib1"].rank(method="first")
    patients = patients.assign(criterion_post=np.where(rank > 30, "yes", "no"))
    patients["log2_mib1"] = rank / 10.0
    row = found("criterion", without(patients, 0.05)).rows[1]
    assert row["status"] == "unstable"
    assert "imputed tables the terms separate the outcomes" in row["reason"]
    assert np.isfinite([row["estimate"], row["conf_low"], row["conf_high"]]).all()


def test_baseline_is_never_imputed():
    patients = without(cohort(60, seed=8), 0.2)
    x = terms("krenning", patients)
    x[3, 0] = np.nan
    with pytest.raises(ValueError, match="never imputed"):
        imputed.rows(MODELS["krenning"], "all", patients, x, 1)
    with pytest.raises(ValueError, match="one row of terms"):
        imputed.rows(MODELS["krenning"], "all", patients, x[:5], 1)


def test_candidates_lack_what_can_be_imputed_only():
    patients = pd.DataFrame(
        {
            "krenning_pre_low": [1, 1, 1, None, 1],
            "krenning_post_low": [2, 2, 2, 2, None],
            "krenning_post_high": [2, 2, 2, 2, None],
            "mib1_low": [5.0, np.nan, 20.0, 5.0, 5.0],
            "mib1_high": [5.0, np.nan, np.inf, 5.0, 5.0],
            "captem_cycles": [np.nan, 3, 3, 3, 3],
        }
    ).astype({"krenning_post_low": "Int64", "krenning_post_high": "Int64"})
    kept = imputed.candidates(patients, "model.krenning_cycles")
    assert kept.index.tolist() == [0, 1]


def test_auxiliaries_of_few_patients_stay_out():
    patients = without(cohort(60, seed=8), 0.2)
    patients.loc[patients.index[:31], "suvmax_post"] = np.nan
    patients.loc[patients.index[:10], "suvmax_pre"] = np.nan
    result = found("krenning", patients)
    assert result.record["auxiliaries"] == ["log2_suvmax_pre"]
    assert set(result.record["rhat"]) == {"log2_mib1", "log2_suvmax_pre"}
    alone = found("krenning", patients.drop(columns=["suvmax_pre", "suvmax_post"]))
    assert alone.record["auxiliaries"] == []
    assert alone.rows[1]["status"] == "ok"


def test_interval_scores_stay_intervals():
    patients = without(cohort(60, seed=8), 0.2)
    wide = patients.assign(krenning_post_low=(patients["krenning_post_low"] - 1).clip(lower=0))
    points, intervals = found("krenning", patients).rows[1], found("krenning", wide).rows[1]
    assert intervals["status"] in ("ok", "unstable")
    assert intervals["estimate"] != points["estimate"]


def test_chains_that_have_not_settled_are_said(monkeypatch):
    monkeypatch.setattr(limits, "MAX_RHAT", 0.5)
    row = found("suvmax", without(cohort(60, seed=8), 0.2)).rows[1]
    assert row["status"] == "unstable"
    assert "had not settled" in row["reason"]
