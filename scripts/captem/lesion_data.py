"""Lesions with the terms of their patients: what the lesion models are fitted to.

A lesion is compared with itself: its own score or SUVmax at both scans. Its patient gives what
belongs to the patient, MIB1 and cycles, and never a score.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from captem.criterion import SCORES
from captem.lesions import matched

SUVMAX = ("suvmax_pre", "suvmax_post")
# What each outcome needs of a lesion, and in words.
ENDS = {"lesion_krenning": SCORES, "lesion_suvmax": SUVMAX}
_WORDS = {"lesion_krenning": "a Krenning score", "lesion_suvmax": "an SUVmax"}
_SCALE = (0, 4)


def analysed(lesions: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Return the lesions that an outcome can be modelled in.

    They are present at both scans and have both values; a follow-up score that may be any is none.

    Parameters
    ----------
    lesions : canonical lesion table; columns that it lacks are empty.
    outcome : `lesion_krenning` or `lesion_suvmax`.
    """
    found = _compared(lesions, outcome)
    return found if outcome == "lesion_suvmax" else found[_telling(found)]


def with_counts(patients: pd.DataFrame, lesions: pd.DataFrame) -> pd.DataFrame:
    """Return the patients with the number of their lesions, for `captem.eligibility`.

    `lesions_scored` have a score at both scans, `lesions_telling` also one at follow-up that is
    not any, `lesions_measured` an SUVmax at both scans.
    """
    known = pd.Index(patients["patient_id"].unique(), dtype=object)
    # Narrow, and the patient as a number: there may be hundreds of thousands of lesions.
    own = lesions.reindex(columns=["patient_id", *SCORES, *SUVMAX, "lesion_status_post"])
    own = own.assign(_patient=known.get_indexer(own["patient_id"].to_numpy(dtype=object)))
    own = own[own["_patient"].ge(0) & own["patient_id"].ne("")]
    scored = _compared(own, "lesion_krenning")
    counted = {
        "lesions_scored": scored,
        "lesions_telling": scored[_telling(scored)],
        "lesions_measured": _compared(own, "lesion_suvmax"),
    }
    places = known.get_indexer(patients["patient_id"].to_numpy(dtype=object))
    return patients.assign(
        **{
            name: np.bincount(found["_patient"].to_numpy(dtype=int), minlength=len(known))[places]
            for name, found in counted.items()
        }
    )


def rows(patients: pd.DataFrame, lesions: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Return one row a lesion that is analysed, in the order of the lesion table.

    Parameters
    ----------
    patients : those of `eligibility.analysed`, one row each.
    lesions : canonical lesion table, of these and of other patients.
    outcome : `lesion_krenning` or `lesion_suvmax`.

    Returns
    -------
    frame with the scores and SUVmax of the lesion, and the columns of the patient that describe no
    lesion. The columns of a model come from it as from patients.
    """
    # Sheets of lesions repeat columns of the patient; those of the patient table count.
    own = analysed(lesions, outcome).reindex(columns=["patient_id", "lesion_id", *SCORES, *SUVMAX])
    shared = [name for name in patients if name not in own and not _of_a_scan(name)]
    joined = own.merge(patients[["patient_id", *shared]], on="patient_id", validate="many_to_one")
    return joined.reset_index(drop=True)


def absent(lesions: pd.DataFrame, outcome: str) -> str:
    """Return a sentence where no lesion has what the outcome needs, or empty text."""
    if len(lesions) == 0:
        return "there is no table of lesions, or it is empty"
    if len(analysed(lesions, outcome)) == 0:
        return f"no lesion that is present at both scans has {_WORDS[outcome]} at both"
    return ""


def _compared(lesions: pd.DataFrame, outcome: str) -> pd.DataFrame:
    ends = ENDS[outcome]
    return matched(lesions.reindex(columns=list(dict.fromkeys([*lesions, *ends]))), ends)


def _telling(lesions: pd.DataFrame) -> pd.Series:
    low, high = (lesions[f"krenning_post_{end}"].astype(float) for end in ("low", "high"))
    return ~(low.le(_SCALE[0]) & high.ge(_SCALE[1]))


def _of_a_scan(name: str) -> bool:
    """Whether a patient's column is a value that a lesion has of its own."""
    return name.startswith(("krenning_", "suvmax_", "criterion_", "lesions_")) or name == "scored"
