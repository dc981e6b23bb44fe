"""Describe the patients: the rows `describe.*` of statistics.csv."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.describe import describe
    from captem.files import read_frame, write_frame

    write_frame(snakemake.output.statistics, describe(read_frame(snakemake.input.patients)))
