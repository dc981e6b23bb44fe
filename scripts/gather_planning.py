"""Add up what was simulated: power, smallest numbers, tables, and what is said of them."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import (
        origin,
        planning_power,
        planning_table,
        planning_words,
        table_formats,
        word_tables,
    )
    from captem.files import read_frame, write_bytes, write_frame, write_text

    settings, out = snakemake.params.settings, snakemake.output
    power = planning_power.whole(map(read_frame, snakemake.input.chunks), settings)
    smallest = planning_power.smallest(power, settings["target"])
    more = planning_table.numbers(read_frame(snakemake.input.more))
    data = origin.data_kind(read_frame(snakemake.input.sources))
    write_frame(out.power, power)
    write_frame(out.smallest, smallest)
    write_text(out.text, planning_words.as_text(smallest, more, settings, data))
    for table in (
        planning_table.power_table(power, smallest, settings, data),
        planning_table.intervals_table(more, settings, data),
    ):
        write_text(out[f"{table.name}_csv"], table_formats.to_csv(table))
        write_text(out[f"{table.name}_html"], table_formats.html_page(table))
        write_bytes(out[f"{table.name}_docx"], word_tables.to_docx(table))
