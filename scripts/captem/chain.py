"""The chain of events of a study: one file an event, each with the hash of the one before it.

What is frozen, locked or withdrawn is written down here and nowhere else. An entry that is changed,
taken out or put in between breaks the hash in the entry behind it. That the newest entries were
taken away at the end does not show in the entries alone; it shows in what they sealed.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captem.errors import CaptemError
from captem.files import write_text

FREEZE, LOCK_PLAN, LOOK, WITHDRAW = "freeze", "lock_plan", "look", "withdraw"
EVENTS = (FREEZE, LOCK_PLAN, LOOK, WITHDRAW)
FOLDER, LOG = "chain", "log.csv"
_NAME = re.compile(rf"([0-9]{{4,}})_({'|'.join(EVENTS)}|[a-z]+)(?:_[^_/][^/]*)?\.json")
_OWN = ("number", "event", "at", "previous")


@dataclass(frozen=True)
class Entry:
    """One event: its place in the chain, when it was (UTC), and what it sealed."""

    number: int
    event: str
    at: str
    previous: str
    details: Mapping[str, Any]
    sha256: str
    path: Path

    @property
    def day(self) -> str:
        """The day of the event, for sentences."""
        return self.at[:10]


def read(folder: str | Path) -> list[Entry]:
    """Return the entries in their order, and nothing where no event has been.

    Raises
    ------
    CaptemError
        Naming the file that cannot be read as an entry.
    """
    entries = []
    for path in sorted(Path(folder).glob("[0-9]*.json"), key=_number):
        try:
            data = path.read_bytes()
            found = json.loads(data)
            known = {name: found.pop(name) for name in _OWN}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise CaptemError(
                f"{path} is no entry of the chain any more: somebody or something has changed it. "
                "Put the file back from a backup; the chain is never edited."
            ) from None
        entries.append(
            Entry(**known, details=found, sha256=hashlib.sha256(data).hexdigest(), path=path)
        )
    return entries


def _number(path: Path) -> tuple[int, str]:
    found = _NAME.fullmatch(path.name)
    return (int(found[1]) if found else 10**9, path.name)


def faults(entries: Sequence[Entry]) -> list[str]:
    """Say what is wrong with a chain, a sentence a fault; nothing where it is whole."""
    said: list[str] = []
    before = ""
    for place, entry in enumerate(entries, start=1):
        named = _NAME.fullmatch(entry.path.name)
        if entry.number != place or not named or int(named[1]) != place:
            said.append(
                f"{entry.path}: entry {place} of the chain should stand here, and it is number "
                f"{entry.number}. An entry was taken out, put in or renamed."
            )
            break
        if entry.event not in EVENTS or named[2] != entry.event:
            said.append(f"{entry.path}: the chain knows no event {entry.event!r} of this name.")
        if entry.previous != before:
            behind = entries[place - 2].path if place > 1 else "nothing"
            said.append(
                f"{entry.path} was written behind other bytes than those of {behind}: one of the "
                "two has been changed since."
            )
        before = entry.sha256
    return said


def checked(folder: str | Path) -> list[Entry]:
    """Return the entries of a chain that is whole.

    Raises
    ------
    CaptemError
        Naming each entry that was changed.
    """
    entries = read(folder)
    found = faults(entries) or _beside_log(Path(folder) / LOG, entries)
    if found:
        raise CaptemError(
            "The chain of events of this study is broken:\n"
            + "\n".join(f"  - {fault}" for fault in found)
            + "\nPut the files back from a backup. What was frozen or locked cannot be vouched for "
            "until then."
        )
    return entries


def _beside_log(path: Path, entries: Sequence[Entry]) -> list[str]:
    """Say where the log has other entries than there are: the newest can be held against it alone.

    A log that was not written yet when a run was killed is shorter, which is no fault.
    """
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        table = csv.DictReader(stream)
        if "sha256" not in (table.fieldnames or ()):
            # A spreadsheet has saved it in a form of its own; it is derived, and written anew.
            return []
        held = [row["sha256"] or "" for row in table]
    there = [entry.sha256 for entry in entries]
    if held == there[: len(held)]:
        return []
    if held[: len(there)] == there:
        return [f"{path} has {len(held)} entries, and {len(there)} are there: the newest are gone."]
    place = next(n for n, pair in enumerate(zip(held, there, strict=False)) if pair[0] != pair[1])
    return [f"{entries[place].path} is not what {path} says of it: one of the two was changed."]


def append(
    folder: str | Path,
    event: str,
    details: Mapping[str, Any],
    *,
    name: str = "",
    now: dt.datetime | None = None,
) -> Entry:
    """Write the next entry, and the log behind it; an entry that is there is never written over.

    Parameters
    ----------
    folder : the folder of the chain; made where it is missing.
    event : one of `EVENTS`.
    details : what the event sealed, as JSON can hold it.
    name : for the name of the file, such as that of the cut.
    now : the time of the event; the clock's where not given.

    Raises
    ------
    CaptemError
        If the chain is broken, or another process has written the same entry meanwhile.
    """
    folder = Path(folder)
    entries = checked(folder)
    number = len(entries) + 1
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    content = {
        "number": number,
        "event": event,
        "at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "previous": entries[-1].sha256 if entries else "",
        **details,
    }
    data = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    path = folder / ("_".join(filter(None, [f"{number:04d}", event, name])) + ".json")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob(f"{number:04d}_*.json")):
        raise CaptemError(f"Entry {number} of the chain was written meanwhile. Run it again.")
    partial = folder / f".{path.name}.{os.getpid()}"
    try:
        with partial.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(0o444)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    written = read(folder)
    write_text(folder / LOG, log(written))
    return written[-1]


def log(entries: Iterable[Entry]) -> str:
    """Return the chain as a table to read, derived from its entries (CSV)."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["number", "event", "at", "what", "sha256"])
    for entry in entries:
        table.writerow([entry.number, entry.event, entry.at, in_words(entry), entry.sha256])
    return stream.getvalue()


def in_words(entry: Entry) -> str:
    """Return what an event did, in words."""
    details = entry.details
    if entry.event == FREEZE:
        return f"data cut {details.get('cut')} frozen: {details.get('patients')} patients"
    if entry.event == LOCK_PLAN:
        return f"plan locked, version {details.get('version')}"
    if entry.event == LOOK:
        who = f"data cut {details.get('cut')}, {details.get('patients')} patients with both scans"
        if details.get("look"):
            return f"look {details['look']} taken: {who}"
        return f"results seen outside the planned looks: {who}"
    cuts = ", ".join(details.get("cuts", {}))
    return "consent withdrawn: a patient was taken out" + (
        f" of the frozen data cuts {cuts}" if cuts else ""
    )
