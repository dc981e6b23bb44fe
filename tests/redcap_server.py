"""A REDCap server on loopback, with the export part of its API, and with the faults servers have.

What it answers follows REDCap's own API documentation: which columns an export has, in what order,
and what an error looks like. The example project at the end is synthetic.
"""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

TOKEN = "0123456789ABCDEF0123456789abcdef"
# The server gives up what it holds after this time, so that a test that hangs ends, and fails.
_HELD = 20.0
_DRIP = 0.05
_PLACES = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")
_FORBIDDEN = "You do not have permissions to use the API"

FAULTS = (
    "400", "401", "403", "404", "500", "503", "timeout", "truncated", "truncated_without_length",
    "html", "html_403", "redirect", "echo_token", "echo_in_pieces", "error_in_200", "xml_error",
    "empty", "slow_drip", "slow_flood", "slow_headers", "not_json", "wrong_shape", "nested",
    "closed", "broken_headers", "not_gzip", "surrogate", "repeats_token",
)  # fmt: skip


class RedcapServer:
    """One project behind a real HTTP server on 127.0.0.1; a context manager.

    dictionary : the data dictionary, one dict a field, in REDCap's own names.
    records : rows as a flat export has them, with the event and repeating columns where the
        project has them; what a row lacks is empty.
    token : the only one it accepts.
    fault : one of `FAULTS`; a faulty answer that is no data repeats the token.
    only : the `content` that the fault is for; all when empty.
    cut : how many bytes of a truncated answer arrive; half of them when None.
    moved_to : where `redirect` sends on to; `redirect_status` says how.
    lost : a record id that the answer with the data lacks.
    no_rights : fields that the token may not export.
    adds : columns that are sent although nobody asked for them, with their value.

    `requests` holds the form of every POST so far, as one dict of texts each, in order.
    """

    def __init__(
        self,
        dictionary: Sequence[Mapping[str, str]],
        records: Sequence[Mapping[str, str]],
        token: str = TOKEN,
        fault: str | None = None,
        *,
        only: str = "",
        cut: int | None = None,
        moved_to: str = "https://elsewhere.example.org/api/",
        redirect_status: int = 307,
        lost: str = "",
        no_rights: Sequence[str] = (),
        adds: Mapping[str, str] | None = None,
    ):
        assert fault is None or fault in FAULTS, fault
        self.dictionary, self.records, self.token = dictionary, records, token
        self.fault, self.only, self.cut = fault, only, cut
        self.moved_to, self.redirect_status = moved_to, redirect_status
        self.lost, self.no_rights, self.adds = lost, no_rights, adds or {}
        self.requests: list[dict[str, str]] = []
        self.methods: list[str] = []
        self.released = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/api/"

    def __enter__(self) -> RedcapServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def fields_asked(self) -> list[list[str]]:
        """Return the fields of each request for records, in the order they were asked for."""
        return [_listed(form, "fields") for form in self.requests if form["content"] == "record"]

    def answer(self, form: Mapping[str, str]) -> tuple[int, str]:
        """Return the status and the body of a request without fault."""
        if form.get("token") != self.token:
            return 403, json.dumps({"error": _FORBIDDEN})
        content = form.get("content", "")
        tables = {
            "metadata": self._metadata,
            "record": self._export,
            "exportFieldNames": self._field_names,
            "instrument": self._instruments,
            "event": self._events,
            "arm": self._arms,
            "formEventMapping": self._mapping,
            "repeatingFormsEvents": self._repeating,
        }
        if content == "version":
            return 200, "14.9.1"
        if content == "project":
            return 200, json.dumps({"project_id": "1", "project_title": "Synthetic project"})
        if content not in tables:
            return 400, json.dumps({"error": "The value of the parameter 'content' is not valid"})
        try:
            table = tables[content](form)
        except _NotValidError as error:
            return 400, json.dumps({"error": str(error)})
        return 200, _csv(table) if form.get("format") == "csv" else json.dumps(table)

    def _metadata(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        asked = _listed(form, "fields")
        return [dict(row) for row in self.dictionary if not asked or row["field_name"] in asked]

    def _export(self, form: Mapping[str, str]) -> list[dict[str, object]]:
        known = {row["field_name"]: row for row in self.dictionary}
        asked = _listed(form, "fields") or list(known)
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise _NotValidError(f"The following values in 'fields' are not valid: {unknown}")
        key = self.dictionary[0]["field_name"]
        places = [name for name in _PLACES if any(name in row for row in self.records)]
        columns: list[str] = []
        for row in self.dictionary:
            name = row["field_name"]
            if name not in asked or name in self.no_rights or row["field_type"] == "descriptive":
                continue
            columns += [column for column, _ in _columns(row)]
            if name == key:
                columns += places
                columns += self._by_request(form)
        forms = {known[name]["form_name"] for name in asked if name != key}
        table: list[dict[str, object]] = []
        for row in self.records:
            repeated = row.get("redcap_repeat_instrument", "")
            if repeated and repeated not in forms:
                continue
            if self.lost and row[key] == self.lost and asked != [key]:
                continue
            cells: dict[str, object] = {column: row.get(column, "") for column in columns}
            if cells.get("redcap_repeat_instance"):
                cells["redcap_repeat_instance"] = int(row["redcap_repeat_instance"])
            if form.get("rawOrLabel") == "label":
                for column in columns:
                    cells[column] = self._label(column, cells[column])
            table.append({**cells, **self.adds})
        return table

    def _by_request(self, form: Mapping[str, str]) -> list[str]:
        wanted = []
        if form.get("exportDataAccessGroups", "").lower() in {"true", "1"}:
            wanted.append("redcap_data_access_group")
        if form.get("exportSurveyFields", "").lower() in {"true", "1"}:
            wanted.append("redcap_survey_identifier")
        return wanted

    def _label(self, column: str, code: object) -> object:
        for row in self.dictionary:
            if row["field_name"] == column and row["field_type"] in {"radio", "dropdown"}:
                return dict(_choices(row)).get(str(code), code)
        return code

    def _field_names(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        return [
            {
                "original_field_name": row["field_name"],
                "choice_value": choice,
                "export_field_name": column,
            }
            for row in self.dictionary
            if row["field_type"] not in {"calc", "file", "descriptive"}
            for column, choice in _columns(row)
        ]

    def _instruments(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        names = dict.fromkeys(row["form_name"] for row in self.dictionary)
        return [{"instrument_name": name, "instrument_label": name.title()} for name in names]

    def _event_names(self) -> list[str]:
        names = dict.fromkeys(row.get("redcap_event_name", "") for row in self.records)
        found = [name for name in names if name]
        if not found:
            raise _NotValidError("You cannot export events for classic projects")
        return found

    def _events(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        return [
            {"event_name": name.removesuffix("_arm_1").title(), "arm_num": "1",
             "unique_event_name": name}
            for name in self._event_names()
        ]  # fmt: skip

    def _arms(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        self._event_names()
        return [{"arm_num": "1", "name": "Arm 1"}]

    def _mapping(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        return [
            {"arm_num": "1", "unique_event_name": event, "form": row["instrument_name"]}
            for event in self._event_names()
            for row in self._instruments(form)
        ]

    def _repeating(self, form: Mapping[str, str]) -> list[dict[str, str]]:
        pairs = {
            (row.get("redcap_event_name", ""), row["redcap_repeat_instrument"]): None
            for row in self.records
            if row.get("redcap_repeat_instrument")
        }
        return [
            {"event_name": event, "form_name": name, "custom_form_label": ""}
            for event, name in pairs
        ]


class _NotValidError(Exception):
    """What a real server answers with status 400."""


def _listed(form: Mapping[str, str], name: str) -> list[str]:
    listed = [text for key, text in form.items() if re.fullmatch(rf"{name}\[\d+\]", key)]
    return listed or [text for text in re.split(r"[,\s]+", form.get(name, "")) if text]


def _choices(row: Mapping[str, str]) -> list[tuple[str, str]]:
    parts = row["select_choices_or_calculations"].split("|")
    return [(code.strip(), label.strip()) for code, _, label in (p.partition(",") for p in parts)]


def _columns(row: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (column of an export, code of the choice) of a field."""
    name = row["field_name"]
    if row["field_type"] != "checkbox":
        return [(name, "")]
    return [(f"{name}___{code.lower().replace('-', '_')}", code) for code, _ in _choices(row)]


def _csv(table: Sequence[Mapping[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(table[0]) if table else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return stream.getvalue()


def _handler(server: RedcapServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def do_GET(self) -> None:
            server.methods.append("GET")
            self.plain(200, "<!DOCTYPE html><html><body>REDCap API</body></html>")

        def do_POST(self) -> None:
            server.methods.append("POST")
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(parse_qsl(sent, keep_blank_values=True))
            server.requests.append(form)
            status, body = server.answer(form)
            if server.fault and server.only in {"", form.get("content")}:
                self.faulty(server.fault, form.get("token", ""), body)
            else:
                self.plain(status, body)

        def plain(
            self, status: int, body: str, kind: str = "application/json", words: str | None = None,
            **headers: str,
        ) -> None:  # fmt: skip
            data = body.encode("utf-8", "surrogatepass")
            self.send_response(status, words)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            for name, text in headers.items():
                self.send_header(name.replace("_", "-"), text)
            self.end_headers()
            self.wfile.write(data)

        def faulty(self, fault: str, token: str, body: str) -> None:
            page = f"<!DOCTYPE html><html><body>Please log in. token={token}</body></html>"
            error = json.dumps({"error": f"The request with token={token} failed"})
            match fault:
                case "400" | "401" | "403" | "404" | "500" | "503":
                    self.plain(int(fault), error, words=f"No {token}", X_Echo=token)
                case "echo_token":
                    self.plain(400, json.dumps({"error": f"{token} <b>{token.lower()}</b>"}))
                case "echo_in_pieces":
                    hidden = "\u200b".join(token), f"<i>{token[:9]}</i>{token[9:]}", token[:20]
                    coded = "".join(f"&#{ord(sign)};" for sign in token)
                    self.plain(400, json.dumps({"error": " ".join([*hidden, coded])}))
                case "error_in_200":
                    self.plain(200, error)
                case "xml_error":
                    self.plain(400, f"<?xml ?><hash><error>bad {token}</error></hash>", "text/xml")
                case "html":
                    self.plain(200, page, "text/html")
                case "html_403":
                    self.plain(403, page, "text/html")
                case "redirect":
                    query = f"{server.moved_to}?token={token}"
                    self.plain(server.redirect_status, page, Location=query)
                case "empty":
                    self.plain(200, "")
                case "not_json":
                    self.plain(200, f"record_id,age\n{token},3\n", "text/csv")
                case "wrong_shape":
                    self.plain(200, json.dumps({"rows": json.loads(body)}))
                case "nested":
                    self.plain(200, json.dumps([{"field_name": ["record_id"]}]))
                case "surrogate":
                    self.plain(200, body.replace('": "', '": "\\ud800', 1))
                case "repeats_token":
                    self.plain(200, body.replace('": "', f'": "{token}', 1))
                case "not_gzip":
                    self.plain(200, error, Content_Encoding="gzip")
                case "broken_headers":
                    data = error.encode()
                    head = f"HTTP/1.1 400 Bad\r\nX-Ok: 1\r\nno colon {token}\r\nX: {token}\r\n\r\n"
                    self.wfile.write(head.encode() + data)
                    self.close_connection = True
                case "truncated" | "truncated_without_length":
                    self.cut_off(body.encode(), with_length=fault == "truncated")
                case "timeout":
                    server.released.wait(_HELD)
                    self.plain(200, body)
                case "closed":
                    self.close_connection = True
                case "slow_drip":
                    self.drip(b"HTTP/1.0 200 OK\r\n\r\n", body.encode())
                case "slow_flood":
                    self.drip(b"HTTP/1.0 200 OK\r\n\r\n", body.encode(), blanks=4096)
                case "slow_headers":
                    self.drip(b"HTTP/1.0 200 OK\r\nX-Long: ", b"\r\n\r\n" + body.encode())

        def cut_off(self, data: bytes, *, with_length: bool) -> None:
            kept = data[: len(data) // 2 if server.cut is None else server.cut]
            self.send_response(200)
            if with_length:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(kept)
            self.close_connection = True

        def drip(self, start: bytes, end: bytes, blanks: int = 1) -> None:
            """Send a good answer, spaced out with blanks that come bit by bit for very long."""
            self.wfile.write(start)
            for _ in range(int(_HELD / _DRIP)):
                if server.released.wait(_DRIP):
                    break
                self.wfile.write(b" " * blanks)
                self.wfile.flush()
            self.wfile.write(end)
            self.close_connection = True

    return Handler


def field(
    name: str, form: str, kind: str, label: str, choices: str = "", *, identifier: str = "",
    check: str = "",
) -> dict[str, str]:  # fmt: skip
    """Return one line of a data dictionary with all the columns that REDCap gives."""
    return {
        "field_name": name,
        "form_name": form,
        "section_header": "",
        "field_type": kind,
        "field_label": label,
        "select_choices_or_calculations": choices,
        "field_note": "",
        "text_validation_type_or_show_slider_number": check,
        "text_validation_min": "",
        "text_validation_max": "",
        "identifier": identifier,
        "branching_logic": "",
        "required_field": "",
        "custom_alignment": "",
        "question_number": "",
        "matrix_group_name": "",
        "matrix_ranking": "",
        "field_annotation": "",
    }


_KRENNING = "0, 0 none | 1, 1 very low | 2, 2 at most liver | 3, 3 above liver | 4, 4 above spleen"
SYNTHETIC_DICTIONARY = [
    field("record_id", "patient", "text", "Record"),
    field("synthetic_note", "patient", "descriptive", "Synthetic data: no real patient"),
    field("surname", "patient", "text", "Surname", identifier="y"),
    field("called", "patient", "text", "<p>Patient&#39;s <b>name</b></p>"),
    field("home_phone", "patient", "text", "How to reach"),
    field("reach_by", "patient", "text", "Best way to reach", check="email"),
    field("consent_scan", "patient", "file", "Signed consent"),
    field("patient_id", "patient", "text", "Patient ID (code of the study)"),
    field("sex", "patient", "radio", "Sex", "1, female | 2, male | 3, other"),
    field("mib1", "patient", "text", "MIB1 index (%)"),
    field("prior", "patient", "checkbox", "Prior therapy", "1, SSA | -2, surgery | PRRT, PRRT"),
    field("captem_cycles", "treatment", "text", "CAPTEM cycles before the follow-up PET"),
    field("lesion_site", "lesion", "text", "Site of the lesion"),
    field("krenning", "lesion", "dropdown", "Krenning score", _KRENNING),
    field("suvmax", "lesion", "text", "SUVmax", check="number"),
]


def synthetic_records() -> list[dict[str, str]]:
    """Return a longitudinal project with lesions as a repeating instrument; nobody is real."""
    rows: list[dict[str, str]] = []
    for number, (mib1, scores) in enumerate([("7-8", "13"), ("<=2", "23"), ("", "14")], start=1):
        base = {"record_id": f"S{number}", "redcap_repeat_instrument": ""}
        for event, score in zip(("baseline_arm_1", "follow_up_arm_1"), scores, strict=True):
            place = {**base, "redcap_event_name": event}
            person = {
                "surname": f"Invented{number}",
                "called": f"Nobody {number}",
                "home_phone": "000",
                "reach_by": "nobody@example.org",
                "patient_id": f"P{number}",
                "sex": "1",
                "mib1": mib1,
                "prior___1": "1",
                "prior____2": "0",
                "prior___prrt": "0",
            }
            rows.append(place | (person if event.startswith("base") else {"captem_cycles": "6"}))
            rows += [
                {
                    **place,
                    "redcap_repeat_instrument": "lesion",
                    "redcap_repeat_instance": str(lesion),
                    "lesion_site": site,
                    "krenning": score,
                    "suvmax": f"{number}.{score}0",
                }
                for lesion, site in enumerate(("liver", "node"), start=1)
            ]
    return rows
