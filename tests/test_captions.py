"""Captions hold live numbers; a number that is missing is an error."""

from __future__ import annotations

import figure_data
import pytest
from captem import captions
from captem.errors import CaptemError
from captem.lesions import RULE_WORDS
from studies import ROOT, from_text, shipped

FIGURES = tuple(figure_data.FIGURES)


def rendered(name, table, data="recorded"):
    template = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    words = RULE_WORDS["most"]
    return captions.render(name, template, table, data, threshold=3, rule_words=words)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("study", ["config", "published_case"])
def test_every_caption_renders_with_its_alt_text(name, study):
    caption, alt = captions.split(rendered(name, shipped(study).statistics))
    assert caption
    assert alt
    assert "{" not in caption
    assert "nan" not in caption.lower()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_captions_of_the_smallest_studies(tmp_path, name, n):
    table = "patient_id,krenning_pre,krenning_post\n" + "".join(f"{i},1,3\n" for i in range(n))
    caption, _ = captions.split(rendered(name, from_text(tmp_path, table).statistics))
    assert caption


def test_numbers_are_those_of_the_statistics():
    table = shipped("config").statistics
    rows = table.set_index("row_id")
    caption = rendered("transition_matrix", table)
    for way, words in (("up", "uptake rose in"), ("down", "uptake fell in")):
        count = rows.loc[f"transition.proportion/krenning/all/{way}", "n_events"]
        assert f"{words} {count}" in caption
    changed = table.copy()
    changed.loc[changed["row_id"].eq("transition.proportion/krenning/all/up"), "n_events"] = 17
    assert "uptake rose in 17" in rendered("transition_matrix", changed)


def test_synthetic_data_are_called_synthetic():
    for name in FIGURES:
        table = shipped("config").statistics
        assert rendered(name, table, "synthetic").startswith("Synthetic data.")
        assert rendered(name, table, "partly synthetic").startswith("Partly synthetic data.")


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ stat.count('no/such/row') }}", "no row 'no/such/row'"),
        ("{{ stat.ratio('model.suvmax/suvmax/all/log2_mib1') }}", "which is not_estimable"),
        ("{{ unknown }}", "'unknown' is undefined"),
        ("{% if %}", "caption of x"),
        ("Text without the last paragraph.", "Alt text:"),
    ],
)
def test_a_missing_number_is_an_error(template, words):
    with pytest.raises(CaptemError) as caught:
        captions.render("x", template, shipped("published_case").statistics, "recorded")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "name", ["forest", "diagnostics", "predicted", "gain_by_mib1", "sensitivity"]
)
def test_the_confirmatory_result_comes_first_and_all_patients_are_called_exploratory(name):
    table = shipped("config").statistics
    stat = captions.Numbers(table)
    own, everyone = (
        f"model.krenning/krenning/{subset}/log2_mib1" for subset in ("confirmatory", "all")
    )
    text, _ = captions.split(rendered(name, table))
    first, second = text.index(stat.ratio(own)), text.index(stat.ratio(everyone))
    assert first < second
    assert (
        f"{stat.ratio(everyone)} in {stat.n(everyone)} patients (exploratory) in all sources"
        in text
    )
    assert "in the confirmatory sources" in text


def test_without_confirmatory_sources_one_result_is_told():
    stat = captions.Numbers(shipped("config").statistics.query("subset != 'confirmatory'"))
    row = "model.krenning/krenning/all/log2_mib1"
    assert stat.told(row) == f"{stat.ratio(row)} in {stat.n(row)} patients (exploratory)"
