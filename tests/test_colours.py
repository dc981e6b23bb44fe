"""Every figure reads in greyscale and with each kind of colour blindness."""

from __future__ import annotations

import itertools
from functools import cache

import matplotlib as mpl
import numpy as np
import pytest
from captem.contrast import ratio
from captem.figures.style import (
    DIRECTION_COLOURS,
    DIRECTION_LINES,
    DIRECTION_MARKERS,
    DIRECTIONS,
    FAINT,
    INK,
    MARK_COLOUR,
    ORDERED_COLOURMAP,
    PALE,
)
from colour_vision import VISIONS, distance, lab, lightness, seen
from figure_studies import NAMES, figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Text

pytestmark = pytest.mark.xdist_group("figures")
# A just noticeable difference is about 2.3 (Mahy 1994); a legend is looked up from far off, in
# thin lines, and needs several times as much.
APART = 20
# Lightness that greyscale print, and a copy of it, keeps apart.
LIGHTER = 10
TEXT, LINES = 4.5, 3.0
BLIND = [vision for vision in VISIONS if vision != "normal"]
# Where position says what the colour says, greyscale needs nothing else.
SAID_BY_POSITION = {
    "alluvial": "ribbons that rise, and ribbons that fall",
    "waterfall": "bars above zero rose, bars below it fell",
}


def contrast(one, other) -> float:
    return float(ratio(255 * np.array(to_rgb(one)), 255 * np.array(to_rgb(other))))


# ---- the simulation


@pytest.mark.parametrize("vision", VISIONS)
def test_the_matrices_keep_grey(vision):
    assert VISIONS[vision].sum(axis=1) == pytest.approx(np.ones(3), abs=2e-6)
    for grey in ("#000000", "#767676", "#FFFFFF"):
        assert seen(grey, vision) == pytest.approx(to_rgb(grey), abs=1e-5)


def test_what_is_known_to_be_confused_is_confused():
    """Red and green for protans and deutans, blue and green for tritans; others keep them apart."""
    red, green = "#C05030", "#707020"
    assert distance(red, green) > 40
    assert distance("#B43C3C", "#6E6E32", "deutan") < 0.5 * distance("#B43C3C", "#6E6E32")
    assert distance(red, green, "protan") < 0.5 * distance(red, green)
    assert distance("#0080A0", "#008060", "tritan") < 0.5 * distance("#0080A0", "#008060")
    assert distance("#0000FF", "#FFFF00", "deutan") > 100


def test_distances_are_those_of_cie():
    assert lab("#FFFFFF") == pytest.approx([100, 0, 0], abs=0.01)
    assert lab("#000000") == pytest.approx([0, 0, 0], abs=0.01)
    # Known values of the sRGB primaries.
    assert lab("#FF0000") == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert lab("#0000FF") == pytest.approx([32.30, 79.19, -107.86], abs=0.02)


def test_a_picture_is_seen_pixel_by_pixel():
    picture = np.random.default_rng(1).random((4, 5, 3))
    whole = seen(picture, "deutan")
    assert whole.shape == picture.shape
    assert whole[2, 3] == pytest.approx(seen(picture[2, 3], "deutan"))


# ---- the colours of the directions


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(DIRECTIONS, 2)])
def test_directions_are_told_apart(one, other, vision):
    assert distance(DIRECTION_COLOURS[one], DIRECTION_COLOURS[other], vision) >= APART


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("way", DIRECTIONS)
def test_directions_are_told_from_axes(way, vision):
    assert distance(DIRECTION_COLOURS[way], INK, vision) >= APART


def test_directions_are_told_apart_in_greyscale():
    """Their lightness is not enough: each has a line and a marker of its own."""
    close = [
        pair
        for pair in itertools.combinations(DIRECTIONS, 2)
        if abs(np.subtract(*(lightness(DIRECTION_COLOURS[way]) for way in pair))) < LIGHTER
    ]
    assert close, "then this test, and the lines, are not needed"
    for one, other in close:
        assert DIRECTION_LINES[one] != DIRECTION_LINES[other]
        assert DIRECTION_MARKERS[one] != DIRECTION_MARKERS[other]


def test_every_direction_has_what_the_others_have():
    assert set(DIRECTION_LINES) == set(DIRECTION_MARKERS) == set(DIRECTIONS)


@pytest.mark.parametrize("behind", ["white", PALE])
@pytest.mark.parametrize("way", DIRECTIONS)
def test_lines_stand_out(way, behind):
    assert contrast(DIRECTION_COLOURS[way], behind) >= LINES


@pytest.mark.parametrize("behind", ["white", PALE])
@pytest.mark.parametrize("colour", [INK, FAINT, MARK_COLOUR])
def test_text_stands_out(colour, behind):
    assert contrast(colour, behind) >= TEXT


@pytest.mark.parametrize("vision", VISIONS)
def test_the_ordered_colours_are_ordered_by_lightness(vision):
    shades = mpl.colormaps[ORDERED_COLOURMAP](np.linspace(0, 1, 64))[:, :3]
    steps = np.diff(lab(seen(shades, vision))[:, 0])
    assert (steps > 0).all()
    # Even enough: no step is lost, and none looks like a border.
    assert steps.max() < 4 * steps.mean()
    assert steps.min() > steps.mean() / 4


# ---- the figures


@cache
def drawn(name: str) -> mpl.figure.Figure:
    found = figure(name, 60, data="synthetic")
    FigureCanvasAgg(found).draw()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_all_text_of_a_figure_stands_out(name):
    """On white and on the pale bands; on darker ground `preflight` looks at the pixels."""
    low = {
        (text.get_text(), mpl.colors.to_hex(text.get_color()))
        for text in drawn(name).findobj(Text)
        if text.get_text().strip()
        and lightness(to_rgb(text.get_color())) < 70
        and contrast(text.get_color(), PALE) < TEXT
    }
    assert low == set()
    assert all(text.get_alpha() in (None, 1) for text in drawn(name).findobj(Text))


@pytest.mark.parametrize("name", NAMES)
def test_a_legend_is_read_in_greyscale(name):
    """Two entries of one legend differ in lightness, or in line, marker, filling or hatch."""
    alike = [
        (one.get_label(), other.get_label())
        for legend in drawn(name).findobj(Legend)
        for one, other in itertools.combinations(legend.legend_handles, 2)
        if _shape(one) == _shape(other)
        and all(abs(a - b) < LIGHTER for a, b in zip(_shades(one), _shades(other), strict=True))
    ]
    assert alike == [] or name in SAID_BY_POSITION, alike


def _shape(handle) -> tuple:
    """Return all of a legend's entry that is no colour."""
    if isinstance(handle, Line2D):
        dashes = handle._unscaled_dash_pattern
        return ("line", str(dashes), str(handle.get_marker()), handle.get_linewidth() > 0)
    if isinstance(handle, Patch):
        return ("patch", handle.get_hatch())
    assert isinstance(handle, Collection)
    return ("points", len(handle.get_offsets()), handle.get_paths()[0].vertices.tobytes())


def _shades(handle) -> list[float]:
    if isinstance(handle, Line2D):
        colours = [handle.get_color(), handle.get_markerfacecolor()]
    elif isinstance(handle, Patch):
        colours = [handle.get_facecolor()]
    else:
        colours = [*handle.get_facecolor()[:1], *handle.get_edgecolor()[:1]]
    return [lightness(_on_white(colour)) for colour in colours]


def _on_white(colour) -> np.ndarray:
    *rgb, alpha = (1, 1, 1, 1) if colour in ("none", "auto") else to_rgba(colour)
    return alpha * np.array(rgb) + (1 - alpha)


def test_the_shape_of_an_entry_is_what_greyscale_keeps():
    line = Line2D([], [], color="red", linestyle="--", marker="o")
    assert _shape(line) == _shape(Line2D([], [], color="blue", linestyle="--", marker="o"))
    assert _shape(line) != _shape(Line2D([], [], color="red", linestyle=":", marker="o"))
    assert _shape(line) != _shape(Line2D([], [], color="red", linestyle="--", marker="v"))
    assert _shape(Patch(hatch="//")) != _shape(Patch())
    assert _shades(Line2D([], [], color="black", markerfacecolor="white")) == pytest.approx(
        [0, 100]
    )


def _picture(found: mpl.figure.Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(found)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


@pytest.mark.parametrize("vision", VISIONS)
def test_a_whole_picture_keeps_its_directions_apart(vision):
    """The transition matrix as others see it: its strongest cells of each direction."""
    found = drawn("transition_matrix")
    picture = seen(_picture(found), vision)
    cells: dict[str, tuple[float, np.ndarray]] = {}
    for patch in found.findobj(Rectangle):
        if patch.get_width() != pytest.approx(0.96):
            continue
        step = round(patch.get_x() + 0.48) - round(patch.get_y() + 0.48)
        way = "up" if step > 0 else "down" if step < 0 else "same"
        x, y = patch.axes.transData.transform((patch.get_x() + 0.1, patch.get_y() + 0.1))
        colour = picture[picture.shape[0] - 1 - int(y), int(x)]
        strength = 100 - lightness(patch.get_facecolor()[:3])
        if strength > cells.get(way, (0, None))[0]:
            cells[way] = (strength, lab(colour))
    assert set(cells) == {"up", "same", "down"}
    for one, other in itertools.combinations(cells, 2):
        assert np.linalg.norm(cells[one][1] - cells[other][1]) >= APART / 2, (one, other)


@pytest.mark.parametrize("vision", BLIND)
def test_each_line_of_a_picture_looks_most_like_its_own_direction(vision):
    """Paired slopes: every pixel in a direction's colour is taken for that one, by all eyes."""
    picture = _picture(figure("paired_slopes", 60, data="synthetic"))
    others = {way: lab(seen(DIRECTION_COLOURS[way], vision)) for way in DIRECTIONS}
    for way in ("up", "same", "down"):
        mask = (np.abs(picture - to_rgb(DIRECTION_COLOURS[way])) < 0.06).all(axis=-1)
        assert mask.sum() > 10, way
        pixels = lab(seen(picture[mask], vision))
        gaps = {name: np.linalg.norm(pixels - colour, axis=1) for name, colour in others.items()}
        nearest = np.array(list(gaps))[np.argmin(np.stack(list(gaps.values())), axis=0)]
        assert (nearest == way).all()


def test_the_limit_tells_what_was_confused():
    """The purple that undetermined scores once had is the blue of a rise to a protan."""
    assert distance("#AA4499", DIRECTION_COLOURS["up"]) > 2 * APART
    assert distance("#AA4499", DIRECTION_COLOURS["up"], "protan") < APART / 2
