"""Drawn studies with a known truth: the counts, the verdicts, and that jobs do not matter."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from captem import validity, validity_judged, validity_page, worlds
from captem.validity_judged import ERRORS, error
from captem.worlds_list import BLOCK, NAMES
from hypothesis import given, settings
from hypothesis import strategies as st

SIGNED_RANK = "transition.signed_rank/krenning/all"
MIB1 = "model.krenning/krenning/all/log2_mib1"


def cell(row_id: str, scenario: str = "no_change", patients: int = 20, **counts) -> pd.Series:
    """Return the judgement of one line of counts."""
    row = dict.fromkeys(validity.COUNTED, 0.0) | {"studies": 2000, "given": 2000, "ok": 2000}
    row |= {"scenario": scenario, "patients": patients, "row_id": row_id, **counts}
    return validity_judged.judged(pd.DataFrame([row])).iloc[0]


def test_the_names_that_the_snakefile_knows_are_the_scenarios():
    assert tuple(known.name for known in worlds.SCENARIOS) == NAMES
    assert [worlds.named(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("scenario", worlds.SCENARIOS, ids=NAMES)
def test_a_study_has_the_patients_that_were_asked_for_and_scores_on_the_scale(scenario):
    study = worlds.draw(np.random.default_rng(1), worlds.base(), scenario, 37)
    frame = study.patients()
    assert len(frame) == 37
    for time in (study.pre, study.post):
        assert set(time) <= set(range(5))
    assert study.pre.max() <= scenario.chosen_up_to
    assert (frame["krenning_post_low"] == frame["krenning_post_high"]).all()


def test_where_nothing_changes_either_scan_may_be_the_first():
    study = worlds.draw(np.random.default_rng(2), worlds.base(), worlds.NO_CHANGE, 200_000)
    table = np.zeros((5, 5))
    np.add.at(table, (study.pre, study.post), 1)
    apart = np.abs(table - table.T)
    assert (apart <= 4.5 * np.sqrt(np.maximum(table + table.T, 1))).all()


def test_the_coefficients_that_are_drawn_are_those_that_a_large_study_finds():
    from captem import ordinal

    study = worlds.draw(np.random.default_rng(3), worlds.base(), worlds.MIB1, 20_000)
    found = ordinal.fit(study.post, study.post, np.column_stack([study.pre, study.doublings]))
    assert found.beta == pytest.approx([worlds.base().per_step, math.log(2)], abs=0.06)
    known = validity.truth(worlds.MIB1)
    assert math.log(known[MIB1]) == pytest.approx(math.log(2))


def test_the_truth_of_a_share_is_that_of_the_model():
    """The chance of a higher score, summed over baseline scores, by the formula."""
    world = worlds.base()
    limits = [-np.inf, *world.thresholds, np.inf]
    up = sum(
        share / (1 + math.exp(limits[score + 1] - world.per_step * score))
        for score, share in enumerate(world.shares)
        if score < 4
    )
    told = validity.truth(worlds.NO_MIB1)
    assert told["transition.proportion/krenning/all/up"] == pytest.approx(up, abs=0.004)
    net = told["transition.net_improvement/krenning/all"]
    odds = told["transition.win_odds/krenning/all"]
    assert odds == pytest.approx((1 + net) / (1 - net))


def test_what_misleads_has_no_truth():
    assert all(validity.truth(scenario) == {} for scenario in worlds.OF_BIAS)


def test_how_studies_are_parted_into_jobs_does_not_matter():
    def by(chunk: int) -> pd.DataFrame:
        jobs = range(math.ceil(130 / (chunk * BLOCK)))
        blocks = [item for job in jobs for item in validity.blocks_of(job, chunk, 130)]
        assert [size for _, size in blocks] == [50, 50, 30]
        return pd.DataFrame(blocks)

    assert by(1).equals(by(2)) and by(2).equals(by(7))


def test_a_block_is_the_same_whenever_it_is_drawn_and_no_other_is():
    first = validity.block(worlds.NO_MIB1, 8, 3, 4)
    validity.block(worlds.NO_CHANGE, 8, 0, 1)
    pd.testing.assert_frame_equal(first, validity.block(worlds.NO_MIB1, 8, 3, 4))
    assert not first.equals(validity.block(worlds.NO_MIB1, 8, 4, 4))


def test_sums_are_those_of_all_blocks():
    blocks = [validity.block(worlds.NO_CHANGE, 8, number, 3) for number in range(3)]
    told = validity.gathered(blocks)
    assert (told["studies"] == 9).all()
    assert told["rejected"].sum() == sum(block["rejected"].sum() for block in blocks)
    assert told["row_id"].is_unique


def test_only_what_is_not_so_is_an_error():
    assert validity.is_null("no_change", SIGNED_RANK) and validity.is_null("no_change", MIB1)
    assert not validity.is_null("no_mib1", SIGNED_RANK) and validity.is_null("no_mib1", MIB1)
    assert not validity.is_null("mib1", MIB1)
    assert validity.is_null("mib1", "model.krenning_cycles/krenning/all/captem_cycles")
    assert not any(
        validity.is_null(scenario.name, row)
        for scenario in worlds.OF_BIAS for row in (SIGNED_RANK, MIB1)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row_id", "rejected", "outside"),
    [
        (SIGNED_RANK, 129, False),
        (SIGNED_RANK, 130, True),
        (SIGNED_RANK, 0, False),
        (MIB1, 185, False),
        (MIB1, 186, True),
        (MIB1, 30, False),
        (MIB1, 29, True),
    ],
)
def test_a_test_is_held_to_its_size(row_id, rejected, outside):
    """Of 2,000: exact 5 % + 3 x .49 %; approximate 2.5 % - 3 x .35 % to 7.5 % + 3 x .59 %."""
    told = cell(row_id, tests=2000, rejected=rejected)
    assert bool(told["verdict"]) == outside
    if outside:
        share = f"{100 * rejected / 2000:.1f}"
        assert f"P was .05 or less in {share}" in told["verdict"]


@pytest.mark.parametrize(("covered", "outside"), [(1815, False), (1814, True)])
def test_an_interval_is_held_to_its_level(covered, outside):
    """Of 2,000: 92.5 % - 3 x .59 %."""
    told = cell(MIB1, "mib1", intervals=2000, covered=covered)
    assert bool(told["verdict"]) == outside


def test_what_is_there_is_power_and_no_error():
    told = cell(SIGNED_RANK, "no_mib1", tests=2000, rejected=2000)
    assert told["verdict"] == "" and told["is_error"] == "no" and told["rejects"] == 1


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5000), st.floats(0, 1))
def test_few_studies_condemn_nobody_by_chance(tests, share):
    """A size that is right is outside its limit in less than 3 of 1,000 tries."""
    rejected = int(share * tests)
    told = cell(SIGNED_RANK, tests=tests, rejected=rejected)
    limit = 0.05 + ERRORS * error(0.05, tests)
    assert bool(told["verdict"]) == (rejected / tests > limit)


def test_the_page_says_first_what_is_outside():
    counts = pd.concat(
        validity.block(scenario, 8, 0, 3) for scenario in (worlds.NO_CHANGE, worlds.OF_BIAS[0])
    )
    counts.loc[counts["row_id"].eq(SIGNED_RANK), ["tests", "rejected"]] = [2000, 400]
    page = validity_page.page(validity_judged.judged(counts), 3)
    first = page.index(f"- `{SIGNED_RANK}`")
    assert first < page.index("## What misleads") < page.index("## The tables")
    assert "20.0 ± 0.9 % of 2,000 drawn studies of 8 patients" in page
    assert "**entry_low**" in page and "every number there is invented" in page
    assert "nan" not in page
