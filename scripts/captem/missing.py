"""What missing values may do to an answer: imputed predictors, bounds and weights for follow-up.

Three ways, for two kinds of gaps. Predictors that are missing in some patients are imputed
(`impute`, pooled by `captem.rubin`). Patients who were never scanned again have no outcome; none is
invented for them. `follow_up_bounds` says between which ends the answer lies whatever they would
have shown; `inverse_probability_weights`, from `captem.weighting`, lets patients who were scanned
again stand for those like them who were not.

What may be reported is decided elsewhere; here only malformed input is an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from captem import ordinal
from captem.proportions import tango, wilson
from captem.weighting import inverse_probability_weights as inverse_probability_weights

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

KINDS = ("numeric", "category", "outcome")
_FEWEST_IMPUTATIONS = 20
# Predictions closer than this part of the spread of a column are the same but for rounding.
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Imputed:
    """A table imputed several times: m imputations, n patients, k columns.

    Attributes:
        values: shape (m, n, k), without missing values; what was observed is unchanged.
        missing: shape (n, k), which values are imputed.
        chain_means: mean of a column's imputed values after each iteration, shape
            (m, iterations, k); NaN for complete columns. Lines without a trend, well mixed, are the
            sign that there were iterations enough.
        rhat: potential scale reduction of `chain_means` (Gelman & Rubin 1992, Stat Sci 7:457-472),
            shape (k,): near 1 where the chains have mixed. NaN where nothing is missing, the
            imputed mean never moved, or with fewer than 2 imputations or iterations.
        aliased: pairs (column imputed, predictor left out), where in some step the predictor was
            constant, or collinear with those before it, among the patients who have the column.
    """

    values: Floats
    missing: Booleans
    chain_means: Floats
    rhat: Floats
    aliased: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Extreme:
    """An estimate at one end of what the missing follow-ups allow, with its interval."""

    estimate: float
    conf_low: float
    conf_high: float


@dataclass(frozen=True)
class Bounds:
    """The two ends; from `worst.conf_low` to `best.conf_high` is the interval of the whole."""

    worst: Extreme
    best: Extreme


@dataclass(frozen=True)
class FollowUpBounds:
    """Bounds over all patients, scanned again or not.

    Attributes:
        patients: all of them.
        up: proportion whose score rose.
        net_improvement: (up - down) / patients.
    """

    patients: int
    up: Bounds
    net_improvement: Bounds


def number_of_imputations(fraction_missing: float) -> int:
    """Return how many imputations to make: 100 times the fraction of incomplete cases, at least 20.

    The rule of thumb of White, Royston & Wood 2011, Stat Med 30:377-399, section 7.3: P and
    intervals then hardly depend on the seed. The floor of 20 is ours.

    Args:
        fraction_missing: patients with a missing predictor, as a share of those analysed.

    Raises:
        ValueError: a share outside 0..1.

    >>> number_of_imputations(0.05), number_of_imputations(0.28), number_of_imputations(0.281)
    (20, 28, 29)
    """
    if not 0.0 <= fraction_missing <= 1.0:
        raise ValueError(f"A fraction lies between 0 and 1, not {fraction_missing}.")
    return max(_FEWEST_IMPUTATIONS, math.ceil(round(100 * fraction_missing, 9)))


def impute(
    columns: ArrayLike,
    kinds: Sequence[str],
    imputations: int,
    seed: int,
    donors: int = 5,
    iterations: int = 10,
) -> Imputed:
    """Impute missing predictors by chained equations with predictive mean matching.

    Chained equations (van Buuren & Groothuis-Oudshoorn 2011, J Stat Softw 45(3)): gaps start at
    values drawn from their column; then, `iterations` times over, each incomplete column, that with
    the fewest gaps first, is imputed anew given all others. One step imputes a column y given the
    others as X, with an intercept, by type 1 matching (Morris, White & Royston 2014, BMC Med Res
    Methodol 14:75; Rubin 1987, page 167):

        b = least squares of y on X among those who have y, S its residual sum of squares on f
            degrees of freedom;
        s^2 = S / chi^2_f,    b* ~ Normal(b, s^2 (X'X)^-1);
        a patient without y is matched by X b* to the `donors` patients with the nearest X b (ties
        at random), and takes y from one of them, each as likely.

    So an imputed value is one that was observed: bounds, steps and skewness are kept. A column that
    is related to the others on another scale comes in on that scale (log2 of MIB1). The outcome of
    the analysis has to be among the columns, otherwise associations with it fade (Moons 2006, J
    Clin Epidemiol 59:1092-1101). It is never imputed: patients without an outcome are left out
    before.

    In 300 simulated studies (y = x + noise, both of spread 1, x missing the more often the larger
    y, 20 imputations) with a third of x missing, the slope came out at .93, .97 and .99 of the true
    one for 40, 60 and 150 patients and its 95 % interval covered it in 96, 93 and 91 %; with half
    missing, at .92, .91 and .98, covered in 94, 89 and 92 %. Donors are few where the gaps are.

    Imputation i draws from a stream of its own: it is the same for one seed, however many follow.
    The order of rows and columns matters.

    Args:
        columns: shape (n, k), NaN where missing. No intercept.
        kinds: one a column. `numeric`: linear as a predictor, imputed where missing. `category`:
            codes, one indicator for each but the lowest as a predictor; imputed where missing if
            there are two codes. `outcome`: linear (an interval score by its midpoint), complete; an
            outcome in categories comes as several such columns of indicators.
        imputations: how many tables to make; see `number_of_imputations`.
        seed: non-negative integer.
        donors: how many nearest donors to draw from.
        iterations: how many times each column is imputed anew.

    Raises:
        ValueError: malformed input, a missing outcome, a category of more than two codes with
            missing values, or fewer observed values of a column than `donors`, or than the
            coefficients of its regression and one more.

    >>> rows = [[1.0, 0.9], [2.0, 2.1], [np.nan, 3.0], [4.0, 4.1], [5.0, 4.8]]
    >>> made = impute(rows, ["numeric", "outcome"], imputations=20, seed=1, donors=2)
    >>> sorted(set(made.values[:, 2, 0].tolist()))
    [2.0, 4.0]
    """
    table = _checked_columns(columns, kinds)
    for name, count in (("imputations", imputations), ("donors", donors), ("rounds", iterations)):
        if count < 1:
            raise ValueError(f"The number of {name} must be at least 1.")
    gaps = np.isnan(table)
    # With a stable sort, equally incomplete columns are taken from left to right.
    order = np.argsort(gaps.sum(axis=0), kind="stable")
    targets = [int(column) for column in order if gaps[:, column].any()]
    for column in targets:
        if (~gaps[:, column]).sum() < donors:
            raise ValueError(f"Column {column} has fewer observed values than donors are wanted.")
    values = np.repeat(table[None], imputations, axis=0)
    means = np.full((imputations, iterations, table.shape[1]), np.nan)
    aliased: set[tuple[int, int]] = set()
    streams = np.random.SeedSequence(seed).spawn(imputations)
    for filled, mean, stream in zip(values, means, streams, strict=True):
        rng = np.random.default_rng(stream)
        for column in targets:
            there = filled[~gaps[:, column], column]
            filled[gaps[:, column], column] = rng.choice(there, gaps[:, column].sum())
        blocks = [_block(filled[:, j], kind) for j, kind in enumerate(kinds)]
        for turn in range(iterations):
            for column in targets:
                others = [j for j in range(len(kinds)) if j != column]
                x = np.hstack([np.empty((len(table), 0)), *(blocks[j] for j in others)])
                origin = np.repeat(others, [blocks[j].shape[1] for j in others])
                known = ~gaps[:, column]
                left_out = ordinal.aliased(x[known])
                aliased |= {(column, int(origin[place])) for place in left_out}
                filled[~known, column] = _matched(
                    filled[known, column], np.delete(x, left_out, axis=1), known, donors, rng
                )
                blocks[column] = _block(filled[:, column], kinds[column])
                mean[turn, column] = filled[~known, column].mean()
    return Imputed(values, gaps, means, _rhat(means), tuple(sorted(aliased)))


def follow_up_bounds(
    up: int, same: int, down: int, unscanned: int, level: float = 0.95
) -> FollowUpBounds:
    """Bound the answer over all patients, whatever those never scanned again would have shown.

    Worst case: the score of all of them fell; best case: it rose in all (Manski 2003, Partial
    Identification of Probability Distributions, chapter 1). The proportion up has Wilson's
    interval, the net improvement Tango's. Baselines are not looked at: a patient at the highest
    score cannot rise, so the truth lies within these bounds but they could be narrower.

    Args:
        up, same, down: patients scanned again whose score rose, stayed, fell.
        unscanned: patients with a baseline and no follow-up.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: a negative count, no patient at all, or a level outside (0, 1).

    >>> found = follow_up_bounds(up=9, same=13, down=1, unscanned=7)
    >>> [round(end.estimate, 3) for end in (found.net_improvement.worst, found.up.best)]
    [0.033, 0.533]
    """
    patients = up + same + down + unscanned
    if min(up, same, down, unscanned) < 0 or patients == 0:
        raise ValueError("The counts must not be negative, and one of them positive.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"The confidence level must lie between 0 and 1, not {level}.")

    def proportion(risen: int) -> Extreme:
        return Extreme(risen / patients, *wilson(risen, patients, level))

    def net(risen: int, fallen: int) -> Extreme:
        return Extreme((risen - fallen) / patients, *tango(risen, fallen, patients, level))

    return FollowUpBounds(
        patients,
        up=Bounds(proportion(up), proportion(up + unscanned)),
        net_improvement=Bounds(net(up, down + unscanned), net(up + unscanned, down)),
    )


def _checked_columns(columns: ArrayLike, kinds: Sequence[str]) -> Floats:
    try:
        table = np.array(columns, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("The columns must be numbers, NaN where missing.") from None
    if table.ndim != 2 or not table.size:
        raise ValueError("The columns must be a two-dimensional array, patients by columns.")
    if np.isinf(table).any():
        raise ValueError("The columns must be finite; a missing value is NaN.")
    if len(kinds) != table.shape[1] or not set(kinds) <= set(KINDS):
        raise ValueError(f"Each column needs one kind of {', '.join(KINDS)}.")
    for place, kind in enumerate(kinds):
        gaps = np.isnan(table[:, place])
        if kind == "outcome" and gaps.any():
            raise ValueError(f"Column {place} is an outcome with missing values: none is imputed.")
        codes = len(np.unique(table[~gaps, place]))
        if kind == "category" and gaps.any() and codes > 2:
            raise ValueError(f"Column {place} has {codes} codes; up to two can be imputed.")
    return table


def _block(values: Floats, kind: str) -> Floats:
    """A complete column as predictors, shape (n, 1), or (n, codes - 1) for a category."""
    if kind != "category":
        return values[:, None]
    return (values[:, None] == np.unique(values)[1:]).astype(float)


def _matched(
    y: Floats, x: Floats, known: Booleans, donors: int, rng: np.random.Generator
) -> Floats:
    """One step of `impute`: values for the rows of x (n, q) that are not `known`.

    With X = QR, b = R^-1 Q'y and b* = R^-1 (Q'y + s z), z standard normal.
    """
    design = np.column_stack([np.ones(len(x)), x - x[known].mean(axis=0)])
    df = len(y) - design.shape[1]
    if df < 1:
        raise ValueError(
            f"{len(y)} observed values are too few to regress a column on the {x.shape[1]} others."
        )
    q, r = np.linalg.qr(design[known])
    # The factors are unique only up to signs; z must meet the same ones on every machine.
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    q, r = q * signs, signs[:, None] * r
    scores = q.T @ y
    fitted = q @ scores
    s = math.sqrt(float(np.sum((y - fitted) ** 2)) / rng.chisquare(df))
    drawn = np.linalg.solve(r, scores + s * rng.standard_normal(len(scores)))
    distance = np.abs((design[~known] @ drawn)[:, None] - fitted)
    # In whole steps of what rounding can tell apart, so that less than a step breaks ties.
    steps = np.rint(distance / (_SAME * (y.std() or 1.0))) + rng.random(distance.shape)
    nearest = np.argpartition(steps, donors - 1, axis=1)[:, :donors]
    chosen = rng.integers(donors, size=len(nearest))
    return y[nearest[np.arange(len(nearest)), chosen]]


def _rhat(means: Floats) -> Floats:
    chains, length, columns = means.shape
    if min(chains, length) < 2:
        return np.full(columns, np.nan)
    within = means.var(axis=1, ddof=1).mean(axis=0)
    between = means.mean(axis=1).var(axis=0, ddof=1)
    within[within == 0] = np.nan
    return np.sqrt((length - 1) / length + between / within)
