"""Save a figure in every format a journal or a page asks for, with the same bytes every time."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.transforms import Bbox, BboxBase
from PIL import Image

from captem import figure_rows, origin
from captem.figures import style
from captem.files import write_bytes, write_frame
from captem.profiles import Profile

FORMATS = ("pdf", "svg", "png", "tiff")
EACH_PATIENT_SHOWN = "it shows single patients, and small counts are masked in this study"
# Of a figure's width or height: far below what any printer resolves.
_PLACES = 9
_ONE_FONT = re.compile(rb"font-family: '([^',;\"]+)'(?=[;\"])")


def write(
    module: ModuleType,
    rows: pd.DataFrame,
    output: Any,
    settings: Mapping[str, Any],
    sources: pd.DataFrame,
    min_count: int = 0,
) -> None:
    """Draw the figure of a module from its rows; write it in every format, and the rows as csv.

    A figure that shows each patient (`EACH_PATIENT`) is not drawn where small counts are masked.

    Parameters
    ----------
    module : as `captem.figures.style` describes.
    output : where to, an attribute a format and `csv`, as a rule's output has.
    settings : the profile, as `captem.profiles.resolve` returns it.
    sources : `cohort/sources.csv`, which says whether the data are synthetic.
    min_count : counts from 1 to below this are masked; 0 masks nothing.
    """
    if min_count and getattr(module, "EACH_PATIENT", False):
        rows = figure_rows.absent(EACH_PATIENT_SHOWN)
    profile, data = Profile.of(settings), origin.data_kind(sources)
    rows = origin.marked(rows, data)
    figure = style.framed(module, rows, profile, data)
    save(figure, {name: getattr(output, name) for name in FORMATS}, profile)
    write_frame(output.csv, rows)


def save(figure: Figure, paths: Mapping[str, str | Path], profile: Profile) -> None:
    """Write the figure to `paths`, one entry a format out of `FORMATS`.

    PDF has its fonts embedded, SVG keeps text as text, TIFF is RGB with LZW compression at the
    profile's resolution, PNG is a preview. No file holds a date.
    """
    FigureCanvasAgg(figure)
    # Laid out once: otherwise each format, and each dpi, would place its elements a little apart.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    settle(figure)
    for name, path in paths.items():
        write_bytes(path, _rendered(figure, name, profile))


def settle(figure: Figure | SubFigure) -> None:
    """Round the places that the layout found, as shares of the figure.

    Their last digits depend on where in memory its solver keeps its variables, and would be other
    bytes in each run.
    """
    for part in figure.subfigs:
        part.bbox_relative.p0, part.bbox_relative.p1 = _rounded(part.bbox_relative)
        settle(part)
    for axes in figure.axes:
        for which in ("original", "active"):
            place = _rounded(axes.get_position(original=which == "original"))
            axes.set_position(Bbox(place), which=which)


def _rounded(box: BboxBase) -> np.ndarray:
    # 0.0 is added because what is a little below 0 would be -0.
    return np.round(box.get_points(), _PLACES) + 0.0


def _rendered(figure: Figure, name: str, profile: Profile) -> bytes:
    buffer = io.BytesIO()
    if name == "tiff":
        figure.savefig(buffer, format="raw", dpi=profile.dpi)
        width, height = (int(side) for side in figure.get_size_inches() * profile.dpi)
        image = Image.frombuffer("RGBA", (width, height), buffer.getvalue())
        flat = io.BytesIO()
        image.convert("RGB").save(
            flat, format="TIFF", compression="tiff_lzw", dpi=(profile.dpi, profile.dpi)
        )
        return flat.getvalue()
    options: dict[str, dict[str, Any]] = {
        "pdf": {"metadata": {"CreationDate": None}},
        "svg": {"metadata": {"Date": None}},
        "png": {"dpi": profile.preview_dpi, "metadata": {"Software": None}},
    }
    figure.savefig(buffer, format=name, **options[name])
    return _with_other_fonts(buffer.getvalue(), profile) if name == "svg" else buffer.getvalue()


def _with_other_fonts(svg: bytes, profile: Profile) -> bytes:
    """Name fonts to take where one is missing; matplotlib does not where a sign is raised."""

    def stack(match: re.Match[bytes]) -> bytes:
        named = match[1].decode()
        names = [named, *(font for font in (*profile.font, "DejaVu Sans") if font != named)]
        quoted = ", ".join(f"'{font}'" for font in dict.fromkeys(names))
        return f"font-family: {quoted}, sans-serif".encode()

    return _ONE_FONT.sub(stack, svg)
