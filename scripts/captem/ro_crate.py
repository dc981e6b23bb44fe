"""The description of a bundle that machines read: RO-Crate 1.1, as a Workflow Run Crate 0.5.

https://w3id.org/ro/wfrun/workflow/0.5. No time of the clock, no user and no machine is in it, so
that the same results give the same bytes: the run has no `endTime` and no `agent`, which the
profile asks for but does not require.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

WORKFLOW = "Snakefile"
METADATA = "ro-crate-metadata.json"
_RO_CRATE = "https://w3id.org/ro/crate/1.1"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_CONTEXT = [f"{_RO_CRATE}/context", "https://w3id.org/ro/terms/workflow-run/context"]
_MIT = "https://spdx.org/licenses/MIT"
_SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_NOT_STATED = "#licence-not-stated"
_FORMATS = {
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tiff": "image/tiff",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "yaml": "application/yaml",
}


def metadata(
    title: str,
    description: str,
    provenance: Mapping[str, Any],
    results: Mapping[str, tuple[bytes, str]],
    settings: Mapping[str, tuple[bytes, str]],
    workflow: Mapping[str, tuple[bytes, str]],
    released: str,
) -> dict[str, Any]:
    """Return the content of `ro-crate-metadata.json`.

    Parameters
    ----------
    title, description : of the bundle.
    provenance : the content of `provenance.json`, as it stands in the bundle.
    results, settings, workflow : the other files, as name -> (bytes, what it is): what the run
        made, what it was told, and its code, `Snakefile` among it.
    released : day on which this version of captem was released; a data cut that is no date cannot
        date the bundle, and it cannot be older than that.
    """
    version = provenance["code"]["version"]
    day, dated = _published(provenance["cut"], released)
    inputs = {
        f"#input-{number}": {"name": path, "sha256": digest}
        for number, (path, digest) in enumerate(provenance["inputs"].items(), start=1)
    }
    software = _software(provenance)
    run = "#run-" + _sha256(json.dumps(provenance, sort_keys=True).encode())[:16]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": _refer(_PROFILES),
        "name": title,
        "description": f"{description} {dated}",
        "datePublished": day,
        "license": {"@id": _NOT_STATED},
        "hasPart": _refer([*sorted(workflow), *sorted(settings), *sorted(results)]),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": run},
    }
    action = {
        "@id": run,
        "@type": "CreateAction",
        "name": f"Analysis of study {provenance['study']}, data cut {provenance['cut']}",
        "description": "snakemake bundle, with the settings in config.yaml. The times of the run "
        "are not recorded, so that the same data, settings, code and versions give the same bytes.",
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "instrument": {"@id": WORKFLOW},
        "object": _refer([*inputs, *sorted(settings)]),
        "result": _refer(sorted(results)),
    }
    files = {**workflow, **settings, **results}
    main = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "programmingLanguage": {"@id": _SNAKEMAKE},
        "license": {"@id": _MIT},
        "creator": {"@id": "#captem-authors"},
        "version": version,
        "softwareRequirements": _refer(software),
    }
    entities = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": _refer([_RO_CRATE, "https://w3id.org/workflowhub/workflow-ro-crate/1.0"])},
        root,
        *({"@id": link, "@type": "CreativeWork", "name": name, "version": number}
          for link, (name, number) in _PROFILES.items()),
        *(_file(name, data, what) | (main if name == WORKFLOW else {})
          for name, (data, what) in sorted(files.items())),
        *({"@id": link, "@type": "CreativeWork", **facts,
           "description": "A table of the cohort: what was read. It is not in the bundle."}
          for link, facts in inputs.items()),
        action,
        *software.values(),
        {"@id": _SNAKEMAKE, "@type": "ComputerLanguage", "name": "Snakemake",
         "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
         "url": {"@id": "https://snakemake.readthedocs.io"},
         "version": provenance["packages"]["snakemake"]},
        {"@id": "#captem-authors", "@type": "Organization", "name": "the captem authors"},
        {"@id": _NOT_STATED, "@type": "CreativeWork", "name": "not stated",
         "description": "No licence is stated for data and results: ask the group that holds "
         "them."},
        {"@id": _MIT, "@type": "CreativeWork", "name": "MIT License",
         "description": "The licence of the code: of the Snakefile and of the rules.",
         "url": "https://spdx.org/licenses/MIT.html"},
    ]  # fmt: skip
    return {"@context": _CONTEXT, "@graph": entities}


def _published(cut: str, released: str) -> tuple[str, str]:
    """Return a day for the bundle, and in words what day it is."""
    try:
        day = dt.date.fromisoformat(cut).isoformat()
    except ValueError:
        return released, (
            f"The data cut {cut} is no date, and the clock is not asked: datePublished is the "
            "release of this version of captem, before which this cannot have been made."
        )
    return day, "datePublished is the date of the data cut."


def _software(provenance: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    # Named by package URL, which is not an address of any server.
    used = {f"pkg:generic/python@{provenance['python']}": ("Python", provenance["python"])} | {
        f"pkg:pypi/{name}@{version}": (name, version)
        for name, version in provenance["packages"].items()
    }
    return {
        name_of: {"@id": name_of, "@type": "SoftwareApplication", "name": name,
                  "identifier": name_of, "softwareVersion": version}
        for name_of, (name, version) in used.items()
    }  # fmt: skip


def _file(name: str, data: bytes, what: str) -> dict[str, Any]:
    ending = name.rpartition("/")[2].rpartition(".")[2]
    return {
        "@id": name,
        "@type": "File",
        "name": what,
        "encodingFormat": _FORMATS.get(ending, "text/plain"),
        "contentSize": str(len(data)),
        "sha256": _sha256(data),
    }


def _refer(links: Mapping[str, Any] | list[str]) -> list[dict[str, str]]:
    return [{"@id": link} for link in links]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
