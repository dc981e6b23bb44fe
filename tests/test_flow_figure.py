"""The flow diagram counts everybody once, and its boxes stand apart from each other."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import pytest
from captem import eligibility, figure_rows
from captem.errors import CaptemError
from captem.figures import flow, style
from figure_studies import PROFILES, SIZES, faults, figure, profile, rows, study, words
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from studies import from_text

pytestmark = pytest.mark.xdist_group("figures")
LONG = "university_hospital_registry_of_neuroendocrine_tumours_1998ff"


def boxes(drawn):
    (ax,) = drawn.axes
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def crossing(drawn):
    """Return the pairs of boxes that cover each other, and texts that stand out of their box."""
    drawn.draw_without_rendering()
    found = [(box.get_gid(), box.get_window_extent()) for box in boxes(drawn)]
    faulty = [
        (a, b)
        for (a, one), (b, other) in combinations(found, 2)
        if min(one.x1, other.x1) > max(one.x0, other.x0)
        and min(one.y1, other.y1) > max(one.y0, other.y0)
    ]
    for text in drawn.axes[0].texts:
        extent = text.get_window_extent()
        if not text.get_text():
            continue
        for kind, box in found:
            inside = box.x0 <= extent.x0 and extent.x1 <= box.x1 + 0.5
            level = box.y0 < (extent.y0 + extent.y1) / 2 < box.y1
            if level and extent.x0 < box.x1 and extent.x1 > box.x0 and not inside:
                faulty.append((kind, text.get_text()))
    return faulty


def counted(changes=()):
    """Return a flow of 30 patients in which every analysis leaves out others."""
    lines = [("recorded", "", 40, 90), ("excluded", "row with errors: $ date", 10, 15)]
    lines += [("included", "", 30, 75), ("follow_up_pet", "no follow-up PET", 4, 9)]
    lines += [("follow_up_pet", "one follow-up PET", 26, 66)]
    for number, (name, needs) in enumerate(eligibility.NEEDS.items()):
        out = [1 + (number + i) % 3 for i in range(len(needs))]
        reasons = zip(needs, out, strict=True)
        lines += [(name, need.otherwise, n, 2 * n) for need, n in reasons]
        lines.append((name, "analysed", 30 - sum(out), 75 - 2 * sum(out)))
    return pd.DataFrame(lines, columns=["step", "reason", "n", "n_lesions"])


def made(names, table=None):
    asked = pd.DataFrame({"source": [names[i % len(names)] for i in range(40)]})
    table = counted() if table is None else table
    return flow.data(table, asked, pd.DataFrame({"source": names}))


def drawn(found, profile_name="generic"):
    return style.framed(flow, found, profile(profile_name), "synthetic")


@pytest.mark.parametrize("n", SIZES)
def test_the_numbers_are_those_of_the_flow_and_add_up(n):
    found, table = rows("flow", n), study(n).flow
    totals = found.groupby("step")["n"].sum()
    assert totals["source"] == totals["recorded"] == n
    assert totals["recorded"] == totals.get("excluded", 0) + totals["included"]
    analysed = table[table["reason"].eq("analysed")].set_index("step")
    assert set(analysed.index) == set(eligibility.NEEDS) <= set(found["step"])
    for _, own in found[found["group"].notna()].groupby("group"):
        out = own[own["step"].eq("left_out")]
        for row in own[~own["step"].eq("left_out")].to_dict("records"):
            assert row["n"] == analysed.loc[row["step"], "n"]
            assert row["n_lesions"] == analysed.loc[row["step"], "n_lesions"]
            assert row["n"] + out["n"].sum() == totals["included"]
            reasons = table[table["step"].eq(row["step"]) & table["n"].gt(0)]
            assert set(out["text"]) == set(reasons["reason"]) - {"analysed"}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("n", SIZES)
def test_every_count_and_every_analysis_is_in_the_picture(n, name):
    fig = figure("flow", n, name)
    said = " ".join(" ".join(words(fig)).split())
    found = rows("flow", n)
    for row in found[found["step"].isin(["recorded", "included"])].to_dict("records"):
        assert f"{row['n']} patient" in said
    for row in found[found["step"].eq("left_out")].to_dict("records"):
        assert f"{style.typeset(row['text'])} ({row['n']})" in said
    for row in found[found["group"].notna() & ~found["step"].eq("left_out")].to_dict("records"):
        text = row["text"].removesuffix(", with CAPTEM cycles")
        assert style.typeset(text) in said
        assert f"n = {row['n']} patient" in said
    kinds = [box.get_gid() for box in boxes(fig)]
    assert kinds.count("analysis") == found["group"].nunique()


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("n", SIZES)
def test_no_box_covers_another_and_a_page_is_tall_enough(n, name):
    fig = figure("flow", n, name)
    assert crossing(fig) == []
    assert fig.get_size_inches()[1] * 25.4 <= profile(name).tallest_mm + 0.01


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("sources", [1, 2, 6, 14])
def test_long_names_are_wrapped(name, sources):
    assert len(LONG) >= 60
    fig = drawn(made([f"{LONG}_{i}" for i in range(sources)]), name)
    assert faults(fig) == []
    assert crossing(fig) == []
    assert "".join(words(fig)).count(LONG) == sources


def test_every_analysis_may_have_a_box_of_its_own():
    found = made(["ward"])
    assert found["group"].nunique() == len(eligibility.NEEDS)
    for name in PROFILES:
        fig = drawn(found, name)
        assert crossing(fig) == []
        assert faults(fig) == []
    assert r"row with errors: \$ date (10)" in words(drawn(found))
    assert "Left out: 10 patients, 15 lesions" in words(drawn(found))


def test_only_analyses_with_the_same_reasons_share_a_box():
    table = counted()
    names = list(eligibility.NEEDS)
    for step in names[1:]:
        table = table[~table["step"].eq(step)]
    same = table[table["step"].eq(names[0])]
    other = same.assign(reason=same["reason"].replace("no baseline score", "no score at all"))
    table = pd.concat([table, same.assign(step=names[7]), other.assign(step=names[8])])
    found = made(["ward"], table)
    groups = found[found["step"].isin(names)].set_index("step")["group"]
    assert groups[names[0]] == groups[names[7]] != groups[names[8]]


def test_a_model_without_and_with_cycles_is_one_line():
    said = words(figure("flow"))
    assert "Model: SSTR criterion gained, without and with cycles" in said
    assert not any("with CAPTEM cycles" in text for text in said)


@pytest.mark.parametrize(
    ("step", "reason", "column", "sentence"),
    [
        ("included", "", "n", "40 patients recorded, 41 left out or included"),
        ("excluded", "row with errors: $ date", "n_lesions", "90 lesions recorded, 91 left out"),
        ("model.suvmax", "analysed", "n", "model.suvmax: 31 patients of 30 included ones"),
        ("follow_up_pet", "no follow-up PET", "n", "follow_up_pet: 31 patients of 30"),
        ("criterion", "analysed", "n_lesions", "criterion: 76 lesions of 75"),
    ],
)
def test_counts_that_do_not_add_up_are_refused(step, reason, column, sentence):
    table = counted()
    table.loc[table["step"].eq(step) & table["reason"].eq(reason), column] += 1
    with pytest.raises(CaptemError) as caught:
        made(["ward"], table)
    assert sentence in str(caught.value)


def test_rows_that_could_not_be_read_are_a_source_of_their_own():
    asked = pd.DataFrame({"source": ["ward"] * 37})
    found = flow.data(counted(), asked, pd.DataFrame({"source": ["ward", "empty"]}))
    own = found[found["step"].eq("source")].set_index("text")["n"]
    assert own.to_dict() == {"ward": 37, "empty": 0, "rows that do not fit their headings": 3}
    too_many = pd.DataFrame({"source": ["ward"] * 41})
    with pytest.raises(CaptemError, match=r"41 in eligibility\.csv"):
        flow.data(counted(), too_many, pd.DataFrame({"source": ["ward"]}))


def test_patients_left_out_for_errors_are_shown(tmp_path):
    table = "patient_id,krenning_pre,krenning_post\n1,1,3\n2,2,9\n3,1,2\n"
    found = rows("flow", from_text(tmp_path, table, on_problem="exclude_row"))
    counts = found.groupby("step")["n"].sum()
    assert (counts["recorded"], counts["excluded"], counts["included"]) == (3, 1, 2)
    said = words(drawn(found))
    assert "Left out: 1 patient" in said
    # Without a table of lesions none are spoken of.
    assert not any("lesions," in text or text.startswith("Lesions") for text in said)


def test_the_arrows_end_at_boxes():
    fig = figure("flow")
    (ax,) = fig.axes
    edges = {round(box.get_x(), 6) for box in boxes(fig)}
    into = [note.xy for note in ax.texts if isinstance(note, Text) and not note.get_text()]
    analyses = [box for box in boxes(fig) if box.get_gid() == "analysis"]
    for box in analyses:
        middle = box.get_y() + box.get_height() / 2
        assert any(abs(x - box.get_x()) < 1e-6 and abs(y - middle) < 1e-6 for x, y in into)
    assert edges


def test_without_patients_it_says_so(tmp_path):
    empty = from_text(tmp_path, "patient_id,krenning_pre,krenning_post\n")
    assert figure_rows.reason_not_drawn(rows("flow", empty)) == "no patient was recorded"
