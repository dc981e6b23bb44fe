"""
Calibration: does the software keep its word, in studies whose truth is known?

REQUIRED INPUTS:
    none: the studies are drawn
OUTPUTS:
    calibration/chunks/<rows>/<scenario>/<patients>/<part>.csv: counts of the studies of one job; used again where the grid still has it
    calibration/validity.csv: what each row of statistics.csv held, by scenario and size
    calibration/validity.md, calibration.txt: the same to read
"""


rule calibrate_chunk:
    input:
        code=needs("calibrate_chunk.py"),
    output:
        f"{RESULTS}/calibration/chunks/{{rows}}/{{scenario}}/{{patients}}/{{part}}.csv",
    log:
        f"{RESULTS}/logs/calibrate_chunk_{{rows}}_{{scenario}}_{{patients}}_{{part}}.log",
    wildcard_constraints:
        rows="|".join(captem_calibration.ROWS),
        scenario="|".join(captem_calibration.NAMES),
        patients="[0-9]+",
        part="[0-9]+-[0-9]+",
    conda:
        "../envs/analysis.yaml"
    params:
        blocks=calibration_blocks,
    message:
        "Drawing studies {wildcards.part} of {wildcards.patients} patients, {wildcards.scenario}: rows of {wildcards.rows}."
    script:
        "../../scripts/calibrate_chunk.py"


rule gather_calibration:
    input:
        chunks=calibration_results,
        code=needs("gather_calibration.py"),
    output:
        table=f"{RESULTS}/calibration/validity.csv",
        page=f"{RESULTS}/calibration/validity.md",
        text=f"{RESULTS}/calibration/calibration.txt",
    log:
        f"{RESULTS}/logs/gather_calibration.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Gathering what the drawn studies gave."
    script:
        "../../scripts/gather_calibration.py"


rule calibrate:
    input:
        rules.gather_calibration.output,
