"""Transitions and the criterion, against counts made by hand and by R."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from captem import criterion_rows, proportions, transition_rows, transitions
from captem.files import read_frame
from captem.schemas import STATISTICS
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, load
from statsmodels.stats import inter_rater
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


# What is known of each patient and lesion


MARKS = "patient_id,lesion_id,krenning_pre,krenning_post,index_lesion,lesion_status_post\n"


def test_the_criterion_under_every_rule(tmp_path):
    """Three matched lesions 1, 3, 3 before and 2, 4, 4 after; by hand, threshold 3."""
    marks = MARKS + "A,1,1,2,yes,\nA,2,3,4,,\nA,3,3,4,,present\n"
    change = from_text(tmp_path, "patient_id\nA\n", marks).changes.iloc[0]
    expected = {
        "highest": ("yes", "yes"), "lowest": ("no", "no"), "all": ("no", "no"),
        "most": ("yes", "yes"), "index": ("no", "no"),
    }  # fmt: skip
    for rule, (pre, post) in expected.items():
        assert (change[f"criterion_pre_{rule}"], change[f"criterion_post_{rule}"]) == (pre, post)
    assert change["criterion_change"] == "kept"


def test_resolved_and_new_lesions_are_states_and_never_compared(tmp_path):
    marks = MARKS + "A,1,2,3,,present\nA,2,4,,,resolved\nA,3,,4,,new\nA,4,2,,,not_assessable\n"
    found = from_text(tmp_path, "patient_id\nA\n", marks)
    change = found.changes.iloc[0]
    counts = {name: int(change[f"n_{name}"]) for name in
              ("lesions", "matched", "resolved", "new", "not_assessable")}  # fmt: skip
    assert counts == {"lesions": 4, "matched": 1, "resolved": 1, "new": 1, "not_assessable": 1}
    # The resolved lesion had the highest score at baseline, and is not score 0 at follow-up.
    assert change["criterion_pre_highest"] == "no" and change["criterion_post_highest"] == "yes"
    by_lesion = found.lesion_changes.set_index("lesion_id")
    assert by_lesion["criterion_change"].fillna("").to_dict() == {
        "1": "gained", "2": "", "3": "", "4": ""
    }  # fmt: skip
    assert by_lesion["direction"].notna().sum() == 1


@pytest.mark.parametrize(
    ("pre", "post", "change"),
    [("2", "3", "gained"), ("4", "2", "lost"), ("3", "3", "kept"), ("1", "2", "not_met"),
     ("2-3", "3", "undetermined"), ("<=1", "II", "not_met"), ("2", "", None)],
)  # fmt: skip
def test_what_became_of_the_criterion(tmp_path, pre, post, change):
    found = from_text(tmp_path, HEAD + f"A,{pre},{post}\nB,1,1\n").changes.iloc[0]
    assert (None if pd.isna(found["criterion_change"]) else found["criterion_change"]) == change


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted), min_size=1, max_size=4
    )
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_the_range_of_lesions_against_every_completion(ends):
    ranges = [
        max(scores) - min(scores)
        for scores in itertools.product(*[range(low, high + 1) for low, high in ends])
    ]
    low, high = (np.array([float(end[i]) for end in ends]) for i in (0, 1))
    least, most = transitions._apart(low, high, np.zeros(len(ends), dtype=int))
    assert (least[0], most[0]) == (min(ranges), max(ranges))


def test_ranges_are_those_of_each_patient(tmp_path):
    marks = MARKS + "A,1,1,4,,\nB,1,0,2,,\nA,2,3,4,,\nB,2,<=1,III-IV,,\n"
    change = from_text(tmp_path, "patient_id\nA\nB\nC\n", marks).changes.set_index("patient_id")
    assert change["score_range_pre"].fillna("").to_dict() == {"A": "2", "B": "0-1", "C": ""}
    assert change["score_range_post"].fillna("").to_dict() == {"A": "0", "B": "1-2", "C": ""}


# Rows, from the file to statistics.csv


def test_every_paired_answer_of_a_case_of_30_against_r(tmp_path):
    meta, frames = load("T03_cohort30_empty_middle")
    data = frames["d"]
    table = "patient_id,krenning_pre,krenning_post,suvmax_pre,suvmax_post\n" + "".join(
        f"{i},{row.krenning_pre},{row.krenning_post},{row.suvmax_pre},{row.suvmax_post}\n"
        for i, row in enumerate(data.itertuples())
    )
    found = rows(from_text(tmp_path, table))
    pratt = answer(meta, "wilcoxon_exact_pratt")
    test = found.loc["transition.signed_rank/krenning/all"]
    assert test["p_value"] == pytest.approx(pratt["p_two"], rel=1e-9)
    assert test["statistic"] == pratt["Wplus"]
    assert test["p_method"] == "Wilcoxon-Pratt, exact"
    net = found.loc["transition.net_improvement/krenning/all"]
    assert net["estimate"] == pytest.approx(answer(meta, "sign_test")["net"])
    for name, check in (("criterion.difference/criterion/all", "newcombe"),
                        ("criterion.difference/criterion/all/tango", "tango")):  # fmt: skip
        row, expected = found.loc[name], answer(meta, check)
        for column, key in (("estimate", "diff"), ("conf_low", "lower"), ("conf_high", "upper")):
            assert row[column] == pytest.approx(expected[key], abs=1e-6)
    symmetry = found.loc["transition.symmetry/krenning/all"]
    assert symmetry["p_value"] == pytest.approx(answer(meta, "bowker")["p_exact_conditional"])
    margins = found.loc["transition.marginal_homogeneity/krenning/all"]
    assert margins["p_value"] == pytest.approx(answer(meta, "stuart_maxwell")["p"], rel=1e-6)
    assert (margins["df"], margins["status"]) == (3, "unstable")
    scored = found.loc["transition.marginal_homogeneity/krenning/all/scored"]
    assert scored["p_value"] == pytest.approx(answer(meta, "coin_mh_scores")["p"], rel=1e-6)


def test_swapping_the_scans_mirrors_every_row(tmp_path):
    scores = [(1, 3), (0, 2), ("<=1", 2), (2, 2), (3, 1), (1, "III-IV"), (2, 4), (0, 0), (1, 2)]
    suv = [(4.1, 8.0), (3.0, 3.3), (9, 12), (5, 4), (7, 7.7), (2, 5), (6, 6), (3, 9), (8, 10)]

    def table(turn):
        lines = [
            ",".join(map(str, (i, *pair[::turn], *values[::turn])))
            for i, (pair, values) in enumerate(zip(scores, suv, strict=True))
        ]
        return "patient_id,krenning_pre,krenning_post,suvmax_pre,suvmax_post\n" + "\n".join(lines)

    there, back = (rows(from_text(tmp_path, table(turn))) for turn in (1, -1))
    for name in ("transition.signed_rank/krenning/all", "transition.sign_test/krenning/all",
                 "transition.symmetry/krenning/all", "criterion.mcnemar/criterion/all",
                 "transition.marginal_homogeneity/krenning/all",
                 "transition.suvmax_ratio/suvmax/all"):  # fmt: skip
        for column in ("p_value", "p_low", "p_high"):
            assert there.loc[name, column] == pytest.approx(back.loc[name, column], rel=1e-9)
    for name in ("transition.net_improvement/krenning/all", "criterion.difference/criterion/all"):
        one, other = there.loc[name], back.loc[name]
        assert one["estimate"] == pytest.approx(-other["estimate"])
        assert one["conf_low"] == pytest.approx(-other["conf_high"], abs=1e-9)
    ratio = "transition.suvmax_ratio/suvmax/all"
    assert there.loc[ratio, "estimate"] * back.loc[ratio, "estimate"] == pytest.approx(1)
    assert there.loc[ratio, "conf_low"] * back.loc[ratio, "conf_high"] == pytest.approx(1)
    odds = "transition.win_odds/krenning/all"
    assert there.loc[odds, "estimate"] * back.loc[odds, "estimate"] == pytest.approx(1)


def test_order_and_names_of_patients_change_no_row(tmp_path):
    patients = shipped("config").patients
    changed = patients.iloc[::-1].reset_index(drop=True)
    changed["patient_id"] = [f"Z{i}" for i in range(len(changed))]
    nobody = shipped("config").cohort.lesions.iloc[:0]
    made = []
    for frame in (patients, changed):
        changes = transitions.patient_transitions(frame, nobody, 3, "most")
        of_lesions = transitions.lesion_transitions(nobody, 3, frame)
        made.append(transition_rows.estimate(frame, changes, of_lesions, ["prospective"]))
    pd.testing.assert_frame_equal(*made, rtol=1e-12)


def test_three_differences_are_unstable_and_name_the_smallest_p(tmp_path):
    found = rows(from_text(tmp_path, HEAD + "A,1,2\nB,1,2\nC,1,3\nD,1,1\nE,2,2\n"))
    row = found.loc["transition.signed_rank/krenning/all"]
    assert (row["p_value"], row["status"]) == (0.25, "unstable")
    assert "the smallest P possible is 0.25" in row["reason"]


def test_nobody_scanned_again_is_refused_row_by_row(tmp_path):
    found = from_text(tmp_path, HEAD + "A,1,\nB,2,\nC,0,\n").statistics
    families = ("transition.", "criterion.", "association.", "agreement.", "bias.", "sensitivity.")
    asked = found[found["analysis"].str.startswith(families)]
    # What the missing scans could have shown has its bounds all the same.
    asked = asked[asked["analysis"].ne("sensitivity.not_rescanned")]
    refused = asked["status"].eq("not_estimable")
    # All but the counts, which say that there are none.
    assert asked.loc[~refused, "estimand"].isin(["proportion"]).all()
    assert asked.loc[refused, "reason"].notna().all()
    assert asked.loc[refused, ["estimate", "p_value", "conf_low"]].isna().all(axis=None)


def test_two_readers_are_compared(tmp_path):
    pairs = [(0, 0), (1, 1), (2, 3), (3, 3), (4, 4), (1, 2), (2, 2), ("<=1", 1)]
    table = "patient_id,krenning_pre,krenning_post,krenning_pre_reader2\n" + "".join(
        f"{i},{first},4,{second}\n" for i, (first, second) in enumerate(pairs)
    )
    found = rows(from_text(tmp_path, table))
    row = found.loc["agreement.readers/krenning/all/baseline"]
    points = [pair for pair in pairs if "<=1" not in pair]
    counts = np.zeros((5, 5))
    for first, second in points:
        counts[first, second] += 1
    expected = inter_rater.cohens_kappa(counts, wt="linear")
    assert row["estimate"] == pytest.approx(expected.kappa)
    assert row["conf_low"] == pytest.approx(expected.kappa_low)
    assert row["n_patients"] == 7 and "1 left out because a score is an interval" in row["reason"]
    assert found.loc["agreement.readers/krenning/all/follow_up", "status"] == "not_estimable"


def test_an_organ_that_changed_explains_a_rise_of_the_derived_score(tmp_path):
    """After an analogue, liver falls; an unchanged lesion passes (10.1186/s40644-018-0136-x)"""
    table = (
        "patient_id,krenning_pre,krenning_post,suvmax_pre,suvmax_post,liver_suv_pre,liver_suv_post,"
        "spleen_suv_pre,spleen_suv_post\n"
        "A,2,3,9,9,10.3,8.0,30.3,23.1\nB,2,3,9,14,10.3,10.3,30.3,30.3\n"
    )
    found = from_text(tmp_path, table)
    change = found.changes.set_index("patient_id")
    assert change.loc["A", ["surrogate_post", "surrogate_post_fixed"]].tolist() == ["3", "0-2"]
    assert change.loc["B", ["surrogate_post", "surrogate_post_fixed"]].tolist() == ["3", "3"]
    stat = rows(found)
    own = stat.loc["sensitivity.fixed_reference/krenning/all/own_reference"]
    fixed = stat.loc["sensitivity.fixed_reference/krenning/all/baseline_reference"]
    assert (own["estimate"], fixed["estimate"]) == (1.0, 0.5)
    # With the organs of baseline the first is 0 to 2 at both scans: not known to be gone.
    explained = stat.loc["sensitivity.fixed_reference/krenning/all/explained"]
    assert (explained["n_events"], explained["n_patients"]) == (0, 2)
    assert explained["conf_high"] == pytest.approx(proportions.wilson(1, 2)[1])
    finer = from_text(tmp_path, table, surrogate={"very_low_below": 0.5}).statistics
    finer = finer.set_index("row_id").loc["sensitivity.fixed_reference/krenning/all/explained"]
    assert finer["n_events"] == 1


def test_the_flow_counts_who_is_in_each_row():
    """flow.csv and statistics.csv ask the same question in the same place."""
    study = shipped("config")
    flow = study.cohort.flow
    for analysis, row_id in (
        ("transition", "transition.signed_rank/krenning/all"),
        ("criterion", "criterion.mcnemar/criterion/all"),
        ("transition.suvmax_ratio", "transition.suvmax_ratio/suvmax/all"),
        ("association.mib1", "association.mib1/krenning/all"),
        ("association.cycles_suvmax", "association.cycles/suvmax/all"),
    ):
        counted = flow[flow["step"].eq(analysis) & flow["reason"].eq("analysed")]["n"].item()
        assert rows(study).loc[row_id, "n_patients"] == counted
