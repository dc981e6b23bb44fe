"""The predicted scores are drawn as the results have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from captem import captions, rounding
from captem.figure_rows import as_written, reason_not_drawn
from captem.figures import predicted, style
from figure_studies import figure, profile, rows, study, words
from matplotlib.collections import LineCollection

pytestmark = pytest.mark.xdist_group("figures")

CAPTION = Path(__file__).parents[1] / "workflow/report/predicted.rst"


def test_each_curve_is_that_of_the_results():
    curves = study(60).predictions
    chances = curves[curves["quantity"].eq("probability")]
    axes = figure("predicted").axes
    assert len(axes) == 10
    for over, block in (("mib1", axes[:5]), ("captem_cycles", axes[5:])):
        for score, ax in enumerate(block):
            expected = chances[chances["over"].eq(over) & chances["score"].eq(str(score))]
            assert ax.get_title(loc="left") == f"score {score}"
            line = ax.lines[0]
            np.testing.assert_allclose(line.get_xdata(), pd.to_numeric(expected["value"]))
            np.testing.assert_allclose(line.get_ydata(), expected["estimate"])
            edges = ax.collections[0].get_paths()[0].vertices[:, 1]
            assert edges.min() == pytest.approx(pd.to_numeric(expected["band_low"]).min())
            assert edges.max() == pytest.approx(pd.to_numeric(expected["band_high"]).max())


def test_the_number_of_patients_is_said():
    n = study(60).models["model.krenning"]["all"]["n"]
    said = [text.replace("\n", " ") for text in words(figure("predicted"))]
    assert f"MIB1 index (%) (n = {n})" in said
    assert any("association only" in text for text in said)
    assert "95% band of the whole curve" in said


def test_ticks_show_who_was_observed():
    """Their heights go with the numbers of patients, down to a shortest that is still seen."""
    curves = study(60).predictions
    observed = curves[curves["quantity"].eq("observed")].astype({"value": float})
    for over, ax in (("mib1", figure("predicted").axes[0]), ("captem_cycles", drawn_last())):
        expected = observed[observed["over"].eq(over)].sort_values("value")
        ticks = next(c for c in ax.collections if isinstance(c, LineCollection)).get_segments()
        np.testing.assert_allclose([tick[0][0] for tick in ticks], expected["value"])
        heights = [tick[1][1] - tick[0][1] for tick in ticks]
        counts = expected["n_patients"].astype(int).to_list()
        assert heights[counts.index(max(counts))] == max(heights)
        assert min(heights) >= 0.03
        assert ax.get_ylim()[0] + max(heights) < 0


def drawn_last():
    return figure("predicted").axes[-1]


@pytest.mark.parametrize("n", [60, 500])
def test_the_alt_text_has_the_ends_of_the_curve(n):
    text = CAPTION.read_text(encoding="utf-8")
    found = as_written(rows("predicted", n))
    _, alt = captions.split(
        captions.render("predicted", text, study(n).statistics, "recorded", found)
    )
    table = study(n).statistics.set_index("row_id")
    high = table.loc["predicted.krenning/krenning/all/score_4_at_mib1_50", "estimate"]
    assert f"and {rounding.number(high)} (95% CI, " in alt
    assert "at 50% (pointwise intervals)" in alt


def test_an_unstable_model_is_dashed():
    found = rows("predicted")
    found["status"] = found["status"].where(found["over"].ne("mib1"), "unstable")
    drawn = style.framed(predicted, found, profile(), "recorded")
    assert drawn.axes[0].lines[0].get_linestyle() == "--"
    assert drawn.axes[5].lines[0].get_linestyle() == "-"
    assert "unstable model" in words(drawn)


def test_one_refused_model_leaves_the_other():
    found = rows("predicted")
    kept = found[found["over"].eq("mib1")]
    refused = pd.DataFrame(
        [{"over": "captem_cycles", "status": "not_estimable", "reason": "cycles do not vary"}]
    )
    drawn = style.framed(predicted, pd.concat([kept, refused]), profile(), "recorded")
    said = " ".join(text.replace("\n", " ") for text in words(drawn))
    assert "Not drawn: cycles do not vary" in said
    assert sum(bool(ax.get_title(loc="left")) for ax in drawn.axes) == 5


def test_without_a_model_there_is_no_figure():
    assert "patient" in reason_not_drawn(rows("predicted", 1))
