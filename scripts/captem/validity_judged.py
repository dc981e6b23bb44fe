"""What a method has to hold, and whether it did: shares with their Monte Carlo error, and a verdict.

A test has to reject in 5 % where nothing is there: an exact one in no more, an approximate one in
2.5 to 7.5 %. A 95 % interval has to hold the truth in 92.5 % at least. Each limit is broken where
the measured share is beyond it by more than three Monte Carlo standard errors. Judged are the
studies in which the row gives an estimate. What misleads (`worlds.OF_BIAS`) is printed and never
judged: there the method keeps its promise, and the study does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from captem import validity

SIZE, LOWEST, HIGHEST, COVERS = 0.05, 0.025, 0.075, 0.925
ERRORS = 3.0
# Rows whose P is exact, or drawn so often that it is exact but for the drawing.
_APPROXIMATE = ("model.", "transition.marginal_homogeneity")
_ENDINGS = ("/asymptotic",)
COLUMNS = (
    "scenario", "patients", "row_id", "mean_patients", "studies", "given", "ok", "covers",
    "covers_error", "rejects", "rejects_error", "is_error", "bias", "rmse", "mean_width", "verdict",
)  # fmt: skip


def is_exact(row_id: str) -> bool:
    """Return whether a test has its level by construction.

    >>> is_exact("criterion.mcnemar/criterion/all"), is_exact("criterion.mcnemar/criterion/all/exact")
    (False, True)
    """
    if row_id.startswith("criterion.mcnemar"):
        return row_id.endswith("/exact")
    if row_id.endswith("/scored_exact"):
        return True
    return not row_id.startswith(_APPROXIMATE) and not row_id.endswith(_ENDINGS)


def error(share: float, count: float) -> float:
    """Return the Monte Carlo standard error of a share.

    >>> round(error(0.05, 2000), 4)
    0.0049
    """
    return math.sqrt(share * (1 - share) / count) if count else math.nan


def judged(counts: pd.DataFrame) -> pd.DataFrame:
    """Return shares and a verdict for each cell.

    Parameters
    ----------
    counts : as `validity.gathered` returns them.

    Returns
    -------
    A frame with `COLUMNS`; `verdict` is empty where a limit is not broken, else what was measured,
    in words.
    """
    lines = [_line(row) for row in counts.to_dict("records")]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    covers = _share(row["covered"], row["intervals"])
    rejects = _share(row["rejected"], row["tests"])
    null = validity.is_null(row["scenario"], row["row_id"])
    bias = _share(row["error_sum"], row["errors"])
    told = {
        "scenario": row["scenario"], "patients": row["patients"], "row_id": row["row_id"],
        "mean_patients": _share(row["patients_sum"], row["given"]),
        "studies": int(row["studies"]), "given": int(row["given"]), "ok": int(row["ok"]),
        "covers": covers, "covers_error": error(covers, row["intervals"]),
        "rejects": rejects, "rejects_error": error(rejects, row["tests"]),
        "is_error": "yes" if null else "no", "bias": bias,
        "rmse": math.sqrt(_share(row["error_squares"], row["errors"])),
        "mean_width": _share(row["width_sum"], row["widths"]),
    }  # fmt: skip
    return told | {"verdict": _verdict(row, covers, rejects if null else math.nan)}


def _share(count: float, of: float) -> float:
    return count / of if of else math.nan


def _verdict(row: Mapping[str, Any], covers: float, size: float) -> str:
    said = []
    if covers < COVERS - ERRORS * _allowed(COVERS, row["intervals"]):
        said.append(
            f"its interval held the truth in {_percent(covers, row['intervals'])} % of "
            f"{row['intervals']:,.0f} drawn studies of {row['patients']} patients, and not in 95 %"
        )
    exact = is_exact(row["row_id"])
    most = SIZE if exact else HIGHEST
    too_often = size > most + ERRORS * _allowed(most, row["tests"])
    too_rarely = not exact and size < LOWEST - ERRORS * _allowed(LOWEST, row["tests"])
    if too_often or too_rarely:
        said.append(
            f"P was .05 or less in {_percent(size, row['tests'])} % of {row['tests']:,.0f} drawn "
            f"studies of {row['patients']} patients in which there was nothing, and not in 5 %"
        )
    return "; ".join(said)


def _allowed(share: float, count: float) -> float:
    return error(share, count) if count else 0.0


def _percent(share: float, count: float) -> str:
    return f"{100 * share:.1f} ± {100 * error(share, count):.1f}"
