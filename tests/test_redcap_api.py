"""A cohort from a REDCap project: what is asked for, what is refused, and the token nowhere."""

from __future__ import annotations

import json
import logging
import socket
import threading

import pytest
from captem.redcap_api import Export, fetch, token_from
from captem.source_table import NotReadableFile
from redcap_server import FAULTS, SYNTHETIC_DICTIONARY, TOKEN, RedcapServer, field
from redcap_server import synthetic_records as records

SOON = 0.3
WITHHELD = ("synthetic_note", "surname", "called", "home_phone", "reach_by", "consent_scan")
ASKED = [
    "record_id", "patient_id", "sex", "mib1", "prior", "captem_cycles", "lesion_site", "krenning",
    "suvmax",
]  # fmt: skip
BROKEN = "redcap_broken_answer"
RULES = {
    "400": "redcap_refused",
    "401": "redcap_refused",
    "403": "redcap_refused",
    "404": "redcap_url",
    "500": "redcap_failed",
    "503": "redcap_failed",
    "timeout": "redcap_timeout",
    "slow_drip": "redcap_timeout",
    "slow_flood": "redcap_timeout",
    "slow_headers": "redcap_timeout",
    "truncated": BROKEN,
    "truncated_without_length": BROKEN,
    "html": BROKEN,
    "html_403": "redcap_refused",
    "redirect": "redcap_url",
    "echo_token": "redcap_refused",
    "echo_in_pieces": "redcap_refused",
    "error_in_200": "redcap_refused",
    "xml_error": "redcap_refused",
    "empty": BROKEN,
    "not_json": BROKEN,
    "wrong_shape": BROKEN,
    "nested": BROKEN,
    "closed": "redcap_unreachable",
    "broken_headers": "redcap_refused",
    "not_gzip": BROKEN,
    "surrogate": BROKEN,
    "repeats_token": BROKEN,
}
HIDDEN = "".join(f"{sign}\u200b" for sign in TOKEN)


def serve(**changes) -> RedcapServer:
    return RedcapServer(SYNTHETIC_DICTIONARY, changes.pop("rows", records()), **changes)


def refusal(url: str, token: str = TOKEN, timeout: float = 10.0) -> NotReadableFile:
    """Return why `fetch` refuses, after a look that the words are there and nothing hangs on it."""
    with pytest.raises(NotReadableFile) as caught:
        fetch(url, token, timeout=timeout)
    error = caught.value
    assert error.value and error.allowed and len(error.mend) > 20
    # The original exception would hold the request, and with it the token.
    assert error.__cause__ is None and error.__context__ is None
    return error


def words_of(error: BaseException) -> str:
    return f"{error} {error!r} {error.args} {vars(error)} {error.__traceback__!r}".lower()


def without_token(text: str) -> None:
    """Fail if a text holds the token, or a piece of it that is worth something, in any case."""
    shown = "".join(sign for sign in text.lower() if sign.isprintable())
    pieces = {TOKEN.lower()[at : at + 12] for at in range(len(TOKEN) - 11)}
    assert not [piece for piece in pieces if piece in shown]


def exchange_ends() -> None:
    """Wait for what was given up, so that it logs before the log is looked at."""
    for thread in threading.enumerate():
        if thread.name == "captem.redcap_api":
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    with serve() as running:
        yield running


# What is asked for, and what comes back.


def test_an_export_has_the_rows_as_the_server_holds_them(server):
    export = fetch(server.url, TOKEN)
    assert export.header == [
        "record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance",
        "patient_id", "sex", "mib1", "prior___1", "prior____2", "prior___prrt", "captem_cycles",
        "lesion_site", "krenning", "suvmax",
    ]  # fmt: skip
    expected = [{name: row.get(name, "") for name in export.header} for row in records()]
    assert export.records == expected
    assert export.dictionary == SYNTHETIC_DICTIONARY
    assert all(isinstance(cell, str) for row in export.records for cell in row.values())
    lesion = export.records[2]
    assert lesion["redcap_repeat_instance"] == "2" and lesion["suvmax"] == "1.10"


def test_identifiers_are_never_asked_for(server):
    export = fetch(server.url, TOKEN)
    assert server.fields_asked() == [ASKED, ["record_id"]]
    assert export.withheld == WITHHELD
    for form in server.requests:
        assert form["token"] == TOKEN and form["format"] == "json"
        assert "forms[0]" not in form
        for extra in ("exportSurveyFields", "exportDataAccessGroups", "exportCheckboxLabel"):
            assert form.get(extra, "false") == "false"
    exports = [form for form in server.requests if form["content"] == "record"]
    assert all(form["rawOrLabel"] == "raw" and form["type"] == "flat" for form in exports)
    assert exports[0]["rawOrLabelHeaders"] == "raw"
    assert "Invented1" not in repr(export.records)


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        (field("uptake", "f", "text", "Uptake", identifier="y"), True),
        (field("uptake", "f", "text", "Uptake", identifier="Y"), True),
        (field("uptake", "f", "text", "Uptake", identifier="yes"), True),
        (field("uptake", "f", "text", "Uptake", identifier="n"), False),
        (field("uptake", "f", "text", "Uptake"), False),
        (field("dob", "f", "text", "Day zero"), True),
        (field("day_zero", "f", "text", "Date of birth"), True),
        (field("day_zero", "f", "text", '<p class="name">Day <b>zero</b></p>'), False),
        (field("day_zero", "f", "text", "<p>Date of<br>birth</p>"), True),
        (field("number", "f", "text", "Hospital&nbsp;number"), True),
        (field("code", "f", "text", "Code", check="mrn_10d"), True),
        (field("code", "f", "text", "Code", check="integer"), False),
        (field("note", "f", "notes", "Note"), False),
        (field("scan", "f", "file", "PET"), True),
        (field("signed", "f", "file", "Signed", check="signature"), True),
        (field("patient_id", "f", "text", "Patient ID"), False),
        (field("patient_id", "f", "text", "Patient ID", identifier="y"), True),
        (field("patient_id", "f", "text", "Hospital number"), True),
    ],
)
def test_a_field_stays_on_the_server(line, stays):
    dictionary = [SYNTHETIC_DICTIONARY[0], line]
    with RedcapServer(dictionary, [{"record_id": "S1"}]) as server:
        export = fetch(server.url, TOKEN)
        asked = server.fields_asked()[0]
    assert export.withheld == ((line["field_name"],) if stays else ())
    assert asked == (["record_id"] if stays else ["record_id", line["field_name"]])


def test_the_record_id_is_asked_for_whatever_it_is_called():
    dictionary = [field("mr_no", "f", "text", "MR No", identifier="y"), SYNTHETIC_DICTIONARY[8]]
    with RedcapServer(dictionary, [{"mr_no": "1", "sex": "2"}]) as server:
        export = fetch(server.url, TOKEN)
    assert export.records == [{"mr_no": "1", "sex": "2"}] and export.withheld == ()


def test_columns_that_nobody_asked_for_are_left_out():
    extra = {"redcap_data_access_group": "clinic_a", "surname": "Invented", "prior_x": "1"}
    with serve(adds=extra) as server:
        export = fetch(server.url, TOKEN)
    assert set(extra) <= set(export.withheld)
    assert not set(extra) & set(export.header)
    assert not any(set(extra) & set(row) for row in export.records)


def test_fields_the_token_has_no_right_to_are_listed():
    with serve(no_rights=["krenning"]) as server:
        export = fetch(server.url, TOKEN)
    assert export.withheld == (*WITHHELD, "krenning")
    assert "krenning" not in export.header


def test_a_project_without_records_still_has_its_columns():
    with serve(rows=[]) as server:
        export = fetch(server.url, TOKEN)
    assert export.records == []
    assert export.header == [
        "record_id", "patient_id", "sex", "mib1", "prior___1", "prior____2", "prior___prrt",
        "captem_cycles", "lesion_site", "krenning", "suvmax",
    ]  # fmt: skip
    assert export.withheld == WITHHELD


def test_cells_keep_their_signs():
    odd = 'a "quoted", line\nβ 🙂 </b> \\ 007 1e5'
    dictionary = [SYNTHETIC_DICTIONARY[0], field("note", "f", "notes", "Note")]
    with RedcapServer(dictionary, [{"record_id": "007", "note": odd}]) as server:
        export = fetch(server.url, TOKEN)
    assert export.records == [{"record_id": "007", "note": odd}]


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (1, "1"), (9.10, "9.1"), (12345678901234567890123, None)]
)
def test_numbers_and_nulls_become_text(cell, text):
    dictionary = [SYNTHETIC_DICTIONARY[0], field("note", "f", "notes", "Note")]
    with RedcapServer(dictionary, [{"record_id": "1", "note": cell}]) as server:
        export = fetch(server.url, TOKEN)
    assert export.records[0]["note"] == (str(cell) if text is None else text)


def test_the_address_may_lack_its_last_stroke(server):
    assert fetch(server.url.rstrip("/"), TOKEN).records


def test_a_proxy_is_not_used_on_this_machine(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(server.url, TOKEN).records


# Faults.


def test_every_fault_has_its_rule():
    assert set(RULES) == set(FAULTS)


@pytest.mark.parametrize("only", ["", "record"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_words_and_without_the_token(fault, only, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    held = RULES[fault] == "redcap_timeout"
    if fault == "truncated_without_length" and not only:
        only = "metadata"
    with serve(fault=fault, only=only) as server:
        error = refusal(server.url, timeout=SOON if held else 10.0)
        assert server.methods.count("GET") == 0
        # A byte now and then holds the exchange a while longer, though nobody waits for it.
        if fault in {"slow_drip", "slow_headers"}:
            server.released.set()
        exchange_ends()
    assert error.rule == RULES[fault]
    shown = capfd.readouterr()
    for text in (words_of(error), caplog.text, shown.out, shown.err):
        without_token(text)
    for record in caplog.records:
        without_token(f"{record.getMessage()} {record.args!r} {record.exc_text}")


def test_the_servers_own_words_are_quoted():
    with serve(token=TOKEN[::-1]) as server:
        error = refusal(server.url)
    assert error.rule == "redcap_refused"
    assert "You do not have permissions to use the API" in error.value
    assert "project's owner" in error.mend
    with serve(fault="400") as server:
        assert 'REDCap says: "The request with token=(token) failed"' in refusal(server.url).value
    with serve(fault="echo_in_pieces") as server:
        assert '"(token) (token) (token) (token)"' in refusal(server.url).value


def test_a_web_page_is_named_and_not_quoted():
    with serve(fault="html") as server:
        error = refusal(server.url)
    assert "web page" in error.value and "log in" not in error.value


def test_another_shape_is_named():
    with serve(fault="wrong_shape") as server:
        assert "shape" in refusal(server.url).value
    with serve(fault="nested") as server:
        assert "shape" in refusal(server.url).value


@pytest.mark.parametrize("fault", ["truncated", "truncated_without_length"])
def test_a_cut_is_found_wherever_it_is(fault):
    with serve() as whole:
        fetch(whole.url, TOKEN)
        length = len(whole.answer(whole.requests[1])[1].encode())
    for cut in (0, 1, 2, length // 3, length - 30, length - 2, length - 1):
        with serve(fault=fault, only="record", cut=cut) as server:
            assert refusal(server.url).rule == BROKEN, cut


def test_an_answer_that_is_whole_by_length_alone_is_taken():
    with serve(fault="truncated_without_length", cut=10**9) as server:
        assert fetch(server.url, TOKEN).records


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_does_not_carry_the_token(status):
    with (
        serve() as other,
        serve(fault="redirect", moved_to=other.url, redirect_status=status) as server,
    ):
        error = refusal(server.url)
        assert other.methods == []
    assert error.rule == "redcap_url" and "127.0.0.1 sends on to 127.0.0.1" in error.value


@pytest.mark.parametrize(
    ("moved_to", "named"),
    [
        ("https://redcap.example.org/new/api/", "redcap.example.org"),
        ("/elsewhere/", "to 127.0.0.1"),
        (f"https://{TOKEN}.example.org/", "(token).example.org"),
    ],
)
def test_a_redirect_names_the_new_host_only(moved_to, named):
    with serve(fault="redirect", moved_to=moved_to) as server:
        error = refusal(server.url)
    assert error.value.endswith(named)
    without_token(words_of(error))


def test_data_that_change_during_the_export_are_refused():
    with serve(lost="S2") as server:
        error = refusal(server.url)
    assert error.rule == BROKEN and "again" in error.mend


def test_rows_without_a_record_id_are_refused():
    rows = records()
    rows[1]["record_id"] = ""
    with serve(rows=rows) as server:
        error = refusal(server.url)
    assert error.rule == BROKEN and "record_id" in error.value


@pytest.mark.parametrize("column", ["identifier", "field_label", "field_type", "field_name"])
def test_without_a_whole_dictionary_nothing_is_asked_for(column):
    lines = [{name: line[name] for name in line if name != column} for line in SYNTHETIC_DICTIONARY]
    server = serve()
    server.answer = lambda form: (200, json.dumps(lines))
    with server:
        assert refusal(server.url).rule == BROKEN
    assert server.fields_asked() == []


def test_nobody_answers():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = refusal(f"http://127.0.0.1:{taken.getsockname()[1]}/api/")
    assert error.rule == "redcap_unreachable" and "VPN" in error.mend


def test_a_name_that_does_not_exist(monkeypatch):
    def unknown(*words, **more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refusal("https://redcap.invalid/api/")
    assert error.rule == "redcap_unreachable" and "redcap.invalid" in error.value


def test_a_look_up_of_the_name_that_never_ends(monkeypatch):
    found = threading.Event()

    def waits(*words, **more):
        found.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", waits)
    error = refusal("https://redcap.invalid/api/", timeout=SOON)
    found.set()
    exchange_ends()
    assert error.rule == "redcap_timeout"


def test_a_proxy_that_is_not_there(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{port}")
        error = refusal("https://redcap.invalid/api/")
    assert error.rule == "redcap_unreachable" and "proxy" in error.value
    assert "secret" not in words_of(error)


def test_a_server_without_encryption_gets_no_token(server):
    error = refusal(server.url.replace("http://", "https://"))
    assert error.rule == "redcap_unreachable" and "encrypted" in error.value
    assert server.requests == []


# Addresses and tokens.


@pytest.mark.parametrize(
    "url",
    [
        "", "redcap.example.org/api/", "ftp://redcap.example.org/api/", "https:///api/",
        "file:///etc/api/", "https://redcap.example.org", "https://redcap.example.org/redcap/",
        "http://redcap.example.org/api/", "http://127.0.0.1.example.org/api/",
        "http://localhost.example.org/api/", "http://127.0.0.1@redcap.example.org/api/",
        "http://redcap.example.org\\@127.0.0.1/api/", "http://10.0.0.1/api/", "http://0.0.0.0/api/",
        "https://user:secret@redcap.example.org/api/", "https://redcap.example.org/?x=/api/",
        f"https://redcap.example.org/{TOKEN}/api/", "https://redcap.example.org/api/#/api/",
        "https://redcap.example.org:port/api/", "https://[::1/api/", "https://a..b/api/",
        "https://redcap.example.org /api/", "https://redcap.example.org/\n/api/",
        f"https://{'a' * 70}.example.org/api/", "https://rédcap.example.org/api/",
    ],
)  # fmt: skip
def test_an_address_that_is_refused(url, monkeypatch):
    def no_connection(*words, **more):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "create_connection", no_connection)
    monkeypatch.setattr(socket, "getaddrinfo", no_connection)
    error = refusal(url)
    assert error.rule == "redcap_url"
    without_token(words_of(error))
    assert "secret" not in words_of(error)


def test_plain_http_is_refused_because_of_what_would_travel():
    error = refusal("http://redcap.example.org/api/")
    assert "unencrypted" in error.value and "https://" in error.mend


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "not set"), ("", "not set"), ("  ", "not set"), (TOKEN * 2, "super token"),
        (TOKEN[:-1], "31 signs"), (f"{TOKEN}0", "33 signs"), (f'"{TOKEN}"', "34 signs"),
        (f"{TOKEN[:-1]}G", "no token"), (HIDDEN, "64 signs that are no token"),
    ],
)  # fmt: skip
def test_a_variable_without_a_token(text, said):
    environment = {} if text is None else {"REDCAP_TOKEN": text}
    with pytest.raises(NotReadableFile) as caught:
        token_from(environment, "REDCAP_TOKEN")
    assert caught.value.rule == "redcap_no_token" and said in caught.value.value
    assert "REDCAP_TOKEN" in caught.value.value and caught.value.mend
    without_token(words_of(caught.value))


def test_a_token_in_place_of_a_name_is_not_repeated():
    with pytest.raises(NotReadableFile) as caught:
        token_from({}, TOKEN)
    assert caught.value.rule == "redcap_no_token"
    without_token(words_of(caught.value))


@pytest.mark.parametrize("text", [TOKEN, f" {TOKEN}\n", TOKEN.lower()])
def test_a_token_is_read(text):
    assert token_from({"T": text}, "T") == text.strip()


@pytest.mark.parametrize("token", ["", TOKEN * 2, TOKEN[:-1], f"{TOKEN[:-1]}ü"])
def test_fetch_sends_nothing_that_is_no_token(token, server):
    error = refusal(server.url, token)
    assert error.rule == "redcap_no_token"
    without_token(words_of(error))
    assert server.requests == []


def test_an_export_does_not_show_patients_when_it_is_printed(server, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    export = fetch(server.url, TOKEN)
    assert isinstance(export, Export) and "P1" not in repr(export)
    shown = capfd.readouterr()
    for text in (repr(export), caplog.text, shown.out, shown.err):
        without_token(text)
    assert "liver" not in caplog.text + shown.out + shown.err
    assert shown.out == shown.err == ""
