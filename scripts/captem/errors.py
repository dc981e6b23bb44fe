"""The one exception whose text is meant for the researcher; the system's own errors in words."""

from __future__ import annotations

import errno


class CaptemError(Exception):
    """Something the researcher can mend: the message says what, where, why and what to do."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def of_system(error: BaseException) -> str:
    """Return what an error of the system means, and what to do; empty where it is another one.

    >>> of_system(OSError(errno.ENOSPC, "No space left on device", "a.csv")).partition(":")[0]
    'The disk is full, or your share of it is used up'
    """
    if not isinstance(error, OSError):
        return ""
    name = error.filename2 or error.filename
    what = f"{name} could not be written" if name else "a file could not be written"
    if error.errno in _FULL:
        return (
            f"The disk is full, or your share of it is used up: {what}. Make room, then run again; "
            "results made before are whole, and frozen data cuts untouched."
        )
    if error.errno in _CLOSED:
        return (
            f"{name or 'A file'} cannot be read or written by you: it is read-only, or belongs to "
            "another user. Give yourself the right to it, or work in a folder of your own; then "
            "run again."
        )
    return ""
