"""The surrogate score against the wording of the modified score, by hand and by enumeration."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from captem import surrogate
from captem.cross_checks import CHECKS
from captem.errors import CaptemError
from captem.lesions import matched
from hypothesis import given, settings
from hypothesis import strategies as st
from studies import shipped, through_csv

# Made up for the tests, as is every boundary here: none is known.
FINE = {"none_below": 0.1, "very_low_below": 0.5}
PERCENTS = (1, 10, 30, 50, 70, 100)
# SUVs in tenths, as they are printed.
TENTHS = st.integers(1, 400)
ORGAN = st.none() | TENTHS
FRACTION = st.none() | st.sampled_from(PERCENTS)


@st.composite
def declared(draw):
    low, high = draw(FRACTION), draw(FRACTION)
    if low is not None and high is not None:
        low, high = sorted((low, high))
    return low, high


def named(low, high):
    return {
        "none_below": None if low is None else low / 100,
        "very_low_below": None if high is None else high / 100,
    }


def ends(suv, liver, spleen, boundaries=None, scale=1.0):
    """Return the ends for single SUVs in tenths; None where the score is missing."""
    columns = [
        pd.Series([np.nan if value is None else value / 10 * scale], dtype=float)
        for value in (suv, liver, spleen)
    ]
    found = surrogate.scores(*columns, boundaries).iloc[0]
    return None if pd.isna(found["low"]) else (int(found["low"]), int(found["high"]))


def rows(**given):
    """Return canonical rows: each SUV and score by name, missing where it is not given."""
    n = max((len(values) for values in given.values()), default=0)
    frame = pd.DataFrame({"patient_id": [f"P{i}" for i in range(n)]}, dtype=object)
    for time in ("pre", "post"):
        frame[f"suvmax_{time}"] = pd.array([np.nan] * n, dtype=float)
        for end in ("low", "high"):
            frame[f"krenning_{time}_{end}"] = pd.array([None] * n, dtype="Int64")
    for name, values in given.items():
        frame[name] = pd.array(values, dtype="Int64" if "krenning" in name else float)
    return frame


def cells(series):
    return [None if pd.isna(cell) else cell for cell in series]


@pytest.mark.parametrize(
    ("suv", "liver", "spleen", "expected"),
    [
        (5, 10, 20, "0-2"),
        (10, 10, 20, "0-2"),  # equal to liver is not above it
        (10.1, 10, 20, "3"),
        (20, 10, 20, "3"),  # equal to spleen is not above it
        (20.1, 10, 20, "4"),
        (10, 10, 10, "0-2"),
        (11, 10, 10, "4"),
        # After splenectomy.
        (5, 10, np.nan, "0-2"),
        (10, 10, np.nan, "0-2"),
        (30, 10, np.nan, "3-4"),
        # Without liver.
        (20.1, np.nan, 20, "4"),
        (20, np.nan, 20, None),
        (1, np.nan, 20, None),
        (20, np.nan, np.nan, None),
        (np.nan, 10, 20, None),
        # Spleen below liver: between them the wording says both "at most 2" and 4.
        (4, 10, 5, "0-2"),
        (5, 10, 5, "0-2"),
        (6, 10, 5, "0-4"),
        (10, 10, 5, "0-4"),
        (10.1, 10, 5, "4"),
    ],
)
def test_what_the_wording_says(suv, liver, spleen, expected):
    given = rows(suvmax_pre=[suv], liver_suv_pre=[liver], spleen_suv_pre=[spleen])
    assert cells(surrogate.columns(given)["surrogate_pre"]) == [expected]


@pytest.mark.parametrize(
    ("boundaries", "expected"),
    [
        # SUVs 0.3, 0.4, 1.5, 1.6, 3 against a liver of 3: boundaries 0.3 and 1.5, equal is above.
        (None, ["0-2", "0-2", "0-2", "0-2", "0-2"]),
        ({}, ["0-2", "0-2", "0-2", "0-2", "0-2"]),
        ({"none_below": None, "very_low_below": None}, ["0-2", "0-2", "0-2", "0-2", "0-2"]),
        ({"none_below": 0.1}, ["1-2", "1-2", "1-2", "1-2", "1-2"]),
        ({"none_below": 0.11}, ["0", "1-2", "1-2", "1-2", "1-2"]),
        ({"very_low_below": 0.5}, ["0-1", "0-1", "2", "2", "2"]),
        ({"none_below": 0.11, "very_low_below": 0.5}, ["0", "1", "2", "2", "2"]),
        ({"none_below": 0.5, "very_low_below": 0.5}, ["0", "0", "2", "2", "2"]),
        ({"none_below": 0.11, "very_low_below": 1}, ["0", "1", "1", "1", "2"]),
    ],
)
def test_declared_boundaries_part_what_is_at_most_liver(boundaries, expected):
    suvs = [0.3, 0.4, 1.5, 1.6, 3.0]
    given = rows(suvmax_post=suvs, liver_suv_post=[3.0] * 5, spleen_suv_post=[9.0] * 5)
    assert cells(surrogate.columns(given, boundaries)["surrogate_post"]) == expected


def test_a_declared_boundary_also_holds_between_spleen_and_liver():
    assert ends(60, 100, 50, FINE) == (2, 4)
    assert ends(40, 100, 30, FINE) == (1, 4)


@pytest.mark.parametrize(
    ("boundaries", "words"),
    [
        ({"none_below": 0.6, "very_low_below": 0.5}, "none_below .* above very_low_below"),
        ({"very_low_below": 1.1}, "very_low_below is 1.1"),
        ({"none_below": 0}, "none_below is 0"),
        ({"none_below": -0.1}, "none_below is -0.1"),
        ({"none_below": float("nan")}, "none_below is nan"),
        ({"low_below": 0.5}, "low_below"),
    ],
)
def test_boundaries_that_mean_nothing_are_refused(boundaries, words):
    with pytest.raises(CaptemError, match=words):
        ends(10, 10, 10, boundaries)


def test_suvs_of_other_rows_are_refused():
    one, two = pd.Series([1.0]), pd.Series([1.0, 2.0])
    with pytest.raises(ValueError, match="same rows"):
        surrogate.scores(two, one, one)


@given(TENTHS, TENTHS, st.integers(0, 300), st.booleans(), declared())
def test_the_interval_holds_what_is_left_open_and_no_more(suv, liver, above, splenectomy, given):
    """Try every boundary and every spleen that is not known; the wording gives each its score."""
    if suv == liver:
        return
    spleen = liver + above
    fixed = [None if percent is None else Fraction(percent * liver, 100) for percent in given]
    # What is not declared may lie anywhere up to liver: just below the tumour or just above it.
    tried = {Fraction(1, 1000), suv, suv + 1, liver, *filter(None, fixed)}
    ladders = itertools.product(*[tried if edge is None else {edge} for edge in fixed])
    spleens = {max(liver, suv - 1), max(liver, suv)} if splenectomy else {spleen}
    possible = {
        (suv >= a) + (suv >= b) + (suv > liver) + (suv > organ)
        for (a, b), organ in itertools.product(ladders, spleens)
        if a <= b <= liver
    }
    found = ends(suv, liver, None if splenectomy else spleen, named(*given))
    assert found == (min(possible), max(possible))


@given(TENTHS, TENTHS, ORGAN, ORGAN, declared())
def test_a_higher_suv_never_lowers_the_ends(first, second, liver, spleen, given):
    lower, higher = (ends(suv, liver, spleen, named(*given)) for suv in sorted((first, second)))
    if lower is not None:
        assert higher is not None
        assert lower[0] <= higher[0]
        assert lower[1] <= higher[1]


@given(TENTHS, ORGAN, ORGAN, declared(), st.floats(0.01, 100))
def test_the_unit_of_the_suv_changes_nothing(suv, liver, spleen, given, scale):
    boundaries = named(*given)
    assert ends(suv, liver, spleen, boundaries, scale) == ends(suv, liver, spleen, boundaries)


@given(TENTHS, ORGAN, ORGAN, declared())
def test_declared_boundaries_narrow_the_interval_within_0_to_4(suv, liver, spleen, given):
    wide, narrow = ends(suv, liver, spleen), ends(suv, liver, spleen, named(*given))
    assert (wide is None) == (narrow is None)
    if wide is not None:
        assert 0 <= wide[0] <= narrow[0] <= narrow[1] <= wide[1] <= 4


@given(st.lists(st.tuples(TENTHS, TENTHS, st.integers(1, 300), st.integers(0, 4)), max_size=20))
@settings(max_examples=50)
def test_it_contradicts_whom_the_cross_check_contradicts(drawn):
    """With no tolerance, and no SUV equal to an organ's, both say the same of the reader."""
    drawn = [row for row in drawn if row[0] not in (row[1], row[1] + row[2])]
    score = [row[3] for row in drawn]
    given = rows(
        suvmax_pre=[row[0] / 10 for row in drawn],
        liver_suv_pre=[row[1] / 10 for row in drawn],
        spleen_suv_pre=[(row[1] + row[2]) / 10 for row in drawn],
        krenning_pre_low=score,
        krenning_pre_high=score,
    )
    odd = {finding.row for finding in CHECKS["score_against_suv"].finds(given, 0)}
    answers = surrogate.columns(given)["surrogate_disagrees_pre"]
    assert set(np.flatnonzero(answers.eq("yes"))) == odd
    assert answers.isin(["yes", "no"]).all()


@pytest.mark.parametrize(
    ("reader", "suv", "expected"),
    [
        ((2, 2), 5, "no"),
        ((0, 1), 5, "no"),
        ((3, 3), 5, "yes"),
        ((3, 4), 5, "yes"),
        ((2, 3), 5, "no"),
        ((2, 3), 15, "no"),
        ((2, 2), 15, "yes"),
        ((4, 4), 15, "yes"),
        ((3, 4), 15, "no"),
        ((0, 4), 25, "no"),
        ((None, None), 15, None),
        ((2, 2), np.nan, None),
    ],
)
@pytest.mark.parametrize("time", ["pre", "post"])
def test_disagreement_is_of_intervals_without_a_common_step(reader, suv, expected, time):
    given = rows(
        **{
            f"suvmax_{time}": [suv], f"liver_suv_{time}": [10], f"spleen_suv_{time}": [20],
            f"krenning_{time}_low": [reader[0]], f"krenning_{time}_high": [reader[1]],
        }
    )  # fmt: skip
    other = "post" if time == "pre" else "pre"
    found = surrogate.columns(given)
    assert cells(found[f"surrogate_disagrees_{time}"]) == [expected]
    assert cells(found[f"surrogate_disagrees_{other}"]) == [None]


def test_ratios_by_hand():
    given = rows(
        suvmax_pre=[9.0, 9.0], suvmax_post=[12.0, np.nan], liver_suv_pre=[6.0, np.nan],
        liver_suv_post=[8.0, 8.0], spleen_suv_post=[24.0, 24.0],
    )  # fmt: skip
    found = surrogate.ratios(given)
    assert list(found) == [
        "liver_ratio_pre", "liver_ratio_post", "spleen_ratio_pre", "spleen_ratio_post",
    ]  # fmt: skip
    assert found.iloc[0].tolist() == pytest.approx([1.5, 1.5, np.nan, 0.5], nan_ok=True)
    assert found.iloc[1].isna().all()


# SUVmax before and after an analogue: liver 10.3 to 8.0, spleen 30.3 to 23.1
# (doi:10.1186/s40644-018-0136-x).
ANALOGUE = {
    "liver_suv_pre": [10.3], "liver_suv_post": [8.0],
    "spleen_suv_pre": [30.3], "spleen_suv_post": [23.1],
}  # fmt: skip


@pytest.mark.parametrize(
    ("boundaries", "scores", "fixed"),
    [(None, ["0-2", "3", "0-2"], "undetermined"), (FINE, ["2", "3", "2"], "same")],
)
def test_an_analogue_lifts_an_unchanged_lesion_unless_the_reference_is_fixed(
    boundaries, scores, fixed
):
    given = rows(suvmax_pre=[9.0], suvmax_post=[9.0], **ANALOGUE)
    found = surrogate.columns(given, boundaries)
    texts = ["surrogate_pre", "surrogate_post", "surrogate_post_fixed"]
    assert found.loc[0, texts].tolist() == scores
    compared = surrogate.fixed_reference(found)
    assert compared.counts.loc["own", "up"] == 1
    assert compared.counts.loc["fixed", fixed] == 1
    assert compared.counts.to_numpy().sum() == 2
    assert compared.explained == 1


@given(TENTHS, TENTHS, st.tuples(ORGAN, ORGAN), st.tuples(ORGAN, ORGAN))
def test_organs_of_the_follow_up_cannot_move_the_fixed_score(pre, post, organs, later):
    def found(at_follow_up):
        suvs = (pre, post, *organs, *at_follow_up)
        names = ("suvmax_pre", "suvmax_post", "liver_suv_pre", "spleen_suv_pre", "liver_suv_post",
                 "spleen_suv_post")  # fmt: skip
        tenths = zip(names, suvs, strict=True)
        return surrogate.columns(
            rows(**{name: [np.nan if suv is None else suv / 10] for name, suv in tenths})
        )

    first, second = found(later), found(organs)
    assert cells(first["surrogate_post_fixed"]) == cells(second["surrogate_post_fixed"])
    # With the same organs at both scans there is nothing to fix.
    assert cells(second["surrogate_post_fixed"]) == cells(second["surrogate_post"])


def test_gains_and_counts_by_hand():
    given = rows(
        #            up  both  down same  open  no pre  no fixed
        suvmax_pre=[9.0, 9.0, 25.0, 15.0, 5.0, np.nan, 25.0],
        suvmax_post=[9.0, 35.0, 15.0, 15.0, 5.0, 9.0, 9.0],
        liver_suv_pre=[10.0] * 6 + [np.nan],
        liver_suv_post=[8.0] + [10.0] * 6,
        spleen_suv_pre=[20.0] * 7,
        spleen_suv_post=[20.0] * 7,
    )
    given.index = list("abcdefg")
    found = surrogate.columns(given)
    assert cells(found["surrogate_pre"]) == ["0-2", "0-2", "4", "3", "0-2", None, "4"]
    assert cells(found["surrogate_post_fixed"])[-2:] == ["0-2", None]
    compared = surrogate.fixed_reference(found)
    assert compared.gains.T.to_dict("list") == {
        "a": [1, 3, -2, 2], "b": [2, 4, 2, 4], "c": [-1, -1, -1, -1], "d": [0, 0, 0, 0],
        "e": [-2, 2, -2, 2],
    }  # fmt: skip
    assert list(compared.gains) == ["own_low", "own_high", "fixed_low", "fixed_high"]
    assert compared.counts.to_dict("index") == {
        "own": {"up": 2, "same": 1, "down": 1, "undetermined": 1},
        "fixed": {"up": 1, "same": 1, "down": 1, "undetermined": 2},
    }
    assert compared.explained == 1


def test_a_rise_that_turns_into_a_fall_is_explained():
    given = rows(
        suvmax_pre=[15.0], suvmax_post=[9.0], liver_suv_pre=[10.0], liver_suv_post=[2.0],
        spleen_suv_pre=[20.0], spleen_suv_post=[8.0],
    )  # fmt: skip
    compared = surrogate.fixed_reference(surrogate.columns(given))
    assert compared.gains.iloc[0].tolist() == [1, 1, -3, -1]
    assert compared.explained == 1


def test_ends_are_those_of_the_texts():
    given = rows(
        suvmax_pre=[5.0, 15.0, 15.0, np.nan], suvmax_post=[15.0] * 4,
        liver_suv_pre=[10.0] * 4, spleen_suv_pre=[20.0, 20.0, np.nan, 20.0],
    )  # fmt: skip
    found = surrogate.columns(given)
    for name, low, high in (("pre", [0, 3, 3], [2, 3, 4]), ("post_fixed", [3] * 3, [3, 3, 4])):
        assert found[f"surrogate_{name}_low"].iloc[:3].tolist() == low
        assert found[f"surrogate_{name}_high"].iloc[:3].tolist() == high
        assert found[f"surrogate_{name}_low"].dtype == "Int64"
    assert cells(found["surrogate_pre"]) == ["0-2", "3", "3-4", None]
    assert cells(found["surrogate_post"]) == [None] * 4
    assert found.loc[3, ["surrogate_pre_low", "surrogate_pre_high"]].isna().all()


@pytest.mark.parametrize("n", [0, 3])
@pytest.mark.parametrize("kind", ["absent", "float", "object", "text", "Int64"])
def test_nothing_known_is_nothing_said(n, kind):
    given = rows(suvmax_pre=[7.0] * n, suvmax_post=[7.0] * n)
    if kind != "absent":
        dtype = {"text": "str"}.get(kind, kind)
        for name in surrogate.ORGAN_SUVS:
            given[name] = pd.Series([None] * n, dtype=dtype)
    given.index = pd.Index(["x"] * n)
    found = surrogate.columns(given, FINE)
    assert found.index.equals(given.index)
    assert found.isna().all(axis=None)
    compared = surrogate.fixed_reference(found)
    assert len(compared.gains) == compared.explained == compared.counts.to_numpy().sum() == 0


def test_lesions_get_the_organs_of_their_patient():
    patients = pd.DataFrame(
        {
            "patient_id": ["A", "B", "", None], "liver_suv_pre": [8.0, 9.0, 1.0, 1.0],
            "liver_suv_post": [7.0, np.nan, 1.0, 1.0],
        }
    )  # fmt: skip
    lesions = pd.DataFrame(
        {
            "patient_id": ["B", "A", "C", "B", None, ""], "lesion_id": list("123456"),
            "liver_suv_pre": 99.0,
        },
        index=[5, 5, 1, 0, 2, 3],
    )  # fmt: skip
    found = surrogate.with_organs(lesions, patients)
    assert found.index.tolist() == [5, 5, 1, 0, 2, 3]
    assert found["lesion_id"].tolist() == list("123456")
    assert found["liver_suv_pre"].tolist() == pytest.approx(
        [9, 8, np.nan, 9, np.nan, np.nan], nan_ok=True
    )
    assert found["liver_suv_post"].dropna().tolist() == [7]
    for name in ("spleen_suv_pre", "spleen_suv_post"):
        assert found[name].dtype == float
        assert found[name].isna().all()
    assert lesions["liver_suv_pre"].eq(99).all()


def test_organs_of_two_patients_with_one_code_are_refused():
    patients = pd.DataFrame({"patient_id": ["A", "A"], "liver_suv_pre": [8.0, 9.0]})
    with pytest.raises(ValueError, match="patient A stands in the table twice"):
        surrogate.with_organs(patients[["patient_id"]], patients)


def test_no_lesions_and_no_patients():
    nobody = pd.DataFrame({"patient_id": pd.Series([], dtype=object)})
    someone = pd.DataFrame({"patient_id": ["A"]})
    assert list(surrogate.with_organs(nobody, someone)) == ["patient_id", *surrogate.ORGAN_SUVS]
    assert surrogate.with_organs(someone, nobody)[list(surrogate.ORGAN_SUVS)].isna().all(axis=None)


def test_the_example_keeps_its_readers_and_survives_a_csv():
    study = shipped("config")
    marks = surrogate.with_organs(study.cohort.lesions, study.patients)
    for table in (study.patients, matched(marks, ("suvmax_pre", "suvmax_post"))):
        before = table.copy()
        found = surrogate.columns(table, FINE)
        pd.testing.assert_frame_equal(table, before)
        assert found.index.equals(table.index)
        compared, again = (
            surrogate.fixed_reference(frame) for frame in (found, through_csv(found))
        )
        assert compared.gains.shape[0] > 0
        assert compared.gains.to_numpy().tolist() == again.gains.to_numpy().tolist()
        assert compared.explained == again.explained


def test_the_published_case_has_no_organs_and_so_no_surrogate():
    study = shipped("published_case")
    marks = surrogate.with_organs(study.cohort.lesions, study.patients)
    assert surrogate.columns(marks, FINE).isna().all(axis=None)
