"""Draw the primary contrast under every alternative."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, sensitivity
    from captem.files import read_frame

    rows = sensitivity.data(read_frame(snakemake.input.statistics))
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(sensitivity, rows, snakemake.output, settings, sources, least)
