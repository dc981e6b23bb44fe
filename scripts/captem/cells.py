"""Read the cells of one column: each distinct text once, and what the column decides as a whole.

Whether a comma is a decimal point and whether the day or the month comes first cannot be seen from
a cell alone. What neither the cell nor its column decides is not read, and the researcher is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from captem import dates, notation
from captem.notation import Interval, NotReadable, Word
from captem.schemas import Field

Reading = Interval | Word
FRACTION, PERCENT = "fraction", "percent"
_COMMA = re.compile(r"(?<![0-9.,])([0-9]+),([0-9]+)(?![0-9.,])")
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_CODE = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_ROMAN_WORD = re.compile(r"\b(I|II|III|IV)\b")
_NUMERAL = re.compile(r"[0-9]|\b(I|II|III|IV)\b")
# A value at the start of a label, before its explanation.
_LEADING = re.compile(
    r"((?:<=|>=|<|>|≤|≥)?\s*[0-9.,IV]+(?:\s*[-–]\s*[0-9.,IV]+)?\s*%?)(?=[\s(:;=,-]|$)"
)
_NOT_GIVEN = re.compile(
    r"^\W*(not|no) (assess|evaluab|done|known|given|available|applicab|record|determin|perform)"
    r"|^\W*(unknown|missing|none given|unbekannt|nicht)\b",
    re.IGNORECASE,
)
UNCLEAR = "\0unclear"


@dataclass(frozen=True)
class Setting:
    """What is known of a column beside its cells.

    given : unit that the heading names, or nothing.
    codes : what a code stands for, in the words of the file.
    missing : codes that mean "not known", in this file or column.
    decimal_comma : the file's format says that numbers have a decimal comma.
    date_order : `day_first` or `month_first`, where the config says so.
    day_zero : the day that the number 0 stands for, where dates may be stored as numbers.
    mib1_unit : `percent` or `fraction`, where the config says so.
    """

    given: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    decimal_comma: bool = False
    date_order: str = ""
    day_zero: str = ""
    mib1_unit: str = ""


@dataclass(frozen=True)
class Readings:
    """The distinct cells of a column: what they were read as, or why they cannot be read.

    `doubtful` holds the cells that can be read but have to be confirmed: numbers below 1 in a
    column of percents, which may be fractions; `throughout` says that no cell is above 1.
    """

    found: dict[str, Reading]
    faults: dict[str, str]
    doubtful: frozenset[str] = frozenset()
    throughout: bool = False


def read(cells: Iterable[str], spec: Field, setting: Setting) -> Readings:
    """Read the distinct cells of a column by the notation that `spec` allows."""
    distinct = list(dict.fromkeys(cells))
    none = Interval(None, None) if spec.kind in _NUMERIC else Word(None)
    found: dict[str, Reading] = {}
    faults: dict[str, str] = {}
    translated = _translated(distinct, spec, setting, faults)
    reader = _reader(spec, setting, [text for text, _ in translated.values()])
    for cell, (text, rule) in translated.items():
        if rule == "missing_code":
            found[cell] = none._replace(rule=rule)
            continue
        try:
            reading = reader(text)
        except NotReadable as error:
            faults[cell] = str(error)
            continue
        first = rule == "label" or not reading.rule
        found[cell] = reading._replace(rule=rule) if rule and first else reading
    if spec.kind != "percent":
        return Readings(found, faults)
    return _with_unit(found, faults, setting)


_NUMERIC = ("score", "percent", "number", "count")


def _translated(
    distinct: list[str], spec: Field, setting: Setting, faults: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Return the text to read for each cell, and the rule by which it differs from the cell."""
    codes = {_key(code, spec): label for code, label in _codes_that_count(spec, setting).items()}
    missing = {_key(code, spec) for code in setting.missing}
    result: dict[str, tuple[str, str]] = {}
    commas = spec.kind in _NUMERIC and any("," in cell for cell in distinct)
    decided = commas and (setting.decimal_comma or any(map(_is_decimal_comma, distinct)))
    for cell in distinct:
        bare = cell.strip()
        key = _key(bare, spec)
        if key in missing:
            result[cell] = ("", "missing_code")
        elif key in codes:
            label = codes[key]
            if label == UNCLEAR:
                faults[cell] = (
                    "a code whose label holds other numbers: map the values in the file, or export "
                    "labels that are the values themselves"
                )
            else:
                result[cell] = (label, "missing_code" if _says_missing(label) else "label")
        elif commas and ("," in cell or _THOUSANDS.fullmatch(bare)):
            if decided and "," in cell:
                result[cell] = (_COMMA.sub(r"\1.\2", cell), "decimal_comma")
            elif _COMMA.search(cell) or decided:
                faults[cell] = (
                    f"thousands, or {bare.replace(',', '.')} with a decimal sign? write it without "
                    "the sign or with a decimal point"
                )
            else:
                result[cell] = (cell, "")
        else:
            result[cell] = (cell, "")
    return result


def _is_decimal_comma(cell: str) -> bool:
    """Return whether a comma in a cell can only be a decimal one: `9,1`, `0,123`, not `1,234`."""
    return any(not _THOUSANDS.fullmatch(f"{whole},{rest}") for whole, rest in _COMMA.findall(cell))


def _key(code: str, spec: Field) -> str:
    """Return a code so that `99`, `99.0` and `099` are one, in a column of numbers."""
    bare = code.strip()
    if spec.kind in _NUMERIC and _CODE.fullmatch(bare.replace(",", ".")):
        return str(Decimal(bare.replace(",", ".")).normalize() + 0)
    return bare


def _says_missing(label: str) -> bool:
    return notation.is_missing(label) or _NOT_GIVEN.search(label) is not None


def _codes_that_count(spec: Field, setting: Setting) -> Mapping[str, str]:
    """Return what each code of the file is read as.

    A label that begins with a value is that value: of `1, 0 (none) | 2, 1 (very low)` the code 1 is
    a score of 0. A code whose label holds no number ("above liver") is itself the value. A label
    with other numbers leaves it open, and the cell cannot be read.
    """
    if not setting.codes or spec.kind in ("choice", "text", "date"):
        return setting.codes
    reader = _reader(spec, setting, [])
    words = {code: text for code, text in setting.codes.items() if not _says_missing(text)}
    values = {code: _leading_value(text, reader) for code, text in words.items()}
    result = {code: text for code, text in setting.codes.items() if code not in words}
    if all(value is not None for value in values.values()):
        # A code that is its own value needs no label.
        return result | {code: str(v) for code, v in values.items() if v != code.strip()}
    wordy = all(_NUMERAL.search(text) is None or _same(code, text) for code, text in words.items())
    return result if wordy else result | dict.fromkeys(words, UNCLEAR)


def _leading_value(label: str, reader: Callable[[str], Reading]) -> str | None:
    """Return the value that a label is, or begins with; None where it does neither."""
    start = _LEADING.match(label)
    for text in [label.strip(), *([start.group(1).strip()] if start else [])]:
        try:
            if reader(text)[0] is not None:
                return text
        except NotReadable:
            continue
    return None


def _same(code: str, label: str) -> bool:
    """Return whether the only number of a label is its own code."""
    return {code.strip()} >= set(re.findall(r"[0-9]+", label)) and not _ROMAN_WORD.search(label)


def _reader(spec: Field, setting: Setting, texts: list[str]) -> Callable[[str], Reading]:
    if spec.kind == "score":
        return notation.score
    if spec.kind == "percent":
        return notation.percent
    if spec.kind == "number":
        return lambda text: notation.number(text, spec.unit, setting.given)
    if spec.kind == "count":
        return lambda text: notation.count(text, spec.unit, setting.given)
    if spec.kind == "date":
        orders = {setting.date_order} if setting.date_order else dates.order_of(texts)
        return lambda text: dates.day(text, orders, setting.day_zero)
    if spec.kind == "choice":
        return lambda text: notation.choice(text, spec.choices)
    return notation.text


def _with_unit(found: dict[str, Reading], faults: dict[str, str], setting: Setting) -> Readings:
    """Tell fractions from percents: by the config, or by asking where a cell may be either."""
    bare = {
        cell: reading
        for cell, reading in found.items()
        if isinstance(reading, Interval) and reading.low is not None and "%" not in cell
    }
    if setting.mib1_unit == FRACTION:
        for cell, reading in bare.items():
            if _stated(reading) > 1:
                faults[cell] = "above 1, though the config says that the column holds fractions"
                del found[cell]
            else:
                found[cell] = Interval(
                    _hundredfold(reading.low), _hundredfold(reading.high), FRACTION
                )
        return Readings(found, faults)
    if setting.mib1_unit == PERCENT:
        return Readings(found, faults)
    doubtful = {cell for cell, reading in bare.items() if 0 < _stated(reading) < 1}
    # A column that holds nothing above 1 holds fractions or very low percents: a 1 is then either.
    throughout = all(_stated(reading) <= 1 for reading in bare.values())
    if doubtful and throughout:
        doubtful |= {cell for cell, reading in bare.items() if _stated(reading) == 1}
    return Readings(found, faults, frozenset(doubtful), throughout)


def _stated(reading: Interval) -> float:
    """Return the larger of the ends that a cell states; an open end is not stated."""
    assert reading.low is not None and reading.high is not None
    return reading.low if math.isinf(reading.high) else reading.high


def _hundredfold(end: float | None) -> float:
    """Return a fraction as percent, without the dust of binary numbers."""
    assert end is not None
    return end if math.isinf(end) else float(Decimal(repr(float(end))) * 100)
