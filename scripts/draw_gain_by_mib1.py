"""Draw uptake gain against MIB1, cycles as colour."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, gain_by_mib1
    from captem.files import read_frame

    rows = gain_by_mib1.data(
        read_frame(snakemake.input.transitions),
        read_frame(snakemake.input.patients),
        read_frame(snakemake.input.curves),
        snakemake.params.mib1_floor,
    )
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(gain_by_mib1, rows, snakemake.output, settings, sources, least)
