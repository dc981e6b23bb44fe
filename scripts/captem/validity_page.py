"""`docs/validity.md`: what was measured, said first, and the tables behind it.

The page is made of the measured table alone, so that the same table gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from captem import measured, worlds, worlds_lesions
from captem.calibration_grid import BLOCK
from captem.validity import SEED
from captem.validity_rows import EFFORT, REPLICATES, THRESHOLD
from captem.worlds import Scenario

_HEAD = """\
# Does the software keep its word?

Made by `make calibrate`; do not edit. Studies were drawn in which the truth is known
(`scripts/captem/worlds.py`; every number there is invented), and each was given to the functions
that write `statistics.csv`. Counted is how often a 95 % interval holds the truth, how often P is
.05 or less, how far estimates are off, and how often a row is `ok`, `unstable` or `not_estimable`.

What is asked, among the studies in which a row gives numbers:

- an **exact** test rejects in no more than 5 % where there is nothing (and three Monte Carlo errors
  of the measuring);
- an **approximate** test rejects in 2.5 to 7.5 % where there is nothing, and a 95 % **interval**
  holds the truth in 92.5 % at least, as measured (an exact one but for three Monte Carlo errors).

A row that does not, at a size, is **`unstable` at that size** in every study, and its reason quotes
the figure (`scripts/captem/measured.py`), once 2,000 studies or more were drawn. Which size is
nearest is decided by the row's own number of patients, as a ratio.
"""
_LEFT_OUT = f"""\
## What is not measured

- `/imputed`, `sensitivity.*` and `predicted.*` rest on the models above and on assumptions of their
  own on what is missing, misread or left out; which of these hold is not a matter of drawing.
- `bias.*` is itself a simulation; `describe.*`, and shares of lesions, have no interval or test;
  `agreement.*` are shares and kappas of readers.
- `/bootstrap` of the models of lesions, for the time it takes.
- Lesions, resamples and permutations where nothing changes between the scans: of MIB1 that is one
  more case in which it has no effect, and `no_mib1` measures it.
- Other thresholds of the SSTR criterion than {THRESHOLD}, covariates, interval scores, missing
  values, and odds that are not proportional but where nothing changes. A row of such a study is
  held to what was measured here at the nearest size.
- Sizes beyond the grid: they are held to its end.

Rank correlations have an exact P where it is quickly counted, and else one of {EFFORT.draws:,}
permutations, fewer than in `statistics.csv`: with either the test is of its level, and the status
of the row may differ where ties are many. `/bootstrap` and `/permutation` are of {REPLICATES:,}
resamples or arrangements, where `statistics.csv` has 2,000.

## How it is run

`make calibrate` in the clone (about two hours on two cores), or the target `calibrate` with
`calibration: patients, replicates, chunk` in a config, which leaves this page alone. Studies are
drawn in blocks of {BLOCK}; the stream of a block is spawned from the seed {SEED}, the truth, the
size, its number and the kind of rows (those of patients, of lesions, of resamples and permutations:
each kind has studies of its own), so that the result is the same to the byte for any `chunk` and
any number of cores. What was interrupted goes on and loses the chunks at work; more replicates
leave full chunks alone. Packages are those of `requirements.lock`.
"""
_TABLES = """\
## The tables

Shares in percent ± one Monte Carlo standard error. Where there is nothing, the share of P ≤ .05 is
the type I error (marked *); elsewhere it is the power. Bias, root mean square error and mean width
of ratios are in natural logarithms (1.10 is a factor of three), of the other rows in their own
unit; of finite estimates. *ok*, *unstable* and *not estimable* are shares of all drawn studies,
before what is measured here makes a row unstable. A cell that breaks a limit is **outside**; where
fewer than {enough} studies give numbers nothing is judged (*few*).
"""
_COLUMNS = (
    "patients", "what is true", "ok", "unstable", "not estimable", "interval holds the truth",
    "P ≤ .05", "bias", "RMSE", "mean width", "",
)  # fmt: skip


def page(cells: pd.DataFrame) -> str:
    """Return the page.

    Parameters
    ----------
    cells : as `validity_judged.judged` returns them.
    """
    of_truth = cells[cells["scenario"].isin([known.name for known in worlds.OF_TRUTH])]
    parts = [_HEAD, _world(cells), *_shown(of_truth), *_misled(cells), _LEFT_OUT]
    parts.append(_TABLES.format(enough=measured.ENOUGH))
    for row_id, chosen in of_truth.groupby("row_id", sort=False):
        if chosen[["covers", "rejects"]].notna().any(axis=None):
            parts.append(f"### `{row_id}`\n\n{_table(chosen)}\n")
    return "\n".join(parts)


def as_text(cells: pd.DataFrame) -> str:
    """Return what the terminal says at the end: how many cells are judged, and what is outside."""
    judged = cells[cells["judged"].eq("yes")]
    broken = judged[judged["outside"].ne("")]
    said = [
        f"Calibration: {_replicates(cells)} drawn studies of each truth and size. "
        f"{len(judged):,} cells are judged, {len(broken):,} of them are outside their limits."
    ]
    if judged.empty:
        said.append(f"Nothing is judged by fewer than {measured.ENOUGH} studies with numbers.")
    for row_id, chosen in broken.groupby("row_id", sort=False):
        sizes = ", ".join(f"{size:g}" for size in sorted(chosen["patients"].unique()))
        said.append(f"  {row_id}: {sizes} patients")
    return "\n".join(said) + "\n"


def _replicates(cells: pd.DataFrame) -> str:
    least, most = cells["studies"].min(), cells["studies"].max()
    return f"{most:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"


def _world(cells: pd.DataFrame) -> str:
    world = worlds.base()
    lines = [f"- `{known.name}`: {known.words}" for known in worlds.OF_TRUTH]
    few = float(cells["studies"].min()) < measured.WHOLE
    doubt = (
        "**This is a short run**: its Monte Carlo errors are large, and it makes no row unstable. "
        if few
        else ""
    )
    sizes = ", ".join(f"{size:g}" for size in sorted(cells["patients"].unique()))
    return (
        f"**{_replicates(cells)} studies of each truth and size** ({sizes} patients). {doubt}"
        "What can be true:\n\n"
        + "\n".join(lines)
        + "\n\nOf the patients, "
        + ", ".join(f"{100 * share:.0f} %" for share in world.shares)
        + " have the baseline scores 0 to 4; each step of baseline multiplies the odds of a higher "
        f"follow-up score by {math.exp(world.per_step):.1f}. MIB1 is lognormal, and each doubling "
        f"goes with {2 ** world.suv_line[2]:.2f} times the SUVmax where it has an effect. A "
        "patient has one to five lesions, each number as likely; they share an effect with "
        f"standard deviation {worlds_lesions.SD:g} on the log odds of a higher score, and "
        f"{100 * worlds_lesions.SHARED:.0f} % of the variance of log2 SUVmax around its line. "
        "A lesion starts at the patient's score, or with one chance in four each a step below or "
        "above. The truth of `/gee` for scores is that of a very large study.\n"
    )


def _shown(cells: pd.DataFrame) -> Iterable[str]:
    judged = cells[cells["judged"].eq("yes")]
    broken = judged[judged["outside"].ne("")]
    yield (
        "## What it shows\n\n"
        f"Of {len(judged):,} cells (a row at a size under a truth) with enough studies, "
        f"{len(broken):,} are outside their limits"
        + (":\n" if len(broken) else ".\n")
    )  # fmt: skip
    for row_id, chosen in broken.groupby("row_id", sort=False):
        yield f"- `{row_id}`"
        for _, own in chosen.groupby("patients"):
            said = measured.in_words(own).removesuffix(" (docs/validity.md)")
            yield f"  - {said}"
    yield (
        "\nThe worst over what can be true, in percent: coverage, and type I error where there is "
        "nothing (*exact* tests by name); **bold** is outside, *few* is too little to judge.\n"
    )
    sizes = sorted(cells["patients"].unique())
    yield "| row | " + " | ".join(f"n = {size:g}" for size in sizes) + " |"
    yield "|---" * (len(sizes) + 1) + "|"
    for row_id, chosen in cells.groupby("row_id", sort=False):
        told = [_worst(chosen[chosen["patients"].eq(size)]) for size in sizes]
        if any(text != "–" for text in told):
            exact = " (exact)" if measured.is_exact_test(str(row_id)) else ""
            yield f"| `{row_id}`{exact} | " + " | ".join(told) + " |"
    yield ""


def _worst(own: pd.DataFrame) -> str:
    """Return lowest coverage and the size farthest from 5 % of a row at one size."""
    said = []
    covers = own[own["covers"].notna()]
    if len(covers):
        worst = covers.loc[covers["covers"].idxmin()]
        said.append(_marked(f"holds {100 * worst['covers']:.1f}", worst, measured.COVERAGE))
    tests = own[own["is_error"].eq("yes") & own["rejects"].notna()]
    if len(tests):
        exact = measured.is_exact_test(str(tests["row_id"].iloc[0]))
        away = tests["rejects"] if exact else (tests["rejects"] - measured.SIZE).abs()
        worst = tests.loc[away.idxmax()]
        said.append(_marked(f"errs {100 * worst['rejects']:.1f}", worst, measured.TEST))
    return ", ".join(said) or "–"


def _marked(text: str, cell: pd.Series, kind: str) -> str:
    if cell["judged"] == "no":
        return f"{text} (few)"
    return f"**{text}**" if kind in cell["outside"] else text


def _misled(cells: pd.DataFrame) -> Iterable[str]:
    """Yield how often there is a finding without any effect of the drug or of MIB1."""
    yield (
        "## How often is this rejected without any drug effect?\n\nNo method protects from what "
        "misleads here: how often P is .05 or less though the drug, or MIB1, does nothing. The "
        "scenarios are printed and never judged; how strong they are is invented.\n"
    )
    for scenario in worlds.OF_BIAS:
        chosen = cells[cells["scenario"].eq(scenario.name) & cells["row_id"].isin(_asked(scenario))]
        if chosen.empty:
            continue
        yield f"**{scenario.name}**: {scenario.words}.\n"
        sizes = sorted(chosen["patients"].unique())
        yield "| row | " + " | ".join(f"{size:g} patients" for size in sizes) + " |"
        yield "|---" * (len(sizes) + 1) + "|"
        for row_id, found in chosen.groupby("row_id", sort=False):
            own = found.set_index("patients")
            told = [_with_error(own.loc[size], "rejects") for size in sizes]
            yield f"| `{row_id}` | " + " | ".join(told) + " |"
        yield ""


def _asked(scenario: Scenario) -> tuple[str, ...]:
    """Return the rows that a scenario misleads, or could."""
    change = (
        "transition.signed_rank/krenning/all", "transition.sign_test/krenning/all",
        "transition.marginal_homogeneity/krenning/all/scored", "criterion.mcnemar/criterion/all",
    )  # fmt: skip
    mib1 = ("association.mib1/krenning/all", "model.krenning/krenning/all/log2_mib1")
    cycles = (
        "association.cycles/krenning/all", "model.krenning_cycles/krenning/all/captem_cycles",
        "model.krenning_cycles/krenning/all/log2_mib1", *mib1,
    )  # fmt: skip
    if scenario.cycles_for_rise:
        return cycles
    return (*change, *mib1) if scenario.mib1_on_baseline else change


def _table(chosen: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---" * len(_COLUMNS) + "|"]
    for _, cell in chosen.sort_values("patients", kind="stable").iterrows():
        rejects = _with_error(cell, "rejects")
        verdict = "few" if cell["judged"] == "no" else "**outside**" if cell["outside"] else ""
        values = (
            f"{cell['patients']:g}", cell["scenario"],
            *(f"{100 * cell[name] / cell['studies']:.1f}"
              for name in ("ok", "unstable", "not_estimable")),
            _with_error(cell, "covers"),
            rejects + ("*" if cell["is_error"] == "yes" and rejects != "–" else ""),
            *(_number(cell[name]) for name in ("bias", "rmse", "mean_width")), verdict,
        )  # fmt: skip
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def _with_error(cell: pd.Series, name: str) -> str:
    if pd.isna(cell[name]):
        return "–"
    return f"{100 * cell[name]:.1f} ± {100 * cell[f'{name}_error']:.1f}"


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
