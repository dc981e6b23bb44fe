"""What more patients would do to the intervals of the current data cut.

The patients of the cut stay, and so many more join them, all with both scans. What they will show
is not known: each replicate draws the chances of scores anew from what the cut leaves open, and the
effect of MIB1 from its estimate and standard error, so that the spread of the expected interval
holds both. Intervals are those that the package reports (`captem.paired`,
`captem.krenning_model`), interval scores of the patients of the cut included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from captem import (
    eligibility,
    krenning_model,
    limits,
    models,
    paired,
    planning_tests,
    planning_world,
    proportions,
    statistics,
    terms,
)
from captem.model_parts import PRIMARY_TERM
from captem.planned_models import KRENNING
from captem.planning_grid import BLOCK

LEVEL = 0.95
NET, MODEL, CRITERION = "transition.net_improvement", "model.krenning", "criterion.difference"
ANALYSES = (NET, MODEL, CRITERION)
COLUMNS = (
    "analysis", "more_patients", "n_patients", "n_expected", "estimate", "conf_low", "conf_high",
    "width", "expected_low", "expected_high", "expected_width", "width_low", "width_high",
    "refused", "replicates", "status", "reason",
)  # fmt: skip
# Of a table of two answers, before and after: worth one patient, as `planning_world.PRIOR`.
_PRIOR_OF_FOUR = 1 / 4
_Ends = tuple[np.ndarray, np.ndarray]


def rows(
    patients: pd.DataFrame,
    changes: pd.DataFrame,
    more: Sequence[int],
    mib1_floor: float,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    """Return `more_patients.csv`: of each analysis and number of more patients, what to expect.

    `expected_low` and `expected_high` are medians of the ends of the interval, `expected_width` the
    median of its width, `width_low` and `width_high` where 95 % of the widths lie. The width of an
    odds ratio is its upper end over its lower.

    Parameters
    ----------
    patients : canonical table; changes : `transitions.csv` of the same patients, for the criterion.
    more : how many patients would join.
    mib1_floor : percent; lower values of MIB1 are raised to it.
    replicates : how many futures are drawn, in whole blocks of `BLOCK`.
    """
    asked: tuple[tuple[str, Callable[[], tuple[dict[str, Any], Any]]], ...] = (
        (NET, lambda: _net(patients)),
        (MODEL, lambda: _model(patients, mib1_floor)),
        (CRITERION, lambda: _criterion(changes)),
    )
    found = []
    for place, (analysis, of) in enumerate(asked):
        now, future = of()
        now = {"analysis": analysis} | now
        for many in more:
            row = now | {"more_patients": many, "n_expected": now["n_patients"] + many}
            if future is not None:
                blocks = [
                    future(many, np.random.default_rng(
                        np.random.SeedSequence(entropy=seed, spawn_key=(place, many, block))))
                    for block in range(-(-replicates // BLOCK))
                ]  # fmt: skip
                low, high = (np.concatenate(ends) for ends in zip(*blocks, strict=True))
                row |= _told(low, high, analysis == MODEL)
            found.append(row)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _told(low: np.ndarray, high: np.ndarray, ratio: bool) -> dict[str, Any]:
    given = np.isfinite(low) & np.isfinite(high)
    told: dict[str, Any] = {"refused": 1 - float(given.mean()), "replicates": len(low)}
    if not given.any():
        reason = "in none of the simulated studies could it be estimated"
        return told | {"status": "not_estimable", "reason": reason}
    width = np.exp(high - low) if ratio else high - low
    ends = [np.exp(end) if ratio else end for end in (low[given], high[given])]
    spread = np.quantile(width[given], [0.025, 0.975])
    return told | {
        "expected_low": float(np.median(ends[0])),
        "expected_high": float(np.median(ends[1])),
        "expected_width": float(np.median(width[given])),
        "width_low": float(spread[0]),
        "width_high": float(spread[1]),
    }


def _refused(n: int, reason: str) -> tuple[dict[str, Any], None]:
    return {"n_patients": n, "status": "not_estimable", "reason": reason}, None


def _now(
    n: int, estimate: float, low: float, high: float, status: str, reason: str, ratio: bool = False
) -> dict[str, Any]:
    return {
        "n_patients": n, "estimate": estimate, "conf_low": low, "conf_high": high,
        "width": high / low if ratio else high - low, "status": status, "reason": reason,
    }  # fmt: skip


def _words(reason: Any) -> str:
    return "" if pd.isna(reason) else str(reason)


def _net(patients: pd.DataFrame) -> tuple[dict[str, Any], Any]:
    chosen = eligibility.analysed(patients, "transition")
    n = len(chosen)
    if refusal := limits.too_few_pairs(n):
        return _refused(n, refusal)
    pre, post = (
        chosen[[f"krenning_{time}_{end}" for end in ("low", "high")]].to_numpy(dtype=float)
        for time in ("pre", "post")
    )
    result, way = paired.net_improvement(pre, post), paired.directions(pre, post)
    counts = planning_world.observed_counts(chosen)

    def future(many: int, random: np.random.Generator) -> _Ends:
        ends = [
            (
                planning_tests.tango(
                    way.up + a, way.down + way.may_fall + way.may_either + b, n + many
                )[0],
                planning_tests.tango(
                    way.up + way.may_rise + way.may_either + a, way.down + b, n + many
                )[1],
            )
            for a, b in _directions(counts, many, random).tolist()
        ]
        low, high = np.array(ends).T
        return low, high

    now = _now(n, float(result.estimate or 0.0), float(result.conf_low or 0.0),
               float(result.conf_high or 0.0), result.status, result.reason)  # fmt: skip
    return now, future


def _directions(counts: np.ndarray, many: int, random: np.random.Generator) -> np.ndarray:
    """Return (BLOCK, 2) how many of so many new patients rise, and fall."""
    chances = _joint(counts, random)
    drawn = np.stack([random.multinomial(many, own.ravel()) for own in chances])
    tables = drawn.reshape(-1, 5, 5)
    above = np.triu(np.ones((5, 5)), 1)
    return np.column_stack(
        [(tables * above).sum(axis=(1, 2)), (tables * above.T).sum(axis=(1, 2))]
    ).astype(int)


def _joint(counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return (BLOCK, 5, 5) the chances of both scores, drawn from what the counts leave open."""
    prior = planning_world.PRIOR
    shares = planning_world.dirichlet(random, counts.sum(axis=1) + prior, BLOCK)
    rows = np.stack([planning_world.dirichlet(random, row + prior, BLOCK) for row in counts], 1)
    joint = shares[:, :, None] * rows
    return np.asarray(joint / joint.sum(axis=(1, 2), keepdims=True))


def _criterion(changes: pd.DataFrame) -> tuple[dict[str, Any], Any]:
    answers = changes[["criterion_pre", "criterion_post"]].dropna()
    n = len(answers)
    if refusal := limits.too_few_pairs(n):
        return _refused(
            n, refusal.replace("both scans scored", "the criterion known at both scans")
        )
    pre, post = (answers[name].eq("yes").to_numpy() for name in answers)
    counts = np.array([(pre & post).sum(), (pre & ~post).sum(), (~pre & post).sum(),
                       (~pre & ~post).sum()])  # fmt: skip
    ends_of_both = [f"criterion_{time}_low" for time in ("pre", "post")]
    left = int(changes[ends_of_both].notna().all(axis=1).sum()) - n
    caution = limits.few_for_interval(n)
    left_out = (
        f"{left} more whose criterion interval scores leave open do not count here; the interval "
        "of the study, which holds whatever they leave open, is wider"
        if left
        else ""
    )
    reason = "; ".join(filter(None, (caution, left_out)))
    low, high = _newcombe(counts.tolist())

    def future(many: int, random: np.random.Generator) -> _Ends:
        chances = planning_world.dirichlet(random, counts + _PRIOR_OF_FOUR, BLOCK)
        drawn = np.stack([random.multinomial(many, own / own.sum()) for own in chances])
        ends = np.array([_newcombe(row) for row in (drawn + counts).tolist()])
        return ends[:, 0], ends[:, 1]

    estimate = float(counts[2] - counts[1]) / n
    return _now(n, estimate, low, high, "unstable" if reason else "ok", reason), future


def _newcombe(counts: Sequence[int]) -> tuple[float, float]:
    kept, lost, gained, never = counts
    return proportions.newcombe_10(kept, lost, gained, never, LEVEL)


def _model(patients: pd.DataFrame, mib1_floor: float) -> tuple[dict[str, Any], Any]:
    chosen = eligibility.analysed(patients, KRENNING.analysis)
    n = len(chosen)
    plan = terms.Plan(mib1_floor=mib1_floor)
    found = models.primary(patients, (), plan)
    row = found[found["term"].eq(PRIMARY_TERM) & found["subset"].eq(statistics.ALL)].iloc[0]
    if row["status"] == "not_estimable":
        return _refused(n, _words(row["reason"]))
    x = terms.main(chosen, mib1_floor)[list(KRENNING.terms)].to_numpy(dtype=float)
    low, high = krenning_model.outcome(chosen)
    counts = planning_world.observed_counts(chosen)
    ends = [math.log(row[name]) for name in ("conf_low", "conf_high")]
    middle = math.log(row["estimate"])
    error = (ends[1] - ends[0]) / 2 / float(ndtri((1 + LEVEL) / 2))

    def future(many: int, random: np.random.Generator) -> _Ends:
        effect = random.normal(middle, error, BLOCK)
        joint = _joint(counts, random)
        shares = joint.sum(axis=2)
        uniform = random.random((BLOCK, many))
        before = (uniform[:, :, None] >= np.cumsum(shares, axis=1)[:, None, :-1]).sum(axis=2)
        mib1 = x[random.integers(n, size=(BLOCK, many)), 1]
        rows = joint / shares[:, :, None]
        above = planning_world.survival(rows)[np.arange(BLOCK)[:, None], before]
        odds = np.exp(np.clip(effect[:, None] * (mib1 - x[:, 1].mean()), -50, 50))
        above = planning_world.shifted(above, odds[:, :, None])
        after = (random.random((BLOCK, many))[:, :, None] < above).sum(axis=2)
        new = np.stack([before.astype(float), mib1], axis=2)
        lowest, highest = (np.hstack([np.tile(end, (BLOCK, 1)), after]) for end in (low, high))
        every = np.concatenate([np.broadcast_to(x, (BLOCK, *x.shape)), new], axis=1)
        answered = planning_tests.of_fits(lowest, highest, every, np.ones(lowest.shape))
        return answered.low, answered.high

    now = _now(n, float(row["estimate"]), float(row["conf_low"]), float(row["conf_high"]),
               str(row["status"]), _words(row["reason"]), ratio=True)  # fmt: skip
    return now, future
