"""
Statistics: one table of all that any figure, table or sentence shows.

REQUIRED INPUTS:
    statistics.csv of each chapter
    workflow/validity.csv: what simulation measured of the methods (target calibrate)
OUTPUTS:
    statistics.csv
    plan/planned.csv: where a plan is locked, what each row may claim under it
"""


rule collect_statistics:
    input:
        **(clean_tables() if PLAN else {}),
        parts=[
            f"{RESULTS}/cohort/statistics.csv",
            f"{RESULTS}/transitions/statistics.csv",
            f"{RESULTS}/bias/statistics.csv",
            f"{RESULTS}/models/statistics.csv",
            f"{RESULTS}/predictions/statistics.csv",
            f"{RESULTS}/sensitivity/statistics.csv",
        ],
        look=planned_look,
        measured=MEASURED,
        code=needs("collect_statistics.py"),
    output:
        **({"planned": f"{RESULTS}/plan/planned.csv"} if PLAN else {}),
        statistics=f"{RESULTS}/statistics.csv",
    log:
        f"{RESULTS}/logs/collect_statistics.log",
    conda:
        "../envs/analysis.yaml"
    params:
        **(plan_settings() if PLAN else {}),
    message:
        "Collecting the statistics."
    script:
        "../../scripts/collect_statistics.py"


rule statistics:
    input:
        rules.collect_statistics.output,
        [f"{RESULTS}/{name}" for name in captem_cuts.OF_PLAN if PLAN],
