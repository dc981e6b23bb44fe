"""Every alternative stands beside the primary contrast, or is said not to be estimable."""

from __future__ import annotations

import numpy as np
import pytest
from captem.figure_rows import reason_not_drawn
from captem.figures import sensitivity, style
from figure_studies import faults, figure, profile, rows, study, words
from studies import from_text

pytestmark = pytest.mark.xdist_group("figures")
BLOCKS = ("primary contrast", "criterion", "net improvement")


def axes_of(drawn):
    return {ax.get_label(): ax for ax in drawn.axes}


def marks(ax):
    return [line for line in ax.lines if line.get_marker() in ("o", "D")]


def of(found, profile_name="generic"):
    return style.framed(sensitivity, found, profile(profile_name), "recorded")


@pytest.mark.parametrize("n", [60, 500])
@pytest.mark.parametrize("block", BLOCKS)
def test_each_point_is_a_row_of_the_statistics(n, block):
    statistics = study(n).statistics.set_index("row_id")
    found = rows("sensitivity", n)
    found = found[found["block"].eq(block) & found["status"].ne("not_estimable")]
    ax = axes_of(figure("sensitivity", n))[block]
    points = marks(ax)
    expected = statistics.loc[found["row_id"]]
    assert [point.get_xdata()[0] for point in points] == list(expected["estimate"])
    hollow = [point.get_markerfacecolor() == "white" for point in points]
    assert hollow == list(expected["status"].ne("ok"))
    low, high = ax.get_xlim()
    ends = {
        line.get_ydata()[0]: line.get_xdata()
        for line in ax.lines
        if len(line.get_xdata()) == 2 and len(set(line.get_ydata())) == 1
    }
    for point, row in zip(points, expected.to_dict("records"), strict=True):
        if not np.isnan(row["conf_low"]):
            clipped = np.clip([row["conf_low"], row["conf_high"]], low, high)
            np.testing.assert_allclose(ends[point.get_ydata()[0]], clipped)


def test_nothing_that_was_asked_of_all_patients_is_missing():
    statistics = study(60).statistics
    asked = statistics[
        statistics["analysis"].str.startswith("sensitivity.")
        & statistics["subset"].ne("confirmatory")
        & ~statistics["analysis"].str.contains("fixed_reference|reader_error")
    ]
    assert set(rows("sensitivity")["row_id"]) == {sensitivity.PRIMARY_ROW, *asked["row_id"]}


def test_the_contrast_as_reported_comes_first_with_a_line_through_all():
    found = rows("sensitivity")
    assert found.iloc[0]["row_id"] == sensitivity.PRIMARY_ROW
    ax = axes_of(figure("sensitivity"))["primary contrast"]
    assert marks(ax)[0].get_marker() == "D"
    upright = {
        line.get_xdata()[0]: line.get_linestyle()
        for line in ax.lines
        if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1
    }
    assert upright == {1.0: "-", found.iloc[0]["estimate"]: "--"}


def test_another_contrast_is_on_another_axis():
    found = rows("sensitivity").set_index("block")
    primary = found.loc["primary contrast"]
    assert set(primary["estimand"]) == {"odds ratio"}
    assert set(primary["unit"]) == {"per doubling of MIB1"}
    assert set(found.loc["criterion", "outcome"]) == {"criterion"}
    assert set(found.loc["net improvement", "estimand"]) == {"net improvement"}
    assert "other" not in axes_of(figure("sensitivity"))


def test_a_test_without_an_estimate_has_its_p():
    page = axes_of(figure("sensitivity"))["page"]
    lines = {}
    for text in page.texts:
        lines.setdefault(round(text.get_position()[1], 3), []).append(text.get_text())
    bent = next(line for line in lines.values() if line[0] == "Is log2 MIB1 bent?")
    assert bent[1] == "test only"
    assert bent[3].startswith(".")


def test_what_cannot_be_estimated_is_listed_by_reason():
    found = rows("sensitivity")
    refused = found[found["status"].eq("not_estimable")]
    assert len(refused) > 2
    said = " ".join(words(figure("sensitivity")))
    assert "no patient has scores of a second reader at both scans" in said
    assert said.count("no patient has scores of a second reader") == 1


def test_a_primary_contrast_that_is_refused_says_so_above_its_alternatives():
    found = rows("sensitivity")
    first = found.index == 0
    found.loc[first, ["estimate", "conf_low", "conf_high", "p_value"]] = np.nan
    found.loc[first, ["status", "reason"]] = ["not_estimable", "log2_mib1 does not vary"]
    drawn = of(found)
    assert "As reported: not estimable: MIB1 index does not vary" in words(drawn)
    assert "as reported" not in words(drawn)
    assert faults(drawn) == []


@pytest.mark.parametrize("n", [1])
def test_where_nothing_can_be_estimated_the_figure_says_why(n):
    reason = reason_not_drawn(rows("sensitivity", n))
    assert "as reported: only one patient has all that the model needs" in reason


@pytest.mark.parametrize("profile_name", ["generic", "single_column", "slides"])
def test_a_long_name_of_a_source_is_wrapped(profile_name):
    found = rows("sensitivity")
    name = "only source of the hospital of the holy ghost and of all its outpatient clinics"
    found.loc[found["analysis"].eq("sensitivity.source"), "alternative"] = name
    assert faults(of(found, profile_name)) == []


def test_a_journal_page_holds_it():
    look = profile()
    for n in (60, 500):
        found = rows("sensitivity", n)
        assert style.height_mm(sensitivity, found, look.wide_mm, look) <= look.tallest_mm


def test_shares_are_percentages():
    found = rows("sensitivity")
    share = found[found["estimand"].eq("proportion")].iloc[0]
    assert f"{100 * share['estimate']:.0f}% (" in " ".join(words(of(found)))


def test_without_any_odds_ratio_the_refusal_is_listed_and_covers_nothing(tmp_path):
    table = (
        "patient_id,krenning_pre,krenning_post,mib1,suvmax_pre,suvmax_post\n"
        "x,1,3,7,3,9\ny,2,2,9,4,5\nz,0,1,8,2,3\n"
    )
    few = from_text(tmp_path, table)
    for profile_name in ("generic", "single_column"):
        drawn = figure("sensitivity", few, profile_name)
        assert faults(drawn) == []
        said = words(drawn)
        assert any(text.startswith("As reported") for text in said)
        assert not any("per doubling of MIB1" in text and "Higher" in text for text in said)
