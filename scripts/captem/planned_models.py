"""The models of captem: what each asks, of which terms, and what its rows may claim.

==============================  =====================================  =========================
model                           outcome                                terms
==============================  =====================================  =========================
model.krenning                  follow-up Krenning score, an interval  krenning_pre, log2_mib1
                                where the sheet gives one
model.criterion                 criterion gained, of those who did     krenning_pre, log2_mib1
                                not meet it before
model.suvmax                    log2 SUVmax at follow-up               log2_suvmax_pre, log2_mib1
model.lesion_krenning           the score of a lesion, patients being  krenning_pre of the lesion,
                                a random effect                        log2_mib1 of the patient
model.lesion_suvmax             log2 SUVmax of a lesion, likewise      log2_suvmax_pre of the
                                                                       lesion, log2_mib1
each of these with `_cycles`    the same                               and captem_cycles
==============================  =====================================  =========================

A change is never regressed on its own baseline: the follow-up value is the outcome and the baseline
a term. Cycles are counted after baseline, and patients who respond are given more of them, so they
stand in a model of their own, as an association, and never adjust another.
"""

from __future__ import annotations

from dataclasses import replace

from captem.model_parts import PRIMARY_TERM, Model

CYCLES = "captem_cycles"


def _with_cycles(model: Model) -> Model:
    return replace(
        model,
        analysis=f"{model.analysis}_cycles",
        terms=(*model.terms, CYCLES),
        planned="exploratory",
    )


KRENNING = Model("model.krenning", "krenning", ("krenning_pre", PRIMARY_TERM), "primary")
CRITERION = Model("model.criterion", "criterion", KRENNING.terms, "secondary")
SUVMAX = Model("model.suvmax", "suvmax", ("log2_suvmax_pre", PRIMARY_TERM), "secondary")
LESION_KRENNING = Model("model.lesion_krenning", "lesion_krenning", KRENNING.terms, "secondary")
LESION_SUVMAX = Model("model.lesion_suvmax", "lesion_suvmax", SUVMAX.terms, "secondary")
OF_PATIENTS = tuple(
    asked for model in (KRENNING, CRITERION, SUVMAX) for asked in (model, _with_cycles(model))
)
OF_LESIONS = tuple(
    asked for model in (LESION_KRENNING, LESION_SUVMAX) for asked in (model, _with_cycles(model))
)
