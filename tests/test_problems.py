"""The problems of a cohort table, in order and as a table for the terminal."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest
from captem.problems import Problem, as_text, in_order
from hypothesis import given
from hypothesis import strategies as st


def problem(severity="error", **said) -> Problem:
    given = {
        "rule": "out_of_range", "file": "p.csv", "column": "krenning_pre", "value": "5",
        "allowed": "0 to 4", "mend": "correct the cell",
    }  # fmt: skip
    return Problem(severity, **(given | said))


def unknown(column: str, file: str = "p.csv", mend: str = "nothing: kept") -> Problem:
    return problem(
        "warning", rule="unknown_column", file=file, column=column, value="", mend=mend,
        allowed="the columns known",
    )  # fmt: skip


def test_one_problem_says_where_what_and_the_mend():
    text = as_text([problem(row="2", patient_id="A", sheet="Cohort")], width=100)
    assert text.splitlines() == [
        "1 error, 0 warnings",
        "ERROR    p.csv, sheet Cohort, row 2, patient A, column krenning_pre",
        "         found: 5; allowed: 0 to 4",
        "         To mend: correct the cell",
    ]


def test_the_same_fault_of_several_rows_is_one_entry():
    rows = [problem(row=str(row), patient_id=f"P{row}", value=str(row % 3)) for row in (12, 5, 9)]
    lines = as_text(rows, width=100).splitlines()
    assert lines == [
        "3 errors, 0 warnings",
        "ERROR    p.csv, rows 5, 9, 12, column krenning_pre",
        "         found: 2 | 0; allowed: 0 to 4",
        "         To mend: correct the cell",
    ]
    many = as_text([problem(row=str(row), value=f"v{row}") for row in range(2, 26)], width=100)
    assert "rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 14 more, column krenning_pre" in many
    assert "found: v2 | v3 | v4 | v5 | v6 | v7 and 18 more;" in many
    assert many.startswith("24 errors")


@pytest.mark.parametrize(
    "other",
    [{"rule": "not_readable"}, {"file": "q.csv"}, {"sheet": "s"}, {"column": "krenning_post"},
     {"allowed": "1"}, {"mend": "leave it"}, {"severity": "warning"}, {"row": ""}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_what_differs_otherwise_is_not_one_entry(other):
    text = as_text([problem(row="2"), problem(**({"row": "3"} | other))], width=100)
    assert len(re.findall("^(?:ERROR|WARNING) ", text, re.M)) == 2


def test_columns_that_are_only_noticed_are_one_entry_a_file():
    dropped = problem("warning", rule="identity_dropped", column="Name", value="", mend="remove it")
    also = replace(dropped, column="DOB", allowed="0 to 4 (cells)")
    hint = unknown("Ki67", mend="nothing: if it is mib1, say so")
    found = [unknown("colour"), unknown("comment"), hint, unknown("x", "q.csv"), dropped, also]
    assert as_text(found, width=100).splitlines() == [
        "0 errors, 6 warnings",
        "WARNING  p.csv",
        "         left out of every result: DOB, Name; allowed: 0 to 4 (cells) | 0 to 4",
        "         To mend: remove it",
        "WARNING  p.csv",
        "         kept as they are: Ki67, colour, comment; allowed: the columns known",
        "         To mend: nothing: kept",
        "         Ki67: nothing: if it is mib1, say so",
        "WARNING  q.csv, column x",
        "         allowed: the columns known",
        "         To mend: nothing: kept",
    ]


def test_errors_of_whole_files_come_first_then_errors_then_warnings():
    found = [
        problem("warning", row="2"),
        problem(row="10"),
        problem(row="9", column="a"),
        problem(rule="missing_file", column="", file="z.csv"),
    ]
    assert in_order(found) == [found[3], found[2], found[1], found[0]]
    heads = [line.split(",")[0] for line in as_text(found, 100).splitlines() if line[0] != " "]
    assert heads == ["3 errors", "ERROR    z.csv", "ERROR    p.csv",
                     "ERROR    p.csv", "WARNING  p.csv"]  # fmt: skip


def test_a_row_may_be_something_else_than_a_number():
    found = [problem(row=row) for row in ("b", "10", "", "a", "9", "²", "-1", "9" * 30)]
    ordered = [entry.row for entry in in_order(found)]
    assert ordered[0] == ""
    assert ordered[-2:] == ["9", "10"]
    assert "rows" in as_text(found)


def test_what_is_left_out_is_counted_in_problems():
    found = [problem(row=str(row), column=column) for column in "abc" for row in (2, 3)]
    lines = as_text(found, width=100, most=2).splitlines()
    assert sum(line.startswith("ERROR") for line in lines) == 2
    assert lines[-1] == "... and 2 more in problems.csv"
    assert "more" not in as_text(found, width=100, most=3)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_fit_the_terminal_and_phrases_stay_whole(width, monkeypatch):
    long = problem(
        row="23", patient_id="NET-017", file="cohorts/2024/retrospective/patients.csv",
        allowed="a whole number from 0 to 4, two of them as in 2-3, or empty where not known, " * 3,
    )  # fmt: skip
    for text in (
        as_text([long], width=width),
        as_text([long, problem(row="24")], width=width),
        as_text([unknown(f"column number {i}") for i in range(50)], width=width),
    ):
        lines = text.splitlines()
        free = [line for line in lines if "cohorts/2024" not in line]
        assert max(len(line) for line in free) <= width
        assert all(line.startswith(("ERROR", "WARNING", " " * 9)) for line in lines[1:])
    if width >= 80:
        assert "row 23, patient NET-017, column krenning_pre\n" in as_text([long], width=width)
    monkeypatch.setattr(
        shutil, "get_terminal_size", lambda *_, **__: shutil.os.terminal_size((width, 9))
    )
    assert as_text([long]) == as_text([long], width=width)


def test_long_values_are_clipped_and_control_signs_taken_out():
    text = as_text([problem(row="2\n3", value="x" * 999 + "\x1b[31m", patient_id="\x1b]0;a\x07")])
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("x") == 200
    assert "found: x" in text
    assert "row 2 3, patient  ]0;a" in text


@given(st.lists(st.builds(Problem, *[st.text(max_size=9)] * 10), max_size=6))
def test_any_texts_can_be_shown(found):
    text = as_text(found, width=80)
    assert re.match(r"\d+ errors?, \d+ warnings?", text)
    assert all(line.isprintable() for line in text.split("\n"))
