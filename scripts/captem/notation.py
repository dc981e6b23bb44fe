"""What clinicians write in a cell, read as numbers: `<=1`, `III-IV`, `7%-8%`, `>20`, `12 %`.

A reading is an interval with two inclusive ends. A point has equal ends, a missing value has none,
and an end that the sheet does not give is infinite: it is never made up. A reading that differs
from what was written carries the name of the rule that was applied, for `repairs.csv`.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

MISSING_CODES = frozenset(
    """
    na n/a n.a. #n/a nan null nd n.d. n.b. k.a. - -- ? ?? . missing unknown unk pending
    """.split()  # noqa: SIM905
) | {
    "not known",
    "not available",
    "not done",
    "not given",
    "not reported",
    "nicht bekannt",
    "unbekannt",
    "fehlt",
}
_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4}
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "\u00a0": " "})
_SIGNS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}
_BOUND = re.compile(r"(<=|>=|<|>)(.+)")
# ASCII digits, and no more of them than any measure of a patient has.
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,15})?")
_SIGNED = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,15})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]+")
_ARROW = re.compile(r"\s*(?:->|-->|=>|→|⇒|➔|➞)\s*")
_RANGE_WORD = re.compile(r"(?<=[0-9iv%])\s+(?:to|bis|or)\s+(?=[0-9iv])", re.IGNORECASE)
_SCORE_NAME = re.compile(
    r"(?:modified\s+)?(?:krenning|score|grade|ks)(?:\s+(?:score|grade))?\s*[:=]?\s*", re.IGNORECASE
)
_INDEX_NAME = re.compile(r"(?:ki-?\s?67|mib-?\s?1)(?:\s+index)?\s*[:=]?\s+", re.IGNORECASE)
_SUV_NAME = re.compile(r"suv\s*(?:max|mean)?\s*[:=]?\s*", re.IGNORECASE)
_UNIT_BEHIND = re.compile(r"(.*?[0-9])\s*(cm3)|(.*[0-9])\s*([a-zµ%/][^0-9]*)", re.IGNORECASE)
_TIMES = re.compile(r"\s*[x×*]\s*", re.IGNORECASE)
_YES_NO = {
    "yes": "yes", "y": "yes", "1": "yes", "true": "yes", "checked": "yes", "ja": "yes", "j": "yes",
    "oui": "yes", "no": "no", "n": "no", "0": "no", "false": "no", "unchecked": "no", "nein": "no",
    "non": "no",
}  # fmt: skip
_SEX = {
    "female": "female", "f": "female", "w": "female", "woman": "female", "weiblich": "female",
    "frau": "female", "femme": "female", "male": "male", "m": "male", "man": "male",
    "männlich": "male", "mann": "male", "homme": "male", "other": "other", "divers": "other",
}  # fmt: skip
_STATES = {
    "present": "present", "persistent": "present", "resolved": "resolved", "absent": "resolved",
    "gone": "resolved", "disappeared": "resolved", "new": "new", "not assessable": "not_assessable",
    "not evaluable": "not_assessable", "not_assessable": "not_assessable",
}  # fmt: skip
# What one of a unit is in the unit of the column; by definition, not by measurement.
_FACTORS = {
    "mm": {"mm": "1", "cm": "10", "m": "1000"},
    "MBq": {"mbq": "1", "mci": "37", "gbq": "1000", "kbq": "0.001"},
    "min": {"min": "1", "mins": "1", "minutes": "1", "minute": "1", "h": "60", "hours": "60"},
    "years": {"y": "1", "years": "1", "yrs": "1", "yr": "1", "yo": "1", "y/o": "1", "jahre": "1"},
    "mL": {"ml": "1", "cc": "1", "cm3": "1", "cm³": "1", "l": "1000"},
    "SUV": {"g/ml": "1", "suv": "1"},
    "cycles": {"cycles": "1", "cycle": "1", "x": "1", "zyklen": "1", "zyklus": "1"},
    "": {"%": "0.01"},
}


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
    bare = text.strip().translate(_DASHES).lower()
    return not bare or bare in MISSING_CODES


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
    cell = _tidy(_without(_SCORE_NAME, text))
    if bound := _BOUND.fullmatch(cell):
        sign, end = bound.group(1), _step(bound.group(2))
        # The scale ends at 0 and 4, so the open side of a bound is known and not made up.
        low = {"<": 0, "<=": 0, ">": end + 1, ">=": end}[sign]
        high = {"<": end - 1, "<=": end, ">": max(4, end + 1), ">=": max(4, end)}[sign]
        if high < low:
            raise NotReadable("the bound leaves no score")
        return Interval(low, high, "censored")
    if "/" in cell or _ARROW.search(text):
        raise NotReadable(
            "two scores in one cell: write 3-4 if it is an interval; if it is before and after, "
            "give them a column each"
        )
    parts = cell.split("-")
    if len(parts) > 2:
        raise NotReadable(_no_date(text) or "more than two scores in one cell")
    steps = [_step(part) for part in parts]
    if steps[0] > steps[-1]:
        raise NotReadable("the interval is written from high to low")
    roman = any(part.upper() in _ROMAN for part in parts)
    rule = ("roman_" if roman else "") + ("interval" if len(parts) == 2 else "")
    reading = Interval(steps[0], steps[-1], rule.rstrip("_") or "spelling")
    return _literal(reading, text)


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
    cell = re.sub(r"(?<=[0-9])%(?=-|$)", "", _tidy(_without(_INDEX_NAME, text)))
    if bound := _BOUND.fullmatch(cell):
        end = _unsigned(bound.group(2))
        low, high = (0.0, end) if bound.group(1)[0] == "<" else (end, math.inf)
        if (bound.group(1) == "<" and end == 0) or (bound.group(1) == ">" and end >= 100):
            raise NotReadable("the bound leaves no percentage")
        return _literal(Interval(low, high, "censored"), text)
    if _SIGNED.fullmatch(cell):
        value = float(cell)
        rule = "" if cell == text else "percent_sign" if "%" in text else "spelling"
        return Interval(value, value, rule)
    parts = cell.split("-")
    if len(parts) != 2:
        raise NotReadable(_no_date(text) or "neither a number nor an interval")
    low, high = (_unsigned(part) for part in parts)
    if low > high:
        raise NotReadable("the interval is written from high to low")
    return _literal(Interval(low, high, "interval"), text)


def number(text: str, unit: str = "", given: str = "") -> Interval:
    """Read a plain number with a decimal point, in the unit of its column.

    Parameters
    ----------
    unit : unit of the column, such as `mm`.
    given : unit that the heading names, where it is another one, such as `cm`.

    Of three dimensions the longest counts. A unit in the cell goes before that of the heading.

    >>> number("5.3 cm", "mm"), number("10 x 6 x 5.3", "mm", "cm")
    (Interval(low=53.0, high=53.0, rule='unit'), Interval(low=100.0, high=100.0, rule='longest'))
    """
    if _NUMBER.fullmatch(text) and given in ("", unit):
        return Interval(float(text), float(text))
    if is_missing(text):
        return Interval(None, None, _missing_rule(text))
    cell = _without(_SUV_NAME, text) if unit == "SUV" else text
    cell = cell.strip().translate(_DASHES)
    rule = "" if cell == text else "spelling"
    if behind := _UNIT_BEHIND.fullmatch(cell):
        cell, given = [part for part in behind.groups() if part is not None]
        given, rule = given.strip().rstrip("."), "unit"
    sides = _TIMES.split(cell) if unit == "mm" else [cell]
    if not all(_SIGNED.fullmatch(side) for side in sides):
        raise NotReadable(_no_date(text) or "not a number with a decimal point")
    value = max(map(Decimal, sides)) if len(sides) > 1 else Decimal(cell)
    rule = "longest" if len(sides) > 1 else rule
    if given not in ("", unit):
        factor = _FACTORS.get(unit, {}).get(given.lower())
        if factor is None:
            raise NotReadable(f"the unit {given} is not known in this column")
        value, rule = value * Decimal(factor), rule or "unit"
    return Interval(float(value), float(value), rule)


def count(text: str, unit: str = "", given: str = "") -> Interval:
    """Read a whole number."""
    value, _, rule = number(text, unit, given)
    if value is None:
        return Interval(None, None, rule)
    if not value.is_integer():
        raise NotReadable("not a whole number")
    return Interval(int(value), int(value), rule)


def before_and_after(text: str) -> tuple[str, str] | None:
    """Part a cell that holds the values of both scans; None where it holds one value.

    >>> before_and_after("3/4"), before_and_after("<=1 → III-IV"), before_and_after("3-4")
    (('3', '4'), ('<=1', 'III-IV'), None)
    """
    parts = _ARROW.split(text.strip())
    if len(parts) == 1:
        parts = re.split(r"\s*/\s*", text.strip()) if not is_missing(text) else parts
    if len(parts) == 2 and all(parts):
        return parts[0], parts[1]
    return None


def choice(text: str, choices: tuple[str, ...]) -> Word:
    """Read one word of a vocabulary, whatever its case; yes/no and sex also by their initials."""
    if is_missing(text):
        return Word(None, _missing_rule(text))
    word = " ".join(text.lower().split())
    for words in (_YES_NO, _SEX, _STATES):
        if set(words.values()) == set(choices):
            word = words.get(word, word)
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
    return cell.strip() if cell.isprintable() else _CONTROL.sub(" ", cell).strip()


def _spelling(cell: str) -> str:
    return "" if cell == cell.strip() else "spelling"


def _tidy(cell: str) -> str:
    """Plain signs, and no blanks around them; a blank between two numbers stays and is an error."""
    tidy = _RANGE_WORD.sub("-", cell.translate(_DASHES))
    for sign, plain in _SIGNS.items():
        tidy = tidy.replace(sign, plain)
    return re.sub(r"\s*(<=|>=|[-<>%])\s*", r"\1", tidy).strip()


def _without(name: re.Pattern[str], text: str) -> str:
    """Return a cell without the name of the measure that it starts with."""
    bare = text.strip()
    found = name.match(bare)
    return bare[found.end() :] if found else bare


def _literal(reading: Interval, text: str) -> Interval:
    """Drop the rule where the cell reads as captem itself writes it, or is the same number."""
    same = text == written(reading.low, reading.high) or _NUMBER.fullmatch(text)
    return reading._replace(rule="") if same else reading


def _no_date(text: str) -> str:
    """Say what Excel did where a date stands in place of a number or an interval."""
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
        return (
            "a date, which Excel makes of 7-8 as it is typed: format the column as text and type "
            "it again"
        )
    return ""


def _unsigned(part: str) -> float:
    if not _NUMBER.fullmatch(part):
        raise NotReadable("not a number with a decimal point")
    return float(part)
