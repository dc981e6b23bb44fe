"""Draw the studies of one job, and count what captem says of them."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import pandas as pd
    from captem import validity, worlds
    from captem.files import write_frame

    wildcards, params = snakemake.wildcards, snakemake.params
    scenario = worlds.named(wildcards.scenario)
    blocks = validity.blocks_of(int(wildcards.chunk), params.blocks, params.replicates)
    found = [
        validity.block(scenario, int(wildcards.patients), number, studies)
        for number, studies in blocks
    ]
    write_frame(snakemake.output[0], pd.concat(found))
