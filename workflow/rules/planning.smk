"""
Planning: what power and which intervals studies to come would have, by simulation.

REQUIRED INPUTS:
    cohort/patients.csv, sources.csv, transitions/transitions.csv (a study without patients will do)
OUTPUTS:
    planning/chunks/<chunk>.csv: what each job simulated, as counts; used again where the grid still has it
    planning/power.csv, smallest.csv: power and width of each cell; how many patients are enough
    planning/more_patients.csv: what more patients would do to the intervals of this data cut
    planning/power_table.*, intervals_table.*, power_curves.*, planning.txt: the same to read
"""

PLANNING_TABLES = ("power_table", "intervals_table")


wildcard_constraints:
    chunk=r"n[0-9-]+_[0-9a-f]{12}",


rule describe_planning:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        code=needs("describe_planning.py"),
    output:
        world=f"{RESULTS}/planning/world.json",
    log:
        f"{RESULTS}/logs/describe_planning.log",
    conda:
        "../envs/analysis.yaml"
    params:
        settings=planning_settings(
            "baseline", "change", "cycle_odds_ratio", "mib1", "cycles", "reliability"
        ),
        mib1_floor=SETTINGS["mib1_floor"],
    message:
        "Gathering what studies are to be drawn from."
    script:
        "../../scripts/describe_planning.py"


rule simulate_studies:
    input:
        world=f"{RESULTS}/planning/world.json",
        code=needs("simulate_studies.py"),
    output:
        f"{RESULTS}/planning/chunks/{{chunk}}.csv",
    log:
        f"{RESULTS}/logs/simulate_studies_{{chunk}}.log",
    conda:
        "../envs/analysis.yaml"
    params:
        tasks=planning_tasks,
        threshold=SETTINGS["criterion"]["threshold"],
        seed=SETTINGS["seed"],
    message:
        "Simulating studies, chunk {wildcards.chunk}."
    script:
        "../../scripts/simulate_studies.py"


rule expect_more_patients:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        transitions=f"{RESULTS}/transitions/transitions.csv",
        code=needs("expect_more_patients.py"),
    output:
        f"{RESULTS}/planning/more_patients.csv",
    log:
        f"{RESULTS}/logs/expect_more_patients.log",
    conda:
        "../envs/analysis.yaml"
    params:
        settings=planning_settings("more_patients", "replicates"),
        mib1_floor=SETTINGS["mib1_floor"],
        seed=SETTINGS["seed"],
    message:
        "Asking what more patients would do to the intervals of this data cut."
    script:
        "../../scripts/expect_more_patients.py"


rule gather_planning:
    input:
        chunks=planning_results,
        more=f"{RESULTS}/planning/more_patients.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("gather_planning.py"),
    output:
        **{
            f"{name}_{kind}": f"{RESULTS}/planning/{name}.{kind}"
            for name in PLANNING_TABLES
            for kind in ("csv", "html", "docx")
        },
        power=f"{RESULTS}/planning/power.csv",
        smallest=f"{RESULTS}/planning/smallest.csv",
        text=f"{RESULTS}/planning/planning.txt",
    log:
        f"{RESULTS}/logs/gather_planning.log",
    conda:
        "../envs/analysis.yaml"
    params:
        settings={name: value for name, value in PLANNING.items() if name != "chunk"},
    message:
        "Gathering what was simulated."
    script:
        "../../scripts/gather_planning.py"


rule draw_power_curves:
    input:
        power=f"{RESULTS}/planning/power.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_power_curves.py"),
    output:
        **{
            kind: f"{RESULTS}/planning/power_curves.{kind}"
            for kind in ("pdf", "svg", "png", "tiff", "csv", "txt")
        },
    log:
        f"{RESULTS}/logs/draw_power_curves.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        settings=planning_settings("target", "replicates"),
    message:
        "Drawing the power."
    script:
        "../../scripts/draw_power_curves.py"


rule plan:
    input:
        rules.gather_planning.output,
        rules.draw_power_curves.output,
