"""Who is in which analysis, and why the others are not: the one place for both.

The flow diagram and the analyses read the same answers, so that their counts cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Test = Callable[[pd.DataFrame], pd.Series]


def _missing(column: str) -> Test:
    return lambda patients: patients[column].isna()


_BASELINE = ("no baseline score", _missing("krenning_pre_low"))
_FOLLOW_UP = ("no follow-up score", _missing("krenning_post_low"))
_UNINFORMATIVE = (
    "follow-up score may be any",
    lambda patients: patients["krenning_post_low"].eq(0) & patients["krenning_post_high"].eq(4),
)
_SUV_BASELINE = ("no baseline SUVmax", _missing("suvmax_pre"))
_SUV_FOLLOW_UP = ("no follow-up SUVmax", _missing("suvmax_post"))
_MIB1 = ("no MIB1 index", _missing("mib1_low"))
_MIB1_OPEN = (
    "MIB1 index without an upper end",
    lambda patients: np.isinf(patients["mib1_high"].astype(float)),
)
_CYCLES = ("number of cycles not known", _missing("captem_cycles"))
_UNSCORED = ("no pair of scores that the rule can use", lambda patients: ~patients["scored"])

NEEDS: dict[str, tuple[tuple[str, Test], ...]] = {
    "transition": (_BASELINE, _FOLLOW_UP),
    "criterion": (_UNSCORED,),
    "model.krenning": (_BASELINE, _FOLLOW_UP, _UNINFORMATIVE, _MIB1, _MIB1_OPEN),
    "model.krenning_cycles": (_BASELINE, _FOLLOW_UP, _UNINFORMATIVE, _MIB1, _MIB1_OPEN, _CYCLES),
    "model.suvmax": (_SUV_BASELINE, _SUV_FOLLOW_UP, _MIB1, _MIB1_OPEN),
}


def left_out(patients: pd.DataFrame, analysis: str) -> pd.Series:
    """Return for each patient the first reason for not being in `analysis`, or empty text.

    `patients` is the canonical patient table; the analysis `criterion` also needs the column
    `scored` of `criterion.status`.
    """
    reason = pd.Series("", index=patients.index, dtype=object)
    for words, fails in NEEDS[analysis]:
        reason = reason.mask(reason.eq("") & fails(patients), words)
    return reason


def analysed(patients: pd.DataFrame, analysis: str) -> pd.DataFrame:
    """Return the patients that are in `analysis`."""
    return patients[left_out(patients, analysis).eq("")]
