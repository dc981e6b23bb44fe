"""What analyses, terms and subsets are called wherever a reader meets them."""

from __future__ import annotations

import re

from captem.statistics import ALL, CONFIRMATORY

TERM_WORDS = {
    "krenning_pre": "Krenning score at baseline",
    "log2_mib1": "MIB1 index",
    "captem_cycles": "CAPTEM cycles",
    "log2_suvmax_pre": "SUVmax at baseline",
}
TERM_LABELS = {
    "krenning_pre": "Krenning score at baseline, per step",
    "log2_mib1": "MIB1 index, per doubling",
    "captem_cycles": "CAPTEM cycles, per cycle",
    "log2_suvmax_pre": "SUVmax at baseline, per doubling",
}
MODEL_WORDS = {
    "model.krenning": "Krenning score at follow-up",
    "model.krenning_cycles": "Krenning score at follow-up, with CAPTEM cycles: association only",
    "model.suvmax": "SUVmax at follow-up",
    "model.suvmax_cycles": "SUVmax at follow-up, with CAPTEM cycles: association only",
    "model.criterion": "SSTR criterion gained",
    "model.criterion_cycles": "SSTR criterion gained, with CAPTEM cycles: association only",
}
PREDICTOR_WORDS = {"association.mib1": "MIB1 index", "association.cycles": "CAPTEM cycles"}
OCCASION_WORDS = {
    "baseline": "baseline",
    "follow_up": "follow-up",
    "own_reference": "liver and spleen of each scan",
    "baseline_reference": "liver and spleen of baseline at both scans",
    "explained": "rises that are none with the organs of baseline",
}
SUBSET_WORDS = {ALL: "all patients", CONFIRMATORY: "confirmatory sources"}


def reason_words(reason: str) -> str:
    """Return a reason with the names of terms in words.

    >>> reason_words("log2_mib1 separates the follow-up scores")
    'MIB1 index separates the follow-up scores'
    """
    for name, words in TERM_WORDS.items():
        reason = re.sub(rf"\b{name}\b", words, reason)
    return reason
