"""Freeze the data cut of this run: read-only, with its hashes in the chain."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import json
    from pathlib import Path

    import yaml
    from captem import cuts
    from captem.files import write_text

    provenance = json.loads(Path(snakemake.input.provenance).read_text(encoding="utf-8"))
    config = yaml.safe_dump(provenance["config"], sort_keys=False, allow_unicode=True)
    paths = zip(snakemake.params.kept, snakemake.input.kept, strict=True)
    said = cuts.freeze(
        snakemake.params.results,
        provenance,
        {name: Path(path).read_bytes() for name, path in paths},
        config.encode("utf-8"),
    )
    print(said)
    write_text(snakemake.output[0], f"{snakemake.params.token}\n{said}\n")
