"""Proportions and their differences against R, published tables, scipy and direct maximisation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from captem import proportions
from hypothesis import example, given
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy import optimize, stats

COUNTS = st.integers(0, 60)
CELLS = st.tuples(*[st.integers(0, 25)] * 4).filter(any)
COHORTS = ["T03_cohort30_empty_middle", "T05_all_zero"]
# Who met the criterion both times, before only, after only, never.
TABLES = {
    "T01_pm_approval": (794, 150, 86, 570),
    "T03_cohort30_empty_middle": (16, 2, 7, 5),
    "T04_n1": (0, 0, 1, 0),
    "T05_all_zero": (7, 0, 0, 5),
}


# Tests


@pytest.mark.parametrize("case", ["S01_sleep", "T02_vision", *COHORTS, "T04_n1"])
def test_signs_against_r(case):
    meta, _ = load(case)
    expected = answer(meta, "sign_test")
    up, down = int(expected["n_pos"]), int(expected["n_neg"])
    assert_matches(proportions.two_sided_binomial(up, down), expected["p_exact"], meta)
    assert_matches(proportions.mid_p_binomial(up, down), expected["p_midp"], meta)


@pytest.mark.parametrize("case", TABLES)
def test_mcnemar_against_r(case):
    meta, _ = load(case)
    expected = answer(meta, "mcnemar")
    _, lost, gained, _ = TABLES[case]
    assert gained + lost == expected["n_discordant"]
    assert_matches(proportions.two_sided_binomial(gained, lost), expected["p_exact"], meta)
    assert_matches(proportions.mid_p_binomial(gained, lost), expected["p_midp"], meta)


@pytest.mark.parametrize(
    ("counts", "exact", "mid_p"), [((1, 7), 0.070, 0.039), ((6, 16), 0.0525, 0.0347)]
)
def test_mcnemar_against_published_values(counts, exact, mid_p):
    """Airway hyper-responsiveness, and response to consolidation: Fagerland et al. 2013."""
    assert proportions.two_sided_binomial(*counts) == pytest.approx(exact, abs=5e-4)
    assert proportions.mid_p_binomial(*counts) == pytest.approx(mid_p, abs=5e-4)


@given(COUNTS, COUNTS)
def test_exact_p_against_scipy(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert proportions.two_sided_binomial(first, second) == pytest.approx(expected, rel=1e-9)


@given(COUNTS, COUNTS)
@example(0, 0)
@example(5, 5)
def test_mid_p_is_the_exact_p_less_half_of_what_is_as_extreme(first, second):
    n = first + second
    point = stats.binom.pmf(first, n, 0.5)
    as_extreme = point if first == second else 2 * point
    expected = proportions.two_sided_binomial(first, second) - (as_extreme / 2 if n else 0)
    assert proportions.mid_p_binomial(first, second) == pytest.approx(expected, rel=1e-9)


@given(COUNTS, COUNTS)
def test_swapping_the_counts_changes_nothing(first, second):
    for p_of in (proportions.two_sided_binomial, proportions.mid_p_binomial):
        assert p_of(first, second) == p_of(second, first)


def test_the_far_tail():
    assert proportions.two_sided_binomial(400, 0) == 2.0**-399
    assert proportions.mid_p_binomial(400, 0) == 2.0**-400
    assert proportions.two_sided_binomial(0, 0) == proportions.mid_p_binomial(0, 0) == 1


def test_floating_point_takes_over_without_a_step():
    """At the largest count of the fractions both ways are within 1e-12 of each other."""
    for few in (1000, 950, 900):
        n = proportions._EXACT_UP_TO
        exact = proportions.two_sided_binomial(few, n - few)
        assert min(1.0, 2 * stats.binom.cdf(few, n, 0.5)) == pytest.approx(exact, rel=1e-11)
    beyond = proportions.two_sided_binomial(3000, 2500)
    assert beyond == pytest.approx(stats.binomtest(3000, 5500).pvalue, rel=1e-9)
    half = stats.binom.pmf(2500, 5500, 0.5)
    assert proportions.mid_p_binomial(3000, 2500) == pytest.approx(beyond - half, rel=1e-9)
    assert proportions.mid_p_binomial(2500, 2500) == pytest.approx(
        1 - stats.binom.pmf(2500, 5000, 0.5) / 2, rel=1e-12
    )


@pytest.mark.parametrize(
    ("check", "p_of", "p10"),
    [
        ("mcnemar_exact", proportions.two_sided_binomial, 0.05),
        ("mcnemar_midp", proportions.mid_p_binomial, 0.05),
        ("size_exact", proportions.two_sided_binomial, 0.15),
        ("size_midp", proportions.mid_p_binomial, 0.15),
    ],
)
def test_power_against_r(check, p_of, p10):
    """Every pair of counts with its trinomial probability."""
    meta, frames = load("W01_power")
    p01 = 0.30 - p10
    found = []
    for n in frames["d"]["n"]:
        power = 0.0
        for changed in range(n + 1):
            gained = np.arange(changed + 1)
            rejects = [p_of(k, changed - k) <= 0.05 for k in range(changed + 1)]
            chance = stats.binom.pmf(gained, changed, p01 / (p01 + p10))
            power += stats.binom.pmf(changed, n, p01 + p10) * float(chance @ rejects)
        found.append(power)
    assert_matches(found, answer(meta, check), meta)


# One proportion


@pytest.mark.parametrize(
    ("check", "interval", "level"),
    [
        ("wilson95", proportions.wilson, 0.95),
        ("wilson90", proportions.wilson, 0.90),
        ("clopper_pearson95", proportions.clopper_pearson, 0.95),
        ("cp99", proportions.clopper_pearson, 0.99),
    ],
)
def test_proportion_intervals_against_r(check, interval, level):
    meta, frames = load("P01_prop_grid")
    grid = frames["d"]
    found = [interval(int(x), int(n), level) for x, n in zip(grid["x"], grid["n"], strict=True)]
    assert_matches(found, answer(meta, check), meta)


@pytest.mark.parametrize("case", COHORTS)
def test_cohort_proportions_against_r(case):
    meta, frames = load(case)
    frame = frames["d"]
    n = len(frame)
    for scan in ("pre", "post"):
        met = int((frame[f"krenning_{scan}"] >= 3).sum())
        expected = answer(meta, f"eligible_{scan}_wilson")
        assert_matches(proportions.wilson(met, n), expected, meta)
        expected = answer(meta, f"eligible_{scan}_cp")
        assert_matches(proportions.clopper_pearson(met, n), expected, meta)


@pytest.mark.parametrize("case", [*COHORTS, "T04_n1"])
def test_improved_against_r(case):
    meta, frames = load(case)
    frame = frames["d"]
    improved = int((frame["krenning_post"] > frame["krenning_pre"]).sum())
    expected = answer(meta, "improved_wilson")
    assert_matches(proportions.wilson(improved, len(frame)), expected, meta)


@pytest.mark.parametrize("case", ["S01_sleep", "T02_vision", "T03_cohort30_empty_middle", "T04_n1"])
def test_clopper_pearson_of_the_signs_against_r(case):
    meta, _ = load(case)
    signs = meta["checks"]["sign_test"]["value"]
    found = proportions.clopper_pearson(signs["n_pos"], signs["n_pos"] + signs["n_neg"])
    assert_matches(found, signs["ci_cp"], meta)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_proportion_and_widen_with_the_level(counts):
    count, n = counts
    for interval in (proportions.wilson, proportions.clopper_pearson):
        low, high = interval(count, n)
        wider_low, wider_high = interval(count, n, 0.99)
        assert 0 <= wider_low <= low <= count / n <= high <= wider_high <= 1
        assert interval(n - count, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (10, 10), (3, 7), (250, 500)])
def test_intervals_against_scipy(count, n):
    exact = stats.binomtest(count, n).proportion_ci(method="exact")
    wilson = stats.binomtest(count, n).proportion_ci(method="wilson")
    assert proportions.clopper_pearson(count, n) == pytest.approx(
        (exact.low, exact.high), abs=1e-10
    )
    assert proportions.wilson(count, n) == pytest.approx((wilson.low, wilson.high), abs=1e-10)


# Differences of paired proportions


@pytest.mark.parametrize("case", TABLES)
def test_difference_intervals_against_r(case):
    meta, _ = load(case)
    table = TABLES[case]
    _, lost, gained, _ = table
    newcombe, tango = answer(meta, "newcombe"), answer(meta, "tango")
    assert_matches((gained - lost) / sum(table), newcombe["diff"], meta)
    assert_matches(proportions.newcombe_10(*table), newcombe[["lower", "upper"]], meta)
    found = proportions.tango(gained, lost, sum(table))
    assert_matches(found, tango[["lower", "upper"]], meta)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        # Newcombe 1998, method 10 (first sample less second there).
        ((36, 12, 2, 0), (-0.3404, -0.0569)),
        # Cavo 2012, as chapter 8 of Fagerland, Lydersen & Laake 2017 and the tests of its R package
        # (contingencytables) give it: first less second there, too.
        ((59, 6, 16, 80), (0.0046, 0.1186)),
    ],
)
def test_newcombe_against_published_values(table, expected):
    assert proportions.newcombe_10(*table) == pytest.approx(expected, abs=5.1e-5)


@given(CELLS, st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
@example((0, 0, 1, 0), 0.95)
@example((0, 5, 0, 0), 0.95)
@example((3, 0, 0, 4), 0.95)
def test_difference_intervals_hold_widen_and_mirror(table, level):
    kept, lost, gained, never = table
    n = sum(table)

    def newcombe(gained, lost, level):
        return proportions.newcombe_10(kept, lost, gained, never, level)

    def tango(gained, lost, level):
        return proportions.tango(gained, lost, n, level)

    for interval in (newcombe, tango):
        low, high = interval(gained, lost, level)
        wider_low, wider_high = interval(gained, lost, level + 0.009)
        assert -1 <= wider_low <= low <= (gained - lost) / n <= high <= wider_high <= 1
        assert interval(lost, gained, level) == pytest.approx((-high, -low), abs=1e-12)


def score_at(difference: float, gained: int, lost: int, n: int) -> float:
    """Return the score statistic, its nuisance parameter found by maximising the likelihood."""

    def against(chance_to_lose: float) -> float:
        chances = [chance_to_lose + difference, chance_to_lose]
        chances.append(1 - sum(chances))
        counts = [gained, lost, n - gained - lost]
        return -sum(k * math.log(max(p, 1e-300)) for k, p in zip(counts, chances, strict=True) if k)

    least, most = max(0.0, -difference), (1 - difference) / 2
    found = optimize.minimize_scalar(
        against, bounds=(least, most), method="bounded", options={"xatol": 1e-12}
    )
    variance = n * (2 * found.x + difference - difference**2)
    return (gained - lost - n * difference) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("gained", "lost", "n"),
    [(7, 2, 30), (86, 150, 1600), (0, 0, 12), (3, 0, 8), (0, 5, 6), (4, 4, 8), (1, 0, 44)],
)
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_tango_holds_what_the_score_test_does_not_reject(gained, lost, n, level):
    low, high = proportions.tango(gained, lost, n, level)
    z = stats.norm.ppf((1 + level) / 2)
    for difference in np.linspace(-0.995, 0.995, 200):
        if min(abs(difference - low), abs(difference - high)) < 1e-4:
            continue
        rejected = abs(score_at(difference, gained, lost, n)) > z
        assert rejected != (low <= difference <= high), difference
    for end in (low, high):
        if abs(end) < 1:
            assert abs(score_at(end, gained, lost, n)) == pytest.approx(z, rel=1e-4)


def test_tango_without_a_change_is_wilson_of_nobody():
    """Nobody of n changed: the end is z2 / (n + z2), Wilson's upper limit of 0 in n (T05)."""
    for n in (1, 5, 12, 100):
        assert proportions.tango(0, 0, n) == pytest.approx(
            (-proportions.wilson(0, n)[1], proportions.wilson(0, n)[1]), abs=1e-12
        )


def test_one_more_gain_or_one_less_loss_moves_tango_up():
    """What `paired` relies on where scores leave open who rose and who fell."""
    for n in range(2, 13):
        ends = {
            (gained, lost): proportions.tango(gained, lost, n)
            for gained, lost in itertools.product(range(n + 1), repeat=2)
            if gained + lost <= n
        }
        for (gained, lost), found in ends.items():
            for better in ((gained + 1, lost), (gained, lost - 1)):
                if better in ends:
                    assert all(np.array(ends[better]) >= np.array(found) - 1e-12)
