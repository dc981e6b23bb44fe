"""
Report: the page for readers, and what the results were made from.

REQUIRED INPUTS:
    all figures and tables, statistics.csv, the cohort's flow, problems, repairs and sources
OUTPUTS:
    summary.html: one self-contained page
    provenance.json: inputs, settings, code and versions
    report.html is Snakemake's own, written by the onsuccess handler of the Snakefile
"""


rule render_summary:
    input:
        **{f"{name}_svg": f"{SHOWN}/figures/{name}.svg" for name in FIGURES},
        **{f"{name}_txt": f"{SHOWN}/figures/{name}.txt" for name in FIGURES},
        **table_inputs() | {"sources": shown("cohort/sources.csv")},
        template=workflow.source_path("../report/summary.html.jinja"),
        script=workflow.source_path("../report/summary.js"),
        problems=shown("cohort/problems.csv"),
        repairs=shown("cohort/repairs.csv"),
        provenance=f"{RESULTS}/provenance.json",
        code=needs("render_summary.py"),
    output:
        report(
            f"{SHOWN}/summary.html", category="7 Summary", labels={"page": "summary"}
        ),
    log:
        f"{SHOWN}/logs/render_summary.log",
    conda:
        "../envs/analysis.yaml"
    params:
        **table_settings(),
        study=SETTINGS["study"],
        cut=SETTINGS["cut"],
        figures=FIGURES,
        criterion=SETTINGS["criterion"],
        plan=PLAN.as_params() if PLAN else None,
    message:
        "Rendering the page for readers."
    script:
        "../../scripts/render_summary.py"


# The last rule with a script, so that it knows the code of all others.
rule record_provenance:
    input:
        # Past the gate only: a record of data that were refused would not be of these results.
        released=f"{RESULTS}/cohort/patients.csv",
        read=f"{RESULTS}/cohort/ingested/read.json",
        sources=existing_sources,
        pyproject=workflow.source_path("../../pyproject.toml"),
        lock=LOCK,
        code=needs("record_provenance.py"),
        all_code=all_code(),
    output:
        f"{RESULTS}/provenance.json",
    log:
        f"{RESULTS}/logs/record_provenance.log",
    conda:
        "../envs/analysis.yaml"
    params:
        config=SETTINGS,
    message:
        "Recording what the results were made from."
    script:
        "../../scripts/record_provenance.py"


# Asks for report.html, which the onsuccess handler of the Snakefile writes after the run.
rule request_report:
    input:
        report_contents(),
        front=workflow.source_path("../report/workflow.rst"),
        front_synthetic=workflow.source_path("../report/workflow_synthetic.rst"),
        tables=workflow.source_path("../report/tables.rst"),
    output:
        f"{RESULTS}/logs/report_requested.txt",
    log:
        f"{RESULTS}/logs/request_report.log",
    conda:
        "../envs/analysis.yaml"
    params:
        token=report_token(),
    message:
        "Asking for Snakemake's report."
    shell:
        "echo {params.token} > {output} 2> {log}"


rule report:
    input:
        report_contents(),
        rules.figures.input,
        rules.tables.input,
        # Snakemake's report is of the results themselves, and not of a copy for the public.
        [] if PUBLIC_COPY else rules.request_report.output,
        deliverables(),
