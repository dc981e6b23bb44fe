"""Data cuts: what a study was made of on a day, and what came out, kept for ever.

A frozen cut is a folder `cuts/<cut>/` that holds copies of the clean tables, the statistics and the
figures, and `cut.json`, which names the sources, the settings, the code and every file with its
SHA-256. The SHA-256 of `cut.json` itself stands in the chain (`captem.chain`). Only the standard
library is needed here: the Snakefile checks the cuts each time it is read.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captem import chain
from captem.errors import CaptemError

CUTS, CHAIN = "cuts", chain.FOLDER
RECORD, CONFIG = "cut.json", "config.yaml"
# Stands in the folder of the chain while a withdrawal of consent is under way.
UNDER_WAY = "withdrawal_under_way.json"
# What a cut keeps of the results: the same paths in the cut as in the folder of the study.
TABLES = (
    "cohort/patients.csv", "cohort/lesions.csv", "cohort/flow.csv", "cohort/eligibility.csv",
    "cohort/sources.csv", "cohort/repairs.csv", "cohort/problems.csv",
    "transitions/transitions.csv", "transitions/lesions.csv", "transitions/matrix.csv",
    "statistics.csv",
)  # fmt: skip
OF_PLAN = ("plan/planned.csv", "plan/deviations.csv", "plan/looks.csv")
FIGURE_KINDS = ("svg", "png", "csv", "txt")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATED = re.compile(r".*_date(_pre|_post)?|captem_start|captem_end|last_contact")


@dataclass(frozen=True)
class Cut:
    """A frozen cut: its name, where it is, and its record."""

    name: str
    folder: Path
    record: Mapping[str, Any]


def kept(figures: Iterable[str], *, planned: bool = False) -> list[str]:
    """Return the paths below the folder of a study that a cut keeps.

    `planned` says whether the study has locked a plan.
    """
    drawn = [f"figures/{name}.{kind}" for name in figures for kind in FIGURE_KINDS]
    return [*TABLES, *(OF_PLAN if planned else ()), *drawn]


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def date_of(name: str, patients: bytes) -> str:
    """Return the date of a cut: its name where that is one, else the newest date of its patients.

    The clock is not asked, so that a cut that is made again is the same.
    """
    if _DAY.fullmatch(name):
        return name
    rows = csv.DictReader(io.StringIO(patients.decode("utf-8")))
    days = {
        value for row in rows for column, value in row.items()
        if value and _DATED.fullmatch(column) and _DAY.fullmatch(value)
    }  # fmt: skip
    return max(days, default="")


def record_of(
    provenance: Mapping[str, Any], files: Mapping[str, bytes], config: bytes
) -> dict[str, Any]:
    """Return the content of `cut.json`.

    Parameters
    ----------
    provenance : that of the run (`captem.provenance.record`).
    files : what the cut keeps, by its path.
    config : the settings as YAML, with which the cut can be made again.
    """
    name = provenance["cut"]
    return {
        "study": provenance["study"],
        "cut": name,
        "date": date_of(name, files["cohort/patients.csv"]),
        "sources": provenance["inputs"],
        "config": provenance["config"],
        "code": provenance["code"],
        "python": provenance["python"],
        "packages": provenance["packages"],
        "files": {path: sha256(data) for path, data in sorted({**files, CONFIG: config}.items())},
    }


def as_bytes(record: Mapping[str, Any]) -> bytes:
    """Return a record as it stands in `cut.json`."""
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def freeze(
    results: str | Path, provenance: Mapping[str, Any], files: Mapping[str, bytes], config: bytes
) -> str:
    """Freeze the cut of this run, and return what was done, in words.

    A cut that is frozen already with the same content stays as it is.

    Parameters
    ----------
    results : the folder of the study.
    provenance, files, config : see `record_of`.

    Raises
    ------
    CaptemError
        If a cut of this name is frozen with other data, settings or results; nothing is changed.
    """
    results = Path(results)
    record = record_of(provenance, files, config)
    name = record["cut"]
    frozen = {cut.name: cut for cut in sealed(results)}
    if name in frozen:
        other = differences(frozen[name].record, record)
        if other:
            gone = _withdrawn(frozen[name])
            raise CaptemError(_frozen_with_other_data(name, other, withdrawn=gone))
        return f"The data cut {name} is frozen already, with this content: {frozen[name].folder}"
    folder = results / CUTS / name
    if folder.exists():
        # Not in the chain: its freezing was interrupted, and nothing was ever sealed.
        remove(folder)
    place(folder, {**files, CONFIG: config, RECORD: as_bytes(record)})
    rows = files["cohort/patients.csv"].decode("utf-8")
    chain.append(
        results / CHAIN,
        chain.FREEZE,
        {
            "cut": name,
            "date": record["date"],
            "patients": sum(1 for _ in csv.DictReader(io.StringIO(rows))),
            "sha256": sha256(as_bytes(record)),
        },
        name=name,
    )
    return f"The data cut {name} is frozen: {folder}"


def _frozen_with_other_data(name: str, other: Sequence[str], *, withdrawn: bool) -> str:
    listed = "\n".join(f"  - {difference}" for difference in other)
    after = (
        "A patient who withdrew consent was taken out of it, and its results cannot be made again "
        "from an export without the patient. " if withdrawn else ""
    )  # fmt: skip
    return (
        f"The data cut {name} is frozen, and this run is not what was frozen:\n{listed}\n{after}"
        "A frozen cut never changes. Give the new data a name of their own in the config, such as "
        'cut: "2026-12-01", and run it again.'
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say in what two records differ: sources, settings, results, in this order.

    Another code or version of a package that gives the same results is no difference. Where a
    patient was taken out of the old one, the files cannot be compared, and are not.
    """
    said = _of_sources(old["sources"], new["sources"])
    for key in sorted(set(old["config"]) | set(new["config"])):
        if old["config"].get(key) != new["config"].get(key):
            said.append(f"the setting {key} of the config is another one")
    if not said and not old.get("withdrawn"):
        files = sorted(
            path for path in set(old["files"]) | set(new["files"])
            if old["files"].get(path) != new["files"].get(path)
        )  # fmt: skip
        if files:
            more = f" and {len(files) - 3} more" if len(files) > 3 else ""
            code = (
                "; captem itself is another version" if old["code"] != new["code"]
                else "; versions of packages differ" if old["packages"] != new["packages"]
                else ""
            )  # fmt: skip
            said.append(f"results differ: {', '.join(files[:3])}{more}{code}")
    return said


def _of_sources(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    said = [
        f"{path} holds other data than then"
        for path in new
        if old.get(path, new[path]) != new[path]
    ]
    said += [f"{path} was no source then" for path in new if path not in old]
    said += [f"{path} was a source then, and is none now" for path in old if path not in new]
    return said


def sealed(results: str | Path, entries: Sequence[chain.Entry] | None = None) -> list[Cut]:
    """Return the frozen cuts in the order of their freezing; their files are not looked at.

    Raises
    ------
    CaptemError
        If the chain is broken or `cut.json` of a cut is gone.
    """
    results = Path(results)
    found = chain.checked(results / CHAIN) if entries is None else entries
    cuts = []
    for entry in found:
        if entry.event != chain.FREEZE:
            continue
        folder = results / CUTS / entry.details["cut"]
        try:
            record = json.loads((folder / RECORD).read_bytes())
        except (OSError, ValueError):
            raise CaptemError(
                f"{folder / RECORD} of the data cut that was frozen on {entry.day} is gone or "
                "cannot be read. Put the folder back from a backup."
            ) from None
        cuts.append(Cut(entry.details["cut"], folder, record))
    return cuts


def rows_by_source(results: str | Path) -> dict[str, int]:
    """Return the most patients that each source had in any frozen cut."""
    most: dict[str, int] = {}
    for cut in sealed(results):
        text = (cut.folder / "cohort/patients.csv").read_text(encoding="utf-8")
        counts = Counter(row["source"] for row in csv.DictReader(io.StringIO(text)))
        most |= {name: max(count, most.get(name, 0)) for name, count in counts.items()}
    return most


def seals(entries: Iterable[chain.Entry]) -> dict[str, str]:
    """Return the SHA-256 of `cut.json` of each cut, as the chain has it last."""
    last: dict[str, str] = {}
    for entry in entries:
        if entry.event == chain.FREEZE:
            last[entry.details["cut"]] = entry.details["sha256"]
        elif entry.event == chain.WITHDRAW:
            last |= entry.details["cuts"]
    return last


def faults(results: str | Path, entries: Sequence[chain.Entry]) -> list[str]:
    """Say what is not as it was frozen, a sentence a file; nothing where all is."""
    said = []
    for name, seal in seals(entries).items():
        folder = Path(results) / CUTS / name
        path = folder / RECORD
        if not path.is_file():
            said.append(f"{path} is gone")
            continue
        data = path.read_bytes()
        if sha256(data) != seal:
            said.append(f"{path} is not what was frozen")
            continue
        files = json.loads(data)["files"]
        there = {
            file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
        }
        said += [f"{folder / file} is gone" for file in sorted(set(files) - there)]
        said += [
            f"{folder / file} was put there later" for file in sorted(there - set(files) - {RECORD})
        ]
        said += [
            f"{folder / file} is not what was frozen"
            for file in sorted(there & set(files))
            if sha256((folder / file).read_bytes()) != files[file]
        ]
    return said


def check(results: str | Path) -> list[Cut]:
    """Return the frozen cuts of a study, each byte of which is as it was frozen.

    Raises
    ------
    CaptemError
        Naming each file that was changed, is gone, or was put there later.
    """
    results = Path(results)
    if not (results / CHAIN).is_dir() and not (results / CUTS).is_dir():
        return []
    entries = chain.checked(results / CHAIN)
    found = faults(results, entries)
    if found:
        raise CaptemError(
            "A frozen data cut is not as it was frozen:\n"
            + "\n".join(f"  - {fault}" for fault in found)
            + "\nPut these files back from a backup: a frozen cut is never changed by hand."
        )
    return sealed(results, entries)


def verified(results: str | Path) -> str:
    """Check the chain and each byte of each frozen cut; return what was checked, in words.

    Raises
    ------
    CaptemError
        Naming each entry and file that is not as it was written.
    """
    cuts = check(results)
    entries = chain.read(Path(results) / CHAIN)
    if not entries:
        return "Nothing is frozen, locked or withdrawn in this study: there is no chain to check."
    files = sum(len(cut.record["files"]) + 1 for cut in cuts)
    listed = "\n".join(
        f"  {entry.number}  {entry.day}  {chain.in_words(entry)}  {entry.sha256[:16]}"
        for entry in entries
    )
    return (
        f"The chain of this study is whole: {len(entries)} entries, {len(cuts)} frozen data cuts, "
        f"{files} files, each byte as it was written.\n{listed}\n"
        f"The newest entry has the SHA-256 {entries[-1].sha256}. Written down elsewhere, for "
        "instance in an e-mail to yourself, it proves that nothing was taken away at the end."
    )


def withdrawn(entries: Iterable[chain.Entry]) -> list[dict[str, str]]:
    """Return salt and digest of each patient who withdrew, as the chain has them."""
    return [
        {"salt": entry.details["salt"], "digest": entry.details["digest"]}
        for entry in entries
        if entry.event == chain.WITHDRAW
    ]


def check_none_under_way(results: str | Path) -> None:
    """Check that no withdrawal was interrupted.

    Raises
    ------
    CaptemError
        Saying that it has to be finished first.
    """
    if (Path(results) / CHAIN / UNDER_WAY).is_file():
        raise CaptemError(
            "A withdrawal of consent was interrupted, and the patient is still in some frozen data "
            "cuts. Finish it first, with the same code: snakemake --cores 1 withdraw --config "
            "withdraw=<code>"
        )


def check_name(
    cuts: Iterable[Cut], name: str, sources: Mapping[str, str], paths: Iterable[str]
) -> None:
    """Check that the sources of a frozen name are what they were, wherever they are now.

    Parameters
    ----------
    cuts : the frozen cuts.
    name : the cut that the config names.
    sources : SHA-256 of the source files that are there, by the path that the config gives.
    paths : of all source files of the config, there or not.

    Raises
    ------
    CaptemError
        If that cut is frozen, and the config names other data.
    """
    for cut in cuts:
        if cut.name != name:
            continue
        then, asked = cut.record["sources"], set(paths)
        held, there = set(then.values()), set(sources.values())
        other = [
            f"{path} holds other data than then" if path in then else f"{path} was no source then"
            for path, digest in sources.items()
            if digest not in held
        ]
        other += [
            f"{path} was a source then, and is none now"
            for path, digest in then.items()
            if path not in asked and digest not in there
        ]
        if other:
            raise CaptemError(_frozen_with_other_data(name, other, withdrawn=_withdrawn(cut)))


def _withdrawn(cut: Cut) -> bool:
    return bool(cut.record.get("withdrawn"))


def named(cuts: Sequence[Cut], name: str, current: str) -> Cut:
    """Return the frozen cut to compare with.

    Raises
    ------
    CaptemError
        If it is not frozen, or is the current one; the message names those that there are.
    """
    others = [cut.name for cut in cuts if cut.name != current]
    there = f"Frozen are: {', '.join(others)}." if others else "No other data cut is frozen yet."
    if name == current:
        raise CaptemError(
            f"against={name} is the data cut of this run, and a cut is not compared with itself. "
            f"{there}"
        )
    for cut in cuts:
        if cut.name == name:
            return cut
    near = difflib.get_close_matches(name, others, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise CaptemError(f"There is no frozen data cut {name}.{hint} {there}")


def place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder that is whole or not there, and read-only."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*"):
        remove(left)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for name, data in files.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        protect(partial)
        partial.rename(folder)
    except BaseException:
        remove(partial)
        raise


def protect(folder: Path) -> None:
    """Make a folder and all in it read-only."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)


def remove(folder: Path) -> None:
    """Remove a folder, also one that is read-only."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)
