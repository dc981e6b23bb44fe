"""Power and expected width of each cell, and the smallest number of patients that is enough.

What a chunk of work leaves behind are counts: of each cell and analysis, how many studies had an
interval of a certain width, and how many of these rejected. Counts of several chunks are added, so
that the result does not depend on how the work was cut, and memory not on the replicates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from captem import planning_draw, planning_tests, proportions
from captem.planning_grid import BLOCK, OBSERVED, SCENARIO, Cell, Scenario, Task, cells
from captem.planning_tests import ANALYSES, MODEL
from captem.planning_world import World

LEVEL = 0.95
COUNTED = ("cell", "analysis", "width", "studies", "rejected")
# Widths are kept to so many places: of a proportion, and of a logarithm of an odds ratio.
PLACES = 3
REACHED, AT_MOST, NOT_REACHED = "reached", "at most", "not reached"
_REFUSED = ""
# Bounds of the power that an interpolation works with, as its probit has no end.
_NEVER = 1e-4
# Blocks that are fitted together: enough that calls cost little, and always the same memory.
TOGETHER = 8
# Below the most that the limit may rise to; nothing is written to it.
_KEPT_BYTES = 16_000_000


def simulated(
    of: World, tasks: Sequence[Task], threshold: int, seed: int
) -> Iterator[tuple[Task, pd.DataFrame]]:
    """Yield each task with its counts (`COUNTED`): one row a cell, analysis and width.

    `width` is text to `PLACES` places, empty where the analysis was refused.
    """
    keep_memory()
    for task in tasks:
        studies: Counter[tuple[str, str]] = Counter()
        rejected: Counter[tuple[str, str]] = Counter()
        for first in range(task.first, task.last, TOGETHER):
            numbers = range(first, min(first + TOGETHER, task.last))
            blocks = [planning_draw.block(of, task.cell, number, seed) for number in numbers]
            drawn = planning_draw.joined(blocks)
            for analysis, found in planning_tests.answers(drawn, threshold).items():
                widths = [_text(width) for width in found.width.tolist()]
                studies.update((analysis, width) for width in widths)
                rejected.update(
                    (analysis, width)
                    for width, yes in zip(widths, found.rejects, strict=True)
                    if yes
                )
        rows = [
            (task.cell.code, analysis, width, studies[analysis, width], rejected[analysis, width])
            for analysis, width in sorted(studies)
        ]
        yield task, pd.DataFrame(rows, columns=list(COUNTED))


def keep_memory() -> None:
    """Let the process keep the memory of arrays that it makes and drops thousands of times.

    The allocator of Linux (glibc) returns blocks above a limit to the system at once, and fetching
    them back takes half of the time of a fit; the limit rises to the largest block that was freed.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def _text(width: float) -> str:
    return _REFUSED if math.isnan(width) else f"{width:.{PLACES}f}"


class Counts:
    """Counts of chunks added up: (cell, analysis) -> width -> (studies, rejected)."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}

    def add(self, chunk: pd.DataFrame) -> None:
        """Add the counts of a chunk, as `simulated` gives them or as they come back from a file."""
        for cell, analysis, width, studies, rejected in chunk.itertuples(index=False):
            own = self._found.setdefault((str(cell), str(analysis)), {})
            key = _REFUSED if pd.isna(width) else str(width)
            before = own.get(key, (0, 0))
            own[key] = (before[0] + int(studies), before[1] + int(rejected))

    def of(self, cell: Cell, analysis: str) -> dict[str, Any]:
        """Return power, error, median width and refusals of one cell and analysis."""
        own = self._found.get((cell.code, analysis), {})
        studies = sum(count for count, _ in own.values())
        rejected = sum(count for _, count in own.values())
        if not studies:
            raise ValueError(f"no study of cell {cell.code} was simulated")
        power = rejected / studies
        low, high = proportions.wilson(rejected, studies, LEVEL)
        return {
            "power": power,
            "mc_error": math.sqrt(power * (1 - power) / studies),
            "power_low": low,
            "power_high": high,
            "median_width": _median({float(width): count for width, (count, _) in own.items()
                                     if width != _REFUSED}, analysis),
            "refused": own.get(_REFUSED, (0, 0))[0] / studies,
            "replicates": studies,
        }  # fmt: skip


def _median(widths: Mapping[float, int], analysis: str) -> float:
    """Return the median width, of the model as the ratio of the interval's ends; NaN for none."""
    if not widths:
        return math.nan
    half, passed = sum(widths.values()) / 2, 0
    for width in sorted(widths):
        passed += widths[width]
        if passed >= half:
            return round(math.exp(width), PLACES) if analysis == MODEL else width
    raise AssertionError("the counts add up to more than they hold")


def power(counts: Counts, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return `power.csv`: one row a cell of the grid and analysis.

    `median_width` is in proportions, and for the model the upper end over the lower.
    """
    rows = [
        {"patients": cell.patients, **said(cell.scenario), "analysis": analysis,
         **counts.of(cell, analysis)}
        for cell in cells(settings)
        for analysis in ANALYSES
    ]  # fmt: skip
    return pd.DataFrame(rows)


def said(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as a table holds it: the shares at baseline as one text."""
    found = {name: getattr(scenario, name) for name in SCENARIO}
    if scenario.baseline != OBSERVED:
        found["baseline"] = "/".join(f"{share:.3g}" for share in scenario.baseline)
    found["change"] = (
        str(scenario.change) if scenario.change == OBSERVED else f"{found['change']:g}"
    )
    return found


def smallest(found: pd.DataFrame, target: float) -> pd.DataFrame:
    """Return `smallest.csv`: of each scenario and analysis, how many patients reach the target.

    `patients` is the smallest number from which on the power is at least `target`, on a line
    between the numbers of the grid (the probit of the power over the square root of n, straight
    between two of them); `patients_low` and `patients_high` are the same of the upper and the
    lower ends of the 95 % intervals of the power, that is, what the Monte Carlo error leaves open.
    `grid` is the smallest number of the grid itself, with its power and error.

    Parameters
    ----------
    found : `power.csv`.
    """
    rows = []
    for key, own in found.groupby([*SCENARIO, "analysis"], sort=False, dropna=False):
        own = own.sort_values("patients")
        n = own["patients"].to_numpy(dtype=float)
        ends = {
            name: crossing(n, own[column].to_numpy(dtype=float), target)
            for name, column in (("patients", "power"), ("patients_low", "power_high"),
                                 ("patients_high", "power_low"))
        }  # fmt: skip
        stays = np.logical_and.accumulate(own["power"].to_numpy()[::-1] >= target)[::-1]
        reached = own[stays].head(1)
        at = reached.iloc[0] if len(reached) else own.iloc[-1]
        status = _status(own, ends["patients"], bool(len(reached)))
        rows.append(
            dict(zip([*SCENARIO, "analysis"], key, strict=True))
            | {"target": target, "status": status, **ends, "grid": at["patients"]}
            | {name: at[name] for name in ("power", "mc_error", "power_low", "power_high")}
            | {"reason": _reason(at, status, target)}
        )
    return pd.DataFrame(rows)


def _status(own: pd.DataFrame, patients: float, reached: bool) -> str:
    if not reached:
        return NOT_REACHED
    return AT_MOST if patients == own["patients"].iloc[0] else REACHED


def _reason(at: pd.Series, status: str, target: float) -> str:
    if at["analysis"] == MODEL and at["mib1_odds_ratio"] == 1:
        return (
            "MIB1 has no effect here (odds ratio 1): the power is how often the test rejects all "
            "the same"
        )
    if status == REACHED:
        return ""
    power = f"{at['power']:.2f} ({at['power_low']:.2f} to {at['power_high']:.2f})"
    if status == AT_MOST:
        return (
            f"the smallest number of the grid, {at['patients']}, has a power of {power} already; "
            "smaller ones under planning: patients would tell"
        )
    return (
        f"the largest number of the grid, {at['patients']}, has a power of {power}, below "
        f"{target:g}; larger ones under planning: patients may reach it"
    )


def crossing(n: np.ndarray, values: np.ndarray, target: float) -> float:
    """Return the whole number from which on a curve is at least `target`; infinite if it is never.

    Parameters
    ----------
    n : (k,) rising; `values` : (k,) from 0 to 1. Before the first n nothing is known: where the
        curve is above the target from there on, the answer is the first n.

    >>> crossing(np.array([20.0, 40.0, 80.0]), np.array([0.3, 0.6, 0.9]), 0.8)
    62.0
    """
    below = np.flatnonzero(values < target)
    if not len(below):
        return float(n[0])
    last = int(below[-1])
    if last == len(n) - 1:
        return math.inf
    first, second = ndtri(np.clip(values[last : last + 2], _NEVER, 1 - _NEVER))
    share = (float(ndtri(target)) - first) / (second - first) if second > first else 1.0
    roots = np.sqrt(n[last : last + 2])
    exact = (roots[0] + share * (roots[1] - roots[0])) ** 2
    # A little below the number itself by rounding is the number itself.
    return float(min(n[last + 1], math.ceil(exact - 1e-9)))


def whole(counted: Iterable[pd.DataFrame], settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return `power.csv` from the counts of every chunk."""
    counts = Counts()
    for chunk in counted:
        counts.add(chunk)
    expected = settings["replicates"]
    found = power(counts, settings)
    if not found["replicates"].eq(expected).all():
        raise ValueError(f"some cell has not {expected} replicates, in blocks of {BLOCK}")
    return found
