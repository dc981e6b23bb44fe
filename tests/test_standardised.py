"""Standardised differences are those of the package tableone, which follows Yang and Dalton."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from captem import standardised
from tableone import TableOne


def cohort(seed: int, n: int, groups: int = 2) -> pd.DataFrame:
    """Return random patients with a measure and a category, both with missing values."""
    rng = np.random.default_rng(seed)
    levels = rng.choice(["lung", "pancreas", "rectum", "stomach"], n, p=rng.dirichlet(np.ones(4)))
    age = rng.normal(60, 12, n).round()
    frame = pd.DataFrame(
        {
            "group": rng.permutation(np.arange(n) % groups).astype(str),
            "age": np.where(rng.random(n) < 0.1, np.nan, age),
            "site": pd.Series(levels, dtype=object).where(rng.random(n) > 0.1, None),
        }
    )
    return frame


def package(frame: pd.DataFrame) -> pd.DataFrame:
    table = TableOne(
        frame, columns=["age", "site"], categorical=["site"], continuous=["age"], groupby="group",
        smd=True, include_null=False, overall=False,
    )  # fmt: skip
    return table.smd_table


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.filterwarnings("ignore")
def test_differences_are_those_of_tableone(seed: int) -> None:
    """tableone keeps a sign for a measure, and leaves a level out that no group has."""
    frame = cohort(seed, 60 + 10 * seed)
    theirs = package(frame)["SMD (0,1)"]
    one, two = (frame[frame["group"].eq(name)] for name in "01")
    ours = standardised.of_measure(one["age"], two["age"])
    assert ours["estimate"] == pytest.approx(abs(theirs["age"]), rel=1e-9)
    found = standardised.of_category(one["site"], two["site"])
    assert found["estimate"] == pytest.approx(theirs["site"], rel=1e-9)


def test_a_measure_by_hand() -> None:
    """Means 3 and 5, both variances 2.5: 2 / sqrt(2.5)."""
    one = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    found = standardised.of_measure(one, one + 2)
    assert found["estimate"] == pytest.approx(2 / math.sqrt(2.5), rel=1e-12)
    assert found["status"] == "unstable" and "fewer than 10 patients" in str(found["reason"])


def test_a_category_of_two_levels_by_hand() -> None:
    """Shares .2 and .5: .3 / sqrt((.16 + .25) / 2), whichever level is left out."""
    one = pd.Series(["a"] * 8 + ["b"] * 2)
    two = pd.Series(["a"] * 5 + ["b"] * 5)
    for rename in ({}, {"a": "z"}):
        found = standardised.of_category(one.replace(rename), two.replace(rename))
        assert found == {"estimate": pytest.approx(0.3 / math.sqrt(0.205), rel=1e-12)}


def test_a_level_that_one_group_lacks_is_a_difference_and_no_fault() -> None:
    one = pd.Series(["a"] * 6 + ["b"] * 4 + ["c"] * 5)
    two = pd.Series(["a"] * 8 + ["b"] * 7)
    assert 0 < float(str(standardised.of_category(one, two)["estimate"])) < 5


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        ([1.0, np.nan], [1.0, 2.0], "fewer than 2 patients"),
        ([1.0, 1.0], [2.0, 2.0], "no group has any spread"),
        ([], [], "fewer than 2 patients"),
    ],
)
def test_what_cannot_be_given_says_why(one: list, two: list, said: str) -> None:
    found = standardised.of_measure(pd.Series(one, dtype=float), pd.Series(two, dtype=float))
    assert found["status"] == "not_estimable" and said in str(found["reason"])


def test_groups_without_a_common_level_are_refused() -> None:
    found = standardised.of_category(pd.Series(["a"] * 12), pd.Series(["b"] * 12))
    assert found == {"status": "not_estimable", "reason": "the groups have no level in common"}


def test_equal_groups_do_not_differ() -> None:
    values = pd.Series([1.0, 2.0, 3.0] * 5)
    assert standardised.of_measure(values, values) == {"estimate": 0.0}
    assert standardised.of_measure(values * 0, values * 0) == {"estimate": 0.0}
    levels = pd.Series(["a", "b", None] * 6)
    assert standardised.of_category(levels, levels) == {"estimate": 0.0}
    assert standardised.of_category(levels[levels.eq("a")], levels[levels.eq("a")])["estimate"] == 0
