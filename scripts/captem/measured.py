"""What simulation measured of the methods, and which rows of `statistics.csv` it makes unstable.

A test has to reject in 5 % where nothing is there, an approximate one in 2.5 to 7.5 %. A 95 %
interval has to hold the truth in 92.5 % at least. An exact test and an exact interval keep their
level by construction, so what was measured of them may be off by three Monte Carlo standard errors.
Judged are the studies in which the row gives numbers, where these are `ENOUGH`, and of an
approximate method the share as it is printed, to a tenth of a percent.

The table is `workflow/validity.csv`, as the target `calibrate` writes it; `docs/validity.md` is the
same as a page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

SIZE, LOWEST, HIGHEST, COVERS = 0.05, 0.025, 0.075, 0.925
ERRORS = 3.0
# Of fewer studies the Monte Carlo error of a share is more than 1.5 %, and nothing is judged.
ENOUGH = 200
# Drawn studies of a cell from which on it makes rows unstable: what a shorter run finds is too
# uncertain to be said of anybody's study.
WHOLE = 2000
COVERAGE, TEST = "coverage", "test"
_EXACT_TESTS = (
    "transition.signed_rank", "transition.sign_test", "transition.suvmax_ratio",
    "transition.symmetry", "association.",
)  # fmt: skip
_EXACT_ENDINGS = ("/exact", "/scored_exact")
_PAGE = "(docs/validity.md)"


def is_exact_test(row_id: str) -> bool:
    """Return whether a test has its level by construction, or but for the drawing of permutations.

    >>> is_exact_test("criterion.mcnemar/criterion/all")
    False
    >>> is_exact_test("criterion.mcnemar/criterion/all/exact")
    True
    """
    if row_id.endswith(_EXACT_ENDINGS):
        return True
    if row_id.endswith("/permutation"):
        # Exchanged are values, within baseline scores; of SUVmax residuals, which are estimates.
        return not row_id.startswith("model.suvmax")
    return row_id.startswith(_EXACT_TESTS) and not row_id.endswith("/asymptotic")


def is_exact_interval(row_id: str) -> bool:
    """Return whether an interval has its level by construction.

    >>> is_exact_interval("criterion.after/criterion/all/exact")
    True
    >>> is_exact_interval("criterion.after/criterion/all")
    False
    """
    return row_id.endswith("/exact") or row_id.startswith("transition.suvmax_ratio")


def error(share: float, count: float) -> float:
    """Return the Monte Carlo standard error of a share.

    >>> round(error(0.05, 2000), 4)
    0.0049
    """
    return math.sqrt(share * (1 - share) / count) if count else math.nan


def outside(row_id: str, intervals: float, covers: float, tests: float, size: float) -> str:
    """Return which limits are broken, `coverage`, `test`, both, or empty text.

    Parameters
    ----------
    covers, size : the share of `intervals` that hold the truth; of `tests`, where there is nothing,
        with P at most .05. NaN where there is none.

    >>> outside("model.krenning/krenning/all/log2_mib1", 2000, 0.95, 2000, 0.08)
    'test'
    """
    found = []
    least = COVERS
    if is_exact_interval(row_id) and intervals:
        least -= ERRORS * error(COVERS, intervals)
    if intervals >= ENOUGH and (covers if is_exact_interval(row_id) else _printed(covers)) < least:
        found.append(COVERAGE)
    if tests >= ENOUGH and not math.isnan(size):
        if is_exact_test(row_id):
            broken = size > SIZE + ERRORS * error(SIZE, tests)
        else:
            broken = not LOWEST <= _printed(size) <= HIGHEST
        found += [TEST] if broken else []
    return " ".join(found)


def _printed(share: float) -> float:
    return float(f"{100 * share:.1f}") / 100


def numbers(read: pd.DataFrame) -> pd.DataFrame:
    """Return `workflow/validity.csv` as it was read with its numbers as numbers."""
    texts = ("scenario", "row_id", "is_error", "judged", "outside")
    found = read.astype({name: float for name in read.columns if name not in texts})
    return found.assign(outside=found["outside"].astype(object).where(found["outside"].notna(), ""))


def gated(table: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `statistics.csv`, unstable where their method was outside its limits.

    A row is compared with the measured size that is nearest to its own number of patients, as a
    ratio; cells of fewer than `WHOLE` drawn studies decide nothing. What is not estimable stays so,
    and a reason that is there already stays first.

    Parameters
    ----------
    table : rows of `statistics.csv`.
    measured : as `numbers` returns it.
    """
    # ASSUME: what was measured at the nearest size, of all patients, at a threshold of 3 and
    # without covariates, holds for this row too; also beyond the smallest and the largest size.
    judged = measured[measured["judged"].eq("yes") & measured["studies"].ge(WHOLE)]
    known = dict(list(judged.groupby("row_id", sort=False)))
    table = table.copy()
    for place, row in zip(table.index, table.to_dict("records"), strict=True):
        cells = known.get(_of_all(row["row_id"]))
        if cells is None or row["status"] == "not_estimable" or not _number(row["n_patients"]):
            continue
        if said := in_words(_nearest(cells, row["n_patients"])):
            reasons = [row["reason"]] if isinstance(row["reason"], str) and row["reason"] else []
            table.loc[place, ["status", "reason"]] = "unstable", "; ".join([*reasons, said])
    return table


def _number(n: Any) -> bool:
    return pd.notna(n) and n > 0


def _of_all(row_id: str) -> str:
    """Return the name of the same row of all patients."""
    parts = row_id.split("/")
    return "/".join([*parts[:2], "all", *parts[3:]])


def _nearest(cells: pd.DataFrame, n: float) -> pd.DataFrame:
    """Return the cells of the size whose rows have the number of patients nearest to n."""
    own = cells.groupby("patients")["mean_patients"].mean()
    away = np.abs(np.log(own / n))
    return cells[cells["patients"].eq(away.idxmin())]


def in_words(cells: pd.DataFrame) -> str:
    """Return what was measured of a row at one size that is outside its limits, or empty text."""
    covers = cells[cells["outside"].str.contains(COVERAGE)].to_dict("records")
    tests = cells[cells["outside"].str.contains(TEST)].to_dict("records")
    said = []
    if covers:
        worst = min(covers, key=lambda cell: cell["covers"])
        said.append(
            f"its interval held the truth in {_share(worst, 'covers')} of simulated studies"
        )
    if tests:
        worst = max(tests, key=lambda cell: (cell["rejects"] > SIZE, abs(cell["rejects"] - SIZE)))
        said.append(
            f"P was .05 or less in {_share(worst, 'rejects')} of simulated studies in which there "
            "was nothing to find, where 5 % is right"
        )
    if not said:
        return ""
    return f"at about {_patients(covers + tests):.0f} patients {', and '.join(said)} {_PAGE}"


def _patients(cells: Iterable[Mapping[str, Any]]) -> float:
    return float(np.mean([cell["mean_patients"] for cell in cells]))


def _share(cell: Mapping[str, Any], name: str) -> str:
    return f"{100 * cell[name]:.1f} % (±{100 * cell[f'{name}_error']:.1f} %)"
