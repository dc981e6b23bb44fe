"""Lock the plan of a study, or an amendment of it, in the chain."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from pathlib import Path

    import yaml
    from captem import cuts, plan, provenance
    from captem.errors import CaptemError
    from captem.files import read_frame

    given, params = snakemake.input, snakemake.params
    schema = yaml.safe_load(Path(given.schema).read_text(encoding="utf-8"))
    data = Path(given.plan).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CaptemError(
            f"The plan {params.path} is not UTF-8 text. Save it as UTF-8, and run again."
        ) from None
    tables = read_frame(given.read)
    counts = tables[tables["table"].eq("patients")].groupby("source")["rows"].sum()
    print(
        plan.lock(
            params.results,
            plan.read(text, schema, params.path, params.sources),
            cuts.sha256(data),
            {name: int(counts.get(name, 0)) for name in params.sources},
            {path: provenance.sha256(path) for path in given.sources},
            params.reason,
        )
    )
