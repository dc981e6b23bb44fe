"""Proportional odds looked at: against R, Pearson's chi-square, a general optimiser, symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from captem import firth, limits, ordinal
from captem import proportional_odds as po
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

properties = settings(max_examples=40, deadline=None, derandomize=True)


def wine():
    meta, frames = load("O01")
    d = frames["d"]
    x = np.column_stack([d["temp"] == "warm", d["contact"] == "yes"]).astype(float)
    return meta, d["rating"].to_numpy(), x, ("temp", "contact")


def housing():
    meta, frames = load("O02")
    d = frames["d"]
    d = d.loc[d.index.repeat(d["Freq"])]
    score = d["Sat"].map({"Low": 0, "Medium": 1, "High": 2}).to_numpy()
    levels = {
        "Infl": ("Medium", "High"),
        "Type": ("Apartment", "Atrium", "Terrace"),
        "Cont": ("High",),
    }
    terms = [(term, level) for term, named in levels.items() for level in named]
    x = np.column_stack([d[term] == level for term, level in terms]).astype(float)
    return meta, score, x, tuple(term for term, _ in terms)


def cohort60():
    meta, frames = load("O03")
    d = frames["d"]
    x = np.column_stack([d["krenning_pre"], np.log2(d["mib1"]), d["cycles"]])
    return meta, d["krenning_post"].to_numpy(), x, ("krenning_pre", "lmib", "cycles")


def simulated(n=40, p=2, seed=1, top=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    noise = rng.logistic(size=n)
    cuts = np.linspace(-1.5, 1.5, top)
    return np.searchsorted(cuts, 0.7 * x[:, 0] + noise), x


def direct_loglik(low, high, theta, gamma, z, rest):
    """The likelihood as the module docstring writes it; gamma (m, q), `rest` is x'beta."""
    cuts = theta - z @ gamma.T - rest[:, None]
    n = len(low)
    ends = np.column_stack([np.full(n, -np.inf), cuts, np.full(n, np.inf)])
    rows = np.arange(n)
    chance = expit(ends[rows, high + 1]) - expit(ends[rows, low])
    return np.log(chance).sum() if (chance > 0).all() else -np.inf


@pytest.mark.parametrize("case", [wine, housing, cohort60])
def test_likelihood_ratio_is_that_of_nominal_test(case):
    meta, score, x, terms = case()
    expected = answer(meta, "nominal_test")
    fit = ordinal.fit(score, score, x)
    shown = po.check(score, score, x, terms)["likelihood_ratio"]
    for term in dict.fromkeys(terms):
        found = po.unequal_slopes(fit, [i for i, name in enumerate(terms) if name == term])
        row = expected.loc[term]
        assert found.df == row["Df"]
        assert_matches(found.loglik, row["logLik"], meta)
        assert_matches([found.statistic, found.p_value], row[["LRT", "Pr(>Chi)"]], meta)
        assert not found.failure
        assert (shown[term]["statistic"], shown[term]["df"]) == (found.statistic, found.df)
        assert shown[term]["status"] in ("ok", "unstable")


def test_a_slope_at_infinity_is_named():
    # All wines that were served warm got more than the lowest rating, and no cold one the highest.
    _, score, x, terms = wine()
    fit = ordinal.fit(score, score, x)
    assert po.unequal_slopes(fit, [0]).separated
    assert not po.unequal_slopes(fit, [1]).separated
    found = po.check(score, score, x, terms)["likelihood_ratio"]
    assert found["temp"]["status"] == "unstable"
    assert "temp" not in found["temp"]["reason"]
    assert "separates" in found["temp"]["reason"]
    assert "separates" not in found["contact"]["reason"]


def test_many_patients_and_few_slopes_are_ok():
    _, score, x, terms = housing()
    found = po.check(score, score, x, terms)
    assert {test["status"] for test in found["likelihood_ratio"].values()} == {"ok"}
    assert found["score_test"]["status"] == "ok"
    assert [cut["status"] for cut in found["cuts"]] == ["ok", "ok"]


def test_slopes_that_cross_are_told():
    _, score, x, _ = cohort60()
    fit = ordinal.fit(score, score, x)
    found = po.unequal_slopes(fit, [1])
    assert found.crossing == 1
    assert po.unequal_slopes(fit, [0]).crossing == 0
    shown = po.check(score, score, x, ("a", "b", "c"))["likelihood_ratio"]["b"]
    assert shown["status"] == "unstable"
    assert "below 0 at the values of one patient" in shown["reason"]


@pytest.mark.parametrize("seed", range(4))
def test_unequal_slopes_are_where_a_general_optimiser_finds_the_maximum(seed):
    score, x = simulated(seed=seed)
    low, high = score.copy(), score.copy()
    high[::9] = np.minimum(high[::9] + 1, 3)
    fit = ordinal.fit(low, high, x)
    found = po.unequal_slopes(fit, [0])
    assert not found.failure
    m = 3

    def negative(v):
        gamma = v[m : 2 * m, None]
        return -direct_loglik(low, high, v[:m], gamma, x[:, :1], x[:, 1] * v[-1])

    start = np.concatenate([fit.thresholds, np.repeat(fit.beta[0], m), fit.beta[1:]])
    assert -negative(start) == pytest.approx(fit.loglik, abs=1e-9)
    best = minimize(negative, start, method="Nelder-Mead", options={"maxiter": 60000, "xatol": 1e-9,
        "fatol": 1e-12, "adaptive": True})  # fmt: skip
    assert found.loglik == pytest.approx(-best.fun, abs=1e-6)
    assert found.slopes.ravel() == pytest.approx(best.x[m : 2 * m], abs=1e-3)
    widths = np.diff(best.x[:m]) - x[:, :1] * np.diff(best.x[m : 2 * m])
    assert found.crossing == (widths <= 0).any(axis=1).sum()
    assert found.p_value == pytest.approx(chi2.sf(2 * (found.loglik - fit.loglik), 2), rel=1e-9)


def test_score_test_of_one_factor_is_pearsons_chi_square():
    # McCullagh & Nelder 1989, p. 175: nine ratings of four cheeses. With a column for each cheese
    # the unequal slopes saturate the table, whose score test is Pearson's chi-square.
    table = np.array(
        [
            [0, 0, 1, 7, 8, 8, 19, 8, 1],
            [6, 9, 12, 11, 7, 6, 1, 0, 0],
            [1, 1, 6, 8, 23, 7, 5, 1, 0],
            [0, 0, 0, 1, 3, 7, 14, 16, 11],
        ]
    )
    cheese, rating = np.indices(table.shape)
    repeat = table.ravel()
    score = np.repeat(rating.ravel(), repeat)
    x = np.eye(4)[np.repeat(cheese.ravel(), repeat)][:, :3]
    fit = ordinal.fit(score, score, x)
    cumulative = expit(fit.thresholds - np.append(fit.beta, 0.0)[:, None])
    fitted = 52 * np.diff(cumulative, axis=1, prepend=0.0, append=1.0)
    found = po.score_test(fit)
    assert found.statistic == pytest.approx(((table - fitted) ** 2 / fitted).sum(), rel=1e-9)
    assert found.df == 21
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, 21), rel=1e-12)


def test_weights_are_repetition():
    score, x = simulated(n=30)
    counts = np.arange(30) % 3
    weighted = ordinal.fit(score, score, x, counts)
    rows = np.repeat(np.arange(30), counts)
    repeated = ordinal.fit(score[rows], score[rows], x[rows])
    for test in (lambda fit: po.unequal_slopes(fit, [1]), po.score_test):
        assert test(weighted).statistic == pytest.approx(test(repeated).statistic, rel=1e-8)


@properties
@given(st.integers(0, 10_000), st.floats(0.01, 100.0), st.floats(-50.0, 50.0))
def test_units_order_and_direction_do_not_matter(seed, factor, shift):
    score, x = simulated(n=30, seed=seed)
    fit = ordinal.fit(score, score, x)
    assume(fit.converged)
    order = np.random.default_rng(seed).permutation(30)
    other = ordinal.fit(3 - score[order], 3 - score[order], x[order] * factor + shift)
    before, after = po.unequal_slopes(fit, [0]), po.unequal_slopes(other, [0])
    assert before.failure == after.failure
    assert before.separated == after.separated
    assert before.crossing == after.crossing or before.separated
    if not before.failure:
        assert before.statistic == pytest.approx(after.statistic, rel=1e-5, abs=1e-7)
        assert before.statistic >= 0.0
        assert np.isfinite([before.statistic, before.p_value]).all()
    if not before.separated and not before.failure:
        assert -before.slopes[::-1] / factor == pytest.approx(after.slopes, rel=1e-4, abs=1e-4)
    assert po.score_test(fit).statistic == pytest.approx(po.score_test(other).statistic, rel=1e-5)


def test_score_and_likelihood_ratio_agree_with_many_patients():
    score, x = simulated(n=3000, p=1, seed=3)
    fit = ordinal.fit(score, score, x)
    ratio = po.unequal_slopes(fit, [0]).statistic
    assert po.score_test(fit).statistic == pytest.approx(ratio, rel=0.05, abs=0.05)


def test_cuts_hold_the_ratios_and_profile_intervals_of_firths_regression():
    _, score, x, _ = cohort60()
    cuts = po.by_cut(score, score, x[:, :2], ("pre", "mib1"))
    assert [cut["cut"] for cut in cuts] == [f"score > {k}" for k in range(4)]
    assert [cut["above"] for cut in cuts] == [int((score > k).sum()) for k in range(4)]
    assert cuts[0]["status"] == "not_estimable"
    assert "odds_ratios" not in cuts[0]
    for k in (1, 2, 3):
        fit = firth.fit((score > k).astype(float), x[:, :2])
        for column, term in enumerate(("pre", "mib1"), start=1):
            shown = cuts[k]["odds_ratios"][term]
            ends = firth.profile_interval(fit, column)
            expected = np.exp([fit.coefficients[column], *ends])
            assert list(shown.values()) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("seed", range(16))
def test_intervals_found_at_once_are_those_found_one_by_one(seed):
    rng = np.random.default_rng(seed)
    n = 12 + seed
    x = rng.standard_cauchy((n, 2)) if seed % 4 == 0 else rng.normal(size=(n, 2))
    y = (rng.random(n) < expit(np.clip(x[:, 0], -5, 5))).astype(float)
    fit = firth.fit(y, x)
    single = np.array([firth.profile_interval(fit, column) for column in (1, 2)])
    np.testing.assert_allclose(po._intervals(fit), single, rtol=1e-6, atol=1e-6)


def test_intervals_of_separated_outcomes_are_those_of_the_slow_search():
    # Here the quick iteration ends at a lower maximum of the intercept, with too short an interval.
    rng = np.random.default_rng(114)
    x = rng.standard_cauchy((24, 1))
    y = (rng.random(24) < expit(3.0 * np.clip(x[:, 0], -5, 5))).astype(float)
    fit = firth.fit(y, x)
    assert po._intervals(fit)[0] == pytest.approx(firth.profile_interval(fit, 1), rel=1e-9)


def test_slopes_of_a_term_stand_in_the_order_of_its_columns():
    score, x = simulated(n=200)
    fit = ordinal.fit(score, score, x)
    slopes = po.unequal_slopes(fit, [0, 1]).slopes
    assert slopes.shape == (3, 2)
    turned = po.unequal_slopes(ordinal.fit(score, score, x[:, ::-1]), [0, 1]).slopes
    assert turned[:, ::-1] == pytest.approx(slopes, rel=1e-6)


def test_few_intervals_need_the_slow_search(monkeypatch):
    _, score, x, _ = cohort60()
    monkeypatch.setattr(po.firth, "profile_interval", None)
    assert [cut["status"] for cut in po.by_cut(score, score, x, ("a", "b", "c"))][1:] == [
        "unstable"
    ] * 3


def test_an_open_outcome_is_left_out_of_its_cut_and_counted():
    score, x = simulated(n=80)
    low, high = score.copy(), score.copy()
    open_at_2 = np.flatnonzero(score == 2)[:4]
    high[open_at_2] = 3
    cuts = {cut["cut"]: cut for cut in po.by_cut(low, high, x, ("a", "b"))}
    assert [cut["left_open"] for cut in cuts.values()] == [0, 0, 4]
    assert cuts["score > 2"]["patients"] == len(score) - 4
    rest = np.delete(np.arange(len(score)), open_at_2)
    without = po.by_cut(score[rest], score[rest], x[rest], ("a", "b"))[2]
    assert cuts["score > 2"]["odds_ratios"] == without["odds_ratios"]


def test_a_score_nobody_has_makes_no_cut_of_its_own():
    score, x = simulated()
    gap = np.where(score > 1, score + 1, score)
    cuts = po.by_cut(gap, gap, x, ("a", "b"))
    assert [cut["cut"] for cut in cuts] == ["score > 0", "score > 1", "score > 3"]
    plain = po.check(score, score, x, ("a", "b"))
    assert po.check(gap, gap, x, ("a", "b"))["likelihood_ratio"] == plain["likelihood_ratio"]


def test_columns_of_one_term_are_numbered_and_tested_together():
    score, x = simulated(n=60, p=3)
    found = po.check(score, score, x, ("site", "site", "mib1"))
    assert list(found["likelihood_ratio"]) == ["site", "mib1"]
    assert found["likelihood_ratio"]["site"]["df"] == 4
    assert list(found["cuts"][1]["odds_ratios"]) == ["site (1)", "site (2)", "mib1"]


def test_separation_at_a_cut_is_named():
    score = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 0, 1])
    x = np.column_stack([np.where(score == 2, 5.0, 1.0) + np.arange(12) / 10])
    cuts = po.by_cut(score, score, x, ("mib1",))
    assert cuts[1]["status"] == "unstable"
    assert "mib1 separates the scores at this cut" in cuts[1]["reason"]
    assert np.isfinite(list(cuts[1]["odds_ratios"]["mib1"].values())).all()


@pytest.mark.parametrize(
    ("low", "high", "x", "said"),
    [
        ([0, 1, 0, 1, 1, 0] * 5, None, np.arange(30.0) % 7, "one cut, and nothing to compare"),
        ([2] * 30, None, np.arange(30.0) % 7, "may be the same"),
        (np.repeat([0, 1, 2], 10), None, np.repeat([0.0, 1.0, 2.0], 10), "equal slopes has no"),
        ([0, 0, 1, 2] * 20, [0, 1, 2, 2] * 20, np.arange(80.0) % 7, "held by intervals only"),
    ],
)
def test_what_cannot_be_tested_is_said(low, high, x, said):
    high = low if high is None else high
    found = po.check(low, high, np.asarray(x)[:, None], ("mib1",))
    assert found["likelihood_ratio"]["mib1"]["status"] == "not_estimable"
    assert said in found["likelihood_ratio"]["mib1"]["reason"]
    assert found["score_test"]["status"] == "not_estimable"
    assert "p_value" not in found["likelihood_ratio"]["mib1"]


def test_values_too_few_for_slopes_of_their_own():
    # Beside the highest cut, between 1 and 2, every value is 1: its slope could be anything.
    score = np.repeat([0, 1, 2], [8, 6, 6])
    x = np.concatenate([[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0, 3.0], np.ones(12)])[:, None]
    fit = ordinal.fit(score, score, x)
    assert "too few different values" in po.unequal_slopes(fit, [0]).failure
    nearly = po.unequal_slopes(ordinal.fit(score, score, x + np.eye(20)[:, 19:] * 0.5), [0])
    assert not nearly.failure


def test_aliased_terms_are_passed_over():
    score, x = simulated()
    fit = ordinal.fit(score, score, np.column_stack([x, x[:, 0]]))
    assert "aliased" in po.unequal_slopes(fit, [2]).failure
    alone = ordinal.fit(score, score, x)
    assert po.unequal_slopes(fit, [0, 2]).statistic == po.unequal_slopes(alone, [0]).statistic


def test_score_test_wants_points():
    score, x = simulated()
    high = score + (np.arange(40) == np.argmin(score))
    assert "interval" in po.check(score, high, x, ("a", "b"))["score_test"]["reason"]
    assert (
        po.check(score, high, x, ("a", "b"))["likelihood_ratio"]["a"]["status"] != "not_estimable"
    )


def test_few_patients_are_refused_by_the_limit_of_maximum_likelihood():
    score, x = simulated(n=16)
    found = po.check(score, score, x, ("a", "b"))
    effective = ordinal.effective_n(score, score)
    expected = limits.too_few_for_regression(16, 3 + 4, effective, 4)
    assert expected
    assert found["likelihood_ratio"]["a"] == {"status": "not_estimable", "reason": expected}


@properties
@given(st.integers(0, 10_000), st.integers(3, 40))
def test_whatever_the_cohort_a_number_is_finite_or_refused(seed, n):
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 5, n)
    high = np.minimum(low + rng.choice([0, 0, 0, 0, 1, 2], n), 4)
    x = np.column_stack([rng.integers(0, 5, n), rng.normal(size=n)]).astype(float)
    found = po.check(low, high, x, ("krenning_pre", "log2_mib1"))
    for test in (*found["likelihood_ratio"].values(), found["score_test"]):
        if test["status"] == "not_estimable":
            assert test["reason"]
            assert "statistic" not in test
        else:
            assert test["statistic"] >= 0.0
            assert 0.0 <= test["p_value"] <= 1.0
            assert bool(test["reason"]) == (test["status"] == "unstable")
    for cut in found["cuts"]:
        assert cut["patients"] + cut["left_open"] == n
        for shown in cut.get("odds_ratios", {}).values():
            assert shown["conf_low"] <= shown["estimate"] <= shown["conf_high"]
            assert cut["status"] == "unstable" or np.isfinite(list(shown.values())).all()


def test_malformed_input_is_an_error():
    score, x = simulated()
    with pytest.raises(ValueError, match="one name for each column"):
        po.check(score, score, x, ("a",))
    with pytest.raises(ValueError, match="no column 2"):
        po.unequal_slopes(ordinal.fit(score, score, x), [2])
