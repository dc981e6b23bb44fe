"""Draw the studies of one chunk, count what captem says of them, and say how far the run is."""

import os
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

# The log takes both streams; how far the run is belongs on the terminal as well.
terminal = os.dup(2)
with logged(snakemake.log[0]):
    import time
    from pathlib import Path

    import pandas as pd
    from captem import calibration_grid, validity, worlds
    from captem.files import write_frame

    SECONDS_BETWEEN = 10
    wildcards, target = snakemake.wildcards, Path(snakemake.output[0])
    scenario, patients = worlds.named(wildcards.scenario), int(wildcards.patients)
    grid = calibration_grid.chunks(snakemake.config["calibration"])

    def say(finished: int, seconds: float) -> None:
        """Say what is done, in this chunk and in those that stand there already."""
        own = f"{wildcards.rows}/{scenario.name}/{patients}/{wildcards.part}.csv"
        done, ahead = [], []
        for chunk in grid:
            if chunk.path == own:
                ahead.insert(0, chunk)
            else:
                (done if (target.parents[3] / chunk.path).is_file() else ahead).append(chunk)
        text = calibration_grid.said(done, ahead, finished, seconds)
        print(text)
        os.write(terminal, f"{text}\n".encode())

    start = said = time.monotonic()
    found, finished = [], 0
    for number, studies in snakemake.params.blocks:
        found.append(validity.block(scenario, patients, number, studies, wildcards.rows))
        finished += studies
        now = time.monotonic()
        if now - said > SECONDS_BETWEEN or [number, studies] == snakemake.params.blocks[-1]:
            said = now
            work = calibration_grid.work(scenario.name, patients, finished, wildcards.rows)
            say(finished, (now - start) / work)
    write_frame(target, pd.concat(found, ignore_index=True))
