"""What captem takes each column of a sheet for, and what a study still needs before it can run.

Everything here comes from tables that were read (`captem.cohort.ingest`). It holds headings and
counts, and never what stands in a cell.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from captem import dates, headings
from captem.cohort import Cohort
from captem.headings import DATE, EVENT, INSTANCE, INSTRUMENT, LAYOUT, SCHEMAS, SYNONYMS, VISIT
from captem.identity import KEY_VARIABLE, SHORTEST_KEY, identifies
from captem.parts import PAIRS, Column, Part
from captem.problems import ERROR, WARNING, Problem, stopping
from captem.schemas import fields, scans
from captem.sheet_choice import SheetSeen

OWN, SAME, SYNONYM, LABEL = "its own name", "the same words", "synonym", "the file's label"
NOT_USED, DROPPED, AMBIGUOUS = "not used", "dropped", "ambiguous"
SURE, LIKELY, DOUBTFUL = "sure", "likely", "doubtful"
_SCANS = {"pre": "baseline", "post": "follow-up"}
_ROLES = {
    VISIT: "which scan a row is of", EVENT: "which event a row is of",
    INSTRUMENT: "which form a row is of", INSTANCE: "which repeat a row is of",
}  # fmt: skip
_NEAR, _NEAR_ENOUGH_TO_ASK = 0.8, 0.55
# Columns that are looked for in longer headings as well.
_MATTER = ("patient_id", "lesion_id", "krenning", "suvmax", "mib1", "captem_cycles")
_ASKS_ORDER = "date_order"
_DATA = re.compile(r"[-+<>=~ ]*\d[\d.,:/ %-]*")


@dataclass(frozen=True)
class Seen:
    """A column of the file, what it was taken for, and how well its cells fit that.

    name : captem's name, such as `krenning_pre`; of a column that is ambiguous the name that
        several want; of one that is not used the name that its heading comes near to, or nothing.
    said : the name with its scan and unit, for the table.
    how : one of the constants of this module; `note` says more.
    filled, read, faults : cells that hold something, that could be read, and errors in them.
    certain : `sure`, `likely` or `doubtful`, where the column is used.
    written : whether it is to be named in the config: not its own name, and the config can say it.
    """

    table: str
    heading: str
    name: str = ""
    said: str = ""
    how: str = NOT_USED
    note: str = ""
    filled: int = 0
    read: int | None = None
    faults: int = 0
    certain: str = ""
    written: bool = False


@dataclass(frozen=True)
class Advice:
    """Settings that the data ask for, each shown in the config as a comment to choose from.

    date_orders : the orders of day and month that fit, most likely first; empty if none is asked.
    wanted : a required column that is missing -> headings that could be meant.
    """

    date_orders: tuple[str, ...] = ()
    fractions: bool = False
    hash_codes: bool = False
    visits: str = ""
    wanted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """What the sheet was taken for: sentences, a line a column, and what stands in the way.

    repairs : how many cells each rule read differently from how they are written.
    long : the tables that have one row a scan.
    needs : what has to be done before the study can run; `runs` says whether it can as it is.
    """

    sentences: tuple[str, ...]
    columns: tuple[Seen, ...]
    repairs: Mapping[str, int]
    needs: tuple[str, ...]
    advice: Advice
    runs: bool
    warnings: int
    long: frozenset[str] = frozenset()


def of(cohort: Cohort, sheets: Sequence[SheetSeen] = ()) -> Proposal:
    """Return what the tables of one source were taken for.

    Parameters
    ----------
    cohort : what `ingest` gave, without hashed codes.
    sheets : the sheets of the workbook with the patients, where it is one.
    """
    parts = [part for part in cohort.parts if part.cells is not None]
    advice = _advice(cohort, parts)
    columns = [seen for part in parts for seen in _columns(part, parts, cohort.problems)]
    rules: Counter[str] = Counter(
        str(rule) for rule, row in zip(cohort.repairs["rule"], cohort.repairs["row"], strict=True)
        if row
    )  # fmt: skip
    return Proposal(
        sentences=(*_of_sheets(sheets, parts), *(_layout(part, cohort) for part in parts)),
        columns=tuple(columns),
        repairs=dict(sorted(rules.items())),
        needs=tuple(_needs(cohort, parts, columns, advice)),
        advice=advice,
        runs=not stopping(cohort.problems, "stop"),
        warnings=sum(problem.severity == WARNING for problem in cohort.problems),
        long=frozenset(part.table for part in parts if part.long),
    )


def without_headings(part: Part) -> bool:
    """Return whether the first row of a table may be a patient's and not one of headings.

    Its cells must then not be shown or written down.
    """
    assert part.cells is not None
    if part.headless:
        return True
    texts = [text for text in part.cells.header if text]
    data = [text for text in texts if _DATA.fullmatch(text) or headings.scan_of(text)[2] == []]
    return not part.columns and not part.layout and 3 * len(data) > len(texts)


def _columns(part: Part, parts: Sequence[Part], problems: Iterable[Problem]) -> list[Seen]:
    """Return what each column of a table was taken for, in the order of the file."""
    assert part.cells is not None
    by_heading = _errors_by_heading(part, problems)
    open_names = _ambiguous(part)
    used: dict[int, list[Column]] = {}
    for column in part.columns:
        used.setdefault(column.place, []).append(column)
    roles = {place: name for name, place in part.layout.items()}
    result = []
    for place, heading in enumerate(part.cells.header):
        filled = sum(bool(row[place].strip()) for row in part.cells.rows)
        faults = by_heading.get(heading, [])
        seen = Seen(part.table, heading, filled=filled, faults=len(faults))
        if place in used:
            result.append(_used(part, parts, seen, used[place], faults))
        elif place in roles:
            name = roles[place]
            result.append(_with(seen, part, parts, name, f"{name}: {_ROLES[name]}", place, ""))
        elif heading in part.hidden:
            result.append(_replaced(seen, how=DROPPED, note="identifies a person"))
        elif heading or filled:
            result.append(_unused(part, seen, open_names.get(place, "")))
    return result


def _replaced(seen: Seen, **changes: object) -> Seen:
    return Seen(**{**seen.__dict__, **changes})


def _used(
    part: Part, parts: Sequence[Part], seen: Seen, columns: Sequence[Column],
    faults: Sequence[Problem],
) -> Seen:  # fmt: skip
    first = columns[0]
    name = " and ".join(column.name.split("#")[0] for column in columns)
    bad = {problem.row: problem for problem in faults if problem.rule == "not_readable"}
    seen = _replaced(seen, read=seen.filled - len(bad))
    # Dates that only wait for the order of day and month say nothing against the column.
    waits = any(_ASKS_ORDER in problem.mend for problem in bad.values())
    kind = "text" if waits else first.spec.kind
    if first.side is not None:
        said = f"{name}: both in one cell"
        return _replaced(seen, name=name, said=said, how=_how(part, seen.heading, name),
                         certain=LIKELY)  # fmt: skip
    if "#" in first.name:
        said = f"{name}, follow-up {first.name.split('#')[1]}{_unit(first)}"
        return _replaced(seen, name=name, said=said, how=_how(part, seen.heading, name),
                         certain=LIKELY)  # fmt: skip
    said = name + _scan(part, name) + _unit(first)
    if first.heading in part.hidden:
        seen = _replaced(seen, note="looks like an identity")
    return _with(seen, part, parts, name, said, first.place, first.unit, kind)


def _with(
    seen: Seen, part: Part, parts: Sequence[Part], name: str, said: str, place: int, unit: str,
    kind: str = "text",
) -> Seen:  # fmt: skip
    """Return a used column with how it was found, how sure that is, and whether to write it."""
    how = _how(part, seen.heading, name)
    words = set(headings.plain(_stem(name, part.table)).split())
    named = words <= set(headings.plain(seen.heading).split())
    certain = SURE if how in (OWN, SAME) or (how == SYNONYM and named) else LIKELY
    if kind != "text" and seen.read is not None and 2 * seen.read < seen.filled:
        certain = DOUBTFUL
    return _replaced(
        seen, name=name, said=said, how=how, certain=certain,
        written=how != OWN and _can_be_written(part, parts, name, place, unit),
    )  # fmt: skip


def _how(part: Part, heading: str, name: str) -> str:
    if heading == name:
        return OWN
    if headings.plain(heading) == headings.plain(name):
        return SAME
    return SYNONYM if headings.meaning(heading, part.table) else LABEL


def _can_be_written(part: Part, parts: Sequence[Part], name: str, place: int, unit: str) -> bool:
    """Return whether `columns: {name: heading}` reads this column as it was read without that.

    A unit that only the file's label gives would be lost; what `columns` says holds for every table
    of the source, so a heading that means something else in another table cannot be named.
    """
    assert part.cells is not None
    heading = part.cells.header[place]
    if heading != heading.strip() or name not in _known(part.table):
        return False
    if name != "patient_id" and identifies(heading, mapped=True):
        # Such as redcap_event_name: known as it is, refused where the config names it.
        return False
    if name not in LAYOUT and headings.unit_of(heading) != unit:
        return False
    for other in parts:
        if other is part or other.cells is None or heading not in other.cells.header:
            continue
        given = {column.name: column.heading for column in other.columns}
        given |= {role: other.cells.header[at] for role, at in other.layout.items()}
        if name in _known(other.table) and given.get(name) != heading:
            return False
        if any(text == heading and taken != name for taken, text in given.items()):
            return False
    return True


def can_be_named(seen: Seen) -> bool:
    """Return whether `columns:` may give the name of a column: not that of a second follow-up."""
    return seen.name in _known(seen.table)


@lru_cache(maxsize=2)
def _known(table: str) -> frozenset[str]:
    """Return the names that `columns:` may give for a table."""
    return frozenset((*fields(SCHEMAS[table]), *scans(SCHEMAS[table]), *LAYOUT))


def _scan(part: Part, name: str) -> str:
    for stem, sides in scans(SCHEMAS[part.table]).items():
        for side, full in sides.items():
            if full == name:
                return f", {_SCANS[side]}"
        if stem == name:
            return ", of the row's scan"
    return ", of the row's scan" if name == DATE else ""


def _unit(column: Column) -> str:
    unit = column.spec.unit
    if column.unit and column.unit != unit:
        return f", {column.unit} read as {unit}" if unit else ""
    return f", {unit}" if unit and unit not in ("step", "cycles") else ""


def _unused(part: Part, seen: Seen, wanted: str) -> Seen:
    """Return a column that is kept as it is, with why captem does not use it."""
    if wanted:
        return _replaced(seen, name=wanted, said=f"{wanted}?", how=AMBIGUOUS,
                         note="more than one column could be meant")  # fmt: skip
    if not seen.heading:
        return _replaced(seen, heading="(no heading)", note="not read")
    found = _meaning(part, seen.heading)
    if found is not None and not identifies(seen.heading):
        name = headings.canonical(found, part.table)
        if name in part.names:
            return _replaced(seen, note=f"{name} is taken from {shown(part.heading(name))}")
        sides = scans(SCHEMAS[part.table]).get(found.name)
        if sides and not found.scan:
            return _replaced(seen, name=found.name, note="does not say which scan")
    name = next(iter(_near(seen.heading, part)), "")
    return _replaced(seen, name=name, note=f"is it {name}?" if name else "")


def _meaning(part: Part, heading: str) -> headings.Meaning | None:
    assert part.cells is not None
    return headings.meaning(heading, part.table) or headings.meaning(
        part.cells.labels.get(heading, ""), part.table
    )


def _ambiguous(part: Part) -> dict[int, str]:
    """Return for each column that could be meant for a name, beside others, that name."""
    assert part.cells is not None
    wanted = {
        heading: problem.allowed.removeprefix("one column for ")
        for problem in part.problems
        if problem.rule == "ambiguous_heading"
        for heading in (problem.value, *problem.value.split(", "))
    }
    result = {}
    for place, heading in enumerate(part.cells.header):
        if heading in wanted and heading not in part.hidden:
            result[place] = wanted[heading]
    return result


def _errors_by_heading(part: Part, problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Return the errors of single cells of a table by the heading of their column."""
    assert part.cells is not None
    rows = set(map(str, part.cells.numbers))
    place = (part.cells.file, part.cells.sheet)
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        here = problem.row in rows and (problem.file, problem.sheet) == place
        if here and problem.severity == ERROR:
            own = part.heading(problem.column) if problem.column else ""
            found.setdefault(own, []).append(problem)
    return found


@lru_cache(maxsize=2)
def _wordings(table: str) -> dict[str, str]:
    """Return every wording of a column of a table, without its scan, and the column."""
    result: dict[str, str] = {}
    for name in (*fields(SCHEMAS[table]), *scans(SCHEMAS[table])):
        stem = _stem(name, table)
        for wording in (stem, *SYNONYMS[table].get(stem, ())):
            # Two signs are near to everything.
            if len(words := headings.plain(wording)) > 3:
                result.setdefault(words, stem)
    return result


def _stem(name: str, table: str) -> str:
    return next(
        (stem for stem, sides in scans(SCHEMAS[table]).items() if name in sides.values()), name
    )


def _near(heading: str, part: Part) -> list[str]:
    """Return the columns that the file does not give and a heading comes near to, nearest first."""
    scan, _, rest = headings.scan_of(heading)
    wordings = _wordings(part.table)
    close = [words for words, stem in wordings.items()
             if stem in _MATTER and set(words.split()) <= set(rest)]  # fmt: skip
    close = close or difflib.get_close_matches(" ".join(rest), wordings, 5, _NEAR)
    sides = scans(SCHEMAS[part.table])
    names = []
    for stem in dict.fromkeys(wordings[words] for words in close):
        both = sides.get(stem, {})
        name = both.get(scan, stem)
        # Of a column whose scan is not said both names have to be free.
        if not part.names & ({name} if name != stem else {stem, *both.values()}):
            names.append(name)
    return names


def _could_be(name: str, part: Part) -> tuple[str, ...]:
    """Return the headings that could be meant for a required column, nearest first."""
    assert part.cells is not None
    stem = _stem(name, part.table)
    wordings = [words for words, column in _wordings(part.table).items() if column == stem]
    used = {column.heading for column in part.columns}
    side = next((s for s, full in scans(SCHEMAS[part.table]).get(stem, {}).items()
                 if full == name), "")  # fmt: skip
    rated = []
    for heading in dict.fromkeys(part.cells.header):
        if not heading or heading in used or heading in part.hidden:
            continue
        scan, _, rest = headings.scan_of(heading)
        if side and scan not in ("", side):
            continue
        words = " ".join(rest)
        rating = max((difflib.SequenceMatcher(None, words, w).ratio() for w in wordings), default=0)
        if rating >= _NEAR_ENOUGH_TO_ASK:
            rated.append((rating + (0.1 if side and scan == side else 0), heading))
    return tuple(heading for _, heading in sorted(rated, key=lambda item: -item[0])[:3])


def _advice(cohort: Cohort, parts: Sequence[Part]) -> Advice:
    rules = {problem.rule for problem in cohort.problems}
    wanted: dict[str, tuple[str, ...]] = {}
    for problem in cohort.problems:
        if problem.rule != "missing_column" or problem.column not in SCHEMAS_NAMES:
            continue
        part = next(p for p in parts if p.cells and
                    (p.cells.file, p.cells.sheet) == (problem.file, problem.sheet)
                    and problem.column not in p.names)  # fmt: skip
        names = [problem.column]
        pair = next((pair for pair in PAIRS if problem.column in pair), None)
        if pair:
            names = [name for name in pair if name not in part.names]
        for name in names:
            wanted[name] = _could_be(name, part)
            if name == "patient_id" and not wanted[name]:
                # A hospital's number may serve, where the codes are hashed.
                wanted[name] = tuple(h for h in part.cells.header if h in part.hidden)[:3]  # type: ignore[union-attr]
    hidden_code = any(
        heading in part.hidden for part in parts for heading in wanted.get("patient_id", ())
    )
    unclear = next((part for part in parts if any(p.rule == "visit_not_known"
                                                  for p in part.problems)), None)  # fmt: skip
    return Advice(
        date_orders=_date_orders(parts),
        fractions="fraction_or_percent" in rules,
        hash_codes="identity_as_code" in rules or hidden_code,
        visits=_visit_heading(unclear) if unclear else "",
        wanted=wanted,
    )


SCHEMAS_NAMES = frozenset(name for table in SCHEMAS for name in fields(SCHEMAS[table]))


def _visit_heading(part: Part) -> str:
    assert part.cells is not None
    place = next((part.layout[name] for name in (VISIT, EVENT) if name in part.layout), None)
    return part.cells.header[place] if place is not None else "the scan"


def _date_orders(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the orders of day and month that fit, where a column leaves it open; else nothing."""
    asked, said = False, set()
    for part in parts:
        assert part.cells is not None
        faults = {p.column for p in part.problems
                  if p.rule == "not_readable" and _ASKS_ORDER in p.mend}  # fmt: skip
        for column in part.columns:
            if column.spec.kind == "date":
                asked |= column.heading in faults
                said |= dates.order_of(row[column.place] for row in part.cells.rows)
    if not asked:
        return ()
    both = (dates.DAY_FIRST, dates.MONTH_FIRST)
    return tuple(sorted(both, key=lambda order: (order not in said, both.index(order))))


_IN_THE_CONFIG = ("ambiguous_heading", "which_scan", "missing_column", "identity_as_code",
                  "fraction_or_percent", "visit_not_known")  # fmt: skip


# What is said of every row where a code is missing as a whole.
_FOLLOW_FROM = {
    "unknown_patient": {"patient_id"}, "no_patient_id": {"patient_id"},
    "no_lesion_id": {"lesion_id"}, "duplicate_lesion": {"patient_id", "lesion_id"},
}  # fmt: skip


def _needs(
    cohort: Cohort, parts: Sequence[Part], columns: Sequence[Seen], advice: Advice
) -> list[str]:
    """Return what stands between the study and its run, in sentences without any cell's content."""
    stops = stopping(cohort.problems, "stop")
    needs = []
    for name, could in advice.wanted.items():
        meaning = _description(name)
        said = f"could be meant: {_listed(could)}" if could else "no heading comes near to it"
        heading = shown(could[0]) if len(could) == 1 else '"the heading in your sheet"'
        needs.append(f"Required and missing: {name} ({meaning}); {said}. Under columns: in the "
                     f"config write {name}: {heading}.")  # fmt: skip
    if advice.wanted.keys() & {name for pair in PAIRS for name in pair}:
        needs[-1] += (
            " A pair of scores (krenning_pre, krenning_post) or of SUVmax (suvmax_pre, "
            "suvmax_post) is enough."
        )
    for name in dict.fromkeys(seen.name for seen in columns if seen.how == AMBIGUOUS):
        open_ones = [seen for seen in columns if seen.how == AMBIGUOUS and seen.name == name]
        mend = "rename or delete all but one in the sheet"
        if all(map(can_be_named, open_ones)):
            mend = "choose one under columns: in the config"
        meant = _listed(seen.heading for seen in open_ones)
        needs.append(f"More than one column could be {name}: {meant}; {mend}.")
    for problem in stops:
        if problem.rule == "which_scan":
            needs.append(f"{shown(problem.column)} does not say of which scan it is: give it under "
                         "columns: in the config to the baseline or the follow-up.")  # fmt: skip
    if advice.hash_codes:
        needs.append(
            "The codes of the patients look like the identity of people. Better give patient_id "
            "from a column with the study's own codes; or let captem replace them by hashes: "
            f"patient_ids: hash in the config, and a key of at least {SHORTEST_KEY} signs in the "
            f"environment variable {KEY_VARIABLE}."
        )
    if advice.fractions:
        needs.append("The MIB1 index holds numbers below 1. Is 0.07 meant as 7 % or as 0.07 %? "
                     "Write single cells with a percent sign; where it is so in the whole column, "
                     "say it in the config (units:).")  # fmt: skip
    if advice.date_orders:
        needs.append("Dates do not show whether the day or the month comes first: say so in the "
                     "config (date_order:).")  # fmt: skip
    if advice.visits:
        needs.append(f"Some words of {shown(advice.visits)} do not say which scan is meant: give "
                     "them under visits: in the config.")  # fmt: skip
    return needs + _of_data(stops, advice)


def _of_data(stops: Iterable[Problem], advice: Advice) -> list[str]:
    """Return the errors that have to be mended in the sheet, counted."""
    rest = [
        problem for problem in stops
        if problem.rule not in _IN_THE_CONFIG
        and not (advice.date_orders and _ASKS_ORDER in problem.mend)
        and not (problem.rule in _FOLLOW_FROM and _FOLLOW_FROM[problem.rule] & set(advice.wanted))
    ]  # fmt: skip
    if not rest:
        return []
    counts = Counter(problem.rule.replace("_", " ") for problem in rest)
    said = ", ".join(f"{rule}: {number}" for rule, number in counts.most_common())
    needs = [f"To be mended in the sheet ({said}); make check lists each with its row."]
    if counts["duplicate patient"]:
        needs.append("Patients stand in more than one row. Where each row is a scan, add a column "
                     "Visit with baseline or follow-up in every row.")  # fmt: skip
    return needs


def _description(name: str) -> str:
    return next(known[name].description for table in SCHEMAS
                if name in (known := fields(SCHEMAS[table])))  # fmt: skip


def _of_sheets(sheets: Sequence[SheetSeen], parts: Sequence[Part]) -> list[str]:
    if len(sheets) < 2:
        return []
    taken: dict[str, list[str]] = {}
    for part in parts:
        assert part.cells is not None
        taken.setdefault(part.cells.sheet, []).append(part.table)
    said = []
    for sheet in sheets:
        what = f"taken for the {' and '.join(taken[sheet.name])}" if sheet.name in taken else (
            "hidden, not read" if sheet.hidden else "not read"
        )  # fmt: skip
        said.append(f"{shown(sheet.name)} ({what})")
    return [f"Sheets: {', '.join(said)}."]


def _layout(part: Part, cohort: Cohort) -> str:
    """Return how a table is laid out, in a sentence with counts."""
    assert part.cells is not None
    rows = len(part.cells.rows)
    codes = part.frame["patient_id"]
    named = codes[codes.notna() & codes.ne("")]
    unit = {"patients": "patient", "lesions": "lesion"}[part.table]
    if part.long:
        unit = "scan" if part.table == "patients" else "scan of a lesion"
    people = f" of {_counted(named.nunique(), 'patient')}" if len(named) else ""
    said = f"{part.table.capitalize()}: one row a {unit}, {_counted(rows, 'row')}{people}"
    if part.table == "patients":
        flow = cohort.flow[cohort.flow["step"].eq("follow_up_pet")].set_index("reason")["n"]
        seen = sum(number for reason, number in flow.items() if not str(reason).startswith("no "))
        said += f", {seen} with a follow-up PET"
        several = sum(n for reason, n in flow.items() if str(reason).startswith("several"))
        said += f" ({several} with more than one)" if several else ""
    return said + "."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def shown(heading: str) -> str:
    """Return a heading in quotation marks on one line, without control characters."""
    clean = "".join(sign if sign.isprintable() else " " for sign in heading)
    return f'"{" ".join(clean.split())}"'


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(shown, texts))
