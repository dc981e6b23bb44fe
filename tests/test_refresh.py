"""A study that grows, as whole runs: frozen cuts stay, changes are shown, a patient leaves."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from captem import cuts
from captem.files import read_frame
from conftest import Clone, make_clone
from test_workflow import contents

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

BEFORE, FIRST, SECOND, THIRD = "2026-02-01", "2026-05-01", "2026-08-01", "2026-11-01"


def run(clone: Clone, target: str, cut: str, *config: str) -> subprocess.CompletedProcess:
    words = [target, "--configfile", f"config/cohorts/refresh/{cut}/study.yaml"]
    return clone.snakemake(*words, *(["--config", *config] if config else []))


def run_with(
    clone: Clone, target: str, cut: str, old: str, new: str, *config: str, file: str = "study.yaml"
) -> subprocess.CompletedProcess:
    """Run a target with a text of the config or another file of a cut exchanged; put it back."""
    path = clone.path / "config/cohorts/refresh" / cut / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    try:
        path.write_text(text.replace(old, new), encoding="utf-8")
        return run(clone, target, cut, *config)
    finally:
        path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Clone:
    """A clone in which the plan is locked, the first cut frozen, and the second was run."""
    clone = make_clone(tmp_path_factory.mktemp("refresh") / "captem")
    for target, cut in (("lock_plan", BEFORE), ("freeze", FIRST), ("all", SECOND)):
        done = run(clone, target, cut)
        assert done.returncode == 0, done.stdout
        if target == "freeze":
            assert "and the chain says so" not in done.stdout
    assert "This data cut is look 2 of the plan, and the chain says so from now on." in done.stdout
    return clone


def test_the_frozen_cut_is_what_the_run_made_and_says_of_what(grown):
    folder = grown.results("refresh") / "cuts" / FIRST
    record = json.loads((folder / "cut.json").read_text())
    said = subprocess.run(
        ["sha256sum", *record["sources"]], cwd=grown.path, capture_output=True, text=True
    )
    assert [line.split()[0] for line in said.stdout.splitlines()] == [*record["sources"].values()]
    assert record["cut"] == record["date"] == FIRST
    assert cuts.check(grown.results("refresh"))[0].name == FIRST


def test_a_run_compares_itself_with_the_newest_frozen_cut(grown):
    folder = grown.results("refresh") / "compare" / FIRST
    assert {path.name for path in folder.iterdir()} == {
        "compare.html", "compare.docx", "data.csv", "statistics.csv", "attribution.csv",
        "worries.csv",
    }  # fmt: skip
    page = (folder / "compare.html").read_text(encoding="utf-8")
    assert "Baseline uptake of 1 patient was edited after the follow-up was known: P003." in page
    changes = (folder / "data.csv").read_text(encoding="utf-8")
    assert "lesions,changed score,P003,L1,prospective,krenning_pre,3,2" in changes
    assert "patients,typing repair,P002,,,mib1,10%,10" in changes


def test_an_up_to_date_run_does_nothing_and_other_words_are_explained(grown):
    before = contents(grown.results("refresh"))
    assert "Nothing to be done" in run(grown, "all", SECOND).stdout
    missing = run(grown, "compare", SECOND, "against=2026-05-02")
    assert missing.returncode == 1
    assert "no frozen data cut 2026-05-02. Did you mean 2026-05-01?" in missing.stdout
    verified = run(grown, "verify", SECOND)
    assert "4 entries, 1 frozen data cuts" in verified.stdout
    assert contents(grown.results("refresh")) == before


def test_a_frozen_name_with_other_data_is_an_error(grown):
    before = contents(grown.results("refresh"))
    done = run_with(grown, "all", FIRST, "P001,", "P901,", file="patients.csv")
    assert done.returncode == 1
    assert "patients.csv holds other data than then" in done.stdout
    assert "Give the new data a name of their own" in done.stdout
    assert "Traceback" not in done.stdout
    assert contents(grown.results("refresh")) == before


def test_a_changed_byte_of_a_frozen_cut_stops_every_run(grown):
    path = grown.results("refresh") / "cuts" / FIRST / "statistics.csv"
    data = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(data.replace(b"0", b"1", 1))
        done = run(grown, "check", SECOND)
    finally:
        path.write_bytes(data)
        path.chmod(0o444)
    assert done.returncode == 1
    assert f"cuts/{FIRST}/statistics.csv is not what was frozen" in done.stdout


def test_an_old_cut_made_again_from_its_sources_is_the_same_bytes(grown, tmp_path):
    frozen = grown.results("refresh") / "cuts" / FIRST
    shutil.copytree(grown.path / "config", tmp_path / "config")
    locked = "results/refresh/chain/0001_lock_plan_v1.json"
    (tmp_path / locked).parent.mkdir(parents=True)
    shutil.copy2(grown.path / locked, tmp_path / locked)
    done = grown.snakemake(
        "freeze", "--configfile", str(frozen / "config.yaml"), "--directory", str(tmp_path),
        PYTHONHASHSEED="7", TZ="Pacific/Auckland",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert contents(tmp_path / f"results/refresh/cuts/{FIRST}") == contents(frozen)


def test_the_plan_is_held_against_each_run(grown):
    results = grown.results("refresh")
    planned = read_frame(results / "plan/planned.csv").set_index("row_id")
    rows = read_frame(results / "statistics.csv").set_index("row_id")
    assert planned.index.equals(rows.index) and planned["role"].equals(rows["role"])
    primary = planned[planned["role"].eq("primary")]
    assert set(primary["analysis"]) == {"transition.signed_rank", "model.krenning"}
    looks = read_frame(results / "plan/looks.csv")
    change = looks[looks["question"].eq("change")]
    assert list(change["status"]) == ["taken", "this cut", "ahead"]
    assert list(change["cut"][:2]) == [FIRST, SECOND]
    assert "Look 2 of 3 of the plan locked on" in (results / "summary.html").read_text()
    frozen = read_frame(results / f"cuts/{FIRST}/plan/looks.csv")
    same = ["n_patients", "boundary_p", "p_value", "repeated_low"]
    assert frozen.loc[0, same].tolist() == looks.loc[0, same].tolist()


def test_a_plan_is_amended_with_a_reason_only(grown):
    plan = grown.path / "config/cohorts/refresh/plan.yaml"
    text = plan.read_text(encoding="utf-8")
    before = contents(grown.results("refresh"))
    try:
        plan.write_text(text.replace("follow_up: last", "follow_up: first"), encoding="utf-8")
        refused = run(grown, "lock_plan", SECOND)
        plan.write_text(text.replace("outcome: krenning", "outcome: grade"), encoding="utf-8")
        wrong = run(grown, "lock_plan", SECOND)
    finally:
        plan.write_text(text, encoding="utf-8")
    assert refused.returncode == wrong.returncode == 1
    assert "follow_up: last then, first now" in refused.stdout
    assert "A plan is amended with a reason" in refused.stdout
    assert "outcome: 'grade' is not one of krenning" in wrong.stdout
    assert "Traceback" not in refused.stdout + wrong.stdout
    assert "This plan is locked already" in run(grown, "lock_plan", SECOND).stdout
    assert contents(grown.results("refresh")) == before


def test_a_look_that_the_plan_does_not_have_is_said(grown):
    done = run_with(grown, "statistics", SECOND, "look: 2", "look: 4")
    assert done.returncode == 1
    assert "plan, look: 4: the plan that was locked has 3, at 10, 15, 20 patients" in done.stdout


def test_a_plan_is_not_locked_where_a_table_is_missing(grown):
    """Its rows would be counted as none."""
    before = contents(grown.results("refresh"))
    done = run_with(grown, "lock_plan", SECOND, "/patients.csv", "/pateints.csv")
    assert done.returncode == 1 and "pateints.csv of source prospective is not there" in done.stdout
    assert contents(grown.results("refresh")) == before


def test_a_frozen_look_that_is_run_again_after_the_next_is_what_was_frozen(grown):
    entries = len(list((grown.results("refresh") / "chain").glob("0*.json")))
    done = run(grown, "freeze", FIRST)
    assert done.returncode == 0, done.stdout
    assert f"The data cut {FIRST} is frozen already, with this content" in done.stdout
    assert len(list((grown.results("refresh") / "chain").glob("0*.json"))) == entries


def test_a_cut_that_was_one_look_is_not_called_another(grown):
    done = run_with(grown, "statistics", SECOND, "look: 2", "look: 3")
    assert done.returncode == 0, done.stdout
    told = read_frame(grown.results("refresh") / "plan/planned.csv")
    assert set(told["planned"]) == {"exploratory", "descriptive"}
    assert told["why"].str.contains("this data cut was taken as look 2 on").any()


def test_other_data_at_a_look_are_an_entry_and_a_deviation(grown):
    chain = grown.results("refresh") / "chain"
    before = len(list(chain.glob("0*.json")))
    done = run_with(grown, "statistics", SECOND, "P021,65,", "P021,64,", file="patients.csv")
    assert done.returncode == 0, done.stdout
    assert "looks.2.data_changed: planned the data of a look do not change" in done.stdout
    assert len(list(chain.glob("0*.json"))) == before + 1


def test_a_later_look_is_not_frozen_before_an_earlier_one(grown):
    before = contents(grown.results("refresh"))
    done = run(grown, "freeze", THIRD)
    assert done.returncode == 1
    assert f"Look 2 was taken at the data cut {SECOND}, which is not frozen." in done.stdout
    assert contents(grown.results("refresh")) == before


def test_a_frozen_name_with_data_under_another_path_is_an_error(grown):
    done = run_with(grown, "statistics", FIRST, f"{FIRST}/patients.csv", f"{SECOND}/patients.csv")
    assert done.returncode == 1
    assert f"{SECOND}/patients.csv was no source then" in done.stdout


def test_an_amendment_from_a_config_without_data_knows_what_was_seen(grown):
    """The config of before the first patient has headings only; the second look is not frozen."""
    words = ("follow_up: last", "follow_up: first", "reason=It was wiser.")
    done = run_with(grown, "lock_plan", BEFORE, *words, file="../plan.yaml")
    assert done.returncode == 0, done.stdout
    assert "Sources that have data already: prospective (23 rows)." in done.stdout
    assert "The config does otherwise than this plan." in done.stdout
    assert "follow_up: the plan says first, the config last" in done.stdout


def test_a_patient_who_withdraws_is_nowhere(grown):
    """Last, as it takes the results of the other tests away."""
    results = grown.results("refresh")
    said = run(grown, "withdraw", THIRD, "withdraw=P006")
    assert said.returncode == 0, said.stdout
    assert f"out of the frozen data cuts {FIRST}" in said.stdout
    refused = run(grown, "check", SECOND)
    assert refused.returncode == 1
    assert f"refresh/{SECOND}/patients.csv, row" in refused.stdout
    assert "P006" not in refused.stdout
    held = [path for path in results.rglob("*") if path.is_file() and b"P006" in path.read_bytes()]
    assert held == []
    done = run(grown, "check", THIRD)
    assert done.returncode == 0, done.stdout
    assert "7 entries, 1 frozen data cuts" in run(grown, "verify", THIRD).stdout
