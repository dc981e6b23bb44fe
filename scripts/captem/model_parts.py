"""What every model is made of: its terms, its rows, and the row of a model that is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captem import limits, ordinal, statistics

LEVEL = 0.95
PRIMARY_TERM = "log2_mib1"
UNITS = {
    "krenning_pre": "per step at baseline",
    "log2_mib1": "per doubling of MIB1",
    "captem_cycles": "per cycle",
    "log2_suvmax_pre": "per doubling of baseline SUVmax",
    "mib1_grade": "per WHO grade by MIB1 alone",
}
_ESTIMANDS = {"suvmax": "ratio", "lesion_suvmax": "ratio"}


@dataclass(frozen=True)
class Model:
    """What a model asks; `analysis` names its rows and its file.

    `more_units` gives the unit of each term that is not in `UNITS`.
    """

    analysis: str
    outcome: str
    terms: tuple[str, ...]
    planned: str
    more_units: tuple[tuple[str, str], ...] = ()

    def unit(self, term: str) -> str:
        """Return what the ratio of a term is per, or against."""
        return UNITS[term] if term in UNITS else dict(self.more_units)[term]


@dataclass(frozen=True)
class Estimates:
    """A fitted model as its rows and as the content of `models/<model>.json`."""

    rows: list[dict[str, Any]]
    record: dict[str, Any]


def estimand(model: Model) -> str:
    """Return what the estimates of a model are."""
    return _ESTIMANDS.get(model.outcome, "odds ratio")


def rows(
    model: Model, subset: str, role: str, values: Sequence[dict[str, Any]], variant: str = ""
) -> list[dict[str, Any]]:
    """Return one row a term; only the terms in question carry the role of the model."""
    return [
        statistics.row(
            model.analysis, model.outcome, subset, estimand(model),
            term=term, variant=variant,
            role=role if term in (PRIMARY_TERM, "captem_cycles") else "descriptive",
            unit=model.unit(term), **found,
        )
        for term, found in zip(model.terms, values, strict=True)
    ]  # fmt: skip


def refused(
    model: Model,
    subset: str,
    role: str,
    n: int,
    reason: str,
    variants: Sequence[str] = ("",),
    **record: Any,
) -> Estimates:
    """Return the rows of a model that is not fitted, one for each term and variant, and why."""
    values = [{"n_patients": n} | statistics.not_estimable(reason) for _ in model.terms]
    told = [row for variant in variants for row in rows(model, subset, role, values, variant)]
    return Estimates(told, {"n": n, "status": "not_estimable", "reason": reason} | record)


def too_few(n: int) -> str:
    """Return why a model of so few patients is refused, or empty text."""
    return limits.too_few_pairs(n).replace("both scans scored", "all that the model needs")


def collinear(model: Model, aliased: Sequence[int]) -> str:
    """Return which terms cannot be told apart, in a sentence, or empty text."""
    if not aliased:
        return ""
    names = " and ".join(model.terms[i] for i in aliased)
    return f"{names} cannot be told apart from the other terms (constant or a copy of them)"


def separating(model: Model, low: np.ndarray, high: np.ndarray, x: np.ndarray) -> list[str]:
    """Return the terms that separate the outcomes: those without which nothing does, else all.

    `low` and `high` (n,) are the ends of an ordinal outcome, equal for a point; 0 and 1 will do.
    """
    receding = ordinal.separated(low, high, x)
    causes = [
        term
        for i, term in enumerate(model.terms)
        if receding[i] and not ordinal.separated(low, high, np.delete(x, i, axis=1)).any()
    ]
    return causes or [term for term, yes in zip(model.terms, receding, strict=True) if yes]


def ratio(beta: float) -> float:
    """Return the ratio of a coefficient; infinite where no number can hold it."""
    try:
        return math.exp(beta)
    except OverflowError:
        return math.inf


def doubts(model: Model, x: np.ndarray, caution: str) -> list[str]:
    """Return for each term why its row is to be read as exploratory, or empty text."""
    return [
        caution or (limits.short_span(float(np.ptp(x[:, i])), UNITS[term]) if term in UNITS else "")
        for i, term in enumerate(model.terms)
    ]
