"""Small counts are masked, and cannot be worked out from what is shown."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from captem import disclosure
from captem.disclosure_links import links
from captem.disclosure_system import System, is_small, masked
from captem.files import as_csv
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from studies import shipped, through_csv

LEAST = 5


def largest(system: System, shown: dict[str, float], name: str) -> float:
    """Return the largest whole value of a count, given those that are shown: an attacker's program.

    It is written over all counts and all equations, without any of the search's short cuts.
    """
    names = list(system.values)
    place = {other: i for i, other in enumerate(names)}
    rows = np.zeros((len(system.equations), len(names)))
    for line, equation in enumerate(system.equations):
        for other, factor in equation.items():
            rows[line, place[other]] = factor
    low = np.array([shown.get(other, 0.0) for other in names])
    high = np.array([shown.get(other, 1000.0) for other in names])
    aim = np.zeros(len(names))
    aim[place[name]] = -1.0
    constraints = [LinearConstraint(rows, 0.0, 0.0)] if len(rows) else []
    found = milp(aim, integrality=np.ones(len(names)), bounds=Bounds(low, high),
                 constraints=constraints)  # fmt: skip
    assert found.success, found.message
    return -found.fun


def table(counts: np.ndarray) -> System:
    """Return a table of counts with its margins and its total."""
    system = System()
    lines, columns = counts.shape
    cells = [[system.show(f"{i},{j}", counts[i, j]) for j in range(columns)] for i in range(lines)]
    total = system.show("total", counts.sum(), 2.0)
    for i in range(lines):
        system.adds_up(system.show(f"row {i}", counts[i].sum(), 1.0), cells[i])
    for j in range(columns):
        own = [cells[i][j] for i in range(lines)]
        system.adds_up(system.show(f"column {j}", counts[:, j].sum(), 1.0), own)
    system.adds_up(total, [f"row {i}" for i in range(lines)])
    system.adds_up(total, [f"column {j}" for j in range(columns)])
    return system


def recovered(system: System, why: dict[str, str]) -> list[str]:
    """Return the small counts that the attacker knows to be below the limit."""
    shown = {
        name: value
        for name, value in system.values.items()
        if name not in why and name not in system.hidden
    }
    small = [name for name, value in system.values.items() if is_small(value, LEAST)]
    return [name for name in small if largest(system, shown, name) < LEAST]


counts = st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=3)


@settings(max_examples=15, deadline=None)
@given(counts)
def test_no_small_cell_of_a_table_is_recovered(cells):
    system = table(np.array(cells))
    assert recovered(system, masked(system, LEAST)) == []


def test_without_secondary_masking_the_attacker_wins():
    system = table(np.array([[3, 20, 30], [25, 40, 10]]))
    assert recovered(system, masked(system, LEAST, secondary=False)) == ["0,0"]
    assert recovered(system, masked(system, LEAST)) == []


def test_what_was_not_needed_is_shown_again():
    system = table(np.array([[3, 20, 30], [25, 40, 10]]))
    why = masked(system, LEAST)
    # One other cell of its row, one of its column, and the one that closes the rectangle.
    assert len(why) <= 4
    assert "total" not in why


def masked_study(name: str, least: int = LEAST) -> disclosure.Copies:
    study = shipped(name)
    confirmatory = study.settings["confirmatory_sources"]
    return disclosure.mask(**frames(study), min_count=least, confirmatory=confirmatory)


def frames(study) -> dict[str, pd.DataFrame]:
    return {
        "statistics": study.statistics,
        "matrix": study.matrix,
        "flow": through_csv(study.flow),
        "curves": study.predictions,
        "sources": through_csv(study.sources),
        "eligibility": through_csv(study.eligibility),
        "problems": pd.DataFrame({"severity": [], "rule": []}),
        "repairs": pd.DataFrame({"rule": ["interval"] * 3 + ["roman"] * 7}),
    }


@pytest.fixture(scope="module")
def example() -> disclosure.Copies:
    return masked_study("config")


def test_no_small_count_is_left_in_any_copy(example):
    for path, columns in (
        ("statistics.csv", ["n_patients", "n_lesions", "n_events"]),
        ("transitions/matrix.csv", ["0", "1", "2", "3", "4", *(f"split_{i}" for i in range(5))]),
        ("cohort/flow.csv", ["n", "n_lesions"]),
        ("cohort/recorded.csv", ["n"]),
        ("cohort/repairs.csv", ["n"]),
    ):
        shown = example.files[path][columns].astype(float).to_numpy().ravel()
        assert not [value for value in shown if is_small(value, LEAST)], path


def test_the_attacker_does_not_recover_the_example(example):
    study = shipped("config")
    recorded = example.files["cohort/recorded.csv"].assign(n=[36, 24])
    found = links(study.statistics, study.matrix, through_csv(study.flow),
                  through_csv(study.sources), recorded)  # fmt: skip
    shown = {}
    for (path, label, column), name in found.cells.items():
        value = example.files[path].loc[label, column]
        if pd.notna(value):
            assert found.system.values[name] == float(value)
            shown[name] = float(value)
    patients = [name for name, value in found.system.values.items()
                if is_small(value, LEAST) and name.startswith("n_events|transition.")]  # fmt: skip
    assert patients
    halves = System(found.system.values, found.system.hidden, {}, found.system.equations)
    for name in patients:
        assert largest_real(halves, shown, name) >= LEAST - 1e-6, name


def largest_real(system: System, shown: dict[str, float], name: str) -> float:
    """Return the largest value of a count where counts may be split: no whole numbers."""
    from scipy.optimize import linprog

    names = list(system.values)
    place = {other: i for i, other in enumerate(names)}
    rows = np.zeros((len(system.equations), len(names)))
    for line, equation in enumerate(system.equations):
        for other, factor in equation.items():
            rows[line, place[other]] = factor
    bounds = [(shown[other], shown[other]) if other in shown else (0, 1000) for other in names]
    aim = np.zeros(len(names))
    aim[place[name]] = -1.0
    found = linprog(aim, A_eq=rows, b_eq=np.zeros(len(rows)), bounds=bounds)
    assert found.status == 0
    return -found.fun


def test_the_model_in_each_source_does_not_add_up_to_a_masked_number(example):
    table = example.files["statistics.csv"].set_index("row_id")["n_patients"]
    # 50 of the 54 who were scored twice: four have no MIB1 index that is known.
    assert pd.isna(table["model.krenning/krenning/all/log2_mib1"])
    parts = [table[f"sensitivity.source/krenning/source_{name}/log2_mib1"]
             for name in ("retrospective", "prospective")]  # fmt: skip
    assert pd.isna(parts).any()
    # The prospective source is the confirmatory one.
    confirmatory = table["model.krenning/krenning/confirmatory/log2_mib1"]
    assert pd.isna(confirmatory) == pd.isna(parts[1])


def test_a_masked_row_has_no_number_and_says_why(example):
    table = example.files["statistics.csv"]
    rows = table[table["reason"].eq(disclosure.REASON)]
    assert len(rows)
    assert rows["status"].eq("not_estimable").all()
    assert rows[["estimate", "conf_low", "conf_high", "p_value"]].isna().all(axis=None)
    down = table.set_index("row_id").loc["transition.proportion/krenning/all/down"]
    assert down["reason"].startswith("masked: ")
    assert table["statistic"].isna().all()


def test_most_answers_stay(example):
    table = example.files["statistics.csv"].set_index("row_id")
    for row_id in (
        "model.krenning/krenning/all/log2_mib1",
        "transition.signed_rank/krenning/all",
        "transition.proportion/krenning/all/up",
        "criterion.gained/criterion/all",
        "transition.suvmax_ratio/suvmax/all",
    ):
        assert table.loc[row_id, "status"] != "not_estimable", row_id
    assert table["reason"].ne(disclosure.REASON).mean() > 0.6


def test_the_list_of_what_is_masked_holds_no_value(example):
    assert list(example.log) == list(disclosure.MASKED_COLUMNS)
    assert not {"value", "count"} & set(example.log)
    said = disclosure.summary(example, LEAST)
    assert "statistics.csv" in said


def test_a_curve_begins_at_no_patients_value(example):
    curves = example.files["predictions/curves.csv"]
    assert not curves["quantity"].eq("observed").any()
    values = set(curves.loc[curves["over"].eq("mib1"), "value"].astype(float))
    assert values <= set(disclosure._ROUND_MIB1)


def test_a_curve_between_its_values_is_that_of_the_study(example):
    whole, shown = shipped("config").predictions, example.files["predictions/curves.csv"]
    for score in ("0", "2", "4"):
        ends = []
        for curves in (whole, shown):
            own = curves[
                curves["model"].eq("model.krenning") & curves["quantity"].eq("probability")
            ]
            own = own[own["score"].astype(str).eq(score)].astype(
                {"value": float, "estimate": float}
            )
            ends.append(own.sort_values("value"))
        all_of_it, part = ends
        assert len(part) > 3
        expected = np.interp(np.log(part["value"]), np.log(all_of_it["value"]),
                             all_of_it["estimate"])  # fmt: skip
        assert np.allclose(part["estimate"], expected)


def test_a_masked_reason_of_the_flow_is_drawn_as_masked(example):
    from captem.figures import flow

    files = example.files
    rows = flow.data(through_csv(files["cohort/flow.csv"]),
                     through_csv(files["cohort/recorded.csv"]), files["cohort/sources.csv"],
    )  # fmt: skip
    masked_rows = rows[rows["n"].isna()]
    assert masked_rows["text"].eq("no MIB1 index").any()
    assert ("no MIB1 index", "masked") in list(flow._pairs(masked_rows))


def test_one_patient_is_masked_as_a_whole():
    table = masked_study("published_case").files["statistics.csv"]
    assert table[["n_patients", "n_events"]].astype(float).fillna(0).max(axis=None) in (0, 0.0)
    assert table[["estimate", "p_value"]].isna().all(axis=None)


def test_masked_copies_are_the_same_bytes_each_time(example):
    again = masked_study("config")
    for path, frame in example.files.items():
        assert as_csv(frame) == as_csv(again.files[path]), path
        assert list(pd.read_csv(io.StringIO(as_csv(frame)))) == list(frame)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("6 patients without a follow-up score taken to have fallen",
         "a masked number of patients without a follow-up score taken to have fallen"),
        ("only one patient has all that is needed",
         "only a masked number of patients have all that is needed"),
        ("1.5 effective observations per coefficient; at least 2 are needed",
         "a masked number of effective observations per coefficient; at least 2 are needed"),
        ("only 13 patients changed: the smallest P possible is 0.00012",
         "only a masked number of patients changed: the smallest P possible is masked"),
        ("2000 simulated studies; noise that has nothing to do with MIB1",
         "2000 simulated studies; noise that has nothing to do with MIB1"),
    ],
)  # fmt: skip
def test_reasons_name_no_numbers_of_the_study(reason, said):
    assert disclosure.without_numbers(reason) == said


def test_the_change_is_not_told_by_the_digits_of_p_or_by_the_mean_gain(example):
    """An exact P of three digits, with the sum of the steps, leaves one set of changes."""
    rows = example.files["statistics.csv"].set_index("row_id")
    for subset in ("all", "confirmatory"):
        assert pd.isna(rows.loc[f"transition.proportion/krenning/{subset}/down", "n_events"])
        test = rows.loc[f"transition.signed_rank/krenning/{subset}"]
        assert test["p_value"] == test["p_low"] == test["p_high"]
        assert test["p_value"] in (0.0009, 0.003)
        observed = rows.filter(like=f"bias.regression_to_mean/krenning/{subset}/observed", axis=0)
        assert len(observed) and observed["estimate"].isna().all()
        assert rows.loc[f"sensitivity.not_rescanned/krenning/{subset}/up/best", "n_events"] is pd.NA


def test_how_many_patients_there_are_is_masked_last(example):
    rows = example.files["statistics.csv"].set_index("row_id")
    assert rows.loc["describe.patients/characteristics/all", "n_patients"] == 60
