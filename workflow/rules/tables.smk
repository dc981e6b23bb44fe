"""
Tables: drawn from the statistics, for the page, the spreadsheet and the manuscript.

REQUIRED INPUTS:
    statistics.csv, transitions/matrix.csv, cohort/flow.csv, cohort/sources.csv
    cohort/patients.csv, transitions/transitions.csv: for the listing, where the config asks for it
OUTPUTS:
    tables/<name>.csv, html, docx
    tables/tables.xlsx: all of them, a sheet each
"""


rule make_tables:
    input:
        **table_inputs(),
        code=needs("make_tables.py"),
    output:
        **table_files(),
    log:
        f"{SHOWN}/logs/make_tables.log",
    conda:
        "../envs/analysis.yaml"
    params:
        **table_settings(),
    message:
        "Making the tables."
    script:
        "../../scripts/make_tables.py"


rule tables:
    input:
        rules.make_tables.output,
