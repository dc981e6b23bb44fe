"""Cells as clinics write them, read as intervals."""

from __future__ import annotations

import math

import pytest
from captem import dates, notation
from hypothesis import given
from hypothesis import strategies as st

ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}


def _day(cell):
    return dates.day(cell, {dates.DAY_FIRST}, "1899-12-30")


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
        ("2-3", 2, 3, ""),
        ("2 – 3", 2, 3, "interval"),
        ("2 to 3", 2, 3, "interval"),
        ("Krenning 3", 3, 3, "spelling"),
        ("score: II", 2, 2, "roman"),
        ("Grade III-IV", 3, 4, "roman_interval"),
        ("3.0", 3, 3, ""),
        ("–", None, None, "missing_code"),
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
        ("7-8", 7, 8, ""),
        ("7 to 8 %", 7, 8, "interval"),
        ("Ki-67: 7 %", 7, 7, "percent_sign"),
        ("7.0", 7, 7, ""),
        ("7–8 %", 7, 8, "interval"),
        ("12", 12, 12, ""),
        ("12 %", 12, 12, "percent_sign"),
        ("12.5", 12.5, 12.5, ""),
        ("<3", 0, 3, "censored"),
        ("≤1", 0, 1, "censored"),
        (">20", 20, math.inf, "censored"),
        (">=20", 20, math.inf, ""),
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


@pytest.mark.parametrize(
    ("cell", "unit", "given", "value", "rule"),
    [
        ("9.09", "SUV", "", 9.09, ""),
        ("SUVmax 9.09", "SUV", "", 9.09, "spelling"),
        ("9.09 g/ml", "SUV", "", 9.09, "unit"),
        ("58 y", "years", "", 58, "unit"),
        ("58-y", "years", "", None, None),
        ("6 cycles", "cycles", "", 6, "unit"),
        ("5.3 cm", "mm", "", 53, "unit"),
        ("5.3", "mm", "cm", 53, "unit"),
        ("53 mm", "mm", "cm", 53, "unit"),
        ("10 x 6 x 5.3 cm", "mm", "", 100, "longest"),
        ("5 mCi", "MBq", "", 185, "unit"),
        ("1 h", "min", "", 60, "unit"),
        ("95 %", "", "", 0.95, "unit"),
        ("9.09 kg", "SUV", "", None, None),
        ("about 9", "SUV", "", None, None),
        ("<9", "SUV", "", None, None),
        ("8-9", "SUV", "", None, None),
        ("1 2", "SUV", "", None, None),
    ],
)
def test_numbers_and_their_units(cell, unit, given, value, rule):
    if value is None:
        with pytest.raises(notation.NotReadable):
            notation.number(cell, unit, given)
    else:
        assert notation.number(cell, unit, given) == (value, value, rule)


@given(st.decimals(0, 500, places=3), st.sampled_from(["", " cm", "cm", " CM"]))
def test_centimetres_are_exactly_ten_millimetres(size, unit):
    said = notation.number(f"{size}{unit}", "mm", "").low
    assert said == float(size * 10 if unit else size)


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("3/4", ("3", "4")),
        ("3→4", ("3", "4")),
        ("3 -> 4", ("3", "4")),
        ("<=1 → III-IV", ("<=1", "III-IV")),
        ("9.09 / 11.47", ("9.09", "11.47")),
        ("3-4", None),
        ("3", None),
        ("n/a", None),
        ("1/2/3", None),
        ("/3", None),
    ],
)
def test_both_scans_in_one_cell(cell, parts):
    assert notation.before_and_after(cell) == parts


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused(cell):
    for read in (notation.score, notation.percent, notation.number, notation.count, _day):
        try:
            reading = read(cell)
        except notation.NotReadable:
            continue
        if isinstance(reading, notation.Interval) and reading.low is not None:
            assert reading.low <= reading.high
            # A number never comes out of a cell that holds no digit and no Roman numeral.
            assert any(sign.isdigit() or sign in "IViv" for sign in cell)


def test_words_of_a_vocabulary():
    assert notation.choice("F", ("female", "male", "other")) == ("female", "vocabulary")
    assert notation.choice("Yes", ("yes", "no")) == ("yes", "vocabulary")
    assert notation.choice("no", ("yes", "no")) == ("no", "")
    assert notation.choice("nein", ("yes", "no")) == ("no", "vocabulary")
    assert notation.choice("w", ("female", "male", "other")) == ("female", "vocabulary")
    states = ("present", "resolved", "new", "not_assessable")
    assert notation.choice("Not  assessable", states) == ("not_assessable", "vocabulary")
    assert notation.choice("absent", states) == ("resolved", "vocabulary")
    with pytest.raises(notation.NotReadable):
        notation.choice("maybe", ("yes", "no"))
