"""The alternatives: each changes one thing in the patient table, or says why it cannot be had."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import alternatives
from captem.criterion import SCORES

SWEPT = {"lesion_size_mm": [20], "landmark_cycles": [6]}


def table(**columns) -> pd.DataFrame:
    given = {
        "patient_id": ["A", "B", "C", "D"],
        "source": ["x", "x", "y", "y"],
        "krenning_pre_low": [0, 1, 2, 1],
        "krenning_pre_high": [1, 1, 2, 1],
        "krenning_post_low": [2, 1, 3, 0],
        "krenning_post_high": [2, 1, 4, 0],
        "mib1_low": [7.0, 10.0, 20.0, None],
        "mib1_high": [8.0, 10.0, np.inf, None],
        "suvmax_pre": [9.0, 5.0, 4.0, 3.0],
        "suvmax_post": [12.0, 5.0, 8.0, 3.0],
    }
    return pd.DataFrame(given | columns)


def no_lesions() -> pd.DataFrame:
    return pd.DataFrame(columns=["patient_id", "lesion_id", *SCORES])


def found(patients: pd.DataFrame, lesions: pd.DataFrame | None = None) -> dict:
    given = no_lesions() if lesions is None else lesions
    made = alternatives.all_of(patients, given, "most", None, SWEPT)
    return {(item.analysis.removeprefix("sensitivity."), item.variant): item for item in made}


def test_intervals_end_at_either_end_and_open_ones_stay_open():
    made = found(table())
    for end, value in (("low", 7.0), ("high", 8.0)):
        patients = made["mib1_interval", end].patients
        assert patients.loc[0, ["mib1_low", "mib1_high"]].tolist() == [value, value]
        assert np.isinf(patients.loc[2, "mib1_high"])
    assert made["baseline_interval", "low"].patients["krenning_pre_high"].tolist() == [0, 1, 2, 1]
    assert made["baseline_interval", "high"].patients["krenning_pre_low"].tolist() == [1, 1, 2, 1]


def test_what_the_table_does_not_hold_is_refused_in_words():
    made = found(table(mib1_low=[7.0] * 4, mib1_high=[7.0] * 4))
    for name, words in {
        ("mib1_interval", "low"): "no MIB1 index is an interval",
        ("same_scanner", ""): "of no patient the scanner is known at both scans",
        ("without_interval_prrt", ""): "of no patient treatment between the scans is known",
        ("lesion_rule", "highest"): "no lesion has a score at both scans",
        ("lesion_size", "20_mm_at_baseline"): "no size of a lesion is known at baseline",
        ("reader", "reader_2"): "no patient has scores of a second reader at both scans",
        ("landmark", "6_cycles"): "no patient has a number of CAPTEM cycles",
        ("reference_organs", "own_reference"): (
            "no patient has SUVmax of tumour, liver and spleen at both scans"
        ),
    }.items():
        assert made[name].refusal == words


def test_only_a_known_change_leaves_a_patient_out():
    made = found(
        table(
            scanner_pre=["a", "a", None, "b"],
            scanner_post=["A ", "b", "b", "b"],
            interval_therapy=["none", None, "PRRT", "embolisation"],
            ssa_pre=["no", "no", "yes", None],
            ssa_post=["no", "yes", "yes", "yes"],
        )
    )
    kept = {name: list(item.patients["patient_id"]) for (name, _), item in made.items()}
    assert kept["same_scanner"] == ["A", "C", "D"]
    assert kept["without_interval_prrt"] == ["A", "B", "D"]
    assert kept["without_interval_therapy"] == ["A", "B"]
    assert kept["without_ssa_change"] == ["A", "C", "D"]


def lesion_table() -> pd.DataFrame:
    scores = [
        ("A", "1", 0, 3, 30, 25, "yes"),
        ("A", "2", 2, 4, 25, 10, None),
        ("A", "3", 3, 0, 8, 8, None),
        ("B", "1", 1, 2, 10, 9, "yes"),
    ]  # fmt: skip
    return pd.DataFrame(
        [
            {
                "patient_id": patient, "lesion_id": lesion, "krenning_pre_low": pre,
                "krenning_pre_high": pre, "krenning_post_low": post, "krenning_post_high": post,
                "diameter_mm_pre": before, "diameter_mm_post": after, "index_lesion": index,
            }
            for patient, lesion, pre, post, before, after, index in scores
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "variant", "of_a"),
    [
        ("lesion_rule", "highest", (3, 4)),
        ("lesion_rule", "lowest", (0, 0)),
        ("lesion_rule", "index", (0, 3)),
        # Of two lesions that more than half reach: both, so the lower.
        ("lesion_size", "20_mm_at_baseline", (0, 3)),
        ("lesion_size", "20_mm_at_both_scans", (0, 3)),
    ],
)
def test_the_score_of_a_patient_by_other_lesions(name, variant, of_a):
    patients = found(table(), lesion_table())[name, variant].patients.set_index("patient_id")
    assert tuple(patients.loc["A", ["krenning_pre_low", "krenning_post_low"]]) == of_a


def test_a_lesion_rule_is_asked_of_lesions_alone():
    patients = found(table(), lesion_table())["lesion_rule", "highest"].patients
    assert patients["krenning_pre_low"].notna().tolist() == [True, True, False, False]
    others = table().iloc[2:]
    made = found(others, lesion_table())["lesion_rule", "highest"]
    assert made.refusal == "no lesion has a score at both scans"


def test_patients_without_a_large_lesion_are_left_out_and_not_scored_by_the_sheet():
    patients = found(table(), lesion_table())["lesion_size", "20_mm_at_baseline"].patients
    assert patients.set_index("patient_id")["krenning_pre_low"].notna().tolist() == [
        True, False, False, False,
    ]  # fmt: skip


def test_readers_are_compared_in_the_same_patients():
    second = {
        "krenning_pre_reader2_low": [1, None, 2, 3],
        "krenning_pre_reader2_high": [1, None, 2, 3],
        "krenning_post_reader2_low": [4, None, 4, None],
        "krenning_post_reader2_high": [4, None, 4, None],
    }
    made = found(table(**second))
    first, other = made["reader", "reader_1"].patients, made["reader", "reader_2"].patients
    assert list(first["patient_id"]) == list(other["patient_id"]) == ["A", "C"]
    assert first["krenning_post_low"].tolist() == [2, 3]
    assert other["krenning_post_low"].tolist() == [4, 4]


def test_landmark_keeps_who_got_that_far():
    made = found(table(captem_cycles=pd.array([6, 5, None, 9], dtype="Int64")))
    assert list(made["landmark", "6_cycles"].patients["patient_id"]) == ["A", "D"]


def test_each_source_alone():
    made = alternatives.sources(table())
    assert {name: list(item.patients["patient_id"]) for name, item in made.items()} == {
        "source_x": ["A", "B"],
        "source_y": ["C", "D"],
    }
    alone = alternatives.sources(table(source="x"))["source_x"]
    assert alone.refusal == "all patients come from one source"


def test_nothing_given_is_changed():
    patients, lesions = table(), lesion_table()
    before = patients.copy(), lesions.copy()
    found(patients, lesions)
    pd.testing.assert_frame_equal(patients, before[0])
    pd.testing.assert_frame_equal(lesions, before[1])
