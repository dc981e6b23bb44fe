"""Figure: the primary contrast under every alternative, of all patients.

Alternatives that ask for the same contrast stand over one axis, below the contrast as reported;
those with another contrast have an axis of their own, or numbers alone where an axis would compare
what does not compare. Which alternatives there are: `captem.sensitivity`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd

from captem import rounding
from captem.figure_rows import absent
from captem.figures import rows_of_estimates
from captem.figures.rows_of_estimates import (
    LINEAR,
    LOG,
    NO_ASSOCIATION,
    NO_AXIS,
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
from captem.statistics import ALL
from captem.table_parts import MASKED
from captem.wording import alternative_words, reason_words

WIDE = True
PRIMARY_ROW = f"model.krenning/krenning/{ALL}/log2_mib1"
REPORTED = "as reported"
_COLUMNS = (
    "block", "alternative", "row_id", "analysis", "outcome", "subset", "term", "estimand", "unit",
    "estimate", "conf_low", "conf_high", "conf_level", "p_value", "n_patients", "status", "reason",
)  # fmt: skip
_NUMBERS = ("estimate", "conf_low", "conf_high", "conf_level", "p_value", "n_patients")
# Their questions are of single readings, and stand in the table on noise.
_ELSEWHERE = ("sensitivity.fixed_reference", "sensitivity.reader_error")
_SOURCE = "sensitivity.source"
_CRITERION = "sensitivity.criterion_rule"
_PRIMARY, _GAINED, _NET, _OTHER = "primary contrast", "criterion", "net improvement", "other"
_AS_REPORTED: dict[str, Any] = {"color": DIRECTION_COLOURS["up"], "linestyle": (0, (4, 2))}
# Title, heading of the estimates, scale, label of the axis, value without an association.
_BLOCKS: dict[str, tuple[str, str, str, str, float]] = {
    _PRIMARY: (
        "Higher score at follow-up, per doubling of MIB1", "Odds ratio", LOG,
        "Odds ratio (log scale)", 1.0,
    ),
    _GAINED: (
        "SSTR criterion gained, per doubling of MIB1", "Odds ratio", LOG,
        "Odds ratio (log scale)", 1.0,
    ),
    _NET: ("Net improvement: (rose - fell) / n", "Estimate", LINEAR, "Net improvement", 0.0),
    _OTHER: ("Other questions", "Estimate", NO_AXIS, "", math.nan),
}  # fmt: skip


def data(statistics: pd.DataFrame) -> pd.DataFrame:
    """Return what is drawn, one row the contrast as reported or an alternative to it.

    `block` is the axis a row belongs to, `alternative` what it asks in words. Rows of the
    confirmatory subset are left to the table.
    """
    reported = statistics[statistics["row_id"].eq(PRIMARY_ROW)]
    asked = statistics["analysis"].str.startswith("sensitivity.")
    asked &= ~statistics["analysis"].isin(list(_ELSEWHERE))
    asked &= statistics["subset"].eq(ALL) | statistics["analysis"].eq(_SOURCE)
    rows = pd.concat([reported, statistics[asked]])
    if rows.empty:
        return absent("no model was asked for")
    if rows["status"].eq("not_estimable").all():
        why = rows["reason"].iloc[0]
        return absent(
            "the primary contrast and every alternative to it are not estimable; as reported: "
            f"{reason_words(str(why))}"
        )
    found = rows.assign(
        block=[_block(row) for _, row in rows.iterrows()],
        alternative=[_alternative(row) for _, row in rows.iterrows()],
    )
    return found[list(_COLUMNS)].reset_index(drop=True)


def _block(row: pd.Series) -> str:
    if row["analysis"] == _CRITERION:
        return _GAINED
    if row["estimand"] == "odds ratio" and row["term"] == "log2_mib1":
        return _PRIMARY
    return _NET if row["estimand"] == "net improvement" else _OTHER


def _alternative(row: pd.Series) -> str:
    if row["row_id"] == PRIMARY_ROW:
        return REPORTED
    if row["analysis"] == _SOURCE:
        return f"only source {row['subset'].removeprefix('source_')}"
    term = "" if pd.isna(row["term"]) else row["term"]
    parts = [row["analysis"], row["outcome"], row["subset"], *filter(None, [term])]
    words = alternative_words(
        row["analysis"], term, row["row_id"].removeprefix("/".join(parts)).strip("/")
    )
    # The title of its block says the rest.
    for said in ("SSTR criterion gained, ", "net improvement of "):
        words = words.removeprefix(said)
    words = words.removesuffix(" (net improvement)")
    return f"odds ratio {words}" if words.startswith("per ") else words


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of all rows; it is never squashed, however many they are."""
    return rows_of_estimates.height_mm(partial(contents, rows), width_mm, profile)


def contents(rows: pd.DataFrame, short: bool) -> tuple[list[Block], list[Key]]:
    """Return the blocks and the legend of the rows of `data`; there are no shorter words."""
    del short
    found = rows.assign(**{name: rows[name].astype(float) for name in _NUMBERS})
    estimated = found["status"].ne("not_estimable")
    # Where nothing of its block is estimated, the contrast as reported is listed with the refused.
    beside = found["alternative"].eq(REPORTED) & found["block"].isin(found.loc[estimated, "block"])
    drawn = found[estimated | beside]
    blocks = []
    for name, (title, heading, scale, axis_label, none) in _BLOCKS.items():
        chosen = drawn[drawn["block"].eq(name)]
        if chosen.empty:
            continue
        said = rows_of_estimates.interval_heading(heading, chosen["conf_level"])
        lines = [] if math.isnan(none) else [(none, NO_ASSOCIATION)]
        lines += _reported_line(chosen)
        items, headings = tuple(_items(chosen)), (said, "n", "P")
        blocks.append(Block(name, items, headings, scale, axis_label, tuple(lines), title))
    if refused := tuple(_refused(found[~beside])):
        blocks.append(Block("not estimable", refused))
    return blocks, _keys(drawn)


def _reported_line(rows: pd.DataFrame) -> list[tuple[float, dict[str, Any]]]:
    reported = rows[rows["alternative"].eq(REPORTED)]["estimate"].dropna()
    return [(float(value), _AS_REPORTED) for value in reported]


def _keys(drawn: pd.DataFrame) -> list[Key]:
    keys = []
    if _reported_line(drawn):
        keys.append(Key(REPORTED, line=_AS_REPORTED))
    if drawn["status"].eq("unstable").any():
        keys.append(Key("open: unstable, read as exploratory", filled=False))
    return keys


def _items(rows: pd.DataFrame) -> Iterator[Row | Words]:
    """Return a row each; the ground of every other analysis is shaded, to lead the eye."""
    order = list(dict.fromkeys(rows["analysis"]))
    for row in rows.to_dict("records"):
        reported = row["alternative"] == REPORTED
        if row["status"] == "not_estimable":
            words = reason_words(f"{REPORTED}: not estimable: {row['reason']}")
            yield Words(sentence(words), small=True, colour=FAINT)
            continue
        colour = DIRECTION_COLOURS["up"] if reported else INK
        marker = "D" if reported else "o"
        ends = (row["estimate"], row["conf_low"], row["conf_high"])
        mark = Mark(*ends, colour, marker, filled=row["status"] == "ok")
        # A test has no estimate, and numbers without an axis have no mark.
        drawn = not (math.isnan(row["estimate"]) or row["block"] == _OTHER)
        yield Row(
            sentence(row["alternative"]),
            (_estimate(row), _n(row), rounding.p_cell(row["p_value"])),
            mark if drawn else None, INK, shaded=order.index(row["analysis"]) % 2 == 1,
        )  # fmt: skip


def _n(row: dict[str, Any]) -> str:
    return MASKED if math.isnan(row["n_patients"]) else f"{row['n_patients']:g}"


def _estimate(row: dict[str, Any]) -> str:
    if math.isnan(row["estimate"]):
        return "test only"
    if row["estimand"] == "proportion":
        n = int(row["n_patients"])
        share = rounding.percent_interval(row["estimate"], row["estimate"], n).partition(" to ")[0]
        return f"{share} ({rounding.percent_interval(row['conf_low'], row['conf_high'], n)})"
    return cells(row["estimate"], row["conf_low"], row["conf_high"])


def _refused(rows: pd.DataFrame) -> Iterator[Words]:
    """Return the alternatives that could not be estimated, by reason."""
    refused = rows[rows["status"].eq("not_estimable")]
    if refused.empty:
        return
    yield Words("Not estimable", bold=True)
    for reason, group in refused.groupby(refused["reason"].map(alike), sort=False):
        why = reason_words(str(reason)).replace("mib1_grade", "the WHO grade")
        said = f"{'; '.join(_listed(group))} {rounding.DASH} {why}"
        yield Words(sentence(said), small=True, colour=FAINT)


def _listed(rows: pd.DataFrame) -> list[str]:
    """Return what was asked for, the question of several rows once."""
    said: dict[str, list[str]] = {}
    for block, name in zip(rows["block"], rows["alternative"], strict=True):
        # Below the blocks no title says what a score is wanted for.
        whole = f"SSTR criterion gained: {name}" if block == _GAINED else name
        question, colon, variant = whole.partition(": ")
        said.setdefault(question, []).extend([variant] if colon else [])
    return [f"{name}: {', '.join(of)}" if of else name for name, of in said.items()]


panel = rows_of_estimates.panel(contents)
