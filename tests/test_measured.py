"""Rows are unstable where their method was measured outside its limits, and nowhere else."""

from __future__ import annotations

import pandas as pd
import pytest
from captem import measured, statistics

MCNEMAR = "criterion.mcnemar/criterion/all"
COLUMNS = (
    "scenario", "patients", "row_id", "mean_patients", "studies", "covers", "covers_error",
    "rejects", "rejects_error", "is_error", "judged", "outside",
)  # fmt: skip


def table(*lines: tuple) -> pd.DataFrame:
    """Return what was measured: patients, covers, rejects and what is outside of each line."""
    rows = [
        ("no_change", patients, MCNEMAR, float(patients), 2000.0, covers, 0.007, rejects, 0.006,
         "yes", "yes", outside)
        for patients, covers, rejects, outside in lines
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def row(n: int | None, status: str = "ok", reason: str = "", subset: str = "all") -> pd.DataFrame:
    """Return one row of `statistics.csv`."""
    return statistics.frame(
        [
            statistics.row(
                "criterion.mcnemar", "criterion", subset, "change", estimate=0.5, p_value=0.04,
                n_patients=n, status=status, reason=reason,
            )
        ]
    )  # fmt: skip


LOW = table((12, 0.901, 0.05, "coverage"), (40, 0.95, 0.05, ""))


def held(rows: pd.DataFrame, cells: pd.DataFrame = LOW) -> pd.Series:
    return measured.gated(rows, cells).iloc[0]


def test_a_row_of_a_size_at_which_its_method_failed_is_unstable_and_quotes_the_figure():
    told = held(row(12))
    assert told["status"] == "unstable"
    assert told["reason"] == (
        "at about 12 patients its interval held the truth in 90.1 % (±0.7 %) of simulated studies "
        "(docs/validity.md)"
    )
    assert told["p_value"] == 0.04 and told["estimate"] == 0.5


def test_a_short_run_makes_nothing_unstable():
    assert held(row(12), LOW.assign(studies=1999.0))["status"] == "ok"


@pytest.mark.parametrize(
    ("n", "status"), [(3, "unstable"), (21, "unstable"), (22, "ok"), (900, "ok")]
)
def test_the_nearest_size_decides_as_a_ratio(n, status):
    """Between 12 and 40 patients the middle is 21.9."""
    assert held(row(n))["status"] == status


def test_the_size_of_a_test_is_quoted_and_the_liberal_one_first():
    cells = table((12, 0.95, 0.01, "test"), (12, 0.95, 0.081, "test"))
    assert "P was .05 or less in 8.1 % (±0.6 %) of simulated" in held(row(12), cells)["reason"]
    both = table((12, 0.9, 0.081, "coverage test"))
    assert held(row(12), both)["reason"] == (
        "at about 12 patients its interval held the truth in 90.0 % (±0.7 %) of simulated studies, "
        "and P was .05 or less in 8.1 % (±0.6 %) of simulated studies in which there was nothing "
        "to find, where 5 % is right (docs/validity.md)"
    )


def test_what_is_not_estimable_stays_so():
    told = held(row(12, "not_estimable", "no patient"))
    assert (told["status"], told["reason"]) == ("not_estimable", "no patient")


def test_a_reason_that_is_there_stays_first():
    told = held(row(12, "unstable", "12 patients: read as exploratory"))
    assert told["reason"].startswith("12 patients: read as exploratory; at about 12 patients its")
    noted = held(row(12, "ok", "smallest P possible: 0.01"))
    assert noted["status"] == "unstable"
    assert noted["reason"].startswith("smallest P possible: 0.01; at about")


def test_a_row_that_nobody_measured_and_one_without_patients_stay():
    other = statistics.frame(
        [statistics.row("sensitivity.source", "krenning", "all", "x", n_patients=12)]
    )
    pd.testing.assert_frame_equal(measured.gated(other, LOW), other)
    pd.testing.assert_frame_equal(measured.gated(row(None), LOW), row(None))


def test_rows_of_a_subset_are_held_to_the_same():
    assert held(row(12, subset="confirmatory"))["status"] == "unstable"


def test_too_few_studies_say_nothing():
    assert held(row(12), LOW.assign(judged="no"))["status"] == "ok"


def test_a_study_without_rows():
    none = statistics.frame([])
    assert measured.gated(none, LOW).empty
