"""Figure: how many patients moved from which Krenning score to which."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    FAINT,
    PALE,
    one_axes,
)
from captem.profiles import Profile
from captem.table_parts import MASKED

WIDE = False
_STEPS = range(5)
_DAGGER = "†"


def data(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a cell, from `transitions/matrix.csv`.

    A cell whose count is masked has none.
    """
    rows = []
    for before in _STEPS:
        for after in _STEPS:
            direction = "up" if after > before else "down" if after < before else "same"
            rows.append(
                {
                    "krenning_pre": before,
                    "krenning_post": after,
                    "patients": float(matrix[str(after)].iloc[before]),
                    "from_interval_scores": float(matrix[f"split_{after}"].iloc[before]),
                    "direction": direction,
                }
            )
    cells = pd.DataFrame(rows)
    if cells["patients"].eq(0).all():
        return absent("no patient has a score at both scans")
    return cells


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height at which the cells are about square."""
    return min(width_mm, profile.mm(110), profile.tallest_mm)


def draw(cells: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the cells of `data`, shaded by direction and number, with totals at the margins."""
    masked = bool(cells["patients"].isna().any())
    ax.set_xlim(-0.5, 5.5)
    ax.set_ylim(5.5, -0.5)
    ax.set_aspect("equal")
    most = np.nanmax([*cells["patients"], 1])
    for cell in cells.to_dict("records"):
        x, y, count = cell["krenning_post"], cell["krenning_pre"], cell["patients"]
        if np.isnan(count):
            ax.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=PALE, linewidth=0))
            ax.text(x, y, MASKED, ha="center", va="center", color=FAINT, fontsize=profile.small_pt)
            continue
        strength = 0.08 + 0.62 * count / most if count else 0.03
        colour = _tint(DIRECTION_COLOURS[cell["direction"]], strength)
        ax.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, linewidth=0))
        if count:
            mark = _DAGGER if cell["from_interval_scores"] > 0 else ""
            ax.text(x, y, _count(count) + mark, ha="center", va="center")
    # A total beside masked cells would narrow these down.
    for step in [] if masked else _STEPS:
        after = cells.loc[cells["krenning_post"].eq(step), "patients"].sum()
        before = cells.loc[cells["krenning_pre"].eq(step), "patients"].sum()
        ax.text(step, 5, _count(after), ha="center", va="center", color=FAINT)
        ax.text(5, step, _count(before), ha="center", va="center", color=FAINT)
    if not masked:
        ax.text(5, 5, f"n = {_count(cells['patients'].sum())}", ha="center", va="center")
    names = [*(str(step) for step in _STEPS), *([] if masked else ["total"])]
    if masked:
        ax.set_xlim(-0.5, 4.5)
        ax.set_ylim(4.5, -0.5)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("Krenning score at follow-up")
    ax.set_ylabel("Krenning score at baseline")
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


panel = one_axes(draw)


def _count(number: float) -> str:
    """Print a count; a split one with up to two places, since thirds and quarters occur."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _tint(colour: str, strength: float) -> tuple[float, ...]:
    return tuple(1 - strength * (1 - np.array(to_rgb(colour))))
