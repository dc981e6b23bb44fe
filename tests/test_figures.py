"""Figures show what the results hold, in every format, at every size of study."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from captem.figures import export, forest, gain_by_mib1, paired_slopes, style, transition_matrix
from captem.synthetic import generate, render
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle
from PIL import Image
from studies import Study, analysed, shipped

NAMES = ("transition_matrix", "paired_slopes", "gain_by_mib1", "forest")
MM = 25.4


def drawn(name: str, study: Study):
    return {
        "transition_matrix": lambda: transition_matrix.data(study.matrix),
        "paired_slopes": lambda: paired_slopes.data(study.changes),
        "gain_by_mib1": lambda: gain_by_mib1.data(study.changes, study.cohort.patients, 0.5),
        "forest": lambda: forest.data(study.statistics),
    }[name]()


def figure(name: str, study: Study, data: str = "recorded"):
    rows = drawn(name, study)
    return {
        "transition_matrix": lambda: transition_matrix.figure(rows, data),
        "paired_slopes": lambda: paired_slopes.figure(rows, 3, data),
        "gain_by_mib1": lambda: gain_by_mib1.figure(rows, 0.5, data),
        "forest": lambda: forest.figure(rows, data),
    }[name]()


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Synthetic studies of several sizes, and the published case."""
    found = {1: shipped("published_case"), 60: shipped("config")}
    for n in (5, 500):
        folder = tmp_path_factory.mktemp(f"n{n}")
        for name, text in render(generate(patients=n, seed=1)).items():
            (folder / name).write_text(text, encoding="utf-8")
        settings = dict(shipped("config").settings)
        settings["sources"] = [
            {key: str(folder / value.rsplit("/", 1)[1]) if key in ("patients", "lesions") else value
             for key, value in source.items()}
            for source in settings["sources"]
        ]  # fmt: skip
        found[n] = analysed(settings, replicates=50)
    return found


def test_the_matrix_shows_the_counts(studies):
    rows = drawn("transition_matrix", studies[60])
    fig = figure("transition_matrix", studies[60])
    texts = [text.get_text() for text in fig.axes[0].texts]
    cells = rows[rows["patients"] > 0]
    for cell in cells.to_dict("records"):
        words = f"{cell['patients']:g}" + ("†" if cell["from_interval_scores"] else "")
        assert words in texts
    assert f"n = {rows['patients'].sum():g}" in texts
    assert rows["patients"].sum() == studies[60].changes["direction"].notna().sum()
    assert len([p for p in fig.axes[0].patches if isinstance(p, Rectangle)]) == 25


def test_each_line_is_a_patient_of_its_direction(studies):
    rows = drawn("paired_slopes", studies[60])
    changes = studies[60].changes.set_index("patient_id")
    assert set(rows["patient_id"]) == set(changes[changes["direction"].notna()].index)
    ax = figure("paired_slopes", studies[60]).axes[0]
    lines = [line for line in ax.lines if list(line.get_xdata()) == [0, 1]]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows.to_dict("records"), strict=True):
        assert list(line.get_ydata()) == [row["y_pre"], row["y_post"]]
        assert line.get_color() == style.DIRECTION_COLOURS[row["direction"]]
        for scan in ("pre", "post"):
            low, high = row[f"krenning_{scan}_low"], row[f"krenning_{scan}_high"]
            assert abs(row[f"y_{scan}"] - (low + high) / 2) < 0.5


@pytest.mark.parametrize("n", [5, 60, 500])
def test_a_score_that_stayed_is_a_level_line_and_equal_lines_lie_apart(studies, n):
    rows = drawn("paired_slopes", studies[n])
    stayed = rows["direction"].eq("same")
    assert stayed.any()
    assert np.allclose(rows.loc[stayed, "y_pre"], rows.loc[stayed, "y_post"])
    risen = rows[rows["direction"].eq("up")]
    assert (risen["y_post"] > risen["y_pre"]).all()
    for name in ("y_pre", "y_post"):
        assert rows[name].round(9).is_unique


def test_each_point_is_a_patient_with_a_gain_and_an_index(studies):
    rows = drawn("gain_by_mib1", studies[60])
    patients = studies[60].cohort.patients
    known = patients[patients["mib1_low"].notna()]["patient_id"]
    changes = studies[60].changes
    expected = set(changes.loc[changes["gain_low"].notna(), "patient_id"]) & set(known)
    assert set(rows["patient_id"]) == expected
    ax = figure("gain_by_mib1", studies[60]).axes[0]
    points = np.vstack(
        [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets())]
    )
    assert sorted(map(tuple, points)) == sorted(zip(rows["mib1"], rows["y"], strict=True))
    assert set(rows.loc[rows["open"].eq("yes"), "mib1_high"]) == {np.inf}


def test_the_forest_has_each_row_as_the_statistics_have_it(studies):
    rows = drawn("forest", studies[60])
    statistics = studies[60].statistics.set_index("row_id")
    for row in rows.to_dict("records"):
        np.testing.assert_equal(row["estimate"], statistics.loc[row["row_id"], "estimate"])
    rows = rows[rows["status"].ne("not_estimable")]
    ax = figure("forest", studies[60]).axes[0]
    markers = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in markers] == list(rows["estimate"])
    hollow = [line.get_markerfacecolor() == "white" for line in markers]
    assert hollow == list(rows["status"].ne("ok"))


def test_what_cannot_be_estimated_is_written_and_not_drawn(studies):
    ax = figure("forest", studies[1]).axes[0]
    assert not [line for line in ax.lines if line.get_marker() == "o"]
    said = [text.get_text() for text in ax.texts]
    assert sum(text.startswith("not estimable") for text in said) == 15


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_data_are_marked(studies, name):
    marked = figure(name, studies[60], "synthetic")
    assert marked.get_suptitle() == "Synthetic data"
    assert figure(name, studies[60], "recorded").get_suptitle() == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_no_text_leaves_the_figure_or_covers_another(studies, name, n):
    fig = figure(name, studies[n], "synthetic")
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    renderer = canvas.get_renderer()
    whole = fig.bbox
    boxes = []
    for ax in fig.axes:
        for text in [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(),
                     *ax.get_yticklabels()]:  # fmt: skip
            if text.get_text() and text.get_visible():
                box = text.get_window_extent(renderer)
                if box.width and box.height:
                    boxes.append((text.get_text(), box))
    assert boxes
    for words, box in boxes:
        assert whole.x0 - 1 <= box.x0 and box.x1 <= whole.x1 + 1, words
        assert whole.y0 - 1 <= box.y0 and box.y1 <= whole.y1 + 1, words
    for i, (words, box) in enumerate(boxes):
        for others, other in boxes[i + 1 :]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert width < 1.5 or height < 1.5, (words, others)


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_what_a_journal_asks_for(studies, name, tmp_path):
    fig = figure(name, studies[60], "synthetic")
    width_mm = fig.get_size_inches()[0] * MM
    assert min(abs(width_mm - wanted) for wanted in (85, 110, 178)) < 0.1
    paths = {kind: tmp_path / f"{name}.{kind}" for kind in export.FORMATS}
    export.save(fig, paths)
    with Image.open(paths["tiff"]) as image:
        assert image.mode == "RGB"
        assert [round(float(dpi)) for dpi in image.info["dpi"]] == [600, 600]
        assert image.info["compression"] == "tiff_lzw"
        assert abs(image.width / 600 * MM - width_mm) < 0.1
        assert np.asarray(image).min() < 60, "an empty picture"
    with Image.open(paths["png"]) as image:
        assert abs(image.width / export.PREVIEW_DPI * MM - width_mm) < 0.3
    svg = paths["svg"].read_text(encoding="utf-8")
    assert "<text" in svg
    assert "sans-serif" in svg
    assert "<dc:date>" not in svg
    pdf = paths["pdf"].read_bytes()
    assert b"/FontFile2" in pdf
    assert b"CreationDate" not in pdf


@pytest.mark.parametrize("name", NAMES)
def test_the_same_figure_is_the_same_bytes(studies, name, tmp_path):
    for place in ("a", "b"):
        paths = {kind: tmp_path / place / f"{name}.{kind}" for kind in export.FORMATS}
        export.save(figure(name, studies[60], "synthetic"), paths)
    for kind in export.FORMATS:
        first, second = ((tmp_path / place / f"{name}.{kind}").read_bytes() for place in "ab")
        assert zlib.crc32(first) == zlib.crc32(second)


def test_a_study_without_patients_says_so_in_each_figure(tmp_path):
    from studies import from_text

    study = from_text(tmp_path, "patient_id,krenning_pre,krenning_post,mib1\n")
    for name in NAMES:
        fig = figure(name, study)
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png")
        said = " ".join(text.get_text() for text in fig.axes[0].texts)
        assert "no patient" in said
