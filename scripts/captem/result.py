"""One result of a test or an estimate, which knows the row of `statistics.csv` it belongs in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from captem import statistics

_ROW = (
    "estimate", "conf_low", "conf_high", "conf_level", "interval_method", "statistic", "df",
    "p_value", "p_low", "p_high", "p_method", "n_patients", "n_lesions", "n_events", "status",
    "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A result with everything that is reported with it; what there is not is None.

    `n_events` counts the patients a test rests on (those who changed), `smallest_p` is the smallest
    P that any outcome with as many of them could have given. `status` is `ok`, `unstable` (to be
    read as exploratory) or `not_estimable` (no numbers); `reason` says why in words.
    """

    analysis: str
    estimand: str
    outcome: str = "krenning"
    term: str = ""
    variant: str = ""
    unit: str | None = None
    estimate: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    conf_level: float | None = None
    interval_method: str | None = None
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    p_low: float | None = None
    p_high: float | None = None
    p_method: str | None = None
    n_patients: int | None = None
    n_lesions: int | None = None
    n_events: int | None = None
    smallest_p: float | None = None
    status: str = "ok"
    reason: str = ""

    def row(
        self, subset: str = statistics.ALL, role: str = "exploratory", **more: Any
    ) -> dict[str, Any]:
        """Return the row of `statistics.csv`; `more` replaces fields, such as `outcome`."""
        told = replace(self, **more) if more else self
        values = {name: getattr(told, name) for name in _ROW}
        if told.unit:
            values["unit"] = told.unit
        return statistics.row(
            told.analysis, told.outcome, subset, told.estimand, term=told.term,
            variant=told.variant, role=role, **values,
        )  # fmt: skip

    def refused(self, reason: str) -> Result:
        """Return the same question without an answer, and why."""
        return Result(
            self.analysis, self.estimand, self.outcome, self.term, self.variant, self.unit,
            n_patients=self.n_patients, status="not_estimable", reason=reason,
        )  # fmt: skip

    def __str__(self) -> str:
        """Return the result as a line for a notebook."""
        if self.status == "not_estimable":
            return f"{self.analysis}: not estimable ({self.reason})"
        said = []
        if self.estimate is not None:
            said.append(f"{self.estimand} {self.estimate:.4g}")
        if self.conf_low is not None and not math.isnan(self.conf_low):
            level = f"{self.conf_level or 0.95:.0%}"
            said.append(f"{level} CI {self.conf_low:.4g} to {self.conf_high:.4g}")
        if self.p_value is not None:
            spread = "" if self.p_low == self.p_value else f", {self.p_low:.3g} at least"
            said.append(f"P = {self.p_value:.3g}{spread} ({self.p_method})")
        said.append(f"n = {self.n_patients}")
        caution = f"; {self.status}: {self.reason}" if self.status != "ok" else ""
        return f"{self.analysis}: {', '.join(said)}{caution}"
