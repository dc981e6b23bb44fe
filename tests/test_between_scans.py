"""What else changed between the scans: true, false, or not known."""

from __future__ import annotations

import pandas as pd
import pytest
from captem import between_scans


def answers(found: pd.Series) -> list[bool | None]:
    return [None if pd.isna(value) else bool(value) for value in found]


def test_a_change_is_one_of_letters_and_figures():
    patients = pd.DataFrame(
        {
            "scanner_pre": ["Siemens mCT", "Siemens mCT", None, "A"],
            "scanner_post": ["siemens-MCT", "GE 710", "A", None],
        }
    )
    assert answers(between_scans.changed(patients, "scanner")) == [False, True, None, None]


def test_without_the_columns_nothing_is_known():
    patients = pd.DataFrame({"patient_id": ["A", "B"]})
    for found in (
        between_scans.changed(patients, "tracer"),
        between_scans.other_therapy(patients),
        between_scans.prrt(patients),
    ):
        assert answers(found) == [None, None]


@pytest.mark.parametrize(
    ("said", "other", "prrt"),
    [
        ("none", False, False),
        (" No ", False, False),
        (None, None, None),
        ("embolisation", True, False),
        ("2 cycles of PRRT", True, True),
        ("177Lu-DOTATATE", True, True),
        ("Lu-177 dotatate", True, True),
        ("radioligand therapy", True, True),
        ("lanreotide monthly 90 mg", True, False),
        ("therapy 90 days everolimus", True, False),
        ("SIRT Y-90", True, False),
        ("90Y-DOTATOC", True, True),
        ("PRRT planned, not given", True, False),
        ("no PRRT", False, False),
        ("PRRT, not given", True, False),
        ("PRRT, no embolisation", True, True),
        ("everolimus not tolerated, PRRT", True, True),
        ("everolimus, then PRRT", True, True),
        ("None.", False, False),
        ("-", False, False),
    ],
)
def test_treatment_between_the_scans(said, other, prrt):
    patients = pd.DataFrame({"interval_therapy": [said]})
    assert answers(between_scans.other_therapy(patients)) == [other]
    assert answers(between_scans.prrt(patients)) == [prrt]


def test_a_prrt_dated_before_the_follow_up_counts_whatever_is_said():
    patients = pd.DataFrame(
        {
            "interval_therapy": ["none", None, "none"],
            "prrt_after_date": ["2024-01-01", "2024-01-01", "2024-09-01"],
            "pet_date_post": ["2024-05-01"] * 3,
        }
    )
    assert answers(between_scans.other_therapy(patients)) == [True, True, False]
    assert answers(between_scans.prrt(patients)) == [True, True, False]
