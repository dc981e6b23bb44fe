"""Dates as sheets write them; the order of day and month is decided by the column as a whole.

`03/04/2026` is the third of April or the fourth of March. One cell such as `31/03/2026` in the same
column decides for all of it; where none does, the cell cannot be read and the researcher is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta

from captem.notation import NotReadable, Word, is_missing

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
_ISO = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_COMPACT = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
_NUMBERS = re.compile(r"([0-9]{1,2})\s*([-/. ])\s*([0-9]{1,2})\s*\2\s*([0-9]{4}|[0-9]{2})")
_NAMED = re.compile(
    r"(?:([0-9]{1,2})[-. ]+([^\W\d_]{3,9})|([^\W\d_]{3,9})[-. ]+([0-9]{1,2}))[-.,]*[-, ]+"
    r"([0-9]{4}|[0-9]{2})"
)
_TIME = re.compile(r"[T ]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$")
_SERIAL = re.compile(r"[0-9]{5}(\.[0-9]+)?")
_LAST_CENTURY = 70
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier", "feb february februar fevrier fev",
            "mar march marz mrz mars",
            "apr april avr avril", "may mai", "jun june juni juin", "jul july juli juillet",
            "aug august aout", "sep sept september septembre", "oct october okt oktober octobre",
            "nov november novembre", "dec december dez dezember decembre",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip


def order_of(cells: Iterable[str]) -> set[str]:
    """Return what the cells say of the order of day and month: nothing, one order, or both.

    >>> order_of(["03/04/2026", "31/03/2026"]), order_of(["03/04/2026"])
    ({'day_first'}, set())
    """
    found = set()
    for cell in cells:
        if parts := _NUMBERS.fullmatch(_TIME.sub("", cell.strip())):
            first, second = int(parts.group(1)), int(parts.group(3))
            if first > 12 >= second:
                found.add(DAY_FIRST)
            elif second > 12 >= first:
                found.add(MONTH_FIRST)
    return found


def day(text: str, orders: set[str], day_zero: str = "") -> Word:
    """Read a date; what is not in ISO form carries the rule that was applied.

    Parameters
    ----------
    orders : what the column says of the order of day and month (`order_of`), or the config.
    day_zero : the day that the number 0 stands for, where the file may store dates as numbers.

    Raises
    ------
    NotReadable
        If the cell is no date, or may be two dates.

    >>> day("31.03.2026", {"day_first"}), day("2026-03-31", set()), day("5 Mar 2026", set())
    (Word(value='2026-03-31', rule='date_day_first'), Word(value='2026-03-31', rule=''), \
Word(value='2026-03-05', rule='date_in_words'))
    """
    if is_missing(text):
        return Word(None, "missing_code" if text.strip() else "")
    cell = _TIME.sub("", text.strip())
    rule = "" if cell == text else "date_with_time" if cell != text.strip() else "spelling"
    if parts := _ISO.fullmatch(cell):
        found = _date(*parts.groups())
        return Word(found, rule or ("" if found == text else "date_spelling"))
    if parts := _COMPACT.fullmatch(cell):
        return Word(_date(*parts.groups()), "date_compact")
    if parts := _NAMED.fullmatch(cell):
        number = parts.group(1) or parts.group(4)
        month = _MONTHS.get(_plain(parts.group(2) or parts.group(3)))
        if month is None:
            raise NotReadable("the month is not known")
        return Word(_date(parts.group(5), str(month), number), "date_in_words")
    if parts := _NUMBERS.fullmatch(cell):
        return _by_order(parts.group(1), parts.group(3), parts.group(4), orders)
    if day_zero and _SERIAL.fullmatch(cell):
        days = timedelta(days=int(float(cell)))
        return Word((date.fromisoformat(day_zero) + days).isoformat(), "date_serial")
    raise NotReadable("not a date as year-month-day")


def _plain(word: str) -> str:
    """Return a word in lower case and without accents."""
    parted = unicodedata.normalize("NFKD", word.lower())
    return "".join(sign for sign in parted if not unicodedata.combining(sign))


def _by_order(first: str, second: str, year: str, orders: set[str]) -> Word:
    as_day_first = _if_date(year, second, first)
    as_month_first = _if_date(year, first, second)
    if as_day_first and as_month_first and as_day_first != as_month_first:
        if len(orders) != 1:
            said = "says both" if orders else "does not say"
            raise NotReadable(
                f"{as_day_first} or {as_month_first}: the column {said} whether the day or the "
                "month comes first; write year-month-day, or set date_order for the source in the "
                "config"
            )
        found = as_day_first if DAY_FIRST in orders else as_month_first
    else:
        found = as_day_first or as_month_first or ""
        if not found:
            raise NotReadable("no such day in the calendar")
    wanted = DAY_FIRST if found == as_day_first else MONTH_FIRST
    if len(orders) == 1 and wanted not in orders and as_day_first != as_month_first:
        raise NotReadable("day and month are the other way round than in the rest of the column")
    return Word(found, f"date_{wanted}")


def _if_date(year: str, month: str, number: str) -> str | None:
    try:
        return _date(year, month, number)
    except NotReadable:
        return None


def _date(year: str, month: str, number: str) -> str:
    if len(year) == 2 and int(year) >= _LAST_CENTURY:
        raise NotReadable("of which century is the year? write it in four digits")
    # ASSUME: two low digits are a year of this century: PET/CT and CAPTEM are not older.
    full = int(year) + (2000 if len(year) == 2 else 0)
    try:
        return date(full, int(month), int(number)).isoformat()
    except ValueError:
        raise NotReadable("no such day in the calendar") from None
