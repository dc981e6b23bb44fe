"""Runs that meet another run, a full disk, a read-only folder, a kill, or a file that changes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soak
from conftest import Clone, make_clone
from test_workflow import contents, planned

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

CASE = ("--configfile", "config/published_case.yaml")
PATIENTS = "config/cohorts/published_case/patients.csv"


def begun(clone: Clone, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *words], cwd=clone.path,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Clone:
    """A clone in which the published case was run and frozen, undisturbed."""
    clone = make_clone(tmp_path_factory.mktemp("whole") / "captem")
    done = clone.snakemake("all", "freeze", *CASE)
    assert done.returncode == 0, done.stdout
    return clone


def study_of(clone: Clone) -> Path:
    (folder,) = [path for path in (clone.path / "results").iterdir() if path.is_dir()]
    return folder


def test_a_second_run_says_who_is_at_work_and_since_when_and_disturbs_nothing(whole, clone):
    first = begun(clone, "all", "freeze", *CASE)
    assert any("Reading the tables" in line for line in first.stdout)
    second = clone.snakemake(*CASE)
    said, _ = first.communicate()
    assert second.returncode == 1
    assert f"Another run holds this folder: process {first.pid} on " in second.stdout
    assert "to make all, freeze" in second.stdout
    assert first.returncode == 0, said
    assert soak.contents(study_of(clone)) == soak.contents(study_of(whole))


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Make a folder a disk of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("only the owner of the machine can make a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_said_and_what_was_frozen_stays(whole, tmp_path):
    disk = tmp_path / "disk"
    with small_disk(disk, 60):
        other = Clone(disk / "captem")
        shutil.copytree(whole.path / "config", other.path / "config")
        shutil.copytree(study_of(whole) / "chain", other.path / "results/published_case/chain")
        shutil.copytree(study_of(whole) / "cuts", other.path / "results/published_case/cuts")
        before = contents(other.results("published_case"))
        # Of what Snakemake writes for itself while the disk fills, its own words speak.
        (tmp_path / "bookkeeping").mkdir()
        (other.path / ".snakemake").symlink_to(tmp_path / "bookkeeping")
        words = ("-s", str(whole.path / "Snakefile"), *CASE, "--directory", ".")
        free = shutil.disk_usage(disk).free
        with (disk / "filler").open("wb") as filler:
            filler.write(bytes(free - 3 * 2**20))
        short = other.snakemake(*words)
        with (disk / "filler").open("ab") as filler, contextlib.suppress(OSError):
            filler.write(bytes(8 * 2**20))
        full = other.snakemake(*words)
        (disk / "filler").unlink()
        kept = contents(other.results("published_case"))
        assert before.items() <= kept.items()
        done = other.snakemake(*words)
        assert done.returncode == 0, done.stdout
        assert soak.contents(other.results("published_case")) == soak.contents(study_of(whole))
    assert short.returncode == full.returncode == 1
    assert "The disk is full, or your share of it is used up: results/" in short.stdout
    assert "The disk is full: " in full.stdout and "Nothing was begun" in full.stdout
    assert "Traceback" not in full.stdout


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write into a folder; whom no permission stops, a read-only disk does."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        with small_disk(folder, 1):
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            yield
        return
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def test_a_read_only_results_folder_is_said_before_anything_runs(clone):
    results = clone.results("published_case")
    with read_only(results):
        done = clone.snakemake(*CASE)
        assert done.returncode == 1
        assert "Nothing can be written to results/published_case" in done.stdout
        assert "work in a folder of your own" in done.stdout
        assert "Reading the tables" not in done.stdout
        assert list(results.iterdir()) == []
    checked = clone.snakemake("check", *CASE)
    assert checked.returncode == 0, checked.stdout
    assert "Another run" not in checked.stdout


def test_a_source_that_changes_during_the_run_is_said_and_the_next_run_is_of_the_new(clone):
    table = clone.path / PATIENTS
    text = table.read_text(encoding="utf-8")
    run = begun(clone, "all", "freeze", *CASE)
    assert any("Handing the clean tables" in line for line in run.stdout)
    # Of the same age as before: neither time nor size gives it away.
    times = table.stat()
    assert "case_1,58," in text
    table.write_text(text.replace("case_1,58,", "case_1,59,"), encoding="utf-8")
    os.utime(table, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert table.read_text(encoding="utf-8") != text
    said, _ = run.communicate()
    assert run.returncode == 1
    assert f"{PATIENTS} was changed after it was read" in said
    assert not (study_of(clone) / "cuts").exists()
    assert not (study_of(clone) / "provenance.json").exists()
    again = clone.snakemake("all", "freeze", *CASE)
    assert again.returncode == 0, again.stdout
    patients = (study_of(clone) / "cuts").glob("*/cohort/patients.csv")
    assert "case_1,case_report,59" in next(patients).read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_is_killed_at_some_moment_ends_as_if_it_had_not_been(whole, clone, seed):
    """Thirty moments: `make soak`."""
    lines = random.Random(seed).randrange(20, 200)

    def wait(process: subprocess.Popen[str]) -> None:
        for _, _ in zip(range(lines), process.stdout, strict=False):
            pass

    study = dict(zip(("STUDY", "RESULTS"), (CASE[1], "results/published_case"), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in study.items():
            patch.setattr(soak, name, value)
        assert soak.killed(clone.path, wait) == []
        assert soak.faults(clone.path, soak.contents(study_of(whole))) == []


def test_ten_more_patients_rerun_what_depends_on_patients_and_nothing_else(example):
    """Forms, settings of figures and what ships with captem depend on no patient."""
    assert example.snakemake("template").returncode == 0
    table = example.path / "config/cohorts/example/prospective_patients.csv"
    text = table.read_text(encoding="utf-8")
    rows = text.splitlines()[-10:]
    more = [f"X{number:03d},{row.partition(',')[2]}" for number, row in enumerate(rows)]
    everything = planned(example, "all", "template", "--forceall")
    try:
        table.write_text("\n".join([text.rstrip("\n"), *more, ""]), encoding="utf-8")
        rerun = planned(example, "all", "template")
    finally:
        table.write_text(text, encoding="utf-8")
        shutil.rmtree(example.results() / "templates")
    assert "write_templates" in everything
    assert everything - rerun == {"template", "write_templates"}
    assert {"ingest_cohort", "fit_models", "draw_waterfall", "make_tables"} <= rerun


def test_a_source_that_is_added_is_read_also_where_its_table_is_old(clone):
    study, first = clone.path / "study.yaml", clone.path / PATIENTS
    text = (clone.path / CASE[1]).read_text(encoding="utf-8")
    study.write_text(text, encoding="utf-8")
    assert clone.snakemake("check", "--configfile", "study.yaml").returncode == 0
    other = first.with_name("others.csv")
    other.write_text(first.read_text(encoding="utf-8").replace("case_1", "case_2"), "utf-8")
    os.utime(other, (1e9, 1e9))
    more = "sources:\n  - name: others\n    patients: config/cohorts/published_case/others.csv"
    study.write_text(text.replace("sources:", more, 1), encoding="utf-8")
    done = clone.snakemake("check", "--configfile", "study.yaml")
    assert done.returncode == 0, done.stdout
    patients = (study_of(clone) / "cohort/ingested/patients.csv").read_text(encoding="utf-8")
    assert "case_1" in patients and "case_2" in patients
