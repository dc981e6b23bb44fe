"""Page size and fonts of a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MM_A_PT = 25.4 / 72
_EMBEDDED = ("/FontFile", "/FontFile2", "/FontFile3")
_TAIL = 1024


@dataclass(frozen=True)
class PdfFont:
    """A font that a page names; `kind` as in the PDF (`TrueType`, `Type0`, `Type1`, `Type3`)."""

    name: str
    kind: str
    embedded: bool


@dataclass(frozen=True)
class Pdf:
    """The first page of a PDF."""

    width_mm: float
    height_mm: float
    pages: int
    fonts: tuple[PdfFont, ...]


def read(path: str | Path) -> Pdf:
    """Read a PDF.

    Raises
    ------
    ValueError, OSError
        If it is none, ends early, or cannot be read.
    """
    import io

    from pypdf import PdfReader

    data = Path(path).read_bytes()
    if not data.startswith(b"%PDF-"):
        raise ValueError("it is no pdf")
    # A reader that mends what it can would pass over a file that was cut short.
    if b"%%EOF" not in data[-_TAIL:]:
        raise ValueError("it ends early")
    try:
        reader = PdfReader(io.BytesIO(data))
        page = reader.pages[0]
        contents = page.get_contents()
        if contents is None or not contents.get_data().strip():
            raise ValueError("its page is empty")
        width, height = float(page.mediabox.width), float(page.mediabox.height)
        # One unit is a point unless the page says otherwise.
        unit = float(page.get("/UserUnit", 1)) * _MM_A_PT
        fonts = dict.fromkeys(_fonts(page.get("/Resources"), set()))
        return Pdf(width * unit, height * unit, len(reader.pages), tuple(fonts))
    except ValueError:
        raise
    except Exception as error:  # a damaged file breaks a parser in ways that have no common name
        raise ValueError(f"it is damaged ({type(error).__name__})") from error


def _fonts(resources: Any, seen: set[int]) -> Iterator[PdfFont]:
    """Yield the fonts of resources, and of the forms and patterns that they hold."""
    resources = _resolved(resources)
    if resources is None or id(resources) in seen:
        return
    seen.add(id(resources))
    for reference in _resolved(resources.get("/Font", {})).values():
        yield _font(_resolved(reference))
    for kind in ("/XObject", "/Pattern"):
        for reference in _resolved(resources.get(kind, {})).values():
            inner = _resolved(reference)
            if hasattr(inner, "get"):
                yield from _fonts(inner.get("/Resources"), seen)


def _font(font: Any) -> PdfFont:
    kind = str(font.get("/Subtype", "")).lstrip("/")
    name = str(font.get("/BaseFont", font.get("/Name", "without a name"))).lstrip("/")
    if kind == "Type3":
        return PdfFont(name, kind, bool(_resolved(font.get("/CharProcs", {}))))
    described = font
    if kind == "Type0":
        described = _resolved(_resolved(font["/DescendantFonts"])[0])
    descriptor = _resolved(described.get("/FontDescriptor", {})) or {}
    return PdfFont(name, kind, any(key in descriptor for key in _EMBEDDED))


def _resolved(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value
