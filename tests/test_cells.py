"""Columns of cells: what the column decides, and what it leaves open."""

from __future__ import annotations

import pytest
from captem import cells
from captem.schemas import LESIONS, PATIENTS, fields
from hypothesis import given
from hypothesis import strategies as st

FIELDS = fields(PATIENTS) | fields(LESIONS)


def read(name, texts, **setting):
    return cells.read(texts, FIELDS[name], cells.Setting(**setting))


def values(found):
    return {cell: reading[0] for cell, reading in found.found.items()}


def test_a_decimal_comma_is_seen_in_the_column():
    found = read("suvmax_pre", ["9,09", "11,4", "12"])
    assert values(found) == {"9,09": 9.09, "11,4": 11.4, "12": 12}
    assert [found.found[cell].rule for cell in ("9,09", "12")] == ["decimal_comma", ""]


def test_three_digits_behind_a_comma_are_thousands_or_not():
    assert set(read("activity_mbq_pre", ["1,234", "150"]).faults) == {"1,234"}
    assert values(read("activity_mbq_pre", ["1,234", "150,5"]))["1,234"] == 1.234
    assert values(read("activity_mbq_pre", ["1,234"], decimal_comma=True))["1,234"] == 1.234
    assert values(read("activity_mbq_pre", ["0,234"]))["0,234"] == 0.234


def test_a_point_among_decimal_commas_is_asked():
    found = read("activity_mbq_pre", ["1.234", "150,5", "9.5"])
    assert set(found.faults) == {"1.234"}
    assert values(found)["9.5"] == 9.5


@pytest.mark.parametrize("cell", ["1,234,567", "1.234,5", "1,234.5"])
def test_both_signs_in_one_number_are_not_read(cell):
    assert set(read("activity_mbq_pre", [cell]).faults) == {cell}


def test_intervals_with_decimal_commas():
    found = read("mib1", ["7,5-8", "7,5 % - 8,5 %", "< 2,5"])
    assert [tuple(found.found[cell])[:2] for cell in found.found] == [
        (7.5, 8),
        (7.5, 8.5),
        (0, 2.5),
    ]


@pytest.mark.parametrize(
    ("texts", "doubtful"),
    [
        (["7", "12", "0.07"], {"0.07"}),
        (["0.07", "0.12", "1"], {"0.07", "0.12", "1"}),
        (["7", "1", "12"], set()),
        (["0.5%", "7%"], set()),
        (["<1", "7"], set()),
        (["0.05-0.1", "7"], {"0.05-0.1"}),
        (["0", "7"], set()),
        (["0.5-2", "7"], set()),
    ],
)
def test_fractions_among_percents_are_asked(texts, doubtful):
    assert read("mib1", texts).doubtful == doubtful


def test_the_config_says_what_a_fraction_is():
    assert read("mib1", ["0.5", "7"], mib1_unit="percent").doubtful == frozenset()
    found = read("mib1", ["0.07", "7 %", "1", "0.07-0.08", "<0.03", "7"], mib1_unit="fraction")
    assert values(found)["0.07"] == 7 and found.found["0.07"].rule == "fraction"
    assert values(found)["7 %"] == 7 and values(found)["1"] == 100
    assert found.found["0.07-0.08"][:2] == (7, 8)
    assert set(found.faults) == {"7"}


def test_codes_are_read_by_their_labels():
    found = read("sex", ["1", "2", "9", ""], codes={"1": "Male", "2": "Female", "9": "unknown"})
    assert values(found) == {"1": "male", "2": "female", "9": None, "": None}
    assert [reading.rule for reading in found.found.values()] == [
        "label", "label", "missing_code", "",
    ]  # fmt: skip


def test_a_score_that_is_put_in_words_is_the_score():
    words = {"2": "like liver", "3": "above liver", "9": "not done"}
    assert values(read("krenning_pre", ["2", "3", "9"], codes=words)) == {"2": 2, "3": 3, "9": None}
    moved = {"1": "0", "2": "1", "3": "2", "4": "3", "5": "4"}
    assert values(read("krenning_pre", ["1", "5"], codes=moved)) == {"1": 0, "5": 4}


def test_declared_codes_are_missing():
    found = read("krenning_pre", ["-99", "3"], missing=frozenset({"-99"}))
    assert values(found) == {"-99": None, "3": 3}
    assert found.found["-99"].rule == "missing_code"


def test_a_unit_in_the_heading():
    assert values(read("diameter_mm_pre", ["5.3", "40 mm"], given="cm")) == {"5.3": 53, "40 mm": 40}
    assert set(read("diameter_mm_pre", ["5.3"], given="in").faults) == {"5.3"}


@given(
    st.lists(st.decimals(0, 99, places=2), min_size=1, max_size=8),
    st.sampled_from([".", ","]),
    st.booleans(),
)
def test_no_decimal_sign_changes_a_number_silently(numbers, sign, german):
    texts = [str(number).replace(".", sign) for number in numbers]
    found = read("suvmax_pre", texts, decimal_comma=german and sign == ",")
    for number, text in zip(numbers, texts, strict=True):
        assert text in found.faults or found.found[text].low == float(number)
        if sign == "," and "," in text and text in found.found:
            assert found.found[text].rule == "decimal_comma"


@pytest.mark.parametrize(
    ("name", "codes", "cell", "value"),
    [
        ("krenning_pre", {"1": "0", "2": "1", "6": "not assessable"}, "1", 0),
        ("krenning_pre", {"1": "0 (none)", "2": "1 (very low)", "3": "2"}, "3", 2),
        ("krenning_pre", {"0": "0 none", "3": "3 above liver"}, "3", 3),
        ("krenning_pre", {"1": "0", "2": "1"}, "1.0", 0),
        ("mib1", {"1": "<3% (G1)", "2": "3-20% (G2)"}, "2", 3),
        ("captem_cycles", {"1": "1-3", "2": "4-6"}, "2", None),
        ("ecog", {"1": "ECOG 0", "2": "ECOG 1"}, "1", None),
    ],
)
def test_a_code_is_never_taken_for_a_value_that_its_label_denies(name, codes, cell, value):
    found = read(name, [cell], codes=codes)
    if value is None:
        assert set(found.faults) == {cell}
    else:
        assert found.found[cell].low == value


@pytest.mark.parametrize("cell", ["99", "99.0", "099", "99,0"])
def test_a_declared_code_is_one_however_it_is_written(cell):
    found = read("mib1", [cell, "7"], missing=frozenset({"99"}))
    assert found.found[cell].low is None
