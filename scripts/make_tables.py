"""Write every table as csv, html and Word document, and all of them as one workbook."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import table_formats, tables, tables_workbook, word_tables
    from captem.files import read_frame, write_bytes, write_text

    frames = {
        name: read_frame(path) for name, path in snakemake.input.items() if name in tables.FILES
    }
    made = tables.all_tables(
        **frames, settings=snakemake.params.settings, defaults=snakemake.params.defaults
    )
    for table in made:
        write_text(snakemake.output[f"{table.name}_csv"], table_formats.to_csv(table))
        write_text(snakemake.output[f"{table.name}_html"], table_formats.html_page(table))
        write_bytes(snakemake.output[f"{table.name}_docx"], word_tables.to_docx(table))
    write_bytes(snakemake.output.workbook, tables_workbook.to_xlsx(made))
    # A listing of an earlier run is patient-level, and does not stay where it is asked for no more.
    if all(table.name != "listing" for table in made):
        for kind in ("csv", "html", "docx"):
            Path(snakemake.output.workbook).with_name(f"listing.{kind}").unlink(missing_ok=True)
