"""Two values of each patient, before and after: did they change, in how many, by how much?

Every function takes `pre` and `post`, one value a patient each, and returns a
`captem.result.Result`, which prints as a sentence and gives its row of `statistics.csv`. A value is
a number, an interval written as in a sheet (`"<=1"`, `"III-IV"`), or a row of an (n, 2) array with
its lower and upper end; a patient whose value is missing (None, NaN, "") at either scan is left
out.

A score that is an interval is never put at one of its ends. A test then reports the range of P over
all completions, that is over every choice of scores within the intervals, and as its P the largest.

>>> result = signed_rank(["<=1", 1, 2, 2, 0, 1, 2], [3, 2, 3, 2, 2, 1, "III-IV"])
>>> result.p_value, result.p_low
(0.0625, 0.0625)
>>> result.row()["row_id"]
'transition.signed_rank/krenning/all'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from captem import completions, hodges_lehmann, limits, notation, proportions, signed_rank_bounds
from captem import signed_rank as ranked
from captem.result import Result

LEVEL = 0.95
Values = Sequence[Any] | np.ndarray
_NOT_WHOLE = "intervals and tables are of scores, and a score is a whole number of 0 or more"


@dataclass(frozen=True)
class Pairs:
    """The pairs of values that are known at both scans, as the ends of intervals.

    before, after : (n, 2) lower and upper ends; `left_out` patients lack a value.
    """

    before: np.ndarray
    after: np.ndarray
    left_out: int

    @property
    def n(self) -> int:
        """Return how many patients have both values."""
        return len(self.before)

    @property
    def gains(self) -> np.ndarray:
        """Return (n, 2) the smallest and the largest gain that each patient may have."""
        low, high = self.after[:, 0] - self.before[:, 1], self.after[:, 1] - self.before[:, 0]
        return np.column_stack([low, high])


@dataclass(frozen=True)
class Directions:
    """How many rose, stayed and fell, and how many may: only rise, only fall, or do either.

    Whoever may rise or fall may also have stayed.
    """

    up: int
    same: int
    down: int
    may_rise: int
    may_fall: int
    may_either: int

    @property
    def undetermined(self) -> int:
        """Return in how many the scores leave the direction open."""
        return self.may_rise + self.may_fall + self.may_either


def read_values(values: Values) -> np.ndarray:
    """Return values as (n, 2) lower and upper ends; NaN where missing.

    Raises
    ------
    ValueError
        If a text is neither a number nor an interval of scores, a value is infinite, or a lower
        end is above its upper.
    """
    given = np.asarray(values)
    if given.dtype.kind in "iuf" and given.ndim == 1:
        given = np.column_stack([given, given])
    elif given.dtype.kind not in "iuf":
        given = np.asarray(values, dtype=object)
    if given.ndim == 2 and given.shape[1] == 2:
        ends = np.where(pd.isna(given), np.nan, given).astype(float)
    else:
        ends = np.array([_ends(i, value) for i, value in enumerate(given, start=1)], dtype=float)
        ends = ends.reshape(len(given), 2)
    if np.isinf(ends).any():
        raise ValueError("a value is infinite")
    if (ends[:, 0] > ends[:, 1]).any():
        raise ValueError("an interval has its lower end above its upper end")
    return ends


def _ends(place: int, value: Any) -> tuple[float, float]:
    if pd.isna(value):
        return math.nan, math.nan
    if not isinstance(value, str):
        return float(value), float(value)
    if notation.is_missing(value):
        return math.nan, math.nan
    try:
        return float(value), float(value)
    except ValueError:
        try:
            read = notation.score(value)
        except notation.NotReadable as error:
            raise ValueError(
                f"value {place}, {value!r}, is not a number and not an interval of scores such as "
                f"<=1 or III-IV ({error})"
            ) from None
        # An empty cell was taken as missing above, so there are ends.
        return float(read.low or 0), float(read.high or 0)


def pairs(pre: Values, post: Values) -> Pairs:
    """Return the patients with both values.

    Raises
    ------
    ValueError
        If the two differ in length, are pandas columns with another index, or a value cannot be
        read.
    """
    both = isinstance(pre, pd.Series) and isinstance(post, pd.Series) and len(pre) == len(post)
    if both and not pre.index.equals(post.index):  # type: ignore[union-attr]
        raise ValueError(
            "the two columns name their rows differently (their index): take both from one "
            "table, in one order, so that each patient stands beside himself"
        )
    before, after = read_values(pre), read_values(post)
    if len(before) != len(after):
        raise ValueError(f"{len(before)} values before and {len(after)} after; one each a patient")
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    return Pairs(before[known], after[known], int((~known).sum()))


def directions(pre: Values, post: Values) -> Directions:
    """Return how many patients rose, stayed and fell, and in how many that is open.

    >>> directions([1, 2, "<=1"], [3, 2, 1])
    Directions(up=1, same=1, down=0, may_rise=1, may_fall=0, may_either=0)
    """
    return _directions(pairs(pre, post).gains)


def _directions(gains: np.ndarray) -> Directions:
    low, high = _signs(gains).T
    return Directions(
        up=int((low > 0).sum()),
        same=int(((low == 0) & (high == 0)).sum()),
        down=int((high < 0).sum()),
        may_rise=int(((low == 0) & (high > 0)).sum()),
        may_fall=int(((low < 0) & (high == 0)).sum()),
        may_either=int(((low < 0) & (high > 0)).sum()),
    )


def _signs(gains: np.ndarray) -> np.ndarray:
    """Return the sign of each gain; one that only rounding keeps from zero is zero."""
    size = np.abs(gains).max(initial=0.0)
    return np.where(np.abs(gains) <= ranked.TIE * size, 0, np.sign(gains)).astype(int)


# Did it change?


def signed_rank(pre: Values, post: Values) -> Result:
    """Exact conditional signed-rank test with zeros ranked (Pratt) and ties averaged.

    `statistic` is the sum of the ranks of those who rose. Beyond `signed_rank.EXACT_UP_TO` patients
    who changed, the normal approximation. Sources: see `captem.signed_rank`.

    >>> print(signed_rank([1, 2, 0, 2, 1, 1, 2], [2, 3, 2, 2, 3, 2, 4]))
    transition.signed_rank: P = 0.0312 (Wilcoxon-Pratt, exact), n = 7
    """
    found = pairs(pre, post)
    blank = Result("transition.signed_rank", "test of rises and falls of a size being as likely",
                   n_patients=found.n)  # fmt: skip
    if refusal := limits.too_few_pairs(found.n):
        return blank.refused(refusal)
    gains = found.gains
    way = _directions(gains)
    still_open = int((gains[:, 0] != gains[:, 1]).sum())
    if not still_open:
        test = ranked.conditional_test(*ranked.groups(gains[:, 0]))
        low = high = test.p_value
        statistic: float | None = test.rises / 2
        how = signed_rank_bounds.EXACT if test.exact else signed_rank_bounds.NORMAL
    else:
        low, high, how = signed_rank_bounds.over_completions(_whole(gains))
        statistic = None
    changed = way.up + way.down
    caution = limits.few_differences(changed, way.undetermined, "changed")
    return _tested(
        blank, high, low, changed, caution, f"Wilcoxon-Pratt, {how}", statistic,
        ranked.smallest_p(changed + way.undetermined),
    )  # fmt: skip


def sign_test(pre: Values, post: Values) -> Result:
    """Exact sign test of up against down; patients without a change do not count.

    >>> sign_test([1, 1, 1, 2], [2, 3, 4, 2]).p_value
    0.25
    """
    found = pairs(pre, post)
    blank = Result("transition.sign_test", "test of as many up as down", n_patients=found.n)
    if refusal := limits.too_few_pairs(found.n):
        return blank.refused(refusal)
    way = _directions(found.gains)
    low, high = two_counts(way.up, way.down, (way.may_rise, way.may_fall, way.may_either),
                           proportions.two_sided_binomial)  # fmt: skip
    caution = limits.few_differences(way.up + way.down, way.undetermined, "changed")
    return _tested(
        blank, high, low, way.up + way.down, caution, "sign test, exact", None,
        ranked.smallest_p(way.up + way.down + way.undetermined),
    )  # fmt: skip


def two_counts(
    first: int, second: int, may: tuple[int, int, int], p_of: Callable[[int, int], float]
) -> tuple[float, float]:
    """Return the smallest and the largest P over all completions of two opposed counts.

    P rises with the smaller of two counts and falls with the larger, for the exact P and the mid-P,
    so the range is attained where all who are open go one way, and where the counts come closest.

    Parameters
    ----------
    first, second : the certain counts.
    may : how many patients may add to the first alone, to the second alone, to either; each of them
        may also add to neither.
    p_of : P of two counts.

    >>> two_counts(3, 1, (2, 0, 0), proportions.two_sided_binomial)
    (0.21875, 0.625)
    """
    only_first, only_second, either = may
    most_first, most_second = first + only_first + either, second + only_second + either
    ends = [p_of(most_first, second), p_of(first, most_second), p_of(first, second)]
    everyone = first + second + only_first + only_second + either
    level = min(most_first, most_second, everyone // 2)
    if level >= max(first, second):
        ends.append(p_of(level, level))
    return min(ends), max(ends)


# By how much?


def net_improvement(pre: Values, post: Values, level: float = LEVEL) -> Result:
    """Net improvement (up - down) / n with Tango's interval.

    Where the scores leave a direction open the estimate counts the patient as unchanged, and the
    interval reaches from the lower end if all of them fell as far as they may to the upper end if
    all rose.

    >>> found = net_improvement([1] * 10, [2] * 4 + [1] * 5 + [0])
    >>> round(found.conf_low, 3), found.estimate, round(found.conf_high, 3)
    (-0.153, 0.3, 0.64)
    """
    _checked(level)
    found = pairs(pre, post)
    blank = Result("transition.net_improvement", "net improvement", n_patients=found.n)
    if found.n == 0:
        return blank.refused(limits.too_few_pairs(0))
    way = _directions(found.gains)
    estimate = (way.up - way.down) / found.n
    if alone := limits.no_interval(found.n):
        return _described(blank, estimate, alone, way.up + way.down)
    low, high = (
        proportions.tango(way.up, way.down + way.may_fall + way.may_either, found.n, level)[0],
        proportions.tango(way.up + way.may_rise + way.may_either, way.down, found.n, level)[1],
    )
    return _estimated(blank, estimate, (low, high), level, "Tango", way)


def win_odds(pre: Values, post: Values, level: float = LEVEL) -> Result:
    """Matched win odds: (up + same / 2) over (down + same / 2), which is (1 + net) / (1 - net).

    The interval is Tango's of the net improvement, put through the same function. Infinite where
    every patient rose.

    >>> round(win_odds([1] * 10, [2] * 4 + [1] * 5 + [0]).estimate, 3)
    1.857
    """
    net = net_improvement(pre, post, level)
    told = Result("transition.win_odds", "matched win odds", n_patients=net.n_patients)
    if net.estimate is None or net.conf_low is None:
        return told.refused(net.reason)

    def odds(value: float) -> float:
        return math.inf if value >= 1 else (1 + value) / (1 - value)

    ends = [None if end is None else odds(end) for end in (net.conf_low, net.conf_high)]
    status, reason = net.status, net.reason
    if math.isinf(odds(net.estimate)):
        endless = "no patient stayed or fell, so the odds have no upper end"
        status, reason = "unstable", "; ".join(filter(None, (reason, endless)))
    return Result(
        told.analysis, told.estimand, estimate=odds(net.estimate), conf_low=ends[0],
        conf_high=ends[1], conf_level=net.conf_level, interval_method=net.interval_method,
        n_patients=net.n_patients, n_events=net.n_events, status=status, reason=reason,
    )  # fmt: skip


def suvmax_ratio(pre: Values, post: Values, level: float = LEVEL) -> Result:
    """Ratio of SUVmax, follow-up over baseline: Hodges-Lehmann of its logarithm, exact signed-rank.

    Parameters
    ----------
    pre, post : SUVmax, above 0; points only.

    Raises
    ------
    ValueError
        If an SUVmax is 0 or less, or an interval.

    >>> found = suvmax_ratio([4.0, 5, 8, 10, 3, 6], [8.0, 10, 12, 11, 6, 9])
    >>> round(found.estimate, 3), found.p_value
    (1.732, 0.03125)
    """
    _checked(level)
    found = pairs(pre, post)
    blank = Result("transition.suvmax_ratio", "ratio", "suvmax", n_patients=found.n)
    if found.n == 0:
        return blank.refused("no patient has SUVmax at both scans")
    if (found.before != found.before[:, :1]).any() or (found.after != found.after[:, :1]).any():
        raise ValueError("SUVmax is a point, not an interval")
    if (found.before <= 0).any() or (found.after <= 0).any():
        place = int(np.argmax((found.before <= 0).any(axis=1) | (found.after <= 0).any(axis=1)))
        pair = f"{found.before[place, 0]:g} and {found.after[place, 0]:g}"
        raise ValueError(f"SUVmax must be above 0, and a patient has {pair}")
    logs = np.log2(found.after[:, 0] / found.before[:, 0])
    changed = int((_signs(logs) != 0).sum())
    centre = hodges_lehmann.shift(logs, level)
    estimate = float(2.0**centre.estimate)
    if alone := limits.no_interval(found.n):
        return _described(blank, estimate, alone, changed)
    test = ranked.conditional_test(*ranked.groups(logs))
    word = "exact signed-rank" if test.exact and centre.exact else "signed-rank, normal"
    caution = limits.few_differences(changed, 0, "changed in SUVmax")
    told: dict[str, Any] = {}
    if math.isnan(centre.low):
        caution = caution or limits.no_rank_interval(found.n, level)
    else:
        told = {"conf_low": float(2.0**centre.low), "conf_high": float(2.0**centre.high),
                "conf_level": level, "interval_method": f"Hodges-Lehmann, {word}"}  # fmt: skip
        caution = caution or limits.tied_interval(
            centre.low == centre.high, test.p_value <= 1 - level, centre.low <= 0 <= centre.high
        )
    result = _tested(
        blank, test.p_value, test.p_value, changed, caution,
        f"Wilcoxon-Pratt, {'exact' if test.exact else 'normal approximation'}",
        test.rises / 2, ranked.smallest_p(changed),
    )  # fmt: skip
    return replace(result, estimate=estimate, **told)


# The criterion


def mcnemar(pre: Values, post: Values, *, threshold: float, mid_p: bool = True) -> Result:
    """McNemar's test of as many gaining the criterion as losing it: mid-P, or exact conditional.

    Parameters
    ----------
    threshold : the lowest value that meets the criterion.
    mid_p : the mid-P (Fagerland, Lydersen & Laake 2013), else the exact P.

    >>> mcnemar([1, 1, 1, 1, 3], [3, 3, 3, 3, 3], threshold=3).p_value
    0.0625
    """
    found = pairs(pre, post)
    blank = Result(
        "criterion.mcnemar", "test of as many gained as lost", "criterion",
        variant="" if mid_p else "exact", n_patients=found.n,
    )  # fmt: skip
    if refusal := limits.too_few_pairs(found.n):
        return blank.refused(refusal)
    way = _criterion_directions(found, threshold)
    gained, lost, may = way.up, way.down, (way.may_rise, way.may_fall, way.may_either)
    p_of = proportions.mid_p_binomial if mid_p else proportions.two_sided_binomial
    low, high = two_counts(gained, lost, may, p_of)
    words = "gained or lost the criterion"
    caution = limits.few_differences(gained + lost, sum(may), words, mid_p=mid_p)
    method = "McNemar, mid-P" if mid_p else "McNemar, exact"
    smallest = p_of(gained + lost + sum(may), 0)
    return _tested(blank, high, low, gained + lost, caution, method, None, smallest)


def difference(
    pre: Values, post: Values, *, threshold: float, tango: bool = False, level: float = LEVEL
) -> Result:
    """Difference of the proportions meeting the criterion, after less before.

    The interval is Newcombe's method 10, or Tango's. Where the scores leave open who gained or
    lost, the estimate counts them as unchanged and the interval holds that of every completion.

    >>> found = difference([1] * 6 + [3] * 4, [3] * 4 + [1] * 2 + [3] * 4, threshold=3)
    >>> round(found.estimate, 2), found.interval_method
    (0.4, 'Newcombe method 10')
    """
    _checked(level)
    found = pairs(pre, post)
    name = "Tango" if tango else "Newcombe method 10"
    blank = Result(
        "criterion.difference", "difference of proportions", "criterion",
        variant="tango" if tango else "", n_patients=found.n,
    )  # fmt: skip
    if found.n == 0:
        return blank.refused(limits.too_few_pairs(0))
    way = _criterion_directions(found, threshold)
    gained, lost = way.up, way.down
    estimate = (gained - lost) / found.n
    if alone := limits.no_interval(found.n):
        return blank.refused(alone) if tango else _described(blank, estimate, alone, gained + lost)
    if tango:
        ends = (
            proportions.tango(gained, lost + way.may_fall + way.may_either, found.n, level)[0],
            proportions.tango(gained + way.may_rise + way.may_either, lost, found.n, level)[1],
        )
    else:
        every = [
            proportions.newcombe_10(int(kept), int(lost_), int(gained_), int(never), level)
            for kept, lost_, gained_, never in _tables_of_two(found, threshold)
        ]
        ends = min(low for low, _ in every), max(high for _, high in every)
    return _estimated(blank, estimate, ends, level, name, way)


def _answers(ends: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return who may meet the criterion, and who may not."""
    return ends[:, 1] >= threshold, ends[:, 0] < threshold


def directions_of_criterion(pre: Values, post: Values, threshold: float) -> Directions:
    """Return how many gained the criterion (up), lost it (down), kept their answer, and who may.

    >>> directions_of_criterion([1, 2, "2-3", 4], [3, 2, 3, 1], 3)
    Directions(up=1, same=1, down=1, may_rise=1, may_fall=0, may_either=0)
    """
    return _criterion_directions(pairs(pre, post), threshold)


def _criterion_directions(found: Pairs, threshold: float) -> Directions:
    yes_1, no_1 = _answers(found.before, threshold)
    yes_2, no_2 = _answers(found.after, threshold)
    gained, lost = ~yes_1 & ~no_2, ~no_1 & ~yes_2
    may_gain, may_lose = no_1 & yes_2 & ~gained, yes_1 & no_2 & ~lost
    either = may_gain & may_lose
    changed = gained | lost | may_gain | may_lose
    return Directions(
        up=int(gained.sum()),
        same=int((~changed).sum()),
        down=int(lost.sum()),
        may_rise=int((may_gain & ~either).sum()),
        may_fall=int((may_lose & ~either).sum()),
        may_either=int(either.sum()),
    )


def _tables_of_two(found: Pairs, threshold: float) -> np.ndarray:
    """Return the tables (kept, lost, gained, never) of the completions, one a row.

    Where they are too many to go through, those in which everybody with the same answers open turns
    out the same way: the ends of the interval move so little between them that no printed digit
    does.
    """
    yes_1, no_1 = _answers(found.before, threshold)
    yes_2, no_2 = _answers(found.after, threshold)
    cells = np.column_stack([yes_1 & yes_2, yes_1 & no_2, no_1 & yes_2, no_1 & no_2])
    settled = cells.sum(axis=1) == 1
    certain = cells[settled].sum(axis=0)
    kinds, sizes = np.unique(cells[~settled], axis=0, return_counts=True)
    choices = [tuple(np.flatnonzero(kind).tolist()) for kind in kinds]
    everyone = [choice for choice, size in zip(choices, sizes, strict=True) for _ in range(size)]
    tables = completions.reachable(certain, everyone) if len(everyone) <= 1000 else None
    if tables is not None:
        return tables
    corners = [certain]
    for choice, size in zip(choices, sizes, strict=True):
        step = np.eye(4, dtype=np.int64) * size
        corners = [table + step[place] for table in corners for place in choice]
    return np.unique(corners, axis=0)


# What a result says


def _whole(gains: np.ndarray) -> np.ndarray:
    if (gains != np.rint(gains)).any():
        raise ValueError(_NOT_WHOLE)
    return gains.astype(np.int64)


def _checked(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval is between 0 and 1, such as 0.95, not {level}")


def _described(blank: Result, estimate: float, why: str, events: int) -> Result:
    """One patient is described, and nothing is inferred from the description."""
    return replace(blank, estimate=estimate, n_events=events, status="unstable", reason=why)


def _estimated(
    blank: Result,
    estimate: float,
    ends: tuple[float, float],
    level: float,
    method: str,
    way: Directions,
) -> Result:
    caution = limits.few_for_interval(blank.n_patients or 0)
    return replace(
        blank, estimate=estimate, conf_low=ends[0], conf_high=ends[1], conf_level=level,
        interval_method=f"{method}, over all completions" if way.undetermined else method,
        n_events=way.up + way.down, status="unstable" if caution else "ok", reason=caution,
    )  # fmt: skip


def _tested(
    blank: Result,
    p_value: float,
    p_low: float,
    events: int,
    caution: str,
    method: str,
    statistic: float | None,
    smallest: float,
) -> Result:
    return replace(
        blank, p_value=p_value, p_low=p_low, p_high=p_value, p_method=method, statistic=statistic,
        n_events=events, smallest_p=smallest, status="unstable" if caution else "ok",
        reason=caution or f"smallest P possible: {smallest:.2g}",
    )  # fmt: skip
