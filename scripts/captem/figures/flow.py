"""Figure: who was recorded, who was left out and why, and who is in which analysis.

Boxes are placed in mm by the measured widths of their words, so that long names of sources and long
reasons are wrapped and no box covers another. Where the page is too low for the analyses below the
chain, they stand beside it, or in two columns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from captem.errors import CaptemError
from captem.figure_rows import absent
from captem.figures.rows_of_estimates import text_mm
from captem.figures.style import INK, PALE, canvas_height_mm, rc, typeset
from captem.profiles import Profile
from captem.table_parts import MASKED
from captem.wording import MODEL_WORDS

WIDE = True
SOURCE, RECORDED, EXCLUDED, INCLUDED = "source", "recorded", "excluded", "included"
FOLLOW_UP, LEFT_OUT = "follow_up_pet", "left_out"
ANALYSIS_WORDS = {
    "transition": "Change of the Krenning score",
    "criterion": "SSTR criterion before and after",
    "transition.suvmax_ratio": "Change of SUVmax",
    "association.mib1": "Gain of the Krenning score against MIB1 index",
    "association.mib1_suvmax": "Change of SUVmax against MIB1 index",
    "association.cycles": "Gain of the Krenning score against CAPTEM cycles",
    "association.cycles_suvmax": "Change of SUVmax against CAPTEM cycles",
}
# By a part of the name of an analysis, the most telling last.
_OUTCOMES = ("krenning", "criterion", "lesion_krenning", "suvmax", "lesion_suvmax")
_CYCLES, _WITH_CYCLES = "_cycles", ", with CAPTEM cycles"
_UNREAD = "rows that do not fit their headings"
_COLUMNS = ["step", "text", "n", "n_lesions", "group"]
_NOTE = "Lesions: all of these patients, also those that an analysis does not use."

_MM_A_POINT = 25.4 / 72
_LINE, _INDENT_MM = 1.25, 2.0
# In mm as designed: within a box, between boxes, of an arrow, of the branch to an analysis, and
# what the least box of a source needs.
_PAD_MM, _GAP_MM, _ARROW_MM, _BRANCH_MM, _SOURCE_MM, _EDGE_MM = 1.2, 2.4, 4.5, 5.0, 25.0, 1.0
# What is above for the mark of synthetic data, or for the letter of a panel.
_TOP_MM, _TOP_SHARE = 3.8, 0.02
# Where the chain and the boxes beside it stand, as shares of their field.
_CHAIN, _SIDE = 0.5, 0.42
# Of the width: the names of analyses where the reasons stand beside them.
_NAMES = 0.54


# What is drawn


def data(flow: pd.DataFrame, eligibility: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a count: aggregate.

    Parameters
    ----------
    flow, eligibility, sources : the files of these names under `cohort/`. Where small counts are
        masked (missing), `eligibility` is `recorded.csv`: how many (`n`) of each source.

    Returns
    -------
    frame with `step` (`source`, `recorded`, `excluded`, `included`, `follow_up_pet`, the name of an
    analysis, or `left_out`), `text` (which source, which analysis, or why), `n` patients and
    `n_lesions`, all lesions of these patients. Analyses that leave out the same numbers for the
    same reasons have the same number in `group`; their reasons follow as `left_out`, once a group.

    Raises
    ------
    CaptemError
        If the counts do not add up: `recorded` is all `excluded` and `included`, and `included` is
        those `left_out` of an analysis and those in it.
    """
    # Masked counts were checked before they were masked.
    if flow[["n", "n_lesions"]].notna().all(axis=None) and "n" not in eligibility:
        _check(flow, len(eligibility))
    counts = {step: rows for step, rows in flow.groupby("step", sort=False)}
    if counts[RECORDED]["n"].eq(0).fillna(False).all():
        return absent("no patient was recorded")
    found: list[tuple[Any, ...]] = [
        (SOURCE, name, n, None, None) for name, n in _of_sources(flow, eligibility, sources)
    ]
    for step in (RECORDED, EXCLUDED, INCLUDED, FOLLOW_UP):
        # A reason that applies to nobody is not drawn.
        rows = counts[step]
        kept = (
            rows
            if step in (RECORDED, INCLUDED)
            else rows[rows[["n", "n_lesions"]].fillna(1).ne(0).any(axis=1)]
        )
        found += [(step, *line, None) for line in _lines(kept)]
    for number, (names, rows) in enumerate(_groups(flow), start=1):
        analysed = rows["reason"].eq("analysed")
        for name in names:
            found += [(name, _words(name), *_lines(rows[analysed])[0][1:], number)]
        found += [
            (LEFT_OUT, *line, number)
            for line in _lines(rows[~analysed & rows["n"].fillna(1).ne(0)])
        ]
    table = pd.DataFrame(found, columns=_COLUMNS)
    return table.astype({"n": "Int64", "n_lesions": "Int64", "group": "Int64"})


def _lines(rows: pd.DataFrame) -> list[tuple[str, int | None, int | None]]:
    """Return reasons with their patients and lesions, None where these are masked."""
    texts = rows["reason"].fillna("").astype(str)
    counts = ([None if pd.isna(n) else int(n) for n in rows[name]] for name in ("n", "n_lesions"))
    return list(zip(texts, *counts, strict=True))


def _check(flow: pd.DataFrame, answered: int) -> None:
    sums = flow.groupby("step", sort=False)[["n", "n_lesions"]].sum()
    recorded, included = sums.loc[RECORDED], sums.loc[INCLUDED]
    wrong = []
    for name, what in (("n", "patients"), ("n_lesions", "lesions")):
        parts = sums.loc[EXCLUDED, name] + included[name]
        if parts != recorded[name]:
            wrong.append(f"{recorded[name]} {what} recorded, {parts} left out or included")
        for step in sums.index.difference([RECORDED, EXCLUDED, INCLUDED], sort=False):
            if sums.loc[step, name] != included[name]:
                wrong.append(
                    f"{step}: {sums.loc[step, name]} {what} of {included[name]} included ones"
                )
    if answered > recorded["n"]:
        wrong.append(f"{recorded['n']} patients recorded, {answered} in eligibility.csv")
    if wrong:
        raise CaptemError(
            f"cohort/flow.csv does not add up: {'; '.join(wrong)}. It is a defect of captem, or "
            "the file was changed by hand: delete it and run again"
        )


def _of_sources(
    flow: pd.DataFrame, eligibility: pd.DataFrame, sources: pd.DataFrame
) -> list[tuple[str, int | None]]:
    """Return the number of patients of each source, and of rows that could not be read."""
    if "n" in eligibility:
        known = pd.to_numeric(eligibility["n"])
        return [(str(name), None if pd.isna(n) else int(n))
                for name, n in zip(eligibility["source"], known, strict=True)]  # fmt: skip
    names = dict.fromkeys([*sources["source"].astype(str), *eligibility["source"].astype(str)])
    sizes = eligibility["source"].astype(str).value_counts()
    found: list[tuple[str, int | None]] = [(name, int(sizes.get(name, 0))) for name in names]
    unread = int(flow.loc[flow["step"].eq(RECORDED), "n"].sum()) - len(eligibility)
    return [*found, (_UNREAD, unread)] if unread else found


def _groups(flow: pd.DataFrame) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the analyses that leave out the same numbers for the same reasons, and their counts."""
    steps = flow[~flow["step"].isin([RECORDED, EXCLUDED, INCLUDED, FOLLOW_UP])]
    groups: dict[tuple[Any, ...], tuple[list[str], pd.DataFrame]] = {}
    for name, rows in steps.groupby("step", sort=False):
        key = tuple(line for line in _lines(rows) if line[1] != 0 or line[0] == "analysed")
        groups.setdefault(key, ([], rows))[0].append(str(name))
    yield from sorted(groups.values(), key=lambda group: _outcome(group[0][0]))


def _outcome(analysis: str) -> int:
    """Return the place of what is asked of: scores first, then the criterion, then SUVmax."""
    named = [place for place, word in enumerate(_OUTCOMES) if word in analysis]
    return max(named, default=0)


def _words(analysis: str) -> str:
    if analysis in ANALYSIS_WORDS:
        return ANALYSIS_WORDS[analysis]
    base = analysis.removesuffix(_CYCLES)
    words = MODEL_WORDS.get(base, base.rpartition(".")[2].replace("_", " "))
    return f"Model: {words}{_WITH_CYCLES if base != analysis else ''}"


# Layout


@dataclass(frozen=True)
class _Line:
    """A line of text: its words, and how they are set."""

    words: str
    small: bool = False
    bold: bool = False
    indent: bool = False


@dataclass(frozen=True)
class Box:
    """A box with its lines, in mm from the top left corner; one without a frame is text alone."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[_Line, ...]
    framed: bool = True
    shaded: bool = False

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass
class Layout:
    """The boxes, and the lines between them: corners in mm, and whether one ends in an arrow."""

    boxes: list[Box] = field(default_factory=list)
    lines: list[tuple[list[tuple[float, float]], bool]] = field(default_factory=list)
    height: float = 0.0

    def add(self, box: Box) -> Box:
        self.boxes.append(box)
        return box

    def line(self, *corners: tuple[float, float], arrow: bool = True) -> None:
        self.lines.append((list(corners), arrow))


@dataclass(frozen=True)
class _Form:
    """How the analyses stand: beside the chain or below it, in so many columns; the reasons beside
    the names or below them; in small text; and how wide the figure has to be, as designed."""

    beside: bool
    columns: int
    reasons_beside: bool
    small: bool
    least_mm: float


# From the form that is read most easily.
_FORMS = (
    _Form(False, 1, True, False, 140),
    _Form(False, 2, False, False, 140),
    _Form(True, 2, False, False, 140),
    _Form(True, 2, False, True, 140),
    _Form(False, 1, False, False, 0),
    _Form(False, 1, False, True, 0),
    _Form(False, 2, False, True, 80),
)
# Of the width: the chain where the analyses stand beside it.
_CHAIN_BESIDE = 0.25


def laid_out(rows: pd.DataFrame, width_mm: float, profile: Profile) -> Layout:
    """Return where everything stands at this width: in the first form that a page is tall for.

    Where none is, in the lowest.
    """
    found = []
    with mpl.rc_context(rc(profile)):
        for form in _FORMS:
            if width_mm < profile.mm(form.least_mm):
                continue
            found.append(_laid_out(rows, width_mm, profile, form))
            if _whole_mm(found[-1], profile) <= profile.tallest_mm:
                return found[-1]
    return min(found, key=lambda layout: layout.height)


def _whole_mm(layout: Layout, profile: Profile) -> float:
    return (layout.height + profile.mm(_TOP_MM)) / (1 - _TOP_SHARE)


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return how tall the boxes are, one below the other."""
    return _whole_mm(laid_out(rows, width_mm, profile), profile)


def _laid_out(rows: pd.DataFrame, width: float, profile: Profile, form: _Form) -> Layout:
    found, edge, gap = Layout(), profile.mm(_EDGE_MM), profile.mm(_GAP_MM)
    whole = width - 2 * edge
    share = _CHAIN_BESIDE if form.beside else 1.0
    included = _chain(found, rows, (edge, share * whole), form, profile)
    if form.beside:
        bus = edge / 2
        begin, top = edge + share * whole + gap, gap
    else:
        bus = included.y + included.height + profile.mm(_ARROW_MM) / 2
        begin, top = edge, bus + profile.mm(_ARROW_MM) / 2
    trunks = _analyses(found, rows, (begin, edge + whole, top), form, profile)
    if form.beside:
        start = (included.x + included.width, included.middle)
        found.line(start, (trunks[0][0], included.middle), arrow=False)
    else:
        start = (included.x + included.width / 2, included.y + included.height)
        found.line(start, (start[0], bus), arrow=False)
    for place, (x, first, last) in enumerate(trunks):
        ends = [first, last]
        if form.beside and place == 0:
            ends.append(included.middle)
        ends.append(bus)
        found.line((x, min(ends)), (x, max(ends)), arrow=False)
    reached = [x for x, *_ in trunks] + ([] if form.beside else [start[0]])
    if len(reached) > 1:
        found.line((min(reached), bus), (max(reached), bus), arrow=False)
    if rows["n_lesions"].fillna(0).any():
        # Beside the analyses there is room for the note below the chain.
        lowest = included if form.beside else max(found.boxes, key=lambda box: box.y + box.height)
        below = (edge, lowest.y + lowest.height + edge, share * whole)
        note = _box("note", below, [_Line(_NOTE, small=True)], profile)
        found.add(replace(note, framed=False))
    found.height = max(box.y + box.height for box in found.boxes) + edge
    return found


def _chain(
    found: Layout, rows: pd.DataFrame, place: tuple[float, float], form: _Form, profile: Profile
) -> Box:
    """Place the sources, who is recorded, left out and included; return the last box."""
    left, width = place
    share = 1.0 if form.beside else _CHAIN
    arrow, none = profile.mm(_ARROW_MM), rows.iloc[:0]
    parts = {step: own for step, own in rows.groupby("step", sort=False)}
    y = _sources(found, parts[SOURCE], place, share, profile)
    boxes: list[Box] = []
    for step, title, of, heading in (
        (RECORDED, "Recorded", parts.get(EXCLUDED, none), "Left out"),
        (INCLUDED, "Included", parts.get(FOLLOW_UP, none), ""),
    ):
        lines = [_Line(title, bold=True), _Line(_counted(parts[step], rows))]
        said = [_Line(f"{text} ({n})", small=bool(heading)) for text, n in _pairs(of)]
        if heading:
            said.insert(0, _Line(f"{heading}: {_counted(of, rows) if len(of) else 'none'}"))
        if form.beside:
            small = [replace(line, small=True) for line in said]
            box = found.add(_box(step, (left, y, width), [*lines, *small], profile))
            bottom = y + box.height
        else:
            box = _box(step, (left, y, share * width), lines, profile)
            note = _box(
                f"beside_{step}", (left + (1 - _SIDE) * width, y, _SIDE * width), said, profile
            )
            # Both have their middle at one height, so that the line between them is level.
            middle = y + max(box.height, note.height) / 2
            box = found.add(replace(box, y=middle - box.height / 2))
            note = found.add(replace(note, y=middle - note.height / 2))
            found.line((box.x + box.width, middle), (note.x, middle), arrow=step == RECORDED)
            bottom = max(box.y + box.height, note.y + note.height)
        boxes.append(box)
        y = bottom + arrow
    first, last = boxes
    centre = first.x + first.width / 2
    found.line((centre, first.y + first.height), (centre, last.y))
    return last


def _sources(
    found: Layout, parts: pd.DataFrame, place: tuple[float, float], share: float, profile: Profile
) -> float:
    """Place a box a source, or one for all where they are too many to stand side by side.

    `share` of the width is the box below. Return where that begins.
    """
    left, width = place
    arrow, gap = profile.mm(_ARROW_MM), profile.mm(_GAP_MM)
    texts = [(str(text), _number(n, "patient")) for text, n in _pairs(parts)]
    each = (width - gap * (len(texts) - 1)) / len(texts)
    centre = left + share * width / 2
    if len(texts) == 1 or each < profile.mm(_SOURCE_MM):
        own = share * width if len(texts) == 1 else width
        lines = [_Line("Source" if len(texts) == 1 else "Sources", bold=True)]
        lines += [_Line(f"{name}: {said}") for name, said in texts]
        box = found.add(_box(SOURCE, (left, 0.0, own), lines, profile, shaded=True))
        found.line((centre, box.height), (centre, box.height + arrow))
        return box.height + arrow
    wrapped = [
        _lines_of([_Line(name, bold=True), _Line(said)], each, profile) for name, said in texts
    ]
    height = max(_height(lines, profile) for lines in wrapped)
    bus, reached = height + arrow / 2, [centre]
    for number, lines in enumerate(wrapped):
        x = left + number * (each + gap)
        found.add(Box(SOURCE, x, 0.0, each, height, tuple(lines), shaded=True))
        middle = x + each / 2
        # One that is nearly above the arrow stands above it.
        reached.append(centre if abs(middle - centre) < 2 * gap else middle)
        found.line((reached[-1], height), (reached[-1], bus), arrow=False)
    found.line((min(reached), bus), (max(reached), bus), arrow=False)
    found.line((centre, bus), (centre, bus + arrow))
    return bus + arrow


def _pairs(parts: pd.DataFrame) -> Iterator[tuple[str, int | str]]:
    said = (MASKED if pd.isna(n) else int(n) for n in parts["n"])
    return zip(parts["text"], said, strict=True)


def _analyses(
    found: Layout,
    rows: pd.DataFrame,
    place: tuple[float, float, float],
    form: _Form,
    profile: Profile,
) -> list[tuple[float, float, float]]:
    """Place the boxes of the analyses from left to right and from the top, and their branches.

    Return of each column where its trunk is, and the middles of its first and last box.
    """
    begin, end, top = place
    gap, branch = profile.mm(_GAP_MM), profile.mm(_BRANCH_MM)
    width = (end - begin - gap * (form.columns - 1)) / form.columns
    groups = [own for _, own in rows[rows["group"].notna()].groupby("group")]
    made = [_cards(own, rows, width - branch, form, profile) for own in groups]
    heights = [max(_height(lines, profile) for lines in card) for card in made]
    trunks = []
    for number, chosen in enumerate(_columns(heights, form.columns)):
        left = begin + number * (width + gap)
        x, y, middles = left + branch, top, []
        for i in chosen:
            names, *reasons = made[i]
            share = width - branch if not reasons else _NAMES * (width - branch)
            box = found.add(Box("analysis", x, y, share, heights[i], tuple(names), shaded=True))
            found.line((left + branch / 2, box.middle), (x, box.middle))
            middles.append(box.middle)
            if reasons and reasons[0]:
                height = _height(reasons[0], profile)
                side = x + share + branch
                text = Box(
                    LEFT_OUT, side, box.middle - height / 2, x + width - branch - side, height,
                    tuple(reasons[0]), framed=False,
                )  # fmt: skip
                found.add(text)
                found.line((x + share, box.middle), (side, box.middle))
            y += heights[i] + 0.6 * gap
        trunks.append((left + branch / 2, middles[0], middles[-1]))
    return trunks


def _columns(heights: Sequence[float], count: int) -> list[list[int]]:
    """Part the boxes into columns, in order, so that the tallest column is as low as can be."""
    every = list(range(len(heights)))
    if count == 1 or len(every) < 2:
        return [every]
    best = min(range(1, len(every)), key=lambda cut: max(sum(heights[:cut]), sum(heights[cut:])))
    return [every[:best], every[best:]]


def _cards(
    own: pd.DataFrame, rows: pd.DataFrame, width: float, form: _Form, profile: Profile
) -> list[list[_Line]]:
    """Return the lines of the box of a group, and those of the text beside it where asked for."""
    out = own[own["step"].eq(LEFT_OUT)]
    analyses = own[~own["step"].eq(LEFT_OUT)]
    names = [_Line(words, small=form.small) for words in _together(analyses)]
    count = _Line(f"n = {_counted(analyses.iloc[:1], rows)}", small=form.small, bold=True)
    reasons = "; ".join(f"{text} ({n})" for text, n in _pairs(out))
    said = [_Line(f"Left out: {reasons}", small=True)] if len(out) else []
    if not form.reasons_beside:
        return [_lines_of([*names, count, *said], width, profile)]
    half = _NAMES * width
    return [
        _lines_of([*names, count], half, profile),
        _lines_of(said, width - half - profile.mm(_BRANCH_MM), profile),
    ]


def _together(analyses: pd.DataFrame) -> list[str]:
    """Return the names of the analyses of a box; a model without and with cycles is one."""
    texts = dict(zip(analyses["step"], analyses["text"].map(str), strict=True))
    return [
        f"{text}, without and with cycles" if f"{step}{_CYCLES}" in texts else text
        for step, text in texts.items()
        if not step.endswith(_CYCLES) or step.removesuffix(_CYCLES) not in texts
    ]


def _counted(parts: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Print patients and, in a study that has lesions, their lesions."""
    said = _number(_sum(parts["n"]), "patient")
    if not rows["n_lesions"].fillna(0).any():
        return said
    return f"{said}, {_number(_sum(parts['n_lesions']), 'lesion')}"


def _sum(counts: pd.Series) -> int | str:
    return MASKED if counts.isna().any() else int(counts.sum())


def _number(n: int | str, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _box(
    kind: str,
    place: tuple[float, float, float],
    lines: list[_Line],
    profile: Profile,
    shaded: bool = False,
) -> Box:
    """Return a box at (left, top, width) that is as high as its wrapped lines need."""
    x, y, width = place
    wrapped = _lines_of(lines, width, profile)
    return Box(kind, x, y, width, _height(wrapped, profile), tuple(wrapped), shaded=shaded)


def _height(lines: Sequence[_Line], profile: Profile) -> float:
    return sum(_line_mm(line, profile) for line in lines) + 2 * profile.mm(_PAD_MM)


def _line_mm(line: _Line, profile: Profile) -> float:
    return _LINE * _MM_A_POINT * (profile.small_pt if line.small else profile.size_pt)


def _lines_of(lines: Sequence[_Line], width: float, profile: Profile) -> list[_Line]:
    """Wrap lines so that they fit into a box of this width, all but the first of each indented."""
    room = width - 2 * profile.mm(_PAD_MM)
    return [
        replace(line, words=words, indent=number > 0)
        for line in lines
        for number, words in enumerate(_wrapped(typeset(line.words), room, line, profile))
    ]


def _wrapped(text: str, room: float, line: _Line, profile: Profile) -> list[str]:
    """Return words as lines; a word that is too long for one is parted."""
    size = profile.small_pt if line.small else profile.size_pt

    def width(words: str) -> float:
        return size * sum(_em_mm(word, line.bold, profile.font) for word in words.split(" "))

    space = size * _em_mm("n n", line.bold, profile.font) - width("n n")
    found: list[str] = []
    current, used, free = "", 0.0, room
    for word in text.split():
        wide = width(word)
        if current and used + space + wide <= free:
            current, used = f"{current} {word}", used + space + wide
            continue
        if current:
            found.append(current)
        free = room - (profile.mm(_INDENT_MM) if found else 0.0)
        while "$" not in word and width(word) > free and len(word) > 1:
            end = max(bisect_right(range(len(word)), free, key=lambda i: width(word[:i])) - 1, 1)
            found.append(word[:end])
            word, free = word[end:], room - profile.mm(_INDENT_MM)
        current, used = word, width(word)
    return [*found, current]


@lru_cache(maxsize=4096)
def _em_mm(words: str, bold: bool, font: tuple[str, ...]) -> float:
    """Return how wide words are at a size of one point; `font` is that which is set."""
    return text_mm(words, 1.0, bold)


# Drawing


def draw(rows: pd.DataFrame, ax: Axes, profile: Profile) -> Axes:
    """Draw the boxes of `data` from the top of the axes, which have the scale of millimetres."""
    extent = ax.get_window_extent()
    width, height = (float(side) / ax.figure.dpi * 25.4 for side in (extent.width, extent.height))
    found = laid_out(rows, width, profile)
    ax.axis("off")
    ax.set(xlim=(0, width), ylim=(height, 0))
    for corners, arrow in found.lines:
        ax.plot(
            *zip(*corners, strict=True),
            color=INK,
            linewidth=profile.thin_pt,
            zorder=1,
            solid_capstyle="projecting",
        )
        if arrow:
            ax.annotate(
                "", corners[-1], corners[-2], annotation_clip=False,
                arrowprops={
                    "arrowstyle": "-|>", "color": INK, "linewidth": profile.thin_pt,
                    "shrinkA": 0, "shrinkB": 0, "mutation_scale": profile.size_pt,
                },
            )  # fmt: skip
    for box in found.boxes:
        if box.framed:
            ax.add_patch(
                Rectangle(
                    (box.x, box.y), box.width, box.height, edgecolor=INK, zorder=2, gid=box.kind,
                    facecolor=PALE if box.shaded else "white", linewidth=profile.thin_pt,
                )
            )  # fmt: skip
        y = box.y + profile.mm(_PAD_MM)
        for line in box.lines:
            down = _line_mm(line, profile)
            ax.text(
                box.x + profile.mm(_PAD_MM + (_INDENT_MM if line.indent else 0)), y + down / 2,
                line.words, va="center", zorder=3, fontweight="bold" if line.bold else "normal",
                fontsize=profile.small_pt if line.small else profile.size_pt,
            )  # fmt: skip
            y += down
    return ax


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw the boxes below the room for the mark of synthetic data."""
    if isinstance(canvas, Figure):
        canvas.set_layout_engine("none")
    height = canvas_height_mm(canvas)
    top = _TOP_SHARE + profile.mm(_TOP_MM) / height
    draw(rows, canvas.add_axes((0, 0, 1, 1 - top)), profile)
