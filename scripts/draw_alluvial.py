"""Draw how the scores flow from baseline to follow-up."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import alluvial, export
    from captem.files import read_frame

    rows = alluvial.data(read_frame(snakemake.input.transitions))
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(alluvial, rows, snakemake.output, settings, sources, least)
