"""The list of the numbers in a manuscript, `numbers.csv`, as the terminal tells it."""

from __future__ import annotations

import csv
from pathlib import Path

NAMED, AGREES, DISAGREES, NO_RESULT = "by name", "agrees", "disagrees", "not a result"


def read(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of `numbers.csv`."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def as_text(rows: list[dict[str, str]], template: str = "") -> str:
    """Return how many numbers have a name, and each typed one that disagrees with the results."""
    kinds = [row["kind"] for row in rows]
    lines = [
        f"Numbers of the manuscript: {kinds.count(NAMED)} by name; typed by hand "
        f"{kinds.count(AGREES)} that agree with a result, {kinds.count(DISAGREES)} that disagree, "
        f"{kinds.count(NO_RESULT)} that are no result."
    ]
    for row in rows:
        if row["kind"] == DISAGREES:
            lines.append(
                f"  {template or 'the template'}, line {row['line']}: {row['text']!r} {row['note']}"
            )
    return "\n".join(lines)
