"""How fast the model fits are beside R's packages and beside Python's, on the same resamples.

    python tools/bench_peers.py [--refits 2000] [--skip-missing] [--firthmodels PYTHON]

60 patients, five scores, three predictors, and 2,000 resamples of them whose rows every program
reads from one file. One thread each, processor seconds (other work on the machine matters less to
them than to a clock), start-up and one round to warm up left out, medians of a few repeats; ours
are taken before and after those of the peer. A peer that is too slow for all resamples fits the
first ones, and its time is scaled: the table says so. Beside the time stands how far the
coefficients are apart where both programs converge. A cell of planning is compared as a whole: each
program draws its own studies, so that there the power stands in place of the coefficients.

R with the packages of `DEBIAN` has to be there, and for `firthmodels` a Python that has it (PyPI;
in an environment of its own, named by --firthmodels or FIRTHMODELS_PYTHON). What is missing is an
error, or with --skip-missing a line that says so. Ends with 1 where a limit is broken.
"""

from __future__ import annotations

import os

# Read by NumPy and R when they start.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
os.environ.update(THREADS)

import argparse  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from functools import partial  # noqa: E402
from importlib import import_module  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(__file__).resolve().parent / "peers"
sys.path.insert(0, str(ROOT / "scripts"))

from captem import bias_reduced, firth, mixed_ordinal, ordinal_batch  # noqa: E402
from captem.planning_world import PRIOR  # noqa: E402

DEBIAN = {
    "ordinal": "r-cran-ordinal",
    "rms": "r-cran-rms",
    "brglm2": "r-cran-brglm2",
}
SEED = 60
PATIENTS = 60
REPEATS = 5
ORDERED_MODELS = 60
SINGLE_FITS = 200
LESION_SETS = 5
LESION_PATIENTS, LESIONS = 30, 97
AGREE = 1e-6
PLANNED = 2000
PLANNED_ODDS_RATIO = 1.5


class AbsentPeerError(Exception):
    """A peer that is not on this machine; the text says what to install."""


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        ours, theirs: seconds for the same fits.
        limit: how many times slower the peer has to be at least; None where nothing is demanded.
        note: how far the estimates are apart, and what was scaled.
        agrees: False where the estimates have to be the same and are not.
    """

    what: str
    ours: float
    theirs: float
    limit: float | None
    note: str
    agrees: bool = True

    @property
    def kept(self) -> bool:
        """Whether the line is within its limit."""
        return self.agrees and (self.limit is None or self.theirs / self.ours >= self.limit)


@dataclass(frozen=True)
class Resamples:
    """Scores y (n,), predictors x (n, 3), and drawn rows (R, n)."""

    y: np.ndarray
    x: np.ndarray
    rows: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How often each patient occurs in each resample, (R, n)."""
        return ordinal_batch.counts_of(self.rows, len(self.y))

    def write(self, folder: Path) -> None:
        """Write what the peers read."""
        names = ["y", *(f"x{k + 1}" for k in range(self.x.shape[1]))]
        data = np.column_stack([self.y, self.x])
        np.savetxt(folder / "data.csv", data, "%.17g", ",", header=",".join(names), comments="")
        np.savetxt(folder / "rows.csv", self.rows, "%d", ",")


def resamples(refits: int) -> Resamples:
    """Draw the patients (baseline score, log2 MIB1, cycles; follow-up score) and the resamples."""
    rng = np.random.default_rng(SEED)
    before = rng.choice(5, PATIENTS, p=(0.1, 0.35, 0.35, 0.15, 0.05))
    mib1 = np.log2(np.clip(np.rint(rng.lognormal(np.log(9), 0.75, PATIENTS)), 1, 60))
    cycles = np.clip(np.rint(rng.normal(7, 2.5, PATIENTS)), 2, 12)
    x = np.column_stack([before, mib1, cycles]).astype(float)
    latent = (x - x.mean(axis=0)) @ (0.8, 0.4, 0.1) + rng.logistic(size=PATIENTS)
    y = (latent[:, None] > (-2.5, -0.8, 0.8, 2.2)).sum(axis=1)
    return Resamples(y, x, rng.integers(0, PATIENTS, (refits, PATIENTS)))


def processor_seconds(work: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Return how long `work` takes, each time, after a first time that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return taken


def beside(work: Callable[[], object], peer: Callable[[], float]) -> tuple[float, float]:
    """Return seconds of ours, taken before and after the peer, and of the peer."""
    before = processor_seconds(work)
    theirs = peer()
    return float(np.median(before + processor_seconds(work))), theirs


def r_script(name: str, package: str, folder: Path, *arguments: object) -> float:
    """Run one of the scripts of `tools/peers` and return its largest memory, in MB.

    Raises
    ------
    AbsentPeerError
        If R, or the package it needs, is not there.
    """
    program = shutil.which("Rscript")
    if program is None:
        raise AbsentPeerError(
            f"R; on Debian: apt-get install r-base-core {' '.join(DEBIAN.values())}"
        )
    look = f'quit(status = !requireNamespace("{package}", quietly = TRUE))'
    if subprocess.run([program, "-e", look], capture_output=True).returncode:
        raise AbsentPeerError(f"R's {package}; on Debian: apt-get install {DEBIAN[package]}")
    return _run([program, "--vanilla", str(PEERS / name), str(folder), *map(str, arguments)])


def _run(command: list[str]) -> float:
    """Run a program and return its largest memory, in MB."""
    with tempfile.TemporaryFile("w+") as said:
        own = os.environ | THREADS
        program = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=own)
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{said.read()}")
    return used.ru_maxrss / 1024


def read(folder: Path, peer: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return which fits of a peer converged, their estimates, and the median of its seconds."""
    found = np.genfromtxt(folder / f"{peer}_estimates.csv", delimiter=",", ndmin=2)
    seconds = np.loadtxt(folder / f"{peer}_seconds.csv", ndmin=1)
    return found[:, 0] == 1, found[:, 1:], float(np.median(seconds))


def apart(
    converged: np.ndarray, ours: np.ndarray, theirs_converged: np.ndarray, theirs: np.ndarray
) -> tuple[str, int]:
    """Return how far estimates (R, p) are apart, in words, and how many by more than `AGREE`."""
    both = converged & theirs_converged
    far = np.abs(ours - theirs)[both].max(axis=1)
    alone = int((theirs_converged & ~converged).sum())
    near = int((far <= AGREE).sum())
    words = f"{near:,} of {both.sum():,} within {AGREE:g}, largest {far.max():.1e}"
    if alone:
        words += f"; {alone} where only the peer converges"
    only = int((converged & ~theirs_converged).sum())
    if only:
        words += f"; {only} where only we do"
    return words, len(far) - near + alone


def against_r_ordinal(what: str, drawn: Resamples, folder: Path, peer: str) -> Line:
    """Compare with `ordinal::clm` (`clm`) or `rms::lrm.fit` (`lrm`)."""
    package, limit = {"clm": ("ordinal", 80), "lrm": ("rms", 15)}[peer]
    fits = ordinal_batch.fit_many(drawn.y, drawn.y, drawn.x, drawn.counts)

    def theirs() -> float:
        r_script("ordinal.R", package, folder, peer, 3)
        return read(folder, peer)[2]

    ours, seconds = beside(
        lambda: ordinal_batch.fit_many(drawn.y, drawn.y, drawn.x, drawn.counts), theirs
    )
    converged, slopes, _ = read(folder, peer)
    note, wrong = apart(fits.converged, fits.beta, converged, slopes)
    # lrm.fit stops when the deviance moves by less than 0.025, so it only comes near.
    return Line(what, ours, seconds, limit, note, peer != "clm" or wrong == 0)


def against_ordered_model(what: str, drawn: Resamples) -> Line:
    """Compare with statsmodels' OrderedModel, BFGS, on the first resamples."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    few = min(ORDERED_MODELS, len(drawn.rows))
    found = np.full((few, drawn.x.shape[1]), np.nan)
    converged = np.zeros(few, dtype=bool)

    def every() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for r in range(few):
                chosen = drawn.rows[r]
                fit = OrderedModel(drawn.y[chosen], drawn.x[chosen], distr="logit").fit(
                    method="bfgs", disp=0
                )
                found[r] = fit.params[: drawn.x.shape[1]]
                converged[r] = fit.mle_retvals["converged"]

    scale = len(drawn.rows) / few
    ours, theirs = beside(
        lambda: ordinal_batch.fit_many(drawn.y, drawn.y, drawn.x, drawn.counts),
        lambda: float(np.median(processor_seconds(every, 1))) * scale,
    )
    fits = ordinal_batch.fit_many(drawn.y, drawn.y, drawn.x, drawn.counts[:few])
    note, _ = apart(fits.converged, fits.beta, converged, found)
    note = f"{few} fits, scaled; {note}"
    return Line(what, ours, theirs, 1000, note)


def against_firth(what: str, drawn: Resamples, folder: Path, peer: str, python: str | None) -> Line:
    """Compare Firth's logistic regression with `brglm2` or `firthmodels`."""
    fits = firth.fit_many(drawn.y, drawn.x, drawn.counts)

    def theirs() -> float:
        if peer == "brglm2":
            r_script("firth.R", "brglm2", folder, 1)
        else:
            _firthmodels(folder, python)
        return read(folder, peer)[2]

    ours, seconds = beside(lambda: firth.fit_many(drawn.y, drawn.x, drawn.counts), theirs)
    converged, coefficients, _ = read(folder, peer)
    note, _ = apart(fits.converged & ~fits.one_outcome, fits.coefficients, converged, coefficients)
    return Line(what, ours, seconds, {"brglm2": 50, "firthmodels": 10}[peer], note)


def _firthmodels(folder: Path, python: str | None) -> None:
    python = python or (sys.executable if find_spec("firthmodels") else None)
    if python is None or shutil.which(python) is None:
        raise AbsentPeerError(
            "firthmodels; install it from PyPI in an environment of its own and name its Python: "
            "FIRTHMODELS_PYTHON=/path/to/python"
        )
    _run([python, str(PEERS / "firthmodels_fits.py"), str(folder), "3"])


def against_clmm(what: str, folder: Path) -> Line:
    """Compare the mixed model of 97 lesions with `ordinal::clmm`: one fit, median of the sets."""
    rng = np.random.default_rng(SEED)
    sets = []
    for number in range(LESION_SETS):
        extra = rng.multinomial(LESIONS - LESION_PATIENTS, np.full(LESION_PATIENTS, 1 / 30))
        patient = np.repeat(np.arange(LESION_PATIENTS), 1 + extra)
        mib1 = rng.normal(0, 1.1, LESION_PATIENTS)[patient]
        before = rng.choice(5, LESIONS, p=(0.1, 0.35, 0.35, 0.15, 0.05))
        own = rng.normal(0, 1, LESION_PATIENTS)[patient]
        latent = 0.8 * (before - 1.7) + 0.5 * mib1 + own + rng.logistic(size=LESIONS)
        score = (latent[:, None] > (-2.5, -0.8, 0.8, 2.2)).sum(axis=1)
        sets.append((np.full(LESIONS, number), patient, score, before, mib1))
    table = np.hstack([np.vstack(part) for part in sets]).T
    header = "set,patient,y,x1,x2"
    np.savetxt(folder / "lesions.csv", table, "%.17g", ",", header=header, comments="")

    def fit(number: int) -> mixed_ordinal.MixedFit:
        _, patient, score, *x = sets[number]
        return mixed_ordinal.fit(score, score, np.column_stack(x), patient.tolist(), nodes=10)

    def theirs() -> float:
        r_script("clmm.R", "ordinal", folder, REPEATS)
        return read(folder, "clmm")[2]

    def once() -> float:
        every = (processor_seconds(partial(fit, number)) for number in range(LESION_SETS))
        return float(np.median([np.median(taken) for taken in every]))

    first = once()
    seconds = theirs()
    ours = float(np.mean([first, once()]))
    converged, found, _ = read(folder, "clmm")
    fits = [fit(number) for number in range(LESION_SETS)]
    loglik = np.array([item.loglik for item in fits])
    slopes = np.array([item.beta for item in fits])
    note = (
        f"log-likelihood ours − theirs {(loglik - found[:, -1]).min():.1e} to "
        f"{(loglik - found[:, -1]).max():.1e}, slopes {np.abs(slopes - found[:, :2]).max():.1e} "
        f"apart; {int(converged.sum())} of {LESION_SETS} converge there, "
        f"{sum(item.converged for item in fits)} here"
    )
    return Line(what, ours, seconds, 1, note)


def against_single_fits(what: str, drawn: Resamples) -> Line:
    """Compare the batched bias-reduced fits with one fit after the other, on the first ones."""
    if find_spec("captem.bias_reduced_batch") is None:
        raise AbsentPeerError("captem.bias_reduced_batch, which this version has not got")
    batch = import_module("captem.bias_reduced_batch")
    few = min(SINGLE_FITS, len(drawn.rows))
    counts = drawn.counts
    found = np.full((few, drawn.x.shape[1]), np.nan)
    converged = np.zeros(few, dtype=bool)

    def every() -> None:
        for r in range(few):
            if len(set(drawn.y[drawn.rows[r]])) > 1:
                fit = bias_reduced.fit(drawn.y, drawn.y, drawn.x, counts[r])
                found[r], converged[r] = fit.beta, fit.converged

    ours, theirs = beside(
        lambda: batch.fit_many(drawn.y, drawn.y, drawn.x, counts),
        lambda: float(np.median(processor_seconds(every, 3))) * len(drawn.rows) / few,
    )
    fits = batch.fit_many(drawn.y, drawn.y, drawn.x, counts[:few])
    note, _ = apart(fits.converged, fits.beta, converged, found)
    return Line(what, ours, theirs, None, f"{few} fits, scaled; {note}")


def against_planning_loop(what: str, drawn: Resamples, folder: Path) -> Line:
    """Compare a cell of planning with a loop over `ordinal::clm`, each drawing its own studies.

    Both draw from the same counts and values, fit follow-up given baseline and log2 MIB1, and take
    Wald's P of MIB1; ours is of the bias-reduced fit, R's of maximum likelihood, which is less
    work. Ten times as many replicates show whether time grows with them, and memory.
    """
    before, mib1 = drawn.x[:, 0].astype(int), drawn.x[:, 1]
    counts = np.zeros((5, 5))
    np.add.at(counts, (before, drawn.y), 1)
    np.savetxt(folder / "counts.csv", counts, "%d", ",")
    np.savetxt(folder / "values.csv", mib1 - mib1.mean(), "%.17g")
    cell, header = [[PATIENTS, PLANNED_ODDS_RATIO, PRIOR]], "patients,odds_ratio,prior"
    np.savetxt(folder / "cell.csv", cell, "%.17g", ",", header=header, comments="")

    def ours(replicates: int, repeats: int) -> tuple[list[float], float]:
        script = [sys.executable, str(PEERS / "planning_cell.py"), str(folder)]
        memory = _run([*script, str(replicates), str(repeats)])
        return np.loadtxt(folder / "captem_seconds.csv", ndmin=1).tolist(), memory

    def theirs(replicates: int, repeats: int) -> tuple[float, float]:
        memory = r_script("planning_cell.R", "ordinal", folder, replicates, repeats)
        return float(np.median(np.loadtxt(folder / "R_seconds.csv", ndmin=1))), memory

    first, memory = ours(PLANNED, REPEATS)
    seconds, r_memory = theirs(PLANNED, 3)
    own = float(np.median(first + ours(PLANNED, REPEATS)[0]))
    power, r_power = (np.loadtxt(folder / f"{name}_power.csv")[0] for name in ("captem", "R"))
    many, many_memory = ours(10 * PLANNED, 1)
    r_many, r_many_memory = theirs(10 * PLANNED, 1)
    note = (
        f"{PLANNED:,} studies, Wald's P, power {power:.2f} and {r_power:.2f}; {10 * PLANNED:,} "
        f"take {many[0] / own:.1f} times as long, {memory:.0f} and {many_memory:.0f} MB (theirs "
        f"{r_many / seconds:.1f} times, {r_memory:.0f} and {r_many_memory:.0f} MB)"
    )
    return Line(what, own, seconds, 40, note)


def shown(line: Line) -> str:
    """Return a line of the table as it is printed."""
    ratio = line.theirs / line.ours
    limit = "" if line.limit is None else f"1/{line.limit:g}"
    verdict = "" if line.limit is None else "ok" if line.kept else "NO"
    return (
        f"{line.what:34}{line.ours:9.4f}{line.theirs:10.3f}{f'1/{ratio:.1f}':>10}{limit:>8}"
        f"{verdict:>4}  {line.note}"
    )


def main(argv: list[str] | None = None) -> int:
    """Print the table and return 1 where a limit is broken or a peer is missing."""
    parser = argparse.ArgumentParser(description="Compare the model fits with other programs.")
    parser.add_argument("--refits", type=int, default=2000)
    parser.add_argument("--skip-missing", action="store_true", help="a missing peer is no error")
    parser.add_argument("--firthmodels", metavar="PYTHON", help="a Python that has firthmodels")
    chosen = parser.parse_args(argv)
    python = chosen.firthmodels or os.environ.get("FIRTHMODELS_PYTHON")
    drawn = resamples(chosen.refits)
    binary = Resamples((drawn.y >= 3).astype(int), drawn.x, drawn.rows)
    broken = lacking = False
    with tempfile.TemporaryDirectory() as scratch:
        scores, events = Path(scratch) / "scores", Path(scratch) / "events"
        for folder, content in ((scores, drawn), (events, binary)):
            folder.mkdir()
            content.write(folder)
        comparisons: dict[str, Callable[[str], Line]] = {
            "ordinal::clm": lambda what: against_r_ordinal(what, drawn, scores, "clm"),
            "rms::lrm.fit": lambda what: against_r_ordinal(what, drawn, scores, "lrm"),
            "statsmodels OrderedModel, BFGS": lambda what: against_ordered_model(what, drawn),
            "Firth: brglm2": lambda what: against_firth(what, binary, events, "brglm2", None),
            "Firth: firthmodels": lambda what: against_firth(
                what, binary, events, "firthmodels", python
            ),
            "ordinal::clmm, 10 nodes, one fit": lambda what: against_clmm(what, scores),
            "bias-reduced, our own one by one": lambda what: against_single_fits(what, drawn),
            "planning cell: loop over clm": lambda what: against_planning_loop(what, drawn, scores),
        }
        print(f"{chosen.refits:,} refits, {PATIENTS} patients, processor seconds on one thread")
        print(f"{'peer':34}{'ours':>9}{'theirs':>10}{'ratio':>10}{'limit':>8}{'':4}  how far apart")
        for what, compare in comparisons.items():
            try:
                line = compare(what)
            except AbsentPeerError as lack:
                lacking = True
                print(f"{what:34}left out, missing: {lack}")
                continue
            broken |= not line.kept
            print(shown(line), flush=True)
    if broken:
        print("a limit is broken", file=sys.stderr)
    if lacking and not chosen.skip_missing:
        print("a peer is missing; --skip-missing goes on without it", file=sys.stderr)
    return 1 if broken or (lacking and not chosen.skip_missing) else 0


if __name__ == "__main__":
    sys.exit(main())
