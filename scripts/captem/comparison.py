"""One page on what a new data cut changed: conclusions first, then why, then the data.

The page names patients by code: it is for the group alone. Nothing is computed here.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from captem import changed_data, rounding
from captem.attribution import STEPS
from captem.changed_statistics import is_ratio
from captem.files import same_bytes_zip
from captem.origin import RECORDED
from captem.summary import script_hash
from captem.table_formats import TABLE_CSS, to_html, typeset
from captem.table_parts import (
    CHANGE_WORDS,
    DATA_NOTES,
    OUTCOME_WORDS,
    Row,
    Table,
    analysis_words,
    subset_words,
    table,
)
from captem.word_tables import add_styles, add_table, set_page, set_properties
from captem.wording import MODEL_WORDS, TERM_LABELS

# From this change on, in standard errors of the old estimate, a row stands in the Word document.
MOVED = 0.5
_STEP_WORDS = {
    "before": "Then", "code": "Program", "config": "Settings", "edited": "Edited values",
    "removed": "Patients gone", "added": "New patients", "now": "Now",
}  # fmt: skip
ORDER = (
    "The same estimate is computed again after each step: "
    + "; ".join(f"{_STEP_WORDS[step].lower()} ({what})" for step, what in STEPS)
    + ". In another order the steps would share the change out otherwise."
)
RATIO_NOTE = (
    "Changes of odds ratios are factors, all others are differences; the steps multiply or add up "
    "to the whole change."
)
SE_NOTE = (
    "In SE: the change over the standard error that the interval of then implies, of ratios on the "
    "logarithmic scale. Most patients are in both cuts, so a change of 1 SE is a large one."
)
PATIENT_LEVEL = "This page names patients by their code: it is not for anybody outside the group."


@dataclass(frozen=True)
class About:
    """What is compared: study, the frozen cut and its date, the cut of this run, kind of data.

    `looks` says what the planned looks of both cuts found, where a plan is locked.
    """

    study: str
    old: str
    new: str
    frozen_on: str
    data: str
    looks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A figure of both cuts, for the page (svg) and for Word (png); None where it is not there."""

    name: str
    title: str
    old: bytes | None
    new: bytes | None
    old_png: bytes | None = None
    new_png: bytes | None = None

    @property
    def same(self) -> bool:
        """Whether not one byte is other."""
        return self.old == self.new


@dataclass(frozen=True)
class Comparison:
    """What was found: the frames of the csv files of the same names.

    `withdrawn` patients left the old cut since it was frozen; `same_program` says that code and
    versions of packages are those of then.
    """

    statistics: pd.DataFrame
    data: pd.DataFrame
    attribution: pd.DataFrame
    worries: pd.DataFrame
    withdrawn: int = 0
    same_program: bool = False


def question(row: Mapping[str, Any]) -> str:
    """Return in words which estimate a row is about, and of whom.

    >>> question({"analysis": "model.krenning", "term": "log2_mib1", "outcome": "krenning",
    ...           "subset": "all", "row_id": "model.krenning/krenning/all/log2_mib1"})
    'Krenning score at follow-up: MIB1 index, per doubling (all patients)'
    """
    term = str(row["term"])
    words = CHANGE_WORDS.get((row["analysis"], term))
    if words is None:
        words = MODEL_WORDS.get(row["analysis"], analysis_words(row["analysis"]))
        words += f": {TERM_LABELS.get(term, term.replace('_', ' '))}" if term else ""
    elif row["outcome"] in OUTCOME_WORDS and row["outcome"] != "krenning":
        words = f"{OUTCOME_WORDS[row['outcome']]}: {words}"
    told = ", ".join(filter(None, [variant_of(row), subset_words(str(row["subset"]))]))
    return f"{words} ({told})"


def variant_of(row: Mapping[str, Any]) -> str:
    """Return the other method that a row is by, from its row_id; empty for the reported one."""
    parts = [
        row["analysis"],
        row["outcome"],
        row["subset"],
        *([row["term"]] if row["term"] else []),
    ]
    left = str(row["row_id"]).removeprefix("/".join(parts)).strip("/").replace("_", " ")
    return {"gee": "GEE", "p": "P"}.get(left, left)


def flips_table(found: Comparison, about: About) -> Table:
    """Return the conclusions that turned over, primary questions first."""
    turned = [row for row in _texts(found.statistics) if row["flip"]]
    return table(
        "flips", "Conclusions that turned over",
        ("Question", "Then", "Now", "In SE", "What turned", "Role"),
        [
            Row((question(row), _shown(row, "old"), _shown(row, "new"), _in_se(row),
                 row["flip"] + _unstable(row), row["role"]))
            for row in turned
        ],
        (SE_NOTE,) if turned else (), about.data, wide=True, text_columns=(0, 1, 2, 4, 5),
    )  # fmt: skip


def statistics_table(found: Comparison, about: About, least: float = 0.0) -> Table:
    """Return every estimate that is other now, by size of change; from `least` SE on."""
    rows = []
    for row in _texts(found.statistics):
        moved = row["change_in_se"]
        changed = _shown(row, "old") != _shown(row, "new") or row["old_status"] != row["new_status"]
        if changed and (not least or (math.isfinite(moved) and abs(moved) >= least)):
            cells = (question(row), _shown(row, "old"), _shown(row, "new"), _changed(row),
                     _in_se(row), rounding.p_cell(row["old_p"]), rounding.p_cell(row["new_p"]),
                     _n(row["old_n"]), _n(row["new_n"]))  # fmt: skip
            rows.append(Row(cells))
    title = "Estimates that changed"
    title += f" by at least {rounding.fixed(least, 1)} SE" if least else ""
    return table(
        "changed_statistics", title,
        ("Question", "Then", "Now", "Change", "In SE", "P then", "P now", "n then", "n now"), rows,
        (SE_NOTE, RATIO_NOTE), about.data, wide=True, text_columns=(0, 1, 2),
    )  # fmt: skip


def attribution_table(found: Comparison, about: About) -> Table:
    """Return where the change of each primary estimate comes from, a column a step."""
    steps = list(_STEP_WORDS)
    rows, notes = [], []
    for name, group in found.attribution.groupby("row_id", sort=False):
        by_step = {row["step"]: row for row in group.to_dict("records")}
        parts = str(name).split("/")
        known = {"analysis": parts[0], "outcome": parts[1], "subset": parts[2],
                 "term": parts[3] if len(parts) > 3 else "", "row_id": name}  # fmt: skip
        ratio = is_ratio(by_step["now"]["estimand"])
        cells = [question(known)]
        for step in steps:
            row = by_step[step]
            shown = row["estimate"] if step in ("before", "now") else row["change"]
            cells.append(_factor(shown, ratio and step not in ("before", "now")))
            if not _finite(row["estimate"]) and not _missing(row["reason"]):
                notes.append(f"{question(known)}, {_STEP_WORDS[step].lower()}: {row['reason']}")
        rows.append(Row(tuple(cells)))
    words = dict(_STEP_WORDS)
    if found.withdrawn:
        words["code"] = "Withdrawals" if found.same_program else "Program and withdrawals"
        beside = (
            "the program is the same, so the first step is theirs alone." if found.same_program
            else "what they did to an estimate stands in one column with what the program did."
        )  # fmt: skip
        notes.insert(0, (
            f"The estimates of then were computed with {_patients(found.withdrawn)} who withdrew "
            f"consent since, and whose data are gone: {beside}"
        ))  # fmt: skip
    heads = ("Estimate", *(words[step] for step in steps))
    return table(
        "attribution", "Where the change comes from", heads, rows,
        (ORDER, RATIO_NOTE, *dict.fromkeys(notes)), about.data, wide=True,
    )  # fmt: skip


def worries_table(found: Comparison, about: About) -> Table:
    """Return what should be looked into, with what to do."""
    return table(
        "worries", "What should be looked into", ("What", "What to do"),
        [Row((row["text"], row["to_do"])) for row in found.worries.to_dict("records")],
        (), about.data, wide=True, text_columns=(0, 1),
    )  # fmt: skip


def data_table(found: Comparison, about: About) -> Table:
    """Return every patient, lesion and cell that is other now, under a heading a class."""
    rows: list[Row] = []
    for name in changed_data.CLASSES:
        some = found.data[found.data["change"].eq(name)]
        if some.empty:
            continue
        rows.append(Row((f"{name[:1].upper()}{name[1:]} ({len(some)})", *[""] * 5), heading=True))
        rows += [
            Row((row["patient_id"], row["lesion_id"], row["source"], row["column"], row["old"],
                 row["new"]), indent=True)
            for row in some.to_dict("records")
        ]  # fmt: skip
    return table(
        "changed_data", "What is other in the data",
        ("Patient", "Lesion", "Source", "Column", "Then", "Now"), rows, (), about.data, wide=True,
        text_columns=tuple(range(6)),
    )  # fmt: skip


def headline(found: Comparison, about: About) -> list[str]:
    """Return the comparison in a few sentences."""
    data, rows = found.data, _texts(found.statistics)
    patients = data[data["table"].eq("patients")]
    counts = {name: int(patients["change"].eq(name).sum()) for name in (changed_data.ADDED,
              changed_data.REMOVED)}  # fmt: skip
    edited = patients[~patients["change"].isin(counts)]["patient_id"].nunique()
    flips = [row for row in rows if row["flip"]]
    claims = [row for row in flips if row["role"] in ("primary", "secondary")]
    said = [
        f"{_patients(counts[changed_data.ADDED])} came, {_patients(counts[changed_data.REMOVED])} "
        f"went, and cells of {_patients(edited)} are other than in the data cut {about.old}."
    ]
    if not flips:
        said.append("No conclusion turned over.")
    else:
        verb = "conclusion" if len(flips) == 1 else "conclusions"
        said.append(
            f"{len(flips)} {verb} turned over, {len(claims) or 'none'} of them of a primary or "
            "secondary question."
        )
    if len(found.worries):
        n = len(found.worries)
        said.append(f"{n} {'thing' if n == 1 else 'things'} should be looked into first.")
    return [*said, *about.looks]


def render(
    template: str, script: str, found: Comparison, about: About, figures: Sequence[Pair]
) -> str:
    """Return the page as HTML; it loads nothing from elsewhere."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["typeset"] = lambda text: Markup(typeset(text))
    flips = flips_table(found, about)
    return environment.from_string(template).render(
        about=about,
        data_note=DATA_NOTES[about.data],
        patient_level=PATIENT_LEVEL,
        css=Markup(TABLE_CSS),
        script=Markup(script),
        script_hash=script_hash(script),
        headline=headline(found, about),
        flips=_html(flips),
        attribution=_html(attribution_table(found, about)),
        worries=[row for row in found.worries.to_dict("records")],
        data=_html(data_table(found, about)),
        statistics=_html(statistics_table(found, about)),
        as_before=as_before(found),
        figures=[_pair(pair) for pair in figures if not pair.same],
        unchanged=[pair.title for pair in figures if pair.same],
    )


def as_before(found: Comparison) -> str:
    """Return how many estimates print as they did."""
    rows = _texts(found.statistics)
    both = [row for row in rows if row["old_status"] and row["new_status"]]
    same = sum(
        1 for row in both
        if _shown(row, "old") == _shown(row, "new") and row["old_status"] == row["new_status"]
    )  # fmt: skip
    return (
        f"Of {len(both)} estimates that both cuts have, {same} are as before. "
        f"Only now: {sum(1 for row in rows if not row['old_status'])}; "
        f"only then: {sum(1 for row in rows if not row['new_status'])}."
    )


def _html(shown: Table) -> Markup | None:
    return Markup(to_html(shown)) if shown.rows else None


def _pair(pair: Pair) -> dict[str, Any]:
    def uri(svg: bytes | None) -> str:
        code = base64.b64encode(svg or b"").decode("ascii")
        return f"data:image/svg+xml;base64,{code}" if svg else ""

    return {"name": pair.name, "title": pair.title, "old": uri(pair.old), "new": uri(pair.new)}


def to_docx(found: Comparison, about: About, figures: Sequence[Pair] = ()) -> bytes:
    """Return the same as a Word document, of the estimates those that moved by `MOVED` SE."""
    import docx

    document = docx.Document()
    tables = (
        flips_table(found, about), worries_table(found, about), attribution_table(found, about),
        statistics_table(found, about, MOVED), data_table(found, about),
    )  # fmt: skip
    title = f"Data cut {about.new} against {about.old}"
    set_properties(document, table("comparison", title, (), (), (), about.data))
    add_styles(document)
    width = set_page(document, wide=True)
    said = f" ({about.data} data)" if about.data != RECORDED else ""
    document.add_heading(f"{title}: study {about.study}{said}", level=1)
    for sentence in (*headline(found, about), PATIENT_LEVEL):
        document.add_paragraph(sentence)
    for shown in tables:
        if shown.rows:
            document.add_heading(shown.title, level=2)
            add_table(document, shown, width)
    other = [pair for pair in figures if not pair.same]
    if other:
        document.add_heading("Figures, then and now", level=2)
    for pair in other:
        document.add_heading(pair.title, level=3)
        sides = document.add_table(rows=2, cols=2)
        for column, (cut, png) in enumerate(((about.old, pair.old_png), (about.new, pair.new_png))):
            sides.cell(0, column).text = cut
            place = sides.cell(1, column).paragraphs[0].add_run()
            if png:
                place.add_picture(io.BytesIO(png), width=int(width / 2.1))
            else:
                place.add_text("not there")
    stream = io.BytesIO()
    document.save(stream)
    return same_bytes_zip(stream.getvalue())


def _texts(statistics: pd.DataFrame) -> list[dict[str, Any]]:
    texts = statistics.select_dtypes(exclude="number").columns
    filled = statistics.assign(**{name: statistics[name].fillna("") for name in texts})
    rows: list[dict[str, Any]] = filled.to_dict("records")
    return rows


def _shown(row: Mapping[str, Any], side: str) -> str:
    """Print an estimate with its interval as one of both cuts has it, of a test its P."""
    if row[f"{side}_status"] == "not_estimable":
        return "not estimable"
    if not _finite(row[side]):
        p = row[f"{side}_p"]
        return f"P {rounding.p_value(p)}" if _finite(p) else rounding.EMPTY
    number = rounding.number(row[side])
    low, high = row[f"{side}_low"], row[f"{side}_high"]
    if math.isnan(low) or math.isnan(high):
        return number
    return f"{number} ({rounding.interval(low, high)})"


def _unstable(row: Mapping[str, Any]) -> str:
    if row["new_status"] != "unstable" or "unstable" in row["flip"]:
        return ""
    return "; unstable, so read it as exploratory"


def _changed(row: Mapping[str, Any]) -> str:
    return _factor(row["change"], is_ratio(row["estimand"]))


def _factor(value: float, ratio: bool) -> str:
    if not _finite(value):
        return rounding.EMPTY
    return f"×{rounding.number(value)}" if ratio else rounding.number(value)


def _in_se(row: Mapping[str, Any]) -> str:
    moved = row["change_in_se"]
    return rounding.fixed(moved, 2) if _finite(moved) else rounding.EMPTY


def _n(value: float) -> str:
    return rounding.EMPTY if pd.isna(value) else str(int(value))


def _patients(n: int) -> str:
    return f"{n} patient" if n == 1 else f"{n} patients"


def _finite(value: Any) -> bool:
    return not pd.isna(value) and math.isfinite(value)


def _missing(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""
