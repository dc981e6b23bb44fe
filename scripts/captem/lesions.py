"""From lesions to the patient: which lesions are compared, and what a rule makes of them.

Every rule of the config picks one lesion by rank, so that "the patient's score under the rule
meets the threshold" and "the rule holds of the lesions" are the same statement:

=========  =====================================================  ==========================
rule       the criterion is met when                              score of the patient
=========  =====================================================  ==========================
highest    one lesion meets it                                    the largest
lowest     the lesion with least uptake meets it                  the smallest
all        all lesions meet it                                    the smallest
most       more than half of the lesions meet it                  the largest that more than
                                                                  half of the lesions reach
index      the index lesion meets it                              that of the index lesion
=========  =====================================================  ==========================

A rank is monotone, so for interval scores the rank of the lower ends and the rank of the upper
ends are exact bounds. Only matched lesions count: present at both scans, with both values.
Which rule decides on PRRT is contested (Zidan: all lesions; LANTana, BMJ Open 2023;13:e075221:
most lesions; Sharma & Basu 2020: a score above 2), hence a setting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

RULE_WORDS = {
    "highest": "reached by one lesion",
    "lowest": "reached by the lesion with least uptake",
    "all": "reached by all lesions",
    "most": "reached by more than half of the lesions",
    "index": "reached by the index lesion",
}
RULES = tuple(RULE_WORDS)
# The column that stands for the code of a patient while lesions are matched to patients.
NUMBER = "_number"


def numbered(patients: pd.DataFrame, lesions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give each patient a number, in both tables; -1 where a row has no code.

    Lesions are matched to patients by it: with many lesions most of the time would go into texts.
    """
    codes = pd.concat([patients["patient_id"], lesions["patient_id"]])
    numbers, _ = pd.factorize(codes.where(codes.ne("")))
    return (
        patients.assign(**{NUMBER: numbers[: len(patients)]}),
        lesions.assign(**{NUMBER: numbers[len(patients) :]}),
    )


def matched(lesions: pd.DataFrame, ends: tuple[str, ...]) -> pd.DataFrame:
    """Return the lesions that are present at both scans and have all values named in `ends`."""
    keep = lesions[list(ends)].notna().all(axis=1)
    if "lesion_status_post" in lesions:
        keep &= lesions["lesion_status_post"].isna() | lesions["lesion_status_post"].eq("present")
    return lesions[keep]


def patient_values(
    lesions: pd.DataFrame, ends: tuple[str, ...], rule: str, by: str = "patient_id"
) -> pd.DataFrame:
    """Return each patient's value under `rule`, for every column in `ends` by itself.

    Parameters
    ----------
    lesions : frame with `patient_id`, the columns `ends`, and `index_lesion` for the rule `index`;
        only lesions that count (see `matched`).
    rule : one of `RULES`.
    by : the column that tells patients apart.

    Returns
    -------
    frame indexed by the column `by` with the columns `ends`; a patient without a lesion that counts
    (or, under `index`, without exactly one index lesion) has no row.
    """
    return values_by_rule(lesions, ends, (rule,), by)[rule]


def values_by_rule(
    lesions: pd.DataFrame, ends: tuple[str, ...], rules: Sequence[str], by: str = "patient_id"
) -> dict[str, pd.DataFrame]:
    """Return what `patient_values` does under each of several rules; lesions are sorted but once.

    Raises
    ------
    ValueError
        If there is no such rule.
    """
    found = {}
    known = lesions[lesions[by].notna()]
    codes, patients = pd.factorize(known[by])
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    order = {
        end: np.lexsort((-known[end].to_numpy(dtype=float, na_value=np.nan), codes))
        for end in (ends if set(rules) - {"index"} else ())
    }
    ranks = {"highest": 0 * sizes, "lowest": sizes - 1, "all": sizes - 1, "most": sizes // 2}
    for rule in rules:
        if rule not in RULES:
            raise ValueError(f"unknown rule {rule!r}: one of {', '.join(RULES)}")
        if rule == "index":
            found[rule] = _of_index_lesion(lesions, ends, by)
            continue
        chosen = {
            end: known[end].iloc[order[end][starts + ranks[rule]]].array for end in ends
        }  # fmt: skip
        found[rule] = pd.DataFrame(chosen, index=pd.Index(patients, name=by))
    return found


def _of_index_lesion(lesions: pd.DataFrame, ends: tuple[str, ...], by: str) -> pd.DataFrame:
    marked = (
        lesions[lesions["index_lesion"].eq("yes")] if "index_lesion" in lesions else lesions[:0]
    )
    alone = ~marked[by].duplicated(keep=False)
    return marked[alone].set_index(by)[list(ends)]
