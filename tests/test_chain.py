"""The chain of events: what is changed, taken out or put in is found."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import itertools
import json
import stat

import pytest
from captem import chain
from captem.errors import CaptemError
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC)


def made(folder, count: int = 3) -> list[chain.Entry]:
    for number in range(count):
        chain.append(
            folder, chain.FREEZE,
            {"cut": f"c{number}", "patients": number, "sha256": "0" * 64},
            name=f"c{number}", now=NOON,
        )  # fmt: skip
    return chain.read(folder)


def test_each_entry_has_the_hash_of_the_one_before_it(tmp_path):
    entries = made(tmp_path)
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert entries[0].previous == ""
    for before, entry in itertools.pairwise(entries):
        assert entry.previous == hashlib.sha256(before.path.read_bytes()).hexdigest()
    assert chain.faults(entries) == []
    assert {entry.at for entry in entries} == {"2026-08-01T12:00:00Z"}


def test_entries_are_read_only_files(tmp_path):
    for entry in made(tmp_path):
        assert stat.S_IMODE(entry.path.stat().st_mode) == 0o444


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_found(tmp_path_factory, which, where, flip):
    folder = tmp_path_factory.mktemp("chain")
    paths = [entry.path for entry in made(folder, 5)]
    data = bytearray(paths[which].read_bytes())
    data[where % len(data)] ^= flip
    paths[which].chmod(0o644)
    paths[which].write_bytes(bytes(data))
    with pytest.raises(CaptemError, match=r"chain"):
        chain.checked(folder)


@pytest.mark.parametrize("which", [0, 1])
def test_an_entry_that_is_taken_out_is_found(tmp_path, which):
    made(tmp_path)[which].path.unlink()
    with pytest.raises(CaptemError, match="taken out"):
        chain.checked(tmp_path)


def test_the_newest_entries_are_held_against_the_log(tmp_path):
    made(tmp_path)[-1].path.unlink()
    with pytest.raises(CaptemError, match="has 3 entries, and 2 are there: the newest are gone"):
        chain.checked(tmp_path)
    (tmp_path / chain.LOG).unlink()
    assert len(chain.checked(tmp_path)) == 2


def test_a_log_that_a_killed_run_did_not_write_or_a_spreadsheet_did_is_no_fault(tmp_path):
    made(tmp_path)
    log = tmp_path / chain.LOG
    text = log.read_text()
    log.write_text("".join(text.splitlines(keepends=True)[:-1]))
    assert len(chain.checked(tmp_path)) == 3
    log.write_text(text.replace(",", ";"))
    assert len(chain.checked(tmp_path)) == 3


def test_a_folder_among_the_entries_is_said(tmp_path):
    made(tmp_path)
    (tmp_path / "0004_look_x.json").mkdir()
    with pytest.raises(CaptemError, match=r"0004_look_x\.json is no entry of the chain"):
        chain.checked(tmp_path)


def test_nothing_is_appended_to_a_broken_chain(tmp_path):
    made(tmp_path)[1].path.unlink()
    there = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CaptemError):
        chain.append(tmp_path, chain.FREEZE, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == there


def test_the_log_is_derived_from_the_entries(tmp_path):
    entries = made(tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / chain.LOG).read_text(encoding="utf-8"))))
    assert [row["sha256"] for row in rows] == [entry.sha256 for entry in entries]
    assert rows[1]["what"] == "data cut c1 frozen: 1 patients"


def test_an_entry_of_another_kind_is_no_entry(tmp_path):
    path = made(tmp_path, 1)[0].path
    path.chmod(0o644)
    path.write_text(json.dumps(["no", "entry"]), encoding="utf-8")
    with pytest.raises(CaptemError, match="is no entry of the chain any more"):
        chain.read(tmp_path)
