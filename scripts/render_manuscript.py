"""Fill in the manuscript's template, and list each number in the text with its row."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import manuscript, manuscript_inputs
    from captem.files import write_frame, write_text

    read = manuscript_inputs.read(dict(snakemake.input.items()), dict(snakemake.params.items()))
    listed = manuscript.numbers(read.manuscript, read.study)
    with manuscript_inputs.locked_is_said(snakemake.output.markdown):
        write_text(snakemake.output.markdown, read.manuscript.text("md"))
    with manuscript_inputs.locked_is_said(snakemake.output.numbers):
        write_frame(snakemake.output.numbers, listed)
