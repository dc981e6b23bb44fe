"""The summary page says what `statistics.csv` says, loads nothing, and shows no patient."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import jinja2
import pandas as pd
import pytest
from captem import rounding, statistics, summary
from captem.summary import Figure
from captem.wording import ALTERNATIVE_WORDS
from studies import ROOT, Study, analysed, shipped, without_patients

TEMPLATE = (ROOT / "workflow" / "report" / "summary.html.jinja").read_text(encoding="utf-8")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="240.9pt" height="100pt"></svg>'
FIGURE = Figure("paired", "Most patients moved up", SVG, "SUVmax & scores.", "Lines going up.")
PROVENANCE = {"study": "s", "captem": "0.1.0", "inputs": {"patients.csv": "ab" * 32}}
CRITERION = {"threshold": 3, "rule": "most"}


def _page(study: Study, /, template: str = TEMPLATE, **changed) -> str:
    given = {
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
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        found = dict(attrs)
        self.addresses += [found[name] for name in ("href", "src") if name in found]
        self.names += [found["id"]] if "id" in found else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _numbers_of(frame: pd.DataFrame) -> set[str]:
    """Return every number that a sentence may print, from the rows alone."""
    found = set()
    for row in frame.to_dict("records"):
        n, events = row["n_patients"], row["n_events"]
        found |= {str(value) for value in (n, events) if pd.notna(value)}
        if pd.notna(n) and pd.notna(events) and n:
            found.add(rounding.percent(int(events), int(n)))
        if pd.notna(row["conf_level"]):
            found.add(rounding.level(row["conf_level"]))
            ends = (row["conf_low"], row["conf_high"])
            text = rounding.percent_interval(*ends, int(n)) + " " + rounding.interval(*ends)
            found |= set(re.findall(r"[\d.]+%?", text))
        if pd.notna(row["estimate"]):
            value = row["estimate"]
            shown = [value, row["conf_low"], row["conf_high"]]
            found |= {rounding.fixed(abs(v), places) for v in shown if pd.notna(v)
                      for places in (0, 1, 2) if math.isfinite(v)}  # fmt: skip
            found.add(rounding.number(value))
            if row["analysis"] == "transition.net_improvement":
                more = round(value * n)
                found |= {str(more), rounding.percent(more, int(n))}
            found.add(f"{rounding.fixed(100 * value, 0)}%")
        if pd.notna(row["p_value"]):
            found |= set(re.findall(r"[\d.]+", rounding.p_value(row["p_value"])))
        found |= set(re.findall(r"(?<=reliability_)[\d.]+", str(row["term"])))
    # The level of the tests, as in "P <= .05".
    return found | {".05"}


def test_every_number_of_the_answer_is_a_row_of_statistics(study: Study) -> None:
    allowed = _numbers_of(study.statistics)
    for sentence in summary.answer(study.statistics):
        words = sentence.replace("MIB1", "")
        numbers = {text.rstrip(".") for text in re.findall(r"\.?\d[\d.]*%?", words)}
        assert numbers <= allowed


def test_the_answer_of_the_example(synthetic: Study) -> None:
    said = summary.answer(synthetic.statistics)
    assert said[0] == (
        "Of 60 patients, 54 were scanned again and scored at both scans. In 29 uptake rose (54%; "
        "95% CI 41% to 68%), in 20 it stayed the same, in 3 it fell and in 2 the scores leave it "
        "open. Net: 26 of 54 (48%; 95% CI 28% to 64%; P < .001). SUVmax was 1.66 times that of "
        "baseline (95% CI 1.46 to 1.91; P < .001)."
    )
    assert said[3] == (
        "Of all 42 who did not meet the SSTR criterion before, 12 met it after "
        "(29%; 95% CI 17% to 46%); in 1 the scores leave it open, and the interval allows for it."
    )
    # What may be claimed comes before what is exploratory.
    assert "planned ahead" in said[1] and "22" in said[1]
    # Beside the primary result: what would have come without any effect.
    assert said[2].startswith(
        "Had the treatment done nothing in the patients of these sources, noise"
    )
    assert (
        "0.08 to 0.32 steps (95% of such studies: -0.27 to 0.82; observed: 0.64 to 0.68)" in said[2]
    )
    assert "here 4 by their own scores, which noise alone may give" in said[2]
    assert "assumes that the patients screened had each score equally often" in said[2]


def test_the_answer_follows_the_statistics(synthetic: Study) -> None:
    frame = synthetic.statistics.copy()
    frame.loc[frame["row_id"].eq("criterion.gained/criterion/all"), "n_events"] = 7
    assert "before, 7 met it after (17%" in summary.answer(frame)[3]


def test_the_first_screen_names_no_method(study: Study) -> None:
    said = " ".join(summary.answer(study.statistics))
    said += " ".join(caveat.text for caveat in summary.caveats(study.statistics))
    for name in ("Wilson", "McNemar", "sign test", "likelihood", "regression model", "HC3"):
        assert name.lower() not in said.lower()


def test_one_patient_is_described_and_nothing_inferred() -> None:
    said = summary.answer(shipped("published_case").statistics)
    assert said == [
        "One patient is reported: uptake rose. The SSTR criterion was not met before and was met "
        "after.",
        "Nothing can be inferred from one patient about others.",
    ]


def test_no_patient_is_said_so() -> None:
    nobody = without_patients()
    assert summary.answer(nobody.statistics) == [
        "No patient is recorded yet, so there is nothing to report."
    ]
    empty = statistics.frame([])
    assert summary.answer(empty) and summary.caveats(empty) == []
    assert "No patient is recorded yet" in _page(nobody, statistics=empty, tables=[])


def test_patients_without_a_second_scan_only() -> None:
    frame = statistics.frame(
        [statistics.row("describe.patients", "characteristics", "all", "proportion",
                        n_patients=4, n_events=4, estimate=1.0)]
    )  # fmt: skip
    assert "none has a Krenning score at both scans" in summary.answer(frame)[0]


def test_the_caveats_are_those_of_the_cohort(synthetic: Study) -> None:
    found = {caveat.head: caveat for caveat in summary.caveats(synthetic.statistics)}
    assert "PRRT in 4 and embolisation in 3" in found["Other treatment between the scans"].text
    assert found["Not everyone was scored twice"].n == 6
    assert found["Somatostatin analogue changed"].n == 7
    assert found["Patients with low uptake"].n == 42
    assert "A single arm does not show a drug effect." in found["One group only"].text
    assert "necessary for PRRT and not sufficient" in found["Uptake is not benefit"].text
    assert "Not recorded" not in found and "Very few patients" not in found


def test_what_was_never_recorded_is_a_caveat() -> None:
    found = {
        caveat.head: caveat for caveat in summary.caveats(shipped("published_case").statistics)
    }
    assert "other treatment between the scans" in found["Not recorded"].text
    assert "Other treatment between the scans" not in found
    assert found["Exploratory"].n == 1 and "Very few patients" in found


def test_a_caveat_goes_when_its_count_is_zero(synthetic: Study) -> None:
    frame = synthetic.statistics.copy()
    frame.loc[frame["analysis"].eq("describe.scanner_changed"), "n_events"] = 0
    assert "Scanner changed" not in {caveat.head for caveat in summary.caveats(frame)}


def test_the_page_is_whole_and_loads_nothing(study: Study) -> None:
    page = _Reader(_page(study))
    assert page.open == []
    assert len(page.names) == len(set(page.names))
    for address in page.addresses:
        assert address.startswith(("#", "data:image/svg+xml;base64,"))
        assert not address.startswith("#") or address[1:] in page.names
    assert "<script" not in _page(study) and "http" not in _page(study).replace("http-equiv", "")


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
    banner = page[page.index('class="banner"') :].split("</div>")[0]
    assert "Synthetic data: every value is invented." in banner
    assert "Most patients moved up (synthetic data)" in page
    assert "Table 1. Characteristics of the patients (synthetic data)" in page
    text = " ".join(_Reader(page).text.split())
    assert "mib1_median = 9.0" in text and "All of it is invented." in text
    recorded = _page(shipped("published_case"))
    assert 'class="banner"' not in recorded and "synthetic" not in recorded.lower()


def test_every_unanswered_question_is_listed(study: Study) -> None:
    groups = summary.unanswered(study.statistics)
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
    table = summary.flow_table(flow)
    shown = [row.cells[1:] for row in table.rows if not row.heading]
    expected = [(str(n), str(k)) for n, k in zip(flow["n"], flow["n_lesions"], strict=True)]
    assert shown == expected


def test_repairs_are_counted_by_rule(synthetic: Study) -> None:
    repairs = synthetic.cohort.repairs
    table = summary.counted(repairs, "repairs", "Repairs")
    assert sum(int(row.cells[1]) for row in table.rows) == len(repairs)
    assert len(table.rows) == repairs["rule"].nunique()


def test_figures_are_embedded_with_alt_text(synthetic: Study) -> None:
    page = _page(synthetic)
    assert 'alt="Lines going up."' in page and "SUV<sub>max</sub> &amp; scores." in page
    assert "--printed: 240.9pt" in page
    assert "Figures</a>" not in _page(synthetic, figures=[])


def test_text_from_outside_is_escaped(synthetic: Study) -> None:
    sources = synthetic.sources.assign(note="<script>alert(1)</script>")
    page = _page(synthetic, study="<b>x</b>", sources=sources)
    assert "<script>" not in page and "<b>x</b>" not in page


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
    assert ("no liver value", ["New thing: a_b (all patients)"]) in summary.unanswered(frame)
    low = next(c for c in summary.caveats(frame) if c.head == "Patients with low uptake")
    assert "not yet quantified" not in low.text
    _page(synthetic, statistics=frame)
