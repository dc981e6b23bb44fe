"""How many patients and lesions there are at each step, from the files to every analysis."""

from __future__ import annotations

import pandas as pd

from captem import criterion, eligibility
from captem.reading import Part, with_columns

COLUMNS = ("step", "reason", "n", "n_lesions")


def recorded(parts: list[Part]) -> dict[str, int]:
    """Return how many rows of patients and of lesions the files hold, readable or not."""
    counts = {"patients": 0, "lesions": 0}
    for part in parts:
        if part.cells is not None:
            counts[part.table] += len(part.cells.rows) + len(part.cells.ragged)
    return counts


def count(
    in_files: dict[str, int],
    patients: pd.DataFrame,
    marks: pd.DataFrame,
    threshold: float,
    rule: str,
) -> pd.DataFrame:
    """Count patients and lesions from the rows of the files to each analysis.

    `recorded` = `excluded` + `included`; for each analysis, `included` = the reasons + `analysed`.
    """
    rows: list[tuple[str, str, int, int]] = [
        ("recorded", "", in_files["patients"], in_files["lesions"]),
        (
            "excluded", "row with errors",
            in_files["patients"] - len(patients), in_files["lesions"] - len(marks),
        ),
        ("included", "", len(patients), len(marks)),
    ]  # fmt: skip
    status = criterion.status(
        patients.drop_duplicates("patient_id"),
        with_columns(marks, criterion.SCORES),
        threshold,
        rule,
    )
    asked = patients.assign(
        scored=patients["patient_id"].map(status["scored"]).eq(True),
        captem_cycles=patients.get("captem_cycles"),
    )
    per_patient = marks["patient_id"].value_counts()
    for analysis, needs in eligibility.NEEDS.items():
        reason = eligibility.left_out(asked, analysis)
        for words in [*(words for words, _ in needs), ""]:
            chosen = asked.loc[reason.eq(words), "patient_id"]
            lesion_count = int(chosen.map(per_patient).fillna(0).sum())
            rows.append((analysis, words or "analysed", len(chosen), lesion_count))
    return pd.DataFrame(rows, columns=list(COLUMNS))
