"""What changed between the two scans in each patient and each lesion.

Uptake gain is follow-up minus baseline in steps of the Krenning score. A score that is an interval
makes the gain an interval; its direction is `undetermined` where the interval leaves it open.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from captem import criterion, eligibility, interval_text, surrogate
from captem.lesions import RULES, matched

STEPS = range(5)
_ENDS = criterion.SCORES
_STATES = ("present", "resolved", "new", "not_assessable")


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
            "krenning_pre": interval_text.cells(pre_low, pre_high),
            "krenning_post": interval_text.cells(post_low, post_high),
            "gain_low": low.astype("Int64"),
            "gain_high": high.astype("Int64"),
            "direction": pd.Series(direction, index=rows.index, dtype=object).replace("", None),
            "suvmax_ratio": rows["suvmax_post"].astype(float) / before,
        }
    )


def direction(rows: pd.DataFrame) -> pd.Series:
    """Return up, same, down or undetermined for each row, None where a score is missing."""
    return _changes(rows)["direction"]


def patient_transitions(
    patients: pd.DataFrame,
    lesions: pd.DataFrame,
    threshold: float,
    rule: str,
    boundaries: surrogate.Boundaries | None = None,
) -> pd.DataFrame:
    """Return `transitions.csv`: one row a patient, in the order of the patient table.

    Parameters
    ----------
    patients, lesions : canonical tables.
    threshold, rule : the SSTR criterion (see `captem.lesions`).
    boundaries : the declared boundaries of the surrogate score (see `captem.surrogate`).
    """
    changes = _changes(patients)
    under = criterion.by_rule(patients, lesions, threshold, RULES)
    status = under[rule].set_axis(patients.index)
    pre, post = status["criterion_pre"], status["criterion_post"]
    known = pre.notna() & post.notna()
    gained = pd.Series(np.where(pre.eq("no") & post.eq("yes"), "yes", "no"), index=patients.index)
    # A patient who met the criterion before, or does not after, has not gained it either way.
    known |= pre.eq("yes") | (post.eq("no") & status["scored"])
    codes = patients["patient_id"]
    return pd.DataFrame(
        {
            "patient_id": codes,
            **changes[["krenning_pre", "krenning_post", "gain_low", "gain_high", "direction"]],
            "criterion_pre": pre,
            "criterion_post": post,
            "criterion_gained": gained.astype(object).where(known, None),
            "suvmax_ratio": changes["suvmax_ratio"],
            "source": patients["source"],
            **_counted(codes, lesions),
            "criterion_pre_low": status["krenning_pre_low"].astype("Int64"),
            "criterion_pre_high": status["krenning_pre_high"].astype("Int64"),
            "criterion_post_low": status["krenning_post_low"].astype("Int64"),
            "criterion_post_high": status["krenning_post_high"].astype("Int64"),
            "criterion_change": criterion.change(pre, post, status["scored"]),
            **{
                f"criterion_{time}_{name}": answers[f"criterion_{time}"].to_numpy()
                for name, answers in under.items()
                for time in ("pre", "post")
            },
            **_score_ranges(codes, lesions),
            **surrogate.columns(patients, boundaries)[list(surrogate.SHOWN)],
            "synthetic": patients["synthetic"],
        }
    )


def _counted(codes: pd.Series, lesions: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the number of lesions of each patient: all, matched, and by their state at follow-up.

    A lesion that has resolved or is new is counted as such; it has no score at that scan and is
    never compared.
    """
    status = lesions.get("lesion_status_post", pd.Series(None, index=lesions.index, dtype=object))
    chosen = {
        "n_lesions": pd.Series(True, index=lesions.index),
        "n_matched": lesions.index.isin(matched(lesions, _ENDS).index),
        **{f"n_{state}": status.eq(state) for state in _STATES[1:]},
    }
    places = pd.Index(codes, dtype=object).get_indexer(
        pd.Index(lesions["patient_id"], dtype=object)
    )
    whose = pd.Series(places, index=lesions.index)
    found = {}
    for name, rows in chosen.items():
        own = whose[rows]
        counts = np.bincount(own[own >= 0], minlength=len(codes))
        found[name] = pd.Series(counts, index=codes.index).astype("Int64")
    return found


def _score_ranges(codes: pd.Series, lesions: pd.DataFrame) -> dict[str, pd.Series]:
    """Return how far apart the scores of a patient's matched lesions are, in steps, at each scan.

    With interval scores the range is an interval: the lesions may all have one score that their
    intervals share, and are farthest apart where one is at its upper end and another at its lower.
    """
    compared = matched(lesions, _ENDS)
    numbers, patients = pd.factorize(compared["patient_id"])
    found = {}
    for time in ("pre", "post"):
        low, high = (compared[f"krenning_{time}_{end}"].to_numpy(float) for end in ("low", "high"))
        ends = [pd.Series(value, index=patients) for value in _apart(low, high, numbers)]
        found[f"score_range_{time}"] = codes.map(interval_text.cells(*ends))
    return found


def _apart(low: np.ndarray, high: np.ndarray, whose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest range of each patient; `whose` numbers them from 0."""
    rising, falling = np.lexsort((low, whose)), np.lexsort((-high, whose))
    sizes = np.bincount(whose)
    first, last = np.cumsum(sizes) - sizes, np.cumsum(sizes) - 1
    least = np.maximum(0.0, low[rising[last]] - high[falling[last]])
    most = np.zeros(len(sizes))
    # The largest distance from a lower end to the upper end of another lesion: should the lowest
    # lesion be the highest as well, the second of either order takes part.
    second = first + (sizes > 1)
    for a in (first, second):
        for b in (first, second):
            other = rising[a] != falling[b]
            most = np.maximum(most, np.where(other, high[falling[b]] - low[rising[a]], 0.0))
    return least, most


def lesion_transitions(
    lesions: pd.DataFrame,
    threshold: float,
    patients: pd.DataFrame | None = None,
    boundaries: surrogate.Boundaries | None = None,
) -> pd.DataFrame:
    """Return `transitions/lesions.csv`: one row a lesion; only matched lesions are compared.

    Parameters
    ----------
    lesions : canonical table.
    threshold : of the SSTR criterion.
    patients : whose liver and spleen the lesions are compared with.
    boundaries : the declared boundaries of the surrogate score (see `captem.surrogate`).
    """
    changes = _changes(lesions)
    status = lesions.get("lesion_status_post", pd.Series(None, index=lesions.index, dtype=object))
    compared = status.isna() | status.eq("present")
    derived = ["gain_low", "gain_high", "direction", "suvmax_ratio"]
    for name in derived:
        changes[name] = changes[name].where(compared, None)
    ends = lesions[list(_ENDS)].astype(float)
    pre = criterion.met(ends[_ENDS[0]], ends[_ENDS[1]], threshold)
    post = criterion.met(ends[_ENDS[2]], ends[_ENDS[3]], threshold)
    scored = compared & ends.notna().all(axis=1)
    organs = lesions if patients is None else surrogate.with_organs(lesions, patients)
    return pd.DataFrame(
        {
            "patient_id": lesions["patient_id"],
            "lesion_id": lesions["lesion_id"],
            "lesion_site": lesions.get("lesion_site"),
            **changes[["krenning_pre", "krenning_post", "gain_low", "gain_high", "direction"]],
            "criterion_pre": pre,
            "criterion_post": post,
            "suvmax_ratio": changes["suvmax_ratio"],
            "lesion_status_post": status,
            "source": lesions["source"],
            "criterion_change": criterion.change(pre, post, scored),
            **surrogate.columns(organs, boundaries)[list(surrogate.SHOWN)],
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
    # Patients with the same four ends are counted together.
    places = scored[list(_ENDS)].to_numpy(int) @ 5 ** np.arange(4)
    for place, patients in zip(*np.unique(places, return_counts=True), strict=True):
        ends = [int(place) // 5**i % 5 for i in range(4)]
        rows, columns = slice(ends[0], ends[1] + 1), slice(ends[2], ends[3] + 1)
        cells = (ends[1] - ends[0] + 1) * (ends[3] - ends[2] + 1)
        counts[rows, columns] += patients / cells
        if cells > 1:
            split[rows, columns] += patients / cells
    table = pd.DataFrame(counts, columns=[str(step) for step in STEPS])
    for step in STEPS:
        table[f"split_{step}"] = split[:, step]
    table.insert(0, "score_pre", list(STEPS))
    return table
