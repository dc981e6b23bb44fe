"""Write every table as csv, html and Word document."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import table_formats, tables, word_tables
    from captem.files import read_frame, write_bytes, write_text

    made = tables.all_tables(
        read_frame(snakemake.input.statistics),
        read_frame(snakemake.input.matrix),
        read_frame(snakemake.input.sources),
    )
    for table in made:
        write_text(snakemake.output[f"{table.name}_csv"], table_formats.to_csv(table))
        write_text(snakemake.output[f"{table.name}_html"], table_formats.html_page(table))
        write_bytes(snakemake.output[f"{table.name}_docx"], word_tables.to_docx(table))
