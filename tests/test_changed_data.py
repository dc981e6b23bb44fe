"""Cells that are written otherwise are told from cells that say something else."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from captem import changed_data

REPAIRS = "file,sheet,row,patient_id,column,written,read,rule\n"
SOURCES = "source,table,file\nward,patients,p.csv\nward,lesions,l.csv\n"


def cut(patients: str, lesions: str = "patient_id,lesion_id\n", repairs: str = "") -> dict:
    tables = {
        "patients": patients, "lesions": lesions, "repairs": REPAIRS + repairs, "sources": SOURCES,
        "eligibility": "patient_id,source,without_errors,left_out_for\n",
    }  # fmt: skip
    return {name: changed_data.read_texts(io.StringIO(text)) for name, text in tables.items()}


def found(old: dict, new: dict) -> list[tuple]:
    rows = changed_data.compare(old, new)
    return [tuple(row) for row in rows[["table", "change", "column", "old", "new"]].to_numpy()]


def test_a_cut_against_itself_is_the_same():
    one = cut("patient_id,mib1_low,mib1_high\nA,7,8\n", repairs="p.csv,,2,A,mib1,7%-8%,7-8,x\n")
    assert changed_data.compare(one, one).empty


@pytest.mark.parametrize("text", ["Ileum", "ILEUM", " ileum", "Ile um"])
def test_case_and_space_are_typing(text):
    assert changed_data.class_of("primary_site", "ileum", text) == changed_data.TYPING


@pytest.mark.parametrize(("old", "new"), [("SSTR+", "SSTR-"), ("1-2", "12"), ("1.5", "15")])
def test_a_sign_or_a_point_is_no_typing(old, new):
    assert changed_data.class_of("note", old, new) == changed_data.OTHER


def test_a_score_changes_only_where_one_was_given():
    assert changed_data.class_of("suvmax_pre", "", "9.1") == changed_data.OTHER
    assert changed_data.class_of("suvmax_pre", "9.1", "") == changed_data.SCORE
    assert changed_data.class_of("suvmax_post", "", "9.1") == changed_data.FOLLOW_UP
    assert changed_data.class_of("suvmax_post", "9.1", "9.10") == changed_data.TYPING


LESIONS = "patient_id,lesion_id,krenning_pre_low,krenning_pre_high\nA,L1,3,3\nA,L2,2,2\n"


def test_a_repair_of_a_lesion_is_one_of_the_lesions():
    old = cut("patient_id\nA\n", LESIONS, "l.csv,,2,A,krenning_pre,III,3,roman\n"
              "l.csv,,3,A,krenning_pre,II,2,roman\n")  # fmt: skip
    new = cut("patient_id\nA\n", LESIONS, "l.csv,,2,A,krenning_pre,iii,3,roman\n"
              "l.csv,,3,A,krenning_pre,II,2,roman\n")  # fmt: skip
    assert found(old, new) == [("lesions", "typing repair", "krenning_pre", "III", "iii")]


def test_a_lesion_that_came_hides_no_edit_as_typing():
    """The new lesion's score is written in Roman numerals: nothing of the first was typed anew."""
    old = cut("patient_id\nA\n", LESIONS.replace("A,L2,2,2\n", ""))
    new = cut("patient_id\nA\n", LESIONS, "l.csv,,3,A,krenning_pre,II,2,roman\n")
    assert found(old, new) == [("lesions", "added", "", "", "")]


def test_what_is_filled_in_from_lesions_was_not_typed():
    old = cut("patient_id,krenning_pre\nA,2\n", repairs="p.csv,,2,A,krenning_pre,,2,from_lesions\n")
    new = cut("patient_id,krenning_pre\nA,2\n")
    assert found(old, new) == []


def test_a_column_that_one_cut_lacks_is_compared_as_empty():
    old, new = cut("patient_id\nA\n"), cut("patient_id,ecog\nA,1\n")
    assert found(old, new) == [("patients", "other edit", "ecog", "", "1")]


def test_the_order_is_the_same_whatever_the_order_of_rows():
    old = cut("patient_id,age_years\nA,60\nB,61\nC,62\n")
    new = cut("patient_id,age_years\nD,60\nC,63\nB,64\n")
    shuffled = new | {"patients": new["patients"].iloc[::-1].reset_index(drop=True)}
    pd.testing.assert_frame_equal(
        changed_data.compare(old, new), changed_data.compare(old, shuffled)
    )
