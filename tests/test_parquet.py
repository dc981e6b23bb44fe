"""Parquet files, written by pyarrow and by pandas."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from captem.parquet import read_parquet
from captem.source_table import NotReadableFile, SourceTable
from hypothesis import given, settings
from hypothesis import strategies as st
from source_files import read, refused


def parquet(columns, metadata=None):
    """Return the bytes of a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), stream)
    return stream.getvalue()


NOON = dt.datetime(2026, 3, 31, 12, 30)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["007", " x ", None, ""]), ["007", " x ", "", ""]),
        (pa.array([7, None], pa.int8()), ["7", ""]),
        (pa.array([2**60]), ["1152921504606846976"]),
        (pa.array([9.09, 7.0, None, float("nan"), 0.1 + 0.2]),
         ["9.09", "7", "", "", "0.30000000000000004"]),
        (pa.array([9.09, None, 7], pa.float32()), ["9.09", "", "7"]),
        (pa.array([Decimal("9.090")], pa.decimal128(5, 3)), ["9.090"]),
        (pa.array([True, False, None]), ["yes", "no", ""]),
        (pa.array([dt.date(2026, 3, 31), None]), ["2026-03-31", ""]),
        (pa.array([dt.datetime(2026, 3, 31), NOON]), ["2026-03-31", "2026-03-31T12:30:00"]),
        (pa.array([1774960200_000000001], pa.timestamp("ns")), ["2026-03-31T12:30:00"]),
        (pa.array([NOON], pa.timestamp("s", "UTC")), ["2026-03-31T12:30:00+00:00"]),
        (pa.array([NOON + dt.timedelta(milliseconds=999)]), ["2026-03-31T12:30:01"]),
        (pa.array([dt.time(9, 5)]), ["09:05"]),
        (pa.array(["lung", None, "lung"]).dictionary_encode(), ["lung", "", "lung"]),
        (pa.nulls(2), ["", ""]),
    ],
)  # fmt: skip
def test_values(tmp_path, values, texts):
    found = read(tmp_path, parquet({"x": values}))
    assert (found.header, found.rows) == (["x"], [[text] for text in texts])
    assert found.numbers == list(range(1, len(texts) + 1))


def test_a_frame_of_pandas(tmp_path):
    frame = pd.DataFrame(
        {"patient_id": ["A", "B"], "cycles": pd.array([6, None], dtype="Int64"),
         "sex": pd.Categorical(["female", None]), "day": pd.to_datetime(["2026-03-31", None])}
    )  # fmt: skip
    frame.to_parquet(tmp_path / "written")
    found = read(tmp_path, (tmp_path / "written").read_bytes())
    assert found.header == ["patient_id", "cycles", "sex", "day"]
    assert found.rows == [["A", "6", "female", "2026-03-31"], ["B", "", "", ""]]
    assert (found.file, found.sheet, found.day_zero, found.synthetic) == (
        "cohort.xyz",
        "",
        "",
        False,
    )


def test_the_note_of_synthetic_data(tmp_path):
    found = read(tmp_path, parquet({"x": [1]}, {"note": "by AB\nSYNTHETIC data"}))
    assert (found.note, found.synthetic) == (["SYNTHETIC data"], True)


@pytest.mark.parametrize(
    "values", [pa.array([[1, 2]]), pa.array([{"a": 1}]), pa.array([b"x"]),
               pa.array([dt.timedelta(1)]), pa.array([b"x"]).dictionary_encode()],
)  # fmt: skip
def test_columns_that_are_no_cells(tmp_path, values):
    error = refused(tmp_path, parquet({"good": ["a"], "scores": values}))
    assert error.rule == "not_a_table"
    assert "column scores" in error.value


def test_no_rows_and_no_columns(tmp_path):
    found = read(tmp_path, parquet({"patient_id": pa.array([], pa.string())}))
    assert (found.header, found.rows) == (["patient_id"], [])
    assert refused(tmp_path, parquet({})).rule == "empty_file"


def test_a_few_bytes_for_many_rows(tmp_path):
    data = parquet({"x": pa.nulls(30_000_000)})
    assert len(data) < 100_000
    assert refused(tmp_path, data).rule == "too_large"


def test_a_day_after_the_last_one(tmp_path):
    data = parquet({"x": pa.array([2**62], pa.timestamp("us"))})
    assert refused(tmp_path, data).rule == "broken_parquet"


SOUND = parquet({"a": ["x", "y"] * 20, "b": [1.5, None] * 20, "c": [NOON, None] * 20})


@settings(max_examples=200, deadline=None)
@given(st.integers(4, len(SOUND) - 1), st.binary(min_size=1, max_size=4), st.booleans())
def test_a_damaged_file_is_a_table_or_refused(place, new, cut):
    damaged = SOUND[:place] if cut else SOUND[:place] + new + SOUND[place + len(new) :]
    try:
        found = read_parquet(damaged, "f")
    except NotReadableFile as error:
        assert error.rule and error.mend
    else:
        assert isinstance(found, SourceTable)
        assert all(len(row) == len(found.header) for row in found.rows)
