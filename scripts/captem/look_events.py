"""Looks as events of a study: each is written down in the chain before its result is.

A look that was seen cannot be unseen: it stands in the chain whether or not its data cut is frozen
afterwards. What the next look has to allow for is read from the frozen cut, so that no look counts
as planned while an earlier one is not frozen. Only the standard library is needed here.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from captem import chain, plan
from captem.cuts import Cut

# Keys of a plan without which a question is another one.
_OF_QUESTION = {plan.CHANGE: ("outcome",), plan.MODEL: ("model", "missing")}


def history(entries: Sequence[chain.Entry], cut: str) -> list[chain.Entry]:
    """Return what had happened when a data cut was frozen; everything where it is not frozen.

    A frozen cut that is made again is held against the plan and the looks of its own day.
    """
    for place, entry in enumerate(entries):
        if entry.event == chain.FREEZE and entry.details["cut"] == cut:
            return list(entries[:place])
    return list(entries)


def taken(entries: Sequence[chain.Entry], cut: str, frozen: Sequence[Cut]) -> list[dict[str, Any]]:
    """Return the looks at other data cuts, in their order.

    Parameters
    ----------
    entries : the history of this cut.
    cut : the data cut of the run.
    frozen : all frozen cuts.

    Returns
    -------
    For each: `look`, `cut`, `frozen`, `patients` with both scans (None where it is not frozen), and
    `same`, the questions that are asked as they were then.
    """
    sealed = {entry.details["cut"] for entry in entries if entry.event == chain.FREEZE}
    folders = {item.name: item.folder for item in frozen if item.name in sealed}
    now = plan.locked(entries)
    found: dict[str, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        if entry.event != chain.LOOK or entry.details["cut"] == cut:
            continue
        name = entry.details["cut"]
        then = plan.locked(entries[:place])
        found.setdefault(
            name,
            {
                "look": entry.details["look"],
                "cut": name,
                "frozen": name in folders,
                "patients": _patients(folders[name]) if name in folders else None,
                "same": [
                    question
                    for question, keys in _OF_QUESTION.items()
                    if now and then and all(then.plan[key] == now.plan[key] for key in keys)
                ],
            },
        )
    return list(found.values())


def _patients(folder: Path) -> int | None:
    """Return how many patients a frozen look had; None where it was none after all."""
    path = folder / "plan/looks.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["question"] == plan.CHANGE and row["status"] == plan.CURRENT:
                return int(row["n_patients"])
    return None


def otherwise(entries: Sequence[chain.Entry], cut: str, asked: int, frozen: Sequence[Cut]) -> str:
    """Say why a data cut cannot be the look that the config now calls it; nothing where it can.

    Parameters
    ----------
    entries : the history of this cut.
    asked : `plan: look` of the config.
    frozen : all frozen cuts.
    """
    for item in frozen:
        was = item.record["config"].get("plan", {}).get("look", 0)
        if item.name == cut and was != asked:
            return f"this data cut was frozen as {f'look {was}' if was else 'no look'}"
    for entry in entries:
        if entry.event == chain.LOOK and entry.details["cut"] == cut:
            was = entry.details["look"]
            return "" if was == asked else f"this data cut was taken as look {was} on {entry.day}"
    return ""


def note(folder: Path, number: int, cut: str) -> None:
    """Write a look down, once."""
    entries = chain.read(folder)
    if not any(entry.event == chain.LOOK and entry.details["cut"] == cut for entry in entries):
        chain.append(folder, chain.LOOK, {"look": number, "cut": cut}, name=f"{number}_{cut}")


def reminder(frozen: bool, looks: Sequence[Mapping[str, str]]) -> str:
    """Say that a look has to be frozen, where it is not yet.

    Parameters
    ----------
    frozen : whether the data cut of the run is frozen, or was just now.
    looks : rows of `plan/looks.csv`.
    """
    for row in looks:
        if row["status"] == plan.CURRENT and not frozen:
            return (
                f"This data cut is look {row['look']} of the plan, and the chain says so from now "
                "on. Freeze it (make freeze) once its tables are final: no later look counts as "
                "planned before."
            )
    return ""
