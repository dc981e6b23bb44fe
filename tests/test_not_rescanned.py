"""Patients never scanned again: bounds by hand, weights against single fits and simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from captem import (
    bias_reduced,
    bootstrap,
    firth,
    missing,
    not_rescanned,
    statistics,
    weighting,
    weighting_batch,
)
from captem.schemas import STATISTICS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit

NET = "sensitivity.not_rescanned/krenning/all/net_improvement"
UP = "sensitivity.not_rescanned/krenning/all/up"
RATIO = "sensitivity.not_rescanned/krenning/all/log2_mib1"


def cohort(n: int, seed: int = 1, pull: float = 1.0, missed: float = 1.5):
    """Patients and their changes; the chance of a second scan falls with MIB1 by `pull`."""
    rng = np.random.default_rng(seed)
    pre = rng.integers(0, 4, n).astype(float)
    mib1 = np.exp(rng.normal(2, 0.8, n)).round(1)
    doublings = np.log2(mib1) - 3
    # Patients with a high MIB1 gain less: without weights the gain is overstated.
    gain = np.where(rng.random(n) < 1 / (1 + np.exp(1.5 * doublings)), 1, -1)
    post = np.clip(pre + gain, 0, 4)
    again = rng.random(n) < 1 / (1 + np.exp(pull * doublings - missed))
    post[~again] = np.nan
    patients = pd.DataFrame(
        {
            "patient_id": [f"P{i:03}" for i in range(n)],
            "krenning_pre_low": pre,
            "krenning_pre_high": pre,
            "krenning_post_low": post,
            "krenning_post_high": post,
            "mib1_low": mib1,
            "mib1_high": mib1,
            "age_years": rng.normal(62, 10, n).round(),
            "sex": rng.choice(["female", "male"], n),
        }
    )
    way = np.select([~again, post > pre, post < pre], [None, "up", "down"], "same")
    truth = float(np.sign(np.clip(pre + gain, 0, 4) - pre).mean())
    return patients, pd.DataFrame({"direction": pd.Series(way, dtype=object)}), truth


def counted(up: int, same: int, down: int, unscanned: int, still_open: int = 0):
    """Patients and changes with these counts."""
    ways = ["up"] * up + ["same"] * same + ["down"] * down + ["undetermined"] * still_open
    n = len(ways) + unscanned
    post = [2.0] * len(ways) + [np.nan] * unscanned
    patients = pd.DataFrame(
        {
            "patient_id": [f"P{i:03}" for i in range(n)],
            **{f"krenning_pre_{end}": [1.0] * n for end in ("low", "high")},
            **{f"krenning_post_{end}": post for end in ("low", "high")},
            **{f"mib1_{end}": np.arange(n) + 1.0 for end in ("low", "high")},
            "age_years": 60.0,
            "sex": "female",
        }
    )
    changes = pd.Series(ways + [None] * unscanned, dtype=object)
    return patients, pd.DataFrame({"direction": changes})


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(not_rescanned, "REPLICATES", 199)


def rows_of(patients, changes, seed=1):
    found = not_rescanned.rows("all", patients, changes, 0.5, seed)
    STATISTICS.validate(statistics.frame(found))
    return {row["row_id"]: row for row in found}


def test_bounds_by_hand():
    rows = rows_of(*counted(up=9, same=13, down=1, unscanned=7))
    ends = {
        f"{NET}/worst": (9 - 8) / 30, f"{NET}/best": (16 - 1) / 30,
        f"{UP}/worst": 9 / 30, f"{UP}/best": 16 / 30,
    }  # fmt: skip
    for key, value in ends.items():
        row = rows[key]
        assert row["estimate"] == pytest.approx(value)
        assert row["conf_low"] < value < row["conf_high"]
        assert (row["n_patients"], row["status"], row["role"]) == (30, "ok", "sensitivity")
    assert rows[f"{NET}/worst"]["interval_method"] == "Tango"
    assert rows[f"{UP}/best"]["interval_method"] == "Wilson"
    assert (
        rows[f"{NET}/worst"]["reason"]
        == "7 patients without a follow-up score taken to have fallen"
    )


def test_scores_that_leave_the_direction_open_count_like_those_not_scanned():
    rows = rows_of(*counted(up=9, same=13, down=1, unscanned=4, still_open=3))
    alike = missing.follow_up_bounds(9, 13, 1, 7)
    assert rows[f"{NET}/best"]["conf_high"] == alike.net_improvement.best.conf_high
    assert rows[f"{UP}/worst"]["estimate"] == 9 / 30
    assert "3 patients whose scores leave the direction open" in rows[f"{UP}/worst"]["reason"]


def test_patients_without_a_baseline_do_not_count():
    patients, changes = counted(up=9, same=13, down=1, unscanned=7)
    patients.loc[len(patients) - 2 :, ["krenning_pre_low", "krenning_pre_high"]] = np.nan
    assert rows_of(patients, changes)[f"{UP}/worst"]["estimate"] == 9 / 28


@pytest.mark.parametrize("still_open", [0, 2])
def test_everybody_scanned_again(still_open):
    rows = rows_of(*counted(up=60, same=30, down=20, unscanned=0, still_open=still_open))
    assert {row["reason"] for row in rows.values()} == {not_rescanned.EVERYBODY}
    assert {row["status"] for row in rows.values()} == {"not_estimable"}


def test_few_patients():
    rows = rows_of(*counted(up=2, same=1, down=0, unscanned=1))
    assert rows[f"{NET}/worst"]["status"] == "unstable"
    assert "4 patients" in rows[f"{NET}/worst"]["reason"]
    assert "needs 100" in rows[f"{NET}/weighted"]["reason"]
    assert rows_of(*counted(0, 0, 0, 1))[f"{NET}/best"]["status"] == "not_estimable"
    assert rows_of(*counted(0, 0, 0, 0))[f"{NET}/best"]["status"] == "not_estimable"


def test_nobody_scanned_again():
    rows = rows_of(*counted(up=0, same=0, down=0, unscanned=120))
    assert (rows[f"{NET}/worst"]["estimate"], rows[f"{NET}/best"]["estimate"]) == (-1, 1)
    assert rows[f"{NET}/weighted"]["reason"] == "no patient was scanned again"


@pytest.mark.parametrize("width", [0, 1, 4])
def test_weights_of_resamples_are_those_of_the_drawn_patients(width):
    rng = np.random.default_rng(2)
    x = np.round(rng.normal(size=(60, width)), 1)
    again = rng.random(60) < 0.7
    counts = bootstrap.resamples(60, 40, seed=3)
    found = weighting_batch.resampled_weights(again, x, counts)
    for row, count in zip(found, counts, strict=True):
        drawn = np.repeat(np.arange(60), count)
        single = weighting.inverse_probability_weights(again[drawn], x[drawn])
        assert row[drawn] == pytest.approx(single.weights, rel=1e-7, abs=1e-12)


def test_resamples_that_lose_a_column_or_an_outcome():
    x = np.zeros((30, 2))
    x[0, 0] = 1.0
    x[:, 1] = np.arange(30)
    again = np.ones(30, dtype=bool)
    again[[3, 9, 16, 25]] = False
    counts = np.ones((3, 30), dtype=np.int64)
    counts[0, 0] = 0
    counts[1, [3, 9, 16, 25]] = 0
    found = weighting_batch.resampled_weights(again, x, counts)
    kept = counts[0] > 0
    single = weighting.inverse_probability_weights(again[kept], x[kept])
    assert found[0, kept] == pytest.approx(single.weights, rel=1e-7)
    assert np.isnan(found[1]).all()
    # One row alone tells the first column: the search is slow there, and left to `captem.firth`.
    eta = x @ firth.fit(again, x).coefficients[1:]
    intercept = brentq(lambda a: expit(a + eta).sum() - again.sum(), -20, 20, xtol=1e-13)
    raw = again.mean() / expit(intercept + eta[again])
    expected = np.clip(raw, *np.quantile(raw, [0.01, 0.99]))
    assert found[2, again] == pytest.approx(expected, rel=1e-9)
    assert not found[2, ~again].any()


def test_weighted_rows_are_the_engines_under_their_weights():
    patients, changes, _ = cohort(160)
    rows = rows_of(patients, changes)
    again = patients["krenning_post_low"].notna().to_numpy()
    doublings = np.log2(patients["mib1_low"])
    female = patients["sex"].eq("female").astype(float)
    x = np.column_stack([patients["krenning_pre_low"], doublings, patients["age_years"], female])
    weights = weighting.inverse_probability_weights(again, x).weights
    sign = changes["direction"].map({"up": 1.0, "down": -1.0, "same": 0.0}).fillna(0.0)
    row = rows[f"{NET}/weighted"]
    assert row["estimate"] == pytest.approx((weights @ sign) / weights.sum(), rel=1e-9)
    assert row["conf_low"] < row["estimate"] < row["conf_high"]
    assert "baseline score, MIB1 index, age, sex" in row["reason"]
    post = patients["krenning_post_low"].to_numpy()[again].astype(int)
    fit = bias_reduced.fit(post, post, x[again, :2], weights[again])
    row = rows[f"{RATIO}/weighted"]
    assert row["estimate"] == pytest.approx(math.exp(fit.beta[1]), rel=1e-7)
    assert row["conf_low"] < row["estimate"] < row["conf_high"]
    assert row["n_patients"] == again.sum()


def test_interval_is_that_of_resamples_made_one_by_one(monkeypatch):
    monkeypatch.setattr(not_rescanned, "REPLICATES", 99)
    patients, changes, _ = cohort(110, seed=3)
    bare = patients.drop(columns=["age_years", "sex"])
    row = rows_of(bare, changes, seed=4)[f"{NET}/weighted"]
    again = patients["krenning_post_low"].notna().to_numpy()
    x = np.column_stack([patients["krenning_pre_low"], np.log2(patients["mib1_low"])])
    sign = changes["direction"].map({"up": 1.0, "down": -1.0}).fillna(0.0).to_numpy()
    nets = []
    for count in bootstrap.resamples(110, 99, seed=4):
        drawn = np.repeat(np.arange(110), count)
        weights = weighting.inverse_probability_weights(again[drawn], x[drawn]).weights
        nets.append(weights @ sign[drawn] / weights.sum())
    found = bootstrap.percentile_interval(nets)
    assert (row["conf_low"], row["conf_high"]) == pytest.approx((found.low, found.high), rel=1e-6)


def test_weights_bring_the_answer_back_to_that_of_all_patients(quick):
    plain, mended = [], []
    for seed in range(4):
        patients, changes, truth = cohort(400, seed=20 + seed)
        direction = changes["direction"].dropna()
        plain.append((direction.eq("up").mean() - direction.eq("down").mean()) - truth)
        row = rows_of(patients, changes)[f"{NET}/weighted"]
        mended.append(row["estimate"] - truth)
        assert row["conf_low"] < truth < row["conf_high"]
    assert np.mean(plain) > 0.1
    assert abs(np.mean(mended)) < 0.05


def test_rows_do_not_depend_on_the_seed_but_in_their_intervals():
    patients, changes, _ = cohort(120)
    one, other, same = (rows_of(patients, changes, seed)[f"{NET}/weighted"] for seed in (1, 2, 1))
    assert one == same
    assert one["estimate"] == other["estimate"]
    assert one["conf_low"] != other["conf_low"]
    assert one["conf_low"] == pytest.approx(other["conf_low"], abs=0.03)


def test_an_open_direction_widens_the_weighted_interval(quick):
    patients, changes, _ = cohort(140)
    closed = rows_of(patients, changes)[f"{NET}/weighted"]
    same = changes.index[changes["direction"].eq("same")]
    assert len(same) > 3
    changes.loc[same, "direction"] = "undetermined"
    opened = rows_of(patients, changes)[f"{NET}/weighted"]
    assert opened["estimate"] == pytest.approx(closed["estimate"])
    assert opened["conf_low"] < closed["conf_low"] < closed["conf_high"] < opened["conf_high"]


def test_gaps_in_covariates_are_filled_or_the_covariate_is_left_out(quick):
    patients, changes, _ = cohort(150)
    patients.loc[:4, "age_years"] = np.nan
    patients.loc[:60, "sex"] = None
    patients.loc[[70], "mib1_high"] = np.inf
    reason = rows_of(patients, changes)[f"{NET}/weighted"]["reason"]
    assert "weights from baseline score, MIB1 index, age:" in reason
    assert "age not known in 5 patients and taken at the median" in reason
    assert "MIB1 index not known in 1 patient and taken at the median" in reason
    bare = patients.drop(columns=["age_years", "sex"])
    assert "baseline score, MIB1 index:" in rows_of(bare, changes)[f"{NET}/weighted"]["reason"]


def test_separated_and_exploding_weights_are_unstable(quick):
    patients, changes, _ = cohort(150, pull=50.0, missed=0.0)
    row = rows_of(patients, changes)[f"{NET}/weighted"]
    assert row["status"] == "unstable"
    assert "without error" in row["reason"]
    patients, changes, _ = cohort(150, seed=7, pull=3.0, missed=-1.0)
    row = rows_of(patients, changes)[f"{NET}/weighted"]
    assert row["status"] == "unstable"
    assert "average ones" in row["reason"]


def test_too_few_not_scanned_for_a_model_of_it():
    patients, changes, _ = cohort(120, pull=0.0, missed=50.0)
    patients.loc[:2, ["krenning_post_low", "krenning_post_high"]] = np.nan
    changes.loc[:2, "direction"] = None
    row = rows_of(patients, changes)[f"{NET}/weighted"]
    assert row["status"] == "not_estimable"
    assert row["reason"].startswith("in the model of who was scanned again")


def test_few_scanned_again_have_no_weighted_odds_ratio():
    patients, changes, _ = cohort(130, seed=2, pull=0.1, missed=-1.1)
    scanned = patients["krenning_post_low"].notna().sum()
    assert 15 < scanned < 40
    rows = rows_of(patients, changes)
    assert "bootstrap needs 40" in rows[f"{RATIO}/weighted"]["reason"]
    assert rows[f"{NET}/weighted"]["status"] != "not_estimable"


@given(st.integers(0, 10_000), st.integers(0, 130), st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=25, deadline=None)
def test_never_a_number_that_is_none(seed, n, pull, missed):
    patients, changes, _ = cohort(max(n, 1), seed, pull, missed)
    for row in rows_of(patients.head(n), changes.head(n)).values():
        if row["status"] == "not_estimable":
            assert row["reason"]
            assert row.get("estimate") is None
        else:
            assert np.isfinite([row["estimate"], row["conf_low"], row["conf_high"]]).all()
            assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
