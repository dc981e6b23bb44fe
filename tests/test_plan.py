"""A plan is read, locked in the chain, and amended with a reason only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from captem import chain, cuts, models, plan, plan_deviations, yaml_text
from captem.errors import CaptemError
from captem.planned_models import CRITERION, KRENNING, SUVMAX
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import DAY, TEXT, locked, made, schema


def lock(folder, text: str = TEXT, reason: str = "", rows=None, **changed) -> str:
    rows = {"retrospective": 36, "prospective": 0} if rows is None else rows
    digest = hashlib.sha256(text.encode()).hexdigest()
    return plan.lock(folder, made(text, **changed), digest, rows, {}, reason, now=DAY)


def test_the_chain_holds_the_plan_its_hash_the_day_and_what_there_was(tmp_path):
    said = lock(tmp_path)
    (entry,) = chain.checked(tmp_path / chain.FOLDER)
    assert entry.path.name == "0001_lock_plan_v1.json"
    assert entry.details["plan"] == made()
    assert entry.details["rows"] == {"retrospective": 36, "prospective": 0}
    assert entry.details["file_sha256"] == hashlib.sha256(TEXT.encode()).hexdigest()
    assert "Version 1 of the plan is locked" in said
    assert "data already: retrospective (36 rows)" in said
    assert "whatever the plan says" not in said
    assert chain.in_words(entry) == "plan locked, version 1"
    assert "plan locked, version 1" in cuts.verified(tmp_path)


def test_a_source_that_should_answer_and_has_data_is_said_to_stay_exploratory(tmp_path):
    said = lock(tmp_path, rows={"prospective": 4})
    assert "prospective should answer the questions, and had data before: everything" in said


def test_the_same_plan_again_writes_nothing(tmp_path):
    lock(tmp_path)
    before = sorted(path.name for path in (tmp_path / "chain").iterdir())
    # Another text of the same content, with a default written out.
    assert "locked already: version 1, since 2022-01-10" in lock(tmp_path, TEXT + "alpha: 0.05\n")
    assert sorted(path.name for path in (tmp_path / "chain").iterdir()) == before


def test_another_plan_needs_a_reason_and_the_message_says_what_is_other(tmp_path):
    lock(tmp_path)
    for reason in ("", "  "):
        with pytest.raises(CaptemError) as raised:
            lock(tmp_path, reason=reason, follow_up="first")
        assert "follow_up: last then, first now" in str(raised.value)
        assert 'lock_plan STUDY=... REASON="..."' in str(raised.value)
    assert len(chain.read(tmp_path / "chain")) == 1
    said = lock(tmp_path, reason="most sites scan once", follow_up="first", rows={"prospective": 3})
    assert "each result that depends on follow_up stays exploratory for it" in said
    assert "To take that back, lock the plan as it was before" in said
    found = plan.locked(chain.checked(tmp_path / "chain"))
    assert found.version == 2 and found.first_day == "2022-01-10"
    assert found.amendments[0]["reason"] == "most sites scan once"
    assert found.amendments[0]["changed"] == "follow_up"


def test_what_an_amendment_left_alone_counts_from_before():
    found = locked(
        made(), made(criterion={"threshold": 2}), rows=[{"prospective": 0}, {"prospective": 7}]
    )
    assert found.since["criterion"] == 2 and found.since["model"] == 1
    assert found.had_rows(["outcome", "model"]) == {}
    assert found.had_rows(["outcome", "criterion"]) == {"prospective": 7}


@pytest.mark.parametrize(("between", "since", "had"), [(5, 1, {}), (0, 3, {"prospective": 9})])
def test_what_came_after_data_is_taken_back_and_what_came_before_counted(between, since, had):
    """A version that was locked after data could claim nothing; one before them could."""
    found = locked(
        made(), made(follow_up="first"), made(),
        rows=[{"prospective": 0}, {"prospective": between}, {"prospective": 9}],
    )  # fmt: skip
    assert found.since["follow_up"] == since
    assert found.had_rows(["follow_up"]) == had


def test_only_sources_that_are_to_answer_matter():
    found = locked(rows=[{"retrospective": 36, "prospective": 0}])
    assert found.had_rows(found.since) == {}


def test_what_the_rules_are_given_is_the_same_plan():
    found = locked(made(), made(alpha=0.1))
    told = json.loads(json.dumps(found.as_params()))
    assert plan.from_params(told) == found


def test_no_plan_where_none_was_locked(tmp_path):
    assert plan.locked(chain.read(tmp_path / "chain")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("outcom: krenning", "unknown key 'outcom': did you mean 'outcome'?"),
        ("outcome: grade", "outcome: 'grade' is not one of krenning, criterion, suvmax"),
        ("looks: {patients: [20, 20]}", "does not rise"),
        ("looks: {patients: []}", "looks.patients"),
        ("looks: {patients: [20], spending: haybittle}", "'haybittle' is not one of"),
        ("alpha: 5", "alpha"),
        ("alpha: .nan", "alpha: nan is not a number"),
        ("confirmatory_sources: [prospectiv]", "the config has no source 'prospectiv'"),
        ("confirmatory_sources: []", "confirmatory_sources"),
        ("model: {name: model.suvmax, terms: [krenning_pre, log2_mib1]}",
         "model.suvmax has log2_suvmax_pre and log2_mib1 in any case"),
        ("model: {name: model.krenning, terms: [log2_mib1, krenning_pre]}", "name these two first"),
        ("model: {name: model.krenning, terms: [krenning_pre, log2_mib1, log2_suvmax_pre]}",
         "name these two first"),
        ("sensitivity: [wishes]", "'wishes' is not one of"),
        ("missing: mean", "'mean' is not one of complete_cases, multiple_imputation"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_plan_is_said_in_words(text, said):
    import yaml

    given_ = yaml.safe_load(TEXT) | yaml.safe_load(text)
    if "outcom" in given_:
        del given_["outcome"]
    with pytest.raises(CaptemError) as raised:
        plan.read(yaml.safe_dump(given_), schema(), "my_plan.yaml", ["prospective"])
    assert str(raised.value).startswith("The plan my_plan.yaml is not right:")
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "outcome: [", "outcome: 'krenning"])
def test_a_file_that_is_no_plan_is_said_to_be_none(text):
    with pytest.raises(
        CaptemError, match=r"The plan my_plan.yaml(, line 1: this is not YAML| holds no keys)"
    ):
        plan.read(text, schema(), "my_plan.yaml", ["prospective"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpha: 0.05\nalpha: 0.1", "line 2: the key alpha stands here and in line 1"),
        ("looks:\n  patients: [5]\n  patients: [9]", "line 3: the key patients stands here"),
        ("2026-01-01: why", "line 1: the key 2026-01-01 is no text; put it in quotation marks"),
        ("? [a, b]\n: c", "line 1: the key is no text"),
        ("1: 2", "the key 1 is no text"),
        ("a: &b c\nd: *b", "& and * stand for other places"),
        ("a: !!binary AAAA", "the tag tag:yaml.org,2002:binary is not needed"),
        ("alpha: 010", "010 is read as another number by YAML"),
        ("a: 0x1f", "0x1f is read as another number"),
        ("[" * 3000, "brackets in brackets without an end"),
    ],
)
def test_what_yaml_passes_over_in_silence_is_an_error(text, said):
    for read in (
        lambda: plan.read(text, schema(), "my.yaml", ["prospective"]),
        lambda: plan_deviations.read(text, "my.yaml"),
    ):
        with pytest.raises(CaptemError, match=r"my\.yaml, line") as raised:
            read()
        assert said in str(raised.value)


@pytest.mark.parametrize("value", ["2026-13-45", "1" * 5000])
def test_a_value_that_is_none_is_said_in_words(value):
    with pytest.raises(CaptemError, match=r"my\.yaml: a value cannot be read"):
        plan_deviations.read(f"a: {value}", "my.yaml")


def test_whole_numbers_are_whole_however_they_are_written():
    found = made(looks={"patients": [10.0, 22.0]})["looks"]["patients"]
    assert found == [10, 22] and all(type(count) is int for count in found)


def test_another_encoding_is_said_with_its_line():
    with pytest.raises(CaptemError, match=r"p\.yaml, line 2: this is not UTF-8"):
        yaml_text.decoded("a: b\nc: ä".encode("latin-1"), "p.yaml")
    assert yaml_text.decoded("\ufeffä: b".encode(), "p.yaml") == "ä: b"


def test_rows_that_were_there_once_count_where_an_export_is_empty(tmp_path):
    lock(tmp_path, rows={"prospective": 7})
    lock(tmp_path, reason="later", follow_up="first", rows={"prospective": 0})
    found = plan.locked(chain.checked(tmp_path / "chain"))
    assert found.had_rows(["follow_up"]) == {"prospective": 7}


def at_lock(**sources) -> plan.Locked:
    rows = {"retrospective": 36, "prospective": 0}
    return replace(locked(rows=[rows]), sources={1: sources})


@pytest.mark.parametrize(
    ("table", "had"),
    [
        ({"new.csv": "bb"}, {}),
        ({"copy.csv": "aa"}, {"prospective": 36}),
        ({"old.csv": "cc"}, {"prospective": 36}),
    ],
)
def test_a_table_of_an_old_source_under_a_planned_name_had_rows(table, had):
    found = at_lock(retrospective={"old.csv": "aa"}, prospective={"empty.csv": "00"})
    now = plan.renamed(found, {"retrospective": {"old.csv": "cd"}, "prospective": table})
    assert now.had_rows(["outcome"]) == had


def test_two_sources_in_one_table_are_not_taken_for_a_copy():
    found = at_lock(retrospective={"one.csv": "aa"}, prospective={"one.csv": "aa"})
    assert plan.renamed(found, {"prospective": {"one.csv": "aa"}}).had_rows(["outcome"]) == {}


def test_what_the_config_has_beside_the_plan_is_locked_with_it(tmp_path):
    settings = {name: name for name in plan.OF_CONFIG} | {
        "sources": [{"name": "a", "patients": "x.csv", "sheet": "S"}]
    }
    kept = plan.of_config(settings)
    assert kept["config.sources"] == {"a": {"sheet": "S"}} and kept["config.noise"] == "noise"
    plan.lock(tmp_path, made() | kept, "0" * 64, {}, {}, now=DAY)
    other = made() | kept | {"config.noise": "louder"}
    with pytest.raises(CaptemError, match=r"config\.noise: noise then, louder now"):
        plan.lock(tmp_path, other, "0" * 64, {}, {}, now=DAY)


def test_a_missing_key_is_named_with_its_meaning():
    with pytest.raises(CaptemError, match=r"'looks' .when the primary question is asked"):
        plan.read("outcome: krenning", schema(), "p.yaml", ["prospective"])


def test_the_base_terms_are_those_of_the_models():
    assert {model.analysis: model.terms for model in (KRENNING, CRITERION, SUVMAX)} == (
        plan.BASE_TERMS
    )
    assert plan.PRIMARY_TERM == models.PRIMARY_TERM


def test_a_file_that_is_not_what_was_locked_is_said():
    found = locked()
    assert plan.file_differs(found, "", None) == ""
    assert plan.file_differs(found, "p.yaml", None) == ""
    assert "is not the file that was locked on 2022-01-10" in plan.file_differs(
        found, "p.yaml", b"other"
    )
    assert "counts for nothing until it is" in plan.file_differs(None, "p.yaml", b"any")
    assert plan.file_differs(None, "", None) == ""


def test_the_terminal_counts_and_asks_for_reasons():
    planned = [{"planned": word} for word in ("planned", "exploratory", "exploratory")]
    deviations = [
        {"name": "follow_up", "planned": "last", "done": "first", "explained": "no"},
        {"name": "x", "planned": "", "done": "this run has no deviation of this name",
         "explained": "of nothing"},
    ]  # fmt: skip
    said = plan.as_text(locked(), planned, deviations, "deviations.yaml", "results/s/plan")
    assert "of 3 results 1 are planned, 2 exploratory, 0 descriptive" in said
    assert "  follow_up: planned last; first" in said and "in deviations.yaml" in said
    assert "gives a reason for x: this run has no deviation of this name" in said
    quiet = plan.as_text(locked(), planned, [], "", "results/s/plan")
    assert quiet.endswith("Nothing was done otherwise than planned.")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["last", "first", "nearest"]), min_size=1, max_size=5))
def test_a_key_counts_since_its_last_change(history):
    distinct = [history[0]]
    for value in history[1:]:
        if value != distinct[-1]:
            distinct.append(value)
    found = locked(*(made(follow_up=value) for value in distinct))
    assert found.since["follow_up"] == found.version == len(distinct)
    assert found.since["outcome"] == 1
