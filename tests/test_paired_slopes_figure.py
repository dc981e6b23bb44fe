"""The paired slopes show each patient and each lesion."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import figure_rows
from captem.figures import paired_slopes, style
from figure_studies import faults, figure, profile, rows, study, words
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from studies import from_text

pytestmark = pytest.mark.xdist_group("figures")


def lines_of(ax, way):
    (found,) = [c for c in ax.collections if c.get_gid() == way]
    return found


def changes(*scores):
    found = [
        {"patient_id": f"P{i}", "lesion_id": f"L{i}", "krenning_pre": a, "krenning_post": b,
         "direction": way}
        for i, (a, b, way) in enumerate(scores)
    ]  # fmt: skip
    columns = ["patient_id", "lesion_id", "krenning_pre", "krenning_post", "direction"]
    return pd.DataFrame(found, columns=columns, dtype=object)


def drawn(patients, lesions, profile_name="generic"):
    found = paired_slopes.data(patients, lesions, 3)
    return style.framed(paired_slopes, found, profile(profile_name), "recorded")


@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_each_line_is_a_patient_or_a_lesion_of_its_direction(n):
    found = rows("paired_slopes", n)
    axes = figure("paired_slopes", n).axes
    levels = (("patient", study(n).changes), ("lesion", study(n).lesion_changes))
    for ax, (level, changed) in zip(axes, levels, strict=True):
        scored = changed[changed["direction"].notna()]
        own = found[found["level"].eq(level)]
        keys = ["patient_id"] if level == "patient" else ["patient_id", "lesion_id"]
        assert set(map(tuple, own[keys].to_numpy())) == set(map(tuple, scored[keys].to_numpy()))
        assert len(own) == len(scored)
        assert f"n = {len(scored)}" in ax.get_title(loc="left")
        said = [text.get_text() for text in ax.get_legend().get_texts()]
        for way, count in scored["direction"].value_counts().items():
            lines = lines_of(ax, way)
            those = own[own["direction"].eq(way)]
            ends = [line[:, 1].tolist() for line in lines.get_segments()]
            assert ends == those[["y_pre", "y_post"]].to_numpy().tolist()
            assert len(ends) == count
            colour = to_rgb(style.DIRECTION_COLOURS[way])
            assert tuple(lines.get_color()[0][:3]) == pytest.approx(colour)
            assert f"{style.DIRECTION_WORDS[way]} ({count})" in said
        for scan in ("pre", "post"):
            low, high = own[f"krenning_{scan}_low"], own[f"krenning_{scan}_high"]
            assert ((own[f"y_{scan}"] - (low + high) / 2).abs() < 0.5).all()


@pytest.mark.parametrize("n", [5, 60, 500])
def test_a_score_that_stayed_is_a_level_line_and_equal_lines_lie_apart(n):
    every = rows("paired_slopes", n)
    for _, found in every.groupby("level"):
        stayed = found["direction"].eq("same")
        assert stayed.any()
        assert np.allclose(found.loc[stayed, "y_pre"], found.loc[stayed, "y_post"])
        risen = found[found["direction"].eq("up")]
        assert (risen["y_post"] > risen["y_pre"]).all()
        for name in ("y_pre", "y_post"):
            assert found[name].round(9).is_unique


def test_a_bundle_is_as_thick_as_it_has_lines():
    found = rows("paired_slopes", 500)
    for level in ("patient", "lesion"):
        own = found[found["level"].eq(level) & found["direction"].eq("same")]
        for _, lines in own.groupby("krenning_pre_low"):
            apart = np.diff(np.sort(lines["y_pre"]))
            assert apart == pytest.approx(np.full(len(apart), apart[0]))
        steps = [np.diff(np.sort(part["y_pre"]))[0] for _, part in own.groupby("krenning_pre_low")]
        assert steps == pytest.approx(np.full(len(steps), steps[0]))


def test_places_do_not_depend_on_the_order_of_the_rows():
    changed, lesions = study(60).changes, study(60).lesion_changes
    turned = paired_slopes.data(changed.iloc[::-1], lesions.iloc[::-1], 3)
    pd.testing.assert_frame_equal(turned, rows("paired_slopes"))


def test_an_interval_is_a_bar_beside_its_end():
    fig = drawn(changes(("0-1", "3", "up"), ("1", "2-4", "up"), ("2", "2", "same")), changes())
    (ax,) = fig.axes
    bars = [c for c in ax.collections if c.get_gid() == "interval"]
    ends = [segment for bar in bars for segment in bar.get_segments()]
    assert [(round(e[0, 1]), round(e[1, 1])) for e in ends] == [(0, 1), (2, 4)]
    assert ends[0][0, 0] < 0
    assert ends[1][0, 0] > 1
    assert all(isinstance(bar, LineCollection) for bar in bars)


def test_only_matched_lesions_are_compared():
    states = study(60).lesion_changes.set_index(["patient_id", "lesion_id"])["lesion_status_post"]
    found = rows("paired_slopes")
    own = found[found["level"].eq("lesion")].set_index(["patient_id", "lesion_id"])
    assert set(states[own.index].dropna()) == {"present"}


def test_the_threshold_is_said_and_runs_through_both_panels():
    fig = figure("paired_slopes")
    for ax in fig.axes:
        assert [2.5, 2.5] in [list(line.get_ydata()) for line in ax.lines]
    assert "threshold of the SSTR criterion: score 3 or higher" in words(fig)


def test_without_lesions_there_are_the_patients_alone(tmp_path):
    table = "patient_id,krenning_pre,krenning_post\n1,1,3\n2,2,2\n"
    alone = from_text(tmp_path, table)
    fig = figure("paired_slopes", alone)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["patients, n = 2"]


def test_lesions_alone_and_nothing():
    fig = drawn(changes(), changes(("1", "3", "up")))
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["lesions, n = 1\n(of 1 patient)"]
    reason = figure_rows.reason_not_drawn(paired_slopes.data(changes(), changes(), 3))
    assert reason == "no patient and no lesion has a score at both scans"


def test_in_a_narrow_field_the_lesions_stand_below():
    found, look = rows("paired_slopes"), profile()
    narrow = style.blank(45, style.height_mm(paired_slopes, found, 45, look), look, "recorded")
    style.fill(paired_slopes, found, narrow, look)
    narrow.draw_without_rendering()
    first, second = (ax.get_position() for ax in narrow.axes)
    assert first.y0 > second.y1
    assert faults(narrow) == []
