"""A figure profile is data: whole, explained where it is wrong, and what figures are sized by."""

from __future__ import annotations

import pytest
from captem import profiles
from captem.config import resolve
from captem.errors import CaptemError
from captem.figures import style
from captem.profiles import Profile
from figure_data import FIGURES
from figure_studies import PROFILES, SHIPPED_PROFILES, profile, rows
from matplotlib.text import Text
from studies import schema

SMALLEST = {"study": "mine", "cut": "1", "sources": [{"name": "ward", "patients": "p.csv"}]}
# As it stands in config/README.md.
JOURNAL = {
    "narrow_mm": 88, "wide_mm": 180, "tallest_mm": 220, "font": ["Arial"], "size_pt": 8,
    "small_pt": 7, "heading_pt": 10, "line_pt": 1, "dpi": 1000,
}  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
def test_those_that_ship_are_whole(name):
    found = profile(name)
    assert found.name == name
    assert found.small_pt <= found.size_pt <= found.heading_pt
    assert found.narrow_mm <= found.wide_mm


def test_the_names_in_the_schema_are_those_that_ship():
    described = schema()["properties"]["figures"]["properties"]["profile"]["description"]
    for name in PROFILES:
        assert name in described
    keys = schema()["properties"]["figures"]["properties"]["profiles"]["additionalProperties"]
    assert set(keys["properties"]) == set(SHIPPED_PROFILES["generic"])


def test_a_journals_own_needs_only_what_differs():
    asked = {"profile": "jnm", "profiles": {"jnm": {"narrow_mm": 88}}}
    settings = resolve(SMALLEST | {"figures": asked}, schema())
    found = profiles.resolve(settings["figures"], SHIPPED_PROFILES)
    assert found == SHIPPED_PROFILES["generic"] | {"name": "jnm", "narrow_mm": 88}


def test_a_journals_own_sizes_the_figure():
    asked = {"profile": "jnm", "profiles": {"jnm": JOURNAL}}
    look = Profile.of(profiles.resolve(asked, SHIPPED_PROFILES))
    drawn = style.framed(FIGURES["paired_slopes"][0], rows("paired_slopes"), look, "recorded")
    assert drawn.get_size_inches()[0] * 25.4 in (pytest.approx(88), pytest.approx(180))
    sizes = {text.get_fontsize() for text in drawn.findobj(Text) if text.get_text()}
    assert min(sizes) == 7
    assert 8 in sizes


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"profile": "generik"}, "did you mean 'generic'?"),
        ({"profile": "lancet"}, "there are generic, single_column, double_column, slides"),
        (
            {"profile": "own", "profiles": {"own": {"narrow_mm": 200}}},
            "narrow_mm (200) is above wide_mm (178)",
        ),
        ({"profile": "own", "profiles": {"own": {"size_pt": 5}}}, "small_pt (6) is above size_pt"),
    ],
)
def test_a_profile_that_cannot_be_is_explained(figures, words):
    with pytest.raises(CaptemError, match="figures") as caught:
        profiles.resolve(figures, SHIPPED_PROFILES)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"profil": "slides"}, "did you mean 'profile'?"),
        ({"profiles": {"own": {"width_mm": 88}}}, "width_mm"),
        ({"profiles": {"own": {"dpi": 30}}}, "dpi"),
        ({"panels": [["transition_matrx"]]}, "did you mean 'transition_matrix'?"),
        ({"panels": ["forest"]}, "figures.panels"),
    ],
)
def test_the_config_says_what_is_wrong(figures, words):
    with pytest.raises(CaptemError) as caught:
        resolve(SMALLEST | {"figures": figures}, schema())
    assert words in str(caught.value)


def test_the_schema_knows_every_figure_for_panels():
    known = schema()["properties"]["figures"]["properties"]["panels"]["items"]["items"]["enum"]
    assert known == list(FIGURES)
