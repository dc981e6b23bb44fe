"""The sensitivity set: each row is the primary contrast with one thing changed, and says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import bias_reduced, ordinal, sensitivity_table, terms
from captem.wording import ALTERNATIVE_WORDS, alternative_words
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS
from studies import Study, from_text, shipped

OF_TRANSITIONS = ("sensitivity.fixed_reference", "sensitivity.reader_error")
REPORTED = "model.krenning/krenning/{}/log2_mib1"


def rows_of(study: Study) -> pd.DataFrame:
    found = study.statistics
    return found[found["analysis"].str.startswith("sensitivity.")].set_index("row_id")


@pytest.fixture(scope="module")
def example() -> Study:
    return shipped("config")


def cohort(n: int = 24, seed: int = 4, **more) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    pre = rng.integers(0, 4, n)
    mib1 = np.round(rng.uniform(2, 30, n), 1)
    post = np.clip(pre + rng.integers(-1, 3, n) + (mib1 > 15), 0, 4)
    table = pd.DataFrame(
        {
            "patient_id": [f"P{i:03}" for i in range(n)],
            "krenning_pre": pre,
            "krenning_post": post,
            "mib1": mib1,
            "captem_cycles": rng.integers(2, 12, n),
        }
    )
    return table.assign(**more)


def reduced(table: pd.DataFrame, low: list, high: list, x: list) -> float:
    fit = bias_reduced.fit(low, high, np.column_stack(x))
    return float(np.exp(fit.beta[-1]))


def test_every_row_is_a_sensitivity_row_with_one_contrast(example):
    rows = rows_of(example)
    rows = rows[~rows["analysis"].isin(OF_TRANSITIONS)]
    for subset, role in {"all": "exploratory", "confirmatory": "sensitivity"}.items():
        assert set(rows.loc[rows["subset"].eq(subset), "role"]) == {role}
    asked = rows[rows["term"].eq("log2_mib1") & rows["analysis"].ne("sensitivity.criterion_rule")]
    assert set(asked["estimand"]) == {
        "odds ratio", "reliability", "difference, coupled with the baseline",
    }  # fmt: skip


def test_the_rows_stand_for_every_analysis_that_has_words(example):
    elsewhere = {*OF_TRANSITIONS, "sensitivity.source"}
    assert set(rows_of(example)["analysis"]) - elsewhere == set(ALTERNATIVE_WORDS)


def test_mib1_at_the_ends_of_its_interval(tmp_path):
    table = cohort()
    mib1 = table["mib1"].astype(str)
    mib1.iloc[[0, 5]] = ["7%-12%", "3-30"]
    rows = rows_of(from_text(tmp_path, table.assign(mib1=mib1).to_csv(index=False)))
    post = table["krenning_post"].to_numpy()
    for end, values in (("low", (7, 3)), ("high", (12, 30))):
        index = table["mib1"].to_numpy(copy=True)
        index[[0, 5]] = values
        expected = reduced(table, post, post, [table["krenning_pre"], np.log2(index)])
        row = rows.loc[f"sensitivity.mib1_interval/krenning/all/log2_mib1/{end}"]
        assert row["estimate"] == pytest.approx(expected)
        assert row["n_patients"] == len(table)


def test_a_grade_takes_the_place_of_mib1_and_an_open_one_has_its_grade(tmp_path):
    table = cohort()
    mib1 = table["mib1"].astype(str)
    mib1.iloc[0] = ">20"
    study = from_text(tmp_path, table.assign(mib1=mib1).to_csv(index=False))
    index = table["mib1"].to_numpy(copy=True)
    index[0] = 21
    grade = 1.0 + (index >= 3) + (index > 20)
    post = table["krenning_post"].to_numpy()
    row = rows_of(study).loc["sensitivity.who_grade/krenning/all/mib1_grade"]
    assert row["estimate"] == pytest.approx(
        reduced(table, post, post, [table["krenning_pre"], grade])
    )
    assert row["n_patients"] == len(table)
    reported = study.statistics.set_index("row_id").loc[REPORTED.format("all")]
    assert reported["n_patients"] == len(table) - 1


def test_the_second_reader_and_the_landmark(tmp_path):
    table = cohort()
    rng = np.random.default_rng(9)
    other = np.clip(table["krenning_post"] + rng.integers(-1, 2, len(table)), 0, 4)
    table = table.assign(krenning_pre_reader2=table["krenning_pre"], krenning_post_reader2=other)
    rows = rows_of(from_text(tmp_path, table.to_csv(index=False)))
    x = [table["krenning_pre"], np.log2(table["mib1"])]
    name = "sensitivity.reader/krenning/all/log2_mib1/reader_{}"
    for number, post in (("1", table["krenning_post"]), ("2", other)):
        expected = reduced(table, post.to_numpy(), post.to_numpy(), x)
        assert rows.loc[name.format(number), "estimate"] == pytest.approx(expected)
    late = table[table["captem_cycles"] >= 6]
    post = late["krenning_post"].to_numpy()
    row = rows.loc["sensitivity.landmark/krenning/all/log2_mib1/6_cycles"]
    assert row["n_patients"] == len(late)
    assert row["estimate"] == pytest.approx(
        reduced(late, post, post, [late["krenning_pre"], np.log2(late["mib1"])])
    )


def test_gain_as_outcome_is_least_squares_and_called_coupled(tmp_path):
    table = cohort()
    row = rows_of(from_text(tmp_path, table.to_csv(index=False))).loc[
        "sensitivity.gain_outcome/krenning/all/log2_mib1"
    ]
    gain = table["krenning_post"] - table["krenning_pre"]
    design = np.column_stack([np.ones(len(table)), np.log2(table["mib1"])])
    fit = OLS(gain, design).fit(cov_type="HC3", use_t=True)
    assert row["estimate"] == pytest.approx(fit.params["x1"])
    assert row["p_value"] == pytest.approx(fit.pvalues["x1"])
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(fit.conf_int().loc["x1"].tolist())
    assert "coupled" in row["estimand"]


def test_a_bend_is_tested_and_not_estimated(tmp_path):
    table = cohort(60)
    row = rows_of(from_text(tmp_path, table.to_csv(index=False))).loc[
        "sensitivity.nonlinear_mib1/krenning/all/log2_mib1_nonlinear"
    ]
    log2 = np.log2(table["mib1"].to_numpy())
    post = table["krenning_post"].to_numpy()
    x = np.column_stack([table["krenning_pre"], log2, terms.bend(log2)])
    fit = bias_reduced.fit(post, post, x)
    z = fit.beta[2] / fit.standard_errors[-1]
    assert row["statistic"] == pytest.approx(z)
    assert np.isnan(row["estimate"]) and np.isnan(row["conf_low"])
    assert row["estimand"] == "test of a bend"


def test_repeatability_counts_changes_beyond_the_limit_either_way(tmp_path):
    before = [10.0] * 6
    after = [12.5, 13.4, 15.1, 8.0, 7.4, 6.6]
    table = cohort(6).assign(suvmax_pre=before, suvmax_post=after)
    rows = rows_of(from_text(tmp_path, table.to_csv(index=False)))
    found = [
        rows.loc[f"sensitivity.repeatability/suvmax/all/limit_{limit}_percent", "estimate"]
        for limit in ("20", "33.5", "50")
    ]
    # 20 %: up from 12 on, down to 8.33; 33.5 %: 13.35 and 7.49; 50 %: 15 and 6.67.
    assert found == pytest.approx([(3 - 3) / 6, (2 - 2) / 6, (1 - 1) / 6])
    after[3:] = [9.0, 9.0, 9.0]
    table = table.assign(suvmax_post=after)
    rows = rows_of(from_text(tmp_path, table.to_csv(index=False)))
    found = [
        rows.loc[f"sensitivity.repeatability/suvmax/all/limit_{limit}_percent", "estimate"]
        for limit in ("20", "33.5", "50")
    ]
    assert found == pytest.approx([3 / 6, 2 / 6, 1 / 6])


def test_a_change_of_exactly_the_limit_counts(tmp_path):
    before = [2.0, 0.5, 5.0, 10.0, 2.4, 6.0]
    after = [2.4, 0.6, 6.0, 12.0, 2.0, 5.0]
    table = cohort(6).assign(suvmax_pre=before, suvmax_post=after)
    rows = rows_of(from_text(tmp_path, table.to_csv(index=False)))
    row = rows.loc["sensitivity.repeatability/suvmax/all/limit_20_percent"]
    assert row["estimate"] == pytest.approx((4 - 2) / 6)
    assert row["n_events"] == 6


def test_a_covariate_that_nobody_has_is_named(tmp_path):
    plan = {"covariates": ["prior_prrt"], "splines": []}
    study = from_text(tmp_path, cohort().to_csv(index=False), models=plan)
    statistics = study.statistics.set_index("row_id")
    words = "no patient has a value for prior_prrt, a covariate of the config"
    assert statistics.loc[REPORTED.format("all"), "reason"] == words
    for name in (
        "sensitivity.landmark/krenning/all/log2_mib1/6_cycles",
        "sensitivity.who_grade/krenning/all/mib1_grade",
        "sensitivity.criterion_rule/criterion/all/log2_mib1/threshold_3_most",
    ):
        assert rows_of(study).loc[name, "reason"] == words


def test_every_threshold_and_rule_has_a_row_and_the_studys_own_is_the_model(example):
    rows = rows_of(example)
    asked = rows[rows["analysis"].eq("sensitivity.criterion_rule") & rows["subset"].eq("all")]
    assert len(asked) == 8
    own = asked.loc["sensitivity.criterion_rule/criterion/all/log2_mib1/threshold_3_most"]
    model = example.statistics.set_index("row_id").loc["model.criterion/criterion/all/log2_mib1"]
    for name in ("estimate", "conf_low", "conf_high", "p_value", "n_patients", "n_events"):
        assert own[name] == model[name]


def test_a_study_with_another_threshold_has_it_beside_the_two(tmp_path):
    study = from_text(
        tmp_path, cohort().to_csv(index=False), criterion={"threshold": 4, "rule": "most"}
    )
    rows = rows_of(study)
    asked = rows[rows["analysis"].eq("sensitivity.criterion_rule")].index
    assert {name.split("threshold_")[1][0] for name in asked} == {"2", "3", "4"}


def test_each_source_alone_is_the_primary_model_in_it(example):
    statistics = example.statistics.set_index("row_id")
    alone = statistics.loc["sensitivity.source/krenning/source_prospective/log2_mib1"]
    confirmatory = statistics.loc[REPORTED.format("confirmatory")]
    assert alone["estimate"] == confirmatory["estimate"]
    assert alone["p_value"] == confirmatory["p_value"]


def test_covariates_of_the_plan_are_in_every_alternative(tmp_path):
    table = cohort(60).assign(age_years=np.arange(60) % 37 + 40)
    text = table.to_csv(index=False)
    study = from_text(tmp_path, text, models={"covariates": ["age_years"], "splines": []})
    post = table["krenning_post"].to_numpy()
    x = [table["krenning_pre"], table["age_years"] / 10, np.log2(table["mib1"])]
    expected = reduced(table, post, post, x)
    statistics = study.statistics.set_index("row_id")
    assert statistics.loc[REPORTED.format("all"), "estimate"] == pytest.approx(expected)
    row = statistics.loc["sensitivity.leave_one_out/krenning/all/log2_mib1/lowest"]
    assert row["estimate"] < expected
    assert "model.krenning/krenning/all/age_years" in statistics.index


def test_rows_without_the_covariates_say_so(tmp_path):
    table = cohort(60).assign(age_years=np.arange(60) % 37 + 40)
    study = from_text(
        tmp_path, table.to_csv(index=False), models={"covariates": ["age_years"], "splines": []}
    )
    rows = rows_of(study)
    for name in (
        "sensitivity.baseline_error/krenning/all/log2_mib1/reliability_0.8",
        "sensitivity.gain_outcome/krenning/all/log2_mib1",
    ):
        assert "without the covariates of the config (age_years)" in rows.loc[name, "reason"]
    assert rows.loc["sensitivity.gain_outcome/krenning/all/log2_mib1", "status"] == "unstable"
    other = rows.loc["sensitivity.landmark/krenning/all/log2_mib1/6_cycles", "reason"]
    assert "without the covariates" not in (other or "")


def test_dropped_terms_have_a_row_that_says_why(tmp_path):
    table = cohort(16).assign(age_years=np.arange(16) + 40, sex=["female", "male"] * 8)
    plan = {"covariates": ["sex", "age_years"], "splines": ["age_years"]}
    study = from_text(tmp_path, table.to_csv(index=False), models=plan)
    record = study.models["model.krenning"]["all"]
    low = table["krenning_post"].to_numpy()
    assert next(iter(record["dropped"])) == "age_years_nonlinear"
    kept = len(record["terms"])
    assert ordinal.effective_n(low, low) >= 5 * kept or kept == 2
    statistics = study.statistics.set_index("row_id")
    for name in record["dropped"]:
        row = statistics.loc[f"model.krenning/krenning/all/{name}"]
        assert row["status"] == "not_estimable"
        assert row["reason"].startswith("dropped from the model: ")


def test_a_patient_without_a_covariate_is_left_out_and_counted(tmp_path):
    table = cohort(30).assign(age_years=[None, *range(41, 70)])
    study = from_text(
        tmp_path, table.to_csv(index=False), models={"covariates": ["age_years"], "splines": []}
    )
    flow = study.cohort.flow
    line = flow[flow["step"].eq("model.krenning") & flow["reason"].eq("age not known")]
    assert line["n"].tolist() == [1]
    assert "covariate_age_years" in study.cohort.eligibility
    row = study.statistics.set_index("row_id").loc[REPORTED.format("all")]
    assert row["n_patients"] == 29


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(24)))
def test_the_order_of_patients_changes_nothing(tmp_path_factory, order):
    table = cohort()
    text = [table, table.iloc[order]]
    found = [
        rows_of(from_text(tmp_path_factory.mktemp("order"), rows.to_csv(index=False)))
        for rows in text
    ]
    for name in ("estimate", "conf_low", "conf_high", "p_value"):
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-6, atol=1e-9)
    assert found[0]["status"].tolist() == found[1]["status"].tolist()


# The table


def test_the_table_has_a_line_for_each_row_and_the_reported_one_first(example):
    table = sensitivity_table.sensitivity(example.statistics)
    heads = [i for i, row in enumerate(table.rows) if row.heading]
    assert [table.rows[i].cells[0] for i in heads] == ["All patients", "Confirmatory sources"]
    assert [table.rows[i + 1].cells[0] for i in heads] == ["as reported"] * 2
    assert any(row.cells[0] == "only source prospective" for row in table.rows)
    text = " ".join(" ".join(row.cells) for row in table.rows) + " ".join(table.notes)
    assert "nan" not in text and "_" not in text


def test_an_analysis_that_is_refused_as_a_whole_is_one_line(tmp_path):
    study = from_text(tmp_path, cohort().to_csv(index=False))
    lines = [row.cells[0] for row in sensitivity_table.sensitivity(study.statistics).rows]
    assert lines.count("scores of each reader") == 1
    assert lines.count("MIB1 given as an interval: each") == 1


def test_where_nothing_can_be_asked_one_line_says_so():
    table = sensitivity_table.sensitivity(shipped("published_case").statistics)
    assert [row.cells[0] for row in table.rows] == [
        "All patients", "as reported", "every alternative",
    ]  # fmt: skip
    assert "only one patient has all that the model needs" in " ".join(table.notes)


@pytest.mark.parametrize("analysis", sorted(ALTERNATIVE_WORDS))
def test_words_never_show_a_gap(analysis):
    assert "{" not in alternative_words(analysis) and "_" not in alternative_words(analysis)


def test_columns_of_the_patient_in_the_lesion_sheet_count_for_nothing(tmp_path):
    table = cohort(12)
    lesions = pd.DataFrame(
        [
            {
                "patient_id": code,
                "lesion_id": k,
                "krenning_pre": k % 3,
                "krenning_post": (k + i) % 5,
            }
            for i, code in enumerate(table["patient_id"])
            for k in range(3)
        ]
    )
    plain, repeated = tmp_path / "plain", tmp_path / "repeated"
    found = []
    for folder, marks in (
        (plain, lesions),
        (repeated, lesions.assign(captem_cycles="4 cycles", mib1_low=3)),
    ):
        folder.mkdir()
        study = from_text(folder, table.to_csv(index=False), marks.to_csv(index=False))
        rows = study.statistics
        found.append(rows[rows["analysis"].str.startswith("model.lesion_")])
    pd.testing.assert_frame_equal(*found)
