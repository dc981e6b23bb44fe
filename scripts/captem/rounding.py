"""How a number is printed: every rounding of every table, caption and sentence, in one place.

After the AMA Manual of Style: P with two digits, three where it is below .01 or would round to the
limit of .05, `<.001` below that, and no zero before the point; percentages without decimals where
the denominator is below 100; ranges with an en dash, except where a minus sign could be misread.
A number halfway between two is rounded away from zero, as readers of journals expect.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

DASH = "–"
EMPTY = "—"
_LARGEST, _SMALLEST = 10000, 0.0001


def number(value: float, digits: int = 3) -> str:
    """Print a number with `digits` significant digits and without an exponent.

    >>> number(2.43997), number(0.0617), number(1234.5), number(10.0)
    ('2.44', '0.0617', '1235', '10.0')

    What is beyond any use is said to be so: no reader needs its digits.

    >>> number(3.2e21), number(0.0000012), number(-45000)
    ('>10000', '<0.0001', '<-10000')
    """
    if math.isnan(value):
        return EMPTY
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if abs(value) > _LARGEST:
        return f">{_LARGEST}" if value > 0 else f"<-{_LARGEST}"
    if abs(value) < _SMALLEST:
        return f"<{_SMALLEST:.4f}" if value > 0 else f">-{_SMALLEST:.4f}"
    magnitude = math.floor(math.log10(abs(value)))
    places = max(0, digits - 1 - magnitude)
    # 9.996 to three digits is 10.0 and not 10.00.
    if abs(float(fixed(value, places))) >= 10 ** (magnitude + 1):
        places = max(0, places - 1)
    return fixed(value, places)


def fixed(value: float | Decimal, places: int) -> str:
    """Print a number with so many places.

    >>> fixed(0.125, 2), fixed(2.5, 0), fixed(-0.04, 1)
    ('0.13', '3', '0.0')
    """
    text = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    rounded = text.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return str(abs(rounded) if rounded == 0 else rounded)


def measure(value: float, places: int = 1) -> str:
    """Print a measured value, with fixed places and without a superfluous `.0`.

    >>> measure(59.0), measure(9.25, 1)
    ('59', '9.3')
    """
    if math.isnan(value):
        return EMPTY
    text = fixed(value, places)
    return text.rstrip("0").rstrip(".") if "." in text else text


def p_value(p: float) -> str:
    """Print a P value with its sign of equality.

    >>> p_value(0.0321), p_value(0.0486), p_value(0.0044), p_value(0.00002), p_value(0.9999)
    ('= .03', '= .049', '= .004', '< .001', '> .99')
    """
    if math.isnan(p):
        return EMPTY
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "= 1" if p == 1 else "> .99"
    digits = 3 if p < 0.01 else 2
    while (p < 0.05) != (float(fixed(p, digits)) < 0.05):
        digits += 1
        if digits > 4:
            return "< .05"
    return "= " + fixed(p, digits)[1:]


def percent(count: int, n: int) -> str:
    """Print a share as a percentage, without decimals where n is below 100.

    >>> percent(29, 54), percent(29, 540), percent(0, 0)
    ('54%', '5.4%', '—')
    """
    if n == 0:
        return EMPTY
    return fixed(Decimal(100 * count) / n, 0 if n < 100 else 1) + "%"


def share(count: int, n: int) -> str:
    """Print a count out of n with its percentage.

    >>> share(29, 54)
    '29/54 (54%)'
    """
    return f"{count}/{n} ({percent(count, n)})"


def interval(low: float, high: float, digits: int = 3) -> str:
    """Print the two ends of an interval of ratios or measures.

    >>> interval(1.2878, 4.8802), interval(0.4, math.inf)
    ('1.29 to 4.88', '0.400 to ∞')
    >>> interval(1.0004, 2.3)
    '1.0004 to 2.30'
    """
    ends = [number(end, digits) for end in (low, high)]
    for i, end in enumerate((low, high)):
        places = digits
        # An end that excludes 1 must not look as if it were 1.
        while math.isfinite(end) and end != 1 and float(_digits(ends[i])) == 1 and places < 9:
            places += 1
            ends[i] = number(end, places)
    return f"{ends[0]} to {ends[1]}"


def _digits(text: str) -> str:
    return text.lstrip("<>")


def percent_interval(low: float, high: float, n: int) -> str:
    """Print the two ends of an interval of a proportion out of n as percentages.

    >>> percent_interval(0.406, 0.6631, 54)
    '41% to 66%'
    """
    places = 0 if n < 100 else 1
    return f"{fixed(100 * low, places)}% to {fixed(100 * high, places)}%"


def p_cell(p: float) -> str:
    """Print a P value for a column headed P, without a sign of equality.

    >>> p_cell(0.0321), p_cell(0.0000109), p_cell(1.0)
    ('.03', '<.001', '1')
    """
    return p_value(p).removeprefix("= ").replace(" ", "")


def spread(median: float, quartile_1: float, quartile_3: float, places: int = 1) -> str:
    """Print a median with its quartiles.

    >>> spread(60.0, 50.0, 72.25), spread(3.65, 2.1, 5.675)
    ('60 (50–72.3)', '3.7 (2.1–5.7)')
    """
    ends = f"{measure(quartile_1, places)}{DASH}{measure(quartile_3, places)}"
    return f"{measure(median, places)} ({ends})"


def level(confidence: float) -> str:
    """Print the level of an interval.

    >>> level(0.95), level(0.975)
    ('95%', '97.5%')
    """
    return f"{measure(100 * confidence)}%"
