"""A composite holds the figures that were asked for, each with its letter and its caption."""

from __future__ import annotations

import numpy as np
import pytest
from captem import panel_captions, profiles
from captem.errors import CaptemError
from captem.figures import export, panels, style
from figure_data import FIGURES
from figure_studies import NAMES, faults, figure, profile, rows, words
from matplotlib.text import Text
from matplotlib.transforms import Bbox

pytestmark = pytest.mark.xdist_group("figures")
CHOSEN = [["transition_matrix", "paired_slopes"], ["forest"]]
MODULES = {name: module for name, (module, _) in FIGURES.items()}


def composed(chosen, n=60, profile_name="generic", data="recorded"):
    drawn = {name: rows(name, n) for row in chosen for name in row}
    return panels.compose(chosen, MODULES, drawn, profile(profile_name), data)


def bold(drawn):
    return [t.get_text() for t in drawn.findobj(Text) if t.get_fontweight() == "bold"]


def test_letters_stand_in_the_order_of_reading():
    drawn = composed(CHOSEN)
    assert {"A", "B", "C"} <= set(bold(drawn))
    places = {t.get_text(): t for t in drawn.findobj(Text) if t.get_text() in ("A", "B", "C")}
    drawn.draw_without_rendering()
    corners = {name: text.get_window_extent() for name, text in places.items()}
    assert corners["A"].x0 < corners["B"].x0
    assert abs(corners["A"].y0 - corners["B"].y0) < 1
    assert corners["C"].y0 < corners["A"].y0


def test_every_text_of_the_figures_is_in_the_composite():
    said = words(composed(CHOSEN))
    for name in ("transition_matrix", "paired_slopes"):
        for text in words(figure(name)):
            assert text in said, text


@pytest.mark.parametrize("n", [1, 5, 60, 500])
@pytest.mark.parametrize("name", NAMES)
def test_each_figure_can_stand_alone_in_a_composite(name, n):
    assert faults(composed([[name]], n, data="synthetic")) == []


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_can_stand_beside_another(name):
    other = "transition_matrix" if name != "transition_matrix" else "paired_slopes"
    assert faults(composed([[name, other]], data="synthetic")) == []


def test_synthetic_data_are_marked_once():
    assert words(composed(CHOSEN, data="synthetic")).count("Synthetic data") == 1
    assert "Synthetic data" not in words(composed(CHOSEN))


def test_a_figure_without_data_says_so_in_its_field():
    from captem.figure_rows import absent

    drawn = {"forest": absent("no model was asked for")}
    made = panels.compose([["forest"]], MODULES, drawn, profile(), "recorded")
    assert "Not drawn: no model was asked for" in words(made)


def test_the_same_composite_is_the_same_bytes(tmp_path):
    for place in "ab":
        export.save(composed(CHOSEN), {"svg": tmp_path / f"{place}.svg"}, profile())
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_last_digits_of_the_layout_are_not_written():
    """They depend on where in memory its solver keeps its variables."""
    figures = []
    for moved in (0.0, 1e-15, -1e-15):
        made = composed(CHOSEN)
        made.draw_without_rendering()
        made.set_layout_engine("none")
        for axes in made.axes:
            axes.set_position(Bbox(axes.get_position().get_points() + moved))
        for part in made.subfigs:
            part.bbox_relative.p0 = part.bbox_relative.p0 + moved
        export.settle(made)
        figures.append([
            *(axes.get_position().get_points().tolist() for axes in made.axes),
            *(part.bbox_relative.get_points().tolist() for part in made.subfigs),
        ])  # fmt: skip
    assert repr(figures[0]) == repr(figures[1]) == repr(figures[2])


def test_the_width_is_the_profiles():
    for name in ("generic", "double_column", "slides"):
        width = composed(CHOSEN, profile_name=name).get_size_inches()[0] * 25.4
        assert np.isclose(width, profile(name).wide_mm)


def test_the_csv_names_what_each_panel_is_drawn_from():
    drawn = {name: rows(name) for row in CHOSEN for name in row}
    listed = panels.listing(CHOSEN, drawn, "synthetic")
    assert list(listed["panel"]) == ["A", "B", "C"]
    assert list(listed["drawn_from"]) == [f"{name}.csv" for row in CHOSEN for name in row]
    assert set(listed["data"]) == {"synthetic"}


def test_the_caption_is_that_of_each_figure_and_says_synthetic_once():
    written = {
        "forest": ("Synthetic data. Ratios of the models.", "Forest plot."),
        "flow": ("Synthetic data. Who is counted.", "Boxes."),
    }
    text = panel_captions.joined([["forest"], ["flow"]], written, "Synthetic data")
    assert text == (
        "Synthetic data. (A) Ratios of the models. (B) Who is counted.\n\n"
        "Alt text: (A) Forest plot. (B) Boxes.\n"
    )


@pytest.mark.parametrize(
    ("chosen", "profile_name", "sentence"),
    [
        ([["forest", "forest"]], "generic", "forest stands twice"),
        ([["forest"], ["flow", "alluvial", "predicted"]], "generic", "row 2 has 3 figures"),
        ([["forest", "flow"]], "single_column", "at most 1 can be read in a row"),
    ],
)
def test_what_cannot_be_read_is_refused(chosen, profile_name, sentence):
    with pytest.raises(CaptemError) as caught:
        profiles.check_panels(chosen, profile(profile_name))
    assert sentence in str(caught.value)


def test_a_field_has_the_height_that_the_figure_asks_for():
    drawn = composed([["transition_matrix"]])
    height = style.height_mm(
        MODULES["transition_matrix"], rows("transition_matrix"), profile().wide_mm, profile()
    )
    assert drawn.get_size_inches()[1] * 25.4 >= height
