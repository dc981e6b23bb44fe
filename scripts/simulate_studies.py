"""Simulate the studies of one chunk of the grid, and say how far the whole grid is."""

import os
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# The log takes both streams; how far the run is belongs on the terminal as well.
terminal = os.dup(2)
with logged(snakemake.log[0]):
    import json
    import time
    from pathlib import Path

    import pandas as pd
    from captem import planning_grid, planning_power
    from captem.files import write_frame
    from captem.planning_world import World

    SECONDS_BETWEEN = 10
    target = Path(snakemake.output[0])
    grid = planning_grid.chunks(snakemake.config["planning"])

    def say(finished: list[planning_grid.Task], seconds: float) -> None:
        """Say what is done, in this chunk and in those that stand there already."""
        done, ahead = list(finished), []
        for name, tasks in grid.items():
            if name == target.stem:
                ahead += tasks[len(finished) :]
            else:
                (done if target.with_stem(name).is_file() else ahead).extend(tasks)
        text = planning_grid.progress(done, ahead, seconds)
        print(text)
        os.write(terminal, f"{text}\n".encode())

    given = World.from_json(json.loads(Path(snakemake.input.world).read_text(encoding="utf-8")))
    tasks = planning_grid.from_params(snakemake.params.tasks)
    start = said = time.monotonic()
    counted, finished = [], []
    for task, counts in planning_power.simulated(
        given, tasks, snakemake.params.threshold, snakemake.params.seed
    ):
        counted.append(counts)
        finished.append(task)
        now = time.monotonic()
        if now - said > SECONDS_BETWEEN or task == tasks[-1]:
            said = now
            say(finished, (now - start) / sum(item.work for item in finished))
    write_frame(target, pd.concat(counted, ignore_index=True))
