"""Delimited text: any encoding, any sign between cells, headings wherever they are."""

from __future__ import annotations

import csv
import io

import pytest
from captem.delimited import read_delimited
from captem.problems import ERROR, WARNING
from captem.source_table import NotReadableFile, SourceTable
from hypothesis import given
from hypothesis import strategies as st
from source_files import is_heading, read

ROWS = [["A", "1", "3", 'Zürich, "old";\ttown|x\ntwo'], ["B", "<=1", "III-IV", ""]]
HEAD = ["patient_id", "krenning_pre", "krenning_post", "remark"]
# The mark on top of the file, how it is encoded, and what the reader says about it.
ENCODINGS = [
    ("", "utf-8", []),
    ("\ufeff", "utf-8", []),
    ("\ufeff", "utf-16-le", []),
    ("\ufeff", "utf-16-be", []),
    ("", "utf-16-le", []),
    ("", "utf-16-be", []),
    ("", "cp1252", ["encoding_windows_1252"]),
]


def text_of(table):
    return read_delimited(table.encode(), "f", is_heading)


@pytest.mark.parametrize(("mark", "encoding", "rules"), ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", ":"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_signs_and_line_ends(tmp_path, mark, encoding, rules, delimiter, end):
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows([HEAD, *ROWS])
    found = read(tmp_path, (mark + stream.getvalue()).encode(encoding))
    assert (found.header, found.rows, found.numbers) == (HEAD, ROWS, [2, 3])
    assert [problem.rule for problem in found.problems] == rules
    assert found.decimal_comma is (delimiter == ";")
    assert found.ragged == [] and found.sheet == found.day_zero == ""


def test_the_warning_on_the_encoding_names_the_letters():
    found = read_delimited("patient_id,sex\nMüller,é".encode("cp1252"), "f", is_heading)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.row) == (WARNING, "f", "")
    assert problem.value == "é ü"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "empty_file"),
        (b" \n\r\n", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"# only a note\n", "empty_file"),
        (b"sep=;\n", "empty_file"),
        (b"patient_id,sex\nA\x00,f\n", "not_text"),
        (b"\x01\x02\x81\xff\xfe", "not_text"),
        (b"patient_id,sex\nM\xfcller\x02,f\n", "not_text"),
        ("patient_id,sex\n".encode("utf-16") + b"\x00\xd8", "not_text"),
        (b'patient_id,sex,krenning_pre\n"A,f,1\n', "not_csv"),
        (b'patient_id,sex,krenning_pre\nA,"f"x,1\n', "not_csv"),
        (b'patient_id,sex,krenning_pre\nA,"f;m,1\nB;,,\n', "not_csv"),
        (b'"patient_id,sex,krenning_pre"\n"A,f,1"\n', "not_csv"),
    ],
)
def test_what_is_no_table(data, rule):
    with pytest.raises(NotReadableFile) as caught:
        read_delimited(data, "f", is_heading)
    assert caught.value.rule == rule


def test_the_broken_row_is_named():
    with pytest.raises(NotReadableFile, match="row 4"):
        text_of('patient_id,sex\nA,f\n\nB,"f"x\nC,m\n')


def test_sep_line_decides():
    found = text_of("sep=!\npatient_id!sex!krenning_pre\nA,B!f!1,5\n")
    assert (found.header, found.rows) == (
        ["patient_id", "sex", "krenning_pre"],
        [["A,B", "f", "1,5"]],
    )
    assert (found.numbers, found.note) == ([3], [])
    assert text_of("sep=\t\npatient_id\tsex\nA;1\tf\n").rows == [["A;1", "f"]]


def test_known_headings_choose_the_sign():
    # By looks alone the comma would fit as well: every line has one.
    found = text_of("patient_id;krenning_pre,first\nA;1,2\nB;3,4\n")
    assert found.header == ["patient_id", "krenning_pre,first"]
    assert text_of("patient_id,sex;krenning_pre\nA,f;1\n").header == [
        "patient_id",
        "sex;krenning_pre",
    ]


def test_without_known_headings_the_layout_decides():
    found = read_delimited(b"a;b\n1;9,09\n2;11,5\n", "f", lambda text: False)
    assert (found.header, found.rows) == (["a", "b"], [["1", "9,09"], ["2", "11,5"]])
    assert found.decimal_comma


def test_rows_as_long_as_the_headings_count_more_than_many_columns():
    found = read_delimited(b"a,b;c;d\n1,2\n3,4\n", "f", lambda text: False)
    assert found.header == ["a", "b;c;d"]


def test_a_value_is_no_heading_below_its_heading():
    """Also where `suvmax 9` would be a spelling of suvmax."""
    found = read_delimited(b"suvmax,,x\n9,1,2\n", "f", lambda text: text.startswith("suvmax"))
    assert (found.header, found.rows) == (["suvmax", "", "x"], [["9", "1", "2"]])


def test_without_known_headings_a_title_is_none():
    table = b"Cohort,,\na,b,c\n1,,\n1,2,\n"
    found = read_delimited(table, "f", lambda text: False)
    assert (found.header, found.numbers) == (["a", "b", "c"], [3, 4])


def test_one_column_is_a_table():
    assert text_of("patient_id\nA\nB\n").rows == [["A"], ["B"]]


@pytest.mark.parametrize(
    ("table", "comma"),
    [
        ("patient_id;suvmax_pre\nA;9,09\n", True),
        ("patient_id;suvmax_pre\nA;9\n", True),
        ("patient_id;suvmax_pre\nA;9,09\nB; 9.09 \n", False),
        ("patient_id;suvmax_pre\nA;31.03.2026\n", True),
        ("patient_id\tsuvmax_pre\nA\t9,09\n", False),
        ("patient_id,suvmax_pre\nA,9\n", False),
    ],
)
def test_decimal_comma(table, comma):
    assert text_of(table).decimal_comma is comma


def test_rows_are_counted_as_a_spreadsheet_counts_them():
    table = '# a note\n"# one, in\ntwo lines"\npatient_id,remark\n\nA,"x\ny"\n , \nB,z\n'
    found = text_of(table)
    assert found.note == ["a note", "one, in", "two lines"]
    assert (found.numbers, found.rows) == ([5, 7], [["A", "x\ny"], ["B", "z"]])


@pytest.mark.parametrize(
    ("table", "ragged"),
    [
        ("patient_id,suvmax_pre,sex\nA,9,09,f\nB,1,f\n", [(2, 4)]),
        ("patient_id,suvmax_pre,sex\nA,9,09\nB,1\n", [(3, 2)]),
        ("patient_id,suvmax_pre,sex\nA,9,09,\n", [(2, 4)]),
        ("patient_id,suvmax_pre,,\nA,9,,\nB,1\n", []),
        ("patient_id,suvmax_pre,,\nA,9,09,\n", [(2, 4)]),
        ("patient_id;suvmax_pre\nA;9;;\nB;1\n", []),
        ("patient_id;suvmax_pre;sex\nA;9\n", []),
        ("patient_id,suvmax_pre,sex\nA,9\n", [(2, 2)]),
        ("patient_id;suvmax_pre\nA;9;lost\n", [(2, 3)]),
        ("A title over all,,,\n,,,\npatient_id,suvmax_pre,sex,\nA,1,f,\n", []),
        ("A title\n\npatient_id,suvmax_pre,sex\nA,1,f\n", []),
    ],
)
def test_rows_that_do_not_fit(table, ragged):
    assert text_of(table).ragged == ragged


def test_a_ragged_row_is_left_out_and_the_others_stay():
    found = text_of("patient_id,suvmax_pre\nA,9,09\nB,1\n")
    assert (found.rows, found.numbers) == ([["B", "1"]], [3])


def test_columns_without_headings():
    found = text_of("patient_id,,sex,,\nA,,f,,\nB,,m,,\n")
    assert (found.header, found.rows) == (["patient_id", "sex"], [["A", "f"], ["B", "m"]])
    kept = text_of("patient_id,,sex\nA,x,f\n")
    assert (kept.header, kept.rows) == (["patient_id", "", "sex"], [["A", "x", "f"]])
    end = text_of("patient_id;sex;;\nA;f;;\nB;m;x;\n")
    assert (end.header, end.rows) == (["patient_id", "sex", ""], [["A", "f", ""], ["B", "m", "x"]])


def test_titles_and_notes_above_the_headings():
    found = text_of(
        "Cohort of 2026,,\n# checked,,\nSynthetic data,,\n,,\npatient_id,sex,mib1\nA,f,7\n"
    )
    assert found.header == ["patient_id", "sex", "mib1"]
    assert (found.numbers, found.note) == ([6], ["checked", "Synthetic data"])
    assert found.synthetic


def test_a_sign_before_the_headings_is_no_note():
    found = text_of("# note\n#patient_id,sex\nA,f\n")
    assert (found.header, found.note) == (["patient_id", "sex"], ["note"])


def test_two_rows_of_headings():
    found = text_of(
        "Table 1,,,,\npatient_id,Krenning score,,MIB1,sex\n,before,after,(%),\nA,1,3,7,f\n"
    )
    assert found.header == ["patient_id", "Krenning score before", "Krenning score after",
                            "MIB1 (%)", "sex"]  # fmt: skip
    assert (found.rows, found.numbers) == ([["A", "1", "3", "7", "f"]], [4])


def test_groups_part_what_stands_twice():
    found = text_of(
        ",Baseline,,,Follow-up,,\npatient_id,SUVmax,Krenning,scanner,SUVmax,Krenning,scanner\n"
        "A,9,1,GE,11,3,GE\n"
    )
    assert found.header == [
        "patient_id", "Baseline SUVmax", "Baseline Krenning", "Baseline scanner",
        "Follow-up SUVmax", "Follow-up Krenning", "Follow-up scanner",
    ]  # fmt: skip


def test_a_title_is_no_group_and_a_row_of_the_table_no_heading():
    assert text_of("Krenning score,,\nbefore,after,patient_id\n1,2,A\n").header == [
        "before", "after", "patient_id",
    ]  # fmt: skip
    plain = text_of("patient_id,MIB1,sex\nA,7,f\n")
    assert (plain.header, plain.rows) == (["patient_id", "MIB1", "sex"], [["A", "7", "f"]])
    gap = text_of("patient_id,krenning_pre,x\n,1,\n")
    assert gap.rows == [["", "1", ""]]


def test_headings_sorted_into_the_table_cost_no_patient_silently():
    found = text_of("A,1,3,f\nB,2,3,m\npatient_id,krenning_pre,krenning_post,sex\nC,1,1,f\n")
    assert [(p.severity, p.rule, p.row) for p in found.problems] == [
        (ERROR, "rows_above_headings", "1"), (ERROR, "rows_above_headings", "2"),
    ]  # fmt: skip
    titled = text_of("Cohort,31.3.2026,,\npatient_id,krenning_pre,krenning_post,sex\nC,1,1,f\n")
    assert titled.problems == []


def test_headings_as_the_eye_sees_them():
    assert text_of('"patient_id ","Krenning\nscore  before"\nA,1\n').header == [
        "patient_id", "Krenning score before",
    ]  # fmt: skip


def test_cells_stay_as_they_are():
    assert text_of("patient_id,sex\n 007 ,\u00a0f\x0bx \n").rows == [[" 007 ", "\u00a0f\x0bx "]]


def test_end_of_file_of_old_programs():
    assert text_of("patient_id,sex\nA,f\n\x1a").rows == [["A", "f"]]


def test_a_file_of_headings_only():
    found = text_of("patient_id,sex\n")
    assert (found.header, found.rows, found.numbers) == (["patient_id", "sex"], [], [])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(data):
    try:
        found = read_delimited(data, "f", is_heading)
    except NotReadableFile:
        return
    assert isinstance(found, SourceTable)
    assert all(len(row) == len(found.header) for row in found.rows)


@given(st.text(alphabet='patient_id,sex;\t|"#\n\r=A19.:^~ü ', max_size=120))
def test_any_text_loses_no_row(text):
    try:
        found = read_delimited(text.encode(), "f", is_heading)
    except NotReadableFile:
        return
    assert all(len(row) == len(found.header) for row in found.rows)
    assert len(found.numbers) == len(found.rows)
    rows = found.numbers + [number for number, _ in found.ragged]
    assert len(set(rows)) == len(rows)


@given(
    st.lists(
        st.lists(st.text(alphabet='a1,;|\t"\n é#', min_size=1), min_size=3, max_size=3),
        min_size=1, max_size=6,
    ),
    st.sampled_from(",;\t|"),
)  # fmt: skip
def test_what_csv_writes_comes_back(rows, delimiter):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["patient_id", "sex", "mib1"], *rows])
    found = read_delimited(stream.getvalue().encode(), "f", is_heading)
    assert found.rows == [row for row in rows if any(cell.strip() for cell in row)]
