"""The rows `bias.*` and `sensitivity.reader_error` of `statistics.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from captem import bias, eligibility, reader_error, statistics
from captem.criterion import SCORES


def estimate(
    patients: pd.DataFrame,
    confirmatory: Sequence[str],
    threshold: float,
    noise: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Return the rows for every subset.

    Parameters
    ----------
    patients : canonical patient table.
    confirmatory : sources whose rows may claim what the plan says.
    threshold : the score that meets the SSTR criterion.
    noise : `reliability`, `reader_error` and, where known, `screened`, as in the config.
    seed : of the simulations.
    """
    shares = bias.shares_of(noise.get("screened", ()))
    rows: list[dict[str, Any]] = []
    for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
        role = partial(
            statistics.role, subset=subset, sources=patients["source"], confirmatory=confirmatory
        )
        scored = eligibility.analysed(patients[mask], "transition")
        ends = scored[list(SCORES)].to_numpy(dtype=float)
        before, after = ends[:, :2], ends[:, 2:]
        study = bias.Study(before, after, shares)
        rows += bias.rows(study, noise["reliability"], threshold, seed, subset, role)
        rows += reader_error.rows(before, after, noise["reader_error"], seed, subset, role)
    return statistics.frame(rows)
