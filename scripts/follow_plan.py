"""Hold a run against the plan that was locked: the looks, and what was done otherwise."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    import pandas as pd
    from captem import chain, look_events, looks, plan, plan_deviations, yaml_text
    from captem.files import read_frame, write_frame

    given, out = snakemake.input, snakemake.output
    locked = plan.from_params(snakemake.params.plan)
    params = snakemake.params
    settings, cut = params.settings, params.cut
    rows, patients = read_frame(given.statistics), read_frame(given.patients)
    look, _, before = looks.of_run(
        locked, rows, [Path(given.patients), Path(given.lesions)], dict(params.items())
    )
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
        params.taken,
    )
    write_frame(out.looks, found)
    events = chain.read(Path(params.results) / chain.FOLDER)
    then = look_events.history(events, cut)
    reasons = {}
    path = params.reasons
    if path and Path(path).is_file():
        text = yaml_text.decoded(Path(path).read_bytes(), path)
        reasons = plan_deviations.read(text, path)
    deviations = plan_deviations.found(
        locked,
        settings,
        rows,
        patients,
        found,
        look,
        reasons,
        before,
        look_events.withdrawals(then),
    )
    write_frame(out.deviations, deviations)
