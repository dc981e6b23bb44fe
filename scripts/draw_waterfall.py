"""Draw how much SUVmax changed, sorted."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.figures import export, waterfall
    from captem.files import read_frame

    patients = read_frame(snakemake.input.transitions)
    lesions = read_frame(snakemake.input.lesions)
    rows = waterfall.data(patients, lesions, snakemake.params.limits)
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(waterfall, rows, snakemake.output, settings, sources, least)
