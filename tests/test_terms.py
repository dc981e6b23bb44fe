"""Terms: the columns of a model, and which give way where there are few patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import terms
from captem.planned_models import KRENNING
from captem.terms import Plan
from patsy import cr

N = 40


@pytest.fixture
def patients():
    rng = np.random.default_rng(5)
    mib1 = rng.uniform(1, 40, N)
    return pd.DataFrame(
        {
            "patient_id": [f"P{i}" for i in range(N)],
            "krenning_pre_low": rng.integers(0, 4, N),
            "mib1_low": mib1,
            "mib1_high": mib1,
            "suvmax_pre": rng.uniform(2, 20, N),
            "captem_cycles": rng.integers(2, 12, N),
            "age_years": rng.integers(30, 80, N),
            "sex": rng.choice(["female", "male"], N),
            "primary_site": rng.choice(["Pancreas", "small bowel", "pancreas "], N),
            "ssa_pre": rng.choice(["yes", "no"], N),
            "source": "ward",
        }
    ).assign(
        krenning_pre_high=lambda rows: rows["krenning_pre_low"],
    )


def test_main_terms_are_midpoints_and_logarithms(patients):
    patients.loc[0, ["mib1_low", "mib1_high"]] = [7.0, 9.0]
    patients.loc[1, ["mib1_low", "mib1_high"]] = [0.0, 0.0]
    patients.loc[2, "mib1_high"] = np.inf
    found = terms.main(patients, 0.5)
    assert found.loc[0, "log2_mib1"] == 3
    assert found.loc[1, "log2_mib1"] == -1
    assert np.isnan(found.loc[2, "log2_mib1"])
    assert found["log2_suvmax_pre"].tolist() == np.log2(patients["suvmax_pre"]).tolist()


@pytest.mark.parametrize(
    ("low", "high", "grade"),
    [
        (2.9, 2.9, 1), (3, 3, 2), (20, 20, 2), (20.1, 20.1, 3), (0, 1, 1), (2, 4, 1.5),
        (15, 25, 2.5), (0, 3, 1), (1, 3, 1.5), (20, np.inf, 3), (15, np.inf, None),
        (None, None, None),
    ],
)  # fmt: skip
def test_grade_follows_the_who_limits(low, high, grade):
    found = terms.mib1_grade(pd.DataFrame({"mib1_low": [low], "mib1_high": [high]}))[0]
    assert np.isnan(found) if grade is None else found == grade


def test_a_category_has_a_column_for_each_level_but_the_first(patients):
    columns, units = terms.covariate(patients, "primary_site")
    assert list(columns) == ["primary_site=small bowel"]
    assert units == {"primary_site=small bowel": "against pancreas"}
    patients.loc[3, "primary_site"] = None
    columns, _ = terms.covariate(patients, "primary_site")
    assert columns.loc[3].isna().all()
    columns, units = terms.covariate(patients, "sex")
    assert list(columns) == ["sex=male"]
    assert columns["sex=male"].tolist() == patients["sex"].eq("male").astype(float).tolist()


def test_age_counts_in_decades(patients):
    columns, units = terms.covariate(patients, "age_years")
    assert columns["age_years"].tolist() == (patients["age_years"] / 10).tolist()
    assert units["age_years"] == "per 10 years"


def test_design_holds_main_terms_then_covariates_in_their_order(patients):
    plan = Plan(0.5, ("sex", "age_years"), ("age_years",))
    found = terms.design(KRENNING, patients, plan, effective=40.0)
    assert found.model.terms == (
        "krenning_pre", "log2_mib1", "sex=male", "age_years", "age_years_nonlinear",
    )  # fmt: skip
    assert found.x.shape == (N, 5)
    assert found.dropped == {}
    assert [found.model.unit(term) for term in found.model.terms[2:4]] == [
        "against female",
        "per 10 years",
    ]


def test_terms_give_way_from_the_end_and_splines_first(patients):
    plan = Plan(0.5, ("sex", "age_years"), ("age_years",))
    # 5 effective observations for each coefficient: 20 suffice for 4, not for 5.
    found = terms.design(KRENNING, patients, plan, effective=20.0)
    assert list(found.dropped) == ["age_years_nonlinear"]
    found = terms.design(KRENNING, patients, plan, effective=19.9)
    assert list(found.dropped) == ["age_years_nonlinear", "age_years"]
    assert "4.9 effective observations" in found.dropped["age_years"]
    found = terms.design(KRENNING, patients, plan, effective=1.0)
    assert found.model.terms == KRENNING.terms


def test_covariates_that_say_nothing_are_dropped(patients):
    patients["prior_prrt"] = patients["sex"].map({"female": "no", "male": "yes"})
    found = terms.design(KRENNING, patients, Plan(0.5, ("source", "sex", "prior_prrt")), 40.0)
    assert found.model.terms == (*KRENNING.terms, "sex=male")
    assert found.dropped["source"] == "it is the same in all patients"
    assert found.dropped["prior_prrt"] == "it cannot be told apart from the terms before it"


def test_a_spline_spans_the_natural_cubic_splines_of_patsy():
    values = np.random.default_rng(5).uniform(30, 80, 50)
    first, middle, last = np.quantile(values, [0.1, 0.5, 0.9])
    ours = np.column_stack([np.ones(50), values, terms.bend(values)])
    inside = cr(values, knots=[middle], lower_bound=first, upper_bound=last)
    # Beyond its bounds patsy's basis bends on; compare where both are defined alike.
    within = (values >= first) & (values <= last)
    fitted = ours[within] @ np.linalg.lstsq(ours[within], np.asarray(inside)[within], rcond=None)[0]
    assert fitted == pytest.approx(np.asarray(inside)[within], abs=1e-9)


def test_a_spline_is_straight_beyond_its_knots():
    values = np.concatenate([np.arange(40.0), [60, 70, 80]])
    bent = terms.bend(values)
    assert (bent[:4] == 0).all()
    assert bent[-1] - bent[-2] == pytest.approx(bent[-2] - bent[-3])


def test_too_few_values_make_no_spline(patients):
    assert terms.bend(np.array([1.0, 1, 1, 1, 1, 1, 2])) is None
    patients["krenning_pre_low"] = patients["krenning_pre_high"] = [0] * (N - 2) + [1, 2]
    found = terms.design(KRENNING, patients, Plan(0.5, (), ("krenning_pre",)), 40.0)
    assert found.dropped == {
        "krenning_pre_nonlinear": "it has too few different values for a spline"
    }
