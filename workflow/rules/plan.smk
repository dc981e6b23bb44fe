"""
Plan: what the study laid down before its data, and what each run made of it.

REQUIRED INPUTS:
    the plan that the config names (to lock it); the plan that is locked in the chain (to follow it)
    statistics.csv, the clean tables, the primary model, and the looks of frozen cuts
OUTPUTS:
    plan/planned.csv: each row of statistics.csv, planned or exploratory, and why (with statistics.csv)
    plan/deviations.csv: what was done otherwise than planned, with the reasons given for it
    plan/looks.csv: the planned looks at the primary question, with their boundaries
"""


# No output, so that it is done each time it is asked for; asked for by name only.
rule lock_plan:
    input:
        plan=plan_file,
        schema=workflow.source_path("../schemas/plan.schema.yaml"),
        # What was there on this day is written down with the plan.
        read=f"{RESULTS}/cohort/ingested/sources.csv",
        marked=rules.ingest_cohort.output.marked,
        sources=tables_to_count,
        code=needs("lock_plan.py"),
    log:
        f"{RESULTS}/logs/lock_plan.log",
    conda:
        "../envs/analysis.yaml"
    params:
        results=lambda wildcards: FOLDER,
        path=SETTINGS["plan"]["file"],
        sources=[source["name"] for source in SETTINGS["sources"]],
        of_config=captem_plan.of_config(SETTINGS),
        settings=settings_of_plan(),
        tables=lambda wildcards: tables_of_patients(),
        reason=REASON,
    message:
        "Locking the plan."
    script:
        "../../scripts/lock_plan.py"


if PLAN:

    rule follow_plan:
        input:
            **clean_tables(),
            statistics=f"{RESULTS}/statistics.csv",
            transitions=f"{RESULTS}/transitions/transitions.csv",
            model=f"{RESULTS}/models/{PLAN.plan['model']['name']}.json",
            past=[
                f"{RESULTS}/{captem_cuts.CUTS}/{item['cut']}/plan/looks.csv"
                for item in LOOKS_TAKEN
                if item["frozen"]
            ],
            reasons=[
                local(path)
                for path in [SETTINGS["plan"]["deviations"]]
                if is_file(path)
            ],
            code=needs("follow_plan.py"),
        output:
            looks=f"{RESULTS}/plan/looks.csv",
            deviations=f"{RESULTS}/plan/deviations.csv",
        log:
            f"{RESULTS}/logs/follow_plan.log",
        conda:
            "../envs/analysis.yaml"
        params:
            **plan_settings(),
            reasons=SETTINGS["plan"]["deviations"],
        message:
            "Holding the run against the plan."
        script:
            "../../scripts/follow_plan.py"
