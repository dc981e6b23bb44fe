"""The transition matrix shows the counts."""

from __future__ import annotations

from figure_studies import figure, rows, study
from matplotlib.patches import Rectangle


def test_the_matrix_shows_the_counts():
    found = rows("transition_matrix")
    ax = figure("transition_matrix").axes[0]
    texts = [text.get_text() for text in ax.texts]
    for cell in found[found["patients"] > 0].to_dict("records"):
        assert f"{cell['patients']:g}" + ("†" if cell["from_interval_scores"] else "") in texts
    assert f"n = {found['patients'].sum():g}" in texts
    assert found["patients"].sum() == study(60).changes["direction"].notna().sum()
    assert len([p for p in ax.patches if isinstance(p, Rectangle)]) == 25
