"""Draw when each patient was treated and scanned."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, timeline
    from captem.files import read_frame

    rows = timeline.data(read_frame(snakemake.input.patients))
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(timeline, rows, snakemake.output, settings, sources, least)
