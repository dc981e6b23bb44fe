"""What the SUVs alone would say of the Krenning score, beside what the reader said.

No validated rule from SUV to Krenning score exists, so this is a declared surrogate: it never takes
the place of a reader's score, and no boundary in it is made up. The wording of the modified score
gives two: 3 is strictly above normal liver, 4 strictly above spleen. What is at most as high as
liver is 0, 1 or 2, and stays the interval 0-2 unless the study declares where 0 and 1 end, as
fractions of the liver's SUV.

============  ======================  ==============
organs known  SUV of the tumour       surrogate
============  ======================  ==============
both          above both              4
both          above liver alone       3
both          above spleen alone      0-4, or finer
both          above neither           0-2, or finer
liver         at most liver           0-2, or finer
liver         above liver             3-4
spleen        above spleen            4
spleen        at most spleen          missing
============  ======================  ==============

A score follows the organs of its own scan, so a somatostatin analogue that lowers liver lifts the
score of a lesion that did not change (doi:10.1186/s40644-018-0136-x). The fixed reference scores
the follow-up against the organs of baseline, and such a change cannot move it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from captem import interval_text
from captem.errors import CaptemError

Boundaries = Mapping[str, float | None]
TIMES = ("pre", "post")
ORGANS = ("liver", "spleen")
ORGAN_SUVS = tuple(f"{organ}_suv_{time}" for organ in ORGANS for time in TIMES)
RATIOS = tuple(f"{organ}_ratio_{time}" for organ in ORGANS for time in TIMES)
# The columns of `columns` that a reader is shown; the rest are the ends of the texts as numbers.
SHOWN = (
    *RATIOS, "surrogate_pre", "surrogate_post", "surrogate_disagrees_pre",
    "surrogate_disagrees_post", "surrogate_post_fixed",
)  # fmt: skip
NONE, VERY_LOW = "none_below", "very_low_below"
WAYS = ("up", "same", "down", "undetermined")
_SCORED = (*TIMES, "post_fixed")
# 0.1 of a liver of 3 is a little more than 0.3 in binary; no SUV is written as finely as this.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class FixedReference:
    """Gain of the surrogate with the organs of each scan, and with those of baseline at both.

    gains : `own_low, own_high, fixed_low, fixed_high` in steps, one row for each row compared.
    counts : rows `own` and `fixed`, columns `WAYS`.
    explained : how many rise for certain with their own organs, but not with those of baseline.
    """

    gains: pd.DataFrame
    counts: pd.DataFrame
    explained: int


def scores(
    suv: pd.Series, liver: pd.Series, spleen: pd.Series, boundaries: Boundaries | None = None
) -> pd.DataFrame:
    """Return the ends of the score that the SUVs leave possible: `low, high`, missing if unknown.

    Parameters
    ----------
    suv, liver, spleen : SUVmax of tumour and organs at one scan, of the same rows.
    boundaries : `none_below` and `very_low_below`, fractions of liver; what is absent or None is
        not declared.

    Raises
    ------
    CaptemError : the boundaries are no fractions above 0 and up to 1, or not in their order.
    ValueError : the three are not of the same rows.
    """
    if not (suv.index.equals(liver.index) and suv.index.equals(spleen.index)):
        raise ValueError("SUVs of tumour, liver and spleen must be of the same rows")
    tumour, liver_suv, spleen_suv = (_floats(values) for values in (suv, liver, spleen))
    low_end, high_end = _up_to_liver(tumour, liver_suv, _checked(boundaries))
    # An SUV equal to the organ's is not above it.
    within, above = tumour <= liver_suv, tumour > liver_suv
    above_spleen, spleen_known = tumour > spleen_suv, ~np.isnan(spleen_suv)
    # ASSUME: where liver is not known it is below spleen, as it usually is (mean SUVmax 9.12 and
    # 24.67 in 120 patients, doi:10.1007/s12149-013-0718-4): what is above spleen is above both.
    # ASSUME: where spleen is known to be below liver, and the tumour between them, the wording is
    # at odds with itself (at most 2, and yet 4): the interval covers both readings.
    low = np.select([within, above_spleen, above], [low_end, 4.0, 3.0], np.nan)
    high = np.select(
        [above_spleen, above & spleen_known, above, within], [4.0, 3.0, 4.0, high_end], np.nan
    )
    return pd.DataFrame({"low": low, "high": high}, index=suv.index).astype("Int64")


def ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Return SUVmax of the tumour over that of liver and of spleen (`RATIOS`), NaN where unknown.

    Parameters
    ----------
    rows : patients or lesions with `suvmax_pre, suvmax_post` and, where given, `ORGAN_SUVS`.
    """
    found = {
        f"{organ}_ratio_{time}": _numbers(rows, f"suvmax_{time}")
        / _numbers(rows, f"{organ}_suv_{time}")
        for organ in ORGANS
        for time in TIMES
    }
    return pd.DataFrame(found, index=rows.index)


def columns(rows: pd.DataFrame, boundaries: Boundaries | None = None) -> pd.DataFrame:
    """Return the ratios and the surrogate of each row, and whether it contradicts the reader.

    Parameters
    ----------
    rows : patients or lesions with canonical columns; lesions get organs by `with_organs`.
    boundaries : see `scores`.

    Returns
    -------
    frame with the index of `rows`: `RATIOS`; `surrogate_pre, surrogate_post` as texts such as `3`
    or `0-2`; `surrogate_post_fixed`, the follow-up against the organs of baseline; each of the
    three with `_low` and `_high`; `surrogate_disagrees_pre, _post`, `yes` where the interval of the
    reader and that of the surrogate have no step in common, missing where either is missing.
    """
    parts = {
        "pre": _scan(rows, "pre", "pre", boundaries),
        "post": _scan(rows, "post", "post", boundaries),
        "post_fixed": _scan(rows, "post", "pre", boundaries),
    }
    found = dict(ratios(rows).items())
    found |= {
        f"surrogate_{name}": interval_text.cells(ends["low"], ends["high"])
        for name, ends in parts.items()
    }
    for name, ends in parts.items():
        found |= {f"surrogate_{name}_{end}": ends[end] for end in ("low", "high")}
    for time in TIMES:
        found[f"surrogate_disagrees_{time}"] = _disagrees(rows, time, parts[time])
    return pd.DataFrame(found, index=rows.index)


def with_organs(lesions: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Return the lesions with the organ SUVs of their patient (`ORGAN_SUVS`).

    Rows, order and index are those of `lesions`; a lesion without a patient gets missing values,
    and so does every lesion where the patients have no such column. Columns of that name in the
    lesion table give way: the organs are the patient's.

    Raises
    ------
    ValueError : a patient stands in the patient table twice.
    """
    codes = patients["patient_id"].to_numpy(dtype=object)
    known = ~pd.isna(codes) & (codes != "")
    index = pd.Index(codes[known], dtype=object)
    if not index.is_unique:
        raise ValueError(f"patient {index[index.duplicated()][0]} stands in the table twice")
    places = index.get_indexer(pd.Index(lesions["patient_id"], dtype=object))
    # One missing value behind the patients' own: place -1 finds it.
    organs = {
        name: np.append(_numbers(patients, name)[known], np.nan)[places] for name in ORGAN_SUVS
    }
    return lesions.assign(**organs)


def fixed_reference(columns: pd.DataFrame) -> FixedReference:
    """Compare the gain of the surrogate with the organs of each scan and with those of baseline.

    Parameters
    ----------
    columns : the frame that `columns` returns; of lesions only those that are compared (see
        `captem.lesions.matched`). Rows without all three surrogates are left out.

    The gain is that of intervals: two scores known only as 0-2 differ by -2 to 2, also where the
    SUVs are the same, as long as no finer boundary is declared.
    """
    low, high = (
        {name: _numbers(columns, f"surrogate_{name}_{end}") for name in _SCORED}
        for end in ("low", "high")
    )
    known = ~np.isnan([*low.values(), *high.values()]).any(axis=0)
    gains = pd.DataFrame(
        {
            "own_low": low["post"] - high["pre"],
            "own_high": high["post"] - low["pre"],
            "fixed_low": low["post_fixed"] - high["pre"],
            "fixed_high": high["post_fixed"] - low["pre"],
        },
        index=columns.index,
    )[known].astype("Int64")
    counts = pd.DataFrame(
        [_counts(gains[f"{name}_low"], gains[f"{name}_high"]) for name in ("own", "fixed")],
        index=["own", "fixed"],
        columns=list(WAYS),
    )
    explained = (gains["own_low"] > 0) & (gains["fixed_low"] <= 0)
    return FixedReference(gains, counts, int(explained.sum()))


def _floats(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=float, na_value=np.nan)


def _numbers(rows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of numbers, NaN where a cell or the column is missing."""
    return _floats(rows[name]) if name in rows else np.full(len(rows), np.nan)


def _checked(boundaries: Boundaries | None) -> tuple[float | None, float | None]:
    given = dict(boundaries or {})
    none, very_low = given.pop(NONE, None), given.pop(VERY_LOW, None)
    if given:
        raise CaptemError(
            f"surrogate: {', '.join(map(str, given))} is no boundary of the surrogate score. "
            f"There are two, {NONE} and {VERY_LOW}: correct the name."
        )
    for name, fraction in ((NONE, none), (VERY_LOW, very_low)):
        if fraction is not None and not 0 < fraction <= 1:
            raise CaptemError(
                f"surrogate: {name} is {fraction}, which is not a fraction of the liver's SUV: "
                "give a number above 0 and up to 1 (0.5 for half of liver), or leave it out."
            )
    if none is not None and very_low is not None and none > very_low:
        raise CaptemError(
            f"surrogate: {NONE} ({none:g}) is above {VERY_LOW} ({very_low:g}), but score 0 lies "
            "below score 1: the first may be at most the second. Correct the one that is wrong."
        )
    return none, very_low


def _up_to_liver(
    tumour: np.ndarray, liver: np.ndarray, fractions: tuple[float | None, float | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the score for tumours at most as high as liver."""
    low, high = np.zeros(len(tumour)), np.full(len(tumour), 2.0)
    # The lower boundary comes second: what is below both is 0.
    for step, fraction in ((1, fractions[1]), (0, fractions[0])):
        if fraction is not None:
            below = tumour < fraction * liver * (1 - _ROUNDING)
            low = np.where(below, low, np.maximum(low, step + 1))
            high = np.where(below, step, high)
    return low, high


def _scan(
    rows: pd.DataFrame, time: str, reference: str, boundaries: Boundaries | None
) -> pd.DataFrame:
    """Return the surrogate of the tumour at `time` against the organs at `reference`."""
    suvs = (f"suvmax_{time}", *(f"{organ}_suv_{reference}" for organ in ORGANS))
    tumour, liver, spleen = (pd.Series(_numbers(rows, name), index=rows.index) for name in suvs)
    return scores(tumour, liver, spleen, boundaries)


def _disagrees(rows: pd.DataFrame, time: str, ends: pd.DataFrame) -> pd.Series:
    reader_low, reader_high = (_numbers(rows, f"krenning_{time}_{end}") for end in ("low", "high"))
    low, high = _floats(ends["low"]), _floats(ends["high"])
    answers = np.select(
        [(reader_low > high) | (reader_high < low), (reader_low <= high) & (reader_high >= low)],
        ["yes", "no"],
        default="",
    ).astype(object)
    answers[answers == ""] = None
    return pd.Series(answers, index=rows.index, dtype=object)


def _counts(low: pd.Series, high: pd.Series) -> dict[str, int]:
    up, down, same = low > 0, high < 0, (low == 0) & (high == 0)
    certain = {"up": int(up.sum()), "same": int(same.sum()), "down": int(down.sum())}
    return certain | {"undetermined": len(low) - sum(certain.values())}
