"""What clinicians write in a cell, read as numbers: `<=1`, `III-IV`, `7%-8%`, `>20`, `12 %`.

A reading is an interval with two inclusive ends. A point has equal ends, a missing value has none,
and an end that the sheet does not give is infinite: it is never made up. A reading that differs
from what was written carries the name of the rule that was applied, for `repairs.csv`.
"""

from __future__ import annotations

import math
import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

MISSING_CODES = frozenset(
    {"na", "n/a", "nd", "n.d.", "-", "?", ".", "missing", "not known", "not available"}
)
_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4}
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "\u00a0": " "})
_SIGNS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_BOUND = re.compile(r"(<=|>=|<|>)(.+)")
# ASCII digits, and no more of them than any measure of a patient has.
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,15})?")
_SIGNED = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,15})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]+")
_YES_NO = {"yes": "yes", "y": "yes", "1": "yes", "no": "no", "n": "no", "0": "no"}
_SEX = {"female": "female", "f": "female", "male": "male", "m": "male", "other": "other"}


class NotReadable(ValueError):  # noqa: N818 - a reading, not a failure of the program
    """The cell is not in any notation that its column allows."""


class Interval(NamedTuple):
    """Two inclusive ends; None and None where the cell is missing; `rule` is empty if literal."""

    low: float | None
    high: float | None
    rule: str = ""


class Word(NamedTuple):
    """A text, one of a vocabulary, or a date in ISO form; None where the cell is missing."""

    value: str | None
    rule: str = ""


def written(low: float | None, high: float | None) -> str:
    """Print an interval as one cell: `3`, `0-1`, `>20`, or nothing where it is missing.

    >>> written(0, 1), written(3, 3), written(20, math.inf), written(None, None)
    ('0-1', '3', '>=20', '')
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    if math.isinf(high):
        return f">={_plain(low)}"
    return _plain(low) if low == high else f"{_plain(low)}-{_plain(high)}"


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def is_missing(text: str) -> bool:
    """True where the cell is empty or holds a code for "not known"."""
    return not text.strip() or text.strip().lower() in MISSING_CODES


def _missing_rule(text: str) -> str:
    return "missing_code" if text.strip() else ""


@lru_cache(maxsize=4096)
def score(text: str) -> Interval:
    """Read a Krenning score (0 to 4, whole steps).

    Source of the notations: Sharma & Basu 2020, where the same follow-up is printed as `3` and as
    `III-IV`, and a baseline as `<= 1`.

    >>> score("<=1"), score("III-IV"), score("3")
    (Interval(low=0, high=1, rule='censored'), Interval(low=3, high=4, rule='roman_interval'), \
Interval(low=3, high=3, rule=''))
    """
    if is_missing(text):
        return Interval(None, None, _missing_rule(text))
    cell = _tidy(text)
    if bound := _BOUND.fullmatch(cell):
        sign, end = bound.group(1), _step(bound.group(2))
        # The scale ends at 0 and 4, so the open side of a bound is known and not made up.
        low = {"<": 0, "<=": 0, ">": end + 1, ">=": end}[sign]
        high = {"<": end - 1, "<=": end, ">": max(4, end + 1), ">=": max(4, end)}[sign]
        if high < low:
            raise NotReadable("the bound leaves no score")
        return Interval(low, high, "censored")
    parts = cell.split("-")
    if len(parts) > 2:
        raise NotReadable("more than two scores in one cell")
    steps = [_step(part) for part in parts]
    if steps[0] > steps[-1]:
        raise NotReadable("the interval is written from high to low")
    roman = any(part.upper() in _ROMAN for part in parts)
    rule = ("roman_" if roman else "") + ("interval" if len(parts) == 2 else "")
    if not rule and cell != text:
        rule = "spelling"
    return Interval(steps[0], steps[-1], rule.rstrip("_"))


def _step(part: str) -> int:
    if part.upper() in _ROMAN:
        return _ROMAN[part.upper()]
    if _NUMBER.fullmatch(part) and float(part).is_integer():
        return int(float(part))
    raise NotReadable("not a whole step")


@lru_cache(maxsize=4096)
def percent(text: str) -> Interval:
    """Read a percentage such as the MIB1 index; `<3` is 0 to 3, `>20` has no upper end.

    >>> percent("7%-8%"), percent(">20")
    (Interval(low=7.0, high=8.0, rule='interval'), Interval(low=20.0, high=inf, rule='censored'))
    """
    if is_missing(text):
        return Interval(None, None, _missing_rule(text))
    # The sign belongs behind a number: in `3%5` it separates two.
    cell = re.sub(r"(?<=[0-9])%(?=-|$)", "", _tidy(text))
    if bound := _BOUND.fullmatch(cell):
        end = _unsigned(bound.group(2))
        low, high = (0.0, end) if bound.group(1)[0] == "<" else (end, math.inf)
        return Interval(low, high, "censored")
    if _SIGNED.fullmatch(cell):
        value = float(cell)
        rule = "" if cell == text else "percent_sign" if "%" in text else "spelling"
        return Interval(value, value, rule)
    parts = cell.split("-")
    if len(parts) != 2:
        raise NotReadable("neither a number nor an interval")
    low, high = (_unsigned(part) for part in parts)
    if low > high:
        raise NotReadable("the interval is written from high to low")
    return Interval(low, high, "interval")


@lru_cache(maxsize=4096)
def number(text: str) -> Interval:
    """Read a plain number with a decimal point."""
    if is_missing(text):
        return Interval(None, None, _missing_rule(text))
    cell = text.strip().translate(_DASHES)
    if not _SIGNED.fullmatch(cell):
        raise NotReadable("not a number with a decimal point")
    return Interval(float(cell), float(cell), "" if cell == text else "spelling")


@lru_cache(maxsize=4096)
def count(text: str) -> Interval:
    """Read a whole number."""
    value, _, rule = number(text)
    if value is None:
        return Interval(None, None, rule)
    if not value.is_integer():
        raise NotReadable("not a whole number")
    return Interval(int(value), int(value), rule)


@lru_cache(maxsize=4096)
def day(text: str) -> Word:
    """Read a date in ISO form, year-month-day; any other order would be a guess."""
    if is_missing(text):
        return Word(None, _missing_rule(text))
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
            raise ValueError
        return Word(date.fromisoformat(text.strip()).isoformat(), _spelling(text))
    except ValueError:
        raise NotReadable("not a date as year-month-day") from None


def choice(text: str, choices: tuple[str, ...]) -> Word:
    """Read one word of a vocabulary, whatever its case; yes/no and sex also by their initials."""
    if is_missing(text):
        return Word(None, _missing_rule(text))
    word = text.strip().lower()
    if set(choices) == {"yes", "no"}:
        word = _YES_NO.get(word, word)
    elif "female" in choices:
        word = _SEX.get(word, word)
    if word not in choices:
        raise NotReadable("not one of the words of this column")
    return Word(word, "" if word == text else "vocabulary")


@lru_cache(maxsize=4096)
def text(cell: str) -> Word:
    """Read free text, without the blanks around it."""
    if is_missing(cell):
        return Word(None, _missing_rule(cell))
    clean = printable(cell)
    return Word(clean or None, _spelling(cell) or ("control_character" if clean != cell else ""))


def printable(cell: str) -> str:
    """Return a text without control characters, such as the soft line break of a word processor.

    >>> printable(" lung\\x0bleft ")
    'lung left'
    """
    return _CONTROL.sub(" ", cell).strip()


def _spelling(cell: str) -> str:
    return "" if cell == cell.strip() else "spelling"


def _tidy(cell: str) -> str:
    """Plain signs, and no blanks around them; a blank between two numbers stays and is an error."""
    tidy = cell.translate(_DASHES)
    for sign, plain in _SIGNS.items():
        tidy = tidy.replace(sign, plain)
    return re.sub(r"\s*(<=|>=|[-<>%])\s*", r"\1", tidy).strip()


def _unsigned(part: str) -> float:
    if not _NUMBER.fullmatch(part):
        raise NotReadable("not a number with a decimal point")
    return float(part)
