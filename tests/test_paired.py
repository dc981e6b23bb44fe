"""Two scans of each patient: the tests and intervals against R, enumeration and symmetry."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from captem import paired, proportions, schemas, statistics
from captem.result import Result
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load

COHORTS = ["T03_cohort30_empty_middle", "T05_all_zero"]
SCORES = st.integers(0, 4)
POINTS = st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=20)
INTERVAL = st.tuples(SCORES, st.integers(0, 2)).map(lambda s: (s[0], min(4, s[0] + s[1])))
POINT = SCORES.map(lambda score: (score, score))
# Three patients with intervals at most: 729 completions to go through.
OPEN = st.tuples(
    st.lists(st.tuples(INTERVAL, INTERVAL), min_size=1, max_size=3),
    st.lists(st.tuples(POINT, POINT), min_size=1, max_size=5),
).map(lambda lists: lists[0] + lists[1])
SUVS = st.lists(st.tuples(*[st.floats(0.5, 60)] * 2), min_size=2, max_size=20)


def mcnemar_exact(pre, post) -> Result:
    return paired.mcnemar(pre, post, threshold=3, mid_p=False)


def mcnemar_mid_p(pre, post) -> Result:
    return paired.mcnemar(pre, post, threshold=3)


def newcombe(pre, post, level=0.95) -> Result:
    return paired.difference(pre, post, threshold=3, level=level)


def tango(pre, post, level=0.95) -> Result:
    return paired.difference(pre, post, threshold=3, tango=True, level=level)


TESTS = [paired.signed_rank, paired.sign_test, mcnemar_exact, mcnemar_mid_p]
ESTIMATES = [paired.net_improvement, paired.win_odds, newcombe, tango]


def scans(values) -> tuple[np.ndarray, np.ndarray]:
    """Return baseline and follow-up of patients given as pairs."""
    pre, post = zip(*values, strict=True)
    return np.array(pre), np.array(post)


def cohort(up: int, same: int, down: int) -> tuple[list[int], list[int]]:
    """Return scans in which so many rise from 2 to 3, stay, and fall from 3 to 2."""
    return [2] * (up + same) + [3] * down, [3] * up + [2] * (same + down)


def completions(pre: np.ndarray, post: np.ndarray):
    """Yield the scans of every completion of (n, 2) intervals."""
    ends = np.concatenate([pre, post])
    for chosen in itertools.product(*(range(low, high + 1) for low, high in ends)):
        yield list(chosen[: len(pre)]), list(chosen[len(pre) :])


def columns(case: str) -> tuple[pd.Series, pd.Series]:
    frame = load(case)[1]["d"]
    return frame["krenning_pre"], frame["krenning_post"]


# Against R


@pytest.mark.parametrize("case", COHORTS)
def test_cohorts_against_r(case):
    meta, _ = load(case)
    pre, post = columns(case)
    pratt, signs, pairs = (
        answer(meta, name) for name in ("wilcoxon_exact_pratt", "sign_test", "mcnemar")
    )
    found = paired.signed_rank(pre, post)
    assert_matches([found.p_value, found.statistic], pratt[["p_two", "Wplus"]], meta)
    assert_matches(paired.sign_test(pre, post).p_value, signs["p_exact"], meta)
    assert_matches(mcnemar_exact(pre, post).p_value, pairs["p_exact"], meta)
    assert_matches(mcnemar_mid_p(pre, post).p_value, pairs["p_midp"], meta)
    way = paired.directions(pre, post)
    assert [way.up, way.down, way.same] == [signs[name] for name in ("n_pos", "n_neg", "n_zero")]
    for interval, check in ((newcombe, "newcombe"), (tango, "tango")):
        result = interval(pre, post)
        expected = answer(meta, check)[["diff", "lower", "upper"]]
        assert_matches([result.estimate, result.conf_low, result.conf_high], expected, meta)


def test_net_improvement_of_a_cohort_against_r():
    meta, _ = load("T03_cohort30_empty_middle")
    found = paired.net_improvement(*columns("T03_cohort30_empty_middle"))
    assert_matches(found.estimate, answer(meta, "sign_test")["net"], meta)


def test_approval_against_r():
    meta, _ = load("T01_pm_approval")
    cells = (794, 150, 86, 570)
    pre, post = np.repeat([1, 1, 0, 0], cells), np.repeat([1, 0, 1, 0], cells)
    expected = answer(meta, "mcnemar")
    for mid_p, name in ((False, "p_exact"), (True, "p_midp")):
        found = paired.mcnemar(pre, post, threshold=1, mid_p=mid_p)
        assert_matches(found.p_value, expected[name], meta)
        assert found.n_events == expected["n_discordant"]
    for use_tango, name in ((False, "newcombe"), (True, "tango")):
        found = paired.difference(pre, post, threshold=1, tango=use_tango)
        ends = answer(meta, name)[["diff", "lower", "upper"]]
        assert_matches([found.estimate, found.conf_low, found.conf_high], ends, meta)


def test_vision_against_r():
    meta, frames = load("T02_vision")
    counts = frames["d"].set_index("pre").to_numpy()
    row, col = np.indices(counts.shape)
    pre, post = np.repeat(row.ravel(), counts.ravel()), np.repeat(col.ravel(), counts.ravel())
    expected = answer(meta, "sign_test")
    assert_matches(paired.sign_test(pre, post).p_value, expected["p_exact"], meta)
    assert_matches(paired.net_improvement(pre, post).estimate, expected["net"], meta)
    assert paired.signed_rank(pre, post).p_method == "Wilcoxon-Pratt, normal approximation"


def test_sleep_against_r_without_rounding():
    """The ties of y - x that binary floating point breaks have to be found."""
    meta, frames = load("S01_sleep")
    found = paired.signed_rank(frames["d"]["g1"], frames["d"]["g2"])
    expected = answer(meta, "wilcoxon_exact_pratt")
    assert_matches([found.p_value, found.statistic], expected[["p_two", "Wplus"]], meta)
    signs = answer(meta, "sign_test")
    found = paired.sign_test(frames["d"]["g1"], frames["d"]["g2"])
    assert_matches(found.p_value, signs["p_exact"], meta)
    assert_matches(
        paired.net_improvement(frames["d"]["g1"], frames["d"]["g2"]).estimate, signs["net"], meta
    )


def test_sleep_as_a_ratio_against_r():
    """SUVmax whose log2 ratio is the sleep data: the same P, and 2 to the shift."""
    meta, frames = load("S01_sleep")
    d = frames["d"]
    found = paired.suvmax_ratio(2.0 ** d["g1"], 2.0 ** d["g2"])
    expected = answer(meta, "hl_order_statistic")[["estimate", "lower", "upper"]]
    ends = np.log2([found.estimate, found.conf_low, found.conf_high])
    assert_matches(ends, expected, meta)
    assert_matches(found.p_value, answer(meta, "wilcoxon_exact_pratt")["p_two"], meta)


# Against enumeration


def p_by_flips(up: int, down: int, mid_p: bool = False) -> float:
    if up + down == 0:
        return 1.0
    sums = np.array([sum(signs) for signs in itertools.product([-1, 1], repeat=up + down)])
    beyond, level = np.abs(sums) > abs(up - down), np.abs(sums) == abs(up - down)
    return float((beyond + level * (0.5 if mid_p else 1.0)).mean())


@pytest.mark.parametrize("n", range(2, 9))
def test_every_small_cohort_against_all_flips(n):
    for up, down in itertools.product(range(n + 1), repeat=2):
        if up + down > n:
            continue
        pre, post = cohort(up, n - up - down, down)
        expected = p_by_flips(up, down)
        assert paired.sign_test(pre, post).p_value == expected
        # Sizes are equal, so ranks add nothing to signs.
        assert paired.signed_rank(pre, post).p_value == expected
        assert mcnemar_exact(pre, post).p_value == expected
        assert mcnemar_mid_p(pre, post).p_value == p_by_flips(up, down, mid_p=True)


@pytest.mark.parametrize("test", TESTS)
@given(OPEN)
@settings(max_examples=25, deadline=None)
@example([((0, 1), (3, 3)), ((2, 2), (3, 3)), ((1, 3), (2, 3))])
def test_the_range_of_p_is_attained_by_completions(test, values):
    pre, post = scans(values)
    found = test(pre, post)
    each = {test(*completed).p_value for completed in completions(pre, post)}
    assert (found.p_low, found.p_high) == (min(each), max(each))
    assert found.p_value == found.p_high


@pytest.mark.parametrize("estimate", ESTIMATES)
@given(OPEN)
@settings(max_examples=25, deadline=None)
def test_intervals_hold_those_of_every_completion(estimate, values):
    pre, post = scans(values)
    found = estimate(pre, post)
    each = [estimate(*completed) for completed in completions(pre, post)]
    low, high = min(one.conf_low for one in each), max(one.conf_high for one in each)
    assert found.conf_low == pytest.approx(low, abs=1e-9)
    assert found.conf_high == pytest.approx(high, abs=1e-9)
    assert min(one.estimate for one in each) <= found.estimate
    assert found.estimate <= max(one.estimate for one in each)


def test_newcombe_where_completions_are_too_many_to_go_through():
    """The corners stand for 4,960 tables; no printed digit of the ends of all of them differs."""
    pre = np.array([(0, 1)] * 6 + [(0, 3)] * 29 + [(3, 3)] * 4)
    post = np.array([(3, 3)] * 6 + [(0, 3)] * 29 + [(3, 3)] * 4)
    found = newcombe(pre, post)
    ends = [
        proportions.newcombe_10(4 + kept, lost, 6 + gained, 29 - kept - lost - gained)
        for kept, lost, gained in itertools.product(range(30), repeat=3)
        if kept + lost + gained <= 29
    ]
    assert len(ends) > 4000
    assert found.conf_low == pytest.approx(min(low for low, _ in ends), abs=5e-4)
    assert found.conf_high == pytest.approx(max(high for _, high in ends), abs=5e-4)


@pytest.mark.parametrize(
    "p_of", [proportions.two_sided_binomial, proportions.mid_p_binomial], ids=["exact", "mid-P"]
)
def test_two_counts_against_all_completions(p_of):
    p = cache(p_of)
    for first, second in itertools.product(range(5), repeat=2):
        for may in itertools.product(range(4), repeat=3):
            only_first, only_second, either = may
            each = [
                p(first + rise + to_first, second + fall + to_second)
                for rise, fall in itertools.product(range(only_first + 1), range(only_second + 1))
                for to_first in range(either + 1)
                for to_second in range(either - to_first + 1)
            ]
            assert paired.two_counts(first, second, may, p) == (min(each), max(each))


def test_directions_and_who_is_open():
    pre = ["<=1", "<=1", "III-IV", 2, 1, 3, None, "1-2"]
    post = [3, 1, 3, 2, 2, "1", 2, "1-2"]
    assert paired.directions(pre, post) == paired.Directions(2, 1, 1, 1, 1, 1)
    assert paired.directions(pre, post).undetermined == 3


# Symmetry


@pytest.mark.parametrize("function", [*TESTS, *ESTIMATES])
@given(POINTS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_patients_changes_nothing(function, values, random):
    mixed = list(values)
    random.shuffle(mixed)
    assert function(*scans(mixed)) == function(*scans(values))


@pytest.mark.parametrize("test", TESTS)
@given(POINTS | OPEN)
@settings(max_examples=60, deadline=None)
def test_swapping_the_scans_leaves_p(test, values):
    pre, post = scans(values)
    there, back = test(pre, post), test(post, pre)
    assert (there.p_low, there.p_high) == (back.p_low, back.p_high)
    assert (there.status, there.reason) == (back.status, back.reason)


@pytest.mark.parametrize("estimate", [paired.net_improvement, newcombe, tango])
@given(POINTS | OPEN)
@settings(max_examples=60, deadline=None)
def test_swapping_the_scans_mirrors_differences(estimate, values):
    pre, post = scans(values)
    there, back = estimate(pre, post), estimate(post, pre)
    mirrored = [-back.estimate, -back.conf_high, -back.conf_low]
    ends = [there.estimate, there.conf_low, there.conf_high]
    np.testing.assert_allclose(ends, mirrored, atol=1e-12)


@given(POINTS)
def test_swapping_the_scans_inverts_win_odds(values):
    pre, post = scans(values)
    there, back = paired.win_odds(pre, post), paired.win_odds(post, pre)
    with np.errstate(divide="ignore"):
        inverted = 1 / np.array([back.estimate, back.conf_high, back.conf_low])
    ends = [there.estimate, there.conf_low, there.conf_high]
    np.testing.assert_allclose(ends, inverted, rtol=1e-9, atol=1e-12)


@given(SUVS)
def test_swapping_the_scans_inverts_the_suvmax_ratio(values):
    pre, post = scans(values)
    there, back = paired.suvmax_ratio(pre, post), paired.suvmax_ratio(post, pre)
    assert there.estimate == pytest.approx(1 / back.estimate, rel=1e-9)
    assert there.p_value == back.p_value
    if there.conf_low is None:
        assert back.conf_low is None
    else:
        inverted = (1 / back.conf_high, 1 / back.conf_low)
        assert (there.conf_low, there.conf_high) == pytest.approx(inverted, rel=1e-9)


@given(SUVS, st.floats(0.1, 10))
def test_another_calibration_of_both_scans_leaves_the_ratio(values, factor):
    pre, post = scans(values)
    one, other = paired.suvmax_ratio(pre, post), paired.suvmax_ratio(pre * factor, post * factor)
    assert one.estimate == pytest.approx(other.estimate, rel=1e-9)


@given(POINTS, st.integers(1, 30))
def test_patients_without_a_change_leave_the_sign_tests_alone(values, more):
    pre, post = scans(values)
    still = np.full(more, 3)
    for test in (paired.sign_test, mcnemar_exact, mcnemar_mid_p):
        one = test(pre, post)
        other = test(np.append(pre, still), np.append(post, still))
        assert (one.p_value, one.n_events) == (other.p_value, other.n_events)
        assert other.n_patients == one.n_patients + more


@pytest.mark.parametrize("function", [*TESTS, *ESTIMATES])
@given(POINTS)
@settings(max_examples=40, deadline=None)
def test_intervals_whose_ends_agree_are_points(function, values):
    pre, post = scans(values)
    assert function(np.column_stack([pre, pre]), np.column_stack([post, post])) == function(
        pre, post
    )


@pytest.mark.parametrize("estimate", ESTIMATES)
@given(POINTS | OPEN)
@settings(max_examples=40, deadline=None)
def test_intervals_hold_the_estimate_and_widen_with_the_level(estimate, values):
    pre, post = scans(values)
    found, wider = estimate(pre, post), estimate(pre, post, level=0.99)
    assert wider.conf_low <= found.conf_low <= found.estimate <= found.conf_high <= wider.conf_high
    assert (found.conf_level, wider.conf_level) == (0.95, 0.99)


@given(POINTS)
def test_win_odds_are_the_net_improvement_on_another_scale(values):
    pre, post = scans(values)
    net, odds = paired.net_improvement(pre, post), paired.win_odds(pre, post)
    rises, falls = (post > pre).sum(), (post < pre).sum()
    same = len(pre) - rises - falls
    if falls + same:
        assert odds.estimate == pytest.approx((rises + same / 2) / (falls + same / 2))
        assert (odds.status, odds.interval_method) == (net.status, "Tango")
    else:
        assert (odds.estimate, odds.conf_high, odds.status) == (math.inf, math.inf, "unstable")
        assert "no upper end" in odds.reason


# Reading


@pytest.mark.parametrize("missing", [None, "", "NA", math.nan, np.nan, "unknown"])
def test_a_patient_without_a_value_is_left_out(missing):
    found = paired.pairs([1, missing, 2, 0], [2, 3, missing, 4])
    assert (found.n, found.left_out) == (2, 2)
    assert paired.sign_test([1, missing, 2, 0], [2, 3, missing, 4]).n_patients == 2


def test_a_difference_that_only_rounding_makes_is_no_change():
    pre, post = [0.3, 1.0, 2.0], [0.1 + 0.2, 1.5, 1.0]
    assert paired.directions(pre, post) == paired.Directions(1, 1, 1, 0, 0, 0)
    assert paired.sign_test(pre, post).n_events == 2


def test_the_same_scores_written_in_every_way():
    written = paired.signed_rank(["<=1", "III-IV", "2", 2.0, 1], [3, "4", "III", "0-1", 4])
    ends = paired.signed_rank(
        [(0, 1), (3, 4), (2, 2), (2, 2), (1, 1)], [(3, 3), (4, 4), (3, 3), (0, 1), (4, 4)]
    )
    assert written == ends


@pytest.mark.parametrize(
    ("pre", "post", "error", "said"),
    [
        ([1, 2], [1], ValueError, "2 values before and 1 after"),
        ([[2, 1]], [1], ValueError, "lower end above its upper"),
        ([1, "uptake up"], [1, 2], ValueError, "step"),
        ([1, "3 or more"], [1, 2], ValueError, "step"),
    ],
)
def test_what_cannot_be_read_is_an_error(pre, post, error, said):
    for function in (*TESTS, *ESTIMATES, paired.suvmax_ratio, paired.directions):
        with pytest.raises(error, match=said):
            function(pre, post)


def test_intervals_of_fractions_are_an_error():
    """Completions of a score are whole steps; a measured value has no such list."""
    with pytest.raises(ValueError, match="whole number"):
        paired.signed_rank([[0.5, 1.5], [1, 1]], [2, 2])


@pytest.mark.parametrize(
    ("pre", "said"), [([0, 4.0], "above 0"), ([-1.0, 4], "above 0"), ([[2, 3], [4, 4]], "a point")]
)
def test_suvmax_that_cannot_be(pre, said):
    with pytest.raises(ValueError, match=said):
        paired.suvmax_ratio(pre, [3.0, 4])
    with pytest.raises(ValueError, match=said):
        paired.suvmax_ratio([3.0, 4], pre)


# What is refused, and what is said


@pytest.mark.parametrize(
    ("pre", "post", "said"),
    [([], [], "no patient"), ([1, 2], [None, ""], "no patient"), ([2], [3], "only one patient")],
)
def test_fewer_than_two_pairs_are_no_test(pre, post, said):
    for test in TESTS:
        found = test(pre, post)
        assert (found.status, found.p_value, found.p_low) == ("not_estimable", None, None)
        assert said in found.reason
        assert "not estimable" in str(found)
        assert found.n_patients == (len(pre) if said == "only one patient" else 0)


def test_one_patient_is_described():
    """T04: description without inference, though R gives an interval for n = 1."""
    meta, _ = load("T04_n1")
    assert meta["expected"]["inference"] == "refuse"
    pre, post = columns("T04_n1")
    net = paired.net_improvement(pre, post)
    assert_matches(net.estimate, answer(meta, "sign_test")["net"], meta)
    difference = newcombe(pre, post)
    assert_matches(difference.estimate, answer(meta, "newcombe")["diff"], meta)
    suv = paired.suvmax_ratio([9.5], [14.2])
    assert suv.estimate == pytest.approx(14.2 / 9.5)
    for found in (net, difference, suv):
        assert (found.status, found.conf_low, found.p_value) == ("unstable", None, None)
        assert "one patient" in found.reason
    assert tango(pre, post).status == "not_estimable"


def test_nobody_is_not_estimable():
    for function in (*ESTIMATES, paired.suvmax_ratio):
        found = function([1], [None])
        assert (found.status, found.estimate, found.n_patients) == ("not_estimable", None, 0)
        assert "no patient" in found.reason


def test_nobody_changed_is_p_one_and_says_so():
    """T05: P is 1 by convention, and the intervals are still defined."""
    meta, frames = load("T05_all_zero")
    assert meta["expected"]["p_value"] == 1
    pre, post = columns("T05_all_zero")
    suv = paired.suvmax_ratio(frames["d"]["suvmax_pre"], frames["d"]["suvmax_post"])
    for found in (*(test(pre, post) for test in TESTS), suv):
        assert (found.p_value, found.status, found.n_events) == (1, "unstable", 0)
        assert found.reason.startswith("no patient") and "P is 1" in found.reason
    assert (suv.estimate, suv.conf_low, suv.conf_high) == (1, 1, 1)
    for estimate in (paired.net_improvement, newcombe, tango):
        found = estimate(pre, post)
        assert found.estimate == 0
        assert found.conf_low < 0 < found.conf_high


def test_three_differences_cannot_be_significant():
    for test in (paired.signed_rank, paired.sign_test, mcnemar_exact):
        found = test([2, 2, 2, 1, 1], [3, 3, 3, 1, 1])
        assert (found.p_value, found.status, found.smallest_p) == (0.25, "unstable", 0.25)
        assert "only 3 patients" in found.reason
        assert "smallest P possible is 0.25" in found.reason
    mid_p = mcnemar_mid_p([2, 2, 2, 1, 1], [3, 3, 3, 1, 1])
    assert (mid_p.p_value, mid_p.smallest_p) == (0.125, 0.125)
    assert "smallest P possible is 0.125" in mid_p.reason


def test_open_scores_are_counted_in_the_caution():
    found = paired.sign_test([(0, 1), (0, 1), (1, 1)], [(1, 1), (1, 1), (2, 2)])
    assert found.status == "unstable"
    assert "only 1 patient changed for certain, and in 2" in found.reason
    assert (found.smallest_p, found.p_low, found.p_high) == (0.25, 0.25, 1)


@pytest.mark.parametrize("n", range(1, 12))
def test_no_p_is_below_the_smallest_that_is_named(n):
    for test in TESTS:
        found = test([2] * n + [1], [3] * n + [1])
        assert found.p_value == found.smallest_p
        assert (found.status == "ok") == (found.smallest_p <= 0.05)


@pytest.mark.parametrize("rises", [6, 10])
def test_no_p_is_below_the_smallest_that_the_sentence_names(rises):
    """10 gained, none lost: mid-P is 0.00098, and the sentence says that 0.002 is the smallest."""
    found = mcnemar_mid_p([2] * rises, [3] * rises)
    named = float(found.reason.removeprefix("smallest P possible: "))
    assert found.p_value == pytest.approx(named, rel=0.05)


@pytest.mark.parametrize("mid_p", [False, True])
def test_the_smallest_p_of_nobody_is_one(mid_p):
    found = paired.mcnemar([3, 3, 1], [3, 3, 1], threshold=3, mid_p=mid_p)
    assert found.p_value == found.smallest_p == 1


def test_a_missing_score_of_a_canonical_table_is_left_out():
    """The scores of `patients.csv` are of pandas' type Int64, whose missing value is its own."""
    scores = pd.Series([1, 2, None, 0], dtype="Int64")
    assert paired.pairs(scores, [2, 2, 3, 4]).left_out == 1


def test_few_suvs_have_no_interval_and_say_how_many_are_needed():
    found = paired.suvmax_ratio([4.0, 5, 6, 7, 8], [5.0, 7, 9, 11, 13])
    assert found.conf_low is None and found.p_value == 0.0625
    assert found.status == "unstable"
    one_more = paired.suvmax_ratio([4.0, 5, 6, 7, 8, 9], [5.0, 7, 9, 11, 13, 15])
    assert (one_more.p_value, one_more.status) == (0.03125, "ok")
    assert one_more.conf_low < one_more.estimate < one_more.conf_high


# Rows


@pytest.mark.parametrize(
    ("pre", "post"),
    [
        ([], []),
        ([2], [3]),
        ([2, 2], [3, 3]),
        ([2] * 3, [2] * 3),
        ([1] * 12, [4] * 12),
        ([4] * 12, [1] * 12),
        ([1, 2, 0, 2, 1, 1, 2, None], [2, 3, 2, 2, 3, 2, 4, 1]),
        (["<=1", 1, 2, 2, 0, 1, 2], [3, 2, 3, 2, 2, 1, "III-IV"]),
        (["<=1"] * 9, ["III-IV"] * 9),
        ([[0, 4]] * 30, [[0, 4]] * 30),
    ],
)
def test_rows_fit_the_schema(pre, post):
    results = [function(pre, post) for function in (*TESTS, *ESTIMATES)]
    points = [4.0, 8, 16][: len(pre)]
    results.append(paired.suvmax_ratio(points, [2 * value for value in points]))
    table = statistics.frame([result.row(role="secondary") for result in results])
    schemas.STATISTICS.validate(table)
    assert len(table) == 9
    for result in results:
        assert result.analysis in str(result)


def test_a_row_says_what_the_result_says():
    found = paired.net_improvement([1] * 10, [2] * 4 + [1] * 5 + [0])
    row = found.row("confirmatory", "primary", outcome="lesion_krenning")
    assert row["row_id"] == "transition.net_improvement/lesion_krenning/confirmatory"
    assert (row["role"], row["interval_method"], row["n_patients"]) == ("primary", "Tango", 10)
    assert (row["estimate"], row["n_events"]) == (0.3, 5)
    assert row["p_value"] is None and "unit" not in row
    tested = paired.sign_test([(0, 1), (1, 1), (1, 1)], [(1, 1), (2, 2), (2, 2)]).row()
    assert (tested["p_low"], tested["p_high"], tested["p_value"]) == (0.25, 0.5, 0.5)
    assert Result("a", "b", unit="SUV").row()["unit"] == "SUV"
    ids = [test([1, 2], [3, 3]).row()["row_id"] for test in TESTS]
    assert len(set(ids)) == len(TESTS)


def test_a_refused_result_keeps_the_question_and_no_number():
    found = paired.signed_rank([1, 2, 3], [2, 3, 4]).refused("not planned")
    assert (found.analysis, found.n_patients) == ("transition.signed_rank", 3)
    assert (found.p_value, found.smallest_p, found.statistic) == (None, None, None)
    assert (found.status, found.reason) == ("not_estimable", "not planned")


def test_columns_that_name_their_rows_differently_are_refused():
    """By position each patient would stand beside another one, without a word."""
    before = pd.Series([1, 2, 2, 0], index=list("abcd"))
    after = pd.Series([3, 2, 3, 2], index=list("abcd"))
    assert paired.signed_rank(before, after).n_patients == 4
    with pytest.raises(ValueError, match="name their rows differently"):
        paired.signed_rank(before, after.sort_values())


def test_a_text_that_is_no_score_is_named_with_its_place():
    with pytest.raises(ValueError, match="value 2, 'low', is not a number and not an interval"):
        paired.sign_test([1, "low"], [2, 2])


def test_a_suvmax_of_zero_is_named():
    with pytest.raises(ValueError, match="SUVmax must be above 0, and a patient has 0 and 2"):
        paired.suvmax_ratio([4, 0], [5, 2])


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        paired.net_improvement([1, 2, 3], [2, 2, 2], level)


def test_a_result_in_print_says_what_interval_scores_leave_open():
    said = str(paired.sign_test(["<=1", 1, 1, 2, 1, 0, 1], [1, 2, 3, 3, 2, 2, 3]))
    assert "P = 0.0312, 0.0156 at least (sign test, exact)" in said
    assert "95% CI" in str(paired.net_improvement([1] * 5, [2] * 5))
