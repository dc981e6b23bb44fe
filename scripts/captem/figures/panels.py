"""A composite: figures of the study put together into one, row by row, each with its letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

import pandas as pd
from matplotlib.figure import Figure

from captem.figures import style
from captem.panel_captions import letters
from captem.profiles import Profile

_LETTER_MM, _MARK_MM = 5, 5


def listing(
    panels: Sequence[Sequence[str]], rows: Mapping[str, pd.DataFrame], data: str
) -> pd.DataFrame:
    """Return what the composite is drawn from, one row a panel: its letter, figure and csv."""
    return pd.DataFrame(
        [
            {
                "panel": letter,
                "figure": name,
                "drawn_from": f"{name}.csv",
                "rows": len(rows[name]),
                "data": data,
            }
            for name, letter in letters(panels).items()
        ]
    )


def compose(
    panels: Sequence[Sequence[str]],
    modules: Mapping[str, ModuleType],
    rows: Mapping[str, pd.DataFrame],
    profile: Profile,
    data: str,
) -> Figure:
    """Return the composite, as wide as the profile lets a figure be.

    Parameters
    ----------
    panels : names of figures, a list a row; those of a row are equally wide. What may stand there
        is checked by `captem.profiles.check_panels`.
    modules : the module of each figure, as `captem.figures.style` describes.
    rows : what each figure draws, the content of its csv.
    data : whether the data are synthetic, as in `captem.origin`.
    """
    width = profile.wide_mm
    top = profile.mm(_MARK_MM) if data != "recorded" else 0
    heights = [
        profile.mm(_LETTER_MM)
        + max(
            style.height_mm(modules[name], rows[name], width / len(names), profile)
            for name in names
        )
        for names in panels
    ]
    figure = style.blank(width, sum(heights) + top, profile, data)
    lines = figure.subfigures(len(panels), 1, height_ratios=heights, squeeze=False)
    named = letters(panels)
    for line, names in zip(lines.ravel(), panels, strict=True):
        fields = line.subfigures(1, len(names), squeeze=False)
        for field, name in zip(fields.ravel(), names, strict=True):
            style.fill(modules[name], rows[name], field, profile)
            field.suptitle(
                named[name], x=0.005, ha="left", fontweight="bold", fontsize=profile.heading_pt
            )
    return figure
