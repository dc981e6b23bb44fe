"""Which columns of the canonical tables are numbers; every other column is text.

A source may be called 2024 and a scanner 1: read by their looks they would become numbers and match
nothing any more. The schemas hold the same types, and a test holds the two together; this list is
apart because the schemas take a quarter of a second to load, and most steps only read.
"""

from __future__ import annotations

COUNTS = frozenset(
    (
        "captem_cycles", "prior_lines", "ecog", "krenning_pre_low", "krenning_pre_high",
        "krenning_post_low", "krenning_post_high", "krenning_pre_reader2_low",
        "krenning_pre_reader2_high", "krenning_post_reader2_low", "krenning_post_reader2_high",
        "gain_low", "gain_high", "criterion_pre_low", "criterion_pre_high",
        "criterion_post_low", "criterion_post_high", "score_pre", "n", "n_patients", "n_lesions",
        "n_events", "rows", "n_matched", "n_resolved", "n_new", "n_not_assessable",
        "look", "patients_planned", "differences_needed", "n_changed",
    )
)  # fmt: skip
MEASURES = frozenset(
    (
        "age_years", "mib1_low", "mib1_high", "suvmax_pre", "suvmax_post", "liver_suv_pre",
        "liver_suv_post", "spleen_suv_pre", "spleen_suv_post", "activity_mbq_pre",
        "activity_mbq_post", "uptake_min_pre", "uptake_min_post", "suvmean_pre", "suvmean_post",
        "sstr_tv_pre", "sstr_tv_post", "fdg_suvmax_pre", "fdg_suvmax_post",
        "relative_dose_intensity", "diameter_mm_pre", "diameter_mm_post", "suvmax_ratio",
        "estimate", "conf_low", "conf_high", "conf_level", "statistic", "df", "p_value",
        "p_low", "p_high", "p_adjusted", "0", "1", "2", "3", "4", "split_0", "split_1",
        "split_2", "split_3", "split_4", "liver_ratio_pre", "liver_ratio_post",
        "spleen_ratio_pre", "spleen_ratio_post", "information", "alpha_spent", "boundary_z",
        "boundary_p", "classical_z", "smallest_p", "attainable_p", "repeated_low",
        "repeated_high", "repeated_level",
    )
)  # fmt: skip
