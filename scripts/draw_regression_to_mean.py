"""Draw the observed gain beside what noise and selection alone would give."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, regression_to_mean
    from captem.files import read_frame

    rows = regression_to_mean.data(read_frame(snakemake.input.statistics))
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(regression_to_mean, rows, snakemake.output, settings, sources, least)
