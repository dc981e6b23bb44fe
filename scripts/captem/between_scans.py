"""What else changed between the two scans of a patient: scanner, tracer, analogue, other treatment.

Answers are `boolean` columns: true, false, or missing where the table does not say.
"""

from __future__ import annotations

import re

import pandas as pd

_NOTHING = frozenset(
    ("", "none", "no", "nil", "keine", "nein", "0", "noprrt", "noprrtgiven", "noothertherapy")
)
# Radionuclide treatment by its usual names. Radioembolisation (SIRT) is another one, and what was
# planned or denied is none.
_PRRT = re.compile(
    r"\bprrt\b|\blu(?:tetium)?[\W_]*177\b|\b177[\W_]*lu|\blutet|\blutathera"
    r"|\b(?:y|yttrium)[\W_]*90[\W_]*dota|\b90[\W_]*y[\W_]*dota|\bradio(?:ligand|nuclide|peptide)"
)
_NOT_GIVEN = re.compile(r"\b(?:no|not|without|never|planned|kein\w*|ohne|nicht|declined|refused)\b")

# What parts treatments; a comma before a denial of what stands before it does not.
_ANOTHER = re.compile(
    r"[;/+]|\band\b|,(?!\s*(?:but\s+)?(?:not|never|planned|nicht|declined|refused)\b)"
)


def bare(text: str) -> str:
    """Return a text without case, signs and spaces, so that `Siemens-mCT` equals `siemens mct`.

    >>> bare("68Ga-DOTATATE") == bare("68ga dotatate")
    True
    """
    return re.sub(r"[\W_]+", "", text).lower()


def changed(patients: pd.DataFrame, name: str) -> pd.Series:
    """Return whether `<name>_pre` and `<name>_post` differ, whatever the case and the signs."""
    before, after = (
        _texts(patients, f"{name}_{time}").map(bare, na_action="ignore") for time in ("pre", "post")
    )
    return before.ne(after).astype("boolean").where(before.notna() & after.notna())


def is_therapy(text: str) -> bool:
    """Return whether a cell names a treatment, and not that there was none."""
    return bare(text) not in _NOTHING


def other_therapy(patients: pd.DataFrame) -> pd.Series:
    """Return whether another treatment than CAPTEM was given between the scans.

    A first PRRT dated before the follow-up PET counts too.
    """
    said = _texts(patients, "interval_therapy").map(is_therapy, na_action="ignore")
    return said.astype("boolean").mask(_dated_prrt(patients), True)


def prrt(patients: pd.DataFrame) -> pd.Series:
    """Return whether the other treatment between the scans was PRRT, by its usual names."""
    said = _texts(patients, "interval_therapy").map(
        lambda text: _is_prrt(text.lower()), na_action="ignore"
    )
    return said.astype("boolean").mask(_dated_prrt(patients), True)


def _is_prrt(text: str) -> bool:
    return any(_PRRT.search(part) and not _NOT_GIVEN.search(part) for part in _ANOTHER.split(text))


def _dated_prrt(patients: pd.DataFrame) -> pd.Series:
    dates, scans = (
        pd.to_datetime(_texts(patients, name), errors="coerce")
        for name in ("prrt_after_date", "pet_date_post")
    )
    return dates < scans


def _texts(patients: pd.DataFrame, name: str) -> pd.Series:
    values = patients.get(name, pd.Series(None, index=patients.index, dtype=object)).astype(object)
    return values.where(values.notna(), None).map(str, na_action="ignore")
