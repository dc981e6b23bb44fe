"""The manuscript of a study: the user's template filled in with the numbers of this run.

`render` gives the text with its marks, `Manuscript.text` the text of each form, `numbers` the list
of every number in it: by name with its row, or typed by hand with what the results say to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from captem import manuscript_check, origin
from captem import manuscript_marks as marks
from captem.errors import CaptemError
from captem.lesions import RULE_WORDS
from captem.manuscript_blocks import Block, Figure, numbered, written
from captem.manuscript_list import NAMED
from captem.manuscript_numbers import Numbers
from captem.manuscript_template import at_line, calling_line
from captem.manuscript_template import render as render_template
from captem.statistics import CONFIRMATORY
from captem.table_parts import Table

COLUMNS = ("line", "text", "row_id", "column", "kind", "note")
_REMOTE = re.compile(r"!\[[^\]]*\]\(\s*(?:https?:|//|file:)|<img\b|<script\b|<iframe\b", re.I)


@dataclass(frozen=True)
class Study:
    """What a manuscript is about.

    Parameters
    ----------
    statistics : `statistics.csv`.
    tables : as `captem.tables.all_tables` returns them.
    figures : by name.
    settings : the resolved config.
    data : whether the data are synthetic, as in `captem.origin`.
    provenance : `provenance.json`.
    """

    statistics: pd.DataFrame
    tables: Sequence[Table]
    figures: Mapping[str, Figure]
    settings: Mapping[str, Any]
    data: str
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Trace:
    """A number that was printed for a name: where it stands in the template, and its row."""

    line: int
    text: str
    row_id: str
    column: str


@dataclass(frozen=True)
class Manuscript:
    """A rendered manuscript: its marked text, its tables and figures, its numbers by name."""

    marked: str
    blocks: tuple[Block, ...]
    traces: tuple[Trace, ...]

    def text(self, form: str) -> str:
        """Return the whole text as Markdown for a form of `captem.manuscript_blocks`."""
        run = rf"{marks.BLOCK.pattern}(?:\s*{marks.BLOCK.pattern})*"

        def fill(found: re.Match[str]) -> str:
            blocks = [self.blocks[int(i)] for i in marks.BLOCK.findall(found.group())]
            return f"\n\n{written(blocks, form)}\n\n"

        text = re.sub(run, fill, marks.plain(self.marked))
        # A tag at the end of a line takes the line's end with it, and pandoc wants a blank line
        # before a heading.
        text = re.sub(r"([^\n])\n(#{1,6} )", r"\1\n\n\2", text)
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"

    def typed(self) -> Iterator[marks.Piece]:
        """Return the text in pieces, without tables and figures."""
        for piece in marks.pieces(self.marked):
            text = marks.BLOCK.sub("\n\n", piece.text)
            yield marks.Piece(text, piece.line, piece.number)


def render(source: str, name: str, study: Study) -> Manuscript:
    """Return the manuscript of a study from the text of a template and its path.

    Raises
    ------
    CaptemError
        With file and line, as `captem.manuscript_template.render`; also where a table or figure is
        placed twice, or named and nowhere placed.
    """
    placed = _Placed(study)
    traces: list[Trace] = []

    def trace(text: str, row_id: str, column: str) -> str:
        traces.append(Trace(calling_line(), text, row_id, column))
        return marks.number(text, len(traces) - 1)

    numbers = Numbers(study.statistics, trace)
    values = _facts(study) | numbers.functions() | placed.functions()
    text = render_template(source, name, values)
    text = placed.with_references(text, source, name)
    _refuse_remote(text, source, name)
    return Manuscript(text, tuple(placed.blocks), tuple(traces))


def numbers(manuscript: Manuscript, study: Study) -> pd.DataFrame:
    """Return every number of the text: `line, text, row_id, column, kind, note`.

    `kind` is `by name`, or for a number typed by hand `agrees`, `disagrees` or `not a result`;
    `note` says what the nearest result prints. Lines are those of the template.
    """
    used = [piece.number for piece in manuscript.typed() if piece.number is not None]
    rows: list[dict[str, Any]] = []
    for index in dict.fromkeys(used):
        found = manuscript.traces[index]
        rows.append({"line": found.line, "text": found.text, "row_id": found.row_id,
                     "column": found.column, "kind": NAMED, "note": ""})  # fmt: skip
    rows += manuscript_check.typed_numbers(list(manuscript.typed()), study.statistics)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("line", kind="stable", ignore_index=True)


def _facts(study: Study) -> dict[str, Any]:
    """Return what a template may use besides numbers."""
    settings = study.settings
    criterion = settings["criterion"]
    packages = study.provenance.get("packages", {})
    return {
        "study": settings["study"],
        "cut": settings["cut"],
        "data": study.data,
        "synthetic": study.data != origin.RECORDED,
        "data_words": origin.words(study.data),
        "criterion": _criterion(criterion, study.statistics),
        "confirmatory": bool(study.statistics["subset"].eq(CONFIRMATORY).any()),
        "planned": bool(settings["confirmatory_sources"]),
        "covariates": [name.replace("_", " ") for name in settings["models"]["covariates"]],
        "follow_up": settings["follow_up"],
        "masked_below": settings["disclosure"]["min_count"],
        "version": study.provenance.get("code", {}).get("version", ""),
        "python": study.provenance.get("python", ""),
        "packages": dict(packages),
    }  # fmt: skip


def _criterion(criterion: Mapping[str, Any], statistics: pd.DataFrame) -> str:
    """Return what meeting the SSTR criterion means; lesions decide only where some were scored."""
    words = f"a score of {criterion['threshold']:g} or higher"
    of_lesions = statistics[
        statistics["analysis"].eq("transition.proportion")
        & statistics["outcome"].eq("lesion_krenning")
    ]
    if of_lesions.empty or of_lesions["n_lesions"].fillna(1).max() == 0:
        return words
    return (
        f"{words}, {RULE_WORDS[criterion['rule']]} that were scored at both scans, or of the "
        "patient where there is none"
    )


class _Placed:
    """The tables and figures that a template places, in their order, and what refers to them."""

    def __init__(self, study: Study):
        self._tables = {table.name: table for table in study.tables}
        self._figures = dict(study.figures)
        self.blocks: list[Block] = []
        self._asked: list[tuple[str, str, int]] = []

    def functions(self) -> dict[str, Any]:
        return {
            "table": self.table, "figure": self.figure, "ref": self.ref,
            "has_table": lambda name: name in self._tables and bool(self._tables[name].rows),
            "is_drawn": lambda name: name in self._figures and self._figures[name].drawn,
        }  # fmt: skip

    def table(self, name: str) -> str:
        """Place a table; its number is that of its place."""
        return self._place(self._known(self._tables, name, "table"), Table)

    def figure(self, name: str) -> str:
        """Place a figure with its legend; one that is not drawn has the reason."""
        return self._place(self._known(self._figures, name, "figure"), Figure)

    def ref(self, name: str, kind: str = "") -> str:
        """Refer to a figure or table by name, as in `Figure 3`."""
        if kind not in ("", "figure", "table"):
            raise CaptemError(f"ref() knows the kinds 'figure' and 'table', not {kind!r}")
        self._asked.append((name, kind, calling_line()))
        return marks.reference(len(self._asked) - 1)

    def with_references(self, text: str, source: str, path: str) -> str:
        """Put the numbers in the place of the references."""
        names = {(type(block), block.name): str(block.title if isinstance(block, Table)
                                                else block.legend).partition(". ")[0]
                 for block in self.blocks}  # fmt: skip

        def number(found: re.Match[str]) -> str:
            name, kind, line = self._asked[int(found.group(1))]
            kinds: dict[str, list[type]] = {"figure": [Figure], "table": [Table]}
            wanted = kinds.get(kind, [Figure, Table])
            fits = [names[of, name] for of in wanted if (of, name) in names]
            if len(fits) == 1:
                return fits[0].replace(" ", "\u00a0")
            said = (
                f"{name!r} is a figure and a table here: say which, as in ref({name!r}, 'table')"
                if fits
                else f"ref({name!r}) names a figure or table that the manuscript does not place; "
                f"place it with {{{{ figure({name!r}) }}}} or {{{{ table({name!r}) }}}}"
            )
            raise at_line(path, source, line, said)

        return marks.REFERENCE.sub(number, text)

    def _place(self, block: Block, kind: type) -> str:
        same = [other for other in self.blocks if isinstance(other, kind)]
        if any(other.name == block.name for other in same):
            raise CaptemError(f"{block.name!r} stands in the manuscript already; place it once")
        self.blocks.append(numbered(block, len(same) + 1))
        return marks.block(len(self.blocks) - 1)

    @staticmethod
    def _known(found: Mapping[str, Any], name: str, kind: str) -> Any:
        if name in found:
            return found[name]
        near = difflib.get_close_matches(str(name), list(found), 3, cutoff=0.4) or list(found)
        raise CaptemError(f"there is no {kind} {name!r}; there are {', '.join(near)}")


def _refuse_remote(text: str, source: str, name: str) -> None:
    """Stop at a picture or script that would be fetched from somewhere, or read from the disk."""
    for piece in marks.pieces(text):
        if piece.line is not None and (found := _REMOTE.search(piece.text)):
            line = piece.line + piece.text.count("\n", 0, found.start())
            said = (
                "pictures from the network and pieces of HTML that load something have no place in "
                "a manuscript; use {{ figure(...) }}"
            )
            raise at_line(name, source, line, said)
