"""Gain against MIB1 shows each patient who has both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem.figures import gain_by_mib1, style
from figure_studies import figure, profile, rows, study, words
from matplotlib.collections import PathCollection

pytestmark = pytest.mark.xdist_group("figures")


def test_each_point_is_a_patient_with_a_gain_and_an_index():
    found = rows("gain_by_mib1")
    found = found[found["kind"].eq("patient")]
    patients, changes = study(60).patients, study(60).changes
    known = patients[patients["mib1_low"].notna()]["patient_id"]
    expected = set(changes.loc[changes["gain_low"].notna(), "patient_id"]) & set(known)
    assert set(found["patient_id"]) == expected
    ax = figure("gain_by_mib1").axes[0]
    points = np.vstack(
        [np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)]
    )
    assert sorted(map(tuple, points)) == sorted(zip(found["mib1"], found["y"], strict=True))
    assert set(found.loc[found["open"].eq("yes"), "mib1_high"]) == {np.inf}


def test_the_curve_is_the_expected_gain_of_the_primary_model():
    curves = study(60).predictions
    expected = curves[curves["model"].eq("model.krenning") & curves["quantity"].eq("expected_gain")]
    ax = figure("gain_by_mib1").axes[0]
    line = next(line for line in ax.lines if line.get_color() == "#0072B2")
    np.testing.assert_allclose(line.get_xdata(), pd.to_numeric(expected["value"]))
    np.testing.assert_allclose(line.get_ydata(), expected["estimate"])
    assert "95% band of the whole curve" in words(figure("gain_by_mib1"))


def test_an_unstable_model_is_dashed_and_said():
    found = rows("gain_by_mib1")
    found["status"] = found["status"].where(found["status"].isna(), "unstable")
    drawn = style.framed(gain_by_mib1, found, profile(), "recorded")
    line = next(line for line in drawn.axes[0].lines if line.get_color() == "#0072B2")
    assert line.get_linestyle() == "--"
    assert "mean gain expected by the primary model (unstable)" in words(drawn)


def test_without_a_model_there_are_points_alone():
    assert set(rows("gain_by_mib1", 1)["kind"]) == {"patient"}
    assert "95% band of the whole curve" not in words(figure("gain_by_mib1", 1))


@pytest.mark.parametrize("n", [60, 500])
def test_many_points_do_not_hide_the_curve(n):
    ax = figure("gain_by_mib1", n).axes[0]
    line = next(line for line in ax.lines if line.get_color() == "#0072B2")
    points = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert (line.get_zorder() > points.get_zorder()) == (n == 500)


@pytest.mark.parametrize(
    ("low", "high"), [(0.05, 90), (21, 46), (6.1, 9.2), (2.14, 4.5), (10.2, 13.8), (7.4, 8.3)]
)
def test_every_range_of_mib1_has_numbers(low, high):
    ticks = style.mib1_ticks(low, high)
    assert 2 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)


def test_a_point_below_the_usual_floor_is_in_sight():
    patients = pd.DataFrame(
        {"patient_id": ["a", "b"], "mib1_low": [0.0, 10.0], "mib1_high": [0.1, 10.0]}
    )
    gains = pd.DataFrame({"patient_id": ["a", "b"], "gain_low": [1, 0], "gain_high": [1, 0]})
    found = gain_by_mib1.data(gains, patients, study(1).predictions, 0.1)
    ax = style.framed(gain_by_mib1, found, profile(), "recorded").axes[0]
    assert ax.get_xlim()[0] < found["mib1"].min()
