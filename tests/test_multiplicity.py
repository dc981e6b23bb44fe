"""Holm's correction against R and against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from captem.multiplicity import holm
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_cases import answer, assert_matches, load
from statsmodels.stats.multitest import multipletests

chances = st.floats(0, 1)


def test_holm_against_r():
    meta, frames = load("U01_multiplicity")
    p = frames["d"]["p"].to_numpy()
    assert_matches(holm(p), answer(meta, "holm"), meta)
    assert_matches(holm(p[::-1]), answer(meta, "holm")[::-1], meta)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.one_of(chances, st.sampled_from([0.01, 0.02])), min_size=1, max_size=12))
def test_holm_against_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.one_of(chances, st.just(float("nan"))), max_size=12))
def test_missing_values_stay_missing_and_do_not_count(p):
    p = np.array(p)
    missing = np.isnan(p)
    assert np.isnan(holm(p)[missing]).all()
    np.testing.assert_array_equal(holm(p)[~missing], holm(p[~missing]))


def test_a_single_question_needs_no_correction():
    assert holm([0.04]).tolist() == [0.04]
    assert holm([]).tolist() == []


@pytest.mark.parametrize("p", [[0.5, 1.2], [-0.1], [[0.1]], 0.5])
def test_malformed_values_are_refused(p):
    with pytest.raises(ValueError, match="P value"):
        holm(p)
