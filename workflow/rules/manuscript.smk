"""
Manuscript: the text with the numbers of this run, and the checklist of STROBE.

REQUIRED INPUTS:
    statistics.csv, the tables, the figures with their captions
OUTPUTS:
    manuscript/manuscript.md, docx, html, pdf
"""


rule write_strobe_checklist:
    input:
        **{f"{name}_csv": f"{SHOWN}/figures/{name}.csv" for name in FIGURES},
        statistics=shown("statistics.csv"),
        flow=shown("cohort/flow.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        manuscript=f"{SHOWN}/manuscript/manuscript.md",
        code=needs("write_strobe_checklist.py"),
    output:
        docx=f"{SHOWN}/manuscript/strobe.docx",
        csv=f"{SHOWN}/manuscript/strobe.csv",
    log:
        f"{SHOWN}/logs/write_strobe_checklist.log",
    conda:
        "../envs/analysis.yaml"
    params:
        settings=SETTINGS,
        figures=list(FIGURES),
        tables=TABLES,
    message:
        "Filling in the checklist of STROBE."
    script:
        "../../scripts/write_strobe_checklist.py"
