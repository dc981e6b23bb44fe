"""Refits of a Firth logistic regression by `firthmodels`, in an environment of its own.

    python tools/peers/firthmodels_fits.py FOLDER REPEATS

FOLDER, and what is written, are those of firth.R; files are named firthmodels_*.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from firthmodels import FirthLogisticRegression


def main(folder: Path, repeats: int) -> None:
    """Refit every resample `repeats` times and write down estimates and processor seconds."""
    data = np.loadtxt(folder / "data.csv", delimiter=",", skiprows=1)
    rows = np.loadtxt(folder / "rows.csv", delimiter=",", dtype=int, ndmin=2)
    y, x = data[:, 0].astype(int), data[:, 1:]
    warnings.simplefilter("ignore")
    found = np.full((len(rows), 2 + x.shape[1]), np.nan)

    def every(numbers: range) -> None:
        for r in numbers:
            try:
                fit = FirthLogisticRegression().fit(x[rows[r]], y[rows[r]])
                found[r] = [fit.converged_, fit.intercept_, *fit.coef_]
            except ValueError:  # one outcome only
                found[r, 0] = 0

    every(range(min(50, len(rows))))
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        every(range(len(rows)))
        seconds.append(time.process_time() - start)
    np.savetxt(folder / "firthmodels_estimates.csv", found, delimiter=",", fmt="%.17g")
    np.savetxt(folder / "firthmodels_seconds.csv", seconds, fmt="%.6g")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
