"""
Calibration: does the software keep its word, in studies whose truth is known?

REQUIRED INPUTS:
    none: the studies are drawn
OUTPUTS:
    calibration/chunks/<scenario>/<patients>/<chunk>.csv: counts of the studies of one job
    calibration/validity.csv: what each row of statistics.csv held, by scenario and size
    calibration/validity.md: the same as a page
"""

code_file("captem/worlds_list.py")  # brings it here from a remote clone

from captem import worlds_list as captem_worlds

CALIBRATION = SETTINGS["calibration"]
CALIBRATED = f"{RESULTS}/calibration"


rule calibrate_chunk:
    input:
        code=needs("calibrate_chunk.py"),
    output:
        f"{CALIBRATED}/chunks/{{scenario}}/{{patients}}/{{chunk}}.csv",
    log:
        f"{RESULTS}/logs/calibrate_chunk/{{scenario}}_{{patients}}_{{chunk}}.log",
    wildcard_constraints:
        scenario="|".join(captem_worlds.NAMES),
        patients="[0-9]+",
        chunk="[0-9]+",
    conda:
        "../envs/analysis.yaml"
    params:
        replicates=CALIBRATION["replicates"],
        blocks=CALIBRATION["chunk"] // captem_worlds.BLOCK,
    message:
        "Drawing studies of {wildcards.patients} patients, {wildcards.scenario}, part {wildcards.chunk}."
    script:
        "../../scripts/calibrate_chunk.py"


rule gather_calibration:
    input:
        chunks=calibration_chunks(captem_worlds.NAMES, CALIBRATED),
        code=needs("gather_calibration.py"),
    output:
        table=f"{CALIBRATED}/validity.csv",
        page=f"{CALIBRATED}/validity.md",
    log:
        f"{RESULTS}/logs/gather_calibration.log",
    conda:
        "../envs/analysis.yaml"
    params:
        replicates=CALIBRATION["replicates"],
    message:
        "Gathering what the drawn studies gave."
    script:
        "../../scripts/gather_calibration.py"


rule calibrate:
    input:
        rules.gather_calibration.output,
