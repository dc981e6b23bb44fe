"""Dates: what is certain is read, what may be two days is asked."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from captem import dates, notation
from hypothesis import given
from hypothesis import strategies as st

DAYS = st.dates(date(2000, 1, 1), date(2079, 12, 31))


@pytest.mark.parametrize(
    ("cell", "value", "rule"),
    [
        ("2026-03-31", "2026-03-31", ""),
        ("2026-3-1", "2026-03-01", "date_spelling"),
        ("2026/03/31", "2026-03-31", "date_spelling"),
        (" 2026-03-31", "2026-03-31", "spelling"),
        ("2026-03-31T10:20:00", "2026-03-31", "date_with_time"),
        ("2026-03-31 10:20", "2026-03-31", "date_with_time"),
        ("20260331", "2026-03-31", "date_compact"),
        ("31.03.2026", "2026-03-31", "date_day_first"),
        ("03/31/2026", "2026-03-31", "date_month_first"),
        ("31/03/26", "2026-03-31", "date_day_first"),
        ("04.04.2026", "2026-04-04", "date_day_first"),
        ("31 Mar 2026", "2026-03-31", "date_in_words"),
        ("March 31, 2026", "2026-03-31", "date_in_words"),
        ("31-Mar-26", "2026-03-31", "date_in_words"),
        ("31. März 2026", "2026-03-31", "date_in_words"),
        ("n/a", None, "missing_code"),
        ("", None, ""),
    ],
)
def test_dates_that_are_certain(cell, value, rule):
    assert dates.day(cell, set()) == (value, rule)


@pytest.mark.parametrize(
    "cell",
    ["03/04/2026", "3.4.26", "2026", "03/2026", "2026-03", "2026-02-30", "31.31.2026", "46112",
     "31 Foo 2026", "soon", "1/2/3/2026", "99999999"],
)  # fmt: skip
def test_what_may_be_another_day_is_not_read(cell):
    with pytest.raises(notation.NotReadable):
        dates.day(cell, set())


def test_the_column_decides_the_order():
    assert dates.order_of(["03/04/2026", "31/03/2026"]) == {dates.DAY_FIRST}
    assert dates.order_of(["03/04/2026", "03/31/2026"]) == {dates.MONTH_FIRST}
    assert dates.order_of(["13/12/2026"]) == {dates.DAY_FIRST}
    assert dates.order_of(["12/13/2026"]) == {dates.MONTH_FIRST}
    assert dates.order_of(["12/12/2026"]) == set()
    assert dates.order_of(["03/04/2026", "2026-03-31", "31 Mar 2026"]) == set()
    assert dates.day("03/04/2026", {dates.DAY_FIRST}).value == "2026-04-03"
    assert dates.day("03/04/2026", {dates.MONTH_FIRST}).value == "2026-03-04"


def test_a_column_that_says_both_decides_nothing():
    both = dates.order_of(["31/03/2026", "03/31/2026"])
    assert both == {dates.DAY_FIRST, dates.MONTH_FIRST}
    with pytest.raises(notation.NotReadable):
        dates.day("03/04/2026", both)


def test_a_date_against_the_order_that_the_config_gives_is_not_read():
    with pytest.raises(notation.NotReadable, match="other way round"):
        dates.day("03/31/2026", {dates.DAY_FIRST})


@given(DAYS, st.sampled_from(["1899-12-30", "1904-01-01"]))
def test_serial_days_as_spreadsheets_count_them(day, zero):
    number = (day - date.fromisoformat(zero)).days
    assert dates.day(str(number), set(), zero) == (day.isoformat(), "date_serial")
    assert dates.day(f"{number}.5", set(), zero).value == day.isoformat()


def test_serial_days_against_excel():
    """Excel shows 45382 as 31 March 2024 in the 1900 system; 1 January 2000 is 36526."""
    assert dates.day("45382", set(), "1899-12-30").value == "2024-03-31"
    assert dates.day("36526", set(), "1899-12-30").value == "2000-01-01"


@given(st.lists(DAYS, min_size=1, max_size=12), st.sampled_from(["/", ".", "-"]))
def test_no_cell_of_a_column_is_read_as_another_day(days, sign):
    cells = [f"{day.day:02}{sign}{day.month:02}{sign}{day.year}" for day in days]
    orders = dates.order_of(cells)
    for day, cell in zip(days, cells, strict=True):
        try:
            assert dates.day(cell, orders).value == day.isoformat()
        except notation.NotReadable:
            assert orders != {dates.DAY_FIRST}


@given(DAYS)
def test_a_day_written_in_words_is_that_day(day):
    for form in ("%d %b %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"):
        assert dates.day(day.strftime(form), set()).value == day.isoformat()


@given(st.text(max_size=14), st.booleans())
def test_any_text_is_a_day_of_the_calendar_or_refused(cell, serial):
    try:
        reading = dates.day(cell, {dates.DAY_FIRST}, "1899-12-30" if serial else "")
    except notation.NotReadable:
        return
    assert reading.value is None or date.fromisoformat(reading.value) > date(1, 1, 1) + timedelta(0)
