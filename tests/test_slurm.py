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

# What is run: files of a study, and the rule whose job meets the accident.
STUDY = "published_case"
FILES = ("cohort/statistics.csv", "transitions/statistics.csv")
TARGETS = (*(f"results/{STUDY}/{name}" for name in FILES), "--configfile", f"config/{STUDY}.yaml")
RULE = "release_cohort"
# Of the profile only how soon it asks is changed: here nothing waits in a queue.
PROFILE = ("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1")
SECONDS = 300


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> dict[str, str]:
    """The SHA-256 of the results of a run without a cluster."""
    clone = make_clone(tmp_path_factory.mktemp("local") / "captem")
    done = clone.snakemake(*TARGETS)
    assert done.returncode == 0, done.stdout
    found = soak.contents(clone.results(STUDY))
    assert set(FILES) <= set(found)
    return found


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with loopback_slurm() as running:
        yield running


def run(clone: Clone, cluster: Cluster, accident: Callable[[], object] = lambda: None) -> str:
    """Run on the cluster, let something happen meanwhile, and return what was said."""
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
    assert soak.contents(clone.results(STUDY)) == local
    states = [job.state for job in cluster.jobs()]
    assert len(states) > 3 and set(states) == {"COMPLETED"}
    assert planned(clone, *TARGETS) == set()


def test_a_job_that_is_cancelled_is_submitted_again(local, clone, cluster):
    said = run(clone, cluster, lambda: cluster.cancel(cluster.running_job(RULE)))
    assert [job.state for job in cluster.jobs(RULE)] == ["CANCELLED", "COMPLETED"]
    assert "Trying to restart job" in said
    assert soak.contents(clone.results(STUDY)) == local


def test_a_node_that_is_restarted_in_mid_run_changes_nothing(local, clone, cluster):
    def restart():
        job = cluster.running_job(RULE)
        with cluster.node_down():
            assert cluster.state(job) == "RUNNING"

    run(clone, cluster, restart)
    assert [job.state for job in cluster.jobs(RULE)][-1] == "COMPLETED"
    assert soak.contents(clone.results(STUDY)) == local


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
