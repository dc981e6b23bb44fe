"""Looks at the primary question before the end: boundaries, what was found, repeated intervals.

A look is a data cut that the config calls one (`plan: look: 1`), in the order of the plan, with
more patients than the look before. The boundary of a look follows from how many patients there were
at the looks taken so far (`captem.group_sequential`); those were frozen, so that no later cut can
change them, and keep the boundary that they were held against. All of alpha is spent at the planned
end only: a last look with fewer patients spends what its patients allow. The primary
term of the primary model is asked only where the test of change has crossed (fixed sequence), with
boundaries of its own at the same alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from captem import (
    chain,
    criterion_rows,
    look_events,
    paired,
    plan_roles,
    proportions,
    signed_rank,
    statistics,
    transition_rows,
)
from captem import group_sequential as sequential
from captem.columns import COUNTS, MEASURES
from captem.files import read_frame
from captem.plan import (
    AHEAD,
    CHANGE,
    CURRENT,
    LEFT_OUT,
    MODEL,
    NOT_PLANNED,
    PRIMARY_TERM,
    TAKEN,
    Locked,
)
from captem.plan_roles import Look
from captem.result import Result

COLUMNS = (
    "question", "look", "status", "cut", "patients_planned", "n_patients", "information",
    "alpha_spent", "boundary_z", "boundary_p", "classical_z", "differences_needed", "n_changed",
    "smallest_p", "attainable_p", "p_value", "crossed", "estimand", "estimate", "repeated_low",
    "repeated_high", "repeated_level", "interval_method", "reason",
)  # fmt: skip
_LOG_BASE = {"model.suvmax": 2.0}


def which(
    locked: Locked,
    asked: int,
    n: int,
    taken: Sequence[Mapping[str, Any]],
    sources: Sequence[str],
    otherwise: str = "",
) -> Look:
    """Return which look a run is, from what the config says and which looks were taken.

    Parameters
    ----------
    asked : `plan: look` of the config; 0 where it calls the cut none.
    n : patients of the planned sources with both scans (`patients`).
    taken : the looks at other data cuts (`captem.look_events.taken`).
    sources : those that the config calls confirmatory.
    otherwise : why the cut cannot be this look (`captem.look_events.otherwise`).
    """
    total = len(locked.plan["looks"]["patients"])
    if not asked:
        said = "the analysis at the end" if total == 1 else f"any of the {total} planned looks"
        return Look(0, f"the config does not call this data cut {said} (plan: look)")
    if otherwise:
        return Look(0, otherwise)
    for before in taken:
        at = f"at the data cut {before['cut']}"
        if before["look"] == asked:
            return Look(0, f"look {asked} was taken {at}")
        if before["look"] > asked:
            return Look(0, f"look {before['look']} was taken already, {at}")
        if not before["frozen"]:
            return Look(0, f"look {before['look']} was taken {at}, which is not frozen: freeze it, "
                        "then run this one again")  # fmt: skip
    if set(sources) != set(locked.plan["confirmatory_sources"]):
        return Look(0, "the config has other confirmatory sources than the plan")
    skipped = locked.plan["looks"]["patients"][: asked - 1]
    if len(taken) < len(skipped) and n <= skipped[-1]:
        return Look(0, f"look {asked} comes after one at {skipped[-1]} patients with both scans, "
                    f"and {n} have both: was look {asked - 1} meant?")  # fmt: skip
    most = max((before["patients"] or 0 for before in taken), default=0)
    if n <= most:
        said = f"{n} patient{' has' if n == 1 else 's have'} both scans"
        more = f", {most} had at the look before: a look needs more" if most else ""
        return Look(0, said + more)
    return Look(asked)


def of_run(
    locked: Locked, rows: pd.DataFrame, tables: Sequence[Path], params: Mapping[str, Any]
) -> tuple[Look, look_events.Seen, list[dict[str, Any]]]:
    """Return which look a run is, what it has seen, and what was seen before it.

    Parameters
    ----------
    rows : `statistics.csv`.
    tables : the clean tables, patients first.
    params : `results`, `cut`, `look`, `taken`, `confirmatory`, `otherwise`, `settings` and
        `tables` of the run (`plan_settings` of the workflow).

    Returns
    -------
    The look; the data of the run; the events before (`captem.look_events.before`).
    """
    who = read_frame(tables[0])
    seen = look_events.Seen(
        cut=params["cut"],
        patients=patients(locked, rows, who),
        data=look_events.data_of(tables),
        rows={str(name): int(count) for name, count in who["source"].value_counts().items()},
        sources=params["tables"],
        reading=look_events.reading_of(params["settings"]["config.sources"]),
    )
    entries = chain.read(Path(params["results"]) / chain.FOLDER)
    entries = look_events.history(entries, seen.cut)
    planned = locked.plan["confirmatory_sources"]
    otherwise = params["otherwise"] or look_events.against(entries, seen, params["look"], planned)
    look = which(
        locked, params["look"], seen.patients, params["taken"], params["confirmatory"], otherwise
    )
    return look, seen, look_events.before(entries, seen, _spent(look, locked, rows))


def note(
    look: Look, seen: look_events.Seen, locked: Locked, rows: pd.DataFrame, results: str | Path
) -> None:
    """Write down what is about to be seen."""
    look_events.note(Path(results) / chain.FOLDER, _spent(look, locked, rows), seen)


def _spent(look: Look, locked: Locked, rows: pd.DataFrame) -> int:
    """Return as which look a run is written down: one at which nothing can be tested is not."""
    subsets = (statistics.CONFIRMATORY, statistics.ALL)
    found = [_row(rows, locked.plan, CHANGE, subset)["p_value"] for subset in subsets]
    return look.number if any(pd.notna(p) for p in found) else 0


def patients(locked: Locked, rows: pd.DataFrame, patients: pd.DataFrame) -> int:
    """Return how many patients of the planned sources answer the primary question.

    Parameters
    ----------
    rows : `statistics.csv`.
    patients : canonical patients.
    """
    return _patients_of(rows, locked.plan, _subset(locked, patients))


def _patients_of(rows: pd.DataFrame, plan: Mapping[str, Any], subset: str) -> int:
    n = _row(rows, plan, CHANGE, subset)["n_patients"]
    return int(n) if pd.notna(n) else 0


def _subset(locked: Locked, patients: pd.DataFrame) -> str:
    every = patients["source"].isin(locked.plan["confirmatory_sources"]).all()
    return statistics.ALL if every else statistics.CONFIRMATORY


def table(
    locked: Locked,
    rows: pd.DataFrame,
    patients: pd.DataFrame,
    changes: pd.DataFrame,
    fits: Mapping[str, Any],
    past: pd.DataFrame,
    look: Look,
    cut: str,
    taken: Sequence[Mapping[str, Any]] = (),
) -> pd.DataFrame:
    """Return all looks of both questions: those taken, this one, those ahead.

    Parameters
    ----------
    rows : `statistics.csv` of this run.
    patients, changes : canonical patients and `transitions.csv` of this run.
    fits : the record of the primary model by subset (`models/<model>.json`).
    past : the rows of frozen `looks.csv` that were of their own cut.
    look : which planned look this run is.
    taken : the looks at other data cuts (`captem.look_events.taken`).
    """
    mask = patients["source"].isin(locked.plan["confirmatory_sources"])
    subset = _subset(locked, patients)
    end = locked.plan["looks"]["patients"][-1]
    # A last look before the planned end does not get all of alpha: when to end could have been
    # chosen by what was seen.
    whole = _patients_of(rows, locked.plan, subset) >= end
    found = []
    for question in (CHANGE, MODEL):
        row = _row(rows, locked.plan, question, subset)
        before = past[past["question"].eq(question)] if len(past) else past
        found += _of_question(
            question, locked.plan, row, _Data(patients[mask], changes[mask], fits.get(subset, {})),
            before.to_dict("records"), look, cut, taken, whole,
        )  # fmt: skip
    _in_sequence(found)
    frame = pd.DataFrame(found, columns=list(COLUMNS), dtype=object)
    for name in COLUMNS:
        if name in COUNTS or name in MEASURES:
            numbers = pd.to_numeric(frame[name])
            frame[name] = numbers.astype("Int64" if name in COUNTS else float)
        else:
            frame[name] = frame[name].where(frame[name].notna(), None)
    return frame


def of_its_cut(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a frozen `looks.csv` that were of the cut it was frozen with."""
    return found[found["status"].eq(CURRENT)]


def _row(rows: pd.DataFrame, plan: Mapping[str, Any], question: str, subset: str) -> pd.Series:
    """Return the row of a question; an empty one where there is none."""
    is_asked = plan_roles.is_test if question == CHANGE else plan_roles.is_model
    chosen = rows[rows["subset"].eq(subset)]
    for row in chosen.to_dict("records"):
        if is_asked(row, plan):
            # McNemar's mid-P can exceed the P of its boundary, given how many changed; the exact
            # one, which stands beside it, cannot.
            beside = chosen[chosen["row_id"].eq(f"{row['row_id']}/exact")]
            for exact in beside.to_dict("records"):
                row |= {name: exact[name] for name in ("p_value", "reason")}
            return pd.Series(row)
    return pd.Series({"n_patients": 0, "p_value": math.nan, "reason": "nothing was estimated"})


def _of_question(
    question: str,
    plan: Mapping[str, Any],
    row: pd.Series,
    data: _Data,
    before: Sequence[dict[str, Any]],
    look: Look,
    cut: str,
    events: Sequence[Mapping[str, Any]],
    whole: bool,
) -> list[dict[str, Any]]:
    planned = plan["looks"]["patients"]
    shape, alpha, end = plan["looks"]["spending"], plan["alpha"], planned[-1]
    classical = sequential.classical_boundaries([n / end for n in planned], alpha, shape)
    at = {event["look"]: event for event in events}
    taken = {
        int(old["look"]): {**old, "status": TAKEN, "information": old["n_patients"] / end}
        for old in before
        if old["cut"] != cut and question in at.get(int(old["look"]), {"same": [question]})["same"]
    }
    found = []
    so_far: list[float] = []
    held: list[float] = []
    n = int(row["n_patients"]) if pd.notna(row["n_patients"]) else 0
    for number, patients in enumerate(planned, start=1):
        told: dict[str, Any] = {
            "question": question, "look": number, "patients_planned": patients,
            "classical_z": classical[number - 1],
        }  # fmt: skip
        if number in taken:
            found.append({**taken[number], **told})
            share, boundary = taken[number]["information"], taken[number]["boundary_z"]
            # After a withdrawal of consent two looks can have as many patients.
            if pd.notna(boundary) and (not so_far or share > so_far[-1]):
                so_far.append(share)
                held.append(float(boundary))
        elif number == look.number:
            share = n / end
            told |= {"status": CURRENT, "cut": cut, "n_patients": n, "information": share}
            if n and (not so_far or share > so_far[-1]):
                so_far.append(share)
                told |= _held(
                    plan, row, data, so_far, held, whole and number == len(planned), question
                )
            else:
                told["reason"] = f"{n} patients answer this: a look needs more than the one before"
            found.append(told)
        elif number < look.number or number <= max(at, default=0):
            event = at.get(number)
            found.append({**told, "status": LEFT_OUT, "reason": _left_out(event, question)})
            share = (event["patients"] or 0) / end if event else 0.0
            if event and question in event["same"] and share > (so_far[-1] if so_far else 0):
                # Its result was seen, however its cut was frozen: its alpha is spent.
                so_far.append(share)
                held.append(_boundary(so_far, held, plan, ended=False)["boundary_z"])
        else:
            told |= {"status": AHEAD}
            share = patients / end
            if not so_far or share > so_far[-1]:
                so_far.append(share)
                told |= {"information": share}
                told |= _boundary(so_far, held, plan, ended=number == len(planned))
                told["smallest_p"] = signed_rank.smallest_p(patients)
            else:
                told["reason"] = "as many patients as planned here were there at a look before"
            found.append(told)
    if question == MODEL:
        # No exact test.
        for told in found:
            told |= {"differences_needed": None, "smallest_p": None}
    if not look.number:
        found.append(
            {
                "question": question, "status": NOT_PLANNED, "cut": cut, "n_patients": n,
                "p_value": row["p_value"], "reason": look.why,
            }
        )  # fmt: skip
    return found


def _left_out(event: Mapping[str, Any] | None, question: str) -> str:
    if event is None:
        return "no data cut was called this look"
    if not event["frozen"]:
        return f"taken at the data cut {event['cut']}, which is not frozen"
    if question in event["same"]:
        return (
            f"the data cut {event['cut']} was taken as this look with {event['patients']} "
            "patients, and not frozen as it; its alpha is spent"
        )
    return f"the data cut {event['cut']} was this look of another question: the plan was amended"


def _boundary(
    information: Sequence[float], held: Sequence[float], plan: Mapping[str, Any], *, ended: bool
) -> dict[str, Any]:
    alpha, shape = plan["alpha"], plan["looks"]["spending"]
    z = sequential.spending_boundaries(information, alpha, shape, ended=ended, held=held)[-1]
    p = sequential.p_of(z)
    return {
        "alpha_spent": alpha if ended else sequential.spent(information[-1], alpha, shape),
        "boundary_z": z,
        "boundary_p": p,
        "differences_needed": sequential.differences_needed(p) if p > 0 else None,
    }


def _held(
    plan: Mapping[str, Any],
    row: pd.Series,
    data: _Data,
    information: Sequence[float],
    before: Sequence[float],
    ended: bool,
    question: str,
) -> dict[str, Any]:
    """Return what was found at this look, held against its boundary."""
    told = _boundary(information, before, plan, ended=ended)
    z, boundary = told["boundary_z"], told["boundary_p"]
    told |= {"p_value": row["p_value"], "repeated_level": sequential.repeated_level(z)}
    if pd.isna(row["p_value"]):
        return told | {"crossed": "not tested", "reason": row["reason"]}
    told["crossed"] = "yes" if row["p_value"] <= boundary else "no"
    if row["role"] == plan_roles.EXPLORATORY or row["status"] == "unstable":
        # The run left the plan in what matters, or cannot carry the claim: no boundary decides.
        told["crossed"] = plan_roles.EXPLORATORY
    level = told["repeated_level"]
    if question == MODEL:
        return told | _of_model(plan, row, data.fit, z)
    told["n_changed"] = row["n_events"]
    told["smallest_p"] = signed_rank.smallest_p(int(row["n_events"]))
    told["attainable_p"] = data.attainable(plan["outcome"], boundary)
    effect = data.effect(plan["outcome"], level) if level < 1 else None
    # How small P can be at all stands in columns of its own.
    reason = "" if str(row["reason"]).startswith("smallest P possible") else row["reason"]
    return told | _interval(effect) | {"reason": reason or None}


def _interval(effect: Result | None) -> dict[str, Any]:
    if effect is None or effect.conf_low is None:
        return {}
    return {
        "estimand": effect.estimand, "estimate": effect.estimate, "repeated_low": effect.conf_low,
        "repeated_high": effect.conf_high, "interval_method": effect.interval_method,
    }  # fmt: skip


def _of_model(
    plan: Mapping[str, Any], row: pd.Series, fit: Mapping[str, Any], z: float
) -> dict[str, Any]:
    """Return the repeated interval of the primary term: its estimate, z standard errors each way.

    Of a model with a t distribution the quantile of the same P stands for z.
    """
    base = _LOG_BASE.get(plan["model"]["name"], math.e)
    if row["row_id"].endswith("/imputed"):
        part = fit["imputed"]
        error, df = part["standard_errors"][PRIMARY_TERM], part["df"][PRIMARY_TERM]
    else:
        names = fit["covariance"]["names"]
        place = names.index(PRIMARY_TERM)
        error, df = math.sqrt(fit["covariance"]["values"][place][place]), row["df"]
    quantile = z if pd.isna(df) else float(stats.t.isf(sequential.p_of(z) / 2, df))
    if not math.isfinite(quantile):
        return {"reason": row["reason"]}
    centre, half = math.log(row["estimate"], base), quantile * error
    return {
        "estimand": row["estimand"], "estimate": row["estimate"],
        "repeated_low": base ** (centre - half), "repeated_high": base ** (centre + half),
        "interval_method": "Wald" if pd.isna(df) else "t", "reason": row["reason"],
    }  # fmt: skip


def _in_sequence(found: list[dict[str, Any]]) -> None:
    """The primary term is asked only from the look on at which the test of change has crossed."""
    answered = {
        row["look"] for row in found if row["question"] == CHANGE and row.get("crossed") == "yes"
    }
    for row in found:
        asked = row["question"] == MODEL and row["status"] in (TAKEN, CURRENT)
        if asked and not any(look <= row["look"] for look in answered):
            row["crossed"] = "not asked"


class _Data:
    """What the repeated intervals and the attainable P of a look are computed from."""

    def __init__(
        self, patients: pd.DataFrame, changes: pd.DataFrame, fit: Mapping[str, Any]
    ) -> None:
        self.patients, self.changes, self.fit = patients, changes, fit

    def effect(self, outcome: str, level: float) -> Result:
        """Return the effect beside the test of change, with an interval of a level."""
        if outcome == "krenning":
            return paired.net_improvement(*transition_rows.scores(self.patients), level)
        if outcome == "criterion":
            before, after = criterion_rows.answers(self.changes)
            return paired.difference(before, after, threshold=criterion_rows.MET, level=level)
        return paired.suvmax_ratio(*transition_rows.suvmax(self.patients), level)

    def attainable(self, outcome: str, boundary: float) -> float | None:
        """Return the largest P at or below a boundary that the test can give with these changes.

        None where it can give none, and where interval scores leave the changes open.
        """
        if outcome == "criterion":
            before, after = criterion_rows.answers(self.changes)
            way = paired.directions_of_criterion(before, after, criterion_rows.MET)
            if way.undetermined:
                return None
            changed = way.up + way.down
            every = (
                proportions.two_sided_binomial(few, changed - few)
                for few in range(changed // 2 + 1)
            )
            return max((p for p in every if p <= boundary), default=None)
        if outcome == "krenning":
            pre, post = transition_rows.scores(self.patients)
            if (pre[:, 0] != pre[:, 1]).any() or (post[:, 0] != post[:, 1]).any():
                return None
            gains = post[:, 0] - pre[:, 0]
        else:
            before, after = transition_rows.suvmax(self.patients)
            gains = np.log2(after / before)
        return _attainable_rank_p(gains, boundary)


def _attainable_rank_p(gains: np.ndarray, boundary: float) -> float | None:
    """Return the largest P of the signed-rank test at or below a boundary, given the sizes.

    >>> _attainable_rank_p(np.array([1, 2, 3, 4, 5, -6]), 0.05)
    0.03125
    """
    ranks, rises, falls = signed_rank.groups(gains)
    sizes = rises + falls
    changed = int(sizes.sum())
    if not 0 < changed <= signed_rank.EXACT_UP_TO or signed_rank.smallest_p(changed) > boundary:
        return None
    low, high = 0, int(ranks @ sizes) // 2
    # P rises with the smaller rank sum: halve until the last one within the boundary is found.
    while high - low > 1:
        middle = (low + high) // 2
        if 2 * signed_rank.lower_tail(ranks, sizes, middle) <= boundary:
            low = middle
        else:
            high = middle
    return 2 * signed_rank.lower_tail(ranks, sizes, low)
