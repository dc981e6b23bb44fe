"""Describe the patients and lesions: the rows `describe.*` of statistics.csv."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.describe_rows import estimate
    from captem.files import read_frame, write_frame

    patients, lesions = (read_frame(snakemake.input[name]) for name in ("patients", "lesions"))
    write_frame(snakemake.output.statistics, estimate(patients, lesions))
