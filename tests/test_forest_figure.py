"""The forest shows the rows of the statistics, and says what cannot be estimated."""

from __future__ import annotations

import numpy as np
from figure_studies import figure, rows, study


def test_the_forest_has_each_row_as_the_statistics_have_it():
    found = rows("forest")
    statistics = study(60).statistics.set_index("row_id")
    for row in found.to_dict("records"):
        np.testing.assert_equal(row["estimate"], statistics.loc[row["row_id"], "estimate"])
    found = found[found["status"].ne("not_estimable")]
    ax = figure("forest").axes[0]
    markers = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in markers] == list(found["estimate"])
    hollow = [line.get_markerfacecolor() == "white" for line in markers]
    assert hollow == list(found["status"].ne("ok"))


def test_what_cannot_be_estimated_is_written_and_not_drawn():
    ax = figure("forest", 1).axes[0]
    assert not [line for line in ax.lines if line.get_marker() == "o"]
    said = [text.get_text() for text in ax.texts]
    assert sum(text.startswith("not estimable") for text in said) == 15
