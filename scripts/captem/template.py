"""The forms for collecting data, all of them made from the schemas in `captem.schemas`."""

from __future__ import annotations

import json
from typing import Any

from captem import entry_form, redcap_form, table_schema

FILES = (
    "entry_form.xlsx",
    "redcap_data_dictionary.csv",
    "redcap_events.csv",
    "redcap_instrument_events.csv",
    "redcap_repeating_forms.csv",
    "redcap_how_to.txt",
    "patients.schema.json",
    "lesions.schema.json",
    "datapackage.json",
)


def forms() -> dict[str, bytes]:
    """Return the content of every file of `FILES` by name; always the same bytes."""
    texts = {
        "redcap_data_dictionary.csv": redcap_form.data_dictionary(),
        "redcap_events.csv": redcap_form.events(),
        "redcap_instrument_events.csv": redcap_form.instrument_events(),
        "redcap_repeating_forms.csv": redcap_form.repeating_forms(),
        "redcap_how_to.txt": redcap_form.how_to(),
        "patients.schema.json": _json(table_schema.table_schema("patients")),
        "lesions.schema.json": _json(table_schema.table_schema("lesions")),
        "datapackage.json": _json(table_schema.data_package()),
    }
    made = {name: text.encode("utf-8") for name, text in texts.items()}
    made["entry_form.xlsx"] = entry_form.workbook()
    return {name: made[name] for name in FILES}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
