"""What was done otherwise than the locked plan says, and the reasons that are asked for."""

from __future__ import annotations

import pandas as pd
import pytest
from captem import deviations_table, looks, plan_deviations, plan_roles, tables
from captem.config import defaults
from captem.errors import CaptemError
from captem.plan_roles import Look
from plans import locked, made
from studies import Study, schema, through_csv

CUT = "2026-11-01"


def deviations(
    study: Study, found=None, look: Look | None = None, reasons=None, withdrawn=0, **changed
) -> pd.DataFrame:
    found, look = found or locked(made(looks={"patients": [22]})), look or Look(1)
    settings = study.settings | changed
    rows, _ = plan_roles.judged(study.statistics, found, settings, look)
    told = looks.table(
        found, rows, study.cohort.patients, study.changes, study.models["model.krenning"],
        pd.DataFrame(columns=list(looks.COLUMNS)), look, CUT,
    )  # fmt: skip
    return plan_deviations.found(
        found,
        settings,
        rows,
        study.cohort.patients,
        told,
        look,
        reasons or {},
        withdrawn=withdrawn,
    ).set_index("name")


def test_a_run_as_planned_deviates_in_what_the_data_did_not_give(synthetic: Study) -> None:
    found = deviations(synthetic)
    assert list(found.index) == ["model.krenning/krenning/confirmatory/log2_mib1"]
    assert found["done"].str.startswith("unstable: 10.2 effective observations").all()
    assert found["explained"].eq("no").all()


def test_each_setting_that_is_other_is_a_deviation_of_its_name(synthetic: Study) -> None:
    found = deviations(
        synthetic, criterion={"threshold": 2, "rule": "index"}, follow_up="first",
        models={"covariates": ["sex"], "splines": []},
    )  # fmt: skip
    assert found.loc["criterion.rule", ["planned", "done"]].tolist() == ["most", "index"]
    assert found.loc["criterion.threshold", ["planned", "done"]].tolist() == ["3", "2"]
    assert found.loc["follow_up", "done"] == "first"
    assert found.loc["model.terms", "done"] == "krenning_pre, log2_mib1, sex"


def test_looks_that_were_moved_left_out_or_not_planned(synthetic: Study) -> None:
    plan = locked(made(looks={"patients": [8, 15, 30]}))
    found = deviations(synthetic, plan, Look(2))
    assert found.loc["looks.2.patients", "done"] == "taken at 22"
    assert found.loc["looks.1.left_out", "planned"] == "look 1 at 8 patients"
    none = deviations(synthetic, plan, Look(0, "the config calls it none"))
    assert "every result is exploratory" in none.loc["looks.not_planned", "done"]


def test_patients_scanned_before_the_plan_are_counted(synthetic: Study) -> None:
    plan = locked(made(looks={"patients": [22]}))
    patients = synthetic.cohort.patients
    early = patients["source"].eq("prospective") & (
        patients["pet_date_post"].astype(str) < "2024-06-01"
    )
    late = plan_deviations.found(
        plan.__class__(**{**plan.__dict__, "first_day": "2024-06-01"}), synthetic.settings,
        synthetic.statistics, patients, pd.DataFrame(columns=list(looks.COLUMNS)), Look(1), {},
    ).set_index("name")  # fmt: skip
    said = late.loc["prospective.scanned_before_the_plan", "done"]
    assert said.split()[0] == str(int(early.sum())) != "0"


def test_a_source_with_data_before_the_plan_is_a_deviation(synthetic: Study) -> None:
    found = deviations(synthetic, locked(made(looks={"patients": [22]}), rows=[{"prospective": 4}]))
    assert "had 4 rows when it was locked" in found.loc["prospective.before_the_plan", "done"]


def test_reasons_go_with_their_deviation_and_others_are_said_to_explain_nothing(
    synthetic: Study,
) -> None:
    reasons = {"follow_up": "most sites scan once", "criterion.rul": "a slip"}
    found = deviations(
        synthetic, reasons=reasons, follow_up="first", criterion={"threshold": 3, "rule": "index"}
    )
    assert found.loc["follow_up", ["reason", "explained"]].tolist() == [
        "most sites scan once", "yes",
    ]  # fmt: skip
    assert found.loc["criterion.rule", "explained"] == "no"
    assert found.loc["criterion.rul", "explained"] == "of nothing"
    assert "did you mean criterion.rule?" in found.loc["criterion.rul", "done"]


def test_a_withdrawal_after_results_were_seen_is_a_deviation(synthetic: Study) -> None:
    for count, said in ((1, "1 patient was taken out"), (2, "2 patients were taken out")):
        found = deviations(synthetic, withdrawn=count)
        assert said in found.loc["patients.withdrawn", "done"]
    assert "patients.withdrawn" not in deviations(synthetic).index


def test_an_amendment_is_a_deviation_with_the_reason_it_was_locked_with(synthetic: Study) -> None:
    plan = locked(made(follow_up="first", looks={"patients": [22]}), made(looks={"patients": [22]}))
    found = deviations(synthetic, plan)
    assert found.loc["amendment.2", ["done", "reason", "explained"]].tolist() == [
        "amended on 2022-02-09: follow_up", "it was wiser", "yes",
    ]  # fmt: skip


def test_reasons_are_read_from_lines_of_name_and_reason():
    text = "follow_up: most sites scan once\ncriterion.rule:\n# a note\n"
    assert plan_deviations.read(text, "d.yaml") == {"follow_up": "most sites scan once"}
    assert plan_deviations.read("", "d.yaml") == {}


@pytest.mark.parametrize(
    "text", ["follow_up: a: b: c", "- follow_up", "follow_up: [a]", "just text"]
)
def test_what_is_no_list_of_reasons_is_said_to_be_none(text):
    with pytest.raises(CaptemError, match=r"^d\.yaml"):
        plan_deviations.read(text, "d.yaml")


def test_the_table_of_deviations_begins_with_those_from_the_locked_plan(synthetic: Study) -> None:
    found = deviations(synthetic, reasons={"x": "of nothing", "follow_up": "so"}, follow_up="first")
    table = deviations_table.deviations(
        synthetic.statistics, through_csv(synthetic.flow), synthetic.settings, defaults(schema()),
        plan_deviations=through_csv(found.reset_index()),
    )  # fmt: skip
    assert table.rows[0].cells[0] == deviations_table.LOCKED
    assert ("last", "first", "so") in [row.cells for row in table.rows]
    assert not any("of nothing" in " ".join(row.cells) for row in table.rows)
    assert any("no reason is given" in row.cells for row in table.rows)
    assert any("in the chain of the study" in note for note in table.notes)


def test_the_table_of_looks_is_numbered_behind_that_of_deviations(synthetic: Study) -> None:
    plan = locked(made(looks={"patients": [22]}))
    told = looks.table(
        plan, synthetic.statistics, synthetic.cohort.patients, synthetic.changes,
        synthetic.models["model.krenning"], pd.DataFrame(columns=list(looks.COLUMNS)), Look(1), CUT,
    )  # fmt: skip
    made_ = tables.all_tables(
        synthetic.statistics, through_csv(synthetic.matrix), through_csv(synthetic.sources),
        flow=through_csv(synthetic.flow), settings=synthetic.settings,
        defaults=defaults(schema()), looks=through_csv(told),
        plan_deviations=through_csv(deviations(synthetic).reset_index()),
    )  # fmt: skip
    assert [table.name for table in made_][-2:] == ["deviations", "looks"]
    assert made_[-1].title.startswith("Table 12. Looks at the primary question")


def test_reasons_for_other_looks_stay_in_the_file(synthetic: Study) -> None:
    plan = locked(made(looks={"patients": [10, 22]}))
    reasons = {"looks.1.patients": "so", "looks.7.patients": "so"}
    found = deviations(synthetic, plan, Look(2), reasons)
    assert "looks.1.patients" not in found.index
    assert found.loc["looks.7.patients", "explained"] == "of nothing"
