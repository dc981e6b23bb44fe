"""The reference cases under `tests/reference`; its README names their keys and conventions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REFERENCE = Path(__file__).with_name("reference")
_NOT_NUMBERS = {"NA": np.nan, "NaN": np.nan, "Inf": np.inf, "-Inf": -np.inf}


def load(case: str) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """Return a case's description and its tables by R's names for them.

    `case` is the full name or its leading code: "O03_cohort60" or "O03".
    """
    meta, frames = _load(case)
    return meta, {name: frame.copy() for name, frame in frames.items()}


def answer(meta: dict[str, Any], check: str) -> Any:
    """Return R's value of one check.

    A number, an array for a list, a Series for named numbers, a DataFrame for a matrix; an object
    of several of these stays a dict. "NA", "NaN" and "Inf" become numbers.
    """
    return _converted(meta["checks"][check]["value"])


def assert_matches(actual: Any, expected: Any, meta: dict[str, Any], rtol: float | None = None):
    """Assert equality to the case's tolerances, NaN equal to NaN; `rtol` replaces the case's."""
    np.testing.assert_allclose(
        np.asarray(actual, dtype=float),
        np.asarray(expected, dtype=float),
        rtol=meta["rtol"] if rtol is None else rtol,
        atol=meta["atol"],
    )


@cache
def _load(case: str) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    found = [path for path in REFERENCE.glob("*.json") if path.stem == case]
    found = found or list(REFERENCE.glob(f"{case}_*.json"))
    if len(found) != 1:
        raise LookupError(f"{len(found)} reference cases are called {case!r}.")
    meta = json.loads(found[0].read_text(encoding="utf-8"))
    frames = {
        Path(name).stem.split("__", 1)[1]: pd.read_csv(REFERENCE / name) for name in meta["data"]
    }
    return meta, frames


def _converted(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"rows", "cols", "values"}:
            return pd.DataFrame(
                [[_number(cell) for cell in row] for row in value["values"]],
                index=value["rows"],
                columns=value["cols"],
            )
        members = {name: _converted(member) for name, member in value.items()}
        if all(isinstance(member, float) for member in members.values()):
            return pd.Series(members, dtype=float)
        return members
    if isinstance(value, list):
        return np.array([_number(item) for item in value])
    return _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_NUMBERS.get(value, value)
    return float(value) if isinstance(value, int | float) else value
