"""Looks stand in the chain before their result does, and later ones are held against them."""

from __future__ import annotations

from pathlib import Path

import pytest
from captem import chain, look_events, plan
from captem.cuts import Cut
from plans import made

CUT = "2026-08-01"


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
        look_events.note(events, 1, CUT)
    entries = chain.checked(events)
    assert [entry.event for entry in entries] == ["lock_plan", "look"]
    assert chain.in_words(entries[1]) == f"look 1 taken at data cut {CUT}"
    assert look_events.taken(entries, CUT, []) == []


def test_looks_at_other_cuts_are_known_with_what_they_had(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, "2026-05-01")
    cuts = [frozen(tmp_path, "2026-05-01", 11)]
    look_events.note(events, 2, "2026-06-01")
    told = look_events.taken(chain.checked(events), CUT, cuts)
    assert told == [
        {"look": 1, "cut": "2026-05-01", "frozen": True, "patients": 11,
         "same": ["change", "model"]},
        {"look": 2, "cut": "2026-06-01", "frozen": False, "patients": None,
         "same": ["change", "model"]},
    ]  # fmt: skip


def test_a_look_at_another_question_says_so(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, "2026-05-01")
    begun(tmp_path, made(), made(outcome="suvmax"))
    (told,) = look_events.taken(chain.checked(events), CUT, [])
    assert told["same"] == ["model"]


def test_a_frozen_cut_knows_only_what_had_happened_then(tmp_path):
    events = begun(tmp_path)
    look_events.note(events, 1, "2026-05-01")
    cuts = [frozen(tmp_path, "2026-05-01", 11)]
    begun(tmp_path, made(), made(follow_up="first"))
    look_events.note(events, 2, CUT)
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
    look_events.note(events, 1, CUT)
    said = look_events.otherwise(chain.checked(events), CUT, asked, [])
    assert why in said and bool(said) == bool(why)


def test_a_cut_that_was_frozen_as_no_look_becomes_none(tmp_path):
    begun(tmp_path)
    cut = frozen(tmp_path, CUT, 11, look=0)
    assert look_events.otherwise([], CUT, 1, [cut]) == "this data cut was frozen as no look"
    assert look_events.otherwise([], "2026-11-01", 1, [cut]) == ""


def test_a_look_that_is_not_frozen_is_said():
    looks = [{"status": "taken", "look": "1"}, {"status": "this cut", "look": "2"}]
    said = look_events.reminder(False, looks)
    assert "This data cut is look 2 of the plan" in said and "make freeze" in said
    assert look_events.reminder(True, looks) == look_events.reminder(False, looks[:1]) == ""
