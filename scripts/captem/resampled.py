"""Beside the reported interval of MIB1: a bootstrap interval and a permutation P.

Both are for `log2_mib1` and make the model's own assumptions unnecessary where they can.

`bootstrap`: patients are drawn with replacement, the reported estimator is fitted again
(`captem.refits`), and the interval is bias-corrected and accelerated (`captem.bootstrap`). In
models of lesions a patient is drawn with all lesions.

`permutation`: MIB1 and the follow-up are independent given the baseline, under the null.

- Scores: the MIB1 values of patients with the same baseline score (the same interval, where it is
  one) then could each have been those of another. The statistic is the highest log-likelihood
  of the model, for the criterion with Firth's penalty; without MIB1 it is the same for every
  arrangement, so this is the likelihood ratio. P is exact, with no assumption on how the score
  depends on the baseline.
- SUVmax: no two baselines are the same. The residuals of the follow-up given the other terms are
  permuted and the model fitted again (Freedman & Lane 1983, J Bus Econ Stat 1:292-298; compared
  with others by Winkler 2014, NeuroImage 92:381-397). The statistic is |t| with HC3, since a
  permutation of a studentised statistic keeps its level also where the spread is unequal
  (DiCiccio & Romano 2017, JASA 112:1211-1220).

With R drawn arrangements P is (1 + those as extreme) / (1 + R); where there are at most R in all,
it is their share.

Patients are first put in an order of their values, so that the same patients in another order of
the sheet give the same answer.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from captem import (
    arrangements,
    bootstrap,
    firth,
    limits,
    model_parts,
    ordinal_batch,
    refits,
    statistics,
)
from captem.arrangements import Arrangements
from captem.model_parts import LEVEL, PRIMARY_TERM, Model

BOOTSTRAP, PERMUTATION = "bootstrap", "permutation"
Floats = NDArray[np.float64]
_COLUMNS = {
    "krenning": ("krenning_post_low", "krenning_post_high"),
    "criterion": ("criterion_post",),
    "suvmax": ("suvmax_post",),
}
_LEAST = {"krenning": limits.MIN_FOR_ORDINAL_BOOTSTRAP}
_WHY_NONE = {
    "krenning": "one score only, or terms that cannot be told apart",
    "criterion": "none or all gained the criterion, or terms that cannot be told apart",
    "suvmax": "terms that cannot be told apart",
}
_P_METHODS = {
    "krenning": "permutation of MIB1 within baseline scores, likelihood ratio",
    "criterion": "permutation of MIB1 within baseline scores, penalised likelihood ratio",
    "suvmax": "permutation of residuals (Freedman-Lane), HC3 t",
}
# Log-likelihoods closer than this, and t closer than this part of them, are the same.
_TIED = 1e-6


def rows(
    model: Model,
    subset: str,
    chosen: pd.DataFrame,
    x: np.ndarray,
    reported: dict[str, Any],
    seed: int,
    replicates: int = 2000,
) -> list[dict[str, Any]]:
    """Return the rows `.../log2_mib1/bootstrap` and `.../log2_mib1/permutation` of one model.

    Parameters
    ----------
    model : one whose terms include `log2_mib1`.
    chosen : the n patients that were fitted, with the columns of the outcome (see `captem.refits`)
        and, for scores, `krenning_pre_low` and `krenning_pre_high`.
    x : (n, p) the terms of the model.
    reported : the row of `log2_mib1` that the model reports first. What it is not sure of is not
        sure here either, and where it has no estimate there is none here.
    seed : non-negative. Each row draws from a stream of its own, named by its model and subset.
    replicates : resamples, and arrangements where not all are listed.

    Raises
    ------
    ValueError
        If the model has no such term, or there are no replicates.
    """
    if PRIMARY_TERM not in model.terms:
        raise ValueError(f"{model.analysis} has no term {PRIMARY_TERM}.")
    if replicates < 1:
        raise ValueError("There must be at least one replicate.")
    told = {}
    for variant, make in ((BOOTSTRAP, _bootstrap), (PERMUTATION, _permutation)):
        if reported["status"] == "not_estimable":
            told[variant] = statistics.not_estimable(reported["reason"])
            continue
        ordered, columns = _in_order(model, chosen, np.asarray(x, dtype=float))
        stream = _stream(model, subset, variant, seed)
        told[variant] = make(model, ordered, columns, reported, stream, replicates)
    counts = {name: reported[name] for name in ("n_patients", "n_events") if name in reported}
    return [
        statistics.row(
            model.analysis, model.outcome, subset, reported["estimand"],
            term=PRIMARY_TERM, variant=variant, role="sensitivity", unit=reported["unit"],
            **(counts | found),
        )
        for variant, found in told.items()
    ]  # fmt: skip


def of_lesions(
    model: Model,
    subset: str,
    chosen: pd.DataFrame,
    x: np.ndarray,
    reported: dict[str, Any],
    seed: int,
    replicates: int = 2000,
) -> dict[str, Any]:
    """Return the row `.../log2_mib1/bootstrap` of a model of lesions, patients being drawn.

    A patient is drawn with all lesions, and the estimator is that of independent lesions:
    the same model without patient effects, whose estimate needs no assumption on how lesions of a
    patient go together; the resamples take account of it. So its ratio is that over all patients,
    near that of the estimating equations, and not that of the mixed model.

    Parameters
    ----------
    model : one of lesions whose terms include `log2_mib1`.
    chosen : `lesion_data.rows`, the n lesions.
    x : (n, p) the terms of the model.
    reported : the row of `log2_mib1` that the model reports first.
    seed, replicates : as in `rows`.
    """
    counts = {name: reported[name] for name in ("n_patients", "n_lesions")}
    if reported["status"] == "not_estimable":
        told = statistics.not_estimable(reported["reason"])
    else:
        _, whose = np.unique(chosen["patient_id"].to_numpy(dtype=str), return_inverse=True)
        stream = _stream(model, subset, BOOTSTRAP, seed)
        told = _interval(model, chosen, x, whose, reported, stream, replicates)
    return statistics.row(
        model.analysis, model.outcome, subset, reported["estimand"], term=PRIMARY_TERM,
        variant=BOOTSTRAP, role="sensitivity", unit=reported["unit"], **(counts | told),
    )  # fmt: skip


def _stream(model: Model, subset: str, variant: str, seed: int) -> np.random.SeedSequence:
    """Return a stream of its own for each row, whatever other rows there are."""
    name = "/".join((model.analysis, subset, variant))
    return np.random.SeedSequence(entropy=seed, spawn_key=(zlib.crc32(name.encode()),))


def _in_order(model: Model, chosen: pd.DataFrame, x: Floats) -> tuple[pd.DataFrame, Floats]:
    """Patients by their values, whatever their order in the sheet; equal patients are the same."""
    keys = [chosen[name].to_numpy() for name in _COLUMNS[model.outcome]]
    keys += [x[:, k] for k in range(x.shape[1])]
    keys += [_baselines(model, chosen)]
    order = np.lexsort([np.unique(key, return_inverse=True)[1].ravel() for key in keys])
    return chosen.iloc[order], x[order]


def _baselines(model: Model, chosen: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for each patient, equal where the baseline scores are; all 0 for SUVmax."""
    if model.outcome == "suvmax":
        return np.zeros(len(chosen), dtype=np.int64)
    return _codes(chosen, ("krenning_pre_low", "krenning_pre_high"))


def _codes(chosen: pd.DataFrame, columns: tuple[str, ...]) -> NDArray[np.int64]:
    """Return a number for each patient, equal where all these columns are equal."""
    return chosen.groupby(list(columns), sort=True).ngroup().to_numpy()


def _bootstrap(
    model: Model,
    chosen: pd.DataFrame,
    x: Floats,
    reported: dict[str, Any],
    stream: np.random.SeedSequence,
    replicates: int,
) -> dict[str, Any]:
    whose = np.arange(len(chosen))
    told = _interval(model, chosen, x, whose, reported, stream, replicates)
    return told | ({"estimate": reported["estimate"]} if "estimate" in told else {})


def _interval(
    model: Model,
    chosen: pd.DataFrame,
    x: Floats,
    whose: NDArray[np.int64],
    reported: dict[str, Any],
    stream: np.random.SeedSequence,
    replicates: int,
) -> dict[str, Any]:
    """Return estimate and BCa interval; `whose` (n,) is the patient, from 0, of each row."""
    patients = int(whose.max()) + 1
    outcome = model.outcome.removeprefix("lesion_")
    if reason := limits.too_few_for_bootstrap(
        patients, _LEAST.get(outcome, limits.MIN_FOR_BOOTSTRAP)
    ):
        return statistics.not_estimable(reason)
    term = model.terms.index(PRIMARY_TERM)
    # One set of weights for the estimate, one without each patient, and the resamples.
    counts = bootstrap.resamples(patients, replicates, _integer(stream))
    weights = np.vstack([np.ones((1, patients)), 1.0 - np.eye(patients), counts])[:, whose]
    found = refits.refit(outcome, chosen, x, weights)[:, term]
    estimate, jackknife, resampled = found[0], found[1 : patients + 1], found[patients + 1 :]
    if not math.isfinite(estimate):
        return statistics.not_estimable("the estimate could not be found again")
    if lost := int((~np.isfinite(jackknife)).sum()):
        return statistics.not_estimable(
            f"leaving out one patient at a time, {lost} times there is no estimate "
            f"({_WHY_NONE[outcome]}), so the bootstrap interval cannot be made"
        )
    interval = bootstrap.bca_interval(estimate, resampled, jackknife, LEVEL)
    ends = _ratio(model, interval.low), _ratio(model, interval.high)
    if math.isnan(ends[0]) or math.isnan(ends[1]):
        return statistics.not_estimable(
            f"the estimates in {interval.used:,} resamples lie so far to one side that the "
            "bootstrap interval cannot be made"
        )
    doubts = [
        reported["reason"] if reported["status"] == "unstable" else "",
        limits.resamples_without_estimate(interval.not_estimated, replicates, _WHY_NONE[outcome]),
        f"an end of the interval lies beyond all {interval.used:,} resamples"
        if interval.beyond
        else "",
        "an end of the interval is too large for a number" if math.inf in ends else "",
    ]
    return {
        "estimate": _ratio(model, float(estimate)),
        "conf_low": ends[0],
        "conf_high": ends[1],
        "conf_level": LEVEL,
        "interval_method": "BCa bootstrap by patient",
    } | _judged(doubts)


def _permutation(
    model: Model,
    chosen: pd.DataFrame,
    x: Floats,
    reported: dict[str, Any],
    stream: np.random.SeedSequence,
    replicates: int,
) -> dict[str, Any]:
    term = model.terms.index(PRIMARY_TERM)
    same = (PRIMARY_TERM, "krenning_pre", "krenning_pre_nonlinear")
    others = [name for name in model.terms if name not in same]
    if others and model.outcome != "suvmax":
        return statistics.not_estimable(
            f"the model also has {' and '.join(others)}: patients of one baseline score then "
            "differ in more than MIB1, and their values cannot be exchanged"
        )
    given = arrangements.of(
        *_exchanged(model, chosen, x[:, term]), replicates, np.random.default_rng(stream)
    )
    if given.number == 1:
        return statistics.not_estimable(
            "no two patients of one baseline score differ both in MIB1 and in the outcome, so "
            "their values can be arranged in one way only"
        )
    seen, statistic = _statistics(model, chosen, x, term, given)
    if math.isnan(seen):
        return statistics.not_estimable("the model could not be fitted again")
    # A fit that fails counts against the finding.
    statistic = np.where(np.isnan(statistic), np.inf, statistic)
    drawn = 0 if given.complete else 1
    highest = max(seen, float(statistic.max()))

    def share(limit: float) -> float:
        tolerance = _TIED * max(1.0, abs(limit)) if math.isfinite(limit) else 0.0
        above = int((statistic >= limit - tolerance).sum())
        return (drawn + above) / (drawn + len(statistic))

    doubts = [
        reported["reason"] if reported["status"] == "unstable" else "",
        limits.small_permutation_p_out_of_reach(share(highest)),
    ]
    how = f"all {given.number:,} arrangements" if given.complete else f"{replicates:,} arrangements"
    return {
        "estimate": reported["estimate"],
        "p_value": share(seen),
        "p_method": f"{_P_METHODS[model.outcome]}, {how}",
    } | _judged(doubts)


def _exchanged(
    model: Model, chosen: pd.DataFrame, mib1: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Groups in which values are exchanged, outcomes and values, as `captem.arrangements` wants."""
    groups = _baselines(model, chosen)
    if model.outcome == "suvmax":
        # Residuals go with all that is known of another patient, which is hardly ever the same.
        return groups, np.arange(len(groups)), np.arange(len(groups))
    values = np.unique(mib1, return_inverse=True)[1].ravel()
    return groups, _codes(chosen, _COLUMNS[model.outcome]), values


def _statistics(
    model: Model, chosen: pd.DataFrame, x: Floats, term: int, given: Arrangements
) -> tuple[float, Floats]:
    """The statistic as seen, and in each arrangement (R,): the larger, the further from the null.

    NaN where a fit fails.
    """
    places = np.vstack([np.arange(len(chosen)), given.places])
    if model.outcome == "krenning":
        low, high = (chosen[name].to_numpy(dtype=int) for name in _COLUMNS["krenning"])
        found = ordinal_batch.fit_permuted(low, high, x, term, x[:, term][places]).loglik
    elif model.outcome == "criterion":
        found = _penalised(chosen["criterion_post"].eq("yes").to_numpy(dtype=float), x, places)
    else:
        y = np.log2(chosen["suvmax_post"].to_numpy(dtype=float))
        found = _studentised(y, x, term, places)
    return float(found[0]), found[1:]


def _penalised(gained: Floats, x: Floats, places: NDArray[np.int64]) -> Floats:
    """Highest penalised log-likelihood (R,).

    Each patient stands in the table twice, with and without the event; the arrangement says which
    of the two counts. MIB1 of another patient, or the outcome of another one, is the same here.
    """
    n = len(gained)
    # Patient i has the MIB1 of patient places[i], which then goes with the outcome of i.
    events = np.empty(places.shape)
    np.put_along_axis(events, places, np.broadcast_to(gained, places.shape), axis=1)
    many = firth.fit_many(
        np.repeat([1.0, 0.0], n), np.vstack([x, x]), np.hstack([events, 1.0 - events])
    )
    return np.where(many.converged, many.penalised_loglik, np.nan)


def _studentised(y: Floats, x: Floats, term: int, places: NDArray[np.int64]) -> Floats:
    """|t| (R,) with HC3 of one term, where the residuals given the other terms are permuted.

    What the other terms explain is left out of the permuted outcome: it changes neither the
    coefficient in question nor the residuals.
    """
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    ones = np.ones((len(y), 1))
    rest, _ = np.linalg.qr(np.hstack([ones, np.delete(scaled, term, axis=1)]))
    residuals = y - rest @ (rest.T @ y)
    own = scaled[:, term] - rest @ (rest.T @ scaled[:, term])
    weight = own / (own @ own)
    leverage = np.einsum("ij,ij->i", rest, rest) + own * weight
    permuted = residuals[places]
    beta = permuted @ weight
    left = permuted - (permuted @ rest) @ rest.T - beta[:, None] * own
    error = np.sqrt(((left * (weight / (1.0 - leverage))) ** 2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(beta) / error


def _judged(doubts: list[str]) -> dict[str, str]:
    reasons = [doubt for doubt in doubts if doubt]
    return {"status": "unstable" if reasons else "ok", "reason": "; ".join(reasons)}


def _ratio(model: Model, beta: float) -> float:
    return model_parts.ratio(beta * math.log(2.0) if "suvmax" in model.outcome else beta)


def _integer(stream: np.random.SeedSequence) -> int:
    return int(stream.generate_state(1, np.uint64)[0])
