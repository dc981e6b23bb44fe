"""From the layout of a file to one row a patient, or a lesion: which row is which scan.

A sheet with one row a scan, a REDCap export with one row an event and a sheet with columns for a
second follow-up all end here. Where a patient had several follow-up scans, the setting `follow_up`
says which one counts: by its date, never by its score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from captem import headings
from captem.headings import DATE, SCHEMAS
from captem.parts import Part
from captem.problems import ERROR, WARNING, Problem
from captem.schemas import scans
from captem.visits import visit_number

# Errors of which it follows that nobody knows which row is which scan of the patient.
UNTOLD = frozenset(
    {
        "visit_not_known", "several_baselines", "which_follow_up", "rows_disagree",
        "follow_up_before_baseline",
    }
)  # fmt: skip
# What is counted up to a scan: in a table with one row a scan the follow-up's value is meant.
_AT_FOLLOW_UP = ("captem_cycles",)
_KEYS = {"patients": ["patient_id"], "lesions": ["patient_id", "lesion_id"]}


@dataclass(frozen=True)
class Known:
    """What the table of patients says of the scans, for the table of lesions.

    start, end : first and last day of CAPTEM of each patient.
    chosen : the follow-up scan that counts of each patient: its date and its number, where known.
    several : the patients with more than one follow-up scan.
    days : the date of each scan by patient and number.
    """

    start: Mapping[str, str] = field(default_factory=dict)
    end: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, tuple[str | None, float | None]] = field(default_factory=dict)
    several: frozenset[str] = frozenset()
    days: Mapping[tuple[str, float], str] = field(default_factory=dict)


def known_of(frame: pd.DataFrame) -> Known:
    """Return what an arranged table of patients says of the scans."""
    named = frame[frame["patient_id"].notna()].drop_duplicates("patient_id")

    def by_patient(*names: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            if name in named:
                filled = named[named[name].notna()]
                found = dict(zip(filled["patient_id"], filled[name], strict=True)) | found
        return found

    dates, numbers = by_patient("pet_date_post"), by_patient("_visit_post")
    several = named.loc[named["_follow_ups"].gt(1), "patient_id"]
    return Known(
        by_patient("captem_start"),
        by_patient("captem_end", "last_captem_date"),
        {code: (dates.get(code), numbers.get(code)) for code in {*dates, *numbers}},
        frozenset(several),
        frame.attrs.get("days", {}),
    )


def arranged(part: Part, follow_up: str, known: Known) -> pd.DataFrame:
    """Return the rows of a part as one row a patient or lesion, in the canonical columns.

    Parameters
    ----------
    follow_up : `first`, `last` or `nearest` (to the end of CAPTEM).
    known : what the table of patients says, for a table of lesions.
    """
    frame = part.frame
    if part.long and frame["patient_id"].isna().all():
        # Without codes nobody knows which rows belong together.
        part.long = False
    extra = sorted({int(item.name.split("#")[1]) for item in part.columns if "#" in item.name})
    if part.long:
        rows = _by_event(part, frame.assign(_visit=_visits(part)))
    elif extra and not _repeats(part):
        rows = _one_row_a_scan(part, extra)
    else:
        seen = _seen_again(frame)
        return frame.assign(_row_post=frame.get("_row"), _follow_ups=seen)
    rows = _dated(part, rows, known)
    rows = _order_by_date(part, rows, known)
    return _one_row_each(part, rows, follow_up, known)


def _dated(part: Part, rows: pd.DataFrame, known: Known) -> pd.DataFrame:
    """Give lesions without a date of their own the date of the patient's scan."""
    if part.table != "lesions" or not known.days:
        return rows
    pairs = zip(rows["patient_id"], rows["_visit"], strict=True)
    borrowed = pd.Series([known.days.get(pair) for pair in pairs], index=rows.index, dtype=object)
    return rows.assign(**{DATE: rows[DATE].fillna(borrowed) if DATE in rows else borrowed})


def _by_event(part: Part, rows: pd.DataFrame) -> pd.DataFrame:
    """Read `krenning_post` in the row of a follow-up as the score of that scan, and so on.

    A project may have one form for both scans and name its fields by them, while each event has a
    row of its own: which of several follow-ups counts is then to be chosen as in any other table.
    """
    rows = rows.copy()
    for stem, named in _sides(part.table).items():
        given = {side: name for side, name in named.items() if name in rows}
        if not given or stem in rows or rows["_visit"].isna().all():
            continue
        own = rows[next(iter(given.values()))].where(rows["_visit"].lt(0))
        for side, name in given.items():
            here = rows["_visit"].eq(0) if side == "pre" else rows["_visit"].ge(1)
            own = own.mask(here, rows[name])
            rows[name] = rows[name].mask(here)
        rows[stem] = own
    return rows


def _repeats(part: Part) -> bool:
    """Return whether a patient or lesion stands twice; the rows are then left as they are."""
    keys = [key for key in _KEYS[part.table] if key in part.frame]
    named = part.frame[part.frame["patient_id"].notna() & part.frame["patient_id"].ne("")]
    return bool(named.duplicated(keys).any())


def _seen_again(frame: pd.DataFrame) -> pd.Series:
    """Return 1 where a row holds a follow-up scan, else 0."""
    names = [
        name for name in ("krenning_post_low", "suvmax_post", "pet_date_post") if name in frame
    ]
    return frame[names].notna().any(axis=1).astype(int)


def _stems(part: Part, frame: pd.DataFrame) -> list[str]:
    """Return the columns of one scan that the rows hold, without `_pre` and `_post`."""
    found = _sides(part.table)
    return [name for name in frame if name in found]


def _sides(table: str) -> dict[str, dict[str, str]]:
    """Return for each canonical column of a scan, without its scan, its two names."""
    found: dict[str, dict[str, str]] = {}
    for stem, sides in scans(SCHEMAS[table]).items():
        for column, spec in SCHEMAS[table].columns.items():
            for side, name in sides.items():
                if (spec.metadata or {}).get("field") == name:
                    ending = next((e for e in ("_low", "_high") if column.endswith(e)), "")
                    found.setdefault(stem + ending, {})[side] = column
    if table == "lesions":
        found[DATE] = {}
    return found


def _one_row_a_scan(part: Part, extra: list[int]) -> pd.DataFrame:
    """Return a row a scan for rows that hold the baseline and several follow-ups."""
    frame, sides = part.frame, _sides(part.table)
    tagged = {name for item in part.columns if "#" in item.name for name in item.frame}
    scanned = {column for named in sides.values() for column in named.values()} | tagged
    constant = [name for name in frame if name not in scanned]
    pieces = []
    for number in [0, 1, *extra]:
        names = {}
        for stem, named in sides.items():
            column = named.get("pre" if number == 0 else "post", "")
            column = f"{column}#{number}" if number > 1 else column
            if column in frame:
                names[column] = stem
        kept = constant if number == 0 else ["patient_id", *_book(frame)]
        kept = [*kept, *[k for k in _KEYS[part.table] if k in frame and k not in kept]]
        piece = frame[[*kept, *names]].rename(columns=names).assign(_visit=float(number))
        if number:
            piece = piece[piece[list(names.values())].notna().any(axis=1)]
        pieces.append(piece)
    return pd.concat(pieces, ignore_index=True)


def _book(frame: pd.DataFrame) -> list[str]:
    return [name for name in ("_file", "_sheet", "_row") if name in frame]


def _visits(part: Part) -> pd.Series:
    """Return which scan each row holds; NaN where its words do not say."""
    assert part.cells is not None
    texts = [""] * len(part.cells.rows)
    for name in (headings.EVENT, headings.VISIT):
        if name in part.layout:
            place = part.layout[name]
            texts = [
                row[place].strip() or text for row, text in zip(part.cells.rows, texts, strict=True)
            ]
    numbers = {text: visit_number(text, part.source.visits) for text in dict.fromkeys(texts)}
    part.visits = texts
    return pd.Series([numbers[text] for text in texts], dtype=float, index=part.frame.index)


def _order_by_date(part: Part, rows: pd.DataFrame, known: Known) -> pd.DataFrame:
    """Find the scan of rows that no word names: by their dates, listed as a repair."""
    texts = part.visits or [""] * len(rows)
    stems = [name for name in _stems(part, rows) if name != DATE]
    scanned = rows[stems].notna().any(axis=1) if stems else pd.Series(False, index=rows.index)
    open_rows = rows["_visit"].isna() & scanned
    if not open_rows.any():
        return rows
    wordless = open_rows & pd.Series([not text for text in texts], index=rows.index)
    told = rows["_visit"].notna().groupby(rows["patient_id"]).transform("any")
    dated = rows[DATE].notna() if DATE in rows else pd.Series(False, index=rows.index)
    fit = wordless & ~told & dated
    rows = rows.copy()
    start = _starts(rows, known)
    for code, own in rows[fit].groupby("patient_id", sort=False):
        days = sorted(set(own[DATE]))
        begun = start.get(code)
        before = [day for day in days if begun and day <= begun]
        # After the start of CAPTEM no scan is a baseline.
        place = len(before) - 1 if begun else 0
        for i, row in own.iterrows():
            # Scans before the last one before CAPTEM are not the baseline, and no follow-up.
            number = float(days.index(row[DATE]) - place)
            rows.loc[i, "_visit"] = number if number >= 0 else np.nan
            said = "baseline" if number == 0 else "follow-up" if number > 0 else "not used"
            part.repairs.append(
                {"file": row["_file"], "sheet": row["_sheet"], "row": str(row["_row"]),
                 "patient_id": code, "column": part.heading(DATE), "written": row[DATE],
                 "read": said, "rule": "visit_by_date"}
            )  # fmt: skip
    for i in np.flatnonzero(open_rows & ~fit):
        row = rows.iloc[i]
        part.problems.append(
            Problem(
                ERROR, "visit_not_known", row["_file"], row["_sheet"], str(row["_row"]),
                str(row["patient_id"] or ""), value=texts[i] if i < len(texts) else "",
                allowed="baseline or follow-up, or a date of the scan",
                mend="say which words mean which scan: visits: {baseline: [...], "
                "follow_up: [...]} for the source in the config",
            )
        )  # fmt: skip
    return rows


def _starts(rows: pd.DataFrame, known: Known) -> Mapping[str, str]:
    """Return the first day of CAPTEM of each patient, of this table or of that of the patients."""
    if "captem_start" not in rows:
        return known.start
    own = rows.groupby("patient_id")["captem_start"].first().dropna().to_dict()
    return {**known.start, **own}


def _one_row_each(part: Part, rows: pd.DataFrame, follow_up: str, known: Known) -> pd.DataFrame:
    """Join the baseline and the chosen follow-up of each patient or lesion to one row."""
    keys = [key for key in _KEYS[part.table] if key in rows]
    stems = _stems(part, rows)
    sides = _sides(part.table)
    ends = dict(known.end)
    for name in ("last_captem_date", "captem_end"):
        if name in rows:
            ends |= rows.groupby("patient_id")[name].first().dropna().to_dict()
    after = _follow_ups(part, rows, stems, keys)
    chosen = _chosen(part, after, follow_up, ends, known)
    baseline = _baselines(part, rows[rows["_visit"].eq(0)], stems, keys, _starts(rows, known))
    _look_back(part, after, chosen, baseline)
    constant = [
        name for name in rows
        if name not in stems and name not in keys and not name.startswith("_")
    ]  # fmt: skip
    with_scan = [name for name in _AT_FOLLOW_UP if name in constant]
    counted = _constants(part, rows, keys, [name for name in constant if name not in with_scan])
    for name in with_scan:
        # Given visit by visit it is the value at the follow-up that counts.
        counted[name] = chosen.set_index(keys)[name]
        counted[name] = counted[name].fillna(
            rows.groupby(keys, sort=False, dropna=False)[name].last()
        )
    pre = _renamed(baseline, keys, stems, sides, "pre")
    post = _renamed(chosen, keys, stems, sides, "post").rename(columns={"_row": "_row_post"})
    post["_visit_post"] = chosen.set_index(keys)["_visit"]
    for side in (pre, post):
        _unite(part, counted, side)
    result = counted.join(pre, how="left").join(post, how="left").reset_index()
    if DATE in rows:
        dated = rows[rows[DATE].notna() & rows["_visit"].notna()]
        places = zip(dated["patient_id"], dated["_visit"], strict=True)
        result.attrs["days"] = dict(zip(places, dated[DATE], strict=True))
    result["_row"] = result["_row"].where(result["_row"].notna(), result["_first"])
    result["_row_post"] = result["_row_post"].where(result["_row_post"].notna(), result["_row"])
    scanned = after.groupby("patient_id")["_visit"].nunique()
    counts = result["patient_id"].map(scanned).fillna(0).astype(int)
    result["_follow_ups"] = counts.clip(lower=_seen_again(result))
    return result.drop(columns="_first")


def _follow_ups(part: Part, rows: pd.DataFrame, stems: list[str], keys: list[str]) -> pd.DataFrame:
    """Return the rows that hold a follow-up scan: a score, a SUVmax or the state of a lesion.

    Where a patient or lesion has no such row, one with any other value of a scan, or its date,
    is the follow-up: it took place. A cell that cannot be read counts as a value, so that an error
    in the last scan does not make an earlier one the last.
    """
    later = rows["_visit"].ge(1)
    used = [name for name in ("krenning_low", "suvmax", "lesion_status") if name in rows]
    faulty = {
        problem.row
        for problem in part.problems
        if problem.severity == ERROR and problem.rule in ("not_readable", "out_of_range")
    }
    bad = rows["_row"].astype(str).isin(faulty)
    main = later & (rows[used].notna().any(axis=1) | bad if used else bad)
    any_value = later & (rows[stems].notna().any(axis=1) if stems else bad)
    covered = main.groupby([rows[key] for key in keys], dropna=False).transform("any")
    return rows[main | (any_value & ~covered)]


def _look_back(
    part: Part, after: pd.DataFrame, chosen: pd.DataFrame, baseline: pd.DataFrame
) -> None:
    """List scans that do not count but cast doubt on the choice: too early, or the only scored."""
    if part.table != "patients" or after.empty:
        return
    others = after[~after.index.isin(chosen.index)]
    if DATE in after and not baseline.empty:
        first = baseline.drop_duplicates("patient_id").set_index("patient_id")[DATE].dropna()
        early = others[others[DATE].notna() & others["patient_id"].isin(first.index)]
        for row in early.to_dict("records"):
            if row[DATE] <= first[row["patient_id"]]:
                part.problems.append(
                    Problem(
                        ERROR, "follow_up_before_baseline", row["_file"], row["_sheet"],
                        str(row["_row"]), row["patient_id"], part.heading(DATE), row[DATE],
                        f"a day after the baseline PET, {first[row['patient_id']]}",
                        "correct the one that is wrong: dates decide which follow-up counts",
                    )
                )  # fmt: skip
    if "krenning_low" not in after:
        return
    unscored = chosen[chosen["krenning_low"].isna()]
    scored = set(others.loc[others["krenning_low"].notna(), "patient_id"])
    for row in unscored[unscored["patient_id"].isin(scored)].to_dict("records"):
        part.problems.append(
            Problem(
                WARNING, "other_follow_up_scored", row["_file"], row["_sheet"], str(row["_row"]),
                row["patient_id"], part.heading("krenning"),
                allowed="a score of the follow-up PET that counts (another one has a score)",
                mend="fill in the score; or choose by follow_up in the config another PET for all",
            )
        )  # fmt: skip


def _unite(part: Part, counted: pd.DataFrame, side: pd.DataFrame) -> None:
    """Take a value of a scan that stands elsewhere in the patient's rows; two have to agree."""
    for name in [name for name in side if name in counted]:
        both = side[name].reindex(counted.index)
        apart = both.notna() & counted[name].notna() & both.ne(counted[name])
        for key in counted.index[apart.fillna(False).astype(bool)]:
            row = counted.loc[key]
            code = key[0] if isinstance(key, tuple) else key
            part.problems.append(
                Problem(
                    ERROR, "rows_disagree", row["_file"], row["_sheet"], str(row["_first"]),
                    str(code or ""), part.heading(_field_of(part, name)), value=str(row[name]),
                    allowed="the same value in all rows of the patient",
                    mend="correct the one that is wrong, or give the value in one row only",
                )
            )  # fmt: skip
        side[name] = side[name].fillna(counted[name].reindex(side.index))
        missing = counted.index.difference(side.index)
        if len(missing) and counted.loc[missing, name].notna().any():
            for key in missing:
                side.loc[key, name] = counted.loc[key, name]
        del counted[name]


def _renamed(
    rows: pd.DataFrame, keys: list[str], stems: list[str], sides: Mapping[str, Any], side: str
) -> pd.DataFrame:
    names = {stem: sides[stem][side] for stem in stems if side in sides[stem]}
    return rows.set_index(keys)[[*names, "_row"]].rename(columns=names)


def _constants(part: Part, rows: pd.DataFrame, keys: list[str], names: list[str]) -> pd.DataFrame:
    """Return what does not belong to a scan: the same in all rows of a patient, or only in one."""
    groups = rows.groupby(keys, sort=False, dropna=False)
    result = groups[[*names, "_file", "_sheet"]].first()
    result["_first"] = groups["_row"].first()
    known = set(SCHEMAS[part.table].columns)
    said: set[tuple[Any, str]] = set()
    for name in names:
        if name in ("source", "synthetic"):
            continue
        filled = rows[rows[name].notna()]
        differ = filled.groupby(keys, sort=False, dropna=False)[name].transform("nunique") > 1
        if not differ.any():
            continue
        if name not in known:
            # Of each scan its own; which is which is for the reader of the column.
            result[f"{name} (follow-up)"] = (
                rows[rows["_visit"].ge(1)].groupby(keys, sort=False, dropna=False)[name].first()
            )
            continue
        first = filled.groupby(keys, sort=False, dropna=False)[name].transform("first")
        heading = part.heading(_field_of(part, name))
        for row in filled[differ & filled[name].ne(first)].to_dict("records"):
            # An interval has two ends, and one cell.
            if (row["_row"], heading) in said:
                continue
            said.add((row["_row"], heading))
            part.problems.append(
                Problem(
                    ERROR, "rows_disagree", row["_file"], row["_sheet"], str(row["_row"]),
                    str(row["patient_id"] or ""), heading,
                    value=str(row[name]), allowed="the same value in all rows of the patient",
                    mend="correct the one that is wrong, or give the value in one row only",
                )
            )  # fmt: skip
    return result


def _field_of(part: Part, column: str) -> str:
    return (SCHEMAS[part.table].columns[column].metadata or {}).get("field", column)


def _baselines(
    part: Part, rows: pd.DataFrame, stems: list[str], keys: list[str], start: Mapping[str, str]
) -> pd.DataFrame:
    """Return one baseline row a patient or lesion: where dated the last before CAPTEM."""
    used = [name for name in stems if name != DATE]
    full = rows[used].notna().any(axis=1) if used else pd.Series(False, index=rows.index)
    covered = full.groupby([rows[key] for key in keys], dropna=False).transform("any")
    dated = rows[DATE].notna() if DATE in rows else ~full & False
    rows = rows[full | (dated & ~covered)]
    twice = rows.duplicated(keys, keep=False)
    if not twice.any():
        return rows
    kept = [rows[~twice]]
    for code, own in rows[twice].groupby(keys, sort=False, dropna=False):
        begun = start.get(code[0])
        days = own[DATE] if DATE in own else pd.Series(None, index=own.index, dtype=object)
        if begun and days.notna().all() and days.is_unique and (days <= begun).any():
            kept.append(own[days.eq(days[days <= begun].max())])
            continue
        kept.append(own[:1])
        for row in own.to_dict("records")[1:]:
            part.problems.append(
                Problem(
                    ERROR, "several_baselines", row["_file"], row["_sheet"], str(row["_row"]),
                    str(row["patient_id"] or ""),
                    allowed="one baseline scan, or dates of the scans and of the start of CAPTEM",
                    mend="remove the row that is not meant, or name its visit otherwise",
                )
            )  # fmt: skip
    return pd.concat(kept)


def _chosen(
    part: Part, after: pd.DataFrame, follow_up: str, ends: Mapping[str, str], known: Known
) -> pd.DataFrame:
    """Return the rows of the follow-up scan that counts, for each patient the same one."""
    keys = [key for key in _KEYS[part.table] if key in after]
    several = after.groupby("patient_id")["_visit"].transform("nunique") > 1
    repeated = after.duplicated([*keys, "_visit"], keep=False)
    told = after["patient_id"].isin(known.chosen)
    kept = [after[~several & ~repeated & ~told]]
    for code, own in after[several | repeated | told].groupby("patient_id", sort=False):
        own_scan = _of_the_patient(own, code, known)
        if isinstance(own_scan, str):
            row = own.iloc[-1]
            part.problems.append(
                Problem(
                    ERROR, "lesions_of_another_scan", row["_file"], row["_sheet"],
                    str(row["_row"]), str(code), value=own_scan,
                    allowed="lesions of the follow-up PET that counts for the patient",
                    mend="give the lesions of that PET, with its date or the name of its visit as "
                    "in the table of patients; until then none of them is taken",
                )
            )  # fmt: skip
            continue
        picked = own_scan if own_scan is not None else _pick(own, follow_up, ends.get(code))
        if isinstance(picked, str) or picked.duplicated(keys).any():
            said = picked if isinstance(picked, str) else "two rows are the same scan"
            row = own.iloc[-1]
            part.problems.append(
                Problem(
                    ERROR, "which_follow_up", row["_file"], row["_sheet"], str(row["_row"]),
                    str(code or ""), value=f"{own['_visit'].nunique()} follow-up scans",
                    allowed=f"what tells which one is meant by follow_up: {follow_up} ({said})",
                    mend="give the dates of the scans"
                    + (", and the end of CAPTEM" if follow_up == "nearest" else "")
                    + ", or number the follow-ups",
                )
            )  # fmt: skip
            continue
        kept.append(picked)
    return pd.concat(kept).sort_index()


def _of_the_patient(own: pd.DataFrame, code: str, known: Known) -> pd.DataFrame | str | None:
    """Return the lesions of the patient's follow-up that counts, or why there are none.

    None where the table of patients does not say which scan that is.
    """
    day, number = known.chosen.get(code, (None, None))
    days = own[DATE] if DATE in own else pd.Series(None, index=own.index, dtype=object)
    if day is not None and days.eq(day).any():
        return own[days.eq(day)]
    same = own["_visit"].eq(number)
    if number is not None and same.any():
        return own[same]
    lone = code not in known.several and own["_visit"].nunique() == 1
    if day is not None and days.notna().all():
        return f"scans of {', '.join(sorted(set(days)))}, and none of {day}"
    if number is None or lone:
        return None
    return "no lesion of the visit that counts"


def _pick(own: pd.DataFrame, follow_up: str, end: str | None) -> pd.DataFrame | str:
    """Return the rows of one patient's scan that counts, or why it cannot be told."""
    days = own[DATE] if DATE in own else pd.Series(None, index=own.index, dtype=object)
    dated = days.notna().all()
    if follow_up == "nearest":
        if not dated:
            return "a scan has no date"
        if not isinstance(end, str):
            return "the end of CAPTEM is not known"
        ended = date.fromisoformat(end)
        # Of two that are equally near the earlier one.
        apart = {day: (abs((date.fromisoformat(day) - ended).days), day) for day in set(days)}
        return own[days.eq(min(apart, key=lambda day: apart[day]))]
    if dated:
        return own[days.eq(days.max() if follow_up == "last" else days.min())]
    visits = own["_visit"]
    return own[visits.eq(visits.max() if follow_up == "last" else visits.min())]
