"""
Manuscript: the text with the numbers of this run, and the checklist of STROBE.

REQUIRED INPUTS:
    statistics.csv and what the tables are made from, the figures with their captions
    provenance.json: for the versions in the text
    template, references and citation style: those of the config, else those in workflow/manuscript/
OUTPUTS:
    manuscript/manuscript.md, docx, html, pdf
    manuscript/numbers.csv: each number in the text with its row
    manuscript/strobe.docx, csv: the checklist
"""


# Owns nothing but a copy, so that an error in the template deletes no text that was whole.
rule render_manuscript:
    input:
        **manuscript_inputs(),
        code=needs("render_manuscript.py"),
    output:
        markdown=f"{SHOWN}/manuscript/filled/manuscript.md",
        numbers=f"{SHOWN}/manuscript/filled/numbers.csv",
    log:
        f"{SHOWN}/logs/render_manuscript.log",
    conda:
        "../envs/analysis.yaml"
    params:
        **manuscript_settings(),
    message:
        "Filling in the manuscript."
    script:
        "../../scripts/render_manuscript.py"


rule release_manuscript:
    input:
        markdown=f"{SHOWN}/manuscript/filled/manuscript.md",
        numbers=f"{SHOWN}/manuscript/filled/numbers.csv",
        code=needs("release_manuscript.py"),
    output:
        markdown=f"{SHOWN}/manuscript/manuscript.md",
        numbers=f"{SHOWN}/manuscript/numbers.csv",
    log:
        f"{SHOWN}/logs/release_manuscript.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Keeping the manuscript that was filled in."
    script:
        "../../scripts/release_manuscript.py"


# A rule of its own: where the template has an error, the documents of the last run stay.
rule typeset_manuscript:
    input:
        **manuscript_inputs(),
        # Past the check of the text only.
        markdown=f"{SHOWN}/manuscript/manuscript.md",
        page=workflow.source_path("../manuscript/page.html"),
        sheet=workflow.source_path("../manuscript/page.typ"),
        code=needs("typeset_manuscript.py"),
    output:
        **{
            kind: f"{SHOWN}/manuscript/manuscript.{kind}"
            for kind in ("docx", "html", "pdf")
        },
    log:
        f"{SHOWN}/logs/typeset_manuscript.log",
    conda:
        "../envs/analysis.yaml"
    params:
        **manuscript_settings(),
    message:
        "Setting the manuscript as Word document, web page and PDF."
    script:
        "../../scripts/typeset_manuscript.py"


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


rule manuscript:
    input:
        rules.release_manuscript.output,
        rules.typeset_manuscript.output,
        rules.write_strobe_checklist.output,
