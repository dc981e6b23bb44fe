"""Predict follow-up scores and gain over MIB1 and cycles, from the fitted models."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import predictions
    from captem.files import read_frame, write_frame
    from captem.terms import Plan

    records = {
        name: json.loads(Path(snakemake.input[name]).read_text(encoding="utf-8"))
        for name in snakemake.params.predicted
    }
    curves, rows = predictions.estimate(
        read_frame(snakemake.input.patients),
        {f"model.{name}": record for name, record in records.items()},
        Plan.of(snakemake.params.mib1_floor, snakemake.params.models),
        snakemake.params.seed,
    )
    write_frame(snakemake.output.curves, curves)
    write_frame(snakemake.output.statistics, rows)
