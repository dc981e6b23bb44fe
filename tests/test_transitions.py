"""Transitions and the criterion, against counts made by hand and by R."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest
from captem import criterion_rows, proportions
from captem.files import read_frame
from captem.schemas import STATISTICS
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, load
from studies import from_text, shipped

HEAD = "patient_id,krenning_pre,krenning_post\n"


def rows(study):
    return study.statistics.set_index("row_id")


def test_published_case():
    change = shipped("published_case").changes.iloc[0]
    assert (change["gain_low"], change["gain_high"]) == (2, 4)
    assert change["direction"] == "up"
    assert (change["criterion_pre"], change["criterion_post"]) == ("no", "yes")
    assert change["criterion_gained"] == "yes"
    marks = shipped("published_case").lesion_changes.set_index("lesion_id")
    assert marks.loc["A", "suvmax_ratio"] == pytest.approx(11.47 / 9.09)
    assert math.log2(marks.loc["A", "suvmax_ratio"]) == pytest.approx(0.335, abs=1e-3)


@pytest.mark.parametrize("study", ["config", "published_case"])
def test_rows_satisfy_the_contract(study):
    STATISTICS.validate(shipped(study).statistics, lazy=True)


def test_a_case_of_30_against_r(tmp_path):
    meta, frames = load("T03_cohort30_empty_middle")
    data = frames["d"]
    table = HEAD + "".join(
        f"{i},{row.krenning_pre},{row.krenning_post}\n" for i, row in enumerate(data.itertuples())
    )
    found = rows(from_text(tmp_path, table))
    sign = answer(meta, "sign_test")
    for way, name in (("up", "n_pos"), ("down", "n_neg"), ("same", "n_zero")):
        assert found.loc[f"transition.proportion/krenning/all/{way}", "n_events"] == sign[name]
    assert found.loc["transition.sign_test/krenning/all", "p_value"] == pytest.approx(
        sign["p_exact"]
    )
    mcnemar = answer(meta, "mcnemar")
    assert found.loc["criterion.mcnemar/criterion/all", "p_value"] == pytest.approx(
        mcnemar["p_midp"]
    )
    assert found.loc["criterion.mcnemar/criterion/all/exact", "p_value"] == pytest.approx(
        mcnemar["p_exact"]
    )
    for name, check in (
        ("criterion.before/criterion/all", "eligible_pre_wilson"),
        ("criterion.after/criterion/all", "eligible_post_wilson"),
        ("transition.proportion/krenning/all/up", "improved_wilson"),
    ):
        ends = found.loc[name, ["conf_low", "conf_high"]].astype(float)
        assert list(ends) == pytest.approx(list(answer(meta, check)), rel=1e-6)


def test_intervals_leave_directions_and_criteria_open(tmp_path):
    table = HEAD + "A,<=1,1\nB,2,2-3\nC,2-3,2-3\nD,1,II\nE,III-IV,<=1\nF,4,\nG,2-3,4\n"
    found = from_text(tmp_path, table)
    changes = found.changes.set_index("patient_id")
    assert changes["direction"].dropna().to_dict() == {
        "A": "undetermined", "B": "undetermined", "C": "undetermined", "D": "up", "E": "down",
        "G": "up",
    }  # fmt: skip
    assert changes.loc["A", ["gain_low", "gain_high"]].tolist() == [0, 1]
    assert changes.loc["C", ["gain_low", "gain_high"]].tolist() == [-1, 1]
    gained = changes["criterion_gained"].fillna("unknown").to_dict()
    assert gained == {
        "A": "no", "B": "unknown", "C": "unknown", "D": "no", "E": "no", "F": "unknown",
        "G": "unknown",
    }  # fmt: skip
    row = rows(found).loc["transition.sign_test/krenning/all"]
    # 2 certainly up, 1 down; A and B up or same, C any: at most 5 up and 1 down, at least 2 and 2.
    assert row["p_high"] == row["p_value"] == 1
    assert row["p_low"] == pytest.approx(2 * (1 + 6) / 2**6)
    assert row["status"] == "unstable"
    assert "only 3 patients changed for certain, and in 3 the scores leave it open" in row["reason"]


def test_the_matrix_keeps_every_patient_and_marks_the_split_ones(tmp_path):
    found = from_text(tmp_path, HEAD + "A,<=1,III-IV\nB,1,3\nC,2,\n")
    matrix = found.matrix.set_index("score_pre")
    counts = matrix[[str(step) for step in range(5)]]
    split = matrix[[f"split_{step}" for step in range(5)]]
    assert counts.to_numpy().sum() == 2
    assert counts.loc[1, "3"] == 1.25
    assert split.loc[1, "split_3"] == 0.25
    assert split.to_numpy().sum() == 1


def test_criterion_follows_the_rule_of_the_lesions(tmp_path):
    marks = "patient_id,lesion_id,krenning_pre,krenning_post\nA,1,1,4\nA,2,1,3\nA,3,1,1\n"
    for rule, expected in (("most", "yes"), ("all", "no"), ("highest", "yes"), ("lowest", "no")):
        found = from_text(tmp_path, "patient_id\nA\n", marks, criterion={"rule": rule})
        assert found.changes.loc[0, "criterion_post"] == expected
    found = from_text(tmp_path, "patient_id\nA\n", marks, criterion={"threshold": 4})
    assert found.changes.loc[0, "criterion_post"] == "no"


def test_few_changes_are_unstable_and_say_the_smallest_p(tmp_path):
    found = rows(from_text(tmp_path, HEAD + "A,1,2\nB,1,2\nC,1,2\nD,1,1\nE,2,2\n"))
    row = found.loc["transition.sign_test/krenning/all"]
    assert row["p_value"] == 0.25
    assert row["status"] == "unstable"
    assert "0.25" in row["reason"]


def test_nobody_changed_is_p_one_and_says_so(tmp_path):
    found = rows(from_text(tmp_path, HEAD + "".join(f"{i},2,2\n" for i in range(12))))
    row = found.loc["transition.sign_test/krenning/all"]
    assert (row["p_value"], row["status"]) == (1, "unstable")
    assert "no patient changed" in row["reason"]


@pytest.mark.parametrize("n", [0, 1])
def test_no_inference_from_fewer_than_two_pairs(tmp_path, n):
    found = from_text(tmp_path, HEAD + "A,1,3\n" * n).statistics
    assert found["p_value"].isna().all()
    assert found["conf_low"].isna().all()
    asked = found[found["analysis"].str.startswith(("transition.sign", "criterion.mc", "model."))]
    assert set(asked["status"]) == {"not_estimable"}


def test_sources_that_are_not_confirmatory_are_exploratory():
    found = shipped("config").statistics
    for subset, allowed in (
        ("all", {"exploratory", "descriptive"}),
        ("confirmatory", {"primary", "secondary", "sensitivity", "exploratory", "descriptive"}),
    ):
        assert set(found.loc[found["subset"].eq(subset), "role"]) <= allowed
    primary = found[found["role"].eq("primary")]
    assert set(primary["subset"]) == {"confirmatory"}


def test_codes_come_back_from_csv_as_they_were_written(tmp_path):
    (tmp_path / "t.csv").write_text("patient_id,krenning_pre\n007,1\nNA,2\n")
    assert list(read_frame(tmp_path / "t.csv")["patient_id"]) == ["007", "NA"]


def test_proportions_allow_for_every_completion(tmp_path):
    table = HEAD + "".join(f"a{i},1,3\n" for i in range(5))
    table += "".join(f"b{i},1,2-3\n" for i in range(15)) + "c,2-3,4\n"
    found = rows(from_text(tmp_path, table))
    gained = found.loc["criterion.gained/criterion/all"]
    assert (gained["n_events"], gained["n_patients"]) == (5, 20)
    assert gained["conf_low"] == pytest.approx(proportions.wilson(5, 20)[0])
    assert gained["conf_high"] == pytest.approx(proportions.wilson(21, 21)[1])
    assert gained["interval_method"] == "Wilson, over all completions"
    assert found.loc["criterion.gained/criterion/all/undetermined", "n_events"] == 16
    after = found.loc["criterion.after/criterion/all"]
    assert (after["n_events"], after["n_patients"]) == (6, 21)
    assert after["conf_high"] == 1


@pytest.mark.parametrize("n_open", [0, 3])
def test_intervals_of_directions_hold_those_of_every_completion(tmp_path, n_open):
    table = (
        HEAD + "".join(f"u{i},1,2\n" for i in range(6)) + "".join(f"s{i},2,2\n" for i in range(6))
    )
    table += "".join(f"o{i},1,1-2\n" for i in range(n_open))
    up = rows(from_text(tmp_path, table)).loc["transition.proportion/krenning/all/up"]
    for extra in range(n_open + 1):
        low, high = proportions.wilson(6 + extra, 12 + n_open)
        assert up["conf_low"] <= low
        assert high <= up["conf_high"]
    assert up["conf_high"] == proportions.wilson(6 + n_open, 12 + n_open)[1]


def test_reasons_of_the_tests_state_what_is_true(tmp_path):
    found = rows(from_text(tmp_path, HEAD + "A,1,3\nB,1,3\nC,1,3\nD,1,1\n"))
    mid_p = found.loc["criterion.mcnemar/criterion/all"]
    assert mid_p["p_value"] == 0.125
    assert "0.125" in mid_p["reason"]
    assert "0.25" in found.loc["criterion.mcnemar/criterion/all/exact", "reason"]
    risen = rows(from_text(tmp_path, HEAD + "".join(f"{i},0,2\n" for i in range(8))))
    assert (
        "no patient gained or lost the criterion"
        in risen.loc["criterion.mcnemar/criterion/all", "reason"]
    )
    assert risen.loc["transition.sign_test/krenning/all", "status"] == "ok"


@given(
    st.lists(
        st.tuples(st.sampled_from(["1", "4", "2-3"]), st.sampled_from(["1", "4", "2-3"])),
        min_size=2,
        max_size=7,
    )
)
@settings(max_examples=40, deadline=None)
def test_the_gained_share_holds_every_completion(pairs):
    """Enumerate what the open answers may be, and compare the ends of the interval."""
    met = {"1": ["no"], "4": ["yes"], "2-3": ["no", "yes"]}
    ends = []
    for answers in itertools.product(*[itertools.product(met[a], met[b]) for a, b in pairs]):
        at_risk = [after for before, after in answers if before == "no"]
        if at_risk:
            ends.append(proportions.wilson(at_risk.count("yes"), len(at_risk)))
    known = pd.DataFrame(pairs, columns=["pre", "post"]).map(
        lambda cell: met[cell][0] if len(met[cell]) == 1 else None
    )
    row = criterion_rows._gained(known["pre"], known["post"], "all", "exploratory")[0]
    if row["n_patients"] >= 2:
        assert row["conf_low"] == pytest.approx(min(low for low, _ in ends))
        assert row["conf_high"] == pytest.approx(max(high for _, high in ends))
