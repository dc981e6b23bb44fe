"""The documents of a manuscript: Word, HTML and PDF of one rendered text."""

from __future__ import annotations

from collections.abc import Mapping

from captem import documents
from captem.files import same_bytes_zip
from captem.manuscript import Manuscript
from captem.manuscript_blocks import HTML, TYPST, WORD, files
from captem.table_formats import TABLE_CSS
from captem.word_document import reference

_BIBLIOGRAPHY, _STYLE = "references.bib", "style.csl"
_CITED = ("--citeproc", "--bibliography", _BIBLIOGRAPHY, "--csl", _STYLE)


def word(manuscript: Manuscript, cited: Mapping[str, str]) -> bytes:
    """Return the Word document; `cited` has the texts of the references and of their style."""
    found = _files(manuscript, cited) | {"reference.docx": reference()}
    options = [*_CITED, "--reference-doc", "reference.docx"]
    made = documents.converted(manuscript.text(WORD), "docx", files=found, options=options)
    return same_bytes_zip(made)


def html(manuscript: Manuscript, cited: Mapping[str, str], template: str) -> bytes:
    """Return one HTML page that holds its pictures."""
    template = template.replace("$table-css$", TABLE_CSS)
    found = _files(manuscript, cited) | {"page.html": template.encode("utf-8")}
    options = [*_CITED, "--template", "page.html", "--embed-resources"]
    return documents.converted(manuscript.text(HTML), "html", files=found, options=options)


def pdf(manuscript: Manuscript, cited: Mapping[str, str], template: str) -> bytes:
    """Return the PDF, tagged, with the alt texts of the figures."""
    found = _files(manuscript, cited) | {"page.typ": template.encode("utf-8")}
    options = [*_CITED, "--template", "page.typ"]
    text = documents.converted(manuscript.text(TYPST), "typst", files=found, options=options)
    return documents.pdf(text, files(manuscript.blocks))


def _files(manuscript: Manuscript, cited: Mapping[str, str]) -> dict[str, bytes]:
    return files(manuscript.blocks) | {
        _BIBLIOGRAPHY: cited["bibliography"].encode("utf-8"),
        _STYLE: cited["style"].encode("utf-8"),
    }
