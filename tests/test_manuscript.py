"""The manuscript: each number is a row's, errors name their line, typed numbers are held to it."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import manuscripts
import pandas as pd
import pytest
from captem import citations, manuscript, manuscript_inputs, manuscript_list, rounding
from captem import manuscript_marks as marks
from captem.errors import CaptemError
from captem.manuscript_blocks import Figure
from manuscripts import NAMES, rendered, said, shipped, study

MIB1 = "model.krenning/krenning/all/log2_mib1"


def row(row_id: str, name: str = "example"):
    table = study(name).statistics
    return table[table["row_id"].eq(row_id)].iloc[0]


def changed(row_id: str, **values):
    """Return the statistics of the example with other values in a row."""
    table = study("example").statistics.copy()
    for column, value in values.items():
        table.loc[table["row_id"].eq(row_id), column] = value
    return table


def refused(text: str, name: str = "example", **options) -> str:
    with pytest.raises(CaptemError) as caught:
        rendered(text, name, **options)
    return str(caught.value)


# Numbers by name


def test_an_odds_ratio_is_printed_with_interval_and_p():
    table = changed(MIB1, estimate=1.84, conf_low=1.02, conf_high=3.31, p_value=0.04)
    text = said('{{ stat("model.krenning", "log2_mib1") }}', statistics=table)
    assert text == "OR 1.84 (95% CI, 1.02 to 3.31; *P* = .04)"
    assert said(f'{{{{ stat("{MIB1}") }}}}', statistics=table) == text


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('share("transition.proportion", "up")', "29/54 (54%)"),
        ('n("transition.proportion", "up")', "54"),
        ('count("transition.proportion", "up")', "29"),
        ('lesions("transition.proportion", "up", outcome="lesion_krenning")', "161"),
        ('stat("transition.proportion", "up")', "29/54 (54%; 95% CI, 41% to 68%)"),
        ('estimate("transition.proportion", "up")', "54%"),
        ('interval("transition.proportion", "up")', "41% to 68%"),
        ('p("transition.signed_rank")', "*P* < .001"),
        ('stat("transition.signed_rank")', "*P* < .001"),
        ('share("transition.proportion", "up", subset="confirmatory")', "12/22 (55%)"),
        ('told("criterion.gained")', "12/42 (29%; 95% CI, 17% to 46%; exploratory)"),
    ],
)
def test_each_part_of_a_row_is_printed_in_ama_style(call, expected):
    assert said(f"{{{{ {call} }}}}") == expected


def test_every_estimate_is_rounded_as_the_tables_round_it():
    table = study("example").statistics
    kept = table[table["status"].ne("not_estimable") & table["estimate"].notna()]
    kept = kept[~kept["estimand"].str.startswith(("proportion", "P of"))]
    text = "\n\n".join(f'{{{{ estimate("{name}") }}}}' for name in kept["row_id"])
    printed = said(text).split("\n\n")
    assert len(printed) == len(kept) > 300
    for one, value in zip(printed, kept["estimate"], strict=True):
        assert re.split(r"[ %]", one)[0] == rounding.number(value)


def test_method_subset_and_outcome_choose_the_row():
    found = rendered('{{ estimate("model.krenning", "log2_mib1", method="maximum_likelihood") }}')
    assert found.traces[0].row_id == f"{MIB1}/maximum_likelihood"
    found = rendered('{{ p("association.mib1", outcome="suvmax") }}')
    assert found.traces[0].row_id == "association.mib1/suvmax/all"
    assert "say which, with outcome= 'krenning' or 'suvmax'" in refused(
        '{{ p("association.mib1") }}'
    )


def test_a_number_that_is_not_estimable_is_refused_or_has_its_reason():
    call = 'stat("agreement.readers", "baseline"{})'
    reason = row("agreement.readers/krenning/all/baseline")["reason"]
    message = refused(f"One.\n\n{{{{ {call.format('')} }}}}")
    assert message.startswith("my.md.jinja, line 3: ")
    assert reason in message
    assert 'The line: {{ stat("agreement.readers", "baseline") }}' in message
    asked = call.format(', otherwise="reason"')
    assert said(f"{{{{ {asked} }}}}") == f"not estimable ({reason})"
    asked = call.format(', otherwise="nobody read twice"')
    assert said(f"{{{{ {asked} }}}}") == "nobody read twice"


def test_what_is_masked_prints_that_it_is():
    empty = dict.fromkeys(("estimate", "conf_low", "conf_high", "n_events", "n_patients"))
    table = changed(
        "transition.proportion/krenning/all/up", status="not_estimable", reason="masked: below 5",
        **empty,
    )  # fmt: skip
    for name in ("stat", "share", "count", "n", "told"):
        assert (
            said(f'{{{{ {name}("transition.proportion", "up") }}}}', statistics=table) == "masked"
        )


# Errors


@pytest.mark.parametrize(
    ("template", "line", "words"),
    [
        ('A.\n\nB {{ stat("model.krenning", "log2_mib") }}', 3, MIB1),
        ('{{ stat(\n  "model.kren",\n  "x") }}', 1, "no row"),
        ("A.\n{{ stat(\n\nB {{ n('x') }}", 2, "not valid"),
        ("A.\n{% if true %}\nB", 2, "not valid"),
        ("A.\n{# B\n\nC", 2, "not valid"),
        ("A.\n\n{{ nothing }}", 3, "'nothing' is undefined"),
        ("A.\n{{ stat }}", 2, "without its brackets"),
        ("A.\n{{ table('model') }}", 2, "models"),
        ("A.\n{{ figure('forrest') }}", 2, "forest"),
        ("A.\n{{ ref('forest') }}", 2, "does not place"),
        ("{{ figure('forest') }}\n\n{{ figure('forest') }}", 3, "already"),
        ("A.\n{% include '/etc/passwd' %}", 2, "cannot be filled in"),
        ("A.\n{{ ''.__class__.__mro__ }}", 2, "unsafe"),
        ("A.\n{{ value('describe.patients', column='n_patients') }}", 2, "for conditions"),
        ("A.\n\n![x](https://example.org/x.png)", 3, "network"),
        ("A.\n\n\ue003", 3, "private use"),
    ],
)
def test_every_error_names_file_and_line(template, line, words):
    message = refused(template)
    assert message.startswith(f"my.md.jinja, line {line}: "), message
    assert words in message
    assert "\n" not in message


def test_citations_are_looked_up_with_their_line():
    source = "One [@sharma2020].\n\nTwo [@sharma2020; @sharma2002, p. 3], a@b.org."
    keys = citations.keys(manuscripts.CITED["bibliography"], "my.bib")
    with pytest.raises(CaptemError, match=r"line 3: my\.bib has no reference 'sharma2002'; .*2020"):
        citations.check_cited(rendered(source).typed(), keys, "my.bib", source, "my.md.jinja")
    mended = source.replace("2002", "2020")
    citations.check_cited(rendered(mended).typed(), keys, "my.bib", mended, "my.md.jinja")


def test_references_and_styles_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(CaptemError, match=r"^my\.bib, line \d+: the references cannot be read"):
        citations.keys("@article{one,\n  author = {Sharma,\n  year = 2020\n}\n", "my.bib")
    with pytest.raises(CaptemError, match=r"^my\.csl, line 2: .* not valid XML"):
        citations.check_style("<style>\n<info></style>", "my.csl")
    with pytest.raises(CaptemError, match=r"^my\.csl, line 1: this is not a citation style"):
        citations.check_style("<html></html>", "my.csl")
    path = tmp_path / "my.md"
    with pytest.raises(CaptemError, match=r"^The template my\.md is not there"):
        citations.read_text(path, "my.md", "The template")
    path.write_bytes(b"One\nTwo \xff\n")
    with pytest.raises(CaptemError, match="is not UTF-8 text, line 2"):
        citations.read_text(path, "my.md", "The template")


@pytest.mark.parametrize("name", ["~$nuscript.docx", ".~lock.manuscript.docx#"])
def test_a_document_that_is_open_is_named(tmp_path, name):
    document = tmp_path / "manuscript.docx"
    manuscript_inputs.refuse_open(document)
    (tmp_path / name).touch()
    with pytest.raises(CaptemError, match="is open in a word processor"):
        manuscript_inputs.refuse_open(document)


def test_a_file_that_cannot_be_written_is_a_sentence():
    with (
        pytest.raises(CaptemError, match=r"manuscript\.docx cannot be written \(.*close it"),
        manuscript_inputs.locked_is_said("manuscript.docx"),
    ):
        raise PermissionError(13, "Permission denied")


# The list of numbers


@pytest.mark.parametrize("name", NAMES)
def test_every_number_by_name_is_listed_with_its_row(name):
    made = shipped(name)
    listed = manuscript.numbers(made, study(name))
    named = listed[listed["kind"].eq(manuscript_list.NAMED)]
    marked = {piece.number for piece in made.typed() if piece.number is not None}
    assert len(named) == len(marked) > 0
    assert set(named["row_id"]) <= set(study(name).statistics["row_id"])
    assert not marks.SIGNS.search(made.text("md"))
    lines = manuscripts.TEMPLATE.splitlines()
    assert all("{{" in lines[line - 1] for line in named["line"])


@pytest.mark.parametrize("name", NAMES)
def test_the_default_template_types_no_result(name):
    listed = manuscript.numbers(shipped(name), study(name))
    assert set(listed["kind"]) <= {manuscript_list.NAMED, manuscript_list.NO_RESULT}


def test_a_changed_statistic_changes_the_text():
    table = changed(MIB1, estimate=7.77)
    text = manuscript.render(
        manuscripts.TEMPLATE, "x", replace(study("example"), statistics=table)
    ).text("md")
    assert "OR 7.77 (" in text
    assert "OR 7.77 (" not in shipped("example").text("md")


@pytest.mark.parametrize(
    ("sentence", "number", "kind"),
    [
        ("Uptake rose in 29/54 (54%).", "29/54 (54%)", "agrees"),
        ("Uptake rose in 29 of 54 patients (54%).", "29 of 54 patients (54%)", "agrees"),
        ("Uptake rose in 29/54 (53%).", "29/54 (53%)", "disagrees"),
        ("Uptake rose in 28/53.", "28/53", "disagrees"),
        ("It was likely (*P* < .001).", "P* < .001", "agrees"),
        ("It was likely (*P* = .0499).", "P* = .0499", "disagrees"),
        ("We had 54 patients.", "54", "agrees"),
        ("We had 57 patients.", "57", "disagrees"),
        ("The odds ratio was 2.28.", "2.28", "agrees"),
        ("The odds ratio was 98.7.", "98.7", "disagrees"),
        ("It was so (95% CI, 41% to 68%).", "41% to 68%", "agrees"),
        ("It was so (95% CI, 42% to 68%).", "42% to 68%", "disagrees"),
        ("In 57% of patients uptake rose.", "57%", "disagrees"),
        ("The MIB1 index was below 3%.", "3%", "not a result"),
        ("Doses of 750 mg/m2 were given.", "750", "not a result"),
        ("Of 116 patients, 21% responded [@ostwal2021].", "116", "not a result"),
    ],
)
def test_a_typed_number_is_held_against_the_results(sentence, number, kind):
    listed = manuscript.numbers(rendered(f"First line.\n\n{sentence}"), study("example"))
    found = listed[listed["text"].eq(number)]
    assert list(found["kind"]) == [kind], listed.to_string()
    assert list(found["line"]) == [3]
    if kind == "disagrees":
        assert "the nearest is" in found["note"].iloc[0]
    if kind == "agrees":
        assert found["row_id"].iloc[0] in set(study("example").statistics["row_id"])


def test_what_holds_digits_and_is_no_number_is_left_alone():
    text = (
        "# Part 54\n\n^68^Ga and 68Ga-DOTATATE, https://x.org/54, `54`, [AUTHOR: 54], 2026-11-01."
    )
    assert manuscript.numbers(rendered(text), study("example")).empty


def test_the_terminal_names_the_line_of_what_disagrees(tmp_path):
    listed = manuscript.numbers(rendered("A.\n\nWe had 57 patients."), study("example"))
    listed.to_csv(tmp_path / "numbers.csv", index=False)
    said_there = manuscript_list.as_text(manuscript_list.read(tmp_path / "numbers.csv"), "my.md")
    assert "0 by name; typed by hand 0 that agree with a result, 1 that disagree" in said_there
    assert "my.md, line 3: '57' is no result of this run; the nearest is" in said_there


# Tables, figures, and what the text says


def test_tables_and_figures_are_numbered_where_they_stand():
    text = said(
        '{{ ref("forest") }}, {{ ref("flow") }}, {{ ref("models") }}\n\n{{ figure("flow") }}\n\n'
        '{{ table("models") }}\n\n{{ figure("forest") }}'
    )
    assert text.startswith("Figure\u00a02, Figure\u00a01, Table\u00a01")
    assert "**Figure 1.** What flow shows, *P* and SUV~max~." in text
    assert "**Table 1. What goes with the value at follow-up (synthetic data)**" in text
    assert "\n| Term | Estimate |" in text


def test_a_figure_and_a_table_of_one_name_are_told_apart():
    both = '{{ figure("sensitivity") }}\n\n{{ table("sensitivity") }}\n\n'
    assert "say which" in refused(both + '{{ ref("sensitivity") }}')
    assert said(both + '{{ ref("sensitivity", "table") }}').endswith("Table\u00a01")


def test_a_figure_that_is_not_drawn_has_its_reason():
    figures = {"flow": Figure("flow", "Not drawn: no patient.", "Not drawn: no patient.")}
    text = said('{{ figure("flow") }}', figures=figures)
    assert text == "**Figure 1.** Not drawn: no patient."


def test_synthetic_data_are_called_so_in_title_and_text():
    text = shipped("example").text("md")
    assert 'title: "Synthetic data: ' in text
    assert "**Synthetic data.** Every value of this study is invented" in text
    assert "ynthetic" not in shipped("published").text("md")


def test_one_patient_is_described_and_nothing_is_inferred():
    text = shipped("published").text("md").partition("# Tables")[0]
    assert "a case description" in text
    assert "In the one patient who was scored at both scans, uptake rose" in text
    assert "*P*" not in text
    assert " CI" not in text


def test_without_follow_up_no_change_is_reported():
    text = shipped("without_follow_up").text("md").partition("# Tables")[0]
    assert "We included 6 patients" in text
    assert "No patient has been scored at both scans" in text
    assert "*P*" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_heading_stands_by_itself(name):
    text = shipped(name).text("md")
    assert not re.search(r"[^\n]\n#", text)
    assert "{{" not in text
    assert "{%" not in text


def test_references_of_the_user_stand_beside_those_that_ship():
    own = (
        "@article{mine2026, author = {Mine, A.}, year = {2026}}\n\n"
        "@article{sharma2020, author = {Other, B.}, year = {2021}}\n"
    )
    both = citations.joined(own, manuscripts.CITED["bibliography"])
    shipped = citations.keys(manuscripts.CITED["bibliography"], "references.bib")
    known = citations.keys(both, "my.bib")
    assert sorted(known) == sorted({"mine2026", *shipped}), "each key once"
    assert "Other, B." in both and "Sharma" not in both


def test_an_infinite_estimate_is_no_number_that_is_typed():
    """A model without the bias reduction has one where the scores are separated."""
    frame = study("example").statistics.copy()
    frame.loc[frame["row_id"].eq(MIB1), ["estimate", "conf_high"]] = math.inf
    table = manuscript.numbers(
        rendered("In 29/54 uptake rose."), replace(study("example"), statistics=frame)
    )
    assert list(table["kind"]) == ["agrees"]


def test_lesions_decide_on_the_criterion_only_where_there_are_some():
    assert "lesions" in said("{{ criterion }}")
    assert said("{{ criterion }}", "without_follow_up") == "a score of 3 or higher"


def test_masked_numbers_of_patients_are_not_taken_for_none():
    frame = study("example").statistics.copy()
    few = frame["analysis"].eq("transition.proportion") | frame["analysis"].eq("describe.patients")
    numbers = ["estimate", "conf_low", "conf_high", "n_patients", "n_events"]
    frame.loc[few, numbers] = pd.NA
    frame.loc[few, ["status", "reason"]] = "not_estimable", "masked: it would show a small count"
    masked = replace(study("example"), statistics=frame)
    text = manuscript.render(manuscripts.TEMPLATE, "my.md.jinja", masked).text("md")
    assert "no change can be reported" not in text and "patients are scanned again" not in text
    assert "Uptake rose in masked" in text
