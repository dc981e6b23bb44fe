"""Every figure: its module, and its rows from the results of a study that is held in memory.

What the scripts `draw_<figure>.py` read from files, for tests and for `one_process.py`. A study has
`settings`, `flow`, `patients`, `lesions`, `changes`, `lesion_changes`, `matrix`, `statistics` and
`models`, as `tests/studies.py` makes it.
"""

from __future__ import annotations

from captem.figures import (
    alluvial,
    diagnostics,
    flow,
    forest,
    gain_by_mib1,
    paired_slopes,
    predicted,
    regression_to_mean,
    sensitivity,
    timeline,
    transition_matrix,
    waterfall,
)

FIGURES = {
    "flow": (
        flow,
        lambda study: flow.data(study.flow, study.eligibility, study.sources),
    ),
    "transition_matrix": (
        transition_matrix,
        lambda study: transition_matrix.data(study.matrix),
    ),
    "alluvial": (
        alluvial,
        lambda study: alluvial.data(study.changes),
    ),
    "paired_slopes": (
        paired_slopes,
        lambda study: paired_slopes.data(
            study.changes, study.lesion_changes, study.settings["criterion"]["threshold"]
        ),
    ),
    "waterfall": (
        waterfall,
        lambda study: waterfall.data(
            study.changes, study.lesion_changes, study.settings["sensitivity"]["repeatability"]
        ),
    ),
    "gain_by_mib1": (
        gain_by_mib1,
        lambda study: gain_by_mib1.data(
            study.changes, study.patients, study.predictions, study.settings["mib1_floor"]
        ),
    ),
    "predicted": (
        predicted,
        lambda study: predicted.data(study.predictions),
    ),
    "forest": (
        forest,
        lambda study: forest.data(study.statistics),
    ),
    "timeline": (
        timeline,
        lambda study: timeline.data(study.patients),
    ),
    "sensitivity": (
        sensitivity,
        lambda study: sensitivity.data(study.statistics),
    ),
    "regression_to_mean": (
        regression_to_mean,
        lambda study: regression_to_mean.data(study.statistics),
    ),
    "diagnostics": (
        diagnostics,
        lambda study: diagnostics.data(
            study.models["model.krenning"]["all"], study.patients, study.statistics
        ),
    ),
}
