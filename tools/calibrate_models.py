"""How often the intervals of the model rows hold the truth, and how often their tests reject.

    python tools/calibrate_models.py [--studies 2000] [--firth 400] [--processes 2] [--out FILE]

Studies are drawn in which MIB1 has no effect on the follow-up score, or doubles the odds of a
higher one with each doubling of MIB1. Each study is given to the functions that write the rows of
`statistics.csv` (`captem.krenning_model`, `captem.criterion_model`, `captem.suvmax_model`), so that
limits, refusals and doubts are theirs; what is counted is the row of MIB1. The table and what it
means go to `docs/models_calibration.md`.

How a study is drawn (`World`): the scores and SUVmax of 3,000 synthetic patients
(`captem.synthetic`) give the shares of the baseline scores, and the coefficients and thresholds of
a proportional-odds model and of a straight line in log2 SUVmax. From these the study is drawn, with
the effect of MIB1 replaced. The result depends on the seed and the counts alone, not on the
processes. Ends with 1 where a reported row holds the truth in less than 93.5 %, beyond doubt by the
Monte Carlo error.
"""

from __future__ import annotations

import os

# Two processes of one thread each; NumPy reads this when it is imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import argparse  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterable, Iterator  # noqa: E402
from concurrent.futures import ProcessPoolExecutor  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captem import (  # noqa: E402
    criterion_model,
    krenning_model,
    ordinal,
    planned_models,
    suvmax_model,
    synthetic,
)
from captem.krenning_model import ML  # noqa: E402
from captem.model_parts import PRIMARY_TERM  # noqa: E402

PATIENTS = (12, 23, 40, 60)
ODDS_RATIOS = (1.0, 2.0)
SYNTHETIC_PATIENTS = 3000
SEED = 2024
THRESHOLD = 3
ALPHA = 0.05
DEMAND = 0.935
# Studies that one process draws and fits before it takes the next.
BLOCK = 100


@dataclass(frozen=True)
class World:
    """What studies are drawn from; MIB1 is counted in doublings from its median.

    Attributes:
        shares: share of patients with each baseline score, shape (5,).
        thresholds, per_step: theta and the log odds ratio per step of baseline, of the score.
        suv_mean, suv_sd: of log2 SUVmax at baseline.
        suv_line: intercept, slope on log2 SUVmax at baseline, slope on doublings of MIB1.
        suv_noise: standard deviation around that line, in doublings.
    """

    shares: tuple[float, ...]
    thresholds: tuple[float, ...]
    per_step: float
    suv_mean: float
    suv_sd: float
    suv_line: tuple[float, float, float]
    suv_noise: float


@dataclass(frozen=True)
class Study:
    """One study: shape (n,) each but for the last, the true effects of MIB1 on score and SUVmax."""

    doublings: np.ndarray
    before: np.ndarray
    after: np.ndarray
    suv_before: np.ndarray
    suv_after: np.ndarray
    effects: tuple[float, float]


@dataclass(frozen=True)
class Outcome:
    """What a row said of one study: nothing where it was refused.

    Attributes:
        given, ok, separated: it has an interval, its status is ok, a term separates the outcomes.
        covers, rejects: the interval holds the truth; P is at most .05.
        width: of the interval, in logarithms of the ratio.
    """

    given: bool
    ok: bool
    separated: bool
    covers: bool
    rejects: bool
    width: float


@dataclass(frozen=True)
class Cell:
    """One row of the table, the outcomes of its studies counted."""

    row: str
    patients: int
    effect: str
    studies: int
    given: int
    ok: int
    separated: int
    covered: int
    covered_ok: int
    rejected: int
    rejected_ok: int
    width: float

    @property
    def coverage(self) -> float:
        """Share of the rows given whose interval holds the truth."""
        return self.covered / self.given if self.given else math.nan


PARAMETERS = synthetic.Parameters()
REDUCED, LIKELIHOOD, FIRTH, SUVMAX = ("bias-reduced", "profile likelihood", "Firth", "HC3")
NAMES = {
    REDUCED: "`model.krenning`, reported: bias-reduced, Wald",
    LIKELIHOOD: "`model.krenning`, beside it: profile likelihood, likelihood ratio",
    FIRTH: "`model.criterion`, reported: Firth, profile penalised likelihood",
    SUVMAX: "`model.suvmax`, reported: least squares, HC3 with t",
}
REPORTED = (REDUCED, FIRTH, SUVMAX)


def world(patients: int = SYNTHETIC_PATIENTS, seed: int = SEED) -> World:
    """Return the `World` that synthetic patients come from, rounded to what is printed of it."""
    drawn = [
        patient
        for patient in synthetic.generate(patients, seed).patients
        if patient.krenning_post is not None
    ]
    before = np.array([patient.krenning_pre for patient in drawn])
    after = np.array([patient.krenning_post for patient in drawn])
    doublings = np.log2([patient.mib1 / PARAMETERS.mib1_median for patient in drawn])
    of_scores = ordinal.fit(after, after, np.column_stack([before, doublings]))
    suv = np.log2([_suvs(patient) for patient in drawn])
    design = np.column_stack([np.ones(len(drawn)), suv[:, 0], doublings])
    line = np.linalg.lstsq(design, suv[:, 1])[0]
    rest = suv[:, 1] - design @ line
    shares = np.round(np.bincount(before, minlength=5) / len(before), 2)
    shares[shares.argmax()] += 1 - shares.sum()
    return World(
        shares=_rounded(shares, 2),
        thresholds=_rounded(of_scores.thresholds, 1),
        per_step=round(float(of_scores.beta[0]), 1),
        suv_mean=round(float(suv[:, 0].mean()), 1),
        suv_sd=round(float(suv[:, 0].std()), 1),
        suv_line=_rounded(line, 2),
        suv_noise=round(float(rest.std()), 2),
    )


def _rounded(values: Iterable[float], digits: int) -> Any:
    return tuple(round(float(value), digits) for value in values)


def _suvs(patient: synthetic.Patient) -> tuple[float, float]:
    """Return SUVmax before and after: the highest that most of the matched lesions reach."""
    pairs = [(a.pre.suvmax, a.post.suvmax) for a in patient.lesions if a.pre and a.post]
    first, last = (sorted(values, reverse=True) for values in zip(*pairs, strict=True))
    return first[len(pairs) // 2], last[len(pairs) // 2]


def draw(rng: np.random.Generator, of: World, patients: int, odds_ratio: float) -> Study:
    """Draw one study. With an odds ratio of 1 MIB1 goes with SUVmax as little as with the score."""
    p = PARAMETERS
    mib1 = rng.lognormal(math.log(p.mib1_median), p.mib1_log_sd, patients)
    doublings = np.log2(np.clip(np.rint(mib1), p.mib1_min, p.mib1_max) / p.mib1_median)
    before = rng.choice(len(of.shares), patients, p=of.shares)
    latent = of.per_step * before + math.log(odds_ratio) * doublings + rng.logistic(size=patients)
    after = (latent[:, None] > np.array(of.thresholds)).sum(axis=1)
    start, on_itself, on_mib1 = of.suv_line
    effect = on_mib1 if odds_ratio != 1 else 0.0
    suv = rng.normal(of.suv_mean, of.suv_sd, patients)
    later = start + on_itself * suv + effect * doublings + rng.normal(0, of.suv_noise, patients)
    return Study(doublings, before, after, suv, later, (math.log(odds_ratio), effect))


def krenning(study: Study) -> dict[str, Outcome]:
    """Return what both rows of `model.krenning` say of MIB1."""
    chosen = pd.DataFrame({f"krenning_post_{end}": study.after for end in ("low", "high")})
    x = np.column_stack([study.before, study.doublings])
    found = krenning_model.fit(planned_models.KRENNING, "all", "primary", chosen, x)
    separated = bool(found.record.get("flags", {}).get("separation"))
    rows = {row["row_id"]: row for row in found.rows if row["term"] == PRIMARY_TERM}
    truth = study.effects[0]
    return {
        LIKELIHOOD if name.endswith(ML) else REDUCED: outcome(row, truth, separated)
        for name, row in rows.items()
    }


def criterion(study: Study) -> dict[str, Outcome]:
    """Return what the row of `model.criterion` says of MIB1, of those below the threshold before.

    With proportional odds the odds ratio of reaching the threshold is that of a higher score.
    """
    below = study.before < THRESHOLD
    gained = np.where(study.after[below] >= THRESHOLD, "yes", "no")
    x = np.column_stack([study.before, study.doublings])[below]
    chosen = pd.DataFrame({"criterion_post": gained})
    found = criterion_model.fit(planned_models.CRITERION, "all", "secondary", chosen, x)
    separated = bool(found.record.get("flags", {}).get("separated"))
    row = next(row for row in found.rows if row["term"] == PRIMARY_TERM)
    return {FIRTH: outcome(row, study.effects[0], separated)}


def suvmax(study: Study) -> dict[str, Outcome]:
    """Return what the row of `model.suvmax` says of MIB1."""
    chosen = pd.DataFrame({"suvmax_post": 2.0**study.suv_after})
    x = np.column_stack([study.suv_before, study.doublings])
    found = suvmax_model.fit(planned_models.SUVMAX, "all", "secondary", chosen, x)
    row = next(row for row in found.rows if row["term"] == PRIMARY_TERM)
    return {SUVMAX: outcome(row, study.effects[1] * math.log(2), separated=False)}


def outcome(row: dict[str, Any], truth: float, separated: bool) -> Outcome:
    """Return what a row says; `truth` is the logarithm of the true ratio."""
    if row["status"] == "not_estimable":
        return Outcome(False, False, separated, False, False, math.nan)
    low, high = (_log(row[end]) for end in ("conf_low", "conf_high"))
    return Outcome(
        given=True,
        ok=row["status"] == "ok",
        separated=separated,
        covers=low <= truth <= high,
        rejects=row["p_value"] <= ALPHA,
        width=high - low,
    )


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf


MODELS: tuple[tuple[Callable[[Study], dict[str, Outcome]], tuple[str, ...]], ...] = (
    (krenning, (REDUCED, LIKELIHOOD)),
    (criterion, (FIRTH,)),
    (suvmax, (SUVMAX,)),
)


@dataclass(frozen=True)
class Task:
    """A block of studies of one cell for one of `MODELS`."""

    of: World
    model: int
    patients: int
    odds_ratio: float
    first: int
    studies: int


def run(task: Task) -> list[dict[str, Outcome]]:
    """Draw and fit a block; study k of a cell is the same whoever draws it.

    Raises
    ------
    RuntimeError
        If a model fails, with the study that it fails in.
    """
    fit = MODELS[task.model][0]
    found = []
    for number in range(task.first, task.first + task.studies):
        rng = np.random.default_rng([SEED, task.patients, int(10 * task.odds_ratio), number])
        study = draw(rng, task.of, task.patients, task.odds_ratio)
        try:
            found.append(fit(study))
        except Exception as failure:
            name = f"{fit.__name__}, {task.patients} patients, odds ratio {task.odds_ratio:g}"
            raise RuntimeError(f"study {number} of {name}: {failure!r}") from failure
    return found


def tasks(of: World, studies: int, firth: int) -> Iterator[Task]:
    """Return every block, the slow models first so that both processes end together."""
    counts = (studies, firth, studies)
    for model in (1, 0, 2):
        for patients in PATIENTS:
            for odds_ratio in ODDS_RATIOS:
                for first in range(0, counts[model], BLOCK):
                    size = min(BLOCK, counts[model] - first)
                    yield Task(of, model, patients, odds_ratio, first, size)


def counted(row: str, task: Task, outcomes: list[Outcome], of: World) -> Cell:
    """Return a cell of the table."""
    given = [item for item in outcomes if item.given]
    ok = [item for item in given if item.ok]
    if task.odds_ratio == 1:
        effect = "none"
    elif row == SUVMAX:
        effect = f"ratio {2 ** of.suv_line[2]:.2f}"
    else:
        effect = f"OR {task.odds_ratio:g}"
    return Cell(
        row=row,
        patients=task.patients,
        effect=effect,
        studies=len(outcomes),
        given=len(given),
        ok=len(ok),
        separated=sum(item.separated for item in outcomes),
        covered=sum(item.covers for item in given),
        covered_ok=sum(item.covers for item in ok),
        rejected=sum(item.rejects for item in given),
        rejected_ok=sum(item.rejects for item in ok),
        width=float(np.median([item.width for item in given])) if given else math.nan,
    )


def calibrate(of: World, studies: int, firth: int, processes: int) -> list[Cell]:
    """Return the cells of all rows, in the order of `NAMES`."""
    todo = list(tasks(of, studies, firth))
    with ProcessPoolExecutor(processes) as pool:
        blocks = list(pool.map(run, todo))
    gathered: dict[tuple[str, int, float], tuple[Task, list[Outcome]]] = {}
    for task, block in zip(todo, blocks, strict=True):
        for row in MODELS[task.model][1]:
            key = (row, task.patients, task.odds_ratio)
            gathered.setdefault(key, (task, []))[1].extend(found[row] for found in block)
    order = {row: place for place, row in enumerate(NAMES)}
    keys = sorted(gathered, key=lambda key: (order[key[0]], *key[1:]))
    return [counted(key[0], *gathered[key], of) for key in keys]


def share(count: int, of: int) -> str:
    """Return a share in percent with its Monte Carlo standard error."""
    if not of:
        return "–"
    value = count / of
    return f"{value:.1%} ± {math.sqrt(value * (1 - value) / of):.1%}".replace("%", "")


def whole(count: int, of: int) -> str:
    """Return a share in percent, to one decimal."""
    return f"{100 * count / of:.1f}"


HEAD = (
    *("patients", "effect of MIB1", "refused", "separated", "covers", "P ≤ .05", "median width"),
    *("ok", "covers, of ok", "P ≤ .05, of ok"),
)


def table(cells: Iterable[Cell]) -> str:
    """Return the cells of one row of results as a table."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for cell in cells:
        values = (
            str(cell.patients),
            cell.effect,
            whole(cell.studies - cell.given, cell.studies),
            "–" if cell.row == SUVMAX else whole(cell.separated, cell.studies),
            share(cell.covered, cell.given) + (" **low**" if cell.coverage < DEMAND else ""),
            share(cell.rejected, cell.given),
            "–" if math.isnan(cell.width) else f"{cell.width:.2f}".replace("inf", "∞"),
            whole(cell.ok, cell.studies),
            share(cell.covered_ok, cell.ok),
            share(cell.rejected_ok, cell.ok),
        )
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def low(cell: Cell) -> bool:
    """Return whether coverage is below the demand by more than two Monte Carlo errors."""
    value = cell.coverage
    return value + 2 * math.sqrt(value * (1 - value) / cell.given) < DEMAND


TEXT = """\
# Do the intervals of the models hold what they promise?

Made by `make calibrate` (`tools/calibrate_models.py`); do not edit. Studies were drawn in which
the truth is known, and each was given to the functions that write the rows of `statistics.csv`.
What is counted is the row of MIB1: how often its 95 % interval covers the truth (it should in
95 %, and is to in 93.5 %), and how often P is at most .05 (with no effect it should be in 5 %; with
an effect this is the power).

## What it shows

{findings}

A row may be right as often as promised and still say little: see the power, and the widths. Rows
that are `unstable` are to be read as exploratory; the column *ok* shows how few are not.
What is drawn here keeps to the model; nothing here speaks of studies in which the odds are not
proportional, patients are selected, or scores are misread.

## The tables

{studies:,} studies of each line, of `model.criterion` {firth}; all in percent but the width,
± one Monte Carlo standard error.

- *refused*: the row gives no estimate (`not_estimable`). *separated*: a term separates the
  outcomes, of all studies.
- *covers*, *P ≤ .05*, *median width*: of all studies whose row gives an interval, also where it
  is `unstable`. The width is on the scale of natural logarithms: 1.10 is an upper end three times
  the lower.
- *ok*: studies whose row is `ok`, and the same of those alone.
- **low**: below 93.5 %.

{tables}

## How the studies were drawn

{synthetic:,} synthetic patients (`captem.synthetic`; every number there is invented) give what is
kept in all studies; it was fitted to them and rounded.

- MIB1: lognormal with median {p.mib1_median:g} % and standard deviation {p.mib1_log_sd:g} of its
  logarithm, in whole percent from {p.mib1_min} to {p.mib1_max}.
- Score at baseline 0 to 4: shares {shares}; not related to MIB1.
- Score at follow-up: proportional odds with thresholds {thresholds} (MIB1 at its median), log
  odds ratio {of.per_step} for each step at baseline, and for each doubling of MIB1 either 0 or
  log 2.
- Criterion: a score of {threshold} or more, of those below it at baseline ({below:.0%} of the
  patients); its odds ratio is that of the score.
- log2 SUVmax at baseline: normal, mean {of.suv_mean}, standard deviation {of.suv_sd}; at
  follow-up a straight line in it with slope {of.suv_line[1]:g}, normal noise of {of.suv_noise},
  and for each doubling of MIB1 either 0 or {of.suv_line[2]:g}.
"""


def document(of: World, cells: list[Cell], studies: int, firth: int) -> str:
    """Return the text of `docs/models_calibration.md`."""
    tables = "\n\n".join(
        f"### {name}\n\n{table(cell for cell in cells if cell.row == row)}"
        for row, name in NAMES.items()
        if any(cell.row == row for cell in cells)
    )
    return TEXT.format(
        findings="\n".join(f"- {line}" for line in findings(cells)),
        studies=studies,
        firth=f"{firth:,}" if firth else "none",
        tables=tables,
        synthetic=SYNTHETIC_PATIENTS,
        p=PARAMETERS,
        of=of,
        shares=", ".join(f"{value:g}" for value in of.shares),
        thresholds=", ".join(f"{value:g}" for value in of.thresholds),
        threshold=THRESHOLD,
        below=sum(of.shares[:THRESHOLD]),
    )


def findings(cells: Iterable[Cell]) -> list[str]:
    """Return a sentence on each row of results: the range of its coverage and of its size."""
    said = []
    cells = [cell for cell in cells if cell.given]
    for row, name in NAMES.items():
        own = [cell for cell in cells if cell.row == row]
        if not own:
            said.append(f"{name}: not counted in this run.")
            continue
        covers = [cell.coverage for cell in own]
        sizes = [cell.rejected / cell.given for cell in own if cell.effect == "none"]
        text = (
            f"{name}: covers in {100 * min(covers):.1f} to {100 * max(covers):.1f} %; with no "
            f"effect P ≤ .05 in {100 * min(sizes):.1f} to {100 * max(sizes):.1f} %."
        )
        places = [f"{cell.patients} patients, effect {cell.effect}" for cell in own if low(cell)]
        near = [
            f"{cell.patients} patients, effect {cell.effect}"
            for cell in own
            if cell.coverage < DEMAND and not low(cell)
        ]
        if places:
            text += f" Clearly below {100 * DEMAND:g} %: {'; '.join(places)}."
        if near:
            text += (
                f" Below {100 * DEMAND:g} % by less than two Monte Carlo errors: {'; '.join(near)}."
            )
        said.append(text)
    return said


def main(argv: list[str] | None = None) -> int:
    """Write the document and return 1 where a reported row is below the demand."""
    parser = argparse.ArgumentParser(description="Calibrate the rows of the models.")
    parser.add_argument("--studies", type=int, default=2000, help="studies of each cell")
    parser.add_argument(
        "--firth", type=int, default=400, help="the same for the Firth model; 0 leaves it out"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/models_calibration.md")
    chosen = parser.parse_args(argv)
    of = world()
    cells = calibrate(of, chosen.studies, chosen.firth, chosen.processes)
    chosen.out.write_text(
        document(of, cells, chosen.studies, chosen.firth), encoding="utf-8", newline="\n"
    )
    print("\n".join(findings(cells)))
    short = [cell for cell in cells if cell.row in REPORTED and low(cell)]
    for cell in short:
        print(
            f"below {DEMAND:.1%}: {cell.row}, {cell.patients} patients, effect {cell.effect}",
            file=sys.stderr,
        )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
