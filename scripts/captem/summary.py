"""One page for people: the question, the answer, what can fool it, and where each number is from.

The first screen is read in one minute (`summary_lead`, and the largest of `summary_caveats`); below
it stand the answer in full (`summary_answer`), a sentence a figure (`summary_figures`), the tables,
and what was done to the data (`summary_lists`). Nothing is computed here, and no row of a patient
reaches the page.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from captem import summary_figures
from captem.captions import NOT_DRAWN
from captem.origin import data_kind
from captem.summary_answer import answer
from captem.summary_caveats import caveats
from captem.summary_lead import lead
from captem.summary_lists import (
    counted,
    criterion_words,
    flattened,
    flow_table,
    methods,
    source_notes,
    unanswered,
)
from captem.summary_words import masked
from captem.table_formats import TABLE_CSS, to_html, typeset
from captem.table_parts import CYCLES, DATA_NOTES, Table, records, titled

# So many caveats stand on the first screen.
LARGEST = 3
# The table with a row a patient, which stands here only where the settings ask for it.
LISTING = "listing"
_SVG_WIDTH = re.compile(rb'<svg[^>]*?\bwidth="([0-9.]+)pt"')
# A table has a number in the title that a list of contents does without.
_NUMBERED = re.compile(r"^Table \d+\. ")


@dataclass(frozen=True)
class Figure:
    """A figure of the page: one heading sentence, the picture, its caption and what it shows."""

    name: str
    title: str
    svg: bytes
    caption: str
    alt: str


def render(
    template: str,
    *,
    script: str,
    study: str,
    cut: str,
    statistics: pd.DataFrame,
    flow: pd.DataFrame,
    sources: pd.DataFrame,
    problems: pd.DataFrame,
    repairs: pd.DataFrame,
    tables: list[Table],
    figures: list[Figure],
    provenance: Mapping[str, Any],
    criterion: Mapping[str, Any] | None = None,
    plan: Sequence[str] = (),
) -> str:
    """Return the whole page; it loads nothing from elsewhere.

    Parameters
    ----------
    template : text of `workflow/report/summary.html.jinja`.
    script : text of `workflow/report/summary.js`, the only script that the page lets run.
    study, cut : names of the study and of the data cut.
    statistics, flow, sources, problems, repairs : the result files of these names.
    tables, figures : what the page shows, in order.
    provenance : versions and inputs, may be nested.
    criterion : `threshold` and `rule` of the config, to say what the criterion means.
    plan : what the locked plan makes of this data cut (`captem.plan_words`).
    """
    data, warnings = data_kind(sources), caveats(statistics)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["typeset"] = lambda text: Markup(typeset(text))
    return environment.from_string(template).render(
        study=study,
        cut=cut,
        data_note=DATA_NOTES[data],
        css=Markup(TABLE_CSS),
        criterion=criterion_words(criterion),
        script=Markup(script),
        script_hash=script_hash(script),
        lead=lead(statistics),
        plan=list(plan),
        answer=answer(statistics),
        masked=any(masked(row) for row in records(statistics)),
        largest=warnings[:LARGEST],
        others=warnings[LARGEST:],
        cycles_note=CYCLES,
        figures=[_shown(figure, statistics, data) for figure in figures],
        tables=[_table(table) for table in tables],
        listing=any(table.name == LISTING for table in tables),
        flow=Markup(to_html(flow_table(flow, data))),
        problems=_counts_or_none(problems, "problems", "Problems found in the data", data),
        repairs=_counts_or_none(repairs, "repairs", "Values not read as they were written", data),
        unanswered=unanswered(statistics),
        sources=source_notes(sources),
        methods=methods(statistics),
        provenance=flattened(provenance),
    )


def script_hash(script: str) -> str:
    """Return what a content security policy calls the script that may run."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _table(table: Table) -> dict[str, Any]:
    title = _NUMBERED.sub("", table.title).removesuffix(f" ({table.data} data)")
    return {"name": table.name, "title": title, "html": Markup(to_html(table))}


def _shown(figure: Figure, statistics: pd.DataFrame, data: str) -> dict[str, Any]:
    width = _SVG_WIDTH.search(figure.svg)
    return {
        "name": figure.name,
        "title": titled(figure.title, data),
        "question": figure.title,
        "uri": "data:image/svg+xml;base64," + base64.b64encode(figure.svg).decode("ascii"),
        "width": f"{width.group(1).decode()}pt" if width else "100%",
        "sentence": summary_figures.sentence(figure.name, statistics),
        "caption": figure.caption,
        "alt": figure.alt,
        "drawn": not figure.alt.startswith(NOT_DRAWN),
    }


def _counts_or_none(frame: pd.DataFrame, name: str, title: str, data: str) -> Markup | None:
    return Markup(to_html(counted(frame, name, title, data))) if len(frame) else None
