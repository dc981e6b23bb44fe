"""Named cross-checks: what each finds, at both sides of its edge, and how the config turns it."""

from __future__ import annotations

import pytest
from captem.cross_checks import CHECKS, LEVELS, listing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from studies import ROOT
from test_layout import ingest

BEFORE, SCORE = "follow_up_before_baseline", "score_against_suv"
PAIR = {"krenning_pre": "1", "krenning_post": "3"}


def test_the_manual_lists_the_checks():
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert listing() in manual, "run tools/write_dictionary.py"


def table(columns):
    columns = {"patient_id": "A", **PAIR, **columns}
    return f"{','.join(columns)}\n{','.join(columns.values())}\n"


def rules(folder, columns, lesions=None, **options):
    found = ingest(folder, table(columns), lesions, **options)
    return [problem.rule for problem in found.problems if problem.rule in CHECKS]


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"pet_date_pre": "2025-06-01", "pet_date_post": "2025-05-31"}, BEFORE),
        ({"pet_date_pre": "2025-06-01", "pet_date_post": "2025-06-01"}, BEFORE),
        ({"pet_date_pre": "2025-06-01", "pet_date_post": "2025-06-02"}, None),
        ({"captem_start": "2025-06-01", "captem_end": "2025-05-31"}, "captem_end_before_start"),
        ({"captem_start": "2025-06-01", "captem_end": "2025-06-01"}, None),
        ({"captem_cycles": "4", "captem_start": ""}, "cycles_without_dates"),
        ({"captem_cycles": "4", "captem_start": "2025-01-01"}, None),
        ({"captem_cycles": "0", "captem_start": ""}, None),
        ({"captem_cycles": "4"}, None),
        # 33.5 % below the liver's 10 is 6.65, above it 13.35.
        ({"suvmax_post": "6.6", "liver_suv_post": "10"}, SCORE),
        ({"suvmax_post": "6.7", "liver_suv_post": "10"}, None),
        ({"suvmax_pre": "13.3", "liver_suv_pre": "10"}, None),
        ({"suvmax_pre": "13.4", "liver_suv_pre": "10"}, SCORE),
        ({"krenning_pre": "<=3", "suvmax_pre": "13.4", "liver_suv_pre": "10"}, None),
        ({"krenning_post": "4", "suvmax_post": "13.2", "spleen_suv_post": "20"}, SCORE),
        ({"krenning_post": "4", "suvmax_post": "13.4", "spleen_suv_post": "20"}, None),
        ({"krenning_post": "3", "suvmax_post": "26.8", "spleen_suv_post": "20"}, SCORE),
        ({"suvmax_post": "1"}, None),
        ({"mib1": "2.9", "who_grade": "G1"}, None),
        ({"mib1": "3", "who_grade": "G1"}, "grade_against_mib1"),
        ({"mib1": "20", "who_grade": "2"}, None),
        ({"mib1": "20.1", "who_grade": "Grade II"}, "grade_against_mib1"),
        ({"mib1": "2-4", "who_grade": "G1"}, None),
        ({"mib1": "2", "who_grade": "NET G2"}, "grade_against_mib1"),
        ({"mib1": "2", "who_grade": "NET G2", "mitoses": "5"}, None),
        ({"mib1": ">20", "who_grade": "G3"}, None),
        ({"mib1": "30", "who_grade": "NEC"}, None),
        ({"tracer_pre": "68Ga-DOTATATE", "tracer_post": "68Ga-DOTATOC"}, "tracer_changed"),
        ({"tracer_pre": "68Ga-DOTATATE", "tracer_post": "68Ga DOTATATE"}, None),
        ({"tracer_pre": "68Ga-DOTATATE", "tracer_post": ""}, None),
        ({"scanner_pre": "A", "scanner_post": "B"}, "scanner_changed"),
        ({"interval_therapy": "PRRT"}, "therapy_between_scans"),
        ({"interval_therapy": "None"}, None),
        ({"interval_therapy": ""}, None),
        ({"prrt_after_date": "2025-05-01", "pet_date_post": "2025-06-01"}, "therapy_between_scans"),
        ({"prrt_after_date": "2025-07-01", "pet_date_post": "2025-06-01"}, None),
    ],
)  # fmt: skip
def test_what_a_check_finds(tmp_path, columns, rule):
    assert rules(tmp_path, columns) == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("state", "pre", "post", "found"),
    [
        ("resolved", "9", "2", True), ("not_assessable", "9", "2", True),
        ("resolved", "9", "", False),
        ("present", "9", "2", False), ("new", "9", "2", True), ("new", "", "2", False),
    ],
)  # fmt: skip
def test_suvmax_of_a_lesion_that_is_not_there(tmp_path, state, pre, post, found):
    head = "patient_id,lesion_id,suvmax_pre,suvmax_post,lesion_status_post\n"
    lesions = f"{head}A,1,{pre},{post},{state}\n"
    assert rules(tmp_path, {}, lesions) == (["suvmax_without_tumour"] if found else [])


def test_lesions_are_compared_with_the_organs_of_their_patient(tmp_path):
    lesions = "patient_id,lesion_id,krenning_post,suvmax_post\nA,1,3,5\nA,2,3,9\n"
    patients = table({"liver_suv_post": "10"})
    found = ingest(tmp_path, patients, lesions)
    odd = [p for p in found.problems if p.rule == "lesion_score_against_suv"]
    assert [(p.row, p.patient_id, p.column, p.value) for p in odd] == [
        ("2", "A", "krenning_post", "3")
    ]


def test_the_tolerance_is_a_setting(tmp_path):
    columns = {"suvmax_post": "9.4", "liver_suv_post": "10"}
    assert rules(tmp_path, columns, tolerance=0) == ["score_against_suv"]
    assert rules(tmp_path, columns, tolerance=10) == []


@pytest.mark.parametrize("level", LEVELS)
def test_the_config_makes_each_an_error_a_warning_or_nothing(tmp_path, level):
    columns = {"tracer_pre": "X", "tracer_post": "Y"}
    found = ingest(tmp_path, table(columns), levels={"tracer_changed": level})
    said = [p.severity for p in found.problems if p.rule == "tracer_changed"]
    assert said == ([] if level == "off" else [level])


def test_an_error_leaves_the_row_out_where_the_config_says_so(tmp_path):
    columns = {"tracer_pre": "X", "tracer_post": "Y"}
    options = {"levels": {"tracer_changed": "error"}, "on_problem": "exclude_row"}
    found = ingest(tmp_path, table(columns), **options)
    assert found.patients.empty
    excluded = found.flow[found.flow["step"].eq("excluded")]
    assert list(excluded["reason"]) == ["row with errors: tracer changed"]


def test_findings_name_the_files_own_heading_and_row(tmp_path):
    text = "Code,Krenning before,Krenning after,Tracer baseline,Tracer follow-up\nA,1,3,X,Y\n"
    found = ingest(tmp_path, text)
    (problem,) = [p for p in found.problems if p.rule == "tracer_changed"]
    assert (problem.row, problem.patient_id, problem.column) == ("2", "A", "Tracer follow-up")
    assert problem.value == "Y" and "X" in problem.allowed


@given(st.dictionaries(
    st.sampled_from(["pet_date_pre", "pet_date_post", "captem_cycles", "suvmax_pre",
                     "liver_suv_pre", "mib1", "who_grade", "tracer_pre", "tracer_post",
                     "interval_therapy"]),
    st.sampled_from(["", "1", "2025-01-01", ">20", "x", "III"]),
))  # fmt: skip
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_check_changes_a_value(tmp_path, columns):
    quiet = ingest(tmp_path, table(columns), levels=dict.fromkeys(CHECKS, "off"))
    loud = ingest(tmp_path, table(columns))
    assert quiet.patients.equals(loud.patients)
    assert not [p for p in quiet.problems if p.rule in CHECKS]
