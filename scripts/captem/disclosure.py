"""Small counts masked in what leaves the group: copies of the results without them.

A count of at least 1 and below `min_count` is masked, and so is what would give it away: counts
that it could be worked out from (`captem.disclosure_system`), shares, intervals, tests and
estimates that follow from few masked counts, order statistics of few patients, and numbers in
reasons. What stays is rounded to three significant digits.

This is no formal privacy (such as differential privacy): who knows most of the patients already, or
has another publication of the same cohort, may learn more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from captem import predictions, rounding
from captem.disclosure_links import COUNTS, Links, events, links, patients
from captem.disclosure_system import COMPLEMENT, FOLLOWS, SMALL, is_small, masked
from captem.statistics import ALL, CONFIRMATORY

REASON = "masked: it would show a small count or give one away"
MASKED_COLUMNS = ("file", "row", "column", "why")
_NUMBERS = (
    "estimate", "conf_low", "conf_high", "conf_level", "statistic", "df", "p_value", "p_low",
    "p_high", "p_adjusted",
)  # fmt: skip
_ROUNDED = ("estimate", "conf_low", "conf_high", "p_value", "p_low", "p_high", "p_adjusted")
_QUARTILES = ("quartile_1", "quartile_3")
# Exact functions of who rose, stayed the same and fell; the last two of the cells of the matrix.
_OF_DIRECTIONS = ("transition.net_improvement", "transition.win_odds", "transition.sign_test")
_OF_GAIN = ("observed", "tipping")
_OF_CELLS = ("transition.symmetry", "transition.marginal_homogeneity")
_OF_CRITERION = ("criterion.mcnemar", "criterion.difference")
# A round value of MIB1 every tenth of a decade or so, for curves that begin at nobody's value.
_ROUND_MIB1 = (
    1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80,
    90, 100,
)  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.#-])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
# Before or behind a number that is a rule of captem's and no count of the study.
_FIXED_BEFORE = re.compile(
    r"(?:fewer than|at least|needs?|needed|wants|below|to|above|ratio of|scores?|interval at) $"
)
_FIXED_BEHIND = re.compile(r" ?%| (?:simulated|repeated|are needed|mm\b|cycles\b)")


@dataclass
class Copies:
    """Masked copies by their path below the results, and what was masked.

    Attributes:
        files: path -> frame.
        log: one line a cell, with the columns `MASKED_COLUMNS` and never a masked value.
    """

    files: dict[str, pd.DataFrame]
    log: pd.DataFrame


def mask(
    statistics: pd.DataFrame,
    matrix: pd.DataFrame,
    flow: pd.DataFrame,
    curves: pd.DataFrame,
    sources: pd.DataFrame,
    eligibility: pd.DataFrame,
    problems: pd.DataFrame,
    repairs: pd.DataFrame,
    min_count: int,
    confirmatory: Sequence[str] = (),
    *,
    secondary: bool = True,
) -> Copies:
    """Return the masked copies of the results of these names.

    Parameters
    ----------
    eligibility : only the number of patients of each source is taken from it.
    min_count : counts from 1 to below this are small.
    confirmatory : the sources that the subset of this name is of.
    secondary : whether also what a small count could be worked out from; off only in tests.
    """
    sizes = eligibility["source"].astype(str).value_counts()
    names = dict.fromkeys([*sources["source"].astype(str), *eligibility["source"].astype(str)])
    recorded = pd.DataFrame(
        {"source": list(names), "n": [int(sizes.get(name, 0)) for name in names]}
    )
    found = links(statistics, matrix, flow, sources, recorded, confirmatory)
    why = masked(found.system, min_count, secondary=secondary)
    work = _Mask(found, why, min_count)
    files = {
        "statistics.csv": work.statistics(statistics, matrix, curves),
        "transitions/matrix.csv": work.matrix(matrix),
        "cohort/flow.csv": work.flow(flow),
        "cohort/sources.csv": work.counts("cohort/sources.csv", sources, ["rows"]),
        "cohort/recorded.csv": work.counts("cohort/recorded.csv", recorded, ["n"]),
        "predictions/curves.csv": work.curves(curves),
        "cohort/problems.csv": work.rules(problems, "cohort/problems.csv"),
        "cohort/repairs.csv": work.rules(repairs, "cohort/repairs.csv"),
    }
    log = pd.DataFrame(work.log, columns=list(MASKED_COLUMNS)).drop_duplicates(ignore_index=True)
    return Copies(files, log)


def summary(copies: Copies, min_count: int) -> str:
    """Return in words how much was masked, for the log; no masked value is in it."""
    lines = [f"Counts from 1 to {min_count - 1} are masked, and what would give them away."]
    for file, own in copies.log.groupby("file", sort=False):
        told = own["why"].value_counts()
        parts = "; ".join(f"{count} {why}" for why, count in told.items())
        lines.append(f"{file}: {len(own)} cells masked ({parts})")
    if copies.log.empty:
        lines.append("Nothing had to be masked.")
    return "\n".join(lines)


class _Mask:
    """Writes the copies; `log` grows with each cell that is masked."""

    def __init__(self, found: Links, why: dict[str, str], min_count: int):
        self.found, self.why, self.min_count = found, why, min_count
        self.log: list[tuple[str, str, str, str]] = []

    def note(self, file: str, row: Any, column: str, why: str) -> None:
        self.log.append((file, str(row), column, why))

    def counts(
        self,
        file: str,
        frame: pd.DataFrame,
        columns: Sequence[str],
        named: Callable[[Any, pd.Series], str] | None = None,
    ) -> pd.DataFrame:
        """Return a copy in which the masked counts of these columns are missing."""
        copy = frame.copy()
        for column in columns:
            copy[column] = copy[column].astype(object)
            for label in copy.index:
                name = self.found.cells.get((file, label, column))
                if name in self.why:
                    copy.loc[label, column] = None
                    row = named(label, copy.loc[label]) if named else label + 1
                    self.note(file, row, column, self.why[name])
            copy[column] = copy[column].astype(float) if column in _CELLS else copy[column].astype(
                "Int64"
            )  # fmt: skip
        return copy

    def matrix(self, matrix: pd.DataFrame) -> pd.DataFrame:
        """Return the matrix; of a masked cell nothing is said of interval scores either."""
        file = "transitions/matrix.csv"
        copy = self.counts(file, matrix, _CELLS, lambda label, row: f"score_pre {row['score_pre']}")
        for step in range(5):
            copy[f"split_{step}"] = copy[f"split_{step}"].where(copy[str(step)].notna(), math.nan)
        return copy

    def flow(self, flow: pd.DataFrame) -> pd.DataFrame:
        """Return the flow; where the patients are masked their lesions are, too."""
        file = "cohort/flow.csv"

        def named(label: Any, row: pd.Series) -> str:
            reason = row["reason"] if pd.notna(row["reason"]) else ""
            return f"{row['step']}: {reason}".removesuffix(": ")

        copy = self.counts(file, flow, ["n", "n_lesions"], named)
        for label in copy.index[copy["n"].isna() & copy["n_lesions"].notna()]:
            copy.loc[label, "n_lesions"] = pd.NA
            self.note(file, named(label, copy.loc[label]), "n_lesions", FOLLOWS)
        return copy

    def rules(self, found: pd.DataFrame, file: str) -> pd.DataFrame:
        """Return how often each rule applied: no line of a patient, and no small count."""
        keys = ["severity", "rule"] if "severity" in found else ["rule"]
        counts = found.groupby(keys, sort=True).size().rename("n").reset_index()
        counts["n"] = counts["n"].astype("Int64")
        for label in counts.index[[is_small(n, self.min_count) for n in counts["n"]]]:
            counts.loc[label, "n"] = pd.NA
            self.note(file, counts.loc[label, "rule"], "n", SMALL)
        return counts

    def shown_values(self, curves: pd.DataFrame) -> dict[str, tuple[float, float]]:
        """Return by model between which values at least `min_count` patients lie on either side."""
        ends = {}
        observed = curves[curves["quantity"].eq(predictions.OBSERVED)]
        for model, own in observed.groupby("model", sort=False):
            values, many = own["value"].to_numpy(float), own["n_patients"].to_numpy(int)
            each = np.sort(np.repeat(values, many))
            if len(each) >= 2 * self.min_count:
                ends[str(model)] = float(each[self.min_count - 1]), float(each[-self.min_count])
        return ends

    def curves(self, curves: pd.DataFrame) -> pd.DataFrame:
        """Return the curves at round values that some patients are beyond at either end.

        Who has which value is left out; between two values a curve is read off a straight line, as
        it is drawn.
        """
        file, ends = "predictions/curves.csv", self.shown_values(curves)
        kept = []
        keys = ["model", "quantity", "over", "score"]
        for (model, quantity, over, _), own in curves.groupby(keys, sort=False, dropna=False):
            if own["status"].eq("not_estimable").all():
                kept.append(own)
            elif quantity == predictions.OBSERVED:
                self.note(file, f"{model} observed", "value", FOLLOWS)
            elif model in ends:
                kept.append(_at_round_values(own, over == predictions.MIB1, ends[model]))
            else:
                self.note(file, model, "estimate", FOLLOWS)
        copy = pd.concat(kept) if kept else curves.iloc[:0]
        copy = copy[list(curves)].reset_index(drop=True)
        copy["n_patients"] = copy["n_patients"].astype("Int64")
        for label in copy.index:
            name = patients(ALL, copy.loc[label, "n_patients"])
            if name in self.why or is_small(copy.loc[label, "n_patients"], self.min_count):
                copy.loc[label, "n_patients"] = pd.NA
                self.note(file, copy.loc[label, "model"], "n_patients", FOLLOWS)
        copy["reason"] = copy["reason"].map(without_numbers, na_action="ignore")
        whole = [
            model for model in dict.fromkeys(curves["model"]) if not copy["model"].eq(model).any()
        ]
        for model in whole:
            own = curves[curves["model"].eq(model)].iloc[[0]].copy()
            own[[name for name in own if name not in ("model", "over")]] = None
            copy = pd.concat([copy, own.assign(status="not_estimable", reason=REASON)])
        return copy.reset_index(drop=True)

    # statistics.csv

    def statistics(
        self, statistics: pd.DataFrame, matrix: pd.DataFrame, curves: pd.DataFrame
    ) -> pd.DataFrame:
        """Return `statistics.csv` masked: see the head of this module."""
        file = "statistics.csv"
        copy = self.counts(file, statistics, COUNTS, lambda label, row: row["row_id"])
        ends = self.shown_values(curves)
        gone = self._masked_counts(statistics)
        cells = bool(self._of_file("transitions/matrix.csv"))
        subsets = self._whole_subsets(statistics)
        for column in _ROUNDED:
            copy[column] = copy[column].astype(float).map(_three_digits)
        # Effects of these on what was published are the counts again.
        copy[["statistic", "df"]] = math.nan
        for label in statistics.index:
            row, row_id = statistics.loc[label], statistics.loc[label, "row_id"]
            if row["estimand"] != "proportion" and pd.notna(row["n_events"]):
                copy.loc[label, "n_events"] = pd.NA
                self.note(file, row_id, "n_events", FOLLOWS)
            if row["subset"] in subsets:
                copy.loc[label, list(COUNTS)] = pd.NA
                self._empty(copy, label, subsets[row["subset"]])
            elif self._follows(row, copy.loc[label], gone, cells, ends):
                self._empty(copy, label, FOLLOWS)
                if row["analysis"] == "sensitivity.not_rescanned":
                    # All best less all worst is how many were not scanned, or are left open.
                    copy.loc[label, "n_events"] = pd.NA
            elif self._open_interval(row, gone):
                copy.loc[label, ["conf_low", "conf_high"]] = math.nan
                self.note(file, row_id, "conf_low, conf_high", FOLLOWS)
            elif row["analysis"] == "transition.signed_rank" and self._open(gone, row["subset"]):
                # An exact P with more digits has one set of changes that gives it.
                copy.loc[label, ["p_value", "p_low", "p_high"]] = _printed(row["p_value"])
                self.note(file, row_id, "p_low, p_high", FOLLOWS)
            elif row["estimand"] == "proportion" and pd.notna(row["n_events"]):
                # What follows from two counts that are shown needs no rounding.
                copy.loc[label, list(_ROUNDED)] = row[list(_ROUNDED)]
        shown = copy["reason"].ne(REASON)
        copy["reason"] = copy["reason"].where(
            ~shown, copy["reason"].map(without_numbers, na_action="ignore")
        )
        return copy

    def _empty(self, copy: pd.DataFrame, label: Any, why: str) -> None:
        copy.loc[label, list(_NUMBERS)] = math.nan
        copy.loc[label, ["status", "reason"]] = "not_estimable", REASON
        self.note("statistics.csv", copy.loc[label, "row_id"], "estimate", why)

    def _of_file(self, file: str) -> list[str]:
        return [
            name for (of, _, _), name in self.found.cells.items() if of == file and name in self.why
        ]

    def _masked_counts(self, statistics: pd.DataFrame) -> set[str]:
        """Return the names of what proportions count where it, or what it is out of, is masked."""
        gone = set()
        for label, row in statistics.iterrows():
            if row["estimand"] == "proportion" and pd.notna(row["n_events"]):
                cells = (self.found.cells.get(("statistics.csv", label, c)) for c in COUNTS)
                if any(name in self.why for name in cells):
                    gone.add(events(row))
        return gone

    def _whole_subsets(self, statistics: pd.DataFrame) -> dict[str, str]:
        """Return the subsets that are masked as a whole: few patients, or few that are left."""
        described = statistics["analysis"].eq("describe.patients")
        sizes = statistics[described].set_index("subset")["n_patients"].astype(float)
        found = {name: SMALL for name, n in sizes.items() if is_small(n, self.min_count)}
        planned = statistics[statistics["subset"].eq(CONFIRMATORY)]
        if len(planned) and ALL in sizes:
            n = float(planned["n_patients"].max())
            if is_small(n, self.min_count):
                found[CONFIRMATORY] = SMALL
            elif is_small(sizes[ALL] - n, self.min_count):
                found[CONFIRMATORY] = COMPLEMENT
        return found

    def _follows(
        self,
        row: pd.Series,
        copy: pd.Series,
        gone: set[str],
        cells: bool,
        ends: dict[str, tuple[float, float]],
    ) -> bool:
        """Return whether the numbers of a row would show masked counts, or single patients."""
        analysis, subset, few = row["analysis"], row["subset"], self.min_count
        n = float(row["n_patients"]) if pd.notna(row["n_patients"]) else math.nan
        if row["status"] == "not_estimable":
            return False
        if row["estimand"] == "proportion":
            return copy[list(COUNTS)].isna().ne(row[list(COUNTS)].isna()).any() or (
                analysis == "sensitivity.not_rescanned" and self._open(gone, subset)
            )
        if is_small(n, few):
            return True
        if analysis == "describe.difference":
            return any(_of_group(name, f"describe.{row['term']}") for name in gone)
        if row["term"] in ("median", *_QUARTILES) or str(row["row_id"]).endswith("/median"):
            # Enough patients on either side: the value is nobody's in particular.
            return n < few * (4 if row["term"] in _QUARTILES else 2)
        if analysis == "transition.suvmax_ratio":
            return n < 2 * few
        if analysis in _OF_DIRECTIONS or analysis == "sensitivity.not_rescanned":
            return self._open(gone, subset)
        if analysis == "bias.regression_to_mean" and str(row["term"]).startswith(_OF_GAIN):
            # With the number of patients it is the sum of their steps.
            return self._open(gone, subset)
        if analysis in _OF_CELLS:
            return cells if subset == ALL else True
        if analysis in _OF_CRITERION:
            lost = self.found.system.values.get(f"lost|{subset}", 1.0)
            return is_small(lost, few) or any(
                name.startswith("n_events|criterion.") and f"|{subset}|" in name for name in gone
            )
        if analysis == "sensitivity.repeatability":
            return self._few_of_net(row, n)
        if analysis == "sensitivity.leave_one_out":
            return True
        if row["estimand"].startswith("patients who gained the criterion"):
            met = f"n_events|criterion.gained|criterion|{subset}||"
            return met in gone or is_small(row["estimate"], few)
        if analysis in predictions.ANALYSES.values() and pd.notna(row["term"]):
            model = next(key for key, name in predictions.ANALYSES.items() if name == analysis)
            value = float(str(row["term"]).rpartition("_")[2])
            low, high = ends.get(model, (math.inf, -math.inf))
            return not low <= value <= high
        return False

    def _open(self, gone: set[str], subset: str) -> bool:
        """Return whether it is masked how many of a subset rose, stayed the same or fell."""
        return any(
            name.startswith(f"n_events|transition.proportion|krenning|{subset}|") for name in gone
        )

    def _few_of_net(self, row: pd.Series, n: float) -> bool:
        """Return whether few rose, few fell or few did neither, of a net improvement."""
        if pd.isna(row["estimate"]) or pd.isna(row["n_events"]):
            return False
        changed, net = float(row["n_events"]), float(row["estimate"]) * n
        parts = ((changed + net) / 2, (changed - net) / 2, n - changed)
        return any(is_small(round(part), self.min_count) for part in parts)

    def _open_interval(self, row: pd.Series, gone: set[str]) -> bool:
        """Return whether an interval over completions tells how many scores are left open."""
        method = row["interval_method"]
        if pd.isna(method) or "over all completions" not in str(method):
            return False
        key = f"n_events|{row['analysis']}|{row['outcome']}|{row['subset']}|undetermined|"
        return key in gone


_CELLS = tuple(str(step) for step in range(5)) + tuple(f"split_{step}" for step in range(5))


def _of_group(name: str, analysis: str) -> bool:
    """Return whether a count is of this variable, in a source or of those who changed one way."""
    _, own, _, subset, *_ = name.split("|")
    return own == analysis and subset.startswith(("source_", "direction_"))


def _at_round_values(own: pd.DataFrame, of_mib1: bool, ends: tuple[float, float]) -> pd.DataFrame:
    """Return one curve at round values within `ends`."""
    low, high = ends
    # As a file it is text, which would be sorted as words.
    own = own.assign(value=own["value"].astype(float)).sort_values("value")
    if not of_mib1:
        return own[own["value"].astype(float).between(low, high)]
    at = np.array([value for value in _ROUND_MIB1 if low <= value <= high])
    if not len(at):
        return own.iloc[:0]
    copy = own.iloc[[0] * len(at)].assign(value=at)
    where = np.log(own["value"].astype(float).to_numpy())
    for name in ("estimate", "conf_low", "conf_high", "band_low", "band_high"):
        copy[name] = np.interp(np.log(at), where, own[name].astype(float).to_numpy())
    return copy


def _three_digits(value: float) -> float:
    if not math.isfinite(value) or value == 0:
        return value
    return float(f"{value:.3g}")


def _printed(p: float) -> float:
    """Return a P with no more digits than are printed; of small ones only that they are small.

    >>> _printed(0.00269), _printed(0.0321), _printed(3.86e-06)
    (0.003, 0.03, 0.0009)
    """
    if math.isnan(p):
        return p
    text = rounding.p_value(p).partition(" ")[2]
    return 0.0009 if p < 0.001 else float(text)


def without_numbers(reason: str) -> str:
    """Return a reason without the numbers that a study gave it; those of captem's rules stay.

    >>> without_numbers("10.2 effective observations per coefficient, fewer than 15")
    'a masked number of effective observations per coefficient, fewer than 15'
    >>> without_numbers("smallest P possible: 1.2e-10")
    'smallest P possible: masked'
    >>> without_numbers("1 patient has an interval score")
    'a masked number of patients have an interval score'
    """

    def said(match: re.Match[str]) -> str:
        before, behind = reason[: match.start()], reason[match.end() :]
        if _FIXED_BEFORE.search(before) or _FIXED_BEHIND.match(behind):
            return match[0]
        return "a masked number of" if re.match(r" [a-z]", behind) else "masked"

    text = re.sub(r"\b(?:one|1) (?=patient\b|lesion\b)", "2 ", reason)
    reason = text
    text = _NUMBER.sub(said, text)
    text = re.sub(r"number of (patient|lesion)\b", r"number of \1s", text)
    return re.sub(r"(number of (?:patients|lesions)) has\b", r"\1 have", text)
