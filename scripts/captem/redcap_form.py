"""The forms of a prospective study in REDCap: its data dictionary, events and repeating forms.

Two events, baseline and follow-up. `enrolment` is asked once, `pet_scan` once an event, `lesion`
once a lesion and event. A field of a scan has the name of the column without `_pre` and `_post`:
the event says which of the two it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from captem.form_fields import ALWAYS, TABLES, Asked, asked
from captem.schemas import LESIONS, PATIENTS, fields, scans

HEADINGS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
ENROLMENT, SCAN, LESION = "enrolment", "pet_scan", "lesion"
# REDCap makes the unique name from the label; it drops a hyphen and turns a blank into `_`.
EVENTS = {"pre": ("Baseline", "baseline_arm_1"), "post": ("Follow up", "follow_up_arm_1")}
# What enrolment asks but nobody knows on that day.
LATER = (
    "captem_cycles",
    "captem_end",
    "last_captem_date",
    "dose_reduced",
    "relative_dose_intensity",
    "interval_therapy",
    "best_response",
    "not_rescanned_reason",
    "prrt_after_date",
    "last_contact",
    "vital_status",
)
_ONLY = {
    "index_lesion": "pre",
    **{stem: next(iter(at)) for stem, at in scans(LESIONS).items() if len(at) == 1},
}
_NOTES = {
    "score": "0 to 4, or an interval: 2-3, 0-1 (for <=1)",
    "percent": "0 to 100, or an interval: 7-8, 0-3 (for <3), >=20; below 1 with its sign: 0.5%",
    "date": "year-month-day",
}
_EXTRA_NOTES = {
    "patient_id": "the study's own code, never a name, date of birth or hospital number",
    "lesion_id": "the same code at baseline and at follow-up, such as A",
    "lesion_site": "at follow-up only for a lesion that is new",
}
_KINDS = {"number": "number", "count": "integer", "date": "date_ymd"}
_HOW_TO = """\
How to make the REDCap project of a captem study (needs the right "Project Design and Setup")

 1. New Project: an empty project, purpose Research. Leave it in development until step 8.
 2. Project Setup, "Use longitudinal data collection with defined events?": Enable.
 3. Project Setup, "Auto-numbering for records": Disable, so that the study's own codes are used.
 4. Dictionary (left menu or Project Setup): upload redcap_data_dictionary.csv, then Commit Changes.
    This replaces every form that the project has.
 5. Define My Events, "Upload or download arms/events", Upload events: redcap_events.csv.
    Then delete "Event 1". The unique names must read baseline_arm_1 and follow_up_arm_1.
 6. Designate Instruments for My Events, "Upload or download instrument mappings", Upload:
    redcap_instrument_events.csv.
 7. Project Setup, "Repeating instruments and events": Enable. For both events choose
    "Repeat Instruments (repeat independently of each other)", tick Lesion, label [lesion_id].
    The API (Import Repeating Instruments and Events) takes redcap_repeating_forms.csv instead.
 8. Enter a test patient with one lesion at both events, delete it, then Move to Production.

To analyse: Data Exports, "All data", Export Data, "CSV / Microsoft Excel (raw data)": raw, not
labels. Download the dictionary as well, and name both in the config of the study:

    sources:
      - {name: prospective, patients: export.csv, dictionary: redcap_data_dictionary.csv}
"""


def _lesion_name(name: str) -> str:
    """A name is used once in a project: what `pet_scan` asks too is told apart by its beginning."""
    return name if name.startswith(("lesion_", "index_")) else f"lesion_{name}"


def _questions(table: str) -> dict[str, Asked]:
    """Return what a table asks in the order of the schema, by name without `_pre` and `_post`."""
    schema = TABLES[table]
    by_name = {question.field.name: question for question in asked(table)}
    stems = {column: stem for stem, at in scans(schema).items() for column in at.values()}
    found: dict[str, Asked] = {}
    for name in fields(schema):
        found.setdefault(stems.get(name, name), by_name[name])
    return found


LESION_FIELDS = {_lesion_name(name): name for name in _questions("lesions") if name != "patient_id"}
"""Field of the lesion form -> the name in the lesion table, without `_pre` and `_post`."""


def data_dictionary() -> str:
    """Return the data dictionary as CSV, a line a field, in REDCap's own columns."""
    patients, stems = _questions("patients"), scans(PATIENTS)
    once = [name for name in patients if name not in stems and name not in LATER]
    rows = [_row(name, ENROLMENT, patients[name]) for name in once]
    rows += [_row(name, ENROLMENT, patients[name]) for name in LATER]
    rows[1]["Section Header"] = "At enrolment"
    rows[len(once)]["Section Header"] = "After treatment: come back to these"
    rows += [_row(name, SCAN, patients[name]) for name in patients if name in stems]
    lesions = _questions("lesions")
    rows += [_row(field, LESION, lesions[name]) for field, name in LESION_FIELDS.items()]
    return _csv(HEADINGS, ([row.get(name, "") for name in HEADINGS] for row in rows))


def _row(field: str, form: str, question: Asked) -> dict[str, str]:
    spec = question.field
    label = question.meaning.replace(", baseline", "").replace(", follow-up", "")
    row = {
        "Variable / Field Name": field,
        "Form Name": form,
        "Field Type": "text",
        "Field Label": label[0].upper() + label[1:],
        "Field Note": _EXTRA_NOTES.get(field, _NOTES.get(spec.kind, "")),
        "Required Field?": "y" if question.need == ALWAYS else "",
    }
    if spec.choices:
        row["Field Type"] = "radio" if len(spec.choices) <= 3 else "dropdown"
        # The words themselves are the codes, so that a raw export needs no translation.
        choices = [f"{word}, {word.replace('_', ' ')}" for word in spec.choices]
        row["Choices, Calculations, OR Slider Labels"] = " | ".join(choices)
    elif spec.kind in _KINDS:
        row["Text Validation Type OR Show Slider Number"] = _KINDS[spec.kind]
        row["Text Validation Min"] = "" if question.low is None else f"{question.low:g}"
        row["Text Validation Max"] = "" if question.high is None else f"{question.high:g}"
        if question.above:
            row["Field Note"] = f"above {question.low:g}"
    if form == LESION and (at := _ONLY.get(LESION_FIELDS[field])):
        row["Branching Logic (Show field only if...)"] = f"[event-name] = '{EVENTS[at][1]}'"
    return row


def events() -> str:
    """Return the events as CSV; REDCap makes their unique names itself."""
    headings = ("event_name", "arm_num", "unique_event_name", "custom_event_label")
    return _csv(headings, ([label, "1", "", ""] for label, _ in EVENTS.values()))


def instrument_events() -> str:
    """Return which form is asked at which event, as CSV."""
    forms = {"pre": (ENROLMENT, SCAN, LESION), "post": (SCAN, LESION)}
    rows = (["1", EVENTS[time][1], form] for time, names in forms.items() for form in names)
    return _csv(("arm_num", "unique_event_name", "form"), rows)


def repeating_forms() -> str:
    """Return which form is asked several times in an event, as CSV for REDCap's API."""
    rows = ([unique, LESION, "[lesion_id]"] for _, unique in EVENTS.values())
    return _csv(("event_name", "form_name", "custom_form_label"), rows)


def how_to() -> str:
    """Return the clicks that make a REDCap project of these files."""
    return _HOW_TO


def _csv(headings: Iterable[str], rows: Iterable[list[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return stream.getvalue()
