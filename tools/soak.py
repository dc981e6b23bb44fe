"""Kill runs at random moments, and see that the next one ends as if nothing had happened.

Each time: a run of a study, with its freezing, is killed (SIGKILL, Snakemake alone); its scripts
must end by themselves; each file under its final name must be whole; the next run must name
`--unlock`; after it the run must end with the bytes of an undisturbed one, and the chain be whole.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STUDY = "config/cohorts/refresh/2026-05-01/study.yaml"
RESULTS = "results/refresh"
TARGETS = ("all", "freeze")
# What says when it was made, or by which process.
_TIMED = ("report.html", "logs", "chain")


def contents(results: Path) -> dict[str, str]:
    """Return the SHA-256 of every result that has to be the same from run to run."""
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and not set(path.relative_to(results).parts) & set(_TIMED)
    }


def command(*words: str) -> list[str]:
    """Return the command line of a run."""
    return [sys.executable, "-m", "snakemake", "--cores", "2", *words, "--configfile", STUDY]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        command(*words), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def killed(folder: Path, wait: Callable[[subprocess.Popen[str]], object]) -> list[str]:
    """Start a run, kill it when `wait` returns, and return what is wrong about its end."""
    process = subprocess.Popen(
        command(*TARGETS), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait(process)
    try:
        scripts = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        scripts = []
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
    _, orphans = psutil.wait_procs(scripts, timeout=30)
    return [f"an orphan is still at work: {orphan}" for orphan in orphans]


def faults(folder: Path, whole: dict[str, str]) -> list[str]:
    """Finish a run that was killed, and return what is not as in an undisturbed one."""
    results = folder / RESULTS
    there = contents(results) if results.is_dir() else {}
    said = [f"half or other: {name}" for name in there if there[name] != whole.get(name)]
    again = run(folder, *TARGETS)
    if again.returncode:
        if "--unlock" not in again.stdout:
            said.append(f"the next run does not name --unlock: {again.stdout[-800:]}")
        if run(folder, "--unlock").returncode:
            said.append("--unlock fails")
        again = run(folder, *TARGETS)
    if again.returncode:
        return [*said, f"the next run fails: {again.stdout[-1500:]}"]
    now = contents(results)
    said += [f"other: {name}" for name in whole if now.get(name) != whole[name]]
    said += [f"left behind: {name}" for name in now if name not in whole]
    hidden = [path for path in results.rglob(".*") if path.is_file() and "logs" not in path.parts]
    said += [f"left behind: {path}" for path in hidden if path.parent.name != "chain"]
    checked = run(folder, "verify")
    if checked.returncode:
        said.append(f"the chain is broken: {checked.stdout[-800:]}")
    return said


def copy(folder: Path) -> None:
    """Copy what a run needs."""
    kept = shutil.ignore_patterns(".*", "results", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=kept, dirs_exist_ok=True)


def prepared(folder: Path) -> None:
    """Lock the plan of the study, and keep the entry for the runs to come."""
    done = run(folder, "lock_plan")
    if done.returncode:
        sys.exit(f"The plan cannot be locked:\n{done.stdout[-3000:]}")
    shutil.rmtree(folder / RESULTS / "cohort")
    shutil.copytree(folder / RESULTS / "chain", folder / "locked")


def wiped(folder: Path) -> None:
    """Take the results and what Snakemake remembers away; frozen cuts are read-only."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    for name in ("results", ".snakemake"):
        shutil.rmtree(folder / name, ignore_errors=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill so many runs, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30, help="how many runs to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args(arguments)
    moments = random.Random(options.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "captem"
        copy(folder)
        prepared(folder)
        begun = time.monotonic()
        done = run(folder, *TARGETS)
        takes = time.monotonic() - begun
        if done.returncode:
            sys.exit(f"The undisturbed run fails:\n{done.stdout[-3000:]}")
        whole = contents(folder / RESULTS)
        print(f"undisturbed: {takes:.0f} s, {len(whole)} files")
        for number in range(1, options.kills + 1):
            wiped(folder)
            shutil.copytree(folder / "locked", folder / RESULTS / "chain")
            moment = moments.uniform(0, takes)

            def wait(_: object, moment: float = moment) -> None:
                time.sleep(moment)

            found = killed(folder, wait) + faults(folder, whole)
            wrong += bool(found)
            print(f"{number:2d}  killed after {moment:5.1f} s: {'; '.join(found) or 'as it was'}",
                  flush=True)  # fmt: skip
        wiped(folder)
    if wrong:
        sys.exit(f"{wrong} of {options.kills} runs did not end as they should.")
    print(f"All {options.kills} ended with the bytes of the undisturbed run.")


if __name__ == "__main__":
    main()
