"""What every rule's script does around its work: a log that holds all, and no orphans."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from captem.errors import CaptemError, of_system

_POLL_SECONDS = 0.3


@contextlib.contextmanager
def logged(log: str | Path) -> Iterator[None]:
    """Send stdout and stderr of the whole process to `log`; end with 1 and a sentence on failure.

    Snakemake's `log:` redirects nothing by itself. A script imports the rest of the package inside
    the block, so that the log holds a failing import as well. The file descriptors are redirected,
    so that output of compiled libraries is held too. A `CaptemError` is logged as its message,
    anything else as its traceback; in both cases the last line says what went wrong.
    """
    _die_with_parent()
    # Where the log itself cannot be written, what is wrong goes where Snakemake shows it.
    spare = os.dup(2)
    try:
        with Path(log).open("w", encoding="utf-8") as stream:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
    except OSError as error:
        _end_with(of_system(error) or f"{log}: {error}", spare)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    try:
        yield
    except CaptemError as error:
        _end_with(str(error), spare)
    except Exception as error:
        if said := of_system(error):
            _end_with(said, spare)
        with contextlib.suppress(OSError):
            traceback.print_exc()
        _end_with(
            f"captem failed in a way it did not foresee: {type(error).__name__}: {error}. "
            "The lines above say where; please report them.",
            spare,
        )


def _end_with(said: str, spare: int) -> NoReturn:
    """End with 1 and a last line in the log; on the terminal where the log cannot hold it."""
    text = f"{said}\n".encode()
    try:
        os.write(2, text)
    except OSError:
        os.write(spare, text)
    # A stream that could not be flushed would end it with a traceback of its own.
    os._exit(1)


def _die_with_parent() -> None:
    """Leave when Snakemake is killed: an orphan would go on writing into the next run's results."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
