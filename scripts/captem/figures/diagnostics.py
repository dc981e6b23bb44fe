"""Figure: does the primary model fit, who decides its answer, and what is not known of whom?

Four panels: (a) the odds ratio of MIB1 at each cut of the score, (b) residuals, (c) the odds ratio
without each patient in turn, (d) what is known, by pattern. (a) to (c) are of the primary model in
all patients, and say why they are empty where it is refused; (d) is of all patients.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure, SubFigure

from captem import statistics
from captem.figure_rows import absent
from captem.figures import diagnostics_missing, diagnostics_model, style
from captem.figures.diagnostics_model import WHOLE
from captem.model_parts import PRIMARY_TERM
from captem.profiles import Profile
from captem.wording import reason_words

WIDE = True
EACH_PATIENT = True
MODEL = "model.krenning"
CUTS, RESIDUALS, INFLUENCE, KNOWN = "cuts", "residuals", "influence", "known"
HEADINGS = {
    CUTS: "Odds ratio per doubling of MIB1, by cut",
    RESIDUALS: "Residuals of the model",
    INFLUENCE: "Odds ratio, one patient left out",
    KNOWN: "What is known of the patients",
}
COLUMNS = (
    "panel", "patient_id", "label", "estimate", "conf_low", "conf_high", "patients", "above",
    "residual", "mib1", "mib1_low", "mib1_high", "interval", "pattern", "variable", "state",
    "status", "reason",
)  # fmt: skip
# Two columns of panels where each is at least this wide, with text of the size designed.
_NARROWEST_MM = 70
_AXES_MM, _AROUND_MM, _TOP_MM = 38, 22, 5
_SENTENCE_MM, _LETTERS_A_LINE = 24, 44


def data(
    record: Mapping[str, Any], patients: pd.DataFrame, statistics_table: pd.DataFrame
) -> pd.DataFrame:
    """Return what is drawn, in `panel` its part of the figure; patient-level.

    `cuts`: a row a cut, and one of all cuts (`label` whole). `residuals`: a row a patient, and one
    a group of them (without `patient_id`) with the mean. `influence`: a row a patient left out, in
    the order of the odds ratio (without one where there is no estimate), and one of all patients.
    `known`: a row a pattern and variable. A panel that is not drawn has one row with its `reason`.

    Parameters
    ----------
    record : of all patients, from `models/model.krenning.json`.
    patients : `cohort/patients.csv`.
    statistics_table : `statistics.csv`.
    """
    if patients.empty:
        return absent("there is no patient yet")
    found = record.get("diagnostics", {})
    whole = _whole(statistics_table)
    parts = {
        CUTS: lambda: _cuts(found["proportional_odds"], whole),
        RESIDUALS: lambda: _residuals(found),
        INFLUENCE: lambda: _influence(found["influence"], whole),
    }
    refused = record["reason"] if record["status"] == "not_estimable" else whole["reason"]
    fitted = bool(found) and whole["status"] != "not_estimable"
    rows = []
    for panel, made in parts.items():
        of_panel = (
            made() if fitted else [_not_drawn(f"the primary model was not fitted: {refused}")]
        )
        rows += [{"panel": panel} | row for row in of_panel]
    known = diagnostics_missing.data(patients)
    rows += [{"panel": KNOWN} | row for row in known.to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _whole(table: pd.DataFrame) -> dict[str, Any]:
    """Return the reported row of MIB1, as it is drawn."""
    row = statistics.find(table, f"{MODEL}/krenning/{statistics.ALL}/{PRIMARY_TERM}")
    columns = ["estimate", "conf_low", "conf_high", "status", "reason"]
    return {"label": WHOLE, "patients": row["n_patients"]} | row[columns].to_dict()


def _cuts(found: Mapping[str, Any], whole: dict[str, Any]) -> list[dict[str, Any]]:
    if len(found["cuts"]) < 2:
        return [_not_drawn("the follow-up scores have one cut, so there is nothing to compare")]
    rows = [whole]
    for cut in found["cuts"]:
        row = {
            "label": cut["cut"],
            **{name: cut[name] for name in ("patients", "above", "status", "reason")},
        }
        if ratios := cut.get("odds_ratios", {}).get(PRIMARY_TERM):
            # A file holds no infinite number; only an upper end can be one.
            high = ratios["conf_high"]
            row |= ratios | {"conf_high": math.inf if high is None else high}
        rows.append(row)
    return rows


def _residuals(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "patient_id": one["patient"],
            "residual": one["residual"],
            "mib1": 2.0 ** one[PRIMARY_TERM],
            "interval": "yes" if one["interval"] else "no",
        }
        for one in found["residuals"]
    ]
    for one in found["residual_means"]:
        ends = {f"mib1_{end}": 2.0 ** one[end] for end in ("low", "high")}
        rows.append({"residual": one["residual"], "patients": one["patients"]} | ends)
    return rows


def _influence(found: Mapping[str, Any], whole: dict[str, Any]) -> list[dict[str, Any]]:
    told = found.get("terms", {}).get(PRIMARY_TERM)
    if told is None or not any(one["ratio"] is not None for one in told["without"]):
        reason = "without any one patient there is no estimate"
        return [_not_drawn(found.get("reason", reason))]
    ordered = sorted(
        told["without"],
        key=lambda one: (one["ratio"] is None, one["ratio"] or 0.0, one["patient"]),
    )
    return [whole, *({"patient_id": o["patient"], "estimate": o["ratio"]} for o in ordered)]


def _not_drawn(reason: str) -> dict[str, Any]:
    return {"status": "not_estimable", "reason": reason}


def height_mm(rows: pd.DataFrame, width_mm: float, profile: Profile) -> float:
    """Return the height of the panels, two by two or one below the other."""
    heights = _heights(rows, width_mm, profile)
    return min(profile.mm(_TOP_MM) + sum(heights), profile.tallest_mm)


def panel(rows: pd.DataFrame, canvas: Figure | SubFigure, profile: Profile) -> None:
    """Draw the four panels onto a canvas."""
    width = float(canvas.bbox.width / canvas.dpi) * 25.4
    across = _across(width, profile)
    heights = _heights(rows, width, profile)
    fields = canvas.subfigures(len(heights), across, height_ratios=heights, squeeze=False)
    for letter, (name, field) in zip(
        "abcd", zip(HEADINGS, fields.ravel(), strict=True), strict=True
    ):
        _draw(name, letter, rows[rows["panel"].eq(name)], field, profile, width / across)


def _draw(
    name: str,
    letter: str,
    rows: pd.DataFrame,
    field: SubFigure,
    profile: Profile,
    width_mm: float,
) -> None:
    reason = _reason(rows)
    said = "" if reason else f" (n = {_patients(name, rows)})"
    field.suptitle(
        f"{letter}   {HEADINGS[name]}{said}", x=0.01, ha="left", fontweight="bold",
        fontsize=profile.size_pt,
    )  # fmt: skip
    ax = field.add_subplot()
    if reason:
        ax.axis("off")
        sentence = f"Not drawn: {reason_words(reason)}"
        style.nothing_to_draw(ax, textwrap.fill(sentence, _LETTERS_A_LINE))
    elif name == CUTS:
        diagnostics_model.draw_cuts(rows, ax, profile)
        diagnostics_model.cuts_legend(rows, field, profile)
    elif name == RESIDUALS:
        diagnostics_model.draw_residuals(rows, ax, profile)
        diagnostics_model.residuals_legend(rows, field, profile)
    elif name == INFLUENCE:
        diagnostics_model.draw_influence(rows, ax, profile)
        diagnostics_model.influence_legend(rows, field, profile)
    else:
        diagnostics_missing.draw(rows, ax, profile, width_mm)
        diagnostics_missing.legend(field)


def _reason(rows: pd.DataFrame) -> str:
    """Return why a panel is not drawn, or empty text; a cut that is refused is drawn as such."""
    alone = len(rows) == 1 and pd.notna(rows["reason"].iloc[0])
    return str(rows["reason"].iloc[0]) if alone else ""


def _patients(name: str, rows: pd.DataFrame) -> int:
    """Return how many patients a panel rests on."""
    if name == KNOWN:
        return int(rows.drop_duplicates("pattern")["patients"].sum())
    if name == RESIDUALS:
        return int(rows["patient_id"].notna().sum())
    return int(rows.loc[rows["label"].eq(WHOLE), "patients"].iloc[0])


def _across(width_mm: float, profile: Profile) -> int:
    return 2 if width_mm >= 2 * profile.mm(_NARROWEST_MM) else 1


def _heights(rows: pd.DataFrame, width_mm: float, profile: Profile) -> list[float]:
    """Return how tall each line of panels wants to be."""
    around, axes = profile.mm(_AROUND_MM), profile.mm(_AXES_MM)
    of_model = [rows[rows["panel"].eq(name)] for name in (CUTS, RESIDUALS, INFLUENCE)]
    model = profile.mm(_SENTENCE_MM) if all(map(_reason, of_model)) else axes + around
    known = diagnostics_missing.height_mm(rows, profile) + around
    if _across(width_mm, profile) == 2:
        return [model, max(model, known)]
    return [model, model, model, known]
