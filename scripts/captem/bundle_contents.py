"""Who may have which result: one closed list, of what is allowed and not of what is forbidden.

A file that the list does not know is in no bundle. `results/README.md` says the same to readers,
and a test compares the two.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

PRIVATE, COAUTHOR, PUBLIC = "private", "coauthor", "public"
AUDIENCES = (PRIVATE, COAUTHOR, PUBLIC)
FOR = {
    PRIVATE: "the group that holds the data",
    COAUTHOR: "coauthors",
    PUBLIC: "the public",
}
AGGREGATE, PATIENT, NO_DATA = "aggregate", "patient", "no data"
MAY_NAME = "may name patients"
_ALL, _GROUP, _OWN, _NOBODY = AUDIENCES, (PRIVATE, COAUTHOR), (PRIVATE,), ()

# Drawn from counts and estimates, and those with a line, a bar or a point for each patient.
_OF_COUNTS = "flow|transition_matrix|alluvial|predicted|forest|sensitivity|regression_to_mean"
_OF_EACH = "paired_slopes|waterfall|gain_by_mib1|timeline|diagnostics"
_DRAWINGS = "pdf|svg|png|tiff"
_TABLES = ("characteristics|transition_matrix|transitions|associations|models|sensitivity|noise|"
           "agreement|lesions|missing|deviations|looks")  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    pattern : regular expression of the whole path below `results/<study>/`; what is masked, and a
        public copy, go by the path of what they are a copy of.
    what : what the files are, for the README of the bundle; `{0}` is the name of the figure or
        table.
    level : `aggregate`, `patient`, `may name patients` or `no data`.
    audiences : who may have them.
    """

    pattern: str
    what: str
    level: str
    audiences: tuple[str, ...]


KINDS = (
    Kind(r"summary\.html", "read this first: question, answer, caveats, figures, tables",
         AGGREGATE, _ALL),
    Kind(r"statistics\.csv", "every statistic that a figure, table or sentence shows, one a row",
         AGGREGATE, _ALL),
    Kind(r"provenance\.json", "what it was made from: inputs by SHA-256, settings, versions",
         AGGREGATE, _ALL),
    Kind(r"manuscript/manuscript\.(?:md|docx|html|pdf)", "the manuscript", AGGREGATE, _ALL),
    Kind(r"manuscript/strobe\.(?:docx|csv)", "the checklist of STROBE", AGGREGATE, _ALL),
    # It tells of drafts: of numbers typed by hand that no result bears out.
    Kind(r"manuscript/numbers\.csv", "each number of the manuscript, and the row it came from",
         AGGREGATE, _GROUP),
    Kind(rf"figures/({_OF_COUNTS})\.txt", "figure {0}: caption and alt text", AGGREGATE, _ALL),
    Kind(rf"figures/({_OF_EACH}|panels)\.txt", "figure {0}: caption and alt text", AGGREGATE,
         _GROUP),
    Kind(rf"figures/({_OF_COUNTS})\.(?:{_DRAWINGS})", "figure {0}", AGGREGATE, _ALL),
    # The public has the figures of the panels one by one, as far as they do not draw each patient.
    Kind(rf"figures/({_OF_EACH}|panels)\.(?:{_DRAWINGS})",
         "figure {0}: each patient may be drawn, without the code", AGGREGATE, _GROUP),
    Kind(rf"figures/({_OF_COUNTS})\.csv", "figure {0}: the data that are drawn", AGGREGATE, _ALL),
    Kind(r"figures/panels\.csv", "the figures that stand together, and their data", AGGREGATE,
         _GROUP),
    Kind(rf"figures/({_OF_EACH})\.csv", "figure {0}: the data that are drawn", PATIENT, _OWN),
    Kind(rf"tables/({_TABLES})\.(?:csv|html|docx)", "table {0}", AGGREGATE, _ALL),
    Kind(r"tables/tables\.xlsx", "all tables as one workbook", AGGREGATE, _ALL),
    Kind(r"tables/listing\.(?:csv|html|docx)", "the listing of patients", PATIENT, _OWN),
    Kind(r"transitions/matrix\.csv", "how many moved from which score to which", AGGREGATE, _ALL),
    Kind(r"cohort/flow\.csv", "how many patients are at each step, and why others are not",
         AGGREGATE, _ALL),
    Kind(r"predictions/curves\.csv", "chances of each follow-up score over MIB1 and cycles",
         AGGREGATE, _ALL),
    # Names of files and notes, as the group typed them.
    Kind(r"cohort/sources\.csv", "the files that were read, with the notes at their top",
         AGGREGATE, _OWN),
    # The reasons narrow down what is masked.
    Kind(r"disclosure/masked\.csv", "which counts are masked, and why", AGGREGATE, _OWN),
    Kind(r"cohort/(?:patients|lesions)\.csv", "the clean tables", PATIENT, _OWN),
    Kind(r"cohort/eligibility\.csv", "who is in which analysis", PATIENT, _OWN),
    Kind(r"cohort/problems\.csv", "what is wrong in the tables", PATIENT, _OWN),
    Kind(r"cohort/repairs\.csv", "what was read differently from how it was written", PATIENT,
         _OWN),
    Kind(r"cohort/marked/[^/]+\.xlsx", "the tables, with the cells coloured that have a problem",
         PATIENT, _OWN),
    Kind(r"transitions/(?:transitions|lesions)\.csv", "what changed in each patient and lesion",
         PATIENT, _OWN),
    Kind(r"models/[^/]+\.json", "a fitted model: coefficients, flags, influence of each patient",
         PATIENT, _OWN),
    # What another file holds as well, is made after the bundle, or is no result.
    Kind(r"disclosure/.+\.csv", "a masked copy", AGGREGATE, _NOBODY),
    Kind(r"(?:cohort|transitions|bias|models|predictions|sensitivity)/statistics\.csv",
         "part of statistics.csv", AGGREGATE, _NOBODY),
    Kind(r"cohort/ingested/[^/]+\.csv", "the clean tables before the check", PATIENT, _NOBODY),
    Kind(r"manuscript/filled/[^/]+", "the manuscript before it was released", AGGREGATE, _NOBODY),
    Kind(r"cohort/ingested/read\.json", "SHA-256 of each table as it was read", AGGREGATE, _NOBODY),
    Kind(r"cohort/checked\.txt", "what the check said", PATIENT, _NOBODY),
    Kind(r"report\.html", "Snakemake's own report", AGGREGATE, _NOBODY),
    Kind(r"preflight\.csv", "what the check of the figures found", AGGREGATE, _NOBODY),
    Kind(r"templates/[^/]+", "forms for collecting data", NO_DATA, _NOBODY),
    Kind(r"bundle/[^/]+\.zip", "bundles", AGGREGATE, _NOBODY),
    Kind(r"plan/(?:planned|deviations|looks)\.csv", "the run held against the locked plan",
         AGGREGATE, _GROUP),
    Kind(r"planning/(?:power|smallest|more_patients)\.csv",
         "power of studies to come, and what more patients would do", AGGREGATE, _GROUP),
    Kind(r"planning/(?:power|intervals)_table\.(?:csv|html|docx)", "the same as tables", AGGREGATE,
         _GROUP),
    Kind(rf"planning/power_curves\.(?:{_DRAWINGS}|csv|txt)", "the same as a figure", AGGREGATE,
         _GROUP),
    Kind(r"planning/planning\.txt", "the same in sentences", AGGREGATE, _GROUP),
    # MIB1 and cycles of each patient, without the code.
    Kind(r"planning/world\.json", "what planned studies are drawn from", PATIENT, _NOBODY),
    Kind(r"planning/chunks/[^/]+\.csv", "what each job of planning simulated", AGGREGATE, _NOBODY),
    Kind(r"calibration/(?:validity\.csv|validity\.md|calibration\.txt)",
         "how often tests and intervals keep their word, in drawn studies", NO_DATA, _NOBODY),
    Kind(r"calibration/chunks/.+\.csv", "what each job of calibration drew", NO_DATA, _NOBODY),
    Kind(r"cuts/[^/]+/.+", "a frozen data cut", PATIENT, _NOBODY),
    Kind(r"chain/[^/]+", "the chain of what was frozen, and who left", AGGREGATE, _NOBODY),
    Kind(r"compare/[^/]+/[^/]+", "what is other than in a frozen data cut", PATIENT, _NOBODY),
    Kind(r"logs/[^/]+", "what each step said", MAY_NAME, _NOBODY),
)  # fmt: skip
# A listing that the config asks for stands in these as well.
_WITH_LISTING = re.compile(r"summary\.html|tables/tables\.xlsx")
LEFT_OUT = {
    PRIVATE: ("logs, which may name patients in passing; report.html, which is written after "
              "everything else; and what another file holds as well",),
    COAUTHOR: ("every file with a line for each patient: clean tables, transitions, fitted models, "
               "problems and repairs, the data of figures that draw each patient",
               "names of files, notes and addresses that the group typed",
               "logs and report.html"),
    PUBLIC: ("every file with a line for each patient: clean tables, transitions, fitted models, "
             "problems and repairs",
             "figures that draw each patient, their captions and their data",
             "counts before they were masked, the list of what was masked and why, and that of the "
             "manuscript's numbers",
             "names of files, notes and addresses that the group typed",
             "logs and report.html"),
}  # fmt: skip


def name_of(path: str, results: str) -> str:
    """Return the name that a result has in a bundle: its path without what is before or between.

    >>> name_of("results/mine/public/figures/flow.svg", "results/mine")
    'figures/flow.svg'
    >>> name_of("elsewhere/results/mine/disclosure/statistics.csv", "results/mine")
    'statistics.csv'
    >>> name_of("results/mine/disclosure/masked.csv", "results/mine")
    'disclosure/masked.csv'
    """
    below = path.replace("\\", "/").split(f"{results}/", 1)[1].removeprefix("public/")
    copied = below.removeprefix("disclosure/")
    return copied if allowed(copied, PUBLIC) else below


@cache
def kind_of(name: str) -> Kind | None:
    """Return the kind of a file by its name, or nothing where the list does not know it."""
    return next((kind for kind in KINDS if re.fullmatch(kind.pattern, name)), None)


def what_is(name: str) -> str:
    """Return what a file is, in words.

    >>> what_is("figures/transition_matrix.csv")
    'figure transition matrix: the data that are drawn'
    """
    kind = kind_of(name)
    if kind is None:
        return ""
    found = re.fullmatch(kind.pattern, name)
    parts = [text.replace("_", " ") for text in found.groups()] if found else []
    return kind.what.format(*parts)


def level_of(name: str, *, listing: bool = False) -> str | None:
    """Return the level of a file; with `listing` where the config asks for a line a patient."""
    kind = kind_of(name)
    if kind is None:
        return None
    return PATIENT if listing and _WITH_LISTING.fullmatch(name) else kind.level


def allowed(name: str, audience: str, *, listing: bool = False) -> bool:
    """Return whether an audience may have a file.

    >>> allowed("cohort/patients.csv", "coauthor"), allowed("statistics.csv", "coauthor")
    (False, True)
    >>> allowed("something_new.csv", "private")
    False
    """
    kind = kind_of(name)
    if kind is None or audience not in kind.audiences:
        return False
    return audience == PRIVATE or level_of(name, listing=listing) != PATIENT


def chosen(
    paths: Iterable[str], results: str, audience: str, *, listing: bool = False
) -> Mapping[str, str]:
    """Return name in the bundle and path of what an audience may have, sorted by name.

    Raises
    ------
    ValueError
        Where two files have one name: one of them may be what the other was masked from.
    """
    named: dict[str, str] = {}
    for path in paths:
        name = name_of(path, results)
        if named.setdefault(name, path) != path:
            raise ValueError(f"{named[name]} and {path} would both be {name} in the bundle")
    return {name: named[name] for name in sorted(named) if allowed(name, audience, listing=listing)}


def left_out(audience: str, *, listing: bool = False) -> list[str]:
    """Return what a bundle leaves out, a sentence each."""
    said = list(LEFT_OUT[audience])
    if listing and audience != PRIVATE:
        said.insert(0, "summary.html and tables.xlsx, which hold the listing of patients that the "
                    "config asks for (tables: listing: false brings them back)")  # fmt: skip
    return said


def as_text(path: str, audience: str, *, listing: bool = False) -> str:
    """Return what is said at the end of a run: where the bundle is, and what it leaves out."""
    with zipfile.ZipFile(path) as packed:
        count = len(packed.namelist())
    left = left_out(audience, listing=listing)
    lines = [f"The bundle for {FOR[audience]}: {path} ({count} files).", "Left out:"]
    return "\n".join([*lines, *(f"  - {text}" for text in left)])
