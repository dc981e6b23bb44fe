"""The listing: one line a patient. It is patient-level, and made only where the settings ask."""

from __future__ import annotations

from typing import Any

import pandas as pd

from captem import interval_text, notation, rounding
from captem import table_parts as parts
from captem.origin import RECORDED

PATIENT_LEVEL = (
    "Patient-level: every line is one person. Not for a bundle, a public place or anybody outside "
    "the group."
)
_DIRECTIONS = {"up": "rose", "same": "stayed the same", "down": "fell", "undetermined": "left open"}


def listing(patients: pd.DataFrame, changes: pd.DataFrame, data: str = RECORDED) -> parts.Table:
    """Return one line a patient, in the order of `patients.csv`, with the codes that it has.

    Parameters
    ----------
    patients : canonical table.
    changes : `transitions.csv` of the same patients in the same order.
    """
    told = changes.set_index(patients.index)
    columns = {
        "Patient": _texts(patients, "patient_id"),
        "Source": _texts(patients, "source"),
        "Age, years": _numbers(patients, "age_years"),
        "Sex": _texts(patients, "sex"),
        "Primary site": _texts(patients, "primary_site"),
        "MIB1, %": _percentages(patients),
        "CAPTEM cycles": _numbers(patients, "captem_cycles"),
        "Krenning baseline": _scores(patients, "pre"),
        "Krenning follow-up": _scores(patients, "post"),
        "SUVmax baseline": _numbers(patients, "suvmax_pre"),
        "SUVmax follow-up": _numbers(patients, "suvmax_post"),
        "Uptake": [_DIRECTIONS.get(way, rounding.EMPTY) for way in told["direction"]],
        "SSTR criterion gained": _texts(told, "criterion_gained"),
    }
    lines = [parts.Row(cells) for cells in zip(*columns.values(), strict=True)]
    return parts.table(
        "listing", "Listing of the patients, patient-level", list(columns), lines, [PATIENT_LEVEL],
        data, wide=True, text_columns=(0, 1, 3, 4, 11, 12),
    )  # fmt: skip


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    values: Any = frame.get(name, pd.Series(None, index=frame.index, dtype=object))
    return [rounding.EMPTY if pd.isna(value) else str(value) for value in values]


def _numbers(frame: pd.DataFrame, name: str) -> list[str]:
    values: Any = frame.get(name, pd.Series(float("nan"), index=frame.index))
    return [rounding.EMPTY if pd.isna(value) else rounding.measure(float(value), 2)
            for value in values]  # fmt: skip


def _scores(patients: pd.DataFrame, time: str) -> list[str]:
    low, high = (patients[f"krenning_{time}_{end}"] for end in ("low", "high"))
    return [_range(text) for text in interval_text.cells(low, high)]


def _percentages(patients: pd.DataFrame) -> list[str]:
    ends = zip(patients["mib1_low"], patients["mib1_high"], strict=True)
    return [_range("" if pd.isna(low) else notation.written(low, high)) for low, high in ends]


def _range(text: str | None) -> str:
    """Print an interval of `patients.csv` with the signs of a text: `2–3`, `≥20`."""
    return text.replace(">=", "≥").replace("-", rounding.DASH) if text else rounding.EMPTY
