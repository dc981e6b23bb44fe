"""What identifies a person is dropped and listed; codes are hashed where the config says so."""

from __future__ import annotations

import hashlib
import hmac
import io

import pytest
from captem import cohort, headings, identity, marking, redcap
from captem.errors import CaptemError
from captem.parts import Source
from captem.reading import read_part
from captem.schemas import fields, scans
from captem.source_table import SourceTable
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from test_layout import ingest

KEY = "a key that is long enough"
NAMES = "patient_id,krenning_pre,krenning_post,Surname,Contact,note\n"
SECRETS = ("Testperson", "test.person@example.org", "+49 30 12345678")
TABLE = NAMES + "A1,1,3,Testperson,+49 30 12345678,see test.person@example.org\n"


def everything(found, folder):
    """Return all that is written of a cohort, as text."""
    import zipfile

    frames = [found.patients, found.lesions, found.repairs, found.eligibility, found.sources,
              found.flow, found.problem_frame()]  # fmt: skip
    text = "".join(frame.to_csv() for frame in frames)
    for book in marking.workbooks(found, [str(folder / "p.csv")]):
        with zipfile.ZipFile(io.BytesIO(book)) as parts:
            text += "".join(
                parts.read(name).decode("utf-8", "replace") for name in parts.namelist()
            )
    return text


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["Maria Muster", "Otto Beispiel"], "names"), (["Muster, Maria"], "names, surname first"),
        (["M. Muster", "O. Beispiel"], "names"), (["00482913", "10293847"], "record numbers"),
        (["a@example.org", "x"], "e-mail addresses"), (["+49 30 1234567"], "telephone numbers"),
        (["A01", "A02"], ""), (["1", "2"], ""), (["NET-0001"], ""), (["Case report"], ""),
        (["MUSTER MARIA"], "names"), (["maria muster"], "names"),
        (["Muster Maria 1961", "Otto Hans *1951"], "names"), (["1961-02-03"], "dates of birth"),
        (["03.02.1961"], "dates of birth"), (["RETRO 1"], ""), (["patient one", "patient two"], ""),
        (["01-02-003"], ""), (["red ward", "red ward b"], ""),
        (["P 1", "P 2"], ""), ([""], ""), (["Retro 01"], ""), (["123456"], ""),
    ],
)  # fmt: skip
def test_codes_that_look_like_an_identity(texts, kind):
    assert identity.kind_of_codes(texts) == kind


def test_what_identifies_is_in_no_output(tmp_path):
    found = ingest(tmp_path, TABLE)
    text = everything(found, tmp_path)
    for secret in SECRETS:
        assert secret not in text
    dropped = {p.column for p in found.problems if p.rule == "identity_dropped"}
    assert dropped == {"Surname", "Contact", "note"}
    assert list(found.patients["patient_id"]) == ["A1"]


def test_names_as_codes_stop_the_run_and_are_not_written(tmp_path):
    found = ingest(tmp_path, "patient_id,krenning_pre,krenning_post\nMaria Muster,9,3\n")
    assert {"identity_as_code"} < {p.rule for p in found.problems if p.stops or p.row}
    assert "Muster" not in everything(found, tmp_path)


def test_with_a_key_names_may_be_codes(tmp_path):
    table = "Patient name,krenning_pre,krenning_post\nMaria Muster,9,3\nOtto Beispiel,1,3\n"
    source = {"columns": {"patient_id": "Patient name"}}
    assert "identity_as_code" in {p.rule for p in ingest(tmp_path, table, source=source).problems}
    found = ingest(tmp_path, table, source=source, key=KEY)
    assert {p.rule for p in found.problems} == {"out_of_range"}
    text = everything(found, tmp_path)
    assert "Muster" not in text and "Beispiel" not in text
    codes = list(found.patients["patient_id"])
    assert codes == [identity.hashed(name, KEY) for name in ("Maria Muster", "Otto Beispiel")]
    assert found.problems[0].patient_id == codes[0]


def test_hashes_join_lesions_and_do_not_depend_on_blanks(tmp_path):
    patients = "patient_id,krenning_pre,krenning_post\nA ,1,3\nA,1,3\n"
    lesions = "patient_id,lesion_id,krenning_pre,krenning_post\nA,1,1,3\nB,1,1,3\n"
    found = ingest(tmp_path, patients, lesions, key=KEY)
    assert {p.rule for p in found.problems} == {"duplicate_patient", "unknown_patient"}
    shown = {p.value for p in found.problems}
    assert shown == {identity.hashed("A", KEY), identity.hashed("B", KEY)}


@given(st.text(min_size=1, max_size=10), st.text(min_size=16, max_size=30))
def test_the_hash_is_hmac_sha256(code, key):
    expected = hmac.digest(key.encode(), code.encode(), hashlib.sha256).hex()[:16]
    assert identity.hashed(code, key) == expected


def test_a_missing_or_short_key_is_explained():
    for key in ("", "short"):
        with pytest.raises(CaptemError, match=identity.KEY_VARIABLE):
            identity.fingerprint(key)
    assert identity.fingerprint(KEY) != identity.fingerprint(KEY + "!")
    assert KEY not in identity.fingerprint(KEY)


HEADINGS = """
DoB|patientname|PATIENTNAME|Patientenname|Familienname|Rufname|Initialen|Init.|dateofbirth|birthdt
bdate|YOB|Geburtsdat.|MRNumber|HospID|Hosp. No.|Hosp#|CR#|IPD No|OPD no.|medrec|Medical record|NHSNo
NHI|Fall-Nr.|Aufnahmenummer|SAP-Nr|Versichertennummer|Krankenkassennummer|Aadhar no|Ph. no.|mobileno
contactno|emailid|Handy|Kontakt|Wohnort|Strasse|Straße|PLZ|birthplace|Pt. name|Birth_Date|MRN#
"""
ORDINARY = """
scanner name|tracer|filename|file name|lesion_name|last_contact|Letzter Kontakt|comment|visit name
CR|initial krenning|Hospital|scriptname|OP-Datum|Last contact: not reached
"""


@pytest.mark.parametrize("heading", HEADINGS.strip().replace("\n", "|").split("|"))
def test_headings_of_an_identity(heading):
    assert identity.identifies(heading)


@pytest.mark.parametrize("heading", ORDINARY.strip().replace("\n", "|").split("|"))
def test_ordinary_headings(heading):
    assert not identity.identifies(heading)


def test_no_word_of_captem_is_an_identity():
    words = {word for table in headings.SYNONYMS.values() for name, said in table.items()
             if name != "patient_id" for word in (name, *said)}  # fmt: skip
    for schema in headings.SCHEMAS.values():
        words |= {*schema.columns, *fields(schema), *scans(schema)} - {"patient_id"}
    assert [word for word in sorted(words) if identity.identifies(word)] == []


@pytest.mark.parametrize(
    ("heading", "cells", "kept"),
    [
        ("Pat", ("MUSTER, MARIA", "OTTO, HANS"), False),
        ("Patient", ("Maria Muster", "Hans Otto"), False),
        ("Region 2", ("Liver, Left", "Lung, Right"), True),
        ("colour", ("Red One", "Big Blue"), True),
        ("Patient status", ("Partial Response", "Stable Disease"), True),
        ("part", ("small bowel", "lung"), True), ("doc", ("MUSTER, MARIA", "OTTO, HANS"), False),
    ],
)  # fmt: skip
def test_people_in_columns_that_are_not_used(tmp_path, heading, cells, kept):
    rows = "".join(f'A{i},1,3,"{cell}"\n' for i, cell in enumerate(cells))
    found = ingest(tmp_path, f"patient_id,krenning_pre,krenning_post,{heading}\n{rows}")
    assert (heading in found.patients) == kept
    assert (cells[0] in everything(found, tmp_path)) == kept


def test_a_table_without_headings_is_not_shown(tmp_path):
    found = ingest(tmp_path, "Maria Muster,1961-02-03,5,4,2,3\nHans Otto,1950-03-04,5,4,2,3\n")
    assert found.parts[0].headless
    text = everything(found, tmp_path)
    assert not any(word in text for word in ("Muster", "Hans Otto", "1961", "1950"))
    assert not ingest(tmp_path, "patient_id,x\nA,1\n").parts[0].headless


TEXTS = [
    ("ward-002", "{2}"), ("see WARD001L2.", "see {1}L2."), ("A01_1 A012 A01", "{3}_1 A012 {3}"),
    ("2025-01-02, SUV 7.2025", "2025-01-02, SUV 7.2025"), ("x 2025/2", "x {4}/2"),
    ("L7 of 7", "L7 of 7"),
    ("WARD-0011", "WARD-0011"), ("101", "101"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_codes_in_texts(text, shown):
    codes = {
        "WARD-001": "{1}",
        "WARD-002": "{2}",
        "A01": "{3}",
        "2025": "{4}",
        "7": "{5}",
        "101": "x",
    }
    assert identity.Codes(codes).out_of(text) == shown


def test_hashed_codes_of_any_row_are_nowhere(tmp_path):
    patients = (
        "# WARD-001 was rescanned\n"
        "patient_id,krenning_pre,krenning_post,comment,pet_date_pre,Copy,n\n"
        "WARD-001,1,3,see ward 002,2025-01-02,WARD001,2025\nWARD-002,1,9,W-3,2025-01-03,WARD002,2\n"
        "2025,1,3,,2025-01-02,2025,1\n12,1,3,,2025-01-02,12,2\n"
    )
    lesions = (
        "patient_id,lesion_id,krenning_pre,krenning_post\nWARD-001,ward-001-L1,1,3\n"
        "WARD-002,WARD-001/2,1,8\n12,12,1,3\n"
    )
    found = ingest(tmp_path, patients, lesions, key=KEY)
    text = everything(found, tmp_path).lower()
    assert "ward-00" not in text and "ward00" not in text and "ward 00" not in text
    assert list(found.patients["Copy"]) == list(found.patients["patient_id"])
    assert set(found.patients["pet_date_pre"].astype(str).str[:10]) == {"2025-01-02", "2025-01-03"}
    assert found.lesions["lesion_id"].iloc[-1] == "12"
    assert "rescanned" in found.sources["note"].iloc[0]


@pytest.mark.parametrize("head", ["Kennung,Other", "ID,Patient"])
def test_with_a_key_and_no_column_of_codes_nothing_else_is_kept(tmp_path, head):
    table = f"{head},krenning_pre,krenning_post\nWARD-001,PX-77,2,3\nWARD-002,PX-78,2,3\n"
    found = ingest(tmp_path, table, key=KEY)
    text = everything(found, tmp_path)
    assert "WARD-00" not in text and "PX-7" not in text
    assert found.parts[0].rewritten


def test_with_a_key_lesions_without_a_code_of_the_patient_are_told_apart(tmp_path):
    patients = "patient_id,krenning_pre,krenning_post\nWARD-001,1,3\n"
    lesions = (
        "Kennung,lesion_id,lesion_site,tracer,krenning_pre,krenning_post\n"
        "WARD-001,WARD-001-L1,liver,of WARD-001,2,3\nWARD-001,WARD-001-L2,liver,x,2,3\n"
    )
    found = ingest(tmp_path, patients, lesions, key=KEY)
    assert "WARD-00" not in everything(found, tmp_path)
    assert "duplicate_lesion" not in {p.rule for p in found.problems}


def test_the_marked_copy_of_a_workbook_without_headings_is_empty(tmp_path):
    book = Workbook()
    for row in (["Maria Muster", "red", 5, 2], ["Hans Otto", "blue", 4, 3]):
        book.active.append(row)
    book.save(tmp_path / "p.xlsx")
    found = cohort.ingest([Source("ward", str(tmp_path / "p.xlsx"))])
    assert found.parts[0].headless
    copy = marking.workbooks(found, [str(tmp_path / "p.xlsx")])[0]
    cells = [
        cell.value for sheet in load_workbook(io.BytesIO(copy)) for row in sheet for cell in row
    ]
    assert not any(word in str(cells) for word in ("Muster", "Otto", "red", "blue"))


@pytest.mark.parametrize(
    ("column", "cell", "kept"),
    [
        ("krenning_post", "call +49 30 1234567", False), ("mib1", "a@example.org", False),
        ("mib1", "0301234567", False), ("remark", "ring 0171 1234567", False),
        ("tracer", "+49 30 1234567", False), ("remark", "SUV 0.0123456 on 01.02.2025", True),
        ("suvmax_pre", "0.0123456", True), ("suvmax_pre", "012345678", True),
        ("remark", "10-20 mm", True),
        ("pet_date_pre", "01/02/2025", True), ("remark", "+0.01234567", True),
    ],
)  # fmt: skip
def test_addresses_in_cells(tmp_path, column, cell, kept):
    names = ["patient_id", "krenning_pre", "krenning_post", "mib1"]
    own = dict(zip(names, ("A1", "1", "3", "5"), strict=True)) | {column: cell}
    rows = [own, dict.fromkeys(own, "") | {"patient_id": "A2", column: "3"},
            dict.fromkeys(own, "") | {"patient_id": "A3", column: "4"}]  # fmt: skip
    lines = [",".join(own), *(",".join(row.values()) for row in rows)]
    found = ingest(tmp_path, "\n".join(lines) + "\n")
    blanked = [p for p in found.problems if p.rule == "identity_removed"]
    assert (cell in everything(found, tmp_path) or not blanked) == kept
    assert [(p.column, p.row, p.value) for p in blanked] == ([] if kept else [(column, "2", "")])


def test_notes_do_not_name_people(tmp_path):
    table = "# ask muster@example.org\n# Synthetic, by Frau Muster\n# cut 2\n" + TABLE
    found = ingest(tmp_path, table)
    assert found.parts[0].cells.note == ["Synthetic", "cut 2"]
    assert "uster" not in everything(found, tmp_path)


DICTIONARY = [
    {"field_name": name, "form_name": "f", "field_type": kind, "field_label": label,
     "select_choices_or_calculations": choices, "identifier": mark}
    for name, kind, label, choices, mark in [
        ("patient_id", "text", "Study code, no name", "", ""), ("v1", "text", "DoB", "", ""),
        ("v2", "text", "Patientenname", "", ""), ("krenning_pre", "text", "Krenning", "", ""),
        ("krenning_post", "text", "Krenning", "", ""),
        ("kin", "checkbox", "K", "1, Maria Muster | 2, Otto", "y"),
        ("v3", "checkbox", "Initialen", "1, QQ | 2, ZZ", ""),
        ("v4", "checkbox", "Symptoms", "1, flush | 2, pain", ""),
    ]
]  # fmt: skip


def test_a_dictionary_tells_what_identifies(tmp_path):
    header = ["patient_id", "v1", "v2", "krenning_pre", "krenning_post",
              *(f"{name}___{code}" for name in ("kin", "v3", "v4") for code in "12")]  # fmt: skip
    rows = [["A1", "1961-02-03", "Muster", "1", "3", *"101010"]]
    table, hidden = redcap.prepared(SourceTable("p.csv", header, rows, [2]), DICTIONARY)
    assert "kin" in hidden
    assert {repair[1] for repair in table.repairs} == {"v3", "v4"}
    part = read_part(Source("ward", "p.csv"), "patients", table, hidden=hidden)
    shown = part.frame.to_csv() + str(part.repairs) + str(part.problems)
    assert "flush" in shown
    assert not any(word in shown for word in ("1961", "Muster", "QQ"))
    assert list(part.frame["patient_id"]) == ["A1"]
