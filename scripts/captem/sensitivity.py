"""The primary contrast under each alternative: rows `sensitivity.*` of `statistics.csv`.

The contrast is the odds ratio of a higher follow-up score per doubling of MIB1 in the primary
model, bias-reduced with Wald's interval as reported there; where an alternative asks another
question (a criterion, another outcome), its contrast is named in `estimand` and `unit`. Each row
stands for itself. How many of them agree says nothing, since they share their patients.

==============================  ==================================================================
analysis                        contrast
==============================  ==================================================================
those of `captem.alternatives`  the primary one, in another table
sensitivity.who_grade           per grade by MIB1 alone in place of log2 MIB1
sensitivity.nonlinear_mib1      P of a bend in log2 MIB1
sensitivity.criterion_rule      criterion gained under another threshold and rule, Firth
sensitivity.gain_outcome        steps gained per doubling of MIB1, least squares; the gain shares
                                its noise with the baseline (it is coupled), so never more than this
sensitivity.repeatability       net improvement of SUVmax, counting changes beyond a limit only
sensitivity.baseline_error      the primary one, corrected for noise of the baseline
sensitivity.not_rescanned       what patients without a follow-up scan could change
==============================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from captem import (
    alternatives,
    baseline_error,
    bias,
    criterion,
    criterion_model,
    eligibility,
    influence,
    krenning_model,
    limits,
    model_parts,
    not_rescanned,
    paired,
    statistics,
    surrogate,
    terms,
)
from captem.alternatives import Alternative
from captem.describe import midpoint
from captem.model_parts import LEVEL, PRIMARY_TERM, Estimates, Model
from captem.planned_models import CRITERION, KRENNING
from captem.terms import Plan

# `lowest` and `all` pick the same lesion.
_RULES = ("highest", "all", "most", "index")
# Above liver, as the published case and two trials count, and at liver or above, as NETPET does.
_THRESHOLDS = (2, 3)


@dataclass(frozen=True)
class Settings:
    """What the config says of the sensitivity analyses.

    `rule` and `threshold` are the study's criterion, `noise` its key of that name,
    `boundaries` those declared for the surrogate score.
    """

    rule: str
    threshold: int
    plan: Plan
    lesion_size_mm: Sequence[float]
    landmark_cycles: Sequence[int]
    repeatability: Sequence[float]
    noise: Mapping[str, Any]
    boundaries: surrogate.Boundaries | None
    seed: int


def estimate(
    patients: pd.DataFrame,
    lesions: pd.DataFrame,
    changes: pd.DataFrame,
    confirmatory: Sequence[str],
    settings: Settings,
) -> pd.DataFrame:
    """Return the rows of every subset.

    Parameters
    ----------
    patients, lesions : canonical tables.
    changes : `transitions.csv` of the same patients in the same order.
    confirmatory : sources whose rows may claim what the plan says.
    """
    rows: list[dict[str, Any]] = []
    for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
        role = statistics.role("sensitivity", subset, patients["source"], confirmatory)
        found = _rows(subset, patients[mask], lesions, changes[mask.to_numpy()], settings)
        rows += [row | {"role": role} for row in found]
    for subset, alone in alternatives.sources(patients).items():
        role = statistics.role("sensitivity", subset, alone.patients["source"], confirmatory)
        rows.append(primary(alone, subset, settings.plan) | {"role": role})
    return statistics.frame(rows)


def _rows(
    subset: str,
    patients: pd.DataFrame,
    lesions: pd.DataFrame,
    changes: pd.DataFrame,
    settings: Settings,
) -> Iterator[dict[str, Any]]:
    swept = {
        "lesion_size_mm": settings.lesion_size_mm,
        "landmark_cycles": settings.landmark_cycles,
    }
    for alternative in alternatives.all_of(
        patients, lesions, settings.rule, settings.boundaries, swept
    ):
        yield primary(alternative, subset, settings.plan)
    yield _who_grade(patients, subset, settings.plan)
    yield _nonlinear(patients, subset, settings.plan)
    yield from _criterion_rules(patients, lesions, subset, settings)
    yield _without_covariates(_gain_outcome(patients, subset, settings.plan), settings.plan)
    for limit in settings.repeatability:
        yield _repeatability(patients, subset, limit)
    # ASSUME: noise of the baseline alone; covariates would carry noise of their own.
    chosen = eligibility.analysed(patients, KRENNING.analysis)
    x = terms.main(chosen, settings.plan.mib1_floor)[list(KRENNING.terms)].to_numpy()
    low, high = krenning_model.outcome(chosen)
    screened = bias.shares_of(settings.noise.get("screened", ()))
    for row in (
        *baseline_error.rows(subset, low, high, x, settings.noise["reliability"], screened),
        *not_rescanned.rows(subset, patients, changes, settings.plan.mib1_floor, settings.seed),
    ):
        yield _without_covariates(row, settings.plan)


def _without_covariates(row: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Return a row with a word on the covariates where its model has none of the plan's."""
    if not plan.covariates or row["term"] != PRIMARY_TERM or row["status"] == "not_estimable":
        return row
    said = f"without the covariates of the config ({', '.join(plan.covariates)})"
    return row | {"reason": "; ".join(filter(None, (row["reason"], said)))}


def primary(alternative: Alternative, subset: str, plan: Plan) -> dict[str, Any]:
    """Return the contrast of the primary model in another table."""
    model = replace(KRENNING, analysis=alternative.analysis)
    chosen = eligibility.analysed(alternative.patients, KRENNING.analysis, plan.covariates)
    reason = alternative.refusal or terms.absent(alternative.patients, plan)
    found = _fitted(model, subset, chosen, plan, reason)
    return _named(found.rows, PRIMARY_TERM, alternative.variant)


def _fitted(model: Model, subset: str, chosen: pd.DataFrame, plan: Plan, reason: str) -> Estimates:
    """Fit a model of the follow-up score with the covariates of the plan, or refuse it."""
    if reason := reason or model_parts.too_few(len(chosen)):
        return model_parts.refused(model, subset, "sensitivity", len(chosen), reason)
    design = terms.design(model, chosen, plan, krenning_model.effective_n(chosen))
    return krenning_model.fit(
        design.model, subset, "sensitivity", chosen, design.x, reported_only=True
    )


def _named(rows: Sequence[dict[str, Any]], term: str, variant: str) -> dict[str, Any]:
    """Return the row of `term`, under its variant and with the role of all rows here."""
    row = next(row for row in rows if row["term"] == term)
    name = "/".join(filter(None, (row["row_id"], variant)))
    return row | {"row_id": name, "role": "sensitivity"}


def _who_grade(patients: pd.DataFrame, subset: str, plan: Plan) -> dict[str, Any]:
    """Return the odds ratio per grade; `>20` is grade 3, so it has a place here."""
    graded = terms.mib1_grade(patients)
    # A grade stands for the MIB1 index, whose upper end need not be known.
    known = patients.assign(mib1_high=patients["mib1_low"].where(graded.notna()))
    known = known.assign(mib1_low=known["mib1_high"])
    chosen = eligibility.analysed(known, KRENNING.analysis, plan.covariates).index
    model = replace(
        KRENNING, analysis="sensitivity.who_grade", terms=("krenning_pre", "mib1_grade")
    )
    found = _fitted(model, subset, patients.loc[chosen], plan, terms.absent(patients, plan))
    return _named(found.rows, "mib1_grade", "")


def _nonlinear(patients: pd.DataFrame, subset: str, plan: Plan) -> dict[str, Any]:
    """Return P of the nonlinear column of a spline in log2 MIB1, by Wald in the primary model."""
    name = PRIMARY_TERM + terms.NONLINEAR
    model = replace(
        KRENNING, analysis="sensitivity.nonlinear_mib1", terms=(*KRENNING.terms, name),
        more_units=((name, "nonlinear part of the spline"),),
    )  # fmt: skip
    chosen = eligibility.analysed(patients, KRENNING.analysis, plan.covariates)
    n = len(chosen)
    reason = terms.absent(patients, plan) or model_parts.too_few(n)
    bent = None
    if not reason:
        design = terms.design(KRENNING, chosen, plan, krenning_model.effective_n(chosen))
        bent = terms.bend(design.x[:, design.model.terms.index(PRIMARY_TERM)])
        model = replace(
            model,
            terms=(*design.model.terms, name),
            more_units=(*design.model.more_units, *model.more_units),
        )
    if bent is None:
        reason = reason or "the MIB1 index has too few different values for a spline"
        row = _named(model_parts.refused(model, subset, "", n, reason).rows, name, "")
    else:
        found = krenning_model.fit(
            model, subset, "", chosen, np.column_stack([design.x, bent]), reported_only=True
        )
        row = _named(found.rows, name, "")
    # The coefficient of the nonlinear column has no meaning by itself.
    silent = dict.fromkeys(("estimate", "conf_low", "conf_high", "conf_level"))
    return row | silent | {"interval_method": None, "estimand": "test of a bend"}


def _criterion_rules(
    patients: pd.DataFrame, lesions: pd.DataFrame, subset: str, settings: Settings
) -> Iterator[dict[str, Any]]:
    model = replace(CRITERION, analysis="sensitivity.criterion_rule")
    absent = terms.absent(patients, settings.plan)
    for threshold in sorted({*_THRESHOLDS, settings.threshold}):
        under = criterion.by_rule(patients, lesions, threshold, _RULES)
        for rule in _RULES:
            asked = criterion_model.asked_of(patients, under[rule])
            chosen = eligibility.analysed(asked, CRITERION.analysis, settings.plan.covariates)
            if absent:
                found = model_parts.refused(model, subset, "sensitivity", len(chosen), absent)
            else:
                effective = criterion_model.effective_n(chosen)
                design = terms.design(model, chosen, settings.plan, effective)
                found = criterion_model.fit(design.model, subset, "sensitivity", chosen, design.x)
            yield _named(found.rows, PRIMARY_TERM, f"threshold_{threshold}_{rule}")


def _gain_outcome(patients: pd.DataFrame, subset: str, plan: Plan) -> dict[str, Any]:
    chosen = eligibility.analysed(patients, KRENNING.analysis)
    n = len(chosen)
    gain = (midpoint(chosen, "krenning_post") - midpoint(chosen, "krenning_pre")).to_numpy()
    x = terms.main(chosen, plan.mib1_floor)[[PRIMARY_TERM]].to_numpy()
    values: dict[str, Any] = {"n_patients": n, "unit": "steps per doubling of MIB1"}
    reason = model_parts.too_few(n) or limits.too_few_for_regression(n, 2, n, 1)
    if not reason:
        fit = influence.ols(gain, x)
        if fit.aliased:
            reason = "all patients have the same MIB1 index"
        elif fit.leverage_one:
            reason = "one patient alone decides the slope (leverage 1)"
        elif fit.perfect:
            reason = "the gain is an exact function of MIB1, so there is no residual to judge by"
    if reason:
        values |= statistics.not_estimable(reason)
    else:
        low, high = influence.hc3_interval(fit, 1, LEVEL)
        statistic, p_value = influence.hc3_test(fit, 1)
        values |= {
            "estimate": float(fit.coefficients[1]),
            "conf_low": low,
            "conf_high": high,
            "conf_level": LEVEL,
            "interval_method": "HC3, t",
            "statistic": statistic,
            "df": float(fit.df),
            "p_value": p_value,
            "p_method": "HC3, t",
            "status": "unstable",
            "reason": "the gain shares its noise with the baseline (it is coupled), so this is no "
            "evidence",
        }
    return statistics.row(
        "sensitivity.gain_outcome", "krenning", subset, "difference, coupled with the baseline",
        term=PRIMARY_TERM, role="sensitivity", **values,
    )  # fmt: skip


def _repeatability(patients: pd.DataFrame, subset: str, limit: float) -> dict[str, Any]:
    """Return the net improvement of SUVmax where a change counts from `limit` percent on.

    A rise is a ratio of at least 1 + limit / 100, a fall its reciprocal or less: equal distances on
    the scale of logarithms, on which SUVmax varies.
    """
    chosen = eligibility.analysed(patients, "transition.suvmax_ratio")
    ratio = (chosen["suvmax_post"].astype(float) / chosen["suvmax_pre"].astype(float)).to_numpy()
    # A change of exactly the limit counts, whatever the last digit of a logarithm.
    beyond = np.log1p(limit / 100) - 1e-9
    way = np.select([np.log(ratio) >= beyond, np.log(ratio) <= -beyond], [1, -1], default=0)
    found = paired.net_improvement(np.zeros(len(way)), way)
    return found.row(
        subset, "sensitivity", analysis="sensitivity.repeatability", outcome="suvmax",
        term=f"limit_{limit:g}_percent",
    )  # fmt: skip
