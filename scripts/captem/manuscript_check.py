"""Numbers that an author typed by hand, held against the results of the run.

A typed number agrees where a result prints the same, disagrees where its form or its sentence is
that of a result and none prints so, and else is not a result: a dose, a threshold, the 68 of 68Ga,
or a number of another study, which stands in a sentence with a citation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from captem import rounding
from captem.manuscript_list import AGREES, DISAGREES, NO_RESULT
from captem.manuscript_marks import Piece
from captem.table_parts import count, records

_N = r"\d+(?:\.\d+)?|\.\d+"
# What holds digits and is no statement: citations, addresses, placeholders, headings, isotopes.
_UNREAD = re.compile(
    r"\[[^\]\n]*@[^\]]*\]|@[\w:.-]+|https?://\S+|doi:\S+|\[AUTHOR:[^\]]*\]|^#.*$|`[^`]*`"
    r"|\{[^{}\n]*\}|^\s*\d+[.)]\s|\^\d+m?\^|\b\d{1,3}[A-Z][a-z]?-\w+|\b[A-Za-z]+[-\w]*\d[\w-]*"
    r"|\b\d{4}-\d{2}-\d{2}\b",
    re.MULTILINE,
)
_CITED = re.compile(r"\[[^\]\n]*@[^\]]*\]|(?<!\w)@[A-Za-z]")
_OF_RESULTS = re.compile(
    r"\b(?:patients?|lesions?|rose|risen|fell|fallen|gained|median|mean|proportion|share)\b", re.I
)
_OF_SETTINGS = re.compile(
    r"\b(?:MIB1|Ki-67|grade|threshold|limit|at least|or higher|below|above|alpha|level|scale|"
    r"counts? as|floor|dose|mg|days?|version)\b",
    re.I,
)


@dataclass
class _Printed:
    """What the results print, by form: the text, and the row and column that print it."""

    share: dict[str, tuple[str, str]] = field(default_factory=dict)
    percent: dict[str, tuple[str, str]] = field(default_factory=dict)
    interval: dict[str, tuple[str, str]] = field(default_factory=dict)
    p: dict[str, tuple[str, str]] = field(default_factory=dict)
    estimate: dict[str, tuple[str, str]] = field(default_factory=dict)
    count: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, statistics: pd.DataFrame) -> _Printed:
        printed = cls()
        for row in records(statistics):
            printed._add(row)
        return printed

    def _add(self, row: dict[str, Any]) -> None:
        row_id = row["row_id"]
        for name in ("n_patients", "n_lesions", "n_events"):
            if (n := count(row[name])) is not None:
                self.count.setdefault(str(n), (row_id, name))
        if row["status"] == "not_estimable":
            return
        events = count(row["n_events"])
        n = count(row["n_lesions"])
        n = count(row["n_patients"]) if n is None else n
        if row["estimand"] == "proportion" and events is not None and n:
            self.share.setdefault(f"{events}/{n}", (row_id, "n_events"))
            self.percent.setdefault(rounding.percent(events, n), (row_id, "estimate"))
        if math.isfinite(row["estimate"]):
            for text in {rounding.number(row["estimate"]), rounding.measure(row["estimate"])}:
                self.estimate.setdefault(text, (row_id, "estimate"))
        if not math.isnan(row["conf_low"]) and not math.isnan(row["conf_high"]):
            ends = row["conf_low"], row["conf_high"]
            text = rounding.interval(*ends)
            if row["estimand"] == "proportion" and n:
                text = rounding.percent_interval(*ends, n)
            self.interval.setdefault(text, (row_id, "conf_low, conf_high"))
        for name in ("p_value", "p_adjusted"):
            if not math.isnan(row[name]):
                self.p.setdefault(rounding.p_value(row[name]), (row_id, name))


@dataclass(frozen=True)
class _Found:
    """A typed statement: its form and what is looked up there, and whether it must be a result."""

    text: str
    form: str
    key: str
    claims: bool


def _as_share(found: re.Match[str]) -> _Found:
    return _Found(found.group(), "share", f"{found[1]}/{found[2]}", True)


def _as_interval(found: re.Match[str]) -> _Found:
    low, high, percent = found["low"], found["high"], "%" in found.group("ends")
    key = f"{low}% to {high}%" if percent else f"{low} to {high}"
    return _Found(found["ends"], "interval", key, True)


def _as_p(found: re.Match[str]) -> _Found:
    return _Found(found.group(), "p", f"{found['sign']} {found['p'].removeprefix('0')}", True)


# In this order; what one form has taken the next does not see.
_FORMS: tuple[tuple[str, Callable[[re.Match[str]], _Found]], ...] = (
    (rf"\b(\d+)(?:/| of (?:the |all )?)(\d+)\b(?:[^.\n(]{{0,20}}\((?P<share>{_N})\s?%\))?",
     _as_share),
    (rf"(?:9\d(?:\.\d)?% (?:CI|confidence interval)[,:]?\s*(?:of |from )?)"
     rf"(?P<ends>(?P<low>{_N})%?(?:\s?[–-]\s?| to )(?P<high>{_N})%?)", _as_interval),
    (r"\bP\b\*?\s*(?P<sign>[=<>])\s*(?P<p>0?\.\d+|1\b)", _as_p),
    (rf"\b(?:OR|[Oo]dds ratio|[Rr]atio|[Ww]in odds|HR)\b(?: (?:of|was|is|=))?\s(?P<value>{_N})",
     lambda found: _Found(found["value"], "estimate", found["value"], True)),
    (r"\b(?P<value>\d+) (?:\w+ ){0,2}?(?:patients?|lesions?)\b",
     lambda found: _Found(found["value"], "count", found["value"], True)),
    (r"\bn = (?P<value>\d+)",
     lambda found: _Found(found["value"], "count", found["value"], True)),
    (rf"(?P<value>{_N})\s?%",
     lambda found: _Found(found.group(), "percent", f"{found['value']}%", False)),
    (rf"(?<![\w.])(?P<value>{_N})(?!\w)",
     lambda found: _Found(found["value"], "estimate", found["value"], False)),
)  # fmt: skip


def typed_numbers(pieces: Sequence[Piece], statistics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row (see `captem.manuscript.COLUMNS`) for each typed number."""
    printed = _Printed.of(statistics)
    text = "".join(piece.text for piece in pieces)
    lines = _lines(pieces)
    rows = []
    for start, end in _sentences(text):
        sentence = text[start:end]
        cited = bool(_CITED.search(sentence))
        for at, found in _statements(sentence, lines[start:end]):
            rows.append(_judged(found, sentence, cited, printed, lines[start + at]))
    return rows


def _lines(pieces: Sequence[Piece]) -> list[int | None]:
    """Return for each sign of the text the line where it was typed, None where it was not."""
    lines: list[int | None] = []
    for piece in pieces:
        line = piece.line
        for sign in piece.text:
            lines.append(line)
            if sign == "\n" and line is not None:
                line += 1
    return lines


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in re.finditer(r"(?:[.!?][)*\]]*\s+(?=[A-Z\[*{])|\n\s*\n)", text):
        yield start, found.end()
        start = found.end()
    yield start, len(text)


def _statements(sentence: str, lines: Sequence[int | None]) -> Iterator[tuple[int, _Found]]:
    """Return the typed statements of a sentence with their places, each number once."""
    left = _UNREAD.sub(lambda found: " " * len(found.group()), sentence)
    for pattern, made in _FORMS:
        taken = left
        for found in re.finditer(pattern, left):
            digits = [i for i in range(*found.span()) if sentence[i].isdigit()]
            if any(lines[i] is None for i in digits):
                continue
            yield digits[0], made(found)
            taken = taken[: found.start()] + " " * len(found.group()) + taken[found.end() :]
        left = taken


def _judged(
    found: _Found, sentence: str, cited: bool, printed: _Printed, line: int | None
) -> dict[str, Any]:
    forms: dict[str, tuple[str, str]] = getattr(printed, found.form)
    row = {"line": line, "text": " ".join(found.text.split()), "row_id": "", "column": "",
           "kind": NO_RESULT, "note": ""}  # fmt: skip
    if cited:
        return row | {"note": "in a sentence with a citation"}
    share = re.search(rf"\((?P<share>{_N})\s?%\)", found.text)
    fits = found.key in forms
    if fits and share:
        events, n = found.key.split("/")
        fits = rounding.percent(int(events), int(n)) == f"{share['share']}%"
    digits = len(re.sub(r"\D", "", found.key).lstrip("0"))
    if fits and (found.claims or found.form == "percent" or ("." in found.key and digits > 2)):
        if found.form == "percent" and _is_setting(found, sentence):
            return row
        row_id, column = forms[found.key]
        return row | {"row_id": row_id, "column": column, "kind": AGREES}
    claims = found.claims
    if found.form == "percent":
        claims = bool(_OF_RESULTS.search(sentence)) and not _is_setting(found, sentence)
    if not claims:
        return row
    nearest = _nearest(found.key, forms)
    if nearest is None:
        return row | {"kind": DISAGREES, "note": "is no result of this run"}
    row_id, column = forms[nearest]
    said = f"is no result of this run; the nearest is {nearest} ({row_id})"
    return row | {"row_id": row_id, "column": column, "kind": DISAGREES, "note": said}


def _is_setting(found: _Found, sentence: str) -> bool:
    """Say whether a percentage is a level, a threshold or a value of the MIB1 index."""
    return bool(_OF_SETTINGS.search(sentence)) or bool(
        re.search(rf"{re.escape(found.text)} (?:CI|confidence)", sentence)
    )


def _nearest(key: str, forms: dict[str, tuple[str, str]]) -> str | None:
    """Return the printed form whose numbers are nearest."""
    wanted = _values(key)
    alike = [form for form in forms if len(_values(form)) == len(wanted)]
    return min(
        alike,
        key=lambda form: sum(abs(a - b) for a, b in zip(wanted, _values(form), strict=True)),
        default=None,
    )


def _values(text: str) -> list[float]:
    return [float(part) for part in re.findall(_N, text)]
