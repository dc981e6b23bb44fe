"""Keep the manuscript that was filled in, once its template had no error."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.files import write_bytes

    for name, path in snakemake.output.items():
        write_bytes(path, Path(snakemake.input[name]).read_bytes())
