"""The layout of the entry form as Frictionless Table Schemas, for other programs to check by."""

from __future__ import annotations

from typing import Any

from captem.form_fields import ALWAYS, TABLES, Asked, asked

# XML Schema's own regular expressions, which the standard asks for: no anchors, plain groups.
_PERCENT = r"(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)"
PATTERNS = {
    "score": r"([0-4]|0-[1-4]|1-[2-4]|2-[34]|3-4|<=[0-4]|>=[0-4]|<[1-4]|>[0-3]"
    r"|I|II|III|IV|I-(II|III|IV)|II-(III|IV)|III-IV|(<=|>=)(I|II|III|IV)|<(I|II|III|IV)"
    r"|>(I|II|III))",
    "percent": rf"({_PERCENT}(-{_PERCENT})?|(<=|>=|<|>){_PERCENT})",
}
_TYPES = {"number": "number", "count": "integer", "date": "date"}
_KEYS = {"patients": ["patient_id"], "lesions": ["patient_id", "lesion_id"]}


def table_schema(table: str) -> dict[str, Any]:
    """Return the Table Schema of `patients` or `lesions`."""
    described: dict[str, Any] = {
        "fields": [_described(question) for question in asked(table)],
        "missingValues": [""],
        "primaryKey": _KEYS[table],
    }
    if table != "patients":
        reference = {"resource": "patients", "fields": ["patient_id"]}
        described["foreignKeys"] = [{"fields": ["patient_id"], "reference": reference}]
    return described


def _described(question: Asked) -> dict[str, Any]:
    spec = question.field
    constraints: dict[str, Any] = {}
    if question.need == ALWAYS:
        constraints["required"] = True
    if spec.choices:
        constraints["enum"] = list(spec.choices)
    elif spec.kind in PATTERNS:
        constraints["pattern"] = PATTERNS[spec.kind]
    else:
        if question.low is not None:
            constraints["minimum"] = question.low
        if question.high is not None:
            constraints["maximum"] = question.high
    described = {
        "name": spec.name,
        "type": _TYPES.get(spec.kind, "string"),
        "title": question.meaning,
        "description": spec.allowed,
    }
    return described | ({"constraints": constraints} if constraints else {})


def data_package() -> dict[str, Any]:
    """Return the Data Package that ties `patients.csv` and `lesions.csv` to their schemas."""
    return {
        "profile": "tabular-data-package",
        "name": "captem-cohort",
        "title": "Somatostatin-receptor uptake before and after CAPTEM",
        "resources": [
            {
                "name": table,
                "path": f"{table}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{table}.schema.json",
            }
            for table in TABLES
        ],
    }
