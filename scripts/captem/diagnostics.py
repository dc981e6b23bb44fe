"""Diagnostics of a fit: what single patients do to it, and what stands beside its flags.

What each reported fit leaves in `models/<model>.json`, beside what its own search says of itself
(converged, gradient, condition number, separation): effective observations per slope, influence,
the look at proportional odds and residuals, and for least squares leverage and Cook's distance.

Influence is by refitting: each patient is left out in turn, with the estimator that is reported
(`captem.refits`), so that it needs no approximation and no formula of its own for each model. What
names patients here does so by the codes of `patients.csv`, and makes the file patient-level; rows
of `statistics.csv` hold none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from captem import influence as refitted
from captem import model_parts, proportional_odds, refits, residuals, statistics
from captem.model_parts import PRIMARY_TERM

# Terms whose estimates are read, and so the ones for which it matters who decides them.
ASKED = (PRIMARY_TERM, "captem_cycles")


def of_fit(
    outcome: str,
    chosen: pd.DataFrame,
    x: np.ndarray,
    terms: Sequence[str],
    record: Mapping[str, Any],
) -> dict[str, Any]:
    """Return all diagnostics of a model that was fitted, to be joined to its record.

    Args:
        outcome: `krenning`, `criterion` or `suvmax`.
        chosen: the patients, with `patient_id` and the columns of the outcome, n rows.
        x: the terms of the model, shape (n, p).
        terms: their names, p of them.
        record: of the fit, with `effective_n`, as the limits use it; for `krenning` with
            `coefficients` and `thresholds`.

    Returns:
        `effective_n_per_slope`; `influence`, see `influence`; for `krenning` `proportional_odds`,
        see `proportional_odds.check`, `residuals` and `residual_means`, see `captem.residuals`; for
        `suvmax` `least_squares`, see `least_squares`.
    """
    ids = [str(code) for code in chosen["patient_id"]]
    found: dict[str, Any] = {
        "effective_n_per_slope": effective_per_slope(record["effective_n"], len(terms)),
        "influence": influence(outcome, ids, chosen, x, terms),
    }
    if outcome == "krenning":
        low, high = (chosen[f"krenning_post_{end}"].to_numpy(dtype=int) for end in ("low", "high"))
        found["proportional_odds"] = proportional_odds.check(low, high, x, terms)
        found["residuals"] = residuals.of_patients(ids, low, high, x, terms, record)
        found["residual_means"] = residuals.means(found["residuals"])
    if outcome == "suvmax":
        y = np.log2(chosen["suvmax_post"].to_numpy(dtype=float))
        found["least_squares"] = least_squares(ids, y, x)
    return found


def effective_per_slope(effective: float, slopes: int) -> float | None:
    """Return how many effective observations each coefficient has; None without coefficients."""
    return float(effective) / slopes if slopes else None


def influence(
    outcome: str,
    ids: Sequence[str],
    chosen: pd.DataFrame,
    x: np.ndarray,
    terms: Sequence[str],
) -> dict[str, Any]:
    """Refit without each patient in turn, and say how far the estimates move and by whom.

    Args:
        outcome: `krenning`, `criterion` or `suvmax`.
        ids: the code of each patient, n of them.
        chosen: the patients, with the columns of the outcome, n rows.
        x: the terms of the model, shape (n, p).
        terms: their names, p of them; only those in `ASKED` are reported.

    Returns:
        `patients`, n; `terms`, by name, each with `estimate` (the reported ratio), `lowest` and
        `highest` ratio without one patient and `lowest_without`, `highest_without` who that is;
        `largest_change` of the coefficient (log of the odds ratio, log2 of the ratio of SUVmax)
        from all patients to all but `largest_change_without`, and the same as a ratio,
        `largest_change_ratio`; `no_estimate`, how many refits have none, and
        `no_estimate_without`, who is missing from them; `without`, for each patient its code as
        `patient` and the `ratio` of all others. None where there is no estimate at all.
        With fewer than 2 patients, `reason` in place of `terms`.
    """
    n = len(ids)
    if n < 2:
        return {"patients": n, "reason": "there is nobody to leave out"}
    asked = [i for i, term in enumerate(terms) if term in ASKED]

    def estimates(weights: np.ndarray) -> np.ndarray:
        return np.asarray(refits.refit(outcome, chosen, x, weights), dtype=float)[:, asked]

    whole = estimates(np.ones((1, n)))[0]
    without = refitted.leave_one_out(estimates, n)
    # Odds ratios are modelled on the natural logarithm, SUVmax on that to base 2.
    base = math.log(2.0) if outcome == "suvmax" else 1.0
    found = {}
    for place, i in enumerate(asked):
        refit = without.estimates[:, place]
        told: dict[str, Any] = {"estimate": _ratio(whole[place], base)}
        told |= _end("lowest", without.low[place], int(without.low_without[place]), ids, base)
        told |= _end("highest", without.high[place], int(without.high_without[place]), ids, base)
        told |= _largest_change(refit - whole[place], ids, base)
        missing = np.flatnonzero(~np.isfinite(refit))
        told |= {
            "no_estimate": len(missing),
            "no_estimate_without": [ids[row] for row in missing.tolist()],
            "without": [
                {"patient": code, "ratio": _ratio(value, base)}
                for code, value in zip(ids, refit, strict=True)
            ],
        }
        found[terms[i]] = told
    return {"patients": n, "terms": found}


def leave_one_out_rows(
    subset: str,
    found: dict[str, Any],
    status: str,
    reason: str,
    outcome: str = "krenning",
    term: str = PRIMARY_TERM,
) -> list[dict[str, Any]]:
    """Return the rows `sensitivity.leave_one_out/<outcome>/<subset>/<term>/lowest` and `/highest`.

    Args:
        subset: the subset of patients.
        found: what `influence` returned; may be empty where the model was refused.
        status, reason: those of the reported row of the term, which these can be no better than.
        outcome, term: what was modelled.
    """
    known = found.get("terms", {}).get(term, {})
    n = found.get("patients", 0)
    if status != "not_estimable" and not known:
        status, reason = "not_estimable", found.get("reason", "the estimate was not refitted")
    if status == "ok" and known["no_estimate"]:
        status = "unstable"
        reason = f"without one patient there is no estimate, in {known['no_estimate']} of {n} cases"
    rows = []
    for end in ("lowest", "highest"):
        values: dict[str, Any] = {"status": status, "reason": reason, "n_patients": max(n - 1, 0)}
        if status != "not_estimable":
            values["estimate"] = known[end]
            if known[end] is None:
                values = {"n_patients": n - 1} | statistics.not_estimable(
                    "without any one patient there is no estimate"
                )
        rows.append(
            statistics.row(
                "sensitivity.leave_one_out",
                outcome,
                subset,
                "ratio" if outcome == "suvmax" else "odds ratio",
                term=term,
                variant=end,
                role="sensitivity",
                unit=model_parts.UNITS[term],
                **values,
            )
        )
    return rows


def least_squares(ids: Sequence[str], y: np.ndarray, x: np.ndarray) -> dict[str, Any]:
    """Return what single patients do to a least-squares fit, and how well it was solved.

    Args:
        ids: the code of each patient, n of them.
        y: outcomes, shape (n,).
        x: predictors without an intercept, shape (n, p).

    Returns:
        `largest_leverage` and `largest_cooks_distance` with `_of`, the patient; `leverage_one`, the
        patients who alone decide a coefficient; `max_abs_gradient`, the largest entry of Z'e;
        `condition_number` of Z'Z. Conventions are those of R's `influence.measures`. Cook's
        distance is None where there is no residual to judge by.
    """
    fit = refitted.ols(y, x)
    design = np.column_stack([np.ones(len(y)), x])
    most = int(np.argmax(fit.leverage))
    distances = fit.cooks_distance
    known = np.isfinite(distances).any()
    furthest = int(np.nanargmax(distances)) if known else -1
    return {
        "largest_leverage": float(fit.leverage[most]),
        "largest_leverage_of": ids[most],
        "leverage_one": [ids[row] for row in fit.leverage_one],
        "largest_cooks_distance": float(distances[furthest]) if known else None,
        "largest_cooks_distance_of": ids[furthest] if known else None,
        "max_abs_gradient": float(np.abs(design.T @ fit.residuals).max()),
        "condition_number": fit.condition_number,
    }


def _end(name: str, value: float, who: int, ids: Sequence[str], base: float) -> dict[str, Any]:
    return {name: _ratio(value, base), f"{name}_without": ids[who] if who >= 0 else None}


def _largest_change(changes: np.ndarray, ids: Sequence[str], base: float) -> dict[str, Any]:
    finite = np.isfinite(changes)
    if not finite.any():
        return dict.fromkeys(
            ("largest_change", "largest_change_ratio", "largest_change_without"), None
        )
    who = int(np.argmax(np.where(finite, np.abs(changes), -1.0)))
    return {
        "largest_change": float(changes[who]),
        "largest_change_ratio": _ratio(changes[who], base),
        "largest_change_without": ids[who],
    }


def _ratio(coefficient: float, base: float) -> float | None:
    """Return the ratio of a coefficient; None where no finite number holds it."""
    value = model_parts.ratio(float(coefficient) * base)
    return value if math.isfinite(value) else None
