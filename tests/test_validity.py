"""Drawn studies with a known truth: the counts, the verdicts, and that jobs do not matter."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from captem import (
    calibration_grid,
    measured,
    models,
    statistics,
    terms,
    transition_rows,
    transitions,
    validity,
    validity_judged,
    validity_page,
    validity_rows,
    worlds,
    worlds_lesions,
)
from captem.calibration_grid import BLOCK, LESIONS, NAMES, RESAMPLED, SCENARIOS
from conftest import kill_when
from studies import measured_table

ROOT = Path(__file__).resolve().parent.parent
SIGNED_RANK = "transition.signed_rank/krenning/all"
NET = "transition.net_improvement/krenning/all"
UP = "transition.proportion/krenning/all/up"
MIB1 = "model.krenning/krenning/all/log2_mib1"
# Of one size.
CELLS = sum(map(len, SCENARIOS.values()))


def cell(row_id: str, scenario: str = "no_change", patients: int = 20, **counts) -> pd.Series:
    """Return the judgement of one line of counts."""
    row = dict.fromkeys(validity.COUNTED, 0.0) | {"studies": 2000, "given": 2000, "ok": 2000}
    row |= {"scenario": scenario, "patients": patients, "row_id": row_id, **counts}
    return validity_judged.judged(pd.DataFrame([row])).iloc[0]


def test_the_names_that_the_snakefile_knows_are_the_scenarios():
    assert tuple(known.name for known in worlds.SCENARIOS) == NAMES
    assert [worlds.named(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("scenario", worlds.SCENARIOS, ids=NAMES)
def test_a_study_has_the_patients_that_were_asked_for_and_scores_on_the_scale(scenario):
    study = worlds.draw(np.random.default_rng(1), worlds.base(), scenario, 37)
    frame = study.patients()
    assert len(frame) == 37
    for scores in (study.pre, study.post):
        assert set(scores) <= set(range(5))
    assert study.pre.max() <= scenario.chosen_up_to
    assert (frame["krenning_post_low"] == frame["krenning_post_high"]).all()


def test_where_nothing_changes_either_scan_may_be_the_first():
    study = worlds.draw(np.random.default_rng(2), worlds.base(), worlds.NO_CHANGE, 200_000)
    table = np.zeros((5, 5))
    np.add.at(table, (study.pre, study.post), 1)
    apart = np.abs(table - table.T)
    assert (apart <= 4.5 * np.sqrt(np.maximum(table + table.T, 1))).all()


def test_the_coefficients_that_are_drawn_are_those_that_a_large_study_finds():
    from captem import ordinal

    study = worlds.draw(np.random.default_rng(3), worlds.base(), worlds.MIB1, 20_000)
    found = ordinal.fit(study.post, study.post, np.column_stack([study.pre, study.doublings]))
    assert found.beta == pytest.approx([worlds.base().per_step, math.log(2)], abs=0.06)
    known = validity.truth(worlds.MIB1)
    assert math.log(known[MIB1]) == pytest.approx(math.log(2))


def test_the_truth_of_a_share_is_that_of_the_model():
    """The chance of a higher score, summed over baseline scores, by the formula."""
    world = worlds.base()
    limits = [-np.inf, *world.thresholds, np.inf]
    up = sum(
        share / (1 + math.exp(limits[score + 1] - world.per_step * score))
        for score, share in enumerate(world.shares)
        if score < 4
    )
    told = validity.truth(worlds.NO_MIB1)
    assert told["transition.proportion/krenning/all/up"] == pytest.approx(up, abs=0.004)
    net = told["transition.net_improvement/krenning/all"]
    odds = told["transition.win_odds/krenning/all"]
    assert odds == pytest.approx((1 + net) / (1 - net))


def test_what_misleads_has_no_truth():
    assert all(validity.truth(scenario) == {} for scenario in worlds.OF_BIAS)


def test_how_studies_are_parted_into_jobs_does_not_matter():
    def by(chunk: int) -> dict[tuple[str, int], list[tuple[int, int]]]:
        settings = {"patients": [8, 20], "replicates": 130, "chunk": chunk * BLOCK}
        found: dict[tuple[str, str, int], list[tuple[int, int]]] = {}
        for part in calibration_grid.chunks(settings):
            found.setdefault((part.rows, part.scenario, part.patients), []).extend(part.blocks)
        return found

    assert by(1) == by(2) == by(7)
    assert [size for _, size in by(2)["lesions", "no_mib1", 20]] == [50, 50, 30]
    assert len(by(1)) == 2 * CELLS


def test_more_studies_leave_full_chunks_as_they_are():
    """So that what was drawn is used again."""
    asked = {"patients": [8], "replicates": 200, "chunk": 100}
    before = {part.path: part for part in calibration_grid.chunks(asked)}
    after = {part.path: part for part in calibration_grid.chunks(asked | {"replicates": 450})}
    assert all(after[path] == part for path, part in before.items()) and len(after) > len(before)


def test_progress_counts_what_is_done_of_this_chunk_and_of_others():
    first, second = calibration_grid.chunks({"patients": [8], "replicates": 100, "chunk": 50})[:2]
    assert calibration_grid.said([first], [second], 25, 1.0).startswith(
        "Calibration: 75 of 100 studies done (75%); about "
    )
    assert calibration_grid.said([first, second], [], 0, 1.0).endswith("100 studies done.")


@pytest.mark.parametrize("patients", [8, 30])
def test_what_is_counted_is_what_a_study_would_print(patients):
    """Each row as `statistics.csv` would have it, but for the drawing of permutations."""
    drawn = [
        worlds.draw(np.random.default_rng(number), worlds.base(), worlds.MIB1, patients)
        for number in range(3)
    ]
    plan = terms.Plan.of(0.5, {"covariates": [], "splines": []})
    for study, found in zip(drawn, validity_rows.of_patients(drawn, [7, 8, 9]), strict=True):
        frame = study.patients()
        changes = transitions.patient_transitions(frame, validity_rows.NO_LESIONS, 3, "most")
        none = transitions.lesion_transitions(validity_rows.NO_LESIONS, 3, frame)
        seed = 7 + [one is study for one in drawn].index(True)
        every = [
            transition_rows.estimate(frame, changes, none, ["drawn"], seed=seed),
            models.estimate(frame, validity_rows.NO_LESIONS, changes, ["drawn"], plan, seed, 20)[0],
        ]
        printed = pd.concat(every).set_index("row_id")
        own = statistics.frame(found).set_index("row_id")
        assert len(own) > 50
        drawn_p = own.index.str.startswith("association.")
        same = [name for name in own.columns if name not in ("role", "p_adjusted")]
        pd.testing.assert_frame_equal(
            own.loc[~drawn_p, same], printed.loc[own.index[~drawn_p], same]
        )
        for name in own.index[drawn_p]:
            assert own.loc[name, "estimate"] == printed.loc[name, "estimate"]
            assert own.loc[name, "status"] == printed.loc[name, "status"]
            assert own.loc[name, "p_value"] == pytest.approx(printed.loc[name, "p_value"], abs=0.07)


@pytest.mark.parametrize("patients", [12, 30])
def test_rows_of_lesions_and_of_resamples_are_what_a_study_would_print(patients):
    rngs = [np.random.default_rng(number) for number in range(2)]
    drawn = [worlds.draw(rng, worlds.base(), worlds.MIB1, patients) for rng in rngs]
    lesions = [
        worlds_lesions.draw(rng, worlds.base(), worlds.MIB1, study)
        for rng, study in zip(rngs, drawn, strict=True)
    ]
    plan = terms.Plan.of(0.5, {"covariates": [], "splines": []})
    told = zip(
        validity_rows.of_lesions(drawn, lesions), validity_rows.beside(drawn, [7, 8]), strict=True
    )
    for study, own, found, seed in zip(drawn, lesions, told, [7, 8], strict=True):
        frame = study.patients()
        whose = frame["patient_id"].to_numpy()[own["patient"]]
        changes = transitions.patient_transitions(frame, validity_rows.NO_LESIONS, 3, "most")
        printed, _ = models.estimate(
            frame, own.assign(patient_id=whose), changes, ["drawn"], plan, seed,
            validity_rows.REPLICATES,
        )  # fmt: skip
        rows = statistics.frame([*found[0], *found[1]]).set_index("row_id")
        assert len(rows) == 26
        same = [name for name in rows.columns if name not in ("role", "p_adjusted")]
        pd.testing.assert_frame_equal(rows[same], printed.set_index("row_id").loc[rows.index, same])


def test_lesions_have_the_coefficients_that_they_are_drawn_with():
    """Of one patient by the mixed model; over all patients they are nearer to 1."""
    from captem import mixed_ordinal

    rng, world = np.random.default_rng(6), worlds.base()
    study = worlds.draw(rng, world, worlds.MIB1, 3000)
    lesions = worlds_lesions.draw(rng, world, worlds.MIB1, study)
    whose = lesions["patient"].to_numpy()
    pre, post = (lesions[f"krenning_{time}_low"].to_numpy(dtype=int) for time in ("pre", "post"))
    found = mixed_ordinal.fit(post, post, np.column_stack([pre, study.doublings[whose]]), whose)
    known = validity.truth(worlds.MIB1, LESIONS)
    row = "model.lesion_krenning/lesion_krenning/all"
    names = ("krenning_pre", "log2_mib1")
    truth = [math.log(known[f"{row}/{name}"]) for name in names]
    assert found.beta == pytest.approx(truth, abs=0.13)
    assert found.sigma == pytest.approx(worlds_lesions.SD, abs=0.12)
    across = [math.log(known[f"{row}/{name}/gee"]) for name in names]
    assert all(0.75 < all_ / one < 0.95 for all_, one in zip(across, truth, strict=True))
    assert validity.truth(worlds.NO_MIB1, LESIONS)[f"{row}/log2_mib1/gee"] == 1.0


def test_each_kind_of_rows_has_studies_of_its_own():
    seen = [validity.block(worlds.NO_MIB1, 12, 0, 2, rows) for rows in SCENARIOS]
    names = [set(found["row_id"]) for found in seen]
    assert not names[0] & names[1] and not names[0] & names[2] and not names[1] & names[2]
    assert all(known["studies"].max() == 2 for known in seen)
    assert validity.truth(worlds.MIB1, RESAMPLED)[f"{MIB1}/bootstrap"] == pytest.approx(2)


def test_of_what_misleads_few_rows_are_counted_and_they_are_the_same():
    drawn = [worlds.draw(np.random.default_rng(5), worlds.base(), worlds.OF_BIAS[0], 30)]
    (every,) = validity_rows.of_patients(drawn, [1])
    (few,) = validity_rows.of_patients(drawn, [1], few=True)
    known = {row["row_id"]: row for row in every}
    assert few == [known[row["row_id"]] for row in few] and len(few) < len(every)
    asked = {row_id for scenario in worlds.OF_BIAS for row_id in validity_page._asked(scenario)}
    assert asked <= {row["row_id"] for row in few}


def test_a_block_is_the_same_whenever_it_is_drawn_and_no_other_is():
    first = validity.block(worlds.NO_MIB1, 8, 3, 4)
    validity.block(worlds.NO_CHANGE, 8, 0, 1)
    pd.testing.assert_frame_equal(first, validity.block(worlds.NO_MIB1, 8, 3, 4))
    assert not first.equals(validity.block(worlds.NO_MIB1, 8, 4, 4))


def test_sums_are_those_of_all_blocks():
    blocks = [validity.block(worlds.NO_CHANGE, 8, number, 3) for number in range(3)]
    told = validity.gathered(blocks)
    assert (told["studies"] == 9).all()
    assert told["rejected"].sum() == sum(block["rejected"].sum() for block in blocks)
    assert told["row_id"].is_unique


def test_only_what_is_not_so_is_an_error():
    assert validity.is_null("no_change", SIGNED_RANK) and validity.is_null("no_change", MIB1)
    assert not validity.is_null("no_mib1", SIGNED_RANK) and validity.is_null("no_mib1", MIB1)
    assert not validity.is_null("mib1", MIB1)
    assert validity.is_null("mib1", "model.krenning_cycles/krenning/all/captem_cycles")
    assert not any(
        validity.is_null(scenario.name, row)
        for scenario in worlds.OF_BIAS for row in (SIGNED_RANK, MIB1)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row_id", "rejected", "outside"),
    [
        (SIGNED_RANK, 129, ""),
        (SIGNED_RANK, 130, "test"),
        (SIGNED_RANK, 0, ""),
        (MIB1, 150, ""),
        (MIB1, 152, "test"),
        (MIB1, 50, ""),
        (MIB1, 48, "test"),
    ],
)
def test_a_test_is_held_to_its_size(row_id, rejected, outside):
    """Of 2,000: exact 5 % + 3 x .49 %; approximate 2.5 to 7.5 %."""
    assert cell(row_id, tests=2000, rejected=rejected)["outside"] == outside


@pytest.mark.parametrize(
    ("row_id", "covered", "outside"),
    [(NET, 1850, ""), (NET, 1848, "coverage"), (f"{UP}/exact", 1815, ""),
     (f"{UP}/exact", 1814, "coverage"), (UP, 1815, "coverage")],
)  # fmt: skip
def test_an_interval_is_held_to_its_level(row_id, covered, outside):
    """Of 2,000: 92.5 %, and an exact one 92.5 % - 3 x .59 %."""
    assert cell(row_id, "mib1", intervals=2000, covered=covered)["outside"] == outside


def test_few_studies_with_numbers_judge_nothing():
    told = cell(MIB1, tests=199, rejected=100, intervals=199, covered=10)
    assert told["judged"] == "no" and told["outside"] == ""
    assert cell(MIB1, tests=200, rejected=100)["judged"] == "yes"


def test_what_misleads_is_never_judged():
    told = cell(SIGNED_RANK, "entry_low", tests=2000, rejected=2000)
    assert told["judged"] == "no" and told["outside"] == "" and told["rejects"] == 1


def test_what_is_there_is_power_and_no_error():
    told = cell(SIGNED_RANK, "no_mib1", tests=2000, rejected=2000)
    assert told["outside"] == "" and told["is_error"] == "no" and told["rejects"] == 1


def test_the_page_says_first_what_is_outside():
    counts = pd.concat(
        validity.block(scenario, 8, 0, 3) for scenario in (worlds.NO_CHANGE, worlds.OF_BIAS[0])
    )
    counts.loc[counts["row_id"].eq(SIGNED_RANK), ["tests", "rejected"]] = [2000, 400]
    cells = validity_judged.judged(counts)
    page = validity_page.page(cells)
    first = page.index(f"- `{SIGNED_RANK}`\n  - at about 8 patients")
    assert first < page.index("## How often is this rejected") < page.index("## The tables")
    assert "P was .05 or less in 20.0 % (±0.9 %) of simulated studies" in page
    assert "**errs 20.0**" in page and "**This is a short run**" in page
    assert "**entry_low**" in page and "every number there is invented" in page
    assert "nan" not in page
    text = validity_page.as_text(cells)
    assert "1 of them are outside" in text and f"{SIGNED_RANK}: 8 patients" in text


# What ships


def test_the_page_that_ships_is_that_of_the_table_that_ships():
    told = (ROOT / "docs/validity.md").read_text(encoding="utf-8")
    assert told == validity_page.page(measured_table()), "run make calibrate"


def test_the_table_that_ships_holds_every_row_at_every_size():
    cells = measured_table()
    rng, world = np.random.default_rng(1), worlds.base()
    drawn = [worlds.draw(rng, world, worlds.MIB1, 40)]
    lesions = [worlds_lesions.draw(rng, world, worlds.MIB1, drawn[0])]
    of_patients = validity_rows.of_patients(drawn, [1])
    more = (validity_rows.of_lesions(drawn, lesions), validity_rows.beside(drawn, [1]))
    told = [{row["row_id"] for found in rows for row in found} for rows in (of_patients, *more)]
    for name in calibration_grid.OF_TRUTH:
        own = cells[cells["scenario"].eq(name)]
        kinds = [
            known for known, asked in zip(told, SCENARIOS.values(), strict=True) if name in asked
        ]
        assert set(own["row_id"]) == set.union(*kinds)
        assert sorted(own["patients"].unique()) == [8, 12, 20, 40, 80, 200]
    assert set(cells["scenario"]) == set(NAMES)
    assert (cells[["ok", "unstable", "not_estimable"]].sum(axis=1) == cells["studies"]).all()


def test_exact_tests_hold_their_size_in_the_table_that_ships():
    cells = measured_table()
    chosen = cells[
        cells["row_id"].map(measured.is_exact_test)
        & cells["is_error"].eq("yes")
        & cells["tests"].gt(0)
    ]
    assert len(chosen) > 100
    limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / chosen["tests"])
    assert chosen[chosen["rejects"] > limit][["row_id", "patients", "rejects"]].empty


# A whole run

CONFIG = """\
study: mine
cut: "1"
sources:
  - {{name: ward, patients: patients.csv}}
calibration: {{patients: [8], replicates: {replicates}, chunk: {chunk}}}
"""
RESULTS = ("validity.csv", "validity.md", "calibration.txt")


class Folder:
    """A folder in which `calibrate` is run."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir()

    def command(self, chunk: int, cores: int, replicates: int = 60) -> list[str]:
        config = self.path / "study.yaml"
        config.write_text(CONFIG.format(chunk=chunk, replicates=replicates), encoding="utf-8")
        return [
            sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory",
            str(self.path), "--cores", str(cores), "calibrate", "--configfile", str(config),
        ]  # fmt: skip

    def run(self, chunk: int, cores: int, replicates: int = 60) -> str:
        done = subprocess.run(
            self.command(chunk, cores, replicates), cwd=ROOT, capture_output=True, text=True,
            timeout=900, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    @property
    def chunks(self) -> dict[str, int]:
        found = (self.path / "results/mine/calibration/chunks").rglob("*.csv")
        return {"/".join(path.parts[-4:]): path.stat().st_mtime_ns for path in found}

    def contents(self) -> dict[str, bytes]:
        folder = self.path / "results/mine/calibration"
        return {name: (folder / name).read_bytes() for name in RESULTS}


def test_a_whole_run_is_the_same_for_any_chunks_and_cores_and_uses_what_a_killed_one_left(tmp_path):
    one = Folder(tmp_path / "one")
    kill_when(one.command(50, 1), lambda: len(one.chunks) >= 2)
    left = one.chunks
    assert 2 <= len(left) < 2 * CELLS
    subprocess.run([*one.command(50, 1), "--unlock"], cwd=ROOT, capture_output=True, check=True)
    said = one.run(50, 2)
    total = 60 * CELLS
    assert f"Calibration: {total} of {total} studies done." in said
    assert re.search(rf"Calibration: \d+ of {total} studies done \(\d+%\); about .+ left", said)
    assert "Calibration: 60 drawn studies of each truth and size." in said
    again = one.chunks
    assert len(again) == 2 * CELLS
    # The last one may have been written, and not yet entered as done, when the run was killed.
    assert sum(again[name] == when for name, when in left.items()) >= len(left) - 1
    assert "Nothing to be done" in one.run(50, 2)
    other = Folder(tmp_path / "other")
    other.run(200, 1)
    assert len(other.chunks) == CELLS
    assert other.contents() == one.contents()
