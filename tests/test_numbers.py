"""Every number that a reader meets is found again in `statistics.csv`.

Tables are read back from their files, captions and pages from their text, and each number in them
has to be a form of a row (`tests/printed.py`, which rounds by itself), a count of the flow, a value
of the settings, or one of the few constants listed there. In a line of a table all numbers come
from one row. A study whose rows were given numbers that occur once (`scrambled`) shows that nothing
is typed by hand and nothing computed on the way.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import docx
import figure_studies
import pandas as pd
import pytest
import read_back
from captem import (
    captions,
    manuscript,
    manuscript_blocks,
    manuscript_documents,
    strobe,
    summary,
    table_formats,
    tables_workbook,
    word_tables,
)
from captem.config import resolve
from captem.lesions import RULE_WORDS
from captem.manuscript import Manuscript
from captem.table_parts import Table
from figure_data import FIGURES
from printed import Known, rounded, scrambled, trimmed, unexplained
from read_back import Grid
from studies import ROOT, Study, from_text, schema, shipped, without_patients

FORMATS = {
    "csv": lambda table: read_back.from_csv(table_formats.to_csv(table)),
    "html": lambda table: read_back.from_html(table_formats.html_page(table)),
    "docx": lambda table: read_back.from_docx(word_tables.to_docx(table)),
    "xlsx": lambda table: read_back.from_xlsx(tables_workbook.to_xlsx([table]))[table.name],
}
NAMES = ("example", "one", "none", "no follow-up", "five", "scrambled")
UP = "transition.proportion/krenning/all/up"


@pytest.fixture(scope="module", params=NAMES)
def shown(request, tmp_path_factory) -> Study:
    """The studies of every kind, and one in which each number is found once."""
    if request.param == "no follow-up":
        lines = "".join(f"p{i},{50 + i},{3 * i + 2},{i % 3},{4 + i}\n" for i in range(9))
        table = f"patient_id,age_years,mib1,krenning_pre,suvmax_pre\n{lines}"
        return from_text(tmp_path_factory.mktemp("study"), table)
    if request.param == "scrambled":
        return _scrambled()
    made = {"one": 1, "five": 5, "example": 60}
    return (
        without_patients() if request.param == "none" else figure_studies.study(made[request.param])
    )


@cache
def _scrambled() -> Study:
    study = shipped("config")
    return dataclasses.replace(study, statistics=scrambled(study.statistics))


# What is made of a study, by the study itself: each sentence asks for it again.
_MADE: dict[tuple[int, str], tuple[Study, Any]] = {}


def _once(study: Study, name: str, make: Callable[[Study], Any]) -> Any:
    """Return what `make` returns of a study, made once; the study is kept, so its id is its own."""
    key = (id(study), name)
    if key not in _MADE:
        _MADE[key] = (study, make(study))
    return _MADE[key][1]


def _known(study: Study) -> Known:
    def make(study: Study) -> Known:
        sources = [{"name": "x", "patients": "x"}]
        usual = resolve({"study": "x", "cut": "1", "sources": sources}, schema())
        settings = study.settings | {"usual": usual}
        return Known(study.statistics, study.flow, study.matrix, settings)

    return _once(study, "known", make)


def _drawn(name: str, study: Study) -> pd.DataFrame:
    return _once(study, name, FIGURES[name][1])


def _tables(study: Study) -> list[Table]:
    return _once(study, "tables", lambda study: study.tables())


# Tables


def _wrong_in(grid: Grid, known: Known) -> list[str]:
    """Return what in a table no row makes."""
    texts = [grid.title, *grid.notes]
    wrong = [said for text in texts for said in unexplained(text, known)]
    places = {name.split()[-1]: i for i, name in enumerate(grid.columns) if name.split()}
    for row in grid.rows:
        for name, cell in zip(grid.columns, row, strict=True):
            of_p = name == "P" and re.search(r"\d", cell)
            wrong += unexplained(f"P = {cell}" if of_p else cell, known)
        if "P" in places and any(row[1:]):
            line = {"estimate": row[1], "p": row[places["P"]]}
            line |= {"interval": row[places["CI"]] if "CI" in places else "",
                     "n": row[places["n"]] if "n" in places else ""}  # fmt: skip
            if not known.says(**line):
                wrong.append(f"line: {row}")
    return wrong + [said for name in grid.columns for said in unexplained(name, known)]


def _wrong_in_matrix(grid: Grid, matrix: pd.DataFrame) -> list[str]:
    """Return which cells of the matrix, or its totals, are not those of `matrix.csv`."""
    counts = matrix.set_index("score_pre")[[str(step) for step in range(5)]].to_numpy(dtype=float)
    whole = [*counts.tolist(), counts.sum(axis=0).tolist()]
    wrong = []
    for row, values in zip(grid.rows, whole, strict=True):
        expected = [trimmed(rounded(value, 2)) for value in (*values, sum(values))]
        found = [cell.rstrip("†") for cell in row[1:]]
        wrong += [f"matrix: {row}"] if found != expected else []
    return wrong


def _table_faults(study: Study, read) -> dict[str, list[str]]:
    known = _known(study)
    faults = {}
    for table in _tables(study):
        grid = read(table)
        if table.name == "transition_matrix":
            wrong = _wrong_in_matrix(grid, study.matrix)
            grid = dataclasses.replace(grid, rows=[])
            wrong += _wrong_in(grid, known)
        else:
            wrong = _wrong_in(grid, known)
        if wrong:
            faults[table.name] = wrong
    return faults


@pytest.mark.parametrize("kind", FORMATS)
def test_every_number_of_every_table_is_a_row(shown, kind):
    assert _table_faults(shown, FORMATS[kind]) == {}


def test_the_checklist_prints_rows_alone(shown):
    names = [table.name for table in _tables(shown)]
    run = strobe.Run(shown.statistics, shown.flow, shown.settings, names, tuple(FIGURES))
    table = strobe.checklist(run)
    known = _known(shown)
    # Items have numbers, and the settings are told: they are looked for as what they are.
    threshold = f"{shown.settings['criterion']['threshold']:g}"
    floor = f"{shown.settings['mib1_floor']:g}"
    told = (rf"split at {threshold} for", rf"below {floor}% count as {floor}%", r"log2",
            *(rf"{words}, {shown.flow.query(query)['n'].sum()}\b" for words, query in FLOW.items()),
            *_reasons(shown.flow))  # fmt: skip
    for read in FORMATS.values():
        for row in read(table).rows:
            assert unexplained(row[4], known, told) == [], row


FLOW = {
    "Recorded": "step == 'recorded'",
    "included": "step == 'included'",
    "without a follow-up PET": "reason == 'no follow-up PET'",
    "scored at both scans": "step == 'transition' and reason == 'analysed'",
    "in the primary model": "step == 'model.krenning' and reason == 'analysed'",
}


def _reasons(flow: pd.DataFrame) -> list[str]:
    rows = flow[flow["step"].isin(["excluded", "transition", "model.krenning"])]
    return [rf"(?i){re.escape(row['reason'])}, {row['n']}\b"
            for row in rows.fillna("").to_dict("records") if row["reason"]]  # fmt: skip


# Captions


def _own(name: str, rows: pd.DataFrame) -> dict[str, tuple[int, ...]]:
    """Return what a caption counts in the csv beside its figure, and how it is said."""
    if "not_drawn" in rows:
        return {}
    if name == "alluvial":
        ending = rows.loc[rows["direction"].isna(), "patients"].sum()
        return {r"(\d+) patients? with a score at one scan only": (round(ending),)}
    if name == "timeline":
        dated = int(rows["follow_up"].notna().sum())
        return {
            r"(\d+) of \d+ patients? ha(?:s|ve) a date of the": (len(rows),),
            r"(\d+) of these ha(?:s|ve) a date of a follow-up": (dated,),
            r"; (\d+) of \d+ patients? (?:is|are) drawn": (len(rows),),
        }
    if name == "sensitivity":
        asked = rows["block"].eq("primary contrast") & rows["alternative"].ne("as reported")
        asked &= ~rows["alternative"].str.startswith("only source") & rows["estimate"].notna()
        return {r"(\d+) alternatives but for single sources": (int(asked.sum()),)}
    return {}


def _caption(name: str, study: Study, template: str = "") -> str:
    text = template or (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    criterion = study.settings["criterion"]
    return captions.render(
        name, text, study.statistics, "recorded", _drawn(name, study),
        threshold=criterion["threshold"], rule_words=RULE_WORDS[criterion["rule"]],
    )  # fmt: skip


def _wrong_in_caption(name: str, study: Study, text: str) -> list[str]:
    wrong, own = [], _own(name, _drawn(name, study))
    for pattern, values in own.items():
        for found in re.finditer(pattern, text):
            if found.groups() != tuple(map(str, values)):
                wrong.append(f"own count: {found.group()}")
            # What is checked is taken out; the rest of the sentence stays.
            text = text.replace(found.group(), found.group().replace(found[1], "~", 1))
    return wrong + unexplained(text, _known(study))


@pytest.mark.parametrize("name", FIGURES)
def test_every_number_of_caption_and_alt_text_is_a_row(shown, name):
    assert _wrong_in_caption(name, shown, _caption(name, shown)) == []


# The page

# What the data hold and what made the results: texts of their own, and no results.
LISTED = {"data", "sources", "provenance"}
# How many questions stand below a reason.
COUNTED = re.compile(r" \((\d+)\)$")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="240.9pt" height="100pt"></svg>'


def _page(study: Study) -> str:
    folder = ROOT / "workflow/report"
    figures = [
        summary.Figure(name, name, SVG, *captions.split(_caption(name, study))) for name in FIGURES
    ]
    return summary.render(
        (folder / "summary.html.jinja").read_text(encoding="utf-8"),
        script="",
        study="mine",
        cut="first",
        statistics=study.statistics,
        flow=study.flow,
        sources=study.sources,
        problems=study.cohort.problem_frame(),
        repairs=study.cohort.repairs,
        tables=_tables(study),
        figures=figures,
        provenance={},
        criterion=study.settings["criterion"],
    )


def _wrong_in_page(page: str, study: Study) -> list[str]:
    read, known = read_back.page(page), _known(study)
    wrong = _wrong_in_lists(read.texts)
    for under, text in read.texts:
        if LISTED & set(under):
            continue
        if "unanswered" in under:
            text = COUNTED.sub("", text)
        name = next((name[7:] for name in under if name.startswith("figure-")), "")
        wrong += _wrong_in_caption(name, study, text) if name else unexplained(text, known)
    for text in read.alts:
        wrong += [said for said in unexplained(text, known)]
    return wrong


def _wrong_in_lists(texts: list[tuple[tuple[str, ...], str]]) -> list[str]:
    """Return which reasons are not followed by as many questions as they say."""
    listed = [text for under, text in texts if "unanswered" in under][1:]
    wrong, left, last = [], 0, ""
    for text in [*listed, " (0)"]:
        found = COUNTED.search(text)
        # A question may end in a number in brackets only where a reason is due.
        if found and left <= 0:
            wrong += [f"list: {last}"] if left < 0 else []
            left, last = int(found[1]), text
        else:
            left -= 1
    return wrong + ([f"list: {last}"] if left else [])


def test_every_number_of_the_page_is_a_row(shown):
    assert _wrong_in_page(_page(shown), shown) == []


# The manuscript

MANUSCRIPT = ROOT / "workflow/manuscript"
TEMPLATE = MANUSCRIPT / "manuscript.md.jinja"


def _manuscript(study: Study, template: str = "") -> tuple[Manuscript, pd.DataFrame]:
    """Return the manuscript of a study, and the list of its numbers."""
    figures = {
        name: manuscript_blocks.Figure(name, *captions.split(_caption(name, study)))
        for name in FIGURES
    }
    of = manuscript.Study(study.statistics, _tables(study), figures, study.settings, "recorded", {})
    text = template or TEMPLATE.read_text(encoding="utf-8")
    made = manuscript.render(text, "manuscript.md.jinja", of)
    return made, manuscript.numbers(made, of)


def _wrong_in_text(text: str, study: Study) -> list[str]:
    """Return what in a sentence of the manuscript no row makes; the data cut is a name."""
    return unexplained(text, _known(study), [rf"\b{re.escape(str(study.settings['cut']))}\b"])


def _wrong_in_grids(grids: list[Grid], study: Study) -> list[str]:
    wrong = []
    for grid in grids:
        if grid.columns[0] == "Krenning score":
            wrong += _wrong_in_matrix(grid, study.matrix)
            grid = dataclasses.replace(grid, rows=[])
        wrong += _wrong_in(grid, _known(study))
    return wrong


def _wrong_in_html(made: Manuscript, study: Study) -> list[str]:
    template = (MANUSCRIPT / "page.html").read_text(encoding="utf-8")
    document = manuscript_documents.html(made, _cited(), template)
    read = read_back.page(document.decode("utf-8"))
    wrong = _wrong_in_grids(read.grids, study)
    for under, text in read.texts:
        name = next((name[7:] for name in under if name.startswith("figure-")), "")
        if name:
            wrong += _wrong_in_caption(name, study, text)
        elif "refs" not in under:
            wrong += _wrong_in_text(text, study)
    return wrong + [said for text in read.alts for said in _wrong_in_text(text, study)]


def _wrong_in_word(made: Manuscript, study: Study) -> list[str]:
    document = docx.Document(io.BytesIO(manuscript_documents.word(made, _cited())))
    figures = iter([block.name for block in made.blocks
                    if isinstance(block, manuscript_blocks.Figure)])  # fmt: skip
    wrong = _wrong_in_grids([read_back.word_grid(table) for table in document.tables], study)
    for paragraph in document.paragraphs:
        text, style = read_back.word_text(paragraph), paragraph.style.name
        if style == "Image Caption":
            wrong += _wrong_in_caption(next(figures), study, text)
        elif style != "Bibliography":
            wrong += _wrong_in_text(text, study)
    return wrong


def _cited() -> dict[str, str]:
    names = {"bibliography": "references.bib", "style": "numeric.csl"}
    return {key: (MANUSCRIPT / name).read_text(encoding="utf-8") for key, name in names.items()}


@pytest.mark.parametrize("read", [_wrong_in_html, _wrong_in_word])
def test_every_number_of_the_manuscript_is_a_row(shown, read):
    made, _ = _manuscript(shown)
    assert read(made, shown) == []


def test_every_number_by_name_is_of_the_row_it_is_listed_with(shown):
    _, listed = _manuscript(shown)
    named = listed[listed["kind"].eq("by name")]
    wrong = []
    for text, row_id, column in named[["text", "row_id", "column"]].itertuples(index=False):
        own = shown.statistics["row_id"].eq(row_id)
        assert own.sum() == 1, row_id
        row = shown.statistics[own].iloc[0]
        if column == "conf_level":
            wrong += [(text, row_id)] if text != f"{100 * row[column]:g}%" else []
            continue
        if column.startswith("p_"):
            text = f"P {text.replace('*', '').removeprefix('P').strip()}"
        # The quartiles of a median stand in rows beside it.
        own |= shown.statistics["row_id"].str.startswith(f"{row_id.removesuffix('/median')}/quart")
        known = dataclasses.replace(_known(shown), statistics=shown.statistics[own])
        known = dataclasses.replace(known, flow=shown.flow[:0])
        wrong += [(text, row_id, said) for said in unexplained(text.replace("*", ""), known)]
    assert wrong == []


def test_nothing_in_the_manuscript_that_ships_is_a_typed_result(shown):
    _, listed = _manuscript(shown)
    assert set(listed["kind"]) <= {"by name", "not a result"}


# What a wrong number looks like


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("29/54 (54%)", "28/54 (52%)"),
        ("29/54 (54%)", "29/54 (53%)"),
        ("1.18 to 4.41", "1.18 to 4.14"),
        ("2.28", "2.29"),
        (",.01", ",.02"),
        ("60 (50–72)", "60 (50–73)"),
        ("kappa 0.", "kappa 7."),
    ],
)
def test_a_wrong_number_in_a_table_is_found(right, wrong):
    study = shipped("config")
    known, planted = _known(study), 0
    for table in _tables(study):
        if table.name == "transition_matrix":
            continue
        text = table_formats.to_csv(table)
        if right in text:
            planted += 1
            assert _wrong_in(read_back.from_csv(text.replace(right, wrong, 1)), known), table.name
    assert planted


def test_a_number_of_another_row_is_found():
    """Both are printed somewhere; on one line they are wrong."""
    study = shipped("config")
    table = next(table for table in _tables(study) if table.name == "models")
    lines = [row for row in table.rows if re.fullmatch(r"\.\d+", row.cells[3])]
    first = lines[0]
    other = next(row for row in lines if row.cells[3] != first.cells[3])
    cells = (*first.cells[:3], other.cells[3], *first.cells[4:])
    grid = Grid("", list(table.columns), [list(cells)], [])
    assert any(said.startswith("line") for said in _wrong_in(grid, _known(study)))


def test_a_wrong_cell_of_the_matrix_is_found():
    study = shipped("config")
    table = next(table for table in _tables(study) if table.name == "transition_matrix")
    grid = FORMATS["csv"](table)
    assert _wrong_in_matrix(grid, study.matrix) == []
    grid.rows[1][2] = "9"
    assert _wrong_in_matrix(grid, study.matrix)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "planted", ["in 23 patients", "2.71 (95% CI, 1.12 to 5.01)", "44.4%", "29/54 (54%)"]
)
def test_a_wrong_number_in_a_caption_is_found(name, planted):
    study = _scrambled()
    template = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    text = _caption(
        name, study, template.replace("Alt text:", f"It was {planted}.\n\nAlt text:", 1)
    )
    assert _wrong_in_caption(name, study, text)


def test_a_sentence_with_the_number_of_another_row_is_found():
    study = shipped("config")
    rows = study.statistics.set_index("row_id")
    row = rows.loc["model.krenning/krenning/all/log2_mib1"]
    other = rows.loc["model.krenning/krenning/confirmatory/log2_mib1"]
    ends = f"{rounded(row['conf_low'], 2)} to {rounded(row['conf_high'], 2)}"
    right = f"an odds ratio of {rounded(row['estimate'], 2)} (95% CI, {ends})"
    wrong = f"an odds ratio of {rounded(other['estimate'], 2)} (95% CI, {ends})"
    assert unexplained(right, _known(study)) == []
    assert unexplained(wrong, _known(study)) == [f"interval: {wrong[17:]}"]


@pytest.mark.parametrize("planted", ["31/54 (57%)", "a ratio of 2.71 (95% CI, 1.12 to 5.01)"])
@pytest.mark.parametrize("read", [_wrong_in_html, _wrong_in_word])
def test_a_wrong_number_in_the_manuscript_is_found(read, planted):
    study = shipped("config")
    template = TEMPLATE.read_text(encoding="utf-8")
    planted_in = template.replace("# Discussion", f"Uptake rose in {planted}.\n\n# Discussion", 1)
    made, _ = _manuscript(study, planted_in)
    assert len(read(made, study)) == 1


def test_a_wrong_number_on_the_page_is_found():
    study = _scrambled()
    rose = study.statistics.set_index("row_id").loc[UP, "n_events"]
    page = _page(study)
    assert f"{rose} of" in page
    assert _wrong_in_page(page, study) == []
    assert _wrong_in_page(page.replace(f"{rose} of", f"{rose + 31} of"), study)
