"""The synthetic cohort: declared, reproducible, and true to what it was written from."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from statistics import mean, median

import pytest
from captem.errors import CaptemError
from captem.synthetic import (
    LESION_COLUMNS,
    LESIONS_FILE,
    MIB1_HEADING,
    PATIENTS_FILE,
    PROSPECTIVE,
    RETROSPECTIVE,
    Cohort,
    Parameters,
    Patient,
    columns_of,
    expected_gain,
    generate,
    header_note,
    krenning_as,
    meanings,
    mib1_as,
    most,
    patient_columns,
    render,
    who_grade,
)
from generate_synthetic_cohort import main
from hypothesis import given, settings
from hypothesis import strategies as st

COHORTS = Path(__file__).parents[1] / "config" / "cohorts"
EXAMPLE = COHORTS / "example"
SOURCES = (RETROSPECTIVE, PROSPECTIVE)
ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4}

cohorts = st.builds(generate, st.integers(1, 40), st.integers(0, 2**32))


@pytest.fixture(scope="module")
def shipped() -> Cohort:
    return generate()


def read(text: str) -> list[dict[str, str]]:
    """Read a sheet as a clinic's spreadsheet would, past its note."""
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def score_bounds(cell: str) -> tuple[int, int]:
    """Read a score by other means than the generator's."""
    if cell.startswith("<="):
        return 0, int(cell[2:])
    ends = [ROMAN[end] if end in ROMAN else int(end) for end in cell.split("-")]
    return ends[0], ends[-1]


def mib1_holds(cell: str, true: int) -> bool:
    """Say whether a written MIB1 contains the true one."""
    if not cell:
        return True
    if cell[0] in "<>":
        limit = float(cell[1:])
        return true < limit if cell[0] == "<" else true > limit
    ends = [float(end.removesuffix("%")) for end in cell.split("-")]
    return ends[0] <= true <= ends[-1]


def members(cohort: Cohort, source: str) -> list[Patient]:
    return [patient for patient in cohort.patients if patient.plan.source == source]


def column(cohort: Cohort, name: str) -> list[str]:
    return [row[name] for rows in cohort.sheets.values() for row in rows if name in row]


# What is shipped


def test_shipped_files_are_what_the_generator_makes(shipped: Cohort) -> None:
    texts = render(shipped)
    assert {path.name for path in EXAMPLE.glob("*.csv")} == set(texts)
    for name, text in texts.items():
        assert (EXAMPLE / name).read_bytes() == text.encode(), name


def test_command_line_writes_the_shipped_files(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "cohort")])
    for path in (tmp_path / "cohort").iterdir():
        assert path.read_bytes() == (EXAMPLE / path.name).read_bytes(), path.name


def test_command_line_refuses_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--patients", "0", "--out", str(tmp_path)])
    assert "at least 1 patient" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_same_seed_same_bytes_another_seed_other_data() -> None:
    assert render(generate(20, 7)) == render(generate(20, 7))
    one, other = generate(20, 7), generate(20, 8)
    assert all(one.sheets[name] != other.sheets[name] for name in one.sheets)


def test_shipped_counts(shipped: Cohort) -> None:
    assert len(shipped.patients) == 60
    assert {source: len(members(shipped, source)) for source in SOURCES} == {
        RETROSPECTIVE: 36,
        PROSPECTIVE: 24,
    }
    assert sum(patient.post is None for patient in shipped.patients) == 6
    assert {len(patient.lesions) for patient in shipped.patients} == {1, 2, 3, 4, 5, 6}


def test_shipped_files_hold_the_awkward_notations(shipped: Cohort) -> None:
    mib1 = column(shipped, MIB1_HEADING[RETROSPECTIVE]) + column(shipped, "mib1")
    for pattern in (r"\d+%-\d+%", r"\d+-\d+", "<3", ">20", r"\d+%"):
        assert 1 <= sum(bool(re.fullmatch(pattern, cell)) for cell in mib1) <= 6, pattern
    assert 1 <= mib1.count("") <= 2
    for source in (PATIENTS_FILE[RETROSPECTIVE], *LESIONS_FILE.values()):
        rows = shipped.sheets[source]
        cells = Counter(row[name] for row in rows for name in ("krenning_pre", "krenning_post"))
        assert all(1 <= cells[written] <= 6 for written in ("<=1", "III-IV", "II", "2-3")), source


def test_shipped_files_hold_what_real_cohorts_go_through(shipped: Cohort) -> None:
    scanned = [(a, a.pre, a.post) for a in shipped.patients if a.post]
    assert 2 <= sum(a.plan.interval_therapy == "PRRT" for a, _, _ in scanned) <= 6
    assert 1 <= sum(a.plan.interval_therapy == "embolisation" for a, _, _ in scanned) <= 6
    assert {(pre.ssa, post.ssa) for _, pre, post in scanned} >= {(True, False), (False, True)}
    assert 4 <= sum(pre.scanner != post.scanner for _, pre, post in scanned) <= 10
    assert 1 <= sum(pre.tracer != post.tracer for _, pre, post in scanned) <= 2
    statuses = Counter(column(shipped, "lesion_status_post"))
    assert all(1 <= statuses[name] <= 10 for name in ("resolved", "new", "not_assessable"))


def test_shipped_patients_lean_to_low_uptake(shipped: Cohort) -> None:
    low = sum(patient.krenning_pre <= 2 for patient in shipped.patients)
    assert low > len(shipped.patients) / 2


# What the note says


def test_note_says_first_that_the_data_are_synthetic(shipped: Cohort) -> None:
    for text in render(shipped).values():
        note = [line for line in text.splitlines() if line.startswith("#")]
        assert text.startswith("# SYNTHETIC DATA")
        assert "No row describes a real person" in note[0]
        assert all(line.startswith("# ") for line in note)
        assert text.splitlines()[: len(note)] == note
        assert '"' not in text


def test_every_parameter_is_in_the_note_with_its_meaning(shipped: Cohort) -> None:
    lines = [line for line in header_note(shipped) if " = " in line]
    assert set(meanings()) == {item.name for item in fields(Parameters)}
    for name, meaning in meanings().items():
        [line] = [line for line in lines if line.startswith(f"{name} = ")]
        value = getattr(shipped.parameters, name)
        parts = [str(part) for pair in value for part in pair] if isinstance(value, tuple) else []
        assert line.endswith(f": {meaning}")
        assert all(part in line for part in parts or [str(value)]), name


def test_note_follows_the_parameters_seed_and_size() -> None:
    changed = replace(Parameters(), gain_per_mib1_doubling=0.123)
    note = "\n".join(header_note(generate(5, 99, changed)))
    assert "gain_per_mib1_doubling = 0.123" in note
    assert "plus 0.123 steps for each doubling" in note
    assert "--patients 5 --seed 99" in note


# Whether what is written is true


@settings(max_examples=25, deadline=None)
@given(cohorts)
def test_written_values_contain_the_true_ones(cohort: Cohort) -> None:
    for source in SOURCES:
        patients, rows = members(cohort, source), cohort.sheets[PATIENTS_FILE[source]]
        for patient, row in zip(patients, rows, strict=True):
            assert row["patient_id"] == patient.plan.patient_id
            assert mib1_holds(row[MIB1_HEADING[source]], patient.mib1)
            if source == RETROSPECTIVE:
                check_score(row["krenning_pre"], patient.krenning_pre)
                check_score(row["krenning_post"], patient.krenning_post)
        lesions = [lesion for patient in patients for lesion in patient.lesions]
        for lesion, row in zip(lesions, cohort.sheets[LESIONS_FILE[source]], strict=True):
            check_score(row["krenning_pre"], lesion.pre.krenning if lesion.pre else None)
            check_score(row["krenning_post"], lesion.post.krenning if lesion.post else None)


def check_score(cell: str, true: int | None) -> None:
    if true is None:
        assert cell == ""
    else:
        low, high = score_bounds(cell)
        assert low <= true <= high


@settings(max_examples=25, deadline=None)
@given(cohorts)
def test_cohorts_are_valid(cohort: Cohort) -> None:
    ids = [patient.plan.patient_id for patient in cohort.patients]
    assert len(ids) == len(set(ids))
    for patient in cohort.patients:
        check_patient(patient)
        check_lesions(patient)


def check_patient(patient: Patient) -> None:
    assert 25 <= patient.age_years <= 85
    assert 0 < patient.mib1 <= 60
    assert 2 <= patient.captem_cycles <= 12
    assert patient.pre.day < patient.captem_start < patient.captem_end
    assert (patient.post is None) == bool(patient.not_rescanned_reason)
    if patient.post:
        assert patient.captem_end < patient.post.day < date(2026, 11, 1)


def check_lesions(patient: Patient) -> None:
    assert 1 <= len(patient.lesions) <= 6
    assert sum(lesion.index for lesion in patient.lesions) == 1
    if patient.post:
        assert any(lesion.pre and lesion.post for lesion in patient.lesions)
    for lesion in patient.lesions:
        sides = bool(lesion.pre), bool(lesion.post)
        expected = {"present": (True, True), "new": (False, True)} if patient.post else {}
        assert sides == expected.get(lesion.status, (True, False))
        assert (lesion.status == "") == (patient.post is None)
        for reading in (lesion.pre, lesion.post):
            if reading:
                assert reading.krenning in range(5)
                assert reading.suvmax > 0 and round(reading.suvmax, 1) == reading.suvmax
                assert reading.diameter_mm >= 5


@pytest.mark.parametrize("patients", [1, 5, 60, 500])
def test_sheets_agree_at_any_size(patients: int) -> None:
    cohort = generate(patients, 3)
    sheets = {name: read(text) for name, text in render(cohort).items()}
    assert sheets == cohort.sheets
    assert sum(len(sheets[name]) for name in PATIENTS_FILE.values()) == patients
    for source in SOURCES:
        rows = sheets[PATIENTS_FILE[source]]
        lesions = sheets[LESIONS_FILE[source]]
        ids = {row["patient_id"] for row in rows}
        assert ids == {row["patient_id"] for row in lesions}
        index = Counter(row["patient_id"] for row in lesions if row["index_lesion"] == "yes")
        assert index == dict.fromkeys(ids, 1)


def test_a_source_without_patients_still_has_its_heading() -> None:
    texts = render(generate(1))
    for name in (PATIENTS_FILE[PROSPECTIVE], LESIONS_FILE[PROSPECTIVE]):
        assert read(texts[name]) == []
        assert texts[name].splitlines()[-1] == ",".join(columns_of(name))


def test_follow_up_is_empty_where_there_was_none(shipped: Cohort) -> None:
    for source in SOURCES:
        rows = shipped.sheets[PATIENTS_FILE[source]]
        missing = {row["patient_id"] for row in rows if row["not_rescanned_reason"]}
        for row in [*rows, *shipped.sheets[LESIONS_FILE[source]]]:
            if row["patient_id"] in missing:
                assert not any(cell for name, cell in row.items() if name.endswith("_post"))
                assert not row.get("interval_therapy")


def test_headings_are_those_of_each_source() -> None:
    prospective, retrospective = patient_columns(PROSPECTIVE), patient_columns(RETROSPECTIVE)
    assert "Ki-67 (%)" in retrospective and "mib1" not in retrospective
    assert "mib1" in prospective and "krenning_pre" not in prospective
    assert not [name for name in (*prospective, *retrospective) if name.startswith("suvmax")]
    assert columns_of("lesions.csv") == columns_of("prospective_lesions.csv") == LESION_COLUMNS


def test_who_grade_fits_the_written_mib1(shipped: Cohort) -> None:
    assert [who_grade(mib1, Parameters()) for mib1 in (2, 3, 20, 21)] == ["G1", "G2", "G2", "G3"]
    for row in shipped.sheets["patients.csv"]:
        if row["Ki-67 (%)"].startswith((">", "<")):
            assert row["who_grade"] == ("G3" if row["Ki-67 (%)"] == ">20" else "G1")


# The parts


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_most_is_the_largest_score_that_more_than_half_reach(scores: list[int]) -> None:
    reached = [s for s in range(5) if sum(score >= s for score in scores) > len(scores) / 2]
    assert most(scores) == max(reached)


@pytest.mark.parametrize("notation", [name for name, _ in Parameters().mib1_notations])
def test_mib1_notation_contains_the_value_it_is_used_for(notation: str) -> None:
    p = Parameters()
    written = {true: mib1_as(notation, true, p) for true in range(p.mib1_min, p.mib1_max + 1)}
    assert any(text is not None for text in written.values())
    assert all(mib1_holds(text, true) for true, text in written.items() if text is not None)


def test_mib1_notations_by_name() -> None:
    p = Parameters()
    assert mib1_as("7%-8%", 7, p) == "7%-8%"
    assert mib1_as("15-20", 17, p) == "15-20"
    assert mib1_as("<3", 2, p) == "<3" and mib1_as("<3", 3, p) is None
    assert mib1_as(">20", 21, p) == ">20" and mib1_as(">20", 20, p) is None
    assert mib1_as("12%", 12, p) == "12%"


@pytest.mark.parametrize("notation", ["<=1", "III-IV", "II", "2-3"])
def test_krenning_notation_is_used_for_the_scores_it_contains(notation: str) -> None:
    low, high = score_bounds(notation)
    assert [s for s in range(5) if krenning_as(notation, s)] == list(range(low, high + 1))


def test_gain_has_the_declared_effects() -> None:
    p = Parameters()
    start = expected_gain(p.mib1_reference, p.cycles_reference, p)
    doubled = expected_gain(2 * p.mib1_reference, p.cycles_reference, p)
    longer = expected_gain(p.mib1_reference, p.cycles_reference + 1, p)
    assert start == pytest.approx(p.gain_mean)
    assert doubled - start == pytest.approx(p.gain_per_mib1_doubling)
    assert longer - start == pytest.approx(p.gain_per_cycle)


def test_suvmax_rises_with_the_score_around_the_liver() -> None:
    cohort = generate(500, 1)
    ratios: dict[int, list[float]] = {score: [] for score in range(5)}
    for patient in cohort.patients:
        for lesion in patient.lesions:
            if lesion.pre:
                ratio = lesion.pre.suvmax / patient.pre.liver_suv
                ratios[lesion.pre.krenning].append(ratio)
    medians = [median(ratios[score]) for score in range(5)]
    assert medians == sorted(medians)
    assert medians[2] < 1 < medians[3]


def test_gain_goes_with_mib1() -> None:
    gains: dict[bool, list[int]] = {True: [], False: []}
    for patient in generate(500, 1).patients:
        if patient.krenning_post is not None:
            gains[patient.mib1 > 10].append(patient.krenning_post - patient.krenning_pre)
    assert mean(gains[True]) > mean(gains[False])


@pytest.mark.parametrize(("patients", "seed"), [(0, 1), (-3, 1), (10, -1)])
def test_impossible_requests_are_refused_in_words(patients: int, seed: int) -> None:
    with pytest.raises(CaptemError, match="at least 1 patient and a seed of 0 or more"):
        generate(patients, seed)


# The one real case beside it


def test_published_case_is_entered_as_printed() -> None:
    texts = {
        name: (COHORTS / "published_case" / name).read_text(encoding="utf-8")
        for name in ("patients.csv", "lesions.csv")
    }
    for text in texts.values():
        assert "10.2967/jnmt.120.241539" in text
        assert "synthetic" not in text.lower()
    [patient] = read(texts["patients.csv"])
    first, second = read(texts["lesions.csv"])
    assert patient == {
        "patient_id": "case_1",
        "age_years": "58",
        "sex": "female",
        "primary_site": "gastric",
        "who_grade": "G2",
        "mib1": "7%-8%",
        "captem_cycles": "6",
        "krenning_pre": "",
        "krenning_post": "III-IV",
    }
    printed = ("krenning_pre", "krenning_post", "suvmax_pre", "suvmax_post", "size_pre_as_printed")
    assert [first[name] for name in printed] == ["", "3", "9.09", "11.47", "10 x 6 x 5.3 cm"]
    assert [second[name] for name in printed] == ["<=1", "3", "", "", ""]
