"""Figure: the terms of all models, and what could not be estimated.

Terms that are asked about stand for every subset; those that are held fixed, such as the baseline,
are set back and stand for all patients, since they answer no question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import pandas as pd

from captem import rounding
from captem.figure_rows import absent
from captem.figures import rows_of_estimates
from captem.figures.rows_of_estimates import (
    NO_ASSOCIATION,
    Block,
    Key,
    Mark,
    Row,
    Words,
    alike,
    cells,
    sentence,
)
from captem.figures.style import DIRECTION_COLOURS, FAINT, INK
from captem.profiles import Profile
from captem.table_parts import MASKED
from captem.wording import ASKED_TERMS, MODEL_WORDS, SUBSET_WORDS, TERM_LABELS, reason_words

WIDE = True
_COLUMNS = (
    "row_id", "analysis", "outcome", "subset", "term", "role", "estimand", "unit", "estimate",
    "conf_low", "conf_high", "conf_level", "interval_method", "p_value", "n_patients", "n_lesions",
    "status", "reason",
)  # fmt: skip
_NUMBERS = (
    "estimate", "conf_low", "conf_high", "conf_level", "p_value", "n_patients", "n_lesions",
)  # fmt: skip
# A ratio of odds and a ratio of SUVmax do not compare, so each has its axis.
_BLOCKS = {
    "odds ratio": ("Odds ratio", "Odds ratio (log scale); above 1, higher uptake at follow-up"),
    "ratio": ("SUVmax ratio", "Ratio of SUVmax (log scale); above 1, higher uptake at follow-up"),
}
# Where a figure is narrow, and what the axis says of the units then.
_SHORT = {
    "krenning_pre": "Baseline",
    "log2_suvmax_pre": "Baseline",
    "log2_mib1": "MIB1",
    "captem_cycles": "Cycles",
}
_UNITS = "per doubling of MIB1, per cycle, per step or doubling of the baseline"
_MARKERS = ("o", "D", "s", "^")


def data(statistics: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row a term of a model and subset, as `statistics.csv` has it.

    Where several methods report an estimate, the first is drawn: it is the reported one. A term
    that is held fixed has a row of the first subset alone, except where it cannot be estimated.
    """
    rows = statistics[statistics["analysis"].isin(list(MODEL_WORDS)) & statistics["term"].notna()]
    rows = rows.drop_duplicates(["analysis", "subset", "term"])
    first = rows["subset"].eq(rows.groupby("analysis")["subset"].transform("first"))
    refused = rows["status"].eq("not_estimable")
    rows = rows[rows["term"].isin(ASKED_TERMS) | first | refused]
    if rows.empty:
        return absent("no model was asked for")
    return rows[list(_COLUMNS)].reset_index(drop=True)


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of all rows; it is never squashed, however many they are."""
    return rows_of_estimates.height_mm(partial(contents, rows), width_mm, profile)


def contents(rows: pd.DataFrame, short: bool) -> tuple[list[Block], list[Key]]:
    """Return the blocks and the legend of the rows of `data`, in short words where asked for."""
    terms = rows.assign(**{name: rows[name].astype(float) for name in _NUMBERS})
    subsets = list(dict.fromkeys(terms["subset"]))
    blocks = []
    for estimand, (heading, axis_label) in _BLOCKS.items():
        chosen = terms[terms["estimand"].eq(estimand)]
        items = tuple(_items(chosen, subsets, short))
        if items:
            chosen = chosen[chosen["status"].ne("not_estimable")]
            said = rows_of_estimates.interval_heading(heading, chosen["conf_level"])
            n = "n (lesions)" if chosen["n_lesions"].notna().any() and not short else "n"
            blocks.append(
                Block(
                    estimand, items, (said, n, "P"), rows_of_estimates.LOG,
                    f"{axis_label}; {_UNITS}" if short else axis_label, ((1.0, NO_ASSOCIATION),),
                )
            )  # fmt: skip
    if refused := tuple(_refused(terms)):
        blocks.append(Block("not estimable", refused))
    return blocks, _keys(terms[terms["status"].ne("not_estimable")], subsets)


def _keys(drawn: pd.DataFrame, subsets: list[str]) -> list[Key]:
    seen = [subset for subset in subsets if drawn["subset"].eq(subset).any()]
    keys = [
        Key(SUBSET_WORDS.get(subset, subset), _MARKERS[subsets.index(subset) % len(_MARKERS)])
        for subset in seen
    ]
    keys = keys if len(keys) > 1 else []
    if drawn["status"].eq("unstable").any():
        keys.append(Key("open: unstable, read as exploratory", filled=False))
    return keys


def _items(terms: pd.DataFrame, subsets: list[str], short: bool) -> Iterator[Row | Words]:
    """Return the models of a block, each a heading and its terms; without those all refused."""
    order = [name for name in MODEL_WORDS if terms["analysis"].eq(name).any()]
    for analysis in order:
        model = terms[terms["analysis"].eq(analysis)]
        drawn = model[model["status"].ne("not_estimable")]
        if drawn.empty:
            continue
        lesions = drawn["n_lesions"].iloc[0]
        counted = f" ({lesions:g} lesions)" if short and not pd.isna(lesions) else ""
        yield Words(MODEL_WORDS[analysis] + counted, bold=True)
        for term in dict.fromkeys(drawn["term"]):
            of_term = drawn[drawn["term"].eq(term)]
            label = _SHORT.get(str(term), _named(term)) if short else _label(of_term.iloc[0])
            for row in of_term.to_dict("records"):
                marker = _MARKERS[subsets.index(row["subset"]) % len(_MARKERS)]
                yield _row(row, label, marker, short)
                label = ""
        refused = model[model["status"].eq("not_estimable")]
        for (subset, reason), rows in refused.groupby(["subset", "reason"], sort=False):
            whose = SUBSET_WORDS.get(subset, subset)
            # Where a model is refused as a whole, its terms need no names.
            if drawn["subset"].eq(subset).any():
                whose += f", {', '.join(_label(row) for _, row in rows.iterrows())}"
            yield _note(f"{sentence(whose)}: not estimable: {reason}")


def _row(row: dict[str, Any], label: str, marker: str, short: bool) -> Row:
    asked = row["term"] in ASKED_TERMS
    colour = DIRECTION_COLOURS["up"] if row["term"] == ASKED_TERMS[0] else INK if asked else FAINT
    n = MASKED if pd.isna(row["n_patients"]) else f"{row['n_patients']:g}"
    n += "" if short or pd.isna(row["n_lesions"]) else f" ({row['n_lesions']:g})"
    ends = (row["estimate"], row["conf_low"], row["conf_high"])
    return Row(
        label, (cells(*ends), n, rounding.p_cell(row["p_value"])),
        Mark(*ends, colour, marker, filled=row["status"] == "ok"), INK if asked else FAINT,
    )  # fmt: skip


def _label(row: Any) -> str:
    unit = "" if pd.isna(row["unit"]) else row["unit"]
    return TERM_LABELS.get(row["term"], ", ".join(filter(None, (_named(row["term"]), unit))))


def _named(term: Any) -> str:
    """Return the name of a covariate; its level stays as the table has it.

    >>> _named("primary_site=body_of_pancreas")
    'primary site: body_of_pancreas'
    """
    name, equals, level = str(term).partition("=")
    return name.replace("_", " ") + (f": {level}" if equals else "")


def _note(words: str) -> Words:
    return Words(reason_words(words), small=True, colour=FAINT, indent=True)


def _refused(terms: pd.DataFrame) -> Iterator[Words]:
    """Return the models of which nothing could be estimated, by reason."""
    refused = terms.groupby("analysis")["status"].transform("nunique").eq(1)
    refused &= terms["status"].eq("not_estimable")
    if not refused.any():
        return
    several = terms["subset"].nunique() > 1
    yield Words("Not estimable", bold=True)
    grouped = terms[refused]
    for reason, rows in grouped.groupby(grouped["reason"].map(alike), sort=False):
        yield Words(sentence(reason_words(str(reason))))
        models = [
            ", ".join(_models(of["analysis"]))
            + (f" ({SUBSET_WORDS.get(str(subset), str(subset))})" if several else "")
            for subset, of in rows.groupby("subset", sort=False)
        ]
        whole = set(rows["analysis"]) == set(terms["analysis"])
        said = "every model" if whole and not several else "; ".join(models)
        yield _note(said)


def _models(analyses: Iterable[str]) -> list[str]:
    """Return the names of models, a model with and without cycles as one."""
    names = list(dict.fromkeys(analyses))
    found = []
    for name in names:
        words = MODEL_WORDS[name].partition(":")[0].partition(", with ")[0]
        if name.endswith("_cycles"):
            if name.removesuffix("_cycles") not in names:
                found.append(f"{words}, with cycles")
        else:
            found.append(f"{words}, also with cycles" if f"{name}_cycles" in names else words)
    return found


panel = rows_of_estimates.panel(contents)
