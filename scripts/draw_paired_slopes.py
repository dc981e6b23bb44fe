"""Draw the score of each patient and each lesion before and after."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, paired_slopes
    from captem.files import read_frame

    patients = read_frame(snakemake.input.transitions)
    lesions = read_frame(snakemake.input.lesions)
    rows = paired_slopes.data(patients, lesions, snakemake.params.threshold)
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(paired_slopes, rows, snakemake.output, settings, sources, least)
