"""
Transitions: what changed between baseline and follow-up.

REQUIRED INPUTS:
    cohort/patients.csv, lesions.csv
OUTPUTS:
    transitions/transitions.csv, lesions.csv: one row a patient, one row a lesion
    transitions/matrix.csv: how many moved from which score to which
    transitions/statistics.csv: the rows transition.*, criterion.*, association.* and agreement.*
"""


rule compute_transitions:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        lesions=f"{RESULTS}/cohort/lesions.csv",
        code=needs("compute_transitions.py"),
    output:
        transitions=f"{RESULTS}/transitions/transitions.csv",
        lesions=f"{RESULTS}/transitions/lesions.csv",
        matrix=f"{RESULTS}/transitions/matrix.csv",
        statistics=f"{RESULTS}/transitions/statistics.csv",
    log:
        f"{RESULTS}/logs/compute_transitions.log",
    conda:
        "../envs/analysis.yaml"
    params:
        criterion=SETTINGS["criterion"],
        confirmatory_sources=SETTINGS["confirmatory_sources"],
        surrogate=SETTINGS["surrogate"],
        seed=SETTINGS["seed"],
    message:
        "Computing what changed in each patient and lesion."
    script:
        "../../scripts/compute_transitions.py"
