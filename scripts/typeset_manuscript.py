"""Make Word document, web page and PDF of the manuscript."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import manuscript_documents, manuscript_inputs
    from captem.files import write_bytes

    manuscript_inputs.refuse_open(snakemake.output.docx)
    read = manuscript_inputs.read(dict(snakemake.input.items()), dict(snakemake.params.items()))
    cited = {"bibliography": read.bibliography, "style": read.style}
    page, sheet = (
        Path(snakemake.input[name]).read_text(encoding="utf-8") for name in ("page", "sheet")
    )
    # All are made before the first is written: a refusal leaves no half.
    made = {
        "docx": manuscript_documents.word(read.manuscript, cited),
        "html": manuscript_documents.html(read.manuscript, cited, page),
        "pdf": manuscript_documents.pdf(read.manuscript, cited, sheet),
    }
    for form, data in made.items():
        with manuscript_inputs.locked_is_said(snakemake.output[form]):
            write_bytes(snakemake.output[form], data)
