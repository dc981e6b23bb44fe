"""
Models: follow-up uptake given baseline, MIB1 and cycles.

REQUIRED INPUTS:
    cohort/patients.csv, transitions/transitions.csv
OUTPUTS:
    models/<model>.json: coefficients, covariance, thresholds and flags of each fit
    models/statistics.csv: the rows model.*
"""


rule fit_models:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        transitions=f"{RESULTS}/transitions/transitions.csv",
        code=needs("fit_models.py"),
    output:
        statistics=f"{RESULTS}/models/statistics.csv",
        models=[f"{RESULTS}/models/{name}.json" for name in MODELS],
    log:
        f"{RESULTS}/logs/fit_models.log",
    conda:
        "../envs/analysis.yaml"
    params:
        confirmatory_sources=SETTINGS["confirmatory_sources"],
        mib1_floor=SETTINGS["mib1_floor"],
    message:
        "Fitting the models."
    script:
        "../../scripts/fit_models.py"
