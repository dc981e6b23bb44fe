"""How many patients and lesions there are at each step, from the files to every analysis.

Every count is made from `eligibility.csv`, which has a row for each patient that was read and a
true or false for each condition.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from captem import criterion, eligibility, lesion_data
from captem.parts import Part
from captem.reading import with_columns

COLUMNS = ("step", "reason", "n", "n_lesions")
_FOLLOW_UPS = {0: "no follow-up PET", 1: "one follow-up PET"}


def unplaced(parts: list[Part]) -> dict[str, int]:
    """Return how many rows of patients and of lesions do not fit their headings, by table."""
    counts = {"patients": 0, "lesions": 0}
    for part in parts:
        if part.cells is not None:
            counts[part.table] += len(part.cells.ragged)
    return counts


def answered(
    patients: pd.DataFrame,
    marks: pd.DataFrame,
    reasons: pd.Series,
    threshold: float,
    rule: str,
    covariates: Sequence[str] = (),
) -> pd.DataFrame:
    """Return `eligibility.csv`: a row a patient as read, a Boolean column a criterion.

    Parameters
    ----------
    patients : all patients that were read, those left out because of errors included.
    marks : the lesions of the patients that are not left out.
    reasons : why a row is left out, in words, indexed as `patients`; empty where it is not.
    covariates : those of the models.
    """
    included = reasons.eq("")
    status = criterion.status(
        patients[included].drop_duplicates("patient_id"),
        with_columns(marks, criterion.SCORES),
        threshold,
        rule,
    )
    asked = lesion_data.with_counts(patients, marks).assign(
        scored=patients["patient_id"].map(status["scored"]).eq(True),
        captem_cycles=patients.get("captem_cycles"),
        **{
            name: patients["patient_id"].map(status[name])
            for name in ("criterion_pre", "criterion_post")
        },
    )
    table = eligibility.all_answers(asked, covariates)
    table.insert(0, "patient_id", patients["patient_id"])
    table.insert(1, "source", patients["source"])
    table.insert(2, "without_errors", included)
    table.insert(3, "left_out_for", reasons)
    follow_ups = patients["_follow_ups"].fillna(0).astype(int)
    table.insert(4, "follow_up_pet", follow_ups.gt(0))
    table.insert(5, "several_follow_up_pets", follow_ups.gt(1))
    return table


def count(
    table: pd.DataFrame,
    per_patient: pd.Series,
    counts: dict[str, int],
    n_lesions: int,
    follow_up: str,
    covariates: Sequence[str] = (),
) -> pd.DataFrame:
    """Return `flow.csv` from `eligibility.csv`.

    `recorded` = the reasons of `excluded` + `included`; `included` = the reasons of
    `follow_up_pet`, and for each analysis its reasons + `analysed`.

    Parameters
    ----------
    table : `eligibility.csv`.
    per_patient : the number of included lesions of each of its rows.
    counts : `recorded`, the number of lesions in the files, and `patients`, the rows of patients
        that do not fit their headings and have no row in `table`.
    n_lesions : the number of included lesions.
    """
    included = table[table["without_errors"]]
    recorded = len(table) + counts["patients"]
    rows: list[tuple[str, str, int, int]] = [("recorded", "", recorded, counts["recorded"])]
    out = table.loc[~table["without_errors"], "left_out_for"].value_counts(sort=False).to_dict()
    if counts["patients"]:
        out["ragged row"] = out.get("ragged row", 0) + counts["patients"]
    gone = counts["recorded"] - n_lesions
    if not out:
        rows.append(("excluded", "row with errors", 0, gone))
    for place, (words, number) in enumerate(out.items()):
        # Lesions are left out with their patient or by errors of their own: counted once.
        rows.append(("excluded", f"row with errors: {words}", number, 0 if place else gone))
    rows.append(("included", "", len(included), n_lesions))
    per_patient = per_patient[table["without_errors"]]

    def line(step: str, words: str, chosen: pd.Series) -> tuple[str, str, int, int]:
        return step, words, int(chosen.sum()), int(per_patient[chosen].sum())

    followed = included["follow_up_pet"].astype(int) + included["several_follow_up_pets"]
    words = {**_FOLLOW_UPS, 2: f"several follow-up PETs, {_CHOSEN[follow_up]} taken"}
    for number, said in words.items():
        rows.append(line("follow_up_pet", said, followed.eq(number)))
    for analysis in eligibility.NEEDS:
        needs = eligibility.needs(analysis, covariates)
        # Coded, since many patients have one of few reasons.
        reason = eligibility.reasons(included, needs).astype("category")
        for said in [*(item.otherwise for item in needs), ""]:
            rows.append(line(analysis, said or "analysed", reason.eq(said)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


_CHOSEN = {
    "first": "the first",
    "last": "the last",
    "nearest": "the nearest to the end of CAPTEM",
}
