"""Withdrawn consent: the patient is nowhere, the rest is as it was, and the chain says so."""

from __future__ import annotations

import pandas as pd
import pytest
from captem import chain, cuts, withdrawal
from captem.errors import CaptemError
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cuts import CONFIG, files, provenance

PATIENTS = b"patient_id,source,mib1_low\nA-01,ward,12\nB-02,ward,9\n"
LESIONS = b'patient_id,lesion_id,note\nA-01,L1,"two\nlines"\nB-02,L1,"a ""note"""\nA-01,L2,\n'
PICTURE = b"<svg><text>a bar for each</text></svg>"


def study(folder):
    for name in ("2026-05-01", "2026-08-01"):
        kept = files() | {
            "cohort/patients.csv": PATIENTS,
            "cohort/lesions.csv": LESIONS,
            "figures/waterfall.svg": PICTURE,
            "figures/waterfall.png": b"\x89PNG",
            "figures/waterfall.csv": b"level,patient_id,change\npatient,A-01,3\npatient,B-02,4\n",
            "figures/flow.txt": b"60 patients; A-01 was scanned late.",
        }
        cuts.freeze(folder, provenance(name), kept, CONFIG)
    (folder / "tables").mkdir()
    (folder / "tables/listing.csv").write_bytes(PATIENTS)
    return folder


def everything(folder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_patient_is_nowhere_and_the_seals_hold(tmp_path):
    said = withdrawal.withdraw(study(tmp_path), ["A-01"])
    assert "2026-05-01, 2026-08-01" in said
    assert b"A-01" not in everything(tmp_path)
    found = cuts.check(tmp_path)
    assert [cut.record["withdrawn"] for cut in found] == [1, 1]
    folder = found[0].folder
    assert (folder / "cohort/patients.csv").read_bytes() == PATIENTS.replace(b"A-01,ward,12\n", b"")
    assert (folder / "cohort/lesions.csv").read_bytes() == (
        b'patient_id,lesion_id,note\nB-02,L1,"a ""note"""\n'
    )
    # What draws each patient is gone, and so is a text that names this one; counts stay.
    assert sorted(path.name for path in (folder / "figures").iterdir()) == [
        "flow.csv", "flow.png", "flow.svg", "waterfall.csv",
    ]  # fmt: skip
    assert (folder / "statistics.csv").read_bytes() == files()["statistics.csv"]
    assert not (tmp_path / "tables").exists()


def test_the_chain_holds_a_digest_and_no_code(tmp_path):
    withdrawal.withdraw(study(tmp_path), ["A-01"])
    entry = chain.checked(tmp_path / "chain")[-1]
    assert entry.event == chain.WITHDRAW
    assert set(entry.details) == {"salt", "digest", "cuts"}
    assert withdrawal.digest(entry.details["salt"], "A-01") == entry.details["digest"]


def test_an_export_that_still_holds_the_patient_is_refused(tmp_path):
    withdrawal.withdraw(study(tmp_path), ["A-01"])
    known = cuts.withdrawn(chain.read(tmp_path / "chain"))
    frame = pd.DataFrame(
        {"patient_id": ["B-02", "A-01"], "_file": "p.xlsx", "_sheet": "PET", "_row": [2, 3]}
    )
    withdrawal.refuse([frame.head(1)], known)
    with pytest.raises(CaptemError, match=r"p\.xlsx, sheet PET, row 3") as raised:
        withdrawal.refuse([frame], known)
    assert "A-01" not in str(raised.value)


def test_a_code_that_nobody_has_changes_nothing(tmp_path):
    before = everything(study(tmp_path))
    with pytest.raises(CaptemError, match="no result of this study holds a patient"):
        withdrawal.withdraw(tmp_path, ["A-1"])
    assert everything(tmp_path) == before
    withdrawal.withdraw(tmp_path, ["A-01"])
    with pytest.raises(CaptemError, match="withdrawn already"):
        withdrawal.withdraw(tmp_path, ["A-01"])


@pytest.mark.parametrize("step", ["place", "remove", "append"])
@pytest.mark.parametrize("time", [1, 2, 3])
def test_an_interrupted_withdrawal_is_finished_by_the_same_call(tmp_path, monkeypatch, step, time):
    study(tmp_path)
    place = chain if step == "append" else cuts
    real, calls = getattr(place, step), []

    def killed(*given, **more):
        calls.append(step)
        if len(calls) == time:
            raise KeyboardInterrupt
        return real(*given, **more)

    monkeypatch.setattr(place, step, killed)
    try:
        withdrawal.withdraw(tmp_path, ["A-01"])
    except KeyboardInterrupt:
        monkeypatch.setattr(place, step, real)
        with pytest.raises(CaptemError, match="was interrupted"):
            cuts.check_none_under_way(tmp_path)
        with pytest.raises(CaptemError, match="another patient"):
            withdrawal.withdraw(tmp_path, ["B-02"])
        withdrawal.withdraw(tmp_path, ["A-01"])
    cuts.check_none_under_way(tmp_path)
    assert b"A-01" not in everything(tmp_path)
    assert b"B-02" in everything(tmp_path)
    assert len(cuts.check(tmp_path)) == 2
    assert sorted(path.name for path in (tmp_path / "cuts").iterdir()) == [
        "2026-05-01", "2026-08-01",
    ]  # fmt: skip


def test_codes_of_digits_cost_no_other_file(tmp_path):
    kept = files() | {"cohort/patients.csv": b"patient_id,mib1_low\n12,3\n3,12\n"}
    cuts.freeze(tmp_path, provenance(), kept, CONFIG)
    withdrawal.withdraw(tmp_path, ["12"])
    (cut,) = cuts.check(tmp_path)
    assert (cut.folder / "cohort/patients.csv").read_bytes() == b"patient_id,mib1_low\n3,12\n"
    assert set(cut.record["files"]) == {*kept, "config.yaml"}


CELLS = st.text(st.sampled_from('ab,"\n '), max_size=5)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["A-01", "B-02"]), CELLS), max_size=6))
def test_the_rows_of_others_stay_as_they_are(rows):
    def written(some):
        return pd.DataFrame(some, columns=["patient_id", "note"]).to_csv(
            index=False, lineterminator="\n"
        )

    data = withdrawal.without_rows(written(rows).encode(), "A-01")
    assert data.decode() == written([row for row in rows if row[0] != "A-01"])
