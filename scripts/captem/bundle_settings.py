"""Settings and provenance as they may leave: without addresses, folders and names of files."""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from captem.bundle_contents import PRIVATE

_TABLES = ("patients", "lesions", "dictionary")
_OWN_FILES = ("template", "bibliography", "style")
LEFT_OUT = "left out"


def names(config: Mapping[str, Any], audience: str) -> dict[str, str]:
    """Return what stands in a bundle for each text of the config that names a place.

    For the group itself these are the paths that hold only on one machine; for others every table,
    by its source and what it is, and the address of a REDCap project.

    >>> source = {"name": "ward", "patients": "/home/ward/net.xlsx", "lesions": "data/lesions.csv"}
    >>> names({"sources": [source]}, "private")
    {'/home/ward/net.xlsx': 'net.xlsx'}
    >>> names({"sources": [source]}, "public")
    {'/home/ward/net.xlsx': 'ward/patients.xlsx', 'data/lesions.csv': 'ward/lesions.csv'}
    """
    own = audience == PRIVATE
    found: dict[str, str] = {}
    for source in config["sources"]:
        for table in _TABLES:
            path = source.get(table, "")
            if path and not own:
                ending = PureWindowsPath(path).suffix
                found.setdefault(path, f"{source['name']}/{table}{ending}")
            elif path and _of_one_machine(path):
                found[path] = PureWindowsPath(path).name
        if not own:
            found |= {text: LEFT_OUT for text in source.get("redcap", {}).values()}
    for path in (config.get("manuscript", {}).get(name, "") for name in _OWN_FILES):
        if path and (not own or _of_one_machine(path)):
            found[path] = PureWindowsPath(path).name
    return {text: name for text, name in found.items() if text != name}


def _of_one_machine(path: str) -> bool:
    return (
        PurePosixPath(path).is_absolute()
        or PureWindowsPath(path).is_absolute()
        or ".." in PureWindowsPath(path).parts
        or path.startswith("~")
    )


def shared_config(config: Mapping[str, Any], audience: str, min_count: int) -> dict[str, Any]:
    """Return the settings with the places renamed, and with the masking of the bundle."""
    places = names(config, audience)

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [renamed(item) for item in value]
        return places.get(value, value) if isinstance(value, str) else value

    shared = copy.deepcopy(dict(config))
    shared["sources"] = renamed(shared["sources"])
    shared["disclosure"] = {**shared.get("disclosure", {}), "min_count": min_count}
    if "manuscript" in shared:
        shared["manuscript"] = renamed(shared["manuscript"])
    return shared


def shared_provenance(
    provenance: Mapping[str, Any], audience: str, min_count: int
) -> dict[str, Any]:
    """Return `provenance.json` with the places renamed; every SHA-256 stays."""
    places = names(provenance["config"], audience)
    inputs = provenance["inputs"].items()
    return {
        **provenance,
        "inputs": {places.get(path, path): digest for path, digest in inputs},
        "config": shared_config(provenance["config"], audience, min_count),
    }


def without_places(text: str, places: Mapping[str, str]) -> str:
    """Return a text with the places renamed wherever they stand as a whole, escaped for HTML too.

    >>> without_places("net.csv of cohort/net.csv", {"net.csv": "ward/patients.csv"})
    'ward/patients.csv of cohort/net.csv'
    """
    written = {
        form: name
        for place, name in places.items()
        for form in (place, html.escape(place), html.escape(place, quote=False))
    }
    if not written:
        return text
    longest_first = sorted(written, key=lambda form: (-len(form), form))
    pattern = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<![\w/\\.-])(?:{pattern})(?!\w)", lambda hit: written[hit.group()], text)
