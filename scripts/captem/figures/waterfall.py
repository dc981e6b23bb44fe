"""Figure: how much SUVmax changed in each patient and each lesion, sorted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator
from matplotlib.transforms import ScaledTranslation

from captem import rounding
from captem.figure_rows import absent
from captem.figures.style import (
    DIRECTION_COLOURS,
    INK,
    canvas_height_mm,
    say_n,
    typeset,
)
from captem.profiles import Profile

WIDE = True
EACH_PATIENT = True
PATIENT, LESION = "patient", "lesion"
CHANGES = ("rose", "within", "fell")
_COLOURS = {
    "rose": DIRECTION_COLOURS["up"],
    "within": "#A6A6A6",
    "fell": DIRECTION_COLOURS["down"],
}
_BAND, _LINE = "#E6E6E6", "#8C8C8C"
# What became of the SSTR criterion, and how it is marked; filled and empty in greyscale too.
_MARKS = {"gained": "^", "lost": "v"}
# Where the marks stand, and what is kept free for them, in heights of the axes.
_MARK_PLACES, _MARKS_SHARE = (0.085, 0.025), 0.15
_DOTS = (0, (1, 1.5))
# Wider than this, in mm as designed, the panels stand side by side.
_SIDE_BY_SIDE_MM = 130
_PANEL_MM = 76
# With more bars than this they have no gaps and are drawn as one shape a change.
_FEW = 120
_LEAST_PLACES = 8
_MM_A_CHARACTER = 1.15
_STATES = {"resolved": "resolved", "new": "new", "not_assessable": "not assessable"}
_NO_PAIR = "without SUVmax at both scans"


def data(
    transitions: pd.DataFrame, lesion_transitions: pd.DataFrame, limits: Sequence[float]
) -> pd.DataFrame:
    """Return what is drawn, one row a patient and a lesion: patient-level.

    Parameters
    ----------
    transitions, lesion_transitions : `transitions.csv` and `transitions/lesions.csv`.
    limits : changes of SUVmax in percent from which one counts (config key
        `sensitivity.repeatability`): a rise is a ratio of at least 1 + limit / 100, a fall its
        reciprocal or less, as `captem.sensitivity` counts them.

    Returns
    -------
    frame with `level` (`patient`, `lesion`), `place` (1 is the largest rise), `suvmax_ratio`
    (follow-up / baseline), `log2_ratio`, `change` (`rose`, `within`, `fell`: by `limit_percent`,
    the middle one of the limits, all of which are `limits_percent`), `criterion_change`, and for
    those without a bar `no_bar`, the reason.
    """
    parts = [
        _sorted(transitions.assign(lesion_id=None, lesion_status_post=None), PATIENT, limits),
        _sorted(lesion_transitions, LESION, limits),
    ]
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    if not rows["suvmax_ratio"].notna().any():
        return absent("SUVmax is not known at both scans in any patient or lesion")
    return rows


def middle(limits: Sequence[float]) -> float | None:
    """Return the limit that is drawn as a band: the middle one, of two the larger.

    >>> middle([50, 20, 33.5]), middle([20, 30]), middle([])
    (33.5, 30, None)
    """
    return sorted(limits)[len(limits) // 2] if len(limits) else None


def _sorted(changes: pd.DataFrame, level: str, limits: Sequence[float]) -> pd.DataFrame:
    rows = changes[["patient_id", "lesion_id", "suvmax_ratio", "criterion_change"]].copy()
    rows["suvmax_ratio"] = rows["suvmax_ratio"].astype(float)
    limit = middle(limits)
    # A change of exactly the limit counts, whatever the last digit of a logarithm.
    beyond = 1e-9 if limit is None else np.log1p(limit / 100) - 1e-9
    natural = np.log(rows["suvmax_ratio"])
    way = np.select([natural >= beyond, natural <= -beyond], ["rose", "fell"], "within")
    why = changes["lesion_status_post"].map(_STATES).fillna(_NO_PAIR)
    known = rows["suvmax_ratio"].notna()
    rows = rows.assign(
        level=level,
        log2_ratio=natural / np.log(2),
        change=pd.Series(way, index=rows.index, dtype=object).where(known, None),
        no_bar=why.where(~known, None),
        limit_percent=limit,
        limits_percent=" ".join(f"{each:g}" for each in sorted(limits)),
    )
    by = ["suvmax_ratio", "patient_id", "lesion_id"]
    rows = rows.sort_values(by, ascending=[False, True, True], kind="stable")
    rows["place"] = pd.Series(range(1, len(rows) + 1), index=rows.index).where(known, None)
    columns = ["level", "patient_id", "lesion_id", "place", "suvmax_ratio", "log2_ratio", "change"]
    rest = ["criterion_change", "no_bar", "limit_percent", "limits_percent"]
    return rows[[*columns, *rest]].reset_index(drop=True)


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of the panels, side by side or one below the other, and their legends."""
    below = len(_drawn_levels(rows)) > 1 and not _side_by_side(width_mm, profile)
    return min(profile.mm((2 if below else 1) * _PANEL_MM + 8), profile.tallest_mm)


def _side_by_side(width_mm: float, profile: Profile) -> bool:
    return width_mm >= profile.mm(_SIDE_BY_SIDE_MM)


def _drawn_levels(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(rows.loc[rows["suvmax_ratio"].notna(), "level"]))


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw the patients, and beside or below them the lesions, on one scale."""
    width = canvas_height_mm(canvas) * float(canvas.bbox.width / canvas.bbox.height)
    levels, beside = _drawn_levels(rows), _side_by_side(width, profile)
    shape = (1, len(levels)) if beside else (len(levels), 1)
    drawn = canvas.subplots(*shape, sharey=beside, squeeze=False).ravel()
    parts = [rows[rows["level"].eq(level)] for level in levels]
    without = rows.loc[~rows["level"].isin(levels), "level"].value_counts()
    note = [
        f"no panel: {n} {name}{'' if n == 1 else 's'} {_NO_PAIR}" for name, n in without.items()
    ]
    field = width / shape[1]
    below = [_wrapped([*_without_bar(part), *note], field, profile) for part in parts]
    lines = max(map(len, below)) if beside else 0
    for ax, part, words in zip(drawn, parts, below, strict=True):
        draw(part, ax, profile, field, words, lines)
    low, high = _limits_log2(rows)
    for i, ax in enumerate(drawn):
        _set_scale(ax, low, high)
        if beside and i:
            ax.tick_params(labelleft=False)
        else:
            ax.set_ylabel(typeset("log$_2$ (SUVmax follow-up / baseline)"))
        if not beside or i == len(drawn) - 1:
            marked = parts[i] if not beside else rows
            _add_percent_axis(ax, (low, high), marked, profile)
    if handles := _band_handles(rows, profile):
        canvas.legend(
            handles=handles, loc="outside lower center", ncols=len(handles), frameon=False
        )


def draw(
    rows: pd.DataFrame,
    ax: Axes,
    profile: Profile,
    field_mm: float | None = None,
    below: Sequence[str] = (),
    lines: int = 0,
) -> Axes:
    """Draw the bars of one level of `data`.

    Parameters
    ----------
    rows : of one level.
    field_mm : the width of the axes with what stands beside them; else that of a column.
    below : lines of text below the axes.
    lines : how many lines have room there, where the neighbour has more.
    """
    bars = rows[rows["suvmax_ratio"].notna()]
    n = len(bars)
    _draw_band(rows, ax, profile)
    for change, own in bars.groupby("change"):
        if n <= _FEW:
            ax.bar(own["place"], own["log2_ratio"], width=0.8, color=_COLOURS[change], zorder=2)
            continue
        edges = np.append(own["place"] - 0.5, own["place"].iloc[-1] + 0.5)
        ax.stairs(
            own["log2_ratio"], edges, baseline=0, fill=True, color=_COLOURS[change],
            linewidth=0, zorder=2,
        )  # fmt: skip
    ax.axhline(0, color=INK, linewidth=profile.thin_pt, zorder=3)
    # One bar of few is not as broad as the axes.
    slack = max(0.02 * n, 0.6, (_LEAST_PLACES - n) / 2)
    ax.set_xlim(0.5 - slack, n + 0.5 + slack)
    field = field_mm or profile.narrow_mm
    broad = _room_pt(bars, field) >= 0.7 * profile.marker_pt
    _mark_criterion(bars, ax, profile, field)
    _set_scale(ax, *_limits_log2(rows))
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.set_xlabel(typeset("\n".join(below)), fontsize=profile.small_pt)
    lower = -(1.6 + 1.5 * max(len(below), lines)) * profile.small_pt / 72
    place = ax.transAxes + ScaledTranslation(0, lower, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=_handles(bars, profile, broad), loc="upper center", bbox_to_anchor=(0.5, 0),
        bbox_transform=place, ncols=2, frameon=False, borderaxespad=0,
        columnspacing=1.2,
    )  # fmt: skip
    patients = bars["patient_id"].nunique()
    of = f" (of {patients} patient{'' if patients == 1 else 's'})"
    say_n(ax, f"patients, n = {n}" if rows["level"].iloc[0] == PATIENT else f"lesions, n = {n}{of}")
    return ax


def _draw_band(rows: pd.DataFrame, ax: Axes, profile: Profile) -> None:
    band, others = _limits_percent(rows)
    if band is None:
        return
    end = np.log2(1 + band / 100)
    ax.axhspan(-end, end, color=_BAND, linewidth=0, zorder=0, gid="band")
    for limit in others:
        for sign in (-1, 1):
            ax.axhline(
                sign * np.log2(1 + limit / 100), color=_LINE, linestyle=_DOTS,
                linewidth=profile.thin_pt, zorder=1, gid="limit",
            )  # fmt: skip


def _room_pt(bars: pd.DataFrame, field_mm: float) -> float:
    """Return about how broad a bar with its gap is."""
    return 0.75 * field_mm / 25.4 * 72 / max(len(bars), 1)


def _mark_criterion(bars: pd.DataFrame, ax: Axes, profile: Profile, field_mm: float) -> None:
    """Mark below the bars whose SSTR criterion was gained, and below these whose was lost.

    A triangle has room where bars are broad; else a stroke marks the place.
    """
    room = _room_pt(bars, field_mm)
    broad = room >= 0.7 * profile.marker_pt
    for change, y in zip(_MARKS, _MARK_PLACES, strict=True):
        own = bars.loc[bars["criterion_change"].eq(change), "place"]
        if own.empty:
            continue
        look = _mark(change, broad, profile)
        if not broad:
            look["markeredgewidth"] = min(profile.thin_pt, max(room, 0.25))
        ax.plot(
            own, [y] * len(own), transform=ax.get_xaxis_transform(), gid=change, zorder=3,
            clip_on=False, **look,
        )  # fmt: skip


def _mark(change: str, broad: bool, profile: Profile) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "color": INK if broad or change == "gained" else DIRECTION_COLOURS["down"],
        "marker": _MARKS[change] if broad else "|",
        "markerfacecolor": INK if change == "gained" else "white",
        "markersize": profile.marker_pt,
        "markeredgewidth": profile.thin_pt,
    }


def _limits_percent(rows: pd.DataFrame) -> tuple[float | None, list[float]]:
    """Return the limit of the band, None where there is none, and the others."""
    band = rows["limit_percent"].iloc[0]
    if pd.isna(band):
        return None, []
    every = [float(each) for each in str(rows["limits_percent"].iloc[0]).split()]
    return float(band), [each for each in every if each != band]


def _limits_log2(rows: pd.DataFrame) -> tuple[float, float]:
    """Return between which ends the bars, the band and a change by half and by twice lie."""
    band, others = _limits_percent(rows)
    ends = np.log2(1 + np.array([band or 0, *others]) / 100)
    values = rows["log2_ratio"].dropna()
    widest = max(ends.max(), 1.0)
    return min(values.min(), -widest), max(values.max(), widest)


def _set_scale(ax: Axes, low: float, high: float) -> None:
    """Give the bars room from low to high, and the marks of the criterion some below them."""
    span = (high - low) / (1 - _MARKS_SHARE)
    ax.set_ylim(high + 0.03 * span - 1.03 * span, high + 0.03 * span)
    ax.yaxis.set_major_locator(FixedLocator(_octaves(low, high)))


def _octaves(low: float, high: float) -> list[int]:
    every = max(1, round((high - low) / 7))
    return [k for k in range(int(np.ceil(low)), int(np.floor(high)) + 1) if k % every == 0]


def _add_percent_axis(
    ax: Axes, ends: tuple[float, float], rows: pd.DataFrame, profile: Profile
) -> None:
    """Say at the right what a tick is in percent, and which row of marks is which."""
    right = ax.secondary_yaxis("right")
    ticks = _octaves(*ends)
    right.yaxis.set_major_locator(FixedLocator(ticks))
    right.set_yticklabels([_percent(2.0**k - 1) for k in ticks])
    right.set_ylabel(typeset("Change of SUVmax"))
    bottom, top = ax.get_ylim()
    places = dict(zip(_MARKS, (bottom + y * (top - bottom) for y in _MARK_PLACES), strict=True))
    changes = rows.loc[rows["suvmax_ratio"].notna(), "criterion_change"]
    said = [change for change in _MARKS if changes.eq(change).any()]
    right.yaxis.set_minor_locator(FixedLocator([places[change] for change in said]))
    right.yaxis.set_minor_formatter(FixedFormatter(said))
    right.tick_params(which="minor", length=0, labelsize=profile.small_pt)


def _percent(change: float) -> str:
    """Print a change as a percentage with its sign.

    >>> _percent(-0.5), _percent(0.0), _percent(7.0), _percent(-0.875)
    ('−50%', '0%', '+700%', '−87.5%')
    """
    sign = "+" if change > 0 else "−" if change < 0 else ""
    return f"{sign}{rounding.measure(abs(100 * change))}%"


def _without_bar(rows: pd.DataFrame) -> list[str]:
    """Return how many have no bar and why, where there are such."""
    counts = rows["no_bar"].value_counts()
    reasons = [f"{counts[why]} {why}" for why in (*_STATES.values(), _NO_PAIR) if why in counts]
    return [f"no bar: {', '.join(reasons)}"] if reasons else []


def _wrapped(words: Sequence[str], field_mm: float, profile: Profile) -> list[str]:
    wide = int(0.72 * field_mm / profile.mm(_MM_A_CHARACTER))
    return [line for sentence in words for line in textwrap.wrap(sentence, wide)]


def _handles(bars: pd.DataFrame, profile: Profile, broad: bool) -> list[Line2D | Patch]:
    counts = bars["change"].value_counts()
    words = _change_words(_limits_percent(bars)[0])
    handles: list[Line2D | Patch] = [
        Patch(facecolor=_COLOURS[change], label=f"{words[change]} ({counts[change]})")
        for change in CHANGES
        if change in counts
    ]
    marked = bars["criterion_change"].value_counts()
    for change in _MARKS:
        if change in marked:
            said = f"SSTR criterion {change} ({marked[change]})"
            handles.append(Line2D([], [], label=said, **_mark(change, broad, profile)))
    return handles


def _change_words(band: float | None) -> dict[str, str]:
    """Return what each change is called; the limit of a fall is the mirror of that of a rise."""
    if band is None:
        return {"rose": "rose", "within": "unchanged", "fell": "fell"}
    fall = 100 - 100 / (1 + band / 100)
    return {
        "rose": f"rose by {rounding.measure(band)}% or more",
        "within": "changed by less",
        "fell": f"fell by {rounding.measure(fall)}% or more",
    }


def _band_handles(rows: pd.DataFrame, profile: Profile) -> list[Line2D | Patch]:
    band, others = _limits_percent(rows)
    if band is None:
        return []
    handles: list[Line2D | Patch] = [
        Patch(facecolor=_BAND, label=f"repeatability assumed to be {rounding.measure(band)}%")
    ]
    if others:
        said = ", ".join(f"{rounding.measure(each)}%" for each in others)
        handles.append(
            Line2D([], [], color=_LINE, linestyle=_DOTS, linewidth=profile.thin_pt, label=said)
        )
    return handles
