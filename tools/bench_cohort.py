"""How long reading, checking and writing a cohort takes, against pandas reading and writing it.

    python tools/bench_cohort.py [PATIENTS ...]

The tables are the example's rows over and over, with codes and SUVmax of their own and about
five lesions a patient. The time is the processor's for the step itself, without start-up and
without the marked workbook.
"""

from __future__ import annotations

import gc
import itertools
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captem.cohort import Source, ingest  # noqa: E402
from captem.files import write_frame  # noqa: E402

EXAMPLE = ROOT / "config/cohorts/example"
LESIONS = 5
RESULTS = ("patients", "lesions", "flow", "eligibility", "sources", "repairs")


def tables(patients: int, folder: Path) -> list[Path]:
    """Write a table of patients and one of lesions, and return their paths."""
    rng = np.random.default_rng(patients)
    base, marks = (
        pd.read_csv(EXAMPLE / f"{name}.csv", comment="#", dtype=str, keep_default_na=False)
        for name in ("patients", "lesions")
    )
    places = marks.groupby("patient_id").indices
    base = base[base["patient_id"].isin(places)].reset_index(drop=True)
    chosen = np.arange(patients) % len(base)
    # Whole repeats: what most of a patient's lesions reach stays what it is.
    own_places = [places[code] for code in base["patient_id"]]
    cycled = [np.tile(own, max(1, round(LESIONS / len(own)))) for own in own_places]
    table = base.iloc[chosen].reset_index(drop=True)
    own = marks.iloc[np.concatenate([cycled[i] for i in chosen])].reset_index(drop=True)
    codes = np.array([f"S{number:06d}" for number in range(patients)])
    sizes = [len(cycled[i]) for i in chosen]
    table["patient_id"], own["patient_id"] = codes, np.repeat(codes, sizes)
    own["lesion_id"] = [f"L{number + 1}" for size in sizes for number in range(size)]
    for column in ("suvmax_pre", "suvmax_post"):
        values = pd.to_numeric(own[column]) * rng.uniform(0.97, 1.03, len(own))
        own[column] = values.round(2).astype(str).where(values.notna(), "")
    paths = [folder / "patients.csv", folder / "lesions.csv"]
    for path, frame in zip(paths, (table, own), strict=True):
        frame.to_csv(path, index=False)
    return paths


def main(sizes: list[int]) -> None:
    """Print the times, their ratio, and how they grow."""
    print("patients   lesions   pandas   captem   ratio   (at most 4)")
    grown: list[tuple[int, float]] = []
    for patients in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            paths = tables(patients, folder)
            start = time.process_time()
            for path in paths:
                pd.read_csv(path).to_csv(folder / "again.csv", index=False)
            middle = time.process_time()
            columns = {"mib1": "Ki-67 (%)"}
            cohort = ingest([Source("bench", *map(str, paths), columns=columns)])
            for name in RESULTS:
                write_frame(folder / f"{name}_out.csv", getattr(cohort, name))
            write_frame(folder / "problems.csv", cohort.problem_frame())
            end = time.process_time()
        ratio = (end - middle) / (middle - start)
        grown.append((patients, end - middle))
        print(
            f"{patients:8,d} {len(cohort.lesions):9,d} {middle - start:7.2f}s {end - middle:7.2f}s "
            f"{ratio:7.2f}"
        )
    for (few, short), (many, long) in itertools.pairwise(grown):
        power = np.log(long / short) / np.log(many / few)
        print(f"from {few:,} to {many:,} patients the time grows with the power {power:.2f}")


if __name__ == "__main__":
    gc.disable()  # as scripts/ingest_cohort.py does
    main([int(word) for word in sys.argv[1:]] or [1_000, 10_000, 100_000])
