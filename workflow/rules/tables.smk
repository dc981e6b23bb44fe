"""
Tables: drawn from the statistics, for the page, the spreadsheet and the manuscript.

REQUIRED INPUTS:
    statistics.csv, transitions/matrix.csv, cohort/sources.csv
OUTPUTS:
    tables/<name>.csv, html, docx
"""


rule make_tables:
    input:
        statistics=shown("statistics.csv"),
        matrix=shown("transitions/matrix.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("make_tables.py"),
    output:
        **table_files(),
    log:
        f"{SHOWN}/logs/make_tables.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Making the tables."
    script:
        "../../scripts/make_tables.py"


rule tables:
    input:
        rules.make_tables.output,
