"""Ask the primary question under each alternative."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import sensitivity
    from captem.files import read_frame, write_frame
    from captem.terms import Plan

    rows = sensitivity.estimate(
        read_frame(snakemake.input.patients),
        read_frame(snakemake.input.lesions),
        read_frame(snakemake.input.transitions),
        snakemake.params.confirmatory_sources,
        sensitivity.Settings(
            plan=Plan.of(snakemake.params.mib1_floor, snakemake.params.models),
            noise=snakemake.params.noise,
            boundaries=snakemake.params.surrogate,
            seed=snakemake.params.seed,
            **snakemake.params.criterion,
            **snakemake.params.sensitivity,
        ),
    )
    write_frame(snakemake.output[0], rows)
