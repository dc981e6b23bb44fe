"""The rows `criterion.*` of `statistics.csv`: how many met the SSTR criterion, and how many
changed.

The criterion of a patient is yes, no or left open by interval scores. For the paired tests an
answer is an interval too: yes is 1, no is 0, and open is 0 to 1, with 1 as the value that meets it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from captem import paired, shares, statistics

# An answer at or above it meets the criterion.
MET = 1.0


def rows(changes: pd.DataFrame, subset: str, role: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the rows of one subset.

    Parameters
    ----------
    changes : `transitions.csv` of the patients of the subset.
    role : what a planned role becomes in this subset.
    """
    scored = _scored(changes)
    pre, post = scored["criterion_pre"], scored["criterion_post"]
    n = len(scored)
    found: list[dict[str, Any]] = []
    for name, given in (("before", pre), ("after", post)):
        met, unknown = int(given.eq("yes").sum()), int(given.isna().sum())
        found += _with_open(f"criterion.{name}", subset, (met, n), (met + unknown, n), unknown)
    found += _gained(pre, post, subset, role("secondary"))
    before, after = answers(changes)
    for result, planned in (
        (paired.mcnemar(before, after, threshold=MET), "secondary"),
        (paired.mcnemar(before, after, threshold=MET, mid_p=False), "sensitivity"),
        (paired.difference(before, after, threshold=MET), "secondary"),
        (paired.difference(before, after, threshold=MET, tango=True), "sensitivity"),
    ):
        found.append(result.row(subset, role(planned)))
    return found


def answers(changes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the answers before and after of those who have both, each (n, 2) lower and upper."""
    scored = _scored(changes)
    return _as_intervals(scored["criterion_pre"]), _as_intervals(scored["criterion_post"])


def _scored(changes: pd.DataFrame) -> pd.DataFrame:
    return changes[changes[["criterion_pre_low", "criterion_post_low"]].notna().all(axis=1)]


def _as_intervals(answers: pd.Series) -> np.ndarray:
    met, open_ = answers.eq("yes").to_numpy(), answers.isna().to_numpy()
    return np.column_stack([met.astype(float), (met | open_).astype(float)])


def _gained(pre: pd.Series, post: pd.Series, subset: str, role: str) -> list[dict[str, Any]]:
    """Return the share that met the criterion after, of those who did not before.

    Whether a patient belongs to these may be open as well as whether the criterion was met after:
    the completion with the smallest share counts every such patient in and none as met.
    """
    at_risk, maybe = pre.eq("no"), pre.isna()
    gained = int((at_risk & post.eq("yes")).sum())
    still_open = int((at_risk & post.isna()).sum())
    n = int(at_risk.sum())
    smallest = (gained, n + int((maybe & post.ne("yes")).sum()))
    joined = int((maybe & post.ne("no")).sum())
    largest = (gained + still_open + joined, n + joined)
    unknown = still_open + int(maybe.sum())
    counts = (gained, n), largest, unknown
    return _with_open("criterion.gained", subset, *counts, role, smallest, n + int(maybe.sum()))


def _with_open(
    analysis: str,
    subset: str,
    least: tuple[int, int],
    most: tuple[int, int],
    still_open: int,
    role: str = "descriptive",
    smallest: tuple[int, int] | None = None,
    among: int | None = None,
) -> list[dict[str, Any]]:
    """Return a proportion of the criterion, and in how many of `among` the scores leave it open."""
    found = shares.rows(analysis, "criterion", subset, least, most, role=role, smallest=smallest)
    n = least[1] if among is None else among
    values: dict[str, Any] = {"n_patients": n, "n_events": still_open}
    values |= {"estimate": still_open / n} if n else statistics.not_estimable("no patient")
    found.append(
        statistics.row(analysis, "criterion", subset, "proportion", term="undetermined", **values)
    )
    return found
