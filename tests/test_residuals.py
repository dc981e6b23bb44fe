"""Probability-scale residuals: by hand, by their expectation, and as the score of a likelihood."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from captem import ordinal, residuals
from reference_cases import load
from scipy.special import expit
from studies import shipped

PRIMARY = "log2_mib1"
# Three scores of chances 0.2, 0.5 and 0.3.
BELOW = np.array([[0.2, 0.7]])
SIDES = [(0, 1), (1, 2)]


def of(low, high, below=BELOW, sides=SIDES):
    return float(residuals.of_scores(np.array([low]), np.array([high]), below, sides)[0])


def cohort():
    _, frames = load("O03")
    d = frames["d"]
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"]), d["cycles"]])
    return d["krenning_post"].to_numpy(), x, ("krenning_pre", PRIMARY, "captem_cycles")


def recorded(fit, terms):
    return {
        "coefficients": dict(zip(terms, fit.beta.tolist(), strict=True)),
        "thresholds": dict(zip(fit.threshold_labels, fit.thresholds.tolist(), strict=True)),
    }


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 0, -0.8),  # nobody below, 0.8 above
        (1, 1, 0.2 - 0.3),
        (2, 2, 0.7),
        (0, 1, -0.3),
        (1, 2, 0.2),
        (0, 2, 0.0),  # says nothing
    ],
)
def test_by_hand(low, high, expected):
    assert of(low, high) == pytest.approx(expected, abs=1e-15)


def test_an_interval_has_the_mean_of_its_scores_under_the_fit():
    chance = np.array([0.2, 0.5, 0.3])
    single = np.array([of(score, score) for score in range(3)])
    for low in range(3):
        for high in range(low, 3):
            within = slice(low, high + 1)
            mean = chance[within] @ single[within] / chance[within].sum()
            assert of(low, high) == pytest.approx(mean, abs=1e-15)


def test_the_expectation_is_zero_under_the_fit():
    below = np.sort(np.random.default_rng(1).uniform(size=(20, 4)), axis=1)
    sides = [(score, score + 1) for score in range(4)]
    chance = np.diff(np.column_stack([np.zeros(20), below, np.ones(20)]), axis=1)
    scores = [np.full(20, score) for score in range(5)]
    found = np.column_stack([residuals.of_scores(s, s, below, sides) for s in scores])
    assert np.abs((chance * found).sum(axis=1)).max() < 1e-15


def test_scores_that_share_a_category():
    # Nobody has a 1: the threshold lies between 0 and 2, and 1-2 begins above it.
    sides, below = [(0, 2)], np.array([[0.4]])
    assert of(1, 2, below, sides) == of(2, 2, below, sides) == pytest.approx(0.4)
    assert of(0, 1, below, sides) == of(0, 0, below, sides) == pytest.approx(-0.6)
    # 1 and 2 are never told apart: each is the whole of their category.
    sides, below = [(0, 1), (2, 3)], np.array([[0.2, 0.7]])
    assert of(1, 1, below, sides) == of(2, 2, below, sides) == pytest.approx(-0.1)


@pytest.mark.parametrize("intervals", [False, True])
def test_at_maximum_likelihood_they_are_orthogonal_to_all_terms(intervals):
    low, x, terms = cohort()
    high = low + (np.arange(60) % 7 == 0) * (low < 4) if intervals else low
    fit = ordinal.fit(low, high, x)
    found = residuals.of_patients(list("x" * 60), low, high, x, terms, recorded(fit, terms))
    values = np.array([one["residual"] for one in found])
    assert np.abs(values).max() > 0.5
    assert abs(values.sum()) < 1e-7
    assert np.abs(values @ x).max() < 1e-6
    assert [one["interval"] for one in found] == (low < high).tolist()


def test_the_score_a_fit_expects():
    assert residuals.expected_scores(BELOW, SIDES, 0, 2)[0] == pytest.approx(0.5 + 2 * 0.3)
    assert residuals.expected_scores(BELOW, [(1, 2), (2, 4)], 0, 4)[0] == pytest.approx(
        0.2 * 0.5 + 0.5 * 2 + 0.3 * 4
    )
    low, x, terms = cohort()
    fit = ordinal.fit(low, low, x)
    found = residuals.of_patients(list("x" * 60), low, low, x, terms, recorded(fit, terms))
    chance = np.diff(expit(fit.thresholds - (x @ fit.beta)[:, None]), prepend=0, append=1, axis=1)
    assert [one["expected"] for one in found] == pytest.approx(chance @ np.unique(low))


def test_the_record_of_a_study_holds_each_patient_of_the_fit():
    study = shipped("config")
    for name in ("model.krenning", "model.krenning_cycles"):
        record = study.models[name]["all"]
        found = record["diagnostics"]["residuals"]
        assert len(found) == record["n"]
        assert {one["patient"] for one in found} <= set(study.patients["patient_id"])
        values = np.array([one["residual"] for one in found])
        # Bias reduction leaves a little of the sum that maximum likelihood has at 0.
        assert abs(values.mean()) < 0.05
        assert (np.abs(values) <= 1).all()
        assert sum(one["interval"] for one in found) == record["interval_outcomes"]
        mib1 = study.patients.set_index("patient_id").loc[[one["patient"] for one in found]]
        middle = np.log2((mib1["mib1_low"] + mib1["mib1_high"]) / 2)
        assert [one[PRIMARY] for one in found] == pytest.approx(middle)
    assert "residuals" not in study.models["model.suvmax"]["all"]["diagnostics"]


def given(mib1, values=None):
    values = np.zeros(len(mib1)) if values is None else values
    return [{PRIMARY: m, "residual": r} for m, r in zip(mib1, values, strict=True)]


def test_means_are_of_groups_along_mib1():
    mib1 = np.random.default_rng(1).permutation(60) / 10
    told = residuals.means(given(mib1, np.where(mib1 < 1.2, -0.5, 0.25)))
    assert [one["patients"] for one in told] == [12] * 5
    assert [one["residual"] for one in told] == pytest.approx([-0.5, 0.25, 0.25, 0.25, 0.25])
    assert [one["low"] for one in told] == pytest.approx([0, 1.2, 2.4, 3.6, 4.8])
    assert [one["high"] for one in told] == pytest.approx([1.1, 2.3, 3.5, 4.7, 5.9])


@pytest.mark.parametrize(
    ("mib1", "sizes"),
    [
        (np.arange(29), []),
        (np.arange(30), [10, 10, 10]),
        ([], []),
        (np.zeros(60), []),
        (np.repeat([1.0, 2.0], 30), []),
        (np.repeat([1.0, 2.0, 3.0], [30, 21, 9]), []),
        (np.repeat([1.0, 2.0, 3.0], [30, 20, 10]), [30, 20, 10]),
        (np.repeat(np.arange(6), 10), [10, 10, 20, 10, 10]),
        (np.repeat(np.arange(4), [9, 15, 15, 15]), [24, 15, 15]),
    ],
)
def test_means_are_of_whole_groups_of_ten_or_more(mib1, sizes):
    told = residuals.means(given(mib1))
    assert [one["patients"] for one in told] == sizes
    for before, after in pairwise(told):
        assert before["high"] < after["low"]


def test_residuals_are_next_to_free():
    import timeit

    rng = np.random.default_rng(1)
    n = 500
    low, x = rng.integers(0, 5, n), rng.normal(size=(n, 2))
    fit = ordinal.fit(low, low, x)
    record, ids = recorded(fit, ("krenning_pre", PRIMARY)), [str(i) for i in range(n)]

    def once():
        found = residuals.of_patients(ids, low, low, x, ("krenning_pre", PRIMARY), record)
        residuals.means(found)

    assert min(timeit.repeat(once, number=1, repeat=3)) < 0.05
