"""`docs/validity.md`: what was measured, said first, and the tables behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from captem import worlds
from captem.worlds import Scenario

_HEAD = """\
# Does the software keep its word?

Made by `snakemake calibrate`; do not edit. Studies were drawn in which the truth is known
(`scripts/captem/worlds.py`; every number there is invented), and each was given to the functions
that write `statistics.csv`. Counted is how often an interval holds the truth (it should in 95 %),
how often P is at most .05 (in 5 % where nothing is there), and how far estimates are off.

A method is held to this, beyond doubt by three Monte Carlo errors, among the studies in which it
gives an estimate: an **exact** test rejects in no more than 5 %; an **approximate** one in 2.5 to
7.5 %; an **interval** holds the truth in 92.5 % at least.
"""
_COLUMNS = {
    "patients": "patients", "scenario": "what is true", "given": "given", "ok": "ok",
    "covers": "interval holds the truth", "rejects": "P ≤ .05", "bias": "bias", "width": "width",
}  # fmt: skip


def page(cells: pd.DataFrame, replicates: int) -> str:
    """Return the page.

    Parameters
    ----------
    cells : as `validity_judged.judged` returns them.
    replicates : studies of each cell.
    """
    of_truth = cells[cells["scenario"].isin([known.name for known in worlds.OF_TRUTH])]
    parts = [_HEAD, _world(replicates), *_verdicts(of_truth), *_misled(cells)]
    parts.append(
        "## The tables\n\nShares in percent ± one Monte Carlo standard error. *given*: studies in "
        "which the row gives an estimate; *ok*: of all studies, those with that status. Where "
        "nothing is there, the share of P ≤ .05 is the type I error (marked *); elsewhere it is "
        "the power. Bias and mean width of ratios are in natural logarithms (1.10 is a factor of "
        "three).\n"
    )
    for row_id, chosen in of_truth.groupby("row_id", sort=False):
        if chosen[["covers", "rejects"]].notna().any(axis=None):
            parts.append(f"### `{row_id}`\n\n{_table(chosen)}\n")
    return "\n".join(parts)


def _world(replicates: int) -> str:
    world = worlds.base()
    lines = [f"- `{known.name}`: {known.words}" for known in worlds.OF_TRUTH]
    return (
        f"{replicates:,} studies of each size and truth. What can be true:\n\n"
        + "\n".join(lines)
        + "\n\nOf the patients, "
        + ", ".join(f"{100 * share:.0f} %" for share in world.shares)
        + " have the baseline scores 0 to 4; each step of baseline multiplies the odds of a higher "
        f"follow-up score by {math.exp(world.per_step):.1f}. MIB1 is lognormal. Readers, missing "
        "values and lesions are not drawn here.\n"
    )


def _verdicts(cells: pd.DataFrame) -> Iterable[str]:
    broken = cells[cells["verdict"].ne("")]
    judged = cells[
        cells["covers"].notna() | (cells["is_error"].eq("yes") & cells["rejects"].notna())
    ]
    yield (
        "## What it shows\n\n"
        f"{judged['row_id'].nunique()} rows at {judged['patients'].nunique()} sizes: of "
        f"{len(judged)} cells {len(broken)} are outside their limits"
        + (":\n" if len(broken) else ".\n")
    )
    for row_id, chosen in broken.groupby("row_id", sort=False):
        yield f"- `{row_id}`"
        for cell in chosen.to_dict("records"):
            yield f"  - {cell['scenario']}: {cell['verdict']}"
    yield ""


def _misled(cells: pd.DataFrame) -> Iterable[str]:
    """Yield how often there is a finding without any effect of the drug or of MIB1."""
    yield (
        "## What misleads\n\nNo method protects from these: how often each is found at P ≤ .05 "
        "though the drug, or MIB1, does nothing. They are printed and never judged.\n"
    )
    for scenario in worlds.OF_BIAS:
        chosen = cells[cells["scenario"].eq(scenario.name) & cells["row_id"].isin(_shown(scenario))]
        if chosen.empty:
            continue
        yield f"**{scenario.name}**: {scenario.words}.\n"
        sizes = sorted(chosen["patients"].unique())
        yield "| row | " + " | ".join(f"{size} patients" for size in sizes) + " |"
        yield "|---" * (len(sizes) + 1) + "|"
        for row_id, found in chosen.groupby("row_id", sort=False):
            own = found.set_index("patients")
            cells_ = [_with_error(own.loc[size], "rejects") for size in sizes]
            yield f"| `{row_id}` | " + " | ".join(cells_) + " |"
        yield ""


def _shown(scenario: Scenario) -> tuple[str, ...]:
    """Return the rows that a scenario misleads, or could."""
    change = ("transition.signed_rank/krenning/all", "criterion.mcnemar/criterion/all")
    mib1 = ("association.mib1/krenning/all", "model.krenning/krenning/all/log2_mib1")
    cycles = (
        "association.cycles/krenning/all", "model.krenning_cycles/krenning/all/captem_cycles",
        "model.krenning_cycles/krenning/all/log2_mib1",
    )  # fmt: skip
    if scenario.cycles_for_rise:
        return cycles
    return mib1 if scenario.mib1_on_baseline else change


def _table(chosen: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(_COLUMNS.values()) + " |", "|---" * len(_COLUMNS) + "|"]
    for _, cell in chosen.sort_values("patients", kind="stable").iterrows():
        given = f"{100 * cell['given'] / cell['studies']:.1f}"
        ok = f"{100 * cell['ok'] / cell['studies']:.1f}"
        rejects = _with_error(cell, "rejects") + ("*" if cell["is_error"] == "yes" else "")
        values = (
            str(cell["patients"]), cell["scenario"], given, ok, _with_error(cell, "covers"),
            rejects if pd.notna(cell["rejects"]) else "–", _number(cell["bias"]),
            _number(cell["mean_width"]),
        )  # fmt: skip
        bold = " **outside**" if cell["verdict"] else ""
        lines.append("| " + " | ".join(values) + f"{bold} |")
    return "\n".join(lines)


def _with_error(cell: pd.Series, name: str) -> str:
    if pd.isna(cell[name]):
        return "–"
    return f"{100 * cell[name]:.1f} ± {100 * cell[f'{name}_error']:.1f}"


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
