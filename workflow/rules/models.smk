"""
Models: follow-up uptake given baseline, MIB1 and cycles, and how far the answer depends on choices.

REQUIRED INPUTS:
    cohort/patients.csv, lesions.csv, transitions/transitions.csv
OUTPUTS:
    models/<model>.json: coefficients, covariance, thresholds, flags and influence of each fit
    models/statistics.csv: the rows model.* and sensitivity.leave_one_out
    predictions/curves.csv: chances of the follow-up scores, and expected gain, over MIB1 and cycles
    predictions/statistics.csv: the rows predicted.*, at round values
    sensitivity/statistics.csv: the primary contrast under each alternative
"""


rule fit_models:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        lesions=f"{RESULTS}/cohort/lesions.csv",
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
        models=SETTINGS["models"],
        seed=SETTINGS["seed"],
    message:
        "Fitting the models."
    script:
        "../../scripts/fit_models.py"


rule predict_scores:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        krenning=f"{RESULTS}/models/model.krenning.json",
        krenning_cycles=f"{RESULTS}/models/model.krenning_cycles.json",
        code=needs("predict_scores.py"),
    output:
        curves=f"{RESULTS}/predictions/curves.csv",
        statistics=f"{RESULTS}/predictions/statistics.csv",
    log:
        f"{RESULTS}/logs/predict_scores.log",
    conda:
        "../envs/analysis.yaml"
    params:
        predicted=["krenning", "krenning_cycles"],
        mib1_floor=SETTINGS["mib1_floor"],
        models=SETTINGS["models"],
        seed=SETTINGS["seed"],
    message:
        "Predicting follow-up scores."
    script:
        "../../scripts/predict_scores.py"


rule assess_sensitivity:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        lesions=f"{RESULTS}/cohort/lesions.csv",
        transitions=f"{RESULTS}/transitions/transitions.csv",
        code=needs("assess_sensitivity.py"),
    output:
        f"{RESULTS}/sensitivity/statistics.csv",
    log:
        f"{RESULTS}/logs/assess_sensitivity.log",
    conda:
        "../envs/analysis.yaml"
    params:
        confirmatory_sources=SETTINGS["confirmatory_sources"],
        criterion=SETTINGS["criterion"],
        mib1_floor=SETTINGS["mib1_floor"],
        models=SETTINGS["models"],
        sensitivity=SETTINGS["sensitivity"],
        noise=SETTINGS["noise"],
        surrogate=SETTINGS["surrogate"],
        seed=SETTINGS["seed"],
    message:
        "Asking the primary question in other ways."
    script:
        "../../scripts/assess_sensitivity.py"
