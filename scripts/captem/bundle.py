"""The bundle: what an audience may have of a study, in one file that is the same every time."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from captem import bundle_contents, ro_crate
from captem.bundle_contents import FOR, PRIVATE
from captem.bundle_readme import (
    CONFIG,
    FOR_WHOM,
    OWN,
    README,
    About,
    of_code,
    readme_text,
    synthetic,
    title,
)
from captem.bundle_search import found_in, searchable
from captem.bundle_settings import names, shared_config, shared_provenance, without_places
from captem.errors import CaptemError
from captem.files import write_bytes
from captem.listing_table import PATIENT_LEVEL

# The first moment that a zip can name.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
# Word and Excel files are packed already, but tiffs and pdfs still shrink.
_PACKED = (".docx", ".xlsx", ".png")
# What the listing of patients says of itself, wherever it is put.
_LISTING = PATIENT_LEVEL.partition(".")[0]
_TEXTS = (".html", ".md", ".txt", ".csv", ".svg")


def make(
    about: About,
    results: Mapping[str, bytes],
    workflow: Mapping[str, bytes],
    provenance: Mapping[str, Any],
    codes: Iterable[str],
) -> bytes:
    """Return the zip of an audience.

    Parameters
    ----------
    results : name in the bundle -> content, of what `bundle_contents` allows.
    workflow : the same of the code that is shown: `Snakefile`, and the rules.
    provenance : the content of `provenance.json`.
    codes : the patients' codes; for others than the group no file may name one.

    Raises
    ------
    CaptemError
        Where a file is not allowed for the audience, or names a patient or a place on a machine.
    """
    audience = about.audience
    for name in results:
        if not bundle_contents.allowed(name, audience, listing=about.listing):
            raise CaptemError(
                f"{name} is not for {FOR[audience]}, and nothing was written. Who may have what "
                "stands in scripts/captem/bundle_contents.py."
            )
    places = names(provenance["config"], audience)
    shared = shared_provenance(provenance, audience, about.min_count)
    files = {
        name: without_places(data.decode("utf-8"), places).encode("utf-8")
        if places and name.endswith(_TEXTS)
        else data
        for name, data in results.items()
    }
    files["provenance.json"] = _json(shared)
    settings = {CONFIG: _yaml(shared_config(provenance["config"], audience, about.min_count))}
    if audience != PRIVATE:
        _check({**files, **settings}, audience, searchable(codes), list(places))
    readme = readme_text(about, shared, [*files, *settings, *workflow]).encode("utf-8")
    crate = ro_crate.metadata(
        title=title(about, shared),
        description=" ".join([*synthetic(about), FOR_WHOM[audience]]),
        provenance=shared,
        results={name: (data, bundle_contents.what_is(name)) for name, data in files.items()},
        settings={
            CONFIG: (settings[CONFIG], OWN[CONFIG]),
            README: (readme, OWN[README]),
        },
        workflow={name: (data, of_code(name)) for name, data in workflow.items()},
        released=about.released,
    )
    packed = {**files, **settings, **workflow, README: readme, ro_crate.METADATA: _json(crate)}
    return pack(f"{shared['study']}_{shared['cut']}_{audience}", packed)


def pack(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return a zip with the files in one folder, sorted, without times: equal bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as result:
        for name in sorted(files):
            member = zipfile.ZipInfo(f"{folder}/{name}", date_time=_NO_TIME)
            stored = name.endswith(_PACKED)
            member.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            # As made on Unix, readable by all, whatever machine and umask.
            member.create_system = 3
            member.external_attr = 0o100644 << 16
            result.writestr(member, files[name])
    return packed.getvalue()


def read_all(named: Iterable[str], paths: Iterable[str]) -> dict[str, bytes]:
    """Return name -> content of files.

    Raises
    ------
    CaptemError
        Naming the file that cannot be read.
    """
    found = {}
    for name, path in zip(named, paths, strict=True):
        try:
            found[name] = Path(path).read_bytes()
        except OSError as error:
            raise CaptemError(
                f"{path} cannot be read ({error.strerror}), so there is no bundle. Where another "
                "program has it open, close it there; then run the same command again."
            ) from None
    return found


def write(path: str, data: bytes) -> None:
    """Write a bundle, whole or not at all.

    Raises
    ------
    CaptemError
        Where the file or its folder cannot be written.
    """
    try:
        write_bytes(path, data)
    except OSError as error:
        raise CaptemError(
            f"{path} cannot be written ({error.strerror}). Where another program has it open, "
            "close it there, and look whether the disk is full; then run the same command again."
        ) from None


def released(citation: str) -> str:
    """Return the day on which this version was released, from CITATION.cff."""
    import yaml

    return str(yaml.safe_load(Path(citation).read_text(encoding="utf-8"))["date-released"])


def _check(files: Mapping[str, bytes], audience: str, codes: list[str], places: list[str]) -> None:
    """Raise where a file names a patient, or a place that was to be renamed."""
    # The name of a file alone may be a word of the text.
    told = [place for place in places if "/" in place or "\\" in place]
    for name, data in files.items():
        code = found_in(name, data, codes)
        if code:
            raise CaptemError(
                f"{name} names the patient {code[0]}, and cannot be in a bundle for "
                f"{FOR[audience]}; nothing was written. Take the code out of what you wrote "
                "yourself: the template of the manuscript, its references, the notes at the top of "
                "the tables, the names of sources."
            )
        if found_in(name, data, [_LISTING]):
            raise CaptemError(
                f"{name} holds the listing of patients, and cannot be in a bundle for "
                f"{FOR[audience]}; nothing was written. Take it out of the template of the "
                "manuscript."
            )
        place = found_in(name, data, told)
        if place:
            raise CaptemError(
                f"{name} names the place {place[0]}, which is not for {FOR[audience]}; nothing was "
                "written. Take it out of what you wrote yourself, such as the template of the "
                "manuscript."
            )


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _yaml(value: Any) -> bytes:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode("utf-8")
