"""The check of the figures before they are sent: each fault is found, alone, and in words."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import yaml
from captem import contrast, pdf_fonts, profiles, svg_text
from captem.config import resolve
from captem.figures import export, style
from captem.figures.style import SUVMAX
from captem.preflight import inspect
from captem.preflight_rows import COLUMNS, FAIL, NOT_DRAWN, OK, WARNING, Row, as_text, failing, read
from captem.profiles import Profile
from figure_studies import NAMES, SHIPPED_PROFILES, figure, profile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from studies import ROOT, schema, shipped

pytestmark = pytest.mark.xdist_group("figures")
LOOK = profile()
WORDS = (
    "Uptake of each patient before and after, with the criterion as a line (n = 3).\n\n"
    "Alt text: Three lines from left to right, two of which rise and one of which falls.\n"
)
DARK, PALE_GREY = "#20304A", "#C8C8C8"


def drawn(*, wide=85.0, tall=60.0, texts=(), patches=(), **settings) -> mpl.figure.Figure:
    """Return a small figure with a label that has a lowered sign, and what is asked for."""
    fig = style.blank(wide, tall, LOOK, "recorded")
    mpl.rcParams.update(settings)
    ax = fig.add_axes((0.15, 0.2, 0.8, 0.75))
    ax.set(xlim=(0, 10), ylim=(0, 10), xlabel="Steps", ylabel=f"{SUVMAX} at follow-up")
    for x, y, w, h, colour in patches:
        ax.add_patch(mpl.patches.Rectangle((x, y), w, h, color=colour, linewidth=0))
    for x, y, words, options in texts:
        ax.text(x, y, words, **({"ha": "center", "va": "center"} | options))
    return fig


def saved(folder: Path, fig: mpl.figure.Figure, name: str = "made", look=LOOK) -> Path:
    """Write a figure in every format, with data and words, and return the folder."""
    export.save(fig, {kind: folder / f"{name}.{kind}" for kind in export.FORMATS}, look)
    (folder / f"{name}.csv").write_text("patient_id,gain\nA,1\n", encoding="utf-8")
    (folder / f"{name}.txt").write_text(WORDS, encoding="utf-8")
    mpl.rcParams.update(style.rc(LOOK))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return saved(tmp_path_factory.mktemp("made"), drawn())


@pytest.fixture
def good(made, tmp_path) -> Path:
    """A folder with a figure without a fault, to spoil."""
    return Path(shutil.copytree(made, tmp_path / "figures"))


def wrong(folder: Path, name: str = "made") -> dict[tuple[str, str], Row]:
    """Return what is not ok, by format and check."""
    return {
        (row.file.rpartition(".")[2], row.check): row
        for row in inspect([name], folder, LOOK)
        if row.status not in (OK, NOT_DRAWN)
    }


def spoilt(folder: Path, kind: str, old: str, new: str, name: str = "made") -> None:
    path = folder / f"{name}.{kind}"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def repainted(folder: Path, kind: str, change, **options) -> None:
    """Rewrite a picture, `change` applied to it."""
    path = folder / f"made.{kind}"
    with Image.open(path) as image:
        image.load()
        given = {"dpi": image.info["dpi"]} | options
        change(image).save(path, **{key: value for key, value in given.items() if value})


# ---- files without a fault


@pytest.mark.parametrize("profile_name", ["generic", "slides"])
@pytest.mark.parametrize("name", NAMES)
def test_the_figures_that_ship_have_no_fault(name, profile_name, tmp_path):
    look = profile(profile_name)
    fig = figure(name, 60, profile_name, "synthetic")
    export.save(fig, {kind: tmp_path / f"{name}.{kind}" for kind in export.FORMATS}, look)
    (tmp_path / f"{name}.csv").write_text("row\n1\n", encoding="utf-8")
    (tmp_path / f"{name}.txt").write_text(WORDS, encoding="utf-8")
    found = inspect([name], tmp_path, look)
    assert failing(found) == []
    # A figure with many rows may be taller than a slide, which is a warning and right.
    assert {row.check for row in found if row.status == "warning"} <= {"size"}
    assert {row.check for row in found} >= {
        "file", "size", "fonts", "smallest text", "contrast", "resolution", "colour mode",
        "compression", "data", "caption", "alt text",
    }  # fmt: skip


def test_a_good_figure_is_ok_in_every_file(good):
    rows = inspect(["made"], good, LOOK)
    assert wrong(good).keys() <= {("svg", "fonts")}
    by_kind = {kind: sum(row.file.endswith(kind) for row in rows) for kind in export.FORMATS}
    assert by_kind == {"pdf": 3, "svg": 6, "png": 4, "tiff": 5}
    assert all(row.found and row.allowed for row in rows)
    assert not any(row.mend for row in rows if row.status == OK)


def test_a_picture_of_1200_dpi_is_no_attack(good, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert ("tiff", "file") not in wrong(good)
    assert Image.MAX_IMAGE_PIXELS == 1000


# ---- one fault, and no other


def faults(folder: Path, name: str = "made") -> set[tuple[str, str]]:
    """Return what is wrong but for the fonts of lowered signs, which matplotlib names alone."""
    found = wrong(folder, name)
    return {key for key, row in found.items() if not row.found.startswith("no other font")}


@pytest.mark.parametrize(("wide", "tall"), [(100, 60), (84, 60), (85, 231)])
def test_size(tmp_path, wide, tall):
    saved(tmp_path, drawn(wide=wide, tall=tall))
    assert faults(tmp_path) == {(kind, "size") for kind in export.FORMATS}
    row = wrong(tmp_path)["pdf", "size"]
    assert row.found == f"{wide:.1f} x {tall:.1f} mm"
    assert row.allowed == "85 or 178 mm wide, at most 230 mm tall"
    assert "tallest_mm" in row.mend if tall > 230 else "profiles" in row.mend
    assert row.status == ("warning" if tall > 230 else "fail")


def test_both_widths_of_a_profile_are_right(tmp_path):
    assert faults(saved(tmp_path, drawn(wide=178, tall=230))) == set()


def test_a_coarse_preview_may_end_a_pixel_early(tmp_path):
    coarse = replace(LOOK, preview_dpi=50)
    saved(tmp_path, drawn(wide=85), look=coarse)
    found = inspect(["made"], tmp_path, coarse)
    assert not [row for row in found if row.check == "size" and row.status != OK]


def test_resolution(good):
    def halved(image):
        return image.resize((image.width // 2, image.height // 2))

    repainted(good, "tiff", halved, dpi=(300, 300), compression="tiff_lzw")
    assert faults(good) == {("tiff", "resolution")}
    assert wrong(good)["tiff", "resolution"].found == "300 dpi"


def test_resolution_that_is_not_said(good):
    repainted(good, "png", lambda image: image, dpi=None)
    assert faults(good) == {("png", "resolution")}
    assert wrong(good)["png", "resolution"].found == "none said"


def test_a_resolution_that_is_only_said_makes_the_size_wrong(good):
    repainted(good, "tiff", lambda image: image, dpi=(1200, 1200), compression="tiff_lzw")
    assert faults(good) == {("tiff", "size")}


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "L"])
def test_colour_mode_of_the_tiff(good, mode):
    repainted(good, "tiff", lambda image: image.convert(mode), compression="tiff_lzw")
    assert faults(good) == {("tiff", "colour mode")}


def test_transparency_of_the_preview(good):
    def cut_out(image):
        image.putalpha(image.convert("L").point(lambda grey: 0 if grey > 250 else 255))
        return image

    repainted(good, "png", cut_out)
    assert ("png", "colour mode") in faults(good)


def test_compression_is_a_warning(good):
    repainted(good, "tiff", lambda image: image, compression="packbits")
    assert wrong(good)["tiff", "compression"].status == WARNING
    assert faults(good) == {("tiff", "compression")}


def test_fonts_that_are_not_embedded(tmp_path):
    mpl.rcParams.update({"pdf.use14corefonts": True, "font.sans-serif": ["Helvetica"]})
    saved(tmp_path, drawn(**{"pdf.use14corefonts": True}))
    mpl.rcParams["pdf.use14corefonts"] = False
    assert faults(tmp_path) == {("pdf", "fonts")}
    assert "Helvetica" in wrong(tmp_path)["pdf", "fonts"].found


def test_type_3_fonts_are_a_warning(tmp_path):
    saved(tmp_path, drawn(**{"pdf.fonttype": 3}))
    assert faults(tmp_path) == {("pdf", "fonts")}
    assert wrong(tmp_path)["pdf", "fonts"].status == WARNING


def test_fonts_of_a_form_within_a_page_are_seen():
    from pypdf.generic import DictionaryObject, NameObject

    bare = DictionaryObject({
        NameObject("/Subtype"): NameObject("/Type1"), NameObject("/BaseFont"): NameObject("/Times"),
    })  # fmt: skip
    form = DictionaryObject({NameObject("/Resources"): DictionaryObject({
        NameObject("/Font"): DictionaryObject({NameObject("/F1"): bare})})})  # fmt: skip
    page = DictionaryObject(
        {NameObject("/XObject"): DictionaryObject({NameObject("/X1"): form})}
    )  # fmt: skip
    assert list(pdf_fonts._fonts(page, set())) == [pdf_fonts.PdfFont("Times", "Type1", False)]


def test_text_as_curves(tmp_path):
    saved(tmp_path, drawn(**{"svg.fonttype": "path"}))
    assert faults(tmp_path) == {("svg", "fonts")}
    assert wrong(tmp_path)["svg", "fonts"].found.endswith("texts are curves")


def test_one_text_of_many_as_curves(tmp_path):
    from matplotlib.patheffects import withStroke

    halo = {"path_effects": [withStroke(linewidth=2, foreground="white")]}
    saved(tmp_path, drawn(texts=[(5, 5, "halo", halo)]))
    assert wrong(tmp_path)["svg", "fonts"].found == "1 texts are curves"


def test_a_font_without_another_to_take(good):
    stack = "'DejaVu Sans', 'Arial', 'Helvetica', sans-serif"
    spoilt(good, "svg", stack, "'Journal Sans'")
    row = wrong(good)["svg", "fonts"]
    assert row.status == WARNING
    assert "Journal Sans" in row.found


@pytest.mark.parametrize("options", [{}, {"rotation": 90}, {"rotation": 30}])
def test_small_text(tmp_path, options):
    saved(tmp_path, drawn(texts=[(5, 5, "a note", {"fontsize": 4.5} | options)]))
    assert faults(tmp_path) == {("svg", "smallest text")}
    row = wrong(tmp_path)["svg", "smallest text"]
    assert (row.found, row.allowed) == ("4.5 pt ('a note')", "at least 6 pt in print")


def test_text_of_a_drawing_that_is_shrunk_is_small(good):
    """The size in print counts: half the width for the same view box halves all text."""
    path = good / "made.svg"
    halved = re.sub(
        r'(width|height)="([\d.]+)pt"',
        lambda side: f'{side[1]}="{float(side[2]) / 2}pt"',
        path.read_text(encoding="utf-8"),
    )
    path.write_text(halved, encoding="utf-8")
    assert faults(good) == {("svg", "size"), ("svg", "smallest text"), ("svg", "raised signs")}


def test_lowered_signs_have_a_limit_of_their_own(good):
    texts = svg_text.read(good / "made.svg").texts
    (lowered,) = [text for text in texts if text.raised]
    assert (lowered.words, round(lowered.size_pt, 6)) == ("max", 4.9)
    assert any(text.words == "SUV at follow-up" and not text.raised for text in texts)
    spoilt(good, "svg", "font-size: 4.9px", "font-size: 3px")
    assert faults(good) == {("svg", "raised signs")}
    assert wrong(good)["svg", "raised signs"].found == "3 pt ('max')"


def test_small_signs_on_the_line_are_small_text(tmp_path):
    saved(tmp_path, drawn(texts=[(5, 5, "$a$", {"fontsize": 4})]))
    assert faults(tmp_path) == {("svg", "smallest text")}


CELL = (2, 3, 6, 4, DARK)


@pytest.mark.parametrize(
    ("patches", "words", "options"),
    [
        ((), "pale on white", {"color": PALE_GREY}),
        ((), "white on white", {"color": "white"}),
        ((), "thin", {"alpha": 0.3}),
        ([CELL], "dark", {}),
        ([CELL], "dark\non dark", {}),
        ([CELL], "dark", {"rotation": 90}),
        ([CELL], "dark", {"rotation": 45}),
        ([CELL], f"dark {SUVMAX}", {}),
        ([CELL], "dark", {"fontweight": "bold"}),
        ([(5, 3, 5, 4, DARK)], "half of it on dark", {}),
        ([CELL], "grey on its plate", {"color": PALE_GREY, "bbox": style.PLATE}),
    ],
)  # fmt: skip
def test_contrast(tmp_path, patches, words, options):
    saved(tmp_path, drawn(patches=patches, texts=[(5, 5, words, options)]))
    assert faults(tmp_path) == {("svg", "contrast")}
    row = wrong(tmp_path)["svg", "contrast"]
    assert float(row.found.split()[0]) < 4.5
    assert words.split()[0].replace("$", "") in row.found


@pytest.mark.parametrize(
    ("patches", "words", "options"),
    [
        ((), "ink", {}),
        ((), "l", {"fontweight": "bold"}),
        ((), "\u2014", {}),
        ((), "bold and long", {"fontweight": "bold", "fontsize": 14}),
        ([CELL], "white", {"color": "white"}),
        ([CELL], "white", {"color": "white", "rotation": 45}),
        ([CELL], "on its plate", {"bbox": style.PLATE}),
        ([(0, 4.95, 10, 0.1, DARK)], "crossed by a line", {}),
        ([(4, 0, 0.05, 10, DARK)], "beside an axis", {"ha": "left"}),
        ([CELL], "above the cell", {"y": 7.6}),
    ],
)  # fmt: skip
def test_contrast_that_is_enough(tmp_path, patches, words, options):
    place = (5, options.pop("y", 5), words, options)
    assert faults(saved(tmp_path, drawn(patches=patches, texts=[place]))) == set()


def test_contrast_says_the_colours_and_how_many_texts(tmp_path):
    texts = [(5, y, f"no. {y}", {"color": PALE_GREY}) for y in (2, 4, 6)]
    found = wrong(saved(tmp_path, drawn(texts=texts)))["svg", "contrast"].found
    assert found.endswith("and 2 more, #C8C8C8 on #FFFFFF)")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (WORDS.partition("\n\n")[0] + "\n", {("txt", "alt text")}),
        (WORDS.partition("Three")[0], {("txt", "alt text")}),
        (WORDS.partition("Three")[0] + "Slopes of patients.", {("txt", "alt text")}),
        (WORDS.replace("each patient", "nan patients"), {("txt", "caption")}),
        (WORDS.replace("Three", "{{ n }}"), {("txt", "alt text")}),
        ("\n\n" + WORDS.partition("\n\n")[2], {("txt", "caption")}),
        ("", {("txt", "caption"), ("txt", "alt text")}),
    ],
)
def test_words(good, words, expected):
    (good / "made.txt").write_text(words, encoding="utf-8")
    assert faults(good) == expected


def test_words_that_only_look_like_holes_are_none(good):
    words = WORDS.replace("each patient", "each Nancy patient, none nanogram")
    (good / "made.txt").write_text(words, encoding="utf-8")
    assert faults(good) == set()


@pytest.mark.parametrize("kind", ["pdf", "svg", "png", "tiff", "csv", "txt"])
def test_a_file_that_is_missing(good, kind):
    (good / f"made.{kind}").unlink()
    assert faults(good) == {(kind, "file")}
    assert wrong(good)[kind, "file"].found == "missing"


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("kind", ["pdf", "svg", "png", "tiff"])
def test_a_file_that_was_cut_short(good, kind, share):
    path = good / f"made.{kind}"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert faults(good) == {(kind, "file")}
    assert wrong(good)[kind, "file"].found.startswith("cannot be read")


def test_a_pdf_without_its_end(good):
    """A reader may mend it; a printer need not."""
    path = good / "made.pdf"
    path.write_bytes(path.read_bytes()[:-8])
    assert faults(good) == {("pdf", "file")}
    assert "ends early" in wrong(good)["pdf", "file"].found


def test_data_without_a_row(good):
    for text in ("", "patient_id,gain\n"):
        (good / "made.csv").write_text(text, encoding="utf-8")
        assert faults(good) == {("csv", "data")}


@pytest.mark.parametrize("kind", ["pdf", "svg", "png", "tiff", "csv", "txt"])
def test_a_file_of_another_kind(good, kind):
    (good / f"made.{kind}").write_bytes(b"PK\x03\x04\xff\xfe" * 50)
    assert {found for found, _ in faults(good)} == {kind}


@pytest.mark.parametrize("seed", range(12))
def test_damage_of_any_kind_is_told_and_breaks_nothing(good, seed):
    draw = random.Random(seed)
    for kind in ("pdf", "svg", "png", "tiff", "csv", "txt"):
        path = good / f"made.{kind}"
        data = bytearray(path.read_bytes())
        for _ in range(30):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(bytes(data))
    rows = inspect(["made"], good, LOOK)
    assert {row.check for row in rows} >= {"file"}
    assert as_text(rows)


@given(st.text(max_size=60))
def test_any_style_and_transform_of_an_svg_is_read_or_refused(text):
    """An attribute as people and programs write it gives a text, or a ValueError with words."""
    import tempfile
    from xml.sax.saxutils import quoteattr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.svg"
        clean = "".join(sign for sign in text if sign.isprintable())
        path.write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="85mm" height="6cm" viewBox="0 0 9 6">'
            f"<g transform={quoteattr(clean)}><text style={quoteattr(clean)}>a</text></g></svg>",
            encoding="utf-8",
        )
        try:
            assert len(svg_text.read(path).texts) <= 1
        except ValueError as error:
            assert str(error)


def test_an_svg_as_other_programs_write_it(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="85mm" height="60mm" viewBox="0 0 170 120">'
        '<defs><text>unseen</text></defs><g fill="rgb(10, 20,30)" transform="matrix(2 0 0 2 0 0)">'
        '<text x="10" y="20" style="font: bold 5px \'Arial\', serif">first</text>'
        '<text font-size="4px" font-family="Arial" fill="navy" opacity=".5" text-anchor="end">'
        '<tspan x="50" y="9">second</tspan></text></g><text fill="none">unseen</text>'
        '<text visibility="hidden">unseen</text></svg>',
        encoding="utf-8",
    )
    read_ = svg_text.read(path)
    assert (round(read_.width_mm, 6), round(read_.height_mm, 6), read_.outlined) == (85, 60, 0)
    first, second = read_.texts
    assert (first.words, first.colour, first.families) == (
        "first",
        (10, 20, 30),
        ("Arial", "serif"),
    )
    assert first.size_pt == pytest.approx(10 * 0.5 * 72 / 25.4)
    assert first.place @ [0, 0, 1] == pytest.approx([20 / 170, 40 / 120, 1])
    assert (second.words, second.opacity) == ("second", 0.5)
    assert second.place @ [second.width, 0, 1] == pytest.approx([100 / 170, 18 / 120, 1])


def test_small_words_beside_large_ones_are_not_raised(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="85pt" height="60pt" viewBox="0 0 85 60">'
        '<text font-family="Arial, serif" transform="rotate(-90 30 40)">'
        '<tspan x="30" y="40" font-size="8px">large</tspan>'
        '<tspan x="55" y="40" font-size="3px">small</tspan>'
        '<tspan x="70" y="43" font-size="4px">2</tspan></text></svg>',
        encoding="utf-8",
    )
    large, small, lowered = svg_text.read(path).texts
    assert [large.raised, small.raised, lowered.raised] == [False, False, True]
    # Turned about its own start, it runs upwards from there.
    assert large.place @ [0, 0, 1] == pytest.approx([30 / 85, 40 / 60, 1])
    assert small.place @ [0, 0, 1] == pytest.approx([30 / 85, 15 / 60, 1])
    assert small.size_pt == pytest.approx(3)


# ---- contrast


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # Ratios that the W3C's own examples and WebAIM's checker give.
        ("#777777", "#FFFFFF", 4.48), ("#767676", "#FFFFFF", 4.54), ("#000000", "#FFFFFF", 21.0),
        ("#0000FF", "#FFFFFF", 8.59), ("#FF0000", "#FFFFFF", 4.0), ("#595959", "#FFFFFF", 7.0),
    ],
)  # fmt: skip
def test_the_ratio_is_that_of_the_guidelines(one, other, expected):
    a, b = (255 * np.array(mpl.colors.to_rgb(colour)) for colour in (one, other))
    assert contrast.ratio(a, b) == pytest.approx(expected, abs=0.005)
    assert contrast.ratio(b, a) == contrast.ratio(a, b)


def test_letters_are_not_what_is_behind_them():
    ink, white, blue = (np.array(c, dtype=np.uint8) for c in ((0,) * 3, (255,) * 3, (0, 0, 200)))
    pixels = np.array([white] * 55 + [ink] * 40 + [blue] * 5)
    assert [tuple(found) for found in contrast.backgrounds(pixels, ink)] == [(255, 255, 255)]
    pixels = np.array([white] * 50 + [ink] * 20 + [blue] * 30)
    assert len(contrast.backgrounds(pixels, ink)) == 2
    assert contrast.worst(np.array([ink] * 9), ink)[0] == 1


# ---- not drawn


def test_a_figure_that_was_not_drawn_has_no_fault(tmp_path):
    (tmp_path / "a.csv").write_text("not_drawn,data\nno patient has a date,recorded\n")
    (tmp_path / "b.txt").write_text("Not drawn: nobody.\n\nAlt text: Not drawn: nobody.\n")
    rows = inspect(["a", "b"], tmp_path, LOOK)
    assert [(row.figure, row.status, row.found) for row in rows] == [
        ("a", NOT_DRAWN, "no patient has a date"), ("b", NOT_DRAWN, "nobody"),
    ]  # fmt: skip
    text = as_text(rows, 100)
    assert "a       not drawn: no patient has a date" in text
    assert text.endswith("2 figures, 0 faults, 0 warnings; check against the journal's own "
                         "instructions.")  # fmt: skip


# ---- the table


def row(figure="forest", kind="tiff", check="resolution", status=FAIL, **said) -> Row:
    given_ = {"found": "300 dpi", "allowed": "at least 600 dpi", "mend": "draw it again"} | said
    return Row(figure, f"{figure}.{kind}", check, status=status, **given_)


def test_the_table_shows_the_worst_of_each_check_and_what_to_mend():
    rows = [
        row(kind="pdf", check="size", status=OK), row(kind="svg", check="size", status=OK), row(),
        row("flow", check="compression", status=WARNING, found="none", allowed="LZW", mend="ask"),
        row("flow", found="150 dpi"), row("flow", "svg", "smallest text", OK),
    ]  # fmt: skip
    assert as_text(rows, 100).splitlines() == [
        "figure  files  size  dpi   RGB   fonts  text  contrast  caption  alt text",
        "forest  -      ok    FAIL  -     -      -     -         -        -",
        "flow    -      -     FAIL  warn  -      ok    -         -        -",
        "FAIL     resolution: forest.tiff, flow.tiff",
        "         found: 300 dpi | 150 dpi; allowed: at least 600 dpi",
        "         To mend: draw it again",
        "WARNING  compression: flow.tiff",
        "         found: none; allowed: LZW",
        "         To mend: ask",
        "2 figures, 2 faults, 1 warning; to be mended before they are sent.",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width):
    many = [row(f"figure_{i}", found=f"{i} dpi", mend="words " * 40) for i in range(20)]
    lines = as_text(many, width).splitlines()
    assert max(map(len, lines[21:])) <= width
    assert "and 16 more" in " ".join(lines)


# ---- the workflow


@pytest.mark.workflow
def test_preflight_judges_and_keeps_its_list(example):
    results = example.results()
    tiff, table = results / "figures/forest.tiff", results / "preflight.csv"
    before, times = tiff.read_bytes(), tiff.stat()
    try:
        done = example.snakemake("preflight")
        assert done.returncode == 0, done.stdout
        assert "All checks: results/example/preflight.csv" in done.stdout
        rows = read(table)
        with table.open(encoding="utf-8") as stream:
            assert tuple(next(csv.reader(stream))) == COLUMNS
        assert failing(rows) == []
        assert {row.figure for row in rows} == {
            path.stem for path in (results / "figures").glob("*.pdf")
        }
        tiff.write_bytes(before[:5000])
        done = example.snakemake("preflight")
        assert done.returncode == 1
        said = done.stdout.partition(
            "The figures of study example, held against the profile generic:"
        )[2]
        assert "FAIL     file: forest.tiff" in said
        assert "1 fault" in said
        assert "Traceback" not in done.stdout
        assert [row.file for row in failing(read(table))] == ["forest.tiff"]
        # Nothing has changed, and it is told again.
        again = example.snakemake("preflight")
        assert again.returncode == 1
        assert "FAIL     file: forest.tiff" in again.stdout
        assert "Opening the files" not in again.stdout
    finally:
        tiff.write_bytes(before)
        os.utime(tiff, ns=(times.st_atime_ns, times.st_mtime_ns))
        for made_ in (
            table,
            results / "logs/check_figures.log",
            results / "logs/judge_figures.log",
        ):
            made_.unlink(missing_ok=True)


# ---- what config/README.md says


def test_the_profile_of_the_manual_can_be_used():
    """Its block is taken as it stands there, and the figures have the sizes that it gives."""
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"((?:^ {4}.*\n)+)", manual.partition("\n## Figures\n")[2], re.MULTILINE)[
        :1
    ]
    settings = resolve(shipped("config").settings | yaml.safe_load(block), schema())
    look = Profile.of(profiles.resolve(settings["figures"], SHIPPED_PROFILES))
    assert (look.name, look.small_pt, look.dpi) == ("my_journal", 6.5, 600)
    assert set(settings["figures"]["profiles"]["my_journal"]) <= set(SHIPPED_PROFILES["generic"])
    profiles.check_panels(settings["figures"]["panels"], look)


def test_the_manual_names_every_check_of_the_table():
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    table = manual.partition("| check | of |")[2].partition("\n\n")[0]
    named = {
        name for cell in re.findall(r"^\| ([^|]+) \|", table, re.M) for name in cell.split(", ")
    }
    headings = as_text([row()]).splitlines()[0].split("  ")
    assert named - {"---"} == {each.strip() for each in headings if each.strip()} - {"figure"}


def test_another_font_than_the_profile_asks_for_is_a_warning(good):
    asked = replace(LOOK, font=("No Such Sans", "DejaVu Sans"))
    row = next(row for row in inspect(["made"], good, asked) if row.file == "made.pdf"
               and row.check == "fonts")  # fmt: skip
    assert row.status == "warning"
    assert row.found.startswith("the profile asks for No Such Sans, drawn in DejaVuSans")
    assert "install No Such Sans" in row.mend
