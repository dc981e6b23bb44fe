"""References of a manuscript: they can be read, and what the text cites stands in them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from captem.documents import pandoc
from captem.errors import CaptemError
from captem.manuscript_marks import Piece
from captem.manuscript_template import at_line

_ENTRY = re.compile(r"@\s*(?!comment|string|preamble)\w+\s*[{(]\s*([^,\s{}]+)\s*,", re.IGNORECASE)
_CITED = re.compile(r"(?<![\w\\.])@\{?([A-Za-z0-9_](?:[\w:./-]*\w)?)")


def read_text(path: str | Path, name: str, what: str) -> str:
    """Return the text of a file, which messages call `what` it is and its name.

    Raises
    ------
    CaptemError
        If it is not there, cannot be read, or is not UTF-8.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        said = "is not there. Look at its name in the config (manuscript:)"
    except IsADirectoryError:
        said = "is a folder. Name the file itself in the config (manuscript:)"
    except UnicodeDecodeError as error:
        before = error.object[: error.start].count(b"\n") + 1
        said = f"is not UTF-8 text, line {before}. Save it as UTF-8"
    except OSError as error:
        said = f"cannot be read ({error.strerror or error}). Look at who may read it"
    raise CaptemError(f"{what} {name} {said}.") from None


def keys(bibliography: str, path: str) -> list[str]:
    """Return the keys of a .bib.

    Raises
    ------
    CaptemError
        If it is not valid; with the line where that shows.
    """
    try:
        pandoc(["--from", "bibtex", "--to", "csljson"], bibliography.encode("utf-8"))
    except CaptemError as error:
        place = re.search(r"line (\d+)", str(error))
        line = int(place[1]) if place else 1
        raise at_line(
            path, bibliography, line,
            "the references cannot be read from here on; look for a brace or comma that is missing "
            "there or in the entry before",
        ) from None  # fmt: skip
    return _ENTRY.findall(bibliography)


def joined(own: str, shipped: str) -> str:
    """Return the references of the user and, of those that ship, the ones with another key."""
    taken = set(_ENTRY.findall(own))
    entries = [f"@{entry}" for entry in re.split(r"^@", shipped, flags=re.MULTILINE)[1:]]
    return "\n".join([own, *(entry for entry in entries if not taken & set(_ENTRY.findall(entry)))])


def check_style(style: str, path: str) -> None:
    """Raise CaptemError if a text is not a citation style (CSL)."""
    try:
        root = ElementTree.fromstring(style)
    except ElementTree.ParseError as error:
        said = f"the citation style is not valid XML: {error.msg}"
        raise at_line(path, style, error.position[0], said) from None
    if root.tag != "{http://purl.org/net/xbiblio/csl}style":
        raise at_line(path, style, 1, "this is not a citation style (CSL 1.0) of a journal")


def check_cited(
    pieces: Iterable[Piece], known: Iterable[str], bibliography: str, source: str, path: str
) -> None:
    """Stop at the first citation whose key the references lack.

    Parameters
    ----------
    pieces : the text as `captem.manuscript.Manuscript.typed` gives it.
    known : keys of the references, which are read from the file `bibliography`.
    source, path : text and path of the template.
    """
    keys_known = list(known)
    for piece in pieces:
        if piece.line is None:
            continue
        for found in _CITED.finditer(piece.text):
            if found[1] in keys_known:
                continue
            line = piece.line + piece.text.count("\n", 0, found.start())
            near = difflib.get_close_matches(found[1], keys_known, 3, cutoff=0.4)
            told = f"; the nearest are {', '.join(near)}" if near else ""
            said = f"{bibliography} has no reference {found[1]!r}{told}"
            raise at_line(path, source, line, said)
