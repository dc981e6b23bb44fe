"""The table of missing values says what the rows and the flow say, and nothing of its own."""

from __future__ import annotations

import pandas as pd
from captem import eligibility, missing_table, rounding
from captem.table_parts import Table
from captem.wording import ANALYSIS_WORDS
from studies import Study, from_text, through_csv


def made(study: Study, flow: pd.DataFrame | None = None) -> Table:
    return missing_table.missing(
        study.statistics, through_csv(study.flow) if flow is None else flow
    )


def line(table: Table, words: str, heading: str) -> tuple[str, ...]:
    """Return the line of that name under a heading that begins so."""
    under = ""
    for row in table.rows:
        if row.heading:
            under = row.cells[0]
        elif row.cells[0] == words and under.startswith(heading):
            return row.cells
    raise AssertionError(f"no line {words!r} under {heading!r}")


def test_the_example_by_value(synthetic: Study) -> None:
    table = made(synthetic)
    assert table.columns == (
        "Variable or analysis", "All patients", "Retrospective", "Prospective",
        "Needed for, or left out",
    )  # fmt: skip
    assert line(table, "MIB1 index, with an upper end", "Patients")[1:4] == (
        "4/60 (7%)", "4/36 (11%)", "0/24 (0%)",
    )  # fmt: skip
    assert line(table, "SUVmax at follow-up", "Lesions")[1:4] == (
        "21/185 (11.4%)", "14/116 (12.1%)", "7/69 (10%)",
    )  # fmt: skip
    assert line(table, "Model: Krenning score at follow-up", "Analyses") == (
        "Model: Krenning score at follow-up", "50/60 (83%)", "", "",
        "no follow-up score: 6; no MIB1 index: 2; MIB1 index without an upper end: 2",
    )  # fmt: skip


def test_missing_values_are_those_of_the_patients(synthetic: Study) -> None:
    """Counted here on their own, from the canonical table."""
    table, patients = made(synthetic), through_csv(synthetic.patients)
    for name, words in (("primary_site", "Primary site"), ("tracer_post", "Tracer at follow-up"),
                        ("spleen_suv_post", "Spleen SUV at follow-up")):  # fmt: skip
        missing = int(patients[name].isna().sum())
        assert line(table, words, "Patients")[1] == rounding.share(missing, len(patients))


def test_every_analysis_is_there_and_adds_up(study: Study) -> None:
    table = made(study)
    assert set(eligibility.NEEDS) == set(ANALYSIS_WORDS)
    for words in ANALYSIS_WORDS.values():
        analysed, left_out = (line(table, words, "Analyses")[at] for at in (1, -1))
        if not len(study.patients):
            assert analysed == left_out == rounding.EMPTY
            continue
        inside, n = (int(part) for part in analysed.split(" ")[0].split("/"))
        out = [int(part.rpartition(": ")[2]) for part in left_out.split("; ") if ": " in part]
        assert inside + sum(out) == n == len(study.patients)
        assert out or left_out == "nobody is left out"


def test_a_masked_count_is_said_to_be(synthetic: Study) -> None:
    flow = through_csv(synthetic.flow)
    few = flow["step"].eq("model.krenning") & flow["reason"].eq("no MIB1 index")
    flow.loc[few | (flow["step"].eq("criterion") & flow["reason"].eq("analysed")), "n"] = pd.NA
    table = made(synthetic, through_csv(flow))
    told = line(table, "Model: Krenning score at follow-up", "Analyses")[-1]
    assert "no MIB1 index: masked" in told
    assert line(table, "SSTR criterion", "Analyses")[1] == "masked"


def test_without_lesions_they_have_no_lines(tmp_path) -> None:
    study = from_text(tmp_path, "patient_id,krenning_pre,krenning_post\nA,1,2\nB,2,\n")
    headings = [row.cells[0] for row in made(study).rows if row.heading]
    assert headings == ["Patients: missing, n/N (%)", "Analyses: analysed, n/N (%)"]
    assert line(made(study), "Krenning score at follow-up", "Patients")[1] == "1/2 (50%)"
    assert line(made(study), "Liver SUV at baseline", "Patients")[1] == "2/2 (100%)"
