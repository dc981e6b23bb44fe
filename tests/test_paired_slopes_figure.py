"""The paired slopes show each patient."""

from __future__ import annotations

import numpy as np
import pytest
from captem.figures import style
from figure_studies import figure, rows, study


def test_each_line_is_a_patient_of_its_direction():
    found = rows("paired_slopes")
    changes = study(60).changes.set_index("patient_id")
    assert set(found["patient_id"]) == set(changes[changes["direction"].notna()].index)
    ax = figure("paired_slopes").axes[0]
    lines = [line for line in ax.lines if list(line.get_xdata()) == [0, 1]]
    assert len(lines) == len(found)
    for line, row in zip(lines, found.to_dict("records"), strict=True):
        assert list(line.get_ydata()) == [row["y_pre"], row["y_post"]]
        assert line.get_color() == style.DIRECTION_COLOURS[row["direction"]]
        for scan in ("pre", "post"):
            low, high = row[f"krenning_{scan}_low"], row[f"krenning_{scan}_high"]
            assert abs(row[f"y_{scan}"] - (low + high) / 2) < 0.5


@pytest.mark.parametrize("n", [5, 60, 500])
def test_a_score_that_stayed_is_a_level_line_and_equal_lines_lie_apart(n):
    found = rows("paired_slopes", n)
    stayed = found["direction"].eq("same")
    assert stayed.any()
    assert np.allclose(found.loc[stayed, "y_pre"], found.loc[stayed, "y_post"])
    risen = found[found["direction"].eq("up")]
    assert (risen["y_post"] > risen["y_pre"]).all()
    for name in ("y_pre", "y_post"):
        assert found[name].round(9).is_unique
