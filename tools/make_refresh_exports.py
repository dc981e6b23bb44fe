"""Write the exports of a synthetic prospective study, as REDCap would give them.

One is from before the first patient, for the plan; three follow. Between the first of these and the
second, patients come, follow-ups come in and cells are corrected; in the third, more have come, and
one has withdrawn consent and is gone. What is edited: `EDITS`.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from captem.files import write_text
from captem.synthetic import generate, render

PATIENTS, SEED = 75, 31
BEFORE = "2026-02-01"
# Name of the cut, how many patients are in, how many of the newest are not scanned again yet.
EXPORTS = (("2026-05-01", 16, 4), ("2026-08-01", 23, 4), ("2026-11-01", 30, 3))
# From the second export on: table, patient, lesion, column, what stands there then, and why.
EDITS = (
    ("patients", "P002", "", "mib1", "10", "the same value without its sign: a typing repair"),
    ("patients", "P004", "", "age_years", "+1", "a corrected age"),
    ("lesions", "P002", "first", "krenning_post", "down", "a follow-up read again, one step lower"),
    ("lesions", "P003", "first", "krenning_pre", "down", "a baseline read again, one step lower, "
     "after the follow-up was known: what the compare page has to warn of"),
)  # fmt: skip
WITHDRAWN = "P006"
NOTE = """\
# SYNTHETIC DATA: made by a program from invented numbers. No row describes a real person.
# Export {cut} of a made-up prospective study that grows; all are made by
# python tools/make_refresh_exports.py from the generator of the example (seed {seed}), whose
# invented numbers stand at the top of config/cohorts/example/prospective_{table}.csv.
"""


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and write the exports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    options = parser.parse_args(arguments)
    for name, text in exports().items():
        write_text(options.out / name, text)


def exports() -> dict[str, str]:
    """Return the text of each file by its name, `<cut>/<table>.csv`."""
    texts = render(generate(PATIENTS, SEED))
    tables = {table: _rows(texts[f"prospective_{table}.csv"]) for table in ("patients", "lesions")}
    order = [row["patient_id"] for row in _in_order(tables["patients"])]
    found = {
        f"{BEFORE}/{table}.csv": _noted(BEFORE, table, _text(list(rows[0]), []))
        for table, rows in tables.items()
    }
    for place, (cut, enrolled, waiting) in enumerate(EXPORTS):
        there = order[:enrolled]
        if place == len(EXPORTS) - 1:
            there = [code for code in there if code != WITHDRAWN]
        unscanned = set(order[enrolled - waiting : enrolled])
        for table, rows in tables.items():
            kept = [
                _before_follow_up(row) if row["patient_id"] in unscanned else dict(row)
                for row in rows
                if row["patient_id"] in there
            ]
            if place:
                _edit(table, kept)
            kept.sort(key=lambda row: there.index(row["patient_id"]))
            found[f"{cut}/{table}.csv"] = _noted(cut, table, _text(list(kept[0]), kept))
    return found


def _noted(cut: str, table: str, text: str) -> str:
    return NOTE.format(cut=cut, seed=SEED, table=table) + text


def _rows(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
    return list(csv.DictReader(io.StringIO("".join(lines))))


def _in_order(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the patients in the order of their codes, which are given on entry."""
    return sorted(rows, key=lambda row: row["patient_id"])


def _before_follow_up(row: dict[str, str]) -> dict[str, str]:
    """Return a row as it was exported before the follow-up."""
    later = ("interval_therapy", "not_rescanned_reason")
    return {
        name: "" if name.endswith("_post") or name in later else value
        for name, value in row.items()
    }


def _edit(table: str, rows: list[dict[str, str]]) -> None:
    for where, patient, lesion, column, value, _ in EDITS:
        own = [row for row in rows if row["patient_id"] == patient]
        if where != table or not own:
            continue
        row = own[0] if lesion or len(own) == 1 else own[-1]
        row[column] = _moved(row[column], value)


def _moved(old: str, value: str) -> str:
    """Return what stands in a cell after an edit; a score moves one step and stays a score."""
    steps = {"up": 1, "down": -1, "+1": 1}
    if value not in steps:
        return value
    moved = int(old) + steps[value]
    return str(moved if value == "+1" else min(max(moved, 0), 4))


def _text(columns: list[str], rows: list[dict[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


if __name__ == "__main__":
    main()
