"""Renders a manuscript's template: Jinja in a sandbox, every error with its file and line.

The template belongs to the user and is data, not code: it can read no file and reach no attribute
that is private, and it can call only what it is given.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import jinja2
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from captem import manuscript_marks as marks
from captem.errors import CaptemError
from captem.manuscript_numbers import Bare

_TEMPLATE = "__jinja_template__"


class _Typed(Extension):
    """Marks what stands outside Jinja's tags with its line (see `captem.manuscript_marks`)."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        for token in stream:
            if token.type == "data":
                yield Token(token.lineno, "data", marks.typed(token.value, token.lineno))
            else:
                yield token


def render(source: str, name: str, values: Mapping[str, Any]) -> str:
    """Return the text with its marks.

    Parameters
    ----------
    source : text of the template.
    name : its path, as errors call it.
    values : what the template may use; functions may ask `calling_line` where they stand.

    Raises
    ------
    CaptemError
        With file and line, if the template is not valid, uses what is not there, or a function that
        it calls refuses.
    """
    if found := marks.SIGNS.search(source):
        line = source.count("\n", 0, found.start()) + 1
        raise at_line(name, source, line, "a sign of Unicode's private use stands there; delete it")
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        extensions=[_Typed], finalize=_printable,
    )  # fmt: skip
    try:
        template = environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        said = f"the template is not valid: {(error.message or 'no reason given').rstrip('.')}"
        if "comment" in said:
            said += "; where you mean an anchor and no comment, write <div id=...></div> for {#...}"
        raise at_line(name, source, _opened(source, error), said) from None
    # Not template.render(), which would hide the lines of the template from the traceback.
    context = template.new_context(dict(values))
    try:
        return "".join(template.root_render_func(context))
    except CaptemError as error:
        raise at_line(name, source, _line_of(error.__traceback__), str(error)) from None
    except RecursionError:
        raise at_line(name, source, 1, "the template calls itself without an end") from None
    except Exception as error:
        told = str(error).rstrip(".") or "it asks for more memory than there is"
        said = f"the template cannot be filled in: {told}"
        if isinstance(error, jinja2.UndefinedError):
            said = f"the template uses what is not there: {str(error).rstrip('.')}"
        raise at_line(name, source, _line_of(error.__traceback__), said) from None


def at_line(name: str, source: str, line: int, message: str) -> CaptemError:
    """Return an error that names file and line, and shows the text of the line."""
    lines = source.splitlines()
    text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    shown = f" The line: {text}" if text else ""
    return CaptemError(f"{name}, line {line}: {message}.{shown}")


def calling_line() -> int:
    """Return the line of the template from which the function that asks was called, else 1."""
    frame = sys._getframe(1)
    while frame is not None:
        if template := frame.f_globals.get(_TEMPLATE):
            return int(template.get_corresponding_lineno(frame.f_lineno))
        frame = frame.f_back  # type: ignore[assignment]
    return 1


def _line_of(trace: TracebackType | None) -> int:
    """Return the innermost line of the template in a traceback."""
    line = 1
    while trace is not None:
        if template := trace.tb_frame.f_globals.get(_TEMPLATE):
            line = int(template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return line


def _opened(source: str, error: jinja2.TemplateSyntaxError) -> int:
    """Return where a tag is opened that nothing closes; Jinja names the end of the file."""
    if found := re.search(r"needs to be closed is '(\w+)'", error.message or ""):
        return _unended(source, found[1]) or error.lineno
    lines = source.splitlines()
    for start, end in (("{{", "}}"), ("{%", "%}"), ("{#", "#}")):
        at = source.rfind(start)
        if at >= 0 and source.find(end, at) < 0:
            return source.count("\n", 0, at) + 1
        for i, line in enumerate(lines, start=1):
            # A tag that swallows the next one was not closed on its own line.
            if i <= error.lineno and line.rfind(start) > line.rfind(end) and i < error.lineno:
                following = "\n".join(lines[i:])
                if 0 <= following.find(start) < following.find(end):
                    return i
    return error.lineno


def _unended(source: str, block: str) -> int:
    """Return the line of the last tag `block` without its `endblock`, 0 if there is none."""
    opened: list[int] = []
    for found in re.finditer(rf"{{%[-+]?\s*(end)?{block}\b", source):
        if not found[1]:
            opened.append(source.count("\n", 0, found.start()) + 1)
        elif opened:
            opened.pop()
    return opened[-1] if opened else 0


def _printable(value: Any) -> Any:
    if isinstance(value, jinja2.Undefined):
        return value
    if isinstance(value, Bare | float):
        raise CaptemError(
            "value() is for conditions and prints nothing; print a number by stat(), estimate(), "
            "interval(), p(), share(), count() or n()"
        )
    if callable(value):
        raise CaptemError("a function stands there without its brackets")
    return value
