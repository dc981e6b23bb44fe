"""The profile for clusters, on a real Slurm that these tests start and stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest
import soak
from conftest import Clone, make_clone
from loopback_slurm import DAEMONS, Cluster, loopback_slurm
from test_workflow import planned

pytestmark = [pytest.mark.workflow, pytest.mark.slurm, pytest.mark.xdist_group("slurm")]

# What is run: a grid of planning, a file of the study, and the rule whose job meets the accident.
STUDY = "published_case"
FILES = ("transitions/statistics.csv", "planning/power.csv", "planning/planning.txt")
TARGETS = ("plan", f"results/{STUDY}/{FILES[0]}", "--configfile", "slurm.yaml")
RULE = "simulate_studies"
GRID = """
planning:
  patients: [6, 12]
  baseline: [[0.1, 0.4, 0.3, 0.15, 0.05]]
  change: [2]
  mib1_odds_ratio: [3]
  drop_out: [0]
  reader_error: [0]
  replicates: 1000
  chunk: {chunk}
"""
# Of the profile only how soon it asks is changed: here nothing waits in a queue.
PROFILE = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1")
SECONDS = 600


def configure(clone: Clone, chunk: int) -> None:
    """Write the config of the study, with a small grid in chunks of some studies."""
    text = (clone.path / f"config/{STUDY}.yaml").read_text(encoding="utf-8")
    (clone.path / "slurm.yaml").write_text(text + GRID.format(chunk=chunk), encoding="utf-8")


def contents(clone: Clone) -> dict[str, str]:
    """Return the SHA-256 of each result; the chunks are as the config has them."""
    found = soak.contents(clone.results(STUDY))
    return {name: digest for name, digest in found.items() if "/chunks/" not in name}


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> dict[str, str]:
    """The results of a run without a cluster, with the grid in chunks of another size."""
    clone = make_clone(tmp_path_factory.mktemp("local") / "captem")
    configure(clone, 2000)
    done = clone.snakemake(*TARGETS)
    assert done.returncode == 0, done.stdout
    found = contents(clone)
    assert set(FILES) <= set(found)
    return found


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with loopback_slurm() as running:
        yield running


def run(clone: Clone, cluster: Cluster, accident: Callable[[], object] = lambda: None) -> str:
    """Run on the cluster, let something happen meanwhile, and return what was said."""
    configure(clone, 500)
    log = clone.path / "said.txt"
    with (
        log.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            [sys.executable, "-m", "snakemake", *TARGETS, *PROFILE], cwd=clone.path,
            env={**os.environ, **cluster.environment}, stdout=stream, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        try:
            accident()
            process.wait(timeout=SECONDS)
        except RuntimeError as error:
            error.add_note(log.read_text(encoding="utf-8"))
            raise
        finally:
            process.kill()
    said = log.read_text(encoding="utf-8")
    # The logs of jobs that ended well are deleted.
    jobs = sorted((clone.path / ".snakemake/slurm_logs").rglob("*.log"))
    tails = [path.read_text(encoding="utf-8")[-3000:] for path in jobs]
    assert process.returncode == 0, "\n".join([said, *tails, cluster.logs()])
    note = json.loads((clone.path / ".snakemake/captem_run.json").read_text(encoding="utf-8"))
    assert note["pid"] == process.pid, "only the run itself holds the folder, none of its jobs"
    return said


def test_the_cluster_gives_the_bytes_of_the_local_run(local, clone, cluster):
    run(clone, cluster)
    assert contents(clone) == local
    states = [job.state for job in cluster.jobs()]
    assert set(states) == {"COMPLETED"}
    assert len(cluster.jobs(RULE)) == 4
    assert planned(clone, *TARGETS) == set()


def test_a_job_that_is_cancelled_is_submitted_again(local, clone, cluster):
    said = run(clone, cluster, lambda: cluster.cancel(cluster.running_job(RULE)))
    assert sorted(job.state for job in cluster.jobs(RULE)) == ["CANCELLED"] + ["COMPLETED"] * 4
    assert "Trying to restart job" in said
    assert contents(clone) == local


def test_a_node_that_is_restarted_in_mid_run_changes_nothing(local, clone, cluster):
    def restart():
        job = cluster.running_job(RULE)
        with cluster.node_down():
            assert cluster.state(job) == "RUNNING"

    run(clone, cluster, restart)
    # The job that ran may have been lost with its node; then it was submitted again.
    assert [job.state for job in cluster.jobs(RULE)].count("COMPLETED") == 4
    assert contents(clone) == local


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_nothing_of_the_cluster_is_left():
    """Neither of a job that would not end by itself, nor where a test fails."""
    with pytest.raises(ZeroDivisionError), loopback_slurm() as cluster:
        cluster.ask("sbatch", "--comment=rule_endless", "--output=none", "--wrap=srun sleep 600")
        cluster.running_job("endless")
        cluster.until(lambda: "sleep" in {process.name() for process in cluster.left()}, "sleep")
        there = cluster.left()
        names = {process.name() for process in there}
        raise ZeroDivisionError
    assert {*DAEMONS, "slurmstepd", "sleep"} <= names
    assert [process.pid for process in there if lives(process)] == []
    assert not cluster.folder.exists()
