"""Figure: the probability of each follow-up score over MIB1, and over CAPTEM cycles.

Curves are means over the analysed patients, bands those of the whole curve (`captem.predictions`).
"""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from captem import predictions
from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    FAINT,
    canvas_width_mm,
    mib1_axis,
    nothing_to_draw,
)
from captem.planned_models import CYCLES
from captem.profiles import Profile
from captem.table_parts import MASKED

WIDE = True
_COLOURS = {predictions.MIB1: DIRECTION_COLOURS["up"], CYCLES: FAINT}
_LABELS = {
    predictions.MIB1: "MIB1 index (%)",
    CYCLES: "CAPTEM cycles before the follow-up PET: an association only",
}
# From which width on the scores stand side by side.
_SIDE_BY_SIDE_MM = 130
_NARROW_LABEL = 28
# The strip below probability 0 that shows who was observed.
_STRIP, _SHORTEST = 0.14, 0.03
_NUMBERS = ("value", "estimate", "band_low", "band_high", "n_patients")


def data(curves: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, from `predictions/curves.csv`.

    One row a value, score (`heading`) and model with its probability and band; rows `observed` with
    how many patients have a value, unless that is masked; one row with the reason where a model was
    refused.
    """
    columns = ["over", "quantity", "value", "heading", "estimate", "band_low", "band_high"]
    refused = curves["status"].eq("not_estimable")
    if refused.all():
        return absent(str(curves["reason"].iloc[0]))
    rows = curves[curves["quantity"].ne(predictions.GAIN)].copy()
    for name in _NUMBERS:
        rows[name] = pd.to_numeric(rows[name])
    rows["heading"] = "score " + rows["score"].astype("string")
    return rows[[*columns, "n_patients", "status", "reason"]].reset_index(drop=True)


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return two rows of axes, or as many as there are scores where they stand above each other."""
    if width_mm >= profile.mm(_SIDE_BY_SIDE_MM):
        return min(profile.mm(108), profile.tallest_mm)
    return profile.mm(18 + 34 * rows["heading"].nunique())


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw a block of axes for MIB1, and one for cycles; one pair of axes a score."""
    beside = canvas_width_mm(canvas) >= profile.mm(_SIDE_BY_SIDE_MM)
    shape = (2, 1) if beside else (1, 2)
    blocks = canvas.subfigures(*shape, squeeze=False).ravel()
    for block, over in zip(blocks, (predictions.MIB1, CYCLES), strict=True):
        chosen = rows[rows["over"].eq(over)]
        if chosen["status"].eq("not_estimable").any():
            ax = block.add_subplot()
            ax.axis("off")
            wide = 90 if beside else 26
            why = textwrap.fill(f"{_LABELS[over]}. Not drawn: {chosen['reason'].iloc[0]}", wide)
            nothing_to_draw(ax, why)
            continue
        _draw_block(chosen, over, block, beside, profile)
    status = rows.loc[rows["quantity"].eq(predictions.PROBABILITY), "status"]
    handles = [
        Line2D([], [], color=FAINT, label="probability"),
        Patch(facecolor=FAINT, alpha=0.25, linewidth=0, label="95% band of the whole curve"),
    ]
    if rows["quantity"].eq(predictions.OBSERVED).any():
        label = "patients (taller: more)"
        handles.append(Line2D([], [], color=FAINT, marker="|", linestyle="none", label=label))
    if status.eq("unstable").any():
        dashed = Line2D([], [], color=FAINT, linestyle=_dashes("unstable"), label="unstable model")
        handles.insert(1, dashed)
    canvas.legend(
        handles=handles, loc="outside lower center", ncols=4 if beside else 2, frameon=False
    )


def _draw_block(
    rows: pd.DataFrame, over: str, block: SubFigure, beside: bool, profile: Profile
) -> None:
    curves = rows[rows["quantity"].eq(predictions.PROBABILITY)]
    observed = rows[rows["quantity"].eq(predictions.OBSERVED)]
    # Who has which value may be masked.
    values = (observed if len(observed) else curves)["value"]
    scores = list(dict.fromkeys(curves["heading"]))
    shape = (1, len(scores)) if beside else (len(scores), 1)
    axes = block.subplots(*shape, sharex=True, sharey=True, squeeze=False).ravel()
    for ax, score in zip(axes, scores, strict=True):
        draw(pd.concat([curves[curves["heading"].eq(score)], observed]), ax, profile)
        ax.set_title(score, loc="left")
        if over == predictions.MIB1:
            ax.set_xscale("log")
            ax.set_xlim(values.min() / 1.15, values.max() * 1.15)
            mib1_axis(ax)
        else:
            low, high = values.min(), values.max()
            ax.set_xticks(sorted({round(low), round((low + high) / 2), round(high)}))
            ax.set_xlim(low - 0.5, high + 0.5)
    n = curves["n_patients"].iloc[0]
    words = _axis_words(over, MASKED if pd.isna(n) else str(int(n)), beside)
    block.supxlabel(words, fontsize=profile.size_pt)
    if beside or over == predictions.MIB1:
        block.supylabel("Probability at follow-up", fontsize=profile.size_pt)


def _axis_words(over: str, n: str, beside: bool) -> str:
    """Return the label of a block's axes; of as many lines in both, where they stand side by side.

    Blocks whose labels differ in height would have axes of different heights.
    """
    if beside:
        return f"{_LABELS[over]} (n = {n})"
    lines = {key: textwrap.wrap(label, _NARROW_LABEL) for key, label in _LABELS.items()}
    missing = max(map(len, lines.values())) - len(lines[over])
    return "\n".join([*lines[over], f"(n = {n})", *[" "] * missing])


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw one score's curve with its band, and below it ticks of who was observed."""
    curve = rows[rows["quantity"].eq(predictions.PROBABILITY)].sort_values("value")
    observed = rows[rows["quantity"].eq(predictions.OBSERVED)]
    colour = _COLOURS[str(curve["over"].iloc[0])]
    if len(curve) == 1:
        ax.plot(curve["value"], curve["estimate"], "o", color=colour)
    ax.plot(
        curve["value"], curve["estimate"], color=colour, linewidth=1.5 * profile.line_pt,
        linestyle=_dashes(curve["status"].iloc[0]), zorder=2,
    )  # fmt: skip
    ax.fill_between(
        curve["value"], curve["band_low"], curve["band_high"], color=colour, alpha=0.2,
        linewidth=0, zorder=1,
    )  # fmt: skip
    if len(observed):
        share = observed["n_patients"] / observed["n_patients"].max()
        tall = (share * (_STRIP - 0.02)).clip(lower=_SHORTEST)
        ax.vlines(
            observed["value"], -_STRIP, tall - _STRIP, color=FAINT, linewidth=1.5 * profile.thin_pt
        )
    ax.set_ylim(-_STRIP, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.spines.left.set_bounds(0, 1)
    return ax


def _dashes(status: str) -> Any:
    return (0, (4, 1.5)) if status == "unstable" else "solid"
