"""
Cohort: from the source files to clean tables.

REQUIRED INPUTS:
    the patient and lesion tables, or the REDCap project, that the config names
OUTPUTS:
    cohort/problems.csv, repairs.csv: what is wrong, and what was read differently from how it was written
    cohort/marked/: a copy of each table as a workbook, with the cells coloured that are in these two
    cohort/patients.csv, lesions.csv, flow.csv, eligibility.csv, sources.csv: only past the gate
    cohort/statistics.csv: the rows describe.*
"""


# Always succeeds: Snakemake deletes the outputs of a rule that fails, and the problems with them.
rule ingest_cohort:
    input:
        sources=existing_sources,
        code=needs("ingest_cohort.py"),
    output:
        problems=f"{RESULTS}/cohort/problems.csv",
        repairs=f"{RESULTS}/cohort/repairs.csv",
        patients=f"{RESULTS}/cohort/ingested/patients.csv",
        lesions=f"{RESULTS}/cohort/ingested/lesions.csv",
        flow=f"{RESULTS}/cohort/ingested/flow.csv",
        eligibility=f"{RESULTS}/cohort/ingested/eligibility.csv",
        sources=f"{RESULTS}/cohort/ingested/sources.csv",
        read=f"{RESULTS}/cohort/ingested/read.json",
        marked=[f"{RESULTS}/cohort/marked/{name}.xlsx" for name in MARKED],
    log:
        f"{RESULTS}/logs/ingest_cohort.log",
    conda:
        "../envs/analysis.yaml"
    params:
        sources=SETTINGS["sources"],
        criterion=SETTINGS["criterion"],
        on_problem=SETTINGS["on_problem"],
        follow_up=SETTINGS["follow_up"],
        covariates=SETTINGS["models"]["covariates"],
        checks=SETTINGS["checks"],
        suv_tolerance=SETTINGS["suv_tolerance"],
        patient_ids=SETTINGS["patient_ids"],
        id_key=key_mark(),
        files=list(MARKED.values()),
        exported=exported_cut(),
        withdrawn=WITHDRAWN,
        # A file that is saved while it is being read is older than what was read from it.
        seen=seen_sources(),
    message:
        "Reading the tables of the cohort."
    script:
        "../../scripts/ingest_cohort.py"


# The gate owns nothing but its own mark, so that its failing deletes no result. Asked again (a profile
# for a cluster does) it would say the same.
rule check_cohort:
    input:
        problems=f"{RESULTS}/cohort/problems.csv",
        # Not read: a source that is new in the config is read because its marked copy is not there.
        marked=rules.ingest_cohort.output.marked,
        code=needs("check_cohort.py"),
    output:
        passed=f"{RESULTS}/cohort/checked.txt",
    log:
        f"{RESULTS}/logs/check_cohort.log",
    retries: 0
    conda:
        "../envs/analysis.yaml"
    params:
        on_problem=SETTINGS["on_problem"],
    message:
        "Checking the tables of the cohort."
    script:
        "../../scripts/check_cohort.py"


rule release_cohort:
    input:
        passed=f"{RESULTS}/cohort/checked.txt",
        patients=f"{RESULTS}/cohort/ingested/patients.csv",
        lesions=f"{RESULTS}/cohort/ingested/lesions.csv",
        flow=f"{RESULTS}/cohort/ingested/flow.csv",
        eligibility=f"{RESULTS}/cohort/ingested/eligibility.csv",
        sources=f"{RESULTS}/cohort/ingested/sources.csv",
        code=needs("release_cohort.py"),
    output:
        patients=f"{RESULTS}/cohort/patients.csv",
        lesions=f"{RESULTS}/cohort/lesions.csv",
        flow=f"{RESULTS}/cohort/flow.csv",
        eligibility=f"{RESULTS}/cohort/eligibility.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
    log:
        f"{RESULTS}/logs/release_cohort.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Handing the clean tables to the analyses."
    script:
        "../../scripts/release_cohort.py"


rule describe_cohort:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        lesions=f"{RESULTS}/cohort/lesions.csv",
        code=needs("describe_cohort.py"),
    output:
        statistics=f"{RESULTS}/cohort/statistics.csv",
    log:
        f"{RESULTS}/logs/describe_cohort.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Describing the patients and their lesions."
    script:
        "../../scripts/describe_cohort.py"


rule check:
    input:
        rules.check_cohort.output,
