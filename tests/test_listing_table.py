"""The listing is patient-level: it says so, and is there only where it is asked for."""

from __future__ import annotations

from captem import listing_table, rounding
from captem.table_formats import html_page, to_csv
from studies import Study, from_text, through_csv

ASKED = {"by": "source", "listing": True}


def test_without_being_asked_for_it_is_not_there(study: Study) -> None:
    assert all(table.name != "listing" for table in study.tables())
    assert study.tables(tables=ASKED)[-1].name == "listing"


def test_it_says_that_it_is_of_patients(study: Study) -> None:
    table = study.tables(tables=ASKED)[-1]
    assert "patient-level" in table.title
    assert listing_table.PATIENT_LEVEL in table.notes
    assert "Patient-level: every line is one person." in html_page(table)


def test_it_lists_every_patient_as_the_tables_have_them(tmp_path) -> None:
    text = (
        "patient_id,age_years,sex,mib1,captem_cycles,krenning_pre,krenning_post,suvmax_pre,suvmax_post\n"
        "007,58,female,7%-8%,6,<=1,III-IV,9.09,11.47\nP,,,>20,,2,,4.5,\n"
    )
    study = from_text(tmp_path, text, tables=ASKED)
    table = study.tables()[-1]
    first, second = (dict(zip(table.columns, row.cells, strict=True)) for row in table.rows)
    assert first == {
        "Patient": "007", "Source": "ward", "Age, years": "58", "Sex": "female",
        "Primary site": rounding.EMPTY, "MIB1, %": "7–8", "CAPTEM cycles": "6",
        "Krenning baseline": "0–1", "Krenning follow-up": "3–4", "SUVmax baseline": "9.09",
        "SUVmax follow-up": "11.47", "Uptake": "rose", "SSTR criterion gained": "yes",
    }  # fmt: skip
    assert second["MIB1, %"] == "≥20" and second["Uptake"] == rounding.EMPTY
    assert "007" in to_csv(table)


def test_patients_keep_their_order(synthetic: Study) -> None:
    table = synthetic.tables(tables=ASKED)[-1]
    codes = through_csv(synthetic.patients)["patient_id"]
    assert [row.cells[0] for row in table.rows] == list(codes)
