"""Draw who is in which analysis."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, flow
    from captem.files import read_frame

    sources = read_frame(snakemake.input.sources)
    counts, answers = read_frame(snakemake.input.flow), read_frame(snakemake.input.recorded)
    rows = flow.data(counts, answers, sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(flow, rows, snakemake.output, settings, sources, least)
