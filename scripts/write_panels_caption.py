"""Write caption and alt text of the composite from those of its figures."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import captions, origin, panel_captions
    from captem.files import read_frame, write_text

    written = {
        name: captions.split(Path(snakemake.input[name]).read_text(encoding="utf-8"))
        for row in snakemake.params.panels
        for name in row
    }
    mark = origin.words(origin.data_kind(read_frame(snakemake.input.sources)))
    write_text(snakemake.output[0], panel_captions.joined(snakemake.params.panels, written, mark))
