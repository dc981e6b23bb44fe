"""Tests of square tables against R, published tables, brute force and random completions."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from captem import square
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from scipy import stats

CHI_SQUARE = [square.bowker_asymptotic, square.stuart_maxwell, square.scored]
EXACT = [square.bowker, square.scored_exact]
ALL = CHI_SQUARE + EXACT
NOMINAL = [square.bowker, square.bowker_asymptotic, square.stuart_maxwell]
COHORTS = ["T03_cohort30_empty_middle", "T04_n1", "T05_all_zero"]


def table_of(cells, k):
    table = np.zeros((k, k), dtype=int)
    np.add.at(table, tuple(np.array(cells, dtype=int).reshape(-1, 2).T), 1)
    return table


def reference_table(frames):
    d = frames["d"]
    if "krenning_pre" in d:
        return table_of(d[["krenning_pre", "krenning_post"]].to_numpy(), 5)
    return d.drop(columns="pre").to_numpy()


def tables(k_up_to=5, each_up_to=6):
    cells = st.integers(0, each_up_to)
    return st.integers(1, k_up_to).flatmap(
        lambda k: st.lists(cells, min_size=k * k, max_size=k * k).map(
            lambda values: np.array(values).reshape(k, k)
        )
    )


@st.composite
def with_intervals(draw, most_patients=3, k_up_to=4):
    table = draw(tables(k_up_to, 3))
    # Where one change is common the statistics stay away from 0 whatever the others did.
    cell = st.integers(0, len(table) - 1)
    table[draw(cell), draw(cell)] += draw(st.sampled_from([0, 20]))
    ends = st.tuples(*[st.integers(0, len(table) - 1)] * 2).map(sorted)
    boxes = draw(st.lists(st.tuples(ends, ends), max_size=most_patients))
    return table, [[*before, *after] for before, after in boxes]


def completions(table, boxes):
    cells = [list(itertools.product(range(a, b + 1), range(c, d + 1))) for a, b, c, d in boxes]
    for choice in itertools.product(*cells):
        yield table + table_of(choice, len(table))


def symmetry_statistic(moves):
    """Bowker's statistic of (from, to) of those who changed, in fractions."""
    pairs = {tuple(sorted(move)) for move in moves}
    return sum(
        Fraction((moves.count((i, j)) - moves.count((j, i))) ** 2,
                 moves.count((i, j)) + moves.count((j, i)))
        for i, j in pairs
    )  # fmt: skip


def net_gain(moves):
    return abs(sum(after - before for before, after in moves))


def share_of_flips(table, statistic):
    """P by writing out every way in which those who changed may have changed."""
    moves = [
        (int(i), int(j))
        for i, j in np.argwhere(table)
        for _ in range(table[i, j])
        if i != j
    ]  # fmt: skip
    observed, ways = statistic(moves), 0
    for flips in itertools.product([False, True], repeat=len(moves)):
        flipped = [m[::-1] if flip else m for m, flip in zip(moves, flips, strict=True)]
        ways += statistic(flipped) >= observed
    return ways / 2 ** len(moves)


@pytest.mark.parametrize("case", ["T02_vision", *COHORTS])
def test_bowker_and_stuart_maxwell_against_r(case):
    meta, frames = load(case)
    table = reference_table(frames)
    bowker = answer(meta, "bowker")
    expected = answer(meta, "stuart_maxwell")[["statistic", "df", "p"]]
    chi_square, margins = square.bowker_asymptotic(table), square.stuart_maxwell(table)
    for test in (chi_square, square.bowker(table)):
        assert_matches(test.statistic, bowker["statistic"], meta)
        assert test.df == bowker["df_nonempty_pairs"]
    assert_matches(chi_square.p_value, bowker["p_nonempty_pairs"], meta)
    assert_matches([margins.statistic, margins.df, margins.p_value], expected, meta)


@pytest.mark.parametrize("case", COHORTS)
def test_exact_bowker_against_r(case):
    meta, frames = load(case)
    test = square.bowker(reference_table(frames))
    assert_matches(test.p_value, answer(meta, "bowker")["p_exact_conditional"], meta)
    assert (test.method, test.error) == ("Bowker, exact conditional", 0)


def test_where_r_has_no_exact_p_the_simulation_agrees_with_chi_square():
    meta, frames = load("T02_vision")
    test = square.bowker(reference_table(frames))
    assert test.method == "Bowker, conditional by Monte Carlo"
    assert 0 < test.error < 3e-4
    assert test.p_value == pytest.approx(answer(meta, "bowker_R_mcnemar_test"), abs=4 * test.error)


@pytest.mark.parametrize("case", ["T02_vision", "T03_cohort30_empty_middle"])
def test_scored_and_nominal_homogeneity_against_coin(case):
    meta, frames = load(case)
    table = reference_table(frames)
    scores, nominal = answer(meta, "coin_mh_scores"), answer(meta, "coin_mh_nominal")
    scored, margins = square.scored(table), square.stuart_maxwell(table)
    assert_matches([scored.statistic, scored.p_value], [scores["z"] ** 2, scores["p"]], meta)
    assert_matches([margins.statistic, margins.p_value], nominal, meta)


@pytest.mark.parametrize("case", ["T03_cohort30_empty_middle", "T05_all_zero"])
def test_exact_scored_against_r(case):
    meta, frames = load(case)
    test = square.scored_exact(reference_table(frames))
    assert_matches(test.p_value, answer(meta, "signflip_mean_exact_p"), meta)
    assert test.method == "scored marginal homogeneity, exact conditional"


def test_two_categories_are_mcnemar_in_r():
    meta, frames = load("T01_pm_approval")
    table, expected = reference_table(frames), answer(meta, "mcnemar")
    for test in CHI_SQUARE:
        assert_matches(test(table).statistic, expected["chi2"], meta)
        assert_matches(test(table).p_value, expected["p_asym"], meta)
    for test in EXACT:
        assert_matches(test(table).p_value, expected["p_exact"], meta)


def test_published_tables():
    # Fleiss, Levin & Paik 2003, Table 13.6; Peterson 2007 in Fagerland, Lydersen & Laake 2017,
    # chapter 9; Uebersax, output of the program MH 1.2 for a table with an empty way between parts.
    diagnoses = square.stuart_maxwell([[35, 5, 0], [15, 20, 5], [10, 5, 5]])
    assert (round(diagnoses.statistic, 3), diagnoses.df) == (14.000, 2)
    assert round(diagnoses.p_value, 6) == 0.000912

    pathogens = np.array([[596, 18, 6, 5], [0, 2, 0, 0], [0, 0, 42, 0], [11, 0, 0, 0]])
    margins = square.stuart_maxwell(pathogens)
    assert (round(margins.statistic, 3), margins.df) == (26.250, 3)
    assert round(margins.p_value, 6) == 0.000008
    symmetry = square.bowker_asymptotic(pathogens)
    assert (round(symmetry.statistic, 3), symmetry.df) == (26.250, 3)
    ordered = square.scored(pathogens[:3, :3])
    assert (round(ordered.statistic, 3), round(ordered.p_value, 6)) == (21.429, 0.000004)

    parts = square.stuart_maxwell([[30, 0, 0], [0, 10, 2], [0, 4, 8]])
    assert (round(parts.statistic, 3), parts.df, round(parts.p_value, 3)) == (0.667, 1, 0.414)


def test_exact_p_of_every_table_of_three_with_up_to_four_patients():
    for n in range(5):
        for cells in itertools.combinations_with_replacement(range(9), n):
            table = np.bincount(np.array(cells, dtype=int), minlength=9).reshape(3, 3)
            by_hand = share_of_flips(table, symmetry_statistic), share_of_flips(table, net_gain)
            assert square.bowker(table).p_value == by_hand[0]
            assert square.scored_exact(table).p_value == by_hand[1]


def pairs_of_up_to(patients, largest=None):
    """Yield every way that so many changes can be spread over pairs, as (one way, the other)."""
    yield []
    for size in range(1, min(patients, largest or patients) + 1):
        for other in range(size // 2 + 1):
            for rest in pairs_of_up_to(patients - size, size):
                yield [(size - other, other), *rest]


def test_exact_bowker_of_every_table_of_five_with_up_to_eight_changes():
    """Which pair of scores a change is between, and its direction, do not matter to the test.

    So these tables stand for all: one for each way to spread the changes over the ten pairs.
    """
    rows, columns = np.triu_indices(5, 1)
    seen = {tuple(sorted(pairs)) for pairs in pairs_of_up_to(8)}
    # The coefficients of the product over sizes m of (1 - x^m)^-(m // 2 + 1), up to x^8.
    assert len(seen) == 1 + 1 + 3 + 5 + 11 + 18 + 35 + 57 + 102
    for pairs in seen:
        table = np.zeros((5, 5), dtype=int)
        for place, (there, back) in enumerate(pairs):
            table[rows[place], columns[place]], table[columns[place], rows[place]] = there, back
        expected = share_of_flips(table, symmetry_statistic)
        assert square.bowker(table).p_value == pytest.approx(expected, rel=1e-12, abs=0), pairs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=8))
def test_exact_p_of_eight_patients_is_the_share_of_all_flips(cells):
    table = table_of(cells, 5)
    expected = share_of_flips(table, symmetry_statistic)
    assert square.bowker(table).p_value == pytest.approx(expected, rel=1e-12, abs=0)
    assert square.scored_exact(table).p_value == pytest.approx(
        share_of_flips(table, net_gain), rel=1e-12, abs=0
    )
    with pytest.MonkeyPatch.context() as patched:
        # As where the common denominator of the pairs is too long for a float.
        patched.setattr(square, "_unit", lambda ms: (2**52 // max(1, sum(ms)), 3 * len(ms)))
        assert square.bowker(table).p_value == pytest.approx(expected, rel=1e-12, abs=0)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 9))
def test_two_categories_are_the_exact_mcnemar_test(gained, lost, same):
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1
    for test in EXACT:
        p_value = test([[same, gained], [lost, same]]).p_value
        assert p_value == pytest.approx(expected, rel=1e-9, abs=0)


@given(tables())
def test_stuart_maxwell_is_the_form_of_any_generalised_inverse(table):
    gaps = table.sum(axis=1) - table.sum(axis=0)
    spread = np.diag(table.sum(axis=1) + table.sum(axis=0)) - table - table.T
    test = square.stuart_maxwell(table)
    expected = gaps @ np.linalg.pinv(spread, rcond=1e-10, hermitian=True) @ gaps
    assert test.statistic == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert test.df == np.linalg.matrix_rank(spread, tol=1e-9)
    assert test.p_value == pytest.approx(
        stats.chi2.sf(test.statistic, test.df) if test.df else 1, rel=1e-9, abs=0
    )


def test_rank_is_right_when_one_change_is_rare():
    table = [[0, 10**6, 0], [10**6 - 10, 0, 1], [0, 0, 0]]
    test = square.stuart_maxwell(table)
    assert test.df == 2
    assert test.statistic == pytest.approx(100 / (2 * 10**6 - 10) + 1, rel=1e-9, abs=0)


def assert_same(first, second):
    assert (first.df, first.method) == (second.df, second.method)
    assert first.statistic == pytest.approx(second.statistic, rel=1e-9, abs=1e-12)
    assert first.p_value == pytest.approx(second.p_value, rel=1e-9, abs=0)


@pytest.mark.parametrize("test", ALL)
@settings(max_examples=50, deadline=None)
@given(table=tables())
def test_neither_swapping_the_scans_nor_reversing_the_scale_matters(test, table):
    assert_same(test(table.T), test(table))
    assert_same(test(table[::-1, ::-1]), test(table))


@pytest.mark.parametrize("test", NOMINAL)
@settings(max_examples=50, deadline=None)
@given(table=tables(), chance=st.randoms(use_true_random=False))
def test_order_of_the_categories_is_nothing_to_nominal_tests(test, table, chance):
    order = list(range(len(table)))
    chance.shuffle(order)
    assert_same(test(table[np.ix_(order, order)]), test(table))


@pytest.mark.parametrize("test", ALL)
@settings(max_examples=50, deadline=None)
@given(table=tables(), diagonal=st.integers(1, 50), place=st.integers(0, 5))
def test_patients_without_change_and_empty_categories_change_nothing(test, table, diagonal, place):
    assert_same(test(table + diagonal * np.eye(len(table), dtype=int)), test(table))
    assert_same(test(np.pad(table, (0, 1))), test(table))
    assert_same(test(np.pad(table, (1, 0))), test(table))
    if test in NOMINAL:
        at = min(place, len(table))
        assert_same(test(np.insert(np.insert(table, at, 0, 0), at, 0, 1)), test(table))


@pytest.mark.parametrize("test", ALL)
@pytest.mark.parametrize("table", [[[0]], [[7]], np.diag([3, 0, 2, 9, 1]), np.zeros((5, 5))])
def test_nobody_changed_is_p_one(test, table):
    result = test(table)
    assert (result.statistic, result.df, result.p_value, result.error) == (0, 0, 1, 0)


def test_small_p_is_not_rounded_away():
    all_up = np.triu(np.full((3, 3), 200), 1)
    assert square.bowker(all_up).p_value == pytest.approx(2.0**-597, rel=1e-12, abs=0)
    assert square.scored_exact(all_up).p_value == pytest.approx(2.0**-599, rel=1e-12, abs=0)
    # Sums of pairs without a common denominator that a float could hold.
    apart = np.zeros((6, 6), dtype=int)
    apart[np.triu_indices(6, 1)] = [8, 27, 25, 7, 11, 13, 17, 19, 23, 29, 37, 0, 0, 0, 0]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(square, "_BOWKER_WORK", 10**6)
        p_value = square.bowker(apart).p_value
    assert p_value == pytest.approx(2.0 ** (11 - 216), rel=1e-12, abs=0)
    assert square.bowker_asymptotic(all_up).p_value == pytest.approx(
        stats.chi2.sf(600, 3), rel=1e-9, abs=0
    )


@settings(max_examples=10, deadline=None)
@given(tables(4, 12), st.integers(1, 1000))
def test_simulation_agrees_with_the_exact_p(table, seed):
    assume(np.triu(table + table.T, 1).max() > 1)
    exact = square.bowker(table)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(square, "_BOWKER_WORK", 0)
        simulated, again = (square.bowker(table, seed=seed) for _ in range(2))
    assert simulated.method == "Bowker, conditional by Monte Carlo"
    assert simulated == again
    assert simulated.p_value == pytest.approx(exact.p_value, abs=5 * simulated.error + 2e-5)


def test_the_seed_is_used():
    table = np.full((5, 5), 300)
    table[0, 1] = 350
    first, second = (square.bowker(table, seed=seed) for seed in (1, 2))
    assert first.p_value != second.p_value
    assert abs(first.p_value - second.p_value) < 6 * first.error


def test_scored_takes_other_scores():
    table = np.array([[4, 3, 1], [0, 2, 5], [1, 1, 6]])
    gains = np.array([1.5, 1.5, 1.5, 3, 1.5, 1.5, 1.5, 1.5, 1.5, -3, -1.5])
    expected = gains.sum() ** 2 / (gains**2).sum()
    assert square.scored(table, [0, 1.5, 3]).statistic == pytest.approx(expected)
    assert square.scored(table, [5, 5, 5]).p_value == 1
    with pytest.raises(ValueError, match="3 numbers"):
        square.scored(table, [0, 1])


def test_exact_scored_says_when_it_is_not_exact():
    table = [[0, 0, 3000], [0, 0, 2900], [2900, 100, 0]]
    test = square.scored_exact(table)
    assert test == square.scored(table)
    assert test.method == "scored marginal homogeneity, chi-square"


@pytest.mark.parametrize(
    "counts", [[[1, 2]], [1, 2], [], [[]], [[1, -1], [0, 0]], [[0.5]], [["x"]], [[float("nan")]]]
)
@pytest.mark.parametrize("test", ALL)
def test_what_is_no_table_of_counts_is_refused(test, counts):
    with pytest.raises(ValueError, match="square table of whole numbers"):
        test(counts)


@pytest.mark.parametrize("test", ALL)
@settings(max_examples=40, deadline=None)
@given(case=with_intervals())
def test_range_over_completions_is_that_of_each_written_out(test, case):
    values = [test(table).p_value for table in completions(*case)]
    low, high = square.over_completions(test, *case)
    assert low == pytest.approx(min(values), rel=1e-9, abs=0)
    assert high == pytest.approx(max(values), rel=1e-9, abs=0)


@pytest.mark.parametrize("test", ALL)
def test_tables_that_stand_for_the_completions_have_every_p(test):
    table = np.zeros((5, 5), dtype=int)
    table[[0, 1, 2, 4], [1, 3, 0, 3]] = [3, 1, 2, 4]
    boxes = np.array([[0, 2, 1, 3], [0, 0, 0, 4], [3, 4, 0, 1]])
    found = square._completions(table, boxes, np.ones(3, int), square._KINDS[test].looks_at)
    expected = {round(test(each).p_value, 12) for each in completions(table, boxes)}
    assert {round(test(each).p_value, 12) for each in found} == expected
    assert len(found) < len(list(completions(table, boxes)))


@pytest.mark.parametrize("test", CHI_SQUARE)
@settings(max_examples=60, deadline=None)
@given(case=with_intervals())
def test_bounds_hold_every_completion(test, case):
    values = [test(table).p_value for table in completions(*case)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(square, "_MOST_TABLES", 0)
        low, high = square.over_completions(test, *case)
    assert low <= min(values)
    assert max(values) <= high
    if test is square.scored:
        # The completion with the smallest P is found itself.
        assert low == pytest.approx(min(values), rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    certain=st.lists(st.integers(0, 12), min_size=25, max_size=25),
    drift=st.sampled_from([-30, 0, 30]),
    lows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3),
    widths=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=3),
    copies=st.integers(1, 12),
)
def test_bounds_of_scored_hold_every_sum_of_gains(certain, drift, lows, widths, copies):
    table = np.array(certain).reshape(5, 5)
    table[(0, 1) if drift > 0 else (1, 0)] += abs(drift)
    boxes = [
        [pre, min(4, pre + wide), post, min(4, post + high)]
        for (pre, post), (wide, high) in zip(lows, widths, strict=False)
    ] * copies
    gains = np.subtract.outer(range(5), range(5)).T
    sums = {(int((table * gains).sum()), int((table * gains**2).sum()))}
    for a, b, c, d in boxes:
        sums = {(s + g, q + g * g) for s, q in sums for g in range(c - b, d - a + 1)}
    values = [s * s / q if q else 0 for s, q in sums]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(square, "_MOST_TABLES", 0)
        low, high = square.over_completions(square.scored, table, boxes)
    assert low == pytest.approx(stats.chi2.sf(max(values), 1), rel=1e-6, abs=0)
    assert high >= stats.chi2.sf(min(values), 1) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("certain", "boxes", "largest", "smallest"),
    [
        # With x of 20 at three steps X = (40 + 2x)^2 / (40 + 8x), smallest at x = 10.
        (20, [[0, 0, 1, 3]] * 20, 40, 30),
        # All others at one step and x of ten at four: (20 + 3x)^2 / (20 + 15x), smallest at x = 4.
        (0, [[0, 0, 1, 2]] * 10 + [[0, 0, 1, 4]] * 10, 20, 12.8),
    ],
)
def test_bounds_of_scored_are_reached_among_alike_patients(certain, boxes, largest, smallest):
    table = np.zeros((5, 5))
    table[0, 1] = certain
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(square, "_MOST_TABLES", 0)
        low, high = square.over_completions(square.scored, table, boxes)
    assert low == pytest.approx(stats.chi2.sf(largest, 1), rel=1e-6, abs=0)
    assert high == pytest.approx(stats.chi2.sf(smallest, 1), rel=1e-6, abs=0)


@pytest.mark.parametrize("test", [square.bowker_asymptotic, square.stuart_maxwell])
def test_bounds_allow_for_a_pair_that_one_patient_may_open(test):
    table, boxes = np.array([[0, 20, 0], [0, 0, 0], [0, 0, 0]]), [[0, 0, 1, 2]]
    opened = test(table + table_of([[0, 2]], 3))
    assert opened.df == 2
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(square, "_MOST_TABLES", 0)
        low, high = square.over_completions(test, table, boxes)
    assert low <= test(table + table_of([[0, 1]], 3)).p_value < opened.p_value <= high < 1e-4


@pytest.mark.parametrize("test", EXACT)
def test_exact_tests_have_the_bounds_of_their_chi_square_form(test):
    chi_square = {square.bowker: square.bowker_asymptotic, square.scored_exact: square.scored}
    case = np.full((5, 5), 4), [[0, 4, 0, 4]] * 30
    bounds = square.over_completions(test, *case)
    assert bounds == square.over_completions(chi_square[test], *case)


@pytest.mark.parametrize("test", CHI_SQUARE)
@pytest.mark.parametrize("spread", [1, 4])
def test_bounds_of_many_patients_hold_random_completions(test, spread):
    chance = np.random.default_rng(spread)
    table = chance.multinomial(95_000, np.full(25, 1 / 25)).reshape(5, 5)
    table[np.triu_indices(5, 1)] += 900
    lows = chance.integers(0, 5, (5000, 2))
    highs = np.minimum(lows + chance.integers(0, spread + 1, lows.shape), 4)
    boxes = np.stack([lows[:, 0], highs[:, 0], lows[:, 1], highs[:, 1]], axis=1)
    low, high = square.over_completions(test, table, boxes)
    most_up = np.stack([lows[:, 0], highs[:, 1]], axis=1)
    most_down = np.stack([highs[:, 0], lows[:, 1]], axis=1)
    anywhere = [chance.integers(lows, highs, endpoint=True) for _ in range(5)]
    for cells in (most_up, most_down, *anywhere):
        assert low <= test(table + table_of(cells, 5)).p_value <= high
    if spread == 1:
        assert high < 1


@pytest.mark.parametrize("test", EXACT)
def test_large_tables_of_exact_tests_take_the_chi_square_over_their_completions(test):
    chi_square = {square.bowker: square.bowker_asymptotic, square.scored_exact: square.scored}
    table, boxes = np.full((5, 5), 1000), [[0, 1, 2, 2], [3, 3, 0, 2]]
    table[0, 1] += 100
    values = [chi_square[test](each).p_value for each in completions(table, boxes)]
    assert square.over_completions(test, table, boxes) == pytest.approx((min(values), max(values)))


def test_alike_patients_are_counted_not_written_out():
    # 2^40 completions, but 41 tables.
    low, high = square.over_completions(square.scored_exact, [[0, 0], [0, 0]], [[0, 1, 1, 1]] * 40)
    assert (low, high) == (2.0**-39, 1)


@pytest.mark.parametrize("test", ALL)
def test_without_intervals_the_range_is_p_itself(test):
    table = np.array([[1, 5, 2], [0, 3, 4], [1, 0, 2]])
    assert square.over_completions(test, table, []) == (test(table).p_value,) * 2
    moved = table + table_of([[0, 2]], 3)
    assert square.over_completions(test, table, [[0, 0, 2, 2]]) == (test(moved).p_value,) * 2


@pytest.mark.parametrize(
    "rectangles", [[[0, 1, 2]], [[0, 2, 0, 0]], [[1, 0, 0, 0]], [[0, 0, -1, 0]], [[0, 0.5, 0, 1]]]
)
def test_what_is_no_interval_is_refused(rectangles):
    with pytest.raises(ValueError, match="rectangles must"):
        square.over_completions(square.bowker, np.eye(2), rectangles)


def test_other_functions_are_refused():
    with pytest.raises(ValueError, match="bowker_asymptotic"):
        square.over_completions(len, np.eye(2), [[0, 1, 0, 0]])
