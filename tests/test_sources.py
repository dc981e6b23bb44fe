"""A file is what its bytes say, whatever it is called; what is no table is refused in words."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest
from captem.cell_text import clock_text, number_text
from captem.imports import module_files
from captem.source_table import NotReadableFile, SourceTable
from captem.sources import read_source
from hypothesis import example, given, settings
from hypothesis import strategies as st
from source_files import is_heading, read, refused, workbook

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
HEAD, ROW = ["patient_id", "sex"], ["A", "f"]


def zipped(**parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def written(folder, kind):
    """Return the same table in another format."""
    frame = pd.DataFrame([ROW], columns=HEAD)
    if kind == "xlsx":
        return workbook(HEAD, ROW)
    if kind == "sav":
        pyreadstat.write_sav(frame, str(folder / "x"))
    elif kind == "zsav":
        pyreadstat.write_sav(frame, str(folder / "x"), compress=True)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), folder / "x")
    else:
        frame.to_csv(folder / "x", index=False)
    return (folder / "x").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "xlsx", "sav", "zsav", "parquet"])
@pytest.mark.parametrize("name", ["a.csv", "a.xls", "a.XLSX", "a", "a.pdf"])
def test_the_name_of_a_file_says_nothing(tmp_path, kind, name):
    found = read(tmp_path, written(tmp_path, kind), name)
    assert (found.file, found.header, found.rows) == (name, HEAD, [ROW])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "old Excel (.xls)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"%PDF-1.7\n", "PDF"),
        (rb"{\rtf1 table}", "RTF"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x89PNG\r\n", "picture"),
        (b"\r\n <!DOCTYPE html><table><tr><td>patient_id</td></tr></table>", "web page"),
        (b"\xef\xbb\xbf<HTML>\n<body>", "web page (HTML) named .xls"),
        (b'<?xml version="1.0"?><Workbook/>', "XML named .xls"),
        (zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"), ".ods"),
        (zipped(word__document="", **{"word/document.xml": ""}), "Word"),
        (zipped(**{"xl/workbook.bin": ""}), ".xlsb"),
        (zipped(**{"Index/Document.iwa": ""}), "Numbers"),
        (zipped(**{"table.csv": "patient_id,sex\n"}), "zip"),
    ],
)
def test_formats_that_are_refused_in_their_own_words(tmp_path, data, words):
    error = refused(tmp_path, data, name="a.xls")
    assert error.rule == "unknown_format"
    assert words in error.value
    assert "xlsx" in error.allowed


def test_files_that_cannot_be_opened(tmp_path):
    for path, rule in ((tmp_path / "none", "missing_file"), (tmp_path, "unreadable_file"),
                       ("a\0b", "unreadable_file")):  # fmt: skip
        with pytest.raises(NotReadableFile) as caught:
            read_source(path, "x")
        assert (caught.value.rule, bool(caught.value.mend)) == (rule, True)
    assert refused(tmp_path, b"").rule == "empty_file"


def test_a_cut_workbook(tmp_path):
    for part in (workbook(HEAD, ROW)[:-30], b"PK", b"PK\x03\x04rest of a workbook"):
        assert refused(tmp_path, part).rule == "broken_workbook"


def test_a_note_is_kept_and_no_sheet_is_made_up(tmp_path):
    found = read_source(Path(__file__).parents[1] / "config/cohorts/example/patients.csv", "p")
    assert found.synthetic and found.sheet == ""
    assert found.note[0].startswith("SYNTHETIC DATA")
    assert found.numbers[0] == len(found.note) + 2
    assert not found.ragged and not found.problems


def test_only_the_reader_that_is_needed_is_loaded(tmp_path):
    (tmp_path / "a.csv").write_text("patient_id,sex\nA,f\n")
    code = (
        "import sys; from captem.sources import read_source; read_source(sys.argv[1], 'x'); "
        "print(sorted({'pandas', 'pyarrow', 'pyreadstat', 'openpyxl'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv")],
        cwd=SCRIPTS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_snakemake_sees_the_readers_that_are_loaded_late():
    def text(path):
        file = SCRIPTS / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    found = module_files("captem/sources.py", text)
    for name in ("delimited", "workbook", "spss", "parquet", "xlsx_cells", "cell_text"):
        assert f"captem/{name}.py" in found


def test_numbers_and_times_as_text():
    assert number_text(-0.0) == "0"
    assert number_text(1e300) == "1e+300"
    assert number_text(123456789012345678) == "123456789012345678"
    assert clock_text(-90) == "-00:01:30"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value):
    assert float(number_text(value)) == value


STARTS = (b"", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"\xef\xbb\xbf", b"<html", b"sep=")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=200))
@example(b"", b"\xff\xfe\x00")
@example(b"", b"sep=;\n#")
@example(b"", b'#"')
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, start, rest):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(start + rest)
    try:
        found = read_source(path, "f", is_heading=is_heading)
    except NotReadableFile as error:
        assert error.rule and error.allowed and error.mend
    else:
        assert isinstance(found, SourceTable)
        assert all(len(row) == len(found.header) for row in found.rows)
        assert len(found.numbers) == len(found.rows)
