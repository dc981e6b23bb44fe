"""
Bundle: what an audience may have, in one file.

REQUIRED INPUTS:
    figures, tables, manuscript, summary.html, statistics.csv, provenance.json; for the group itself
    the tables of patients too
OUTPUTS:
    bundle/<study>_<cut>_<audience>.zip
"""

code_file("captem/bundle_contents.py")  # brings it here from a remote clone

from captem import bundle_contents as captem_bundle_contents

BUNDLE = f"{RESULTS}/bundle/{SETTINGS['study']}_{SETTINGS['cut']}_{AUDIENCE}.zip"
# What it is for whom is decided in one place, bundle_contents; here is all that there is.
BUNDLED = captem_bundle_contents.chosen(
    [
        *rules.figures.input,
        *rules.tables.input,
        *rules.manuscript.input,
        f"{SHOWN}/summary.html",
        *(
            [
                f"{RESULTS}/statistics.csv",
                f"{RESULTS}/predictions/curves.csv",
                *rules.release_cohort.output,
                *rules.compute_transitions.output,
                *rules.ingest_cohort.output,
                *rules.fit_models.output,
                *([shown("masked.csv")] if MIN_COUNT else []),
            ]
            if AUDIENCE == "private"
            else [
                shown("statistics.csv"),
                shown("transitions/matrix.csv"),
                shown("cohort/flow.csv"),
                shown("predictions/curves.csv"),
            ]
        ),
    ],
    RESULTS,
    AUDIENCE,
    listing=LISTING,
)
# The code that is shown: what is computed, in what order.
SHOWN_CODE = [
    "Snakefile",
    *re.findall(
        r'^include: "(workflow/rules/\w+\.smk)"',
        Path(workflow.source_path("../../Snakefile")).read_text(encoding="utf-8"),
        re.MULTILINE,
    ),
]


rule make_bundle:
    input:
        results=list(BUNDLED.values()),
        workflow=[workflow.source_path(f"../../{name}") for name in SHOWN_CODE],
        provenance=f"{RESULTS}/provenance.json",
        # Whose codes no file for others may name, and whether the data are synthetic.
        patients=f"{RESULTS}/cohort/patients.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        citation=workflow.source_path("../../CITATION.cff"),
        code=needs("make_bundle.py"),
    output:
        BUNDLE,
    log:
        f"{RESULTS}/logs/make_bundle.log",
    conda:
        "../envs/analysis.yaml"
    params:
        results=list(BUNDLED),
        workflow=SHOWN_CODE,
        audience=AUDIENCE,
        min_count=MIN_COUNT,
        listing=LISTING,
    message:
        "Packing what the audience may have."
    script:
        "../../scripts/make_bundle.py"


rule bundle:
    input:
        rules.make_bundle.output,
