"""Worries: each is raised by what should raise it, and by nothing less."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import changed_data, worries
from captem.attribution import Data
from scipy.stats import ttest_rel

NO_CHANGE = pd.DataFrame(columns=list(changed_data.COLUMNS), dtype=str)
NO_LESIONS = pd.DataFrame({"patient_id": [], "lesion_id": []})


def data(n: int = 12, lesions: pd.DataFrame = NO_LESIONS, **columns) -> Data:
    given = {"patient_id": [f"P{i:02d}" for i in range(n)], "source": "ward"} | columns
    return Data(pd.DataFrame(given), lesions)


def changed(**row) -> pd.DataFrame:
    return pd.DataFrame([dict.fromkeys(changed_data.COLUMNS, "") | row])


def names(old: Data, new: Data, rows: pd.DataFrame = NO_CHANGE, withdrawn: int = 0) -> list[str]:
    return list(worries.worries(old, new, rows, withdrawn)["worry"])


def test_who_is_left_out_for_errors_is_not_called_removed():
    rows = pd.concat([
        changed(table="patients", change=changed_data.REMOVED, patient_id="P01"),
        changed(table="patients", change=changed_data.REMOVED, patient_id="P02"),
        changed(table="patients", change=changed_data.INCLUSION, patient_id="P01",
                old="included", new="left out: two ages"),
    ])  # fmt: skip
    found = worries.worries(data(), data(), rows).set_index("worry")
    assert found.loc["left_out", "patients"] == "P01"
    assert found.loc["removed", "patients"] == "P02"


@pytest.mark.parametrize(("follow_up", "said"), [(3.0, ["baseline_edited"]), (np.nan, [])])
def test_a_lesion_with_a_follow_up_is_enough_to_know_it(follow_up, said):
    lesions = pd.DataFrame(
        {"patient_id": ["P01"], "lesion_id": ["L1"], "krenning_post_low": [follow_up]}
    )
    rows = changed(table="lesions", change=changed_data.SCORE, patient_id="P01", lesion_id="L1",
                   column="krenning_pre", old="2", new="1")  # fmt: skip
    assert names(data(lesions=lesions), data(lesions=lesions), rows) == said


def test_edits_that_go_one_way_are_a_drift_with_the_paired_interval():
    rng = np.random.default_rng(3)
    then = rng.uniform(3, 20, 12)
    now = then + rng.normal(2, 0.4, 12)
    found = worries.worries(data(suvmax_pre=then), data(suvmax_pre=now), NO_CHANGE).iloc[0]
    wanted = ttest_rel(now, then).confidence_interval()
    assert found["worry"] == "drift"
    assert f"{wanted.low:.1f} to {wanted.high:.1f}" in found["text"]


def test_one_edited_value_is_no_drift():
    then = np.linspace(3, 20, 12)
    now = then + np.r_[5.0, np.zeros(11)]
    assert names(data(suvmax_pre=then), data(suvmax_pre=now)) == []


def test_new_patients_of_another_kind_are_a_shift_of_their_source_only():
    mib1 = np.r_[np.linspace(5, 9, 6), np.linspace(5, 9, 6)]
    sources = ["ward"] * 6 + ["trial"] * 6
    ends = {"mib1_low": mib1, "mib1_high": mib1}
    old = data(source=sources, **ends)
    more = data(18, source=sources + ["ward"] * 6,
                **{name: np.r_[mib1, np.linspace(25, 29, 6)] for name in ends})  # fmt: skip
    found = worries.worries(old, more, NO_CHANGE)
    assert list(found["worry"]) == ["shift"]
    assert found["text"].iloc[0].startswith("Source ward: MIB1 index, % of the 6 patients")
    assert "mean 27 against 7, difference 20" in found["text"].iloc[0]


def test_values_that_are_gone_are_named():
    old, new = data(suvmax_post=[3.0] * 12), data(suvmax_post=[None, *[3.0] * 11])
    found = worries.worries(old, new, NO_CHANGE).iloc[0]
    assert (found["worry"], found["patients"]) == ("missing", "P00")
    assert names(new, old) == []


def test_a_source_that_is_gone_is_said_and_withdrawals_have_no_code():
    new = data(source=["ward"] * 12)
    old = data(source=["ward"] * 11 + ["trial"])
    found = worries.worries(old, new, NO_CHANGE, 2).set_index("worry")
    assert "trial" in found.loc["source_gone", "text"]
    assert found.loc["withdrawn", "text"].startswith("2 patients withdrew consent")
    assert found.loc["withdrawn", "patients"] == ""
