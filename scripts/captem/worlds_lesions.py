"""Lesions of the patients of drawn studies (`captem.worlds`), and what is true of them.

Every number is invented. A patient has one to five lesions, each number as likely. A lesion starts
at the patient's baseline score or one step beside it; its follow-up score comes from the
proportional-odds model of the world with a random effect of the patient. SUVmax follows the world's
line likewise, with a part of its noise shared by the lesions of a patient.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd

from captem import lesion_krenning_model, worlds
from captem.worlds import Scenario, Study, World

_MOST = 5
# Of the patients' effect: the standard deviation on the scale of log odds, and the part of the
# variance of log2 SUVmax around its line.
SD, SHARED = 1.0, 0.4
# Of a lesion's log2 SUVmax at baseline, around the patient's.
_SUV_SD = 0.5
_SCALE = (0, 4)
# Patients from whom a truth without a formula is computed.
_MANY = 30_000


def draw(rng: np.random.Generator, world: World, scenario: Scenario, study: Study) -> pd.DataFrame:
    """Draw the lesions of each patient of a study.

    Returns
    -------
    The canonical table of lesions, with the place of the patient in the study, `patient`, and
    without the code.
    """
    patients = len(study.pre)
    whose = np.repeat(np.arange(patients), rng.integers(1, _MOST + 1, patients))
    lesions = len(whose)
    pre = np.clip(study.pre[whose] + rng.choice((-1, 0, 0, 1), lesions), *_SCALE)
    doublings = study.doublings[whose]
    latent = world.per_step * pre + math.log(scenario.odds_ratio) * doublings
    latent = latent + rng.normal(0, SD, patients)[whose] + rng.logistic(size=lesions)
    post = (latent[:, None] > np.array(world.thresholds)).sum(axis=1)
    start, on_itself, on_mib1 = world.suv_line
    suv_pre = study.suv_pre[whose] + rng.normal(0, _SUV_SD, lesions)
    suv_post = start + on_itself * suv_pre
    suv_post = suv_post + (on_mib1 if scenario.odds_ratio != 1 else 0.0) * doublings
    shared, own = (world.suv_noise * math.sqrt(part) for part in (SHARED, 1 - SHARED))
    suv_post = suv_post + rng.normal(0, shared, patients)[whose] + rng.normal(0, own, lesions)
    scores = {
        f"krenning_{time}_{end}": pd.array(score, dtype="Int64")
        for time, score in (("pre", pre), ("post", post))
        for end in ("low", "high")
    }
    return pd.DataFrame(
        {
            "patient": whose,
            "lesion_id": [f"L{number}" for number in range(lesions)],
            "source": "drawn",
            **scores,
            "suvmax_pre": 2.0**suv_pre,
            "suvmax_post": 2.0**suv_post,
            "lesion_status_post": "present",
            "synthetic": "yes",
        }
    )


@cache
def odds_ratios_across(scenario: Scenario, seed: int) -> tuple[float, float]:
    """Return the odds ratios over all patients: of a step of baseline, of a doubling of MIB1.

    What estimating equations under working independence find in a very large study; they lie
    nearer to 1 than those of a patient (`captem.lesion_krenning_model`).
    """
    import statsmodels.api as sm

    rng = np.random.default_rng([seed, worlds.SCENARIOS.index(scenario)])
    study = worlds.draw(rng, worlds.base(), scenario, _MANY)
    lesions = draw(rng, worlds.base(), scenario, study)
    pre, post = (lesions[f"krenning_{time}_low"].to_numpy(dtype=int) for time in ("pre", "post"))
    x = np.column_stack([pre, study.doublings[lesions["patient"].to_numpy()]])
    _, y, design, _ = lesion_krenning_model.stacked(post, post, x)
    found = sm.GLM(y, sm.add_constant(design), family=sm.families.Binomial()).fit()
    of_baseline, of_mib1 = np.exp(found.params[-2:])
    # Without an effect there is none over all patients either.
    return float(of_baseline), float(of_mib1) if scenario.odds_ratio != 1 else 1.0
