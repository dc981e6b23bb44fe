"""Record what the results were made from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import provenance
    from captem.files import write_json

    read = json.loads(Path(snakemake.input.read).read_text(encoding="utf-8"))
    provenance.unchanged(read, "after it was read")
    found = provenance.record(
        snakemake.params.config,
        snakemake.input.sources,
        snakemake.input.all_code,
        snakemake.input.pyproject,
        snakemake.input.lock,
    )
    write_json(snakemake.output[0], found)
