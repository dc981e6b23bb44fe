"""The rows of a figure: what `figures/<name>.csv` holds, and all that the figure is drawn from.

Where the data of a figure do not exist, its csv has one row that says why, in `not_drawn`; figure,
caption and page for readers take the sentence from there.
"""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from captem.files import as_csv

NOT_DRAWN = "not_drawn"
_TEXTS = ("patient_id", "lesion_id", "row_id", "source", NOT_DRAWN)


def absent(reason: str) -> pd.DataFrame:
    """Return the rows of a figure whose data do not exist: one line that says why.

    `reason` is a sentence without its capital and its full stop.
    """
    return pd.DataFrame({NOT_DRAWN: [reason]})


def reason_not_drawn(rows: pd.DataFrame) -> str:
    """Return why a figure is not drawn, or empty text.

    >>> reason_not_drawn(absent("no patient has a date"))
    'no patient has a date'
    """
    return str(rows[NOT_DRAWN].iloc[0]) if NOT_DRAWN in rows and len(rows) else ""


def as_written(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows as they come back from the csv of their figure."""
    return read(io.StringIO(as_csv(rows)))


def read(source: Any) -> pd.DataFrame:
    """Read the csv of a figure, a path or a stream; codes of patients and lesions stay text."""
    return pd.read_csv(
        source,
        dtype=dict.fromkeys(_TEXTS, str),
        keep_default_na=False,
        na_values=[""],
    )
