"""Planned studies: against closed forms, against the package's own answers, and as a whole run."""

from __future__ import annotations

import dataclasses
import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from captem import (
    closed_forms,
    krenning_model,
    lesions,
    more_patients,
    paired,
    planned_models,
    planning_draw,
    planning_grid,
    planning_power,
    planning_table,
    planning_tests,
    planning_words,
    planning_world,
    table_formats,
)
from captem.config import resolve
from captem.errors import CaptemError
from captem.figures import power_curves
from captem.files import as_csv
from captem.model_parts import PRIMARY_TERM
from captem.planning_grid import BLOCK, OBSERVED, Cell, Scenario, Task
from captem.reader_error import misreading
from conftest import kill_when
from studies import schema, through_csv, without_patients

ROOT = Path(__file__).resolve().parent.parent
SMALLEST = {"study": "mine", "cut": "1", "sources": [{"name": "ward", "patients": "p.csv"}]}
SEED = 11
COUNTS = ((2, 3, 1, 0, 0), (1, 8, 6, 2, 0), (0, 2, 9, 5, 1), (0, 0, 2, 6, 2), (0, 0, 0, 1, 3))
PLAIN = Scenario((0.3, 0.4, 0.3, 0.0, 0.0), 3.0, 1.0, 1.0, 0.0, 0.0, 1)


def world(values: int = 40, reliability: float = 0.7) -> planning_world.World:
    drawn = np.random.default_rng(3).normal(0, 1, values)
    pairs = tuple((float(value), 0.0) for value in drawn - drawn.mean())
    counts = tuple(tuple(map(float, row)) for row in COUNTS)
    return planning_world.World(counts, 54, pairs, reliability)


def planning(**changed) -> dict:
    return resolve(SMALLEST | {"planning": changed}, schema())["planning"]


def simulated(cell: Cell, blocks: int, threshold: int = 3) -> dict[str, planning_tests.Answers]:
    """Return what so many blocks of a cell say, joined."""
    found = [
        planning_tests.answers(planning_draw.block(world(), cell, number, SEED), threshold)
        for number in range(blocks)
    ]
    return {
        name: planning_tests.Answers(
            *(np.concatenate([getattr(part[name], end) for part in found])
              for end in ("p", "low", "high"))
        )
        for name in planning_tests.ANALYSES
    }  # fmt: skip


def error(power: float, studies: int) -> float:
    return math.sqrt(power * (1 - power) / studies)


# Against the answers that the package gives of one study


@pytest.mark.parametrize(
    ("patients", "scenario"),
    [
        (3, Scenario(OBSERVED, OBSERVED, 2.0, 1.0, 0.3, 0.0, 1)),
        (5, Scenario(OBSERVED, OBSERVED, 2.0, 1.0, 0.0, 0.1, 1)),
        (9, Scenario((0.7, 0.2, 0.1, 0, 0), 0.7, 1.0, 1.0, 0.3, 0.0, 1)),
        (24, Scenario(OBSERVED, 2.0, 4.0, 1.0, 0.2, 0.2, 3)),
    ],
)
def test_many_studies_at_once_say_what_each_says_alone(patients, scenario):
    studies = planning_draw.block(world(), Cell(patients, scenario), 0, SEED)
    found = planning_tests.answers(studies, 2)
    refused = dict.fromkeys(planning_tests.ANALYSES, 0)
    for place in range(60):
        seen = studies.scanned[place]
        before, after = studies.before[place][seen], studies.after[place][seen]
        ends = {}
        rank, net = paired.signed_rank(before, after), paired.net_improvement(before, after)
        if rank.status != "not_estimable":
            ends[planning_tests.CHANGE] = (rank.p_value, net.conf_low, net.conf_high)
        mcnemar = paired.mcnemar(before, after, threshold=2)
        difference = paired.difference(before, after, threshold=2)
        if mcnemar.status != "not_estimable":
            own = (mcnemar.p_value, difference.conf_low, difference.conf_high)
            ends[planning_tests.CRITERION] = own
        chosen = pd.DataFrame({f"krenning_post_{end}": after for end in ("low", "high")})
        x = np.column_stack([before, studies.doublings[place][seen]])
        fitted = krenning_model.fit(
            planned_models.KRENNING, "all", "primary", chosen, x, reported_only=True
        )
        row = next(row for row in fitted.rows if row["term"] == PRIMARY_TERM)
        if row["status"] != "not_estimable":
            logs = (math.log(row["conf_low"]), math.log(row["conf_high"]))
            ends[planning_tests.MODEL] = (row["p_value"], *logs)
        for name, answer in found.items():
            refused[name] += name not in ends
            expected = ends.get(name, (math.nan,) * 3)
            given = (answer.p[place], answer.low[place], answer.high[place])
            np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-9)
    if patients <= 9:
        assert refused[planning_tests.MODEL] > 0
    if patients >= 9:
        assert refused[planning_tests.MODEL] < 60


# Against closed forms


def cells_of(scenario: Scenario) -> np.ndarray:
    """Return the chances of both scores where MIB1 and cycles have no effect, (5, 5)."""
    random = np.random.default_rng(0)
    shares, rows = planning_world.shares_and_rows(world(), scenario, random, 1)
    return shares[0][:, None] * rows[0]


@pytest.mark.parametrize("mid_p", [True])
@pytest.mark.parametrize(("patients", "change"), [(20, 3.0), (40, 3.0), (60, 1.0)])
def test_power_of_mcnemar_is_the_exact_one(patients, change, mid_p):
    scenario = dataclasses.replace(PLAIN, change=change)
    joint = cells_of(scenario)
    gained, lost = joint[:2, 2:].sum(), joint[2:, :2].sum()
    exact = closed_forms.mcnemar_power_exact(patients, gained, lost, mid_p=mid_p)
    found = simulated(Cell(patients, scenario), 8, threshold=2)[planning_tests.CRITERION]
    assert found.rejects.mean() == pytest.approx(exact, abs=4 * error(exact, 8 * BLOCK))
    if change == 3:
        for formula in (closed_forms.mcnemar_power_connor, closed_forms.mcnemar_power_miettinen):
            assert formula(patients, gained, lost) == pytest.approx(exact, abs=0.08)


def test_power_of_mcnemar_with_reading_errors_is_that_of_the_scores_as_read():
    scenario = dataclasses.replace(PLAIN, reader_error=0.3, lesions=2)
    read = planning_draw.reading(0.3, 2)
    joint = read.T @ cells_of(scenario) @ read
    gained, lost = joint[:2, 2:].sum(), joint[2:, :2].sum()
    exact = closed_forms.mcnemar_power_exact(40, gained, lost, mid_p=True)
    found = simulated(Cell(40, scenario), 8, threshold=2)[planning_tests.CRITERION]
    assert found.rejects.mean() == pytest.approx(exact, abs=4 * error(exact, 8 * BLOCK))


@pytest.mark.parametrize("change", [1.0, 3.0])
def test_power_of_the_signed_rank_test_is_the_exact_one(change):
    scenario = dataclasses.replace(PLAIN, change=change)
    joint = cells_of(scenario)
    chances = [float(np.trace(joint, step)) for step in range(-2, 3)]
    assert sum(chances) == pytest.approx(1)
    exact = closed_forms.signed_rank_power_exact(16, range(-2, 3), chances)
    found = simulated(Cell(16, scenario), 8)[planning_tests.CHANGE]
    assert found.rejects.mean() == pytest.approx(exact, abs=4 * error(exact, 8 * BLOCK))


@pytest.mark.parametrize(("patients", "odds_ratio"), [(80, 1.6), (150, 1.5)])
def test_power_of_the_model_comes_near_the_information_of_the_outcome(patients, odds_ratio):
    """Whitehead's information within each score at baseline; large-sample, so near is all it is."""
    scenario = Scenario((0.1, 0.3, 0.3, 0.2, 0.1), 2.0, odds_ratio, 1.0, 0.0, 0.0, 1)
    joint = cells_of(scenario)
    shares = joint.sum(axis=1)
    information = closed_forms.ordinal_information(joint / shares[:, None], shares)
    variance = float(np.var([value for value, _ in world().values]))
    expected = closed_forms.ordinal_power(patients, math.log(odds_ratio), variance, information)
    found = simulated(Cell(patients, scenario), 4)[planning_tests.MODEL].rejects.mean()
    assert 0.4 < expected < 0.95
    assert found == pytest.approx(expected, abs=0.05 + 3 * error(expected, 4 * BLOCK))


def test_without_an_effect_each_test_keeps_its_level():
    scenario = Scenario((0.1, 0.3, 0.3, 0.2, 0.1), 1.0, 1.0, 1.0, 0.1, 0.1, 1)
    for name, found in simulated(Cell(30, scenario), 8).items():
        assert found.rejects.mean() <= 0.05 + 4 * error(0.05, 8 * BLOCK), name


def test_drop_out_is_as_many_fewer_patients():
    few = simulated(Cell(30, PLAIN), 8)[planning_tests.CHANGE].rejects.mean()
    dropping = dataclasses.replace(PLAIN, drop_out=0.5)
    lost = simulated(Cell(60, dropping), 8)[planning_tests.CHANGE].rejects.mean()
    assert lost == pytest.approx(few, abs=0.07)


# What is drawn


def test_cycles_act_on_the_follow_up_and_not_on_the_model():
    values = tuple((0.0, float(cycles)) for cycles in (-2, 2))
    of = dataclasses.replace(world(), values=values)
    scenario = dataclasses.replace(PLAIN, cycle_odds_ratio=3.0)
    random = np.random.default_rng(1)
    drawn = planning_draw.draw(of, scenario, 200, 20, random)
    assert (drawn.doublings == 0).all()
    plain = planning_draw.draw(of, PLAIN, 200, 20, np.random.default_rng(1))
    assert drawn.after.var() > 1.2 * plain.after.var()


def test_observed_chances_are_drawn_about_what_was_observed():
    scenario = Scenario(OBSERVED, OBSERVED, 1.0, 1.0, 0.0, 0.0, 1)
    shares, rows = planning_world.shares_and_rows(
        world(), scenario, np.random.default_rng(2), 20_000
    )
    counts = np.array(COUNTS, dtype=float)
    totals = counts.sum(axis=1)
    mean = (totals + 0.2) / (totals.sum() + 1)
    np.testing.assert_allclose(shares.mean(axis=0), mean, atol=0.003)
    np.testing.assert_allclose(rows.sum(axis=2), 1)
    chance = (counts[1, 2] + 0.2) / (totals[1] + 1)
    assert rows[:, 1, 2].mean() == pytest.approx(chance, abs=0.004)
    # The spread is that of the Dirichlet distribution: what so few patients leave open.
    assert rows[:, 1, 2].var() == pytest.approx(chance * (1 - chance) / (totals[1] + 2), rel=0.05)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_score_as_read_is_that_of_more_than_half_of_the_lesions(count):
    rate, true = 0.3, 1
    chances = np.zeros(5)
    for scores in itertools.product((0, 1, 2), repeat=count):
        table = pd.DataFrame({"patient_id": "A", "score": scores})
        value = int(lesions.patient_values(table, ("score",), "most").iloc[0, 0])
        chances[value] += math.prod(misreading(rate)[true, score] for score in scores)
    np.testing.assert_allclose(planning_draw.reading(rate, count)[true], chances, atol=1e-12)


def test_more_lesions_are_misread_less():
    wrong = [1 - planning_draw.reading(0.2, count)[2, 2] for count in (1, 3, 9)]
    assert wrong[0] > wrong[1] > wrong[2]
    assert (planning_draw.reading(0.0, 5) == np.eye(5)).all()


# Cells, blocks, chunks


def run(settings: dict, order: int = 1) -> pd.DataFrame:
    of = world()
    chunks = []
    for tasks in list(planning_grid.chunks(settings).values())[::order]:
        parts = [counts for _, counts in planning_power.simulated(of, tasks, 3, SEED)]
        chunks.append(through_csv(pd.concat(parts)))
    return planning_power.whole(chunks, settings)


def test_the_result_is_the_same_however_the_work_is_cut():
    grid = {"patients": [4, 9], "drop_out": [0.2], "mib1_odds_ratio": [2], "replicates": 1000}
    whole = as_csv(run(planning(**grid, chunk=100_000)))
    assert "0.0," in whole
    for chunk, order in ((250, -1), (750, 1), (1000, -1)):
        assert len(planning_grid.chunks(planning(**grid, chunk=chunk))) > 1
        assert as_csv(run(planning(**grid, chunk=chunk), order)) == whole


def test_a_cell_does_not_depend_on_the_grid_around_it():
    small = planning(patients=[6], drop_out=[0], reader_error=[0], mib1_odds_ratio=[2],
                     replicates=250)  # fmt: skip
    large = small | {"patients": [4, 6], "mib1_odds_ratio": [1.5, 2]}
    found = run(large)
    kept = found[found["patients"].eq(6) & found["mib1_odds_ratio"].eq(2)]
    assert as_csv(kept) == as_csv(run(small))
    assert not kept["power"].equals(found["power"].iloc[:3])


def test_chunks_that_stay_in_the_grid_keep_their_name():
    before = planning_grid.chunks(planning(patients=[20, 40], chunk=4000))
    after = planning_grid.chunks(planning(patients=[20, 40, 60], chunk=4000))
    assert len(before) > 3
    assert set(before) < set(after)
    assert not set(before) & set(planning_grid.chunks(planning(patients=[21, 41], chunk=4000)))


def test_no_two_blocks_have_one_seed():
    settings = planning(patients=[20, 40], lesions=[1, 3])
    seeds = [
        planning_grid.seed_of(task.cell, block)
        for tasks in planning_grid.chunks(settings).values()
        for task in tasks
        for block in range(task.first, task.last)
    ]
    assert len(set(seeds)) == len(seeds) == 2 * 16 * 8


def test_tasks_come_back_from_params():
    mix = [0.1, 0.4, 0.3, 0.15, 0.05]
    settings = planning(baseline=[OBSERVED, mix], change=[OBSERVED, 2])
    tasks = [task for own in planning_grid.chunks(settings).values() for task in own]
    back = planning_grid.from_params(planning_grid.as_params(tasks))
    assert back == tasks
    assert [task.cell.code for task in back] == [task.cell.code for task in tasks]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replicates": 300}, "multiple of 250"),
        ({"chunk": 251}, "multiple of 250"),
        ({"baseline": [0, 0, 0, 0, 0]}, "shares of the baseline scores"),
        ({"baseline": [0.5, 0.5]}, "shares of the baseline scores"),
        ({"baseline": "other"}, "the mix of scores at baseline"),
        ({"patient": [20]}, "did you mean 'patients'?"),
        ({"patients": []}, "planning.patients"),
        ({"drop_out": [1]}, "planning.drop_out"),
        ({"change": ["none"]}, "observed, or an odds ratio"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(CaptemError) as caught:
        planning(**change)
    assert words in str(caught.value)


def test_progress_says_what_is_done_and_left():
    cell = Cell(60, PLAIN)
    assert "500 of 1,000 replicates done (50%)" in planning_grid.progress(
        [Task(cell, 0, 2)], [Task(cell, 2, 4)], 1.0
    )
    assert planning_grid.progress([Task(cell, 0, 2)], [], 1.0).endswith("500 replicates done.")


# From the study to its world


PATIENTS = ["patient_id,krenning_pre,krenning_post,mib1,captem_cycles"] + [
    f"A{i},{i % 4},{min(4, i % 4 + (i % 3 > 0))},{2 + i},{i % 5 + 2}" for i in range(14)
]


def test_interval_scores_count_in_parts():
    frame = pd.DataFrame(
        {"krenning_pre_low": [1, 2], "krenning_pre_high": [2, 2], "krenning_post_low": [3, 0],
         "krenning_post_high": [4, 0]}
    )  # fmt: skip
    counts = planning_world.observed_counts(frame)
    assert counts[1, 3] == counts[2, 4] == 0.25
    assert counts[2, 0] == 1
    assert counts.sum() == 2


def test_before_the_first_patient_it_says_what_to_write():
    patients = through_csv(without_patients().patients)
    _, missing = planning_world.world(patients, planning(cycle_odds_ratio=[1.2]), 0.5)
    assert [said.split(":")[0] for said in missing] == [
        "planning, baseline", "planning, change", "planning, mib1"
    ]  # fmt: skip
    assert "change: [1.5, 2, 3]" in missing[1]
    enough = planning(baseline=[0.1, 0.4, 0.3, 0.15, 0.05], change=[2], mib1=[2, 8, 32])
    found, missing = planning_world.world(patients, enough, 0.5)
    assert missing == []
    assert sorted(value for value, _ in found.values) == [-2, 0, 2]
    with_cycles = enough | {"cycle_odds_ratio": [1.2]}
    assert "cycles: [2, 4, 6, 6, 8]" in planning_world.world(patients, with_cycles, 0.5)[1][0]
    assert planning_world.World.from_json(found.as_json()) == found


# What is made of it


def test_the_smallest_number_is_that_from_which_on_the_power_is_enough():
    n = np.array([20.0, 40.0, 60.0, 80.0])
    crossing = planning_power.crossing
    # Straight in the probit over the root of n, as an effect of one size is.
    curve = closed_forms.ndtr(0.4 * np.sqrt(n) - 1.96)
    exact = ((0.8416212 + 1.96) / 0.4) ** 2
    assert crossing(n, curve, 0.8) == math.ceil(exact)
    # A dip below the target counts, however high the power was before it.
    assert crossing(n, np.array([0.5, 0.85, 0.79, 0.9]), 0.8) > 60
    assert crossing(n, np.array([0.85, 0.86, 0.9, 0.9]), 0.8) == 20
    assert crossing(n, np.array([0.1, 0.2, 0.3, 0.4]), 0.8) == math.inf


def made_power() -> pd.DataFrame:
    counts = planning_power.Counts()
    settings = planning(patients=[20, 80], drop_out=[0], reader_error=[0], mib1_odds_ratio=[1, 2],
                        replicates=1000)  # fmt: skip
    for cell in planning_grid.cells(settings):
        for analysis in planning_tests.ANALYSES:
            strong = 900 if cell.patients == 80 and cell.scenario.mib1_odds_ratio == 2 else 300
            rows = [(cell.code, analysis, "0.500", 950, strong), (cell.code, analysis, "", 50, 0)]
            counts.add(pd.DataFrame(rows, columns=list(planning_power.COUNTED)))
    return planning_power.power(counts, settings)


def test_power_counts_a_refusal_as_no_rejection():
    power = made_power()
    row = power.iloc[-1]
    assert row["power"] == 0.9
    assert row["refused"] == 0.05
    assert row["mc_error"] == pytest.approx(math.sqrt(0.9 * 0.1 / 1000))
    widths = power.drop_duplicates("analysis").set_index("analysis")["median_width"]
    assert widths[planning_tests.CHANGE] == 0.5
    assert widths[planning_tests.MODEL] == pytest.approx(math.exp(0.5), abs=5e-4)


def test_smallest_says_what_the_error_leaves_open_and_what_is_not_reached():
    found = planning_power.smallest(made_power(), 0.8).set_index(["mib1_odds_ratio", "analysis"])
    reached = found.loc[(2.0, planning_tests.CHANGE)]
    assert reached["status"] == "reached"
    assert 20 < reached["patients_low"] < reached["patients"] < reached["patients_high"] < 80
    never = found.loc[(1.0, planning_tests.CHANGE)]
    assert never["patients"] == math.inf
    assert "larger ones under planning: patients" in never["reason"]
    assert "odds ratio 1" in found.loc[(1.0, planning_tests.MODEL)]["reason"]


@pytest.fixture(scope="module")
def expected(request) -> pd.DataFrame:
    from studies import shipped

    study = shipped("config")
    patients, changes = through_csv(study.patients), through_csv(study.changes)
    found = more_patients.rows(patients, changes, [10, 60], 0.5, 500, SEED)
    again = more_patients.rows(patients, changes, [10, 60], 0.5, 500, SEED)
    assert as_csv(found) == as_csv(again)
    rows = study.statistics.set_index("row_id")
    net, model = (rows.loc[name] for name in ("transition.net_improvement/krenning/all",
                                              "model.krenning/krenning/all/log2_mib1"))  # fmt: skip
    now = found.drop_duplicates("analysis").set_index("analysis")
    for name, row in ((more_patients.NET, net), (more_patients.MODEL, model)):
        for column in ("estimate", "conf_low", "conf_high", "n_patients"):
            assert now.loc[name, column] == pytest.approx(row[column], rel=1e-12)
    return found


def test_more_patients_make_intervals_narrower(expected):
    assert expected["status"].ne("not_estimable").all()
    for _, own in expected.groupby("analysis"):
        few, many = own.to_dict("records")
        assert few["width"] > few["expected_width"] > many["expected_width"]
        ratio = math.log if own["analysis"].iloc[0] == more_patients.MODEL else float
        root = math.sqrt(few["n_patients"] / many["n_expected"])
        assert ratio(many["expected_width"]) == pytest.approx(ratio(few["width"]) * root, rel=0.2)
        assert many["width_low"] <= many["expected_width"] <= many["width_high"]


def test_nobody_yet_has_no_interval_to_make_narrower():
    study = without_patients()
    found = more_patients.rows(
        through_csv(study.patients), through_csv(study.changes), [40], 0.5, 250, SEED
    )
    assert found["status"].eq("not_estimable").all()
    assert found["reason"].str.len().gt(10).all()
    assert "no interval" in planning_words.joined_words(found)[0]


def test_tables_sentences_and_figure_say_the_same(expected):
    power = made_power()
    settings = planning()
    smallest = planning_power.smallest(power, 0.8)
    row = smallest[smallest["mib1_odds_ratio"].eq(2)].iloc[0]
    said = f"{row['patients']:g} ({row['patients_low']:g} to {row['patients_high']:g})"
    text = planning_words.as_text(smallest, expected, settings, "recorded")
    table = planning_table.power_table(power, smallest, settings, "recorded")
    assert said in text
    assert said in table_formats.to_csv(table)
    assert "with 10 more patients the 95% interval would be about" in text
    assert "30% (0.50)" in table_formats.to_csv(table)
    assert "30% (×1.6)" in table_formats.to_csv(table)
    of_intervals = planning_table.intervals_table(
        planning_table.numbers(through_csv(expected)), settings, "synthetic"
    )
    csv = table_formats.to_csv(of_intervals)
    now = expected.iloc[0]
    assert planning_words.ends(now["conf_low"], now["conf_high"], False) in csv
    assert "nan" not in csv.lower()
    assert not [note for note in of_intervals.notes if "None" in note]
    rows = power_curves.data(power, 0.8)
    assert set(rows["scenario"]) == {"MIB1 OR 1", "MIB1 OR 2"}
    assert "Alt text: Three panels" in planning_words.caption(rows, settings, "recorded")


# A whole run

CONFIG = """\
study: {study}
cut: "1"
sources:
  - {{name: ward, patients: patients.csv}}
planning:
  patients: {patients}
  mib1_odds_ratio: [3]
  drop_out: [0]
  reader_error: [0]
  replicates: 1000
{more}"""
RESULTS = ("power.csv", "smallest.csv", "more_patients.csv", "planning.txt", "power_table.docx",
           "intervals_table.html", "power_curves.svg", "power_curves.txt")  # fmt: skip


class Folder:
    """A folder with a study in it, in which `plan` is run."""

    def __init__(self, path: Path, patients: list[str], more: str, study: str = "mine"):
        self.path = path
        path.mkdir()
        (path / "patients.csv").write_text("\n".join(patients) + "\n", encoding="utf-8")
        self.configure(more, study)

    def configure(self, more: str, study: str = "mine", patients: str = "[6, 12]"):
        text = CONFIG.format(study=study, more=more, patients=patients)
        (self.path / "study.yaml").write_text(text, encoding="utf-8")

    def command(self, cores: int) -> list[str]:
        return [
            sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory",
            str(self.path), "--cores", str(cores), "plan", "--configfile",
            str(self.path / "study.yaml"),
        ]  # fmt: skip

    def plan(self, cores: int = 2, code: int = 0) -> str:
        done = subprocess.run(
            self.command(cores), cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    @property
    def results(self) -> Path:
        return self.path / "results/mine/planning"

    @property
    def chunks(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.results.glob("chunks/*.csv")}

    def contents(self) -> dict[str, bytes]:
        return {name: (self.results / name).read_bytes() for name in RESULTS}


def test_a_whole_run_is_the_same_for_any_chunks_and_cores_and_uses_what_a_killed_one_left(tmp_path):
    one = Folder(tmp_path / "one", PATIENTS, "  chunk: 250\n")
    kill_when(one.command(1), lambda: len(one.chunks) >= 2)
    left = one.chunks
    assert 2 <= len(left) < 8
    subprocess.run([*one.command(1), "--unlock"], cwd=ROOT, capture_output=True, check=True)
    said = one.plan()
    assert "Planning: 2,000 of 2,000 replicates done." in said
    assert "with 40 more patients the 95% interval would be about" in said
    again = one.chunks
    assert len(again) == 8
    # The last one may have been written, and not yet entered as done, when the run was killed.
    assert sum(again[name] == when for name, when in left.items()) >= len(left) - 1
    other = Folder(tmp_path / "other", PATIENTS, "  chunk: 1000\n")
    other.plan(cores=1)
    assert len(other.chunks) == 2
    assert other.contents() == one.contents()
    # A further number of patients is simulated, and nothing else again.
    before = other.chunks
    other.configure("  chunk: 1000\n", patients="[6, 12, 9, 20]")
    assert "2,000 of 4,000" not in other.plan(cores=1)
    after = other.chunks
    assert {name.partition("_")[0] for name in set(after) - set(before)} == {"n9", "n20"}
    assert all(after[name] == when for name, when in before.items())
    power = pd.read_csv(other.results / "power.csv")
    kept = power[power["patients"].isin([6, 12])]
    assert as_csv(kept) == as_csv(pd.read_csv(one.results / "power.csv"))


def test_a_study_before_its_first_patient_is_planned_from_the_config(tmp_path):
    none = Folder(tmp_path / "none", PATIENTS[:1], "")
    said = none.plan(code=1)
    for words in ("planning, baseline: observed", "planning, change", "planning, mib1"):
        assert words in said.rpartition("What went wrong")[2]
    none.configure(
        "  baseline: [0.1, 0.4, 0.3, 0.15, 0.05]\n  change: [3]\n  mib1: [2, 5, 10, 20]\n"
    )
    said = none.plan()
    assert "No patient has both scans yet" in said
    power = pd.read_csv(none.results / "power.csv")
    assert power["replicates"].eq(1000).all()
    assert power["power"].between(0, 1).all()
