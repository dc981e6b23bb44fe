"""The terms of a model: what the patients' columns become, and which give way where n is short.

Every model has its main terms (`captem.planned_models`). A study may name covariates beforehand, in
the order in which they matter, and which terms may bend (`covariates`, `splines` of the config). A
term is one column, or one for each level of a category but the first:

=============  ====================================================================
covariate      columns
=============  ====================================================================
age_years      years / 10
sex            1 for each of male, other; female is 0
primary_site   1 for each site but the first in the alphabet, whatever the case
ssa_pre        1 for yes
prior_prrt     1 for yes
source         1 for each source but the first in the alphabet
=============  ====================================================================

A spline adds one column to a term: the second basis function of a restricted cubic spline with
knots at the quantiles .1, .5 and .9 (Harrell 2015, Regression Modeling Strategies, sections 2.4.5
and 2.4.6), which bends between the knots and is straight beyond them. MIB1 never bends in a model,
so that its odds ratio per doubling stays one number; `captem.sensitivity` asks whether it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from captem import limits, ordinal
from captem.describe import midpoint
from captem.model_parts import Model

CATEGORIES = {
    "sex": "female",
    "primary_site": "",
    "ssa_pre": "no",
    "prior_prrt": "no",
    "source": "",
}
NONLINEAR = "_nonlinear"
_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Plan:
    """What a study laid down for its models; `covariates` in the order in which they matter.

    `mib1_floor` is in percent, see `main`.
    """

    mib1_floor: float
    covariates: tuple[str, ...] = ()
    splines: tuple[str, ...] = ()

    @classmethod
    def of(cls, mib1_floor: float, models: Mapping[str, Sequence[str]]) -> Plan:
        """Return the plan that the key `models` of the config lays down."""
        return cls(mib1_floor, tuple(models["covariates"]), tuple(models["splines"]))


@dataclass(frozen=True)
class Design:
    """A model with the terms that it keeps, its columns (n, p), and why others were dropped."""

    model: Model
    x: np.ndarray
    dropped: dict[str, str] = field(default_factory=dict)


def main(patients: pd.DataFrame, mib1_floor: float) -> pd.DataFrame:
    """Return the main terms of every model, one row a patient.

    Intervals count at their midpoint. A MIB1 below `mib1_floor` percent (a zero, or `<1`) is raised
    to it, since its logarithm would otherwise decide the fit alone.
    """
    cycles = patients.get("captem_cycles", pd.Series(np.nan, index=patients.index))
    with np.errstate(divide="ignore"):
        return pd.DataFrame(
            {
                "krenning_pre": midpoint(patients, "krenning_pre"),
                "log2_mib1": np.log2(midpoint(patients, "mib1").clip(lower=mib1_floor)),
                "captem_cycles": cycles.astype(float),
                "log2_suvmax_pre": np.log2(patients["suvmax_pre"].astype(float)),
                "mib1_grade": mib1_grade(patients),
            }
        )


def mib1_grade(patients: pd.DataFrame) -> pd.Series:
    """Return the WHO grade that the MIB1 index alone gives: 1 below 3 %, 2 to 20 %, 3 above.

    An interval over a limit is between the grades, at their mean; where it has no upper end, the
    grade is known above 20 % only. Provisional: mitoses and differentiation decide with it.
    """
    low, high = (patients[f"mib1_{end}"].astype(float) for end in ("low", "high"))
    # ASSUME: 20 to infinity was `>20`, and 0 to 3 was `<3`; how the table of patients holds them,
    # `>=20` and `<=3` cannot be told from these, and a value at the limit itself is rare.
    below = low.eq(0) & high.eq(3)
    graded = {
        "low": 1.0 + low.ge(3) + (low.gt(20) | (low.eq(20) & np.isinf(high))),
        "high": 1.0 + (high.ge(3) & ~below) + high.gt(20),
    }
    known = high.notna() & ~(np.isinf(high) & low.lt(20))
    return ((graded["low"] + graded["high"]) / 2).where(known)


def covariate(patients: pd.DataFrame, name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the columns of a covariate and the unit of each, as the module docstring has them.

    NaN where it is not known. A category of which one level is seen has no column.
    """
    values = patients.get(name, pd.Series(np.nan, index=patients.index, dtype=object))
    if name not in CATEGORIES:
        return pd.DataFrame({name: midpoint(patients, name) / 10}), {name: "per 10 years"}
    texts = values.astype(object).where(values.notna(), None)
    texts = texts.map(lambda text: " ".join(str(text).split()).casefold(), na_action="ignore")
    seen = sorted(set(texts.dropna()))
    first = CATEGORIES[name] if CATEGORIES[name] in seen else "".join(seen[:1])
    columns = {
        f"{name}={level}": texts.eq(level).astype(float).where(texts.notna())
        for level in seen
        if level != first
    }
    return pd.DataFrame(columns, index=patients.index), dict.fromkeys(columns, f"against {first}")


def bend(values: np.ndarray, at: np.ndarray | None = None) -> np.ndarray | None:
    """Return the nonlinear column of a spline in `values` (n,), or None where it has no knots.

    Knots are at quantiles of the values that are known; NaN stays NaN. With `at`, the column is
    that of these values under the knots of the others.

    >>> bend(np.array([0.0, 1.0, 2.0, 3.0, 4.0])).round(3).tolist()
    [0.0, 0.021, 0.4, 1.521, 3.0]
    """
    first, middle, last = np.nanquantile(values, _QUANTILES)
    if not first < middle < last:
        return None
    places = values if at is None else at

    def cubed(knot: float) -> np.ndarray:
        return np.maximum(places - knot, 0.0) ** 3

    inner = cubed(middle) * (last - first) - cubed(last) * (middle - first)
    return np.asarray((cubed(first) - inner / (last - middle)) / (last - first) ** 2)


def absent(patients: pd.DataFrame, plan: Plan) -> str:
    """Return in a sentence which covariates no patient has, or empty text."""
    missing = [
        name
        for name in plan.covariates
        if len(patients) and (name not in patients or patients[name].isna().all())
    ]
    if not missing:
        return ""
    return f"no patient has a value for {' and '.join(missing)}, a covariate of the config"


def columns(patients: pd.DataFrame, names: Sequence[str], plan: Plan) -> pd.DataFrame:
    """Return the columns of terms that a design holds, one row a patient; NaN where not known.

    Raises
    ------
    ValueError
        If a covariate of the design has other levels in these patients, so that its columns would
        mean something else.
    """
    found = main(patients, plan.mib1_floor)
    parts = [found, *(covariate(patients, name)[0] for name in plan.covariates)]
    every = pd.concat(parts, axis=1)
    for name in CATEGORIES:
        held = {term for term in names if term.startswith(f"{name}=")}
        here = {term for term in every if term.startswith(f"{name}=")}
        if held and held != here:
            raise ValueError(f"{name} has a level in some patients only who lack another term")
    for name in plan.splines:
        if name + NONLINEAR in names:
            every[name + NONLINEAR] = bend(every[name].to_numpy(dtype=float))
    return every[list(names)]


def design(model: Model, patients: pd.DataFrame, plan: Plan, effective: float) -> Design:
    """Return the terms and columns of a model for the patients that are analysed.

    Covariates that do not vary, or are a copy of other terms, are dropped. As long as there are
    fewer than `limits.MIN_PER_SLOPE` effective observations for each coefficient, the next goes:
    first the splines, then the covariates, each from the end of its list. The main terms of the
    model stay; whether it can be fitted is asked elsewhere.

    Parameters
    ----------
    patients : those that are analysed, without missing values in any term.
    effective : the effective number of observations of the outcome.
    """
    given = main(patients, plan.mib1_floor)
    columns = given[list(model.terms)]
    groups: dict[str, list[str]] = {}
    units: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for name in plan.covariates:
        found, meaning = covariate(patients, name)
        groups[name] = list(found)
        columns, units = pd.concat([columns, found], axis=1), units | meaning
        if found.empty or not (found.nunique() > 1).any():
            dropped[name] = "it is the same in all patients"
    for name in plan.splines:
        if name not in columns or name in dropped:
            continue
        bent = bend(columns[name].to_numpy(dtype=float)) if len(columns) else None
        if bent is None:
            dropped[name + NONLINEAR] = "it has too few different values for a spline"
            continue
        columns, groups[name + NONLINEAR] = (
            columns.assign(**{name + NONLINEAR: bent}),
            [name + NONLINEAR],
        )
        units[name + NONLINEAR] = "nonlinear part of the spline"
    order = [name for name in groups if not name.endswith(NONLINEAR)]
    order += [name for name in groups if name.endswith(NONLINEAR)]
    kept = [name for name in order if name not in dropped]
    while kept and (copy := _copy(columns, model, groups, kept)):
        dropped[copy] = "it cannot be told apart from the terms before it"
        kept.remove(copy)
    while kept and effective < limits.MIN_PER_SLOPE * len(_terms(model, groups, kept)):
        slopes = len(_terms(model, groups, kept))
        dropped[kept.pop()] = limits.dropped(effective, slopes)
    terms = _terms(model, groups, kept)
    more = tuple((name, units[name]) for name in terms if name in units)
    return Design(
        replace(model, terms=terms, more_units=more),
        columns[list(terms)].to_numpy(dtype=float),
        dropped,
    )


def _terms(model: Model, groups: dict[str, list[str]], kept: Sequence[str]) -> tuple[str, ...]:
    return (*model.terms, *(column for name in kept for column in groups[name]))


def _copy(
    columns: pd.DataFrame, model: Model, groups: dict[str, list[str]], kept: Sequence[str]
) -> str:
    """Return the first covariate with a column that those before it determine, or empty text."""
    terms = _terms(model, groups, kept)
    aliased = {terms[i] for i in ordinal.aliased(columns[list(terms)].to_numpy(dtype=float))}
    return next((name for name in kept if aliased & set(groups[name])), "")
