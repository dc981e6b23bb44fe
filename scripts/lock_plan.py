"""Lock the plan of a study, or an amendment of it, in the chain."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from pathlib import Path

    import yaml
    from captem import chain, cuts, look_events, plan, plan_roles, yaml_text
    from captem.files import read_frame

    given, params = snakemake.input, snakemake.params
    schema = yaml.safe_load(Path(given.schema).read_text(encoding="utf-8"))
    data = Path(given.plan).read_bytes()
    text = yaml_text.decoded(data, f"The plan {params.path}")
    tables = read_frame(given.read)
    # A table of lesions can hold the answer where that of the patients has headings only.
    today = tables.groupby(["source", "table"])["rows"].sum().groupby("source").max()
    before = chain.read(Path(params.results) / chain.FOLDER)
    seen = [
        today,
        cuts.rows_by_source(params.results),
        look_events.rows_by_source(before, params.tables),
    ]
    names = dict.fromkeys([*params.sources, *(name for rows in seen[1:] for name in rows)])
    asked = plan.read(text, schema, params.path, params.sources) | params.of_config
    plan.check_looks(asked, look_events.largest(before), params.path)
    print(
        plan.lock(
            params.results,
            asked,
            cuts.sha256(data),
            {name: max(int(rows.get(name, 0)) for rows in seen) for name in names},
            look_events.tables(before, params.tables),
            params.reason,
        )
    )
    if other := plan_roles.differing(asked, params.settings):
        print(
            "\nThe config does otherwise than this plan. Mend one of the two before there are data:"
        )
        print(
            *(
                f"  {name}: the plan says {planned}, the config {done}"
                for name, (planned, done) in other.items()
            ),
            sep="\n",
        )
