"""One table of a source while it is read, and what is known of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from captem import headings
from captem.headings import SCHEMAS
from captem.problems import Problem
from captem.schemas import Field, scans
from captem.source_table import SourceTable

# What captem adds to the cells of a file: where each row stood, and whether it is synthetic. A row
# of two scans stands in two rows of a file that has one row a scan.
BOOKKEEPING = ("synthetic", "_file", "_sheet", "_row", "_row_post", "_follow_ups")
PAIRS = (("krenning_pre", "krenning_post"), ("suvmax_pre", "suvmax_post"))


@dataclass(frozen=True)
class Source:
    """One entry of `sources:` in the config; see there for what each setting means."""

    name: str
    patients: str = ""
    lesions: str | None = None
    sheet: str = ""
    lesions_sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    dictionary: str | None = None
    redcap: Mapping[str, Any] | None = None
    visits: Mapping[str, list[str]] = field(default_factory=dict)
    missing_codes: tuple[str, ...] = ()
    date_order: str = ""
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column of the file that captem reads.

    name : what it is called while it has the layout of the file: `krenning_pre`, `mib1`, or
        `krenning` in a table with one row a scan, `krenning_post#2` for a second follow-up.
    spec : how its cells are read.
    frame : the columns it fills.
    side : 0 or 1 where each cell holds the values of both scans and this is the first or second.
    """

    name: str
    place: int
    heading: str
    spec: Field
    frame: tuple[str, ...]
    unit: str = ""
    side: int | None = None


@dataclass
class Part:
    """One table while it is read: its cells, what is known of its columns, problems, repairs."""

    source: Source
    table: str
    cells: SourceTable | None
    frame: pd.DataFrame
    columns: list[Column] = field(default_factory=list)
    layout: dict[str, int] = field(default_factory=dict)
    long: bool = False
    visits: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    rewritten: bool = False
    sealed: bool = False
    problems: list[Problem] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)
    _by_column: list[tuple[str, ...]] | None = None
    _distinct: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def distinct_texts(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct cells of a column, and which of them stands in each row."""
        if place not in self._distinct:
            codes, distinct = pd.factorize(self.cell_texts(place))
            self._distinct[place] = codes, distinct
        return self._distinct[place]

    def cell_texts(self, place: int) -> np.ndarray:
        """Return the cells of one column of the file."""
        if self._by_column is None:
            assert self.cells is not None
            rows = self.cells.rows
            self._by_column = (
                list(zip(*rows, strict=True)) if rows else [()] * len(self.cells.header)
            )
        texts = np.empty(len(self._by_column[place]), dtype=object)
        texts[:] = self._by_column[place]
        return texts

    def rewrite(self, rows: list[list[str]]) -> None:
        """Put other cells in place of those of the file."""
        assert self.cells is not None
        self.cells, self.rewritten = replace(self.cells, rows=rows), True
        self._by_column, self._distinct = None, {}

    @property
    def headless(self) -> bool:
        """True where no heading is known: the first row may be a patient's, and is not shown."""
        if self.cells is None or self.columns or self.layout:
            return False
        chosen = {text.strip() for text in self.source.columns.values()}
        labels = self.cells.labels
        return not any(
            heading in chosen
            or headings.meaning(heading, self.table)
            or headings.meaning(labels.get(heading, ""), self.table)
            for heading in self.cells.header
        )

    @property
    def names(self) -> set[str]:
        """The input columns that the table gives, by captem's names."""
        given = {column.name.split("#")[0] for column in self.columns}
        if self.long:
            sides = scans(SCHEMAS[self.table])
            given |= {name for stem in given for name in sides.get(stem, {}).values()}
        return given

    def heading(self, name: str) -> str:
        """Return the file's own heading of an input column, or its name where it has none."""
        for wanted in (name, stem_of(name, self.table)):
            for column in self.columns:
                if column.name == wanted:
                    return column.heading
        return name


def unreadable(source: Source, table: str, problem: Problem) -> Part:
    """Return the part of a file that cannot be read at all."""
    return Part(source, table, None, no_rows(), problems=[problem])


def no_rows() -> pd.DataFrame:
    return pd.DataFrame({"patient_id": pd.Series(dtype=object)})


def of_file(part: Part, severity: str, rule: str, **words: str) -> Problem:
    """Return a problem of a table as a whole."""
    assert part.cells is not None
    return Problem(severity, rule, part.cells.file, part.cells.sheet, **words)


def stem_of(name: str, table: str) -> str:
    """Return a name without the scan: `krenning_pre_low` is `krenning_low`."""
    for time in ("_pre", "_post"):
        head, sign, tail = name.partition(time)
        if sign and (not tail or tail.startswith("_")):
            return head + tail
    return name
