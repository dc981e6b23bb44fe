"""A patient's scores and SUVmax from the lesions, where the sheet gives none."""

from __future__ import annotations

import pandas as pd

from captem import criterion, lesions, notation
from captem.checks import against_lesions, index_lesions
from captem.lesions import NUMBER
from captem.parts import PAIRS
from captem.problems import WARNING, Problem
from captem.reading import with_columns

SUV = PAIRS[1]


def from_lesions(
    patients: pd.DataFrame, marks: pd.DataFrame, rule: str
) -> tuple[pd.DataFrame, list[Problem], pd.DataFrame]:
    """Fill in a patient's scores and SUVmax from the matched lesions where the sheet has none.

    The value given for a patient is kept; where the lesions exclude it, a warning says so.
    Both tables have the numbers of `lesions.numbered`.
    SUVmax is derived from lesions that also carry the patient's scores, so that one row never mixes
    the score of one lesion with the SUVmax of another.
    """
    patients = with_columns(patients, [*criterion.SCORES, *SUV])
    if marks.empty:
        return patients, [], pd.DataFrame()
    marks = with_columns(marks, [*criterion.SCORES, *SUV])
    marks = marks[marks[NUMBER] >= 0]
    scored = lesions.matched(marks, criterion.SCORES)
    measured = lesions.matched(marks, SUV)
    both = measured[measured[NUMBER].isin(scored[NUMBER])]
    apart = set(both[NUMBER]) - set(both.loc[both.index.isin(scored.index), NUMBER])
    fit = measured[~measured[NUMBER].isin(scored[NUMBER]) | measured.index.isin(scored.index)]
    problems = against_lesions(patients, scored, rule) + index_lesions(patients, scored, rule)
    problems += [
        Problem(
            WARNING, "different_lesions", row["_file"], row["_sheet"], str(row["_row"]),
            patient_id=row["patient_id"], column="suvmax_pre, suvmax_post",
            allowed="score and SUVmax of the same lesion in one patient's row",
            mend="nothing: the SUVmax of the patient stays empty, the lesion table keeps both; "
            "give score and SUVmax of one lesion where they exist",
        )
        for row in patients[patients[NUMBER].isin(apart)].to_dict("records")
    ]  # fmt: skip
    repairs: list[pd.DataFrame] = []
    for shared, names in ((scored, PAIRS[0]), (fit, PAIRS[1])):
        halves, warnings = _halves_that_differ(patients, shared, names, rule)
        problems += warnings
        for name in names:
            lacking = patients[_ends(name)[0]].isna()
            if not lacking.any():
                continue
            basis = shared[~shared[NUMBER].isin(halves)]
            if name.endswith("_pre"):
                compared = {*shared[NUMBER], *apart}
                basis = pd.concat([basis, _baseline_only(marks, patients, names, compared)])
            ranked = lesions.patient_values(basis, _ends(name), rule, NUMBER)
            wanted = lacking & patients[NUMBER].isin(ranked.index)
            for end in _ends(name):
                found = patients.loc[wanted, NUMBER].map(ranked[end])
                patients.loc[wanted, end] = found.astype(patients[end].dtype)
            repairs.append(_derived(patients[wanted], name, rule))
    listed = pd.concat(repairs) if repairs else pd.DataFrame()
    return patients, problems, listed


def _derived(patients: pd.DataFrame, name: str, rule: str) -> pd.DataFrame:
    """Return the repairs that say which values came from the lesions."""
    ends = [patients[end].astype(float) for end in (_ends(name)[0], _ends(name)[-1])]
    return pd.DataFrame(
        {
            "file": patients["_file"], "sheet": patients["_sheet"],
            "row": patients["_row"].astype(str), "patient_id": patients["patient_id"],
            "column": name, "written": "",
            "read": _printed(*ends),
            "rule": f"from_lesions_{rule}",
        },
        dtype=object,
    )  # fmt: skip


def _printed(lows: pd.Series, highs: pd.Series) -> list[str]:
    pairs = list(zip(lows, highs, strict=True))
    said = {pair: notation.written(*pair) for pair in dict.fromkeys(pairs)}
    return [said[pair] for pair in pairs]


def _ends(name: str) -> tuple[str, ...]:
    return (name,) if name in SUV else (f"{name}_low", f"{name}_high")


def _halves_that_differ(
    patients: pd.DataFrame, shared: pd.DataFrame, names: tuple[str, str], rule: str
) -> tuple[set[int], list[Problem]]:
    """Return the patients whose one given value does not agree with their lesions.

    The other value is then not taken from the lesions: the pair would compare two things. Values
    agree where they may be the same.
    """
    found: set[int] = set()
    problems = []
    for name, other in (names, names[::-1]):
        low, high = _ends(name)[0], _ends(name)[-1]
        half = patients[low].notna() & patients[_ends(other)[0]].isna()
        if not half.any():
            continue
        ranked = lesions.patient_values(shared, _ends(name), rule, NUMBER)
        own = ranked.reindex(patients[NUMBER]).astype(float).set_axis(patients.index)
        least, most = patients[low].astype(float), patients[high].astype(float)
        apart = (own[low] > most) | (own[high] < least)
        for row in patients[half & apart].to_dict("records"):
            found.add(row[NUMBER])
            problems.append(
                Problem(
                    WARNING, "half_a_pair", row["_file"], row["_sheet"], str(row["_row"]),
                    patient_id=row["patient_id"], column=other,
                    allowed=f"{name} and {other} of the patient, or neither of them",
                    mend=f"nothing: {other} stays empty, since {name} is not what the lesions give "
                    "and the two would not be a pair; give both, or leave both to the lesions",
                )
            )  # fmt: skip
    return found, problems


def _baseline_only(
    marks: pd.DataFrame, patients: pd.DataFrame, names: tuple[str, str], compared: set[int]
) -> pd.DataFrame:
    """Return the baseline of patients without a matched lesion, such as those not scanned again.

    They are in no comparison, but who they were at baseline belongs into the description. A patient
    with a follow-up value of the sheet is left out: the two would be compared.
    """
    before, after = _ends(names[0])[0], _ends(names[1])[0]
    followed = set(patients.loc[patients[after].notna(), NUMBER])
    return marks[marks[before].notna() & ~marks[NUMBER].isin(compared | followed)]
