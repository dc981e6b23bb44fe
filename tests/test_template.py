"""The forms for collecting data: one schema behind all of them, and the way back through ingest."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import zipfile

import openpyxl
import pandas as pd
import pytest
from captem import cohort, notation
from captem.checks import PAIRS
from captem.form_fields import asked
from captem.redcap_form import EVENTS, LATER, LESION_FIELDS
from captem.schemas import LESIONS, PATIENTS, SEXES, YES_NO, fields, scans
from captem.template import FILES, forms
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter
from pandera.errors import SchemaError
from studies import ROOT

TABLES = {"patients": PATIENTS, "lesions": LESIONS}
FORMS = forms()
# As REDCap writes it on top of a dictionary that one downloads.
REDCAP_HEADINGS = (
    '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    '"Choices, Calculations, OR Slider Labels","Field Note",'
    '"Text Validation Type OR Show Slider Number","Text Validation Min","Text Validation Max",'
    'Identifier?,"Branching Logic (Show field only if...)","Required Field?","Custom Alignment",'
    '"Question Number (surveys only)","Matrix Group Name","Matrix Ranking?","Field Annotation"'
)
NAME, FORM, KIND, CHOICES, NOTE, VALIDATION, LOW, HIGH = (
    "Variable / Field Name", "Form Name", "Field Type", "Choices, Calculations, OR Slider Labels",
    "Field Note", "Text Validation Type OR Show Slider Number", "Text Validation Min",
    "Text Validation Max",
)  # fmt: skip


def workbook():
    return openpyxl.load_workbook(io.BytesIO(FORMS["entry_form.xlsx"]))


def records(name):
    return list(csv.DictReader(io.StringIO(FORMS[name].decode("utf-8"))))


def described(table):
    return json.loads(FORMS[f"{table}.schema.json"])


def headings(sheet):
    return [cell.value for cell in sheet[1]]


def checks(table):
    """Return the data validation of each column of an entry sheet, by heading."""
    sheet = workbook()[table]
    by_cells = {str(check.sqref): check for check in sheet.data_validations.dataValidation}
    assert len(by_cells) == len(headings(sheet))
    return {
        name: by_cells[f"{get_column_letter(i)}2:{get_column_letter(i)}501"]
        for i, name in enumerate(headings(sheet), start=1)
    }


def redcap_fields():
    """Return the dictionary's rows by (table, name without `_pre` and `_post`)."""
    found = {}
    for row in records("redcap_data_dictionary.csv"):
        lesion = row[FORM] == "lesion"
        key = ("lesions", LESION_FIELDS[row[NAME]]) if lesion else ("patients", row[NAME])
        assert key not in found
        found[key] = row
    return found


def stems(table):
    schema = TABLES[table]
    of = {column: stem for stem, at in scans(schema).items() for column in at.values()}
    return {name: of.get(name, name) for name in fields(schema)}


def all_fields():
    return [(table, spec) for table, schema in TABLES.items() for spec in fields(schema).values()]


# Every form asks everything, once


def test_entry_form_has_every_column_once_the_needed_ones_first():
    book = workbook()
    assert book.sheetnames == ["patients", "lesions", "codebook", "read me"]
    for table, schema in TABLES.items():
        names = headings(book[table])
        assert sorted(names) == sorted(fields(schema))
        assert book[table].max_row == 1
    pairs = [name for pair in PAIRS for name in pair]
    assert headings(book["patients"])[:5] == ["patient_id", *pairs]
    assert headings(book["lesions"])[:6] == ["patient_id", "lesion_id", *pairs]
    rest = headings(book["patients"])[5:]
    assert rest == [name for name in fields(PATIENTS) if name in rest]


def test_needed_columns_are_marked():
    for table in TABLES:
        sheet = workbook()[table]
        colours = {cell.value: cell.fill.fgColor.rgb for cell in sheet[1]}
        needs = {question.field.name: question.need for question in asked(table)}
        assert {name for name in needs if needs[name] == "yes"} == (
            {"patient_id"} if table == "patients" else {"patient_id", "lesion_id"}
        )
        assert {name for name in needs if needs[name] == "one pair"} == {*PAIRS[0], *PAIRS[1]}
        marked = {(needs[name], colour) for name, colour in colours.items()}
        assert len(marked) == len({colour for _, colour in marked}) == 3


def test_codebook_explains_every_column():
    rows = [[cell.value for cell in row] for row in workbook()["codebook"].iter_rows(min_row=2)]
    assert sorted(row[:2] for row in rows) == sorted([t, spec.name] for t, spec in all_fields())
    assert all(row[2] and row[4] and row[6] for row in rows)


def test_redcap_asks_every_column_once():
    wanted = {(table, stem) for table in TABLES for stem in stems(table).values()}
    assert set(redcap_fields()) == wanted - {("lesions", "patient_id")}
    assert set(LATER) <= {name for _, name in redcap_fields()} - set(scans(PATIENTS))


def test_table_schemas_have_the_columns_of_the_entry_form_in_its_order():
    for table in TABLES:
        names = [column["name"] for column in described(table)["fields"]]
        assert names == headings(workbook()[table])


# What may be answered


def test_choices_are_the_vocabulary_everywhere():
    found = redcap_fields()
    chosen = [(table, spec) for table, spec in all_fields() if spec.choices]
    assert {spec.choices for _, spec in chosen} >= {SEXES, YES_NO}
    for table, spec in chosen:
        check = checks(table)[spec.name]
        assert (check.type, check.formula1) == ("list", f'"{",".join(spec.choices)}"')
        assert check.showErrorMessage and check.errorStyle == "stop"
        row = found[table, stems(table)[spec.name]]
        codes = [part.split(",")[0].strip() for part in row[CHOICES].split("|")]
        assert tuple(codes) == spec.choices
        assert all(re.fullmatch(r"\w+", code, re.ASCII) for code in codes)
        assert row[KIND] in ("radio", "dropdown")
    for table, spec in all_fields():
        column = next(c for c in described(table)["fields"] if c["name"] == spec.name)
        assert column.get("constraints", {}).get("enum", []) == list(spec.choices)


def allowed(schema, column, value):
    """Ask the schema itself whether a value is in range."""
    spec = schema.columns[column]
    try:
        spec.validate(pd.DataFrame({column: pd.array([value], dtype=str(spec.dtype))}))
    except SchemaError:
        return False
    return True


def typed(check, value):
    """Say whether a spreadsheet lets a number through, by its rule."""
    low, high = float(check.formula1), check.formula2
    if check.operator == "between":
        return low <= value <= float(high)
    return value > low if check.operator == "greaterThan" else value >= low


@pytest.mark.parametrize(
    ("table", "name"),
    [(table, spec.name) for table, spec in all_fields() if spec.kind in ("number", "count")],
)
def test_ranges_are_those_of_the_schema(table, name):
    spec = fields(TABLES[table])[name]
    check = checks(table)[name]
    row = redcap_fields()[table, stems(table)[name]]
    column = next(c for c in described(table)["fields"] if c["name"] == name)
    limits = column["constraints"]
    assert check.type == {"number": "decimal", "count": "whole"}[spec.kind]
    assert row[VALIDATION] == {"number": "number", "count": "integer"}[spec.kind]
    assert column["type"] == {"number": "number", "count": "integer"}[spec.kind]
    for value in (-1, 0, 1, 119, 120, 121, 100_000):
        right = allowed(TABLES[table], name, value)
        assert typed(check, value) == right, value
        # REDCap and Table Schema have no open lower end; there a note says it, or the text.
        open_end = value == 0 and not right and "above 0" in column["description"]
        within = value >= float(row[LOW]) and value <= float(row[HIGH] or "inf")
        assert within == right or (open_end and row[NOTE] == "above 0"), value
        within = limits["minimum"] <= value <= limits.get("maximum", float("inf"))
        assert within == right or open_end, value


def test_cells_have_the_format_of_their_kind():
    formats = {"date": "yyyy-mm-dd", "number": "General", "count": "0"}
    for table, schema in TABLES.items():
        sheet = workbook()[table]
        assert sheet.freeze_panes == {"patients": "B2", "lesions": "C2"}[table]
        for i, name in enumerate(headings(sheet), start=1):
            spec, check = fields(schema)[name], checks(table)[name]
            column = sheet.column_dimensions[get_column_letter(i)]
            # Text, so that a spreadsheet does not make a day in April of the score 3-4.
            assert column.number_format == formats.get(spec.kind, "@"), name
            assert check.showInputMessage and check.promptTitle == name
            assert len(check.prompt) <= 255 and len(check.error) <= 255
            if spec.kind == "date":
                assert check.type == "date"
            if spec.kind in ("score", "percent"):
                assert "interval such as" in check.prompt
                # Another notation is asked about, never refused.
                assert not check.showErrorMessage or check.errorStyle == "warning"
            if spec.kind == "score":
                offered = check.formula1.strip('"').split(",")
                assert all(notation.score(text).rule == "" for text in offered)
    types = {spec.name: spec.kind for spec in fields(PATIENTS).values()}
    for column in described("patients")["fields"]:
        assert (column["type"] == "date") == (types[column["name"]] == "date")


def pattern(name):
    column = next(c for c in described("patients")["fields"] if c["name"] == name)
    return column["constraints"]["pattern"]


def test_score_pattern_is_what_is_read_as_it_stands():
    ends = [str(i) for i in range(5)]
    texts = [*ends, *(f"{a}-{b}" for a in ends for b in ends)]
    texts += [f"{sign}{end}" for sign in ("<", "<=", ">", ">=") for end in ends]
    texts += ["", "5", "2-5", ">4", "<0", "V", "3.5", "-1", "2 - 3", "2-3-4", "high"]
    roman = ("I", "II", "III", "IV")
    texts += [*roman, "II-III", "III-IV", "IV-III", "I-V", ">IV", "IIII", "<=II", ">I"]
    for text in texts:
        try:
            low, high, rule = notation.score(text)
        except notation.NotReadable:
            right = False
        else:
            right = low is not None and 0 <= low <= high <= 4
            plainly = text[:1] in ("<", ">") or text == notation.written(low, high)
            right = right and (plainly or rule.startswith("roman"))
        assert bool(re.fullmatch(pattern("krenning_pre"), text)) == right, text


@given(st.floats(0, 100), st.floats(0, 100), st.sampled_from(["", "<", "<=", ">", ">="]))
def test_percent_pattern_takes_what_is_written(a, b, sign):
    low, high = sorted((round(a, 3), round(b, 3)))
    text = notation.written(low, high) if not sign else sign + notation.written(low, low)
    assert re.fullmatch(pattern("mib1"), text)
    if (sign, low) in (("<", 0), (">", 100)):
        return  # leaves no percentage, which a pattern cannot say
    assert notation.percent(text).low is not None


@pytest.mark.parametrize(
    "text", ["", "7%", "high", "-5", "101", "100.5", "7,5", "7-", "1-2-3", "<"]
)
def test_percent_pattern_refuses(text):
    assert not re.fullmatch(pattern("mib1"), text)


# REDCap's own rules


def test_redcap_dictionary_has_the_columns_that_redcap_imports():
    first = next(csv.reader([REDCAP_HEADINGS]))
    rows = list(csv.reader(io.StringIO(FORMS["redcap_data_dictionary.csv"].decode("utf-8"))))
    assert len(first) == 18
    assert rows[0] == first
    assert {len(row) for row in rows} == {18}


def test_redcap_field_names_are_valid_and_unique():
    rows = records("redcap_data_dictionary.csv")
    names = [row[NAME] for row in rows]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z](?!.*__)[a-z0-9_]{0,24}[a-z0-9]", name) for name in names)
    # The record's own name first, and each form in one piece.
    assert names[0] == "patient_id"
    order = [row[FORM] for row in rows]
    assert list(dict.fromkeys(order)) == ["enrolment", "pet_scan", "lesion"]
    assert order == sorted(order, key=["enrolment", "pet_scan", "lesion"].index)
    assert not set(names) & {f"{form}_complete" for form in order}
    assert {row["Identifier?"] for row in rows} == {""}
    assert {row[KIND] for row in rows} == {"text", "radio", "dropdown"}
    for row in rows:
        assert row["Field Label"] and "baseline" not in row["Field Label"].split(", ")
        assert (row[KIND] == "text") == (row[CHOICES] == "")
        assert row[VALIDATION] in ("", "number", "integer", "date_ymd")


def test_what_is_known_later_stands_at_the_end_of_enrolment():
    rows = [row for row in records("redcap_data_dictionary.csv") if row[FORM] == "enrolment"]
    assert tuple(row[NAME] for row in rows[-len(LATER) :]) == LATER
    titled = [row[NAME] for row in rows if row["Section Header"]]
    assert titled == ["age_years", LATER[0]]
    assert {"captem_cycles", "captem_end", "best_response", "vital_status"} <= set(LATER)
    assert "captem_start" not in LATER


def test_lesion_fields_lead_back_to_the_lesion_table():
    assert LESION_FIELDS["lesion_krenning"] == "krenning"
    assert LESION_FIELDS["lesion_status"] == "lesion_status"
    assert set(LESION_FIELDS.values()) == set(stems("lesions").values()) - {"patient_id"}


def test_redcap_events_and_forms_fit_together():
    forms_of = {row[FORM] for row in records("redcap_data_dictionary.csv")}
    unique = []
    for row in records("redcap_events.csv"):
        # How REDCap makes the name: hyphens vanish, what is no letter or digit becomes `_`.
        bare = re.sub(r"[^a-z0-9]+", "_", row["event_name"].lower().replace("-", "")).strip("_")
        unique.append(f"{bare}_arm_{row['arm_num']}")
    assert unique == ["baseline_arm_1", "follow_up_arm_1"]
    assert [name for _, name in EVENTS.values()] == unique
    asked_at = {(row["unique_event_name"], row["form"])
                for row in records("redcap_instrument_events.csv")}  # fmt: skip
    both = {(event, form) for event in unique for form in ("pet_scan", "lesion")}
    assert asked_at == both | {("baseline_arm_1", "enrolment")}
    assert {form for _, form in asked_at} == forms_of
    repeated = [(row["event_name"], row["form_name"])
                for row in records("redcap_repeating_forms.csv")]  # fmt: skip
    assert repeated == [(event, "lesion") for event in unique]
    shown = {row[NAME]: row["Branching Logic (Show field only if...)"]
             for row in records("redcap_data_dictionary.csv")}  # fmt: skip
    assert shown["lesion_status"] == "[event-name] = 'follow_up_arm_1'"
    assert shown["lesion_krenning"] == ""


def test_how_to_names_every_file_in_a_page():
    text = FORMS["redcap_how_to.txt"].decode("utf-8")
    assert len(text.splitlines()) <= 25
    assert all(
        name in text for name in FILES if name.startswith("redcap_") and "how_to" not in name
    )


# Files


def test_same_bytes_whenever_they_are_made():
    assert forms() == FORMS
    with zipfile.ZipFile(io.BytesIO(FORMS["entry_form.xlsx"])) as book:
        times = re.findall(rb"\d{4}-\d\d-\d\dT[\d:]+Z", book.read("docProps/core.xml"))
        assert times == [b"1980-01-01T00:00:00Z"] * 2
        assert {member.date_time[0] for member in book.infolist()} == {1980}


def test_the_rule_names_every_file():
    assert tuple(FORMS) == FILES
    rule = (ROOT / "workflow/rules/template.smk").read_text(encoding="utf-8")
    assert tuple(re.findall(r'f"\{RESULTS\}/templates/([^"]+)"', rule)) == FILES


def test_data_package_ties_the_tables_together():
    package = json.loads(FORMS["datapackage.json"])
    assert [(r["name"], r["path"]) for r in package["resources"]] == [
        ("patients", "patients.csv"), ("lesions", "lesions.csv"),
    ]  # fmt: skip
    assert all(r["schema"] in FILES for r in package["resources"])
    assert described("patients")["primaryKey"] == ["patient_id"]
    assert described("lesions")["primaryKey"] == ["patient_id", "lesion_id"]
    assert described("lesions")["foreignKeys"] == [
        {"fields": ["patient_id"], "reference": {"resource": "patients", "fields": ["patient_id"]}}
    ]
    kinds = {"string": {"required", "enum", "pattern"}, "date": set(),
             "number": {"minimum", "maximum"}, "integer": {"minimum", "maximum"}}  # fmt: skip
    for table in TABLES:
        assert described(table)["missingValues"] == [""]
        for column in described(table)["fields"]:
            assert set(column.get("constraints", {})) <= kinds[column["type"]]


# The way back: filled in, and read


# In the order in which these things happen.
DAYS = (
    "mib1_date", "ssa_last_dose_date_pre", "pet_date_pre", "captem_start", "last_captem_date",
    "captem_end", "ssa_last_dose_date_post", "pet_date_post", "prrt_after_date", "last_contact",
)  # fmt: skip
WORDS = {"interval_therapy": "none", "who_grade": "G2"}


def answers():
    """Return a filled-in study: table -> a record of (cell, canonical values) a row.

    Three patients of two lesions each, every column filled in, and nothing in them that one value
    could hold against another: the lesions are scored as their patient is, the days are in order,
    tumour and organs have much the same SUV, tracer and scanner stay.
    """
    pairs = (("0", "2-3"), ("1-2", "4"), ("3", "3"))
    tables = {"patients": [], "lesions": []}
    for i, scores in enumerate(pairs):
        codes = {"patient_id": f"P{i + 1:02d}"}
        tables["patients"].append(answered(PATIENTS, codes, i, scores))
        for j in range(2):
            codes = {"patient_id": f"P{i + 1:02d}", "lesion_id": "AB"[j],
                     "index_lesion": ("yes", "no")[j], "lesion_status_post": "present"}  # fmt: skip
            tables["lesions"].append(answered(LESIONS, codes, i, scores))
    return tables


def answered(schema, codes, i, scores):
    row = {}
    for place, (name, spec) in enumerate(fields(schema).items()):
        if name in codes:
            row[name] = (codes[name], (codes[name],))
        elif spec.kind == "score":
            text = scores["_post" in name]
            row[name] = (text, (int(text[0]), int(text[-1])))
        elif spec.kind == "percent":
            text, ends = (("7-8", (7, 8)), ("12.5", (12.5, 12.5)), ("3", (3, 3)))[i]
            row[name] = (text, ends)
        elif spec.kind == "count":
            row[name] = (i + place % 3, (i + place % 3,))
        elif spec.kind == "number":
            # An eighth a column: exact in binary, and no two columns of a patient alike.
            row[name] = (50.25 + i + place / 8, (50.25 + i + place / 8,))
        elif spec.kind == "date":
            day = dt.date(2025, 1 + DAYS.index(name), 1 + i)
            row[name] = (day, (day.isoformat(),))
        elif spec.kind == "choice":
            word = spec.choices[i % len(spec.choices)]
            row[name] = (word, (word,))
        else:
            text = WORDS.get(name, f"some {re.sub('_(pre|post)$', '', name)}, {i}")
            row[name] = (text, (text,))
    return row


def read_back(source, tables):
    """Read a source and hold every value against the answers; nothing repaired, nothing noticed."""
    found = cohort.ingest([source], threshold=3, rule="highest", on_problem="stop")
    assert found.problems == []
    assert found.repairs.to_dict("records") == []
    for table, frame in (("patients", found.patients), ("lesions", found.lesions)):
        assert len(frame) == len(tables[table])
        key = ["patient_id", "lesion_id"][: 1 + (table == "lesions")]
        frame = frame.set_index(key)
        for row in tables[table]:
            place = tuple(row[name][0] for name in key)
            read = frame.loc[place if len(place) > 1 else place[0]]
            for name, spec in fields(TABLES[table]).items():
                if name not in key:
                    assert tuple(read[column] for column in spec.columns) == row[name][1], name


def as_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_csv_of_the_data_package_is_read_back(tmp_path):
    tables = answers()
    paths = {
        table: as_csv(
            tmp_path / f"{table}.csv",
            [column["name"] for column in described(table)["fields"]],
            [{name: cell for name, (cell, _) in row.items()} for row in rows],
        )
        for table, rows in tables.items()
    }
    for table, rows in tables.items():
        for column in described(table)["fields"]:
            if rule := column.get("constraints", {}).get("pattern"):
                assert all(re.fullmatch(rule, row[column["name"]][0]) for row in rows)
    read_back(cohort.Source(name="ward", **paths), tables)


def test_filled_in_entry_form_is_read_back(tmp_path):
    tables, book = answers(), workbook()
    for table, rows in tables.items():
        sheet = book[table]
        for number, row in enumerate(rows, start=2):
            for place, name in enumerate(headings(sheet), start=1):
                sheet.cell(number, place).value = row[name][0]
    path = tmp_path / "filled.xlsx"
    book.save(path)
    source = cohort.Source(
        name="ward",
        patients=str(path),
        lesions=str(path),
        sheet="patients",
        lesions_sheet="lesions",
    )
    read_back(source, tables)


def redcap_export(tables):
    """Return the raw export of the filled-in project: a row an event, and a row a lesion."""
    dictionary = records("redcap_data_dictionary.csv")
    header = ["patient_id", "redcap_event_name", "redcap_repeat_instrument",
              "redcap_repeat_instance"]  # fmt: skip
    for form in ("enrolment", "pet_scan", "lesion"):
        header += [row[NAME] for row in dictionary if row[FORM] == form and row[NAME] not in header]
        header.append(f"{form}_complete")
    rows = []
    for patient in tables["patients"]:
        code = patient["patient_id"][0]
        marks = [row for row in tables["lesions"] if row["patient_id"][0] == code]
        for time, (_, event) in EVENTS.items():
            line = {"patient_id": code, "redcap_event_name": event, "pet_scan_complete": "2"}
            for stem, at in scans(PATIENTS).items():
                line[stem] = patient[at[time]][0]
            if time == "pre":
                line["enrolment_complete"] = "2"
                once = set(stems("patients").values()) - set(scans(PATIENTS))
                line |= {name: patient[name][0] for name in once}
            rows.append(line)
            for number, mark in enumerate(marks, start=1):
                line = {"patient_id": code, "redcap_event_name": event,
                        "redcap_repeat_instrument": "lesion", "redcap_repeat_instance": number,
                        "lesion_complete": "2"}  # fmt: skip
                for field, name in LESION_FIELDS.items():
                    at = scans(LESIONS).get(name)
                    column = at.get(time) if at else name
                    # The site and the mark of the index lesion are entered once, at baseline.
                    if column and (at or time == "pre" or name == "lesion_id"):
                        line[field] = mark[column][0]
                rows.append(line)
    return header, rows


def test_raw_export_of_the_redcap_project_is_read_back(tmp_path):
    tables = answers()
    dictionary = tmp_path / "dictionary.csv"
    dictionary.write_bytes(FORMS["redcap_data_dictionary.csv"])
    export = as_csv(tmp_path / "export.csv", *redcap_export(tables))
    source = cohort.Source(name="ward", patients=export, dictionary=str(dictionary))
    read_back(source, tables)
