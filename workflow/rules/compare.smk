"""
Compare: what a new data cut changed against a frozen one.

REQUIRED INPUTS:
    a frozen cut; the clean tables, statistics and figures of this run
OUTPUTS:
    compare/<against>/compare.html, compare.docx: the page, for the group alone
    compare/<against>/data.csv, statistics.csv, attribution.csv, worries.csv: what it shows
"""

COMPARED = compared_cut()

if COMPARED:
    FROZEN_FILES = f"{RESULTS}/{captem_cuts.CUTS}/{COMPARED.name}"

    rule compare_cuts:
        input:
            **{
                f"{name}_{kind}": f"{RESULTS}/figures/{name}.{kind}"
                for name in FIGURES
                for kind in ("svg", "png")
            },
            **({"looks": f"{RESULTS}/plan/looks.csv"} if PLAN else {}),
            provenance=f"{RESULTS}/provenance.json",
            frozen=[f"{FROZEN_FILES}/{name}" for name in COMPARED.record["files"]],
            record=f"{FROZEN_FILES}/{captem_cuts.RECORD}",
            patients=f"{RESULTS}/cohort/patients.csv",
            lesions=f"{RESULTS}/cohort/lesions.csv",
            repairs=f"{RESULTS}/cohort/repairs.csv",
            eligibility=f"{RESULTS}/cohort/eligibility.csv",
            sources=f"{RESULTS}/cohort/sources.csv",
            statistics=f"{RESULTS}/statistics.csv",
            template=workflow.source_path("../report/compare.html.jinja"),
            script=workflow.source_path("../report/summary.js"),
            code=needs("compare_cuts.py"),
        output:
            html=f"{RESULTS}/compare/{COMPARED.name}/compare.html",
            docx=f"{RESULTS}/compare/{COMPARED.name}/compare.docx",
            data=f"{RESULTS}/compare/{COMPARED.name}/data.csv",
            statistics=f"{RESULTS}/compare/{COMPARED.name}/statistics.csv",
            attribution=f"{RESULTS}/compare/{COMPARED.name}/attribution.csv",
            worries=f"{RESULTS}/compare/{COMPARED.name}/worries.csv",
        log:
            f"{RESULTS}/logs/compare_cuts.log",
        conda:
            "../envs/analysis.yaml"
        params:
            folder=lambda wildcards: str(COMPARED.folder),
            study=SETTINGS["study"],
            cut=SETTINGS["cut"],
            frozen_on=frozen_on(COMPARED.name),
            figures=FIGURES,
            alpha=PLAN.plan["alpha"] if PLAN else 0.05,
            plan=PLAN.as_params() if PLAN else {},
            taken=LOOKS_TAKEN,
            config={
                key: SETTINGS[key]
                for key in (
                    "criterion",
                    "confirmatory_sources",
                    "mib1_floor",
                    "models",
                    "seed",
                    "surrogate",
                )
            },
        message:
            "Comparing with the frozen data cut."
        script:
            "../../scripts/compare_cuts.py"


rule compare:
    input:
        rules.compare_cuts.output if COMPARED else nothing_to_compare,
