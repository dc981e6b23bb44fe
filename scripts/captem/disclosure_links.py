"""The counts of a study's results, under which name each is shown, and how they hang together.

Two counts of patients of one subset that are the same number have one name: what is masked in one
place is then shown in no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from captem.disclosure_system import LAST_RESORT, System
from captem.statistics import ALL, CONFIRMATORY

COUNTS = ("n_patients", "n_lesions", "n_events")
Cell = tuple[str, Any, str]
_STEPS = [str(step) for step in range(5)]
_PRIMARY = r"model\.krenning/krenning/[^/]+/log2_mib1$"
_WHOLE = ("recorded", "excluded", "included")
# How much a reader would miss a count: those who are analysed more than why others are not, the
# answers more than those, and who the patients are most.
_ANALYSED, _ANSWER, _SCORED, _EVERYBODY = 1.0, 2.0, 3.0, LAST_RESORT


@dataclass
class Links:
    """The system of all counts, and which cell of which file shows which of them.

    Attributes:
        cells: (file, row label, column) -> name of the count.
    """

    system: System = field(default_factory=System)
    cells: dict[Cell, str] = field(default_factory=dict)

    def cell(self, file: str, row: Any, column: str, name: str, value: float, cost: float) -> None:
        self.cells[(file, row, column)] = self.system.show(name, value, cost)


def links(
    statistics: pd.DataFrame,
    matrix: pd.DataFrame,
    flow: pd.DataFrame,
    sources: pd.DataFrame,
    recorded: pd.DataFrame,
    confirmatory: Sequence[str] = (),
) -> Links:
    """Return the counts of the files of these names, and the equations between them.

    Parameters
    ----------
    recorded : how many patients of each source were recorded (`source`, `n`).
    confirmatory : the sources that the subset of this name is of.
    """
    found = Links()
    rows = _statistics(found, statistics, _same_patients(confirmatory))
    _by_source(found, rows, confirmatory)
    _groups(found, rows)
    _shares(found, rows)
    _nested(found, rows)
    _criterion(found, rows)
    _flow(found, flow)
    _matrix(found, matrix, rows)
    _sources(found, sources, recorded, flow, _same_patients(confirmatory))
    return found


def patients(subset: str, value: float) -> str:
    """Return the name of a number of patients of a subset."""
    return f"n_patients|{subset}|{value:g}"


def events(row: Any) -> str:
    """Return the name of what a proportion counts, whatever method its interval is by."""
    term = row["term"] if pd.notna(row["term"]) else ""
    variant = str(row["row_id"]).split("/")[3 + bool(term) :]
    told = "/".join(part for part in variant if part != "exact")
    return f"n_events|{row['analysis']}|{row['outcome']}|{row['subset']}|{term}|{told}"


def _same_patients(confirmatory: Sequence[str]) -> dict[str, str]:
    """Return the other name of a subset: one confirmatory source is the confirmatory subset."""
    return {f"source_{confirmatory[0]}": CONFIRMATORY} if len(confirmatory) == 1 else {}


def _statistics(found: Links, statistics: pd.DataFrame, same: Mapping[str, str]) -> pd.DataFrame:
    """Name the counts of every row; return the rows with the names in the columns of the counts.

    `same` gives subsets the name of the one that holds the same patients.
    """
    rows = statistics.copy()
    named: dict[str, list[str]] = {column: [] for column in COUNTS}
    for label, row in statistics.iterrows():
        for column in COUNTS:
            value = row[column]
            if pd.isna(value) or (column == "n_events" and row["estimand"] != "proportion"):
                named[column].append("")
                continue
            subset, cost = row["subset"], 0.0
            if column == "n_events":
                name = events(row)
                if row["analysis"].startswith(("transition.", "criterion.")):
                    cost = _ANSWER if row["term"] != "undetermined" else 0.0
                    cost += 0.1 * (row["analysis"] == "criterion.gained")
                if row["analysis"] == "describe.patients":
                    name = patients(same.get(subset, subset), value)
            else:
                name = f"{column}|{same.get(subset, subset)}|{float(value):g}"
                cost = 0.0 if row["analysis"].startswith("describe.") else _ANALYSED
                if row["analysis"].startswith(("transition.", "criterion.")):
                    cost = _SCORED
            if row["analysis"] == "describe.patients":
                cost = _EVERYBODY if subset == ALL else _ANSWER
            found.cell("statistics.csv", label, column, name, value, cost)
            named[column].append(name)
    return rows.assign(**named)


def _by_source(found: Links, rows: pd.DataFrame, confirmatory: Sequence[str]) -> None:
    """Link the primary model in each source to that in all patients and in the confirmatory ones.

    And the size of the confirmatory subset to those of its sources.
    """
    for analysis, whole in (
        ("sensitivity.source", rows[rows["row_id"].str.match(_PRIMARY)]),
        ("describe.patients", rows[rows["analysis"].eq("describe.patients")]),
    ):
        own = rows[rows["analysis"].eq(analysis) & rows["subset"].str.startswith("source_")]
        sources = own.set_index("subset")["n_patients"]
        planned = [sources.get(f"source_{name}", "") for name in confirmatory]
        named = whole.set_index("subset")["n_patients"]
        for subset, parts in ((ALL, list(sources)), (CONFIRMATORY, planned)):
            total = named.get(subset)
            if total and parts and all(parts) and parts != [total]:
                found.system.adds_up(total, parts)


def _groups(found: Links, rows: pd.DataFrame) -> None:
    """Link what is counted of all patients to the same of their sources, ways and the rest."""
    by_id = rows.set_index("row_id")
    for column in COUNTS:
        shown = {name: value for name, value in by_id[column].items() if value}
        families: dict[str, dict[str, str]] = defaultdict(dict)
        for row_id, name in shown.items():
            analysis, outcome, subset, *more = str(row_id).split("/")
            if analysis != "describe.difference":
                families["/".join([analysis, outcome, *more])][subset] = name
        for family, of in families.items():
            if ALL not in of:
                continue
            sources = [name for subset, name in of.items() if subset.startswith("source_")]
            ways = [name for subset, name in of.items() if subset.startswith("direction_")]
            described = family.startswith("describe.")
            # A patient may have lesions of several sites, so that patients do not add up there.
            if sources:
                rest = "" if described else f"rest|{column}|{family}|sources"
                found.system.adds_up(of[ALL], sources, rest)
            if ways:
                found.system.adds_up(of[ALL], ways, f"rest|{column}|{family}|ways")
            if CONFIRMATORY in of:
                found.system.adds_up(of[ALL], [of[CONFIRMATORY]], f"rest|{column}|{family}|other")


def _shares(found: Links, rows: pd.DataFrame) -> None:
    """Link each proportion to what it is out of, and the levels of a variable to each other."""
    shares = rows[rows["n_events"].ne("") & rows["analysis"].ne("describe.patients")]
    for row in shares.to_dict("records"):
        whole = row["n_lesions"] or row["n_patients"]
        if row["analysis"] == "describe.lesion_patients":
            whole = row["n_patients"]
        if whole:
            found.system.adds_up(whole, [row["n_events"]], f"rest|{row['n_events']}")
    # Compared is said of scores and of SUVmax, which the same lesion may have.
    shares = shares[shares["analysis"].ne("describe.lesion_compared")]
    shares = shares[~shares["analysis"].str.startswith("sensitivity.")]
    for _, own in shares.groupby(["analysis", "outcome", "subset"], sort=False):
        levels, missing = own[own["term"].ne("missing")], own[own["term"].eq("missing")]
        for _, same in levels.groupby(levels["n_lesions"].where(levels["n_lesions"].ne(""),
                                                                levels["n_patients"])):  # fmt: skip
            names = list(dict.fromkeys(same["n_events"]))
            whole = next(same[c].iloc[0] for c in ("n_lesions", "n_patients") if same[c].iloc[0])
            if len(names) > 1:
                found.system.adds_up(whole, names)
        for row in missing.to_dict("records"):
            _known(found, rows, row)
    ways = rows[rows["analysis"].eq("transition.proportion") & rows["outcome"].eq("krenning")]
    sizes = rows[rows["analysis"].eq("describe.patients")].set_index("subset")["n_patients"]
    for row in ways[ways["subset"].eq(ALL)].to_dict("records"):
        size = sizes.get(f"direction_{row['term']}")
        if size and row["n_events"]:
            found.system.equal({size: 1.0, row["n_events"]: -1.0})


def _known(found: Links, rows: pd.DataFrame, missing: dict[str, Any]) -> None:
    """Link the missing values of a variable to the known ones, which its other rows are out of."""
    same = rows[
        rows["analysis"].eq(missing["analysis"])
        & rows["subset"].eq(missing["subset"])
        & rows["term"].ne("missing")
    ]
    column = "n_lesions" if missing["n_lesions"] else "n_patients"
    for name in dict.fromkeys(filter(None, same[column])):
        found.system.adds_up(missing[column], [name, missing["n_events"]])


def _nested(found: Links, rows: pd.DataFrame) -> None:
    """Link who is in an analysis to all of the subset, and an alternative to what it is beside."""
    sizes = rows[rows["analysis"].eq("describe.patients")].set_index("subset")["n_patients"]
    confirmatory = rows.loc[rows["subset"].eq(CONFIRMATORY)]
    if CONFIRMATORY not in sizes and len(confirmatory):
        most = max(confirmatory["n_patients"], key=lambda name: found.system.values.get(name, 0.0))
        sizes = pd.concat([sizes, pd.Series({CONFIRMATORY: most})])
    main = (
        rows[rows["row_id"].str.match(_PRIMARY)]
        .set_index("subset")["n_patients"]
    )  # fmt: skip
    scored = (
        rows[rows["row_id"].str.match(r"transition\.proportion/krenning/[^/]+/up$")]
        .set_index("subset")["n_patients"]
    )  # fmt: skip
    for subset, name in rows[["subset", "n_patients"]].drop_duplicates().itertuples(index=False):
        for wholes in (sizes, scored, main):
            whole = wholes.get(subset)
            if name and whole and whole != name:
                found.system.adds_up(whole, [name], f"rest|{whole}|{name}")


def _criterion(found: Links, rows: pd.DataFrame) -> None:
    """Link before, after, gained and lost, and who did not meet the criterion before."""
    named = rows.set_index("row_id")
    for subset in dict.fromkeys(rows.loc[rows["analysis"].eq("criterion.gained"), "subset"]):
        whole = {
            name: named.loc[f"criterion.{name}/criterion/{subset}"]
            for name in ("before", "after", "gained")
        }
        counts = {name: row["n_events"] for name, row in whole.items()}
        if not all(counts.values()):
            continue
        terms = {counts["before"]: 1.0, counts["gained"]: 1.0, counts["after"]: -1.0}
        lost = sum(factor * found.system.values[name] for name, factor in terms.items())
        if lost >= 0:
            found.system.equal(terms | {found.system.hide(f"lost|{subset}", lost): -1.0})
        open_ = named.loc[f"criterion.before/criterion/{subset}/undetermined", "n_events"]
        parts = [counts["before"], whole["gained"]["n_patients"], *([open_] if open_ else [])]
        found.system.adds_up(whole["before"]["n_patients"], parts)


def _flow(found: Links, flow: pd.DataFrame) -> None:
    names: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for label, row in flow.iterrows():
        reason = row["reason"] if pd.notna(row["reason"]) else ""
        for column, kind in (("n", "n_patients"), ("n_lesions", "n_lesions")):
            name = f"{kind}|{ALL}|{float(row[column]):g}"
            if row["step"] in ("recorded", "included"):
                cost = _EVERYBODY
            elif reason == "analysed":
                cost = _SCORED if not row["step"].startswith("model.") else _ANALYSED
            else:
                cost = 0.0
            found.cell("cohort/flow.csv", label, column, name, row[column], cost)
        both = (found.cells[("cohort/flow.csv", label, column)] for column in ("n", "n_lesions"))
        names[row["step"]].append((reason, *both))
    if "recorded" not in names or "included" not in names:
        return
    for place in (1, 2):
        included = names["included"][0][place]
        left_out = [line[place] for line in names.get("excluded", [])]
        found.system.adds_up(names["recorded"][0][place], [included, *left_out])
        for step, lines in names.items():
            if step not in _WHOLE:
                found.system.adds_up(included, [line[place] for line in lines])


def _matrix(found: Links, matrix: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Link the cells to who rose, stayed, fell, and to all; no margin is shown beside them."""
    system = found.system
    cells: dict[tuple[int, int], str] = {}
    for label, row in matrix.iterrows():
        before = int(row["score_pre"])
        for after in _STEPS:
            name = f"matrix|{before}|{after}"
            found.cell("transitions/matrix.csv", label, after, name, float(row[after]), 0.0)
            cells[(before, int(after))] = name
            split = f"split|{before}|{after}"
            value = float(row[f"split_{after}"])
            found.cell("transitions/matrix.csv", label, f"split_{after}", split, value, 0.0)
            system.adds_up(name, [split], f"whole|{before}|{after}")
    up = rows[rows["row_id"].str.match(rf"transition\.proportion/krenning/{ALL}/[a-z]+$")]
    if up.empty:
        return
    counts = up.set_index("term")["n_events"]
    total = up["n_patients"].iloc[0]
    if total:
        system.adds_up(total, cells.values())
    for way, sign in (("up", 1), ("same", 0), ("down", -1)):
        of = [name for (pre, post), name in cells.items() if (post > pre) - (post < pre) == sign]
        known = counts.get(way)
        left = sum(system.values[name] for name in of) - system.values.get(known, 0.0)
        if known and left >= -1e-9:
            hidden = system.hide(f"open|{way}", max(left, 0.0))
            terms = dict.fromkeys(of, 1.0) | {known: -1.0, hidden: -1.0}
            system.equal(terms)
    for place in (0, 1):
        met = rows[rows["row_id"].eq(f"criterion.{('before', 'after')[place]}/criterion/{ALL}")]
        for threshold in range(1, 5):
            of = [name for ends, name in cells.items() if ends[place] >= threshold]
            for name in filter(None, met["n_events"]):
                system.equal(dict.fromkeys(of, 1.0) | {name: -1.0})
    gain = rows[rows["row_id"].eq(f"bias.regression_to_mean/krenning/{ALL}/observed")]
    if len(gain) and total and pd.notna(gain["estimate"].iloc[0]):
        mean = float(gain["estimate"].iloc[0])
        terms = {name: float(post - pre) for (pre, post), name in cells.items()}
        system.equal(terms | {total: -mean})


def _sources(
    found: Links,
    sources: pd.DataFrame,
    recorded: pd.DataFrame,
    flow: pd.DataFrame,
    same: Mapping[str, str],
) -> None:
    """Link what was recorded of each source to all that was, and to who is included of it."""
    total = next((found.cells[("cohort/flow.csv", label, "n")] for label, row in flow.iterrows()
                  if row["step"] == "recorded"), None)  # fmt: skip
    names = []
    for label, row in recorded.iterrows():
        subset = f"source_{row['source']}"
        subset = same.get(subset, subset)
        name = patients(subset, row["n"])
        if len(recorded) == 1 and total:
            name = total
        found.cell("cohort/recorded.csv", label, "n", name, row["n"], _ANSWER)
        names.append(name)
        _whole_of_source(found, name, subset)
    if total and len(names) > 1:
        found.system.adds_up(total, names, "rest|recorded")
    for label, row in sources.iterrows():
        rows = row["rows"]
        if pd.isna(rows):
            continue
        kind = "n_patients" if row["table"] == "patients" else "n_lesions"
        subset = f"source_{row['source']}"
        name = f"{kind}|{same.get(subset, subset)}|{float(rows):g}"
        alone = len(recorded) == 1 and kind == "n_patients"
        if total and alone and found.system.values[total] == float(rows):
            name = total
        found.cell("cohort/sources.csv", label, "rows", name, rows, _ANSWER)


def _whole_of_source(found: Links, name: str, subset: str) -> None:
    sizes = [n for n in found.system.values if n.startswith(f"n_patients|{subset}|")]
    for size in sizes:
        if size != name:
            found.system.adds_up(name, [size], f"rest|{name}|{size}")
