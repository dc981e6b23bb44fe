"""Join the rows of all chapters into statistics.csv."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import measured, statistics
    from captem.files import read_frame, write_frame

    params = snakemake.params
    table = statistics.combine([read_frame(path) for path in snakemake.input.parts])
    table = measured.gated(table, measured.numbers(read_frame(snakemake.input.measured)))
    if params.get("plan"):
        from pathlib import Path

        from captem import looks, plan, plan_roles

        locked = plan.from_params(params.plan)
        tables = [Path(snakemake.input.patients), Path(snakemake.input.lesions)]
        look, seen, _ = looks.of_run(locked, table, tables, dict(params.items()))
        looks.note(look, seen, locked, table, params.results)
        table, planned = plan_roles.judged(table, locked, params.settings, look)
        write_frame(snakemake.output.planned, planned)
    write_frame(snakemake.output.statistics, table)
