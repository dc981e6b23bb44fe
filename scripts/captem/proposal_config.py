"""The config that captem proposes for a sheet, as YAML text with comments for the user to confirm.

Every text from the file goes through `yaml.safe_dump` as a scalar in double quotes, in comments
too: no heading can end a line or begin a key.
"""

from __future__ import annotations

import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from captem.config import RESERVED_SOURCES
from captem.headings import SCHEMAS
from captem.parts import Source
from captem.proposal import AMBIGUOUS, DOUBTFUL, DROPPED, NOT_USED, Proposal, Seen, can_be_named
from captem.schemas import scans

_WIDTH = 98
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}
)


def study_name(stem: str) -> str:
    """Return the name of a file as the name of a study.

    >>> study_name("Kohorte Müller (2026)"), study_name("???"), study_name("my_cohort")
    ('Kohorte_Mueller_2026', 'study', 'my_cohort')
    """
    composed = unicodedata.normalize("NFC", stem).translate(_UMLAUTS)
    text = unicodedata.normalize("NFKD", composed).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-") or "study"


def quoted(text: str) -> str:
    """Return a text as a YAML scalar on one line, in double quotes.

    >>> print(quoted('Ki-67: "%" #1'))
    "Ki-67: \\"%\\" #1"
    """
    dumped = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize)
    return dumped.removesuffix("\n")


def config_text(
    proposal: Proposal, source: Source, study: str, cut: str, schema: Mapping[str, Any],
    command: str,
) -> str:  # fmt: skip
    """Return the config of a study as YAML.

    Parameters
    ----------
    source : the source as it was read, without `columns`; its name is `study` where allowed.
    schema : JSON schema of the settings, whose descriptions become comments.
    command : what checks the study, for the first comment.
    """
    lines = [
        *_comment(f"What captem took {quoted(source.patients)} for. Read it through, correct it."),
        f"# Then: {command}   (all settings are explained in config/README.md)",
        f"study: {quoted(study)}",
        *_comment(f"{_about(schema, 'cut')}"),
        f"cut: {quoted(cut)}",
        "sources:",
        *(f"  {line}" for line in _source(proposal, source)),
        *_settings(proposal, schema),
    ]
    return "\n".join(lines) + "\n"


def source_name(study: str) -> str:
    """Return the name of the study's source; captem keeps some names for itself."""
    return f"{study}_source" if study in RESERVED_SOURCES else study


def columns_of(proposal: Proposal) -> dict[str, Seen]:
    """Return what the config names under `columns:`, each name and each heading once."""
    found: dict[str, Seen] = {}
    headings: set[str] = set()
    # A name that is still to be chosen must not stand there twice once it is.
    to_choose = {*proposal.advice.wanted}
    to_choose |= {seen.name for seen in proposal.columns if seen.how == AMBIGUOUS}
    for seen in proposal.columns:
        free = seen.name not in found and seen.heading not in headings
        if seen.written and free and seen.name not in to_choose:
            found[seen.name] = seen
            headings.add(seen.heading)
    return found


def _source(proposal: Proposal, source: Source) -> list[str]:
    lines = [f"- name: {quoted(source.name)}", f"  patients: {quoted(source.patients)}"]
    for key in ("sheet", "lesions", "lesions_sheet", "dictionary"):
        if value := getattr(source, key):
            lines.append(f"  {key}: {quoted(value)}")
    body = [*_columns(proposal), *_advised(proposal), *_rest(proposal)]
    return lines + [f"  {line}" for line in body]


def _columns(proposal: Proposal) -> list[str]:
    """Return `columns:` with its entries, and as comments what there is to choose from."""
    written = columns_of(proposal)
    lines = _aligned(
        [(f"{name}: {quoted(seen.heading)}", _certainty(seen)) for name, seen in written.items()]
    )
    choices = _choices(proposal, written)
    if not lines and not choices:
        return ["columns: {}"]
    about = _comment("captem's name left, your heading right", _WIDTH - 4)
    if lines:
        return [*about, "columns:", *(f"  {line}" for line in [*lines, *choices])]
    # A key with nothing but comments under it would be empty, which is not a mapping.
    said = _comment("Take the # away from columns: and from the lines you choose.", _WIDTH - 4)
    return [*about, *said, "# columns:", *(_as_entry(line) for line in choices)]


def _as_entry(line: str) -> str:
    return f"#   {line.removeprefix('# ')}"


def _choices(proposal: Proposal, written: Mapping[str, Seen]) -> list[str]:
    """Return entries as comments: ambiguous ones, missing ones, and headings that come near."""
    columns, wanted = proposal.columns, proposal.advice.wanted
    lines: list[str] = []
    ambiguous = [seen for seen in columns if seen.how == AMBIGUOUS]
    for name in dict.fromkeys(seen.name for seen in ambiguous):
        own = [seen for seen in ambiguous if seen.name == name]
        if not all(map(can_be_named, own)):
            meant = ", ".join(quoted(seen.heading) for seen in own)
            lines.append(f"# To be told apart in the sheet, for {name}: {meant}")
            continue
        lines.append(f"# More than one column could be {name}: take the # away from one of these.")
        lines += [f"# {name}: {quoted(seen.heading)}" for seen in own]
    hidden = {seen.heading for seen in columns if seen.how == DROPPED}
    for name, could in wanted.items():
        lines.append(f"# Required and missing: {name}.")
        for heading in could:
            note = "   # with patient_ids: hash below" if heading in hidden else ""
            lines.append(f"# {name}: {quoted(heading)}{note}")
        if not could:
            lines.append(f'# {name}: "the heading in your sheet"')
    offered = {*wanted, *written, *(seen.name for seen in ambiguous)}
    for seen in columns:
        if seen.how != NOT_USED or not seen.name:
            continue
        sides = scans(SCHEMAS[seen.table]).get(seen.name, {})
        if seen.table in proposal.long:
            # Each row is one scan: the column has no scan of its own.
            sides = {}
        names = [name for name in sides.values() or [seen.name] if name not in offered]
        if sides and names:
            lines.append(f"# {quoted(seen.heading)} does not say which scan it is of:")
        lines += [f"# {name}: {quoted(seen.heading)}   # is it this?" for name in names]
    return lines


def _certainty(seen: Seen) -> str:
    said = f"{seen.certain}: {seen.how}"
    if seen.read is not None and seen.read < seen.filled:
        said += f", {seen.read} of {seen.filled} cells can be read"
    if seen.note:
        said += f"; {seen.note}"
    return f"{said}; is it the right column?" if seen.certain == DOUBTFUL else said


def _aligned(entries: Sequence[tuple[str, str]]) -> list[str]:
    """Put the comments of short lines under each other."""
    longest = max((len(text) for text, _ in entries if len(text) <= 50), default=0)
    return [f"{text.ljust(longest)}  # {said}" for text, said in entries]


def _advised(proposal: Proposal) -> list[str]:
    """Return the settings of the source that the data ask for, as comments to choose from."""
    advice, lines = proposal.advice, []
    if advice.date_orders:
        first, second = advice.date_orders
        lines += [
            "# Does 03/04/2026 mean 3 April (day_first) or March 4 (month_first)?",
            f"# date_order: {first}   # or {second}",
        ]
    if advice.fractions:
        lines += [
            "# Is a MIB1 index of 0.5 half a percent (percent) or 50 % (fraction)?",
            "# units: {mib1: percent}   # or {mib1: fraction}",
        ]
    if advice.visits:
        lines += [
            f"# Which words of {quoted(advice.visits)} mean which scan?",
            '# visits: {baseline: ["your word"], follow_up: ["your word"]}',
        ]
    return lines


def _rest(proposal: Proposal) -> list[str]:
    """Return what is read without being named, kept, and left out, as comments."""
    written = columns_of(proposal)
    unnamed = [
        seen.name if seen.heading == seen.name
        else f"{quoted(seen.heading)} of the {seen.table} ({seen.said})"
        for seen in proposal.columns
        if seen.certain and written.get(seen.name) is not seen
        and (seen.name not in written or written[seen.name].heading != seen.heading)
    ]  # fmt: skip
    kept = [seen.heading for seen in proposal.columns
            if seen.how == NOT_USED and seen.note != "not read"]  # fmt: skip
    dropped = [seen.heading for seen in proposal.columns if seen.how == DROPPED]
    lines = []
    for said, names in (
        ("Read without being named here", list(dict.fromkeys(unnamed))),
        ("Kept as they are", list(map(quoted, dict.fromkeys(kept)))),
        ("Left out, since they identify a person", list(map(quoted, dict.fromkeys(dropped)))),
    ):
        if names:
            lines += _comment(f"{said}: {', '.join(names)}", _WIDTH - 4)
    return lines


def _settings(proposal: Proposal, schema: Mapping[str, Any]) -> list[str]:
    properties = schema["properties"]
    criterion = properties["criterion"]["properties"]
    lines = [*_comment(_about(schema, "criterion")), "criterion:"]
    for key, part in criterion.items():
        allowed = _allowed(part) or f"{part['minimum']} to {part['maximum']}"
        lines += [f"  {line}" for line in _comment(f"{part['description']}: {allowed}")]
        lines.append(f"  {key}: {part['default']}")
    for key in ("follow_up", "on_problem"):
        part = properties[key]
        lines += _comment(f"{part['description']}: {_allowed(part)}")
        lines.append(f"{key}: {part['default']}")
    lines += [*_comment(_about(schema, "confirmatory_sources")), "confirmatory_sources: []"]
    if proposal.advice.hash_codes:
        lines += [*_comment(_about(schema, "patient_ids")), "# patient_ids: hash"]
    return lines


def _about(schema: Mapping[str, Any], key: str) -> str:
    return schema["properties"][key]["description"]


def _allowed(part: Mapping[str, Any]) -> str:
    words: Iterable[str] = part.get("enum", ())
    return " | ".join(words)


def _comment(text: str, width: int = _WIDTH) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip
