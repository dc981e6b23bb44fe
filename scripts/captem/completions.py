"""What interval scores leave open, as counts: every set of counts that some completion gives.

A completion puts each patient with an interval score at one of the scores it may be. The tests here
see only how many patients stand where, so patients with the same interval can change places, and
the distinct sets of counts are far fewer than the completions, which double with each patient.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

# More sets of counts than this are not gone through one by one; the callers turn to bounds.
LIMIT = 2000


def reachable(
    certain: np.ndarray, choices: Iterable[Sequence[int]], limit: int = LIMIT
) -> np.ndarray | None:
    """Return every distinct vector of counts that a completion can give.

    Parameters
    ----------
    certain : (k,) how many patients certainly stand at each place.
    choices : for each other patient the places that are left open to them.
    limit : the most vectors to go through on the way.

    Returns
    -------
    (m, k) whole numbers, or None where they would be more than `limit`.

    >>> reachable(np.array([1, 0, 2]), [(0, 1)]).tolist()
    [[1, 1, 2], [2, 0, 2]]
    """
    found = np.asarray(certain, dtype=np.int64)[None, :]
    for places, patients in sorted(Counter(tuple(choice) for choice in choices).items()):
        ways = _spread(patients, len(places), limit)
        if ways is None or len(ways) * len(found) > 4 * limit:
            return None
        added = np.zeros((len(ways), found.shape[1]), dtype=np.int64)
        added[:, list(places)] = ways
        found = _distinct((found[:, None, :] + added).reshape(-1, found.shape[1]))
        if len(found) > limit:
            return None
    return found


def _distinct(rows: np.ndarray) -> np.ndarray:
    """Return the distinct rows of counts with one sum, in order; as one number each if they fit."""
    base = int(rows[0].sum()) + 1 if len(rows) else 1
    if base ** (rows.shape[1] - 1) >= 2**62:
        return np.unique(rows, axis=0)
    # With one sum for all, the last count follows from the others.
    powers = base ** np.arange(rows.shape[1] - 2, -1, -1, dtype=np.int64)
    _, first = np.unique(rows[:, :-1] @ powers, return_index=True)
    return rows[first]


def _spread(patients: int, places: int, limit: int) -> np.ndarray | None:
    """Return every way to spread so many patients over so many places, or None if too many."""
    count = 1
    for i in range(1, places):
        count = count * (patients + i) // i
    if count > limit:
        return None
    bars = itertools.combinations(range(patients + places - 1), places - 1)
    edges = np.array(list(bars), dtype=np.int64).reshape(count, places - 1)
    padded = np.hstack([np.full((count, 1), -1), edges, np.full((count, 1), patients + places - 1)])
    return np.diff(padded, axis=1) - 1
