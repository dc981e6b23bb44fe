"""Estimate what noise and the choice of patients would give without any effect."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import bias_rows
    from captem.files import read_frame, write_frame

    patients = read_frame(snakemake.input.patients)
    rows = bias_rows.estimate(
        patients,
        snakemake.params.confirmatory_sources,
        snakemake.params.threshold,
        snakemake.params.noise,
        snakemake.params.seed,
    )
    write_frame(snakemake.output[0], rows)
