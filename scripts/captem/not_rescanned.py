"""Patients with a baseline scan and none afterwards: what they may do to the answer.

Bounds, at any number of patients. Over all who have a baseline score, the net improvement and the
share whose score rose lie between two ends: all who were not scanned again fell (`worst`), or rose
(`best`). Patients who were, and whose scores leave the direction open, may have done anything as
well and count with them. Methods and sources: `captem.missing.follow_up_bounds`.

Weights, from 100 patients up. Those scanned again stand for those like them who were not
(`captem.weighting`), by what is known at baseline:

===============  ====================================================================
baseline score   an interval at its midpoint
MIB1 index       log2, an interval at its midpoint, without an upper end not known
age              years
sex              female or not; neither female nor male counts as not known
===============  ====================================================================

One that is known for fewer than 90 % of the patients, or is the same in all, is left out; where it
is not known it counts at the median of the others. Weighted are the net improvement and the odds
ratio of the primary model. The intervals are percentiles of resamples of the patients, scanned
again or not, with the weights estimated anew in each (`captem.weighting_batch`): so they hold that
the weights are estimates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from captem import (
    bootstrap,
    eligibility,
    krenning_model,
    limits,
    missing,
    model_parts,
    ordinal,
    refits,
    weighting,
    weighting_batch,
)
from captem.describe import midpoint
from captem.model_parts import LEVEL, PRIMARY_TERM
from captem.planned_models import KRENNING
from captem.result import Result

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

ANALYSIS = "sensitivity.not_rescanned"
# With 999 the ends of a 95 % interval are the 25th lowest and the 25th highest.
REPLICATES = 999
METHOD = "percentile bootstrap by patient, weights estimated anew"
EVERYBODY = "every patient with a baseline has a follow-up score"
_NET = Result(ANALYSIS, "net improvement", term="net_improvement")
_UP = Result(ANALYSIS, "proportion", term="up")
_OF_ALL = "share of patients with a baseline"
_KNOWN = 0.9


@dataclass(frozen=True)
class FollowUp:
    """Who has a baseline, and what became of them.

    `again` (n,) is true of those scanned again; `direction` (n,) is theirs, `undetermined` where
    the scores leave it open.
    """

    again: Booleans
    direction: NDArray[np.object_]

    def count(self, direction: str) -> int:
        """Return in how many the score went that way."""
        return int((self.direction == direction).sum())

    @property
    def open(self) -> int:
        """Return how many were scanned again with scores that leave the direction open."""
        return int(self.again.sum()) - sum(map(self.count, ("up", "same", "down")))


def rows(
    subset: str, patients: pd.DataFrame, changes: pd.DataFrame, mib1_floor: float, seed: int
) -> list[dict[str, Any]]:
    """Return the rows `sensitivity.not_rescanned` of one subset.

    Parameters
    ----------
    patients : canonical patient table of the subset, scanned again or not.
    changes : `transitions.csv` of the same patients in the same order; `direction` is used.
    mib1_floor : percent, to which a lower MIB1 is raised.
    seed : of the resamples.
    """
    known = patients["krenning_pre_low"].notna().to_numpy()
    # By code, so that the order of the sheet does not decide which resamples are drawn.
    order = np.argsort(patients["patient_id"].to_numpy(dtype=str)[known], kind="stable")
    chosen = patients[known].iloc[order]
    seen = FollowUp(
        chosen["krenning_post_low"].notna().to_numpy(),
        changes["direction"].to_numpy(dtype=object)[known][order],
    )
    found = _bounds(seen) + _weighted(chosen, seen, mib1_floor, seed)
    return [result.row(subset, "sensitivity") for result in found]


def _bounds(seen: FollowUp) -> list[Result]:
    n, unscanned = len(seen.again), int((~seen.again).sum())
    asked = [
        replace(result, variant=variant, unit=_OF_ALL, n_patients=n)
        for result in (_NET, _UP)
        for variant in ("worst", "best")
    ]
    if refusal := limits.no_interval(n) or ("" if unscanned else EVERYBODY):
        return [result.refused(refusal) for result in asked]
    up, same, down = (seen.count(way) for way in ("up", "same", "down"))
    found = missing.follow_up_bounds(up, same, down, unscanned + seen.open, LEVEL)
    ends = (
        found.net_improvement.worst, found.net_improvement.best, found.up.worst, found.up.best,
    )  # fmt: skip
    doubt = limits.few_for_interval(n)
    return [
        replace(
            result, estimate=end.estimate, conf_low=end.conf_low, conf_high=end.conf_high,
            conf_level=LEVEL, interval_method="Tango" if result.term == _NET.term else "Wilson",
            n_events=round(end.estimate * n) if result.term == _UP.term else None,
            status="unstable" if doubt else "ok",
            reason="; ".join(filter(None, (doubt, _taken(result.variant, unscanned, seen.open)))),
        )
        for result, end in zip(asked, ends, strict=True)
    ]  # fmt: skip


def _taken(variant: str, unscanned: int, still_open: int) -> str:
    """Return whom an end of the bounds takes to have fallen or risen."""
    who = f"{_patients(unscanned)} without a follow-up score"
    if still_open:
        who += f" and {_patients(still_open)} whose scores leave the direction open"
    return f"{who} taken to have {'fallen' if variant == 'worst' else 'risen'}"


def _patients(n: int) -> str:
    return f"{n} patient" if n == 1 else f"{n} patients"


def _weighted(chosen: pd.DataFrame, seen: FollowUp, mib1_floor: float, seed: int) -> list[Result]:
    n = len(chosen)
    analysed = eligibility.left_out(chosen, KRENNING.analysis).eq("").to_numpy()
    net = replace(_NET, variant="weighted", n_patients=int(seen.again.sum()))
    ratio = replace(
        _NET, term=PRIMARY_TERM, variant="weighted", estimand="odds ratio",
        unit=model_parts.UNITS[PRIMARY_TERM], n_patients=int(analysed.sum()),
    )  # fmt: skip
    refusal = limits.too_few_for_weights(n) or ("" if (~seen.again).any() else EVERYBODY)
    refusal = refusal or ("" if seen.again.any() else "no patient was scanned again")
    if refusal:
        return [net.refused(refusal), ratio.refused(refusal)]
    x, said = _covariates(chosen, mib1_floor)
    fewer = float(min(seen.again.sum(), (~seen.again).sum()))
    slopes = x.shape[1]
    if refusal := limits.too_few_for_regression(n, slopes + 1, fewer, slopes, limits.MIN_REDUCED):
        refusal = f"in the model of who was scanned again, {refusal}"
        return [net.refused(refusal), ratio.refused(refusal)]
    weights = weighting.inverse_probability_weights(seen.again, x)
    if not weights.converged:
        refusal = "no model of who was scanned again could be found"
        return [net.refused(refusal), ratio.refused(refusal)]
    doubt = _doubt(weights, fewer, slopes)
    counts = bootstrap.resamples(n, REPLICATES, seed)
    many = weighting_batch.resampled_weights(seen.again, x, counts) * counts
    many[np.isnan(many).any(axis=1)] = 0.0
    return [
        _net(net, seen, weights.weights, many, doubt, said),
        _ratio(ratio, chosen[analysed], mib1_floor, weights.weights[analysed],
               many[:, analysed], doubt, said),
    ]  # fmt: skip


def _covariates(chosen: pd.DataFrame, mib1_floor: float) -> tuple[Floats, str]:
    """Return what is known at baseline (n, p), without gaps, and in a sentence what it is."""
    sex = chosen.get("sex", pd.Series(None, index=chosen.index, dtype=object))
    columns = {
        "baseline score": midpoint(chosen, "krenning_pre"),
        "MIB1 index": _log2_mib1(chosen, mib1_floor),
        "age": midpoint(chosen, "age_years"),
        "sex": sex.map({"female": 1.0, "male": 0.0}).astype(float),
    }
    kept = [name for name, values in columns.items() if values.notna().mean() >= _KNOWN]
    x = np.column_stack([columns[name].fillna(columns[name].median()) for name in kept])
    left_out = ordinal.aliased(x)
    used = [name for place, name in enumerate(kept) if place not in left_out]
    gaps = [
        f"{name} not known in {_patients(count)} and taken at the median"
        for name in used
        if (count := int(columns[name].isna().sum()))
    ]
    said = f"weights from {', '.join(used) or 'nothing'}: right only if nothing else decided who "
    return np.delete(x, left_out, axis=1), "; ".join([f"{said}was scanned again", *gaps])


def _log2_mib1(patients: pd.DataFrame, mib1_floor: float) -> pd.Series:
    return np.log2(midpoint(patients, "mib1").clip(lower=mib1_floor))


def _doubt(weights: weighting.Weights, fewer: float, slopes: int) -> str:
    """Return why weighted answers are to be read as exploratory, or empty text."""
    if weights.separated:
        return "what is known at baseline tells without error who was scanned again"
    if weights.exploding:
        return (
            f"one patient would stand for {weights.largest:.0f} average ones: hardly any patient "
            "like those not scanned again was scanned"
        )
    few = limits.too_few_for_regression(len(weights.weights), slopes + 1, fewer, slopes)
    return f"in the model of who was scanned again, {few}" if few else ""


def _net(
    question: Result, seen: FollowUp, weights: Floats, many: Floats, doubt: str, said: str
) -> Result:
    """Return the weighted net improvement; a direction left open is no change in the estimate.

    The interval reaches from its lower end if all of these fell to its upper end if all rose.
    """
    if refusal := limits.too_few_for_bootstrap(int(seen.again.sum())):
        return question.refused(refusal)
    sign = np.select([seen.direction == "up", seen.direction == "down"], [1.0, -1.0], 0.0)
    still_open = seen.again & ~np.isin(seen.direction, ("up", "same", "down"))
    totals = many.sum(axis=1)
    with np.errstate(invalid="ignore"):
        low, high = (
            bootstrap.percentile_interval(many @ np.where(still_open, way, sign) / totals, LEVEL)
            for way in (-1.0, 1.0)
        )
    estimate = float(weights @ sign / weights.sum())
    if low.low == high.high:
        doubt = doubt or "all scores went the same way, so that resamples do not differ"
    if seen.open:
        said += f"; {_patients(seen.open)} whose scores leave the direction open in the interval"
    return _told(question, estimate, (low.low, high.high), low.not_estimated, doubt, said)


def _ratio(
    question: Result,
    analysed: pd.DataFrame,
    mib1_floor: float,
    weights: Floats,
    many: Floats,
    doubt: str,
    said: str,
) -> Result:
    """Return the weighted odds ratio of MIB1 in the primary model; its doubts stand here too."""
    least = limits.MIN_FOR_ORDINAL_BOOTSTRAP
    if refusal := limits.too_few_for_bootstrap(len(analysed), least):
        return question.refused(refusal)
    x = np.column_stack([midpoint(analysed, "krenning_pre"), _log2_mib1(analysed, mib1_floor)])
    unweighted = krenning_model.fit(KRENNING, "", "primary", analysed, x, reported_only=True)
    primary = unweighted.rows[KRENNING.terms.index(PRIMARY_TERM)]
    if primary["status"] == "not_estimable":
        return question.refused(primary["reason"])
    both = refits.refit("krenning", analysed, x, np.vstack([weights, many]))[:, 1]
    found = bootstrap.percentile_interval(both[1:], LEVEL)
    ends = [model_parts.ratio(value) for value in (both[0], found.low, found.high)]
    if not all(0 < end < math.inf for end in ends):
        return question.refused("with these weights no odds ratio could be found")
    return _told(
        question, ends[0], (ends[1], ends[2]), found.not_estimated, primary["reason"] or doubt, said
    )


def _told(
    question: Result,
    estimate: float,
    ends: tuple[float, float],
    without: int,
    doubt: str,
    said: str,
) -> Result:
    if not all(map(math.isfinite, (estimate, *ends))):
        return question.refused("no resample of the patients has an estimate")
    doubt = doubt or limits.resamples_without_estimate(
        without, REPLICATES, "too few scores, or everybody scanned again"
    )
    return replace(
        question, estimate=estimate, conf_low=ends[0], conf_high=ends[1], conf_level=LEVEL,
        interval_method=METHOD, status="unstable" if doubt else "ok",
        reason=f"{doubt}; {said}" if doubt else said,
    )  # fmt: skip
