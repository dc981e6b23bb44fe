"""The ribbons of the alluvial figure are the counts, at the heights of the counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import figure_rows
from captem.figures import alluvial, style
from figure_studies import faults, figure, profile, rows, study, words

pytestmark = pytest.mark.xdist_group("figures")


def changes(*scores):
    """Return the columns of transitions.csv that are drawn, of pairs of scores such as 0-1, 3."""
    found = []
    for pre, post in scores:
        direction = None
        if pre and post:
            (a, b), (c, d) = ((s.split("-")[0], s.split("-")[-1]) for s in (pre, post))
            same = a == b == c == d
            direction = "up" if c > b else "down" if d < a else "same" if same else "undetermined"
        found.append({"krenning_pre": pre, "krenning_post": post, "direction": direction})
    return pd.DataFrame(found, dtype=object)


def drawn(*scores):
    return style.framed(alluvial, alluvial.data(changes(*scores)), profile(), "recorded")


def artists(fig, kind):
    return [patch for patch in fig.axes[0].patches if patch.get_gid() == kind]


def heights(ribbon):
    """Return the lower edge and the height of a ribbon at the left and at the right."""
    points = ribbon.get_path().vertices
    x = points[:, 0]
    ends = [points[x == edge][:, 1] for edge in (x.min(), x.max())]
    return [(end.min(), np.ptp(end)) for end in ends]


@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_the_ribbons_agree_with_the_matrix_and_add_up_to_n(n):
    found, matrix = rows("alluvial", n), study(n).matrix
    both = found[found["direction"].notna()]
    for pre in range(5):
        for post in range(5):
            cell = both[both["krenning_pre"].eq(pre) & both["krenning_post"].eq(post)]
            line = matrix.iloc[pre]
            assert cell["patients"].sum() == pytest.approx(line[str(post)])
            assert cell["from_interval_scores"].sum() == pytest.approx(line[f"split_{post}"])
    for way, count in study(n).changes["direction"].value_counts().items():
        assert both.loc[both["direction"].eq(way), "patients"].sum() == pytest.approx(count)
    for scan in ("krenning_pre", "krenning_post"):
        scored = study(n).changes[scan].notna().sum()
        assert found.loc[found[scan].notna(), "patients"].sum() == pytest.approx(scored)


@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_heights_are_the_counts(n):
    found, fig = rows("alluvial", n), figure("alluvial", n)
    both = found[found["direction"].notna()]
    sizes = sorted(height for r in artists(fig, "ribbon") for _, height in heights(r))
    scale = sum(sizes) / (2 * both["patients"].sum())
    assert sizes == pytest.approx(sorted([*both["patients"], *both["patients"]] * np.array(scale)))
    for x, scan in ((0, "krenning_pre"), (1, "krenning_post")):
        blocks = [b for b in artists(fig, "block") if (b.get_x() > 0.5) == x]
        known = found[found[scan].notna()].groupby(scan)["patients"].sum()
        assert [b.get_height() for b in blocks] == pytest.approx(list(known * scale))
    ending = sum(b.get_height() for b in artists(fig, "ending"))
    assert ending == pytest.approx(found[found["direction"].isna()]["patients"].sum() * scale)


@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_the_slope_is_the_direction(n):
    """In greyscale too: who rose climbs, who stayed is level, who fell sinks."""
    slopes = {"up": 1, "same": 0, "down": -1}
    colours = {tuple(np.round(alluvial._tint(way), 6)): slope for way, slope in slopes.items()}
    for ribbon in artists(figure("alluvial", n), "ribbon"):
        (left, _), (right, _) = heights(ribbon)
        slope = colours.get(tuple(np.round(ribbon.get_facecolor()[:3], 6)))
        if slope is not None:
            assert round(right - left, 9) * slope > 0 if slope else abs(right - left) < 1e-9


@pytest.mark.parametrize("n", [5, 60, 500])
def test_ribbons_and_endings_of_a_block_fill_it_without_a_gap(n):
    fig = figure("alluvial", n)
    sides: tuple[list, list] = ([], [])
    for ribbon in artists(fig, "ribbon"):
        for side, end in zip(sides, heights(ribbon), strict=True):
            side.append(end)
    for end in artists(fig, "ending"):
        sides[end.get_x() > 0.5].append((end.get_y(), end.get_height()))
    for block in artists(fig, "block"):
        edge, top = block.get_y(), block.get_y() + block.get_height()
        own = [p for p in sides[block.get_x() > 0.5] if edge - 1e-9 <= p[0] < top - 1e-9]
        for low, height in sorted(own):
            assert low == pytest.approx(edge)
            edge += height
        assert edge == pytest.approx(top)


def test_an_interval_is_split_and_marked_and_keeps_its_direction():
    found = alluvial.data(changes(("1", "0-1"), ("2", "2")))
    assert list(found["patients"]) == [0.5, 0.5, 1]
    assert list(found["from_interval_scores"]) == [0.5, 0.5, 0]
    assert list(found["direction"]) == ["undetermined", "undetermined", "same"]
    said = words(drawn(("1", "0-1"), ("2", "2")))
    assert "0.5† (25%)" in said
    assert "1† (50%)" in said
    assert "1 (50%)" in said
    assert "undetermined (1)" in said
    assert any("split evenly" in text for text in said)
    assert not any("†" in text for text in words(drawn(("2", "2"))))


def test_who_has_one_score_ends_and_is_counted():
    fig = drawn(("1", "2"), ("1", None), ("0-1", None), (None, "4"), (None, None))
    said = words(fig)
    assert "no follow-up score (2)" in said
    assert "no baseline score (1)" in said
    assert "Krenning score\nat baseline\nn = 3" in said
    assert "Krenning score\nat follow-up\nn = 2" in said
    endings = artists(fig, "ending")
    # At the left from the scores 0 (half a patient) and 1, at the right from 4.
    assert sorted(e.get_x() < 0.5 for e in endings) == [False, True, True]
    sizes = [e.get_height() for e in endings]
    assert sorted(sizes) == pytest.approx([min(sizes) * k for k in (1, 2, 3)])
    assert faults(fig) == []


def test_scores_at_one_scan_alone_are_not_drawn():
    reason = figure_rows.reason_not_drawn(alluvial.data(changes(("1", None), (None, "2"))))
    assert reason == "no patient has a score at both scans"


def test_all_at_one_score():
    fig = drawn(*[("4", "4")] * 3)
    (ribbon,) = artists(fig, "ribbon")
    assert heights(ribbon)[0] == pytest.approx(heights(ribbon)[1])
    assert words(fig).count("3 (100%)") == 2
    assert faults(fig) == []
