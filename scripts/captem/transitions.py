"""What changed between the two scans, in each patient and lesion, and how often it did.

Uptake gain is follow-up minus baseline in steps of the Krenning score. A score that is an interval
makes the gain an interval; its direction is `undetermined` where the interval leaves it open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from captem import criterion, eligibility, limits, notation, paired, statistics

STEPS = range(5)
LEVEL = 0.95
_ENDS = criterion.SCORES
_WAYS = {"up": 1, "same": 0, "down": -1}


def _changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return scores, gain, direction and SUVmax ratio of rows with canonical score columns."""
    scores = rows[list(_ENDS)].astype(float)
    pre_low, pre_high, post_low, post_high = (scores[name] for name in _ENDS)
    low, high = post_low - pre_high, post_high - pre_low
    direction = np.select(
        [low > 0, high < 0, (low == 0) & (high == 0), low.notna()],
        ["up", "down", "same", "undetermined"],
        default="",
    )
    before = rows["suvmax_pre"].astype(float)
    return pd.DataFrame(
        {
            "krenning_pre": _cells(pre_low, pre_high),
            "krenning_post": _cells(post_low, post_high),
            "gain_low": low.astype("Int64"),
            "gain_high": high.astype("Int64"),
            "direction": pd.Series(direction, index=rows.index, dtype=object).replace("", None),
            "suvmax_ratio": rows["suvmax_post"].astype(float) / before,
        }
    )


def _cells(low: pd.Series, high: pd.Series) -> pd.Series:
    texts = [notation.written(a, b) for a, b in zip(low, high, strict=True)]
    return pd.Series([text or None for text in texts], index=low.index, dtype=object)


def patient_transitions(
    patients: pd.DataFrame, lesions: pd.DataFrame, threshold: float, rule: str
) -> pd.DataFrame:
    """Return `transitions.csv`: one row a patient, in the order of the patient table.

    Parameters
    ----------
    patients, lesions : canonical tables.
    threshold, rule : the SSTR criterion (see `captem.lesions`).
    """
    changes = _changes(patients)
    status = criterion.status(patients, lesions, threshold, rule).loc[patients["patient_id"]]
    status.index = patients.index
    pre, post = status["criterion_pre"], status["criterion_post"]
    known = pre.notna() & post.notna()
    gained = pd.Series(np.where(pre.eq("no") & post.eq("yes"), "yes", "no"), index=patients.index)
    # A patient who met the criterion before, or does not after, has not gained it either way.
    known |= pre.eq("yes") | (post.eq("no") & status["scored"])
    counts = lesions["patient_id"].value_counts()
    return pd.DataFrame(
        {
            "patient_id": patients["patient_id"],
            **changes[["krenning_pre", "krenning_post", "gain_low", "gain_high", "direction"]],
            "criterion_pre": pre,
            "criterion_post": post,
            "criterion_gained": gained.astype(object).where(known, None),
            "suvmax_ratio": changes["suvmax_ratio"],
            "source": patients["source"],
            "n_lesions": patients["patient_id"].map(counts).fillna(0).astype("Int64"),
            "criterion_pre_low": status["krenning_pre_low"].astype("Int64"),
            "criterion_pre_high": status["krenning_pre_high"].astype("Int64"),
            "criterion_post_low": status["krenning_post_low"].astype("Int64"),
            "criterion_post_high": status["krenning_post_high"].astype("Int64"),
            "synthetic": patients["synthetic"],
        }
    )


def lesion_transitions(lesions: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return `transitions/lesions.csv`: one row a lesion; only matched lesions are compared."""
    changes = _changes(lesions)
    status = lesions.get("lesion_status_post", pd.Series(None, index=lesions.index, dtype=object))
    compared = status.isna() | status.eq("present")
    derived = ["gain_low", "gain_high", "direction", "suvmax_ratio"]
    for name in derived:
        changes[name] = changes[name].where(compared, None)
    ends = lesions[list(_ENDS)].astype(float)
    return pd.DataFrame(
        {
            "patient_id": lesions["patient_id"],
            "lesion_id": lesions["lesion_id"],
            "lesion_site": lesions.get("lesion_site"),
            **changes[["krenning_pre", "krenning_post", "gain_low", "gain_high", "direction"]],
            "criterion_pre": criterion.met(ends[_ENDS[0]], ends[_ENDS[1]], threshold),
            "criterion_post": criterion.met(ends[_ENDS[2]], ends[_ENDS[3]], threshold),
            "suvmax_ratio": changes["suvmax_ratio"],
            "lesion_status_post": status,
            "source": lesions["source"],
            "synthetic": lesions["synthetic"],
        }
    )


def matrix(patients: pd.DataFrame) -> pd.DataFrame:
    """Return the 5 x 5 transition matrix: rows baseline, columns follow-up.

    A patient with interval scores is split evenly over the cells that these leave open; the columns
    `split_0` to `split_4` hold how much of each cell comes from such patients. The split is for
    showing only: no test uses it.
    """
    counts, split = np.zeros((5, 5)), np.zeros((5, 5))
    scored = eligibility.analysed(patients, "transition")
    for ends in scored[list(_ENDS)].astype(int).itertuples(index=False):
        rows, columns = slice(ends[0], ends[1] + 1), slice(ends[2], ends[3] + 1)
        cells = (ends[1] - ends[0] + 1) * (ends[3] - ends[2] + 1)
        counts[rows, columns] += 1 / cells
        if cells > 1:
            split[rows, columns] += 1 / cells
    table = pd.DataFrame(counts, columns=[str(step) for step in STEPS])
    for step in STEPS:
        table[f"split_{step}"] = split[:, step]
    table.insert(0, "score_pre", list(STEPS))
    return table


def estimate(
    patients: pd.DataFrame,
    changes: pd.DataFrame,
    lesion_changes: pd.DataFrame,
    confirmatory: Sequence[str],
) -> pd.DataFrame:
    """Return the rows `transition.*` and `criterion.*` of `statistics.csv`.

    Parameters
    ----------
    patients : canonical patient table.
    changes, lesion_changes : `patient_transitions` and `lesion_transitions` of the same patients.
    confirmatory : sources whose rows may claim what the plan says.
    """
    rows: list[dict[str, Any]] = []
    for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
        chosen = changes[mask]

        def role(planned: str, subset: str = subset) -> str:
            return statistics.role(planned, subset, patients["source"], confirmatory)

        rows += _direction_rows(chosen, subset, role("secondary"))
        rows += _criterion_rows(chosen, subset, role("secondary"))
    rows += _lesion_rows(lesion_changes)
    return statistics.frame(rows)


def _direction_rows(changes: pd.DataFrame, subset: str, role: str) -> list[dict[str, Any]]:
    direction = changes["direction"].dropna()
    n = len(direction)
    counts = {way: int(direction.eq(way).sum()) for way in (*_WAYS, "undetermined")}
    still_open = [
        _open_ways(low, high)
        for low, high, way in zip(
            changes["gain_low"], changes["gain_high"], changes["direction"], strict=True
        )
        if way == "undetermined"
    ]
    rows: list[dict[str, Any]] = []
    for way, count in counts.items():
        possible = sum(_WAYS[way] in ways for ways in still_open) if way in _WAYS else 0
        rows += proportion_rows(
            "transition.proportion", "krenning", subset, (count, n), (count + possible, n),
            term=way, role=role,
        )  # fmt: skip
    common: dict[str, Any] = {"role": role, "n_patients": n}
    refusal = limits.too_few_pairs(n)
    if refusal:
        common |= statistics.not_estimable(refusal)
    else:
        up, down = counts["up"], counts["down"]
        test = paired.sign_test((up, down), still_open)
        caution = limits.few_differences(up + down, len(still_open), "changed")
        common |= _tested(test, "sign test, exact", caution)
    rows.append(
        statistics.row(
            "transition.sign_test", "krenning", subset, "P of as many up as down", **common
        )
    )
    return rows


def _open_ways(low: int, high: int) -> frozenset[int]:
    return frozenset(way for way in (1, 0, -1) if _reaches(way, low, high))


def _reaches(way: int, low: int, high: int) -> bool:
    return (way > 0 and high > 0) or (way < 0 and low < 0) or (way == 0 and low <= 0 <= high)


def _tested(test: paired.PairedTest, method: str, caution: str) -> dict[str, Any]:
    return {
        "p_value": test.p_value,
        "p_low": test.p_low,
        "p_high": test.p_high,
        "p_method": method,
        "n_events": test.first + test.second,
        "status": "unstable" if caution else "ok",
        "reason": caution,
    }


def proportion_rows(
    analysis: str,
    outcome: str,
    subset: str,
    least: tuple[int, int],
    most: tuple[int, int] | None = None,
    *,
    term: str = "",
    role: str,
    smallest: tuple[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Return a proportion with its Wilson interval, and beside it Clopper-Pearson's.

    Parameters
    ----------
    least : the certain count, and the n it is out of; the estimate.
    smallest, most : count and n of the completions of interval scores with the smallest and the
        largest proportion, where these differ from `least`. The interval then reaches from the
        lower end of the one to the upper end of the other: both methods are monotone, so it holds
        the interval of every completion.
    """
    count, n = least
    smallest, most = smallest or least, most or least
    certain = smallest == most == least
    methods = (("", "Wilson", paired.wilson), ("exact", "Clopper-Pearson", paired.clopper_pearson))
    rows = []
    for variant, name, interval in methods:
        values: dict[str, Any] = {"n_patients": n, "n_events": count}
        if refusal := limits.no_interval(n):
            # One patient is described, and nothing is inferred from the description.
            described = n > 0 and not variant
            status = "unstable" if described else "not_estimable"
            values |= {"status": status, "reason": refusal}
            values |= {"estimate": count / n} if described else {"n_events": None}
        else:
            values |= {
                "estimate": count / n,
                "conf_low": interval(*smallest, LEVEL)[0],
                "conf_high": interval(*most, LEVEL)[1],
                "conf_level": LEVEL,
                "interval_method": name if certain else f"{name}, over all completions",
            }
        rows.append(
            statistics.row(
                analysis, outcome, subset, "proportion", term=term, variant=variant, role=role,
                **values,
            )
        )  # fmt: skip
    return rows


def _criterion_rows(changes: pd.DataFrame, subset: str, role: str) -> list[dict[str, Any]]:
    scored = changes[changes[["criterion_pre_low", "criterion_post_low"]].notna().all(axis=1)]
    pre, post = scored["criterion_pre"], scored["criterion_post"]
    n = len(scored)
    rows: list[dict[str, Any]] = []
    for name, answers in (("before", pre), ("after", post)):
        met, unknown = int(answers.eq("yes").sum()), int(answers.isna().sum())
        rows += _with_open(f"criterion.{name}", subset, (met, n), (met + unknown, n), unknown)
    gained = int((pre.eq("no") & post.eq("yes")).sum())
    lost = int((pre.eq("yes") & post.eq("no")).sum())
    rows += _gained_rows(pre, post, subset, role)
    still_open = [
        _open_pair(before, after)
        for before, after in zip(pre, post, strict=True)
        if pd.isna(before) or pd.isna(after)
    ]
    refusal = limits.too_few_pairs(n)
    for variant, name, mid_p in (("", "McNemar, mid-P", True), ("exact", "McNemar, exact", False)):
        values: dict[str, Any] = {"role": role, "n_patients": n}
        if refusal:
            values |= statistics.not_estimable(refusal)
        else:
            test = paired.mcnemar(gained, lost, still_open, mid_p=mid_p)
            caution = limits.few_differences(
                gained + lost, len(still_open), "gained or lost the criterion", mid_p=mid_p
            )
            values |= _tested(test, name, caution)
        rows.append(
            statistics.row(
                "criterion.mcnemar", "criterion", subset, "P of as many gained as lost",
                variant=variant, **values,
            )
        )  # fmt: skip
    return rows


def _gained_rows(pre: pd.Series, post: pd.Series, subset: str, role: str) -> list[dict[str, Any]]:
    """Return the share that met the criterion after, of those who did not before.

    Whether a patient belongs to these may be open as well as whether the criterion was met after:
    the completion with the smallest share counts every such patient in and none as met.
    """
    at_risk, maybe = pre.eq("no"), pre.isna()
    gained = int((at_risk & post.eq("yes")).sum())
    still_open = int((at_risk & post.isna()).sum())
    n = int(at_risk.sum())
    smallest = (gained, n + int((maybe & post.ne("yes")).sum()))
    joined = int((maybe & post.ne("no")).sum())
    largest = (gained + still_open + joined, n + joined)
    unknown = still_open + int(maybe.sum())
    return _with_open("criterion.gained", subset, (gained, n), largest, unknown, role, smallest)


def _with_open(
    analysis: str,
    subset: str,
    least: tuple[int, int],
    most: tuple[int, int],
    still_open: int,
    role: str = "descriptive",
    smallest: tuple[int, int] | None = None,
) -> list[dict[str, Any]]:
    """Return a proportion of the criterion, and how many patients the scores leave open."""
    rows = proportion_rows(analysis, "criterion", subset, least, most, role=role, smallest=smallest)
    n = max(least[1], smallest[1] if smallest else 0, most[1])
    values: dict[str, Any] = {"n_patients": n, "n_events": still_open}
    values |= {"estimate": still_open / n} if n else statistics.not_estimable("no patient")
    rows.append(
        statistics.row(analysis, "criterion", subset, "proportion", term="undetermined", **values)
    )
    return rows


def _open_pair(before: Any, after: Any) -> frozenset[tuple[int, int]]:
    pre = ("yes", "no") if pd.isna(before) else (before,)
    post = ("yes", "no") if pd.isna(after) else (after,)
    return frozenset((int((a, b) == ("no", "yes")), int((a, b) == ("yes", "no")))
                     for a in pre for b in post)  # fmt: skip


def _lesion_rows(lesion_changes: pd.DataFrame) -> list[dict[str, Any]]:
    compared = lesion_changes[lesion_changes["direction"].notna()]
    n = len(compared)
    rows = []
    for way in (*_WAYS, "undetermined"):
        count = int(compared["direction"].eq(way).sum())
        values: dict[str, Any] = {
            "n_patients": compared["patient_id"].nunique(),
            "n_lesions": n,
            "n_events": count,
        }
        # Lesions of one patient are not independent, so the share has no interval here.
        values |= {"estimate": count / n} if n else statistics.not_estimable("no matched lesion")
        if n and (alone := limits.no_interval(int(values["n_patients"]))):
            values |= {"status": "unstable", "reason": alone}
        rows.append(
            statistics.row(
                "transition.proportion", "lesion_krenning", statistics.ALL, "proportion",
                term=way, **values,
            )
        )  # fmt: skip
    ratios = lesion_changes["suvmax_ratio"].dropna()
    measured = lesion_changes.loc[ratios.index, "patient_id"].nunique()
    values = {"n_patients": measured, "n_lesions": len(ratios)}
    if len(ratios):
        values |= {"estimate": float(ratios.median())}
        if alone := limits.no_interval(measured):
            values |= {"status": "unstable", "reason": alone}
    else:
        values |= statistics.not_estimable("no lesion has SUVmax at both scans")
    rows.append(
        statistics.row(
            "transition.suvmax_ratio", "lesion_suvmax", statistics.ALL, "median ratio",
            variant="median", **values,
        )
    )  # fmt: skip
    return rows
