"""What is described is what the package tableone and a plain count say, on every cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import describe_rows, statistics
from captem.describe import CATEGORIES, MEASURES, midpoint
from studies import Study, from_text, shipped, through_csv
from tableone import TableOne

QUARTILES = {"median": "median", "quartile_1": "q25", "quartile_3": "q75"}


def random_cohort(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return canonical tables of 30 to 120 patients of two sources, much of them missing."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 121))

    def given(values: np.ndarray, lost: float) -> pd.Series:
        return pd.Series(values).mask(pd.Series(rng.random(n) < lost))

    pre, post = rng.integers(0, 5, n).astype(float), rng.integers(0, 5, n).astype(float)
    patients = pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(n)],
            "source": np.where(np.arange(n) % 3 == 0, "a", "b"),
            "age_years": given(rng.normal(60, 10, n).round(), 0.1),
            "mib1_low": (mib1 := given(rng.lognormal(2, 0.5, n).round(1), 0.2)),
            "mib1_high": mib1 + rng.integers(0, 3, n),
            "captem_cycles": given(rng.integers(1, 12, n), 0.1).astype("Int64"),
            "krenning_pre_low": pre,
            "krenning_pre_high": np.minimum(pre + rng.integers(0, 2, n), 4),
            "krenning_post_low": (low := given(post, 0.2)),
            "krenning_post_high": low,
            "suvmax_pre": given(rng.lognormal(1, 1, n), 0.1),
            "suvmax_post": given(rng.lognormal(1, 1, n), 0.3),
            "sex": given(rng.choice(["female", "male"], n).astype(object), 0.05),
            "primary_site": given(rng.choice(["lung", "stomach", "bowel"], n).astype(object), 0.2),
        }
    )
    return patients, pd.DataFrame({"patient_id": [], "lesion_id": [], "source": []}, dtype=object)


def example() -> tuple[pd.DataFrame, pd.DataFrame]:
    study = shipped("config")
    return through_csv(study.patients), through_csv(study.lesions)


@pytest.mark.parametrize("seed", [None, *range(8)])
@pytest.mark.filterwarnings("ignore")
def test_table_1_is_that_of_tableone(seed: int | None) -> None:
    """Medians, quartiles, counts, shares, missing values and differences, by source.

    tableone prints shares of the known values and rounds halves to even; here the numbers behind
    the printed ones are compared.
    """
    patients, lesions = example() if seed is None else random_cohort(seed)
    categories = [name for name in CATEGORIES if name in patients]
    frame = patients[["source", *categories]].assign(
        **{name: midpoint(patients, name) for name in MEASURES}
    )
    theirs = TableOne(
        frame, columns=[*MEASURES, *categories], categorical=categories, continuous=list(MEASURES),
        nonnormal=list(MEASURES), groupby="source", smd=True, include_null=False, overall=False,
    )  # fmt: skip
    rows = describe_rows.estimate(patients, lesions).set_index("row_id")
    groups = patients["source"].unique()
    for name in MEASURES:
        described = theirs.cont_describe.loc[name]
        for group in groups:
            at = f"describe.{name}/characteristics/source_{group}"
            for ours, other in QUARTILES.items():
                found = rows.loc[f"{at}/{ours}", "estimate"]
                assert found == pytest.approx(described[other, group], rel=1e-12)
            missing = rows.loc[f"{at}/missing"]
            assert missing["n_events"] == missing["n_patients"] - described["count", group]
    for name in categories:
        described = theirs.cat_describe.loc[name]
        for group in groups:
            for level, counted in described.iterrows():
                row = rows.loc[f"describe.{name}/characteristics/source_{group}/{level}"]
                assert row["n_events"] == counted["freq", group]
                assert row["n_patients"] == counted["n", group]
                assert 100 * row["estimate"] == pytest.approx(counted["percent", group], rel=1e-12)
            lost = described["Missing", group].dropna().iloc[0]
            at = f"describe.{name}/characteristics/source_{group}/missing"
            assert rows.loc[at, "n_events"] == lost
    (difference,) = theirs.smd_table.columns
    for name in (*MEASURES, *categories):
        found = rows.loc[f"describe.difference/characteristics/sources/{name}", "estimate"]
        assert found == pytest.approx(abs(theirs.smd_table.loc[name, difference]), rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_of_three_directions_the_largest_difference_is_reported() -> None:
    patients, lesions = example()
    rows = describe_rows.estimate(patients, lesions).set_index("row_id")["estimate"]
    groups = describe_rows.by_direction(patients)
    ways = pd.concat({name: group["suvmax_post"] for name, group in groups.items()
                      if name != "direction_undetermined"})  # fmt: skip
    frame = ways.rename("value").rename_axis(["way", None]).reset_index("way")
    theirs = TableOne(frame, columns=["value"], groupby="way", smd=True, overall=False).smd_table
    assert len(theirs.columns) == 3
    at = "describe.difference/characteristics/directions/suvmax_post"
    assert rows[at] == pytest.approx(theirs.abs().to_numpy().max(), rel=1e-9)
    assert sorted(rows[rows.index.str.startswith(f"{at}/")]) == pytest.approx(
        sorted(theirs.abs().to_numpy(dtype=float).ravel()), rel=1e-9
    )


def test_directions_hold_whom_the_transitions_count(study: Study) -> None:
    frame = study.statistics
    for way in ("up", "same", "down", "undetermined"):
        counted = statistics.find(frame, f"transition.proportion/krenning/all/{way}")["n_events"]
        name = f"describe.patients/characteristics/direction_{way}"
        here = frame.loc[frame["row_id"].eq(name), "n_patients"]
        assert here.sum() == (0 if pd.isna(counted) else counted)


def test_lesions_are_counted_as_the_table_has_them(synthetic: Study) -> None:
    lesions, frame = synthetic.lesions, synthetic.statistics.set_index("row_id")
    for state, number in lesions["lesion_status_post"].value_counts().items():
        assert frame.loc[f"describe.lesion_status/lesions/all/{state}", "n_events"] == number
    per_patient = lesions.groupby("patient_id").size()
    at = "describe.lesions_per_patient/lesions/all/median"
    assert frame.loc[at, "estimate"] == per_patient.median()
    assert tuple(frame.loc[at, ["n_patients", "n_lesions"]]) == (len(per_patient), len(lesions))
    there = lesions[~lesions["lesion_status_post"].eq("resolved")]
    at = "describe.lesion_diameter_mm_post/lesions/all"
    assert frame.loc[f"{at}/median", "estimate"] == there["diameter_mm_post"].median()
    assert frame.loc[f"{at}/missing", "n_events"] == there["diameter_mm_post"].isna().sum()
    for way in describe_rows.DIRECTIONS:
        here = frame.loc[f"describe.lesion_direction/lesions/all/{way}"]
        there = frame.loc[f"transition.proportion/lesion_krenning/all/{way}"]
        assert tuple(here[["n_events", "n_lesions"]]) == tuple(there[["n_events", "n_lesions"]])


def test_lesions_of_the_sources_add_up(synthetic: Study) -> None:
    frame = synthetic.statistics
    counted = frame[frame["analysis"].str.startswith("describe.lesion") & frame["n_events"].notna()]
    counts = counted.pivot(index=["analysis", "term"], columns="subset", values="n_events")
    assert len(counts) > 25
    assert (counts["all"] == counts["source_retrospective"] + counts["source_prospective"]).all()


def test_a_column_that_is_not_there_is_missing_in_everybody(tmp_path) -> None:
    text = "patient_id,krenning_pre,krenning_post,scanner_pre\nA,1,2,one\nB,2,2,\n"
    frame = from_text(tmp_path, text).statistics.set_index("row_id")
    for name, missing in (("scanner_pre", 1), ("scanner_post", 2), ("prior_prrt", 2), ("sex", 2),
                          ("krenning_pre_reader2", 2), ("krenning_post", 0)):  # fmt: skip
        row = frame.loc[f"describe.{name}/characteristics/all/missing"]
        assert (row["n_events"], row["n_patients"]) == (missing, 2), name


def test_one_source_and_one_direction_differ_from_nothing() -> None:
    rows = shipped("published_case").statistics
    assert not rows["analysis"].eq("describe.difference").any()
    assert rows["row_id"].is_unique


def test_a_difference_to_a_small_group_is_not_to_be_relied_on(synthetic: Study) -> None:
    row = statistics.find(
        synthetic.statistics, "describe.difference/characteristics/directions/age_years"
    )
    assert row["status"] == "unstable" and "fewer than 10 patients" in row["reason"]
    row = statistics.find(
        synthetic.statistics, "describe.difference/characteristics/directions/primary_site"
    )
    assert "no level in common" in row["reason"]
