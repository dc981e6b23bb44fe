"""Each step is charged with what it did and nothing else, and the last one ends at the run."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from captem import attribution
from captem.attribution import Data, attribute, primary_rows
from captem.changed_statistics import is_ratio
from captem.errors import CaptemError
from studies import Study

NAME = "model.krenning/krenning/all/log2_mib1"
STEPS = list(dict(attribution.STEPS))


@pytest.fixture(scope="module")
def now(synthetic: Study) -> Data:
    return Data(synthetic.patients, synthetic.lesions)


def changes(old: Data, new: Data, old_config, config) -> pd.DataFrame:
    """Return the changes, a row an estimate, a column a step."""
    frozen, current = primary_rows(old, old_config), primary_rows(new, config)
    found = attribute(old, new, frozen, current, old_config, config)
    return found.pivot(index="row_id", columns="step", values="change")


def others_are_nothing(table: pd.DataFrame, *steps: str) -> None:
    for name, row in table.iterrows():
        nothing = 1.0 if name.startswith("model.") else 0.0
        for step in set(STEPS) - set(steps):
            assert row[step] == nothing, (name, step)


def test_nothing_new_changes_nothing(now, synthetic: Study):
    table = changes(now, now, synthetic.settings, synthetic.settings)
    others_are_nothing(table)


@pytest.mark.parametrize("step", ["config", "edited", "removed", "added"])
def test_a_change_is_charged_to_its_own_step_alone(step, now, synthetic: Study):
    codes = list(now.patients["patient_id"])
    old, old_config, new = now, synthetic.settings, now
    if step == "config":
        old_config = old_config | {"mib1_floor": 8.0}
    if step == "edited":
        mib1 = ["mib1_low", "mib1_high"]
        old = Data(now.patients.assign(**{name: now.patients[name] + 5 for name in mib1}),
                   now.lesions)  # fmt: skip
    if step == "removed":
        new = now.only(codes[:-9])
    if step == "added":
        old = now.only(codes[:-9])
    table = changes(old, new, old_config, synthetic.settings)
    others_are_nothing(table, step)
    assert abs(math.log(table.loc[NAME, step])) > 1e-6


def test_rows_in_another_order_are_no_edit(now, synthetic: Study):
    """Sums of the same numbers in another order differ in the last digit; that is no edit."""
    shuffled = Data(now.patients.iloc[::-1].reset_index(drop=True), now.lesions)
    codes = list(now.patients["patient_id"])
    table = changes(shuffled, now.only(codes[:-9]), synthetic.settings, synthetic.settings)
    assert (table["edited"] == [1.0 if is_ratio(name_to_estimand(name)) else 0.0
                                for name in table.index]).all()  # fmt: skip


def name_to_estimand(name: str) -> str:
    return "odds ratio" if name.startswith("model.") else "proportion"


def test_what_cannot_be_estimated_says_why_and_the_next_step_goes_on(now, synthetic: Study):
    codes = list(now.patients["patient_id"])
    old = now.only(codes[:2])
    settings = synthetic.settings
    found = attribute(
        old, now, primary_rows(old, settings), primary_rows(now, settings), settings, settings
    )
    rows = found[found["row_id"].eq(NAME)].set_index("step")
    assert rows.loc["removed", "status"] == "not_estimable" and rows.loc["removed", "reason"]
    assert rows.loc["added", "estimate"] == rows.loc["now", "estimate"]
    assert math.isnan(rows.loc["now", "change"])


def test_a_setting_that_the_old_cut_does_not_know_is_as_now(now, synthetic: Study):
    older = {key: value for key, value in synthetic.settings.items() if key != "surrogate"}
    rows = primary_rows(now, synthetic.settings)
    found = attribute(now, now, rows, rows, older, synthetic.settings)
    assert set(found["change"].dropna()) <= {0.0, 1.0}


def test_statistics_of_other_data_are_refused(now, synthetic: Study):
    rows = primary_rows(now, synthetic.settings)
    wrong = rows.assign(estimate=rows["estimate"] * 1.01)
    with pytest.raises(CaptemError, match=r"statistics\.csv says"):
        attribute(now, now, rows, wrong, synthetic.settings, synthetic.settings)
