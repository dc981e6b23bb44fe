"""Read every source of the study; always succeeds, and writes what was read and what is wrong."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.cohort import Source, ingest
    from captem.files import write_frame

    criterion = snakemake.params.criterion
    cohort = ingest(
        [Source(**source) for source in snakemake.params.sources],
        threshold=criterion["threshold"],
        rule=criterion["rule"],
        on_problem=snakemake.params.on_problem,
    )
    write_frame(snakemake.output.patients, cohort.patients)
    write_frame(snakemake.output.lesions, cohort.lesions)
    write_frame(snakemake.output.flow, cohort.flow)
    write_frame(snakemake.output.sources, cohort.sources)
    write_frame(snakemake.output.repairs, cohort.repairs)
    write_frame(snakemake.output.problems, cohort.problem_frame())
