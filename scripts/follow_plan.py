"""Hold a run against the plan that was locked: the looks, and what was done otherwise."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    import pandas as pd
    from captem import looks, plan, plan_deviations
    from captem.files import read_frame, write_frame

    given, out = snakemake.input, snakemake.output
    locked = plan.from_params(snakemake.params.plan)
    settings, cut = snakemake.params.settings, snakemake.params.cut
    look = looks.which(locked, snakemake.params.look, cut, snakemake.params.taken)
    rows, patients = read_frame(given.statistics), read_frame(given.patients)
    past = [looks.of_its_cut(read_frame(path)) for path in given.get("past", [])]
    found = looks.table(
        locked,
        rows,
        patients,
        read_frame(given.transitions),
        json.loads(Path(given.model).read_text(encoding="utf-8")),
        pd.concat(past) if past else pd.DataFrame(columns=list(looks.COLUMNS)),
        look,
        cut,
    )
    write_frame(out.looks, found)
    reasons = {}
    path = snakemake.params.reasons
    if path and Path(path).is_file():
        reasons = plan_deviations.read(Path(path).read_text(encoding="utf-8"), path)
    deviations = plan_deviations.found(locked, settings, rows, patients, found, look, reasons)
    write_frame(out.deviations, deviations)
