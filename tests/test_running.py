"""What a script of a rule does around its work: its log, and errors of the system in words."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from captem.errors import of_system
from captem.files import write_text

SCRIPTS = Path(__file__).parent.parent / "scripts"


def run(log: Path | str, work: str) -> subprocess.CompletedProcess[str]:
    """Run some work under `logged` in a process of its own."""
    lines = [
        "import errno",
        "from captem.errors import CaptemError",
        "from captem.running import logged",
        f"with logged({str(log)!r}):",
        f"    {work}",
    ]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, capture_output=True, text=True,
    )  # fmt: skip


def test_what_is_said_goes_to_the_log(tmp_path):
    done = run(tmp_path / "a.log", "print('said')")
    assert done.returncode == 0 and done.stdout == done.stderr == ""
    assert (tmp_path / "a.log").read_text() == "said\n"


def test_an_error_for_the_researcher_is_its_message_alone(tmp_path):
    done = run(tmp_path / "a.log", "raise CaptemError('Mend row 3.')")
    assert done.returncode == 1
    assert (tmp_path / "a.log").read_text() == "Mend row 3.\n"


def test_what_was_not_foreseen_has_its_traceback_and_a_last_line_in_words(tmp_path):
    done = run(tmp_path / "a.log", "1 / 0")
    text = (tmp_path / "a.log").read_text()
    assert done.returncode == 1 and text.startswith("Traceback")
    assert text.splitlines()[-1].startswith("captem failed in a way it did not foresee: ZeroDiv")


def test_a_full_disk_is_said_in_words_without_a_traceback(tmp_path):
    work = "raise OSError(errno.ENOSPC, 'No space left on device', 'results/a.csv')"
    assert run(tmp_path / "a.log", work).returncode == 1
    text = (tmp_path / "a.log").read_text()
    assert text.startswith("The disk is full, or your share of it is used up: results/a.csv could")
    assert "Traceback" not in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_where_the_log_cannot_hold_it_the_terminal_does():
    done = run("/dev/full", "raise CaptemError('Mend row 3.')")
    assert done.returncode == 1 and done.stderr == "Mend row 3.\n"


def test_a_log_that_cannot_be_opened_is_said_on_the_terminal(tmp_path):
    done = run(tmp_path / "none" / "a.log", "pass")
    assert done.returncode == 1 and "none/a.log" in done.stderr


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_what_may_not_be_written_is_named(number):
    assert of_system(OSError(number, "no", "results/b.csv")).startswith("results/b.csv cannot be")


def test_other_errors_are_no_errors_of_the_disk():
    assert of_system(OSError(errno.ENOENT, "no")) == of_system(ValueError("x")) == ""


def test_a_disk_that_is_full_while_writing_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("before")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError) as raised:
        write_text(path, "after")
    assert str(path) in of_system(raised.value)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "before"
