"""Gain against MIB1 shows each patient who has both."""

from __future__ import annotations

import numpy as np
from figure_studies import figure, rows, study


def test_each_point_is_a_patient_with_a_gain_and_an_index():
    found = rows("gain_by_mib1")
    patients, changes = study(60).patients, study(60).changes
    known = patients[patients["mib1_low"].notna()]["patient_id"]
    expected = set(changes.loc[changes["gain_low"].notna(), "patient_id"]) & set(known)
    assert set(found["patient_id"]) == expected
    ax = figure("gain_by_mib1").axes[0]
    points = np.vstack(
        [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets())]
    )
    assert sorted(map(tuple, points)) == sorted(zip(found["mib1"], found["y"], strict=True))
    assert set(found.loc[found["open"].eq("yes"), "mib1_high"]) == {np.inf}
