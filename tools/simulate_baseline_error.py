"""Size and coverage of the odds ratio of MIB1, as it is and corrected for noise in the baseline.

Run as `python tools/simulate_baseline_error.py [studies]`; a table per scenario, about three
minutes for 2,000 studies. The docstring of `captem.baseline_error` quotes it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from captem import baseline_error, bias, bias_reduced

RELIABILITY = 0.8
SPREAD = 1.5
Z = float(ndtri(0.975))


@dataclass(frozen=True)
class Scenario:
    """How studies are drawn: true log odds ratios, who is chosen, what the study assumes."""

    name: str
    mib1: float = 0.0
    correlation: float = -0.5
    highest: int = 4
    uptake: float = 2.5
    shares: tuple[float, ...] = bias.EQUAL_SHARES
    assumed: tuple[float, ...] = bias.EQUAL_SHARES


CENTRED = bias.shares_of([1, 3, 6, 6, 4])
SCENARIOS = (
    Scenario("no effect, nobody chosen"),
    Scenario("no effect, baseline 0 to 2 chosen", highest=2),
    Scenario("no effect, steeper", uptake=4.0),
    Scenario("no effect, no correlation", correlation=0.0),
    Scenario("no effect, screened mostly 2 and 3, taken as equal", shares=CENTRED),
    Scenario("no effect, the same, shares known", shares=CENTRED, assumed=CENTRED),
    Scenario("odds ratio 1.37", mib1=float(np.log(1.6)) / SPREAD),
    Scenario("odds ratio 0.73", mib1=-float(np.log(1.6)) / SPREAD),
)


def study(rng: np.random.Generator, n: int, how: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Return follow-up scores (n,) and x (n, 2), baseline score and log2 MIB1."""
    cuts = ndtri(np.cumsum(how.shares)[:-1])
    true, other, error = rng.normal(size=(3, 12 * n + 50))
    baseline = np.searchsorted(cuts, np.sqrt(RELIABILITY) * true + np.sqrt(1 - RELIABILITY) * error)
    chosen = np.flatnonzero(baseline <= how.highest)[:n]
    if len(chosen) < n:
        return study(rng, n, how)
    standing = how.correlation * true + np.sqrt(1 - how.correlation**2) * other
    latent = how.uptake * true + how.mib1 * SPREAD * standing + rng.logistic(size=true.shape)
    # Follow-up scores about a step above baseline, so that the study has all of them.
    reached = cuts * how.uptake * 1.1 - (2.5 if how.highest < 4 else 1.0)
    x = np.column_stack([baseline, 3 + SPREAD * standing])[chosen]
    return np.searchsorted(reached, latent[chosen]), x


def simulate(how: Scenario, n: int, studies: int, seed: int) -> dict[str, float]:
    """Return how often no effect is rejected and the truth covered, as it is and corrected."""
    rng = np.random.default_rng(seed)
    noise = baseline_error.noise(RELIABILITY, how.assumed)
    told: dict[str, list[float]] = {name: [] for name in ("size", "cover", "log_or")}
    told |= {f"{name}_corrected": [] for name in tuple(told)} | {"unclear": [], "refused": []}
    while len(told["size"]) < studies:
        y, x = study(rng, n, how)
        if np.ptp(y) == 0 or np.ptp(x[:, 0]) == 0:
            continue
        fit = bias_reduced.fit(y, y, x)
        if not fit.converged:
            continue
        naive = baseline_error.Naive(fit.beta, fit.covariance[-2:, -2:], x)
        found = baseline_error.corrected(naive, noise)
        told["refused"].append(found is None)
        pairs = [("", float(fit.beta[1]), float(fit.standard_errors[-1]))]
        if found is not None:
            pairs.append(("_corrected", found.beta, found.error))
            told["unclear"].append(not found.clear)
        for suffix, beta, error in pairs:
            told[f"size{suffix}"].append(abs(beta) > Z * error)
            told[f"cover{suffix}"].append(abs(beta - how.mib1) <= Z * error)
            told[f"log_or{suffix}"].append(beta)
    return {
        name: float(np.median(values) if name.startswith("log") else np.mean(values))
        for name, values in told.items()
    }


def main() -> None:
    """Print the table."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for place, how in enumerate(SCENARIOS):
        for n in (23, 60):
            found = simulate(how, n, studies, 100 * place + n)
            said = "  ".join(f"{name} {value:.3f}" for name, value in found.items())
            print(f"{how.name}, n = {n}: {said}", flush=True)


if __name__ == "__main__":
    main()
