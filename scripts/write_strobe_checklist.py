"""Write the STROBE checklist of the study as Word document and csv."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import figure_rows, origin, strobe, table_formats, word_tables
    from captem.files import read_frame, write_bytes, write_text

    drawn = [
        name
        for name in snakemake.params.figures
        if not figure_rows.reason_not_drawn(figure_rows.read(snakemake.input[f"{name}_csv"]))
    ]
    run = strobe.Run(
        read_frame(snakemake.input.statistics),
        read_frame(snakemake.input.flow),
        snakemake.params.settings,
        tables=snakemake.params.tables,
        figures=drawn,
        sections=strobe.headings(Path(snakemake.input.manuscript).read_text(encoding="utf-8")),
    )
    table = strobe.checklist(run, origin.data_kind(read_frame(snakemake.input.sources)))
    write_text(snakemake.output.csv, table_formats.to_csv(table))
    write_bytes(snakemake.output.docx, word_tables.to_docx(table))
