"""Draw how the primary model fits, who decides it, and what is not known."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    from captem.figures import diagnostics, export
    from captem.files import read_frame

    model = json.loads(Path(snakemake.input.model).read_text(encoding="utf-8"))
    rows = diagnostics.data(
        model["all"],
        read_frame(snakemake.input.patients),
        read_frame(snakemake.input.statistics),
    )
    sources = read_frame(snakemake.input.sources)
    settings, least = snakemake.params.profile, snakemake.params.min_count
    export.write(diagnostics, rows, snakemake.output, settings, sources, least)
