"""What the forms for data collection ask, in the order they ask it: from the schemas alone."""

from __future__ import annotations

from dataclasses import dataclass

import pandera.pandas as pa

from captem.schemas import LESIONS, PATIENTS, Field, fields, scans

TABLES = {"patients": PATIENTS, "lesions": LESIONS}
ALWAYS, PAIR, OPTIONAL = "yes", "one pair", "no"
_EXAMPLES = {
    "score": "3, 2-3, 0-1 (for <=1)",
    "percent": "12, 7-8, 0-3 (for <3), >=20, 0.5% (below 1 with its sign)",
    "number": "12.5",
    "count": "6",
    "date": "2026-03-31",
    "text": "",
}


@dataclass(frozen=True)
class Asked:
    """One question of a form.

    need : `yes`, `one pair` (of scores or of SUVmax, in either table) or `no`.
    low, high : what the checks of the schema allow, None where a side is open.
    above : True where `low` itself is not allowed.
    """

    field: Field
    need: str
    low: float | None
    high: float | None
    above: bool

    @property
    def example(self) -> str:
        """One or more ways to write the answer; empty where any text will do."""
        return self.field.choices[0] if self.field.choices else _EXAMPLES[self.field.kind]

    @property
    def meaning(self) -> str:
        """What is asked, with its unit where the words do not say it."""
        text, unit = self.field.description.replace("`", ""), self.field.unit
        told = unit == "step" or unit.lower() in text.lower()
        return text if told else f"{text} ({unit})"

    @property
    def typed(self) -> str:
        """What may be typed where the program knows numbers, whatever its decimal sign."""
        return self.field.allowed.removesuffix(", with a decimal point")


def asked(table: str) -> list[Asked]:
    """Return the questions of `patients` or `lesions`: first what is needed, then the rest.

    Within both parts the order is that of the schema.
    """
    schema = TABLES[table]
    paired = {name for pair in scans(schema).values() for name in pair.values()}
    found = []
    for field in fields(schema).values():
        column = schema.columns[field.columns[0]]
        need = OPTIONAL
        if column.required and field.kind == "text":
            need = ALWAYS
        elif column.required and field.name in paired:
            need = PAIR
        found.append(Asked(field, need, *_limits(column)))
    return sorted(found, key=lambda question: question.need == OPTIONAL)


def _limits(column: pa.Column) -> tuple[float | None, float | None, bool]:
    """Return the lowest and highest value that the checks of a column let through."""
    for check in column.checks:
        if check.name in ("in_range", "greater_than", "greater_than_or_equal_to"):
            limits = check.statistics
            return limits["min_value"], limits.get("max_value"), check.name == "greater_than"
    return None, None, False
