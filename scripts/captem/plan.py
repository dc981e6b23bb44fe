"""The plan of a study: laid down before the data, locked in the chain, amended with a reason only.

The chain (`captem.chain`) holds the plan itself, its SHA-256, the day, and which sources had rows
on that day. What counts is the plan as it stands there, whatever the file says by now.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from captem import chain
from captem.errors import CaptemError

PRIMARY_TERM = "log2_mib1"
# The terms that each of the models has in any case.
BASE_TERMS = {
    "model.krenning": ("krenning_pre", PRIMARY_TERM),
    "model.criterion": ("krenning_pre", PRIMARY_TERM),
    "model.suvmax": ("log2_suvmax_pre", PRIMARY_TERM),
}
# The test of change of each outcome.
TESTS = {
    "krenning": "transition.signed_rank",
    "criterion": "criterion.mcnemar",
    "suvmax": "transition.suvmax_ratio",
}
# Settings of the config that a plan keeps and that its file does not name.
OF_CONFIG = ("checks", "suv_tolerance", "noise", "sensitivity", "surrogate", "seed")
_OF_FILES = ("name", "patients", "lesions", "dictionary")
# The questions of the looks, and what became of a look (`captem.looks`).
CHANGE, MODEL = "change", "model"
TAKEN, CURRENT, AHEAD = "taken", "this cut", "ahead"
LEFT_OUT, NOT_PLANNED = "left out", "exploratory"


@dataclass(frozen=True)
class Locked:
    """The plan that counts.

    `since` gives for each key of the plan the version since which it has stood as it stands now;
    `rows` for each version the sources that had rows when it was locked, with how many; `sources`
    the SHA-256 of their tables of patients by path; `first_day` is the day of version 1.
    """

    version: int
    at: str
    plan: Mapping[str, Any]
    file_sha256: str
    since: Mapping[str, int]
    rows: Mapping[int, Mapping[str, int]]
    sources: Mapping[int, Mapping[str, Mapping[str, str]]]
    first_day: str
    amendments: Sequence[Mapping[str, str]] = ()

    @property
    def day(self) -> str:
        """The day on which this version was locked."""
        return self.at[:10]

    def had_rows(self, keys: Iterable[str]) -> dict[str, int]:
        """Return the confirmatory sources that had rows before these keys stood as they do now."""
        versions = {self.since[key] for key in keys if key in self.since}
        return {
            source: count
            for version in sorted(versions)
            for source, count in self.rows[version].items()
            if count and source in self.plan["confirmatory_sources"]
        }

    def as_params(self) -> dict[str, Any]:
        """Return the same as plain values, which `from_params` reads."""
        return {
            "version": self.version,
            "at": self.at,
            "plan": dict(self.plan),
            "file_sha256": self.file_sha256,
            "since": dict(self.since),
            "rows": {str(version): dict(found) for version, found in self.rows.items()},
            "sources": {str(version): dict(found) for version, found in self.sources.items()},
            "first_day": self.first_day,
            "amendments": [dict(item) for item in self.amendments],
        }


def from_params(params: Mapping[str, Any]) -> Locked:
    """Return the plan that `Locked.as_params` gave."""
    by_version = {
        name: {int(version): found for version, found in params[name].items()}
        for name in ("rows", "sources")
    }
    return Locked(**{**params, **by_version})


def locked(entries: Iterable[chain.Entry]) -> Locked | None:
    """Return the plan that the chain holds last, and None where none was locked."""
    found = [entry for entry in entries if entry.event == chain.LOCK_PLAN]
    if not found:
        return None
    newest = found[-1].details["plan"]
    since = {key: _since(found, key, newest) for key in newest}
    return Locked(
        version=len(found),
        at=found[-1].at,
        plan=newest,
        file_sha256=found[-1].details["file_sha256"],
        since=since,
        rows={place: entry.details["rows"] for place, entry in enumerate(found, start=1)},
        sources={place: entry.details["sources"] for place, entry in enumerate(found, start=1)},
        first_day=found[0].day,
        amendments=[
            {
                "version": str(place),
                "day": entry.day,
                "reason": entry.details["reason"],
                "changed": ", ".join(entry.details["changed"]),
            }
            for place, entry in enumerate(found, start=1)
            if place > 1
        ],
    )


def _since(versions: Sequence[chain.Entry], key: str, newest: Mapping[str, Any]) -> int:
    """Return the version since which a key has stood as it stands now.

    A version between that had it otherwise and came after data could claim nothing by it: taking
    it back restores what was planned.
    """
    same = len(versions)
    for place in range(len(versions) - 1, 0, -1):
        details = versions[place - 1].details
        if details["plan"].get(key) == newest[key]:
            same = place
        elif not any(details["rows"].get(name) for name in newest["confirmatory_sources"]):
            break
    return same


def read(text: str, schema: Mapping[str, Any], path: str, sources: Sequence[str]) -> dict[str, Any]:
    """Return the plan that a file holds, every default filled in.

    Parameters
    ----------
    text : of the file, YAML.
    schema : `workflow/schemas/plan.schema.yaml`.
    path : of the file, for messages.
    sources : the names of the sources in the config.

    Raises
    ------
    CaptemError
        Naming every key or value that is wrong, what is allowed, and the nearest right key.
    """
    from captem import yaml_text
    from captem.config import as_json, checked

    given = as_json(yaml_text.loaded(text, f"The plan {path}", "See docs/plan.md."))
    if not isinstance(given, dict):
        raise CaptemError(f"The plan {path} holds no keys. See docs/plan.md for one to begin with.")

    def wrong(plan: Mapping[str, Any]) -> list[str]:
        return _cross_checks(plan, sources)

    plan = checked(given, schema, f"The plan {path} is not right:", wrong)
    # JSON holds 20.0 for a whole number.
    plan["looks"]["patients"] = [int(count) for count in plan["looks"]["patients"]]
    return plan


def _cross_checks(plan: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    faults = []
    base = BASE_TERMS[plan["model"]["name"]]
    terms = tuple(plan["model"]["terms"])
    others = {term for needed in BASE_TERMS.values() for term in needed} - set(base)
    if terms[: len(base)] != base or others & set(terms):
        faults.append(
            f"model.terms: {plan['model']['name']} has {' and '.join(base)} in any case; name "
            f"these two first, then covariates, as in [{', '.join(base)}]"
        )
    faults += [
        f"{name}: {plan[name]} is not a number"
        for name in ("alpha", "mib1_floor")
        if not math.isfinite(plan[name])
    ]
    patients = plan["looks"]["patients"]
    if any(late <= early for early, late in itertools.pairwise(patients)):
        faults.append(
            f"looks.patients: {patients} does not rise; each look has more patients than the one "
            "before"
        )
    faults += [
        f"confirmatory_sources: the config has no source {name!r}; it has {', '.join(sources)}"
        for name in plan["confirmatory_sources"]
        if name not in sources
    ]
    return faults


def check_looks(plan: Mapping[str, Any], taken: tuple[int, int], path: str) -> None:
    """Check that the looks of an amended plan go on from those that were taken.

    Parameters
    ----------
    taken : the last look that was taken and the patients it had (`captem.look_events.largest`).
    path : of the plan's file, for the message.

    Raises
    ------
    CaptemError
        If there is no look after the last one, or none with more patients.
    """
    number, most = taken
    planned = plan["looks"]["patients"]
    if number and (len(planned) < number or planned[-1] < most):
        raise CaptemError(
            f"{path}, looks.patients: look {number} was taken with {most} patients, and this plan "
            f"would end at {planned[-1]} patients, with look {len(planned)}. Keep the looks that "
            "were taken, and let the last be the end that is meant now."
        )


def of_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a plan keeps of the config beside its own keys, as keys of the plan."""
    kept = {f"config.{name}": settings[name] for name in OF_CONFIG}
    # Where the tables are changes with each export.
    kept["config.sources"] = {
        source["name"]: {key: value for key, value in source.items() if key not in _OF_FILES}
        for source in settings["sources"]
    }
    return kept


def renamed(locked: Locked, now: Mapping[str, Mapping[str, str]]) -> Locked:
    """Return the plan with the rows that a source had under another name when it was locked.

    Parameters
    ----------
    now : SHA-256 of the table of patients of each source, by its path, by source.
    """
    rows = {}
    for version, counts in locked.rows.items():
        there = locked.sources.get(version, {})
        rows[version] = dict(counts)
        for name, files in now.items():
            own = set(there.get(name, {}))
            for other, seen in there.items():
                same = set(files) & set(seen) or set(files.values()) & set(seen.values())
                if other != name and same and not own & set(seen) and counts.get(other):
                    rows[version][name] = max(rows[version].get(name, 0), counts[other])
    return replace(locked, rows=rows)


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the keys in which two plans differ."""
    return [key for key in {**old, **new} if old.get(key) != new.get(key)]


def lock(
    results: str | Path,
    plan: Mapping[str, Any],
    file_sha256: str,
    rows: Mapping[str, int],
    sources: Mapping[str, Mapping[str, str]],
    reason: str = "",
    now: dt.datetime | None = None,
) -> str:
    """Lock a plan, or an amendment of it, in the chain; return what was done, in words.

    Parameters
    ----------
    results : the folder of the study.
    plan : as `read` returns it, with what `of_config` takes from the config.
    file_sha256 : of the file it was read from.
    rows : how many rows each source has today, or had in a frozen data cut.
    sources : SHA-256 of the table of patients of each source, by its path, by source.
    reason : why the plan is amended; needed for a second version.
    now : the time of it; the clock's where not given.

    Raises
    ------
    CaptemError
        If another plan is locked already and no reason is given; nothing is changed.
    """
    folder = Path(results) / chain.FOLDER
    before = locked(chain.checked(folder))
    changed = changes(before.plan, plan) if before else []
    if before and not changed:
        return (
            f"This plan is locked already: version {before.version}, since {before.day}. Nothing "
            "was written."
        )
    if before and not reason.strip():
        said = "\n".join(
            f"  - {key}: {before.plan.get(key)} then, {plan.get(key)} now" for key in changed
        )
        raise CaptemError(
            f"Version {before.version} of the plan was locked on {before.day}, and the file is "
            f"another one now:\n{said}\nA plan is amended with a reason, which is kept: make "
            'lock_plan STUDY=... REASON="...", or snakemake --cores 1 lock_plan --configfile ... '
            '--config "reason=..."'
        )
    earlier = before.rows.values() if before else []
    # An export can be empty today whose rows were seen before.
    rows = {name: max([count, *(then.get(name, 0) for then in earlier)])
            for name, count in rows.items()}  # fmt: skip
    version = before.version + 1 if before else 1
    details = {
        "version": version,
        "reason": reason.strip() if before else "",
        "changed": changed,
        "plan": dict(plan),
        "file_sha256": file_sha256,
        "rows": rows,
        "sources": {name: dict(files) for name, files in sources.items()},
    }
    entry = chain.append(folder, chain.LOCK_PLAN, details, name=f"v{version}", now=now)
    had = {name: count for name, count in rows.items() if count}
    late = [name for name in plan["confirmatory_sources"] if name in had]
    words = ", ".join(f"{name} ({count} rows)" for name, count in had.items())
    said = f"Sources that have data already: {words}." if had else "No source has data yet."
    if late:
        what = "everything" if not before else f"each result that depends on {', '.join(changed)}"
        back = (
            " To take that back, lock the plan as it was before, with a reason." if before else ""
        )
        said += (
            f" {' and '.join(late)} should answer the questions, and had data before: {what} stays "
            f"exploratory for it, whatever the plan says.{back}"
        )
    return (
        f"Version {version} of the plan is locked: {entry.path}\n{said}\n"
        f"SHA-256 of the plan's file: {file_sha256}\nSHA-256 of the entry: {entry.sha256}\n"
        "Written down elsewhere, for instance in an e-mail to yourself, it proves the day."
    )


def as_text(
    locked: Locked,
    planned: Sequence[Mapping[str, str]],
    deviations: Sequence[Mapping[str, str]],
    reasons: str,
    folder: str,
) -> str:
    """Return what a run made of the plan, for the terminal.

    Parameters
    ----------
    planned, deviations : the rows of `planned.csv` and `deviations.csv`.
    reasons : the file of the config that gives reasons; empty where there is none.
    folder : where these two are.
    """
    counts = {
        word: sum(1 for row in planned if row["planned"] == word)
        for word in ("planned", "exploratory", "descriptive")
    }
    said = [
        f"Plan, version {locked.version}, locked on {locked.day}: of {len(planned)} results "
        f"{counts['planned']} are planned, {counts['exploratory']} exploratory, "
        f"{counts['descriptive']} descriptive ({folder}/planned.csv)."
    ]
    open_ = [row for row in deviations if row["explained"] == "no"]
    explained = sum(1 for row in deviations if row["explained"] == "yes")
    if open_:
        where = f"in {reasons}" if reasons else "in a file (plan: {deviations: deviations.yaml})"
        said.append(
            f"Deviations from the plan without a reason; give one each, {where}, as name: reason"
        )
        said += [f"  {row['name']}: planned {row['planned']}; {row['done']}" for row in open_]
    said += [
        f"{reasons} gives a reason for {row['name']}: {row['done']}"
        for row in deviations
        if row["explained"] == "of nothing"
    ]
    if explained:
        said.append(f"Deviations with a reason: {explained} ({folder}/deviations.csv).")
    if not open_ and not explained:
        said.append("Nothing was done otherwise than planned.")
    return "\n".join(said)


def file_differs(locked: Locked | None, path: str, data: bytes | None) -> str:
    """Say that the file of the plan is not what was locked, or nothing where it is.

    Parameters
    ----------
    path : of the file in the config; empty where it names none.
    data : its bytes, None where it is not there.
    """
    if not path or (locked and data is None):
        return ""
    if not locked:
        return (
            f"The plan {path} is not locked, and counts for nothing until it is. Before the first "
            "patient: snakemake --cores 1 lock_plan (make lock_plan STUDY=...)"
        )
    if data is not None and hashlib.sha256(data).hexdigest() != locked.file_sha256:
        return (
            f"{path} is not the file that was locked on {locked.day}. What was locked counts; to "
            'amend it: make lock_plan STUDY=... REASON="...", or snakemake --cores 1 lock_plan '
            '--configfile ... --config "reason=..."'
        )
    return ""
