"""Shares with their Monte Carlo error from the counts, and whether limits are broken.

What the limits are: `captem.measured`. What misleads (`worlds.OF_BIAS`) is printed and never
judged: there the method keeps its promise, and the study does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from captem import measured, validity
from captem.calibration_grid import OF_TRUTH
from captem.measured import error

COLUMNS = (
    "scenario", "patients", "row_id", "mean_patients", "studies", "ok", "unstable",
    "not_estimable", "intervals", "covers", "covers_error", "tests", "rejects", "rejects_error",
    "is_error", "bias", "rmse", "mean_width", "judged", "outside",
)  # fmt: skip
# What is kept of shares and means: far less than their Monte Carlo error.
_DIGITS = 4


def judged(counts: pd.DataFrame) -> pd.DataFrame:
    """Return shares, and which limits are broken, for each cell.

    Parameters
    ----------
    counts : as `validity.gathered` returns them.

    Returns
    -------
    A frame with `COLUMNS`: `ok`, `unstable` and `not_estimable` are how many studies had that
    status, before what is measured here makes a row unstable; `covers` and `rejects` are shares of
    `intervals` and `tests`; `is_error` says whether a rejection is one; `judged` whether there are
    enough studies to be held to a limit, and `outside` which limits are broken.
    """
    lines = [_line(row) for row in counts.to_dict("records")]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    covers = _share(row["covered"], row["intervals"])
    rejects = _share(row["rejected"], row["tests"])
    null = validity.is_null(row["scenario"], row["row_id"])
    size = rejects if null else math.nan
    of_truth = row["scenario"] in OF_TRUTH
    most = max(row["intervals"], row["tests"] if null else 0)
    told = {
        "scenario": row["scenario"], "patients": row["patients"], "row_id": row["row_id"],
        "mean_patients": round(_share(row["patients_sum"], row["given"]), 1),
        "studies": int(row["studies"]), "ok": int(row["ok"]),
        "unstable": int(row["given"] - row["ok"]),
        "not_estimable": int(row["studies"] - row["given"]),
        "intervals": int(row["intervals"]), "covers": covers,
        "covers_error": error(covers, row["intervals"]), "tests": int(row["tests"]),
        "rejects": rejects, "rejects_error": error(rejects, row["tests"]),
        "is_error": "yes" if null else "no", "bias": _share(row["error_sum"], row["errors"]),
        "rmse": math.sqrt(_share(row["error_squares"], row["errors"])),
        "mean_width": _share(row["width_sum"], row["widths"]),
        "judged": "yes" if of_truth and most >= measured.ENOUGH else "no",
    }  # fmt: skip
    broken = measured.outside(row["row_id"], row["intervals"], covers, row["tests"], size)
    kept = {
        name: round(value, _DIGITS) if isinstance(value, float) else value
        for name, value in told.items()
    }
    return kept | {"outside": broken if of_truth else ""}


def _share(count: float, of: float) -> float:
    return count / of if of else math.nan
