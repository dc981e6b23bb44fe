"""How much Snakemake costs the figures: all of them in all formats, against one process.

    python tools/bench_figures.py [RUNS]

The 60-patient example is analysed once; then its figures are made again RUNS (3) times by each, in
turn, so that a machine that slows down slows both. Each figure told is the median.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench import ROOT, SNAKEMAKE, seconds

LIMIT = 2.5


def main(runs: int) -> None:
    """Print the times, their ratio, and whether both made the same files."""
    times: dict[str, list[float]] = {"workflow": [], "one": []}
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch)
        shutil.copytree(ROOT / "config", study / "config")
        run = [*SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", "figures"]
        seconds(run, study)
        results = study / "results/example"
        for _ in range(runs):
            shutil.rmtree(results / "figures")
            times["workflow"].append(seconds(run, study))
            one = [
                sys.executable,
                str(ROOT / "tools/draw_all.py"),
                str(results),
                str(study / "one"),
            ]
            times["one"].append(seconds(one, study))
        differ = [
            path.name
            for path in sorted((results / "figures").iterdir())
            if path.read_bytes() != (study / "one" / path.name).read_bytes()
        ]
    workflow, one_process = (statistics.median(times[name]) for name in ("workflow", "one"))
    ratio = workflow / one_process
    print(f"all figures, all formats, 2 cores        {workflow:6.2f} s")
    print(f"drawn and saved in one process           {one_process:6.2f} s")
    print(f"  ratio                                  {ratio:6.2f}    (at most {LIMIT})")
    if differ:
        raise SystemExit(f"both make these files, and not the same: {', '.join(differ)}")
    if ratio > LIMIT:
        raise SystemExit(f"the figures take {ratio:.2f} times one process, more than {LIMIT}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
