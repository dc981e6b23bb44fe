"""Open the files of the figures and compare them with what their profile, and a reader, asks for.

A fault (`fail`) is what a journal may send back, or a reader cannot read; a `warning` is what some
journals refuse. The profiles that ship are generic: a file without a fault is still to be checked
against the journal's own instructions.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from captem import contrast, pdf_fonts, svg_text
from captem.captions import ALT_TEXT, split
from captem.captions import NOT_DRAWN as NOT_DRAWN_WORDS
from captem.figure_rows import NOT_DRAWN as NOT_DRAWN_COLUMN
from captem.preflight_rows import FAIL, NOT_DRAWN, OK, WARNING, Row
from captem.profiles import Profile

FORMATS = ("pdf", "svg", "png", "tiff", "csv", "txt")
# Journals measure in whole millimetres; a picture may end a pixel early besides.
_SLACK_MM = 0.5
_SLACK_PT = 0.01
# The lowest contrast of text that WCAG 2.2 (success criterion 1.4.3, level AA) allows.
LOWEST_CONTRAST = 4.5
# A raised or lowered sign, such as the max of SUVmax, against the smallest text.
RAISED_SHARE = 0.6
# A shorter alt text names the figure and does not describe it.
_FEWEST_WORDS = 8
_GENERIC_FAMILIES = ("serif", "sans-serif", "monospace", "cursive", "fantasy", "system-ui")
_AGAIN = (
    "delete the file and run captem again; other programs change size, fonts and colours when they "
    "save. If it stays so, please report it"
)


def inspect(names: Sequence[str], folder: str | Path, profile: Profile) -> list[Row]:
    """Return what is found in the files `<name>.<format>` of each figure: one row a file and check.

    A figure that was not drawn for want of data has one row that says so. Nothing that stands in
    the files, or is missing, raises an error.
    """
    return [row for name in names for row in _Figure(name, Path(folder), profile).rows()]


class _Figure:
    """The checks of one figure; `_said` collects their rows."""

    def __init__(self, name: str, folder: Path, profile: Profile):
        self._name, self._folder, self._profile = name, folder, profile
        self._said: list[Row] = []

    def rows(self) -> list[Row]:
        if reason := _not_drawn(self._path("csv"), self._path("txt")):
            return [Row(self._name, self._path("csv").name, "drawn", reason, "", NOT_DRAWN)]
        svg = self._opened("svg", svg_text.read)
        pdf = self._opened("pdf", pdf_fonts.read)
        png, tiff = (self._opened(kind, _picture) for kind in ("png", "tiff"))
        if pdf is not None:
            self._pdf(pdf, svg)
        if svg is not None:
            self._svg(svg)
        if png is not None:
            self._size("png", *_print_mm(png))
            self._resolution("png", png, self._profile.preview_dpi)
            self._preview_colours(png)
        if tiff is not None:
            self._size("tiff", *_print_mm(tiff))
            self._resolution("tiff", tiff, self._profile.dpi)
            self._tiff_colours(tiff)
        seen = png or tiff
        if svg is not None and svg.texts and seen is not None:
            self._contrast(svg, np.asarray(seen.convert("RGB")))
        self._data()
        self._words()
        return self._said

    def _path(self, kind: str) -> Path:
        return self._folder / f"{self._name}.{kind}"

    def _say(
        self, kind: str, check: str, found: str, allowed: str, right: bool, mend: str,
        otherwise: str = FAIL,
    ) -> None:  # fmt: skip
        status = OK if right else otherwise
        file = self._path(kind).name
        self._said.append(
            Row(self._name, file, check, found, allowed, status, "" if right else mend)
        )

    def _opened(self, kind: str, read: Callable[[Path], Any]) -> Any:
        """Return what `read` makes of a file, or None where it is missing or cannot be read."""
        found, reason = None, ""
        try:
            found = read(self._path(kind))
        except FileNotFoundError:
            reason = "missing"
        except Exception as error:  # damaged files break readers in ways without a common name
            reason = f"cannot be read: {' '.join(str(error).split())[:160]}"
        mend = "run captem again: it makes what is missing" if reason == "missing" else _AGAIN
        self._say(kind, "file", reason or "can be read", "can be read", not reason, mend)
        return found

    def _size(self, kind: str, width: float, height: float, pixel: float = 0.0) -> None:
        look, slack = self._profile, _SLACK_MM + pixel
        if not width:
            # Without a resolution a picture has no size; the row of the resolution says so.
            return
        widths = list(dict.fromkeys((look.narrow_mm, look.wide_mm)))
        fits = any(abs(width - each) <= slack for each in widths)
        low_enough = height <= look.tallest_mm + slack
        allowed = (
            f"{' or '.join(f'{each:g}' for each in widths)} mm wide, at most "
            f"{look.tallest_mm:g} mm tall"
        )
        mend = (
            f"{_AGAIN}. A width of the journal's own is a setting: figures, profiles"
            if not fits
            else "a wider profile or smaller letters make it lower (wide_mm, size_pt); or give it "
            "a page of its own, or the supplement; tallest_mm says how tall a page may be. A page "
            "that shrinks it shrinks its text"
        )
        self._say(
            kind, "size", f"{width:.1f} x {height:.1f} mm", allowed, fits and low_enough, mend,
            WARNING if fits else FAIL,
        )  # fmt: skip

    def _pdf(self, pdf: pdf_fonts.Pdf, svg: svg_text.Svg | None) -> None:
        self._size("pdf", pdf.width_mm, pdf.height_mm)
        bare = [font.name for font in pdf.fonts if not font.embedded]
        drawn = [font.name for font in pdf.fonts if font.kind == "Type3"]
        allowed = "every font embedded"
        if not pdf.fonts:
            has_text = svg is None or bool(svg.texts)
            self._say(
                "pdf", "fonts", "no font: its text is curves" if has_text else "no text", allowed,
                not has_text, _AGAIN,
            )  # fmt: skip
        elif bare or not drawn:
            found = f"not embedded: {', '.join(bare)}" if bare else _embedded(pdf.fonts)
            mend = f"{_AGAIN}; a journal's printer has other fonts than yours"
            if not bare and not _asked_for(self._profile.font[0], pdf.fonts):
                drawn_in = found.removeprefix("embedded: ")
                found = f"the profile asks for {self._profile.font[0]}, drawn in {drawn_in}"
                mend = (
                    f"install {self._profile.font[0]} and draw the figures again, or ask the "
                    "journal whether it takes another sans-serif font"
                )
                self._say("pdf", "fonts", found, allowed, False, mend, WARNING)
                return
            self._say("pdf", "fonts", found, allowed, not bare, mend)
        else:
            self._say(
                "pdf", "fonts", f"Type 3: {', '.join(drawn)}", "embedded as TrueType", False,
                "ask the journal whether it takes Type 3 fonts; name another font in the profile "
                "if it does not", WARNING,
            )  # fmt: skip

    def _svg(self, svg: svg_text.Svg) -> None:
        self._size("svg", svg.width_mm, svg.height_mm)
        smallest = self._profile.small_pt
        bare = sorted(
            {
                text.families[0] if text.families else "none named"
                for text in svg.texts
                if not text.families or text.families[-1] not in _GENERIC_FAMILIES
            }
        )
        if svg.outlined or not svg.texts:
            found = f"{svg.outlined} texts are curves" if svg.outlined else "no text"
            self._say("svg", "fonts", found, "text as text", False, _AGAIN)
        else:
            found = f"no other font named beside {', '.join(bare)}" if bare else "text, font stack"
            self._say(
                "svg", "fonts", found, "text as text, with fonts to take where one is missing",
                not bare, "send the pdf where a machine may lack the font", WARNING,
            )  # fmt: skip
        for check, raised, least in (
            ("smallest text", False, smallest),
            ("raised signs", True, round(RAISED_SHARE * smallest, 2)),
        ):
            texts = [text for text in svg.texts if text.raised == raised]
            if not texts:
                continue
            small = sorted(
                (text for text in texts if text.size_pt < least - _SLACK_PT),
                key=lambda text: text.size_pt,
            )
            tiniest = small[0] if small else min(texts, key=lambda text: text.size_pt)
            found = f"{tiniest.size_pt:.2f}".rstrip("0").rstrip(".") + " pt"
            if small:
                found += f" ({_quoted(tiniest.words)}{_and_more(small)})"
            mend = f"{_AGAIN}. The sizes are settings: figures, profiles, size_pt and small_pt"
            self._say("svg", check, found, f"at least {least:g} pt in print", not small, mend)

    def _resolution(self, kind: str, picture: Image.Image, least: int) -> None:
        found = [round(float(dpi)) for dpi in picture.info.get("dpi", ())][:2]
        right = len(found) == 2 and min(found) >= least
        said = f"{min(found)} dpi" if found else "none said"
        key = "dpi" if kind == "tiff" else "preview_dpi"
        mend = f"{_AGAIN}. The resolution is a setting: figures, profiles, {key}"
        self._say(kind, "resolution", said, f"at least {least} dpi", right, mend)

    def _preview_colours(self, picture: Image.Image) -> None:
        mode = picture.mode
        if mode == "RGBA":
            alpha = picture.getchannel("A").getextrema()
            clear = alpha[0] != 255
            mode = "RGBA with transparency" if clear else "RGBA, opaque"
        right = mode in ("RGB", "RGBA, opaque")
        self._say("png", "colour mode", mode, "RGB without transparency", right, _AGAIN)

    def _tiff_colours(self, picture: Image.Image) -> None:
        right = picture.mode == "RGB"
        mode = {"RGBA": "RGB with an alpha channel", "L": "grey"}.get(picture.mode, picture.mode)
        self._say("tiff", "colour mode", mode, "RGB without an alpha channel", right, _AGAIN)
        packed = str(picture.info.get("compression", "none"))
        said = {"tiff_lzw": "LZW", "raw": "none"}.get(packed, packed)
        self._say(
            "tiff", "compression", said, "LZW", packed == "tiff_lzw",
            f"ask the journal, or {_AGAIN}", WARNING,
        )  # fmt: skip

    def _contrast(self, svg: svg_text.Svg, picture: np.ndarray) -> None:
        measured = []
        for text in svg.texts:
            pixels = _behind(text, picture)
            if len(pixels):
                measured.append((*contrast.worst(pixels, text.colour, text.opacity), text))
        if not measured:
            return
        measured.sort(key=lambda item: item[0])
        low = [text for ratio, _, text in measured if ratio < LOWEST_CONTRAST]
        ratio, behind, text = measured[0]
        found = f"{ratio:.1f}"
        if low:
            colours = f"{contrast.hex_code(text.colour)} on {contrast.hex_code(behind)}"
            found += f" ({_quoted(text.words)}{_and_more(low)}, {colours})"
        mend = "the text is hard to read on what is behind it; please report it, with preflight.csv"
        self._say("svg", "contrast", found, f"at least {LOWEST_CONTRAST:g}", not low, mend)

    def _data(self) -> None:
        count = self._opened("csv", _rows_of)
        if count is not None:
            said = f"{count} row{'' if count == 1 else 's'}"
            self._say("csv", "data", said, "at least 1 row", count > 0, _AGAIN)

    def _words(self) -> None:
        text = self._opened("txt", lambda path: path.read_text(encoding="utf-8"))
        if text is None:
            return
        caption, alt = split(text)
        for check, words in (("caption", caption), ("alt text", alt)):
            number = len(words.split())
            holes = re.findall(r"\{\{|\{%|\bnan\b|\bNone\b", words)
            if holes:
                found = f"a number is missing ({holes[0]})"
            elif not number:
                found = "missing"
            else:
                found = f"{number} words"
            right = number >= _FEWEST_WORDS and not holes
            allowed = f"at least {_FEWEST_WORDS} words, every number there"
            if check == "alt text":
                allowed += f", in the last paragraph, which begins with {ALT_TEXT!r}"
            mend = "delete the file and run captem again, or write it yourself where you submit"
            self._say("txt", check, found, allowed, right, mend)


def _not_drawn(table: Path, words: Path) -> str:
    """Return why a figure was not drawn, from its csv or its alt text; else empty text."""
    # What cannot be read is told by the check of the file itself.
    with contextlib.suppress(OSError, ValueError, csv.Error):
        with table.open(encoding="utf-8", newline="") as stream:
            reason = str(next(csv.DictReader(stream), {}).get(NOT_DRAWN_COLUMN) or "")
        if reason:
            return reason
    alt = ""
    with contextlib.suppress(OSError, ValueError):
        alt = split(words.read_text(encoding="utf-8"))[1]
    if not alt.startswith(NOT_DRAWN_WORDS):
        return ""
    return alt.removeprefix(NOT_DRAWN_WORDS).strip().removesuffix(".") or "no reason given"


def _picture(path: Path) -> Image.Image:
    """Return a picture, read to its end: one that was cut short is an error."""
    # A page at 1200 dpi is large, and no attack.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        image = Image.open(path)
        image.load()
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    return image


def _print_mm(picture: Image.Image) -> tuple[float, float, float]:
    """Return width, height and a pixel in print; 0 where the file does not say its resolution."""
    dpi = [float(each) for each in picture.info.get("dpi", ())][:2]
    if len(dpi) < 2 or min(dpi) <= 0:
        return 0.0, 0.0, 0.0
    return picture.width / dpi[0] * 25.4, picture.height / dpi[1] * 25.4, 25.4 / min(dpi)


def _behind(text: svg_text.SvgText, picture: np.ndarray) -> np.ndarray:
    """Return the pixels of a text's box, (n, 3), as far as they are within the picture."""
    points = text.points()
    inside = ((points >= 0) & (points < 1)).all(axis=1)
    height, width = picture.shape[:2]
    places = (points[inside] * (width, height)).astype(int)
    return picture[places[:, 1], places[:, 0]]


def _rows_of(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as stream:
        return sum(1 for _ in csv.DictReader(stream))


def _embedded(fonts: Sequence[pdf_fonts.PdfFont]) -> str:
    # A subset of a font has six letters before its name.
    names = dict.fromkeys(re.sub(r"^[A-Z]{6}\+", "", font.name) for font in fonts)
    return f"embedded: {', '.join(names)}"


def _quoted(words: str) -> str:
    return repr(words if len(words) <= 40 else f"{words[:40]} ...")


def _and_more(texts: Sequence[Any]) -> str:
    return f" and {len(texts) - 1} more" if len(texts) > 1 else ""


def _asked_for(font: str, found: Sequence[pdf_fonts.PdfFont]) -> bool:
    """Return whether one of the fonts of a pdf is the one that the profile names first."""
    asked = re.sub(r"\W", "", font).lower()
    return any(asked in re.sub(r"\W", "", each.name).lower() for each in found)
