"""What a row of each table must look like: one pandera schema a table, each column described.

The input columns, the notation each is read by, what is allowed in it and the data dictionary in
`config/README.md` all come from the metadata of the columns here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandera.pandas as pa

SCORE_ALLOWED = "a Krenning score 0 to 4, or an interval such as <=1, 2-3 or III-IV"
PERCENT_ALLOWED = "0 to 100 (percent), or an interval such as 7-8, <3 or >20"
SEXES = ("female", "male", "other")
YES_NO = ("yes", "no")
LESION_STATES = ("present", "resolved", "new", "not_assessable")
STATUSES = ("ok", "unstable", "not_estimable")
LOOK_STATUSES = ("taken", "this cut", "ahead", "left out", "exploratory")
ROLES = ("primary", "secondary", "exploratory", "sensitivity", "descriptive")


@dataclass(frozen=True)
class Limits:
    """The range of a number: from `low` (or just above it) to `high`; an open end is infinite."""

    low: float
    high: float = math.inf
    above: bool = False
    open_end: bool = False

    def checks(self) -> list[pa.Check]:
        """Return the checks of the column; an interval without an upper end may end nowhere."""
        if self.high == math.inf:
            return [pa.Check.gt(self.low) if self.above else pa.Check.ge(self.low)]
        if self.open_end:
            top = self.high
            return [pa.Check(lambda end: (end <= top) | (end == math.inf))]
        return [pa.Check.in_range(self.low, self.high)]

    def kept(self, values: np.ndarray) -> np.ndarray:
        """Return which values are within the limits; a missing one is."""
        low = values > self.low if self.above else values >= self.low
        high = values <= self.high
        return np.isnan(values) | (low & (high | np.isinf(values) if self.open_end else high))


@dataclass(frozen=True)
class Field:
    """An input column: how it is read, what is allowed, and the canonical columns it fills.

    `limits` are those of its first column, the lower end of an interval.
    """

    name: str
    kind: str
    allowed: str
    unit: str
    description: str
    choices: tuple[str, ...]
    columns: tuple[str, ...]
    limits: Limits | None = None


def _field(
    name: str,
    kind: str,
    allowed: str,
    description: str,
    unit: str = "",
    choices: tuple[str, ...] = (),
    limits: Limits | None = None,
) -> dict[str, Any]:
    return {
        "limits": limits,
        "field": name,
        "kind": kind,
        "allowed": allowed,
        "unit": unit,
        "description": description,
        "choices": choices,
    }


def _column(
    dtype: Any, meta: dict[str, Any], *checks: pa.Check, required: bool = False
) -> pa.Column:
    return pa.Column(
        dtype,
        checks=[*checks, *(meta["limits"].checks() if meta["limits"] else [])],
        nullable=True,
        required=required,
        description=meta["description"],
        metadata=meta,
    )


def _interval(name: str, kind: str, description: str, unit: str, allowed: str) -> dict[str, Any]:
    low = Limits(0, 4 if kind == "score" else 100)
    # An open upper end (`>20`) is infinite: the sheet does not give it and nothing invents it.
    high = low if kind == "score" else Limits(0, 100, open_end=True)
    dtype = "Int64" if kind == "score" else float
    meta = [_field(name, kind, allowed, description, unit, limits=limits) for limits in (low, high)]
    return {
        f"{name}_low": _column(dtype, meta[0], required=True),
        f"{name}_high": _column(dtype, meta[1], required=True),
    }


def _positive(
    name: str, description: str, unit: str = "", required: bool = False
) -> dict[str, Any]:
    allowed = "a number above 0, with a decimal point"
    meta = _field(name, "number", allowed, description, unit, limits=Limits(0, above=True))
    return {name: _column(float, meta, required=required)}


def _ranged(name: str, description: str, unit: str, low: float, high: float) -> dict[str, Any]:
    allowed = f"a number from {low:g} to {high:g}"
    meta = _field(name, "number", allowed, description, unit, limits=Limits(low, high))
    return {name: _column(float, meta)}


def _count(name: str, description: str, unit: str = "") -> dict[str, Any]:
    allowed = "a whole number, 0 or more"
    meta = _field(name, "count", allowed, description, unit, limits=Limits(0))
    return {name: _column("Int64", meta)}


def _choice(name: str, description: str, choices: tuple[str, ...]) -> dict[str, Any]:
    meta = _field(name, "choice", ", ".join(choices), description, choices=choices)
    return {name: _column(object, meta, pa.Check.isin(choices))}


def _text(name: str, description: str, required: bool = False) -> dict[str, Any]:
    return {name: _column(object, _field(name, "text", "any text", description), required=required)}


def _date(name: str, description: str) -> dict[str, Any]:
    meta = _field(name, "date", "a date, best as year-month-day, such as 2026-03-31", description)
    return {name: _column(object, meta)}


def _both_scans(make: Any, name: str, description: str, *rest: Any) -> dict[str, Any]:
    return {
        **make(f"{name}_pre", f"{description}, baseline", *rest),
        **make(f"{name}_post", f"{description}, follow-up", *rest),
    }


def _scores(description: str, reader: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for time, words in (("pre", "baseline"), ("post", "follow-up")):
        name = f"krenning_{time}{reader}"
        columns = _interval(name, "score", f"{description}, {words}", "step", SCORE_ALLOWED)
        for column in columns.values():
            column.required = not reader
        found |= columns
    return found


PATIENTS = pa.DataFrameSchema(
    {
        **_text("patient_id", "the study's own code for the patient, never a name", True),
        "source": pa.Column(object, description="name of the source in the config"),
        **_ranged("age_years", "age at baseline", "years", 0, 120),
        **_choice("sex", "sex", SEXES),
        **_text("primary_site", "site of the primary tumour"),
        **_interval("mib1", "percent", "MIB1 (Ki-67) index", "%", PERCENT_ALLOWED),
        **_count("captem_cycles", "CAPTEM cycles completed before the follow-up PET", "cycles"),
        **_scores("Krenning score"),
        **_both_scans(_positive, "suvmax", "SUVmax", "SUV", True),
        **_scores("Krenning score of a second reader", "_reader2"),
        **_text("who_grade", "WHO grade as reported"),
        **_both_scans(_positive, "liver_suv", "SUVmax of normal liver", "SUV"),
        **_both_scans(_positive, "spleen_suv", "SUVmax of spleen", "SUV"),
        **_both_scans(_date, "pet_date", "date of the PET/CT"),
        **_both_scans(_text, "tracer", "tracer, such as DOTATATE or DOTATOC"),
        **_both_scans(_text, "scanner", "scanner"),
        **_both_scans(_text, "recon", "reconstruction"),
        **_both_scans(_positive, "activity_mbq", "injected activity", "MBq"),
        **_both_scans(_positive, "uptake_min", "time from injection to scan", "min"),
        **_both_scans(_positive, "suvmean", "SUVmean", "SUV"),
        **_both_scans(_positive, "sstr_tv", "somatostatin-receptor tumour volume", "mL"),
        **_both_scans(_positive, "fdg_suvmax", "SUVmax on FDG PET", "SUV"),
        **_both_scans(_text, "netpet", "NETPET grade"),
        **_both_scans(_choice, "ssa", "somatostatin analogue at the scan", YES_NO),
        **_both_scans(_date, "ssa_last_dose_date", "last dose of a somatostatin analogue"),
        **_both_scans(_choice, "ct_progression", "progression on CT", YES_NO),
        **_date("mib1_date", "date of the sample the MIB1 index was read on"),
        **_text("mib1_site", "site of that sample"),
        **_text("mitoses", "mitotic count as reported"),
        **_text("differentiation", "differentiation as reported"),
        **_date("captem_start", "first day of CAPTEM"),
        **_date("captem_end", "last day of CAPTEM"),
        **_date("last_captem_date", "last dose of CAPTEM before the follow-up PET"),
        **_choice("dose_reduced", "dose of CAPTEM reduced", YES_NO),
        **_positive("relative_dose_intensity", "dose given over dose planned"),
        **_choice("prior_prrt", "PRRT before baseline", YES_NO),
        **_count("prior_lines", "lines of treatment before CAPTEM"),
        **_text("interval_therapy", "other treatment between the scans: none, or its name"),
        **_date("prrt_after_date", "first PRRT after the follow-up PET"),
        **_count("ecog", "ECOG performance status"),
        **_choice("functioning", "functioning tumour", YES_NO),
        **_text("cga", "chromogranin A as reported"),
        **_text("liver_burden", "tumour burden of the liver as reported"),
        **_text("best_response", "best response as reported"),
        **_date("last_contact", "date of last contact"),
        **_text("vital_status", "vital status at last contact"),
        **_text("not_rescanned_reason", "why there is no follow-up PET"),
    },
    name="patients",
)

LESIONS = pa.DataFrameSchema(
    {
        **_text("patient_id", "the patient, as in the patient table", True),
        **_text("lesion_id", "the lesion, unique within the patient", True),
        "source": pa.Column(object, description="name of the source in the config"),
        **_text("lesion_site", "site of the lesion"),
        **_choice("index_lesion", "the lesion that the rule `index` counts", YES_NO),
        **_scores("Krenning score"),
        **_both_scans(_positive, "suvmax", "SUVmax", "SUV", True),
        **_both_scans(_positive, "diameter_mm", "longest diameter", "mm"),
        **_choice(
            "lesion_status_post",
            "state at follow-up; only lesions that are present are compared",
            LESION_STATES,
        ),
    },
    name="lesions",
)

_WORDS = {
    "severity": "error (stops the run) or warning",
    "rule": "name of the check",
    "file": "file as named in the config",
    "sheet": "sheet of a workbook, empty for CSV",
    "row": "row as the spreadsheet shows it, empty where the whole file is meant",
    "patient_id": "the patient, where there is one",
    "column": "heading as the file has it",
    "value": "what was written",
    "allowed": "what may stand there",
    "mend": "what to do",
}
PROBLEMS = pa.DataFrameSchema(
    {name: pa.Column(object, nullable=True, description=text) for name, text in _WORDS.items()},
    strict=True,
    ordered=True,
    name="problems",
)

STATISTICS = pa.DataFrameSchema(
    {
        "row_id": pa.Column(object, unique=True, description="stable name of the row"),
        "analysis": pa.Column(object, description="question and family, such as model.krenning"),
        "outcome": pa.Column(object, description="krenning, criterion, suvmax, lesion_..."),
        "subset": pa.Column(object, description="all, confirmatory, or source_<name>"),
        "term": pa.Column(object, nullable=True, description="empty for a test of the whole"),
        "role": pa.Column(object, pa.Check.isin(ROLES), description="what may be claimed from it"),
        "estimand": pa.Column(object, description="what the estimate is"),
        "unit": pa.Column(object, nullable=True, description="unit of the estimate"),
        **{
            name: pa.Column(float, nullable=True, description=text)
            for name, text in {
                "estimate": "the estimate",
                "conf_low": "lower end of the interval; -inf where open",
                "conf_high": "upper end of the interval; inf where open",
                "conf_level": "level of the interval",
            }.items()
        },
        "interval_method": pa.Column(object, nullable=True, description="method of the interval"),
        "statistic": pa.Column(float, nullable=True, description="test statistic"),
        "df": pa.Column(float, nullable=True, description="its degrees of freedom"),
        **{
            name: pa.Column(float, pa.Check.in_range(0, 1), nullable=True, description=text)
            for name, text in {
                "p_value": "two-sided P; the largest over all completions of interval scores",
                "p_low": "smallest P over all completions",
                "p_high": "largest P over all completions",
                "p_adjusted": "Holm within the secondary family",
            }.items()
        },
        "p_method": pa.Column(object, nullable=True, description="method of the P value"),
        **{
            name: pa.Column("Int64", pa.Check.ge(0), nullable=True, description=text)
            for name, text in {
                "n_patients": "patients the estimate rests on",
                "n_lesions": "lesions the estimate rests on",
                "n_events": "events, or patients counted",
            }.items()
        },
        "status": pa.Column(object, pa.Check.isin(STATUSES), description="may it be read?"),
        "reason": pa.Column(object, nullable=True, description="why not, in a sentence"),
    },
    checks=[
        pa.Check(
            lambda rows: rows["estimate"].isna() | (rows["status"] != "not_estimable"),
            error="a row that is not estimable has no estimate",
        ),
        pa.Check(
            lambda rows: rows["estimate"].notna() | rows["conf_low"].isna(),
            error="a row with an interval has an estimate",
        ),
        pa.Check(
            lambda rows: rows["reason"].notna() | (rows["status"] == "ok"),
            error="a row that is not ok says why",
        ),
        pa.Check(
            lambda rows: ~(rows["conf_low"] > rows["estimate"]),
            error="an interval starts at or below its estimate",
        ),
        pa.Check(
            lambda rows: ~(rows["conf_high"] < rows["estimate"]),
            error="an interval ends at or above its estimate",
        ),
    ],
    strict=True,
    ordered=True,
    name="statistics",
)

LOOKS = pa.DataFrameSchema(
    {
        "question": pa.Column(object, pa.Check.isin(("change", "model")), description="which test"),
        "look": pa.Column("Int64", pa.Check.ge(1), nullable=True, description="empty: not planned"),
        "status": pa.Column(object, pa.Check.isin(LOOK_STATUSES), description="taken, or ahead?"),
        "cut": pa.Column(object, nullable=True, description="the data cut it was taken at"),
        **{
            name: pa.Column("Int64", pa.Check.ge(0), nullable=True, description=text)
            for name, text in {
                "patients_planned": "patients with both scans that the plan names",
                "n_patients": "patients that the test rests on",
            }.items()
        },
        "information": pa.Column(
            float, pa.Check.gt(0), nullable=True, description="patients, of those at the end"
        ),
        "alpha_spent": pa.Column(
            float, pa.Check.in_range(0, 1), nullable=True, description="alpha used up so far"
        ),
        "boundary_z": pa.Column(float, nullable=True, description="by alpha spending"),
        "boundary_p": pa.Column(
            float, pa.Check.in_range(0, 1), nullable=True, description="a look crosses at or below"
        ),
        "classical_z": pa.Column(float, nullable=True, description="for looks just as planned"),
        **{
            name: pa.Column("Int64", pa.Check.ge(0), nullable=True, description=text)
            for name, text in {
                "differences_needed": "differences, all one way, that an exact test needs",
                "n_changed": "patients who changed",
            }.items()
        },
        **{
            name: pa.Column(float, pa.Check.in_range(0, 1), nullable=True, description=text)
            for name, text in {
                "smallest_p": "smallest P that so many changes can give",
                "attainable_p": "largest P not above the boundary that these changes can give",
                "p_value": "two-sided P that was found",
            }.items()
        },
        "crossed": pa.Column(
            object,
            pa.Check.isin(("yes", "no", "not asked", "not tested", "exploratory")),
            nullable=True,
            description="is P at or below that of the boundary?",
        ),
        "estimand": pa.Column(object, nullable=True, description="what the estimate is"),
        "estimate": pa.Column(float, nullable=True, description="the effect beside the test"),
        "repeated_low": pa.Column(float, nullable=True, description="of the repeated interval"),
        "repeated_high": pa.Column(float, nullable=True, description="of the repeated interval"),
        "repeated_level": pa.Column(
            float, pa.Check.in_range(0, 1), nullable=True, description="1 less P at the boundary"
        ),
        "interval_method": pa.Column(object, nullable=True, description="method of the interval"),
        "reason": pa.Column(object, nullable=True, description="why there is no more to say"),
    },
    strict=True,
    ordered=True,
    name="looks",
)  # fmt: skip


def fields(schema: pa.DataFrameSchema) -> dict[str, Field]:
    """Return the input columns of a canonical table by name, in the order of the schema."""
    found: dict[str, Field] = {}
    for column, spec in schema.columns.items():
        meta = spec.metadata
        if not meta:
            continue
        name = meta["field"]
        columns = (*found[name].columns, column) if name in found else (column,)
        found[name] = Field(
            name,
            meta["kind"],
            meta["allowed"],
            meta["unit"],
            meta["description"],
            meta["choices"],
            columns,
            found[name].limits if name in found else meta["limits"],
        )
    return found


def scans(schema: pa.DataFrameSchema) -> dict[str, dict[str, str]]:
    """Return the input columns of one scan by the name they have without `_pre` and `_post`.

    In a table with one row a scan, the column `krenning` is `krenning_pre` in the row of the
    baseline scan and `krenning_post` in that of the follow-up scan.

    >>> scans(LESIONS)["suvmax"], scans(LESIONS)["lesion_status"]
    ({'pre': 'suvmax_pre', 'post': 'suvmax_post'}, {'post': 'lesion_status_post'})
    """
    found: dict[str, dict[str, str]] = {}
    for name in fields(schema):
        if parted := re.fullmatch(r"(.+)_(pre|post)(_reader2)?", name):
            stem = parted.group(1) + (parted.group(3) or "")
            found.setdefault(stem, {})[parted.group(2)] = name
    return found


def dictionary(schema: pa.DataFrameSchema) -> str:
    """Return the data dictionary of a table in Markdown, a line an input column."""
    lines = ["| column | meaning | unit | allowed |", "|---|---|---|---|"]
    lines += [
        f"| `{field.name}` | {field.description} | {field.unit} | {field.allowed} |"
        for field in fields(schema).values()
    ]
    return "\n".join(lines) + "\n"
