"""What single patients do to a fit: against R, single refits, and what a reader is told."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from captem import (
    bias_reduced,
    diagnostics,
    firth,
    influence,
    krenning_model,
    models,
    proportional_odds,
    statistics,
)
from reference_cases import answer, assert_matches, load

PRIMARY = "log2_mib1"


def cohort60():
    meta, frames = load("O03")
    d = frames["d"]
    chosen = pd.DataFrame(
        {
            "patient_id": d["patient_id"],
            "krenning_post_low": d["krenning_post"],
            "krenning_post_high": d["krenning_post"],
            "suvmax_post": d["suvmax_post"],
            "criterion_post": np.where(d["krenning_post"] >= 3, "yes", "no"),
        }
    )
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"]), d["cycles"]])
    return meta, chosen, x, ("krenning_pre", PRIMARY, "captem_cycles")


def coefficients(outcome, chosen, x):
    """The reported coefficients, by a single fit of the engine."""
    if outcome == "krenning":
        score = chosen["krenning_post_low"].to_numpy()
        return bias_reduced.fit(score, score, x).beta
    if outcome == "criterion":
        return firth.fit(chosen["criterion_post"].eq("yes").to_numpy(float), x).coefficients[1:]
    return influence.ols(np.log2(chosen["suvmax_post"]), x).coefficients[1:]


@pytest.mark.parametrize("outcome", ["krenning", "criterion", "suvmax"])
def test_influence_is_that_of_single_refits(outcome):
    _, chosen, x, terms = cohort60()
    ids = list(chosen["patient_id"])
    found = diagnostics.influence(outcome, ids, chosen, x, terms)
    base = 2.0 if outcome == "suvmax" else math.e
    whole = coefficients(outcome, chosen, x)
    expected = np.array(
        [
            coefficients(outcome, chosen.drop(index=row), np.delete(x, row, axis=0))
            for row in range(60)
        ]
    )
    assert found["patients"] == 60
    assert list(found["terms"]) == [PRIMARY, "captem_cycles"]
    for column in (1, 2):
        told, refits = found["terms"][terms[column]], expected[:, column]
        change = refits - whole[column]
        who = np.abs(change).argmax()
        assert told["estimate"] == pytest.approx(base ** whole[column], rel=1e-6)
        assert told["lowest"] == pytest.approx(base ** refits.min(), rel=1e-6)
        assert told["lowest_without"] == ids[refits.argmin()]
        assert told["highest"] == pytest.approx(base ** refits.max(), rel=1e-6)
        assert told["highest_without"] == ids[refits.argmax()]
        assert told["largest_change"] == pytest.approx(change[who], rel=1e-4)
        assert told["largest_change_ratio"] == pytest.approx(base ** change[who], rel=1e-4)
        assert told["largest_change_without"] == ids[who]
        assert (told["no_estimate"], told["no_estimate_without"]) == (0, [])
        assert [one["patient"] for one in told["without"]] == ids
        assert [one["ratio"] for one in told["without"]] == pytest.approx(base**refits, rel=1e-6)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_influence_of_least_squares_is_that_of_dfbeta():
    # Belsley, Kuh & Welsch: the change of a coefficient is known without a refit.
    _, chosen, x, terms = cohort60()
    fit = influence.ols(np.log2(chosen["suvmax_post"]), x)
    found = diagnostics.influence("suvmax", list(chosen["patient_id"]), chosen, x, terms)
    change = fit.without[:, 2] - fit.coefficients[2]
    told = found["terms"][PRIMARY]["largest_change"]
    assert told == pytest.approx(change[np.abs(change).argmax()], rel=1e-8)


def test_a_patient_who_alone_makes_an_estimate_possible_is_named():
    _, chosen, x, terms = cohort60()
    chosen["criterion_post"] = ["no"] * 7 + ["yes"] + ["no"] * 52
    ids = list(chosen["patient_id"])
    told = diagnostics.influence("criterion", ids, chosen, x, terms)["terms"][PRIMARY]
    assert (told["no_estimate"], told["no_estimate_without"]) == (1, [ids[7]])
    assert told["lowest"] < told["estimate"] < told["highest"]
    assert [one["patient"] for one in told["without"] if one["ratio"] is None] == [ids[7]]
    assert math.isfinite(told["largest_change"])


def test_where_nothing_can_be_refitted_there_is_none():
    _, chosen, x, terms = cohort60()
    chosen["criterion_post"] = "no"
    told = diagnostics.influence("criterion", list(chosen["patient_id"]), chosen, x, terms)
    told = told["terms"][PRIMARY]
    assert told["no_estimate"] == 60
    assert {told[key] for key in ("estimate", "lowest", "highest_without", "largest_change")} == {
        None
    }


def test_one_patient_leaves_nobody_to_compare():
    _, chosen, x, terms = cohort60()
    found = diagnostics.influence("krenning", ["P001"], chosen[:1], x[:1], terms)
    assert found == {"patients": 1, "reason": "there is nobody to leave out"}


def found_with(**told):
    known = {"estimate": 1.5, "lowest": 1.2, "highest": 1.9, "no_estimate": 0} | told
    return {"patients": 20, "terms": {PRIMARY: known}}


def test_rows_hold_the_range_and_no_patient():
    _, chosen, x, terms = cohort60()
    ids = [f"CODE-{code}" for code in chosen["patient_id"]]
    found = diagnostics.influence("krenning", ids, chosen, x, terms)
    rows = statistics.frame(diagnostics.leave_one_out_rows("all", found, "ok", ""))
    assert list(rows["row_id"]) == [
        f"sensitivity.leave_one_out/krenning/all/{PRIMARY}/{end}" for end in ("lowest", "highest")
    ]
    told = found["terms"][PRIMARY]
    assert list(rows["estimate"]) == [told["lowest"], told["highest"]]
    assert set(rows["role"]) == {"sensitivity"}
    assert set(rows["n_patients"]) == {59}
    assert rows[["conf_low", "conf_high", "p_value"]].isna().all(axis=None)
    assert "CODE-" not in rows.to_csv()


@pytest.mark.parametrize(
    ("found", "given", "status", "said"),
    [
        (found_with(), ("ok", ""), "ok", ""),
        (found_with(), ("unstable", "few"), "unstable", "few"),
        ({}, ("not_estimable", "too few"), "not_estimable", "too few"),
        (found_with(), ("not_estimable", "too few"), "not_estimable", "too few"),
        ({"patients": 1, "reason": "nobody"}, ("ok", ""), "not_estimable", "nobody"),
        (found_with(no_estimate=2), ("ok", ""), "unstable", "in 2 of 20"),
        (found_with(no_estimate=2), ("unstable", "few"), "unstable", "few"),
        (found_with(lowest=None, highest=None, no_estimate=20), ("ok", ""), "not_estimable",
         "without any one"),
    ],
)  # fmt: skip
def test_rows_are_no_better_than_the_reported_one(found, given, status, said):
    for row in diagnostics.leave_one_out_rows("all", found, *given):
        assert row["status"] == status
        assert said in row["reason"]
        assert bool(row["reason"]) == (status != "ok")
        assert ("estimate" in row) == (status != "not_estimable")


def test_leverage_and_cooks_distance_against_r():
    meta, frames = load("V01_influence")
    d = frames["d"]
    y = np.log2(d["suvmax_post"] / d["suvmax_pre"]).to_numpy()
    x = np.column_stack([np.log2(d["mib1"]), d["cycles"]])
    ids = [f"P{row}" for row in range(len(d))]
    found = diagnostics.least_squares(ids, y, x)
    leverage, cooks = answer(meta, "lm_hat"), answer(meta, "lm_cooks")
    leverage, cooks = np.asarray(leverage, dtype=float), np.asarray(cooks, dtype=float)
    assert_matches(found["largest_leverage"], leverage.max(), meta)
    assert found["largest_leverage_of"] == ids[leverage.argmax()]
    assert_matches(found["largest_cooks_distance"], cooks.max(), meta)
    assert found["largest_cooks_distance_of"] == ids[cooks.argmax()]
    assert found["leverage_one"] == []
    assert found["max_abs_gradient"] < 1e-9
    z = np.column_stack([np.ones(len(y)), x])
    assert found["condition_number"] == pytest.approx(np.linalg.cond(z.T @ z), rel=1e-6)


def test_a_patient_who_fits_himself_is_named():
    x = np.column_stack([np.arange(8.0), np.eye(8)[:, 5]])
    found = diagnostics.least_squares(list("abcdefgh"), np.arange(8.0) ** 2, x)
    assert (found["leverage_one"], found["largest_leverage_of"]) == (["f"], "f")
    assert found["largest_leverage"] == pytest.approx(1.0)
    assert found["largest_cooks_distance_of"] != "f"


def test_a_perfect_fit_has_no_distance():
    found = diagnostics.least_squares(list("abcdef"), np.arange(6.0), np.arange(6.0)[:, None])
    assert found["largest_cooks_distance"] is None
    assert found["largest_cooks_distance_of"] is None


def test_effective_observations_per_slope():
    assert diagnostics.effective_per_slope(45.0, 3) == 15.0
    assert diagnostics.effective_per_slope(45.0, 0) is None


@pytest.mark.parametrize(
    ("outcome", "own"),
    [("krenning", "proportional_odds"), ("criterion", None), ("suvmax", "least_squares")],
)
def test_diagnostics_of_a_fit_are_all_there(outcome, own):
    _, chosen, x, terms = cohort60()
    record = {"effective_n": 50.0}
    if outcome == "krenning":
        fitted = krenning_model.fit(replace(models.KRENNING, terms=terms), "all", "", chosen, x)
        record |= fitted.record | record
    found = diagnostics.of_fit(outcome, chosen, x, terms, record)
    parts = {"effective_n_per_slope", "influence", own} - {None}
    parts |= {"residuals", "residual_means"} if outcome == "krenning" else set()
    assert set(found) == parts
    assert found["effective_n_per_slope"] == pytest.approx(50 / 3)
    ids = list(chosen["patient_id"])
    assert found["influence"] == diagnostics.influence(outcome, ids, chosen, x, terms)
    if outcome == "krenning":
        score = chosen["krenning_post_low"].to_numpy()
        assert found[own] == proportional_odds.check(score, score, x, terms)


def test_influence_is_of_the_estimate_that_is_reported():
    _, chosen, x, terms = cohort60()
    model = models.KRENNING
    rows = krenning_model.fit(model, "all", "primary", chosen, x[:, :2]).rows
    reported = statistics.find(statistics.frame(rows), f"model.krenning/krenning/all/{PRIMARY}")
    found = diagnostics.influence(
        "krenning", list(chosen["patient_id"]), chosen, x[:, :2], terms[:2]
    )
    assert found["terms"][PRIMARY]["estimate"] == pytest.approx(reported["estimate"], rel=1e-7)
