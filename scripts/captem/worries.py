"""What about a new cut should worry: edits that can bend a result, said to a clinician."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from captem import rounding
from captem.attribution import Data
from captem.changed_data import INCLUSION, REMOVED, SCORE

COLUMNS = ("worry", "text", "to_do", "patients")
_MEASURES = {
    "krenning_pre": ("Krenning score at baseline", 2),
    "mib1": ("MIB1 index, %", 1),
    "suvmax_pre": ("SUVmax at baseline", 1),
}
_MISSING = {
    "krenning_pre_low": "the baseline score",
    "krenning_post_low": "the follow-up score",
    "mib1_low": "the MIB1 index",
    "captem_cycles": "the number of cycles",
    "suvmax_pre": "SUVmax at baseline",
    "suvmax_post": "SUVmax at follow-up",
}
# As many codes are named in a sentence; the table of changes has all.
_NAMED = 12
_LEVEL = 0.95
_FEWEST = 3


def worries(old: Data, new: Data, changed: pd.DataFrame, withdrawn: int = 0) -> pd.DataFrame:
    """Return what should be looked into, the gravest first; no rows where there is nothing.

    Parameters
    ----------
    old, new : the clean tables of the frozen cut and of this run.
    changed : what `changed_data.compare` found.
    withdrawn : how many patients were taken out of the old cut since; they are not missed here.
    """
    rows = [
        *_removed(changed), *_baseline_after(old, changed), *_follow_ups(changed),
        *_sources_gone(old, new), *_drifted(old, new), *_shifted(old, new), *_missing(old, new),
    ]  # fmt: skip
    if withdrawn:
        rows.append(_row(
            "withdrawn",
            f"{_patients(withdrawn)} withdrew consent since that cut was frozen and "
            f"{'is' if withdrawn == 1 else 'are'} in neither cut any more; the statistics of the "
            "old cut were computed with them.",
            "Keep in mind that part of the change may come from it; nothing is to be mended.",
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(name: str, text: str, to_do: str, codes: Iterable[str] = ()) -> dict[str, Any]:
    return {"worry": name, "text": text, "to_do": to_do, "patients": ", ".join(codes)}


def _patients(n: int) -> str:
    return f"{n} patient" if n == 1 else f"{n} patients"


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - _NAMED} more" if len(codes) > _NAMED else ""
    return ", ".join(codes[:_NAMED]) + more


def _removed(changed: pd.DataFrame) -> Iterable[dict[str, Any]]:
    gone = changed[changed["change"].eq(REMOVED) & changed["table"].eq("patients")]
    left_out = sorted(set(gone["patient_id"]) & _left_out(changed))
    if left_out:
        yield _row(
            "left_out",
            f"{_patients(len(left_out))} of the old cut "
            f"{'is' if len(left_out) == 1 else 'are'} left out of this one for errors in the "
            f"table: {_some(left_out)}.",
            "Mend the rows; problems.csv says what is wrong with them.",
            left_out,
        )
    codes = sorted(set(gone["patient_id"]) - set(left_out))
    if codes:
        yield _row(
            "removed",
            f"{_patients(len(codes))} of the old cut "
            f"{'is' if len(codes) == 1 else 'are'} not in this one: {_some(codes)}.",
            "Find out why. A patient leaves a study by withdrawn consent (then use the target "
            "withdraw) or by an error of inclusion that is written down, not because of a result.",
            codes,
        )


def _left_out(changed: pd.DataFrame) -> set[str]:
    flipped = changed[changed["change"].eq(INCLUSION) & changed["new"].ne("included")]
    return set(flipped["patient_id"])


def _scores(changed: pd.DataFrame, time: str) -> pd.DataFrame:
    named = changed["column"].str.contains(f"_{time}") & changed["change"].eq(SCORE)
    return changed[named]


def _with_follow_up(table: pd.DataFrame) -> Iterable[str]:
    """Return who has an uptake at follow-up, in any lesion where it is a table of lesions."""
    names = [name for name in ("krenning_post_low", "suvmax_post") if name in table]
    return table[table[names].notna().any(axis=1)]["patient_id"]


def _baseline_after(old: Data, changed: pd.DataFrame) -> Iterable[dict[str, Any]]:
    known = {code for table in (old.patients, old.lesions) for code in _with_follow_up(table)}
    edited = _scores(changed, "pre")
    codes = sorted(set(edited["patient_id"]) & known)
    if codes:
        yield _row(
            "baseline_edited",
            f"Baseline uptake of {_patients(len(codes))} was edited after the follow-up was "
            f"known: {_some(codes)}.",
            "Ask who changed it and why, and whether the reader knew the follow-up. A baseline "
            "that is read again in the light of the follow-up makes a gain out of nothing; the "
            "table below says in which direction.",
            codes,
        )


def _follow_ups(changed: pd.DataFrame) -> Iterable[dict[str, Any]]:
    codes = sorted(set(_scores(changed, "post")["patient_id"]))
    if codes:
        yield _row(
            "follow_up_edited",
            f"Follow-up uptake of {_patients(len(codes))} that was given before is another one "
            f"now: {_some(codes)}.",
            "Ask whether it is a correction or another scan; the setting follow_up says which scan "
            "counts.",
            codes,
        )


def _sources_gone(old: Data, new: Data) -> Iterable[dict[str, Any]]:
    gone = sorted(set(old.patients["source"].dropna()) - set(new.patients["source"].dropna()))
    if gone:
        yield _row(
            "source_gone",
            f"No patient comes from {', '.join(gone)} any more.",
            "See whether the source still stands in the config, and whether its table is whole.",
        )


def _values(patients: pd.DataFrame, measure: str) -> pd.Series:
    low = patients.get(f"{measure}_low", patients.get(measure))
    high = patients.get(f"{measure}_high", patients.get(measure))
    if low is None or high is None:
        return pd.Series(dtype=float)
    middle = (low.astype(float) + high.astype(float)) / 2
    return middle[np.isfinite(middle)]


def _shifted(old: Data, new: Data) -> Iterable[dict[str, Any]]:
    """Compare the patients of a source who are new with those who were there."""
    before = set(old.patients["patient_id"])
    for source, rows in new.patients.groupby("source", sort=True):
        known = rows["patient_id"].isin(before)
        for measure, (words, places) in _MEASURES.items():
            then, now = _values(rows[known], measure), _values(rows[~known], measure)
            found = difference(then, now)
            if found is None or found[1] <= 0 <= found[2]:
                continue
            moved, low, high = (rounding.measure(value, places) for value in found)
            yield _row(
                "shift",
                f"Source {source}: {words} of the {_patients(len(now))} who are new differs from "
                f"that of the {len(then)} who were there: mean "
                f"{rounding.measure(now.mean(), places)} against "
                f"{rounding.measure(then.mean(), places)}, difference {moved} "
                f"(95% CI, {low} to {high}).",
                "Ask whether other patients are included now, or whether a scanner, a reader or a "
                "laboratory changed. With several sources and measures one such difference in "
                "twenty is chance.",
            )


def _drifted(old: Data, new: Data) -> Iterable[dict[str, Any]]:
    """Compare the values of a source with those that the same patients had then."""
    for source, rows in new.patients.groupby("source", sort=True):
        before, after = (table.set_index("patient_id") for table in (old.patients, rows))
        for measure, (words, places) in _MEASURES.items():
            then, now = _values(before, measure), _values(after, measure)
            moved = (now - then).dropna()
            edited = int(moved.ne(0).sum())
            if edited < _FEWEST:
                continue
            error = float(moved.std(ddof=1)) / math.sqrt(len(moved))
            half = float(stats.t.ppf((1 + _LEVEL) / 2, len(moved) - 1)) * error
            mean = float(moved.mean())
            if mean - half <= 0 <= mean + half:
                continue
            shown = [rounding.measure(value, places) for value in (mean, mean - half, mean + half)]
            yield _row(
                "drift",
                f"Source {source}: {words} of the same {_patients(len(moved))} is another one than "
                f"before: it was edited in {edited}, and the mean moved by {shown[0]} (95% CI, "
                f"{shown[1]} to {shown[2]}).",
                "Edits that all go one way are seldom slips: ask whether a unit, a scale or a "
                "reading was changed for the whole source.",
                sorted(moved[moved.ne(0)].index),
            )


def difference(then: pd.Series, now: pd.Series) -> tuple[float, float, float] | None:
    """Return the difference of two means with its Welch interval; None with too few values.

    None too where neither group varies, since nothing can be said of the chance then.
    """
    if min(len(then), len(now)) < _FEWEST:
        return None
    parts = [float(values.var(ddof=1)) / len(values) for values in (then, now)]
    error = math.sqrt(sum(parts))
    if error == 0:
        return None
    df = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (then, now), strict=True)
    )
    moved = float(now.mean() - then.mean())
    half = float(stats.t.ppf((1 + _LEVEL) / 2, df)) * error
    return moved, moved - half, moved + half


def _missing(old: Data, new: Data) -> Iterable[dict[str, Any]]:
    for column, words in _MISSING.items():
        if column not in old.patients or not len(old.patients) or not len(new.patients):
            continue
        then = int(old.patients[column].isna().sum())
        now = (
            int(new.patients[column].isna().sum()) if column in new.patients else len(new.patients)
        )
        if now / len(new.patients) > then / len(old.patients):
            shares = (
                rounding.share(now, len(new.patients)), rounding.share(then, len(old.patients))
            )  # fmt: skip
            both = set(old.patients["patient_id"]) & set(new.patients["patient_id"])
            lost = _lost(old, new, column, both)
            yield _row(
                "missing",
                f"More patients are without {words} than before: {shares[0]} against {shares[1]}"
                + (f"; of {_patients(len(lost))} it was given then: {_some(lost)}" if lost else "")
                + ".",
                "New patients who are not scanned yet are no worry; values that were given and are "
                "gone are. Ask for those.",
                lost,
            )


def _lost(old: Data, new: Data, column: str, both: set[str]) -> list[str]:
    given = old.patients[old.patients[column].notna()]["patient_id"]
    if column not in new.patients:
        return sorted(set(given) & both)
    empty = new.patients[new.patients[column].isna()]["patient_id"]
    return sorted(set(given) & set(empty) & both)
