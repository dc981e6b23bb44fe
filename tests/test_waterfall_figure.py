"""The bars of the waterfall are the changes of SUVmax; the band is that of the config."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import figure_rows
from captem.figures import style, waterfall
from figure_studies import faults, figure, profile, rows, study, words
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle, StepPatch

pytestmark = pytest.mark.xdist_group("figures")
LIMITS = [20, 33.5, 50]


def patients(ratios, change="kept"):
    return pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(len(ratios))],
            "suvmax_ratio": pd.Series(ratios, dtype=float),
            "criterion_change": pd.Series([change] * len(ratios), dtype=object),
        }
    )


def lesions(ratios, status="present", change="kept"):
    states = pd.Series([status] * len(ratios) if isinstance(status, str) else status, dtype=object)
    return patients(ratios, change).assign(
        lesion_id=[f"L{i}" for i in range(len(ratios))], lesion_status_post=states
    )


def drawn(*given, limits=LIMITS, profile_name="generic"):
    found = waterfall.data(*given, limits)
    return style.framed(waterfall, found, profile(profile_name), "recorded")


def heights(ax):
    """Return the height of each bar, from the left, whichever way they are drawn."""
    bars = []
    for patch in ax.patches:
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            bars += list(zip(edges[:-1] + 0.5, values, strict=True))
        elif isinstance(patch, Rectangle) and patch.get_gid() != "band":
            bars.append((patch.get_x() + patch.get_width() / 2, patch.get_height()))
    return [height for _, height in sorted(bars)]


@pytest.mark.parametrize("n", [5, 60, 500])
def test_bars_are_the_ratios_of_the_results_sorted(n):
    axes = figure("waterfall", n).axes
    for ax, changes in zip(axes, (study(n).changes, study(n).lesion_changes), strict=True):
        ratios = changes["suvmax_ratio"].dropna()
        found = heights(ax)
        assert found == pytest.approx(sorted(np.log2(ratios), reverse=True))
        assert f"n = {len(ratios)}" in ax.get_title(loc="left")


def test_counts_agree_with_the_statistics():
    found, table = rows("waterfall"), study(60).statistics.set_index("row_id")
    own = found[found["level"].eq("patient")]
    row = table.loc["sensitivity.repeatability/suvmax/all/limit_33.5_percent"]
    counts = own["change"].value_counts()
    assert own["change"].notna().sum() == row["n_patients"]
    assert counts["rose"] + counts["fell"] == row["n_events"]
    assert (counts["rose"] - counts["fell"]) / row["n_patients"] == pytest.approx(row["estimate"])
    lesion = table.loc["transition.suvmax_ratio/lesion_suvmax/all/median"]
    assert found["level"].eq("lesion").sum() == len(study(60).lesion_changes)
    assert found.loc[found["level"].eq("lesion"), "place"].notna().sum() == lesion["n_lesions"]


def test_a_change_of_exactly_the_limit_counts_and_its_mirror():
    found = waterfall.data(patients([1.335, 1.33, 1 / 1.335, 0.76, 1.0]), lesions([]), LIMITS)
    assert list(found["change"]) == ["rose", "within", "within", "within", "fell"]
    assert list(found["place"]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("limits", [[], [25], [20, 50], [50, 20, 33.5]])
def test_the_band_is_the_middle_limit_and_the_others_are_lines(limits):
    fig = drawn(patients([2.0, 1.0, 0.5]), lesions([]), limits=limits)
    (ax,) = fig.axes
    bands = [patch for patch in ax.patches if patch.get_gid() == "band"]
    lines = [line.get_ydata()[0] for line in ax.lines if line.get_gid() == "limit"]
    assert len(bands) == bool(limits)
    if limits:
        middle = sorted(limits)[len(limits) // 2]
        (band,) = bands
        end = np.log2(1 + middle / 100)
        assert [band.get_y(), band.get_height()] == pytest.approx([-end, 2 * end])
        others = [np.log2(1 + limit / 100) for limit in limits if limit != middle]
        assert sorted(lines) == pytest.approx(sorted([*others, *(-other for other in others)]))
        assert f"repeatability assumed to be {middle:g}%" in words(fig)
    said = words(fig)
    assert any(text.startswith("rose") and text.endswith("(1)") for text in said)
    assert any(text.startswith("fell") and text.endswith("(1)") for text in said)
    assert ("unchanged (1)" in said) == (not limits)
    assert faults(fig) == []


def test_bars_within_the_band_have_no_colour_of_a_direction():
    ax = drawn(patients([2.0, 1.1, 0.5]), lesions([])).axes[0]
    bars = sorted(
        (patch for patch in ax.patches if patch.get_gid() != "band"), key=lambda bar: bar.get_x()
    )
    shown = [tuple(bar.get_facecolor()[:3]) for bar in bars]
    colours = (style.DIRECTION_COLOURS["up"], "#A6A6A6", style.DIRECTION_COLOURS["down"])
    for found, expected in zip(shown, colours, strict=True):
        assert found == pytest.approx(to_rgb(expected))


@pytest.mark.parametrize("n", [5, 60, 500])
def test_the_criterion_is_marked_under_its_bars(n):
    found = rows("waterfall", n)
    for ax, level in zip(figure("waterfall", n).axes, ("patient", "lesion"), strict=True):
        own = found[found["level"].eq(level) & found["place"].notna()]
        for change in ("gained", "lost"):
            places = own.loc[own["criterion_change"].eq(change), "place"]
            marks = [line for line in ax.lines if line.get_gid() == change]
            assert [x for mark in marks for x in mark.get_xdata()] == list(places)
            said = [text.get_text() for text in ax.get_legend().get_texts()]
            assert (f"SSTR criterion {change} ({len(places)})" in said) == bool(len(places))


def test_those_without_a_bar_are_counted_by_reason():
    status = ["present", "resolved", "resolved", "new", "not_assessable", None, "present"]
    given = lesions([1.5, *[np.nan] * 6], status)
    found = waterfall.data(patients([np.nan, 2.0]), given, LIMITS)
    counts = found[found["level"].eq("lesion")]["no_bar"].value_counts().to_dict()
    assert counts == {
        "resolved": 2, "new": 1, "not assessable": 1, "without SUVmax at both scans": 2
    }  # fmt: skip
    fig = drawn(patients([np.nan, 2.0]), given)
    below = [" ".join(ax.get_xlabel().split()) for ax in fig.axes]
    assert below[0] == f"no bar: 1 without {style.SUVMAX} at both scans"
    assert below[1].startswith("no bar: 2 resolved, 1 new, 1 not assessable, 2 without")
    assert [len(heights(ax)) for ax in fig.axes] == [1, 1]


def test_a_level_without_any_bar_has_no_panel_and_is_said():
    fig = figure("waterfall", 1)
    (ax,) = fig.axes
    assert ax.get_title(loc="left") == "lesions, n = 1 (of 1 patient)"
    assert "no panel: 1 patient without" in " ".join(ax.get_xlabel().split())
    fig = drawn(patients([2.0]), lesions([np.nan] * 3))
    assert "no panel: 3 lesions without" in " ".join(fig.axes[0].get_xlabel().split())


def test_nothing_measured_is_not_drawn():
    nothing = waterfall.data(patients([np.nan]), lesions([]), LIMITS)
    assert figure_rows.reason_not_drawn(nothing).startswith("SUVmax is not known at both scans")


@pytest.mark.parametrize("profile_name", ["generic", "single_column", "slides"])
def test_far_changes_leave_the_ticks_readable(profile_name):
    fig = drawn(
        patients([300.0, 1.0, 0.004], "gained"), lesions([500.0, 0.002], change="lost"),
        profile_name=profile_name,
    )  # fmt: skip
    assert faults(fig) == []


def test_the_scale_is_said_in_percent():
    fig = drawn(patients([4.0, 1.0, 0.5]), lesions([]))
    said = words(fig)
    assert {"−50%", "0%", "+100%", "+300%"} <= set(said)
