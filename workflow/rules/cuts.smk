"""
Data cuts: what a study was made of on a day, frozen for ever.

REQUIRED INPUTS:
    the clean tables, transitions, statistics and figures of this run, provenance.json
OUTPUTS:
    cuts/<cut>/: copies of them, read-only, with cut.json
    chain/: one file an event, each with the hash of the one before it; log.csv to read
    Neither is an output for Snakemake, which removes the outputs of a rule before it runs it again.
"""

KEPT = captem_cuts.kept(FIGURES, planned=PLAN is not None)


# Makes the cut that the config names, and no other.
rule freeze_cut:
    input:
        earlier=earlier_looks,
        kept=[f"{RESULTS}/{name}" for name in KEPT],
        provenance=f"{RESULTS}/provenance.json",
        code=needs("freeze_cut.py"),
    output:
        f"{RESULTS}/logs/frozen.txt",
    log:
        f"{RESULTS}/logs/freeze_cut.log",
    conda:
        "../envs/analysis.yaml"
    params:
        results=lambda wildcards: FOLDER,
        kept=KEPT,
        token=freeze_token(),
    message:
        "Freezing the data cut."
    script:
        "../../scripts/freeze_cut.py"


rule freeze:
    input:
        rules.freeze_cut.output,


# No output, so that it is done each time it is asked for.
rule verify:
    input:
        code=needs("verify.py"),
    log:
        f"{RESULTS}/logs/verify.log",
    conda:
        "../envs/analysis.yaml"
    params:
        results=lambda wildcards: FOLDER,
    message:
        "Checking the chain and every frozen data cut."
    script:
        "../../scripts/verify.py"


# Takes a patient out of every result and frozen cut; asked for by name only.
rule withdraw:
    input:
        code=needs("withdraw.py"),
    log:
        f"{RESULTS}/chain/withdraw.log",
    conda:
        "../envs/analysis.yaml"
    params:
        results=lambda wildcards: FOLDER,
        code=WITHDRAW,
        hashed=SETTINGS["patient_ids"] == "hash",
    message:
        "Taking out the patient who withdrew consent."
    script:
        "../../scripts/withdraw.py"
