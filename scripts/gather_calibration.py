"""Gather what the drawn studies gave, and say what it shows."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import validity, validity_judged, validity_page
    from captem.files import read_frame, write_frame, write_text

    out = snakemake.output
    counts = validity.gathered(map(read_frame, snakemake.input.chunks))
    cells = validity_judged.judged(counts)
    write_frame(out.table, cells)
    write_text(out.page, validity_page.page(cells))
    write_text(out.text, validity_page.as_text(cells))
