"""Who holds a folder is said, whether it lives or was killed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest
from captem import holder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.output.lock").write_text("results/a.csv\n")
    return tmp_path


def changed(folder, **values) -> None:
    path = folder / holder.NOTE
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_nothing_is_said_where_nothing_is_locked(tmp_path):
    holder.note(tmp_path, ["all"])
    assert holder.in_words(tmp_path) == ""
    assert holder.in_words(tmp_path / "none") == ""


def test_a_run_that_lives_is_named_with_when_it_began_and_for_what(folder):
    holder.note(folder, ["all", "freeze"])
    said = holder.in_words(folder)
    assert said.startswith(f"Another run holds this folder: process {os.getpid()} on ")
    assert platform.node() in said and "to make all, freeze" in said
    assert "--unlock" not in said


def test_a_run_that_was_killed_is_said_to_be_and_how_to_go_on(folder):
    holder.note(folder, [])
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    changed(folder, pid=ended.pid)
    said = holder.in_words(folder)
    assert said.startswith("The last run here was stopped before its end: process")
    assert "to make all" in said and "snakemake --unlock" in said


def test_a_number_that_another_process_has_by_now_is_not_taken_for_the_run(folder):
    holder.note(folder, [])
    changed(folder, born="1")
    assert "was stopped before its end" in holder.in_words(folder)


def test_of_another_machine_nobody_here_knows_whether_it_lives(folder):
    holder.note(folder, [])
    changed(folder, host="elsewhere", user="")
    said = holder.in_words(folder)
    assert "on elsewhere" in said and "If you know that it is no longer at work" in said


@pytest.mark.parametrize("text", [None, "{half"])
def test_without_a_note_the_lock_says_since_when(folder, text):
    if text:
        (folder / holder.NOTE).write_text(text)
    assert holder.in_words(folder).startswith("A run holds this folder since ")
