"""Whole runs from what clinics have: a workbook, a REDCap project, codes that must not be seen."""

from __future__ import annotations

import csv
import io
import zipfile

import openpyxl
import pytest
import yaml
from captem import identity
from redcap_server import SYNTHETIC_DICTIONARY as DICTIONARY
from redcap_server import TOKEN, RedcapServer, synthetic_records

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
RECORDS = synthetic_records()
KEY = "a key that is long enough"


def config(clone, source, **settings):
    study = {"study": "mine", "cut": "2026-01-31", "sources": [{"name": "ward"} | source]}
    (clone.path / "mine.yaml").write_text(yaml.safe_dump(study | settings), encoding="utf-8")
    return "mine.yaml"


def rows(clone, name):
    with (clone.results("mine") / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def written(clone):
    """Return everything below the working folder that a run has written, unpacked."""
    found = {}
    for folder in ("results/mine", ".snakemake"):
        for path in (clone.path / folder).rglob("*"):
            if not path.is_file():
                continue
            data = path.read_bytes()
            if zipfile.is_zipfile(io.BytesIO(data)):
                with zipfile.ZipFile(io.BytesIO(data)) as parts:
                    data = b"".join(parts.read(name) for name in parts.namelist())
            found[str(path)] = data
    return found


def test_a_redcap_project_is_read_and_its_token_is_nowhere(clone):
    with RedcapServer(DICTIONARY, RECORDS) as server:
        source = {"redcap": {"url": server.url, "token_env": "WARD_TOKEN"}}
        name = config(clone, source)
        done = clone.snakemake("check", "--configfile", name, WARD_TOKEN=TOKEN)
    assert done.returncode == 0, done.stdout
    assert rows(clone, "cohort/ingested/patients.csv")
    assert rows(clone, "cohort/ingested/lesions.csv")
    assert TOKEN not in done.stdout
    assert not [path for path, data in written(clone).items() if TOKEN.encode() in data]


@pytest.mark.parametrize(
    ("fault", "token", "rule"),
    [("403", TOKEN, "redcap_refused"), ("500", TOKEN, "redcap_failed"),
     ("truncated", TOKEN, "redcap_broken_answer"), (None, "", "redcap_no_token")],
)  # fmt: skip
def test_a_server_at_fault_is_a_problem_in_words(clone, fault, token, rule):
    with RedcapServer(DICTIONARY, RECORDS, fault=fault) as server:
        name = config(clone, {"redcap": {"url": server.url, "token_env": "WARD_TOKEN"}})
        done = clone.snakemake("check", "--configfile", name, WARD_TOKEN=token)
    assert done.returncode == 1
    assert [row["rule"] for row in rows(clone, "cohort/problems.csv")] == [rule]
    assert "Traceback" not in done.stdout
    assert TOKEN not in done.stdout


def workbook(path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Patienten"
    sheet["A1"] = "Cohort of the ward, state of today"
    sheet.merge_cells("A1:E1")
    for row in (
        ["Code", "Name", "Ki-67 (%)", "Krenning before", "Krenning after"],
        ["Maria Muster", "Maria Muster", "7-8", "<=1", "III-IV"],
        ["Otto Beispiel", "Otto Beispiel", 12, 9, 3],
    ):
        sheet.append(row)
    other = book.create_sheet("private notes")
    other["A1"] = "call Frau Muster"
    book.save(path)


def test_a_workbook_with_names_for_codes_is_hashed_everywhere(clone):
    workbook(clone.path / "cohort.xlsx")
    source = {"patients": "cohort.xlsx", "sheet": "Patienten"}
    name = config(clone, source)
    done = clone.snakemake("check", "--configfile", name)
    assert done.returncode == 1 and "looks like names" in " ".join(done.stdout.split())
    name = config(clone, source, patient_ids="hash")
    done = clone.snakemake("check", "--configfile", name)
    assert done.returncode == 1 and identity.KEY_VARIABLE in done.stdout
    done = clone.snakemake("check", "--configfile", name, CAPTEM_ID_KEY=KEY)
    assert done.returncode == 1
    (problem,) = [row for row in rows(clone, "cohort/problems.csv") if row["severity"] == "error"]
    code = identity.hashed("Otto Beispiel", KEY)
    assert (problem["sheet"], problem["row"], problem["patient_id"]) == ("Patienten", "4", code)
    for path, data in written(clone).items():
        for secret in (b"Muster", b"Beispiel", KEY.encode()):
            assert secret not in data, path
    assert "Muster" not in done.stdout and "Beispiel" not in done.stdout
    marked = clone.results("mine") / "cohort/marked/ward_patients.xlsx"
    book = openpyxl.load_workbook(marked)
    assert "private notes" not in book.sheetnames
    cell = book["Patienten"]["D4"]
    assert cell.comment is not None and "ERROR" in cell.comment.text
    assert cell.fill.fgColor.rgb != book["Patienten"]["E4"].fill.fgColor.rgb


def test_another_key_is_another_run(clone):
    (clone.path / "p.csv").write_text("patient_id,krenning_pre,krenning_post\nA,1,2\n")
    name = config(clone, {"patients": "p.csv"}, patient_ids="hash")
    for key in (KEY, KEY + "!"):
        done = clone.snakemake("check", "--configfile", name, CAPTEM_ID_KEY=key)
        assert done.returncode == 0, done.stdout
        (row,) = rows(clone, "cohort/ingested/patients.csv")
        assert row["patient_id"] == identity.hashed("A", key)
    done = clone.snakemake("check", "--configfile", name, CAPTEM_ID_KEY=KEY + "!")
    assert "Nothing to be done" in done.stdout


def test_the_forms_are_written_before_the_first_patient(clone):
    (clone.path / "p.csv").write_text("patient_id,krenning_pre,krenning_post\n")
    name = config(clone, {"patients": "p.csv"})
    done = clone.snakemake("template", "--configfile", name)
    assert done.returncode == 0, done.stdout
    forms = {path.name for path in (clone.results("mine") / "templates").iterdir()}
    assert {"entry_form.xlsx", "redcap_data_dictionary.csv", "patients.schema.json"} <= forms
    assert "results/mine/templates" in done.stdout
    assert "No problems" not in done.stdout


@pytest.mark.parametrize("follow_up", ["first", "last"])
def test_the_follow_up_that_counts_goes_through_to_the_statistics(clone, follow_up):
    table = "patient_id,visit,pet_date,krenning\n" + "".join(
        f"P{i},baseline,2025-01-01,1\nP{i},FU 1,2025-06-01,1\nP{i},FU 2,2025-12-01,3\n"
        for i in range(6)
    )
    (clone.path / "p.csv").write_text(table)
    name = config(clone, {"patients": "p.csv"}, follow_up=follow_up)
    done = clone.snakemake("statistics", "--configfile", name)
    assert done.returncode == 0, done.stdout
    up = {row["row_id"]: row["n_events"] for row in rows(clone, "statistics.csv")}
    assert up["transition.proportion/krenning/all/up"] == ("6" if follow_up == "last" else "0")
    flow = {row["reason"]: row["n"] for row in rows(clone, "cohort/flow.csv")}
    assert flow[f"several follow-up PETs, the {follow_up} taken"] == "6"
