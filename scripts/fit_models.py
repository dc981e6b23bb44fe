"""Fit the models of follow-up uptake given baseline."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import models
    from captem.files import read_frame, write_frame, write_json
    from captem.terms import Plan

    rows, records = models.estimate(
        read_frame(snakemake.input.patients),
        read_frame(snakemake.input.lesions),
        read_frame(snakemake.input.transitions),
        snakemake.params.confirmatory_sources,
        Plan.of(snakemake.params.mib1_floor, snakemake.params.models),
        snakemake.params.seed,
    )
    write_frame(snakemake.output.statistics, rows)
    for path, record in zip(snakemake.output.models, records.values(), strict=True):
        write_json(path, record)
