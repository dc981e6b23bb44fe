"""Draw the probability of each follow-up score over MIB1 and over cycles."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, predicted
    from captem.files import read_frame

    rows = predicted.data(read_frame(snakemake.input.curves))
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(predicted, rows, snakemake.output, settings, sources, least)
