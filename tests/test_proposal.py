"""From a sheet to the config of a study: what is shown, what is written, and what is not."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pandas as pd
import pyreadstat
import pytest
import yaml
from captem import cohort
from captem.config import resolve
from captem.problems import stopping
from captem.proposal_config import quoted, study_name
from captem.sheet_choice import SheetSeen, chosen
from hypothesis import given, settings
from hypothesis import strategies as st
from propose_study import main
from studies import ROOT, schema

KEY = "a key for these tests only"
# Headings as clinics write them, with what stands below them in three rows.
COLUMNS = {
    "Patient Code": ("A01", "A02", "A03"),
    "Alter (Jahre)": ("58", "61", "47"),
    "Geschlecht": ("w", "m", "m"),
    "Ki-67: Index, %": ("7%-8%", "12 %", "<3"),
    "Anzahl Zyklen": ("6", "4", "8"),
    "Krenning (vor CAPTEM)": ("<=1", "2", "II"),
    'Krenning "nach" CAPTEM': ("III-IV", "3", "2"),
    "@SUVmax, baseline": ("9,1", "4,0", "6,2"),
    "- SUVmax follow-up #1": ("11,5", "8,0", "5,9"),
    "PET date pre": ("2025-01-02", "2025-02-03", "2025-03-04"),
    "sex of the ward's cat": ("?", "?", "?"),
    "Grading": ("G2", "G2", "G1"),
    "null": ("x", "y", "z"),
}
MINIMAL = {
    "Patient": ("A01", "A02"),
    "Krenning before": ("1", "2"),
    "Krenning after": ("3", "2"),
}


class Done(NamedTuple):
    """What the command left behind."""

    code: int
    said: str
    text: str
    path: Path

    @property
    def config(self) -> dict:
        return resolve(yaml.safe_load(self.text), schema())

    @property
    def source(self) -> dict:
        return self.config["sources"][0]

    def ingested(self, **options) -> cohort.Cohort:
        return cohort.ingest([cohort.Source(**self.source)], **options)

    def chosen(self, *entries: str) -> Done:
        """Take the # away from these lines, as a user does."""
        text = self.text
        for entry in entries:
            changed = re.sub(rf"^( *)# ( *){re.escape(entry)}", rf"\1\2{entry}", text, flags=re.M)
            assert changed != text, f"{entry} is not offered in\n{text}"
            text = changed
        return self._replace(text=text)


def propose(file: Path | str, *words: str, out: Path | None = None) -> Done:
    path = out or Path(file).parent / "proposed.yaml"
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        code = main([str(file), *words, *(["--out", str(path)])])
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return Done(code, stream.getvalue(), text, path)


def written(folder: Path, columns: dict[str, tuple], name: str = "my_cohort.csv") -> Path:
    pd.DataFrame(columns).to_csv(folder / name, index=False)
    return folder / name


def book(folder: Path, **sheets: list[list]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(folder / "my_book.xlsx")
    return folder / "my_book.xlsx"


def same_tables(done: Done) -> None:
    """What the config gives is what captem reads without it."""
    source = done.source
    bare = cohort.Source(**{**source, "columns": {}})
    named, found = done.ingested(), cohort.ingest([bare])
    pd.testing.assert_frame_equal(named.patients, found.patients)
    pd.testing.assert_frame_equal(named.lesions, found.lesions)
    assert set(named.problems) == set(found.problems)


def errors(found: cohort.Cohort) -> set[str]:
    return {problem.rule for problem in stopping(found.problems, "stop")}


# --- the config gives what the synonyms gave -----------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(st.permutations(list(COLUMNS)), st.integers(0, 6))
def test_the_config_reads_the_sheet_as_it_was_shown(order, left_out):
    with tempfile.TemporaryDirectory() as folder:
        names = order[: len(order) - left_out]
        done = propose(written(Path(folder), {name: COLUMNS[name] for name in names}))
        same_tables(done)
        assert (done.code == 0) == (not errors(done.ingested()))


def test_every_column_found_by_a_synonym_is_named(tmp_path):
    done = propose(written(tmp_path, COLUMNS))
    assert done.code == 0
    assert done.source["columns"] == {
        "patient_id": "Patient Code", "age_years": "Alter (Jahre)", "sex": "Geschlecht",
        "mib1": "Ki-67: Index, %", "captem_cycles": "Anzahl Zyklen",
        "krenning_pre": "Krenning (vor CAPTEM)", "krenning_post": 'Krenning "nach" CAPTEM',
        "suvmax_pre": "@SUVmax, baseline", "pet_date_pre": "PET date pre", "who_grade": "Grading",
        "suvmax_post": "- SUVmax follow-up #1",
    }  # fmt: skip
    assert re.search(r'# Kept as they are: .*"null"', done.text, re.DOTALL)


# Of these no heading is known, and nothing is proposed.
FOREIGN = ("mapped", "only_unknown")
HEADINGS = [path for path in sorted((ROOT / "tests/corpus/headings").glob("*.csv"))[::2]
            if path.stem not in FOREIGN]  # fmt: skip


@pytest.mark.parametrize("path", HEADINGS, ids=lambda path: path.name)
def test_headings_of_the_corpus(path, tmp_path):
    done = propose(path, out=tmp_path / "study.yaml")
    same_tables(done)
    assert (done.code == 0) == (not errors(done.ingested()))


def test_a_workbook_with_a_title_and_a_second_sheet_of_lesions(tmp_path):
    file = book(
        tmp_path,
        Patienten=[["Kohorte Musterstadt"], [], ["Patient", "Alter", "Ki-67 (%)"],
                   ["A01", 58, "7%-8%"], ["A02", 60, "12"]],
        Herde=[["Patient", "Lesion", "Krenning vor", "Krenning nach", "Durchmesser (cm) vor"],
               ["A01", "L1", 1, 3, 2.3], ["A02", "L1", 2, 2, 1.1]],
        Legende=[["siehe Protokoll"]],
    )  # fmt: skip
    done = propose(file)
    assert done.code == 0
    assert (done.source["sheet"], done.source["lesions_sheet"]) == ("Patienten", "Herde")
    assert '"Herde" (taken for the lesions), "Legende" (not read)' in " ".join(done.said.split())
    assert done.source["columns"]["diameter_mm_pre"] == "Durchmesser (cm) vor"
    assert "cm read as mm" in done.said
    assert done.ingested().lesions["diameter_mm_pre"].tolist() == [23, 11]
    same_tables(done)


def test_a_heading_of_both_tables_is_not_taken_from_one_into_the_other(tmp_path):
    """`columns` holds for both tables: what differs between them cannot be named there."""
    (tmp_path / "lesions.csv").write_text(
        "Patient,Lesion,Krenning before,krenning_pre,Krenning after,SUV pre\nA01,L1,4,1,3,9\n"
    )
    done = propose(written(tmp_path, MINIMAL), "--lesions", str(tmp_path / "lesions.csv"))
    assert "krenning_pre" not in done.source["columns"]
    assert done.ingested().lesions["krenning_pre_low"].tolist() == [1]
    same_tables(done)


def test_a_name_that_is_to_be_chosen_stands_there_once(tmp_path):
    """YAML would take the last of two without a word."""
    (tmp_path / "lesions.csv").write_text(
        "Patient,Lesion,Krenning before,Krenning after\nA01,L1,1,3\nA02,L1,2,2\n"
    )
    patients = {"Patient's cod": ("A01", "A02"), "Alter": ("58", "60")}
    done = propose(written(tmp_path, patients), "--lesions", str(tmp_path / "lesions.csv"))
    made = done.chosen('patient_id: "Patient\'s cod"')
    assert len(re.findall(r"^ +patient_id: ", made.text, re.MULTILINE)) == 1
    assert errors(made.ingested()) == set()


def test_one_row_a_scan(tmp_path):
    rows = [("A01", "Baseline", "1", "9"), ("A01", "FU 1", "2", "10"), ("A01", "FU 2", "3", "11"),
            ("A02", "Baseline", "1", "8"), ("A02", "FU 1", "3", "9")]  # fmt: skip
    names = ("Patient", "Zeitpunkt", "Krenning Score", "SUV")
    done = propose(written(tmp_path, dict(zip(names, zip(*rows, strict=True), strict=True))))
    assert done.code == 0
    said = "one row a scan, 5 rows of 2 patients, 2 with a follow-up PET (1 with more than one)"
    assert said in " ".join(done.said.split())
    assert done.source["columns"]["krenning"] == "Krenning Score"
    assert done.source["columns"]["visit"] == "Zeitpunkt"
    same_tables(done)


def test_several_follow_ups_and_both_scans_in_one_cell_are_left_to_their_headings(tmp_path):
    columns = {"Patient": ("A01",), "Krenning pre/post": ("1/3",), "SUVmax pre": ("9",),
               "SUVmax FU1": ("10",), "SUVmax FU2": ("11",)}  # fmt: skip
    done = propose(written(tmp_path, columns))
    assert done.code == 0
    same_tables(done)
    assert done.ingested().patients.loc[0, "suvmax_post"] == 11
    assert 'named here: "Krenning pre/post"' in done.text.replace("\n    #  ", "")


def test_an_spss_file_is_read_by_its_labels(tmp_path):
    """A unit that stands in a label only would be lost if the column were named."""
    frame = pd.DataFrame({"v1": ["A01"], "v2": [1.0], "v3": [3.0], "v4": [2.0]})
    labels = ["Patient", "Krenning before", "Krenning after", "Uptake time (h) pre"]
    pyreadstat.write_sav(frame, tmp_path / "c.sav", column_labels=labels)
    done = propose(tmp_path / "c.sav")
    assert done.code == 0
    assert done.source["columns"]["krenning_post"] == "v3"
    assert "the file's label" in done.text
    same_tables(done)
    assert done.ingested().patients.loc[0, "uptake_min_pre"] == 120


def test_an_export_of_redcap_with_its_dictionary(tmp_path):
    (tmp_path / "export.csv").write_text(
        "study_id,redcap_event_name,ks,gender\n1,baseline_arm_1,0,2\n1,follow_up_arm_1,3,\n"
    )
    (tmp_path / "dictionary.csv").write_text(
        '"Variable / Field Name","Field Type","Field Label","Choices, Calculations, OR Slider '
        'Labels"\nstudy_id,text,Study ID,\nks,text,Krenning score,\n'
        'gender,radio,Gender,"1, male | 2, female"\n'
    )
    done = propose(tmp_path / "export.csv", "--dictionary", str(tmp_path / "dictionary.csv"))
    assert done.code == 0
    same_tables(done)
    assert done.ingested().patients.loc[0, "sex"] == "female"


# --- what the user is asked ----------------------------------------------------------------------


def test_of_several_columns_one_is_to_be_chosen(tmp_path):
    columns = MINIMAL | {"Krenning baseline": ("0", "0")}
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    assert "More than one column could be krenning_pre" in done.said
    assert "ambiguous_heading" in errors(done.ingested())
    made = done.chosen('krenning_pre: "Krenning before"')
    assert errors(made.ingested()) == set()
    assert made.ingested().patients["krenning_pre_low"].tolist() == [1, 2]


def test_what_only_the_sheet_can_tell_apart_is_not_offered(tmp_path):
    """The config has no name for a second follow-up."""
    columns = MINIMAL | {
        "SUVmax FU": ("5", "6"),
        "SUVmax FU 2": ("5", "6"),
        "SUV max (follow-up 2)": ("5", "7"),
    }
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    assert "rename or delete all but one in the sheet" in " ".join(done.said.split())
    assert not re.search(r"# suvmax_post_2: ", done.text)


def test_scores_of_any_scan_are_to_be_chosen_too(tmp_path):
    columns = {"Patient": ("A", "A"), "Visit": ("pre", "post"), "Krenning score": ("1", "3"),
               "Krenning grade": ("2", "2")}  # fmt: skip
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    assert "choose one under columns:" in " ".join(done.said.split())
    made = done.chosen('krenning: "Krenning grade"')
    assert errors(made.ingested()) == set()


def test_what_is_required_and_missing_is_said_with_what_could_be_meant(tmp_path):
    columns = {"Patient": ("A01",), "Krening score, before": ("1",), "Krening nach CAPTEM": ("3",),
               "Bemerkung": ("x",)}  # fmt: skip
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    entries = ('krenning_pre: "Krening score, before"', 'krenning_post: "Krening nach CAPTEM"')
    said = " ".join(done.said.split())
    assert all(f"config write {entry}" in said for entry in entries)
    assert "Bemerkung" not in said.split("cannot run yet")[1]
    assert errors(done.chosen(*entries).ingested()) == set()


def test_columns_is_a_comment_too_where_all_under_it_are(tmp_path):
    columns = {"patient_id": ("A01",), "krenning_pre": ("1",), "Krenning FU": ("3",),
               "Krenning after": ("2",)}  # fmt: skip
    done = propose(written(tmp_path, columns))
    assert done.source["columns"] == {}
    made = done.chosen("columns:", 'krenning_post: "Krenning after"')
    assert errors(made.ingested()) == set()


def test_a_score_that_names_no_scan(tmp_path):
    done = propose(written(tmp_path, {"Patient": ("A", "B"), "Krenning": ("1", "2"),
                                      "Krenning after": ("3", "3")}))  # fmt: skip
    assert done.code == 1
    made = done.chosen('krenning_pre: "Krenning"')
    assert errors(made.ingested()) == set()


def test_dates_whose_order_is_open(tmp_path):
    columns = MINIMAL | {"PET date pre": ("03/04/2025", "05/06/2025"),
                         "CAPTEM start": ("25/04/2025", "26/06/2025")}  # fmt: skip
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    # The other column has the day first: that order is offered first.
    made = done.chosen("date_order: day_first")
    assert errors(made.ingested()) == set()
    assert made.ingested().patients["pet_date_pre"].tolist() == ["2025-04-03", "2025-06-05"]


def test_an_index_that_may_be_a_fraction(tmp_path):
    done = propose(written(tmp_path, MINIMAL | {"Ki-67": ("0.07", "0.12")}))
    assert done.code == 1
    made = done.chosen("units: {mib1: percent}")
    assert errors(made.ingested()) == set()


def test_words_of_visits_that_are_not_known(tmp_path):
    columns = {"Patient": ("A", "A"), "Timepoint": ("T0", "T1"), "Krenning": ("1", "3")}
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    assert "T0" not in done.said + done.text
    text = done.text.replace('# visits: {baseline: ["your word"], follow_up: ["your word"]}',
                             'visits: {baseline: ["T0"], follow_up: ["T1"]}')  # fmt: skip
    assert errors(done._replace(text=text).ingested()) == set()


@pytest.mark.parametrize(
    ("heading", "codes", "entries"),
    [
        ("Patient", ("Maria Muster", "Hans Otto"), ()),
        ("MRN", ("10293847", "56473829"), ('patient_id: "MRN"',)),
    ],
)
def test_codes_that_are_identities_can_be_hashed(tmp_path, heading, codes, entries):
    columns = {heading: codes, "Krenning before": ("1", "2"), "Krenning after": ("3", "3")}
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    assert "patient_ids: hash" in done.said
    made = done.chosen("patient_ids: hash", *entries)
    assert made.config["patient_ids"] == "hash"
    assert errors(made.ingested(key=KEY)) == set()


def test_a_misspelt_heading_is_offered_and_not_taken(tmp_path):
    done = propose(written(tmp_path, MINIMAL | {"Geschlect": ("w", "m")}))
    assert done.code == 0
    assert "sex" not in done.source["columns"]
    found = done.chosen('sex: "Geschlect"').ingested().patients
    assert found["sex"].tolist() == ["female", "male"]


def test_patients_in_several_rows_without_a_visit(tmp_path):
    columns = {"Patient": ("A", "A"), "Krenning before": ("1", "2"), "Krenning after": ("3", "3")}
    done = propose(written(tmp_path, columns))
    assert done.code == 1
    assert "add a column Visit" in " ".join(done.said.split())


# --- nothing of a cell, nothing that breaks the YAML ---------------------------------------------


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_no_cell_is_printed_or_written(data):
    marks = st.sampled_from(["zq81", "zq82;1", "1.zq3", "zq, zq", "0,1zq", "zq@example.org"])
    with tempfile.TemporaryDirectory() as folder:
        columns = {
            name: tuple(data.draw(marks) for _ in range(3)) for name in [*COLUMNS, "Visit", "Name"]
        }
        done = propose(written(Path(folder), columns))
        assert done.text
        # The folder has a name by chance, which may hold the same letters.
        assert "zq" not in (done.said + done.text).replace(folder, "")


def test_a_table_without_headings_is_not_shown(tmp_path):
    (tmp_path / "t.csv").write_text("Erika Muster,58,2,3,2025-01-02\nHans Otto,60,1,2,2025-02-03\n")
    done = propose(tmp_path / "t.csv")
    assert (done.code, done.text) == (1, "")
    assert "no line of headings" in done.said
    assert "Erika" not in done.said


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_heading_leaves_its_scalar_or_its_comment(text):
    loaded = yaml.safe_load(f"a: {quoted(text)}\n# {quoted(text)}\nb: {quoted(text)}  # x\n")
    assert loaded == {"a": text, "b": text}


@given(st.text())
def test_every_file_name_gives_a_study(stem):
    pattern = schema()["properties"]["study"]["pattern"]
    assert re.match(pattern, study_name(stem))


@pytest.mark.parametrize("name", ["all.csv", "confirmatory.csv", "Kohorte Müller: 2026.csv"])
def test_names_of_files_that_a_study_cannot_have(tmp_path, name):
    done = propose(written(tmp_path, MINIMAL, name))
    assert done.code == 0
    assert done.source["patients"].endswith(name)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(tmp_path, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    done = propose(written(tmp_path, COLUMNS), out=tmp_path / "s.yaml")
    lines = done.said.splitlines()[1:]
    table = [line for line in lines if line.startswith("heading of")]
    assert len(table) == 1
    assert max(map(len, lines[lines.index(table[0]) : -4])) <= width
    assert all(name.split()[0] in done.said for name in COLUMNS)


def test_counts_of_a_column(tmp_path):
    columns = MINIMAL | {"Alter": ("58", "old"), "Labor": ("x", "")}
    done = propose(written(tmp_path, columns))
    lines = {line.split()[0]: line.split() for line in done.said.splitlines() if line.strip()}
    assert lines["Alter"][-3:] == ["2", "1", "1"]
    assert lines["Labor"][-1] == "1"
    assert done.code == 1
    assert "not readable: 1" in done.said


# --- the file on disk, and errors ----------------------------------------------------------------


def test_a_config_that_is_there_is_never_overwritten(tmp_path):
    file = written(tmp_path, MINIMAL)
    first = propose(file)
    assert propose(file).code == 0
    first.path.write_text(first.text.replace("threshold: 3", "threshold: 2"), encoding="utf-8")
    again = propose(file)
    assert again.code == 1
    assert "threshold: 2" in again.text
    assert re.search(r"^-  threshold: 2\n\+  threshold: 3$", again.said, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["my_kohort.csv"], r"no file .*Did you mean .*my_cohort\.csv"),
        (["."], "is a folder"),
        (["empty.csv"], "cannot be read: an empty file"),
        (["my_cohort.csv", "--sheet", "Tabelle1"], "has no sheets"),
        (["my_book.xlsx", "--sheet", "Tabelle"], r'no sheet .*"one", "two"'),
        (["my_book.xlsx"], r"Several sheets .*--sheet .one."),
        (["my_cohort.csv", "--lesions", "none.csv"], "no file .*none.csv"),
        (["my_cohort.csv", "--cut", "the first one"], "cut: 'the first one' is not allowed"),
        (["my_cohort.csv", "--out", "my_cohort.csv/study.yaml"], "cannot be written"),
    ],
)
def test_what_goes_wrong_is_said_in_words(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, MINIMAL)
    (tmp_path / "empty.csv").write_text("")
    rows = [["Patient", "Krenning before", "Krenning after"], ["A01", 1, 3]]
    book(tmp_path, one=rows, two=rows)
    before = sorted(tmp_path.iterdir())
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        assert main(words) == 1
    assert re.search(said, stream.getvalue(), re.DOTALL), stream.getvalue()
    assert sorted(tmp_path.iterdir()) == before


def test_a_sheet_that_is_named_is_taken(tmp_path):
    rows = [["Patient", "Krenning before", "Krenning after"], ["A01", 1, 3]]
    done = propose(book(tmp_path, one=rows, two=rows), "--sheet", "TWO", "--cut", "2026-11-01")
    assert done.code == 0
    assert (done.source["sheet"], done.config["cut"]) == ("two", "2026-11-01")


def test_which_sheet_is_the_lesions_is_asked_where_two_could_be():
    patients = SheetSeen("P", known=3, scores=True)
    marks = [SheetSeen(name, known=3, scores=True, lesions=True) for name in ("L1", "L2")]
    with pytest.raises(Exception, match="--lesions-sheet"):
        chosen([patients, *marks], "f.xlsx")
    assert chosen([patients, *marks], "f.xlsx", lesions="L2") == ("P", "L2")
    assert chosen([patients, marks[0]], "f.xlsx", elsewhere=True) == ("P", "")
    empty = dataclasses.replace(patients) if dataclasses.is_dataclass(patients) else patients
    assert chosen([empty._replace(known=0)], "f.xlsx") == ("", "")


def test_the_command_as_it_is_typed(tmp_path):
    written(tmp_path, MINIMAL)
    words = [sys.executable, str(ROOT / "scripts/propose_study.py"), "my_cohort.csv"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    config = yaml.safe_load((tmp_path / "my_cohort.yaml").read_text(encoding="utf-8"))
    assert config["study"] == "my_cohort"
    words[-1] = "none.xlsx"
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_table_without_headings_is_neither_shown_nor_written(tmp_path):
    (tmp_path / "t.csv").write_text("Maria Muster,red,Kassel\nOtto Test,blue,Bonn\n", "utf-8")
    done = propose(tmp_path / "t.csv")
    assert done.code == 1
    assert "3 columns" in " ".join(done.said.split())
    assert not any(word in done.said + done.text for word in ("Muster", "Otto", "Kassel"))


def test_a_config_with_a_blank_in_its_name_is_quoted_in_the_hints(tmp_path):
    file = written(tmp_path, MINIMAL)
    done = propose(file, out=tmp_path / "my study.yaml")
    said = " ".join(done.said.split())
    assert "make check STUDY='" in said
    assert "my study.yaml'" in said


def test_what_make_runs():
    def planned(*words):
        # The tests may themselves run under make, which then speaks of its folders.
        plain = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        done = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, env=plain,
                              capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
        return " ".join(done.stdout.replace("\\\n", "").split())

    study = planned("study", "SHEET=README.md", "LESIONS=my l.csv", "OPTIONS=--cut 2")
    assert study.endswith('propose_study.py "README.md" --lesions "my l.csv" --cut 2')
    check = planned("check", "STUDY=config/config.yaml")
    assert check.endswith(' check --configfile "config/config.yaml"')
