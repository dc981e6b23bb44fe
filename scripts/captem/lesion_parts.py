"""What the lesion models share: who counts for which term, refusals, and the rows of both methods.

A term that is the same in all lesions of each patient, as MIB1, is known as often as there are
patients, and lesions add nothing to it; a term of the lesion is known once a lesion. Beside each
mixed model stand estimating equations (`captem.clustered`), CR2 with Satterthwaite's t, under the
variant `gee`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import clustered, grouped, limits, model_parts, ordinal, statistics
from captem.model_parts import LEVEL, Estimates, Model

GEE = "gee"
VARIANTS = ("", GEE)
CR2 = "GEE, CR2 with Satterthwaite t"
# Rounding alone moves the expected estimate of a variance off the variance by less.
_SUPPORT_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Sample:
    """The lesions of a model.

    Attributes
    ----------
    groups : which lesion belongs to which patient.
    of_patient : (p,) whether a term is the same in all lesions of each patient.
    effective : effective number of observations behind each term, (p,).
    """

    groups: grouped.Groups
    of_patient: np.ndarray
    effective: np.ndarray

    @property
    def patients(self) -> int:
        """How many patients there are."""
        return len(self.groups.sizes)

    @property
    def lesions(self) -> int:
        """How many lesions there are."""
        return int(self.groups.sizes.sum())

    @property
    def several(self) -> int:
        """How many patients have two lesions or more."""
        return int(np.sum(self.groups.sizes > 1))

    @property
    def counts(self) -> dict[str, int]:
        """What each row says of how many it rests on."""
        return {"n_patients": self.patients, "n_lesions": self.lesions}

    @property
    def record(self) -> dict[str, Any]:
        """What the file of the model says of how many it rests on."""
        sizes = self.groups.sizes
        spread = (
            {
                "smallest": int(sizes.min()),
                "median": float(np.median(sizes)),
                "largest": int(sizes.max()),
                "patients_with_several": self.several,
            }
            if len(sizes)
            else {}
        )
        return {"n": self.patients, "n_lesions": self.lesions, "lesions_per_patient": spread}


def sample(patients: pd.Series, x: np.ndarray, effective: float) -> Sample:
    """Return the lesions as the limits count them.

    Parameters
    ----------
    patients : (n,) the patient of each lesion.
    x : (n, p) the terms.
    effective : effective number of the lesions' outcomes.
    """
    groups = grouped.groups(patients.astype(str).to_numpy(), len(patients))
    same = np.zeros(x.shape[1], dtype=bool)
    if len(x):
        first = np.array([own[0] for own in groups.rows()])
        same = (x == x[first][groups.index]).all(axis=0)
    return Sample(groups, same, np.where(same, min(effective, float(len(groups.sizes))), effective))


def refusal(model: Model, given: Sample, x: np.ndarray, parameters: int) -> str:
    """Return why a lesion model is fitted by no method, or empty text.

    `parameters` counts thresholds or intercept, slopes and variances.
    """
    if reason := model_parts.too_few(given.patients):
        return reason
    if given.several == 0:
        return (
            "each patient has one lesion that can be compared, so variation between patients "
            "cannot be told from that between lesions; the model of patients uses the same data"
        )
    return model_parts.collinear(model, ordinal.aliased(x)) or limits.too_few_for_regression(
        given.patients, parameters, float(given.effective.min()), len(model.terms)
    )


def doubts(model: Model, given: Sample, x: np.ndarray, caution: str = "") -> list[str]:
    """Return for each term why its row is to be read as exploratory, or empty text."""
    spans = model_parts.doubts(model, x, "")
    slopes = len(model.terms)
    return [
        caution or limits.few_for_regression(float(effective), slopes) or span
        for effective, span in zip(given.effective, spans, strict=True)
    ]


def told(
    model: Model,
    subset: str,
    role: str,
    values: Sequence[dict[str, Any]],
    beside: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the rows of the mixed model and of the estimating equations beside it."""
    return [
        *model_parts.rows(model, subset, role, values),
        *model_parts.rows(model, subset, "sensitivity", beside, GEE),
    ]


def refused(model: Model, subset: str, role: str, given: Sample, reason: str) -> Estimates:
    """Return the rows of a model that is fitted by no method, and why."""
    values, why = nothing(model, given, reason)
    return Estimates(
        told(model, subset, role, values, values), given.record | why | {GEE: dict(why)}
    )


def nothing(
    model: Model, given: Sample, reason: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the values of each term and the record of one method that gives no estimate."""
    values = [given.counts | statistics.not_estimable(reason) for _ in model.terms]
    return values, {"status": "not_estimable", "reason": reason}


def effective(model: Model, given: Sample) -> dict[str, float]:
    """Return the effective number of observations of each term, by its name."""
    return dict(zip(model.terms, given.effective.tolist(), strict=True))


def status(values: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the status of a method from the values of its terms: the worst that gives numbers."""
    shown = [value for value in values if value["status"] != "not_estimable"]
    if not shown:
        return {name: values[0][name] for name in ("status", "reason")}
    reason = next((value["reason"] for value in values if value["status"] != "ok"), "")
    return {"status": "unstable" if reason else "ok", "reason": reason}


def finite(value: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return the values of a row, or a refusal where a number in it is none.

    An estimate without end is refused; an interval without end on one side makes it `unstable`.
    """
    numbers = [value[name] for name in ("estimate", "conf_low", "conf_high", "p_value")]
    if any(math.isnan(number) for number in numbers) or math.isinf(numbers[0]):
        counts = {name: value[name] for name in ("n_patients", "n_lesions")}
        return counts | statistics.not_estimable(reason)
    if any(math.isinf(number) for number in numbers) and value["status"] == "ok":
        return value | {
            "status": "unstable",
            "reason": "the data put no end to the interval on one side",
        }
    return value


def equations(
    model: Model,
    given: Sample,
    x: np.ndarray,
    found: clustered.ClusteredFit,
    what: str,
    reported: dict[str, np.ndarray],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the values of each term and the record of estimating equations.

    Parameters
    ----------
    found : the fit, whose last coefficients are the terms of the model.
    what : the equations in words.
    reported : what stands for the other coefficients in the record, each by its name as a
        combination (k,) of all k coefficients of the fit.

    The base of the ratio is e for odds, and 2 for SUVmax, whose outcome is a logarithm to base 2.
    """
    base = math.log(2.0) if found.family == "gaussian" else 1.0
    first = len(found.beta) - len(model.terms)
    if reason := _unsupported(model, found, first):
        return nothing(model, given, reason)
    values = []
    for position, doubt in enumerate(doubts(model, given, x), start=first):
        statistic, df, p_value = clustered.t_test(found, position)
        low, high = clustered.interval(found, position, LEVEL)
        why = limits.few_degrees(df) or doubt
        value = {
            "estimate": model_parts.ratio(base * float(found.beta[position])),
            "conf_low": model_parts.ratio(base * low),
            "conf_high": model_parts.ratio(base * high),
            "conf_level": LEVEL,
            "interval_method": CR2,
            "statistic": statistic,
            "df": df,
            "p_value": p_value,
            "p_method": CR2,
            "status": "unstable" if why else "ok",
            "reason": why,
        } | given.counts
        values.append(finite(value, "the estimating equations give no finite interval"))
    names = [*reported, *model.terms]
    combined = np.vstack([*reported.values(), np.eye(len(found.beta))[first:]])
    record = status(values) | {
        "method": f"generalised estimating equations, {what}; working correlation {_working(found)}"
        "; CR2 covariance, Satterthwaite t",
        "coefficients": dict(zip(names, (combined @ found.beta).tolist(), strict=True)),
        "covariance": {
            "names": names,
            "values": (combined @ found.cr2.covariance @ combined.T).tolist(),
        },
        "working": found.working,
        "alpha": found.alpha,
        "scale": found.scale,
        "effective_n": effective(model, given),
        "flags": {
            "converged": found.converged,
            "max_abs_score": found.max_abs_score,
            "condition_number": found.condition_number,
            "largest_share": found.largest_share,
            "patients_with_one_row": found.singletons,
        },
    }
    return values, record


def _unsupported(model: Model, found: clustered.ClusteredFit, first: int) -> str:
    """Return why the estimating equations may not be reported, or empty text."""
    if not found.converged:
        return "the estimating equations have no solution that could be found"
    support = found.cr2.support[first:]
    short = not (support >= 1.0 - _SUPPORT_TOLERANCE).all()
    if short or found.full_leverage:
        # What a patient decides alone has the least support; other terms lose little by it.
        what = (
            f"the coefficient of {model.terms[int(support.argmin())]}" if short else "a coefficient"
        )
        return f"one patient alone decides {what} (leverage 1), so it has no standard error"
    return ""


def _working(found: clustered.ClusteredFit) -> str:
    if found.working == "exchangeable" or found.family == "binomial":
        return found.working
    return "independence, as an exchangeable one could not be estimated"
