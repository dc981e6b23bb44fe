"""Bootstrap interval and permutation P: right where they stand, refused where they cannot."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from captem import (
    arrangements,
    criterion_model,
    firth,
    influence,
    krenning_model,
    limits,
    model_parts,
    ordinal,
    resampled,
    suvmax_model,
)
from hypothesis import given, settings
from hypothesis import strategies as st

MODULES = {"krenning": krenning_model, "criterion": criterion_model, "suvmax": suvmax_model}
MODELS = {
    outcome: model_parts.Model(f"model.{outcome}", outcome, (baseline, "log2_mib1"), "secondary")
    for outcome, baseline in (
        ("krenning", "krenning_pre"),
        ("criterion", "krenning_pre"),
        ("suvmax", "log2_suvmax_pre"),
    )
}
OUTCOMES = tuple(MODELS)
FEW = 199


def cohort(n: int, seed: int, effect: float = 0.0) -> pd.DataFrame:
    """Patients whose MIB1 goes with the baseline, and with the follow-up by `effect`."""
    rng = np.random.default_rng(seed)
    uptake = rng.normal(size=n)
    mib1 = np.exp(2.0 - 0.5 * uptake + 0.9 * rng.normal(size=n)).round() + 1.0
    pre = np.clip(np.round(2.0 + uptake), 0, 4).astype(int)
    latent = pre - 2.0 + effect * (np.log2(mib1) - 3.0) + rng.logistic(size=n)
    post = np.digitize(latent, [-2.0, -0.5, 0.7, 2.0])
    suvmax_pre = 2.0 ** (3.0 + uptake)
    return pd.DataFrame(
        {
            "krenning_pre_low": pre,
            "krenning_pre_high": pre,
            "krenning_post_low": post,
            "krenning_post_high": post,
            "criterion_post": np.where(latent > 0.0, "yes", "no"),
            "suvmax_post": suvmax_pre * 2.0 ** (effect * np.log2(mib1) + rng.normal(size=n)),
            "krenning_pre": pre,
            "log2_mib1": np.log2(mib1),
            "log2_suvmax_pre": np.log2(suvmax_pre),
        }
    )


def terms(outcome: str, patients: pd.DataFrame) -> np.ndarray:
    return patients[list(MODELS[outcome].terms)].to_numpy(dtype=float)


def reported(outcome: str, patients: pd.DataFrame) -> dict:
    model = MODELS[outcome]
    rows = MODULES[outcome].fit(model, "all", "secondary", patients, terms(outcome, patients)).rows
    return next(row for row in rows if row["term"] == "log2_mib1")


def assumed(outcome: str, **values) -> dict:
    """What a model would report, for a cohort so small that it reports nothing."""
    return {
        "status": "ok", "reason": "", "estimate": 1.0, "estimand": "odds ratio",
        "unit": "per doubling of MIB1", "n_patients": 9,
    } | values  # fmt: skip


def both(outcome, patients, seed=1, replicates=FEW, row=None):
    row = row or reported(outcome, patients)
    x = terms(outcome, patients)
    return resampled.rows(MODELS[outcome], "all", patients, x, row, seed, replicates)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_two_rows(outcome):
    patients = cohort(60, seed=3, effect=0.7)
    main = reported(outcome, patients)
    interval, test = both(outcome, patients, replicates=999)
    start = f"{MODELS[outcome].analysis}/{outcome}/all/log2_mib1"
    assert [interval["row_id"], test["row_id"]] == [f"{start}/bootstrap", f"{start}/permutation"]
    for row in (interval, test):
        assert (row["role"], row["estimand"]) == ("sensitivity", main["estimand"])
        assert row["estimate"] == main["estimate"]
        assert row["n_patients"] == 60
        assert row.get("n_events") == main.get("n_events")
        assert (row["status"], row["reason"]) == (main["status"], main["reason"])
    assert interval["conf_low"] < main["estimate"] < interval["conf_high"]
    assert interval["interval_method"] == "BCa bootstrap by patient"
    assert "conf_low" not in test
    assert test["p_value"] == pytest.approx(round(test["p_value"] * 1000) / 1000)
    assert test["p_value"] < 0.05


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_order_of_patients_does_not_matter_and_the_seed_does(outcome):
    patients = cohort(45, seed=5)
    shuffled = patients.sample(frac=1.0, random_state=2)
    first = both(outcome, patients)
    for row, other in zip(first, both(outcome, shuffled), strict=True):
        for name in {"conf_low", "conf_high", "p_value"} & set(row):
            assert row[name] == pytest.approx(other[name], rel=1e-7)
    again = both(outcome, patients)
    assert first == again
    elsewhere = both(outcome, patients, seed=2)
    assert first[0]["conf_low"] != elsewhere[0]["conf_low"]


def test_streams_differ_between_subsets():
    patients = cohort(45, seed=5)
    x, row = terms("suvmax", patients), reported("suvmax", patients)
    rows = [
        resampled.rows(MODELS["suvmax"], subset, patients, x, row, 1, FEW)[0]
        for subset in ("all", "confirmatory")
    ]
    assert rows[0]["conf_low"] != rows[1]["conf_low"]


def test_interval_against_scipy():
    from scipy.stats import bootstrap

    patients = cohort(40, seed=6, effect=0.4)
    row = both("suvmax", patients, replicates=4000)[0]
    x, y = terms("suvmax", patients), np.log2(patients["suvmax_post"].to_numpy())
    design = np.column_stack([np.ones(40), x])

    def slope(rows):
        return np.linalg.lstsq(design[rows], y[rows], rcond=None)[0][2]

    theirs = bootstrap(
        (np.arange(40),), slope, n_resamples=4000, vectorized=False, method="BCa", rng=9
    ).confidence_interval
    found = np.log2([row["conf_low"], row["conf_high"]])
    width = theirs.high - theirs.low
    np.testing.assert_allclose(found, [theirs.low, theirs.high], atol=0.05 * width)


def test_interval_per_half_a_doubling():
    patients = cohort(45, seed=7, effect=0.4)
    doubled = patients.assign(log2_mib1=2.0 * patients["log2_mib1"])
    for outcome in OUTCOMES:
        per_doubling, per_half = (both(outcome, table)[0] for table in (patients, doubled))
        for name in ("conf_low", "conf_high"):
            assert per_half[name] ** 2 == pytest.approx(per_doubling[name], rel=1e-5)


@pytest.mark.parametrize(
    ("outcome", "least"),
    [
        ("krenning", limits.MIN_FOR_ORDINAL_BOOTSTRAP),
        ("criterion", limits.MIN_FOR_BOOTSTRAP),
        ("suvmax", limits.MIN_FOR_BOOTSTRAP),
    ],
)
def test_bootstrap_of_few_is_refused(outcome, least):
    patients = cohort(least - 1, seed=1)
    interval, test = both(outcome, patients, row=assumed(outcome))
    assert interval["status"] == "not_estimable"
    assert f"{least - 1} patients: the bootstrap needs {least}" in interval["reason"]
    assert "conf_low" not in interval and "estimate" not in interval
    assert test["p_value"] > 0.0


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_the_model_says_of_itself_is_said_here(outcome):
    patients = cohort(45, seed=2)
    refused = assumed(outcome, status="not_estimable", reason="no, because")
    for row in both(outcome, patients, row=refused):
        assert (row["status"], row["reason"]) == ("not_estimable", "no, because")
        assert "estimate" not in row and "p_value" not in row
    doubted = assumed(outcome, status="unstable", reason="few")
    for row in both(outcome, patients, row=doubted):
        assert (row["status"], row["reason"]) == ("unstable", "few")


def test_too_few_resamples_for_the_level_are_said():
    row = both("suvmax", cohort(45, seed=2), replicates=19)[0]
    assert row["status"] == "unstable"
    assert "beyond all 19 resamples" in row["reason"]


def test_resamples_without_an_event_are_counted():
    patients = cohort(30, seed=2)
    patients["criterion_post"] = ["yes"] * 3 + ["no"] * 27
    row = both("criterion", patients, row=assumed("criterion"), replicates=500)[0]
    # (27/30)^30 = 4.2 % have none, and leaving one out keeps two.
    assert row["status"] == "ok"
    patients["criterion_post"] = ["yes"] * 2 + ["no"] * 28
    row = both("criterion", patients, row=assumed("criterion"), replicates=500)[0]
    # (28/30)^30 = 12.6 %
    assert row["status"] == "unstable"
    lost = int(row["reason"].split("in ")[1].split(" of 500")[0])
    assert 40 <= lost <= 90
    patients["criterion_post"] = ["yes"] + ["no"] * 29
    row = both("criterion", patients, row=assumed("criterion"), replicates=500)[0]
    assert row["status"] == "not_estimable"
    assert "leaving out one patient at a time, 1 times there is no estimate" in row["reason"]


TINY = pd.DataFrame(
    {
        "krenning_pre_low": [1, 1, 1, 2, 2, 2, 1, 1],
        "krenning_pre_high": [1, 1, 1, 2, 2, 2, 2, 2],
        "krenning_post_low": [1, 2, 2, 2, 4, 3, 1, 3],
        "krenning_post_high": [2, 2, 3, 2, 4, 3, 1, 3],
        "criterion_post": ["no", "yes", "no", "no", "yes", "yes", "no", "yes"],
        "krenning_pre": [1, 1, 1, 2, 2, 2, 1.5, 1.5],
        "log2_mib1": [1.0, 3.0, 2.0, 2.0, 5.0, 3.0, 1.0, 4.0],
    }
)
GROUPS = ([0, 1, 2], [3, 4, 5], [6, 7])


def every_order():
    """All orders of eight patients within the three groups, equal ones again and again."""
    for parts in product(*(permutations(group) for group in GROUPS)):
        yield [patient for part in parts for patient in part]


def test_permutation_of_scores_is_the_full_enumeration():
    low, high = TINY["krenning_post_low"].to_numpy(), TINY["krenning_post_high"].to_numpy()
    mib1 = TINY["log2_mib1"].to_numpy()

    def height(order):
        return ordinal.fit(low, high, np.column_stack([TINY["krenning_pre"], mib1[order]])).loglik

    seen = height(list(range(8)))
    expected = np.mean([height(order) >= seen - 1e-6 for order in every_order()])
    row = both("krenning", TINY, row=assumed("krenning"))[1]
    assert row["p_value"] == pytest.approx(expected, abs=1e-12)
    assert row["p_method"].endswith("all 72 arrangements")
    # With one arrangement fewer allowed they are drawn, and the answer is about the same.
    drawn = both("krenning", TINY, row=assumed("krenning"), replicates=71)[1]
    assert drawn["p_method"].endswith("71 arrangements")
    assert drawn["p_value"] == pytest.approx(expected, abs=0.15)
    assert drawn["p_value"] >= 1 / 72


def test_permutation_of_the_criterion_is_the_full_enumeration():
    gained = TINY["criterion_post"].eq("yes").to_numpy(dtype=float)
    mib1 = TINY["log2_mib1"].to_numpy()

    # By the outcomes of others instead of their MIB1: the design, and its penalty, then stay.
    def ratio(order):
        fit = firth.fit(gained[order], np.column_stack([TINY["krenning_pre"], mib1]))
        return firth.likelihood_ratio(fit, 2)[0]

    seen = ratio(list(range(8)))
    expected = np.mean([ratio(order) >= seen - 1e-6 for order in every_order()])
    row = both("criterion", TINY, row=assumed("criterion"))[1]
    assert row["p_value"] == pytest.approx(expected, abs=1e-12)
    assert row["p_method"].endswith("all 18 arrangements")
    assert row["status"] == "unstable"
    assert "the smallest P possible is" in row["reason"]


def test_permutation_of_residuals_is_the_full_enumeration():
    patients = cohort(6, seed=11, effect=0.5)
    x, y = terms("suvmax", patients), np.log2(patients["suvmax_post"].to_numpy())
    given_baseline = influence.ols(y, x[:, :1])
    fitted = y - given_baseline.residuals

    def statistic(order):
        again = influence.ols(fitted + given_baseline.residuals[order], x)
        return abs(influence.hc3_test(again, 2)[0])

    seen = statistic(np.arange(6))
    every = np.array([statistic(np.array(order)) for order in permutations(range(6))])
    expected = np.mean(every >= seen - 1e-9)
    row = both("suvmax", patients, row=assumed("suvmax"), replicates=720)[1]
    assert row["p_value"] == pytest.approx(expected, abs=1e-12)
    assert row["p_method"].endswith("all 720 arrangements")


def test_one_arrangement_is_refused():
    alone = TINY.assign(krenning_pre_low=range(8), krenning_pre_high=range(8))
    row = both("krenning", alone, row=assumed("krenning"))[1]
    assert row["status"] == "not_estimable"
    assert "arranged in one way only" in row["reason"]
    assert "p_value" not in row


def test_covariates_cannot_be_exchanged():
    patients = cohort(45, seed=2)
    model = model_parts.Model(
        "model.krenning", "krenning", ("krenning_pre", "log2_mib1", "age"), ""
    )
    x = np.column_stack([terms("krenning", patients), np.arange(45) % 7])
    interval, test = resampled.rows(model, "all", patients, x, assumed("krenning"), 1, 99)
    assert test["status"] == "not_estimable"
    assert "the model also has age" in test["reason"]
    assert interval["status"] != "not_estimable"


def test_malformed_input():
    patients = cohort(45, seed=2)
    without = model_parts.Model("model.x", "suvmax", ("log2_suvmax_pre",), "")
    x = terms("suvmax", patients)
    with pytest.raises(ValueError, match="log2_mib1"):
        resampled.rows(without, "all", patients, x[:, :1], assumed("suvmax"), 1)
    with pytest.raises(ValueError, match="replicate"):
        resampled.rows(MODELS["suvmax"], "all", patients, x, assumed("suvmax"), 1, 0)


small = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6
)


@settings(max_examples=60, deadline=None)
@given(small)
def test_listed_arrangements_are_all_that_can_be_told_apart(patients):
    groups, outcomes, values = (np.array(column) for column in zip(*patients, strict=True))
    found = arrangements.of(groups, outcomes, values, 10**6, np.random.default_rng(0))

    def shares(orders):
        pairs = [
            tuple(sorted(zip(groups, outcomes, values[list(order)], strict=True)))
            for order in orders
        ]
        return {pair: pairs.count(pair) / len(pairs) for pair in set(pairs)}

    every = [
        order for order in permutations(range(len(groups))) if (groups[list(order)] == groups).all()
    ]
    assert found.complete
    assert len(found.places) == found.number
    listed, full = shares(found.places), shares(every)
    assert listed.keys() == full.keys()
    assert all(listed[pair] == pytest.approx(full[pair]) for pair in full)


def test_drawn_arrangements_stay_within_groups_and_are_fair():
    groups = np.array([5, 0, 5, 0, 5, 7])
    found = arrangements.of(
        groups, np.arange(6), np.arange(6), 11, np.random.default_rng(3)
    )  # 3! 2! 1! = 12
    assert (found.complete, found.number, len(found.places)) == (False, 12, 11)
    many = arrangements._drawn(groups, 6000, np.random.default_rng(3))
    assert (groups[many] == groups).all()
    assert (np.sort(many, axis=1) == np.arange(6)).all()
    counts = np.unique(many, axis=0, return_counts=True)[1]
    assert len(counts) == 12
    assert counts.min() > 400 and counts.max() < 600
