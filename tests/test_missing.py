"""Imputation under its own rules and in repeated studies; bounds against every completion."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from captem import missing, proportions, rubin
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import load
from test_rubin import least_squares

NAN = np.nan


@st.composite
def tables(draw):
    """A complete outcome and three incomplete columns with many ties, one of them of two codes."""
    n = draw(st.integers(12, 25))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    score = rng.integers(0, 5, n).astype(float)
    codes = rng.permutation(np.arange(n) % 2) + 1.0
    rest = rng.integers(-3, 4, (n, 2)) / 2 + score[:, None] / 2
    table = np.column_stack([score, codes, rest])
    table[:, 1:][rng.random((n, 3)) < draw(st.sampled_from([0.0, 0.1, 0.3]))] = NAN
    return table


KINDS = ["outcome", "category", "numeric", "numeric"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tables(), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32))
def test_what_was_observed_stays_and_what_is_imputed_was_observed(table, m, iterations, seed):
    # Three donors, so that columns with few values are drawn as well.
    if (~np.isnan(table)).sum(axis=0).min() < 7:
        return
    made = missing.impute(table, KINDS, m, seed, donors=3, iterations=iterations)
    gaps = np.isnan(table)
    assert made.values.shape == (m, *table.shape)
    np.testing.assert_array_equal(made.missing, gaps)
    for values in made.values:
        np.testing.assert_array_equal(values[~gaps], table[~gaps])
        for column in range(4):
            assert set(values[:, column]) <= set(table[~gaps[:, column], column])
    last = [values[gaps[:, 2], 2].mean() for values in made.values] if gaps[:, 2].any() else []
    np.testing.assert_array_equal(made.chain_means[:, -1, 2][: len(last)], last)


def test_complete_data_come_back_unchanged():
    table = np.random.default_rng(1).normal(size=(20, 3))
    before = table.copy()
    made = missing.impute(table, ["outcome", "numeric", "numeric"], 4, seed=1)
    assert (made.values == table).all()
    assert not made.missing.any()
    assert np.isnan(made.rhat).all()
    np.testing.assert_array_equal(table, before)


def cohort(n=60, seed=2):
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 5, n).astype(float)
    mib1 = score / 2 + rng.normal(size=n)
    cycles = mib1 + rng.normal(size=n)
    table = np.column_stack([score, mib1, cycles])
    table[:15, 1] = NAN
    table[10:20, 2] = NAN
    return table


def test_a_seed_gives_the_same_tables_however_many_follow():
    table = cohort()
    kinds = ["outcome", "numeric", "numeric"]
    few, many = (missing.impute(table, kinds, m, seed=7) for m in (3, 6))
    np.testing.assert_array_equal(many.values[:3], few.values)
    other = missing.impute(table, kinds, 3, seed=8)
    assert (other.values != few.values).any()
    assert (few.values[0] != few.values[1]).any()


def test_a_table_given_stays_as_it_was():
    table = cohort()
    before = table.copy()
    missing.impute(table, ["outcome", "numeric", "numeric"], 2, seed=7)
    np.testing.assert_array_equal(table, before)


def test_where_prediction_is_perfect_each_of_the_nearest_donors_is_as_likely():
    """Without residuals b* = b, so the donors are the 5 nearest values of x."""
    x = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4.1])
    y = 1 + 2 * x
    y[-1] = NAN
    made = missing.impute(np.column_stack([x, y]), ["outcome", "numeric"], 2000, 3, iterations=1)
    values, counts = np.unique(made.values[:, -1, 1], return_counts=True)
    assert values.tolist() == [5, 7, 9, 11, 13]
    assert counts.min() > 340
    assert counts.max() < 460


def test_equally_near_donors_are_equally_likely():
    y = np.arange(1.0, 22.0)
    x = np.repeat([0.0, 1.0], [10, 11])
    y[-1] = NAN
    made = missing.impute(np.column_stack([x, y]), ["outcome", "numeric"], 3000, 3, iterations=1)
    values, counts = np.unique(made.values[:, -1, 1], return_counts=True)
    assert values.tolist() == list(range(11, 21))
    assert counts.min() > 240
    assert counts.max() < 360


def test_the_match_varies_as_the_prediction_of_a_line_does():
    """Type 1 matching to one donor: b x_donor + a = b* x + a*, whose variance is known.

    Types 0 and 2 would choose the same donor every time.
    """
    rng = np.random.default_rng(4)
    n, at, slope = 2000, 0.8, 1.0
    x = rng.uniform(-1, 1, n)
    y = slope * x + rng.normal(0, 3.0, n)
    table = np.column_stack([np.append(x, at), np.append(y, NAN)])
    made = missing.impute(table, ["outcome", "numeric"], 1500, 5, donors=1, iterations=1)
    place = {value: position for position, value in enumerate(y)}
    b, covariance = least_squares(y, x)
    predicted = b[0] + b[1] * x[[place[value] for value in made.values[:, -1, 1]]]
    # Beyond the ends of x there is no donor, so the middle of the distribution is looked at.
    shift = (predicted - b @ [1, at]) / np.sqrt([1, at] @ covariance @ [1, at])
    quartiles = np.quantile(shift, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [-0.674, 0.0, 0.674], atol=0.09)


def test_missing_at_random_given_the_outcome_is_recovered():
    """The larger the outcome, the more often the predictor is missing: the slope y on x is 1."""
    rng = np.random.default_rng(6)
    n, studies, covered = 150, 120, 0
    slopes, complete, faded = [], [], []
    for study in range(studies):
        x = rng.normal(size=n)
        y = x + rng.normal(size=n)
        unseen = rng.random(n) < 1 / (1 + np.exp(0.85 - y))
        table = np.column_stack([y, np.where(unseen, NAN, x)])
        complete.append(least_squares(y[~unseen], x[~unseen])[0][1])
        made = missing.impute(table, ["outcome", "numeric"], 10, study, iterations=1).values
        fits = [least_squares(y, values[:, 1]) for values in made]
        pooled = rubin.pool([f[0][1] for f in fits], [f[1][1, 1] for f in fits], n - 2)
        slopes.append(float(pooled.estimate))
        covered += pooled.conf_low <= 1 <= pooled.conf_high
        noise = np.column_stack([rng.normal(size=n), table[:, 1]])
        blind = missing.impute(noise, ["outcome", "numeric"], 1, study, iterations=1).values[0]
        faded.append(least_squares(y, blind[:, 1])[0][1])
    assert np.mean(complete) < 0.92
    assert np.mean(faded) < 0.85
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.04)
    assert covered / studies > 0.88


def test_two_incomplete_predictors_are_imputed_from_each_other():
    rng = np.random.default_rng(9)
    n = 400
    first = rng.normal(size=n)
    second = first + rng.normal(0, 0.1, n)
    table = np.column_stack([rng.normal(size=n), first, second])
    table[:100, 1], table[100:200, 2] = NAN, NAN
    made = missing.impute(table, ["outcome", "numeric", "numeric"], 5, 1)
    for values in made.values:
        assert np.corrcoef(values[:100, 1], first[:100])[0, 1] > 0.97
        assert np.corrcoef(values[100:200, 2], second[100:200])[0, 1] > 0.97
    assert made.chain_means.shape == (5, 10, 3)
    assert np.isnan(made.chain_means[..., 0]).all()
    assert made.rhat[1:].max() < 1.2
    assert np.isnan(made.rhat[0])


def test_rhat_is_large_where_the_chains_have_not_mixed():
    """Two columns that are nearly equal and missing together hold on to where they started."""
    rng = np.random.default_rng(9)
    first = rng.normal(size=60)
    table = np.column_stack([first, first + rng.normal(0, 0.001, 60)])
    table[50:] = NAN
    made = missing.impute(table, ["numeric", "numeric"], 20, 1, donors=1)
    assert made.rhat.min() > 1.5


def test_a_category_is_a_set_of_indicators():
    """The mean of y is not linear in the codes: 0, 8 and 1 for codes 1, 2 and 3."""
    rng = np.random.default_rng(2)
    code = np.tile([1.0, 2.0, 3.0], 40)
    y = np.select([code == 1, code == 2], [0.0, 8.0], 1.0) + rng.normal(0, 0.1, 120)
    y[:12] = NAN
    table = np.column_stack([code, y])
    by_code = missing.impute(table, ["category", "numeric"], 10, 1).values[:, 1:12:3, 1]
    assert by_code.min() > 7
    linear = missing.impute(table, ["numeric", "numeric"], 10, 1).values[:, 1:12:3, 1]
    assert linear.min() < 2


def test_predictors_without_information_are_left_out_and_named():
    table = np.insert(cohort(), [1, 1], [[3.0, 0.0]], axis=1)
    table[:, 2] = 2 * table[:, 0]
    made = missing.impute(
        table, ["outcome", "numeric", "category", "numeric", "numeric"], 3, seed=7
    )
    plain = missing.impute(cohort(), ["outcome", "numeric", "numeric"], 3, seed=7)
    assert {pair for pair in made.aliased if pair[1] == 1} == {(3, 1), (4, 1)}
    assert plain.aliased == ()
    # The doubled outcome as a category holds more than the outcome, four indicators of which the
    # last is its combination with the others.
    assert {pair for pair in made.aliased if pair[1] == 2} == {(3, 2), (4, 2)}

    doubled = np.insert(cohort(), 1, 2 * cohort()[:, 0] + 5, axis=1)
    twice = missing.impute(doubled, ["outcome", "numeric", "numeric", "numeric"], 3, seed=7)
    assert twice.aliased == ((2, 1), (3, 1))
    np.testing.assert_array_equal(twice.values[:, :, [0, 2, 3]], plain.values)


def test_units_and_origins_do_not_matter():
    table = cohort()
    kinds = ["outcome", "numeric", "numeric"]
    plain = missing.impute(table, kinds, 3, seed=7)
    scaled = missing.impute(table * [1, 1000, 1e-3] + [738_000, 0, 5], kinds, 3, seed=7)
    np.testing.assert_allclose(
        scaled.values, plain.values * [1, 1000, 1e-3] + [738_000, 0, 5], rtol=1e-12
    )


def test_nhanes_comes_out_near_r():
    """R's own five imputations of this small table give 5.4 with a standard error of 2.1."""
    _, frames = load("I01_nhanes_rubin")
    table = frames["incomplete"][["chl", "age", "bmi", "hyp"]].to_numpy()
    made = missing.impute(table, ["numeric", "numeric", "numeric", "category"], 40, 1)
    fits = [least_squares(values[:, 0], values[:, 1:3]) for values in made.values]
    pooled = rubin.pool([f[0] for f in fits], [np.diag(f[1]) for f in fits], 22)
    assert pooled.estimate[1:] == pytest.approx([28.0, 5.4], abs=5.0)
    assert pooled.standard_error[2] == pytest.approx(2.1, abs=0.5)
    assert pooled.fmi[2] == pytest.approx(0.4, abs=0.2)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0, 20), (0.2, 20), (0.201, 21), (0.28, 28), (0.29, 29), (0.07, 20), (1, 100), (23 / 40, 58)],
)
def test_number_of_imputations(fraction, expected):
    assert missing.number_of_imputations(fraction) == expected


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 30, NAN])
def test_a_share_is_not_a_percentage(fraction):
    with pytest.raises(ValueError, match="between 0 and 1"):
        missing.number_of_imputations(fraction)


@pytest.mark.parametrize(
    ("columns", "kinds", "settings", "sentence"),
    [
        ([1.0, 2.0], ["numeric"], {}, "two-dimensional"),
        (np.empty((0, 1)), ["numeric"], {}, "two-dimensional"),
        ([["a"]], ["numeric"], {}, "numbers"),
        ([[1.0], [np.inf]], ["numeric"], {}, "finite"),
        ([[1.0]], ["numeric", "numeric"], {}, "one kind"),
        ([[1.0]], ["ordinal"], {}, "one kind"),
        ([[1.0], [NAN]], ["outcome"], {}, "Column 0 is an outcome"),
        ([[1.0], [2.0], [3.0], [NAN]], ["category"], {}, "3 codes"),
        ([[1.0], [2.0], [NAN]], ["numeric"], {}, "fewer observed values than donors"),
        ([[NAN], [NAN]], ["numeric"], {"donors": 1}, "fewer observed values"),
        ([[1, 0], [3, 1], [NAN, 1]], ["numeric"] * 2, {"donors": 1}, "too few to regress"),
        ([[1.0]], ["numeric"], {"imputations": 0}, "number of imputations"),
        ([[1.0]], ["numeric"], {"donors": 0}, "number of donors"),
        ([[1.0]], ["numeric"], {"iterations": 0}, "number of rounds"),
    ],
)
def test_malformed_input_is_refused_in_a_sentence(columns, kinds, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        missing.impute(columns, kinds, **{"imputations": 2, "seed": 1, **settings})


def test_a_single_column_is_drawn_from_its_own_values():
    made = missing.impute([[1.0], [2.0], [4.0], [NAN]], ["numeric"], 200, 1, donors=3)
    assert set(made.values[:, 3, 0]) == {1, 2, 4}


@pytest.mark.parametrize("counts", [(9, 13, 1, 4), (0, 0, 0, 3), (2, 3, 0, 0), (0, 5, 4, 5)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_bounds_are_the_extremes_of_every_completion(counts, level):
    up, _, down, unscanned = counts
    found = missing.follow_up_bounds(*counts, level)
    n = sum(counts)
    assert found.patients == n
    rows = []
    for risen, stayed in itertools.product(range(unscanned + 1), repeat=2):
        if risen + stayed > unscanned:
            continue
        rise, fall = up + risen, down + unscanned - risen - stayed
        wilson, tango = (
            proportions.wilson(rise, n, level),
            proportions.tango(rise, fall, n, level),
        )
        rows.append([rise / n, *wilson, (rise - fall) / n, *tango])
    low, high = np.min(rows, axis=0), np.max(rows, axis=0)
    for bounds, place in ((found.up, 0), (found.net_improvement, 3)):
        ends = slice(place, place + 3)
        worst, best = bounds.worst, bounds.best
        actual = [worst.estimate, worst.conf_low, worst.conf_high]
        np.testing.assert_allclose(actual, low[ends], atol=1e-12)
        actual = [best.estimate, best.conf_low, best.conf_high]
        np.testing.assert_allclose(actual, high[ends], atol=1e-12)


@pytest.mark.parametrize(
    ("counts", "level", "sentence"),
    [
        ((0, 0, 0, 0), 0.95, "not be negative"),
        ((3, -1, 0, 2), 0.95, "not be negative"),
        ((3, 1, 0, 2), 95, "confidence level"),
    ],
)
def test_impossible_counts_are_refused(counts, level, sentence):
    with pytest.raises(ValueError, match=sentence):
        missing.follow_up_bounds(*counts, level)
