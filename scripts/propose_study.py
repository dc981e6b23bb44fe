"""Show what captem takes the columns of a sheet for, and write the config of a study from it.

The sheet may be an Excel workbook (.xlsx), CSV, SPSS (.sav), Parquet or an export of REDCap. What
stands in its cells is neither printed nor written: only headings and counts.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from captem.errors import CaptemError

if TYPE_CHECKING:
    from captem.cohort import Cohort
    from captem.parts import Source
    from captem.proposal import Proposal
    from captem.sheet_choice import SheetSeen

SCHEMA = Path(__file__).resolve().parent.parent / "workflow/schemas/config.schema.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Read the sheet, say what was understood, write the config; 0 if the study can run."""
    options = _options(arguments)
    try:
        return _propose(options)
    except CaptemError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", metavar="SHEET", help="the table of patients, such as cohort.xlsx")
    parser.add_argument("--lesions", default="", help="the table of lesions, if a file of its own")
    parser.add_argument("--dictionary", default="", help="data dictionary of a REDCap project")
    parser.add_argument("--sheet", default="", help="the sheet that holds the patients")
    parser.add_argument("--lesions-sheet", default="", help="the sheet that holds the lesions")
    parser.add_argument("--cut", default="1", help='name of this data cut, such as "2026-11-01"')
    parser.add_argument("--out", default="", help="the config to write (default: as the sheet)")
    return parser.parse_args(arguments)


def _propose(options: argparse.Namespace) -> int:
    import yaml
    from captem.cohort import ingest
    from captem.config import resolve
    from captem.proposal import of
    from captem.proposal_config import config_text, source_name, study_name

    for path in filter(None, (options.table, options.lesions, options.dictionary)):
        _check_file(path)
    study = study_name(Path(options.table).stem)
    out = options.out or f"{study}.yaml"
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    source, sheets = _source(options, source_name(study))
    cohort = ingest([source])
    _check_readable(cohort)
    proposal = of(cohort, sheets)
    named = shlex.quote(out)
    check = f"make check STUDY={named}"
    text = config_text(proposal, source, study, options.cut, schema, check)
    resolve(yaml.safe_load(text), schema)
    _show(proposal, source.patients)
    written = _write(Path(out), text)
    if proposal.runs and written:
        hints = f" ({proposal.warnings} warnings)" if proposal.warnings else ""
        _say(f"The study can run as {out} has it. Read that file, and correct it where captem is "
             f"wrong. Then: {check}{hints}, and make STUDY={named}")  # fmt: skip
        return 0
    if not proposal.runs:
        print("\nThe study cannot run yet:")
        for number, need in enumerate(proposal.needs, start=1):
            _say(need, f"  {number}. ")
    if written:
        _say(f"Correct {out} or the sheet; then: {check}")
    return 1


def _source(options: argparse.Namespace, name: str) -> tuple[Source, list[SheetSeen]]:
    """Return the source of the study, with the sheets that hold its tables."""
    from captem import sheet_choice
    from captem.parts import Source

    sheets = sheet_choice.sheets_of(options.table)
    asked = sheet_choice.named(options.sheet, sheets, options.table) if options.sheet else ""
    if options.lesions:
        theirs, file = sheet_choice.sheets_of(options.lesions), options.lesions
        marks = sheet_choice.lesions_among(theirs, file) if not options.lesions_sheet else ""
    else:
        theirs, file, marks = sheets, options.table, ""
    if options.lesions_sheet:
        marks = sheet_choice.named(options.lesions_sheet, theirs, file)
    found = sheet_choice.chosen(
        sheets, options.table, asked, marks, elsewhere=bool(options.lesions)
    )
    source = Source(
        name=name,
        patients=options.table,
        sheet=found.patients,
        lesions=options.lesions or None,
        lesions_sheet=found.lesions,
        dictionary=options.dictionary or None,
    )
    return source, sheets


def _check_file(path: str) -> None:
    """Raise CaptemError where a file is not there, with the nearest name that is."""
    if Path(path).is_file():
        return
    folder = Path(path).parent
    if Path(path).is_dir():
        raise CaptemError(f"{path} is a folder. Name the file with the table.")
    names = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
    near = difflib.get_close_matches(Path(path).name, names, 1, 0.5)
    hint = f" Did you mean {folder / near[0]}?" if near else ""
    raise CaptemError(
        f"There is no file {path} in {Path.cwd()}.{hint}\nSave the sheet in that folder, or give "
        "its path as well."
    )


def _check_readable(cohort: Cohort) -> None:
    """Raise CaptemError where a table cannot be read, or seems to have no headings."""
    from captem.proposal import without_headings

    for part in cohort.parts:
        if part.cells is None:
            problem = part.problems[0]
            raise CaptemError(
                f"{problem.file} cannot be read: {problem.value}.\nWhat captem reads: "
                f"{problem.allowed}.\nTo mend: {problem.mend}."
            )
        if without_headings(part):
            raise CaptemError(
                f"{part.cells.file} has {len(part.cells.header)} columns, and seems to have no "
                "line of headings: its first row looks like a patient's, or none of its headings "
                "is one that captem knows. So nothing of it is shown here.\nTo mend: put a "
                "heading above every column, such as those of config/README.md (patient_id, "
                "krenning_pre, krenning_post)."
            )


def _show(proposal: Proposal, file: str) -> None:
    from captem.proposal_table import table_text

    print(f"{file}\n")
    for sentence in proposal.sentences:
        _say(sentence)
    print(f"\n{table_text(proposal, _width())}\n")
    if proposal.repairs:
        said = ", ".join(f"{rule.replace('_', ' ')} {n}" for rule, n in proposal.repairs.items())
        _say(f"Cells read differently from how they are written: {said}.")


def _write(path: Path, text: str) -> bool:
    """Write the config where there is none, and say so; else show what would change."""
    from captem.files import write_text

    try:
        if path.exists():
            old = path.read_text(encoding="utf-8", errors="replace")
            if old == text:
                _say(f"{path} is there already, as captem would write it.")
                return True
            _say(f"There is a {path} already; it was left as it is. What captem would write:")
            lines = (old.splitlines(), text.splitlines(), str(path), "captem's proposal")
            print("\n".join(difflib.unified_diff(*lines, lineterm="")))
            _say("Delete it to have it written anew, or have another one written: "
                 "OPTIONS='--out my_other.yaml'")  # fmt: skip
            return False
        write_text(path, text)
    except OSError as error:
        raise CaptemError(
            f"{path} cannot be written: {error.strerror or error}.\nWork in a folder that you may "
            "write to, or name another file: OPTIONS='--out my_study.yaml'"
        ) from None
    _say(f"Written: {path}")
    return True


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _say(text: str, indent: str = "") -> None:
    print(
        textwrap.fill(
            text, max(_width(), 60), initial_indent=indent, subsequent_indent=" " * len(indent),
            break_on_hyphens=False, break_long_words=False,
        )
    )  # fmt: skip


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output, such as `head`, has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
