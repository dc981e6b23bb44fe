"""Render summary.html, the page for readers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import captions, tables
    from captem.files import read_frame, write_text
    from captem.summary import Figure, render

    frames = {
        name: read_frame(path) for name, path in snakemake.input.items() if name in tables.FILES
    }
    figures = []
    for name, title in snakemake.params.figures.items():
        text = Path(snakemake.input[f"{name}_txt"]).read_text(encoding="utf-8")
        svg = Path(snakemake.input[f"{name}_svg"]).read_bytes()
        figures.append(Figure(name, title, svg, *captions.split(text)))
    plan: list[str] = []
    if "looks" in frames and snakemake.params.plan:
        from captem import plan_words
        from captem.plan import from_params

        locked = from_params(snakemake.params.plan)
        plan = plan_words.sentences(locked, frames["looks"], frames["plan_deviations"])
    page = render(
        Path(snakemake.input.template).read_text(encoding="utf-8"),
        script=Path(snakemake.input.script).read_text(encoding="utf-8"),
        study=snakemake.params.study,
        cut=snakemake.params.cut,
        statistics=frames["statistics"],
        flow=frames["flow"],
        sources=frames["sources"],
        problems=read_frame(snakemake.input.problems),
        repairs=read_frame(snakemake.input.repairs),
        tables=tables.all_tables(
            **frames, settings=snakemake.params.settings, defaults=snakemake.params.defaults
        ),
        figures=figures,
        criterion=snakemake.params.criterion,
        plan=plan,
        provenance=json.loads(Path(snakemake.input.provenance).read_text(encoding="utf-8")),
    )
    write_text(snakemake.output[0], page)
