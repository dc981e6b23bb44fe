"""Diagnostics: each panel shows what the record of the fit and the cohort table hold."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from captem import figure_rows, statistics
from captem.figures import diagnostics, diagnostics_missing, style
from captem.files import write_json
from figure_studies import PROFILES, faults, figure, profile, rows, study, words
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

pytestmark = pytest.mark.xdist_group("figures")
ROW = "model.krenning/krenning/all/log2_mib1"
PANELS = ("cuts", "residuals", "influence", "known")


def record(n=60):
    return study(n).models["model.krenning"]["all"]


def reported(n=60):
    return statistics.find(study(n).statistics, ROW)


def drawn(found):
    return style.framed(diagnostics, found, profile(), "recorded")


def axes(fig):
    return dict(zip(PANELS, fig.axes, strict=True))


def part(name, found=None):
    found = rows("diagnostics") if found is None else found
    return found[found["panel"].eq(name)]


def horizontal(ax):
    """The heights of lines that run across all of the axes."""
    return [line.get_ydata()[0] for line in ax.lines if list(line.get_xdata()) == [0, 1]]


@pytest.mark.parametrize("n", [60, 500])
def test_each_cut_has_its_odds_ratio_on_the_common_one(n):
    ax = axes(figure("diagnostics", n))["cuts"]
    cuts = record(n)["diagnostics"]["proportional_odds"]["cuts"]
    assert [label.get_text().split("\n")[0] for label in ax.get_xticklabels()] == [
        cut["cut"].removeprefix("score ") for cut in cuts
    ]
    assert [label.get_text().split("\n")[1] for label in ax.get_xticklabels()] == [
        f"{cut['above']}/{cut['patients']}" for cut in cuts
    ]
    points = {line.get_xdata()[0]: line for line in ax.lines if line.get_marker() == "o"}
    bars = {
        line.get_xdata()[0]: line.get_ydata()
        for line in ax.lines
        if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    }
    for place, cut in enumerate(cuts):
        if cut["status"] == "not_estimable":
            assert place not in points
            continue
        told = cut["odds_ratios"]["log2_mib1"]
        assert points[place].get_ydata()[0] == pytest.approx(told["estimate"])
        assert list(bars[place]) == pytest.approx([told["conf_low"], told["conf_high"]])
        hollow = points[place].get_markerfacecolor() == "white"
        assert hollow == (cut["status"] == "unstable")
    refused = sum(cut["status"] == "not_estimable" for cut in cuts)
    assert [text.get_text() for text in ax.texts] == ["not\nestimable"] * refused
    assert horizontal(ax) == pytest.approx([1, reported(n)["estimate"]])
    band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert [band.y0, band.y1] == pytest.approx(reported(n)[["conf_low", "conf_high"]].tolist())


def test_each_patient_of_the_fit_has_a_residual():
    ax = axes(figure("diagnostics"))["residuals"]
    told = pd.DataFrame(record()["diagnostics"]["residuals"])
    scores, intervals = (item for item in ax.collections if isinstance(item, PathCollection))
    for points, chosen in (
        (scores, told[~told["interval"]]),
        (intervals, told[told["interval"]]),
    ):
        assert np.allclose(points.get_offsets()[:, 0], 2 ** chosen["log2_mib1"])
        assert np.allclose(points.get_offsets()[:, 1], chosen["residual"])
    assert len(scores.get_facecolor())
    assert not len(intervals.get_facecolor())
    assert horizontal(ax) == [0]
    assert ax.get_xscale() == "log"
    bars = [line for line in ax.lines if list(line.get_xdata()) != [0, 1]]
    means = record()["diagnostics"]["residual_means"]
    assert len(bars) == len(means) > 2
    for bar, mean in zip(bars, means, strict=True):
        assert list(bar.get_xdata()) == pytest.approx([2 ** mean["low"], 2 ** mean["high"]])
        assert list(bar.get_ydata()) == [mean["residual"]] * 2


@pytest.mark.parametrize("n", [60, 500])
def test_the_estimate_without_each_patient_is_drawn_in_order(n):
    fig = figure("diagnostics", n)
    ax = axes(fig)["influence"]
    told = record(n)["diagnostics"]["influence"]["terms"]["log2_mib1"]["without"]
    (points,) = (line for line in ax.lines if line.get_marker() == "o")
    assert list(points.get_ydata()) == sorted(one["ratio"] for one in told)
    assert list(points.get_xdata()) == list(range(1, len(told) + 1))
    for end, value in (("lowest", points.get_ydata()[0]), ("highest", points.get_ydata()[-1])):
        row = f"sensitivity.leave_one_out/krenning/all/log2_mib1/{end}"
        assert value == statistics.find(study(n).statistics, row)["estimate"]
    assert horizontal(ax) == pytest.approx([1, reported(n)["estimate"]])
    low, high = ax.get_ylim()
    assert low < reported(n)["conf_low"] < reported(n)["conf_high"] < high


def test_no_patient_is_named_in_the_picture():
    codes = set(study(60).patients["patient_id"])
    for said in words(figure("diagnostics")):
        assert not codes & set(said.replace(",", " ").replace("(", " ").split())


@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_the_patterns_add_up_to_the_patients(n):
    patients = study(n).patients
    found = part("known", rows("diagnostics", n))
    assert found.drop_duplicates("pattern")["patients"].sum() == len(patients)
    missing = found[found["state"].eq("missing")].groupby("variable")["patients"].sum()
    for variable, columns in diagnostics_missing.VARIABLES.items():
        here = [
            name
            for column in columns
            for name in (column, f"{column}_low")
            if name in patients
        ]  # fmt: skip
        if not here:
            assert variable not in set(found["variable"])
            continue
        assert missing.get(variable, 0) == patients[here].isna().all(axis=1).sum()


def cells(ax):
    return {
        (round(patch.get_x() - 0.08), round(patch.get_y() - 0.08)): to_hex(patch.get_facecolor())
        for patch in ax.patches
        if isinstance(patch, Rectangle)
    }


def test_each_cell_has_the_shade_of_its_state():
    ax = axes(figure("diagnostics"))["known"]
    found = part("known")
    names = list(dict.fromkeys(found["variable"]))
    expected = {
        (int(cell["pattern"]) - 1, names.index(cell["variable"])): to_hex(
            diagnostics_missing.shade(cell["state"])
        )
        for cell in found.to_dict("records")
    }
    assert cells(ax) == expected
    assert set(found["state"]) == {"known", "partly", "missing"}
    said = [text.get_text() for text in ax.texts]
    counts = found.drop_duplicates("pattern")["patients"]
    assert said[: len(counts)] == [f"{count:g}" for count in counts]
    assert counts.is_monotonic_decreasing
    gaps = found[found["state"].eq("missing")].groupby("variable")["patients"].sum()
    at = said.index("missing") + 1
    assert [int(text.split()[0]) for text in said[at:]] == [gaps.get(name, 0) for name in names]


def test_the_shades_are_in_order_without_colour():
    light = []
    for state in ("known", "partly", "missing"):
        red, green, blue = (
            int(diagnostics_missing.shade(state)[i : i + 2], 16) for i in (1, 3, 5)
        )  # fmt: skip
        light.append((0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255)
    assert all(before > after + 0.2 for before, after in itertools.pairwise(light))


def patients(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"patient_id": [f"P{i}" for i in range(n)]} | columns)


def test_what_counts_as_known():
    nan = np.nan
    found = diagnostics_missing.data(
        patients(
            krenning_post_low=pd.array([2, 2, None, 3], dtype="Int64"),
            krenning_post_high=pd.array([2, 3, None, 3], dtype="Int64"),
            mib1_low=[7.0, 20.0, 5.0, nan],
            mib1_high=[7.0, np.inf, 5.0, nan],
            ssa_pre=["yes", "no", "no", None],
            ssa_post=["no", None, "no", None],
            suvmax_pre=[nan] * 4,
        )
    )
    table = found.pivot(index="pattern", columns="variable", values="state")
    assert list(found["patients"].unique()) == [1]
    assert list(dict.fromkeys(found["variable"])) == [
        "Krenning score, follow-up", "MIB1 index", "SUVmax, baseline", "Analogue at the scans",
    ]  # fmt: skip
    by_score = {
        tuple(row)
        for row in table[
            ["Krenning score, follow-up", "MIB1 index", "Analogue at the scans"]
        ].to_numpy()
    }
    assert by_score == {
        ("known", "known", "known"),
        ("partly", "partly", "partly"),
        ("missing", "known", "known"),
        ("known", "missing", "missing"),
    }
    assert set(table["SUVmax, baseline"]) == {"missing"}
    # Among patterns of as many patients the most complete comes first.
    assert set(table.loc[1]) == {"known", "missing"}
    assert (table.loc[1] == "known").sum() == 3


def test_rare_patterns_that_do_not_fit_are_counted_below():
    columns = {
        column: [1.0 if (i % 32) >> bit & 1 else np.nan for i in range(40)]
        for bit, column in enumerate(("captem_cycles", "suvmax_pre", "suvmax_post", "ssa_pre"))
    } | {"interval_therapy": [None if i % 32 < 16 else "none" for i in range(40)]}
    known = diagnostics_missing.data(patients(**columns))
    assert known["pattern"].max() == 32
    base = rows("diagnostics")
    found = pd.concat([base[base["panel"].ne("known")], known.assign(panel="known")])
    for width in PROFILES:
        fig = style.framed(diagnostics, found, profile(width), "recorded")
        assert faults(fig) == []
    ax = axes(drawn(found))["known"]
    shown = len({place for place, _ in cells(ax)})
    assert 5 < shown < 32
    counts = known.drop_duplicates("pattern")["patients"].tolist()
    rest = counts[shown:]
    assert ax.get_xlabel() == f"{len(rest)} rarer patterns ({sum(rest)} patients) not drawn"
    assert sum(counts) == 40


@pytest.mark.parametrize("n", [1, 5])
def test_panels_of_a_model_that_is_refused_say_why(n):
    found = rows("diagnostics", n)
    for name in PANELS[:3]:
        (row,) = part(name, found).to_dict("records")
        assert row["reason"] == f"the primary model was not fitted: {record(n)['reason']}"
    fig = figure("diagnostics", n)
    said = [text.replace("\n", " ") for text in words(fig)]
    assert sum(record(n)["reason"] in text for text in said) == 3
    assert f"d   What is known of the patients (n = {n})" in said


def made(found=None, **changes):
    """The rows of the example, its record changed."""
    told = json.loads(json.dumps(record())) | (found or {})
    told["diagnostics"] |= changes
    return diagnostics.data(told, study(60).patients, study(60).statistics)


def test_the_file_of_the_model_holds_all_that_is_drawn(tmp_path):
    write_json(tmp_path / "model.json", record())
    told = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    again = diagnostics.data(told, study(60).patients, study(60).statistics)
    pd.testing.assert_frame_equal(again, rows("diagnostics"))


def test_an_interval_without_an_end_goes_on_as_a_triangle():
    look = {
        "cuts": [
            {"cut": "score > 0", "patients": 50, "above": 40, "left_open": 0,
             "status": "unstable", "reason": "the likelihood never falls far enough",
             "odds_ratios": {"log2_mib1": {"estimate": 3.0, "conf_low": 0.001, "conf_high": None}}},
            {"cut": "score > 1", "patients": 50, "above": 4, "left_open": 0,
             "status": "not_estimable", "reason": "too few"},
        ]
    }  # fmt: skip
    found = made(proportional_odds=look)
    (cut,) = part("cuts", found).query("label == 'score > 0'").to_dict("records")
    assert cut["conf_high"] == np.inf
    fig = drawn(found)
    assert faults(fig) == []
    ax = axes(fig)["cuts"]
    low, high = ax.get_ylim()
    ends = {
        line.get_marker(): line.get_ydata()[0] for line in ax.lines if line.get_marker() in "^v"
    }
    assert ends == {"v": low, "^": high}
    (bar,) = (line for line in ax.lines if list(line.get_xdata()) == [0, 0])
    assert list(bar.get_ydata()) == [low, high]


def test_one_cut_leaves_nothing_to_compare():
    cuts = record()["diagnostics"]["proportional_odds"]["cuts"][:1]
    found = made(proportional_odds={"cuts": cuts})
    assert "one cut" in part("cuts", found)["reason"].iloc[0]
    fig = drawn(found)
    assert faults(fig) == []
    assert any("nothing to compare" in text.replace("\n", " ") for text in words(fig))


def test_refits_without_an_estimate_are_counted():
    told = json.loads(json.dumps(record()["diagnostics"]["influence"]))
    without = told["terms"]["log2_mib1"]["without"]
    without[3]["ratio"] = without[7]["ratio"] = None
    fig = drawn(made(influence=told))
    (points,) = (line for line in axes(fig)["influence"].lines if line.get_marker() == "o")
    assert len(points.get_xdata()) == len(without) - 2
    assert any("none in 2" in text for text in words(fig))
    for one in without:
        one["ratio"] = None
    found = made(influence=told)
    assert part("influence", found)["reason"].tolist() == [
        "without any one patient there is no estimate"
    ]
    # The other panels stand.
    assert len(part("residuals", found)) == len(part("residuals"))


def test_without_groups_there_are_no_bars():
    found = made(residual_means=[])
    fig = drawn(found)
    ax = axes(fig)["residuals"]
    assert [line for line in ax.lines if list(line.get_xdata()) != [0, 1]] == []
    assert "mean of a group" not in words(fig)
    assert "mean of a group" in words(figure("diagnostics"))


def test_panels_stand_two_by_two_where_there_is_room():
    for name in PROFILES:
        fig = figure("diagnostics", 60, name)
        fig.draw_without_rendering()
        left = {bool(ax.get_window_extent().x0 > fig.bbox.width / 2) for ax in fig.axes}
        assert len(left) == (1 if name == "single_column" else 2)
        assert fig.get_size_inches()[1] * 25.4 <= profile(name).tallest_mm + 1e-6


def test_every_panel_names_its_letter_and_its_patients():
    said = words(figure("diagnostics"))
    n = int(reported()["n_patients"])
    for letter, count in zip("abcd", (n, n, n, 60), strict=True):
        assert any(
            text.startswith(f"{letter}   ") and text.endswith(f"(n = {count})") for text in said
        )


def test_the_rows_hold_codes_of_patients_where_they_are_of_patients():
    found = figure_rows.as_written(rows("diagnostics"))
    assert list(found.columns) == list(diagnostics.COLUMNS)
    assert part("known", found)["patient_id"].isna().all()
    assert part("cuts", found)["patient_id"].isna().all()
    codes = {one["patient"] for one in record()["diagnostics"]["residuals"]}
    for name in ("residuals", "influence"):
        assert set(part(name, found)["patient_id"].dropna()) == codes


def test_a_ratio_axis_always_shows_no_association():
    fig = drawn(rows("diagnostics"))
    for name in ("cuts", "influence"):
        low, high = axes(fig)[name].get_ylim()
        assert low < 1 < high


def test_estimates_beyond_any_usual_axis_are_drawn_where_they_are():
    found = rows("diagnostics")
    of_ratios = found["panel"].isin(["cuts", "influence"])
    for name in ("estimate", "conf_low", "conf_high"):
        found.loc[of_ratios, name] *= 2000
    drawn = style.framed(diagnostics, found, profile(), "recorded")
    for letter, panel in ((0, "cuts"), (2, "influence")):
        ax = drawn.axes[letter]
        low, high = ax.get_ylim()
        shown = found.loc[found["panel"].eq(panel), "estimate"].dropna()
        assert low < shown.min()
        assert shown.max() < high
        points = np.concatenate([c.get_ydata() for c in ax.lines if c.get_marker() == "o"])
        expected = found[found["panel"].eq(panel) & found["label"].ne("whole")]["estimate"].dropna()
        np.testing.assert_allclose(sorted(points), sorted(expected))
        assert not [c for c in ax.lines if c.get_marker() == "v" and panel == "cuts"]
    assert faults(drawn) == []


def test_the_mean_of_a_group_with_one_index_is_seen():
    found = rows("diagnostics")
    group = found["panel"].eq("residuals") & found["patient_id"].isna()
    found.loc[group, "mib1_high"] = found.loc[group, "mib1_low"]
    ax = style.framed(diagnostics, found, profile(), "recorded").axes[1]
    bars = [line for line in ax.lines if line.get_color() == style.DIRECTION_COLOURS["up"]]
    assert len(bars) == group.sum()
    assert all(np.ptp(line.get_xdata()) > 0 for line in bars)
