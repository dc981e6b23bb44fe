"""Withdrawn consent: a patient leaves every result, and the frozen data cuts too.

What is counted over all patients (statistics, matrices, figures of counts) stays in a frozen cut as
it was published; what has a line, a point or a bar of the patient goes. The chain keeps no code:
a digest under a salt of its own lets a later export be recognised that still holds the patient.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captem import chain, cuts
from captem.bundle_search import found_in, searchable
from captem.errors import CaptemError
from captem.files import write_json

if TYPE_CHECKING:
    import pandas as pd

# A drawing with a line, a point or a bar for each patient.
_EACH = re.compile(
    r"figures/(?:paired_slopes|waterfall|gain_by_mib1|timeline|diagnostics|panels)\.(?:svg|png|pdf)"
)
_TEXTS = (".csv", ".txt", ".svg", ".yaml")
_KEPT = (cuts.CUTS, cuts.CHAIN, "templates")


def digest(salt: str, code: str) -> str:
    """Return what the chain keeps of a code."""
    return hashlib.sha256(f"{salt}\0{code}".encode()).hexdigest()


def refuse(frames: Iterable[pd.DataFrame], known: Sequence[Mapping[str, str]]) -> None:
    """Check that no table holds a patient who withdrew.

    Parameters
    ----------
    frames : tables as they were read: `patient_id`, `_file`, `_sheet`, `_row`.
    known : what `cuts.withdrawn` returns.

    Raises
    ------
    CaptemError
        Naming file, sheet and row, and not the code.
    """
    found = []
    for frame in frames:
        gone = {
            code for code in frame["patient_id"].dropna().unique()
            if any(digest(item["salt"], code) == item["digest"] for item in known)
        }  # fmt: skip
        for row in frame[frame["patient_id"].isin(gone)].to_dict("records"):
            sheet = f", sheet {row['_sheet']}" if row["_sheet"] else ""
            found.append(f"{row['_file']}{sheet}, row {row['_row']}")
    if found:
        raise CaptemError(
            "These rows are of a patient who withdrew consent: "
            + "; ".join(found)
            + ". Take them out of the table (of the export, and in REDCap), and run it again. "
            "Nothing was written."
        )


def withdraw(results: str | Path, codes: Sequence[str]) -> str:
    """Take a patient out of everything below the folder of a study; return what was done, in words.

    The order keeps it safe: a note that it is under way is written first, then each cut is replaced
    as a whole, then the chain is sealed; when it was interrupted the same call finishes it.

    Parameters
    ----------
    results : the folder of the study.
    codes : the patient's code; with hashed codes its hash too.

    Raises
    ------
    CaptemError
        If no frozen cut and no result holds the patient, or another withdrawal is under way.
    """
    results = Path(results)
    folder = results / cuts.CHAIN
    entries = chain.checked(folder)
    note = folder / cuts.UNDER_WAY
    if note.is_file():
        item = json.loads(note.read_text(encoding="utf-8"))
        if not any(digest(item["salt"], code) == item["digest"] for code in codes):
            raise CaptemError(
                "A withdrawal of another patient was interrupted. Finish that one first, with its "
                "code; then run this one."
            )
        code = next(code for code in codes if digest(item["salt"], code) == item["digest"])
        _recover(results, entries)
    else:
        found = [code for code in codes if _holders(results, entries, code)]
        if not found:
            raise CaptemError(_unknown(entries, codes))
        # The chain must be true before it is written on.
        cuts.check(results)
        code, salt = found[0], secrets.token_hex(16)
        item = {"salt": salt, "digest": digest(salt, code)}
        write_json(note, item)
    resealed = {}
    for cut in cuts.sealed(results, entries):
        changed = purged(cut.folder, cut.record, code)
        if changed is not None:
            _replace(cut.folder, changed)
        data = (cut.folder / cuts.RECORD).read_bytes()
        if cuts.seals(entries)[cut.name] != cuts.sha256(data):
            resealed[cut.name] = cuts.sha256(data)
    removed = _clear(results)
    chain.append(folder, chain.WITHDRAW, {**item, "cuts": resealed})
    note.unlink()
    said = (
        f"taken out of the frozen data cuts {', '.join(resealed)}, which were sealed again"
        if resealed
        else "in no frozen data cut"
    )
    return (
        f"The patient is {said}. {removed} other results of this study were taken away; the next "
        "run makes them again, without the patient, from an export that no longer holds them: "
        "under a new name (cut) where its data cut is frozen, under the same one where it is not. "
        "Outside this folder nothing was touched: take the patient out of the export, of copies of "
        "it, of backups, and of bundles that you have sent."
    )


def _unknown(entries: Sequence[chain.Entry], codes: Sequence[str]) -> str:
    for item in cuts.withdrawn(entries):
        if any(digest(item["salt"], code) == item["digest"] for code in codes):
            return "This patient was withdrawn already, and is in no result of this study."
    return (
        "No frozen data cut and no result of this study holds a patient with this code. Write it "
        "exactly as it stands in cohort/patients.csv: --config withdraw=A12 (a code of digits "
        "in quotation marks: --config 'withdraw=\"012\"')."
    )


def _holders(results: Path, entries: Sequence[chain.Entry], code: str) -> list[Path]:
    """Return the clean tables that hold a patient."""
    tables = [cut.folder / "cohort" / "patients.csv" for cut in cuts.sealed(results, entries)]
    tables += [results / "cohort" / "patients.csv", results / "cohort/ingested/patients.csv"]
    return [path for path in tables if path.is_file() and _rows_of(path.read_bytes(), code)]


def _rows_of(data: bytes, code: str) -> int:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8")))
    return sum(1 for row in rows if row.get("patient_id") == code)


def purged(folder: Path, record: Mapping[str, Any], code: str) -> dict[str, bytes] | None:
    """Return the files of a cut without a patient, with a new record; None if it holds none."""
    files = {name: (folder / name).read_bytes() for name in record["files"]}
    told = searchable([code])
    if not any(
        without_rows(data, code) != data or (told and found_in(name, data, told))
        for name, data in files.items()
        if name.endswith(_TEXTS)
    ):
        return None
    left: dict[str, bytes] = {}
    for name, data in files.items():
        if _EACH.fullmatch(name):
            continue
        kept = without_rows(data, code) if name.endswith(".csv") else data
        # A text that names the patient in passing is no loss; a code that stays would be one.
        if not (told and name.endswith(_TEXTS) and found_in(name, kept, told)):
            left[name] = kept
    hashes = {name: cuts.sha256(data) for name, data in sorted(left.items())}
    changed = {
        **record, "withdrawn": record.get("withdrawn", 0) + 1, "files": hashes
    }  # fmt: skip
    return {**left, cuts.RECORD: cuts.as_bytes(changed)}


def without_rows(data: bytes, code: str) -> bytes:
    """Return a CSV without the rows of a patient; every other byte stays as it is."""
    text = data.decode("utf-8")
    lines = _records(text)
    heading = next(csv.reader([lines[0]]), []) if lines else []
    columns = [place for place, name in enumerate(heading) if name in ("patient_id", "patient")]
    if not columns:
        return data
    kept = [lines[0]]
    for line in lines[1:]:
        cells = next(csv.reader(io.StringIO(line)), [])
        if not any(place < len(cells) and cells[place] == code for place in columns):
            kept.append(line)
    return "".join(kept).encode("utf-8")


def _records(text: str) -> list[str]:
    """Return the records of a CSV as they are written; one with a line end in a cell is one."""
    records, begun = [], ""
    for line in text.splitlines(keepends=True):
        begun += line
        if begun.count('"') % 2 == 0:
            records.append(begun)
            begun = ""
    return [*records, begun] if begun else records


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put a purged cut in the place of the frozen one; at each moment one of them is there."""
    new, old = _beside(folder)
    if new.exists():
        cuts.remove(new)
    cuts.place(new, files)
    folder.rename(old)
    new.rename(folder)
    cuts.remove(old)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}~purged"), folder.with_name(f"{folder.name}~old")


def _recover(results: Path, entries: Iterable[chain.Entry]) -> None:
    """Finish what an interrupted withdrawal left between two names."""
    for name in cuts.seals(entries):
        folder = results / cuts.CUTS / name
        new, old = _beside(folder)
        if not folder.exists() and new.exists():
            new.rename(folder)
        for left in (new, old):
            if left.exists() and folder.exists():
                cuts.remove(left)


def _clear(results: Path) -> int:
    """Take away all results but what is frozen; return how many files there were."""
    count = 0
    for path in sorted(results.iterdir()):
        if path.name in _KEPT:
            continue
        count += sum(1 for file in path.rglob("*") if file.is_file()) if path.is_dir() else 1
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return count
