"""Table 1 and the table of lesions of the example by value, and how they treat what is not there.

The expected tables under golden_tables/ hold what test_describe_rows.py holds against tableone and
plain counts; they fix how it is printed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from captem import rounding, statistics, table_formats, tables
from captem.table_parts import Table
from studies import Study, from_text, shipped

GOLDEN = Path(__file__).resolve().parent / "golden_tables"


def expected(name: str) -> str:
    return (GOLDEN / f"{name}.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("by", ["source", "direction"])
def test_table_1_of_the_example_by_value(synthetic: Study, by: str) -> None:
    table = tables.characteristics(synthetic.statistics, "synthetic", by)
    assert table_formats.to_csv(table) == expected(f"characteristics_by_{by}")


def test_lesions_of_the_example_by_value(synthetic: Study) -> None:
    table = tables.lesions(synthetic.statistics, "synthetic")
    assert table_formats.to_csv(table) == expected("lesions")


def line(table: Table, words: str) -> tuple[str, ...]:
    return next(row.cells[1:] for row in table.rows if row.cells[0].startswith(words))


def test_no_groups_no_differences(synthetic: Study) -> None:
    table = tables.characteristics(synthetic.statistics, by="none")
    assert table.columns == ("Characteristic", "All patients (n = 60)")
    assert not any("Standardised" in note for note in table.notes)


def test_the_differences_are_explained_and_test_nothing(synthetic: Study) -> None:
    for by in ("source", "direction"):
        table = tables.characteristics(synthetic.statistics, by=by)
        assert table.columns[-1] == "Standardised difference"
        (note,) = (note for note in table.notes if note.startswith("Standardised difference"))
        assert note.endswith("It describes the groups and tests nothing.")
        assert ("the largest of any two" in note) == (by == "direction")
        assert not any(column.split()[0] == "P" for column in table.columns)


def test_a_grouping_that_is_none_is_refused(synthetic: Study) -> None:
    with pytest.raises(ValueError, match="source, direction or none"):
        tables.characteristics(synthetic.statistics, by="sex")


def test_one_patient_is_no_group(tmp_path) -> None:
    table = tables.characteristics(shipped("published_case").statistics)
    assert table.columns == ("Characteristic", "All patients (n = 1)")
    assert line(table, "MIB1 index") == ("7.5",)
    lesions = tables.lesions(shipped("published_case").statistics)
    assert lesions.columns == ("Finding", "All patients (2 lesions)")
    assert line(lesions, "SUVmax at follow-up") == ("11.5",)
    assert line(lesions, "rose") == ("1/1 (100%)",)


def test_without_lesions_one_line_says_so(tmp_path) -> None:
    text = "patient_id,krenning_pre,krenning_post\nA,1,\nB,2,\n"
    study = from_text(tmp_path, text)
    table = tables.lesions(study.statistics)
    assert [row.cells for row in table.rows] == [
        ("Patients with lesions in the table, n/N (%)", "0/2 (0%)")
    ]
    assert "No table of lesions was given, or it is empty." in table.notes
    # Nobody has a follow-up score, hence no direction and no column of one.
    by_direction = tables.characteristics(study.statistics, by="direction")
    assert by_direction.columns == ("Characteristic", "All patients (n = 2)")
    assert line(by_direction, "Krenning score at follow-up")[0].startswith(rounding.EMPTY)


def test_what_is_masked_is_said_to_be(synthetic: Study) -> None:
    frame = synthetic.statistics.copy()
    hidden = frame["row_id"].isin(
        [
            "describe.primary_site/characteristics/source_prospective/rectum",
            "describe.age_years/characteristics/source_prospective/median",
            "describe.difference/characteristics/sources/sex",
            "describe.patients/characteristics/source_prospective",
        ]
    )
    numbers = ["estimate", "n_patients", "n_events"]
    frame.loc[hidden, numbers] = None
    frame.loc[hidden, ["status", "reason"]] = ["not_estimable", "masked: fewer than 5 patients"]
    assert hidden.sum() == 4
    table = tables.characteristics(statistics.combine([frame]))
    assert table.columns[3] == "Prospective (n masked)"
    assert line(table, "rectum")[2] == "masked[a]"
    assert line(table, "Age")[2] == "masked[a]"
    assert line(table, "Sex")[-1] == "masked[a]"
    assert "[a] Masked: fewer than 5 patients." in table.notes
