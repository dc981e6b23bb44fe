"""Noise and selection alone: against the bivariate normal, direct simulation and enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from captem import bias, bias_rows, drawn, reader_error, statistics
from captem.schemas import STATISTICS
from captem.signed_rank import conditional_test, groups
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import inter_rater
from studies import from_text, shipped

RELIABILITIES = st.floats(0, 0.95)
SHARES = st.lists(st.integers(1, 9), min_size=5, max_size=5).map(bias.shares_of)


def points(values) -> np.ndarray:
    return np.column_stack([values, values]).astype(float)


def study(before, after, shares=bias.EQUAL_SHARES) -> bias.Study:
    return bias.Study(points(before), points(after), shares)


@pytest.mark.parametrize("reliability", [0.0, 0.3, 0.8, 0.97])
def test_two_readings_are_a_cut_bivariate_normal(reliability):
    shares = bias.shares_of([3, 5, 2, 6, 4])
    cuts = stats.norm.ppf(np.cumsum(shares)[:-1])
    joint = stats.multivariate_normal([0, 0], [[1, reliability], [reliability, 1]])
    below = np.array([[joint.cdf([a, b]) for b in cuts] for a in cuts])
    found = bias.two_readings(reliability, shares)
    assert np.cumsum(np.cumsum(found, axis=0), axis=1)[:4, :4] == pytest.approx(below, abs=2e-5)
    assert found.sum(axis=1) == pytest.approx(shares, abs=1e-9)
    assert found == pytest.approx(found.T, abs=1e-12)


@given(SHARES, RELIABILITIES)
@settings(max_examples=50, deadline=None)
def test_whoever_is_not_selected_does_not_regress(shares, reliability):
    """All patients screened, in the shares they have: their second readings have the same mean."""
    before = np.repeat(np.arange(5), np.rint(np.array(shares) * 45 * 46).astype(int))
    exact = bias.shares_of(np.bincount(before, minlength=5))
    assert bias.expected_gain(study(before, before, exact), reliability) == pytest.approx(
        0, abs=1e-9
    )


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12), SHARES, RELIABILITIES)
@settings(max_examples=50, deadline=None)
def test_turning_the_scale_over_turns_the_gain_over(before, shares, reliability):
    there = bias.expected_gain(study(before, before, shares), reliability)
    turned = [4 - score for score in before]
    back = bias.expected_gain(study(turned, turned, shares[::-1]), reliability)
    assert there == pytest.approx(-back, abs=1e-9)


def test_readings_that_repeat_themselves_leave_no_gain():
    low = study([0, 1, 2, 2], [0, 1, 2, 2])
    assert bias.expected_gain(low, 1 - 1e-9) == pytest.approx(0, abs=1e-3)
    # Readings that do not repeat themselves at all bring everyone to the mean of the screened, 2.
    assert bias.expected_gain(low, 0.0) == pytest.approx(2 - 5 / 4, abs=1e-9)


def test_an_interval_at_baseline_is_any_of_its_scores():
    wide = bias.Study(np.array([[0.0, 4.0]]), points([2]))
    assert bias.expected_gain(wide, 0.4) == pytest.approx(0, abs=1e-9)


def test_the_tipping_value_gives_the_observed_gain():
    chosen = study([0, 1, 1, 2, 2, 2], [1, 1, 2, 3, 2, 2])
    tip = bias.tipping(chosen, 0.5)
    assert tip is not None and bias.expected_gain(chosen, tip) == pytest.approx(0.5, abs=1e-9)
    assert bias.tipping(chosen, 0.0) is None
    assert bias.tipping(chosen, 1.5) is None


def test_the_sweep_says_what_it_assumes_and_pretends_no_interval():
    found = {
        result.term: result
        for result in bias.regression_to_mean(study([0, 1, 1, 2], [1, 2, 3, 3]), [0.5, 0.9])
    }
    assert list(found) == ["observed", "reliability_0.5", "reliability_0.9", "tipping"]
    assert found["observed"].estimate == 1.25
    assert found["reliability_0.5"].estimate > found["reliability_0.9"].estimate > 0
    assert "the patients screened had each score equally often" in found["reliability_0.5"].reason
    assert all(result.conf_low is None for result in found.values())
    # More than two readings without anything in common would give.
    assert found["tipping"].status == "not_estimable"
    assert "do not on average give a mean gain of 1.2 steps" in found["tipping"].reason


def test_interval_scores_give_a_range_of_observed_gains():
    chosen = bias.Study(np.array([[0.0, 1.0], [1, 1], [2, 2]]), points([2, 2, 2]))
    found = bias.regression_to_mean(chosen, [0.8])
    rows = {(result.term, result.variant): result.estimate for result in found}
    assert rows["observed", "low"] == pytest.approx(2 / 3)
    assert rows["observed", "high"] == 1
    assert rows["observed", ""] == pytest.approx(5 / 6)


@pytest.mark.parametrize("entry", [2, 1])
def test_no_effect_against_patients_who_are_screened_chosen_and_read_again(entry):
    """The whole thing done directly: draw patients, take the low ones, read them a second time."""
    random, n, studies, reliability = np.random.default_rng(5), 23, 1500, 0.7
    cuts = stats.norm.ppf([0.2, 0.4, 0.6, 0.8])
    true = random.normal(size=(studies, 40 * n)) * np.sqrt(reliability)
    first, second = (
        np.searchsorted(cuts, true + random.normal(size=true.shape) * np.sqrt(1 - reliability))
        for _ in range(2)
    )
    rejected, gained, met = 0, [], []
    for x, y in zip(first, second, strict=True):
        low = np.flatnonzero(x <= entry)[:n]
        rejected += conditional_test(*groups(y[low] - x[low])).p_value <= 0.05
        gained.append(((x[low] < 3) & (y[low] >= 3)).sum())
        met.append((y[low] - x[low]).mean())
    before = np.repeat(np.arange(entry + 1), n)
    found = bias.no_effect(study(before[:: entry + 1], before[:: entry + 1]), [reliability], 3, 1)
    chosen = study(before[:: entry + 1][:n], before[:: entry + 1][:n])
    assert bias.expected_gain(chosen, reliability) == pytest.approx(
        np.mean(met), abs=5 * np.std(met) / np.sqrt(studies) + 0.03
    )
    share = rejected / studies
    error = np.sqrt(share * (1 - share) * (1 / studies + 1 / bias.STUDIES))
    tests, *_, means, newly = found[1:]
    assert abs(tests.estimate - share) < 4 * error + 0.05
    assert means.estimate == pytest.approx(np.mean(met), abs=0.05)
    ends = np.quantile(met, [0.025, 0.975])
    assert (means.conf_low, means.conf_high) == pytest.approx(tuple(ends), abs=0.1)
    assert newly.estimate == pytest.approx(np.mean(gained), rel=0.1)


def test_a_score_that_was_never_screened_is_refused():
    chosen = study([0, 1], [1, 1], bias.shares_of([0, 5, 5, 5, 5]))
    swept = bias.no_effect(chosen, [0.8], 3, 1)[1:]
    observed, *expected = bias.regression_to_mean(chosen, [0.8])
    assert (observed.term, observed.status, observed.estimate) == ("observed", "ok", 0.5)
    for result in expected + swept:
        assert result.status == "not_estimable" and "noise: screened" in result.reason


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_pairs_are_refused(n):
    chosen = study([1] * n, [2] * n)
    found = bias.regression_to_mean(chosen, [0.8]) + bias.no_effect(chosen, [0.8], 3, 1)
    assert {result.status for result in found} == {"not_estimable"}
    rows = reader_error.rows(chosen.before, chosen.after, [0.1], 1, "all", str)
    assert {row["status"] for row in rows} == {"not_estimable"}


# Readings repeated with errors


@given(st.floats(0, 1))
def test_a_misreading_is_one_step_and_keeps_everyone(rate):
    chances = reader_error.misreading(rate)
    assert chances.sum(axis=1) == pytest.approx(1)
    steps = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    assert (chances[steps > 1] == 0).all()
    assert chances[2, 1] == chances[2, 3] == pytest.approx(rate / 2)


def test_readers_without_errors_read_the_same():
    before, after = points([0, 1, 2, 3]), points([2, 2, 2, 2])
    drawn_again = reader_error.read_again(before, after, 0.0, 20, 1)
    assert (drawn_again == drawn_again[0]).all()
    assert drawn.net_improvements(drawn_again)[0] == 0.25
    assert drawn.p_values(drawn_again)[0] == conditional_test(*groups([2, 1, 0, -1])).p_value


def test_the_share_of_repeated_readings_against_enumeration():
    """Two patients: all pairs of misreadings by hand."""
    before, after, rate = points([2, 2, 2, 2, 2, 2]), points([3] * 6), 0.3
    tables = reader_error.read_again(before, after, rate, 40_000, 3)
    up = rate / 2
    # One patient still rises unless baseline is read up or follow-up down by enough.
    chance = sum(
        a * b
        for step_1, a in ((-1, up), (0, 1 - rate), (1, up))
        for step_2, b in ((-1, up), (0, 1 - rate), (1, up))
        if 3 + step_2 > 2 + step_1
    )
    all_rise = (drawn.gain_counts(tables)[:, 5:].sum(axis=1) == 6).mean()
    assert all_rise == pytest.approx(chance**6, abs=0.01)
    p = drawn.p_values(tables)
    assert (p[drawn.gain_counts(tables)[:, 5:].sum(axis=1) == 6] <= 0.05).all()


def test_a_rate_of_errors_draws_the_result_towards_no_change():
    before, after = points([1] * 20), points([2] * 20)
    rows = reader_error.rows(before, after, [0.05, 0.4], 1, "all", str)
    net = {row["term"]: row["estimate"] for row in rows if row["row_id"].endswith("improvement")}
    assert net["rate_0.4"] < net["rate_0.05"] <= 1


# Rows


def test_rows_fit_the_contract_and_repeat_themselves():
    found = shipped("config").statistics
    rows = found[found["analysis"].isin(["bias.regression_to_mean", "bias.no_effect",
                                         "sensitivity.reader_error"])]  # fmt: skip
    STATISTICS.validate(rows.reset_index(drop=True), lazy=True)
    patients = shipped("config").patients
    noise = shipped("config").settings["noise"]
    again = [bias_rows.estimate(patients, ["prospective"], 3, noise, seed) for seed in (1, 1, 2)]
    assert again[0].equals(again[1]) and not again[0].equals(again[2])


def test_the_screened_patients_of_the_config_are_used(tmp_path):
    table = "patient_id,krenning_pre,krenning_post\n" + "".join(
        f"{i},{i % 3},{min(4, i % 3 + 1)}\n" for i in range(12)
    )
    noise = {"reliability": [0.8], "reader_error": [0.1]}
    one = from_text(tmp_path, table, noise=noise).statistics
    two = from_text(tmp_path, table, noise={**noise, "screened": [9, 9, 9, 1, 1]}).statistics
    row = "bias.regression_to_mean/krenning/all/reliability_0.8"
    first, second = statistics.find(one, row), statistics.find(two, row)
    assert first["estimate"] > second["estimate"]
    assert "as the config gives them" in second["reason"]


@pytest.mark.parametrize(("n", "status"), [(5, "not_estimable"), (6, "ok")])
def test_a_share_of_small_p_is_refused_where_no_p_can_be_small(n, status):
    chosen = study([1] * n, [2] * n)
    found = bias.no_effect(chosen, [0.8], 3, 1)
    shares = [result for result in found if result.estimand.startswith("share of studies")]
    assert [result.status for result in shares] == [status]
    rows = reader_error.rows(chosen.before, chosen.after, [0.1], 1, "all", str)
    assert (rows[0]["status"], rows[1]["status"]) == (status, "ok")


def test_who_gained_the_criterion_is_counted_by_the_patients_own_scores():
    chosen = bias.Study(np.array([[0.0, 1.0], [2, 2], [2, 2], [3, 3]]),
                        np.array([[3.0, 4.0], [2, 3], [4, 4], [4, 4]]))  # fmt: skip
    first = bias.no_effect(chosen, [0.8], 3, 1)[0]
    assert (first.term, first.estimate) == ("observed", 2)
    assert "in 1 more the scores leave it open" in first.reason


def test_the_tipping_value_where_the_gain_does_not_fall_throughout():
    """More of the screened are at the ends of the scale: noise takes these patients there."""
    before = np.repeat([1, 2, 3, 4], [90, 20, 10, 40])
    chosen = study(before, before + np.r_[np.ones(6, dtype=int), np.zeros(154, dtype=int)])
    assert bias.expected_gain(chosen, 0.0) < 0.0375 < bias.expected_gain(chosen, 0.6)
    tip = bias.tipping(chosen, 0.0375)
    assert tip is not None and tip > 0.6
    assert bias.expected_gain(chosen, tip) == pytest.approx(0.0375, abs=1e-9)


def test_a_fall_after_high_scores_is_explained_as_a_rise_after_low_ones():
    before = np.repeat([4, 3, 4], [4, 6, 6])
    after = np.repeat([3, 3, 4], [4, 6, 6])
    tip = bias.tipping(study(before, after), -0.25)
    turned = bias.tipping(study(4 - before, 4 - after), 0.25)
    assert tip is not None and tip == pytest.approx(turned, abs=1e-9)
    assert bias.tipping(study(before, before), 0.0) is None


def test_two_readings_agree_as_their_table_says():
    found = {result.variant: result.estimate
             for result in bias.no_effect(study([0, 1, 2, 1, 1, 2], [1] * 6), [0.8], 3, 1)
             if result.term == "reliability_0.8" and result.outcome == "krenning"}  # fmt: skip
    random = np.random.default_rng(2)
    true = random.normal(size=200_000) * np.sqrt(0.8)
    cuts = stats.norm.ppf([0.2, 0.4, 0.6, 0.8])
    one, two = (
        np.searchsorted(cuts, true + random.normal(size=len(true)) * np.sqrt(0.2)) for _ in range(2)
    )
    counts = np.zeros((5, 5))
    np.add.at(counts, (one, two), 1)
    assert found["same_score"] == pytest.approx((one == two).mean(), abs=0.005)
    expected = inter_rater.cohens_kappa(counts, wt="linear").kappa
    assert found["kappa"] == pytest.approx(expected, abs=0.005)


def test_interval_scores_make_simulated_shares_unstable():
    """The simulation draws points; the test of the study takes the largest P over completions."""
    before = np.array([[0.0, 1.0]] + [[1.0, 1.0]] * 9)
    chosen = bias.Study(before, points([2] * 10))
    share = next(result for result in bias.no_effect(chosen, [0.8], 3, 1)
                 if result.estimand.startswith("share of studies"))  # fmt: skip
    assert share.status == "unstable" and "1 patient has an interval score" in share.reason
    row = reader_error.rows(before, points([2] * 10), [0.1], 1, "all", str)[0]
    assert row["status"] == "unstable"
