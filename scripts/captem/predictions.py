"""Predictions of the ordinal models: which follow-up score, and which gain, is to be expected?

From the reported (bias-reduced) fits to all patients. For a value v of MIB1, or of cycles, the
chance of a score is the mean of P(Y = j) over the analysed patients, each with the other terms as
they are and v in place of the patient's own (standardisation over the observed covariates). The
expected gain is the mean of the expected score less the mean baseline.

Intervals follow from the covariance of the fit by the delta method, chances on the logit scale, so
that they stay between 0 and 1. `conf_*` are pointwise. `band_*` hold the whole curve of a score at
once: the critical value is the quantile of the largest standardised deviation along the curve
(sup-t; Montiel Olea & Plagborg-Moller 2019, J Appl Econometrics 34:1-17), drawn from the normal
distribution of the estimates.

What is predicted is an association in these patients, and no effect of changing MIB1 or cycles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri

from captem import eligibility, statistics, terms
from captem.model_parts import LEVEL, PRIMARY_TERM
from captem.ordinal_data import Floats
from captem.planned_models import CYCLES
from captem.terms import NONLINEAR, Plan

COLUMNS = (
    "model", "quantity", "over", "value", "score", "score_low", "score_high", "estimate",
    "conf_low", "conf_high", "band_low", "band_high", "conf_level", "band_critical", "n_patients",
    "status", "reason",
)  # fmt: skip
PROBABILITY, GAIN, OBSERVED = "probability", "expected_gain", "observed"
MIB1 = "mib1"
ANALYSES = {"model.krenning": "predicted.krenning", "model.krenning_cycles": "predicted.cycles"}
ROUND_MIB1 = (1, 2, 3, 5, 10, 20, 30, 50)
_POINTS = 41
_DRAWS = 10_000
_POINTWISE = "delta method, pointwise"


@dataclass(frozen=True)
class Fit:
    """A fitted proportional-odds model and the patients it is averaged over.

    Attributes:
        thresholds: (m,); beta: (p,); covariance: (m + p, m + p), thresholds first.
        scores: the lowest and highest score of each of the m + 1 categories.
        x: terms of the patients, (n, p); baseline: their baseline scores, (n,).
    """

    thresholds: Floats
    beta: Floats
    covariance: Floats
    scores: tuple[tuple[int, int], ...]
    x: Floats
    baseline: Floats


@dataclass(frozen=True)
class Curves:
    """Means over the patients at g values: `estimate` (g, k) and its derivatives (g, k, m + p)."""

    estimate: Floats
    gradient: Floats


def estimate(
    patients: pd.DataFrame, records: Mapping[str, Mapping[str, Any]], plan: Plan, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the curves and the rows `predicted.*` of `statistics.csv`.

    Parameters
    ----------
    patients : canonical table.
    records : what `models/<model>.json` holds, of the models in `ANALYSES`.
    plan : terms of the models, as they were fitted with.
    seed : of the draws behind the bands.

    Returns
    -------
    `curves.csv`, one row a value and score (or the gain) with the columns `COLUMNS`, rows
    `observed` with the number of patients who have a value, and one row with its reason where a
    model was refused; and rows at round values of MIB1 and at each number of
    cycles, on the same curves.
    """
    if CYCLES not in patients:
        patients = patients.assign(**{CYCLES: pd.array([pd.NA] * len(patients), dtype="Int64")})
    lines: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for analysis in ANALYSES:
        record = records[analysis][statistics.ALL]
        record = _with_known_scores(record)
        if record["status"] == "not_estimable":
            lines.append(_refused(analysis, record))
            rows.append(
                statistics.row(
                    ANALYSES[analysis],
                    "krenning",
                    statistics.ALL,
                    PROBABILITY,
                    role="exploratory",
                    n_patients=record["n"],
                    **statistics.not_estimable(record["reason"]),
                )
            )
            continue
        chosen = eligibility.analysed(patients, analysis, plan.covariates)
        found = fitted(chosen, record, plan)
        names = record["terms"]
        term = PRIMARY_TERM if analysis == "model.krenning" else CYCLES
        grid, marked = _grids(found.x[:, names.index(term)], term)
        common = {
            "model": analysis, "over": MIB1 if term == PRIMARY_TERM else CYCLES,
            "n_patients": len(chosen), "status": record["status"], "reason": record["reason"],
        }  # fmt: skip
        random = np.random.default_rng([seed, len(lines)])
        lines += _observed(found.x[:, names.index(term)], term, common)
        lines += _lines(found, names, term, grid, common, random)
        rows += _rows(found, names, term, marked, common)
    return pd.DataFrame(lines, columns=list(COLUMNS)), statistics.frame(rows)


def _with_known_scores(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record, refused where the fit does not say where one score ends and the next begins.

    Scores given as ranges may leave a threshold open though the odds ratios are known.
    """
    if record["status"] == "not_estimable":
        return record
    values = [*record["thresholds"].values(), *np.ravel(record["covariance"]["values"])]
    if np.isfinite(np.array(values, dtype=float)).all():
        return record
    reason = (
        "the scores are given as ranges that leave open where one score ends and the next begins, "
        "so the chance of a single score cannot be said"
    )
    return {**record, "status": "not_estimable", "reason": reason}


def fitted(chosen: pd.DataFrame, record: Mapping[str, Any], plan: Plan) -> Fit:
    """Return the fit that a record holds, with the terms of the patients it was fitted to."""
    names = list(record["terms"])
    x = terms.columns(chosen, names, plan).to_numpy(dtype=float)
    low, high = (chosen[f"krenning_post_{end}"].to_numpy(dtype=int) for end in ("low", "high"))
    sides = [label.split("|") for label in record["thresholds"]]
    starts = [int(low.min()), *(int(right) for _, right in sides)]
    ends = [*(int(left) for left, _ in sides), int(high.max())]
    return Fit(
        np.array(list(record["thresholds"].values()), dtype=float),
        np.array([record["coefficients"][name] for name in names], dtype=float),
        np.array(record["covariance"]["values"], dtype=float),
        tuple(zip(starts, ends, strict=True)),
        x,
        terms.midpoint(chosen, "krenning_pre").to_numpy(dtype=float),
    )


def probabilities(fit: Fit, names: Sequence[str], term: str, grid: Floats) -> Curves:
    """Return the mean chance of each category at each value of a term.

    Parameters
    ----------
    names : of the columns of `fit.x`.
    term : which of them takes the values of `grid` (g,); its spline bends with it.
    """
    m, own = len(fit.thresholds), fit.x[:, names.index(term)]
    chances, slopes = [], []
    for value in grid:
        x = fit.x.copy()
        x[:, names.index(term)] = value
        if term + NONLINEAR in names:
            x[:, names.index(term + NONLINEAR)] = terms.bend(own, np.array([value]))
        below = expit(fit.thresholds - (x @ fit.beta)[:, None])
        density = below * (1.0 - below)
        # The derivative of each F(theta_j - x'beta) by its threshold, and by beta.
        by_threshold = np.zeros((m + 2, m))
        by_threshold[1:-1] = np.diag(density.mean(axis=0))
        by_beta = np.zeros((m + 2, x.shape[1]))
        by_beta[1:-1] = -(density.T @ x) / len(x)
        chances.append(np.diff(np.concatenate([[0.0], below.mean(axis=0), [1.0]])))
        slopes.append(np.diff(np.hstack([by_threshold, by_beta]), axis=0))
    return Curves(np.array(chances), np.array(slopes))


def gains(fit: Fit, curves: Curves) -> Curves:
    """Return the mean expected gain in steps, (g, 1), from the chances of the categories.

    A category of several scores counts as their midpoint.
    """
    middle = np.array(fit.scores, dtype=float).mean(axis=1)
    expected = curves.estimate @ middle - fit.baseline.mean()
    return Curves(expected[:, None], (curves.gradient.transpose(0, 2, 1) @ middle)[:, None, :])


def critical_value(gradient: Floats, covariance: Floats, random: np.random.Generator) -> float:
    """Return by how many standard errors a whole curve may be off, at the level of the intervals.

    `gradient` (g, q) are the derivatives of the curve at its g values. Never below the pointwise
    value, of which a curve of one value has no more.
    """
    errors = _errors(gradient, covariance)
    known = errors > 0
    # A root of the covariance that need not be of full rank.
    size, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.clip(size, 0.0, None))
    draws = random.standard_normal((_DRAWS, len(size)))
    pointwise = float(ndtri(0.5 + LEVEL / 2))
    if not known.any():
        return pointwise
    deviations = np.abs(draws @ (gradient[known] @ root).T) / errors[known]
    return max(pointwise, float(np.quantile(deviations.max(axis=1), LEVEL)))


def interval(
    values: Floats, errors: Floats, critical: float, quantity: str
) -> tuple[Floats, Floats]:
    """Return the ends of intervals; those of chances are taken on the logit scale."""
    if quantity == GAIN:
        return values - critical * errors, values + critical * errors
    inside = np.clip(values, 1e-12, 1.0 - 1e-12)
    reach = critical * errors / (inside * (1.0 - inside))
    return expit(logit(inside) - reach), expit(logit(inside) + reach)


def _errors(gradient: Floats, covariance: Floats) -> Floats:
    return np.sqrt(np.clip(np.einsum("gq,qr,gr->g", gradient, covariance, gradient), 0.0, None))


def _grids(values: Floats, term: str) -> tuple[Floats, dict[str, float]]:
    """Return the values of a curve, and the marked ones by name, all within what was observed."""
    low, high = float(values.min()), float(values.max())
    if term == PRIMARY_TERM:
        marked = {f"mib1_{value}": float(np.log2(value)) for value in ROUND_MIB1}
        inside = {name: at for name, at in marked.items() if low <= at <= high}
        return np.linspace(low, high, _POINTS), inside
    whole = np.arange(np.ceil(low), np.floor(high) + 1)
    return whole, {f"cycles_{value:.0f}": float(value) for value in whole}


def _kinds(fit: Fit, names: Sequence[str], term: str, grid: Floats) -> list[tuple[Any, ...]]:
    """Return each curve: its quantity, scores, values and derivatives."""
    curves = probabilities(fit, names, term, grid)
    kinds: list[tuple[Any, ...]] = [
        (PROBABILITY, ends, curves.estimate[:, k], curves.gradient[:, k])
        for k, ends in enumerate(fit.scores)
    ]
    gain = gains(fit, curves)
    return [*kinds, (GAIN, (None, None), gain.estimate[:, 0], gain.gradient[:, 0])]


def _lines(
    fit: Fit,
    names: Sequence[str],
    term: str,
    grid: Floats,
    common: Mapping[str, Any],
    random: np.random.Generator,
) -> list[dict[str, Any]]:
    lines = []
    for quantity, ends, values, gradient in _kinds(fit, names, term, grid):
        errors = _errors(gradient, fit.covariance)
        # The critical value is that of the logits as well: both are divided by their own error.
        critical = critical_value(gradient, fit.covariance, random)
        points = interval(values, errors, float(ndtri(0.5 + LEVEL / 2)), quantity)
        band = interval(values, errors, critical, quantity)
        shown = _shown(grid, term)
        for i, value in enumerate(shown):
            lines.append(
                dict(common)
                | {
                    "quantity": quantity, "value": float(value), "score": _named(ends),
                    "score_low": ends[0], "score_high": ends[1], "estimate": float(values[i]),
                    "conf_low": float(points[0][i]), "conf_high": float(points[1][i]),
                    "band_low": float(band[0][i]), "band_high": float(band[1][i]),
                    "conf_level": LEVEL, "band_critical": critical,
                }
            )  # fmt: skip
    return lines


def _shown(values: Floats, term: str) -> Floats:
    """Return values of a term as they are read: MIB1 in %, without what its logarithm left over."""
    return np.round(2.0**values, 10) if term == PRIMARY_TERM else values


def _observed(values: Floats, term: str, common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many of the analysed patients have each value."""
    found, counts = np.unique(_shown(values, term), return_counts=True)
    return [
        dict(common) | {"quantity": OBSERVED, "value": float(value), "n_patients": int(count)}
        for value, count in zip(found, counts, strict=True)
    ]


def _rows(
    fit: Fit, names: Sequence[str], term: str, marked: Mapping[str, float], common: Mapping
) -> list[dict[str, Any]]:
    if not marked:
        return []
    rows = []
    for quantity, ends, values, gradient in _kinds(
        fit, names, term, np.array(list(marked.values()))
    ):
        errors = _errors(gradient, fit.covariance)
        low, high = interval(values, errors, float(ndtri(0.5 + LEVEL / 2)), quantity)
        what = "gain" if quantity == GAIN else f"score_{_named(ends)}"
        rows += [
            statistics.row(
                ANALYSES[common["model"]], "krenning", statistics.ALL,
                "probability" if quantity == PROBABILITY else "expected gain",
                term=f"{what}_at_{name}", role="exploratory",
                unit="" if quantity == PROBABILITY else "steps",
                estimate=float(values[i]), conf_low=float(low[i]), conf_high=float(high[i]),
                conf_level=LEVEL, interval_method=_POINTWISE, n_patients=common["n_patients"],
                status=common["status"], reason=common["reason"],
            )
            for i, name in enumerate(marked)
        ]  # fmt: skip
    return rows


def _named(ends: tuple[int | None, int | None]) -> str | None:
    low, high = ends
    if low is None:
        return None
    return f"{low}" if low == high else f"{low}-{high}"


def _refused(analysis: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": analysis,
        "over": MIB1 if analysis == "model.krenning" else CYCLES,
        "n_patients": record["n"],
        "status": "not_estimable",
        "reason": record["reason"],
    }
