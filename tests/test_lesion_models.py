"""Lesion models as rows: R's numbers, what is refused, and who counts for what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import (
    cohort,
    eligibility,
    lesion_data,
    lesion_krenning_model,
    lesion_suvmax_model,
    limits,
    mixed_linear,
    mixed_ordinal,
    ordinal,
    terms,
)
from captem.model_parts import Model
from reference_cases import answer, load
from scipy.stats import t as student
from studies import ROOT, through_csv

TERMS = ("krenning_pre", "log2_mib1", "captem_cycles")


def krenning(low, high, x, patients):
    """Fit the ordinal model to arrays; the columns of `x` get the names of TERMS in turn."""
    x = np.asarray(x, dtype=float)
    chosen = pd.DataFrame(
        {"patient_id": patients, "krenning_post_low": low, "krenning_post_high": high}
    )
    model = Model("model.lesion_krenning", "lesion_krenning", TERMS[: x.shape[1]], "secondary")
    found = lesion_krenning_model.fit(model, "all", "secondary", chosen, x)
    return by_name(found), found.record


def suvmax(log2_post, x, patients):
    """Fit the linear model to arrays, as `krenning` does."""
    x = np.asarray(x, dtype=float)
    post = 2.0 ** np.asarray(log2_post)
    chosen = pd.DataFrame({"patient_id": patients, "suvmax_post": post})
    names = ("log2_suvmax_pre", *TERMS[1:])[: x.shape[1]]
    model = Model("model.lesion_suvmax", "lesion_suvmax", names, "secondary")
    found = lesion_suvmax_model.fit(model, "all", "secondary", chosen, x)
    return by_name(found), found.record


def by_name(found):
    """The rows by term, or term/gee."""
    return {row["row_id"].split("/all/")[1]: row for row in found.rows}


def simulated(seed, patients=30, sizes=(1, 5), sd=1.0):
    """Scores 0 to 4 and log2 SUVmax of lesions that share an effect, with two terms."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), rng.integers(sizes[0], sizes[1] + 1, patients))
    x = np.column_stack([rng.integers(0, 4, len(groups)), rng.normal(4, 1.2, patients)[groups]])
    eta = x @ [1.0, 0.5] + sd * rng.normal(size=patients)[groups]
    score = np.digitize(eta + rng.logistic(size=len(groups)), [1.5, 3, 4.5, 6])
    labels = np.array([f"P{i:02d}" for i in groups])
    return score, eta / 2 + rng.normal(size=len(groups)), x.astype(float), labels


def cbpp():
    meta, frames = load("M03_cbpp_gee")
    d = frames["d"]
    x = np.column_stack([d["period"] == period for period in (2, 3, 4)])
    return meta, d["y"].to_numpy(), x, d["herd"].astype(str).to_numpy()


# Against R


def test_wine_is_that_of_r():
    """The estimates by ten nodes and the tests; nine judges are too few for the equations."""
    meta, frames = load("M01_wine_clmm")
    d = frames["d"]
    x = np.column_stack([d["temp"] == "warm", d["contact"] == "yes"])
    score = d["rating"].to_numpy() - 1
    rows, record = krenning(score, score, x, d["judge"].astype(str))
    expected, errors = answer(meta, "agq10_coef"), answer(meta, "agq10_se")
    tests = answer(meta, "lr_drop1")
    for term, name, drop in (
        ("krenning_pre", "tempwarm", "temp"),
        ("log2_mib1", "contactyes", "contact"),
    ):
        row = rows[term]
        assert np.log(row["estimate"]) == pytest.approx(expected[name], rel=2e-4)
        # R has the test by Laplace's approximation only.
        assert row["statistic"] == pytest.approx(tests.loc[drop, "LRT"], rel=2e-3)
        assert row["p_method"] == "cumulative link mixed, likelihood ratio"
        assert row["interval_method"] == "cumulative link mixed, profile likelihood"
        assert (row["n_patients"], row["n_lesions"], row["df"]) == (9, 72, 1)
        wald = np.log(row["estimate"]) + np.array([-1.96, 1.96]) * errors[name]
        np.testing.assert_allclose(np.log([row["conf_low"], row["conf_high"]]), wald, atol=0.4)
        assert rows[f"{term}/gee"]["status"] == "not_estimable"
        assert "9 patients" in rows[f"{term}/gee"]["reason"]
    assert list(record["thresholds"]) == ["0|1", "1|2", "2|3", "3|4"]
    found = list(record["thresholds"].values())
    np.testing.assert_allclose(found, expected.iloc[:4], rtol=2e-4)
    effect = record["random_effect"]
    assert effect["sd"] == pytest.approx(answer(meta, "agq10_re_sd"), rel=2e-4)
    assert effect["p_value"] == pytest.approx(answer(meta, "lr_random")["p_half"], rel=0.05)
    assert record["lesions_per_patient"]["median"] == 8
    assert record["covariance"]["names"][-1] == "log_sigma"
    assert np.shape(record["covariance"]["values"]) == (7, 7)


def test_sleepstudy_is_that_of_r():
    meta, frames = load("M02_sleepstudy")
    d = frames["d"]
    rows, record = suvmax(d["Reaction"], d[["Days"]], d["Subject"].astype(str))
    row, expected = rows["log2_suvmax_pre"], answer(meta, "kenward_roger").loc["Days"]
    assert np.log2(row["estimate"]) == pytest.approx(expected["Estimate"], rel=1e-5)
    assert row["statistic"] == pytest.approx(expected["t value"], rel=1e-5)
    assert row["df"] == pytest.approx(expected["df"], rel=1e-5)
    assert row["p_value"] == pytest.approx(expected["Pr(>|t|)"], rel=1e-4)
    half = student.ppf(0.975, expected["df"]) * expected["Std. Error"]
    bounds = np.log2([row["conf_low"], row["conf_high"]])
    np.testing.assert_allclose(bounds, expected["Estimate"] + np.array([-half, half]), rtol=1e-5)
    assert (row["status"], row["interval_method"]) == ("ok", "Kenward-Roger, t")
    assert (row["n_patients"], row["n_lesions"], row["estimand"]) == (18, 180, "ratio")
    effect = record["random_effect"]
    sd = np.sqrt([effect["variance"], effect["residual_variance"]])
    np.testing.assert_allclose(sd, answer(meta, "vc"), rtol=1e-5)
    assert effect["icc"] == pytest.approx(answer(meta, "icc"), rel=1e-5)
    assert record["coefficients"]["intercept"] == pytest.approx(answer(meta, "fixef").iloc[0])
    # Balanced: the exchangeable equations have the same solution.
    gee = rows["log2_suvmax_pre/gee"]
    assert gee["estimate"] == pytest.approx(row["estimate"], rel=1e-8)
    assert gee["role"] == "descriptive" and record["gee"]["working"] == "exchangeable"


def test_two_scores_are_the_logistic_equations_of_r():
    """With one cut the stack is the data: coefficients, CR2, degrees of freedom and P."""
    meta, y, x, herd = cbpp()
    rows, record = krenning(y, y, x, herd)
    expected, laplace = answer(meta, "clubsandwich_CR2"), answer(meta, "glmer_laplace_fixef")
    for term, name in zip(TERMS, ("period2", "period3", "period4"), strict=True):
        gee, row = rows[f"{term}/gee"], expected.loc[name]
        assert np.log(gee["estimate"]) == pytest.approx(row["beta"], rel=1e-4)
        assert gee["statistic"] == pytest.approx(row["tstat"], rel=1e-4)
        assert gee["df"] == pytest.approx(row["df_Satt"], rel=1e-4)
        assert gee["p_value"] == pytest.approx(row["p_Satt"], rel=1e-3)
        half = student.ppf(0.975, row["df_Satt"]) * row["SE"]
        bounds = np.log([gee["conf_low"], gee["conf_high"]])
        np.testing.assert_allclose(bounds, row["beta"] + np.array([-half, half]), rtol=1e-4)
        assert gee["status"] == "ok"
        assert np.log(rows[term]["estimate"]) == pytest.approx(laplace[name], abs=0.02)
    intercept = answer(meta, "indep_coef")["(Intercept)"]
    assert record["gee"]["coefficients"]["0|1"] == pytest.approx(-intercept, rel=1e-4)
    assert record["random_effect"]["sd"] == pytest.approx(answer(meta, "glmer_sd"), rel=0.02)
    assert record["gee"]["covariance"]["names"] == ["0|1", *TERMS]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_stack_is_solved_as_statsmodels_solves_it(seed):
    """Written out cut by cut, interval scores among them; near the model without patients."""
    from statsmodels.genmod.cov_struct import Independence
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_estimating_equations import GEE

    score, _, x, patients = simulated(seed, patients=20)
    high = np.where(np.arange(len(score)) % 7 == 0, np.minimum(score + 1, 4), score)
    outcomes, designs, clusters = [], [], []
    for cut in range(4):
        for i in range(len(score)):
            if high[i] <= cut or score[i] > cut:
                outcomes.append(score[i] > cut)
                designs.append([*(cut == k for k in range(4)), *x[i]])
                clusters.append(patients[i])
    given = np.array(designs, float)
    gee = GEE(
        np.array(outcomes, float), given, clusters, family=Binomial(), cov_struct=Independence()
    )
    expected = gee.fit()
    rows, record = krenning(score, high, x, patients)
    found = [*record["gee"]["coefficients"].values()]
    np.testing.assert_allclose(found[:4], -expected.params[:4], rtol=1e-6)
    np.testing.assert_allclose(found[4:], expected.params[4:], rtol=1e-6)
    assert record["interval_outcomes"] == int((score != high).sum()) > 0
    plain = ordinal.fit(score, high, x)
    errors = plain.standard_errors[-2:]
    assert (np.abs(np.array(found[4:]) - plain.beta) < 0.7 * errors).all()
    # Conditional on the patient an odds ratio lies further from 1 than over patients.
    inside = np.log([rows[term]["estimate"] for term in TERMS[:2]])
    assert (inside > found[4:]).all()


def test_scores_that_are_never_seen_have_no_cut():
    score = np.array([0, 0, 1, 1, 3, 3, 4, 4])
    wide = np.array([0, 0, 1, 3, 3, 3, 4, 4])
    labels, y, design, position = lesion_krenning_model.stacked(score, wide, np.empty((8, 0)))
    assert labels == ("0|1", "1|3", "3|4")
    assert design.shape == (23, 2)
    assert y.sum() == 6 + 4 + 2
    # The interval 1 to 3 leaves the cut between them open.
    assert np.sum(position == 3) == 2


# What is refused, and what is unstable


def refusals():
    rng = np.random.default_rng(3)
    score, suv, x, patients = simulated(1)
    few = np.isin(patients, [f"P{i:02d}" for i in range(8)])
    first = np.unique(patients, return_index=True)[1]
    constant = np.column_stack([x[:, 0], np.full(len(x), 3.0)])
    alone = np.full(20, "A")
    return {
        "nobody": ([], [], np.empty((0, 2)), [], "no patient has"),
        "one patient": (rng.integers(0, 5, 20), x[:20, 0], x[:20], alone, "only one patient has"),
        "one lesion each": (score[first], suv[first], x[first], patients[first], "one lesion"),
        "few patients": (score[few], suv[few], x[few], patients[few], "effective observations"),
        "constant": (score, suv, constant, patients, "log2_mib1 cannot be told apart"),
    }


@pytest.mark.parametrize("name", list(refusals()))
def test_refusals_are_rows_of_both_methods(name):
    score, suv, x, patients, words = refusals()[name]
    for rows, record in (
        krenning(np.array(score, int), np.array(score, int), x, patients),
        suvmax(suv, x, patients),
    ):
        assert len(rows) == 4
        for term, row in rows.items():
            assert row["status"] == "not_estimable" and words in row["reason"], row["reason"]
            assert "estimate" not in row
            assert row["n_lesions"] == len(score)
            assert row["n_patients"] == len(set(patients))
            assert row["role"] == (
                "descriptive" if "_pre" in term else "sensitivity" if "gee" in term else "secondary"
            )
        assert record["status"] == record["gee"]["status"] == "not_estimable"


def test_no_difference_in_the_scores():
    score, _, x, patients = simulated(1)
    rows, _ = krenning(np.full_like(score, 2), np.full_like(score, 3), x, patients)
    assert "may be the same" in rows["log2_mib1"]["reason"]
    rows, _ = krenning([2], [2], x[:1], ["A"])
    assert "only one patient has" in rows["log2_mib1"]["reason"]


def test_separation_has_a_bound_on_one_side_only():
    """A score above 2 where MIB1 is high and nowhere else: MIB1 is bounded, baseline unknown."""
    _, _, x, patients = simulated(4, patients=24, sizes=(1, 3))
    high = x[:, 1] > np.median(x[:, 1])
    score = np.where(high, 3, 1)
    rows, record = krenning(score, score, x, patients)
    row = rows["log2_mib1"]
    assert (row["estimate"], row["conf_high"]) == (np.inf, np.inf)
    assert 1 < row["conf_low"] < np.inf and row["p_value"] < 0.05
    assert row["status"] == "unstable"
    assert row["reason"].startswith("log2_mib1 separates the follow-up scores")
    for name in ("krenning_pre", "krenning_pre/gee", "log2_mib1/gee"):
        assert rows[name]["status"] == "not_estimable"
        assert "log2_mib1 separates" in rows[name]["reason"]
    assert "coefficients" not in record and record["flags"]["separation"]
    mirrored, _ = krenning(4 - score, 4 - score, x, patients)
    assert (mirrored["log2_mib1"]["estimate"], mirrored["log2_mib1"]["conf_low"]) == (0, 0)
    assert mirrored["log2_mib1"]["conf_high"] == pytest.approx(1 / row["conf_low"], rel=1e-4)


def test_patients_who_explain_everything_leave_no_odds_ratio():
    """All lesions of a patient have one score, which no term predicts."""
    _, _, x, patients = simulated(5, sizes=(4, 5))
    own = np.random.default_rng(0).permutation(np.repeat([0, 2, 4], 10))
    score = own[[int(patient[1:]) for patient in patients]]
    rows, _ = krenning(score, score, x, patients)
    for term in ("krenning_pre", "log2_mib1"):
        assert rows[term]["status"] == "not_estimable"
        assert "no upper end" in rows[term]["reason"]
        assert rows[f"{term}/gee"]["status"] in ("ok", "unstable")


def test_no_variation_between_patients_is_said_and_unstable():
    """Every patient has the same lesions: the variance is 0, and the test of it gives 1."""
    rng = np.random.default_rng(2)
    patients = np.repeat([f"P{i:02d}" for i in range(40)], 4)
    mib1 = np.repeat(rng.normal(4, 1.5, 40), 4)
    score, shift = np.tile([0, 1, 2, 3], 40), np.tile([-1.0, 0.5, 1.0, -0.5], 40)
    x = np.column_stack([rng.integers(0, 4, 160), mib1])
    for rows, record in (
        krenning(score, score, x, patients),
        suvmax(shift, x, patients),
    ):
        for row in rows.values():
            assert np.isfinite([row["estimate"], row["conf_low"], row["conf_high"]]).all()
        row = rows["log2_mib1"]
        assert row["status"] == "unstable" and "estimated as 0" in row["reason"]
        assert record["flags"]["boundary"] and record["status"] == "unstable"
        assert record["random_effect"]["variance"] == 0
        assert record["random_effect"]["p_value"] == 1
        assert rows["log2_mib1/gee"]["status"] == "ok"
        assert np.isfinite(record["covariance"]["values"]).all()
    assert record["random_effect"]["icc"] == 0
    # Nothing of Kenward and Roger is left at the boundary, so their name does not stand there.
    assert row["interval_method"] == row["p_method"] == "least squares, t"


def test_few_patients_with_several_lesions_are_said():
    score, suv, x, patients = simulated(6, patients=20, sizes=(3, 3))
    single = np.concatenate([np.arange(6), np.arange(6, len(score), 3)])
    rows, _ = krenning(score[single], score[single], x[single], patients[single])
    assert "only 2 patients have several lesions" in rows["log2_mib1"]["reason"]
    assert rows["log2_mib1"]["status"] in ("unstable", "not_estimable")
    rows, record = suvmax(suv[single], x[single], patients[single])
    assert rows["log2_mib1"]["status"] == "unstable"
    assert "only 2 patients have several lesions" in rows["log2_mib1"]["reason"]
    assert record["lesions_per_patient"]["patients_with_several"] == 2


def test_patients_count_for_their_own_terms_and_lesions_for_theirs():
    """22 patients, 100 lesions: 11 patients for each of two terms, but 50 lesions."""
    score, suv, x, patients = simulated(7, patients=22, sizes=(4, 5))
    for rows, record in (krenning(score, score, x, patients), suvmax(suv, x, patients)):
        for variant in ("", "/gee"):
            assert rows[f"log2_mib1{variant}"]["status"] == "unstable"
            assert rows[f"log2_mib1{variant}"]["reason"].startswith("11.0 effective observations")
        assert next(iter(rows.values()))["status"] == "ok"
        assert record["effective_n"]["log2_mib1"] == 22
        assert min(record["effective_n"].values()) == 22
        assert max(record["effective_n"].values()) > 60
        assert record["status"] == "unstable"


def test_one_patient_alone_gives_the_equations_no_standard_error():
    score, suv, x, patients = simulated(8, patients=20, sizes=(3, 3))
    only = x.copy()
    only[:, 1] = patients == "P05"
    score[patients == "P05"] = [1, 2, 3]
    for rows, _ in (krenning(score, score, only, patients), suvmax(suv, only, patients)):
        for term, row in rows.items():
            if term.endswith("gee"):
                assert row["status"] == "not_estimable"
                assert "one patient alone decides the coefficient of log2_mib1" in row["reason"]


def test_few_degrees_of_freedom_make_the_equations_unstable():
    """The MIB1 of two patients differs from that of all others."""
    score, suv, x, patients = simulated(9, patients=20, sizes=(3, 3))
    two = x.copy()
    two[:, 1] = np.isin(patients, ["P05", "P06"])
    for rows, _ in (krenning(score, score, two, patients), suvmax(suv, two, patients)):
        row = rows["log2_mib1/gee"]
        assert row["df"] < limits.MIN_DEGREES and row["status"] == "unstable"
        assert "degrees of freedom, as few patients carry" in row["reason"]
    assert limits.few_degrees(4.0) == "" and limits.few_degrees(3.99)


def test_a_copied_column_is_refused():
    _, _, x, patients = simulated(10)
    rows, _ = suvmax(x[:, 0], x, patients)
    for row in rows.values():
        assert row["status"] == "not_estimable" and "was a column copied" in row["reason"]


def test_a_negative_correlation_of_lesions_falls_back_to_independence():
    """Within each pair one lesion rises as the other falls: no exchangeable correlation is left."""
    rng = np.random.default_rng(1)
    patients = np.repeat([f"P{i}" for i in range(40)], 2)
    x = np.column_stack([rng.normal(size=80), np.repeat(rng.normal(4, 1.5, 40), 2)])
    swing = np.repeat(rng.choice([-1.0, 1.0], 40), 2) * np.tile([1.0, -1.0], 40)
    rows, record = suvmax(swing + 0.05 * rng.normal(size=80), x, patients)
    assert record["gee"]["working"] == "independence"
    assert "independence, as an exchangeable one" in record["gee"]["method"]
    assert rows["log2_mib1/gee"]["status"] == "ok"
    assert rows["log2_mib1"]["interval_method"] == "least squares, t"


# Symmetries


NUMBERS = ["estimate", "conf_low", "conf_high", "statistic", "p_value"]


def numbers(rows):
    return np.array([[row[name] for name in NUMBERS] for row in rows.values()])


def test_order_of_lesions_and_names_of_patients_do_not_matter():
    score, suv, x, patients = simulated(11, patients=18, sizes=(1, 3))
    order = np.random.default_rng(0).permutation(len(score))
    renamed = np.array([f"Q{99 - int(patient[1:])}" for patient in patients])[order]
    a, _ = krenning(score, score, x, patients)
    b, _ = krenning(score[order], score[order], x[order], renamed)
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-6)
    a, _ = suvmax(suv, x, patients)
    b, _ = suvmax(suv[order], x[order], renamed)
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-8)


def test_a_predictor_in_other_units():
    """Per half a unit the ratio is the root; statistics and P stay."""
    score, suv, x, patients = simulated(12, patients=18, sizes=(1, 3))
    doubled = x * [1.0, 2.0]
    fits = (
        (krenning(score, score, x, patients), krenning(score, score, doubled, patients)),
        (suvmax(suv, x, patients), suvmax(suv, doubled, patients)),
    )
    for (a, _), (b, _) in fits:
        for name in a:
            before, after = numbers({name: a[name]})[0], numbers({name: b[name]})[0]
            before[:3] **= 0.5 if name.startswith("log2_mib1") else 1.0
            np.testing.assert_allclose(after, before, rtol=1e-5)


def test_reversing_the_scale_inverts_the_odds_ratio():
    score, _, x, patients = simulated(13, patients=18, sizes=(1, 3))
    a, _ = krenning(score, score, x, patients)
    b, _ = krenning(4 - score, 4 - score, x, patients)
    for name in a:
        assert b[name]["estimate"] == pytest.approx(1 / a[name]["estimate"], rel=1e-6)
        assert b[name]["conf_low"] == pytest.approx(1 / a[name]["conf_high"], rel=1e-5)
        assert b[name]["p_value"] == pytest.approx(a[name]["p_value"], rel=1e-5)


def test_rows_are_those_of_the_engines():
    score, suv, x, patients = simulated(14, patients=18, sizes=(1, 3))
    rows, _ = krenning(score, score, x, patients)
    fit = mixed_ordinal.fit(score, score, x, patients)
    bounds = np.log([rows["log2_mib1"]["conf_low"], rows["log2_mib1"]["conf_high"]])
    np.testing.assert_allclose(bounds, mixed_ordinal.profile_interval(fit, 1), rtol=1e-6)
    assert rows["log2_mib1"]["p_value"] == mixed_ordinal.likelihood_ratio(fit, 1)[1]
    rows, _ = suvmax(suv, x, patients)
    fit = mixed_linear.fit(suv, x, patients)
    assert rows["log2_mib1"]["p_value"] == pytest.approx(mixed_linear.t_test(fit, 2)[2], rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_random_cohorts_never_give_an_infinite_ok(seed):
    rng = np.random.default_rng(100 + seed)
    patients = int(rng.integers(10, 14))
    score, suv, x, labels = simulated(seed, patients, (1, 1 + seed % 4), sd=(0, 1, 3)[seed % 3])
    score = np.minimum(score, 1 + seed % 4)
    high = np.minimum(score + (rng.random(len(score)) < 0.15), 4)
    for rows, record in (krenning(score, high, x, labels), suvmax(suv, x, labels)):
        for row in rows.values():
            if row["status"] == "ok":
                assert np.isfinite([row[name] for name in NUMBERS]).all()
            else:
                assert row["reason"]
            if row["status"] == "not_estimable":
                assert "estimate" not in row
            else:
                assert not np.isnan([row[name] for name in NUMBERS]).any()
                assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
        assert record["status"] in ("ok", "unstable", "not_estimable")


# From tables to rows of lesions


PATIENTS = """patient_id,krenning_pre,krenning_post,suvmax_pre,suvmax_post,mib1,captem_cycles
A,4,4,90,91,7-9,6
B,,,,,>20,4
C,,,,,,5
D,,,,,0,
E,1,2,3,4,8,4
"""
SCANS = "krenning_pre,krenning_post,suvmax_pre,suvmax_post,lesion_status_post"
LESIONS = f"""patient_id,lesion_id,{SCANS}
A,L1,1,2,4,8,present
A,L2,2-3,3-4,8,,present
A,L3,2,,5,,resolved
A,L4,1,0-4,16,32,
B,L1,1,1,4,8,present
C,L1,1,1,4,8,present
D,L1,0,0-4,4,8,present
D,L2,2,2,4,8,present
"""


def read(folder, patients, lesions=None):
    """Take a study in, given as the text of its tables."""
    (folder / "patients.csv").write_text(patients, encoding="utf-8")
    source = {"name": "ward", "patients": str(folder / "patients.csv")}
    if lesions is not None:
        (folder / "lesions.csv").write_text(lesions, encoding="utf-8")
        source["lesions"] = str(folder / "lesions.csv")
    return cohort.ingest([cohort.Source(**source)])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read(tmp_path_factory.mktemp("lesions"), PATIENTS, LESIONS)


def rows_of(study, analysis):
    """The lesions of an analysis, from the tables as they pass from rule to rule."""
    patients, lesions = through_csv(study.patients), through_csv(study.lesions)
    chosen = eligibility.analysed(lesion_data.with_counts(patients, lesions), analysis)
    return lesion_data.rows(chosen, lesions, outcome_of(analysis))


def outcome_of(analysis):
    return analysis.removeprefix("model.").removesuffix("_cycles")


def test_a_lesion_has_its_own_values_and_the_terms_of_its_patient(study):
    found = rows_of(study, "model.lesion_krenning")
    assert [*zip(found["patient_id"], found["lesion_id"], strict=True)] == [
        ("A", "L1"),
        ("A", "L2"),
        ("D", "L2"),
    ]
    x = terms.main(found, 0.5)
    assert x["krenning_pre"].tolist() == [1, 2.5, 2]
    assert x["log2_mib1"].tolist() == [3, 3, -1]
    assert x["captem_cycles"].tolist()[:2] == [6, 6]
    assert found["krenning_post_low"].tolist() == [2, 3, 2]
    assert found["krenning_post_high"].tolist() == [2, 4, 2]
    assert (found["suvmax_pre"] < 90).all()
    with_cycles = rows_of(study, "model.lesion_krenning_cycles")
    assert set(with_cycles["patient_id"]) == {"A"}
    measured = rows_of(study, "model.lesion_suvmax")
    assert measured["lesion_id"].tolist() == ["L1", "L4", "L1", "L2"]
    assert terms.main(measured, 0.5)["log2_suvmax_pre"].tolist() == [2, 4, 2, 2]


@pytest.mark.parametrize("outcome", ["lesion_krenning", "lesion_suvmax"])
def test_a_lesion_that_is_not_present_at_follow_up_is_in_no_model(outcome):
    """Even where the sheet gives it values."""
    states = ["present", "resolved", "new", "not_assessable", None]
    ends = dict.fromkeys([*lesion_data.SCORES, *lesion_data.SUVMAX], 2)
    lesions = pd.DataFrame({"patient_id": "A", "lesion_status_post": states} | ends)
    assert lesion_data.analysed(lesions, outcome).index.tolist() == [0, 4]
    patients = lesion_data.with_counts(pd.DataFrame({"patient_id": ["A", "B"]}), lesions)
    assert patients["lesions_scored"].tolist() == patients["lesions_measured"].tolist() == [2, 0]


def test_who_is_left_out_of_the_lesion_models_is_in_the_flow(study):
    flow = study.flow
    counts = flow.set_index(["step", "reason"])["n"]
    assert counts["model.lesion_krenning", "analysed"] == 2
    assert counts["model.lesion_krenning", "no lesion scored at both scans"] == 1
    assert counts["model.lesion_krenning", "no MIB1 index"] == 1
    assert counts["model.lesion_krenning", "MIB1 index without an upper end"] == 1
    assert counts["model.lesion_krenning_cycles", "analysed"] == 1
    assert counts["model.lesion_suvmax", "no lesion with SUVmax at both scans"] == 1
    for step in lesion_steps():
        assert counts[step].sum() == counts["included", ""]


def lesion_steps():
    return [name for name in eligibility.NEEDS if name.startswith("model.lesion_")]


def test_a_score_that_may_be_any_says_nothing(tmp_path):
    lesions = "patient_id,lesion_id,krenning_pre,krenning_post\nA,L1,1,0-4\n"
    patients = "patient_id,krenning_pre,krenning_post,mib1\nA,1,2,7\n"
    found = read(tmp_path, patients, lesions)
    counts = found.flow.set_index(["step", "reason"])["n"]
    assert counts["model.lesion_krenning", "follow-up score of the lesions may be any"] == 1
    assert "Krenning score" in lesion_data.absent(found.lesions, "lesion_krenning")
    assert "SUVmax" in lesion_data.absent(found.lesions, "lesion_suvmax")


def test_without_a_lesion_table_nobody_is_analysed(tmp_path):
    patients = "patient_id,krenning_pre,krenning_post,mib1\nA,1,2,7\nB,1,2,8\n"
    found = read(tmp_path, patients)
    counts = found.flow.set_index(["step", "reason"])["n"]
    for step in lesion_steps():
        assert counts[step, "analysed"] == 0
        assert rows_of(found, step).empty
    assert "no table of lesions" in lesion_data.absent(found.lesions, "lesion_suvmax")


def test_the_flow_counts_the_patients_of_the_rows():
    """The example study that ships."""
    folder = ROOT / "config/cohorts/example"
    tables = {name: str(folder / f"{name}.csv") for name in ("patients", "lesions")}
    found = cohort.ingest([cohort.Source(name="example", **tables)])
    counts = found.flow.set_index(["step", "reason"])["n"]
    for analysis in lesion_steps():
        of = rows_of(found, analysis)
        assert counts[analysis, "analysed"] == of["patient_id"].nunique() > 25
        assert not of.duplicated(["patient_id", "lesion_id"]).any()
        assert lesion_data.absent(found.lesions, outcome_of(analysis)) == ""
