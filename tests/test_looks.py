"""Looks: boundaries beside what was found, intervals that allow for all looks, and the order."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from captem import chain, looks, looks_table, paired, plan_words, signed_rank, transition_rows
from captem import group_sequential as sequential
from captem.files import write_frame
from captem.plan_roles import Look
from captem.schemas import LOOKS
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import locked, made
from studies import Study, through_csv

CUT = "2026-11-01"
NOTHING = pd.DataFrame(columns=list(looks.COLUMNS))
EXAMPLE_N = 22


def table(
    study: Study, found=None, look: Look | None = None, past: pd.DataFrame = NOTHING, cut: str = CUT
) -> pd.DataFrame:
    found = found or locked()
    made_ = looks.table(
        found, study.statistics, study.cohort.patients, study.changes,
        study.models[found.plan["model"]["name"]], past, look or Look(2), cut,
    )  # fmt: skip
    LOOKS.validate(made_)
    back = through_csv(made_)
    pd.testing.assert_frame_equal(back.where(back.notna(), None), made_, check_dtype=False)
    return made_


def row(frame: pd.DataFrame, number: int | None, question: str = "change") -> pd.Series:
    chosen = frame[frame["question"].eq(question)]
    same = chosen["look"].isna() if number is None else chosen["look"].eq(number)
    (found,) = chosen[same.fillna(False)].to_dict("records")
    return pd.Series(found)


def frozen(n: int = 10, end: int = EXAMPLE_N, number: int = 1, **more) -> pd.DataFrame:
    """Return the looks of an earlier cut, at which so many patients of the end were there."""
    blank = dict.fromkeys(looks.COLUMNS)
    told = {
        "look": number, "status": "this cut", "cut": "2026-05-01", "information": n / end,
        "n_patients": n, "crossed": "no",
        "boundary_z": sequential.spending_boundaries([n / end])[0],
    }  # fmt: skip
    rows = [{**blank, **told, **more, "question": name} for name in ("change", "model")]
    return pd.DataFrame(rows)


def test_the_end_after_a_look_spends_what_is_left(synthetic: Study) -> None:
    found = row(table(synthetic, past=frozen(10)), 2)
    assert found["status"] == "this cut" and found["n_patients"] == EXAMPLE_N
    information = (10 / 22, 1.0)
    expected = sequential.spending_boundaries(information, ended=True)[1]
    assert found["boundary_z"] == pytest.approx(expected)
    assert found["alpha_spent"] == 0.05
    p = synthetic.statistics.set_index("row_id").loc[
        "transition.signed_rank/krenning/confirmatory", "p_value"
    ]
    assert found["p_value"] == p
    assert found["crossed"] == ("yes" if p <= sequential.p_of(expected) else "no")


def test_the_interval_of_a_look_has_the_level_of_its_boundary(synthetic: Study) -> None:
    found = row(table(synthetic, past=frozen(10)), 2)
    assert found["repeated_level"] == pytest.approx(1 - found["boundary_p"])
    patients = synthetic.cohort.patients
    chosen = patients[patients["source"].eq("prospective")]
    net = paired.net_improvement(*transition_rows.scores(chosen), found["repeated_level"])
    assert (found["repeated_low"], found["repeated_high"]) == (net.conf_low, net.conf_high)
    usual = paired.net_improvement(*transition_rows.scores(chosen))
    assert found["repeated_low"] < usual.conf_low < usual.conf_high < found["repeated_high"]


@pytest.mark.parametrize(
    ("name", "terms", "base"),
    [
        ("model.krenning", ["krenning_pre", "log2_mib1"], math.e),
        ("model.suvmax", ["log2_suvmax_pre", "log2_mib1"], 2.0),
        ("model.criterion", ["krenning_pre", "log2_mib1"], math.e),
    ],
)
def test_at_a_single_analysis_the_interval_of_the_model_is_the_usual_one(
    synthetic: Study, name, terms, base
) -> None:
    """A single look of all alpha has the boundary 1.96: nothing is to be allowed for."""
    one = locked(made(model={"name": name, "terms": terms}, looks={"patients": [20]}))
    found = row(table(synthetic, one, Look(1)), 1, "model")
    own = synthetic.statistics.set_index("row_id").loc[
        f"{name}/{name.removeprefix('model.')}/confirmatory/log2_mib1"
    ]
    assert found["boundary_z"] == pytest.approx(1.959964, abs=1e-6)
    assert found["estimate"] == own["estimate"]
    if name != "model.criterion":  # whose usual interval is one of the profile
        usual = (own["conf_low"], own["conf_high"])
        assert (found["repeated_low"], found["repeated_high"]) == pytest.approx(usual, rel=1e-6)
    middle = (math.log(found["repeated_low"], base) + math.log(found["repeated_high"], base)) / 2
    assert middle == pytest.approx(math.log(own["estimate"], base))


def test_the_model_is_asked_only_once_the_change_has_crossed(synthetic: Study) -> None:
    strict = locked(made() | {"alpha": 1e-7})
    assert row(table(synthetic, strict), 2)["crossed"] == "no"
    assert row(table(synthetic, strict), 2, "model")["crossed"] == "not asked"
    past = frozen(10, crossed="yes")
    assert row(table(synthetic, strict, past=past), 2, "model")["crossed"] == "exploratory"
    stable = dataclasses.replace(synthetic, statistics=synthetic.statistics.assign(status="ok"))
    assert row(table(stable, strict, past=past), 2, "model")["crossed"] == "no"


def test_an_exploratory_result_crosses_nothing(synthetic: Study) -> None:
    rows = synthetic.statistics.assign(role="exploratory")
    told = table(dataclasses.replace(synthetic, statistics=rows), past=frozen(10))
    assert row(told, 2)["crossed"] == "exploratory"
    said = plan_words.sentences(locked(), through_csv(told), pd.DataFrame({"explained": []}))
    assert "the result is exploratory" in said[0] and "has changed" not in said[0]
    assert any("this data cut: exploratory" in line[1] for line in cells(told))


def test_mcnemar_is_held_against_its_exact_p(synthetic: Study) -> None:
    """Its mid-P can exceed a boundary, given how many changed: of five, .03125 beside .0625."""
    plan = locked(made(outcome="criterion", looks={"patients": [22]}))
    found = row(table(synthetic, plan, Look(1)), 1)
    exact = synthetic.statistics.set_index("row_id")["p_value"]
    assert found["p_value"] == exact["criterion.mcnemar/criterion/confirmatory/exact"]
    assert found["differences_needed"] == 6
    assert found["smallest_p"] == 2 ** (1 - found["n_changed"])


def test_every_planned_look_stands_there_once(synthetic: Study) -> None:
    found = locked(made(looks={"patients": [8, 15, 22, 40]}))
    told = table(synthetic, found, Look(3), frozen(8, 40))
    change = told[told["question"].eq("change")]
    assert list(change["look"]) == [1, 2, 3, 4]
    assert list(change["status"]) == ["taken", "left out", "this cut", "ahead"]
    taken = [8 / 40, EXAMPLE_N / 40]
    assert row(told, 3)["boundary_z"] == pytest.approx(sequential.spending_boundaries(taken)[1])
    ahead = sequential.spending_boundaries([*taken, 1.0], ended=True)[2]
    assert row(told, 4)["boundary_z"] == pytest.approx(ahead)
    classical = sequential.classical_boundaries([8 / 40, 15 / 40, 22 / 40, 1])
    assert list(change["classical_z"]) == pytest.approx(classical)
    assert row(told, 4)["p_value"] is None or math.isnan(row(told, 4)["p_value"])


def test_what_the_plan_does_not_name_is_shown_as_exploratory_and_without_a_boundary(
    synthetic: Study,
) -> None:
    told = table(synthetic, look=Look(0, "the config calls it none"))
    found = row(told, None)
    assert found["status"] == "exploratory" and found["cut"] == CUT
    assert found["reason"] == "the config calls it none"
    assert all(math.isnan(found[name] or math.nan) for name in ("boundary_z", "boundary_p"))
    assert set(told[told["look"].notna()]["status"]) == {"ahead"}


def test_a_last_look_before_the_end_does_not_spend_all_of_alpha(synthetic: Study) -> None:
    """When to end could have been chosen by what was seen."""
    short = locked(made(looks={"patients": [10, 40]}))
    found = row(table(synthetic, short, Look(2), frozen(10, 40)), 2)
    assert found["alpha_spent"] == sequential.spent(22 / 40, 0.05, "obrien_fleming")
    assert found["boundary_z"] == pytest.approx(
        sequential.spending_boundaries([10 / 40, 22 / 40])[1]
    )


def test_a_look_keeps_its_boundary_where_the_end_was_amended(synthetic: Study) -> None:
    then = sequential.spending_boundaries([10 / 22])[0]
    later = locked(made(looks={"patients": [10, 20, 44]}))
    told = table(synthetic, later, Look(2), frozen(10, boundary_z=then))
    assert row(told, 1)["information"] == 10 / 44 and row(told, 1)["boundary_z"] == then
    shares = [10 / 44, 22 / 44]
    assert row(told, 2)["boundary_z"] == pytest.approx(
        sequential.spending_boundaries(shares, held=[then])[1]
    )
    assert sequential.crossed(shares, [then, row(told, 2)["boundary_z"]]) == pytest.approx(
        sequential.spent(0.5, 0.05, "obrien_fleming")
    )


def test_a_look_at_another_question_is_not_one_of_this(synthetic: Study) -> None:
    taken = [{"look": 1, "cut": "2026-05-01", "frozen": True, "patients": 10, "same": ["model"]}]
    made_ = looks.table(
        locked(), synthetic.statistics, synthetic.cohort.patients, synthetic.changes,
        synthetic.models["model.krenning"], frozen(10), Look(2), CUT, taken,
    )  # fmt: skip
    assert row(made_, 1)["status"] == "left out"
    assert "another question: the plan was amended" in row(made_, 1)["reason"]
    assert row(made_, 2)["boundary_z"] == pytest.approx(1.959964, abs=1e-6)
    assert row(made_, 1, "model")["status"] == "taken"


@pytest.mark.parametrize("outcome", ["krenning", "suvmax", "criterion"])
def test_the_attainable_p_is_the_largest_within_the_boundary(synthetic: Study, outcome) -> None:
    models_ = {
        "krenning": ("model.krenning", ["krenning_pre", "log2_mib1"]),
        "suvmax": ("model.suvmax", ["log2_suvmax_pre", "log2_mib1"]),
        "criterion": ("model.criterion", ["krenning_pre", "log2_mib1"]),
    }
    name, terms = models_[outcome]
    plan = made(
        outcome=outcome, model={"name": name, "terms": terms}, looks={"patients": [20]}, alpha=0.2
    )
    found = row(table(synthetic, locked(plan), Look(1)), 1)
    if outcome == "krenning":  # a baseline score of the example is an interval
        assert math.isnan(found["attainable_p"])
        return
    assert 0 < found["smallest_p"] <= found["attainable_p"] <= found["boundary_p"]
    if found["crossed"] == "yes":
        assert found["p_value"] <= found["attainable_p"] * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9), st.floats(0.001, 0.5))
def test_attainable_rank_p_is_that_of_all_sign_patterns(gains, boundary):
    sizes = np.abs(np.array(gains))
    patterns = (np.indices([2] * len(sizes)).reshape(len(sizes), -1).T * 2 - 1) * sizes
    every = {signed_rank.conditional_test(*signed_rank.groups(p)).p_value for p in patterns}
    expected = max((p for p in every if p <= boundary), default=None)
    assert looks._attainable_rank_p(np.array(gains), boundary) == pytest.approx(expected)


def which(plan, asked: int, n: int = 30, taken=(), **more) -> Look:
    return looks.which(plan, asked, n, taken, more.pop("sources", ["prospective"]), **more)


def test_which_look_a_run_is():
    plan = locked(made(looks={"patients": [8, 15, 22]}))
    taken = [{"look": 2, "cut": "2026-05-01", "frozen": True, "patients": 16, "same": []}]
    assert which(plan, 3, taken=taken) == Look(3)
    assert "does not call this data cut any of the 3 planned looks" in which(plan, 0).why
    assert "look 2 was taken at the data cut 2026-05-01" in which(plan, 2, taken=taken).why
    assert "look 2 was taken already" in which(plan, 1, taken=taken).why
    one = locked(made(looks={"patients": [8]}))
    assert "does not call this data cut the analysis at the end" in which(one, 0).why
    assert which(plan, 2, otherwise="frozen as look 1") == Look(0, "frozen as look 1")
    other = which(plan, 1, sources=["retrospective"])
    assert other == Look(0, "the config has other confirmatory sources than the plan")


def test_a_look_needs_more_patients_than_the_one_before():
    plan = locked(made(looks={"patients": [8, 15]}))
    taken = [{"look": 1, "cut": "2026-05-01", "frozen": True, "patients": 9, "same": []}]
    assert which(plan, 2, 10, taken) == Look(2)
    said = "9 patients have both scans, 9 had at the look before: a look needs more"
    assert which(plan, 2, 9, taken) == Look(0, said)
    assert which(plan, 1, 0) == Look(0, "0 patients have both scans")


def test_a_look_that_is_probably_another_one_is_not_taken():
    plan = locked(made(looks={"patients": [8, 15, 22]}))
    assert "was look 2 meant?" in which(plan, 3, 15).why
    assert which(plan, 3, 16) == Look(3) and which(plan, 1, 2) == Look(1)


def test_a_look_that_is_not_frozen_is_not_ahead(synthetic: Study) -> None:
    plan = locked(made(looks={"patients": [8, 15, 22]}))
    taken = [{"look": 1, "cut": "2026-05-01", "frozen": False, "patients": None, "same": []}]
    told = looks.table(
        plan, synthetic.statistics, synthetic.cohort.patients, synthetic.changes,
        synthetic.models["model.krenning"], NOTHING, Look(0, "it is not frozen"), CUT, taken,
    )  # fmt: skip
    assert row(told, 1)["status"] == "left out" and "is not frozen" in row(told, 1)["reason"]
    assert row(told, 2)["status"] == "ahead"


def test_the_alpha_of_a_look_is_spent_however_its_cut_was_frozen(synthetic: Study) -> None:
    plan = locked(made(looks={"patients": [11, 22], "spending": "pocock"}))
    event = {"look": 1, "cut": "2026-05-01", "frozen": True, "patients": 11,
             "same": ["change", "model"]}  # fmt: skip
    told = looks.table(
        plan, synthetic.statistics, synthetic.cohort.patients, synthetic.changes,
        synthetic.models["model.krenning"], NOTHING, Look(2), CUT, [event],
    )  # fmt: skip
    assert "taken as this look with 11 patients, and not frozen as it" in row(told, 1)["reason"]
    two = sequential.spending_boundaries([0.5, 1.0], 0.05, "pocock")
    assert row(told, 2)["boundary_z"] == pytest.approx(two[1], abs=1e-12)
    amended = looks.table(
        plan, synthetic.statistics, synthetic.cohort.patients, synthetic.changes,
        synthetic.models["model.krenning"], NOTHING, Look(2), CUT, [event | {"same": []}],
    )  # fmt: skip
    assert "the plan was amended" in row(amended, 1)["reason"]
    assert row(amended, 2)["boundary_z"] == pytest.approx(1.959963984540054)
    said = plan_words.of_frozen("2026-05-01", NOTHING, [event])
    assert said == "The data cut 2026-05-01 was taken as look 1, and not frozen as it."


def test_no_look_counts_while_an_earlier_one_is_not_frozen():
    plan = locked(made(looks={"patients": [8, 15]}))
    taken = [{"look": 1, "cut": "2026-05-01", "frozen": False, "patients": None, "same": []}]
    assert "2026-05-01, which is not frozen: freeze it" in which(plan, 2, taken=taken).why


def test_nobody_scanned_yet_is_no_look() -> None:
    from studies import without_patients

    study = without_patients()
    plan = locked(made(looks={"patients": [8, 15]}))
    n = looks.patients(plan, study.statistics, study.cohort.patients)
    assert n == 0
    told = looks.table(plan, study.statistics, study.cohort.patients, study.changes, {}, NOTHING,
                       which(plan, 1, n), CUT)  # fmt: skip
    LOOKS.validate(told)
    assert row(told, None)["reason"] == "0 patients have both scans"
    said = plan_words.sentences(plan, through_csv(told), pd.DataFrame({"explained": []}))
    assert said[0].endswith("this data cut is no look, as 0 patients have both scans.")


# In words


def cells(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    return [line.cells for line in looks_table.looks(through_csv(frame)).rows]


def test_the_table_says_boundary_p_and_repeated_interval(synthetic: Study) -> None:
    told = cells(table(synthetic, past=frozen(10)))
    assert told[0][0] == "Did uptake change?"
    assert told[1][1] == "data cut 2026-05-01: not crossed" and told[1][2] == "10 (10)"
    assert told[2][1].startswith("this data cut: crossed") and told[2][2] == "22 (22)"
    assert told[2][3] == "1.97 (1.97)" and told[2][4] == ".0494"
    assert told[2][7].startswith("net improvement 0.")


@pytest.mark.parametrize(
    ("p", "printed"), [(0.049949, ".0499"), (0.0316, ".0316"), (1.4734e-5, "1.4e-5"), (0.0, "0")]
)
def test_what_p_is_needed_is_never_rounded_up(p, printed):
    """Who reads `.05` for .0499 and has .04995 would cross where nobody did."""
    assert looks_table.needed(p) == printed


def test_a_look_that_cannot_cross_is_said_to_be_none_that_can(synthetic: Study) -> None:
    frame = table(synthetic, locked(made(looks={"patients": [22, 500]})), Look(1))
    notes = " ".join(looks_table.looks(through_csv(frame)).notes)
    assert "which is above the boundary: this look cannot cross" in notes


def words(study: Study, found=None, deviations: int = 0, **more) -> str:
    found = found or locked()
    told = pd.DataFrame({"explained": ["no"] * deviations})
    return " ".join(plan_words.sentences(found, through_csv(table(study, found, **more)), told))


def test_the_page_says_which_look_it_is(synthetic: Study) -> None:
    said = words(synthetic, past=frozen(10))
    assert said.startswith("Look 2 of 2 of the plan locked on 2022-01-10: P ")
    assert "uptake has changed by the plan's own measure" in said
    assert "those of a single look" in said
    later = locked(made(looks={"patients": [22, 500]}))
    assert "no answer yet, the study goes on" in words(synthetic, later, look=Look(1))
    over = locked(made(looks={"patients": [10, 11, 12]}) | {"alpha": 1e-7})
    assert "ends without an answer" in words(synthetic, over, look=Look(1))
    strict = locked(made() | {"alpha": 1e-7})
    assert "ends without an answer" in words(synthetic, strict, past=frozen(10))
    assert "crossed at look 1 already" in words(synthetic, strict, past=frozen(10, crossed="yes"))
    none = words(synthetic, look=Look(0, "it is late"), deviations=2)
    assert "by the plan locked on 2022-01-10 this data cut is no look, as it is late." in none
    assert "2 deviations from the plan, without a reason" in none


def test_a_single_analysis_is_not_called_a_look(synthetic: Study) -> None:
    said = words(synthetic, locked(made(looks={"patients": [22]})), look=Look(1))
    assert said.startswith("The analysis of the plan locked on") and "look" not in said.lower()


def test_data_from_before_the_plan_are_said_on_the_page(synthetic: Study) -> None:
    said = words(synthetic, locked(rows=[{"prospective": 4}]))
    assert "Prospective had data before what is planned was locked: exploratory." in said


# A run, and what it writes down


def params_of(folder: Path, **changed) -> dict:
    settings = {"config.sources": {"prospective": {"columns": {}}}}
    given = {
        "results": folder, "cut": CUT, "look": 1, "taken": [], "confirmatory": ["prospective"],
        "otherwise": "", "settings": settings, "tables": {"prospective": {"p.csv": "0" * 64}},
    }  # fmt: skip
    return given | changed


def run_of(study: Study, folder: Path, **changed):
    """Return look, data and what was before, as the step that collects the statistics has them."""
    patients, lesions = folder / "patients.csv", folder / "lesions.csv"
    write_frame(patients, study.cohort.patients)
    write_frame(lesions, study.cohort.lesions)
    found = locked(made(looks={"patients": [10, 22]}))
    parameters = params_of(folder, **changed)
    look, seen, before = looks.of_run(found, study.statistics, [patients, lesions], parameters)
    looks.note(look, seen, found, study.statistics, folder)
    return look, seen, before


def test_a_run_writes_down_what_it_saw_before_it_says_it(synthetic: Study, tmp_path) -> None:
    look, seen, before = run_of(synthetic, tmp_path)
    assert look == Look(1) and before == [] and seen.patients == EXAMPLE_N
    (entry,) = chain.checked(tmp_path / chain.FOLDER)
    assert entry.details["look"] == 1 and entry.details["patients"] == EXAMPLE_N
    assert entry.details["rows"] == synthetic.cohort.patients["source"].value_counts().to_dict()
    assert run_of(synthetic, tmp_path)[0] == Look(1)
    assert len(chain.checked(tmp_path / chain.FOLDER)) == 1
    otherwise = {"config.sources": {"prospective": {"columns": {"krenning_post": "Reader 2"}}}}
    look, _, _ = run_of(synthetic, tmp_path, settings=otherwise)
    assert look.number == 0 and "how the tables of prospective are read is another" in look.why


def test_a_look_at_which_nothing_can_be_tested_is_not_spent(synthetic: Study, tmp_path) -> None:
    empty = dataclasses.replace(
        synthetic, statistics=synthetic.statistics.assign(p_value=float("nan"))
    )
    assert run_of(empty, tmp_path)[0] == Look(1)
    (entry,) = chain.checked(tmp_path / chain.FOLDER)
    assert entry.details["look"] == 0
