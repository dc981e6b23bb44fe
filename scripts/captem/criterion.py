"""The SSTR criterion: is uptake above a threshold, in which lesions, before and after.

"SSTR criterion met" speaks of uptake alone. Uptake is necessary for PRRT and not sufficient, so the
outcome is never called eligibility.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from captem.lesions import NUMBER, matched, values_by_rule

SCORES = ("krenning_pre_low", "krenning_pre_high", "krenning_post_low", "krenning_post_high")


def met(low: pd.Series, high: pd.Series, threshold: float) -> pd.Series:
    """Return `yes`, `no` or missing for scores known to lie between `low` and `high`.

    An interval that spans the threshold is missing: neither answer is known.
    """
    answers = np.select([low >= threshold, high < threshold], ["yes", "no"], default="")
    return pd.Series(answers, index=low.index, dtype=object).where(answers != "", None)


def change(pre: pd.Series, post: pd.Series, scored: pd.Series) -> pd.Series:
    """Return what became of the criterion: `gained`, `lost`, `kept`, `not_met` or `undetermined`.

    Parameters
    ----------
    pre, post : `yes`, `no` or missing, as `met` returns them.
    scored : where both scans are scored; elsewhere the change is missing.
    """
    words = np.select(
        [
            ~scored.astype(bool),
            pre.isna() | post.isna(),
            pre.eq("yes") & post.eq("yes"),
            pre.eq("yes"),
            post.eq("yes"),
        ],
        ["", "undetermined", "kept", "lost", "gained"],
        default="not_met",
    )
    return pd.Series(words, index=pre.index, dtype=object).where(words != "", None)


def status(
    patients: pd.DataFrame, lesions: pd.DataFrame, threshold: float, rule: str
) -> pd.DataFrame:
    """Return the criterion of each patient at both scans.

    Where a patient has matched lesions, `rule` is asked of these; otherwise the patient's own score
    is compared with the threshold.

    Returns
    -------
    frame indexed by `patient_id` with `scored` (a pair of scores exists), `low/high` bounds used
    (`SCORES`), `criterion_pre` and `criterion_post` (`yes`, `no` or missing).
    """
    return by_rule(patients, lesions, threshold, (rule,))[rule]


def by_rule(
    patients: pd.DataFrame, lesions: pd.DataFrame, threshold: float, rules: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return what `status` does under each of several rules; lesions are matched but once."""
    own = patients.set_index("patient_id")[list(SCORES)].astype(float)
    compared = matched(lesions, SCORES)
    places = own.index.get_indexer(pd.Index(compared["patient_id"], dtype=object))
    compared = compared.assign(**{NUMBER: places})[places >= 0]
    with_lesions = np.zeros(len(own), dtype=bool)
    with_lesions[compared[NUMBER]] = True
    found = {}
    for rule, values in values_by_rule(compared, SCORES, rules, NUMBER).items():
        ranked = values.astype(float)
        used = own.to_numpy(copy=True)
        # Where the rule picks none of the matched lesions the criterion stays open, whatever the
        # sheet.
        used[with_lesions] = np.nan
        used[ranked.index.to_numpy(dtype=int)] = ranked.to_numpy()
        found[rule] = _answered(
            pd.DataFrame(used, index=own.index, columns=list(SCORES)), threshold
        )
    return found


def _answered(used: pd.DataFrame, threshold: float) -> pd.DataFrame:
    result = used.copy()
    result["scored"] = used.notna().all(axis=1)
    for time in ("pre", "post"):
        low, high = used[f"krenning_{time}_low"], used[f"krenning_{time}_high"]
        answer = met(low, high, threshold)
        result[f"criterion_{time}"] = answer.where(result["scored"], None)
    return result
