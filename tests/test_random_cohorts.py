"""Two hundred random cohorts: never an exception, and never `ok` with a number that is none."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from captem import models, sensitivity, statistics, terms, transitions
from captem.criterion import SCORES
from captem.files import write_json
from captem.schemas import STATISTICS
from studies import through_csv

COHORTS, PARTS = 200, 20
NUMBERS = ("estimate", "conf_low", "conf_high", "p_value")


def ends(rng: np.random.Generator, values: np.ndarray, share: float) -> tuple:
    """Return values as intervals up to two steps wide for a share of them, within 0 to 4."""
    wide = rng.random(len(values)) < share
    low = np.clip(values - wide * rng.integers(0, 3, len(values)), 0, 4)
    high = np.clip(values + wide * rng.integers(0, 3, len(values)), 0, 4)
    return pd.array(low, dtype="Int64"), pd.array(high, dtype="Int64")


def scored(rng: np.random.Generator, mib1: np.ndarray, effect: float, share: float) -> dict:
    """Return baseline and follow-up scores with SUVmax, the follow-up going with MIB1."""
    n = len(mib1)
    pre = rng.integers(0, rng.integers(1, 6), n)
    latent = pre + rng.normal(0.7, rng.choice([0.01, 0.6, 1.5]), n) + effect * np.log2(mib1 / 8)
    post = np.clip(np.round(latent), 0, rng.integers(0, 5)).astype(int)
    found: dict = {}
    for time, values in (("pre", pre), ("post", post)):
        found[f"krenning_{time}_low"], found[f"krenning_{time}_high"] = ends(rng, values, share)
        found[f"suvmax_{time}"] = np.round(3 * 1.8**values * rng.lognormal(0, 0.3, n), 1)
    return found


def cohort(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return canonical tables of 5 to 80 patients, odd in several ways, and of their lesions."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 81))
    mib1 = np.round(rng.lognormal(2.1, rng.choice([0.0, 0.3, 0.8]), n), 1)
    effect, share = float(rng.choice([0.0, 0.5, 4.0])), float(rng.choice([0.0, 0.2, 0.8]))
    patients = pd.DataFrame(
        {
            "patient_id": [f"P{i:03}" for i in range(n)],
            "source": rng.choice(["a", "b"], n) if rng.random() < 0.7 else "a",
            "age_years": rng.integers(30, 80, n).astype(float),
            "sex": rng.choice(["female", "male"], n),
            "mib1_low": mib1,
            "mib1_high": np.where(rng.random(n) < 0.1, np.inf, mib1),
            "captem_cycles": pd.array(rng.integers(2, 12, n), dtype="Int64"),
            "synthetic": "yes",
            **scored(rng, mib1, effect, share),
        }
    )
    for columns in (SCORES[2:], ("suvmax_post",), ("mib1_low", "mib1_high"), ("captem_cycles",)):
        gone = rng.random(n) < rng.choice([0.0, 0.15, 0.6])
        patients.loc[gone, list(columns)] = pd.NA
    # Mixed models take most of the time: every fourth cohort has lesions.
    each = rng.integers(0, rng.integers(1, 5), n) if seed % 4 == 0 else np.zeros(n, dtype=int)
    whose = np.repeat(np.arange(n), each)
    lesions = pd.DataFrame(
        {
            "patient_id": patients["patient_id"].to_numpy()[whose],
            "lesion_id": [f"L{i}" for i in range(len(whose))],
            "source": patients["source"].to_numpy()[whose],
            "synthetic": "yes",
            "diameter_mm_pre": rng.uniform(5, 60, len(whose)),
            **scored(rng, mib1[whose], effect, share),
        }
    )
    return patients, lesions


def analysed(seed: int) -> tuple[pd.DataFrame, dict]:
    """Return all rows of the chapter and the records of the models."""
    patients, lesions = (through_csv(table) for table in cohort(seed))
    changes = through_csv(transitions.patient_transitions(patients, lesions, 3, "most"))
    covariates = ("sex", "age_years") if seed % 3 == 0 else ()
    plan = terms.Plan(0.5, covariates, ("age_years",) if seed % 6 == 0 else ())
    rows, records = models.estimate(patients, lesions, changes, ["b"], plan, 1, replicates=19)
    asked = sensitivity.Settings(
        rule="most", threshold=3, plan=plan, lesion_size_mm=[20], landmark_cycles=[6],
        repeatability=[33.5], noise={"reliability": [0.6]}, boundaries=None, seed=1,
    )  # fmt: skip
    return statistics.combine(
        [rows, sensitivity.estimate(patients, lesions, changes, ["b"], asked)]
    ), records


@pytest.mark.parametrize("part", range(PARTS))
def test_no_exception_and_no_ok_without_a_finite_estimate(part, tmp_path):
    for seed in range(part, COHORTS, PARTS):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows, records = analysed(seed)
        STATISTICS.validate(rows)
        ok = rows[rows["status"].eq("ok")]
        tests = ok["estimand"].eq("test of a bend")
        assert np.isfinite(ok.loc[~tests, "estimate"]).all(), seed
        for name in ("conf_low", "conf_high"):
            assert np.isfinite(ok[name]).sum() == ok["conf_level"].notna().sum(), (seed, name)
        refused = rows[rows["status"].eq("not_estimable")]
        assert refused[list(NUMBERS)].isna().all(axis=None), seed
        assert refused["reason"].str.len().gt(0).all()
        write_json(tmp_path / "record.json", records)
