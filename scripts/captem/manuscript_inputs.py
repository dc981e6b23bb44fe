"""What both rules of the manuscript read, and what they make of it before anything is written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captem import captions, citations, manuscript, origin, tables
from captem.errors import CaptemError
from captem.files import read_frame
from captem.manuscript_blocks import Figure

_KINDS = {
    "template": "The template of the manuscript",
    "bibliography": "The file of references",
    "style": "The citation style",
}


@dataclass(frozen=True)
class Read:
    """A rendered manuscript with the files that its documents are made with."""

    study: manuscript.Study
    manuscript: manuscript.Manuscript
    bibliography: str
    style: str


def read(inputs: Mapping[str, Any], params: Mapping[str, Any]) -> Read:
    """Return the manuscript, rendered and with every citation looked up.

    Parameters
    ----------
    inputs : paths: those of `captem.tables.FILES`, `provenance`, `template`, `bibliography` and
        `style` (nothing for one that is not there), `shipped_references`, and `<name>_txt` and
        `<name>_png` of each figure.
    params : `figures` (names), `settings` and `defaults` as the tables have them, `config` (the
        resolved settings), `shipped` (what the files are called that ship).

    Raises
    ------
    CaptemError
        If a file of the user cannot be used; with its name and line.
    """
    frames = {name: read_frame(path) for name, path in inputs.items() if name in tables.FILES}
    study = manuscript.Study(
        frames["statistics"],
        tables.all_tables(**frames, settings=params["settings"], defaults=params["defaults"]),
        {name: _figure(name, inputs) for name in params["figures"]},
        params["config"],
        origin.data_kind(frames["sources"]),
        json.loads(Path(inputs["provenance"]).read_text(encoding="utf-8")),
    )
    names = {kind: _name(kind, params) for kind in params["shipped"]}
    texts = {
        kind: citations.read_text(inputs[kind] or names[kind], names[kind], _KINDS[kind])
        for kind in names
    }
    source, bibliography, style = (texts[kind] for kind in _KINDS)
    path, bib, csl = (names[kind] for kind in _KINDS)
    citations.check_style(style, csl)
    known = citations.keys(bibliography, bib)
    if params["config"]["manuscript"]["bibliography"]:
        shipped = Path(inputs["shipped_references"]).read_text(encoding="utf-8")
        bibliography = citations.joined(bibliography, shipped)
        known = citations.keys(bibliography, bib)
    made = manuscript.render(source, path, study)
    citations.check_cited(made.typed(), known, bib, source, path)
    return Read(study, made, bibliography, style)


def _name(kind: str, params: Mapping[str, Any]) -> str:
    """Return what messages call a file: its path in the config, or where it ships."""
    return str(
        params["config"]["manuscript"][kind] or f"workflow/manuscript/{params['shipped'][kind]}"
    )


def _figure(name: str, inputs: Mapping[str, Any]) -> Figure:
    legend, alt = captions.split(Path(inputs[f"{name}_txt"]).read_text(encoding="utf-8"))
    if captions.NOT_DRAWN in legend:
        return Figure(name, legend, alt)
    return Figure(name, legend, alt, Path(inputs[f"{name}_png"]).read_bytes())


def refuse_open(path: str | Path) -> None:
    """Raise CaptemError if a document is open in Word or LibreOffice, by the file that says so."""
    document = Path(path)
    for name in (f"~${document.name[2:]}", f".~lock.{document.name}#"):
        if document.with_name(name).exists():
            raise CaptemError(
                f"{document} is open in a word processor (there is a file {name} beside it). Close "
                "it there, or delete that file if nobody has it open, and run again."
            )


@contextlib.contextmanager
def locked_is_said(path: str | Path) -> Iterator[None]:
    """Turn a refusal of the system to write a file into a sentence."""
    try:
        yield
    except OSError as error:
        raise CaptemError(
            f"{path} cannot be written ({error.strerror or error}). It may be open in a word "
            "processor, or its folder closed to you: close it there, and run again."
        ) from None
