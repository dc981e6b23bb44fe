"""What headings mean."""

from __future__ import annotations

import pytest
from captem import headings
from captem.headings import SCHEMAS, Meaning, canonical, meaning
from captem.schemas import fields
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in SCHEMAS for name in fields(SCHEMAS[table])]
)
def test_captems_own_names_are_known(table, name):
    found = meaning(name, table)
    assert found is not None
    assert canonical(found, table) == name


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Ki-67", "mib1"), ("Ki67", "mib1"), ("MIB-1", "mib1"), ("MIB1 index", "mib1"),
        ("Ki-67 (%)", "mib1"), ("KI 67 index [%]", "mib1"), ("MIB-1 labelling index", "mib1"),
        ("Patient ID", "patient_id"), ("Pat.-Nr.", "patient_id"), ("Study No.", "patient_id"),
        ("Age", "age_years"), ("Age (years)", "age_years"), ("Alter", "age_years"),
        ("Gender", "sex"), ("Geschlecht", "sex"), ("No. of cycles", "captem_cycles"),
        ("CAPTEM cycles (n)", "captem_cycles"), ("Anzahl Zyklen", "captem_cycles"),
        ("Krenning before", "krenning_pre"), ("Krenning score (after CAPTEM)", "krenning_post"),
        ("Krenning_pre", "krenning_pre"), ("KrenningPost", "krenning_post"),
        ("baseline Krenning score", "krenning_pre"), ("Krenning score, follow-up", "krenning_post"),
        ("Krenning vor CAPTEM", "krenning_pre"), ("Krenning nach CAPTEM", "krenning_post"),
        ("SUVmax pre", "suvmax_pre"), ("SUV max (post)", "suvmax_post"),
        ("SUVmax prior to CAPTEM", "suvmax_pre"), ("Liver SUVmax before", "liver_suv_pre"),
        ("PET date baseline", "pet_date_pre"), ("Date of PET/CT (follow-up)", "pet_date_post"),
        ("Krenning R2 pre", "krenning_pre_reader2"), ("Reader 1 Krenning post", "krenning_post"),
        ("Primary tumour", "primary_site"), ("Start of CAPTEM", "captem_start"),
    ],
)  # fmt: skip
def test_spellings_of_clinics(heading, name):
    found = meaning(heading, "patients")
    assert found is not None
    assert canonical(found, "patients") == name


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Krenning", Meaning("krenning")),
        ("Krenning (pre/post)", Meaning("krenning", "both")),
        ("Krenning FU 2", Meaning("krenning", "post", 2)),
        ("krenning_post_3", Meaning("krenning", "post", 3)),
        ("Longest diameter [cm], baseline", None),
        ("Visit", Meaning("visit")),
        ("Event Name", Meaning("event")),
    ],
)
def test_scans_and_numbers(heading, expected):
    assert meaning(heading, "patients") == expected


def test_units_of_headings():
    assert meaning("Longest diameter [cm], baseline", "lesions") == Meaning(
        "diameter_mm", "pre", 1, "cm"
    )
    assert meaning("Injected activity (mCi) pre", "patients").unit == "mCi"


@pytest.mark.parametrize(
    "heading",
    ["", "Comment", "before", "after", "Follow-up", "baseline", "Dose", "Liver", "Status", "Name",
     "Krenning 1", "Tumour marker", "post-injection time", "PET 1", "Temozolomide dose"],
)  # fmt: skip
def test_headings_that_say_too_little_are_not_guessed(heading):
    found = meaning(heading, "patients")
    assert found is None or not canonical(found, "patients")


def test_each_wording_belongs_to_one_column():
    for table, synonyms in headings.SYNONYMS.items():
        for name, wordings in synonyms.items():
            for wording in wordings:
                found = meaning(wording, table)
                assert found is not None, wording
                assert found.name == name, wording


@given(st.text(max_size=30))
def test_any_heading_has_one_meaning_or_none(heading):
    for table in SCHEMAS:
        found = meaning(heading, table)
        assert found is None or isinstance(found, Meaning)


@pytest.mark.parametrize(
    ("heading", "number"),
    [("Krenning follow-up (0-4)", 1), ("Krenning post²", 1), ("Krenning post*", 1),
     ("Krenning FU 2 (0-4)", 2)],
)  # fmt: skip
def test_a_scale_or_a_footnote_is_no_number_of_a_follow_up(heading, number):
    assert meaning(heading, "patients") == Meaning("krenning", "post", number)
