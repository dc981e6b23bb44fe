"""What holds of every figure: formats, sizes, marks, no text over another, the same bytes."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from captem import figure_rows
from captem.figures import export, style
from figure_data import FIGURES
from figure_studies import NAMES, PROFILES, SIZES, faults, figure, profile, rows, study, words
from PIL import Image
from studies import from_text

MM = 25.4
# Every size of study where text is tightest, and every profile.
CASES = [
    (n, name) for name in PROFILES for n in SIZES if n == 60 or name in ("generic", "single_column")
]
# One process holds the studies, which take long to analyse.
pytestmark = pytest.mark.xdist_group("figures")


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_data_are_marked(name):
    assert figure(name, 60, data="synthetic").get_suptitle() == "Synthetic data"
    assert figure(name, 60, data="recorded").get_suptitle() == ""


@pytest.mark.parametrize(("n", "profile_name"), CASES)
@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_the_figure_or_covers_another(name, n, profile_name):
    assert faults(figure(name, n, profile_name, "synthetic")) == []


@pytest.mark.parametrize("profile_name", PROFILES)
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_the_size_of_its_profile(name, profile_name):
    width, height = figure(name, 60, profile_name).get_size_inches() * MM
    look = profile(profile_name)
    assert width == pytest.approx(look.width_mm(FIGURES[name][0].WIDE))
    assert height > 20


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_smaller_than_the_smallest_of_the_profile(name):
    from matplotlib.text import Text

    for profile_name in PROFILES:
        look = profile(profile_name)
        for text in figure(name, 60, profile_name).findobj(Text):
            if text.get_text().strip():
                assert text.get_fontsize() >= look.small_pt - 1e-9, text.get_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_what_a_journal_asks_for(name, tmp_path):
    look = profile()
    fig = figure(name, 60, data="synthetic")
    width_mm = fig.get_size_inches()[0] * MM
    paths = {kind: tmp_path / f"{name}.{kind}" for kind in export.FORMATS}
    export.save(fig, paths, look)
    with Image.open(paths["tiff"]) as image:
        assert image.mode == "RGB"
        assert [round(float(dpi)) for dpi in image.info["dpi"]] == [600, 600]
        assert image.info["compression"] == "tiff_lzw"
        assert abs(image.width / 600 * MM - width_mm) < 0.1
        assert np.asarray(image).min() < 60, "an empty picture"
    with Image.open(paths["png"]) as image:
        assert abs(image.width / look.preview_dpi * MM - width_mm) < 0.3
    svg = paths["svg"].read_text(encoding="utf-8")
    assert "<text" in svg
    assert svg.count("font-family") == svg.count(", sans-serif") > 0
    assert "<dc:date>" not in svg
    pdf = paths["pdf"].read_bytes()
    assert b"/FontFile2" in pdf
    assert b"CreationDate" not in pdf


@pytest.mark.parametrize("name", NAMES)
def test_the_same_figure_is_the_same_bytes(name, tmp_path):
    for place in ("a", "b"):
        paths = {kind: tmp_path / place / f"{name}.{kind}" for kind in export.FORMATS}
        export.save(figure(name, 60, data="synthetic"), paths, profile())
    for kind in export.FORMATS:
        first, second = ((tmp_path / place / f"{name}.{kind}").read_bytes() for place in "ab")
        assert zlib.crc32(first) == zlib.crc32(second), kind


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_drawn_from_the_csv(name, tmp_path):
    """The rows after writing and reading are those that were drawn: nothing else is known."""
    drawn = rows(name, 60)
    again = figure_rows.as_written(figure_rows.as_written(drawn))
    first = style.framed(FIGURES[name][0], drawn, profile(), "recorded")
    second = style.framed(FIGURES[name][0], again, profile(), "recorded")
    paths = [{"svg": tmp_path / f"{place}.svg"} for place in "ab"]
    for fig, path in zip((first, second), paths, strict=True):
        export.save(fig, path, profile())
    assert paths[0]["svg"].read_bytes() == paths[1]["svg"].read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_study_without_patients_says_so(tmp_path, name):
    empty = from_text(tmp_path, "patient_id,krenning_pre,krenning_post,mib1\n")
    reason = figure_rows.reason_not_drawn(rows(name, empty))
    drawn = figure(name, empty)
    if name in DRAWN_WITHOUT_PATIENTS:
        assert not reason
    else:
        assert reason
        assert reason[0].islower() or reason.startswith(("MIB1", "SSTR", "SUV", "CAPTEM", "Krenn"))
        assert not reason.endswith(".")
        assert any(reason in said for said in words(drawn))


# Those that say themselves what is wanting.
DRAWN_WITHOUT_PATIENTS = ("forest",)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_patients_are_in_the_study(name):
    found = rows(name, 60)
    if "patient_id" in found:
        assert set(found["patient_id"].dropna()) <= set(study(60).patients["patient_id"])
