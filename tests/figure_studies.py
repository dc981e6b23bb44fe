"""Figures of studies of every size and in every profile, for the tests of figures."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from captem import profiles
from captem.figures import style
from captem.profiles import Profile
from captem.synthetic import generate, render
from figure_data import FIGURES
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from studies import ROOT, Study, analysed, shipped

NAMES = tuple(FIGURES)
SHIPPED_PROFILES = yaml.safe_load((ROOT / "workflow/figure_profiles.yaml").read_text())
PROFILES = tuple(SHIPPED_PROFILES)
SIZES = (1, 5, 60, 500)
# Text of neighbours may touch by this much of a pixel (100 a inch) before it counts as covered.
_TOUCH = 1.5


def profile(name: str = "generic") -> Profile:
    """Return a profile that ships."""
    return Profile.of(profiles.resolve({"profile": name}, SHIPPED_PROFILES))


@cache
def study(n: int) -> Study:
    """Return a synthetic study of n patients; of 1, the published case."""
    if n == 1:
        return shipped("published_case")
    if n == 60:
        return shipped("config")
    settings = dict(shipped("config").settings)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in render(generate(patients=n, seed=1)).items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        settings["sources"] = [
            source | {key: f"{folder}/{Path(source[key]).name}" for key in ("patients", "lesions")}
            for source in settings["sources"]
        ]
        return analysed(settings, replicates=50)


@cache
def _rows(name: str, n: int) -> pd.DataFrame:
    return FIGURES[name][1](study(n))


def rows(name: str, of: int | Study = 60) -> pd.DataFrame:
    """Return what a figure draws of the study of so many patients, or of a study."""
    return _rows(name, of).copy() if isinstance(of, int) else FIGURES[name][1](of)


def figure(
    name: str, of: int | Study = 60, profile_name: str = "generic", data: str = "recorded"
) -> Figure:
    """Return a figure of the study of so many patients, or of a study."""
    return style.framed(FIGURES[name][0], rows(name, of), profile(profile_name), data)


def text_boxes(drawn: Figure) -> list[tuple[str, np.ndarray]]:
    """Return every text that is seen, with the corners (4, 2) of its box in pixels, turned with it.

    Annotations without words are arrows, and are left out.
    """
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    renderer = canvas.get_renderer()
    found, hidden = [], _hidden(drawn)
    for text in drawn.findobj(Text):
        if not text.get_text().strip() or not text.get_visible() or id(text) in hidden:
            continue
        if isinstance(text, Annotation):
            text.update_positions(renderer)
        box = Text.get_window_extent(text, renderer)
        if box.width and box.height:
            found.append((text.get_text(), box))
    return found


def _hidden(drawn: Figure) -> set[int]:
    """Return which texts are made and not drawn: those of ticks out of sight, of hidden axes."""
    found: set[int] = set()
    for axes in drawn.findobj(Axes):
        if not axes.get_visible():
            found |= {id(text) for text in axes.findobj(Text)}
        for axis in (axes.xaxis, axes.yaxis):
            seen = axis._update_ticks() if axes.axison and axis.get_visible() else []
            shown = {id(label) for tick in seen for label in (tick.label1, tick.label2)}
            made = {
                id(label)
                for tick in axis.majorTicks + axis.minorTicks
                for label in (tick.label1, tick.label2)
            }
            found |= made - shown
    return found


def faults(drawn: Figure) -> list[str]:
    """Return which texts leave the figure, and which cover each other."""
    boxes = text_boxes(drawn)
    whole = drawn.bbox
    found = [
        f"{words!r} leaves the figure"
        for words, box in boxes
        if box.x0 < whole.x0 - 1
        or box.x1 > whole.x1 + 1
        or box.y0 < whole.y0 - 1
        or box.y1 > whole.y1 + 1
    ]
    for i, (words, box) in enumerate(boxes):
        for others, other in boxes[i + 1 :]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            if width >= _TOUCH and height >= _TOUCH:
                found.append(f"{words!r} covers {others!r}")
    return found


def words(drawn: Figure) -> list[str]:
    """Return every text of a figure."""
    return [text.get_text() for text in drawn.findobj(Text) if text.get_text().strip()]
