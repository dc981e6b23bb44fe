"""What the lesions are: how many, where, what became of them, and their values at both scans.

Lesions of one patient are not independent, so these rows describe and have no interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from captem import statistics
from captem.criterion import SCORES
from captem.describe import midpoint
from captem.lesion_data import SUVMAX
from captem.lesions import matched
from captem.transitions import direction

STATES = ("present", "resolved", "new", "not_assessable")
DIRECTIONS = ("up", "same", "down", "undetermined")
MEASURES = {"krenning": "step", "suvmax": "SUV", "diameter_mm": "mm"}
# A lesion that is new was not there at baseline, one that has resolved is not there at follow-up.
_NOT_THERE = {"pre": "new", "post": "resolved"}


def rows(patients: pd.DataFrame, lesions: pd.DataFrame, subset: str) -> list[dict[str, Any]]:
    """Return the rows `describe.lesion*` of the lesions of these patients.

    Parameters
    ----------
    patients, lesions : canonical tables; lesions of other patients are left out.
    """
    columns = [*SCORES, *SUVMAX, "lesion_status_post", "lesion_site", "index_lesion"]
    columns += ["diameter_mm_pre", "diameter_mm_post"]
    own = lesions[lesions["patient_id"].isin(patients["patient_id"])]
    own = own.reindex(columns=list(dict.fromkeys([*own, *columns])))
    per_patient = own["patient_id"].value_counts()
    found = [
        statistics.row(
            "describe.lesion_patients", "lesions", subset, "proportion", term="yes",
            n_patients=len(patients), n_events=len(per_patient),
            **_share(len(per_patient), len(patients), "there is no patient"),
        ),
        *_points("describe.lesions_per_patient", subset, "lesions", per_patient, own),
    ]  # fmt: skip
    sites = sorted(set(own["lesion_site"].dropna()))
    found += _levels("describe.lesion_site", subset, own["lesion_site"], sites, own)
    found += _levels("describe.lesion_index", subset, own["index_lesion"], ["yes"], own)
    states = own["lesion_status_post"]
    found += _levels("describe.lesion_status", subset, states, STATES, own)
    compared = {"krenning": matched(own, SCORES), "suvmax": matched(own, SUVMAX)}
    found += [
        _count("describe.lesion_compared", subset, name, len(chosen), own)
        for name, chosen in compared.items()
    ]
    for name, unit in MEASURES.items():
        for time, gone in _NOT_THERE.items():
            there = own[states.ne(gone) | states.isna()]
            values = midpoint(there, f"{name}_{time}")
            analysis = f"describe.lesion_{name}_{time}"
            known = there[values.notna()]
            found += _points(analysis, subset, unit, values.dropna(), known)
            found.append(_count(analysis, subset, "missing", len(there) - len(known), there))
    scored = compared["krenning"]
    ways = direction(scored)
    return found + [
        _count("describe.lesion_direction", subset, way, int(ways.eq(way).sum()), scored)
        for way in DIRECTIONS
    ]


def _points(
    analysis: str, subset: str, unit: str, values: pd.Series, of: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the median and the quartiles of values; `of` holds the lesions that they are of."""
    found = []
    for term, share in {"median": 0.5, "quartile_1": 0.25, "quartile_3": 0.75}.items():
        said = (
            {"estimate": float(np.quantile(values.to_numpy(dtype=float), share))}
            if len(values)
            else statistics.not_estimable("no lesion has a value")
        )
        found.append(
            statistics.row(analysis, "lesions", subset, term, term=term, unit=unit,
                           **_counts(of), **said)
        )  # fmt: skip
    return found


def _levels(
    analysis: str, subset: str, values: pd.Series, levels: Any, own: pd.DataFrame
) -> list[dict[str, Any]]:
    known = own[values.notna()]
    found = [
        _count(analysis, subset, level, int(values.eq(level).sum()), known) for level in levels
    ]
    return [*found, _count(analysis, subset, "missing", len(own) - len(known), own)]


def _count(analysis: str, subset: str, term: str, events: int, of: pd.DataFrame) -> dict[str, Any]:
    return statistics.row(
        analysis, "lesions", subset, "proportion", term=term, n_events=events,
        **_counts(of), **_share(events, len(of)),
    )  # fmt: skip


def _counts(lesions: pd.DataFrame) -> dict[str, Any]:
    return {"n_patients": lesions["patient_id"].nunique(), "n_lesions": len(lesions)}


def _share(events: int, n: int, nobody: str = "no lesion has a value") -> dict[str, Any]:
    return {"estimate": events / n} if n else statistics.not_estimable(nobody)
