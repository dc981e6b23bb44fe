"""What identifies a person is dropped and listed; codes are hashed where the config says so."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from captem import identity, marking
from captem.errors import CaptemError
from hypothesis import given
from hypothesis import strategies as st
from test_layout import ingest

KEY = "a key that is long enough"
NAMES = "patient_id,krenning_pre,krenning_post,Surname,Contact,note\n"
SECRETS = ("Testperson", "test.person@example.org", "+49 30 12345678")
TABLE = NAMES + "A1,1,3,Testperson,+49 30 12345678,see test.person@example.org\n"


def everything(found, folder):
    """Return all that is written of a cohort, as text."""
    import io
    import zipfile

    frames = [found.patients, found.lesions, found.repairs, found.eligibility, found.sources,
              found.flow, found.problem_frame()]  # fmt: skip
    text = "".join(frame.to_csv() for frame in frames)
    for book in marking.workbooks(found, [str(folder / "p.csv")]):
        with zipfile.ZipFile(io.BytesIO(book)) as parts:
            text += "".join(
                parts.read(name).decode("utf-8", "replace") for name in parts.namelist()
            )
    return text


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["Maria Muster", "Otto Beispiel"], "names"), (["Muster, Maria"], "names, surname first"),
        (["M. Muster", "O. Beispiel"], "names"), (["00482913", "10293847"], "record numbers"),
        (["a@example.org", "x"], "e-mail addresses"), (["+49 30 1234567"], "telephone numbers"),
        (["A01", "A02"], ""), (["1", "2"], ""), (["NET-0001"], ""), (["Case report"], ""),
        (["P 1", "P 2"], ""), ([""], ""), (["Retro 01"], ""), (["123456"], ""),
    ],
)  # fmt: skip
def test_codes_that_look_like_an_identity(texts, kind):
    assert identity.kind_of_codes(texts) == kind


def test_what_identifies_is_in_no_output(tmp_path):
    found = ingest(tmp_path, TABLE)
    text = everything(found, tmp_path)
    for secret in SECRETS:
        assert secret not in text
    dropped = {p.column for p in found.problems if p.rule == "identity_dropped"}
    assert dropped == {"Surname", "Contact", "note"}
    assert list(found.patients["patient_id"]) == ["A1"]


def test_names_as_codes_stop_the_run_and_are_not_written(tmp_path):
    found = ingest(tmp_path, "patient_id,krenning_pre,krenning_post\nMaria Muster,9,3\n")
    assert {"identity_as_code"} < {p.rule for p in found.problems if p.stops or p.row}
    assert "Muster" not in everything(found, tmp_path)


def test_with_a_key_names_may_be_codes(tmp_path):
    table = "Patient name,krenning_pre,krenning_post\nMaria Muster,9,3\nOtto Beispiel,1,3\n"
    source = {"columns": {"patient_id": "Patient name"}}
    assert "identity_as_code" in {p.rule for p in ingest(tmp_path, table, source=source).problems}
    found = ingest(tmp_path, table, source=source, key=KEY)
    assert {p.rule for p in found.problems} == {"out_of_range"}
    text = everything(found, tmp_path)
    assert "Muster" not in text and "Beispiel" not in text
    codes = list(found.patients["patient_id"])
    assert codes == [identity.hashed(name, KEY) for name in ("Maria Muster", "Otto Beispiel")]
    assert found.problems[0].patient_id == codes[0]


def test_hashes_join_lesions_and_do_not_depend_on_blanks(tmp_path):
    patients = "patient_id,krenning_pre,krenning_post\nA ,1,3\nA,1,3\n"
    lesions = "patient_id,lesion_id,krenning_pre,krenning_post\nA,1,1,3\nB,1,1,3\n"
    found = ingest(tmp_path, patients, lesions, key=KEY)
    assert {p.rule for p in found.problems} == {"duplicate_patient", "unknown_patient"}
    shown = {p.value for p in found.problems}
    assert shown == {identity.hashed("A", KEY), identity.hashed("B", KEY)}


@given(st.text(min_size=1, max_size=10), st.text(min_size=16, max_size=30))
def test_the_hash_is_hmac_sha256(code, key):
    expected = hmac.digest(key.encode(), code.encode(), hashlib.sha256).hex()[:16]
    assert identity.hashed(code, key) == expected


def test_a_missing_or_short_key_is_explained():
    for key in ("", "short"):
        with pytest.raises(CaptemError, match=identity.KEY_VARIABLE):
            identity.fingerprint(key)
    assert identity.fingerprint(KEY) != identity.fingerprint(KEY + "!")
    assert KEY not in identity.fingerprint(KEY)
