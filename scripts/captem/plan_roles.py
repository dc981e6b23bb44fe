"""Planned against exploratory: what each row of `statistics.csv` may claim under a locked plan.

Without a plan the sources that the config calls confirmatory decide alone (`captem.statistics`).
A plan can only take away from that: a row is planned where the plan names what it asks, the run
followed the plan in what matters to it, the data came after the plan, and the cut is a planned
look. A reason for a deviation makes it understood, not planned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from captem import statistics
from captem.plan import BASE_TERMS, PRIMARY_TERM, TESTS, Locked

CLAIMS = ("primary", "secondary", "sensitivity")
COLUMNS = ("row_id", "analysis", "outcome", "subset", "term", "role", "planned", "why")
PLANNED, EXPLORATORY, DESCRIPTIVE = "planned", "exploratory", "descriptive"
_OF_MODELS = ("model", "mib1_floor", "missing")
# Keys of what the plan keeps of the config begin so; the columns of a source matter once results
# were seen (`captem.look_events.against`).
_CONFIG = "config."
_SOURCES = "config.sources"
# Methods that draw random numbers, which another seed would draw otherwise.
_BY_CHANCE = re.compile(r"imputation|bootstrap|simulated|draws\)|permutation(?!.*\ball )")
# Keys of the plan that matter to every row that claims something.
OF_EVERY_ROW = (
    "outcome", "follow_up", "on_problem", "confirmatory_sources", "alpha", "looks",
    "config.checks", "config.suv_tolerance",
)  # fmt: skip
_OF_SENSITIVITY = ("sensitivity", "config.noise", "config.sensitivity", "config.surrogate")


@dataclass(frozen=True)
class Look:
    """Which planned look a run is: its number from 1 on, or 0 and why it is none."""

    number: int
    why: str = ""


def differing(plan: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the settings in which a run differs from the plan: name -> as planned, as done.

    Parameters
    ----------
    plan : as it was locked.
    settings : of the study, as resolved, and those that `captem.plan.of_config` returns.
    """
    model = plan["model"]
    base = BASE_TERMS[model["name"]]
    asked = {
        "criterion.threshold": (plan["criterion"]["threshold"], settings["criterion"]["threshold"]),
        "criterion.rule": (plan["criterion"]["rule"], settings["criterion"]["rule"]),
        "follow_up": (plan["follow_up"], settings["follow_up"]),
        "mib1_floor": (plan["mib1_floor"], settings["mib1_floor"]),
        "on_problem": (plan["on_problem"], settings["on_problem"]),
        "model.terms": (model["terms"], [*base, *settings["models"]["covariates"]]),
        "model.splines": (model["splines"], settings["models"]["splines"]),
        "confirmatory_sources": (
            sorted(plan["confirmatory_sources"]), sorted(settings["confirmatory_sources"]),
        ),
    }  # fmt: skip
    for key in sorted(name for name in plan if name.startswith(_CONFIG)):
        asked |= _each(key, plan[key], settings[key])
    for source in settings.get(_SOURCES, {}):
        if _SOURCES in plan and source not in plan[_SOURCES]:
            asked[f"{_SOURCES}.{source}"] = ("no source of this name", "a source that takes part")
    return {
        name: (_said(planned), _said(done))
        for name, (planned, done) in asked.items()
        if planned != done
    }


def _each(name: str, planned: Any, done: Any) -> dict[str, tuple[Any, Any]]:
    """Return each setting below a name, as planned and as done."""
    if not isinstance(planned, dict) or not isinstance(done, dict):
        return {name: (planned, done)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*planned, *done}):
        found |= _each(f"{name}.{key}", planned.get(key), done.get(key))
    return found


def _said(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def judged(
    table: pd.DataFrame, locked: Locked, settings: Mapping[str, Any], look: Look
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the statistics with the roles that the plan leaves them, and why, a row each.

    Parameters
    ----------
    table : rows of `statistics.csv`, with the roles that the sources allow.
    locked : the plan.
    settings : of the study, as resolved.
    look : which planned look this run is.

    Returns
    -------
    The same rows with `role` and `p_adjusted` anew, and a frame with `COLUMNS`.
    """
    other = differing(locked.plan, settings)
    told = []
    table = table.copy()
    roles = []
    for row in table.to_dict("records"):
        role = _role(row, locked.plan)
        if role == "descriptive":
            planned, why = DESCRIPTIVE, ""
        else:
            reasons = list(_against(row, role, locked, other, look))
            planned, why = (EXPLORATORY, "; ".join(reasons)) if reasons else (PLANNED, "")
            role = EXPLORATORY if reasons else role
        roles.append(role)
        told.append([*(row[name] for name in COLUMNS[:5]), role, planned, why or None])
    table["role"] = pd.Series(roles, index=table.index, dtype=object)
    table["p_adjusted"] = float("nan")
    return statistics.adjusted(table), pd.DataFrame(told, columns=list(COLUMNS))


def is_test(row: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Return whether a row is the test of the primary question, for its subset."""
    return bool(
        row["analysis"] == TESTS[plan["outcome"]]
        and row["row_id"] == f"{row['analysis']}/{plan['outcome']}/{row['subset']}"
    )


def is_model(row: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Return whether a row is the primary term of the primary model, for its subset."""
    name = plan["model"]["name"]
    end = "/imputed" if plan["missing"] == "multiple_imputation" else ""
    own = f"{name}/{name.removeprefix('model.')}/{row['subset']}/{PRIMARY_TERM}{end}"
    return bool(row["row_id"] == own)


def _role(row: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """Return what the plan makes of a row that the sources would allow to claim something."""
    role = str(row["role"])
    if role not in CLAIMS:
        return role
    if is_test(row, plan) or is_model(row, plan):
        return "primary"
    if role != "primary":
        return role
    # What captem holds for primary and the plan does not.
    own = plan["model"]["name"] == row["analysis"]
    return "sensitivity" if own else "secondary"


def _against(
    row: Mapping[str, Any],
    role: str,
    locked: Locked,
    other: Mapping[str, tuple[str, str]],
    look: Look,
) -> Iterator[str]:
    """Yield each reason why a row cannot claim what its role says."""
    if role not in CLAIMS:
        if row["subset"] == statistics.ALL:
            yield "asked of all sources, or without a claim"
        else:
            yield "asked without a claim"
        return
    keys = _matters(row)
    had = locked.had_rows(keys)
    if had:
        words = " and ".join(f"{name} had {count} rows" for name, count in had.items())
        yield f"{words} when this was locked"
    for name, (planned, done) in other.items():
        if _key_of(name) in keys:
            yield f"{name} is {done}, planned was {planned}"
    if role == "sensitivity" and not _in_set(row, locked.plan["sensitivity"]):
        yield "not in the sensitivity set of the plan"
    if not look.number:
        yield look.why


def _key_of(setting: str) -> str:
    """Return the key of the plan that a setting belongs to."""
    parts = setting.split(".")
    return ".".join(parts[:2]) if setting.startswith(_CONFIG) else parts[0]


def _matters(row: Mapping[str, Any]) -> tuple[str, ...]:
    keys: tuple[str, ...] = OF_EVERY_ROW
    analysis = str(row["analysis"])
    if analysis.startswith(("model.", "sensitivity.")):
        keys += _OF_MODELS
    if row["outcome"] == "criterion":
        keys += ("criterion",)
    if analysis.startswith(("sensitivity.", "bias.")):
        keys += _OF_SENSITIVITY
    if _BY_CHANCE.search(f"{row['p_method']} {row['interval_method']}"):
        keys += ("config.seed",)
    return keys


def _in_set(row: Mapping[str, Any], planned: Sequence[str]) -> bool:
    """Return whether the plan names a sensitivity analysis.

    Another method for the same estimate (`/bootstrap`, McNemar's exact P) goes with that estimate.
    """
    kind, _, name = str(row["analysis"]).partition(".")
    return kind not in ("sensitivity", "bias") or name in planned
