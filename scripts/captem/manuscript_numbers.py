"""Numbers by name: what a manuscript's template asks of `statistics.csv`, printed in AMA style.

All rounding is that of `captem.rounding`, so that text and tables print the same. Each number is
handed to `trace` with its row and column.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from captem import rounding
from captem.errors import CaptemError
from captem.statistics import ALL
from captem.table_parts import MASKED, in_order, records, refused_words
from captem.wording import reason_words

Trace = Callable[[str, str, str], str]
REASON = "reason"
_SHORT = {
    "odds ratio": "OR",
    "matched win odds": "win odds",
    "difference of proportions": "difference",
}
# What the numbers of these are in needs no word before them.
_BARE = ("proportion", "median", "quartile_1", "quartile_3", "probability")
_NEAREST = 3


class Bare(float):
    """A number for conditions alone: the template may compare it and never print it."""


class Numbers:
    """What a template may call for a number.

    Every function takes the name of an analysis and of a term, and `outcome`, `subset` (all
    patients where not said) and `method` (the reported one where not said), or a full `row_id` in
    their place. Where a row has no number, `otherwise` is printed: a text, or its reason for
    `otherwise="reason"`; without it CaptemError is raised. What is masked for disclosure prints
    `masked`.

    Parameters
    ----------
    statistics : `statistics.csv`.
    trace : called with text, row_id and column of each number; returns what is printed.
    """

    def __init__(self, statistics: pd.DataFrame, trace: Trace = lambda text, row_id, column: text):
        self._rows = {row["row_id"]: row for row in records(statistics)}
        self._trace = trace

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return every function under the name that templates call it by."""
        names = ("stat", "told", "share", "n", "lesions", "count", "estimate", "interval", "p",
                 "spread", "doubt", "reason", "has", "known", "value")  # fmt: skip
        return {name: getattr(self, name) for name in names}

    # Whole statements

    def stat(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print an estimate with its interval and P, as in `OR 1.84 (95% CI, ...; *P* = .04)`."""
        row = self._row(analysis, term, **which)
        if row["status"] == "not_estimable":
            return self._refused(row, otherwise)
        inside = self._inside(row)
        if row["estimand"] == "proportion":
            return self._proportion(row, inside)
        if math.isnan(row["estimate"]):
            return inside or self._refused(row, otherwise)
        said = _name(row["estimand"]) + self._estimate(row)
        return f"{said} ({inside})" if inside else said

    def told(self, analysis: str, term: str = "", **which: str) -> str:
        """Print as `stat`, with what a reader has to know; where there is no number, the reason."""
        row = self._row(analysis, term, **which)
        said, doubt = self.stat(row["row_id"], otherwise=REASON), self.doubt(row["row_id"])
        if doubt and said.endswith(")"):
            return f"{said[:-1]}; {doubt.strip(' ()')})"
        return said + doubt

    def share(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print a proportion as `29/54 (54%)`, of lesions where it counts lesions."""
        row = self._row(analysis, term, **which)
        if row["status"] == "not_estimable" or _absent(row["n_events"]):
            return self._refused(row, otherwise)
        return self._share(row)

    # Parts

    def n(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print the number of patients a row rests on; a row without estimate may have it."""
        return self._count(self._row(analysis, term, **which), "n_patients", otherwise)

    def lesions(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print the number of lesions a row rests on."""
        return self._count(self._row(analysis, term, **which), "n_lesions", otherwise)

    def count(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print how many a proportion counts."""
        return self._count(self._row(analysis, term, **which), "n_events", otherwise)

    def estimate(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print the estimate alone; of a proportion as a percentage."""
        row = self._row(analysis, term, **which)
        if row["status"] == "not_estimable" or math.isnan(row["estimate"]):
            return self._refused(row, otherwise)
        return self._estimate(row)

    def interval(self, analysis: str, term: str = "", *, otherwise: str = "", **which: str) -> str:
        """Print the two ends of the interval, of a proportion in percent."""
        row = self._row(analysis, term, **which)
        if row["status"] == "not_estimable" or _without_interval(row):
            return self._refused(row, otherwise)
        return self._interval(row)

    def p(self, analysis: str, term: str = "", *, adjusted: bool = False, otherwise: str = "",
          **which: str) -> str:  # fmt: skip
        """Print `*P* = .04`; `adjusted` asks for Holm's P of the secondary questions."""
        row = self._row(analysis, term, **which)
        column = "p_adjusted" if adjusted else "p_value"
        if row["status"] == "not_estimable" or math.isnan(row[column]):
            return self._refused(row, otherwise)
        return self._p(row, column)

    def spread(self, analysis: str, *, otherwise: str = "", **which: str) -> str:
        """Print the median with its quartiles, as in `60 (50–72)`."""
        names = ("median", "quartile_1", "quartile_3")
        rows = [self._row(analysis, name, **which) for name in names]
        for row in rows:
            if row["status"] == "not_estimable" or math.isnan(row["estimate"]):
                return self._refused(row, otherwise)
        text = rounding.spread(*(row["estimate"] for row in rows))
        return self._trace(text, rows[0]["row_id"], "estimate")

    # Words, and conditions

    def doubt(self, analysis: str, term: str = "", **which: str) -> str:
        """Return in brackets that a row is exploratory or unstable, and why; nothing where not."""
        row = self._row(analysis, term, **which)
        if row["status"] == "not_estimable":
            return ""
        said = ["exploratory"] if row["role"] == "exploratory" else []
        if row["status"] == "unstable":
            said.append(f"unstable: {reason_words(row['reason'])}")
        return f" ({'; '.join(said)})" if said else ""

    def reason(self, analysis: str, term: str = "", **which: str) -> str:
        """Return why a row is not ok."""
        return reason_words(str(self._row(analysis, term, **which)["reason"]))

    def has(self, analysis: str, term: str = "", **which: str) -> bool:
        """Say whether there is such a row with a number to print."""
        found = self._found(analysis, term, **which)
        return found is not None and found["status"] != "not_estimable"

    def known(self, analysis: str, term: str = "", **which: str) -> bool:
        """Say whether there is such a row, of whatever status."""
        return self._found(analysis, term, **which) is not None

    def value(self, analysis: str, term: str = "", *, column: str = "estimate",
              **which: str) -> Bare:  # fmt: skip
        """Return a number for a condition, NaN where there is none or it is masked."""
        row = self._found(analysis, term, **which) or {}
        if row and column not in row:
            raise CaptemError(f"statistics.csv has no column {column!r}")
        found = row.get(column, math.nan)
        return Bare(math.nan if _absent(found) else float(found))

    # Rows

    def _row(self, analysis: str, term: str = "", **which: str) -> Mapping[str, Any]:
        wanted = self._names(analysis, term, **which)
        found = [name for name in wanted if name in self._rows]
        if len(found) == 1:
            return self._rows[found[0]]
        if found:
            raise CaptemError(
                f"{analysis!r} is given for more than one outcome: say which, with outcome= "
                f"{' or '.join(repr(name.split('/')[1]) for name in found)}"
            )
        near = difflib.get_close_matches(wanted[0], list(self._rows), _NEAREST, cutoff=0.4)
        told = f"; the nearest are {', '.join(near)}" if near else ""
        raise CaptemError(f"statistics.csv has no row {wanted[0]!r}{told}")

    def _found(self, analysis: str, term: str = "", **which: str) -> Mapping[str, Any] | None:
        found = [name for name in self._names(analysis, term, **which) if name in self._rows]
        return self._row(analysis, term, **which) if found else None

    def _names(self, analysis: str, term: str = "", *, outcome: str = "", subset: str = ALL,
               method: str = "") -> list[str]:  # fmt: skip
        """Return the names that a row may have; of lesions only where the outcome says so."""
        if "/" in analysis:
            return [analysis]
        outcomes = [outcome] if outcome else in_order(
            row["outcome"] for row in self._rows.values() if row["analysis"] == analysis
        )  # fmt: skip
        whole = [name for name in outcomes if not name.startswith("lesion_")]
        tail = [part for part in (term, method) if part]
        names = ["/".join([analysis, name, subset, *tail]) for name in whole or outcomes]
        return names or ["/".join([analysis, subset, *tail])]

    # Printing

    def _refused(self, row: Mapping[str, Any], otherwise: str) -> str:
        if refused_words(dict(row)) == MASKED:
            return MASKED
        if otherwise == REASON:
            reason = reason_words(str(row["reason"]))
            return f"not estimable ({reason})" if reason else "not estimable"
        if otherwise:
            return otherwise
        because = f": {reason_words(str(row['reason']))}" if row["reason"] else ""
        raise CaptemError(
            f"{row['row_id']!r} has no such number ({row['status']}{because}); say what is printed "
            'instead, as in otherwise="reason" or otherwise="not known"'
        )

    def _count(self, row: Mapping[str, Any], column: str, otherwise: str) -> str:
        if _absent(row[column]):
            return self._refused(row, otherwise)
        return self._trace(str(int(row[column])), row["row_id"], column)

    def _proportion(self, row: Mapping[str, Any], inside: str) -> str:
        if _absent(row["n_events"]):
            said = self._trace(_percent(row["estimate"], _size(row)), row["row_id"], "estimate")
            return f"{said} ({inside})" if inside else said
        share = self._share(row)
        if not inside:
            return share
        whole, _, percent = share.partition(" (")
        return f"{whole} ({percent.removesuffix(')')}; {inside})"

    def _share(self, row: Mapping[str, Any]) -> str:
        of = "n_patients" if _absent(row["n_lesions"]) else "n_lesions"
        text = rounding.share(int(row["n_events"]), _size(row))
        counts, _, percent = text.partition(" (")
        printed = self._trace(counts, row["row_id"], f"n_events, {of}")
        return f"{printed} ({self._trace(percent.removesuffix(')'), row['row_id'], 'estimate')})"

    def _estimate(self, row: Mapping[str, Any]) -> str:
        if row["estimand"] == "proportion":
            text = _percent(row["estimate"], _size(row))
        elif str(row["estimand"]).startswith("P of"):
            text = f"*P* {rounding.p_value(row['estimate'])}"
        else:
            text = rounding.number(row["estimate"])
        unit = str(row["unit"])
        # Of a ratio the unit says what it is per; only of a measure it belongs to the number.
        of_measure = unit in ("steps", "patients", "mm", "%")
        sign = "" if unit == "%" else " "
        said = self._trace(text, row["row_id"], "estimate")
        return f"{said}{sign}{unit}" if of_measure else said

    def _inside(self, row: Mapping[str, Any]) -> str:
        """Return what stands in the brackets: the interval, and P."""
        said = []
        if not _without_interval(row):
            level = self._trace(rounding.level(row["conf_level"]), row["row_id"], "conf_level")
            said.append(f"{level} {_kind(row)}, {self._interval(row)}")
        if not math.isnan(row["p_value"]):
            said.append(self._p(row, "p_value"))
        return "; ".join(said)

    def _interval(self, row: Mapping[str, Any]) -> str:
        low, high = row["conf_low"], row["conf_high"]
        if row["estimand"] == "proportion":
            text = rounding.percent_interval(low, high, _size(row))
        else:
            text = rounding.interval(low, high)
        return self._trace(text, row["row_id"], "conf_low, conf_high")

    def _p(self, row: Mapping[str, Any], column: str) -> str:
        return f"*P* {self._trace(rounding.p_value(row[column]), row['row_id'], column)}"


def _name(estimand: str) -> str:
    """Return what stands before an estimate, with a space behind it."""
    if estimand in _BARE or estimand.startswith("P of"):
        return ""
    return f"{_SHORT.get(estimand, estimand)} "


def _kind(row: Mapping[str, Any]) -> str:
    """Return what the interval of a row is one of."""
    method = str(row["interval_method"])
    if "percentile of simulated" in method:
        return f"of {method.rpartition('of ')[2]}"
    return "CI"


def _absent(value: Any) -> bool:
    return value == "" or value is None or bool(pd.isna(value))


def _without_interval(row: Mapping[str, Any]) -> bool:
    return math.isnan(row["conf_low"]) and math.isnan(row["conf_high"])


def _size(row: Mapping[str, Any]) -> int:
    name = "n_patients" if _absent(row["n_lesions"]) else "n_lesions"
    return 0 if _absent(row[name]) else int(row[name])


def _percent(value: float, n: int) -> str:
    return f"{rounding.fixed(100 * value, 0 if n < 100 else 1)}%"
