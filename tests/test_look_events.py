"""Looks stand in the chain before their result does, and later ones are held against them."""

from __future__ import annotations

from pathlib import Path

import pytest
from captem import chain, look_events, plan
from captem.cuts import Cut
from captem.errors import CaptemError
from plans import made

CUT = "2026-08-01"


def seen(cut: str = CUT, patients: int = 10, data: str = "a", **reading: str) -> look_events.Seen:
    """Data of a run; other `data` are other tables of the same path."""
    return look_events.Seen(
        cut, patients, data, {"prospective": patients + 2},
        {"prospective": {"p.csv": data * 64}}, reading or {"prospective": "as planned"},
    )  # fmt: skip


def begun(folder: Path, *versions: dict) -> Path:
    for number, version in enumerate(versions or (made(),)):
        plan.lock(folder, version, "0" * 64, {"prospective": 0}, {}, "wiser" if number else "")
    return folder / chain.FOLDER


def frozen(folder: Path, name: str, n: int, look: int = 1) -> Cut:
    chain.append(folder / chain.FOLDER, chain.FREEZE, {"cut": name}, name=name)
    there = folder / "cuts" / name
    (there / "plan").mkdir(parents=True)
    (there / "plan/looks.csv").write_text(
        f"question,status,n_patients\nchange,taken,3\nmodel,this cut,1\nchange,this cut,{n}\n"
    )
    return Cut(name, there, {"config": {"plan": {"look": look}}})


def test_a_look_is_written_down_once(tmp_path):
    events = begun(tmp_path)
    for _ in range(2):
        look_events.note(events, 1, seen())
    entries = chain.checked(events)
    assert [entry.event for entry in entries] == ["lock_plan", "look"]
    assert (
        chain.in_words(entries[1]) == f"look 1 taken: data cut {CUT}, 10 patients with both scans"
    )
    assert look_events.taken(entries, CUT, []) == []


def test_looks_at_other_cuts_are_known_with_what_they_had(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, seen("2026-05-01"))
    cuts = [frozen(tmp_path, "2026-05-01", 11)]
    look_events.note(events, 2, seen("2026-06-01"))
    told = look_events.taken(chain.checked(events), CUT, cuts)
    assert told == [
        {"look": 1, "cut": "2026-05-01", "frozen": True, "patients": 11,
         "same": ["change", "model"]},
        {"look": 2, "cut": "2026-06-01", "frozen": False, "patients": 10,
         "same": ["change", "model"]},
    ]  # fmt: skip


def test_a_look_at_another_question_says_so(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, seen("2026-05-01"))
    begun(tmp_path, made(), made(outcome="suvmax"))
    (told,) = look_events.taken(chain.checked(events), CUT, [])
    assert told["same"] == ["model"]


def test_a_frozen_cut_knows_only_what_had_happened_then(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, seen("2026-05-01"))
    cuts = [frozen(tmp_path, "2026-05-01", 11)]
    begun(tmp_path, made(), made(follow_up="first"))
    look_events.note(events, 2, seen())
    entries = chain.checked(events)
    then = look_events.history(entries, "2026-05-01")
    assert plan.locked(then).version == 1 and plan.locked(entries).version == 2
    assert look_events.taken(then, "2026-05-01", cuts) == []
    assert look_events.history(entries, CUT) == entries


@pytest.mark.parametrize(
    ("asked", "why"),
    [(1, ""), (2, "this data cut was taken as look 1 on "), (3, "taken as look 1")],
)
def test_a_cut_stays_the_look_it_was(tmp_path, asked, why):
    events = begun(tmp_path)
    look_events.note(events, 1, seen())
    said = look_events.otherwise(chain.checked(events), CUT, asked, [])
    assert why in said and bool(said) == bool(why)


def test_a_cut_that_was_frozen_as_no_look_becomes_none(tmp_path):
    begun(tmp_path)
    cut = frozen(tmp_path, CUT, 11, look=0)
    assert look_events.otherwise([], CUT, 1, [cut]) == "this data cut was frozen as no look"
    assert look_events.otherwise([], "2026-11-01", 1, [cut]) == ""


def test_a_look_that_is_not_frozen_is_said():
    now = {"status": "this cut", "look": "2", "crossed": "no"}
    looks = [{"status": "taken", "look": "1"}, now, {"status": "ahead", "look": "3"}]
    said = look_events.reminder(False, looks)
    assert "This data cut is look 2 of the plan" in said and "make freeze" in said
    assert "no later look counts" in said
    assert "no later look" not in look_events.reminder(False, looks[:2])
    assert look_events.reminder(True, looks) == look_events.reminder(False, looks[:1]) == ""
    assert look_events.reminder(False, [now | {"crossed": "not tested"}]) == ""


def test_other_data_at_the_same_look_are_written_down_and_said(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, seen())
    look_events.note(events, 1, seen(data="b"))
    look_events.note(events, 1, seen())
    entries = chain.checked(events)
    assert [entry.details["data"] for entry in entries[1:]] == ["a", "b"]
    (before,) = look_events.before(entries, seen(data="b"), 1)
    assert {**before, "day": ""} == {"look": 1, "cut": CUT, "day": "", "patients": 10}
    assert look_events.before(entries[:2], seen(), 1) == []


def test_results_seen_outside_the_looks_are_written_down_and_are_no_look(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 0, seen("2026-06-01"))
    entries = chain.checked(events)
    assert chain.in_words(entries[-1]).startswith("results seen outside the planned looks")
    assert look_events.taken(entries, CUT, []) == []
    assert look_events.otherwise(entries, "2026-06-01", 1, []) == ""
    assert [event["look"] for event in look_events.before(entries, seen(), 1)] == [0]
    again = look_events.before(entries, seen("2026-06-01"), 1)
    assert [event["look"] for event in again] == [0], "first seen, and called a look behind it"
    assert look_events.before(entries, seen("2026-06-01"), 0) == []


def test_data_that_were_a_look_are_not_written_down_as_none(tmp_path):
    events = begun(tmp_path)
    for number in (0, 1, 0):
        look_events.note(events, number, seen())
    assert [entry.details["look"] for entry in chain.checked(events)[1:]] == [0, 1]


def test_withdrawals_count_from_when_results_were_seen(tmp_path):
    events = begun(tmp_path)
    for _ in range(2):
        chain.append(events, chain.WITHDRAW, {"salt": "s", "digest": "d", "cuts": {}})
        assert look_events.withdrawals(chain.checked(events)) == 0
    look_events.note(events, 1, seen())
    chain.append(events, chain.WITHDRAW, {"salt": "s", "digest": "d", "cuts": {}})
    assert look_events.withdrawals(chain.checked(events)) == 1


def test_of_a_frozen_cut_nothing_is_written_down(tmp_path):
    events = begun(tmp_path)
    frozen(tmp_path, CUT, 10)
    look_events.note(events, 0, seen())
    assert [entry.event for entry in chain.checked(events)] == ["lock_plan", "freeze"]


@pytest.mark.parametrize(
    ("patients", "said"), [(9, ""), (10, ""), (11, "10 patients, and it has 11")]
)
def test_a_look_gets_no_more_patients_once_it_was_seen(tmp_path, patients, said):
    events = begun(tmp_path)
    look_events.note(events, 1, seen())
    now = seen(patients=patients, data="b")
    why = look_events.against(chain.checked(events), now, 1, ["prospective"])
    assert said in why and bool(why) == bool(said)


def test_how_tables_are_read_is_free_until_results_were_seen(tmp_path):
    events = begun(tmp_path)
    other = seen("2026-11-01", prospective="otherwise")
    assert look_events.against(chain.checked(events), other, 1, ["prospective"]) == ""
    look_events.note(events, 0, seen())
    entries = chain.checked(events)
    assert "is another since" in look_events.against(entries, other, 1, ["prospective"])
    assert look_events.against(entries, other, 1, ["another"]) == ""
    assert look_events.against(entries, seen("2026-11-01"), 1, ["prospective"]) == ""
    # A trial in between is no way of no return.
    look_events.note(events, 0, other)
    entries = chain.checked(events)
    assert look_events.against(entries, seen("2026-11-01"), 1, ["prospective"]) == ""
    assert look_events.against(entries, other, 1, ["prospective"])


def test_where_a_table_is_does_not_matter_to_how_it_is_read():
    plain = {"ward": {"sheet": "May", "columns": {"mib1": "Ki67"}, "missing_codes": ["NA"]}}
    first = look_events.reading_of(plain)
    assert first == look_events.reading_of({"ward": plain["ward"] | {"sheet": "June"}})
    assert first != look_events.reading_of({"ward": plain["ward"] | {"missing_codes": []}})


def test_what_was_seen_counts_when_an_amendment_is_locked(tmp_path):
    """A config of headings only, after a look that was not frozen, had data all the same."""
    events = begun(tmp_path)
    look_events.note(events, 1, seen(patients=20))
    look_events.note(events, 1, seen(patients=18, data="b"))
    entries = chain.checked(events)
    assert look_events.rows_by_source(entries, {}) == {"prospective": 22}
    under_another = {"p2": {"p.csv": "0" * 64}, "p3": {"x.csv": "b" * 64}, "p4": {"y.csv": ""}}
    held = look_events.rows_by_source(entries, under_another)
    assert held == {"prospective": 22, "p2": 22, "p3": 20}
    assert look_events.largest(entries) == (1, 20)
    held = look_events.tables(entries, {"prospective": {"empty.csv": "0" * 64}})
    assert set(held["prospective"].values()) == {"0" * 64, "a" * 64, "b" * 64}


@pytest.mark.parametrize("patients", [[30], [10, 15]])
def test_an_amendment_goes_on_from_the_looks_that_were_taken(patients):
    amended = made(looks={"patients": patients})
    with pytest.raises(CaptemError, match="look 2 was taken with 20 patients"):
        plan.check_looks(amended, (2, 20), "my_plan.yaml")
    plan.check_looks(made(looks={"patients": [10, 20]}), (2, 20), "my_plan.yaml")
    plan.check_looks(amended, (0, 0), "my_plan.yaml")
