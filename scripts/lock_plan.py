"""Lock the plan of a study, or an amendment of it, in the chain."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from pathlib import Path

    import yaml
    from captem import cuts, plan, yaml_text
    from captem.files import read_frame

    given, params = snakemake.input, snakemake.params
    schema = yaml.safe_load(Path(given.schema).read_text(encoding="utf-8"))
    data = Path(given.plan).read_bytes()
    text = yaml_text.decoded(data, f"The plan {params.path}")
    tables = read_frame(given.read)
    today = tables[tables["table"].eq("patients")].groupby("source")["rows"].sum()
    frozen = cuts.rows_by_source(params.results)
    print(
        plan.lock(
            params.results,
            plan.read(text, schema, params.path, params.sources) | params.of_config,
            cuts.sha256(data),
            {name: max(int(today.get(name, 0)), frozen.get(name, 0)) for name in params.sources},
            params.tables,
            params.reason,
        )
    )
