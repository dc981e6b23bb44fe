"""The observed gain stands beside the gain that noise and selection alone would give."""

from __future__ import annotations

import numpy as np
import pytest
from captem import bias, statistics
from captem.figure_rows import reason_not_drawn
from captem.figures import regression_to_mean, style
from figure_studies import faults, figure, profile, rows, study, words

pytestmark = pytest.mark.xdist_group("figures")
SWEEP = (0.5, 0.7, 0.9)


def of(before, after, shares=bias.EQUAL_SHARES, profile_name="generic"):
    """Return the rows and the axes of scores given as pairs of ends."""
    chosen = bias.Study(np.array(before, dtype=float), np.array(after, dtype=float), shares)
    found = statistics.frame(bias.rows(chosen, SWEEP, 3, 1, "all", lambda planned: planned))
    drawn_from = regression_to_mean.data(found)
    drawn = style.framed(regression_to_mean, drawn_from, profile(profile_name), "recorded")
    return found.set_index("row_id"), drawn_from, drawn


@pytest.mark.parametrize("n", [5, 60, 500])
def test_lines_and_points_are_those_of_the_statistics(n):
    table = study(n).statistics.set_index("row_id")
    ax = figure("regression_to_mean", n).axes[0]
    names = [name for name in table.index if name.startswith("bias.regression_to_mean/krenning/all/"
                                                             "reliability_")]  # fmt: skip
    points = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_ydata(), table.loc[names, "estimate"])
    np.testing.assert_allclose(points.get_xdata(), [float(name.split("_")[-1]) for name in names])
    simulated = [name.replace("regression_to_mean", "no_effect") + "/mean_gain" for name in names]
    bars = ax.containers[0].lines[2][0].get_segments()
    ends = [(bar[0][1], bar[1][1]) for bar in bars]
    np.testing.assert_allclose(ends, table.loc[simulated, ["conf_low", "conf_high"]])
    gain = table.loc["bias.regression_to_mean/krenning/all/observed", "estimate"]
    observed = next(line for line in ax.lines if str(line.get_label()).startswith("observed"))
    assert set(observed.get_ydata()) == {gain}


def test_what_interval_scores_leave_open_is_a_band():
    found = rows("regression_to_mean")
    row = found[found["kind"].eq("observed")].iloc[0]
    assert row["low"] < row["gain"] < row["high"]
    ax = figure("regression_to_mean").axes[0]
    box = ax.patches[0].get_bbox()
    assert (box.y0, box.y1) == (row["low"], row["high"])
    _, _, drawn = of([[1, 1]] * 5, [[2, 2]] * 5)
    assert not drawn.axes[0].patches


def test_the_number_of_patients_and_who_they_are_is_said():
    said = figure("regression_to_mean").axes[0].get_title(loc="left")
    n = study(60).statistics.set_index("row_id").loc[
        "bias.regression_to_mean/krenning/all/observed", "n_patients"]  # fmt: skip
    assert said.startswith(f"All patients, n = {n}\n")
    assert said.endswith("not explained in full at any reliability")


@pytest.mark.parametrize("profile_name", ["generic", "double_column", "slides"])
def test_the_tipping_value_is_marked_with_its_number(profile_name):
    after = [[1, 1]] * 3 + [[2, 2]] * 3 + [[1, 1]] * 2 + [[2, 3]] * 2
    table, _, drawn = of([[1, 1]] * 5 + [[0, 1]] * 3 + [[2, 2]] * 2, after,
                         profile_name=profile_name)  # fmt: skip
    tip = table.loc["bias.regression_to_mean/krenning/all/tipping", "estimate"]
    ax = drawn.axes[0]
    diamond = next(line for line in ax.lines if line.get_marker() == "D")
    gain = table.loc["bias.regression_to_mean/krenning/all/observed", "estimate"]
    assert (diamond.get_xdata()[0], diamond.get_ydata()[0]) == (tip, gain)
    assert f"{tip:.2f}" in words(drawn)
    low, high = ax.get_xlim()
    ends = [f"bias.regression_to_mean/krenning/all/tipping/{end}" for end in ("low", "high")]
    thick = next(line for line in ax.lines if len(line.get_xdata()) == 2
                 and list(line.get_xdata()) == list(table.loc[ends, "estimate"]))  # fmt: skip
    assert set(thick.get_ydata()) == {gain}
    assert low < min(thick.get_xdata()) < max(thick.get_xdata()) < high
    assert faults(drawn) == []


def test_no_gain_leaves_nothing_to_explain():
    _, _, drawn = of([[1, 1], [2, 2]], [[2, 2], [1, 1]])
    assert "No mean gain: nothing to explain" in drawn.axes[0].get_title(loc="left")
    assert not [line for line in drawn.axes[0].lines if line.get_marker() == "D"]


def test_what_is_refused_says_why():
    only = "only one patient has both scans scored"
    assert reason_not_drawn(rows("regression_to_mean", 1)).startswith(only)
    _, drawn_from, _ = of([[1, 1], [4, 4]], [[2, 2], [4, 4]], bias.shares_of((5, 5, 5, 5, 0)))
    assert "none of the screened patients" in reason_not_drawn(drawn_from)


def test_simulated_studies_need_not_lie_about_the_expected_gain():
    _, found, _ = of([[1, 1]] * 5, [[2, 2]] * 5)
    expected = found["kind"].eq("expected")
    found.loc[expected, ["low", "high"]] = [0.5, 0.6]
    drawn = style.framed(regression_to_mean, found, profile(), "recorded")
    bars = drawn.axes[0].containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], [[0.5, 0.6]] * len(SWEEP))


def test_what_interval_scores_leave_open_is_not_called_unexplained():
    found = rows("regression_to_mean")
    assert "On average not explained in full at any reliability" in " ".join(
        words(figure("regression_to_mean"))
    )
    found.loc[found["kind"].eq("observed"), "low"] = -0.2
    drawn = style.framed(regression_to_mean, found, profile(), "recorded")
    said = " ".join(words(drawn))
    assert "Left open by interval scores whether it is explained" in said
    assert "not explained in full" not in said
