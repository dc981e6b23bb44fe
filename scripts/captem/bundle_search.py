"""Search files of every kind for what must not leave: codes of patients, places on a machine."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Callable, Iterable

# How a thing is drawn, and pictures inside: random signs that may look like a code.
_DRAWN = re.compile(
    r"<(style|script)\b.*?</\1\s*>|\b(?:d|style|class|fill|stroke|transform|points|integrity)"
    r"=(?:\"[^\"]*\"|'[^']*')|data:[\w/+.-]+;base64,[\w+/=\s]+",
    re.DOTALL,
)
_TAG = re.compile(r"<[^>]*>", re.DOTALL)
_SHORTEST = 3


def searchable(codes: Iterable[str]) -> list[str]:
    """Return the codes that can be told from other words and numbers.

    >>> searchable(["R001", "17", "A1", "Case", "4f0e9a6b13d2c871"])
    ['R001', '4f0e9a6b13d2c871']
    """
    return [
        code
        for code in dict.fromkeys(codes)
        if len(code) >= _SHORTEST
        and any(sign.isdigit() for sign in code)
        and not all(sign.isdigit() for sign in code)
    ]


def found_in(name: str, data: bytes, wanted: Iterable[str]) -> list[str]:
    """Return which of some texts stand in a file, each as a whole word.

    Parameters
    ----------
    name : of the file; its ending says how it is read. Pictures of points hold no text.
    data : its bytes.
    """
    texts = [" ".join(text.split()) for text in texts_of(name, data)]
    return [
        text
        for text in wanted
        if any(
            text in read and re.search(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])", read)
            for read in texts
        )
    ]


def texts_of(name: str, data: bytes) -> list[str]:
    """Return the text of a file, where it is marked up in two ways: words may stand in pieces."""
    return _READERS.get(name.rpartition(".")[2].lower(), _plain)(data)


def _plain(data: bytes) -> list[str]:
    return [data.decode("utf-8", errors="replace")]


def _marked_up(data: bytes) -> list[str]:
    bare = _DRAWN.sub(" ", data.decode("utf-8", errors="replace"))
    # With its tags, for what stands in them, such as a title; and without.
    return [html.unescape(bare), html.unescape(_TAG.sub("", bare))]


def _packed(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        parts = [item for item in pack.namelist() if item.endswith((".xml", ".rels"))]
        texts = [pack.read(item).decode("utf-8", errors="replace") for item in parts]
    return [html.unescape(_TAG.sub(between, text)) for text in texts for between in ("", " ")]


def _pages(data: bytes) -> list[str]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    about = [str(value) for value in (reader.metadata or {}).values()]
    return [*about, *(page.extract_text() for page in reader.pages)]


def _no_text(data: bytes) -> list[str]:
    return []


_READERS: dict[str, Callable[[bytes], list[str]]] = {
    "html": _marked_up,
    "svg": _marked_up,
    "docx": _packed,
    "xlsx": _packed,
    "pdf": _pages,
    "png": _no_text,
    "tiff": _no_text,
}
