"""How often paired tests reject when rise and fall are as likely, and how fast the exact P is.

    python tools/bench_transitions.py [COHORTS]

The first table is the size at 5 %: the share of COHORTS (20,000) simulated cohorts that a test
rejects although every change could as well have gone the other way. An exact test stays at 5 % or
below; the mid-P may pass it by a little and is shown without a limit. Whether a pair of scores
changed is a fair coin; `STEPS` are the shares of the sizes of a change, and where on the scale it
lies is drawn evenly.

The second table is the time of the exact signed-rank P of 1,000 differences with ties, against
the plain sum over all doubled ranks, in turn in the same run.

The third is the time of the whole chapter on the example's patients, and on 100,000 made of them;
the drawing of permutations is shown apart, and start-up and the simulations of `captem.bias`, which
are a step of their own, are left out.

Ends with 1 where a limit is broken.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captem import (  # noqa: E402
    association,
    proportions,
    square,
    transition_rows,
    transitions,
)
from captem import signed_rank as ranked  # noqa: E402
from captem.cohort import Source, ingest  # noqa: E402
from captem.files import read_frame, write_frame  # noqa: E402

ALPHA = 0.05
PATIENTS = (6, 10, 20, 60)
# Of 0, 1, ..., 4 steps.
STEPS = (0.5, 0.25, 0.15, 0.07, 0.03)
THRESHOLD = 3
DIFFERENCES = 1000
ROUNDS = 5
# Seconds that the chapter may take, by patients.
CHAPTER = {60: 0.5, 100_000: 5.0}


def cohorts(patients: int, replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Return (replicates, 5, 5) tables of scores before by after, symmetric in distribution."""
    sizes = rng.choice(len(STEPS), (replicates, patients), p=STEPS)
    low = rng.integers(0, len(STEPS) - sizes)
    rises = rng.random((replicates, patients)) < 0.5
    before, after = np.where(rises, low, low + sizes), np.where(rises, low + sizes, low)
    cells = (np.arange(replicates)[:, None] * 5 + before) * 5 + after
    return np.bincount(cells.ravel(), minlength=replicates * 25).reshape(replicates, 5, 5)


def gains(table: np.ndarray) -> tuple[int, ...]:
    """Return how many patients gained -4, ..., 4 steps."""
    return tuple(int(np.trace(table, offset)) for offset in range(-4, 5))


def signs(table: np.ndarray) -> tuple[int, int]:
    """Return how many rose and how many fell."""
    return int(np.triu(table, 1).sum()), int(np.tril(table, -1).sum())


def criterion(table: np.ndarray) -> tuple[int, int]:
    """Return how many gained and how many lost the criterion."""
    return int(table[:THRESHOLD, THRESHOLD:].sum()), int(table[THRESHOLD:, :THRESHOLD].sum())


def pairs(table: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return the opposed counts of each pair of scores, all that Bowker's test sees of a table."""
    row, col = np.triu_indices(5, 1)
    there, back = table[row, col], table[col, row]
    opposed = zip(np.maximum(there, back), np.minimum(there, back), strict=True)
    return tuple(sorted((int(more), int(less)) for more, less in opposed if more))


def signed_rank_p(counts: tuple[int, ...]) -> float:
    return ranked.conditional_test(*ranked.groups_of_gains(np.array(counts))).p_value


def two_counts(p_of: Callable[[int, int], float]) -> Callable[[tuple[int, int]], float]:
    return lambda counts: p_of(*counts)


def bowker_p(opposed: tuple[tuple[int, int], ...]) -> float:
    row, col = np.triu_indices(5, 1)
    table = np.zeros((5, 5), dtype=int)
    for place, (more, less) in enumerate(opposed):
        table[row[place], col[place]], table[col[place], row[place]] = more, less
    return square.bowker(table).p_value


# What a test sees of a table, its P, and whether it promises its level.
TESTS: dict[str, tuple[Callable[[np.ndarray], Hashable], Callable[..., float], bool]] = {
    "signed-rank": (gains, signed_rank_p, True),
    "sign test": (signs, two_counts(proportions.two_sided_binomial), True),
    "McNemar exact": (criterion, two_counts(proportions.two_sided_binomial), True),
    "McNemar mid-P": (criterion, two_counts(proportions.mid_p_binomial), False),
    "Bowker exact": (pairs, bowker_p, True),
}


def sizes(replicates: int) -> bool:
    """Print how often each test rejects; return whether all exact ones keep their level."""
    most = ALPHA + 3 * (ALPHA * (1 - ALPHA) / replicates) ** 0.5
    print(f"size at {ALPHA:.0%} over {replicates:,} cohorts (exact tests: at most {most:.4f})")
    print("patients" + "".join(f"{name:>15}" for name in TESTS))
    kept = True
    for patients in PATIENTS:
        tables = cohorts(patients, replicates, np.random.default_rng(patients))
        line = f"{patients:8d}"
        for sees, p_of, exact in TESTS.values():
            known: dict[Hashable, float] = {}
            rejected = 0
            for table in tables:
                seen = sees(table)
                if seen not in known:
                    known[seen] = p_of(seen)
                rejected += known[seen] <= ALPHA
            share = rejected / replicates
            broken = exact and share > most
            kept &= not broken
            line += f"{share:14.4f}{'!' if broken else ' '}"
        print(line)
    return kept


def plain_p(differences: np.ndarray) -> float:
    """Return the two-sided P by adding one doubled rank after the other, over all sums."""
    ranks, rises, falls = ranked.groups(differences)
    every = np.repeat(ranks, rises + falls)
    chances = np.zeros(int(every.sum()) + 1)
    chances[0] = 1.0
    reached = 0
    for rank in every:
        chances[: reached + 1] /= 2
        reached += rank
        chances[rank : reached + 1] += chances[: reached + 1 - rank].copy()
    return float(min(1.0, 2 * chances[: min(ranks @ rises, ranks @ falls) + 1].sum()))


def shipped_p(differences: np.ndarray) -> float:
    return ranked.conditional_test(*ranked.groups(differences)).p_value


def times() -> bool:
    """Print the times of the exact P; return whether it takes no longer than the plain sum."""
    print(f"\nexact P of {DIFFERENCES:,} log2 ratios, median of {ROUNDS} (ratio: at most 1)")
    print("rounded to    plain   captem   ratio        P")
    fast = True
    rng = np.random.default_rng(1)
    for decimals in (1, 2):
        differences = np.round(rng.normal(0.04, 0.6, DIFFERENCES), decimals)
        spent: dict[Callable[[np.ndarray], float], list[float]] = {plain_p: [], shipped_p: []}
        found = {}
        for _ in range(ROUNDS):
            for p_of, taken in spent.items():
                start = time.perf_counter()
                found[p_of] = p_of(differences)
                taken.append(time.perf_counter() - start)
        plain, shipped = (float(np.median(taken)) for taken in spent.values())
        same = np.isclose(found[plain_p], found[shipped_p], rtol=1e-9, atol=0)
        fast &= bool(shipped <= plain and same)
        print(
            f"{10.0**-decimals:10g} {plain:7.3f}s {shipped:7.3f}s {shipped / plain:7.2f} "
            f"{found[shipped_p]:8.2g}{'' if same else f'   but {found[plain_p]:.6g} by the sum'}"
        )
    return fast


def cohort_of(patients: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the example's canonical tables, repeated to so many patients with other SUVs."""
    with tempfile.TemporaryDirectory() as scratch:
        example = ROOT / "config/cohorts/example"
        sources = [
            Source(name, str(example / f"{file}patients.csv"), str(example / f"{file}lesions.csv"),
                   columns={"mib1": "Ki-67 (%)"} if not file else {})
            for name, file in (("retrospective", ""), ("prospective", "prospective_"))
        ]  # fmt: skip
        read = ingest(sources)
        tables = []
        for name in ("patients", "lesions"):
            path = Path(scratch) / f"{name}.csv"
            write_frame(path, getattr(read, name))
            tables.append(read_frame(path))
    people, marks = tables
    if patients == len(people):
        return people, marks
    rng = np.random.default_rng(1)
    chosen = people.iloc[np.arange(patients) % len(people)].reset_index(drop=True)
    repeat = -(-patients // len(people))
    codes = [f"{code}-{i}" for i in range(repeat) for code in people["patient_id"]][:patients]
    own = pd.concat([marks.assign(patient_id=marks["patient_id"] + f"-{i}") for i in range(repeat)])
    for frame in (chosen, own):
        for time_ in ("pre", "post"):
            frame[f"suvmax_{time_}"] *= rng.uniform(0.8, 1.25, len(frame))
    chosen["patient_id"] = codes
    kept = own["patient_id"].isin(codes)
    return chosen, own[kept].reset_index(drop=True)


def chapter() -> bool:
    """Print the time of the chapter without its simulation; return whether it is in its limits."""
    drawing = [0.0]
    drawn = association._drawn

    def timed(*given: Any, **named: Any) -> Any:
        start = time.perf_counter()
        found = drawn(*given, **named)
        drawing[0] += time.perf_counter() - start
        return found

    association._drawn = timed
    print("\nthe chapter: tables of patients and lesions, matrix and every row, two subsets")
    print("patients   lesions   seconds   at most   and permutations")
    kept = True
    for patients, limit in CHAPTER.items():
        people, marks = cohort_of(patients)
        spent, drew = [], []
        for _ in range(ROUNDS):
            drawing[0] = 0.0
            start = time.perf_counter()
            changes = transitions.patient_transitions(people, marks, 3, "most")
            of_lesions = transitions.lesion_transitions(marks, 3, people)
            transitions.matrix(people)
            transition_rows.estimate(people, changes, of_lesions, ["prospective"])
            spent.append(time.perf_counter() - start - drawing[0])
            drew.append(drawing[0])
        seconds = float(np.median(spent))
        kept &= seconds <= limit
        drawn_in = float(np.median(drew))
        print(f"{patients:8,} {len(marks):9,} {seconds:9.2f} {limit:9g} {drawn_in:11.2f}")
    association._drawn = drawn
    return kept


def main(replicates: int) -> int:
    """Print the tables and return 1 where a test or a ratio breaks its limit.

    Seconds depend on the machine as much as on the code: they are told and break nothing.
    """
    kept, fast, quick = sizes(replicates), times(), chapter()
    if not quick:
        print("the chapter took too long: is the machine slow, or busy?", file=sys.stderr)
    if not kept:
        print("an exact test rejects too often", file=sys.stderr)
    if not fast:
        print("the exact P is slower than the plain sum, or another P", file=sys.stderr)
    return 0 if kept and fast else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
