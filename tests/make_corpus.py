"""Make the files of `tests/corpus` that are no plain text: python tests/make_corpus.py

All that they hold is invented. The same call gives the same files, but for what a new version of
the libraries that write SPSS and Parquet files changes in them.
"""

from __future__ import annotations

import gzip
import io
import random
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
from captem.files import same_bytes_zip
from openpyxl.comments import Comment
from openpyxl.utils.datetime import CALENDAR_MAC_1904

CORPUS = Path(__file__).resolve().parent / "corpus"

# When a workbook was made and changed.
_TIME = rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]+Z"
PLAIN = "patient_id,krenning_pre,krenning_post\nA,1,2\nB,3,4\n"
LETTERS = "patient_id,primary_site,krenning_pre,krenning_post\nA,Dünndarm,≤1,3\n"
GERMAN = "patient_id;primary_site;mib1;krenning_pre;krenning_post\nA;Dünndarm;7–8;1;3\n"


def texts() -> dict[str, bytes]:
    """Return the files whose encoding or line ends matter."""
    return {
        "delimiters/no_final_line_end.csv": PLAIN.rstrip("\n").encode(),
        "delimiters/windows_lines.csv": PLAIN.replace("\n", "\r\n").encode(),
        "delimiters/old_mac_lines.csv": PLAIN.replace("\n", "\r").encode(),
        "delimiters/mixed_lines.csv": b"patient_id,krenning_pre,krenning_post\r\n"
        b"A,1,2\nB,3,4\rC,0,1\r\n",
        "encodings/utf8_bom.csv": LETTERS.encode("utf-8-sig"),
        "encodings/utf8.csv": LETTERS.encode(),
        "encodings/utf16_le.txt": LETTERS.replace(",", "\t").encode("utf-16"),
        "encodings/utf16_be.csv": b"\xfe\xff" + LETTERS.encode("utf-16-be"),
        "encodings/utf16_without_mark.csv": LETTERS.encode("utf-16-le"),
        "encodings/windows_1252.csv": GERMAN.replace("\n", "\r\n").encode("cp1252"),
        "encodings/latin_headings.csv": (
            "patient_id;Primärtumor;krenning_pre;krenning_post\r\nA;Lunge;1;3\r\n"
        ).encode("cp1252"),
        "encodings/nul_bytes.csv": bytes(range(256)) * 4,
        "odd/control_characters.csv": PLAIN.splitlines()[0]
        .replace("_id,", "_id,primary_site,")
        .encode()
        + b"\nA,lung\x0bleft,1,2\n",
        "odd/long_cell.csv": b"patient_id,krenning_pre,krenning_post,note\nA,1,2,"
        + b"long " * 2_500
        + b"\n",
        "odd/no_break_spaces.csv": (
            "patient_id,krenning_pre,krenning_post,Ki-67\u00a0(%)\n"
            "A,1,2\u00a0-\u00a03,7\u00a0–\u00a08\u00a0%\n"
        ).encode(),
        "encodings/dos_end.csv": b"patient_id,krenning_pre,krenning_post\r\nA,1,2\r\n\x1a",
    }


def strangers() -> dict[str, bytes]:
    """Return files that are no table, by what their first bytes or their parts say."""
    plain = workbook([["patient_id", "krenning_pre", "krenning_post"], ["A", 1, 2]])
    return {
        "files/empty.csv": b"",
        "files/document.csv": b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n",
        "files/word.docx": archive({"word/document.xml": b"<w:document/>"}),
        "files/archive.zip": archive({"cohort.csv": PLAIN.encode()}),
        "files/old_excel.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
        "files/binary_excel.xlsb": archive({"xl/workbook.bin": b"\x83\x01\x00"}),
        "files/open_document.ods": archive(
            {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<a/>"}
        ),
        "files/gzip.csv": gzip.compress(PLAIN.encode(), mtime=0),
        "files/picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
        "files/cut_workbook.xlsx": plain[: len(plain) // 2],
        "files/garbage.csv": random.Random(0).randbytes(600),
    }


def archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as result:
        for name, data in members.items():
            result.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def workbook(
    rows: Sequence[Sequence[Any]],
    shape: Callable[[openpyxl.Workbook], None] = lambda book: None,
    title: str = "Cohort",
) -> bytes:
    """Return a workbook with these rows in its first sheet, changed by `shape`."""
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    shape(book)
    stream = io.BytesIO()
    book.save(stream)
    # The time at which a workbook was saved is written into it.
    return same_bytes_zip(
        _replaced(stream.getvalue(), "docProps/core.xml", _TIME, b"2020-01-01T00:00:00Z")
    )


def _replaced(data: bytes, member: str, pattern: bytes, text: bytes) -> bytes:
    """Return a zip file with a pattern replaced in one of its parts, where it has to be."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members[member], number = re.subn(pattern, text, members[member])
    assert number
    return archive(members)


PAIR = ["patient_id", "krenning_pre", "krenning_post"]
SUVS = ["suvmax_pre", "suvmax_post"]
SCANS = ["pet_date_pre", "pet_date_post"]
FIRST = ["A", 1, 3]
BEFORE, AFTER = datetime(2025, 1, 5), datetime(2025, 6, 1)


def workbooks() -> dict[str, bytes]:
    """Return the workbooks."""
    return {
        "xlsx/plain.xlsx": workbook(
            [["patient_id", "age_years", *PAIR[1:], *SUVS],
             ["A", 58, 1, 3, 9.09, 11.47], ["B", 61.5, 2, 2, 8, None]]
        ),
        "xlsx/title_merged.xlsx": workbook(
            [["NET cohort of the ward"], [], [*PAIR, "ward"], [*FIRST, "north"],
             ["B", 2, 7, "north"]],
            lambda book: book.active.merge_cells("A1:D1"),
        ),
        "xlsx/group_headings.xlsx": workbook(
            [["", "Krenning score", None, "SUVmax", None],
             ["patient_id", "before", "after", "before", "after"], [*FIRST, 9.5, 11]],
            _merged("B1:C1", "D1:E1"),
        ),
        "xlsx/numbers_as_text.xlsx": workbook(
            [[*PAIR, *SUVS], ["007", "1", "2-3", "9.09", "11,5"], [8, "2", 3, "8.1", 7]]
        ),
        "xlsx/dates.xlsx": workbook(
            [[*PAIR, *SCANS], [*FIRST, BEFORE, datetime(2025, 6, 1, 10, 30)],
             ["B", 1, 2, datetime(2025, 2, 5), "30.06.2025"]]
        ),
        "xlsx/dates_1904.xlsx": workbook(
            [[*PAIR, *SCANS], [*FIRST, BEFORE, 44347]],
            lambda book: setattr(book, "epoch", CALENDAR_MAC_1904),
        ),
        "xlsx/serials.xlsx": workbook([[*PAIR, *SCANS], [*FIRST, 45662, 45809]]),
        "xlsx/interval_became_date.xlsx": workbook(
            [[*PAIR, "mib1"], ["A", datetime(2026, 3, 2), 3, datetime(2026, 8, 7)]]
        ),
        "xlsx/percent_format.xlsx": workbook(
            [[*PAIR, "mib1"], [*FIRST, 0.07], ["B", 1, 2, 0.125], ["C", 1, 2, 20]],
            lambda book: _format(book, {"D2": "0%", "D3": "0.0%"}),
        ),
        "xlsx/one_fraction.xlsx": workbook([[*PAIR, "mib1"], [*FIRST, 12], ["B", 1, 2, 0.07]]),
        "xlsx/errors.xlsx": workbook(
            [[*PAIR, *SUVS], ["A", "#N/A", 3, 9, 11], ["B", 1, 2, "#DIV/0!", 8]]
        ),
        "xlsx/formula_without_value.xlsx": workbook([PAIR, ["A", "=1+1", 3]]),
        "xlsx/formula_with_value.xlsx": same_bytes_zip(
            _replaced(
                workbook([PAIR, ["A", "=1+1", 3]]), "xl/worksheets/sheet1.xml",
                rb"</f>(<v ?/>|<v></v>)?", b"</f><v>2</v>",
            )
        ),
        "xlsx/merged_codes.xlsx": workbook(
            [PAIR, FIRST, [None, 2, 3], ["C", 1, 1]], _merged("A2:A3")
        ),
        "xlsx/hidden_sheet.xlsx": workbook([PAIR, FIRST], _hidden_sheet),
        "xlsx/hidden_rows.xlsx": workbook(
            [PAIR, FIRST, ["B", 2, 3]],
            lambda book: setattr(book.active.row_dimensions[3], "hidden", True),
        ),
        "xlsx/sheets_one_known.xlsx": workbook(
            [["Legend"], ["0 to 4: score"]], _sheet("Data", [PAIR, FIRST])
        ),
        "xlsx/sheets_two_known.xlsx": workbook(
            [PAIR, FIRST], _sheet("2026", [PAIR, ["B", 2, 3]]), "2025"
        ),
        "xlsx/lesions_sheet.xlsx": workbook(
            [["patient_id", "mib1"], ["A", "7-8"]],
            _sheet("Lesions", [["patient_id", "lesion_id", *PAIR[1:]], ["A", "L1", 1, 3]]),
            "Patients",
        ),
        "xlsx/empty_sheet.xlsx": workbook([]),
        "xlsx/only_headings.xlsx": workbook([PAIR]),
        "xlsx/truth_values.xlsx": workbook(
            [[*PAIR, "ssa_pre", "ssa_post"], [*FIRST, True, False]]
        ),
        "xlsx/empty_columns.xlsx": workbook(
            [[], [], [None, "patient_id", None, "krenning_pre", "krenning_post"],
             [None, "A", None, 1, 3], [], [None, "B", None, 1, 9], []]
        ),
        "xlsx/heading_breaks.xlsx": workbook(
            [["patient_id", "Krenning\nscore\nbefore CAPTEM", "Krenning\nscore\nafter CAPTEM"],
             FIRST]
        ),
        "xlsx/identities.xlsx": workbook(
            [[*PAIR, "Patient name", "Birth date", "remark"],
             ["A", 1, 9, "Test Person", datetime(1950, 2, 3), "ask person@example.org"]],
            _identities,
        ),
        "xlsx/hashed.xlsx": workbook([PAIR, ["WARD-A-001", 1, 9], ["WARD-A-002", 2, 3]]),
        "xlsx/named_csv.csv": workbook([PAIR, FIRST]),
        "xlsx/float_noise.xlsx": workbook([["patient_id", *SUVS], ["A", 0.1 + 0.2, 9.1]]),
        "xlsx/long.xlsx": workbook(
            [["patient_id", "visit", "pet_date", "krenning", "captem_end"],
             ["A", "baseline", BEFORE, 1, datetime(2025, 5, 20)],
             ["A", "follow-up 1", AFTER, 2, None],
             ["A", "follow-up 2", datetime(2025, 12, 1), 4, None]]
        ),
    }  # fmt: skip


def _merged(*ranges: str) -> Callable[[openpyxl.Workbook], None]:
    return lambda book: [book.active.merge_cells(cells) for cells in ranges] and None


def _format(book: openpyxl.Workbook, formats: dict[str, str]) -> None:
    for place, kind in formats.items():
        book.active[place].number_format = kind


def _sheet(title: str, rows: list[list[Any]]) -> Callable[[openpyxl.Workbook], None]:
    def add(book: openpyxl.Workbook) -> None:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)

    return add


def _hidden_sheet(book: openpyxl.Workbook) -> None:
    _sheet("old", [PAIR, ["Z", 0, 0]])(book)
    book["old"].sheet_state = "hidden"


def _identities(book: openpyxl.Workbook) -> None:
    book.active["A2"].comment = Comment("Test Person, 00482913", "Other Invented")
    book.properties.creator = "Other Invented"
    _sheet("list", [["A", "Test Person", "00482913"]])(book)


def spss_files() -> dict[str, bytes]:
    """Return the files of SPSS."""
    words = {0: "none", 1: "very low", 2: "at most liver", 3: "above liver", 4: "above spleen"}
    labelled = spss(
        {"patient_id": ["A", "B"], "sex": [2, 1], "krenning_pre": [1, 9], "krenning_post": [3, 2],
         "pet_date_pre": [date(2025, 1, 5), None]},
        variable_value_labels={
            "sex": {1: "male", 2: "female"}, "krenning_pre": words, "krenning_post": words,
        },
        missing_ranges={"krenning_pre": [9]},
    )  # fmt: skip
    shifted = {code: str(code - 1) for code in range(1, 6)}
    return {
        "spss/labels.sav": labelled,
        "spss/shifted_codes.sav": spss(
            {"patient_id": ["A", "B"], "krenning_pre": [1, 3], "krenning_post": [4, 5]},
            variable_value_labels={"krenning_pre": shifted, "krenning_post": shifted},
        ),
        "spss/names_by_label.sav": spss(
            {"patient_id": ["A"], "v2": [1], "v3": [3]},
            column_labels={"v2": "Krenning score at baseline", "v3": "Krenning score at follow-up"},
        ),
        "spss/damaged.sav": labelled[: len(labelled) // 2],
    }


def spss(columns: dict[str, list[Any]], **settings: Any) -> bytes:
    """Return an SPSS file, its date of making set to a fixed one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.sav"
        pyreadstat.write_sav(pd.DataFrame(columns), str(path), **settings)
        data = path.read_bytes()
    return data[:92] + b"01 Jan 2000:00:00" + data[109:]


def parquet_files() -> dict[str, bytes]:
    """Return the Parquet files."""
    typed = parquet(
        {
            "patient_id": ["A", "B"],
            "sex": pa.array(["female", "male"]).dictionary_encode(),
            "krenning_pre": pa.array([1, 2], pa.int8()),
            "krenning_post": pa.array([3, None], pa.int64()),
            "suvmax_pre": pa.array([9.09, None], pa.float32()),
            "suvmax_post": [11.5, 7.0],
            "ssa_pre": [True, False],
            "pet_date_pre": pa.array([date(2025, 1, 5), None], pa.date32()),
        }
    )
    return {
        "parquet/types.parquet": typed,
        "parquet/errors.parquet": parquet(
            {"patient_id": ["A", "B"], "krenning_pre": [1, 1], "krenning_post": [3, 5]}
        ),
        "parquet/intervals.parquet": parquet(
            {"patient_id": ["A"], "mib1": ["7-8"], "krenning_pre": ["<=1"],
             "krenning_post": ["III-IV"]}
        ),
        "parquet/lists.parquet": parquet(
            {"patient_id": ["A"], "krenning_pre": [[1, 2]], "krenning_post": [3]}
        ),
        "parquet/damaged.parquet": typed[:-20],
        "parquet/no_rows.parquet": parquet({name: pa.array([], pa.string()) for name in PAIR}),
    }  # fmt: skip


def parquet(columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def files() -> dict[str, bytes]:
    """Return name -> bytes of every file that this script writes."""
    return texts() | strangers() | workbooks() | spss_files() | parquet_files()


def main() -> None:
    for name, data in files().items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
