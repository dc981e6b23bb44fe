"""Models of the follow-up value given the baseline: does MIB1, do cycles, go with uptake gain?

A change is never regressed on its own baseline: the follow-up value is the outcome and the baseline
a predictor. Cycles are counted after baseline, and patients who respond are given more of them, so
they stand in a model of their own, as an association, and never adjust the primary model.

==========================  ======================================  ============================
model                       outcome                                 terms
==========================  ======================================  ============================
model.krenning              follow-up Krenning score, an interval   krenning_pre, log2_mib1
                            where the sheet gives one
model.krenning_cycles       the same                                and captem_cycles
model.criterion             criterion gained, of those who did not  krenning_pre, log2_mib1
                            meet it before
model.criterion_cycles      the same                                and captem_cycles
model.suvmax                log2 SUVmax at follow-up                log2_suvmax_pre, log2_mib1
model.suvmax_cycles         the same                                and captem_cycles
==========================  ======================================  ============================

How each is fitted: `captem.krenning_model`, `captem.criterion_model`, `captem.suvmax_model`. What
may be fitted at all is asked first (`captem.limits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from captem import (
    criterion_model,
    eligibility,
    krenning_model,
    model_parts,
    statistics,
    suvmax_model,
)
from captem.describe import midpoint
from captem.model_parts import PRIMARY_TERM, Model

KRENNING = Model("model.krenning", "krenning", ("krenning_pre", PRIMARY_TERM), "primary")
KRENNING_CYCLES = Model(
    "model.krenning_cycles", "krenning", (*KRENNING.terms, "captem_cycles"), "exploratory"
)
SUVMAX = Model("model.suvmax", "suvmax", ("log2_suvmax_pre", PRIMARY_TERM), "secondary")
SUVMAX_CYCLES = Model(
    "model.suvmax_cycles", "suvmax", (*SUVMAX.terms, "captem_cycles"), "exploratory"
)
CRITERION = Model("model.criterion", "criterion", ("krenning_pre", PRIMARY_TERM), "secondary")
CRITERION_CYCLES = Model(
    "model.criterion_cycles", "criterion", (*CRITERION.terms, "captem_cycles"), "exploratory"
)
MODELS = (KRENNING, KRENNING_CYCLES, CRITERION, CRITERION_CYCLES, SUVMAX, SUVMAX_CYCLES)
_FITS = {
    "krenning": (krenning_model.fit, krenning_model.VARIANTS),
    "criterion": (criterion_model.fit, ("",)),
    "suvmax": (suvmax_model.fit, ("",)),
}


def predictors(patients: pd.DataFrame, mib1_floor: float) -> pd.DataFrame:
    """Return every term of every model, one row a patient.

    Intervals count at their midpoint. A MIB1 below `mib1_floor` percent (a zero, or `<1`) is raised
    to it, since its logarithm would otherwise decide the fit alone.
    """
    cycles = patients.get("captem_cycles", pd.Series(np.nan, index=patients.index))
    with np.errstate(divide="ignore"):
        return pd.DataFrame(
            {
                "krenning_pre": midpoint(patients, "krenning_pre"),
                "log2_mib1": np.log2(midpoint(patients, "mib1").clip(lower=mib1_floor)),
                "captem_cycles": cycles.astype(float),
                "log2_suvmax_pre": np.log2(patients["suvmax_pre"].astype(float)),
            }
        )


def estimate(
    patients: pd.DataFrame,
    changes: pd.DataFrame,
    confirmatory: Sequence[str],
    mib1_floor: float,
) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Fit every model to every subset.

    Parameters
    ----------
    patients : canonical patient table.
    changes : `transitions.csv` of the same patients, for the criterion.
    confirmatory : sources whose rows may claim what the plan says.
    mib1_floor : percent, see `predictors`.

    Returns
    -------
    the rows `model.*` of `statistics.csv`, and for each model what its JSON file holds, by subset.
    """
    if "captem_cycles" not in patients:
        patients = patients.assign(captem_cycles=pd.array([pd.NA] * len(patients), dtype="Int64"))
    patients = patients.assign(
        **{name: changes[name].to_numpy() for name in ("criterion_pre", "criterion_post")},
        scored=changes["criterion_pre_low"].notna().to_numpy()
        & changes["criterion_post_low"].notna().to_numpy(),
    )
    # What the rule compared with the threshold, where the criterion is the outcome.
    compared = patients.assign(
        krenning_pre_low=changes["criterion_pre_low"].to_numpy(),
        krenning_pre_high=changes["criterion_pre_high"].to_numpy(),
    )
    rows: list[dict[str, Any]] = []
    records: dict[str, dict[str, Any]] = {}
    for model in MODELS:
        records[model.analysis] = {}
        for subset, mask in statistics.subsets(patients["source"], confirmatory).items():
            planned = statistics.role(model.planned, subset, patients["source"], confirmatory)
            given = compared if model.outcome == "criterion" else patients
            chosen = eligibility.analysed(given[mask], model.analysis)
            absent = _absent(given[mask], model)
            x = predictors(chosen, mib1_floor)[list(model.terms)].to_numpy()
            fit, variants = _FITS[model.outcome]
            found = (
                model_parts.refused(model, subset, planned, 0, absent, variants)
                if absent
                else fit(model, subset, planned, chosen, x)
            )
            rows += found.rows
            records[model.analysis][subset] = {"terms": list(model.terms)} | found.record
    return statistics.frame(rows), records


def _absent(patients: pd.DataFrame, model: Model) -> str:
    """Return a sentence where a term of the model is known of no patient at all, or empty text."""
    needed = {
        "krenning_pre": ("krenning_pre_low", "the Krenning score at baseline"),
        "log2_mib1": ("mib1_low", "the MIB1 index"),
        "captem_cycles": ("captem_cycles", "the number of CAPTEM cycles"),
        "log2_suvmax_pre": ("suvmax_pre", "SUVmax at baseline"),
    }
    missing = [needed[term][1] for term in model.terms if patients[needed[term][0]].isna().all()]
    if not missing or patients.empty:
        return ""
    return f"no patient has a value for {' and '.join(missing)}"
