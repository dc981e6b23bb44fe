"""Headings that the tests of the readers call known, and the files they write."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest
from captem.source_table import NotReadableFile
from captem.sources import read_source

KNOWN = frozenset(
    ("patient_id", "krenning_pre", "krenning_post", "suvmax_pre", "sex", "mib1", "age",
     "krenning score before", "krenning score after", "baseline suvmax", "baseline krenning",
     "follow-up suvmax", "follow-up krenning", "mib1 (%)", "suvmax")
)  # fmt: skip


def is_heading(text):
    return text.lower() in KNOWN


def read(folder, data, name="cohort.xyz", **options):
    """Read bytes as a file; its name says nothing."""
    (folder / "file").write_bytes(data)
    return read_source(folder / "file", name, **({"is_heading": is_heading} | options))


def refused(folder, data, **options):
    """Return the NotReadableFile, each of its texts filled."""
    with pytest.raises(NotReadableFile) as caught:
        read(folder, data, **options)
    error = caught.value
    assert all((error.rule, error.value, error.allowed, error.mend))
    return error


def workbook(*rows, shape=lambda book: None, title="Sheet"):
    """Return the bytes of a workbook with these rows in its first sheet, changed by `shape`."""
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    shape(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def patched(data, part, *changes):
    """Return a workbook with texts of one part replaced, each of which has to be there."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == part:
                for before, after in changes:
                    assert before in content, content
                    content = content.replace(before, after)
            new.writestr(name, content)
    return stream.getvalue()
