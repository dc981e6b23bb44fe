"""Manuscripts of the studies that ship and of templates in a line, for tests in this process."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import studies
from captem import manuscript, origin
from captem.manuscript_blocks import Figure
from PIL import Image

FOLDER = studies.ROOT / "workflow/manuscript"
TEMPLATE = (FOLDER / "manuscript.md.jinja").read_text(encoding="utf-8")
CITED = {
    "bibliography": (FOLDER / "references.bib").read_text(encoding="utf-8"),
    "style": (FOLDER / "numeric.csl").read_text(encoding="utf-8"),
}
PAGE = (FOLDER / "page.html").read_text(encoding="utf-8")
SHEET = (FOLDER / "page.typ").read_text(encoding="utf-8")
FIGURES = (
    "flow", "transition_matrix", "alluvial", "paired_slopes", "waterfall", "gain_by_mib1",
    "predicted", "forest", "timeline", "sensitivity", "regression_to_mean", "diagnostics",
)  # fmt: skip
NAMES = ("example", "published", "without_patients", "without_follow_up")


@cache
def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(stream, "PNG", dpi=(200, 200))
    return stream.getvalue()


def figures(drawn: bool = True) -> dict[str, Figure]:
    """Return every figure as a small picture, or as not drawn."""
    if not drawn:
        return {name: Figure(name, "Not drawn: no patient has it.", "") for name in FIGURES}
    return {
        name: Figure(name, f"What {name} shows, P and SUVmax.", f"Alt text of {name}", picture())
        for name in FIGURES
    }


@cache
def analysed(name: str) -> studies.Study:
    if name == "without_patients":
        return studies.without_patients()
    if name == "without_follow_up":
        with tempfile.TemporaryDirectory() as folder:
            rows = "".join(f"P{i},{i % 3},,{5 + i}\n" for i in range(6))
            text = f"patient_id,krenning_pre,krenning_post,mib1\n{rows}"
            return studies.from_text(Path(folder), text)
    return studies.shipped("config" if name == "example" else "published_case")


@cache
def study(name: str) -> manuscript.Study:
    """Return one of `NAMES` as a manuscript reads it."""
    found = analysed(name)
    provenance = {"code": {"version": "0.1.0"}, "python": "3.11.7", "packages": {"scipy": "1.17"}}
    return manuscript.Study(
        found.statistics, found.tables(), figures(name != "without_patients"), found.settings,
        origin.data_kind(found.sources), provenance,
    )  # fmt: skip


def rendered(text: str, name: str = "example", **changed) -> manuscript.Manuscript:
    """Return a template in a line or more, filled in."""
    return manuscript.render(text, "my.md.jinja", replace(study(name), **changed))


def said(text: str, name: str = "example", **changed) -> str:
    return rendered(text, name, **changed).text("md").strip()


@cache
def shipped(name: str) -> manuscript.Manuscript:
    """Return the default template for one of `NAMES`."""
    return manuscript.render(TEMPLATE, "workflow/manuscript/manuscript.md.jinja", study(name))
