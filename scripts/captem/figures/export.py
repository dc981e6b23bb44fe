"""Save a figure in every format a journal or a page asks for, with the same bytes every time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from captem.files import write_bytes

PRINT_DPI = 600
PREVIEW_DPI = 200
FORMATS = ("pdf", "svg", "png", "tiff")


def save(figure: Figure, paths: dict[str, str | Path]) -> None:
    """Write the figure to `paths`, one entry a format out of `FORMATS`.

    PDF has its fonts embedded, SVG keeps text as text, TIFF is 600 dpi RGB with LZW compression,
    PNG is a preview. No file holds a date.
    """
    FigureCanvasAgg(figure)
    # Laid out once: otherwise each format, and each dpi, would place its elements a little apart.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for name, path in paths.items():
        write_bytes(path, _rendered(figure, name))


def _rendered(figure: Figure, name: str) -> bytes:
    buffer = io.BytesIO()
    if name == "tiff":
        figure.savefig(buffer, format="raw", dpi=PRINT_DPI)
        width, height = (int(side) for side in figure.get_size_inches() * PRINT_DPI)
        image = Image.frombuffer("RGBA", (width, height), buffer.getvalue())
        flat = io.BytesIO()
        image.convert("RGB").save(
            flat, format="TIFF", compression="tiff_lzw", dpi=(PRINT_DPI, PRINT_DPI)
        )
        return flat.getvalue()
    options: dict[str, dict[str, Any]] = {
        "pdf": {"metadata": {"CreationDate": None}},
        "svg": {"metadata": {"Date": None}},
        "png": {"dpi": PREVIEW_DPI, "metadata": {"Software": None}},
    }
    figure.savefig(buffer, format=name, **options[name])
    return buffer.getvalue()
