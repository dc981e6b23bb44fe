"""Read every source of the study; always succeeds, and writes what was read and what is wrong."""

import gc
import os
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.cohort import Source, ingest
    from captem.files import write_bytes, write_frame, write_json
    from captem.identity import KEY_VARIABLE
    from captem.marking import workbooks
    from captem.provenance import sha256, unchanged

    # Rows as lists hold no cycle, and Python's search for cycles among hundreds of thousands of
    # them takes as long as reading them.
    gc.disable()
    params = snakemake.params
    seen = {path: sha256(path) for path in snakemake.input.sources}
    cohort = ingest(
        [Source(**source) for source in params.sources],
        threshold=params.criterion["threshold"],
        rule=params.criterion["rule"],
        on_problem=params.on_problem,
        follow_up=params.follow_up,
        levels=params.checks,
        tolerance=params.suv_tolerance,
        key=os.environ[KEY_VARIABLE] if params.patient_ids == "hash" else None,
        environment=os.environ,
        covariates=params.covariates,
        withdrawn=params.withdrawn,
    )
    unchanged(seen, "while it was read")
    write_json(snakemake.output.read, seen)
    write_frame(snakemake.output.patients, cohort.patients)
    write_frame(snakemake.output.lesions, cohort.lesions)
    write_frame(snakemake.output.flow, cohort.flow)
    write_frame(snakemake.output.eligibility, cohort.eligibility)
    write_frame(snakemake.output.sources, cohort.sources)
    write_frame(snakemake.output.repairs, cohort.repairs)
    write_frame(snakemake.output.problems, cohort.problem_frame())
    for path, book in zip(snakemake.output.marked, workbooks(cohort, params.files), strict=True):
        write_bytes(path, book)
