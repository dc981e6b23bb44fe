"""Read a cohort from a REDCap project: what is not an identity, whole or not at all.

Nothing here raises, prints or logs what could hold the token or a patient's data, and fields that
identify a person are not asked for.
"""

from __future__ import annotations

import html
import ipaddress
import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from redcap import Project
from urllib3.exceptions import ReadTimeoutError

from captem.identity import identifies
from captem.source_table import NotReadableFile

_TOKEN = re.compile(r"[0-9A-Fa-f]{32}")
_SUPER_TOKEN = re.compile(r"[0-9A-Fa-f]{64}")
# A piece of a token gives it away too; nothing else in a message has so many such signs in a row.
_PIECE_OF_TOKEN = re.compile(r"[0-9A-Fa-f]{12,}")
_TAG = re.compile(r"<[^>]*>")
_XML_ERROR = re.compile(rb"<error>(.*?)</error>", re.DOTALL)
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_ENDING = "/api/"
# REDCap adds these by itself; survey identifiers and data access groups are not among them.
_PLACES = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance")
_WITHOUT_VALUES = frozenset({"descriptive", "file", "signature"})
_IDENTITY_FORMATS = ("email", "phone", "ssn", "zipcode", "postalcode", "mrn", "vmrn")
_NEEDED = frozenset({"field_name", "field_type", "field_label", "identifier"})
_MOST_BYTES = 500_000_000
_CHUNK = 1024
_WHOLE = "one whole answer in JSON, as REDCap gives it"


@dataclass(frozen=True)
class Export:
    """What a project gave; `records` and `header` hold no identifier that the project knows of.

    records : flat, raw codes, one dict a row with every column of `header`, in the server's order;
        all values are text, what is empty or null is an empty text.
    header : the columns in the server's order.
    dictionary : the project's data dictionary, one dict a field, in REDCap's own names
        (`field_name`, `form_name`, `field_type`, `field_label`, `identifier`, ...).
    withheld : the fields and columns that were left out: those that identify a person, those that
        hold no text (descriptive, file, signature), and those that the server did not give,
        because the token has no right to them.
    """

    records: list[dict[str, str]] = field(repr=False)
    header: list[str]
    dictionary: list[dict[str, str]] = field(repr=False)
    withheld: tuple[str, ...] = ()


def token_from(environment: Mapping[str, str], name: str) -> str:
    """Return the token that the environment variable `name` holds.

    Raises
    ------
    NotReadableFile
        With rule `redcap_no_token`, if the variable is not set or holds no project's token.
    """
    if _PIECE_OF_TOKEN.search(name):
        raise NotReadableFile(
            "redcap_no_token", "a token where the name of an environment variable belongs",
            "the name of the variable that holds the token",
            "take the token out of the config, put it into an environment variable and name that; "
            "delete the token in REDCap and ask for a new one, the old one was seen",
        )  # fmt: skip
    text = environment.get(name, "").strip()
    if not text:
        raise NotReadableFile(
            "redcap_no_token", f"the environment variable {name} is not set",
            "the project's API token, 32 hexadecimal signs",
            f"set {name} to your token (REDCap, menu API) before you start the run",
        )  # fmt: skip
    _check_token(text, f"the environment variable {name}")
    return text


def fetch(url: str, token: str, *, timeout: float = 60.0) -> Export:
    """Export the records of the project that `token` belongs to, without its identifiers.

    The data dictionary comes first; then only the fields are asked for that the project does not
    mark as identifiers, and whose name, label and format do not look like one. The record id, the
    dictionary's first field, is always among them. Each answer has to be whole within `timeout`
    seconds; there are three.

    Raises
    ------
    NotReadableFile
        Nothing else is raised. Its rule is `redcap_no_token`, `redcap_url`, `redcap_unreachable`,
        `redcap_timeout`, `redcap_refused`, `redcap_failed` or `redcap_broken_answer`.
    """
    _check_token(token, "the token")
    project = _Project(_checked_url(url), token, timeout=timeout)
    dictionary = project.metadata
    if not dictionary or not all(row.keys() >= _NEEDED and row["field_name"] for row in dictionary):
        raise _broken("a data dictionary without fields, or without its columns")
    asked, withheld = _wanted(dictionary)
    rows = project.export_records(fields=asked, raw_or_label_headers="raw", event_name="unique")
    key = asked[0]
    again = project.export_records(fields=[key])
    if not all(row.get(key) for row in [*rows, *again]):
        raise _broken(f"rows without the record id, {_clean(key)}")
    if {row[key] for row in rows} != {row[key] for row in again}:
        raise _broken("other records at the second look: data changed, or a part is missing")
    given = list(dict.fromkeys(name for row in rows for name in row)) or _columns(dictionary, asked)
    parted = [row["field_name"] for row in dictionary if row["field_type"] == "checkbox"]
    owner = {name: _field_of(name, asked, parted) for name in given}
    header = [name for name in given if name in _PLACES or owner[name]]
    extra = [name for name in given if name not in header]
    refused = [name for name in asked if name not in owner.values()]
    return Export(
        records=[{name: row.get(name, "") for name in header} for row in rows],
        header=header,
        dictionary=dictionary,
        withheld=tuple(dict.fromkeys([*withheld, *refused, *extra])),
    )


def _wanted(dictionary: Sequence[Mapping[str, str]]) -> tuple[list[str], list[str]]:
    """Return the fields to ask for, the record id first, and those to leave on the server."""
    asked: list[str] = [dictionary[0]["field_name"]]
    withheld: list[str] = []
    for row in dictionary[1:]:
        (withheld if _stays(row) else asked).append(row["field_name"])
    return asked, withheld


def _stays(row: Mapping[str, str]) -> bool:
    name, label = row["field_name"], html.unescape(_TAG.sub(" ", row["field_label"]))
    # The column of the study's own codes is called so; its owner can still mark it.
    code = name == "patient_id"
    return (
        row["identifier"].strip().lower() not in {"", "n"}
        or row["field_type"] in _WITHOUT_VALUES
        or row.get("text_validation_type_or_show_slider_number", "").startswith(_IDENTITY_FORMATS)
        or identifies(name, mapped=code)
        or identifies(label, mapped=code)
    )


def _field_of(column: str, asked: Sequence[str], parted: Sequence[str]) -> str:
    """Return the asked field that a column belongs to, or nothing.

    A field in `parted` has a column for each of its choices: `site___2` belongs to `site`.
    """
    if column in asked:
        return column
    stems = (name for name in parted if name in asked)
    return next((name for name in stems if column.startswith(f"{name}___")), "")


def _columns(dictionary: Sequence[Mapping[str, str]], asked: Sequence[str]) -> list[str]:
    """Return the columns of an export without rows: a checkbox has one for each of its choices."""
    columns: list[str] = []
    for row in dictionary:
        name = row["field_name"]
        if name in asked and row["field_type"] == "checkbox":
            choices = row.get("select_choices_or_calculations", "").split("|")
            codes = [choice.partition(",")[0].strip().lower() for choice in choices]
            columns += [f"{name}___{code.replace('-', '_')}" for code in codes if code]
        elif name in asked:
            columns.append(name)
    return columns


# PyCap posts without an overall deadline, follows redirects with the token in the form, does not
# look at the status, and raises what the server said, token included. So it says what to ask, and
# its one way to the server is replaced.
class _Project(Project):
    def _call_api(self, payload: dict[str, Any], return_type: str, file: Any = None) -> Any:
        answer = _within(self.url, payload, self._request_kwargs["timeout"])
        return _rows(answer, self.url, payload["token"])


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str
    body: bytes = field(repr=False)


def _within(url: str, form: Mapping[str, str], timeout: float) -> _Answer:
    """Post the form; what is not whole in time is given up, wherever the server holds it up.

    A time-out of `requests` counts from byte to byte, and none covers the look-up of the name. So
    the exchange has a thread of its own, and this one waits no longer than it should.
    """
    outcome: list[_Answer | NotReadableFile] = []
    worker = threading.Thread(
        target=lambda: outcome.append(_exchange(url, form, timeout)), name=__name__, daemon=True
    )
    worker.start()
    worker.join(timeout)
    result = outcome[0] if outcome else _late(url, timeout)
    # Here no other exception is being handled, so none that holds the form hangs on this one.
    if isinstance(result, NotReadableFile):
        raise result
    return result


def _exchange(url: str, form: Mapping[str, str], timeout: float) -> _Answer | NotReadableFile:
    """Return the answer, or why there is none; never raises."""
    end = time.monotonic() + timeout
    body = bytearray()
    started = False
    try:
        with _quiet(), requests.Session() as session:
            # Without encryption, thus to this machine: a proxy would see the token.
            session.trust_env = urlsplit(url).scheme == "https"
            response = session.post(
                url, data=form, timeout=timeout, stream=True, allow_redirects=False
            )
            started = True
            with response:
                for chunk in response.iter_content(_CHUNK):
                    body += chunk
                    if time.monotonic() > end:
                        return _late(url, timeout)
                    if len(body) > _MOST_BYTES:
                        return _broken("an answer of more than 500 MB")
                return _Answer(
                    response.status_code, response.headers.get("Location", ""), bytes(body)
                )
    except requests.Timeout:
        return _late(url, timeout)
    except requests.exceptions.SSLError:
        return NotReadableFile(
            "redcap_unreachable", f"no trusted encrypted connection to {_host(url)}",
            "a server whose certificate your machine trusts",
            "check the address; if it is right, ask your IT department about the certificate",
        )  # fmt: skip
    except requests.exceptions.ProxyError:
        return NotReadableFile(
            "redcap_unreachable", f"the proxy gives no way to {_host(url)}",
            "a network that reaches the server",
            "ask your IT department for the right proxy (HTTPS_PROXY), or run without it",
        )  # fmt: skip
    except requests.ConnectionError as error:
        if started:
            late = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
            return _late(url, timeout) if late else _broken("an answer that stops in the middle")
        return NotReadableFile(
            "redcap_unreachable", f"no answer from {_host(url)}", "a REDCap server that answers",
            "check the address, and that this machine is in the hospital's network or VPN, "
            "then run again",
        )  # fmt: skip
    except requests.RequestException as error:
        if started:
            return _broken("an answer that stops in the middle")
        return _not_an_address(f"an address that cannot be used ({type(error).__name__})")
    except Exception as error:
        return NotReadableFile(
            "redcap_failed", f"the exchange with {_host(url)} failed ({type(error).__name__})",
            "an answer from REDCap", "run again; if it stays, tell who maintains captem",
        )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep urllib3 from logging the lines of a broken header: they may repeat the token."""
    logger = logging.getLogger("urllib3.connection")

    def nothing(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)


def _rows(answer: _Answer, url: str, token: str) -> list[dict[str, str]]:
    """Return the rows of an answer as text."""
    content = _parsed(answer.body)
    said = _said(content, answer.body)
    quoted = f', REDCap says: "{said}"' if said else ""
    status = answer.status
    if 300 <= status < 400:
        raise _not_an_address(
            f"{_host(url)} sends on to {_host(urljoin(url, answer.location))}",
            "the new address may be the right one: ask who runs the server, and put it into "
            "the config; the token was not sent there",
        )
    if status == 404:
        raise _not_an_address(f"{_host(url)} has nothing at this address (404){quoted}")
    if status >= 500 or status in {408, 429}:
        raise NotReadableFile(
            "redcap_failed", f"{_host(url)} could not answer ({status}){quoted}",
            "an answer from REDCap",
            "try again later; if it stays, tell the REDCap administrator",
        )  # fmt: skip
    if status >= 400 or said:
        raise NotReadableFile(
            "redcap_refused", f"{_host(url)} refused the request ({status}){quoted}",
            "a token that is valid and has the right to export the project's data",
            "the token may be wrong, expired or without export rights: ask the project's owner "
            "for API Export and data export rights, or for a new token",
        )  # fmt: skip
    if content is None:
        raise _broken(_what_else(answer.body))
    if token.lower().encode() in answer.body.lower():
        raise _broken("an answer that repeats your token: it must not get into the results")
    table = _as_text(content)
    if table is None:
        raise _broken("JSON of another shape than a list of rows")
    return table


def _parsed(body: bytes) -> Any:
    """Return the JSON, numbers as the text that stands for them; None if it is not whole."""
    try:
        text = body.decode("utf-8-sig")
        content = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
        # Half of a surrogate pair is valid in JSON, and nothing that can be written to a file.
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return content


def _as_text(content: Any) -> list[dict[str, str]] | None:
    """Return a list of flat objects as rows of text; None if it is something else."""
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        return None
    rows = [{name: "" if cell is None else cell for name, cell in row.items()} for row in content]
    whole = all(isinstance(cell, str) for row in rows for cell in row.values())
    return rows if whole else None


def _said(content: Any, body: bytes) -> str:
    """Return REDCap's own words about an error, without the token; nothing if there are none."""
    if isinstance(content, dict) and "error" in content:
        return _clean(str(content["error"])) or "an error without words"
    found = _XML_ERROR.search(body)
    if content is None and found:
        return _clean(found[1].decode("utf-8", "replace")) or "an error without words"
    return ""


def _what_else(body: bytes) -> str:
    start = body.lstrip()
    if not start:
        return "an empty answer"
    if start.startswith(b"<"):
        return "a web page in place of data: a log-in page, a proxy, or an error of the server"
    return "an answer that is not JSON, or that stops in the middle"


def _check_token(text: str, where: str) -> None:
    if _TOKEN.fullmatch(text):
        return
    if _SUPER_TOKEN.fullmatch(text):
        raise NotReadableFile(
            "redcap_no_token", f"{where} holds a super token (64 signs)",
            "the token of one project, 32 hexadecimal signs",
            "use the token of the project (REDCap, menu API); a super token can create projects "
            "and does not belong into an analysis",
        )  # fmt: skip
    raise NotReadableFile(
        "redcap_no_token", f"{where} holds {len(text)} signs that are no token",
        "the project's API token, 32 hexadecimal signs",
        "copy the token again from REDCap (menu API), without quotation marks or spaces",
    )  # fmt: skip


def _checked_url(url: str) -> str:
    """Return the address as PyCap wants it, or raise."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\")
    named = bool(host) and (":" in host or all(map(_LABEL.fullmatch, host.split("."))))
    if not plain or not named or port == 0 or parts.scheme not in {"http", "https"}:
        raise _not_an_address("no web address")
    if parts.username is not None or "?" in url or "#" in url or _TOKEN.search(url):
        raise _not_an_address("an address with a token, a user name or a query in it")
    if parts.scheme == "http" and not _loopback(host):
        raise _not_an_address(
            f"http:// to {_host(url)}: the token and the patients' data would travel unencrypted",
            "write https:// in place of http://; if the server has no https, "
            "export the data in the browser and use the file",
        )
    url = url if url.endswith("/") else f"{url}/"
    if not url.endswith(_ENDING):
        raise _not_an_address(f"an address at {_host(url)} that does not end with {_ENDING}")
    return url


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    """Return the host of an address for a message, and nothing else of it."""
    try:
        return _clean(urlsplit(url).hostname or "") or "an unknown host"
    except ValueError:
        return "an unknown host"


def _clean(text: str, most: int = 200) -> str:
    """Return what a server said as one line without markup, and without anything like a token.

    >>> _clean("<b>The token 0123456789ABCDEF&#48;123</b> is wrong")
    'The token (token) is wrong'
    """
    text = html.unescape(_TAG.sub("", text))
    # Signs that do not show go first: between the signs of a token they would hide it.
    text = "".join(" " if sign.isspace() else sign for sign in text if _shows(sign))
    text = _PIECE_OF_TOKEN.sub("(token)", " ".join(text.split()))
    return text if len(text) <= most else f"{text[:most]} ..."


def _shows(sign: str) -> bool:
    return sign.isspace() or sign.isprintable()


def _late(url: str, timeout: float) -> NotReadableFile:
    return NotReadableFile(
        "redcap_timeout", f"no whole answer from {_host(url)} within {timeout:g} seconds",
        "an answer in time", "check the network or VPN and try again, or allow more time",
    )  # fmt: skip


def _broken(value: str) -> NotReadableFile:
    return NotReadableFile(
        "redcap_broken_answer", value, _WHOLE,
        "try again; if it stays, check the address and the network, "
        "and ask the REDCap administrator",
    )  # fmt: skip


def _not_an_address(
    value: str,
    mend: str = "copy the API address from REDCap (menu API), as https://redcap.example.org/api/",
) -> NotReadableFile:
    return NotReadableFile(
        "redcap_url", value, "the address of a REDCap API: https://, a host, and /api/ at its end",
        mend,
    )  # fmt: skip
