"""The checklist has every item of STROBE, and names only what the run has."""

from __future__ import annotations

import csv
import io
import re

import docx
import pytest
from captem import origin, strobe, strobe_items, table_formats, word_tables
from figure_data import FIGURES
from studies import ROOT, Study, from_text, shipped, without_patients

# The checklist for cohort studies, item by item, as it was published in 2007.
PARTS = {1: "ab", 6: "ab", 12: "abcde", 13: "abc", 14: "abc", 16: "abc"}
PUBLISHED = [f"{item}{part}" for item in range(1, 23) for part in PARTS.get(item, [""])]
SECTIONS = (
    "Title", "Abstract", "Introduction", "Methods", "Methods: Study design and setting",
    "Methods: Participants", "Methods: Statistical methods", "Results", "Results: Participants",
    "Discussion", "Discussion: Limitations", "Other information",
)  # fmt: skip
UP = "transition.proportion/krenning/all/up"


def _run(study: Study, **changed) -> strobe.Run:
    given = {
        "statistics": study.statistics,
        "flow": study.flow,
        "settings": study.settings,
        "tables": [table.name for table in study.tables()],
        "figures": tuple(FIGURES),
        "sections": SECTIONS,
    }
    return strobe.Run(**(given | changed))


def _lines(run: strobe.Run, data: str = origin.RECORDED) -> dict[str, dict[str, str]]:
    """Return the checklist as its csv has it, by the number of the item."""
    text = table_formats.to_csv(strobe.checklist(run, data))
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["Answered by"]]
    return {re.sub(r"[ ()]", "", row["Item"]): row for row in rows}


@pytest.fixture(params=["config", "published_case", "none", "no follow-up"])
def any_study(request, tmp_path) -> Study:
    if request.param == "none":
        return without_patients()
    if request.param == "no follow-up":
        return _never_scanned_again(tmp_path)
    return shipped(request.param)


def _never_scanned_again(folder) -> Study:
    lines = "".join(f"p{i},{50 + i},{3 * i + 2},{i % 3},{4 + i}\n" for i in range(9))
    return from_text(folder, f"patient_id,age_years,mib1,krenning_pre,suvmax_pre\n{lines}")


def test_there_are_22_items_with_all_their_parts():
    assert [item.number for item in strobe_items.ITEMS] == PUBLISHED
    assert list(strobe.ANSWERS) == PUBLISHED
    assert len({re.sub(r"\D", "", number) for number in strobe.ANSWERS}) == 22


def test_each_item_is_answered_with_a_place_or_left_to_the_author(any_study):
    lines = _lines(_run(any_study))
    assert list(lines) == PUBLISHED
    for number, line in lines.items():
        assert line["What the run says"], number
        if line["Answered by"] == strobe.AUTHOR:
            continue
        assert (line["Where"] == "—") == (line["Answered by"] == strobe.NOBODY), number


def test_only_what_the_run_has_is_named():
    study = shipped("config")
    tables = {f"tables/{table.name}.docx" for table in study.tables()}
    figures = {f"figures/{name}.pdf" for name in FIGURES}
    files = tables | figures | {"statistics.csv", "provenance.json"}
    named = set()
    for line in _lines(_run(study)).values():
        for place in line["Where"].split("; "):
            path, _, section = place.partition(", ")
            assert path in files | {"—", strobe.DOCUMENT}
            assert section in SECTIONS or not section
            named.add(path)
    assert {"figures/flow.pdf", "tables/models.docx", "tables/sensitivity.docx"} <= named
    # What is not drawn, not made or not in the text is no place.
    bare = _lines(_run(study, tables=("models",), figures=("forest",), sections=()))
    places = {place for line in bare.values() for place in line["Where"].split("; ")}
    assert places == {
        "—", "tables/models.docx", "figures/forest.pdf", "statistics.csv", "provenance.json",
    }  # fmt: skip
    assert bare["13c"]["What the run says"] == "It is not drawn."
    assert bare["14c"]["Answered by"] == strobe.AUTHOR


def test_funding_setting_and_meaning_are_the_authors(any_study):
    lines = _lines(_run(any_study))
    for number in ("5", "18", "19", "20", "21", "22"):
        assert lines[number]["Answered by"] == strobe.AUTHOR
    for number in ("4", "6a", "8", "10", "14a"):
        assert lines[number]["Answered by"] == strobe.BOTH


def test_the_numbers_are_those_of_the_run():
    lines = _lines(_run(shipped("config")))
    stages = lines["13a"]["What the run says"]
    assert stages == (
        "Recorded, 60; included, 60; without a follow-up PET, 6; scored at both scans, 54; "
        "in the primary model, 50."
    )
    assert "29/54 (54%) of all" in lines["15"]["What the run says"]
    first, _, second = lines["15"]["What the run says"].partition(" and ")
    assert "12/22 (55%) of the confirmatory sources" in first and "all" in second
    study = shipped("config")
    table = study.statistics.copy()
    table.loc[table["row_id"].eq(UP), "n_events"] = 17
    assert "17/54" in _lines(_run(study, statistics=table))["15"]["What the run says"]
    flow = study.flow.copy()
    flow.loc[flow["step"].eq("recorded"), "n"] = 61
    changed = _lines(_run(study, flow=flow))
    assert changed["13a"]["What the run says"].startswith("Recorded, 61;")


def test_the_settings_are_told():
    study = shipped("config")
    settings = study.settings | {"criterion": {"threshold": 2, "rule": "index"}, "mib1_floor": 0.25}
    lines = _lines(_run(study, settings=settings))
    assert "a score of 2 or higher" in lines["7"]["What the run says"]
    assert "reached by the index lesion" in lines["7"]["What the run says"]
    assert "split at 2" in lines["16b"]["What the run says"]
    assert "below 0.25%" in lines["11"]["What the run says"]


def test_one_patient_is_a_description():
    lines = _lines(_run(shipped("published_case")))
    assert "nothing is inferred" in lines["4"]["What the run says"]
    assert "not estimable: only one patient" in lines["16a"]["What the run says"]
    assert "not estimable" in lines["12a"]["What the run says"]


def test_no_follow_up_and_no_patient_are_said(tmp_path):
    for study, words in (
        (_never_scanned_again(tmp_path), "No follow-up in these data."),
        (without_patients(), "No patient is recorded yet."),
    ):
        lines = _lines(_run(study))
        for number in ("15", "16a", "16c", "17"):
            assert lines[number]["What the run says"] == words


def test_masked_counts_stay_masked():
    study = shipped("config")
    table, flow = study.statistics.copy(), study.flow.copy()
    hidden = table["row_id"].str.match(r"transition\.proportion/krenning/(all|confirmatory)/up$")
    assert hidden.sum() == 2
    table.loc[hidden, ["status", "reason"]] = ["not_estimable", "masked: small count"]
    table.loc[hidden, ["estimate", "conf_low", "conf_high", "n_events"]] = None
    flow["n"] = flow["n"].astype(float)
    flow.loc[flow["reason"].isin(["no follow-up PET", "no MIB1 index"]), "n"] = None
    lines = _lines(_run(study, statistics=table, flow=flow))
    assert "rose in masked of the confirmatory" in lines["15"]["What the run says"]
    assert "without a follow-up PET, masked" in lines["13a"]["What the run says"]
    assert "no MIB1 index, masked" in lines["13b"]["What the run says"]


def test_word_has_the_items_in_a_table_with_a_header_that_repeats():
    table = strobe.checklist(_run(shipped("config")), origin.SYNTHETIC)
    made = word_tables.to_docx(table)
    assert made == word_tables.to_docx(table)
    document = docx.Document(io.BytesIO(made))
    grid = document.tables[0]
    assert grid.rows[0]._tr.xpath("./w:trPr/w:tblHeader")
    first = [row.cells[0].text for row in grid.rows[1:]]
    headings = {item.section for item in strobe_items.ITEMS}
    items = [re.sub(r"[ ()]", "", text) for text in first if text not in headings]
    assert items == PUBLISHED
    assert document.sections[0].page_width > document.sections[0].page_height
    assert "synthetic data" in document.paragraphs[0].text


def test_a_section_is_named_with_its_part():
    lines = _lines(_run(shipped("config")))
    expected = {
        "1a": "Title",
        "6a": "Methods: Participants",
        "12a": "Methods: Statistical methods",
        "13a": "Results: Participants",
        "19": "Discussion: Limitations",
        "22": "Other information",
    }
    for number, section in expected.items():
        assert f"{strobe.DOCUMENT}, {section}" in lines[number]["Where"].split("; "), number


def test_the_manuscript_that_ships_has_a_section_for_almost_every_item():
    template = (ROOT / "workflow/manuscript/manuscript.md.jinja").read_text(encoding="utf-8")
    sections = strobe.headings(template[template.index("---") :])
    lines = _lines(_run(shipped("config"), sections=sections))
    without = {number for number, line in lines.items() if strobe.DOCUMENT not in line["Where"]}
    assert without == {"6b", "13c", "14b", "14c", "16c"}


def test_headings_of_a_text():
    text = "---\ntitle: x\n---\n# *Uptake*\n\nNo # heading.\n\n## Design {#design}\n# End ##\n"
    assert strobe.headings(text) == ["Title", "Uptake", "Uptake: Design", "End"]
    assert strobe.headings("## Alone\n") == ["Alone"]
