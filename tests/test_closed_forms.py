"""Power by formula and by enumeration, against R, published examples and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from captem import closed_forms
from captem.closed_forms import mcnemar_power_connor, mcnemar_power_miettinen
from reference_cases import answer, assert_matches, load


@pytest.mark.parametrize(
    ("check", "lost", "mid_p"),
    [
        ("mcnemar_exact", 0.05, False),
        ("mcnemar_midp", 0.05, True),
        ("size_exact", 0.15, False),
        ("size_midp", 0.15, True),
    ],
)
def test_mcnemar_against_r(check, lost, mid_p):
    meta, frames = load("W01_power")
    found = [
        closed_forms.mcnemar_power_exact(int(n), 0.3 - lost, lost, mid_p=mid_p)
        for n in frames["d"]["n"]
    ]
    assert_matches(found, answer(meta, check), meta)


def test_signed_rank_against_r():
    meta, _ = load("W01_power")
    found = closed_forms.signed_rank_power_exact(15, [-1, 0, 1, 2], [0.1, 0.45, 0.3, 0.15])
    assert_matches(found, answer(meta, "pratt_n15"), meta)


def test_signed_rank_leaves_out_gains_without_a_chance():
    short = closed_forms.signed_rank_power_exact(9, [0, 1], [0.4, 0.6])
    padded = closed_forms.signed_rank_power_exact(9, [-1, 0, 1], [0, 0.4, 0.6])
    assert short == pytest.approx(padded, rel=1e-12)
    # Six one way are needed for P <= .05, and with one way only they are enough.
    assert short == pytest.approx(
        sum(math.comb(9, k) * 0.6**k * 0.4 ** (9 - k) for k in range(6, 10))
    )


def test_the_formulas_for_pairs_are_as_printed():
    """By hand: Connor [1.96 sqrt(.3) + 1.2816 sqrt(.26)]^2 / .04 = 74.5, and so Miettinen 66.6."""
    assert closed_forms.mcnemar_n(0.9, 0.25, 0.05) == 75
    assert closed_forms.mcnemar_n(0.9, 0.25, 0.05, of=mcnemar_power_miettinen) == 67


@pytest.mark.parametrize("of", [mcnemar_power_connor, mcnemar_power_miettinen])
@pytest.mark.parametrize(("gained", "lost"), [(0.25, 0.05), (0.1, 0.3), (0.4, 0.1), (0.3, 0.0)])
def test_the_smallest_number_of_pairs_is_the_smallest(of, gained, lost):
    n = closed_forms.mcnemar_n(0.8, gained, lost, of=of)
    assert of(n, gained, lost, 0.05) >= 0.8 > of(n - 1, gained, lost, 0.05)


@pytest.mark.parametrize("of", [mcnemar_power_connor, mcnemar_power_miettinen])
def test_the_formulas_for_pairs_come_near_the_exact_power(of):
    for n in (40, 80, 120):
        exact = closed_forms.mcnemar_power_exact(n, 0.25, 0.05, mid_p=True)
        assert of(n, 0.25, 0.05) == pytest.approx(exact, abs=0.06)


def test_whitehead_against_r():
    """Hmisc 4.8: posamsize(p, exp(-0.887), alpha=.05, power=.9), p the mean of both groups."""
    mean = [0.2888532554391601, 0.4861274138283370, 0.1531379876315391, 0.0718813431009638]
    information = closed_forms.ordinal_information(mean)
    assert closed_forms.ordinal_n(0.9, -0.887, 0.25, information) == 187
    assert closed_forms.ordinal_power(186.991370540541, 0.887, 0.25, information) == pytest.approx(
        0.9, abs=1e-12
    )


def test_information_of_strata_is_that_of_each_by_its_weight():
    one, other = [0.2, 0.5, 0.3], [0.7, 0.2, 0.1]
    each = [closed_forms.ordinal_information(shares) for shares in (one, other)]
    assert closed_forms.ordinal_information([one, other], [0.25, 0.75]) == pytest.approx(
        0.25 * each[0] + 0.75 * each[1]
    )
    assert closed_forms.ordinal_information(np.eye(3)) == 0


def test_what_has_no_answer_is_refused():
    with pytest.raises(ValueError, match="whatever n"):
        closed_forms.mcnemar_n(0.8, 0.1, 0.1)
    with pytest.raises(ValueError, match="whatever n"):
        closed_forms.ordinal_n(0.8, 0.0, 1.0, 0.2)
    with pytest.raises(ValueError, match="chances"):
        closed_forms.mcnemar_power_exact(10, 0.7, 0.6)
    with pytest.raises(ValueError, match="chance for each gain"):
        closed_forms.signed_rank_power_exact(5, [0, 1], [0.5, 0.6])
