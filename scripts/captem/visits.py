"""Which scan the words of a sheet mean: `baseline`, `FU 2`, `follow_up_arm_1`, `12 months post`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from captem import headings

_ARM = re.compile(r"\(\s*arm\b[^)]*\)|_arm_\d+$", re.IGNORECASE)
_SPAN = re.compile(
    r"(?<![\d.,])(\d{1,4}(?:[.,]\d+)?)\s*_?(days?|wks?|weeks?|mo|mos|months?|m|y|yrs?|years?)(?![a-z])",
    re.IGNORECASE,
)
_SCANS = frozenset("pet petct ct scan visit event dotatate dotatoc sstr imaging arm".split())  # noqa: SIM905
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


def visit_number(text: str, visits: Mapping[str, list[str]]) -> float | None:
    """Return 0 for the baseline scan, a number that orders follow-ups, None where it is not known.

    `visits` is the setting of the source: the words that it uses for its scans. A follow-up without
    a number of its own is 1; `3 months` stands for its days.

    >>> [visit_number(text, {}) for text in ("Baseline", "follow_up_arm_1", "FU 12 months", "x")]
    [0.0, 1.0, 360.0, None]
    >>> visit_number("T2", {"baseline": ["T0"], "follow_up": ["T1", "T2"]})
    2.0
    """
    bare = _ARM.sub("", text).strip()
    for said in (text.strip().lower(), bare.lower()):
        if said in [word.strip().lower() for word in visits.get("baseline", [])]:
            return 0.0
        follow_ups = [word.strip().lower() for word in visits.get("follow_up", [])]
        if said in follow_ups:
            return float(follow_ups.index(said) + 1)
    scan, number, rest = headings.scan_of(bare)
    if scan == "pre":
        # "Before PRRT" is before something else than CAPTEM.
        return None if any(word.isalpha() and word not in _SCANS for word in rest) else 0.0
    if scan != "post":
        return None
    if span := _SPAN.search(bare):
        days = float(span.group(1).replace(",", ".")) * _DAYS[span.group(2)[0].lower()]
        return max(days, 1.0)
    return float(number)
