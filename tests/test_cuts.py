"""Frozen data cuts: whole, read-only, checked to the byte, and never made again."""

from __future__ import annotations

import json
import stat

import pytest
from captem import chain, cuts
from captem.errors import CaptemError

PATIENTS = b"patient_id,source,captem_end,krenning_pre_low\nA1,ward,2026-01-05,2\nA2,ward,,3\n"
CONFIG = b"study: mine\n"


def provenance(cut: str = "2026-08-01", **changed) -> dict:
    return {
        "study": "mine",
        "cut": cut,
        "inputs": {"p.csv": "1" * 64},
        "config": {"study": "mine", "cut": cut, "seed": 1},
        "code": {"version": "1", "sha256": "2" * 64, "lock": "3" * 64},
        "python": "3.11",
        "packages": {"numpy": "2"},
        "seeds": {},
    } | changed


def files(**changed) -> dict[str, bytes]:
    names = dict.fromkeys(cuts.kept(["flow"]), b"something\n")
    return names | {"cohort/patients.csv": PATIENTS} | {
        name.replace("__", "/").replace("_csv", ".csv"): data for name, data in changed.items()
    }  # fmt: skip


def frozen(folder, *names: str):
    for name in names or ("2026-08-01",):
        cuts.freeze(folder, provenance(name), files(), CONFIG)
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_cut_keeps_what_it_was_made_of_and_what_came_out(tmp_path):
    frozen(tmp_path)
    folder = tmp_path / "cuts/2026-08-01"
    record = json.loads((folder / "cut.json").read_text())
    assert record["sources"] == {"p.csv": "1" * 64}
    assert record["date"] == "2026-08-01"
    assert set(record["files"]) == {*files(), "config.yaml"}
    assert {path: (folder / path).read_bytes() for path in files()} == files()
    assert [cut.name for cut in cuts.check(tmp_path)] == ["2026-08-01"]


def test_a_frozen_cut_is_read_only(tmp_path):
    folder = frozen(tmp_path) / "cuts/2026-08-01"
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o222 for path in [folder, *folder.rglob("*")]}
    assert modes == {0}


def test_the_date_is_the_name_or_the_newest_date_of_the_patients():
    assert cuts.date_of("2026-08-01", PATIENTS) == "2026-08-01"
    assert cuts.date_of("second", PATIENTS) == "2026-01-05"
    assert cuts.date_of("second", b"patient_id\nA1\n") == ""


def test_the_same_cut_again_changes_nothing(tmp_path):
    before = contents(frozen(tmp_path))
    assert "frozen already" in cuts.freeze(tmp_path, provenance(), files(), CONFIG)
    assert contents(tmp_path) == before


def test_the_same_cut_elsewhere_is_the_same_bytes(tmp_path):
    one, two = (frozen(tmp_path / name) / "cuts" for name in ("one", "two"))
    assert [path.read_bytes() for path in sorted(one.rglob("*")) if path.is_file()] == [
        path.read_bytes() for path in sorted(two.rglob("*")) if path.is_file()
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inputs": {"p.csv": "9" * 64}}, "p.csv holds other data than then"),
        ({"inputs": {"q.csv": "1" * 64}}, "q.csv was no source then"),
        ({"config": {"study": "mine", "seed": 2}}, "the setting seed of the config"),
    ],
)
def test_a_frozen_name_with_other_data_is_an_error(tmp_path, changed, said):
    before = contents(frozen(tmp_path))
    with pytest.raises(CaptemError, match="A frozen cut never changes") as raised:
        cuts.freeze(tmp_path, provenance(**changed), files(), CONFIG)
    assert said in str(raised.value)
    assert contents(tmp_path) == before


def test_other_results_of_the_same_data_are_an_error_that_names_the_code(tmp_path):
    frozen(tmp_path)
    other = provenance(code={"version": "2", "sha256": "8" * 64, "lock": "3" * 64})
    changed = files() | {"statistics.csv": b"another"}
    with pytest.raises(CaptemError, match=r"statistics\.csv; captem itself is another version"):
        cuts.freeze(tmp_path, other, changed, CONFIG)
    # Code that gives the same results is no other cut.
    assert "frozen already" in cuts.freeze(tmp_path, other, files(), CONFIG)


@pytest.mark.parametrize("name", ["statistics.csv", "cut.json", "figures/flow.png", "config.yaml"])
def test_a_changed_byte_is_an_error_that_names_it(tmp_path, name):
    path = frozen(tmp_path) / "cuts/2026-08-01" / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CaptemError, match=f"{name} is not what was frozen"):
        cuts.check(tmp_path)


def test_a_file_that_is_gone_or_was_put_there_is_an_error(tmp_path):
    folder = frozen(tmp_path) / "cuts/2026-08-01"
    folder.chmod(0o755)
    (folder / "statistics.csv").unlink()
    (folder / "more.txt").write_text("more")
    with pytest.raises(CaptemError) as raised:
        cuts.check(tmp_path)
    assert "statistics.csv is gone" in str(raised.value)
    assert "more.txt was put there later" in str(raised.value)


def test_a_cut_that_is_gone_is_an_error(tmp_path):
    cuts.remove(frozen(tmp_path) / "cuts/2026-08-01")
    with pytest.raises(CaptemError, match=r"cut\.json is gone"):
        cuts.check(tmp_path)


def test_an_interrupted_freezing_is_done_anew(tmp_path):
    folder = tmp_path / "cuts/2026-08-01"
    cuts.place(folder, {"cut.json": b"{}"})  # killed before the chain had its entry
    (tmp_path / "cuts/.2026-08-01.abc").mkdir()  # killed while it was written
    assert cuts.check(tmp_path) == []
    frozen(tmp_path)
    assert [cut.name for cut in cuts.check(tmp_path)] == ["2026-08-01"]
    assert [path.name for path in (tmp_path / "cuts").iterdir()] == ["2026-08-01"]


def test_what_cannot_be_written_leaves_no_half_cut(tmp_path, monkeypatch):
    frozen(tmp_path)
    before = contents(tmp_path)
    monkeypatch.setattr(cuts, "protect", lambda folder: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        cuts.freeze(tmp_path, provenance("2026-11-01"), files(), CONFIG)
    assert contents(tmp_path) == before
    assert [path.name for path in (tmp_path / "cuts").iterdir()] == ["2026-08-01"]


def test_frozen_cuts_are_in_the_order_of_their_freezing(tmp_path):
    frozen(tmp_path, "second", "first")
    found = cuts.check(tmp_path)
    assert [cut.name for cut in found] == ["second", "first"]
    assert cuts.named(found, "second", "third").name == "second"
    with pytest.raises(CaptemError, match=r"Did you mean second\? Frozen are: second, first"):
        cuts.named(found, "secnd", "third")
    with pytest.raises(CaptemError, match=r"not compared with itself\. Frozen are: second"):
        cuts.named(found, "first", "first")


def test_sources_of_a_frozen_name_are_looked_at_before_anything_runs(tmp_path):
    found = cuts.check(frozen(tmp_path))
    same, other = "1" * 64, "9" * 64
    cuts.check_name(found, "2026-08-01", {"p.csv": same}, ["p.csv"])
    cuts.check_name(found, "2026-08-01", {"moved.csv": same}, ["moved.csv"])
    cuts.check_name(found, "2026-08-01", {}, ["p.csv"])
    cuts.check_name(found, "2026-11-01", {"p.csv": other}, ["p.csv"])
    with pytest.raises(CaptemError, match="Give the new data a name of their own"):
        cuts.check_name(found, "2026-08-01", {"p.csv": other}, ["p.csv"])
    with pytest.raises(
        CaptemError, match=r"q\.csv was no source then\n  - p\.csv was a source then"
    ):
        cuts.check_name(found, "2026-08-01", {"q.csv": other}, ["q.csv"])
    with pytest.raises(CaptemError, match=r"q\.csv was no source then"):
        cuts.check_name(found, "2026-08-01", {"p.csv": same, "q.csv": other}, ["p.csv", "q.csv"])


def test_verify_says_what_it_checked(tmp_path):
    assert "no chain to check" in cuts.verified(tmp_path)
    said = cuts.verified(frozen(tmp_path, "one", "two"))
    assert "2 entries, 2 frozen data cuts" in said
    assert chain.read(tmp_path / "chain")[-1].sha256 in said
