"""Captions with live numbers: a template a figure, filled from `statistics.csv`.

A template is Jinja text in `workflow/report/<figure>.rst`. It asks for numbers by the name of their
row; a row that is missing, or has no number where one is printed, is an error and never a blank.
"""

from __future__ import annotations

from typing import Any

import jinja2
import pandas as pd

from captem import figure_rows, origin, rounding, statistics
from captem.errors import CaptemError
from captem.table_parts import MASKED
from captem.wording import reason_words

ALT_TEXT = "Alt text:"
NOT_DRAWN = "Not drawn:"


class Numbers:
    """What a caption's template may ask for.

    Parameters
    ----------
    table : `statistics.csv`.
    """

    def __init__(self, table: pd.DataFrame):
        self._table = table
        self._masks = table["reason"].astype("string").str.startswith(MASKED).any()

    def row(self, row_id: str) -> pd.Series:
        """Return the row of that name; CaptemError if there is none."""
        return statistics.find(self._table, row_id)

    def has(self, row_id: str) -> bool:
        """Say whether the row exists and holds an estimate or a P value."""
        rows = self._table[self._table["row_id"].eq(row_id)]
        return len(rows) == 1 and rows.iloc[0]["status"] != "not_estimable"

    def n(self, row_id: str) -> int | str:
        """Return the number of patients a row rests on, or `masked`."""
        return self._count(row_id, "n_patients")

    def count(self, row_id: str) -> int | str:
        """Return how many patients a proportion counts, or `masked`."""
        return self._count(row_id, "n_events")

    def masked(self, row_id: str) -> bool:
        """Say whether the numbers of a row are masked, as they would show small counts."""
        return str(self.row(row_id)["reason"]).startswith(MASKED)

    def share(self, row_id: str) -> str:
        """Return a proportion's count out of n with its percentage, as in `29/54 (54%)`."""
        count, n = self.count(row_id), self.n(row_id)
        if isinstance(count, str) or isinstance(n, str):
            return MASKED
        return rounding.share(count, n)

    def ratio(self, row_id: str) -> str:
        """Return a ratio with its interval, as in `2.44 (95% CI, 1.29 to 4.88)`."""
        row = self.row(row_id)
        if self.masked(row_id):
            return MASKED
        estimate = rounding.number(self._number(row_id, "estimate"))
        if self._masks and pd.isna(row["conf_low"]):
            return f"{estimate} (CI, {MASKED})"
        ends = rounding.interval(row["conf_low"], row["conf_high"])
        return f"{estimate} ({row['conf_level']:.0%} CI, {ends})"

    def told(self, row_id: str) -> str:
        """Return a ratio of all patients with n, and whether it is exploratory or unstable.

        Where the confirmatory sources have a row of their own, that is given first.
        """
        own = row_id.replace(f"/{statistics.ALL}/", f"/{statistics.CONFIRMATORY}/")
        if own == row_id or not self._table["row_id"].eq(own).any():
            return self._one(row_id)
        if self.has(own):
            first = f"{self._one(own)} in the confirmatory sources"
        else:
            first = f"not estimable in the confirmatory sources ({self.reason(own)})"
        return f"{first}, and {self._one(row_id)} in all sources"

    def _one(self, row_id: str) -> str:
        row = self.row(row_id)
        doubts = ["exploratory"] if row["role"] == "exploratory" else []
        if row["status"] == "unstable":
            doubts.append(f"unstable: {self.reason(row_id)}")
        said = f" ({'; '.join(doubts)})" if doubts else ""
        n = self.n(row_id)
        many = f"a {n} number of patients" if isinstance(n, str) else f"{n} patients"
        return f"{self.ratio(row_id)} in {many}{said}"

    def reason(self, row_id: str) -> str:
        """Return why a row is not ok."""
        return reason_words(str(self.row(row_id)["reason"]))

    def _count(self, row_id: str, column: str) -> int | str:
        if self._masks and pd.isna(self.row(row_id)[column]):
            return MASKED
        return int(self._number(row_id, column))

    def _number(self, row_id: str, column: str) -> float:
        value = self.row(row_id)[column]
        if pd.isna(value):
            raise CaptemError(
                f"the caption asks for {column} of {row_id!r}, which is "
                f"{self.row(row_id)['status']}: {self.row(row_id)['reason']}"
            )
        return float(value)


def render(
    name: str,
    template: str,
    table: pd.DataFrame,
    data: str,
    rows: pd.DataFrame | None = None,
    **values: Any,
) -> str:
    """Return the caption and alt text of the figure `name`.

    A figure that is not drawn has the reason for a caption.

    Parameters
    ----------
    template : text of `workflow/report/<name>.rst`; it may ask for `stat` (see `Numbers`), `rows`
        and whatever `values` holds.
    table : `statistics.csv`.
    data : whether the data are synthetic, as in `captem.origin`.
    rows : what `figures/<name>.csv` holds.

    Raises
    ------
    CaptemError
        If the template asks for a number that is not there, or is not a valid template.
    """
    if reason := "" if rows is None else figure_rows.reason_not_drawn(rows):
        sentence = f"{NOT_DRAWN} {reason_words(reason)}."
        template = f"{{{{ sentence }}}}\n\n{ALT_TEXT} {{{{ sentence }}}}"
        values = {"sentence": sentence}
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"number": rounding.number, "fixed": rounding.fixed}
    try:
        text = environment.from_string(template).render(stat=Numbers(table), rows=rows, **values)
    except jinja2.TemplateError as error:
        raise CaptemError(f"caption of {name}: {error}") from error
    except CaptemError as error:
        raise CaptemError(f"caption of {name}: {error}") from error
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    if mark := origin.words(data):
        paragraphs[0] = f"{mark}. {paragraphs[0]}"
    if not paragraphs[-1].startswith(ALT_TEXT):
        raise CaptemError(f"caption of {name}: the last paragraph has to begin with {ALT_TEXT!r}")
    return "\n\n".join(paragraphs) + "\n"


def split(text: str) -> tuple[str, str]:
    """Return the caption and the alt text of a caption file."""
    caption, _, alt = text.partition(f"\n\n{ALT_TEXT}")
    return caption.strip(), alt.strip()
