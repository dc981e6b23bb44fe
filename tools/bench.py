"""How much Snakemake costs: a cold run against one process, a run with nothing to do, a check.

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
PATIENTS = 500
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def seconds(command: list[str], folder: Path) -> float:
    """Return the wall time of a command, which has to succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start


def large_study(folder: Path) -> str:
    """Write a synthetic study into `folder` and return the name of its config."""
    maker = ROOT / "scripts/generate_synthetic_cohort.py"
    made = ["--patients", str(PATIENTS), "--seed", "3", "--out", "large"]
    seconds([sys.executable, str(maker), *made], folder)
    sources = [
        f"  - {{name: {name}, patients: large/{file}patients.csv, "
        f"lesions: large/{file}lesions.csv}}"
        for name, file in (("first", ""), ("second", "prospective_"))
    ]
    lines = ["study: large", 'cut: "1"', "sources:", *sources]
    (folder / "large.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "large.yaml"


def main(runs: int) -> None:
    """Print the times and their ratios."""
    names = ("cold", "one", "version", "idle", "check")
    times: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "study"
        study.mkdir()
        shutil.copytree(ROOT / "config", study / "config")
        checked = large_study(study)
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
            shutil.rmtree(study / "results/large", ignore_errors=True)
            check = [*run[:-2], "--cores", "2", "check", "--configfile", checked]
            times["check"].append(seconds(check, study))
    cold, one, version, idle, check_time = (statistics.median(times[name]) for name in times)
    print(f"cold run of the example study, 2 cores   {cold:6.2f} s")
    print(f"the same functions in one process        {one:6.2f} s")
    print(f"  ratio                                  {cold / one:6.2f}    (at most 2.5)")
    print(f"run with nothing to do                   {idle:6.2f} s")
    print(f"snakemake --version                      {version:6.2f} s")
    print(f"  difference                             {idle - version:6.2f} s  (at most 1.5)")
    print(f"check of {PATIENTS} patients, start included     {check_time:6.2f} s  (at most 6)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
