"""What a bundle says of itself: what each file is, for whom, and what is left out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from captem import bundle_contents, ro_crate
from captem.bundle_contents import COAUTHOR, FOR, PRIVATE, PUBLIC
from captem.origin import RECORDED, SYNTHETIC, words

README, CONFIG = "README.txt", "config.yaml"
_WIDTH = 96
OWN = {
    README: "what each file is, for whom, and what is left out",
    CONFIG: "the settings of the run",
    ro_crate.METADATA: "the same for machines (RO-Crate, Workflow Run Crate 0.5)",
    ro_crate.WORKFLOW: "the workflow: what is computed, in what order",
}
FOR_WHOM = {
    PRIVATE: "This is the whole of the study, with a line for each patient in many files. It is "
    "for the group that holds the data, and for nobody else.",
    COAUTHOR: "This is for those who write the paper. No file has a line for a patient; some "
    "figures draw each patient as a line, a bar or a point, without the code. It is not for "
    "publication: small counts may be in it.",
    PUBLIC: "This is to be published where the group agrees. No file has a line or a mark for a "
    "patient, and small counts are masked, with what would give them away.",
}


@dataclass(frozen=True)
class About:
    """What a bundle is of.

    min_count : counts below it are masked in what is shown; 0 where none is.
    data : `recorded`, `synthetic` or `partly synthetic`.
    listing : whether the config asks for a table with a line for each patient.
    released : day on which this version of captem was released.
    """

    audience: str
    min_count: int
    data: str
    listing: bool
    released: str


def of_code(name: str) -> str:
    """Return what a file of the code is."""
    return OWN.get(name, "rules of the workflow")


def title(about: About, provenance: Mapping[str, Any]) -> str:
    """Return the heading: which study, which data cut, for whom."""
    return (
        f"captem: study {provenance['study']}, data cut {provenance['cut']}, "
        f"for {FOR[about.audience]}"
    )


def synthetic(about: About) -> list[str]:
    """Return a sentence that calls synthetic data synthetic, or nothing."""
    if about.data == RECORDED:
        return []
    made = "they were" if about.data == SYNTHETIC else "some of them were"
    return [f"{words(about.data).upper()}: {made} made by a program, and are no evidence."]


def readme_text(about: About, provenance: Mapping[str, Any], contents: Iterable[str]) -> str:
    """Return the text that says what is in a bundle and what is not."""
    heading = title(about, provenance)
    least = about.min_count
    masked = [f"Counts below {least} are masked in what is shown."] if least else []
    what = {
        name: OWN.get(name) or bundle_contents.what_is(name) or of_code(name)
        for name in [*contents, README, ro_crate.METADATA]
    }
    level = {
        name: bundle_contents.level_of(name, listing=about.listing) == bundle_contents.PATIENT
        for name in what
    }
    widest = max(map(len, what))
    listed = [
        f"{name.ljust(widest)}  {what[name]}{' (PATIENT-LEVEL)' if level[name] else ''}"
        for name in sorted(what)
    ]
    left = bundle_contents.left_out(about.audience, listing=about.listing)
    versions = provenance["code"]
    made = (
        f"Made by captem {versions['version']} with Snakemake; provenance.json names every version "
        "and the SHA-256 of every table that was read. The code is under the MIT licence; for data "
        "and results no licence is stated: ask the group that holds them."
    )
    parts = [
        [heading, "=" * len(heading)],
        *[[_wrapped(text)] for text in synthetic(about)],
        [_wrapped(" ".join([FOR_WHOM[about.audience], *masked]))],
        ["What is in it", "", *listed],
        ["What is left out", "", *(_wrapped(f"- {text}") for text in left)],
        ["How it was made", "", _wrapped(made)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, subsequent_indent="  " if text.startswith("- ") else "",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
