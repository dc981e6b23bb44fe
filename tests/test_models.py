"""Models: the right estimates, and a refusal in words where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import bias_reduced, firth, limits, model_parts, ordinal, suvmax_model, terms
from reference_cases import answer, assert_matches, load
from statsmodels.stats.multitest import multipletests
from studies import from_text, shipped

ML = "maximum_likelihood"


def reported(study_rows: pd.DataFrame, analysis: str) -> pd.DataFrame:
    """Return the rows of a model but those with missing terms imputed."""
    chosen = study_rows["analysis"].str.startswith(analysis)
    return study_rows[chosen & ~study_rows["row_id"].str.endswith("/imputed")]


def cohort_table(data: pd.DataFrame) -> str:
    columns = ["patient_id", "krenning_pre", "krenning_post", "suvmax_pre", "suvmax_post", "mib1"]
    renamed = data.rename(columns={"cycles": "captem_cycles"})
    return renamed[[*columns, "captem_cycles"]].to_csv(index=False)


@pytest.fixture(scope="module")
def cohort60(tmp_path_factory):
    meta, frames = load("O03")
    folder = tmp_path_factory.mktemp("cohort60")
    return meta, frames["d"], from_text(folder, cohort_table(frames["d"]))


def test_cycles_model_against_clm(cohort60):
    meta, data, study = cohort60
    expected = answer(meta, "coef")
    rows = study.statistics.set_index("row_id")
    names = {"krenning_pre": "krenning_pre", "log2_mib1": "lmib", "captem_cycles": "cycles"}
    for term, name in names.items():
        row = rows.loc[f"model.krenning_cycles/krenning/all/{term}/{ML}"]
        assert np.log(row["estimate"]) == pytest.approx(expected[name], rel=1e-6)
        assert row["n_patients"] == len(data)
        assert row["interval_method"] == "profile likelihood"
        assert row["p_method"] == "likelihood ratio"


def test_primary_model_is_the_engine_on_two_terms(cohort60):
    _, data, study = cohort60
    x = np.column_stack([data["krenning_pre"], np.log2(data["mib1"])])
    post = data["krenning_post"].to_numpy()
    fit = ordinal.fit(post, post, x)
    row = study.statistics.set_index("row_id").loc[f"model.krenning/krenning/all/log2_mib1/{ML}"]
    assert row["estimate"] == pytest.approx(np.exp(fit.beta[1]), rel=1e-9)
    assert row["p_value"] == pytest.approx(ordinal.likelihood_ratio(fit, 1)[1], rel=1e-9)
    low, high = np.exp(ordinal.profile_interval(fit, 1))
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((low, high), rel=1e-9)
    record = study.models["model.krenning"]["all"][ML]
    assert record["flags"]["converged"]
    assert record["coefficients"]["log2_mib1"] == pytest.approx(fit.beta[1])


def test_suvmax_model_against_r():
    meta, frames = load("L01_suv_hc3")
    data = frames["d"]
    patients = pd.DataFrame(
        {
            "suvmax_pre": data["suvmax_pre"],
            "suvmax_post": data["suvmax_post"],
            "mib1_low": data["mib1"].astype(float),
            "mib1_high": data["mib1"].astype(float),
            "captem_cycles": data["cycles"],
            "krenning_pre_low": 1.0,
            "krenning_pre_high": 1.0,
        }
    )
    x = terms.main(patients, 0.5)
    assert_matches(x["log2_mib1"], np.log2(data["mib1"]), meta)
    with_cycles = model_parts.Model(
        "model.suvmax", "suvmax", ("log2_suvmax_pre", "log2_mib1", "captem_cycles"), "secondary"
    )
    columns = x[list(with_cycles.terms)].to_numpy()
    fitted = suvmax_model.fit(with_cycles, "all", "secondary", patients, columns)
    expected = answer(meta, "cr2_check_ancova")
    found = fitted.record["coefficients"]
    assert found["log2_suvmax_pre"] == pytest.approx(expected["log2(suvmax_pre)"], rel=1e-8)
    assert found["log2_mib1"] == pytest.approx(expected["lmib"], rel=1e-8)
    assert found["captem_cycles"] == pytest.approx(expected["cycles"], rel=1e-8)
    assert fitted.rows[0]["estimate"] == pytest.approx(2 ** expected["log2(suvmax_pre)"])


def test_hc3_with_t_against_r():
    from statsmodels.regression.linear_model import OLS

    meta, frames = load("L01_suv_hc3")
    data = frames["d"]
    y = np.log2(data["suvmax_post"] / data["suvmax_pre"]).to_numpy()
    x = np.column_stack([np.ones(len(data)), np.log2(data["mib1"]), data["cycles"]])
    fit = OLS(y, x).fit(cov_type="HC3", use_t=True)
    assert_matches(fit.bse, answer(meta, "se_hc3"), meta)
    assert_matches(fit.conf_int(), answer(meta, "ci_hc3_t"), meta)
    assert_matches(fit.pvalues, answer(meta, "p_hc3_t"), meta)


def test_mib1_is_floored_and_an_open_end_is_never_made_up():
    patients = pd.DataFrame(
        {
            "mib1_low": [0.0, 7.0, 20.0, 0.0],
            "mib1_high": [0.0, 8.0, np.inf, 0.4],
            "krenning_pre_low": 1,
            "krenning_pre_high": 2,
            "suvmax_pre": 1.0,
        }
    )
    x = terms.main(patients, 0.5)
    assert x["log2_mib1"].tolist()[:2] == [-1, np.log2(7.5)]
    assert np.isnan(x["log2_mib1"][2])
    assert x["log2_mib1"][3] == -1
    assert x["krenning_pre"].tolist() == [1.5] * 4


def study_of(folder, rows):
    head = "patient_id,krenning_pre,krenning_post,mib1,captem_cycles\n"
    return from_text(folder, head + "".join(f"{i},{row}\n" for i, row in enumerate(rows)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no patient has all"),
        (["1,2,7,6"], "only one patient has all"),
        ([f"{i % 3},2,{5 + i},6" for i in range(20)], "may be the same"),
        ([f"{i % 3},{i % 4},7,6" for i in range(20)], "cannot be told apart"),
        (["1,2,7,6", "2,3,9,4", "0,1,12,5"], "parameters"),
    ],
)
def test_refusals_are_rows_with_their_reason(tmp_path, rows, words):
    found = study_of(tmp_path, rows).statistics
    model = reported(found, "model.krenning")
    model = model[model["analysis"].eq("model.krenning")]
    assert set(model["status"]) == {"not_estimable"}
    assert model["reason"].str.contains(words).all(), model["reason"].iloc[0]
    assert model["estimate"].isna().all()


def test_separation_is_named_by_its_cause_and_bounded_on_one_side(tmp_path):
    """Bias-reduced estimates stay finite and unstable; maximum likelihood gives one bound."""
    rows = [f"{i % 2},{1 + (i > 19)},{5 + i},6" for i in range(40)]
    found = study_of(tmp_path, rows).statistics.set_index("row_id")
    reduced = found.loc["model.krenning/krenning/all/log2_mib1"]
    assert reduced["reason"].startswith("log2_mib1 separates the follow-up scores")
    assert reduced["status"] == "unstable" and np.isfinite(reduced["conf_high"])
    likelihood = found.loc[f"model.krenning/krenning/all/log2_mib1/{ML}"]
    assert (likelihood["estimate"], likelihood["conf_high"]) == (np.inf, np.inf)
    assert 1 < likelihood["conf_low"] < np.inf and likelihood["p_value"] < 0.001
    assert likelihood["status"] == "unstable"
    other = found.loc[f"model.krenning/krenning/all/krenning_pre/{ML}"]
    assert other["status"] == "not_estimable" and np.isnan(other["estimate"])


def test_complete_separation_of_the_reference_through_the_pipeline(tmp_path):
    _, frames = load("O04")
    table = frames["d"].rename(columns={"cycles": "captem_cycles"})
    found = from_text(tmp_path, table.to_csv(index=False)).statistics.set_index("row_id")
    reduced = found.loc["model.krenning/krenning/all/log2_mib1"]
    assert reduced["estimate"] < 1 and reduced["status"] == "unstable"
    assert "separate" in reduced["reason"] and np.isfinite(reduced["conf_high"])


def test_bias_reduced_rows_against_r(cohort60):
    """The coefficients of the reference, through the pipeline; intervals are Wald's."""
    meta, _, study = cohort60
    expected = answer(meta, "br_clm")
    rows = study.statistics.set_index("row_id")
    names = {"krenning_pre": "krenning_pre", "log2_mib1": "lmib", "captem_cycles": "cycles"}
    for term, name in names.items():
        row = rows.loc[f"model.krenning_cycles/krenning/all/{term}"]
        beta, error = expected["coef"][name], expected["se"][name]
        assert np.log(row["estimate"]) == pytest.approx(beta, rel=1e-6)
        assert np.log(row["conf_low"]) == pytest.approx(beta - 1.959964 * error, abs=1e-6)
        assert np.log(row["conf_high"]) == pytest.approx(beta + 1.959964 * error, abs=1e-6)
        assert row["p_method"] == row["interval_method"] == "bias-reduced, Wald"


def test_few_effective_observations_refuse_likelihood_and_not_bias_reduction(tmp_path):
    rows = [f"{i % 3},{(i * 7) % 4},{5 + i},6" for i in range(9)]
    found = study_of(tmp_path, rows).statistics.set_index("row_id")
    likelihood = found.loc[f"model.krenning/krenning/all/log2_mib1/{ML}"]
    assert likelihood["status"] == "not_estimable"
    assert "effective observations per coefficient; at least 5" in likelihood["reason"]
    reduced = found.loc["model.krenning/krenning/all/log2_mib1"]
    assert reduced["status"] == "unstable" and "read as exploratory" in reduced["reason"]


def test_one_row_is_primary_and_the_other_method_stands_beside_it():
    found = shipped("config").statistics.set_index("row_id")
    row = "model.krenning/krenning/confirmatory/log2_mib1"
    assert found.loc[row, "role"] == "primary"
    assert found.loc[f"{row}/{ML}", "role"] == "sensitivity"


def test_no_cohort_gives_an_ok_row_with_an_infinite_estimate(tmp_path):
    random = np.random.default_rng(4)
    for trial in range(12):
        n = int(random.integers(5, 40))
        rows = [
            f"{random.integers(0, 4)},{random.integers(0, 5)},{random.choice([5, 8, 12, 20, 33])},"
            f"{random.integers(3, 10)}"
            for _ in range(n)
        ]
        folder = tmp_path / str(trial)
        folder.mkdir()
        found = study_of(folder, rows).statistics
        model = found[found["analysis"].str.startswith("model.")]
        fine = model["status"].eq("ok")
        assert np.isfinite(model.loc[fine, "estimate"]).all()
        # A permutation has no interval.
        with_interval = fine & model["conf_level"].notna()
        assert np.isfinite(model.loc[with_interval, ["conf_low", "conf_high"]]).all(axis=None)


def test_few_patients_per_coefficient_are_unstable():
    found = shipped("config").statistics
    rows = found[found["analysis"].eq("model.krenning") & found["subset"].eq("confirmatory")]
    rows = rows[~rows["row_id"].str.contains("/(?:imputed|bootstrap)$")]
    assert set(rows["status"]) == {"unstable"}
    assert rows["reason"].str.contains("effective observations per coefficient").all()


def test_the_number_in_a_reason_never_reaches_the_limit_it_misses():
    assert "14.9 effective" in limits.few_for_regression(14.999, 1)
    assert limits.few_for_regression(15, 1) == ""
    assert "4.9 effective" in limits.too_few_for_regression(50, 3, 9.99, 2)


def test_a_patient_who_decides_alone_is_refused(tmp_path):
    head = "patient_id,suvmax_pre,suvmax_post,mib1\n"
    rows = [f"{i},4,{5 + i % 3},7\n" for i in range(29)] + ["X,4,9,60\n"]
    rows[0] = "0,8,7,7\n"
    found = from_text(tmp_path, head + "".join(rows)).statistics
    model = reported(found[found["analysis"].eq("model.suvmax")], "model.suvmax")
    assert set(model["status"]) == {"not_estimable"}
    assert model["reason"].str.contains("one patient alone").all()


def test_interval_outcomes_enter_as_intervals(tmp_path):
    _, frames = load("O05")
    data = frames["d"]
    cells = [
        str(low) if low == high else f"{low}-{high}"
        for low, high in zip(data["post_lo"], data["post_hi"], strict=True)
    ]
    x = np.column_stack([data["krenning_pre"], np.log2(data["mib1"])])
    low, high = data["post_lo"].to_numpy(), data["post_hi"].to_numpy()
    fit = ordinal.fit(low, high, x)
    table = data.assign(krenning_post=cells)[
        ["patient_id", "krenning_pre", "krenning_post", "mib1"]
    ]
    found = from_text(tmp_path, table.to_csv(index=False))
    record = found.models["model.krenning"]["all"]
    assert record["interval_outcomes"] == int((low != high).sum()) == 5
    assert record[ML]["coefficients"]["log2_mib1"] == pytest.approx(fit.beta[1], rel=1e-8)
    reduced = bias_reduced.fit(low, high, x)
    assert record["coefficients"]["log2_mib1"] == pytest.approx(reduced.beta[1], rel=1e-8)


def test_scores_that_may_be_any_are_not_observations(tmp_path):
    points = [f"{i % 3},{(i * 7) % 5},{5 + i},6" for i in range(12)]
    anything = [f"1,0-4,{9 + i},6" for i in range(60)]
    found = study_of(tmp_path, points + anything)
    rows = found.statistics[found.statistics["analysis"].eq("model.krenning")]
    assert set(rows["n_patients"]) == {12}
    flow = found.cohort.flow.set_index(["step", "reason"])["n"]
    assert flow["model.krenning", "follow-up score may be any"] == 60


def test_a_copied_follow_up_is_refused(tmp_path):
    head = "patient_id,suvmax_pre,suvmax_post,mib1\n"
    rows = "".join(f"{i},{3 + i},{2 * (3 + i)},{5 + (i * 7) % 30}\n" for i in range(40))
    found = from_text(tmp_path, head + rows).statistics
    model = reported(found[found["analysis"].eq("model.suvmax")], "model.suvmax")
    assert set(model["status"]) == {"not_estimable"}
    assert model["reason"].str.contains("exact function").all()


def test_a_ratio_beyond_the_range_of_the_patients_is_unstable(tmp_path):
    rows = [f"{i % 3},{(i * 7 + i // 5) % 5},{10 + 0.3 * (i % 2)},6" for i in range(60)]
    found = study_of(tmp_path, rows)
    row = found.statistics.set_index("row_id").loc[f"model.krenning/krenning/all/log2_mib1/{ML}"]
    assert row["status"] == "unstable"
    assert "span only" in row["reason"]
    found.tables()


def test_what_is_given_for_no_patient_is_named(tmp_path):
    head = "patient_id,krenning_pre,krenning_post\n"
    found = from_text(tmp_path, head + "".join(f"{i},{i % 3},{i % 4}\n" for i in range(40)))
    reasons = found.statistics.loc[found.statistics["analysis"].eq("model.krenning"), "reason"]
    assert set(reasons) == {"no patient has a value for the MIB1 index"}


# The criterion


def criterion_study(folder, gained):
    """20 patients below the criterion, of whom those numbered in `gained` meet it afterwards."""
    rows = [
        f"{i % 3},{3 if i in gained else i % 3},{(5, 8, 12, 20, 33)[i % 5]},6" for i in range(20)
    ]
    return study_of(folder, [*rows, "3,4,9,5", "4,4,7,6"])


def test_the_criterion_model_is_firths_among_those_who_could_gain_it(tmp_path):
    gained = {0, 3, 4, 7, 9, 14, 16, 18}
    found = criterion_study(tmp_path, gained).statistics.set_index("row_id")
    x = np.array([[i % 3, np.log2((5, 8, 12, 20, 33)[i % 5])] for i in range(20)], dtype=float)
    fit = firth.fit(np.array([float(i in gained) for i in range(20)]), x)
    row = found.loc["model.criterion/criterion/all/log2_mib1"]
    assert (row["n_patients"], row["n_events"]) == (20, 8)
    assert row["estimate"] == pytest.approx(np.exp(fit.coefficients[2]), rel=1e-8)
    ends = np.exp(firth.profile_interval(fit, 2))
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(tuple(ends), rel=1e-8)
    assert row["p_value"] == pytest.approx(firth.likelihood_ratio(fit, 2)[1], rel=1e-8)
    assert row["interval_method"] == "profile penalised likelihood"
    assert row["status"] == "unstable"


@pytest.mark.parametrize(("gained", "words"), [(set(), "none of the 20"), (set(range(20)), "each")])
def test_without_events_there_is_no_criterion_model(tmp_path, gained, words):
    found = criterion_study(tmp_path, gained).statistics
    model = reported(found, "model.criterion")
    assert set(model["status"]) == {"not_estimable"}
    assert model["reason"].str.startswith(words).all()


def test_separation_of_the_criterion_stays_finite_and_is_named(tmp_path):
    rows = [f"{i % 3},{3 if i > 11 else i % 3},{5 + i},6" for i in range(24)]
    found = study_of(tmp_path, rows).statistics.set_index("row_id")
    row = found.loc["model.criterion/criterion/all/log2_mib1"]
    assert row["status"] == "unstable" and "log2_mib1 separates those who gained" in row["reason"]
    assert 1 < row["estimate"] < np.inf


def test_the_criterion_model_follows_the_lesions(tmp_path):
    """Where the rule looks at lesions, so does the model: no patient gained by the rule here."""
    head = "patient_id,krenning_pre,krenning_post,mib1,captem_cycles\n"
    patients = "".join(f"{i},1,{3 + i % 2},{5 + i},6\n" for i in range(12))
    marks = "patient_id,lesion_id,krenning_pre,krenning_post\n" + "".join(
        f"{i},{k},1,{post}\n" for i in range(12) for k, post in enumerate((3 + i % 2, 1, 2))
    )
    found = from_text(tmp_path, head + patients, marks).statistics
    model = reported(found, "model.criterion")
    assert model["reason"].str.startswith("none of the 12").all()


def test_the_secondary_family_is_adjusted_by_holm_and_nothing_else():
    found = shipped("config").statistics
    family = found[found["role"].eq("secondary") & found["p_value"].notna()]
    assert sorted(family["row_id"]) == [
        "criterion.mcnemar/criterion/confirmatory",
        "model.criterion/criterion/confirmatory/log2_mib1",
        "model.lesion_krenning/lesion_krenning/confirmatory/log2_mib1",
        "model.lesion_suvmax/lesion_suvmax/confirmatory/log2_mib1",
        "model.suvmax/suvmax/confirmatory/log2_mib1",
        "transition.suvmax_ratio/suvmax/confirmatory",
    ]
    expected = multipletests(family["p_value"], method="holm")[1]
    assert list(family["p_adjusted"]) == pytest.approx(list(expected))
    assert found.drop(family.index)["p_adjusted"].isna().all()
