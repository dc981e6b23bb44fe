"""
Preflight: open the files of the figures before they are sent, and say what a journal may refuse.

REQUIRED INPUTS:
    figures/<name>.pdf, svg, png, tiff, csv, txt
OUTPUTS:
    preflight.csv: one row a figure, file and check, with what was found, what is allowed and how to mend it
"""

CHECKED_FIGURES = [*FIGURES, *(["panels"] if PANELS else [])]


# Always succeeds: Snakemake deletes the outputs of a rule that fails, and the list with them.
rule check_figures:
    input:
        files=[
            f"{RESULTS}/figures/{name}.{kind}"
            for name in CHECKED_FIGURES
            for kind in ("pdf", "svg", "png", "tiff", "csv", "txt")
        ],
        code=needs("check_figures.py"),
    output:
        preflight=f"{RESULTS}/preflight.csv",
    log:
        f"{RESULTS}/logs/check_figures.log",
    conda:
        "../envs/analysis.yaml"
    params:
        figures=CHECKED_FIGURES,
        profile=PROFILE,
    message:
        "Opening the files of the figures."
    script:
        "../../scripts/check_figures.py"


# Without an output, so that it judges, and the table is printed, each time it is asked for.
rule preflight:
    input:
        preflight=f"{RESULTS}/preflight.csv",
        code=needs("judge_figures.py"),
    log:
        f"{RESULTS}/logs/judge_figures.log",
    retries: 0
    conda:
        "../envs/analysis.yaml"
    message:
        "Judging the figures."
    script:
        "../../scripts/judge_figures.py"
