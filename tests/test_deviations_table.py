"""What was done otherwise than planned is said, with why; and that nothing was, too."""

from __future__ import annotations

import pandas as pd
import pytest
from captem import deviations_table, statistics
from captem.config import defaults
from captem.statistics import CONFIRMATORY
from studies import Study, from_text, schema, through_csv

PATIENTS = "patient_id,krenning_pre,krenning_post,mib1,age_years,captem_cycles\n"


def lines(study: Study, frame: pd.DataFrame | None = None, **changed) -> dict[str, list[tuple]]:
    """Return the lines of the table under each heading."""
    table = deviations_table.deviations(
        study.statistics if frame is None else frame, through_csv(study.flow),
        study.settings | changed, defaults(schema()),
    )  # fmt: skip
    found: dict[str, list[tuple]] = {}
    for row in table.rows:
        if row.heading:
            found[row.cells[0]] = under = []
        else:
            under.append(row.cells)
    return found


def test_what_is_planned_is_what_the_rows_say(synthetic: Study) -> None:
    """The list of planned questions is held against the roles of the confirmatory rows."""
    frame = synthetic.statistics
    asked = frame[frame["subset"].eq(CONFIRMATORY) & frame["role"].isin(["primary", "secondary"])]
    roles = asked.groupby("analysis")["role"].first().to_dict()
    assert roles.pop("transition.proportion") == "secondary"  # shares, which are no question
    assert roles == deviations_table.PLANNED


def test_the_example_has_the_deviations_that_its_rows_have(synthetic: Study) -> None:
    found = lines(synthetic)
    nothing = [("none", "", "")]
    assert found["Roles"] == found["Patients"] == found["Terms of models"] == nothing
    assert found["Settings other than the default"] == nothing
    assert found["Planned questions"][:2] == [
        (
            "SSTR criterion: As many gained as lost? (secondary)",
            "shown; to be read as exploratory",
            "only 4 patients gained or lost the criterion: the smallest P possible is 0.0625",
        ),
        (
            "Krenning score at follow-up: MIB1 index (primary)",
            "shown; to be read as exploratory",
            "10.2 effective observations per coefficient, fewer than 15: read as exploratory; at "
            "about 20 patients P was .05 or less in 1.9 % (±0.3 %) of simulated studies in which "
            "there was nothing to find, where 5 % is right (docs/validity.md)",
        ),
    ]
    frame = synthetic.statistics
    planned = frame[
        frame["subset"].eq(CONFIRMATORY) & frame["role"].isin(["primary", "secondary"])
        & frame["status"].ne("ok") & frame["analysis"].ne("transition.proportion")
    ]  # fmt: skip
    # Shares by direction answer no planned question of their own.
    assert len(found["Planned questions"]) == planned["analysis"].nunique()


def test_settings_patients_and_roles_are_told(tmp_path) -> None:
    text = PATIENTS + "A,1,2,5,60,4\nB,9,2,6,61,4\nC,1,3,8,55,5\n"
    study = from_text(
        tmp_path, text, on_problem="exclude_row", criterion={"threshold": 4, "rule": "most"}
    )
    found = lines(study)
    assert found["Roles"][0][1] == "all of them are exploratory"
    (left_out,) = found["Patients"]
    assert left_out[:2] == ("All patients recorded (n = 3)", "left out: 1")
    assert left_out[2].startswith("row with errors")
    told = {line[0]: line[1] for line in found["Settings other than the default"]}
    assert told["criterion.threshold: 3"] == "criterion.threshold: 4"
    assert told["on_problem: stop"] == "on_problem: exclude_row"
    assert not any(name.startswith(("study", "sources")) for name in told)
    primary = found["Planned questions"][0]
    assert primary[0] == "Krenning score: Did uptake change? (size of the change counted) (primary)"


def test_covariates_for_which_there_are_too_few_patients_are_told(tmp_path) -> None:
    rows = "".join(f"P{i},{i % 3},{(i + i // 4) % 5},{4 + i},{50 + i % 9},4\n" for i in range(14))
    study = from_text(tmp_path, PATIENTS + rows, models={"covariates": ["age_years"]})
    terms = lines(study)["Terms of models"]
    planned, done, why = terms[0]
    assert planned.startswith("Krenning score at follow-up, all patients: age years")
    assert done == "the model does without it"
    assert "effective observations" in why and not why.startswith("dropped")


@pytest.mark.parametrize(
    ("status", "reason", "done"),
    [
        ("not_estimable", "log2_mib1 separates the scores", "not estimable, no number is given"),
        ("unstable", "few", "shown; to be read as exploratory"),
        ("not_estimable", "masked: fewer than 5", "masked"),
    ],
)
def test_each_status_has_its_words(synthetic: Study, status: str, reason: str, done: str) -> None:
    frame = synthetic.statistics.copy()
    name = "transition.signed_rank/krenning/confirmatory"
    assert statistics.find(frame, name)["status"] == "ok"
    frame.loc[frame["row_id"].eq(name), ["status", "reason"]] = [status, reason]
    planned, was, why = lines(synthetic, frame)["Planned questions"][0]
    assert planned.endswith("(primary)") and was == done
    assert why == reason.replace("log2_mib1", "MIB1 index")


def test_no_patient_is_no_deviation_of_patients(study: Study) -> None:
    assert lines(study)["Patients"] == [("none", "", "")]
