"""Marks in a rendered manuscript: which text the author typed, and which number has a name.

While the template is rendered, signs of Unicode's private use tell what the author typed, with
its line in the template, from what a name was replaced by. They are taken out before a file is
written: `pieces` reads them, `plain` drops them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE, _LINE_END, _TYPED_END = "\ue000", "\ue001", "\ue002"
_NUMBER, _NUMBER_TEXT, _NUMBER_END = "\ue003", "\ue004", "\ue005"
_BLOCK, _BLOCK_END = "\ue006", "\ue007"
_REFERENCE, _REFERENCE_END = "\ue008", "\ue009"
SIGNS = re.compile("[\ue000-\ue009]")
BLOCK = re.compile(f"{_BLOCK}(\\d+){_BLOCK_END}")
REFERENCE = re.compile(f"{_REFERENCE}(\\d+){_REFERENCE_END}")
_ALL = re.compile(
    f"{_LINE}(?P<line>\\d+){_LINE_END}|(?P<typed_end>{_TYPED_END})"
    f"|{_NUMBER}(?P<number>\\d+){_NUMBER_TEXT}|(?P<number_end>{_NUMBER_END})"
)


@dataclass(frozen=True)
class Piece:
    """A part of the text: typed at a line of the template, or printed for a name (its index)."""

    text: str
    line: int | None = None
    number: int | None = None


def typed(text: str, line: int) -> str:
    """Mark a text that the author typed, which begins at a line of the template.

    >>> [piece.line for piece in pieces(typed("one\\ntwo", 4))]
    [4, 5]
    """
    said = [f"{_LINE}{line + i}{_LINE_END}{part}" for i, part in enumerate(text.split("\n"))]
    return "\n".join(said) + _TYPED_END


def number(text: str, index: int) -> str:
    """Mark the text that was printed for the name with this index."""
    return f"{_NUMBER}{index}{_NUMBER_TEXT}{text}{_NUMBER_END}"


def block(index: int) -> str:
    """Return what stands for a table or figure until its form is known."""
    return f"{_BLOCK}{index}{_BLOCK_END}"


def reference(index: int) -> str:
    """Return what stands for the number of a table or figure until all are known."""
    return f"{_REFERENCE}{index}{_REFERENCE_END}"


def pieces(text: str) -> Iterator[Piece]:
    """Split a marked text; signs of blocks and references stay in it."""
    line: int | None = None
    index: int | None = None
    end = 0
    for found in _ALL.finditer(text):
        if found.start() > end:
            yield Piece(text[end : found.start()], None if index is not None else line, index)
        if found["line"]:
            line = int(found["line"])
        elif found["typed_end"]:
            line = None
        elif found["number"]:
            index = int(found["number"])
        else:
            index = None
        end = found.end()
    if end < len(text):
        yield Piece(text[end:], None if index is not None else line, index)


def plain(text: str) -> str:
    """Return a text without any mark but those of blocks and references."""
    return "".join(piece.text for piece in pieces(text))
