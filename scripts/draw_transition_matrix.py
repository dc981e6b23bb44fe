"""Draw the transition matrix."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, transition_matrix
    from captem.files import read_frame

    rows = transition_matrix.data(read_frame(snakemake.input.matrix))
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(transition_matrix, rows, snakemake.output, settings, sources, least)
