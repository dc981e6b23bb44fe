"""Write the forms for collecting data: a workbook, a REDCap project, Table Schemas."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import template
    from captem.files import write_bytes

    made = template.forms()
    for path in snakemake.output:
        write_bytes(path, made[Path(path).name])
