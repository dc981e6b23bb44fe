"""Which studies a calibration draws: cells of a truth and a size, in blocks, in chunks of work.

A *cell* is one scenario of `captem.worlds` at one number of patients. Its studies are drawn in
*blocks* of `BLOCK`, each with a random stream of its own (`captem.validity`). A *chunk* is what one
job does: some blocks of a cell, in order. No imports but the standard library: the workflow reads
this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from captem import progress

OF_TRUTH = ("no_change", "no_mib1", "mib1")
OF_BIAS = ("entry_low", "ssa_shift", "noisy_baseline", "cycles_follow")
NAMES = (*OF_TRUTH, *OF_BIAS)
# Which rows a job asks for (`captem.validity_rows`). What changes no other row of a study, or takes
# long, is asked for where MIB1 has no effect and where it has one.
PATIENTS, LESIONS, RESAMPLED = "patients", "lesions", "resampled"
ROWS = (PATIENTS, LESIONS, RESAMPLED)
SCENARIOS = {PATIENTS: NAMES, LESIONS: ("no_mib1", "mib1"), RESAMPLED: ("no_mib1", "mib1")}
# Studies that share a random stream: a job takes whole blocks.
BLOCK = 50


@dataclass(frozen=True)
class Chunk:
    """The blocks of one job: number and how many studies, of a scenario at a size; which rows."""

    scenario: str
    patients: int
    blocks: tuple[tuple[int, int], ...]
    rows: str = PATIENTS

    @property
    def path(self) -> str:
        """Return the name of its file, which says which studies are in it.

        A chunk that stands in another grid as well has the same one, and its file is used again.
        """
        first = self.blocks[0][0] * BLOCK
        return f"{self.rows}/{self.scenario}/{self.patients}/{first + 1}-{first + self.studies}.csv"

    @property
    def studies(self) -> int:
        """Return how many studies are drawn."""
        return sum(studies for _, studies in self.blocks)

    @property
    def work(self) -> float:
        """Return what the chunk costs, in a unit of its own."""
        return sum(
            work(self.scenario, self.patients, studies, self.rows) for _, studies in self.blocks
        )


def work(scenario: str, patients: int, studies: int, rows: str = PATIENTS) -> float:
    """Return what it costs to draw and to analyse so many studies, in a unit of its own."""
    # As measured: most of it is a search, which many patients hardly make longer; a study of a
    # scenario that misleads is asked for few rows, and few patients have no model of lesions.
    if rows == LESIONS:
        return studies * min(0.05 * patients, 0.6 + 0.008 * patients)
    if rows == RESAMPLED:
        return studies * (0.3 + 0.005 * patients)
    of_truth = patients / (patients + 45)
    return studies * (of_truth if scenario in OF_TRUTH else 0.07 + 0.0005 * patients)


def chunks(settings: Mapping[str, Any]) -> list[Chunk]:
    """Return what each job does; the last one of a cell has fewer studies.

    Parameters
    ----------
    settings : the section `calibration` of the config, resolved.
    """
    replicates, size = settings["replicates"], settings["chunk"] // BLOCK
    blocks = [
        (number, min(BLOCK, replicates - number * BLOCK))
        for number in range(math.ceil(replicates / BLOCK))
    ]
    return [
        Chunk(scenario, patients, tuple(blocks[start : start + size]), rows)
        for rows, scenarios in SCENARIOS.items()
        for scenario in scenarios
        for patients in sorted(settings["patients"])
        for start in range(0, len(blocks), size)
    ]


def said(done: Sequence[Chunk], ahead: Sequence[Chunk], part: float, seconds: float) -> str:
    """Return how far a run is, and how long the rest takes on one core.

    Parameters
    ----------
    done, ahead : the chunks that are done, in any run, and those that are not.
    part : studies that are done of the first one ahead.
    seconds : how long one unit of work takes (`work`).

    >>> cell = Chunk("no_mib1", 45, ((0, 50), (1, 50)))
    >>> said([cell], [cell], 50, 0.2)
    'Calibration: 150 of 200 studies done (75%); about 5 s left on one core.'
    """
    finished = sum(chunk.studies for chunk in done) + part
    left = sum(chunk.studies for chunk in ahead) - part
    rest = sum(chunk.work for chunk in ahead)
    if ahead:
        rest -= work(ahead[0].scenario, ahead[0].patients, int(part), ahead[0].rows)
    return progress.said("Calibration", "studies", finished, left, seconds * rest)
