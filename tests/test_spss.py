"""SPSS files, written by pyreadstat: codes stay codes, and their meaning comes with them."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyreadstat
import pytest
from captem.source_table import NotReadableFile, SourceTable
from captem.spss import read_spss
from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import read, refused

FRAME = pd.DataFrame(
    {
        "id": ["007", "B  ", "Ü"],
        "sex": [1.0, 2.0, 9.0],
        "suv": [9.09, None, 0.1 + 0.2],
        "cycles": [6.0, 97.0, 98.5],
        "day": [dt.date(2026, 3, 31), None, dt.date(1950, 1, 1)],
        "moment": [dt.datetime(2026, 3, 31, 10, 20), None, None],
        "clock": [dt.time(9, 5), None, None],
        "site": ["a", "NA", ""],
    }
)


def sav(folder, frame=FRAME, **options):
    """Return the bytes of an SPSS file."""
    path = folder / "written.sav"
    pyreadstat.write_sav(frame, str(path), **options)
    return path.read_bytes()


@pytest.mark.parametrize("compress", [False, True])
def test_values(tmp_path, compress):
    found = read(tmp_path, sav(tmp_path, compress=compress))
    assert found.header == list(FRAME)
    assert found.rows == [
        ["007", "1", "9.09", "6", "2026-03-31", "2026-03-31T10:20:00", "09:05", "a"],
        ["B", "2", "", "97", "", "", "", "NA"],
        ["Ü", "9", "0.30000000000000004", "98.5", "1950-01-01", "", "", ""],
    ]
    assert found.numbers == [1, 2, 3]
    assert (found.file, found.sheet, found.day_zero, found.note) == ("cohort.xyz", "", "", [])
    assert not (found.labels or found.codes or found.missing or found.problems)


@pytest.mark.parametrize("form", ["DATE11", "ADATE10", "EDATE10", "SDATE10"])
def test_every_kind_of_date(tmp_path, form):
    frame = FRAME[["id", "day"]]
    found = read(tmp_path, sav(tmp_path, frame, variable_format={"day": form}))
    assert [row[1] for row in found.rows] == ["2026-03-31", "", "1950-01-01"]


def test_labels_codes_and_declared_missing_values(tmp_path):
    found = read(
        tmp_path,
        sav(
            tmp_path,
            column_labels={"suv": "SUVmax before", "id": " "},
            variable_value_labels={"sex": {1.0: "male", 2.0: "female"}, "site": {"a": "lung"}},
            missing_ranges={
                "sex": [9.0, 8.0], "cycles": [{"lo": 97.0, "hi": 99.0}], "suv": [99.0],
                "site": ["NA"],
            },
        ),
    )  # fmt: skip
    assert found.labels == {"suv": "SUVmax before"}
    assert found.codes == {"sex": {"1": "male", "2": "female"}, "site": {"a": "lung"}}
    assert found.missing == {
        "sex": frozenset({"9"}), "cycles": frozenset({"97", "98.5"}), "site": frozenset({"NA"}),
    }  # fmt: skip
    # Declared or not, the cell keeps its code.
    assert [row[1] for row in found.rows] == ["1", "2", "9"]


@pytest.mark.parametrize("where", [{"note": ["made by hand", "Synthetic data"]},
                                   {"file_label": "SYNTHETIC data"}])  # fmt: skip
def test_what_says_synthetic(tmp_path, where):
    found = read(tmp_path, sav(tmp_path, **where))
    assert found.synthetic
    assert [line.lower() for line in found.note] == ["synthetic data"]


def test_no_cases(tmp_path):
    found = read(tmp_path, sav(tmp_path, FRAME.iloc[:0]))
    assert (found.header[:2], found.rows, found.numbers) == (["id", "sex"], [], [])


def test_a_file_that_ends_the_process_of_its_reader(tmp_path):
    """A value label for a variable that is not there makes the library read beyond its memory."""
    data = sav(tmp_path, variable_value_labels={"sex": {1.0: "male"}})
    record = b"\x04\x00\x00\x00\x01\x00\x00\x00"
    place = data.index(record) + len(record)
    error = refused(tmp_path, data[:place] + b"\x02\x00\xa8\x00" + data[place + 4 :])
    assert (error.rule, "the reader broke down" in error.value) == ("broken_spss", True)


def test_text_in_another_encoding_than_the_file_says(tmp_path):
    data = sav(tmp_path, FRAME[["id"]])
    assert "Ü".encode() in data
    assert refused(tmp_path, data.replace("Ü".encode(), b"\xdc\xff")).rule == "broken_spss"


@pytest.mark.parametrize("data", [b"$FL2", b"$FL3" + b"\0" * 400, b"$FL2@(#) SPSS" + b" " * 170])
def test_fragments(tmp_path, data):
    assert refused(tmp_path, data).rule in ("broken_spss", "empty_file")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return sav(tmp_path_factory.mktemp("spss"), variable_value_labels={"sex": {1.0: "male"}})


# Each example starts a process.
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_table_or_refused(sound, data):
    place = data.draw(st.integers(4, len(sound) - 1))
    new = data.draw(st.binary(min_size=1, max_size=4))
    damaged = sound[:place] + new + sound[place + len(new) :]
    try:
        found = read_spss(damaged[:place] if data.draw(st.booleans()) else damaged, "f")
    except NotReadableFile as error:
        assert error.rule and error.mend
    else:
        assert isinstance(found, SourceTable)
        assert all(len(row) == len(found.header) for row in found.rows)
