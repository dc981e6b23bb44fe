"""One cell of planning, the primary model alone: the counterpart of planning_cell.R.

    python planning_cell.py FOLDER REPLICATES REPEATS

Reads what planning_cell.R reads. Writes captem_seconds.csv and captem_power.csv, as R does.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

from captem import planning_draw, planning_power, planning_tests
from captem.planning_grid import BLOCK, OBSERVED, Cell, Scenario
from captem.planning_world import World

_SEED = 60


def answers(of: World, cell: Cell, replicates: int) -> tuple[float, float]:
    """Return the power and the share refused, as `planning_power.simulated` goes through a cell."""
    rejected = refused = 0
    blocks = replicates // BLOCK
    for first in range(0, blocks, planning_power.TOGETHER):
        numbers = range(first, min(first + planning_power.TOGETHER, blocks))
        drawn = [planning_draw.block(of, cell, number, _SEED) for number in numbers]
        found = planning_tests.model(planning_draw.joined(drawn))
        rejected += int(found.rejects.sum())
        refused += int(np.isnan(found.p).sum())
    return rejected / replicates, refused / replicates


def main() -> None:
    """Take the time."""
    folder, replicates, repeats = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    counts = np.loadtxt(folder / "counts.csv", delimiter=",")
    values = np.loadtxt(folder / "values.csv")
    patients, odds_ratio, _ = np.loadtxt(folder / "cell.csv", delimiter=",", skiprows=1)
    of = World(
        tuple(tuple(row) for row in counts.tolist()),
        int(counts.sum()),
        tuple((value, 0.0) for value in values.tolist()),
        0.7,
    )
    scenario = Scenario(OBSERVED, OBSERVED, float(odds_ratio), 1.0, 0.0, 0.0, 1)
    cell = Cell(int(patients), scenario)
    planning_power.keep_memory()
    answers(of, cell, BLOCK * planning_power.TOGETHER)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        power = answers(of, cell, replicates)
        seconds.append(time.process_time() - start)
    np.savetxt(folder / "captem_seconds.csv", seconds)
    np.savetxt(folder / "captem_power.csv", power)


if __name__ == "__main__":
    main()
