"""Result files: whole, the same bytes, and read back as they were."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from captem.files import as_csv, read_frame, write_bytes, write_frame
from hypothesis import given
from hypothesis import strategies as st

# A lone carriage return is put in quotation marks here and not by pandas: a reader takes it for the
# end of a line.
PRINTED = st.text(max_size=5).filter(lambda text: "\r" not in text)
TEXTS = st.one_of(st.none(), PRINTED, st.sampled_from(["a,b", 'say "x"', "two\nlines"]))
COLUMNS = {
    "texts": (TEXTS, object),
    "floats": (st.floats(width=64), float),
    "counts": (st.one_of(st.none(), st.integers(-9, 10**12)), "Int64"),
    "flags": (st.booleans(), bool),
    "mixed": (st.one_of(st.none(), st.integers(0, 2), st.booleans(), st.floats()), object),
    "zeros": (st.sampled_from([0.0, -0.0, 1.0, np.nan, np.inf]), float),
}


@given(
    st.data(),
    st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True),
    st.integers(0, 6),
)
def test_a_table_is_printed_as_pandas_prints_it(data, names, rows):
    frame = pd.DataFrame(
        {
            name: pd.Series(
                data.draw(st.lists(COLUMNS[name][0], min_size=rows, max_size=rows)),
                dtype=COLUMNS[name][1],
            )
            for name in names
        }
    )
    assert as_csv(frame) == frame.to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize("names", [["a", "a"], ["a,b", 'c"d'], ["a"]])
def test_headings_are_printed_as_pandas_prints_them(names):
    frame = pd.DataFrame([["x", None][: len(names)], [None, ""][: len(names)]], columns=names)
    assert as_csv(frame) == frame.to_csv(index=False, lineterminator="\n")


def test_codes_and_numbers_come_back(tmp_path):
    frame = pd.DataFrame(
        {"patient_id": ["007", "NA", "1e5"], "suvmax_pre": [0.1 + 0.2, np.nan, 9.0],
         "captem_cycles": pd.array([6, None, 0], dtype="Int64")}
    )  # fmt: skip
    write_frame(tmp_path / "t.csv", frame)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "t.csv"), frame, check_dtype=False)


def test_a_kept_column_with_the_name_of_a_number_stays_text(tmp_path):
    path = tmp_path / "lesions.csv"
    path.write_text("captem_cycles,mib1_low,suvmax_pre\n4 cycles,low,3.5\n", encoding="utf-8")
    frame = read_frame(path)
    assert frame.iloc[0].tolist() == ["4 cycles", "low", 3.5]
    path.write_text("captem_cycles\n2.5\n", encoding="utf-8")
    assert read_frame(path)["captem_cycles"].tolist() == ["2.5"]


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path):
    handle, left = tempfile.mkstemp(dir=tmp_path, prefix=".flow [1].tiff.")
    os.close(handle)
    others = [tmp_path / ".flow.tiff.abcdefgh", tmp_path / ".flow [1].tiff.note"]
    for path in others:
        path.write_bytes(b"mine")
    write_bytes(tmp_path / "flow [1].tiff", b"whole")
    assert not Path(left).exists()
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "flow [1].tiff"])
