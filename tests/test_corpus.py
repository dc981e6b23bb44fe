"""The corpus: small files as clinics have them, each with what must come out of it.

A case is a file and, beside it, a `.yaml` of the same name with the rows, the repairs and the
problems that are right. See `tests/corpus/README.md` for its form.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import math
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import make_corpus
import pandas as pd
import pytest
import yaml
from captem import cohort, marking

CORPUS = Path(__file__).resolve().parent / "corpus"
CASES = sorted(CORPUS.rglob("*.yaml"))
KEYS = frozenset(
    """
    what source sources settings patients lesions repairs problems problems_at_least flow secrets
    """.split()  # noqa: SIM905
)
FILES = ("patients", "lesions", "dictionary")


@cache
def case_of(path: Path) -> dict:
    """Return what a case says, every value of it a text."""
    case = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)
    assert set(case) <= KEYS, f"{path.name}: {set(case) - KEYS}"
    return case


def parameters() -> list:
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in CASES]


def sources_of(path: Path, case: dict) -> list[cohort.Source]:
    """Return the sources of a case: those it lists, or the file that has its name."""
    listed = case.get("sources") or [case.get("source") or {}]
    sources = []
    for number, given in enumerate(listed):
        source = {"name": f"ward{number or ''}", **given}
        if "patients" not in source:
            (own,) = [p for p in path.parent.glob(f"{path.stem}.*") if p.suffix != ".yaml"]
            source["patients"] = own.name
        for name in FILES:
            if source.get(name):
                source[name] = str(path.parent / source[name])
        if "missing_codes" in source:
            source["missing_codes"] = tuple(source["missing_codes"])
        sources.append(cohort.Source(**source))
    return sources


@cache
def ingested(path: Path) -> cohort.Cohort:
    case = case_of(path)
    settings = dict(case.get("settings") or {})
    for name in ("threshold", "tolerance"):
        if name in settings:
            settings[name] = float(settings[name])
    return cohort.ingest(sources_of(path, case), **settings)


def shown(value: object) -> str:
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def cell(row: dict, name: str) -> str:
    """Return a value as a case writes it: an interval is one cell, `0-1` or `>=20`."""
    if f"{name}_low" not in row:
        return shown(row.get(name))
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if not shown(low):
        assert not shown(high)
        return ""
    if math.isinf(float(high)):
        return f">={shown(low)}"
    return shown(low) if low == high else f"{shown(low)}-{shown(high)}"


def wanted(text: str, key: str) -> str:
    """Return what a case expects; `hash:A` is the keyed hash of the code A."""
    if not text.startswith("hash:"):
        return text
    return hmac.new(key.encode(), text[5:].encode(), hashlib.sha256).hexdigest()[:16]


def check_rows(frame: pd.DataFrame, expected: list[dict], key: str) -> None:
    """Compare all rows, in each of them the columns that the case names there."""
    rows = frame.to_dict("records")
    found = [
        {name: cell(row, name) for name in own} for row, own in zip(rows, expected, strict=False)
    ]
    assert found == [{name: wanted(row[name], key) for name in row} for row in expected]
    assert [shown(row["patient_id"]) for row in rows[len(expected) :]] == []


def check_problems(found: cohort.Cohort, case: dict) -> None:
    have = Counter((p.severity, p.rule, p.row, p.column) for p in found.problems)
    if "problems_at_least" in case:
        assert not Counter(map(tuple, case["problems_at_least"])) - have
        return
    expected = sorted(map(tuple, case.get("problems") or []))
    # Where a case says that there is something to be said, and not how it is called.
    for open_one in [item for item in expected if "*" in item]:
        for item in have - Counter(expected):
            if all(want in ("*", said) for want, said in zip(open_one, item, strict=True)):
                expected[expected.index(open_one)] = item
                break
    assert sorted(have.elements()) == sorted(expected)


def check_repairs(found: cohort.Cohort, case: dict) -> None:
    columns = ["row", "column", "written", "read", "rule"]
    have = [tuple(map(shown, row)) for row in found.repairs[columns].itertuples(index=False)]
    expected = [tuple(item) for item in case.get("repairs") or []]
    short = {item[:4] for item in expected if len(item) == 4}
    # The rule is left out of a case where only the reading matters.
    have = [item[:4] if item[:4] in short else item for item in have]
    assert sorted(have) == sorted(expected)


def check_flow(found: cohort.Cohort, case: dict) -> None:
    flow = found.flow
    for place, number in (case.get("flow") or {}).items():
        step, _, reason = place.partition(": ")
        rows = flow[flow["step"].eq(step)]
        if reason:
            rows = rows[rows["reason"].eq(reason)]
            assert len(rows) == 1, f"{place}: {list(flow['reason'])}"
        assert rows["n"].sum() == int(number), place


@pytest.mark.parametrize("path", parameters())
def test_a_file_gives_these_rows_repairs_and_problems(path):
    case, found = case_of(path), ingested(path)
    key = (case.get("settings") or {}).get("key", "")
    check_problems(found, case)
    check_rows(found.patients, case.get("patients") or [], key)
    if "lesions" in case:
        check_rows(found.lesions, case["lesions"] or [], key)
    check_repairs(found, case)
    check_flow(found, case)


def _codes(frame: pd.DataFrame, table: str) -> list[tuple[str, ...]]:
    names = ["patient_id"] if table == "patients" else ["patient_id", "lesion_id"]
    return [tuple(cell(row, name) for name in names) for row in frame.to_dict("records")]


@pytest.mark.parametrize("path", parameters())
def test_no_row_is_lost(path):
    """Each row is among the clean rows, counted as excluded, or named in a problem."""
    found = ingested(path)
    named = {(p.file, p.sheet, p.row) for p in found.problems}
    tables = {"patients": found.patients, "lesions": found.lesions}
    left_out = set(found.eligibility.loc[~found.eligibility["without_errors"], "patient_id"])
    for part in found.parts:
        if part.cells is None:
            assert part.problems
            continue
        place = (part.cells.file, part.cells.sheet)
        for number, _ in part.cells.ragged:
            assert (*place, str(number)) in named
        kept = Counter(_codes(tables[part.table], part.table))
        own = Counter(_codes(part.frame, part.table))
        for number, code in zip(part.cells.numbers, _codes(part.frame, part.table), strict=True):
            whole = part.long or kept[code] >= own[code]
            assert (
                (kept[code] and whole) or code[0] in left_out or (*place, str(number)) in named
            ), f"row {number} of {place[0]} is lost"
    flow = found.flow.set_index(["step", "reason"])["n"]
    excluded = found.flow.loc[found.flow["step"].eq("excluded"), "n"].sum()
    assert flow["recorded", ""] == excluded + flow["included", ""]
    assert flow["included", ""] == len(found.patients)


@pytest.mark.parametrize(
    "path",
    [param for param in parameters() if case_of(param.values[0]).get("secrets")],
)
def test_no_identity_is_written(path):
    found = ingested(path)
    files = [file for source in sources_of(path, case_of(path)) for file in
             (source.patients, source.lesions) if file]  # fmt: skip
    written = {
        name: getattr(found, name).to_csv(index=False)
        for name in ("patients", "lesions", "repairs", "eligibility", "sources", "flow")
    }
    written["problems"] = found.problem_frame().to_csv(index=False)
    for number, data in enumerate(marking.workbooks(found, files)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                text = archive.read(member).decode("utf-8", "replace")
                written[f"workbook {number} {member}"] = text
    for secret in case_of(path)["secrets"]:
        for place, text in written.items():
            assert secret not in text, f"{secret} in {place}"


def test_the_corpus_is_large_and_each_file_has_its_case():
    assert len(CASES) >= 150
    used = set()
    for path in CASES:
        for source in sources_of(path, case_of(path)):
            used |= {getattr(source, name) for name in FILES if getattr(source, name)}
    files = {str(path) for path in CORPUS.rglob("*") if path.is_file() and path not in CASES}
    about = {str(CORPUS / name) for name in ("README.md", ".gitattributes")}
    assert files - used == about
    assert {Path(name).name for name in used - files} <= {"no_such_file.csv"}


def test_the_binary_files_are_those_that_the_script_makes():
    made = make_corpus.files()
    assert all((CORPUS / name).is_file() for name in made)
    sizes = {name: (CORPUS / name).stat().st_size for name in made}
    assert max(sizes.values()) < 15_000
    assert sum(sizes.values()) < 1_500_000
