"""Which studies a planning run simulates: its cells, in blocks that have a seed, in chunks of work.

A *cell* is one scenario at one number of patients. Its replicates are drawn in *blocks* of `BLOCK`,
each with a seed of its own from what the cell says (`seed_of`), so that it does not matter which
cells stand beside it, which job draws it or in which order. A *chunk* is what one job does: some
blocks in the order of the grid. No imports but the standard library: the workflow reads this.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from captem import progress as progress_words

OBSERVED = "observed"
# Replicates that are drawn, and fitted, together: never more or fewer, whatever the chunk.
BLOCK = 250
# Beside the work that grows with the patients, a replicate costs as much as so many of them.
_OVERHEAD = 40
SCENARIO = (
    "baseline", "change", "mib1_odds_ratio", "cycle_odds_ratio", "drop_out", "reader_error",
    "lesions",
)  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """What is assumed of the patients and their readings.

    Attributes:
        baseline: `observed`, or the shares of the scores 0 to 4, which add up to 1.
        change: `observed`, or the odds ratio of a higher score at follow-up.
        mib1_odds_ratio: of a higher score at follow-up, per doubling of MIB1.
        cycle_odds_ratio: the same per cycle of CAPTEM.
        drop_out: share of patients without a follow-up scan.
        reader_error: rate at which a reading of a lesion is one step off.
        lesions: per patient, all read at both scans.
    """

    baseline: str | tuple[float, ...]
    change: str | float
    mib1_odds_ratio: float
    cycle_odds_ratio: float
    drop_out: float
    reader_error: float
    lesions: int


@dataclass(frozen=True)
class Cell:
    """One scenario at one number of patients, those who enter the study."""

    patients: int
    scenario: Scenario

    @property
    def code(self) -> str:
        """Return a name that is the same in every grid which holds this cell."""
        said = json.dumps([self.patients, asdict(self.scenario)], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Task:
    """The blocks `first` to `last` of a cell, the last one not included."""

    cell: Cell
    first: int
    last: int

    @property
    def replicates(self) -> int:
        """Return how many studies are drawn."""
        return (self.last - self.first) * BLOCK

    @property
    def work(self) -> int:
        """Return what the task costs, in a unit of its own."""
        return self.replicates * (self.cell.patients + _OVERHEAD)


def mixes(baseline: Any) -> list[str | tuple[float, ...]]:
    """Return what `planning: baseline` names: one mix or several.

    >>> mixes("observed"), mixes([1, 1, 2, 0, 0])
    (['observed'], [(0.25, 0.25, 0.5, 0.0, 0.0)])
    """
    if baseline == OBSERVED:
        return [OBSERVED]
    if not any(isinstance(item, str | list | tuple) for item in baseline):
        baseline = [baseline]
    return [
        OBSERVED if item == OBSERVED else tuple(value / sum(item) for value in item)
        for item in baseline
    ]


def cells(settings: Mapping[str, Any]) -> list[Cell]:
    """Return every cell of the grid once; few patients first, so that more may be added behind.

    Parameters
    ----------
    settings : the section `planning` of the config, resolved.
    """
    scenarios = [
        Scenario(*chosen)
        for chosen in itertools.product(
            mixes(settings["baseline"]),
            [value if value == OBSERVED else float(value) for value in settings["change"]],
            *([float(value) for value in settings[name]] for name in SCENARIO[2:-1]),
            settings["lesions"],
        )
    ]
    grid = [
        Cell(patients, scenario)
        for patients in sorted(settings["patients"])
        for scenario in scenarios
    ]
    return list(dict.fromkeys(grid))


def seed_of(cell: Cell, block: int) -> tuple[int, ...]:
    """Return the spawn key of a block: from what its cell says, and its number."""
    return (*(int(cell.code[start : start + 8], 16) for start in (0, 8)), block)


def chunks(settings: Mapping[str, Any]) -> dict[str, list[Task]]:
    """Return what each job does, by the name of its file.

    A job has `chunk` replicates, the last one fewer. The name tells what is in it: a chunk that
    stands in another grid as well has the same one, and its file is used again.
    """
    blocks = settings["replicates"] // BLOCK
    every = [(cell, block) for cell in cells(settings) for block in range(blocks)]
    size = settings["chunk"] // BLOCK
    found = {}
    for start in range(0, len(every), size):
        tasks: list[Task] = []
        for cell, own in itertools.groupby(every[start : start + size], lambda item: item[0]):
            numbers = [block for _, block in own]
            tasks.append(Task(cell, numbers[0], numbers[-1] + 1))
        found[_name(tasks)] = tasks
    return found


def _name(tasks: Sequence[Task]) -> str:
    said = json.dumps([(task.cell.code, task.first, task.last) for task in tasks])
    patients = sorted({task.cell.patients for task in tasks})
    span = "-".join(str(n) for n in dict.fromkeys((patients[0], patients[-1])))
    return f"n{span}_{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def faults(settings: Mapping[str, Any]) -> list[str]:
    """Return what is wrong in the section `planning` beyond its schema, a sentence each."""
    found = []
    for mix in _given_mixes(settings["baseline"]):
        if len(mix) != 5 or not 0 < sum(mix) < float("inf"):
            found.append(
                "planning, baseline: give the shares of the baseline scores 0, 1, 2, 3 and 4, such "
                "as [0.1, 0.4, 0.3, 0.15, 0.05], or observed"
            )
    found += [
        f"planning, {name}: {settings[name]} is no multiple of {BLOCK}; studies are simulated in "
        f"blocks of {BLOCK}"
        for name in ("replicates", "chunk")
        if settings[name] % BLOCK
    ]
    return found


def _given_mixes(baseline: Any) -> list[Any]:
    if baseline == OBSERVED:
        return []
    if not any(isinstance(item, str | list | tuple) for item in baseline):
        return [baseline]
    return [item for item in baseline if item != OBSERVED]


def progress(done: Sequence[Task], ahead: Sequence[Task], seconds: float) -> str:
    """Return how far a run is, and how long the rest takes on one core.

    Parameters
    ----------
    done, ahead : the tasks that are done, in any run, and those that are not.
    seconds : how long one unit of work takes (`Task.work`).

    >>> cell = Cell(60, Scenario("observed", "observed", 2.0, 1.0, 0.0, 0.0, 1))
    >>> progress([Task(cell, 0, 8)], [Task(cell, 8, 40)], 1e-5)
    'Planning: 2,000 of 10,000 replicates done (20%); about 8 s left on one core.'
    """
    finished, left = (sum(task.replicates for task in tasks) for tasks in (done, ahead))
    rest = seconds * sum(task.work for task in ahead)
    return progress_words.said("Planning", "replicates", finished, left, rest)


def as_params(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Return tasks as params of a rule, plain values that compare equal from run to run."""
    return [
        {"patients": task.cell.patients, "scenario": asdict(task.cell.scenario),
         "first": task.first, "last": task.last}
        for task in tasks
    ]  # fmt: skip


def from_params(given: Sequence[Mapping[str, Any]]) -> list[Task]:
    """Return the tasks that `as_params` wrote."""
    found = []
    for item in given:
        scenario = dict(item["scenario"])
        if scenario["baseline"] != OBSERVED:
            scenario["baseline"] = tuple(scenario["baseline"])
        cell = Cell(item["patients"], Scenario(**scenario))
        found.append(Task(cell, item["first"], item["last"]))
    return found
