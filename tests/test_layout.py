"""From a row a scan to a row a patient; which follow-up counts."""

from __future__ import annotations

import pytest
from captem import cohort
from captem.visits import visit_number
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LONG = "patient_id,visit,pet_date,krenning,suvmax,sex,captem_end\n"


def ingest(folder, patients, lesions=None, **options):
    source = {"name": "ward", "patients": str(folder / "p.csv")} | options.pop("source", {})
    (folder / "p.csv").write_text(patients, encoding="utf-8")
    if lesions is not None:
        (folder / "l.csv").write_text(lesions, encoding="utf-8")
        source["lesions"] = str(folder / "l.csv")
    return cohort.ingest([cohort.Source(**source)], **options)


def scores(found):
    names = ["krenning_pre_low", "krenning_post_low"]
    return {row["patient_id"]: tuple(row[names]) for _, row in found.patients.iterrows()}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Baseline", 0), ("pre", 0), ("before CAPTEM", 0), ("vor", 0), ("baseline_arm_1", 0),
        ("post", 1), ("Follow-up", 1), ("FU2", 2), ("follow up 3", 3), ("nach CAPTEM", 1),
        ("FU 3 months", 90), ("12 months post", 360), ("follow_up_6m_arm_2", 180),
        ("1000 days post", 1000), ("0.5 years post", 182.5), ("PET before PRRT", None),
        ("baseline PET", 0), ("0 days post", 1),
        ("Baseline (Arm 1: CAPTEM)", 0), ("T1", None), ("2", None), ("", None), ("x", None),
    ],
)  # fmt: skip
def test_words_for_scans(text, number):
    assert visit_number(text, {}) == number


def test_a_row_a_scan_becomes_a_row_a_patient(tmp_path):
    table = LONG + "A,baseline,2025-01-01,1,5,female,\nA,follow-up,2025-06-01,3,9,,2025-05-01\n"
    found = ingest(tmp_path, table)
    assert found.problems == []
    row = found.patients.iloc[0]
    assert len(found.patients) == 1
    assert (row["krenning_pre_low"], row["krenning_post_low"]) == (1, 3)
    assert (row["suvmax_pre"], row["suvmax_post"]) == (5, 9)
    assert (row["pet_date_pre"], row["pet_date_post"]) == ("2025-01-01", "2025-06-01")
    assert (row["sex"], row["captem_end"]) == ("female", "2025-05-01")


SEVERAL = LONG + (
    "A,baseline,2025-01-01,1,5,female,2025-05-20\n"
    "A,FU 3,2025-09-01,4,9,,\n"
    "A,FU 2,2025-06-01,2,9,,\n"
    "A,follow-up,2025-03-01,3,9,,\n"
)


@pytest.mark.parametrize(("follow_up", "score"), [("first", 3), ("last", 4), ("nearest", 2)])
def test_the_setting_decides_which_follow_up_counts(tmp_path, follow_up, score):
    found = ingest(tmp_path, SEVERAL, follow_up=follow_up)
    assert found.problems == []
    assert scores(found) == {"A": (1, score)}
    flow = found.flow[found.flow["step"].eq("follow_up_pet")].set_index("reason")["n"]
    assert flow[flow.index.str.startswith("several")].sum() == 1
    assert bool(found.eligibility["several_follow_up_pets"].iloc[0])


@given(
    st.permutations([1, 2, 3]),
    st.sampled_from(["first", "last"]),
    st.permutations(range(3)),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_scores_never_decide(tmp_path, values, follow_up, order):
    """Whatever the scores are and however the rows stand, the date alone decides."""
    days = ["2025-03-01", "2025-06-01", "2025-09-01"]
    rows = [f"A,follow-up {i + 1},{days[i]},{values[i]},,,\n" for i in order]
    found = ingest(
        tmp_path, LONG + "A,baseline,2025-01-01,1,,,\n" + "".join(rows), follow_up=follow_up
    )
    assert scores(found)["A"][1] == values[0 if follow_up == "first" else 2]


def test_what_cannot_be_told_is_a_problem(tmp_path):
    undated = SEVERAL.replace("2025-05-20", "")
    found = ingest(tmp_path, undated, follow_up="nearest")
    assert [p.rule for p in found.problems] == ["which_follow_up"]
    assert "end of CAPTEM" in found.problems[0].mend
    same = LONG + "A,baseline,,1,5,,\nA,post,,3,9,,\nA,post,,4,9,,\n"
    assert [p.rule for p in ingest(tmp_path, same).problems] == ["which_follow_up"]


def test_unknown_words_for_scans_are_asked_and_the_config_answers(tmp_path):
    table = LONG + "A,T0,,1,,,\nA,T1,,3,,,\n"
    found = ingest(tmp_path, table)
    assert {p.rule for p in found.problems} == {"visit_not_known"}
    assert {p.row for p in found.problems} == {"2", "3"}
    visits = {"baseline": ["T0"], "follow_up": ["T1"]}
    found = ingest(tmp_path, table, source={"visits": visits})
    assert found.problems == []
    assert scores(found) == {"A": (1, 3)}


def test_scans_without_words_are_told_apart_by_their_dates_and_it_is_listed(tmp_path):
    table = (
        "patient_id,pet_date,krenning,captem_start\n"
        "A,2025-06-01,3,2025-01-15\nA,2025-01-10,1,\nA,2024-05-01,0,\n"
    )
    found = ingest(tmp_path, table)
    assert scores(found) == {"A": (1, 3)}
    said = found.repairs[found.repairs["rule"].eq("visit_by_date")].set_index("row")["read"]
    assert said.to_dict() == {"2": "follow-up", "3": "baseline", "4": "not used"}


def test_rows_of_a_patient_that_disagree_are_a_problem(tmp_path):
    table = LONG + "A,baseline,,1,,female,\nA,post,,3,,male,\n"
    found = ingest(tmp_path, table)
    assert [(p.rule, p.row, p.column) for p in found.problems] == [("rows_disagree", "3", "sex")]


def test_two_baselines_without_dates_are_a_problem(tmp_path):
    table = LONG + "A,baseline,,1,,,\nA,baseline,,2,,,\nA,post,,3,,,\n"
    assert [p.rule for p in ingest(tmp_path, table).problems] == ["several_baselines"]


def test_errors_of_a_scan_name_its_own_row(tmp_path):
    table = LONG + "A,baseline,,1,,,\nA,post,,7,,,\nB,baseline,,2,,,\nB,post,,3,,,\n"
    found = ingest(tmp_path, table, on_problem="exclude_row")
    assert [(p.rule, p.row) for p in found.problems] == [("out_of_range", "3")]
    assert list(found.patients["patient_id"]) == ["B"]
    assert found.flow.loc[found.flow["step"].eq("excluded"), "n"].sum() == 1


def test_columns_of_a_second_follow_up(tmp_path):
    table = (
        "patient_id,krenning_pre,krenning_post,pet_date_post,krenning_post_2,pet_date_post_2\n"
        "A,1,2,2025-06-01,4,2025-12-01\nB,1,3,2025-06-01,,\n"
    )
    assert scores(ingest(tmp_path, table)) == {"A": (1, 4), "B": (1, 3)}
    assert scores(ingest(tmp_path, table, follow_up="first")) == {"A": (1, 2), "B": (1, 3)}


def test_both_scans_in_one_cell(tmp_path):
    found = ingest(tmp_path, "patient_id,Krenning,SUVmax\nA,<=1 → III-IV,9.09/11.47\nB,3/4,\n")
    assert found.problems == []
    row = found.patients.set_index("patient_id").loc["A"]
    assert (row["krenning_pre_high"], row["krenning_post_low"]) == (1, 3)
    assert (row["suvmax_pre"], row["suvmax_post"]) == (9.09, 11.47)
    assert scores(found)["B"] == (3, 4)
    read = found.repairs[found.repairs["rule"].eq("before_and_after")]
    assert len(read) == 6
    single = ingest(tmp_path, "patient_id,Krenning\nA,1→3\nB,2\n")
    assert [(p.rule, p.row) for p in single.problems] == [("not_readable", "3")]
    assert single.patients["krenning_pre_low"].isna().tolist() == [False, True]


def test_lesions_a_row_a_scan_follow_the_patients_choice(tmp_path):
    patients = "patient_id,pet_date_pre,pet_date_post,krenning_pre,krenning_post\n"
    patients += "A,2025-01-01,2025-06-01,1,2\n"
    lesions = (
        "patient_id,lesion_id,visit,pet_date,krenning\n"
        "A,L1,baseline,2025-01-01,1\nA,L1,FU 1,2025-06-01,2\nA,L1,FU 2,2025-12-01,4\n"
        "A,L2,baseline,2025-01-01,0\nA,L2,FU 1,2025-06-01,2\nA,L2,FU 2,2025-12-01,4\n"
    )
    found = ingest(tmp_path, patients, lesions, follow_up="last")
    marks = found.lesions.set_index("lesion_id")["krenning_post_low"]
    assert marks.to_dict() == {"L1": 2, "L2": 2}


ROWS = st.lists(
    st.tuples(
        st.sampled_from("ABC"),
        st.sampled_from(["baseline", "follow-up", "FU 2", "T9", ""]),
        st.sampled_from(["2025-01-01", "2025-06-01", "2025-07-01", "", "soon"]),
        st.sampled_from(["0", "3", "9", "", "<=1", "high"]),
    ),
    max_size=8,
)


@given(
    ROWS, st.sampled_from(["first", "last", "nearest"]), st.sampled_from(["stop", "exclude_row"])
)
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_each_row_is_in_the_cohort_in_the_flow_or_a_problem(tmp_path, rows, follow_up, on_problem):
    table = "patient_id,visit,pet_date,krenning\n" + "".join(",".join(row) + "\n" for row in rows)
    found = ingest(tmp_path, table, follow_up=follow_up, on_problem=on_problem)
    counts = found.flow.groupby("step", sort=False)["n"].sum()
    assert counts["recorded"] == counts["excluded"] + counts["included"]
    assert counts["included"] == len(found.patients) == counts["follow_up_pet"]
    assert counts["recorded"] == len({row[0] for row in rows})
    kept = set(found.patients["patient_id"])
    told = {p.patient_id for p in found.problems}
    assert {row[0] for row in rows} <= kept | told


def test_a_column_that_names_the_scans_is_found_by_what_stands_in_it(tmp_path):
    """By the dates alone the slip in the second year would make the follow-up the baseline."""
    table = (
        "patient_id,Untersuchung,pet_date,krenning\n"
        "A,baseline,2022-01-10,0\nA,FU 9 months,2021-10-20,2\n"
        "B,baseline,2022-01-10,1\nB,FU 9 months,2022-10-20,3\n"
    )
    found = ingest(tmp_path, table)
    assert scores(found) == {"A": (0, 2), "B": (1, 3)}
    assert [(p.rule, p.row) for p in found.problems] == [("follow_up_before_baseline", "3")]


def test_scans_that_do_not_count_are_looked_at_too(tmp_path):
    early = SEVERAL.replace("2025-03-01", "2024-03-01")
    found = ingest(tmp_path, early, follow_up="last")
    assert [(p.severity, p.rule, p.row) for p in found.problems] == [
        ("error", "follow_up_before_baseline", "5")
    ]
    quiet = ingest(tmp_path, early, levels={"follow_up_before_baseline": "off"})
    assert quiet.problems == []


def test_a_follow_up_without_a_score_beside_one_that_has_it_is_pointed_out(tmp_path):
    table = LONG + "A,baseline,2025-01-01,1,5,,\nA,FU 1,2025-06-01,3,9,,\nA,FU 2,2025-12-01,,8,,\n"
    found = ingest(tmp_path, table)
    assert [(p.rule, p.row) for p in found.problems] == [("other_follow_up_scored", "4")]


def test_cycles_are_those_at_the_follow_up_that_counts(tmp_path):
    table = "patient_id,visit,krenning,captem_cycles\nA,baseline,1,0\nA,FU 1,2,3\nA,FU 2,3,8\n"
    for follow_up, cycles in (("first", 3), ("last", 8)):
        found = ingest(tmp_path, table, follow_up=follow_up)
        assert found.problems == []
        assert list(found.patients["captem_cycles"]) == [cycles]


SCANS = (
    "patient_id,visit,pet_date,krenning\nA,baseline,2024-01-01,1\nA,FU 1,2024-12-01,3\n"
    "A,FU 2,2024-06-01,2\n"
)


def lesion(found):
    return found.lesions.set_index("lesion_id").loc["L1"]


def test_lesions_are_those_of_the_patients_scan_by_its_visit(tmp_path):
    """The last by date is FU 1; the lesions have no dates of their own."""
    lesions = (
        "patient_id,lesion_id,visit,krenning,suvmax\n"
        "A,L1,baseline,1,5\nA,L1,FU 1,3,11\nA,L1,FU 2,3,7.5\n"
    )
    found = ingest(tmp_path, SCANS, lesions)
    assert found.problems == []
    assert lesion(found)["suvmax_post"] == 11
    nearest = (
        "patient_id,visit,pet_date,krenning,captem_end\nA,baseline,2024-01-01,1,2024-05-20\n"
        "A,FU 1,2024-12-01,3,\nA,FU 2,2024-06-01,2,\n"
    )
    assert lesion(ingest(tmp_path, nearest, lesions, follow_up="nearest"))["suvmax_post"] == 7.5


def test_lesions_of_another_scan_are_not_taken(tmp_path):
    lesions = "patient_id,lesion_id,visit,krenning\nA,L1,baseline,1\nA,L1,FU 2,4\n"
    found = ingest(tmp_path, SCANS, lesions)
    assert "lesions_of_another_scan" in {p.rule for p in found.problems}
    assert found.lesions["krenning_post_low"].isna().all()
    patients = "patient_id,pet_date_post,krenning_pre,krenning_post\nA,2024-06-01,1,3\n"
    dated = (
        "patient_id,lesion_id,visit,pet_date,krenning\nA,L1,baseline,2024-01-01,1\n"
        "A,L1,FU 1,2024-06-02,3\nA,L1,FU 2,2024-12-01,4\n"
    )
    found = ingest(tmp_path, patients, dated)
    assert {p.rule for p in found.problems} == {"lesions_of_another_scan"}


def test_the_baseline_of_lesions_is_that_before_the_patients_captem(tmp_path):
    patients = "patient_id,pet_date,krenning,captem_start\n"
    patients += "A,2024-01-01,0,2025-01-01\nA,2024-12-01,2,\nA,2025-06-01,3,\n"
    lesions = (
        "patient_id,lesion_id,pet_date,krenning\n"
        "A,L1,2024-01-01,0\nA,L1,2024-12-01,2\nA,L1,2025-06-01,3\n"
    )
    found = ingest(tmp_path, patients, lesions)
    assert scores(found) == {"A": (2, 3)}
    assert lesion(found)["krenning_pre_low"] == 2


def test_no_scan_after_the_start_of_captem_is_a_baseline(tmp_path):
    head = "patient_id,pet_date,krenning,captem_start\n"
    table = head + "A,2025-06-01,1,2025-01-01\nA,2025-12-01,3,\n"
    found = ingest(tmp_path, table)
    assert found.patients["krenning_pre_low"].isna().all()
    assert list(found.patients["krenning_post_low"]) == [3]


def test_a_resolved_lesion_is_resolved_at_the_scan_that_counts(tmp_path):
    lesions = (
        "patient_id,lesion_id,visit,krenning,status\n"
        "A,L1,baseline,2,\nA,L1,FU 1,4,\nA,L1,FU 2,,resolved\n"
    )
    found = ingest(tmp_path, "patient_id,mib1\nA,5\n", lesions)
    assert lesion(found)["lesion_status_post"] == "resolved"
    assert found.lesions["krenning_post_low"].isna().all()
    assert found.patients["krenning_post_low"].isna().all()


def test_an_error_in_the_last_scan_does_not_make_an_earlier_one_the_last(tmp_path):
    table = "patient_id,visit,krenning\nB,baseline,1\nB,FU 1,2\nB,FU 2,abc\n"
    found = ingest(tmp_path, table, on_problem="exclude_row")
    assert found.patients.empty


def test_fields_that_name_the_scan_in_a_project_with_a_row_an_event(tmp_path):
    table = (
        "record_id,redcap_event_name,krenning_pre,krenning_post,suvmax_pre,suvmax_post,"
        "pet_date_post\n"
        "1,baseline_arm_1,1,,5,,\n1,follow_up_1_arm_1,,3,,9,2024-06-01\n"
        "1,follow_up_2_arm_1,,2,,11,2024-12-01\n"
    )
    found = ingest(tmp_path, table, follow_up="first")
    assert scores(found) == {"1": (1, 3)}
    assert list(found.patients["suvmax_post"]) == [9]
    flow = found.flow[found.flow["step"].eq("follow_up_pet")].set_index("reason")["n"]
    assert flow["several follow-up PETs, the first taken"] == 1


def test_a_column_with_the_scan_beside_one_without_it(tmp_path):
    table = "patient_id,visit,krenning,krenning_pre\nA,baseline,1,1\nA,FU 1,3,\n"
    assert scores(ingest(tmp_path, table)) == {"A": (1, 3)}
    found = ingest(tmp_path, table.replace("1,1\n", "1,2\n"))
    assert "rows_disagree" in {p.rule for p in found.problems}


def test_duplicates_stay_duplicates_beside_columns_of_a_second_follow_up(tmp_path):
    table = "patient_id,krenning_pre,krenning_post,krenning_post_2\nA,1,,\nA,,3,\n"
    assert {p.rule for p in ingest(tmp_path, table).problems} == {"duplicate_patient"}


def test_a_follow_up_without_a_score_took_place(tmp_path):
    head = "patient_id,visit,pet_date,krenning,tracer\n"
    table = head + "A,baseline,2024-01-01,1,X\nA,FU,2024-12-01,,X\n"
    found = ingest(tmp_path, table)
    assert list(found.patients["pet_date_post"]) == ["2024-12-01"]
    flow = found.flow[found.flow["step"].eq("follow_up_pet")].set_index("reason")["n"]
    assert flow["one follow-up PET"] == 1


def test_organs_may_stand_in_both_tables(tmp_path):
    patients = "patient_id,krenning_pre,krenning_post,liver_suv_post\nA,1,3,10\n"
    lesions = (
        "patient_id,lesion_id,krenning_pre,krenning_post,suvmax_post,liver_suv_post\nA,1,1,3,5,9\n"
    )
    found = ingest(tmp_path, patients, lesions)
    assert "lesion_score_against_suv" in {p.rule for p in found.problems}


def test_one_follow_up_is_one_whatever_number_its_headings_have(tmp_path):
    table = "patient_id,Krenning baseline,Krenning FU 12,SUVmax baseline,SUVmax FU\nA,1,3,5,9\n"
    found = ingest(tmp_path, table)
    assert scores(found) == {"A": (1, 3)}
    assert list(found.patients["suvmax_post"]) == [9]
    assert found.problems == []


def test_rows_between_two_stray_quotation_marks_are_missed_aloud(tmp_path):
    table = 'patient_id,krenning_pre,krenning_post,note\nA,1,3,"big\nB,0,2,\nC,0,1,small"\n'
    found = ingest(tmp_path, table)
    assert [(p.rule, p.row) for p in found.problems if p.severity == "error"] == [
        ("rows_in_a_cell", "2")
    ]


@pytest.mark.parametrize("twin", ["A 1", "A\u200b1", "Ａ1", "A\u00a01"])
def test_codes_that_only_look_the_same_are_pointed_out(tmp_path, twin):
    found = ingest(tmp_path, f"patient_id,krenning_pre,krenning_post\nA1,1,2\n{twin},1,3\n")
    assert [(p.rule, p.row) for p in found.problems] == [
        ("codes_look_alike", "2"),
        ("codes_look_alike", "3"),
    ]


@pytest.mark.parametrize("wide", [False, True])
def test_a_patient_with_a_scan_that_cannot_be_in_its_place_is_left_out(tmp_path, wide):
    """The first follow-up is dated before the baseline; the last one is what counts."""
    table = LONG + "A,baseline,2025-01-01,1,,,\nA,FU 1,2024-06-01,2,,,\nA,FU 2,2025-12-01,4,,,\n"
    if wide:
        table = (
            "patient_id,pet_date_pre,krenning_pre,pet_date_post,krenning_post,pet_date_post_2,"
            "krenning_post_2\nA,2025-01-01,1,2024-06-01,2,2025-12-01,4\n"
        )
    found = ingest(tmp_path, table, on_problem="exclude_row")
    assert {p.rule for p in found.problems} == {"follow_up_before_baseline"}
    assert found.patients.empty
    kept = ingest(tmp_path, table, levels={"follow_up_before_baseline": "warning"})
    assert scores(kept) == {"A": (1, 4)}
