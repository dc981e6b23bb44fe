"""How much Snakemake costs: a cold run against one process, a run with nothing to do.

    python tools/bench.py [RUNS]

Each figure is the median of RUNS (3), taken in turn, so that a machine that slows down slows both.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def seconds(command: list[str], folder: Path) -> float:
    """Return the wall time of a command, which has to succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start


def main(runs: int) -> None:
    """Print the times and their ratios."""
    times: dict[str, list[float]] = {"cold": [], "one": [], "version": [], "idle": []}
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "study"
        study.mkdir()
        shutil.copytree(ROOT / "config", study / "config")
        run = [*SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
        for _ in range(runs):
            shutil.rmtree(study / "results", ignore_errors=True)
            shutil.rmtree(study / ".snakemake", ignore_errors=True)
            times["cold"].append(seconds(run, study))
            out = study / "one"
            one = [sys.executable, str(ROOT / "tools/one_process.py"), str(out)]
            times["one"].append(seconds(one, study))
            times["version"].append(seconds([*SNAKEMAKE, "--version"], study))
            times["idle"].append(seconds(run, study))
    cold, one, version, idle = (statistics.median(times[name]) for name in times)
    print(f"cold run of the example study, 2 cores   {cold:6.2f} s")
    print(f"the same functions in one process        {one:6.2f} s")
    print(f"  ratio                                  {cold / one:6.2f}    (at most 2.5)")
    print(f"run with nothing to do                   {idle:6.2f} s")
    print(f"snakemake --version                      {version:6.2f} s")
    print(f"  difference                             {idle - version:6.2f} s  (at most 1.5)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
