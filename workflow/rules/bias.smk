"""
Bias: what noise and the choice of patients would give without any effect.

REQUIRED INPUTS:
    cohort/patients.csv
OUTPUTS:
    bias/statistics.csv: the rows bias.* and sensitivity.reader_error
"""


rule estimate_bias:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        code=needs("estimate_bias.py"),
    output:
        f"{RESULTS}/bias/statistics.csv",
    log:
        f"{RESULTS}/logs/estimate_bias.log",
    conda:
        "../envs/analysis.yaml"
    params:
        threshold=SETTINGS["criterion"]["threshold"],
        confirmatory_sources=SETTINGS["confirmatory_sources"],
        noise=SETTINGS["noise"],
        seed=SETTINGS["seed"],
    message:
        "Estimating what noise and selection alone would give."
    script:
        "../../scripts/estimate_bias.py"
