"""Looks as events of a study: each is written down in the chain before its result is.

A look that was seen cannot be unseen: it stands in the chain whether or not its data cut is frozen
afterwards. So does each time that results were seen under a locked plan without being a look
(`look` 0), and a look whose data were others when it was run again. What the next look has to allow
for is read from the frozen cut, so that no look counts as planned while an earlier one is not
frozen. Only the standard library is needed here.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captem import chain, plan
from captem.cuts import Cut

# Keys of a plan without which a question is another one.
_OF_QUESTION = {plan.CHANGE: ("outcome",), plan.MODEL: ("model", "missing")}
# Settings of a source that say where its tables are, which is for each export to say.
_PLACES = ("redcap", "sheet", "lesions_sheet")


@dataclass(frozen=True)
class Seen:
    """What a run has before it: the data of a cut under a locked plan.

    Attributes
    ----------
    cut : the data cut of the run.
    patients : of the planned sources, with both scans.
    data : SHA-256 of the clean tables.
    rows : patients of each source.
    sources : SHA-256 of the table of patients of each source, by its path, by source.
    reading : what of the settings of each source decides what is read from its tables, as SHA-256.
    """

    cut: str
    patients: int
    data: str
    rows: Mapping[str, int]
    sources: Mapping[str, Mapping[str, str]]
    reading: Mapping[str, str]


def data_of(tables: Sequence[Path]) -> str:
    """Return one SHA-256 for the content of some tables."""
    digest = hashlib.sha256()
    for path in tables:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def reading_of(sources: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a SHA-256 of how each source is read: headings, visits, codes, units, dates.

    Parameters
    ----------
    sources : settings by source (`captem.plan.of_config`, `config.sources`).
    """
    kept = {
        name: {key: value for key, value in settings.items() if key not in _PLACES}
        for name, settings in sources.items()
    }
    return {
        name: hashlib.sha256(json.dumps(found, sort_keys=True).encode("utf-8")).hexdigest()
        for name, found in kept.items()
    }


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
    For each: `look`, `cut`, `frozen`, `patients` with both scans, and `same`, the questions that
    are asked as they were then.
    """
    sealed = {entry.details["cut"] for entry in entries if entry.event == chain.FREEZE}
    folders = {item.name: item.folder for item in frozen if item.name in sealed}
    now = plan.locked(entries)
    found: dict[str, dict[str, Any]] = {}
    for place, entry in enumerate(entries):
        if not _is_look(entry) or entry.details["cut"] == cut:
            continue
        name = entry.details["cut"]
        then = plan.locked(entries[:place])
        found.setdefault(
            name,
            {
                "look": entry.details["look"],
                "cut": name,
                "frozen": name in folders,
                "patients": _patients(folders, name, entry),
                "same": [
                    question
                    for question, keys in _OF_QUESTION.items()
                    if now and then and all(then.plan[key] == now.plan[key] for key in keys)
                ],
            },
        )
    return list(found.values())


def _is_look(entry: chain.Entry) -> bool:
    return entry.event == chain.LOOK and entry.details["look"] > 0


def _patients(folders: Mapping[str, Path], name: str, entry: chain.Entry) -> int:
    """Return how many patients a look had: as it was frozen, else as it was seen."""
    path = folders[name] / "plan/looks.csv" if name in folders else None
    if path and path.is_file():
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                if row["question"] == plan.CHANGE and row["status"] == plan.CURRENT:
                    return int(row["n_patients"])
    return int(entry.details["patients"])


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
        if _is_look(entry) and entry.details["cut"] == cut:
            was = entry.details["look"]
            return "" if was == asked else f"this data cut was taken as look {was} on {entry.day}"
    return ""


def against(
    entries: Sequence[chain.Entry], seen: Seen, asked: int, confirmatory: Sequence[str]
) -> str:
    """Say why the data of a run cannot be the look that the config calls them; else nothing.

    Parameters
    ----------
    entries : the history of this cut.
    asked : `plan: look` of the config.
    confirmatory : the sources that the plan calls so.
    """
    first: dict[str, chain.Entry] = {}
    for entry in entries:
        if entry.event == chain.LOOK:
            first |= {name: entry for name in entry.details["reading"] if name not in first}
    for source in confirmatory:
        then = first.get(source)
        if then and then.details["reading"][source] != seen.reading.get(source):
            return (
                f"results were first seen on {then.day}, and how the tables of {source} are read "
                "is another since (columns, visits, missing_codes, units or date_order): put it "
                "back, or give the headings of the table their old names"
            )
    for entry in entries:
        own = _is_look(entry) and entry.details["cut"] == seen.cut
        if own and entry.details["look"] == asked and seen.patients > entry.details["patients"]:
            return (
                f"look {asked} was taken at this data cut on {entry.day} with "
                f"{entry.details['patients']} patients, and it has {seen.patients} now: put the "
                "tables back as they were, run and freeze it; who came later belongs to the next "
                "data cut"
            )
    return ""


def before(entries: Sequence[chain.Entry], seen: Seen, number: int) -> list[dict[str, Any]]:
    """Return what was seen before under the plan, other than the data of this run as this look.

    Parameters
    ----------
    number : as which look this run is written down; 0 for none.

    Returns
    -------
    For each, in their order: `look` (0 for none), `cut`, `day` and `patients`.
    """
    return [
        {"day": entry.day, **{key: entry.details[key] for key in ("look", "cut", "patients")}}
        for entry in entries
        if entry.event == chain.LOOK
        and tuple(entry.details[key] for key in ("cut", "data", "look"))
        != (seen.cut, seen.data, number)
    ]


def withdrawals(entries: Sequence[chain.Entry]) -> int:
    """Return how many patients withdrew consent after results were first seen under the plan."""
    seen = [place for place, entry in enumerate(entries) if entry.event == chain.LOOK]
    later = entries[seen[0] :] if seen else []
    return sum(1 for entry in later if entry.event == chain.WITHDRAW)


def note(folder: Path, number: int, seen: Seen) -> None:
    """Write down what is about to be seen, once; of a frozen cut nothing.

    Parameters
    ----------
    folder : of the chain.
    number : the planned look that this is; 0 where it is none.
    """
    entries = chain.read(folder)
    details = {
        "look": number, "cut": seen.cut, "patients": seen.patients, "data": seen.data,
        "rows": dict(seen.rows), "sources": {name: dict(of) for name, of in seen.sources.items()},
        "reading": dict(seen.reading),
    }  # fmt: skip
    known = ("cut", "data", "reading")
    for entry in entries:
        if entry.event == chain.FREEZE and entry.details["cut"] == seen.cut:
            return
        same = entry.event == chain.LOOK and all(
            entry.details[key] == details[key] for key in known
        )
        if same and number in (0, entry.details["look"]):
            return
    chain.append(folder, chain.LOOK, details, name=f"{number}_{seen.cut}")


def rows_by_source(
    entries: Sequence[chain.Entry], today: Mapping[str, Mapping[str, str]]
) -> dict[str, int]:
    """Return the most patients that each source had when results were seen, under whatever name.

    Parameters
    ----------
    today : SHA-256 of the table of patients of each source, by its path, by source: a source whose
        table was that of another one then, by its path or its bytes, has the rows of that one.
    """
    most: dict[str, int] = {}
    for entry in entries:
        if entry.event != chain.LOOK:
            continue
        for name, count in entry.details["rows"].items():
            then = entry.details["sources"].get(name, {})
            same = [
                other
                for other, files in today.items()
                if set(files) & set(then) or set(files.values()) & set(then.values())
            ]
            for other in {name, *same}:
                most[other] = max(count, most.get(other, 0))
    return most


def largest(entries: Sequence[chain.Entry]) -> tuple[int, int]:
    """Return the number of the last look that was taken, and the most patients of any.

    Both are 0 where none was.
    """
    taken = [entry.details for entry in entries if _is_look(entry)]
    return (
        max((look["look"] for look in taken), default=0),
        max((look["patients"] for look in taken), default=0),
    )


def tables(
    entries: Sequence[chain.Entry], today: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Return the tables of today with those that results were seen of.

    Parameters
    ----------
    today : SHA-256 of the table of patients of each source, by its path, by source.
    """
    found = {name: dict(files) for name, files in today.items()}
    for entry in entries:
        if entry.event == chain.LOOK:
            for name, files in entry.details["sources"].items():
                of_source = found.setdefault(name, {})
                for path, digest in files.items():
                    if of_source.setdefault(path, digest) != digest:
                        of_source[f"{path} (entry {entry.number} of the chain)"] = digest
    return found


def reminder(frozen: bool, looks: Sequence[Mapping[str, str]]) -> str:
    """Say that a look has to be frozen, where it is not yet.

    Parameters
    ----------
    frozen : whether the data cut of the run is frozen, or was just now.
    looks : rows of `plan/looks.csv`.
    """
    for row in looks:
        if row["status"] == plan.CURRENT and not frozen:
            if row["crossed"] == "not tested":
                return ""
            what = "its results are exploratory" if row["crossed"] == "exploratory" else ""
            ahead = any(other["status"] == plan.AHEAD for other in looks)
            later = ": no later look counts as planned before" if ahead else ""
            return (
                f"This data cut is look {row['look']} of the plan"
                f"{what and f' ({what})'}, and the chain says so from now on. Freeze it once its "
                f"tables are final{later} (make freeze STUDY=..., or snakemake --cores 2 "
                "freeze --configfile ..., with this config)."
            )
    return ""
