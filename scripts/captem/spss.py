"""Read an SPSS file (.sav, .zsav) as a table of texts, with its labels and declared codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from captem.cell_text import clock_text, moment_text, number_text
from captem.source_table import WANTED, NotReadableFile, SourceTable

# SPSS counts seconds from the first day of the Gregorian calendar.
_DAY_ZERO = datetime(1582, 10, 14)
_MOMENT = re.compile(r"(A|E|S|J)?DATE|DATETIME|YMDHMS|MOYR|QYR|WKYR")
_CLOCK = re.compile(r"D?TIME|MTIME")
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from captem.spss import write_content; write_content(*sys.argv[2:])"
)
_SECONDS = 300  # a damaged file can also keep its reader busy for ever
Missing = list[dict[str, Any]]


def read_spss(data: bytes, name: str) -> SourceTable:
    """Read an SPSS file; `name` is the path as the config gives it.

    Variable names are the headings, variable labels go to `labels`, value labels to `codes`, and
    those user-missing values that occur to `missing`; the cells keep their codes. An SPSS file has
    no row of headings: rows are numbered as SPSS numbers its cases, from 1.

    Raises
    ------
    NotReadableFile
        If the file is damaged, in an encoding that it does not name rightly, or has no variables.
    """
    try:
        return _table(_read(data), name)
    except NotReadableFile:
        raise
    except Exception as error:  # the library raises its own errors, and others for broken text
        said = str(error).strip().rstrip(".") or type(error).__name__
        raise NotReadableFile(
            "broken_spss", f"a damaged SPSS file, or one in an unknown encoding ({said})",
            "an SPSS file (.sav) that SPSS opens",
            "open it in SPSS and save it again in Unicode mode, or export it to Excel (.xlsx)",
        ) from None  # fmt: skip


def _table(content: dict[str, Any], name: str) -> SourceTable:
    header = content["names"]
    if not header:
        raise NotReadableFile(
            "empty_file", "no variables", WANTED,
            "fill in the file, or name another one in the config",
        )  # fmt: skip
    values = dict(zip(header, content["columns"], strict=True))
    texts = {
        column: [_text(value, kind) for value in values[column]]
        for column, kind in zip(header, content["kinds"], strict=True)
    }
    missing = {
        column: _declared(ranges, values[column], texts[column])
        for column, ranges in content["missing"].items()
    }
    labels = {
        column: label.strip()
        for column, label in zip(header, content["labels"], strict=True)
        if label and label.strip()
    }
    rows = [list(row) for row in zip(*texts.values(), strict=True)]
    return SourceTable(
        file=name,
        header=header,
        rows=rows,
        numbers=list(range(1, len(rows) + 1)),
        note=[
            line.strip()
            for line in content["lines"]
            if line.strip().lower().startswith("synthetic")
        ],
        labels=labels,
        codes={
            column: {_text(code, ""): label for code, label in pairs}
            for column, pairs in content["codes"].items()
        },
        missing={column: found for column, found in missing.items() if found},
    )


def _read(data: bytes) -> dict[str, Any]:
    """Return what a file holds, read in a process of its own: see `write_content`."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "table.sav", Path(folder) / "table.json"
        source.write_bytes(data)
        words = (json.dumps(sys.path), str(source), str(result))
        # A damaged file can end the process that reads it (the library then follows a pointer to
        # nowhere), which must not be the one that lists the problems.
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *words],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise ValueError(last[0].partition(": ")[2] if last else "the reader broke down")
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return found


def write_content(source: str, result: str) -> None:
    """Write the values and the labels of an SPSS file as JSON, dates as numbers.

    Codes are pairs and no keys: JSON would make texts of them.
    """
    import pyreadstat

    columns, meta = pyreadstat.read_sav(
        source, user_missing=True, disable_datetime_conversion=True, output_format="dict"
    )
    content = {
        "names": meta.column_names,
        "labels": meta.column_labels,
        "columns": list(columns.values()),
        "kinds": [meta.original_variable_types[name] for name in meta.column_names],
        "codes": {name: list(named.items()) for name, named in meta.variable_value_labels.items()},
        "missing": meta.missing_ranges,
        "lines": [meta.file_label or "", *(meta.notes or [])],
    }
    Path(result).write_text(json.dumps(content), encoding="utf-8")


def _text(value: Any, kind: str) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return str(value)
    try:
        if _MOMENT.match(kind):
            return moment_text(_DAY_ZERO + timedelta(seconds=float(value)))
        if _CLOCK.match(kind):
            return clock_text(float(value))
    except (OverflowError, ValueError):
        pass  # no day of any calendar: the number itself, for the cohort to refuse
    return number_text(float(value))


def _declared(ranges: Missing, values: list[Any], texts: list[str]) -> frozenset[str]:
    """Return the texts of the values that lie in a range declared as missing."""

    def within(value: Any, low: Any, high: Any) -> bool:
        if isinstance(value, str):
            return str(low).rstrip() <= value <= str(high).rstrip()
        return float(low) <= value <= float(high)

    return frozenset(
        text
        for value, text in zip(values, texts, strict=True)
        if text and any(within(value, ends["lo"], ends["hi"]) for ends in ranges)
    )
