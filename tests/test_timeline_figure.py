"""The timeline draws the dates that are recorded, and no date of the calendar."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from captem.figure_rows import reason_not_drawn
from captem.figures import style, timeline
from figure_studies import faults, figure, profile, rows, study, words
from matplotlib.patches import Rectangle

pytestmark = pytest.mark.xdist_group("figures")
MONTH = 30.4375


def drawn(found):
    return style.framed(timeline, found, profile(), "recorded")


def patients(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"patient_id": [f"p{i}" for i in range(size)]} | columns)


def test_each_bar_is_the_captem_of_a_patient():
    found = rows("timeline")
    given = study(60).patients.set_index("patient_id")
    bars = [p for p in figure("timeline").axes[0].patches if isinstance(p, Rectangle)]
    dates = given.loc[found["patient_id"], ["pet_date_pre", "captem_start", "captem_end"]]
    dates = dates.apply(pd.to_datetime)
    known = dates.notna().all(axis=1).to_numpy()
    start = ((dates["captem_start"] - dates["pet_date_pre"]).dt.days / MONTH)[known]
    end = ((dates["captem_end"] - dates["pet_date_pre"]).dt.days / MONTH)[known]
    assert len(bars) == known.sum()
    np.testing.assert_allclose([bar.get_x() for bar in bars], start)
    np.testing.assert_allclose([bar.get_x() + bar.get_width() for bar in bars], end)


def test_circles_are_scans_filled_by_the_analogue():
    found = rows("timeline")
    ax = figure("timeline").axes[0]
    circles = [line for line in ax.lines if line.get_marker() == "o"]
    for fill, said in (("#222222", "yes"), ("white", "no")):
        x = np.concatenate([c.get_xdata() for c in circles if c.get_markerfacecolor() == fill])
        expected = found.loc[found["ssa_pre"].eq(said), "baseline"].dropna().tolist()
        expected += found.loc[found["ssa_post"].eq(said), "follow_up"].dropna().tolist()
        np.testing.assert_allclose(sorted(x), sorted(expected))
    assert found["baseline"].eq(0).all()


def test_the_counts_are_those_of_the_patients():
    given = study(60).patients
    other = given["interval_therapy"].notna() & given["interval_therapy"].ne("none")
    said = words(figure("timeline"))
    assert f"other treatment between the scans, date not known ({other.sum()})" in said
    never = given["pet_date_post"].isna().sum()
    n = f"n = {len(given)}, one line a patient; {never} without a date of a follow-up PET"
    assert n in said


def test_no_code_and_no_calendar_date_is_in_the_picture():
    said = " ".join(words(figure("timeline")))
    assert not any(code in said for code in study(60).patients["patient_id"])
    assert not re.search(r"(19|20)\d\d", said)
    kept = [name for name in rows("timeline") if "date" in name]
    assert not kept


def test_patients_without_a_baseline_date_are_counted():
    found = timeline.data(
        patients(
            pet_date_pre=["2024-01-01", None, "2024-03-01"],
            pet_date_post=["2024-07-01", "2024-08-01", None],
        )
    )
    assert list(found["patient_id"]) == ["p2", "p0"]
    said = " ".join(words(drawn(found)))
    assert "n = 2, one line a patient; 1 without a date of a follow-up PET" in said
    assert "; 1 more not drawn: no date of the baseline PET" in said


def test_without_baseline_scans_months_are_counted_from_captem():
    found = timeline.data(patients(captem_start=["2024-01-01"], captem_end=["2024-03-01"]))
    assert "Months from start of CAPTEM" in words(drawn(found))
    assert found["captem_end"].iloc[0] == pytest.approx(60 / MONTH)


def test_half_a_course_and_every_other_event_is_drawn():
    found = timeline.data(
        patients(
            pet_date_pre=["2024-01-01", "2024-01-01"],
            pet_date_post=["2024-07-01", "2024-08-01"],
            captem_start=["2024-02-01", None],
            captem_end=[None, None],
            last_captem_date=[None, "2024-05-01"],
            ssa_last_dose_date_pre=["2023-12-20", None],
            prrt_after_date=["2024-09-01", None],
            last_contact=["2025-01-01", "2025-01-01"],
            ssa_pre=["yes", None],
            ssa_post=["no", None],
        )
    )
    said = words(drawn(found))
    for label in (
        "CAPTEM, start or end alone (2)", "PET, on an SSA (1 scan)",
        "PET, without an SSA (1 scan)", "PET, SSA not known (2 scans)",
        "last dose of an SSA before a scan (1)",
        "first PRRT (1)", "last contact (2)",
    ):  # fmt: skip
        assert label in said
    assert faults(drawn(found)) == []


def test_dates_that_contradict_each_other_are_drawn_as_they_are():
    found = timeline.data(
        patients(
            pet_date_pre=["2024-05-01"], pet_date_post=["2024-01-01"],
            captem_start=["2024-04-01"], captem_end=["2024-02-01"],
        )
    )  # fmt: skip
    assert found["follow_up"].iloc[0] < 0
    assert drawn(found).axes[0].patches[0].get_width() < 0


def test_other_treatment_is_a_cross_midway_unless_its_date_is_known():
    named = ["PRRT", "PRRT", "embolisation", "none", None, "PRRT"]
    found = timeline.data(
        patients(
            pet_date_pre=["2024-01-01"] * 6,
            captem_end=["2024-03-01"] * 6,
            pet_date_post=["2024-07-01"] * 5 + [None],
            interval_therapy=named,
            prrt_after_date=[None, "2024-05-01", "2024-05-01", None, "2024-05-01", None],
        )
    )
    crosses = found.set_index("patient_id")["other_therapy"].eq("yes")
    assert set(crosses[crosses].index) == {"p0", "p2", "p5"}
    fig = drawn(found)
    (cross,) = [line for line in fig.axes[0].lines if line.get_marker() == "X"]
    places = dict(zip(found["patient_id"].iloc[cross.get_ydata()], cross.get_xdata(), strict=True))
    assert places["p0"] == pytest.approx(91 / MONTH)
    assert places["p5"] == pytest.approx(30 / MONTH)
    assert "other treatment between the scans, date not known (3)" in words(fig)
    assert "first PRRT (3)" in words(fig)


def test_a_line_reaches_from_the_first_to_the_last_date():
    found = timeline.data(
        patients(
            pet_date_pre=["2024-01-01", "2024-01-01"],
            pet_date_post=["2024-07-01", None],
            last_contact=[None, "2025-01-01"],
        )
    )
    (lines,) = drawn(found).axes[0].collections
    ends = {tuple(segment[:, 0].round(3)) for segment in lines.get_segments()}
    assert ends == {(0.0, round(182 / MONTH, 3)), (0.0, round(366 / MONTH, 3))}


def test_the_legend_stays_readable_where_the_marks_are_small():
    fig = figure("timeline", 500)
    look = profile()
    (legend,) = fig.legends
    marks = [handle for handle in legend.legend_handles if hasattr(handle, "get_markersize")]
    assert {handle.get_markersize() for handle in marks} == {look.marker_pt}
    (cross,) = [line for line in fig.axes[0].lines if line.get_marker() == "X"]
    assert cross.get_markersize() >= look.marker_pt / 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"krenning_pre_low": [1]}, "no patient has a date"),
        ({"pet_date_pre": ["2024-01-01"]}, "no patient has a second date"),
    ],
)
def test_without_dates_there_is_no_figure(given, reason):
    assert reason_not_drawn(timeline.data(patients(**given))).startswith(reason)
