"""A patient's scores and SUVmax from the lesions, where the sheet gives none."""

from __future__ import annotations

import pandas as pd

from captem import criterion, lesions, notation
from captem.checks import PAIRS, against_lesions
from captem.problems import WARNING, Problem
from captem.reading import with_columns

SUV = PAIRS[1]


def from_lesions(
    patients: pd.DataFrame, marks: pd.DataFrame, rule: str
) -> tuple[pd.DataFrame, list[Problem], list[dict[str, str]]]:
    """Fill in a patient's scores and SUVmax from the matched lesions where the sheet has none.

    The value given for a patient is kept; where the lesions exclude it, a warning says so.
    SUVmax is derived from lesions that also carry the patient's scores, so that one row never mixes
    the score of one lesion with the SUVmax of another.
    """
    patients = with_columns(patients, [*criterion.SCORES, *SUV])
    marks = with_columns(marks, [*criterion.SCORES, *SUV])
    scored = lesions.matched(marks, criterion.SCORES)
    measured = lesions.matched(marks, SUV)
    both = measured[measured["patient_id"].isin(scored["patient_id"])]
    apart = set(both["patient_id"]) - set(both.loc[both.index.isin(scored.index), "patient_id"])
    fit = measured[
        ~measured["patient_id"].isin(scored["patient_id"]) | measured.index.isin(scored.index)
    ]
    problems = against_lesions(patients, scored, rule)
    problems += [
        Problem(
            WARNING, "different_lesions", row["_file"], row=str(row["_row"]),
            patient_id=row["patient_id"], column="suvmax_pre, suvmax_post",
            allowed="score and SUVmax of the same lesion in one patient's row",
            mend="nothing: the SUVmax of the patient stays empty, the lesion table keeps both; "
            "give score and SUVmax of one lesion where they exist",
        )
        for row in patients[patients["patient_id"].isin(apart)].to_dict("records")
    ]  # fmt: skip
    repairs: list[dict[str, str]] = []
    for shared, names in ((scored, PAIRS[0]), (fit, PAIRS[1])):
        for name in names:
            ends = (f"{name}_low", f"{name}_high") if name not in SUV else (name,)
            basis = shared
            if name.endswith("_pre"):
                basis = pd.concat(
                    [shared, _baseline_only(marks, ends, {*shared["patient_id"], *apart})]
                )
            ranked = lesions.patient_values(basis, ends, rule)
            wanted = patients[ends[0]].isna() & patients["patient_id"].isin(ranked.index)
            for end in ends:
                found = patients.loc[wanted, "patient_id"].map(ranked[end])
                patients.loc[wanted, end] = found.astype(patients[end].dtype)
            repairs += [
                {
                    "file": row["_file"], "sheet": "", "row": str(row["_row"]),
                    "patient_id": row["patient_id"], "column": name, "written": "",
                    "read": notation.written(row[ends[0]], row[ends[-1]]),
                    "rule": f"from_lesions_{rule}",
                }
                for row in patients[wanted].to_dict("records")
            ]  # fmt: skip
    return patients, problems, repairs


def _baseline_only(marks: pd.DataFrame, ends: tuple[str, ...], others: set[str]) -> pd.DataFrame:
    """Return the baseline of patients without a matched lesion, such as those not scanned again.

    They are in no comparison, but who they were at baseline belongs into the description.
    """
    return marks[marks[ends[0]].notna() & ~marks["patient_id"].isin(others)]
