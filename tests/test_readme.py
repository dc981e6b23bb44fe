"""What the README shows is what the example gives."""

from __future__ import annotations

import csv
import re
import textwrap
from pathlib import Path

import figure_studies
import numpy as np
import openpyxl
import propose_study
import pytest
import yaml
from captem.config import resolve
from captem.figures import export
from captem.summary_lead import lead
from PIL import Image
from studies import ROOT, analysed, schema, shipped

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_answer_is_the_examples():
    quoted = " ".join(re.findall(r"^> ?(.*)$", README, re.MULTILINE))
    said = lead(shipped("config").statistics)
    assert quoted.startswith(f"{said.headline} {said.further[0]}")
    assert "Synthetic data" in quoted


def test_the_picture_is_the_examples(tmp_path):
    """Compared with a tolerance: another processor may draw an edge a shade apart."""
    figure = figure_studies.figure("paired_slopes", 60, data="synthetic")
    export.save(figure, {"png": tmp_path / "now.png"}, figure_studies.profile())
    with Image.open(tmp_path / "now.png") as now, Image.open(ROOT / "docs/example.png") as shown:
        assert now.size == shown.size, "copy figures/paired_slopes.png to docs/example.png"
        apart = np.abs(np.asarray(now, dtype=float) - np.asarray(shown, dtype=float)).mean()
    assert apart < 0.5, "copy figures/paired_slopes.png to docs/example.png"


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)h][^)]*)\)", README))
def test_links_lead_to_files(name):
    assert (ROOT / name).exists()


@pytest.mark.parametrize("way", ["by the command", "by hand"])
def test_the_first_study_of_the_readme_is_read(tmp_path, monkeypatch, way):
    """The sheet as it stands there, by `make study` and by the config of config/README.md."""
    table = textwrap.dedent(re.findall(r"((?:^ {7}.*\n)+)", README, re.MULTILINE)[0])
    rows = list(csv.reader(table.splitlines()))
    (sheet,) = set(re.findall(r"make study SHEET=(\S+)`", README))
    monkeypatch.chdir(tmp_path)
    if way == "by the command":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(sheet)
        assert propose_study.main([sheet]) == 0
        (config,) = set(re.findall(r"make STUDY=(my_\S+)`", README))
        settings = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
        assert f"`results/{settings['study']}/summary.html`" in README
    else:
        manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
        settings = yaml.safe_load(re.findall(r"((?:^ {4}.*\n)+)", manual, re.MULTILINE)[0])
        Path(settings["sources"][0]["patients"]).write_text(table, encoding="utf-8")
    settings = resolve(settings, schema())
    assert set(settings["sources"][0]["columns"].values()) == set(rows[0])
    found = analysed(settings)
    assert found.cohort.problems == []
    patient = found.patients.iloc[0]
    assert (patient["mib1_low"], patient["mib1_high"]) == (7, 8)
    assert patient["captem_cycles"] == 6
    assert found.changes.loc[0, "direction"] == "up"


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", README, re.MULTILINE))
    assert {"study", "check"} <= named <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_the_readme_fits_two_screens():
    assert len(README.splitlines()) <= 100
