"""The tables say what `statistics.csv` says, in every format, and refuse as loudly as it does."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace

import docx
import pandas as pd
from captem import origin, rounding, statistics, table_formats, table_parts, tables, word_tables
from captem.table_parts import Row, Table
from studies import Study, analysed, shipped

NAMES = [
    "characteristics", "transition_matrix", "transitions", "associations", "models", "sensitivity",
    "noise", "agreement", "lesions", "missing", "deviations",
]  # fmt: skip
SHARE = re.compile(r"(\d+)/(\d+) \((.+)\)$")


def _rows(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table_formats.to_csv(table))))


def _bare(cell: str) -> str:
    return re.sub(r"\[[a-z]+\]", "", cell)


def _shares(frame: pd.DataFrame) -> set[str]:
    """Return every n/N (%) that the rows of statistics allow, rounded here on its own."""
    found = set()
    for row in frame[frame["n_events"].notna()].to_dict("records"):
        n = row["n_lesions"] if pd.notna(row["n_lesions"]) else row["n_patients"]
        if n:
            tenths = 1 if n < 100 else 10
            # Halves go up; in whole numbers, so that no floating point decides.
            rounded = (2 * 100 * tenths * row["n_events"] + n) // (2 * n)
            digits = str(rounded) if tenths == 1 else f"{rounded // 10}.{rounded % 10}"
            found.add(f"{row['n_events']}/{n} ({digits}%)")
    return found


def _interval_texts(frame: pd.DataFrame) -> set[str]:
    found = set()
    for row in frame[frame["conf_low"].notna()].to_dict("records"):
        low, high = row["conf_low"], row["conf_high"]
        if row["estimand"] == "proportion":
            found.add(rounding.percent_interval(low, high, int(row["n_patients"])))
        else:
            found.add(rounding.interval(low, high))
    return found


def test_all_tables_are_there_and_numbered(study: Study) -> None:
    made = study.tables()
    assert [table.name for table in made] == NAMES
    assert [table.title.split(".")[0] for table in made] == [
        f"Table {i}" for i in range(1, len(NAMES) + 1)
    ]
    for table in made:
        assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_every_number_is_a_row_of_statistics(study: Study) -> None:
    frame = study.statistics
    shares, intervals = _shares(frame), _interval_texts(frame)
    p_values = {rounding.p_cell(p) for p in frame["p_value"].dropna()}
    numbers = {rounding.number(value) for value in frame["estimate"].dropna()}
    for table in (tables.transitions(frame), tables.models(frame)):
        for row in _rows(table):
            if not row["status"]:
                continue
            value = _bare(row.get("n/N (%) or estimate") or row["Estimate"])
            if SHARE.match(value):
                assert value in shares
            elif value.startswith("n = "):
                assert int(value[4:]) in set(frame["n_patients"])
            elif value not in ("not estimable", rounding.EMPTY):
                assert value in numbers
            interval = next(row[name] for name in row if name.endswith("CI"))
            assert interval == rounding.EMPTY or interval in intervals
            assert _bare(row["P"]) in p_values | {rounding.EMPTY}


def test_every_characteristic_is_a_row_of_statistics(study: Study) -> None:
    frame = study.statistics
    shares = _shares(frame)
    described = frame[frame["analysis"].str.startswith("describe.")]
    medians = {rounding.measure(value) for value in described["estimate"].dropna()}
    of_differences = described.loc[described["analysis"].eq("describe.difference"), "estimate"]
    differences = {rounding.fixed(value, 2) for value in of_differences.dropna()}
    made = [tables.characteristics(frame, by=by) for by in ("source", "direction", "none")]
    made.append(tables.lesions(frame))
    for table in made:
        apart = table.columns[-1] == "Standardised difference"
        for row in table.rows:
            assert not apart or _bare(row.cells[-1]) in differences | {"", rounding.EMPTY}
            for cell in map(_bare, row.cells[1 : len(row.cells) - apart]):
                _is_described(cell, shares, medians)


def _is_described(cell: str, shares: set[str], medians: set[str]) -> None:
    if SHARE.match(cell):
        assert cell in shares
    else:
        parts = set(re.findall(r"[\d.]+", cell))
        assert parts <= medians or cell in ("", rounding.EMPTY)


def test_every_count_of_statistics_is_shown(synthetic: Study) -> None:
    """The way back: no direction and no characteristic is left out."""
    by_direction = tables.characteristics(synthetic.statistics, by="direction")
    shown = {
        _bare(cell)
        for table in (*synthetic.tables(), by_direction)
        for row in table.rows for cell in row.cells
    }  # fmt: skip
    frame = synthetic.statistics
    counted = frame[frame["n_events"].gt(0) & frame["analysis"].ne("describe.patients")]
    shares = counted["estimand"].eq("proportion") & ~counted["row_id"].str.endswith("exact")
    assert _shares(counted[shares]) <= shown
    assert "29/54 (54%)" in shown and "60 (50–72)" in shown


def test_every_simulated_number_of_the_noise_table_is_a_row(synthetic: Study) -> None:
    """Found the other way round: from the cells to the rows of the setting they stand in."""
    frame = synthetic.statistics
    shown = tables.noise(frame).rows
    settings = [row for row in shown if row.cells[0].startswith("reliability 0")]
    assert len(settings) == 2 * 5
    for row in settings:
        rows = frame[frame["term"].eq("_".join(row.cells[0].split()[:2]))]
        values = rows[["estimate", "conf_low", "conf_high"]].to_numpy().ravel()
        known = {rounding.fixed(v, 2) for v in values} | {rounding.fixed(v, 1) for v in values}
        known |= {rounding.measure(v, 2) for v in values} | {rounding.measure(v, 1) for v in values}
        known |= {rounding.fixed(100 * v, 1) for v in values}
        known |= {rounding.fixed(100 * v, 0) for v in values} | {row.cells[0].split()[1]}
        for cell in row.cells:
            assert set(re.findall(r"-?[\d.]+", cell)) <= known, cell
    observed = next(row for row in shown if row.cells[0] == "observed")
    assert observed.cells[1:] == ("0.70 (0.63 to 0.78)", rounding.EMPTY, "13")


def test_a_changed_statistic_changes_the_table(synthetic: Study) -> None:
    """Nothing is computed again: the table follows the row, whatever it says."""
    frame = synthetic.statistics.copy()
    row = frame["row_id"].eq("transition.proportion/krenning/all/up")
    frame.loc[row, "n_events"] = 13
    assert "13/54 (24%)" in table_formats.to_csv(tables.transitions(frame))


def test_the_matrix_has_its_totals_and_daggers(synthetic: Study) -> None:
    table = tables.transition_matrix(synthetic.matrix, synthetic.statistics)
    body = [[float(cell.rstrip("†")) for cell in row.cells[1:]] for row in table.rows]
    counts = [row[:-1] for row in body[:-1]]
    assert [sum(row) for row in counts] == [row[-1] for row in body[:-1]]
    assert [sum(column) for column in zip(*counts, strict=True)] == body[-1][:-1]
    assert body[-1][-1] == 54
    split = synthetic.matrix[[f"split_{step}" for step in range(5)]].to_numpy()
    for i, row in enumerate(table.rows[:-1]):
        assert [cell.endswith("†") for cell in row.cells[1:-1]] == list(split[i] > 0)
    assert any(note.startswith("†") for note in table.notes)


def test_exact_scores_need_no_dagger(synthetic: Study) -> None:
    matrix = synthetic.matrix.copy()
    matrix[[f"split_{step}" for step in range(5)]] = 0.0
    table = tables.transition_matrix(matrix)
    assert "†" not in table_formats.to_csv(table) + "".join(table.notes)


def test_what_is_not_ok_never_looks_ok(study: Study) -> None:
    frame = study.statistics
    for table in (tables.transitions(frame), tables.models(frame)):
        page = table_formats.to_html(table)
        for row, record in zip(table.rows, _rows(table), strict=True):
            if row.heading or row.status == "ok":
                continue
            letters = [letter for cell in row.cells for letter in re.findall(r"\[([a-z]+)\]", cell)]
            assert letters, "a row that is not ok has a mark"
            assert record["status"] == row.status and record["note"]
            assert f'class="{row.status}"' in page
            if row.status == "not_estimable":
                assert row.cells[1].startswith("not estimable")
                assert row.cells[2] == row.cells[3] == rounding.EMPTY
    shown = {row.status for table in study.tables() for row in table.rows}
    assert "not_estimable" in shown or "unstable" in shown


def test_an_unstable_row_loses_its_mark_only_with_its_status(synthetic: Study) -> None:
    name = "model.krenning/krenning/confirmatory/log2_mib1/maximum_likelihood"
    frame = synthetic.statistics.copy()
    assert statistics.find(frame, name)["status"] == "unstable"
    before = next(row for row in tables.models(frame).rows if row.cells[1].startswith("1.92"))
    assert re.fullmatch(r"1\.92\[[a-z]\]", before.cells[1]) and before.status == "unstable"
    frame.loc[frame["row_id"].eq(name), ["status", "reason"]] = ["ok", None]
    after = next(row for row in tables.models(frame).rows if row.cells[1].startswith("1.92"))
    assert after.cells[1] == "1.92" and after.status == "ok"


def test_cycles_are_always_an_association(study: Study) -> None:
    table = tables.models(study.statistics)
    lines = [
        row for row in _rows(table) if row["Term"].startswith(("CAPTEM cycles", "every term["))
    ]
    if len(study.patients):
        assert lines
    assert all("Association only" in row["note"] for row in lines)


def test_the_estimate_comes_before_p(study: Study) -> None:
    for table in (tables.transitions(study.statistics), tables.models(study.statistics)):
        columns = [column.split(" ")[-1] for column in table.columns]
        assert 1 < columns.index("CI") < columns.index("P")


def test_a_small_p_is_a_bound(synthetic: Study) -> None:
    rows = _rows(tables.transitions(synthetic.statistics))
    test = next(row for row in rows if row["Finding"] == "As many up as down?")
    assert _bare(test["P"]) == "<.001"
    for table in synthetic.tables():
        assert not re.search(r"\b0\.\d+e|,\.000", table_formats.to_csv(table))


def test_an_open_interval_of_p_is_told(synthetic: Study) -> None:
    rows = _rows(tables.transitions(synthetic.statistics))
    test = next(row for row in rows if row["Finding"] == "As many gained as lost?")
    assert "Interval scores leave P open" in test["note"]


def test_the_synthetic_word_is_in_every_format(synthetic: Study) -> None:
    for table in synthetic.tables():
        assert all(row["data"] == "synthetic" for row in _rows(table))
        assert "synthetic data" in table.title
        assert "Synthetic data: every value is invented." in table_formats.to_html(table)
        document = docx.Document(io.BytesIO(word_tables.to_docx(table)))
        text = [paragraph.text for paragraph in document.paragraphs]
        assert "synthetic" in text[0] and "Synthetic data: every value is invented." in text


def test_recorded_data_are_not_called_synthetic() -> None:
    for table in shipped("published_case").tables():
        assert "synthetic" not in table_formats.html_page(table).lower()
        assert all(row["data"] == "recorded" for row in _rows(table))


def test_a_mixed_study_says_so() -> None:
    sources = pd.DataFrame({"synthetic": ["yes", "no"]})
    assert origin.data_kind(sources) == "partly synthetic"


def _text(paragraphs: list) -> str:
    """Return the text of a Word cell with its raised marks back in brackets."""
    return "".join(
        f"[{run.text}]" if run.style.name == "Table mark" else run.text
        for paragraph in paragraphs for run in paragraph.runs
    ).replace("\u00a0", " ")  # fmt: skip


def test_word_has_the_cells_of_the_csv(study: Study) -> None:
    for table in study.tables():
        grid = docx.Document(io.BytesIO(word_tables.to_docx(table))).tables[0]
        expected = list(csv.reader(io.StringIO(table_formats.to_csv(table))))
        for line, row in zip(grid.rows, expected, strict=True):
            cells = [_text(cell.paragraphs) for cell in line.cells]
            if len({id(cell._tc) for cell in line.cells}) == 1:
                cells = [cells[0], *("",) * (len(cells) - 1)]
            assert cells == row[: len(table.columns)]


def test_word_repeats_the_header_and_turns_wide_pages(synthetic: Study) -> None:
    for table in synthetic.tables():
        document = docx.Document(io.BytesIO(word_tables.to_docx(table)))
        grid, section = document.tables[0], document.sections[0]
        repeated = [bool(row._tr.xpath("./w:trPr/w:tblHeader")) for row in grid.rows]
        assert repeated == [True] + [False] * (len(repeated) - 1)
        assert (section.page_width > section.page_height) == table.wide
        assert document.paragraphs[0].style.name == "Caption"
        assert grid.style.name == "Table Captem"


def test_word_sets_symbols_by_named_styles(synthetic: Study) -> None:
    document = docx.Document(io.BytesIO(word_tables.to_docx(tables.models(synthetic.statistics))))
    runs = [run for row in document.tables[0].rows for cell in row.cells
            for paragraph in cell.paragraphs for run in paragraph.runs]  # fmt: skip
    by_style = {run.style.name: run.text for run in runs}
    assert by_style["P symbol"] == "P" and by_style["SUV subscript"] == "max"
    assert "Not to be read alone" in by_style
    assert document.styles["P symbol"].font.italic


def test_the_same_table_gives_the_same_bytes(synthetic: Study) -> None:
    for table in synthetic.tables():
        assert word_tables.to_docx(table) == word_tables.to_docx(table)
    again = analysed(shipped("config").settings).tables()
    for first, second in zip(synthetic.tables(), again, strict=True):
        assert word_tables.to_docx(first) == word_tables.to_docx(second)


def test_html_is_scoped_and_escaped() -> None:
    table = Table(
        "x", "A <b> & SUVmax", ("A", "P"),
        (Row(("<i>", ""), heading=True), Row(("a<1[a]", "<.001"), indent=True)),
        ("[a] Why & how.",),
    )  # fmt: skip
    page = table_formats.to_html(table)
    assert "A &lt;b&gt; &amp; SUV<sub>max</sub>" in page
    assert '<th scope="col"><i>P</i></th>' in page
    assert '<th scope="rowgroup"' in page and '<th scope="row"' in page
    assert '<sup><a href="#x-a">a</a></sup>' in page and '<p id="x-a">' in page
    assert "<caption" in page and "&lt;.001" in page
    assert table_formats.html_page(table).startswith("<!doctype html>")


def test_unknown_rows_break_nothing(synthetic: Study) -> None:
    extra = statistics.frame(
        [
            statistics.row("transition.hodges", "krenning", "all", "shift", role="secondary",
                           estimate=2.5, conf_low=1.5, conf_high=math.inf, conf_level=0.95),
            statistics.row("model.new", "new_outcome", "odd_subset", "hazard", term="some_term",
                           **statistics.not_estimable("log2_mib1 is missing")),
            statistics.row("bias.new", "krenning", "all", "gain", estimate=0.2),
            statistics.row("describe.ecog", "characteristics", "all", "proportion", term="0",
                           n_patients=60, n_events=30, estimate=0.5),
        ]
    )  # fmt: skip
    frame = statistics.combine([synthetic.statistics, extra])
    made = synthetic.tables(frame)
    texts = {table.name: table_formats.to_csv(table) for table in made}
    assert "Hodges,2.50,1.50 to ∞" in texts["transitions"]
    assert "some term" in texts["models"] and "MIB1 index is missing" in texts["models"]
    assert "30/60 (50%)" in texts["characteristics"]
    for table in made:
        word_tables.to_docx(table)


def test_statistics_read_from_a_file_give_the_same_tables(study: Study) -> None:
    text = study.statistics.to_csv(index=False)
    again = pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
    for make in (tables.characteristics, tables.transitions, tables.associations, tables.models,
                 tables.noise, tables.agreement):  # fmt: skip
        assert make(again) == make(study.statistics)


def test_the_letters_do_not_run_out() -> None:
    notes = table_parts.Footnotes()
    marks = [notes.mark(f"reason {i}") for i in range(60)]
    assert len(set(marks)) == 60 and marks[0] == "[a]" and marks[26] == "[aa]"
    table = Table("x", "t", ("A",), tuple(Row((mark,)) for mark in marks), tuple(notes.notes()))
    last = _rows(replace(table, data="recorded"))[-1]
    assert last["note"] == "Reason 59."


def _all_masked(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as they are where every count of theirs is too few to be shown."""
    masked = frame.copy()
    names = ["estimate", "conf_low", "conf_high", "statistic", "p_value", "p_low", "p_high",
             "p_adjusted", "n_patients", "n_lesions", "n_events"]  # fmt: skip
    masked[names] = None
    masked["status"], masked["reason"] = "not_estimable", "masked: fewer than 5"
    return statistics.frame(masked.to_dict("records"))


def test_where_all_is_masked_no_number_is_left(synthetic: Study) -> None:
    frame = _all_masked(synthetic.statistics)
    matrix = synthetic.matrix.copy()
    matrix[matrix.columns[1:]] = math.nan
    made = {table.name: table for table in (
        tables.characteristics(frame), tables.transition_matrix(matrix, frame),
        tables.transitions(frame), tables.associations(frame), tables.models(frame),
        tables.sensitivity(frame), tables.noise(frame), tables.agreement(frame),
        tables.lesions(frame),
    )}  # fmt: skip
    for table in made.values():
        cells = [cell for row in table.rows for cell in row.cells[1:]]
        assert any(_bare(cell) == "masked" for cell in cells), table.name
        numbers = [
            cell for row in table.rows
            for column, cell in enumerate(row.cells)
            if column not in table.text_columns and re.search(r"\d", _bare(cell))
        ]  # fmt: skip
        assert not numbers, table.name
        word_tables.to_docx(table)
    assert any("too few to be shown" in note for note in made["transition_matrix"].notes)
    # The reason is said once, as it is.
    assert "[a] Masked: fewer than 5." in made["characteristics"].notes


def test_a_masked_cell_takes_its_totals_with_it(synthetic: Study) -> None:
    matrix = synthetic.matrix.copy()
    matrix.loc[1, "2"] = math.nan
    rows = [row.cells[1:] for row in tables.transition_matrix(matrix).rows]
    hidden = [(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row)
              if cell == "masked"]  # fmt: skip
    assert hidden == [(1, 2), (1, 5), (5, 2), (5, 5)]
