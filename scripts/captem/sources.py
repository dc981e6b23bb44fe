"""Read a source file of any kind that clinics have as the text of its cells.

What a file is shows in its first bytes; its name is not looked at, since a web page or a text file
is often called `.xls`. Only the reader that a file needs is loaded: start-up time counts.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from captem.source_table import WANTED, IsHeading, NotReadableFile, SourceTable

_READ = "an Excel workbook (.xlsx), a CSV file, an SPSS file (.sav) or Parquet"
_OPEN_AND_SAVE = (
    "open it in the program that wrote it and save the table as an Excel workbook (.xlsx) "
    "or as CSV UTF-8"
)
_SAVE_AS = "in the spreadsheet program choose Save as, Excel workbook (.xlsx), or CSV UTF-8"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# First bytes -> what the file is, and how to mend it.
_REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document", "ask for the table itself, as an Excel workbook or CSV"),
    (b"{\\rtf", "a text document (RTF)", _OPEN_AND_SAVE),
    (b"\x1f\x8b", "a compressed file (gzip)", "unpack it, and name the file inside it"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed file (7z)", "unpack it, and name the file inside it"),
    (b"Rar!", "a compressed file (RAR)", "unpack it, and name the file inside it"),
    (b"\x89PNG", "a picture", "type the table into a spreadsheet and save it as .xlsx"),
    (b"\xff\xd8\xff", "a picture", "type the table into a spreadsheet and save it as .xlsx"),
    (b"SQLite format 3", "a database (SQLite)", "export the table from it as CSV UTF-8"),
    (b"<stata_dta>", "a Stata file", "in Stata choose File, Export, Excel workbook or CSV"),
    (b"ARROW1", "an Arrow (Feather) file", "save the table as Parquet or CSV UTF-8"),
    (b"PARE", "an encrypted Parquet file", "save it again without encryption"),
    (b"MIME-Version:", "a web archive (.mht)", _SAVE_AS),
)
# What is in a zip file -> what it is.
_IN_ZIP: tuple[tuple[str, str, str], ...] = (
    (r"xl/workbook\.bin", "a binary Excel workbook (.xlsb)", _SAVE_AS),
    (r"word/document\d*\.xml", "a Word document",
     "copy the table into a spreadsheet and save it as an Excel workbook (.xlsx)"),
    (r"ppt/presentation\.xml", "a PowerPoint file",
     "copy the table into a spreadsheet and save it as an Excel workbook (.xlsx)"),
    (r"Index/.*\.iwa", "an Apple Numbers sheet", "in Numbers choose File, Export to, Excel or CSV"),
)  # fmt: skip
_JSON = re.compile(rb"\s*(\[\s*[\[{]|\{\s*[\"}])")
_WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|head|meta|body|table|div|style|\?xml)\b", re.I)


def known_to_none(text: str) -> bool:
    """Say of every heading that it is not known: the layout of the table decides alone."""
    return False


def read_source(
    path: str | Path, name: str, *, sheet: str = "", is_heading: IsHeading = known_to_none
) -> SourceTable:
    """Read a file by what it holds: delimited text, xlsx, SPSS or Parquet.

    Parameters
    ----------
    path, name : the file, and its path as the config gives it.
    sheet : the sheet of a workbook; the only one, or the only one with known headings, if empty.
    is_heading : says whether a text is a heading that is known (any spelling that the caller
        takes); finds the row of headings, the sheet and the sign that separates cells.

    Raises
    ------
    NotReadableFile
        Whatever is wrong with the file as a whole; no other exception, whatever its bytes.
    """
    data = _bytes(Path(path))
    if data.startswith((b"$FL2", b"$FL3")):
        from captem.spss import read_spss

        return read_spss(data, name)
    if data.startswith(b"PAR1"):
        from captem.parquet import read_parquet

        return read_parquet(data, name)
    if data.startswith(b"PK"):
        _check_zip(data)
        from captem.workbook import read_workbook

        return read_workbook(data, name, sheet, is_heading)
    _check_format(data, Path(name).suffix.lower())
    from captem.delimited import read_delimited

    return read_delimited(data, name, is_heading)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotReadableFile(
            "missing_file", "no such file", "a file that exists",
            "correct the path in the config (it is relative to the folder you work in), "
            "or put the file there",
        ) from None  # fmt: skip
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "cannot be opened"
        raise NotReadableFile(
            "unreadable_file", said, "a file you may read",
            "close it in other programs, or change its permissions",
        ) from None  # fmt: skip
    except MemoryError:
        raise NotReadableFile(
            "too_large", "larger than the memory of this computer", _READ,
            "name the file that holds the table of patients",
        ) from None  # fmt: skip
    if not data:
        raise NotReadableFile(
            "empty_file", "an empty file", WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    return data


def _unknown(what: str, mend: str) -> NotReadableFile:
    return NotReadableFile("unknown_format", what, _READ, mend)


def _check_format(data: bytes, suffix: str) -> None:
    """Refuse what is neither a table nor plain text, each in its own words."""
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise _unknown(
                "a workbook with a password",
                "open it in Excel, take the password off under File, Info, Protect workbook, "
                "and save it",
            )
        raise _unknown("a workbook of the old Excel (.xls), or another old Office file", _SAVE_AS)
    for start, what, mend in _REFUSED:
        if data.startswith(start):
            raise _unknown(what, mend)
    bare = data.removeprefix(b"\xef\xbb\xbf")
    if _JSON.match(bare):
        raise _unknown("a JSON file", "export the table as CSV UTF-8 or as an Excel workbook")
    if _WEB_PAGE.match(bare):
        what = "XML" if bare.lstrip()[:5].lower() == b"<?xml" else "a web page (HTML)"
        named = f" named {suffix}" if suffix else ""
        raise _unknown(
            f"{what}{named}, not a workbook", f"open it in the spreadsheet program; {_SAVE_AS}"
        )


def _check_zip(data: bytes) -> None:
    """Refuse a zip file that is no xlsx workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:100] if "mimetype" in names else b""
    except Exception:  # a damaged archive fails in many ways, none of them foreseen one by one
        raise NotReadableFile(
            "broken_workbook", "a damaged or incomplete workbook", "an Excel workbook (.xlsx)",
            "open it in Excel and save it again, or copy the file again from where it came",
        ) from None  # fmt: skip
    if b"opendocument" in kind:
        what = "an OpenDocument sheet (.ods)" if b"spreadsheet" in kind else "an OpenDocument file"
        raise _unknown(what, _SAVE_AS)
    for pattern, what, mend in _IN_ZIP:
        if any(re.fullmatch(pattern, name) for name in names):
            raise _unknown(what, mend)
    if not any(re.search(r"(^|/)workbook\d*\.xml$", name, re.IGNORECASE) for name in names):
        raise _unknown("a compressed file (zip)", "unpack it, and name the file inside it")
