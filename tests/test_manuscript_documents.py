"""Word, web page and PDF of the manuscript, opened as a reader opens them."""

from __future__ import annotations

import io
import re
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import docx
import manuscripts
import pypdf
import pytest
from captem import manuscript_documents
from captem.documents import pandoc
from captem.errors import CaptemError
from captem.manuscript_blocks import Figure
from captem.table_parts import Table
from docx.oxml.ns import qn
from manuscripts import CITED, NAMES, PAGE, SHEET, rendered, shipped


@cache
def word(name: str) -> bytes:
    return manuscript_documents.word(shipped(name), CITED)


@cache
def html(name: str) -> str:
    return manuscript_documents.html(shipped(name), CITED, PAGE).decode("utf-8")


@cache
def pdf(name: str) -> bytes:
    return manuscript_documents.pdf(shipped(name), CITED, SHEET)


def blocks(name: str, kind: type) -> list:
    return [block for block in shipped(name).blocks if isinstance(block, kind)]


def squeezed(text: str) -> str:
    """Return a text without its spaces and with hyphens as they were typed, to compare lines."""
    return re.sub(r"\s+", "", text.replace("‐", "-"))


def by_name(name: str) -> list[str]:
    made = shipped(name)
    used = dict.fromkeys(piece.number for piece in made.typed() if piece.number is not None)
    return [made.traces[index].text for index in used]


class Reader(HTMLParser):
    """Collects the text of a page, its headings of tables, and where its pictures are from."""

    def __init__(self, page: str):
        super().__init__()
        self.text, self.tables, self.sources, self.alts, self.tags = "", 0, [], [], []
        self._unread = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self._unread = self._unread or tag == "style"
        self.tables += tag == "table"
        if tag in ("img", "link", "script"):
            self.sources.append(found.get("src") or found.get("href") or "")
            self.alts.append(found.get("alt", ""))

    def handle_endtag(self, tag):
        self._unread = self._unread and tag != "style"

    def handle_data(self, data):
        self.text += "" if self._unread else data


@pytest.mark.parametrize("name", NAMES)
def test_word_has_every_table_and_figure(name):
    document = docx.Document(io.BytesIO(word(name)))
    tables, figures = blocks(name, Table), blocks(name, Figure)
    grids = [grid for grid in document.tables if grid.style.name == "Table Captem"]
    assert len(grids) == len(tables)
    for grid, table in zip(grids, tables, strict=True):
        heads = [cell.text for cell in grid.rows[0].cells]
        assert [head.replace("\u00a0", " ") for head in heads] == list(table.columns)
        assert grid.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
        assert len(grid.rows) == len(table.rows) + 1
    paragraphs = [paragraph.text for paragraph in document.paragraphs]
    for table in tables:
        assert table.title in paragraphs
    assert len(document.inline_shapes) == sum(figure.drawn for figure in figures)
    for figure in figures:
        assert any(text.startswith(figure.legend.partition(". ")[0]) for text in paragraphs)


def test_wide_tables_turn_their_page_in_word():
    document = docx.Document(io.BytesIO(word("example")))
    across = [part.page_width > part.page_height for part in document.sections]
    assert across[0] is False
    assert across[-1] is False
    assert sum(across) >= 2
    # Neighbours that are alike share a section: no empty page stands between them.
    assert all(one != other for one, other in pairwise(across))


def test_pictures_in_word_have_alt_texts_and_no_path():
    data = word("example")
    document = docx.Document(io.BytesIO(data))
    alts = [shape._inline.docPr.get("descr") for shape in document.inline_shapes]
    assert alts == [figure.alt for figure in blocks("example", Figure)]
    assert "/tmp" not in document.element.xml
    assert str(manuscripts.FOLDER) not in document.element.xml


@pytest.mark.parametrize("name", NAMES)
def test_every_number_by_name_is_read_in_all_three(name):
    document = docx.Document(io.BytesIO(word(name)))
    in_word = squeezed(" ".join(paragraph.text for paragraph in document.paragraphs))
    in_html = squeezed(Reader(html(name)).text)
    pages = pypdf.PdfReader(io.BytesIO(pdf(name))).pages
    in_pdf = squeezed(" ".join(page.extract_text() for page in pages))
    for text in by_name(name):
        assert squeezed(text) in in_word
        assert squeezed(text) in in_html
        assert squeezed(text) in in_pdf


@pytest.mark.parametrize("name", NAMES)
def test_the_page_holds_all_and_loads_nothing(name):
    page = Reader(html(name))
    assert page.tables == len(blocks(name, Table))
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert all(page.alts)
    assert len(page.sources) == sum(figure.drawn for figure in blocks(name, Figure))
    assert "script" not in page.tags


def test_citations_are_numbered_and_listed():
    text = " ".join(Reader(html("example")).text.split())
    assert "prospective clarification [1]" in text
    assert "Sharma P, Basu S." in text
    assert "doi:10.2967/jnmt.120.241539" in text
    assert "[@" not in text


def test_the_pdf_is_tagged_and_its_pictures_have_alt_texts():
    reader = pypdf.PdfReader(io.BytesIO(pdf("example")))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert "pdfuaid" in root["/Metadata"].get_object().get_data().decode("utf-8")
    found = []

    def walk(node):
        node = node.get_object()
        if not isinstance(node, dict):
            return
        if "/Alt" in node:
            found.append(str(node["/Alt"]))
        children = node.get("/K", [])
        for child in children if isinstance(children, list) else [children]:
            if not isinstance(child, int):
                walk(child)

    walk(root["/StructTreeRoot"])
    assert found == [figure.alt for figure in blocks("example", Figure)]


@pytest.mark.parametrize("form", ["docx", "html", "pdf"])
def test_the_same_manuscript_gives_the_same_bytes(form):
    again = {
        "docx": lambda: manuscript_documents.word(shipped("published"), CITED),
        "html": lambda: manuscript_documents.html(shipped("published"), CITED, PAGE).decode(),
        "pdf": lambda: manuscript_documents.pdf(shipped("published"), CITED, SHEET),
    }[form]()
    assert again == {"docx": word, "html": html, "pdf": pdf}[form]("published")


def test_a_template_and_references_of_the_user():
    text = (
        '---\ntitle: "Mine"\n---\n\nSo it is [@my2026]: {{ share("transition.proportion", "up") }}.'
    )
    bib = "@article{my2026, author = {Mine, A.}, journal = {My Journal}, year = {2026}}\n"
    page = manuscript_documents.html(rendered(text), CITED | {"bibliography": bib}, PAGE)
    said = " ".join(Reader(page.decode("utf-8")).text.split())
    assert "So it is [1]: 29/54 (54%)." in said
    assert "Mine A. My Journal. 2026." in said


def test_signs_of_the_formats_are_shown_as_they_are():
    sign = 'a_b*c "d" <e> #f $g \\h @i [jkl] 5%'
    figures = {"flow": Figure("flow", f"Legend {sign}.", sign, manuscripts.picture())}
    made = rendered('---\ntitle: "T"\n---\n\n# A\n\n{{ figure("flow") }}', figures=figures)
    page = Reader(manuscript_documents.html(made, CITED, PAGE).decode("utf-8"))
    assert sign in page.text
    assert page.alts == [sign]
    document = docx.Document(io.BytesIO(manuscript_documents.word(made, CITED)))
    assert any(sign in paragraph.text for paragraph in document.paragraphs)
    assert document.inline_shapes[0]._inline.docPr.get("descr") == sign
    reader = pypdf.PdfReader(io.BytesIO(manuscript_documents.pdf(made, CITED, SHEET)))
    text = " ".join(page.extract_text() for page in reader.pages)
    assert squeezed(sign) in squeezed(text)


def test_pandoc_refuses_in_a_sentence():
    with pytest.raises(CaptemError, match=r"^pandoc could not make the document: "):
        pandoc(["--to", "nothing"], b"x")
