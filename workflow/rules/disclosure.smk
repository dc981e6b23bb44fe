"""
Disclosure: small counts are masked in what leaves the group.

REQUIRED INPUTS:
    statistics.csv, transitions/matrix.csv, predictions/curves.csv
    cohort/flow.csv, sources.csv, eligibility.csv, problems.csv, repairs.csv
OUTPUTS:
    disclosure/: copies of them with masked counts (of problems and repairs how often each rule
        applied, of eligibility.csv only how many patients of each source were recorded)
    disclosure/masked.csv: what was masked and why
"""


# Asked for where the config masks small counts, or for a public copy (see `shown` in common.smk).
rule mask_small_counts:
    input:
        statistics=f"{RESULTS}/statistics.csv",
        matrix=f"{RESULTS}/transitions/matrix.csv",
        flow=f"{RESULTS}/cohort/flow.csv",
        curves=f"{RESULTS}/predictions/curves.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        eligibility=f"{RESULTS}/cohort/eligibility.csv",
        problems=f"{RESULTS}/cohort/problems.csv",
        repairs=f"{RESULTS}/cohort/repairs.csv",
        code=needs("mask_small_counts.py"),
    output:
        statistics=f"{SHOWN}/disclosure/statistics.csv",
        matrix=f"{SHOWN}/disclosure/transitions/matrix.csv",
        flow=f"{SHOWN}/disclosure/cohort/flow.csv",
        curves=f"{SHOWN}/disclosure/predictions/curves.csv",
        sources=f"{SHOWN}/disclosure/cohort/sources.csv",
        recorded=f"{SHOWN}/disclosure/cohort/recorded.csv",
        problems=f"{SHOWN}/disclosure/cohort/problems.csv",
        repairs=f"{SHOWN}/disclosure/cohort/repairs.csv",
        masked=f"{SHOWN}/disclosure/masked.csv",
    log:
        f"{SHOWN}/logs/mask_small_counts.log",
    conda:
        "../envs/analysis.yaml"
    params:
        min_count=MIN_COUNT,
        confirmatory=SETTINGS["confirmatory_sources"],
    message:
        "Masking small counts in what is shown."
    script:
        "../../scripts/mask_small_counts.py"
