"""What tests share: a clone of the project to run in, and which tests a machine can do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import loopback_slurm
import pytest
from studies import Study, shipped, without_patients

ROOT = Path(__file__).resolve().parent.parent
_NEEDS = {"browser": ("chromium", "chromedriver"), "slurm": loopback_slurm.PROGRAMS}


def pytest_make_parametrize_id(config, val, argname):
    """Name bytes by their length: those of a zip hold the time, and the workers must agree."""
    return f"{argname} of {len(val)} bytes" if isinstance(val, bytes) else None


def pytest_collection_modifyitems(config, items):
    """Leave out what the machine cannot do; in CI it has to be able to do everything."""
    if os.environ.get("CI"):
        return
    for marker, programs in _NEEDS.items():
        if all(shutil.which(program, path=loopback_slurm.PATH) for program in programs):
            continue
        left_out = [item for item in items if item.get_closest_marker(marker)]
        items[:] = [item for item in items if item not in left_out]
        if left_out:
            config.hook.pytest_deselected(items=left_out)


def kill_when(command: Sequence[str], there: Callable[[], bool], seconds: float = 300) -> None:
    """Run a command in the project; SIGKILL it and all it started once something is there."""
    killed = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + seconds
    while not there() and time.monotonic() < until and killed.poll() is None:
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    # Scripts of a killed run leave by themselves.
    time.sleep(1.5)


@dataclass(frozen=True)
class Clone:
    """A copy of what the project ships, to run and to edit."""

    path: Path

    def snakemake(self, *words: str, cwd: Path | None = None, **environment: str):
        """Run Snakemake here and return the finished process, its two streams joined."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *words],
            cwd=cwd or self.path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    def results(self, study: str = "example") -> Path:
        return self.path / "results" / study


def make_clone(folder: Path) -> Clone:
    """Copy the files that git tracks, or would, into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return Clone(folder)


@pytest.fixture(scope="session")
def example(tmp_path_factory) -> Clone:
    """The example study, run once; tests that use it leave it as they found it."""
    clone = make_clone(tmp_path_factory.mktemp("example"))
    done = clone.snakemake()
    assert done.returncode == 0, done.stdout
    return clone


@pytest.fixture
def clone(tmp_path) -> Clone:
    """A clone of its own, in which nothing has run."""
    return make_clone(tmp_path / "captem")


@pytest.fixture(scope="session", params=["config", "published_case", "none"])
def study(request) -> Study:
    """The two studies that ship and one without a patient, analysed in this process."""
    return without_patients() if request.param == "none" else shipped(request.param)


@pytest.fixture(scope="session")
def synthetic() -> Study:
    """The synthetic example, analysed in this process."""
    return shipped("config")
