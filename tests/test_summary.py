"""The summary page says what `statistics.csv` says, loads nothing, and shows no patient."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import jinja2
import pandas as pd
import pytest
from captem import statistics, summary, summary_lists
from captem.summary import Figure
from captem.wording import ALTERNATIVE_WORDS
from studies import ROOT, Study, analysed, shipped, without_patients

REPORT = ROOT / "workflow" / "report"
TEMPLATE = (REPORT / "summary.html.jinja").read_text(encoding="utf-8")
SCRIPT = (REPORT / "summary.js").read_text(encoding="utf-8")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="240.9pt" height="100pt"></svg>'
FIGURE = Figure(
    "paired_slopes", "Most patients moved up", SVG, "SUVmax & scores.", "Lines going up."
)
PROVENANCE = {"study": "s", "captem": "0.1.0", "inputs": {"patients.csv": "ab" * 32}}
CRITERION = {"threshold": 3, "rule": "most"}


def _page(study: Study, /, template: str = TEMPLATE, **changed) -> str:
    given = {
        "script": SCRIPT,
        "study": "my study",
        "cut": "2026-11-01",
        "statistics": study.statistics,
        "flow": study.cohort.flow,
        "sources": study.sources,
        "problems": study.cohort.problem_frame(),
        "repairs": study.cohort.repairs,
        "tables": study.tables(),
        "figures": [FIGURE],
        "provenance": PROVENANCE,
        "criterion": CRITERION,
    }
    return summary.render(template, **(given | changed))


class _Reader(HTMLParser):
    """Collects the tags that are open at the end, what is referred to, and the text."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)
        found = dict(attrs)
        self.addresses += [found[name] for name in ("href", "src") if name in found]
        self.names += [found["id"]] if "id" in found else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data


def test_the_page_is_whole_and_loads_nothing(study: Study) -> None:
    page = _Reader(_page(study))
    assert page.open == []
    assert len(page.names) == len(set(page.names))
    for address in page.addresses:
        assert address.startswith(("#", "data:image/svg+xml;base64,"))
        assert not address.startswith("#") or address[1:] in page.names
    text = _page(study)
    assert "http" not in text.replace("http-equiv", "")


def test_only_the_script_of_the_page_may_run(synthetic: Study) -> None:
    page = _page(synthetic)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script == SCRIPT
    assert page.count("<script") == 1 and not re.search(r"\son[a-z]+=", page)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["script-src"] == f"'sha256-{digest}'"


def test_no_patient_is_on_the_page(study: Study) -> None:
    page = _page(study)
    for patient in study.cohort.patients["patient_id"]:
        assert not re.search(rf"\b{re.escape(patient)}\b", page)
    assert "PRRT eligible" not in page and "PRRT-eligible" not in page


def test_an_id_in_a_problem_or_repair_stays_off_the_page(synthetic: Study) -> None:
    """The reader of this test may trust the one above: the frames do hold the ids."""
    assert "R016" in set(synthetic.cohort.repairs["patient_id"])
    problems = pd.DataFrame(
        {"severity": ["error"], "rule": ["out_of_range"], "patient_id": ["R016"], "value": ["912"]}
    )
    page = _page(synthetic, problems=problems)
    assert "R016" not in page and "912" not in page
    assert "Error: value outside what is allowed" in page


def test_the_synthetic_banner_and_words(synthetic: Study) -> None:
    page = _page(synthetic)
    banner = page[page.index('class="banner"') :].split("</aside>")[0]
    assert "Synthetic data: every value is invented." in banner
    assert "Most patients moved up (synthetic data)" in page
    assert "Table 1. Characteristics of the patients (synthetic data)" in page
    text = " ".join(_Reader(page).text.split())
    assert "mib1_median = 9.0" in text and "All of it is invented." in text
    recorded = _page(shipped("published_case"))
    assert 'class="banner"' not in recorded and "synthetic" not in recorded.lower()


def test_a_study_without_a_row_renders() -> None:
    page = _page(without_patients(), statistics=statistics.frame([]), tables=[], figures=[])
    assert "No patient is recorded yet" in page


def test_every_unanswered_question_is_listed(study: Study) -> None:
    groups = summary_lists.unanswered(study.statistics)
    refused = study.statistics[study.statistics["status"].eq("not_estimable")]
    # That nothing explains the gain is an answer.
    refused = refused[refused["term"].ne("tipping")]
    # A question asked again, or answered by another method, is not one more.
    again = refused["analysis"].isin([*ALTERNATIVE_WORDS, "sensitivity.source"])
    beside = refused["row_id"].str.contains("/(?:imputed|bootstrap|permutation|gee)$")
    refused = refused[~again & ~beside]
    assert len(groups) == refused["reason"].nunique()
    page = _Reader(_page(study)).text
    for reason, questions in groups:
        assert questions and reason[1:] in page
        assert all("_" not in question.split(" (")[0] for question in questions)


def test_the_flow_is_the_flow(synthetic: Study) -> None:
    flow = synthetic.cohort.flow
    table = summary_lists.flow_table(flow)
    shown = [row.cells[1:] for row in table.rows if not row.heading]
    expected = [(str(n), str(k)) for n, k in zip(flow["n"], flow["n_lesions"], strict=True)]
    assert shown == expected


def test_repairs_are_counted_by_rule(synthetic: Study) -> None:
    repairs = synthetic.cohort.repairs
    table = summary_lists.counted(repairs, "repairs", "Repairs")
    assert sum(int(row.cells[1]) for row in table.rows) == len(repairs)
    assert len(table.rows) == repairs["rule"].nunique()


def test_figures_are_embedded_with_alt_text(synthetic: Study) -> None:
    page = _page(synthetic)
    assert 'alt="Lines going up."' in page and "SUV<sub>max</sub> &amp; scores." in page
    assert "--printed: 240.9pt" in page
    assert "Figures</a>" not in _page(synthetic, figures=[])
    assert "Uptake rose in 29 of 54 patients, and it rose in 92 of 161 lesions" in page


def test_a_figure_that_is_not_drawn_says_why_and_nothing_else(synthetic: Study) -> None:
    absent = Figure("timeline", "When?", SVG, "Not drawn: no date.", "Not drawn: no date.")
    page = _page(synthetic, figures=[absent])
    assert "Not drawn: no date." in page and 'class="shows"' not in page and "<img" not in page


def test_masked_counts_are_said_to_be_masked(synthetic: Study) -> None:
    flow = synthetic.cohort.flow.copy()
    flow["n"] = flow["n"].astype("Int64")
    flow.loc[1, "n"] = pd.NA
    repairs = pd.DataFrame({"rule": ["roman", "spelling"], "n": [9, None]})
    sources = synthetic.sources.astype({"rows": "Int64"})
    sources.loc[0, "rows"] = pd.NA
    page = _page(synthetic, flow=flow, repairs=repairs, sources=sources)
    text = " ".join(_Reader(page).text.split())
    assert "Left out: row with errorsmasked0" in text
    assert "A Roman numeral9" in text and "Spelling made uniformmasked" in text
    assert "(rows: masked; synthetic)" in text
    assert not re.search(r"\bnan\b", text.lower())
    assert "Small counts are masked" not in text
    frame = synthetic.statistics.copy()
    frame.loc[5, ["status", "reason"]] = ["not_estimable", "masked: a small count"]
    assert "Small counts are masked" in _page(synthetic, statistics=frame)
    said = dict(summary_lists.unanswered(frame))
    assert "masked, as it would show a small count or give one away" in said


def test_the_first_screen_comes_first_and_the_rest_below(synthetic: Study) -> None:
    page = _page(synthetic)
    order = ["What can fool the reader", "On this page", "In more detail", "The other caveats",
             'id="figures"', 'id="tables"', 'id="flow"', 'id="provenance"']  # fmt: skip
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    first, below = page[: places[1]], page[places[2] :]
    warnings = summary.caveats(synthetic.statistics)
    assert all(f"<strong>{caveat.head}.</strong>" in first for caveat in warnings[:3])
    assert all(f"<strong>{caveat.head}.</strong>" in below for caveat in warnings[3:])
    assert first.count("<strong>") == 3 and "The other 7 caveats" in first


def test_a_listing_of_patients_is_called_one(synthetic: Study) -> None:
    assert "no row of a patient" in _page(synthetic)
    tables = [dataclasses.replace(synthetic.tables()[0], name="listing")]
    assert "lists each patient: it is not for anybody outside" in _page(synthetic, tables=tables)


def test_text_from_outside_is_escaped(synthetic: Study) -> None:
    sources = synthetic.sources.assign(note="<script>alert(1)</script>")
    page = _page(synthetic, study="<b>x</b>", sources=sources)
    assert "alert(1)" in page
    assert "<script>alert" not in page and "<b>x</b>" not in page


def test_the_provenance_and_the_criterion_are_shown(synthetic: Study) -> None:
    text = " ".join(_Reader(_page(synthetic)).text.split())
    assert "inputs / patients.csv" in text and "ab" * 32 in text
    assert "a Krenning score of 3 or more, reached by more than half of the lesions" in text
    assert "SSTR criterion met:" not in _page(synthetic, criterion=None)


def test_a_name_that_is_missing_is_an_error(synthetic: Study) -> None:
    with pytest.raises(jinja2.UndefinedError):
        _page(synthetic, template=TEMPLATE + "{{ nothing_of_this_name }}")


def test_the_page_is_the_same_twice(synthetic: Study) -> None:
    assert _page(synthetic) == _page(analysed(shipped("config").settings))


def test_unknown_rows_break_nothing(synthetic: Study) -> None:
    extra = statistics.frame(
        [
            statistics.row("bias.regression_to_mean", "krenning", "all", "gain", estimate=0.2),
            statistics.row("sensitivity.new_thing", "krenning", "all", "gain", term="a_b",
                           **statistics.not_estimable("no liver value")),
        ]
    )  # fmt: skip
    frame = statistics.combine([synthetic.statistics, extra])
    assert ("no liver value", ["New thing: a_b (all patients)"]) in summary_lists.unanswered(frame)
    _page(synthetic, statistics=frame)
