"""Estimates in rows: a label, a mark on an axis, and the numbers in columns, block below block.

What `forest` and `sensitivity` share. A block has an axis of its own, since a ratio of odds and a
ratio of SUVmax do not compare; a block without a scale has numbers only. Everything is placed in mm
from the top left corner, by the measured widths of its words, so that no width of a figure has to
be guessed: where labels and numbers leave too little room for an axis between them, labels are
wrapped, then the shorter words of a figure are taken, and at last labels stand above their rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from captem import rounding
from captem.figures.style import INK, PALE, canvas_height_mm, rc, typeset
from captem.profiles import Profile

LOG, LINEAR, NO_AXIS = "log", "linear", ""
# Looks of a line that stands at a value; widths are the profile's.
NO_ASSOCIATION: dict[str, Any] = {"color": INK, "linestyle": "solid"}
_MM_A_POINT = 25.4 / 72
_LINE, _ROW_PAD_MM, _GAP_MM, _EDGE_MM = 1.22, 0.25, 2.4, 1.5
# An axis is at least so wide beside its labels, and a label that is wrapped at least so wide.
_AXIS_MM, _LABEL_MM = 36, 28
_SHORT_AXIS_MM, _SHORT_LABEL_MM = 18, 12
# Above words in bold.
_TITLE_MM = 0.9
# Above a label that stands above its rows.
_STACK_MM = 0.6
# Below the rows of a block: the line of the axis with its ticks, and room to the next block.
_TICK_MM, _BLOCK_GAP_MM = 1.6, 1.7
# The label of an axis may be wider than the axis, and is at least let run so wide.
_AXIS_LABEL_MM = 80
# What is above the rows for the mark of synthetic data, or for the letter of a panel.
_TOP_MM, _MARK_MM = 4.6, 0.8
# Estimates beyond any use do not stretch the axis, nor do their intervals.
_USEFUL, _BEYOND = (0.05, 20.0), 8.0
_FEW = re.compile(r"[\d.]+ effective observations per coefficient; at least ([\d.]+) are needed")
_LOG_TICKS = ((1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True)
class Mark:
    """What is drawn of an estimate; ends are NaN where it has no interval."""

    estimate: float
    low: float
    high: float
    colour: str = INK
    marker: str = "o"
    filled: bool = True


@dataclass(frozen=True)
class Row:
    """One estimate; a row without a label belongs to the label above it."""

    label: str
    cells: tuple[str, ...]
    mark: Mark | None = None
    colour: str = INK
    shaded: bool = False


@dataclass(frozen=True)
class Words:
    """A heading or a note over the whole width."""

    words: str
    bold: bool = False
    small: bool = False
    colour: str = INK
    indent: bool = False


@dataclass(frozen=True)
class Block:
    """Rows over one axis.

    `scale` is `LOG`, `LINEAR` or `NO_AXIS`; `headings` are those of the columns, the last in
    italics; `title` stands at their left, or above them; `lines` are values at which a line stands,
    with how it is drawn.
    """

    name: str
    items: tuple[Row | Words, ...]
    headings: tuple[str, ...] = ("", "", "")
    scale: str = NO_AXIS
    axis_label: str = ""
    lines: tuple[tuple[float, dict[str, Any]], ...] = ()
    title: str = ""

    @property
    def rows(self) -> list[Row]:
        """Return its rows without headings and notes."""
        return [item for item in self.items if isinstance(item, Row)]


@dataclass(frozen=True)
class Key:
    """An entry of the legend."""

    words: str
    marker: str = "o"
    filled: bool = True
    colour: str = INK
    line: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Text:
    x: float
    y: float
    words: str
    right: float
    options: dict[str, Any]


@dataclass
class _Place:
    """Where a block is: its axis from `top` to `bottom`, and its marks and texts within."""

    block: Block
    left: float
    width: float
    top: float = 0.0
    bottom: float = 0.0
    marks: list[tuple[float, Mark]] = field(default_factory=list)
    spans: list[tuple[float, float, float]] = field(default_factory=list)


@dataclass
class Layout:
    """Everything in mm, y downwards from below the top margin; `height` is that of the figure."""

    width: float
    height: float
    texts: list[_Text] = field(default_factory=list)
    shades: list[tuple[float, float]] = field(default_factory=list)
    rules: list[float] = field(default_factory=list)
    keys: list[tuple[float, float, Key]] = field(default_factory=list)
    places: list[_Place] = field(default_factory=list)


@dataclass(frozen=True)
class _Columns:
    """Left edges, and widths where something is set within; `stacked`: labels above the rows."""

    label: float
    label_width: float
    axis: float
    axis_width: float
    cells: tuple[float, ...]
    stacked: bool


def cells(estimate: float, low: float, high: float) -> str:
    """Print an estimate with its interval, where there is one.

    >>> cells(2.28, 1.18, 4.41), cells(2.03, math.nan, math.nan)
    ('2.28 (1.18 to 4.41)', '2.03')
    """
    said = rounding.number(estimate)
    return said if math.isnan(low) else f"{said} ({rounding.interval(low, high)})"


def interval_heading(what: str, levels: Iterable[float]) -> str:
    """Return the heading of a column of estimates, with the level where they have but one.

    >>> interval_heading("Odds ratio", [0.95, math.nan]), interval_heading("Ratio", [0.9, 0.95])
    ('Odds ratio (95% CI)', 'Ratio (CI)')
    """
    found = {level for level in levels if not math.isnan(level)}
    said = f"{rounding.level(found.pop())} CI" if len(found) == 1 else "CI"
    return f"{what} ({said})"


def alike(reason: str) -> str:
    """Return a reason without the number that alone tells it from others of its kind.

    >>> alike("1.3 effective observations per coefficient; at least 2 are needed")
    'fewer than 2 effective observations per coefficient'
    """
    return _FEW.sub(r"fewer than \1 effective observations per coefficient", reason)


def sentence(words: str) -> str:
    """Return words with a capital.

    >>> sentence("no patient"), sentence("SUVmax")
    ('No patient', 'SUVmax')
    """
    return words[:1].upper() + words[1:]


# What a figure shows: its blocks and its legend, in all words or in short ones.
Contents = Callable[[bool], tuple[Sequence[Block], Sequence[Key]]]


def height_mm(contents: Contents, width_mm: float, profile: Profile) -> float:
    """Return how tall a figure is at this width."""
    return laid_out(contents, width_mm, profile).height


def draw(contents: Contents, canvas: Figure | SubFigure, profile: Profile) -> list[Axes]:
    """Draw a figure onto an empty canvas; return its axes, each labelled by its block's name.

    All words but those of the ticks stand on axes named `page`, which has the size of the canvas in
    mm.
    """
    width, height = float(canvas.bbox.width / canvas.dpi) * 25.4, canvas_height_mm(canvas)
    found = laid_out(contents, width, profile)
    # In a composite the letter of the panel stands above, in room of its own.
    top = profile.mm(_TOP_MM) + min(max(height - found.height, 0), profile.mm(_TOP_MM))
    if isinstance(canvas, Figure):
        canvas.set_layout_engine("none")
        if mark := canvas.get_suptitle():
            canvas.suptitle(mark, x=0.99, y=1 - profile.mm(_MARK_MM) / height, ha="right")
    page = canvas.add_axes((0, 0, 1, 1), label="page", zorder=-1)
    page.axis("off")
    page.set(xlim=(0, width), ylim=(height - top, -top))
    for low, high in found.shades:
        page.add_patch(Rectangle((0, low), width, high - low, facecolor=PALE, linewidth=0))
    for y in found.rules:
        edges = (profile.mm(_EDGE_MM), width - profile.mm(_EDGE_MM))
        page.plot(edges, (y, y), color=INK, linewidth=profile.thin_pt)
    for text in found.texts:
        page.text(text.x, text.y, text.words, va="center", **text.options)
    for x, y, key in found.keys:
        _draw_key(page, x, y, key, profile)
    return [_draw_block(canvas, place, (width, height, top), profile) for place in found.places]


def _draw_key(page: Axes, x: float, y: float, key: Key, profile: Profile) -> None:
    if key.line is not None:
        half = profile.mm(1.6)
        page.plot((x - half, x + half), (y, y), linewidth=profile.thin_pt, **key.line)
        return
    page.plot(
        x, y, key.marker, color=key.colour, markersize=profile.marker_pt,
        markerfacecolor=key.colour if key.filled else "white", linewidth=0,
    )  # fmt: skip


def _draw_block(
    canvas: Figure | SubFigure, place: _Place, size: tuple[float, float, float], profile: Profile
) -> Axes:
    width, height, top = size
    block = place.block
    share = (
        place.left / width,
        1 - (place.bottom + top) / height,
        place.width / width,
        (place.bottom - place.top) / height,
    )
    ax = canvas.add_axes(share, label=block.name)
    ax.patch.set_visible(False)
    low, high = limits([mark for _, mark in place.marks], block.scale)
    ax.set_xscale(block.scale)
    ax.set_xlim(low, high)
    ax.set_ylim(place.bottom, place.top)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    _set_ticks(ax, low, high, place.width, profile)
    for value, look in block.lines:
        if low <= value <= high:
            at = _share_of(value, low, high, block.scale) * place.width + place.left
            for ends in _free(place, at, profile.mm(0.8)):
                ax.plot((value, value), ends, zorder=0.5, linewidth=profile.thin_pt, **look)
    for y, mark in place.marks:
        _draw_mark(ax, y, mark, (low, high), profile)
    return ax


def _draw_mark(
    ax: Axes, y: float, mark: Mark, within: tuple[float, float], profile: Profile
) -> None:
    low, high = within
    if not math.isnan(mark.low):
        ends = np.clip([mark.low, mark.high], low, high)
        ax.plot(ends, (y, y), color=mark.colour, linewidth=profile.line_pt, zorder=2)
    beyond = {
        "<": min(mark.estimate, mark.low) < low,
        ">": max(mark.estimate, mark.high) > high,
    }
    for arrow, limit in (("<", low), (">", high)):
        if beyond[arrow]:
            ax.plot(
                limit, y, arrow, color=mark.colour, markersize=0.75 * profile.marker_pt,
                markeredgewidth=0, clip_on=False, zorder=2,
            )  # fmt: skip
    if low <= mark.estimate <= high:
        ax.plot(
            mark.estimate, y, mark.marker, color=mark.colour, zorder=3,
            markerfacecolor=mark.colour if mark.filled else "white",
            markeredgewidth=profile.line_pt,
        )  # fmt: skip


def _free(place: _Place, at: float, margin: float) -> Iterator[tuple[float, float]]:
    """Return the parts of a block's height where a line at `at` meets no words."""
    begin = place.top
    for low, high, right in sorted(place.spans):
        if right + margin < at:
            continue
        if low > begin:
            yield begin, low
        begin = max(begin, high)
    if begin < place.bottom:
        yield begin, place.bottom


def limits(marks: Sequence[Mark], scale: str) -> tuple[float, float]:
    """Return the ends of the axis: of a ratio around 1, of a difference around 0.

    >>> limits([Mark(2.0, 0.001, 1e9)], LOG)
    (0.25, 16.0)
    """
    values = np.array([(mark.estimate, mark.low, mark.high) for mark in marks], dtype=float)
    if scale == LINEAR:
        known = values[np.isfinite(values)]
        low, high = min(known.min(initial=0), -0.1), max(known.max(initial=0), 0.1)
        room = 0.04 * (high - low)
        return float(low - room), float(high + room)
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return 0.5, 2.0
    useful = np.clip(values[:, 0][np.isfinite(values[:, 0])], *_USEFUL)
    low = max(known.min() / 1.15, useful.min() / _BEYOND)
    high = min(known.max() * 1.15, useful.max() * _BEYOND)
    return float(min(low, 0.5)), float(max(high, 2.0))


def _share_of(value: float, low: float, high: float, scale: str) -> float:
    if scale == LOG:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _set_ticks(ax: Axes, low: float, high: float, width: float, profile: Profile) -> None:
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(axis="x", length=2 * profile.scale, pad=1.5 * profile.scale)
    if ax.get_xscale() != LOG:
        values = MaxNLocator(max(int(width / profile.mm(9)), 2)).tick_values(low, high)
        ax.set_xticks([value for value in values if low <= value <= high])
        return
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in _LOG_TICKS:
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if _apart(ticks, low, high, width, profile):
            break
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.set_xticklabels([f"{tick:g}" for tick in ticks])


def _apart(ticks: list[float], low: float, high: float, width: float, profile: Profile) -> bool:
    places = [_share_of(tick, low, high, LOG) * width for tick in ticks]
    halves = [text_mm(f"{tick:g}", profile.size_pt) / 2 for tick in ticks]
    ends = zip(places, halves, places[1:], halves[1:], strict=False)
    return all(b - a > left + right + profile.mm(0.8) for a, left, b, right in ends)


# Layout


def laid_out(contents: Contents, width_mm: float, profile: Profile) -> Layout:
    """Return where everything stands in a figure of this width, and how tall it is."""
    with mpl.rc_context(rc(profile)):
        blocks, keys, columns = _fitting(contents, width_mm, profile)
        found = Layout(width_mm, 0.0)
        y = _legend(found, keys, profile)
        for place, block in enumerate(blocks):
            y += profile.mm(_BLOCK_GAP_MM) if place else 0
            y = _block(found, block, y, columns, profile)
    y += profile.mm(_EDGE_MM)
    found.height = y + profile.mm(_TOP_MM)
    return found


def _fitting(
    contents: Contents, width: float, profile: Profile
) -> tuple[list[Block], Sequence[Key], _Columns]:
    """Return what is shown in its longest words that leave room for labels beside the axis."""
    full, *others = [
        ([_typeset(block) for block in blocks], keys, least)
        for (blocks, keys), least in (
            (contents(False), (_LABEL_MM, _AXIS_MM)),
            (contents(True), (_SHORT_LABEL_MM, _SHORT_AXIS_MM)),
        )
    ]
    for blocks, keys, least in (full, *others):
        if columns := _beside(blocks, width, least, profile):
            return blocks, keys, columns
    return full[0], full[1], _above(full[0], width, profile)


def _typeset(block: Block) -> Block:
    items = tuple(
        replace(item, label=typeset(item.label), cells=tuple(map(typeset, item.cells)))
        if isinstance(item, Row)
        else replace(item, words=typeset(item.words))
        for item in block.items
    )
    headings = tuple(typeset(words) for words in block.headings)
    axis_label, title = typeset(block.axis_label), typeset(block.title)
    return replace(block, items=items, headings=headings, axis_label=axis_label, title=title)


def text_mm(words: str, size_pt: float, bold: bool = False) -> float:
    """Return how wide words are in print, in the fonts that are set."""
    font = FontProperties(size=size_pt, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(words, font, bool(is_math_text(words)))
    # Letters are placed on whole pixels when they are drawn, so that a line comes out a little
    # wider or narrower.
    return 1.04 * float(width) * _MM_A_POINT


def wrapped(words: str, field_mm: float, size_pt: float, bold: bool = False) -> list[str]:
    """Return words as lines that fit into a field; a word that is too long has a line."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_mm(longer, size_pt, bold) <= field_mm:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


def _cell_lefts(
    blocks: Sequence[Block], width: float, profile: Profile
) -> tuple[tuple[float, ...], float]:
    """Return the left edges of the columns of numbers, and what is free at their left."""
    said = [row.cells for block in blocks for row in block.rows]
    said += [block.headings for block in blocks if block.rows]
    lefts, right = [], width - profile.mm(_EDGE_MM)
    for place in (2, 1, 0):
        right -= max((text_mm(cells[place], profile.size_pt) for cells in said), default=0.0)
        lefts.append(right)
        right -= profile.mm(_GAP_MM)
    return tuple(reversed(lefts)), right


def _beside(
    blocks: Sequence[Block], width: float, least: tuple[float, float], profile: Profile
) -> _Columns | None:
    """Return the columns with labels beside the axis; None where there is no room for them.

    `least` is how wide a label that is wrapped, and an axis, have to be, as designed.
    """
    edge, gap, size = profile.mm(_EDGE_MM), profile.mm(_GAP_MM), profile.size_pt
    lefts, free = _cell_lefts(blocks, width, profile)
    labels = [row.label for block in blocks for row in block.rows]
    wanted = max((text_mm(label, size) for label in labels), default=0.0)
    longest = max((text_mm(word, size) for label in labels for word in label.split()), default=0.0)
    room = free - edge - gap - profile.mm(least[1])
    if wanted > room and room < max(profile.mm(least[0]), longest):
        return None
    # What short labels leave goes to the axis, up to half of the figure.
    axis = min(free - edge - gap - min(wanted, room), 0.5 * width)
    label = free - axis - gap - edge
    return _Columns(edge, label, free - axis, axis, lefts, stacked=False)


def _above(blocks: Sequence[Block], width: float, profile: Profile) -> _Columns:
    """Return the columns with labels above the axis, as wide as the figure."""
    edge = profile.mm(_EDGE_MM)
    lefts, free = _cell_lefts(blocks, width, profile)
    begin = edge + profile.mm(3.5)
    return _Columns(edge, width - 2 * edge, begin, free - begin, lefts, stacked=True)


def _legend(found: Layout, keys: Sequence[Key], profile: Profile) -> float:
    """Place the legend line by line; return where it ends."""
    if not keys:
        return 0.0
    edge, line = profile.mm(_EDGE_MM), _line_mm(profile, small=True)
    x, y = edge, line / 2
    for key in keys:
        words = typeset(key.words)
        needed = profile.mm(5) + text_mm(words, profile.small_pt)
        if x > edge and x + needed > found.width - edge:
            x, y = edge, y + line
        found.keys.append((x + profile.mm(1.8), y, key))
        options = {"fontsize": profile.small_pt, "color": INK}
        found.texts.append(_Text(x + profile.mm(4.2), y, words, x + needed, options))
        x += needed + profile.mm(3)
    return y + line / 2 + profile.mm(1)


def _line_mm(profile: Profile, small: bool = False) -> float:
    return _LINE * _MM_A_POINT * (profile.small_pt if small else profile.size_pt)


def _block(found: Layout, block: Block, y: float, columns: _Columns, profile: Profile) -> float:
    line, pad = _line_mm(profile), profile.mm(_ROW_PAD_MM)
    place = _Place(block, columns.axis, columns.axis_width)
    if block.title:
        free = columns.cells[0] - 2 * profile.mm(_EDGE_MM)
        above = text_mm(block.title, profile.size_pt, bold=True) > free
        title = Words(block.title, bold=True)
        below = _words(found, place, title, y - profile.mm(_TITLE_MM), profile)
        y = below if above else y
    if block.rows:
        for x, words, style in zip(
            columns.cells, block.headings, ("normal", "normal", "italic"), strict=True
        ):
            found.texts.append(_Text(x, y + line / 2, words, 0, {"fontstyle": style}))
        y += line + pad
        found.rules.append(y)
        y += pad
    place.top = y
    for item in block.items:
        if isinstance(item, Row):
            y = _row(found, place, item, y, columns, profile)
        else:
            y = _words(found, place, item, y, profile)
    if not place.marks:
        return y
    place.bottom = y + pad
    found.places.append(place)
    y = place.bottom + profile.mm(_TICK_MM) + line
    room = max(2 * columns.axis_width, profile.mm(_AXIS_LABEL_MM))
    room = min(found.width - 2 * profile.mm(_EDGE_MM), room)
    for words in wrapped(block.axis_label, room, profile.size_pt):
        half = text_mm(words, profile.size_pt) / 2
        edge = profile.mm(_EDGE_MM) + half
        middle = min(max(columns.axis + columns.axis_width / 2, edge), found.width - edge)
        found.texts.append(_Text(middle, y + line / 2, words, 0, {"ha": "center"}))
        y += line
    return y


def _row(
    found: Layout, place: _Place, row: Row, y: float, columns: _Columns, profile: Profile
) -> float:
    line, pad = _line_mm(profile), profile.mm(_ROW_PAD_MM)
    top, options = y, {"color": row.colour}
    # Where nothing is drawn, a label may run over the place of the axis.
    field = (
        columns.label_width
        if row.mark or columns.stacked
        else columns.cells[0] - profile.mm(_EDGE_MM + _GAP_MM)
    )
    labels = wrapped(row.label, field, profile.size_pt) if row.label else []
    height = line + pad
    if columns.stacked:
        y += profile.mm(_STACK_MM) if labels else 0
        for words in labels:
            right = columns.label + text_mm(words, profile.size_pt)
            found.texts.append(_Text(columns.label, y + line / 2, words, right, options))
            place.spans.append((y, y + line, right))
            y += line
    else:
        height = line * max(len(labels), 1) + pad
        middle = y + height / 2
        for number, words in enumerate(labels):
            at = middle + line * (number - (len(labels) - 1) / 2)
            found.texts.append(_Text(columns.label, at, words, 0, options))
    middle = y + height / 2
    for x, words in zip(columns.cells, row.cells, strict=True):
        if words:
            found.texts.append(_Text(x, middle, words, 0, options))
    if row.mark is not None:
        place.marks.append((middle, row.mark))
    if row.shaded:
        found.shades.append((top, y + height))
    return y + height


def _words(found: Layout, place: _Place, item: Words, y: float, profile: Profile) -> float:
    size = profile.small_pt if item.small else profile.size_pt
    line, edge = _line_mm(profile, item.small), profile.mm(_EDGE_MM)
    x = edge + (profile.mm(3) if item.indent else 0)
    begin = y
    y += profile.mm(_TITLE_MM) if item.bold else profile.mm(0.2)
    right = x
    options: dict[str, Any] = {"fontsize": size, "color": item.colour}
    options |= {"fontweight": "bold"} if item.bold else {}
    for words in wrapped(item.words, found.width - edge - x, size, item.bold):
        end = x + text_mm(words, size, item.bold)
        found.texts.append(_Text(x, y + line / 2, words, end, options))
        right, y = max(right, end), y + line
    y += profile.mm(_ROW_PAD_MM)
    place.spans.append((begin, y, right))
    return y


def panel(
    contents: Callable[[pd.DataFrame, bool], tuple[Sequence[Block], Sequence[Key]]],
) -> Callable[[pd.DataFrame, Figure | SubFigure, Profile], None]:
    """Return the `panel` of a figure of which `contents` returns what it shows of its rows."""

    def draw_panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
        draw(partial(contents, rows), canvas, profile)

    return draw_panel
