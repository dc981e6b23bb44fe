"""Who is running in a folder, and since when: for the next run, which finds it locked.

Snakemake locks the folder that it works in, and does not say for whom. Each run writes down who it
is; whoever finds the lock reads that. Only the standard library is needed here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from captem.files import write_text

NOTE = "captem_run.json"


def note(folder: str | Path, targets: Iterable[str]) -> None:
    """Write down that this process is at work.

    Parameters
    ----------
    folder : Snakemake's own, `.snakemake` where it works.
    targets : what it was asked for.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A process without a user name, as in some containers.
        user = ""
    known = {
        "pid": os.getpid(),
        "born": _born(os.getpid()),
        "host": platform.node(),
        "user": user,
        "since": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "targets": list(targets) or ["all"],
    }
    write_text(Path(folder) / NOTE, json.dumps(known) + "\n")


def in_words(folder: str | Path) -> str:
    """Say who holds the folder, and what to do; nothing where nobody does.

    A run that was killed holds it as well, until it is unlocked.
    """
    folder = Path(folder)
    locks = sorted((folder / "locks").glob("*.lock"))
    if not locks:
        return ""
    known: Mapping[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    unlock = (
        "Unlock the folder with the same command and --unlock (snakemake --unlock), then run it "
        "again: what is whole is kept, the rest is made."
    )
    if not known:
        since = dt.datetime.fromtimestamp(locks[0].stat().st_mtime, dt.UTC)
        return (
            f"A run holds this folder since {_local(since)}. If it is no longer at work: {unlock}"
        )
    since = dt.datetime.strptime(known["since"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    by = f" by {known['user']}" if known["user"] else ""
    who = (
        f"process {known['pid']} on {known['host']}, begun{by} at {_local(since)} to make "
        f"{', '.join(known['targets'])}"
    )
    if known["host"] != platform.node():
        return (
            f"Another run holds this folder: {who}. Wait until it has ended. If you know that it "
            f"is no longer at work: {unlock}"
        )
    if known["born"] == _born(known["pid"]) and _lives(known["pid"]):
        return f"Another run holds this folder: {who}. Wait until it has ended, or stop it."
    return f"The last run here was stopped before its end: {who}. {unlock}"


def _local(moment: dt.datetime) -> str:
    return moment.astimezone().strftime("%H:%M on %Y-%m-%d")


def _lives(pid: int) -> bool:
    if os.name != "posix":
        # Elsewhere signal 0 is not a question.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It is there, and another user's.
        return True
    return True


def _born(pid: int) -> str:
    """Return when a process was started, by the clock of the kernel; empty where it does not say.

    The number of a process that ended is given to another one some day.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name of the program, in brackets, may hold anything.
    return stat.rpartition(")")[2].split()[19]
