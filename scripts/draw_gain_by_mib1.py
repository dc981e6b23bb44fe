"""Draw uptake gain against MIB1, cycles as colour."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import origin
    from captem.figures import export, gain_by_mib1
    from captem.files import read_frame, write_frame

    data_kind = origin.data_kind(read_frame(snakemake.input.sources))
    drawn = gain_by_mib1.data(
        read_frame(snakemake.input.transitions),
        read_frame(snakemake.input.patients),
        snakemake.params.mib1_floor,
    )
    figure = gain_by_mib1.figure(drawn, snakemake.params.mib1_floor, data_kind)
    export.save(figure, {name: snakemake.output[name] for name in export.FORMATS})
    write_frame(snakemake.output.csv, origin.marked(drawn, data_kind))
