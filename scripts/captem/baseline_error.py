"""What a noisy baseline score does to the odds ratio of MIB1 in the primary model.

Where MIB1 goes with true uptake, holding the *observed* baseline fixed does not hold the true one
fixed, and MIB1 stands in for the rest: an odds ratio without any effect (Glymour, Weuve, Berkman,
Kawachi & Robins 2005, Am J Epidemiol 162:267-278). How reliable a Krenning score is, is not known;
so its reliability is swept, and none of its values is claimed.

The noise is that of `captem.bias`: `reliability` is the correlation of two readings of one
unchanged tumour before they are cut into the scores that the patients screened have. From its table
of first and second scores follow, for those patients, the correlation of two *scores* r and the
variance of the noise in a score s = (1 - r) V, V the variance of the scores. They are those of the
patients screened and not of the study: choosing patients by a low score narrows V and the
correlation, but not how far the true score is expected to follow the observed one.

The correction is regression calibration (Rosner, Willett & Spiegelman 1989, Stat Med 8:1051-1069;
Carroll, Ruppert, Stefanski & Crainiceanu 2006, Measurement Error in Nonlinear Models, chapter 4).
X is the true baseline, W = X + noise the observed one, Z = log2 MIB1, and the noise has nothing to
do with Z or with the follow-up scan. With b and t the slope and the residual variance of Z on W,

    slope of X on W alone       r
    Cov(X, Z | W)               s b
    E[X | W, Z] = const + k W + m Z,        m = s b / t,    k = r - m b
    observed: gamma_W = beta_X k,           gamma_Z = beta_Z + beta_X m
    corrected: beta_Z = gamma_Z - c gamma_W,    c = m / k = s b / (r t - s b^2)

where gamma is the bias-reduced fit as it is reported; nothing is fitted again. b and t come from
the study, and a choice of patients by W leaves both as they are. Where r t <= s b^2, what MIB1
leaves of the baseline is no more than noise, and nothing is corrected.

The variance of the corrected log odds ratio is, gamma given W and Z having nothing to do with c,

    Var(gamma_Z) + c^2 Var(gamma_W) - 2 c Cov(gamma_Z, gamma_W) + gamma_W^2 Var(c)

with Var(c) from the influence of each patient on b and t, residuals divided by 1 - leverage (as
HC3; Long & Ervin 2000, Am Stat 54:217-224). The interval is Wald's.

It undoes what noise adds to MIB1, not the shrinking of every odds ratio towards 1 that unexplained
variation in an ordinal model brings, so real effects are still understated.

In 2,000 simulated studies each (true reliability .8 and taken as .8; correlation of log2 MIB1 and
true uptake -.5, where not said; `tools/simulate_baseline_error.py`), how often P <= .05, as it is
and corrected, and how often the interval holds the truth:

=================================================  ==  ==============  =============
scenario                                            n  P <= .05        covered
=================================================  ==  ==============  =============
no effect                                          23  .059 -> .019    .942 -> .981
                                                   60  .198 -> .044    .802 -> .956
no effect, only baseline scores 0 to 2 chosen      23  .073 -> .017    .926 -> .983
                                                   60  .216 -> .029    .783 -> .971
no effect, steeper in baseline                     23  .091 -> .021    .909 -> .980
                                                   60  .277 -> .049    .724 -> .951
no effect, no correlation                          23  .038 -> .033    .962 -> .968
                                                   60  .048 -> .050    .953 -> .950
no effect, screened mostly 2 and 3, taken as       23  .050 -> .010    .951 -> .990
equally often 0 to 4                               60  .208 -> .033    .792 -> .967
the same, shares of the screened known             23  .066 -> .022    .934 -> .978
                                                   60  .169 -> .042    .832 -> .959
odds ratio 1.37 per doubling                       23  .035 -> .040    .873 -> .956
                                                   60  .049 -> .138    .668 -> .921
odds ratio 0.73 per doubling                       23  .211 -> .080    .956 -> .976
                                                   60  .642 -> .245    .905 -> .949
=================================================  ==  ==============  =============

With V of the study's own scores in place of that of the screened, 12 % of studies of 60 patients
with baseline scores 0 to 2 had P <= .05 (1,000 studies). Leaving Var(c) out makes no effect look
like one in 5 to 10 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from captem import bias, drawn, krenning_model, model_parts
from captem.model_parts import LEVEL, PRIMARY_TERM
from captem.planned_models import KRENNING
from captem.result import Result

Floats = NDArray[np.float64]

ANALYSIS = "sensitivity.baseline_error"
METHOD = "bias-reduced, regression calibration, Wald"
_Z = float(ndtri((1 + LEVEL) / 2))
_SWEEP = np.linspace(1.0, 0.0, 101)
_HALVINGS = 50


@dataclass(frozen=True)
class Noise:
    """The noise in a score among the patients screened.

    `correlation` is that of two scores of one unchanged tumour, `variance` that of the noise in
    one score, in squared steps.
    """

    correlation: float
    variance: float


@dataclass(frozen=True)
class Naive:
    """The primary model as it is reported, for one study.

    `gamma` (2,) are its coefficients of the baseline score and of log2 MIB1, `covariance` (2, 2)
    theirs, `x` (n, 2) the two columns.
    """

    gamma: Floats
    covariance: Floats
    x: Floats


@dataclass(frozen=True)
class Corrected:
    """A log odds ratio of MIB1, corrected, its standard error, and whether it can be leant on.

    `clear` is False where the share of the baseline that is more than noise, given MIB1, is itself
    not clearly above zero in this study.
    """

    beta: float
    error: float
    clear: bool


_NO_NOISE = Noise(1.0, 0.0)


def noise(reliability: float, shares: Sequence[float] = bias.EQUAL_SHARES) -> Noise:
    """Return the noise in a score at a reliability of the reading under it.

    Parameters
    ----------
    reliability : correlation of two readings of one unchanged tumour, 0 to 1.
    shares : how common the scores 0 to 4 are among the screened; they add up to 1, and at least
        two of them are above 0.

    Raises
    ------
    ValueError
        If all the screened have one score.

    >>> found = noise(0.8)
    >>> round(found.correlation, 3), round(found.variance, 3)
    (0.748, 0.504)
    """
    marginal = np.asarray(shares, dtype=float)
    mean = float(marginal @ drawn.SCORES)
    spread = float(marginal @ drawn.SCORES**2) - mean**2
    if np.count_nonzero(marginal) < 2:
        raise ValueError("All the patients screened have one score.")
    if reliability >= 1:
        return _NO_NOISE
    joint = bias.two_readings(reliability, shares)
    together = float(drawn.SCORES @ joint @ drawn.SCORES) - mean**2
    return Noise(together / spread, spread - together)


def corrected(naive: Naive, assumed: Noise) -> Corrected | None:
    """Return the log odds ratio of MIB1 corrected for that noise in the baseline score.

    None where what MIB1 leaves of the baseline is no more than noise.
    """
    r, s = assumed.correlation, assumed.variance
    n = len(naive.x)
    w, z = (naive.x - naive.x.mean(axis=0)).T
    total = float(w @ w)
    b = float(w @ z) / total
    residual = z - b * w
    t = float(residual @ residual) / (n - 2)
    left = r * t - s * b * b
    # Rounding must not pass for a remainder.
    if not left > 1e-9 * t:
        return None
    c = s * b / left
    swollen = residual / np.maximum(1 - 1 / n - w * w / total, 1e-3)
    on_b = w * swollen / total
    on_t = (residual * swollen - t) / n
    on_left = r * on_t - 2 * s * b * on_b
    on_c = (s * on_b - c * on_left) / left
    (ww, wz), (_, zz) = naive.covariance
    variance = zz + c * c * ww - 2 * c * wz + naive.gamma[0] ** 2 * float(on_c @ on_c)
    beta = float(naive.gamma[1] - c * naive.gamma[0])
    return Corrected(beta, math.sqrt(variance), left > _Z * float(np.sqrt(on_left @ on_left)))


def tipping(naive: Naive, shares: Sequence[float] = bias.EQUAL_SHARES) -> float | None:
    """Return the reliability at which the corrected odds ratio is 1, or None where it never is.

    c grows without limit as the reliability falls, so there is one where the correction leads
    towards 1, and none where it leads away from it.
    """
    gamma_w, gamma_z = naive.gamma
    together = float(np.cov(naive.x.T)[0, 1])
    if gamma_z == 0:
        return 1.0
    if gamma_w * together * gamma_z <= 0:
        return None
    return _highest(naive, shares, lambda found: found is None or found.beta * gamma_z <= 0)


def tipping_interval(naive: Naive, shares: Sequence[float] = bias.EQUAL_SHARES) -> float | None:
    """Return the highest reliability at which the corrected interval includes an odds ratio of 1.

    None where it does so as it is. Otherwise there is one: as the reliability falls the interval
    widens without limit.
    """
    if _includes_one(corrected(naive, _NO_NOISE)):
        return None
    return _highest(naive, shares, _includes_one)


def _includes_one(found: Corrected | None) -> bool:
    return found is None or abs(found.beta) <= _Z * found.error


def _highest(
    naive: Naive, shares: Sequence[float], holds: Callable[[Corrected | None], bool]
) -> float:
    """Return the highest reliability at which `holds`, to which the lowest of the sweep belongs."""

    def at(reliability: float) -> bool:
        return holds(corrected(naive, noise(reliability, shares)))

    place = next(place for place, value in enumerate(_SWEEP) if place and at(value))
    low, high = _SWEEP[place], _SWEEP[place - 1]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) else (low, middle)
    return float(low)


def rows(
    subset: str,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    x: Floats,
    reliabilities: Sequence[float],
    shares: Sequence[float] = bias.EQUAL_SHARES,
) -> list[dict[str, Any]]:
    """Return the rows `sensitivity.baseline_error` of one subset.

    Parameters
    ----------
    low, high : (n,) lowest and highest possible score at follow-up.
    x : (n, 2) baseline score, an interval at its midpoint, and log2 MIB1.
    reliabilities : those swept, each 0 to 1.
    shares : how common the scores 0 to 4 are among the patients screened (`bias.shares_of`).
    """
    outcomes = pd.DataFrame({"krenning_post_low": low, "krenning_post_high": high})
    found = krenning_model.fit(KRENNING, subset, "primary", outcomes, x, reported_only=True)
    primary = found.rows[KRENNING.terms.index(PRIMARY_TERM)]
    swept = Result(
        ANALYSIS, "odds ratio", term=PRIMARY_TERM, unit=model_parts.UNITS[PRIMARY_TERM],
        n_patients=len(x),
    )  # fmt: skip
    asked = [replace(swept, variant=f"reliability_{value:.12g}") for value in reliabilities]
    tips = [
        replace(swept, variant=name, estimand="reliability", unit="correlation of two readings")
        for name in ("tipping", "tipping_interval")
    ]
    refusal = primary["reason"] if primary["status"] == "not_estimable" else ""
    if not refusal and np.count_nonzero(shares) < 2:
        refusal = "all the patients screened have one score, so none of it can be noise"
    if refusal:
        results = [result.refused(refusal) for result in (*asked, *tips)]
    else:
        covariance = np.array(found.record["covariance"]["values"])[-2:, -2:]
        gamma = np.array([found.record["coefficients"][term] for term in KRENNING.terms])
        naive, doubt = Naive(gamma, covariance, x), primary["reason"]
        results = [
            _at(naive, noise(value, shares), result, doubt, _assumed(shares))
            for value, result in zip(reliabilities, asked, strict=True)
        ]
        results += _tips(naive, shares, tips, doubt)
    return [result.row(subset, "sensitivity") for result in results]


def _at(naive: Naive, assumed: Noise, question: Result, doubt: str, said: str) -> Result:
    """Return the corrected odds ratio at one reliability; `doubt` is that of the primary model."""
    found = corrected(naive, assumed)
    if found is None:
        return question.refused(
            "at this reliability, what MIB1 does not tell of the baseline score may all be noise; "
            + said
        )
    low, estimate, high = (
        model_parts.ratio(found.beta + side * _Z * found.error) for side in (-1, 0, 1)
    )
    if not 0 < low <= estimate <= high < math.inf:
        return question.refused(
            f"at this reliability the correction has no limits that a number can hold; {said}"
        )
    if not found.clear and not doubt:
        doubt = (
            "at this reliability, hardly more than noise may be left of the baseline score once "
            "MIB1 is known: read as exploratory"
        )
    return replace(
        question, estimate=estimate, conf_low=low, conf_high=high, conf_level=LEVEL,
        interval_method=METHOD,
        statistic=found.beta / found.error, p_value=2 * float(ndtr(-abs(found.beta / found.error))),
        p_method=METHOD, status="unstable" if doubt else "ok",
        reason=f"{doubt}; {said}" if doubt else said,
    )  # fmt: skip


def _tips(
    naive: Naive, shares: Sequence[float], questions: Sequence[Result], doubt: str
) -> list[Result]:
    answers = (tipping(naive, shares), tipping_interval(naive, shares))
    otherwise = (
        "noise in the baseline score did not bring this odds ratio about: corrected for it, the "
        "odds ratio is further from 1, whatever the reliability",
        "the interval includes an odds ratio of 1 as it is, without noise in the baseline score",
    )
    said = _assumed(shares)
    return [
        question.refused(why)
        if value is None
        else replace(
            question, estimate=value, status="unstable" if doubt else "ok",
            reason=f"{doubt}; {said}" if doubt else said,
        )
        for question, value, why in zip(questions, answers, otherwise, strict=True)
    ]  # fmt: skip


def _assumed(shares: Sequence[float]) -> str:
    # ASSUME: error of a reading independent of MIB1 and of the follow-up scan, its size that of
    # `bias.two_readings` among the patients screened; with equal shares where they are not known.
    if tuple(shares) == bias.EQUAL_SHARES:
        screened = "that the patients screened had each score equally often"
    else:
        screened = "the scores of the patients screened as the config gives them"
    return f"assumes {screened}, and noise that has nothing to do with MIB1 or the follow-up scan"
