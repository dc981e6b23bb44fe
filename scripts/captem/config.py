"""The settings of a study: checked, explained where they are wrong, and made whole."""

from __future__ import annotations

import copy
import datetime as dt
import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jsonschema

from captem import planning_grid
from captem.errors import CaptemError

# A subset of statistics.csv has one of these names, so a source cannot.
RESERVED_SOURCES = ("all", "confirmatory")
_SECRET = frozenset(["redcap"])


def resolve(given: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with dates as text and every default filled in.

    Parameters
    ----------
    given : settings as YAML gives them, where an unquoted date is a date and not a text.
    schema : JSON schema of the settings (`workflow/schemas/config.schema.yaml`).

    Raises
    ------
    CaptemError
        Naming every key or value that is wrong, what is allowed, and the nearest right key.
    """
    settings = as_json(given)
    if isinstance(settings.get("checks"), dict):
        # YAML reads a bare `off` as false.
        settings["checks"] = {
            name: "off" if level is False else level for name, level in settings["checks"].items()
        }
    return checked(settings, schema, "The config is not right:", _cross_checks)


def checked(
    settings: Mapping[str, Any],
    schema: Mapping[str, Any],
    heading: str,
    cross_checks: Callable[[Mapping[str, Any]], list[str]],
) -> dict[str, Any]:
    """Return settings that are as a schema has them, with every default filled in.

    Parameters
    ----------
    heading : the first line of the message where they are not.
    cross_checks : says what is wrong beyond the schema, of settings that are as it has them.

    Raises
    ------
    CaptemError
        Naming every key or value that is wrong, what is allowed, and the nearest right key.
    """
    errors = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(settings),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    faults = [_explained(error) for error in errors]
    whole: dict[str, Any] = {}
    if not faults:
        whole = _with_defaults(settings, schema)
        faults = cross_checks(whole)
    faults = list(dict.fromkeys(faults))
    if faults:
        raise CaptemError("\n".join([heading, *(f"  - {fault}" for fault in faults)]))
    return whole


def as_json(given: Any) -> Any:
    """Return what YAML gave as JSON has it: an unquoted date becomes text."""
    return json.loads(json.dumps(given, default=_as_text))


def _as_text(value: Any) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting that has a default, with it."""
    found: dict[str, Any] = _with_defaults({}, schema)
    return found


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        filled = dict(value)
        for key, part in properties.items():
            if key not in filled and "default" in part:
                filled[key] = copy.deepcopy(part["default"])
        ordered = [key for key in properties if key in filled]
        ordered += [key for key in filled if key not in properties]
        return {key: _with_defaults(filled[key], properties.get(key, {})) for key in ordered}
    if schema.get("type") == "array":
        return [_with_defaults(item, schema.get("items", {})) for item in value]
    return value


def _explained(error: Any) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    inside = f" in {place}" if place else ""
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        return "; ".join(f"unknown key {key!r}{inside}: {_nearest(key, known)}" for key in unknown)
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        meanings = [
            f"{key!r} ({error.schema['properties'][key]['description']})" for key in missing
        ]
        return f"missing key{inside}: {', '.join(meanings)}"
    meaning = error.schema.get("description", "")
    said = f" - {meaning}" if meaning else ""
    if _SECRET & {str(part) for part in error.absolute_path}:
        # What stands there by mistake may be the token itself.
        return f"{place}: what stands here is not allowed (it is not shown){said}"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        near = _nearest(str(error.instance), [str(item) for item in error.validator_value])
        return f"{place}: {error.instance!r} is not one of {allowed}; {near}{said}"
    if error.validator == "pattern":
        return f"{place}: {error.instance!r} is not allowed here{said}"
    hint = ""
    if error.validator == "type" and error.validator_value == "string":
        hint = "; put it in quotation marks"
    if error.validator == "type" and error.validator_value in ("number", "integer"):
        return f"{place}: {error.instance!r} is not a number; write it alone, without a unit{said}"
    if error.validator == "type" and error.validator_value == "array":
        return (
            f"{place}: {error.instance!r} is no list; put it in square brackets, "
            f"as in [{error.instance}]{said}"
        )
    return f"{place or 'the file'}: {error.message}{hint}{said}"


def _token_faults(source: Mapping[str, Any]) -> list[str]:
    """Say where a token or a password stands in the config, without repeating it."""
    settings = source.get("redcap", {})
    faults = []
    if re.search(r"[0-9A-Fa-f]{16}", settings.get("token_env", "")):
        faults.append(
            f"sources, redcap of {source['name']}: token_env looks like the token itself. Give the "
            "name of an environment variable that holds it, such as REDCAP_TOKEN, and take the "
            "token out of the config; if others have seen the file, ask for a new one"
        )
    url = settings.get("url", "")
    if re.search(r"[?#@\s]|[0-9A-Fa-f]{16}", url):
        faults.append(
            f"sources, redcap of {source['name']}: url holds more than an address (a question "
            "mark, #, a name before @, or what looks like a token). Give the address of the API "
            "alone, such as https://redcap.example.org/api/"
        )
    return faults


def _nearest(key: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(str(key), names, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(names)}"


def _cross_checks(settings: Mapping[str, Any]) -> list[str]:
    names = [source["name"] for source in settings["sources"]]
    faults = [
        f"sources: the name {name!r} stands twice; give each source its own"
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    faults += [
        f"sources: the name {name!r} is taken by captem; choose another"
        for name in names
        if name in RESERVED_SOURCES
    ]
    faults += [
        f"confirmatory_sources: there is no source {name!r}; {_nearest(name, names)}"
        for name in settings["confirmatory_sources"]
        if name not in names
    ]
    models = settings["models"]
    if "age_years" in models["splines"] and "age_years" not in models["covariates"]:
        faults.append(
            "models: age_years may bend only where it is a covariate; name it under covariates too"
        )
    for source in settings["sources"]:
        if ("patients" in source) == ("redcap" in source):
            both = "not both" if "patients" in source else "and has neither"
            faults.append(
                f"sources: {source['name']} needs patients (a file) or redcap (a project), {both}"
            )
        if "redcap" in source and {"lesions", "dictionary"} & set(source):
            faults.append(
                f"sources: {source['name']} is read from REDCap, which gives its lesions and its "
                "dictionary by itself; remove lesions and dictionary"
            )
        faults += _token_faults(source)
        headings = [text.strip() for text in source["columns"].values() if text.strip()]
        faults += [
            f"sources, columns of {source['name']}: the heading {heading!r} is given to two names"
            for heading in sorted({item for item in headings if headings.count(item) > 1})
        ]
    if not math.isfinite(settings["mib1_floor"]):
        faults.append("mib1_floor: not a number")
    none, very_low = (settings["surrogate"].get(f"{name}_below") for name in ("none", "very_low"))
    if none is not None and very_low is not None and none > very_low:
        faults.append(
            f"surrogate: none_below ({none:g}) is above very_low_below ({very_low:g}); score 0 "
            "ends where score 1 begins, so the first is at most the second"
        )
    screened = settings["noise"].get("screened")
    if screened is not None and not 0 < sum(screened) < math.inf:
        faults.append(
            "noise, screened: no patient was screened; give the number of patients with the "
            "baseline scores 0, 1, 2, 3 and 4, or leave it out"
        )
    return faults + planning_grid.faults(settings["planning"])
