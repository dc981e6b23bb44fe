"""Is one odds ratio for all cuts of the score a fair summary? A description, never a gate.

The model of `captem.ordinal` has one slope for each term at every cut, logit P(Y <= j) =
theta_j - x'beta. Three looks at that:

1. By cut: the odds ratios for a score above k, by logistic regression with Firth's penalty
   (`captem.firth`). Alike across the cuts, one ratio says it all; on different sides of 1, it does
   not.
2. Unequal slopes of one term (partial proportional odds, Peterson & Harrell 1990, Appl Stat
   39:205-217), with z the columns of the term and x the other columns,

       logit P(Y <= j) = theta_j - z'gamma_j - x'beta,

   against gamma_1 = ... = gamma_m by likelihood ratio, as `nominal_test` of R's ordinal.
3. The score test of equal slopes of all terms together: U' I^-1 U at the equal slopes, with U the
   score and I the expected information of the model with all slopes unequal. For a single factor
   that is Pearson's chi-square of the table against its fit. (SAS takes the observed information
   instead, which is singular where a score has no patients at some value of a term.)

The highest likelihood of 2 may lie at infinity: a slope of its own at one cut, beside which few
patients are, soon separates them. The statistic then has a limit, which is given and named as one.

The identity of `captem.ordinal` holds for 2 and 3 too. An outcome in `low..high` contributes
F(a) F(-b) (1 - exp(-(a - b))), where a and b are its upper and lower cut less the linear predictor
at that cut; only a - b now depends on z. All three are linear in (theta, gamma, beta), so the
log-likelihood is concave, and the same Newton search finds its maximum.

What it may be used for: to see where a single odds ratio hides something, with the ratios by cut
first. With few patients the tests have no power, so a large P proves nothing; with many they find
departures that matter to nobody; and choosing a model by them spoils its P and its interval
(Harrell 2015, Regression Modeling Strategies, section 13.3). The score test rejects too often
where scores are sparse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, chdtri, expit

from captem import firth, limits, ordinal, ordinal_data, ordinal_likelihood, separation
from captem.model_parts import LEVEL, ratio
from captem.ordinal import Floats, Integers, OrdinalFit
from captem.ordinal_likelihood import Likelihood

NOTE = (
    "a description, and no reason to change the model: with few patients these tests find nothing, "
    "with many they find differences that matter to nobody; compare the odds ratios by cut"
)
# In standardised columns: what is left to gain of the likelihood is far below what is printed.
_FLAT = 1e-5
_MAX_ITERATIONS = 25
_NO_POINT = "a score is held by intervals only, so slopes of its own cannot be told apart"


@dataclass(frozen=True, eq=False)
class UnequalSlopes:
    """The likelihood-ratio test of unequal against equal slopes of one term.

    Attributes:
        statistic, df, p_value: of the test, (m - 1) degrees of freedom for each column of the
            term; NaN (df 0) where there is a `failure`.
        loglik: maximised log-likelihood with unequal slopes; its supremum where `separated`.
        separated: some slope runs off to infinity, and the chi-square distribution says little.
        slopes: gamma, shape (m, q), a row for each cut from the lowest, in the units of `x`; where
            the search stopped if `separated`.
        crossing: outcomes at whose values of the term the cuts that fit best change their order,
            which gives some score a chance below 0; with any, the model is no model of them.
        failure: why there is no number, in a sentence; empty where there is one.
    """

    statistic: float
    df: int
    p_value: float
    loglik: float
    separated: bool
    slopes: Floats
    crossing: int
    failure: str


@dataclass(frozen=True, eq=False)
class ScoreTest:
    """The score test of equal slopes of all terms; NaN (df 0) where there is a `failure`."""

    statistic: float
    df: int
    p_value: float
    failure: str


def check(low: ArrayLike, high: ArrayLike, x: ArrayLike, terms: Sequence[str]) -> dict[str, Any]:
    """Look at proportional odds in all three ways, for `models/<model>.json`.

    Args:
        low, high: lowest and highest possible score of each outcome, integers, shape (n,).
        x: predictors without an intercept, shape (n, p).
        terms: the name of each column, p of them; columns of one name are one term.

    Returns:
        `note`; `cuts`, see `by_cut`; `likelihood_ratio`, by term, and `score_test`, each with
        `status` (`ok`, `unstable`, `not_estimable`), `reason` and where there is one `statistic`,
        `df`, `p_value`. Limits are those of every maximum likelihood fit (`captem.limits`).

    Raises:
        ValueError: malformed input.
    """
    lowest, highest = ordinal_data.checked_scores(low, high)
    predictors = _checked_terms(x, terms, len(lowest))
    cuts = by_cut(lowest, highest, predictors, terms)
    names = list(dict.fromkeys(terms))
    found: dict[str, Any] = {"note": NOTE, "cuts": cuts}
    if not len(lowest) or lowest.max() <= highest.min():
        refusal = _told("all follow-up scores may be the same")
        return found | {"likelihood_ratio": dict.fromkeys(names, refusal), "score_test": refusal}
    fit = ordinal.fit(lowest, highest, predictors)
    effective = ordinal.effective_n(lowest, highest)
    cuts_used = len(fit.thresholds)

    def judged(extra: int, test: UnequalSlopes | ScoreTest | None) -> dict[str, Any]:
        """Give the test, or why not; `extra` columns have a slope of their own at each cut."""
        slopes = predictors.shape[1] + extra * (cuts_used - 1)
        few = limits.too_few_for_regression(len(lowest), cuts_used + slopes, effective, slopes)
        if few or test is None:
            return _told(few)
        if test.failure:
            return _told(test.failure)
        doubt = limits.few_for_regression(effective, slopes)
        if isinstance(test, UnequalSlopes):
            doubt = _odd(test) or doubt
        return {
            "status": "unstable" if doubt else "ok",
            "reason": doubt,
            "statistic": test.statistic,
            "df": test.df,
            "p_value": test.p_value,
        }

    tests = {}
    for name in names:
        columns = [i for i, term in enumerate(terms) if term == name]
        tests[name] = judged(len(columns), unequal_slopes(fit, columns))
    whole = judged(predictors.shape[1], score_test(fit))
    return found | {"likelihood_ratio": tests, "score_test": whole}


def by_cut(
    low: ArrayLike, high: ArrayLike, x: ArrayLike, terms: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the odds ratios for a score above each cut, by logistic regression with a penalty.

    Cuts that split the outcomes as the one before are passed over: nobody has the score between.

    Args:
        low, high, x, terms: as in `check`.

    Returns:
        for each cut `cut` (as in "score > 2"), `patients`, `above` (how many of them lie above),
        `left_open` (how many others an interval leaves on either side, and who are left out here),
        `status`, `reason`, and `odds_ratios`: for each column `estimate`, and the profile
        penalised-likelihood interval `conf_low`, `conf_high`.

    Raises:
        ValueError: malformed input.
    """
    lowest, highest = ordinal_data.checked_scores(low, high)
    predictors = _checked_terms(x, terms, len(lowest))
    found: list[dict[str, Any]] = []
    before = None
    for score in range(lowest.min(initial=0), highest.max(initial=0)):
        above, below = lowest > score, highest <= score
        split = (above.tobytes(), below.tobytes())
        if split == before or not above.any() or not below.any():
            continue
        before = split
        known = above | below
        found.append(
            {
                "cut": f"score > {score}",
                "patients": int(known.sum()),
                "above": int(above.sum()),
                "left_open": int((~known).sum()),
            }
            | _odds_ratios(above[known].astype(float), predictors[known], _labels(terms))
        )
    return found


def unequal_slopes(fit: OrdinalFit, columns: Sequence[int]) -> UnequalSlopes:
    """Test whether the columns of one term have the same slopes at every cut.

    Args:
        fit: what `ordinal.fit` returned.
        columns: positions in 0..p-1 of the columns of the term; aliased ones are passed over.

    Raises:
        ValueError: no such column.
    """
    kept = fit._setup.kept
    for column in columns:
        ordinal.position_of(fit, column)
    own = [kept.index(column) for column in columns if column in kept]
    if failure := _unfit(fit) or ("" if own else "the term is aliased with the others"):
        return _no_slopes(failure)
    m = len(fit.thresholds)
    spread = _Spread(fit, own)
    likelihood = spread.likelihood()
    if np.linalg.matrix_rank(likelihood.design) < likelihood.design.shape[1]:
        return _no_slopes("the patients beside some cut have too few different values for a slope")
    peak, _ = ordinal_likelihood.newton(likelihood, spread.equal)
    separated = not peak.converged and _recedes(likelihood.design)
    if not peak.converged and not (separated and np.abs(peak.gradient).max() < _FLAT):
        return _no_slopes("the largest likelihood with unequal slopes could not be found")
    slopes = peak.parameters[m : m * (1 + len(own))].reshape(m, len(own))
    widths = np.diff(peak.parameters[:m]) - spread.z[:, own] @ np.diff(slopes, axis=0).T
    statistic = 2.0 * max(0.0, peak.loglik - fit.loglik)
    df = (m - 1) * len(own)
    return UnequalSlopes(
        statistic=statistic,
        df=df,
        p_value=float(chdtrc(df, statistic)),
        loglik=peak.loglik,
        separated=separated,
        slopes=slopes / fit._setup.scale[own],
        crossing=int((widths <= 0.0).any(axis=1).sum()),
        failure="",
    )


def score_test(fit: OrdinalFit) -> ScoreTest:
    """Test whether all terms have the same slopes at every cut, from the equal slopes alone.

    Args:
        fit: what `ordinal.fit` returned; outcomes must be points, as the expected information of an
            interval depends on why it is one.
    """
    setup = fit._setup
    own = list(range(len(setup.kept)))
    failure = _unfit(fit) or ("" if own else "there are no terms")
    if not failure and (setup.low != setup.high).any():
        failure = "a score is an interval, and this test wants points"
    if failure:
        return ScoreTest(math.nan, 0, math.nan, failure)
    spread = _Spread(fit, own)
    gradient, _ = _derivatives(spread.likelihood(), spread.equal)
    expected = spread.every_outcome()
    information = _derivatives(expected, spread.equal)[1]
    if math.isinf(ordinal_data.condition_number(information)):
        reason = "the patients have too few different values for slopes of their own at each cut"
        return ScoreTest(math.nan, 0, math.nan, reason)
    statistic = float(gradient @ np.linalg.solve(information, gradient))
    df = (len(fit.thresholds) - 1) * len(own)
    return ScoreTest(statistic, df, float(chdtrc(df, statistic)), "")


class _Spread:
    """The data of a fit with the columns `own` given a slope at each cut.

    Parameters are theta (m), gamma (m * q, all of one cut together) and beta of the rest, with
    columns standardised as in the fit. `equal` is the maximum with equal slopes in these.
    """

    def __init__(self, fit: OrdinalFit, own: list[int]) -> None:
        setup = fit._setup
        cells = ordinal_data.cells_of(setup.low, setup.high)
        self.m = len(cells.categories) - 1
        self.z = (setup.x[:, list(setup.kept)] - setup.centre) / setup.scale
        self.lower, self.upper = cells.lower, cells.upper
        self.weights = np.empty(len(self.z))
        has_upper, has_lower = self.upper < self.m, self.lower >= 0
        split = int(has_upper.sum())
        self.weights[has_upper] = setup.likelihood.weights[:split]
        self.weights[has_lower] = setup.likelihood.weights[split:]
        self.own = own
        self.rest = [j for j in range(len(setup.kept)) if j not in own]
        self.thresholds, self.beta = fit._peak[: self.m], fit._peak[self.m :]
        self.equal = np.concatenate(
            [self.thresholds, np.tile(self.beta[own], self.m), self.beta[self.rest]]
        )

    def likelihood(self) -> Likelihood:
        """The likelihood of the outcomes."""
        return self._of(self.lower, self.upper, self.z, self.weights)

    def every_outcome(self) -> Likelihood:
        """Each row once with each outcome, weighted by its chance under equal slopes.

        Its observed information there is the expected information of the data.
        """
        eta = self.z @ self.beta
        inner = expit(self.thresholds - eta[:, None])
        ends = np.column_stack([np.zeros(len(eta)), inner, np.ones(len(eta))])
        chance = np.diff(ends, axis=1) * self.weights[:, None]
        lower = np.tile(np.arange(-1, self.m), len(eta))
        z = np.repeat(self.z, self.m + 1, axis=0)
        return self._of(lower, lower + 1, z, chance.ravel())

    def _of(self, lower: Integers, upper: Integers, z: Floats, weights: Floats) -> Likelihood:
        has_upper, has_lower = upper < self.m, lower >= 0
        both = has_upper & has_lower
        design = np.vstack(
            [
                self._ends(upper[has_upper], z[has_upper]),
                -self._ends(lower[has_lower], z[has_lower]),
            ]
        )
        return Likelihood(
            design=design,
            weights=np.concatenate([weights[has_upper], weights[has_lower]]),
            offset=np.zeros(len(design)),
            gaps=self._ends(upper[both], z[both]) - self._ends(lower[both], z[both]),
            gap_weights=weights[both],
            order=np.empty((0, design.shape[1])),
            thresholds=self.m,
        )

    def _ends(self, cuts: Integers, z: Floats) -> Floats:
        """Rows whose product with the parameters is the cut less the linear predictor at it."""
        unit = np.eye(self.m)[cuts]
        slopes = unit[:, :, None] * z[:, None, self.own]
        return np.hstack([unit, -slopes.reshape(len(z), -1), -z[:, self.rest]])


def _derivatives(likelihood: Likelihood, parameters: Floats) -> tuple[Floats, Floats]:
    return likelihood.derivatives(likelihood.design @ parameters, likelihood.gaps @ parameters)


def _recedes(design: Floats) -> bool:
    """Whether some direction moves no outcome end inwards: the likelihood has no maximum then.

    The gap of an outcome is the sum of its two ends, so that it need not be asked.
    """
    bounds: separation.Bounds = [(-1.0, 1.0)] * design.shape[1]
    total = design.sum(axis=0)
    return bool(total @ separation.vertex(total, design, bounds) > 1e-6)


def _unfit(fit: OrdinalFit) -> str:
    """Return why a fit with equal slopes is nothing to start from, or empty text."""
    if not fit.converged:
        return "the model with equal slopes has no largest likelihood"
    if len(fit.thresholds) < 2:
        return "with two scores there is one cut, and nothing to compare"
    return _NO_POINT if len(fit._setup.likelihood.order) else ""


def _no_slopes(failure: str) -> UnequalSlopes:
    return UnequalSlopes(math.nan, 0, math.nan, math.nan, False, np.empty((0, 0)), 0, failure)


def _odd(test: UnequalSlopes) -> str:
    """Return what makes the likelihood-ratio statistic doubtful, or empty text."""
    if test.separated:
        return (
            "with a slope of its own at each cut the term separates the scores, so the statistic "
            "is a limit and its P a rough one"
        )
    if not test.crossing:
        return ""
    whose = "one patient" if test.crossing == 1 else f"{test.crossing} patients"
    return f"the slopes that fit best give a score a chance below 0 at the values of {whose}"


def _told(reason: str) -> dict[str, Any]:
    return {"status": "not_estimable", "reason": reason}


def _odds_ratios(y: Floats, x: Floats, labels: Sequence[str]) -> dict[str, Any]:
    n, p = x.shape
    fewer = int(min(y.sum(), n - y.sum()))
    if reason := limits.too_few_for_regression(n, p + 1, fewer, p, limits.MIN_REDUCED):
        return _told(reason)
    if aliased := ordinal.aliased(x):
        names = " and ".join(labels[i] for i in aliased)
        return _told(f"{names} cannot be told apart from the other terms among these patients")
    fit = firth.fit(y, x)
    if not fit.converged:
        return _told("no penalised estimate could be found")
    found = {}
    for label, beta, ends in zip(labels, fit.coefficients[1:], _intervals(fit), strict=True):
        values = [ratio(value) for value in (beta, *ends)]
        if np.isnan(values).any() or math.isinf(values[0]):
            return _told(f"the odds ratio of {label} or its interval could not be found")
        found[label] = dict(zip(("estimate", "conf_low", "conf_high"), values, strict=True))
    doubt = limits.few_for_regression(fewer, p)
    if any(math.isinf(values["conf_high"]) for values in found.values()):
        doubt = "the likelihood never falls far enough to end an interval"
    if fit.separated.any():
        apart = [label for label, yes in zip(labels, fit.separated[1:], strict=True) if yes]
        verb = "separates" if len(apart) == 1 else "separate"
        doubt = (
            f"{' and '.join(apart)} {verb} the scores at this cut: the estimate is finite by its "
            "penalty"
        )
    elif fit.maxima > 1:
        doubt = doubt or "the penalised likelihood has several maxima; the highest is given"
    return {"status": "unstable" if doubt else "ok", "reason": doubt, "odds_ratios": found}


def _intervals(fit: firth.FirthFit) -> Floats:
    """Profile penalised-likelihood intervals of the slopes, shape (p, 2).

    The same as `firth.profile_interval`, all ends at once by the iteration of Venzon & Moolgavkar
    (1988, JRSS C 37:87-94): an end of b = a'theta has U* = lambda a at the height sought, and each
    step solves that in the quadratic expansion. Where it does not arrive, and where the other
    coefficients may have several maxima (separation is where they did), that function decides.
    """
    model, weights = fit._setup.model, fit._setup.weights
    p = len(fit.coefficients) - 1
    a = np.repeat(fit._setup.from_scaled[1:], 2, axis=0)
    side = np.tile([-1.0, 1.0], p)
    height = fit.penalised_loglik - fit._setup.penalty - chdtri(1, 1.0 - LEVEL) / 2.0
    theta = np.tile(fit._setup.to_scaled @ fit.coefficients, (2 * p, 1))
    every = np.tile(weights, (2 * p, 1))
    arrived = np.zeros(2 * p, dtype=bool)
    simple = fit.maxima == 1 and not fit.separated.any()
    for _ in range(_MAX_ITERATIONS if simple else 0):
        point = model.at(theta, every)
        score, curvature = model.derivatives(point, every)
        if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature).min() <= 0.0:
            break
        solved = np.linalg.solve(curvature, np.stack([score, a], axis=-1))
        uphill, along = solved[..., 0], solved[..., 1]
        room = point.penalised + np.einsum("rk,rk->r", score, uphill) / 2.0 - height
        if room.min() < 0.0:
            break
        pull = np.sqrt(2.0 * room / np.einsum("rk,rk->r", a, along))
        step = uphill + (side * pull)[:, None] * along
        moved = np.abs(step @ model.design.T).max(axis=1)
        theta = theta + step * np.minimum(1.0, 3.0 / np.maximum(moved, 1e-9))[:, None]
        arrived = moved < 1e-9
        if arrived.all():
            break
    ends = np.einsum("rk,rk->r", a, theta).reshape(p, 2)
    for column in np.flatnonzero(~arrived.reshape(p, 2).all(axis=1)):
        ends[column] = firth.profile_interval(fit, int(column) + 1, LEVEL)
    return ends


def _labels(terms: Sequence[str]) -> list[str]:
    """Return a name for each column: its term, with a number where the term has several."""
    return [
        f"{term} ({list(terms[: i + 1]).count(term)})" if list(terms).count(term) > 1 else term
        for i, term in enumerate(terms)
    ]


def _checked_terms(x: ArrayLike, terms: Sequence[str], n: int) -> Floats:
    predictors = ordinal_data.checked_predictors(x)
    if predictors.shape != (n, len(terms)):
        raise ValueError("There must be one row for each outcome and one name for each column.")
    return predictors
