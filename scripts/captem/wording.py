"""What analyses, terms and subsets are called wherever a reader meets them."""

from __future__ import annotations

import re

from captem.lesions import RULE_WORDS
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
    "model.lesion_krenning": "Krenning score of lesions at follow-up",
    "model.lesion_krenning_cycles": "Krenning score of lesions, with cycles: association only",
    "model.lesion_suvmax": "SUVmax of lesions at follow-up",
    "model.lesion_suvmax_cycles": "SUVmax of lesions, with cycles: association only",
}
# Every analysis of `captem.eligibility`, as a table of who is in which calls it.
ANALYSIS_WORDS = {
    "transition": "Change of the Krenning score",
    "criterion": "SSTR criterion",
    "transition.suvmax_ratio": "Change of SUVmax",
    "association.mib1": "Gain of the Krenning score against MIB1 index",
    "association.mib1_suvmax": "Change of SUVmax against MIB1 index",
    "association.cycles": "Gain of the Krenning score against CAPTEM cycles",
    "association.cycles_suvmax": "Change of SUVmax against CAPTEM cycles",
} | {name: f"Model: {words}" for name, words in MODEL_WORDS.items()}
PREDICTED_WORDS = {
    "predicted.krenning": "Predicted scores and gain, over the MIB1 index",
    "predicted.cycles": "Predicted scores and gain, over CAPTEM cycles: association only",
}
# The terms that the models are about; the others are held fixed.
ASKED_TERMS = ("log2_mib1", "captem_cycles")
METHOD_WORDS = {
    "maximum_likelihood": "maximum likelihood",
    "bootstrap": "bootstrap",
    "permutation": "permutation",
    "imputed": "missing values imputed",
    "gee": "over all patients",
}
# Of these a row says what the reported one says, in another way; maximum likelihood says more, as
# it has a bound under separation.
BESIDE = tuple(name for name in METHOD_WORDS if name != "maximum_likelihood")
PREDICTOR_WORDS = {"association.mib1": "MIB1 index", "association.cycles": "CAPTEM cycles"}
OCCASION_WORDS = {
    "baseline": "baseline",
    "follow_up": "follow-up",
    "own_reference": "liver and spleen of each scan",
    "baseline_reference": "liver and spleen of baseline at both scans",
    "explained": "rises that are none with the organs of baseline",
}
ALTERNATIVE_WORDS = {
    "sensitivity.mib1_interval": "MIB1 given as an interval: {}",
    "sensitivity.baseline_interval": "baseline score given as an interval: {}",
    "sensitivity.reference_organs": "score derived from SUVs: {}",
    "sensitivity.same_scanner": "without patients whose scanner changed",
    "sensitivity.same_tracer": "without patients whose tracer changed",
    "sensitivity.without_interval_prrt": "without patients who had PRRT between the scans",
    "sensitivity.without_interval_therapy": "without patients treated otherwise between the scans",
    "sensitivity.without_ssa_change": "without patients whose analogue was begun or stopped",
    "sensitivity.lesion_rule": "score of the patient: {}",
    "sensitivity.lesion_size": "lesions of at least {}",
    "sensitivity.reader": "scores of {}",
    "sensitivity.landmark": "patients who completed at least {}",
    "sensitivity.who_grade": "per WHO grade by MIB1 alone",
    "sensitivity.nonlinear_mib1": "is log2 MIB1 bent?",
    "sensitivity.criterion_rule": "SSTR criterion gained, {}",
    "sensitivity.gain_outcome": "steps gained per doubling of MIB1 (coupled with the baseline)",
    "sensitivity.repeatability": "net improvement of SUVmax, changes counted {}",
    "sensitivity.baseline_error": "corrected for noise of the baseline: {}",
    "sensitivity.not_rescanned": "patients without a follow-up score: {}",
    "sensitivity.leave_one_out": "one patient left out: {}",
}
_VARIANT_WORDS = {
    ("", "low"): "lower end",
    ("", "high"): "upper end",
    ("", "own_reference"): OCCASION_WORDS["own_reference"],
    ("", "baseline_reference"): OCCASION_WORDS["baseline_reference"],
    ("sensitivity.lesion_rule", "highest"): "highest lesion",
    ("sensitivity.lesion_rule", "lowest"): "lowest lesion",
    ("sensitivity.lesion_rule", "index"): "index lesion",
    ("sensitivity.leave_one_out", "lowest"): "lowest estimate",
    ("sensitivity.leave_one_out", "highest"): "highest estimate",
    ("", "reader_1"): "the first reader, in patients read twice",
    ("", "reader_2"): "the second reader",
    ("", "worst"): "all of them fell",
    ("", "best"): "all of them rose",
    ("", "weighted"): "others like them weighted up",
    ("", "tipping"): "reliability at which it is 1",
    ("", "tipping_interval"): "reliability from which its interval includes 1",
}
_OF = {
    "net_improvement": "net improvement",
    "up": "share whose uptake rose",
    "log2_mib1": "odds ratio",
}
_WHOLE = {
    "sensitivity.lesion_size": "the sizes asked for",
    "sensitivity.criterion_rule": "under each threshold and rule",
    "sensitivity.repeatability": "from each limit on",
    "sensitivity.landmark": "the cycles asked for",
    "sensitivity.reader": "each reader",
    "sensitivity.baseline_error": "any reliability",
}
SUBSET_WORDS = {
    ALL: "all patients",
    CONFIRMATORY: "confirmatory sources",
    "direction_up": "uptake rose",
    "direction_same": "uptake stayed the same",
    "direction_down": "uptake fell",
    "direction_undetermined": "direction left open",
}


def reason_words(reason: str) -> str:
    """Return a reason with the names of terms in words.

    >>> reason_words("log2_mib1 separates the follow-up scores")
    'MIB1 index separates the follow-up scores'
    """
    for name, words in TERM_WORDS.items():
        reason = re.sub(rf"\b{name}\b", words, reason)
    return reason


def alternative_words(analysis: str, term: str = "", variant: str = "") -> str:
    """Return what a row `sensitivity.*` asks, in words; without a variant, what all of them ask.

    >>> alternative_words("sensitivity.lesion_size", "log2_mib1", "20_mm_at_baseline")
    'lesions of at least 20 mm at baseline'
    >>> alternative_words("sensitivity.criterion_rule", "log2_mib1", "threshold_3_most")
    'SSTR criterion gained, score 3 or higher reached by more than half of the lesions'
    >>> alternative_words("sensitivity.lesion_size")
    'lesions of at least the sizes asked for'
    """
    words = ALTERNATIVE_WORDS.get(analysis, analysis.rpartition(".")[2].replace("_", " "))
    if "{}" not in words:
        return words
    if not term and not variant:
        return words.format(_WHOLE.get(analysis, "each"))
    if threshold := re.fullmatch(r"threshold_(\d)_(\w+)", variant):
        return words.format(f"score {threshold[1]} or higher {RULE_WORDS[threshold[2]]}")
    if limit := re.fullmatch(r"limit_([\d.]+)_percent", term):
        return words.format(f"from {limit[1]}% on")
    told = _VARIANT_WORDS.get((analysis, variant)) or _VARIANT_WORDS.get(("", variant))
    told = told or variant.replace("_", " ")
    if analysis == "sensitivity.not_rescanned":
        told = f"{told} ({_OF[term]})"
    elif term and term not in TERM_WORDS:
        told = ", ".join(filter(None, (term.replace("_", " "), told)))
    return words.format(told)
