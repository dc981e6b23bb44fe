"""What a new cut changed: conclusions, where the change comes from, data, worries, and the page."""

from __future__ import annotations

import dataclasses
import io
import math
import re

import docx
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from captem import attribution, changed_data, changed_statistics, comparison, statistics, worries
from captem.attribution import Data
from make_refresh_exports import BEFORE, EXPORTS, exports
from studies import ROOT, Study

ABOUT = comparison.About("mine", "2026-05-01", "2026-08-01", "2026-05-02", "synthetic")
PARTS = ("patients", "lesions", "repairs", "eligibility")


def row(estimate=math.nan, low=math.nan, high=math.nan, **changed):
    given = {"conf_low": low, "conf_high": high, "conf_level": 0.95, "estimate": estimate}
    return statistics.row(
        changed.pop("analysis", "model.krenning"), "krenning", "all",
        changed.pop("estimand", "odds ratio"), term="log2_mib1",
        role=changed.pop("role", "primary"),
        **given, **changed,
    )  # fmt: skip


def flips(old, new) -> str:
    found = changed_statistics.compare(statistics.frame(old), statistics.frame(new))
    return found["flip"].iloc[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (row(2.0, 0.9, 4.4), row(2.2, 1.1, 4.4), "now excludes no effect"),
        (row(2.2, 1.1, 4.4), row(2.0, 0.9, 4.4), "now includes no effect"),
        (row(2.0, 0.9, 4.4), row(2.1, 0.9, 4.6), ""),
        (row(2.0, 1.1, 4.4), row(status="not_estimable", reason="too few"), "no longer be estimat"),
        (row(status="not_estimable", reason="too few"), row(2.0, 1.1, 4.4), "can be estimated now"),
        (row(2.0, 1.1, 4.4), row(2.0, 1.1, 4.4, status="unstable", reason="few"), "unstable now"),
        (row(p_value=0.06, estimand="test"), row(p_value=0.04, estimand="test"), "at most .05"),
        # An interval and a P of other methods may disagree: the interval is the conclusion.
        (row(2.0, 1.1, 4, p_value=0.04), row(2.0, 1.05, 4, p_value=0.06), ""),
        # A share has no value of no effect.
        (row(0.1, 0.0, 0.2, estimand="proportion"), row(0.2, 0.1, 0.3, estimand="proportion"), ""),
    ],
)  # fmt: skip
def test_a_conclusion_that_turns_over(old, new, said):
    found = flips([old], [new])
    assert (said in found) if said else found == ""


def test_the_change_is_in_standard_errors_of_the_old_estimate():
    """A Wald interval gives back the standard error that it was made with, of ratios by logs."""
    error, z = 0.35, 1.959963984540054
    ends = [math.exp(math.log(2) + sign * z * error) for sign in (-1, 1)]
    found = changed_statistics.compare(
        statistics.frame([row(2.0, *ends)]), statistics.frame([row(3.0, 1.5, 6.0)])
    ).iloc[0]
    assert found["change"] == 1.5
    assert found["change_in_se"] == pytest.approx(math.log(1.5) / error, rel=1e-12)


def test_simulated_studies_give_no_standard_error():
    """Their interval is about draws, and not about how much an estimate may move with patients."""
    drawn = row(2.0, 1.5, 3.0, interval_method="2.5th and 97.5th percentile of simulated studies")
    found = changed_statistics.compare(statistics.frame([drawn]), statistics.frame([drawn]))
    assert math.isnan(found["change_in_se"].iloc[0])


@pytest.mark.parametrize("roles", [("primary", "exploratory"), ("exploratory", "primary")])
def test_a_row_has_the_higher_role_of_the_two_cuts(roles):
    old, new = (row(2, 1.1, 4, role=role) for role in roles)
    found = changed_statistics.compare(statistics.frame([old]), statistics.frame([new]))
    assert found["role"].tolist() == ["primary"]


def test_a_turned_result_that_is_unstable_is_said_to_be(found):
    old = [row(2.0, 0.9, 4.4, status="unstable", reason="few")]
    new = [row(2.2, 1.1, 4.4, status="unstable", reason="few")]
    turned = changed_statistics.compare(statistics.frame(old), statistics.frame(new))
    told = comparison.flips_table(dataclasses.replace(found, statistics=turned), ABOUT)
    assert told.rows[0].cells[4] == (
        "the interval now excludes no effect; unstable, so read it as exploratory"
    )


def test_the_page_says_which_looks_the_cuts_were(found):
    about = dataclasses.replace(ABOUT, looks=("The data cut 2026-05-01 was look 1: not crossed.",))
    assert comparison.headline(found, about)[-1] == about.looks[0]


def test_flips_stand_first_and_claims_before_the_rest():
    old = [row(2, 1.1, 4, role="exploratory", analysis="model.suvmax"), row(1.5, 1.2, 1.9),
           row(2, 0.9, 4, analysis="model.criterion", role="secondary")]  # fmt: skip
    new = [row(2, 0.9, 4, role="exploratory", analysis="model.suvmax"), row(9, 5, 12),
           row(2, 1.1, 4, analysis="model.criterion", role="secondary")]  # fmt: skip
    found = changed_statistics.compare(statistics.frame(old), statistics.frame(new))
    assert list(found["analysis"]) == ["model.criterion", "model.suvmax", "model.krenning"]


def test_the_same_statistics_change_nothing(synthetic: Study):
    found = changed_statistics.compare(synthetic.statistics, synthetic.statistics)
    assert len(found) == len(synthetic.statistics)
    assert set(found["flip"]) == {""}
    assert set(found["change"].dropna()) <= {0.0, 1.0}


def cut_of(study: Study, drop=()) -> Data:
    kept = [code for code in study.patients["patient_id"] if code not in drop]
    return Data(study.patients, study.lesions).only(kept)


@pytest.fixture(scope="module")
def shared(synthetic: Study):
    """An older cut with fewer patients, one more, an edited score and another setting."""
    codes = list(synthetic.patients["patient_id"])
    old = cut_of(synthetic, codes[-10:])
    edited = old.patients.copy()
    ends = ["krenning_pre_low", "krenning_pre_high"]
    edited.loc[3, ends] = edited.loc[3, "krenning_pre_low"] % 4 + 1
    more = edited.iloc[[5]].assign(patient_id="GONE")
    old = Data(pd.concat([edited, more], ignore_index=True), old.lesions)
    settings = synthetic.settings | {"mib1_floor": 1.0}
    frozen = attribution.primary_rows(old, settings)
    new = Data(synthetic.patients, synthetic.lesions)
    found = attribution.attribute(
        old, new, frozen, synthetic.statistics, settings, synthetic.settings
    )
    return frozen, found


def test_the_primary_rows_are_those_of_a_whole_run(synthetic: Study):
    """Nothing of a refit is its own: value, interval and status are those of statistics.csv."""
    rows = attribution.primary_rows(
        Data(synthetic.patients, synthetic.lesions), synthetic.settings
    ).set_index("row_id")
    whole = synthetic.statistics.set_index("row_id")
    assert len(rows) > 20
    for column in ("estimate", "conf_low", "conf_high", "n_patients"):
        np.testing.assert_allclose(
            rows[column].to_numpy(dtype=float),
            whole.loc[rows.index, column].to_numpy(dtype=float), rtol=1e-12,
        )  # fmt: skip


def test_the_steps_add_up_to_the_whole_change(shared, synthetic: Study):
    frozen, found = shared
    assert found["row_id"].nunique() == 8  # four estimates, of all and of the confirmatory
    for name, steps in found.groupby("row_id", sort=False):
        by_step = steps.set_index("step")
        assert list(by_step.index) == ["before", *dict(attribution.STEPS), "now"]
        ratio = by_step.loc["now", "estimand"] == "odds ratio"
        parts = by_step.loc[list(dict(attribution.STEPS)), "change"].astype(float)
        whole = parts.prod() if ratio else parts.sum()
        assert whole == pytest.approx(by_step.loc["now", "change"], abs=1e-12)
        then = frozen.set_index("row_id").loc[name, "estimate"]
        now = synthetic.statistics.set_index("row_id").loc[name, "estimate"]
        assert by_step.loc["before", "estimate"] == then
        assert by_step.loc["now", "estimate"] == now
        # What the last step leads to is what the run itself reports.
        assert by_step.loc["added", "estimate"] == pytest.approx(now, rel=1e-12)
    model = found[found["row_id"].str.startswith("model.krenning/krenning/all")]
    assert model.set_index("step").loc["code", "change"] == 1.0


def texts(patients: str, lesions: str = "patient_id,lesion_id\n", repairs: str = "") -> dict:
    heads = "file,sheet,row,patient_id,column,written,read,rule\n"
    return {
        "patients": changed_data.read_texts(io.StringIO(patients)),
        "lesions": changed_data.read_texts(io.StringIO(lesions)),
        "repairs": changed_data.read_texts(io.StringIO(heads + repairs)),
        "eligibility": changed_data.read_texts(
            io.StringIO("patient_id,source,without_errors,left_out_for\n")
        ),
    }


def test_each_cell_has_its_class():
    head = "patient_id,source,mib1_low,mib1_high,krenning_pre,krenning_post,age_years\n"
    old = texts(head + "A,w,7,8,1,,61\nB,w,12,12,2,3,50\nC,w,3,3,1,1,44\n",
                repairs="p.csv,,2,B,mib1,12 %,12,percent_sign\n")  # fmt: skip
    new = texts(head + "A,w,7,7,1,2,62\nB,w,12,12,1,3,50\nD,w,3,3,1,1,44\n")
    found = changed_data.compare(old, new).set_index(["patient_id", "column"])
    said = found[["change", "old", "new"]].apply(tuple, axis=1).to_dict()
    assert said == {
        ("C", ""): ("removed", "", ""),
        ("B", "krenning_pre"): ("changed score", "2", "1"),
        ("A", "age_years"): ("other edit", "61", "62"),
        ("A", "mib1"): ("other edit", "7-8", "7"),
        ("A", "krenning_post"): ("new follow-up", "", "2"),
        ("D", ""): ("added", "", ""),
        ("B", "mib1"): ("typing repair", "12 %", "12"),
    }


def test_who_is_let_in_now_is_said():
    old, new = texts("patient_id\nA\n"), texts("patient_id\nA\n")
    head = "patient_id,source,without_errors,left_out_for\n"
    old["eligibility"] = changed_data.read_texts(io.StringIO(head + "A,w,False,two scores\n"))
    new["eligibility"] = changed_data.read_texts(io.StringIO(head + "A,w,True,\n"))
    (found,) = changed_data.compare(old, new).to_dict("records")
    assert (found["change"], found["old"], found["new"]) == (
        "changed inclusion", "left out: two scores", "included",
    )  # fmt: skip


def frame(**columns) -> Data:
    codes = [f"P{i}" for i in range(len(next(iter(columns.values()))))]
    given = {"patient_id": codes, "source": "ward"} | columns
    return Data(pd.DataFrame(given), pd.DataFrame({"patient_id": [], "lesion_id": []}))


def test_what_should_worry_is_said():
    old = frame(krenning_pre_low=[1, 1, 2], krenning_post_low=[3, None, 2])
    new = frame(krenning_pre_low=[0, 0], krenning_post_low=[3, None])
    head = "patient_id,source,krenning_pre,krenning_post\n"
    changed = changed_data.compare(
        texts(head + "P0,ward,1,3\nP1,ward,1,\nP2,ward,2,2\n"),
        texts(head + "P0,ward,0,3\nP1,ward,0,\n"),
    )
    found = worries.worries(old, new, changed, withdrawn=1).set_index("worry")
    # P1 was edited too, but had no follow-up yet.
    assert found.loc["baseline_edited", "patients"] == "P0"
    assert found.loc["removed", "patients"] == "P2"
    assert "P1" not in found.loc["baseline_edited", "text"]
    assert "1 patient withdrew" in found.loc["withdrawn", "text"]
    assert worries.worries(old, old, changed.head(0)).empty


def test_the_interval_of_a_shift_is_welchs():
    """Against scipy's own interval of the difference of two means."""
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(5)
    then, now = pd.Series(rng.normal(0, 1, 9)), pd.Series(rng.normal(1, 3, 14))
    wanted = ttest_ind(now, then, equal_var=False).confidence_interval()
    moved, low, high = worries.difference(then, now)
    assert (low, high) == pytest.approx((wanted.low, wanted.high), rel=1e-12)
    assert moved == pytest.approx(now.mean() - then.mean())
    assert worries.difference(then.head(2), now) is None
    assert worries.difference(pd.Series([1.0] * 4), pd.Series([1.0] * 5)) is None


@pytest.fixture
def found(shared, synthetic: Study) -> comparison.Comparison:
    frozen, attributed = shared
    head = "patient_id,source,krenning_pre\n"
    data = changed_data.compare(texts(head + "A<b>,ward,1\n"), texts(head + "A<b>,ward,2\n"))
    all_rows = statistics.combine([frozen])
    return comparison.Comparison(
        changed_statistics.compare(all_rows, synthetic.statistics), data, attributed,
        pd.DataFrame([{"worry": "x", "text": "One <i>", "to_do": "Ask.", "patients": ""}]), 1,
    )  # fmt: skip


def page_of(found) -> str:
    report = ROOT / "workflow/report"
    pairs = [comparison.Pair("flow", "Who?", b"<svg>1</svg>", b"<svg>2</svg>"),
             comparison.Pair("forest", "What?", b"<svg/>", b"<svg/>"),
             comparison.Pair("waterfall", "How much?", None, b"<svg/>")]  # fmt: skip
    return comparison.render(
        (report / "compare.html.jinja").read_text(encoding="utf-8"),
        (report / "summary.js").read_text(encoding="utf-8"), found, ABOUT, pairs,
    )  # fmt: skip


def test_the_page_says_it_in_order_and_escapes_what_users_typed(found):
    page = page_of(found)
    assert page == page_of(found)
    places = [page.index(text) for text in ("Conclusions that turned", "What should be looked into",
              "Where the change comes from", "What is other in the data", "Estimates that changed",
              "Figures, then and now")]  # fmt: skip
    assert places == sorted(places)
    assert "A&lt;b&gt;" in page and "A<b>" not in page and "One &lt;i&gt;" in page
    assert page.count('class="pair"') == 2 and "Unchanged: What?" in page
    assert "Not kept in that data cut." in page
    assert "Synthetic data" in page and comparison.PATIENT_LEVEL in page
    assert "Program and withdrawals" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_the_word_document_holds_the_same(found):
    data = comparison.to_docx(found, ABOUT)
    assert data == comparison.to_docx(found, ABOUT)
    document = docx.Document(io.BytesIO(data))
    heads = [part.text for part in document.paragraphs if part.style.name.startswith("Heading")]
    assert heads[0] == "Data cut 2026-08-01 against 2026-05-01: study mine (synthetic data)"
    assert len(document.tables) == 5
    titles = [head for head in heads if not head.startswith("Data cut")]
    assert titles[0].startswith("Conclusions that turned over")


def test_the_word_document_shows_the_figures_that_changed_side_by_side(found):
    png = io.BytesIO()
    plt.imsave(png, np.zeros((4, 6, 3)), format="png")
    pairs = [
        comparison.Pair("flow", "Who?", b"<svg/>", b"<svg />", png.getvalue(), png.getvalue()),
        comparison.Pair("forest", "What?", b"<svg/>", b"<svg/>", png.getvalue(), png.getvalue()),
        comparison.Pair("alluvial", "How?", None, b"<svg/>", None, png.getvalue()),
    ]
    document = docx.Document(io.BytesIO(comparison.to_docx(found, ABOUT, pairs)))
    sides = document.tables[5:]
    assert [len(part._tbl.xpath(".//pic:pic")) for part in sides] == [2, 1]
    assert sides[0].cell(0, 0).text == "2026-05-01" and sides[0].cell(0, 1).text == "2026-08-01"
    assert sides[1].cell(1, 0).text == "not there"
    heads = [part.text for part in document.paragraphs if part.style.name == "Heading 3"]
    assert heads == ["Who?", "How?"]


def test_what_a_withdrawal_did_stands_alone_where_the_program_is_the_same(found):
    same = dataclasses.replace(found, same_program=True)
    table = comparison.attribution_table(same, ABOUT)
    assert "Withdrawals" in table.columns
    assert "theirs alone" in " ".join(table.notes)


def test_how_many_estimates_are_as_before_is_said(found):
    rows = found.statistics
    both = rows[rows["old_status"].ne("") & rows["new_status"].ne("")]
    said = comparison.as_before(found)
    assert said.startswith(f"Of {len(both)} estimates that both cuts have, ")
    assert said in page_of(found)


def test_the_level_of_a_test_is_that_of_the_plan():
    old, new = (row(p_value=p, estimand="test") for p in (0.03, 0.02))
    frames = statistics.frame([old]), statistics.frame([new])
    assert changed_statistics.compare(*frames)["flip"].iloc[0] == ""
    turned = changed_statistics.compare(*frames, 0.025)["flip"].iloc[0]
    assert turned == "P is now at most .025"


def test_the_exports_that_ship_are_those_of_the_program():
    for name, text in exports().items():
        shipped = ROOT / "config/cohorts/refresh" / name
        assert shipped.read_text(encoding="utf-8") == text
    assert {
        path.parent.name for path in (ROOT / "config/cohorts/refresh").glob("*/study.yaml")
    } == {BEFORE, *(cut for cut, _, _ in EXPORTS)}
