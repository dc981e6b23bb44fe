"""Join the rows of all chapters into statistics.csv."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import statistics
    from captem.files import read_frame, write_frame

    parts = [read_frame(path) for path in snakemake.input.parts]
    write_frame(snakemake.output[0], statistics.combine(parts))
