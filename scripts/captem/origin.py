"""Whether a study's data are synthetic: said by the source files, carried to every output."""

from __future__ import annotations

import pandas as pd

RECORDED, SYNTHETIC, MIXED = "recorded", "synthetic", "partly synthetic"


def data_kind(sources: pd.DataFrame) -> str:
    """Return whether the data of `cohort/sources.csv` are recorded, synthetic or a mix of both."""
    answers = set(sources["synthetic"].dropna())
    if "yes" not in answers:
        return RECORDED
    return SYNTHETIC if answers == {"yes"} else MIXED


def words(data: str) -> str:
    """Return what a figure or caption says of its data: nothing where they are recorded.

    >>> words(SYNTHETIC), words(MIXED), words(RECORDED)
    ('Synthetic data', 'Partly synthetic data', '')
    """
    return "" if data == RECORDED else f"{data.capitalize()} data"


def marked(drawn: pd.DataFrame, data: str) -> pd.DataFrame:
    """Add the column `data` that says what the rows of a figure's csv are made from."""
    return drawn.assign(data=data)
