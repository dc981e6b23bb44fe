"""What a run did otherwise than the locked plan says, each with the reason that was given for it.

Each deviation has a name, under which `deviations.yaml` of the study gives its reason:

    criterion.rule: The index lesion could not be found again in most patients.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from captem import plan_roles, statistics
from captem.errors import CaptemError
from captem.plan import CHANGE, CURRENT, LEFT_OUT, MODEL, Locked
from captem.plan_roles import CLAIMS, Look

COLUMNS = ("name", "planned", "done", "reason", "explained")
UNEXPLAINED = "no reason is given yet"
_ANSWERS = {
    CHANGE: "an answer to the primary question: did uptake change?",
    MODEL: "an answer to the primary term of the primary model",
}
DROPPED = "dropped from the model: "


def read(text: str, path: str) -> dict[str, str]:
    """Return the reasons of a file, by the name of the deviation.

    Raises
    ------
    CaptemError
        Where the file is no YAML of names and reasons.
    """
    from captem import yaml_text

    given = yaml_text.loaded(
        text,
        path,
        "Write one line a deviation, name: reason, and a reason with a colon in quotation marks.",
    )
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(
        isinstance(reason, str) or reason is None for reason in given.values()
    ):
        raise CaptemError(
            f"{path}: write one line a deviation, its name, a colon and the reason, such as\n"
            "  criterion.rule: The index lesion could not be found again in most patients."
        )
    return {name: reason.strip() for name, reason in given.items() if reason}


def found(
    locked: Locked,
    settings: Mapping[str, object],
    rows: pd.DataFrame,
    patients: pd.DataFrame,
    looks: pd.DataFrame,
    look: Look,
    reasons: Mapping[str, str],
    before: Sequence[Mapping[str, Any]] = (),
    withdrawn: int = 0,
) -> pd.DataFrame:
    """Return the deviations, a row each, and the reasons that explain none.

    Parameters
    ----------
    locked : the plan.
    settings : of the study, as resolved.
    rows : `statistics.csv` of the run.
    patients : canonical patients of the run.
    looks : `captem.looks.table` of the run.
    look : which planned look the run is.
    reasons : as `read` returns them.
    before : what was seen before (`captem.look_events.before`).
    withdrawn : patients who withdrew consent after that (`captem.look_events.withdrawals`).
    """
    told = [
        *_settings(locked, settings),
        *_sources(locked, patients),
        *_looks(locked, looks, look),
        *_seen(look, before),
        *_withdrawn(withdrawn),
        *_answers(locked, rows),
    ]
    lines = []
    for name, planned, done in told:
        reason = reasons.get(name, "")
        lines.append([name, planned, done, reason or None, "yes" if reason else "no"])
    for item in locked.amendments:
        lines.append(
            [
                f"amendment.{item['version']}", f"version {int(item['version']) - 1} of the plan",
                f"amended on {item['day']}: {item['changed']}", item["reason"], "yes",
            ]
        )  # fmt: skip
    known = {name for name, _, _ in told}
    for name in reasons:
        if name not in known and not _of_another_look(name, locked, look):
            near = difflib.get_close_matches(name, sorted(known), 1, 0.7)
            hint = f"; did you mean {near[0]}?" if near else ""
            lines.append([name, None, f"this run has no deviation of this name{hint}",
                          reasons[name], "of nothing"])  # fmt: skip
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _of_another_look(name: str, locked: Locked, look: Look) -> bool:
    """Return whether a reason is for a look that this run is not: it stays in the file."""
    first, _, rest = name.partition(".")
    number = rest.partition(".")[0]
    total = len(locked.plan["looks"]["patients"])
    return first == "looks" and number in map(str, {*range(1, total + 1)} - {look.number})


Told = Iterator[tuple[str, str, str]]


def _settings(locked: Locked, settings: Mapping[str, object]) -> Told:
    for name, (planned, done) in plan_roles.differing(locked.plan, settings).items():
        yield name, planned, done


def _sources(locked: Locked, patients: pd.DataFrame) -> Told:
    had = locked.had_rows(plan_roles.OF_EVERY_ROW)
    for source in locked.plan["confirmatory_sources"]:
        chosen = patients[patients["source"].eq(source)]
        if source in had:
            yield (
                f"{source}.before_the_plan",
                "data collected after the plan was locked",
                f"the source had {had[source]} rows when it was locked: exploratory",
            )
            continue
        if "pet_date_post" not in chosen:
            continue
        early = int((chosen["pet_date_post"].dropna().astype(str) < locked.first_day).sum())
        if early:
            noun = "patient had the" if early == 1 else "patients had their"
            yield (
                f"{source}.scanned_before_the_plan",
                f"follow-up PET after the plan was locked on {locked.first_day}",
                f"{early} {noun} follow-up PET before",
            )


def _looks(locked: Locked, looks: pd.DataFrame, look: Look) -> Told:
    planned = locked.plan["looks"]["patients"]
    for row in looks[looks["question"].eq(CHANGE)].to_dict("records"):
        if row["status"] == CURRENT and row["n_patients"] != row["patients_planned"]:
            yield (
                f"looks.{row['look']}.patients",
                f"look {row['look']} at {row['patients_planned']} patients with both scans",
                f"taken at {row['n_patients']}",
            )
        if row["status"] == LEFT_OUT:
            yield (
                f"looks.{row['look']}.left_out",
                f"look {row['look']} at {row['patients_planned']} patients",
                row["reason"],
            )
    if not look.number:
        words = ", ".join(map(str, planned))
        yield (
            "looks.not_planned",
            f"the primary question is asked at {words} patients with both scans",
            f"{look.why}: every result is exploratory",
        )


def _seen(look: Look, before: Sequence[Mapping[str, Any]]) -> Told:
    """Yield what was seen of the results before a planned look."""
    if not look.number:
        return
    own = [event for event in before if event["look"] == look.number]
    if own:
        yield (
            f"looks.{look.number}.data_changed",
            "the data of a look do not change once its result was seen",
            f"it was seen with other data {_times(own)}",
        )
    outside = [event for event in before if not event["look"]]
    if outside:
        yield (
            "looks.seen_outside",
            "results are seen at the planned looks only",
            f"they were seen outside them {_times(outside)}",
        )


def _withdrawn(count: int) -> Told:
    if count:
        who = f"{count} patient{' was' if count == 1 else 's were'} taken out"
        yield (
            "patients.withdrawn",
            "the patients of a look stay in those that follow",
            f"{who} for withdrawn consent after results had been seen",
        )


def _times(events: Sequence[Mapping[str, Any]]) -> str:
    first, last = (
        f"on {event['day']} with {event['patients']} patients" for event in (events[0], events[-1])
    )
    if len(events) == 1:
        return first
    return f"{len(events)} times, first {first}, last {last}"


def _answers(locked: Locked, rows: pd.DataFrame) -> Told:
    """Yield each planned question whose answer is none, and each term that a model did without."""
    chosen = rows[rows["subset"].isin([statistics.CONFIRMATORY, statistics.ALL])]
    for row in chosen.to_dict("records"):
        asked = plan_roles.is_test(row, locked.plan) or plan_roles.is_model(row, locked.plan)
        only = row["subset"] == statistics.CONFIRMATORY or row["role"] in CLAIMS
        if asked and only and row["status"] != "ok":
            word = str(row["status"]).replace("_", " ")
            what = CHANGE if plan_roles.is_test(row, locked.plan) else MODEL
            yield str(row["row_id"]), _ANSWERS[what], f"{word}: {row['reason']}"
        own = row["analysis"] == locked.plan["model"]["name"] and row["subset"] != "all"
        if own and str(row["reason"]).startswith(DROPPED):
            why = str(row["reason"]).removeprefix(DROPPED)
            yield (
                str(row["row_id"]),
                "a term of the primary model",
                f"the model does without: {why}",
            )
