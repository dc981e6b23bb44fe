"""Whether a study's data are synthetic: said by the source files, carried to every output."""

from __future__ import annotations

import pandas as pd

SYNTHETIC, RECORDED = "synthetic", "recorded"


def is_synthetic(sources: pd.DataFrame) -> bool:
    """Say whether any file in `cohort/sources.csv` holds synthetic data."""
    return bool(sources["synthetic"].eq("yes").any())


def marked(drawn: pd.DataFrame, synthetic: bool) -> pd.DataFrame:
    """Add the column `data` that says what the rows of a figure's csv are made from."""
    return drawn.assign(data=SYNTHETIC if synthetic else RECORDED)
