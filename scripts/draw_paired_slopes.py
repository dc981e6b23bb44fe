"""Draw each patient's score before and after."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import origin
    from captem.figures import export, paired_slopes
    from captem.files import read_frame, write_frame

    data_kind = origin.data_kind(read_frame(snakemake.input.sources))
    drawn = paired_slopes.data(read_frame(snakemake.input.transitions))
    figure = paired_slopes.figure(drawn, snakemake.params.threshold, data_kind)
    export.save(figure, {name: snakemake.output[name] for name in export.FORMATS})
    write_frame(snakemake.output.csv, origin.marked(drawn, data_kind))
