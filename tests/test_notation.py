"""Cells as clinics write them, read as intervals."""

from __future__ import annotations

import math

import pytest
from captem import notation
from hypothesis import given
from hypothesis import strategies as st

ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}
DASHES = st.sampled_from(["-", "–", " - ", " – ", "—"])


@pytest.mark.parametrize(
    ("cell", "low", "high", "rule"),
    [
        ("3", 3, 3, ""),
        ("0", 0, 0, ""),
        ("<=1", 0, 1, "censored"),
        ("≤ 1", 0, 1, "censored"),
        ("<2", 0, 1, "censored"),
        (">2", 3, 4, "censored"),
        (">=3", 3, 4, "censored"),
        ("III-IV", 3, 4, "roman_interval"),
        ("iii–iv", 3, 4, "roman_interval"),
        ("II", 2, 2, "roman"),
        ("2-3", 2, 3, "interval"),
        (" 2 ", 2, 2, "spelling"),
        ("", None, None, ""),
        ("n/a", None, None, "missing_code"),
        ("?", None, None, "missing_code"),
    ],
)
def test_score(cell, low, high, rule):
    assert notation.score(cell) == (low, high, rule)


@pytest.mark.parametrize("cell", ["2.5", "V", "high", "1-2-3", "3-2", "<0", "1/2", "2,5", "-1"])
def test_score_that_cannot_be_read(cell):
    with pytest.raises(notation.NotReadable):
        notation.score(cell)


@pytest.mark.parametrize(("cell", "low", "high"), [("5", 5, 5), (">4", 5, 5), ("<=7", 0, 7)])
def test_score_off_the_scale_is_read_and_left_to_the_range_check(cell, low, high):
    assert notation.score(cell)[:2] == (low, high)


@pytest.mark.parametrize(
    ("cell", "low", "high", "rule"),
    [
        ("7%-8%", 7, 8, "interval"),
        ("7-8", 7, 8, "interval"),
        ("7–8 %", 7, 8, "interval"),
        ("12", 12, 12, ""),
        ("12 %", 12, 12, "percent_sign"),
        ("12.5", 12.5, 12.5, ""),
        ("<3", 0, 3, "censored"),
        ("≤1", 0, 1, "censored"),
        (">20", 20, math.inf, "censored"),
        (">=20", 20, math.inf, "censored"),
        ("-5", -5, -5, ""),
    ],
)
def test_percent(cell, low, high, rule):
    assert notation.percent(cell) == (low, high, rule)


@pytest.mark.parametrize("cell", ["9,5", "low", "8-7", "1-2-3", "7 8%x", "1e2", "<"])
def test_percent_that_cannot_be_read(cell):
    with pytest.raises(notation.NotReadable):
        notation.percent(cell)


@given(st.integers(0, 4), st.integers(0, 4), DASHES, st.booleans())
def test_a_score_interval_reads_back(a, b, dash, roman):
    low, high = sorted((a, b))
    name = (lambda step: ROMAN.get(step, str(step))) if roman else str
    assert notation.score(f"{name(low)}{dash}{name(high)}")[:2] == (low, high)


@given(st.integers(0, 1000), st.integers(0, 1000), DASHES, st.sampled_from(["", "%", " %"]))
def test_a_percent_interval_reads_back(a, b, dash, sign):
    low, high = sorted((a / 10, b / 10))
    assert notation.percent(f"{low}{sign}{dash}{high}{sign}")[:2] == (low, high)


@given(
    st.one_of(
        st.integers(0, 4).map(lambda k: (k, k)), st.tuples(st.integers(0, 2), st.integers(3, 4))
    )
)
def test_what_is_written_reads_back(ends):
    assert notation.score(notation.written(*ends))[:2] == ends


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(cell):
    for read in (notation.score, notation.percent, notation.number, notation.count, notation.day):
        try:
            reading = read(cell)
        except notation.NotReadable:
            continue
        if isinstance(reading, notation.Interval) and reading.low is not None:
            assert reading.low <= reading.high
            # A number never comes out of a cell that holds no digit and no Roman numeral.
            assert any(sign.isdigit() or sign in "IViv" for sign in cell)


def test_dates_are_iso_only():
    assert notation.day("2026-03-31").value == "2026-03-31"
    for cell in ("31.03.2026", "03/04/2026", "2026-02-30", "20260331"):
        with pytest.raises(notation.NotReadable):
            notation.day(cell)


def test_words_of_a_vocabulary():
    assert notation.choice("F", ("female", "male", "other")) == ("female", "vocabulary")
    assert notation.choice("Yes", ("yes", "no")) == ("yes", "vocabulary")
    assert notation.choice("no", ("yes", "no")) == ("no", "")
    with pytest.raises(notation.NotReadable):
        notation.choice("maybe", ("yes", "no"))
