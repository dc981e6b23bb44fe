"""The text that stands for a number, a date, a time or a truth value of a file."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal


def number_text(value: float, digits: int = 17) -> str:
    """Return the shortest text of a number, without `.0` and without an exponent where it is short.

    With 17 digits the text reads back as the same number; spreadsheets show 15 at most.

    >>> number_text(9.0), number_text(9.09), number_text(0.1 + 0.2, 15), number_text(0.00002)
    ('9', '9.09', '0.3', '0.00002')
    """
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if digits < 17:
        value = float(f"{value:.{digits}g}")
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text and 1e-15 < abs(value) < 1e21 else text


def moment_text(value: datetime | date | time) -> str:
    """Return ISO text: a date, with its time where that is not midnight, or a time alone.

    >>> moment_text(datetime(2026, 3, 31)), moment_text(datetime(2026, 3, 31, 10, 20))
    ('2026-03-31', '2026-03-31T10:20:00')
    >>> moment_text(time(9, 5))
    '09:05'
    """
    if isinstance(value, datetime):
        rounded = (value + timedelta(microseconds=500_000)).replace(microsecond=0)
        midnight = rounded.time() == time() and rounded.tzinfo is None
        return rounded.date().isoformat() if midnight else rounded.isoformat()
    if isinstance(value, time):
        value = value.replace(microsecond=0)
        return value.isoformat("minutes" if not value.second else "seconds")
    return value.isoformat()


def clock_text(seconds: float) -> str:
    """Return a span of time as hours and minutes, with seconds where there are any.

    >>> clock_text(3900), clock_text(95400), clock_text(61)
    ('01:05', '26:30', '00:01:01')
    """
    sign, whole = "-" if seconds < 0 else "", round(abs(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{sign}{hours:02d}:{minutes:02d}" + (f":{rest:02d}" if rest else "")


def yes_no(value: bool) -> str:
    return "yes" if value else "no"
