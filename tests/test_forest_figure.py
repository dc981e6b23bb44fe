"""The forest shows the rows of the statistics, and says what cannot be estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from captem import rounding
from captem.figures import forest, style
from captem.wording import ASKED_TERMS, MODEL_WORDS
from figure_studies import faults, figure, profile, rows, study, words

pytestmark = pytest.mark.xdist_group("figures")


def axes_of(drawn):
    return {ax.get_label(): ax for ax in drawn.axes}


def marks(ax):
    """Return the points of an axis, from top to bottom."""
    return [line for line in ax.lines if line.get_marker() in ("o", "D")]


def _terms(found):
    return zip(found["analysis"], found["term"], strict=True)


def drawn_rows(found, estimand):
    """Return the rows of a block in the order of the drawing."""
    found = found[found["estimand"].eq(estimand) & found["status"].ne("not_estimable")]
    order = {name: i for i, name in enumerate(MODEL_WORDS)}
    terms = {key: i for i, key in enumerate(dict.fromkeys(_terms(found)))}
    return found.assign(
        model=found["analysis"].map(order),
        place=[terms[key] for key in _terms(found)],
    ).sort_values(["model", "place"], kind="stable")


def one(estimate=2.0, low=1.5, high=3.0, **more):
    """Return one row of a forest."""
    row = {
        "row_id": "a", "analysis": "model.krenning", "outcome": "krenning", "subset": "all",
        "term": "log2_mib1", "role": "primary", "estimand": "odds ratio",
        "unit": "per doubling of MIB1", "estimate": estimate, "conf_low": low, "conf_high": high,
        "conf_level": 0.95, "interval_method": "", "p_value": 0.0321, "n_patients": 30,
        "n_lesions": np.nan, "status": "ok", "reason": "",
    } | more  # fmt: skip
    return pd.DataFrame([row])


def of(*frames, profile_name="generic"):
    return style.framed(forest, pd.concat(frames), profile(profile_name), "recorded")


@pytest.mark.parametrize("estimand", ["odds ratio", "ratio"])
def test_the_forest_has_each_row_as_the_statistics_have_it(estimand):
    found = drawn_rows(rows("forest"), estimand)
    statistics = study(60).statistics.set_index("row_id")
    for row in found.to_dict("records"):
        np.testing.assert_equal(row["estimate"], statistics.loc[row["row_id"], "estimate"])
    ax = axes_of(figure("forest"))[estimand]
    points = marks(ax)
    assert [point.get_xdata()[0] for point in points] == list(found["estimate"])
    hollow = [point.get_markerfacecolor() == "white" for point in points]
    assert hollow == list(found["status"].ne("ok"))
    diamonds = [point.get_marker() == "D" for point in points]
    assert diamonds == list(found["subset"].eq("confirmatory"))
    ends = {line.get_ydata()[0]: line.get_xdata() for line in ax.lines if _level(line)}
    low, high = ax.get_xlim()
    for point, row in zip(points, found.to_dict("records"), strict=True):
        expected = np.clip([row["conf_low"], row["conf_high"]], low, high)
        np.testing.assert_allclose(ends[point.get_ydata()[0]], expected)


def _level(line):
    return len(line.get_xdata()) == 2 and len(set(line.get_ydata())) == 1


def test_every_reported_term_is_drawn_and_the_first_method_is_the_reported_one():
    statistics = study(60).statistics
    asked = statistics[statistics["analysis"].isin(list(MODEL_WORDS)) & statistics["term"].notna()]
    wanted = asked.drop_duplicates(["analysis", "subset", "term"])
    left_out = set(wanted["row_id"]) - set(rows("forest")["row_id"])
    assert left_out
    for row in wanted[wanted["row_id"].isin(left_out)].to_dict("records"):
        assert row["subset"] == "confirmatory"
        assert row["term"] not in ASKED_TERMS
    assert not rows("forest")["row_id"].str.contains("bootstrap|imputed|gee").any()


def test_estimate_n_and_p_stand_beside_each_row():
    found = rows("forest")
    row = found[found["row_id"].eq("model.lesion_krenning/lesion_krenning/all/log2_mib1")].iloc[0]
    page = axes_of(figure("forest"))["page"]
    said = {}
    for text in page.texts:
        said.setdefault(round(text.get_position()[1], 3), []).append(text.get_text())
    ends = rounding.interval(row["conf_low"], row["conf_high"])
    line = [
        f"{rounding.number(row['estimate'])} ({ends})",
        f"{row['n_patients']:.0f} ({row['n_lesions']:.0f})",
        rounding.p_cell(row["p_value"]),
    ]
    assert ["MIB1 index, per doubling", *line] in said.values()
    heading = next(text for text in page.texts if text.get_text() == "P")
    assert heading.get_fontstyle() == "italic"


def test_what_is_asked_stands_out():
    found = drawn_rows(rows("forest"), "odds ratio")
    points = marks(axes_of(figure("forest"))["odds ratio"])
    for point, term in zip(points, found["term"], strict=True):
        expected = {
            "log2_mib1": style.DIRECTION_COLOURS["up"], "captem_cycles": style.INK,
        }.get(term, style.FAINT)  # fmt: skip
        assert point.get_color() == expected


def test_what_cannot_be_estimated_is_said_once_a_reason():
    drawn = figure("forest", 1)
    assert list(axes_of(drawn)) == ["page"]
    said = words(drawn)
    reasons = rows("forest", 1)["reason"].unique()
    assert len(reasons) == 2
    assert "Not estimable" in said
    assert len(said) <= 7
    assert sum("Only one patient has all that the model needs" in text for text in said) == 1
    assert drawn.get_size_inches()[1] * 25.4 < 40


def test_one_reason_for_all_models_is_said_of_every_model():
    refused = one(np.nan, np.nan, np.nan, status="not_estimable", reason="no patient")
    said = words(of(refused, refused.assign(analysis="model.suvmax", estimand="ratio")))
    assert said == ["Not estimable", "No patient", "every model"]


def test_a_subset_that_cannot_be_estimated_is_said_below_its_model():
    refused = one(np.nan, np.nan, np.nan, status="not_estimable", reason="too few",
                  subset="confirmatory")  # fmt: skip
    said = words(of(one(), refused))
    assert "Confirmatory sources: not estimable: too few" in said
    assert "Not estimable" not in said


@pytest.mark.parametrize("profile_name", ["generic", "single_column"])
def test_extreme_ratios_end_in_arrows_and_their_numbers_fit(profile_name):
    extreme = one(3e7, 1.2e-7, np.inf, status="unstable", n_lesions=1381)
    drawn = of(one(), extreme.assign(term="captem_cycles"), profile_name=profile_name)
    assert faults(drawn) == []
    ax = axes_of(drawn)["odds ratio"]
    arrows = [line for line in ax.lines if line.get_marker() in ("<", ">")]
    assert [arrow.get_xdata()[0] for arrow in arrows] == list(ax.get_xlim())
    assert len(marks(ax)) == 1
    assert ax.get_xlim()[1] < 200


@pytest.mark.parametrize("n", [60, 500])
@pytest.mark.parametrize("profile_name", ["generic", "single_column", "slides"])
def test_no_line_runs_through_words(n, profile_name):
    """The line of no association stops where a heading or a note crosses its place."""
    drawn = figure("forest", n, profile_name)
    drawn.canvas.draw()
    axes = axes_of(drawn)
    boxes = [text.get_window_extent() for text in axes["page"].texts if text.get_text()]
    for name in ("odds ratio", "ratio"):
        upright = [
            line for line in axes[name].lines
            if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1
        ]  # fmt: skip
        assert upright
        for line in upright:
            (x, one_end), (_, other) = axes[name].transData.transform(line.get_xydata())
            bottom, top = sorted((one_end, other))
            for box in boxes:
                crossed = box.x0 < x < box.x1 and min(top, box.y1) - max(bottom, box.y0) > 1
                assert not crossed


def test_covariates_are_named_in_words_with_what_they_are_against():
    site = one(term="primary_site=pancreas", unit="against ileum")
    assert "primary site: pancreas, against ileum" in words(of(site))
    assert "primary site:" in " ".join(words(of(site, one(), profile_name="single_column")))


def test_the_journal_page_holds_the_example():
    look = profile()
    assert style.height_mm(forest, rows("forest"), look.wide_mm, look) < look.tallest_mm


def test_a_dollar_sign_of_the_users_is_no_formula():
    assert style.typeset("site $x$ of SUVmax") == r"site \$x\$ of SUV$_{max}$"
