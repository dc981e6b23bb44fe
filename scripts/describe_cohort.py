"""Describe the patients: the rows `describe.*` of statistics.csv."""

from typing import TYPE_CHECKING

from captem.describe import describe
from captem.files import read_frame, write_frame
from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    write_frame(snakemake.output.statistics, describe(read_frame(snakemake.input.patients)))
