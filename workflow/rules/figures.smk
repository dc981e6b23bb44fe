"""
Figures: each answers one question, drawn from the results.

REQUIRED INPUTS:
    cohort/patients.csv, sources.csv, transitions/transitions.csv, matrix.csv, statistics.csv
OUTPUTS:
    figures/<name>.pdf, svg, png, tiff, csv: the figure, and the data that are drawn
    figures/<name>.txt: its caption and alt text
"""


rule draw_flow:
    input:
        flow=shown("cohort/flow.csv"),
        recorded=(
            shown("cohort/recorded.csv")
            if MIN_COUNT
            else f"{RESULTS}/cohort/eligibility.csv"
        ),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_flow.py"),
    output:
        **figure_files("flow", "1 Participants"),
    log:
        f"{SHOWN}/logs/draw_flow.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing who is in which analysis."
    script:
        "../../scripts/draw_flow.py"


rule draw_transition_matrix:
    input:
        matrix=shown("transitions/matrix.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_transition_matrix.py"),
    output:
        **figure_files("transition_matrix", "2 Transitions"),
    log:
        f"{SHOWN}/logs/draw_transition_matrix.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing the transition matrix."
    script:
        "../../scripts/draw_transition_matrix.py"


rule draw_alluvial:
    input:
        transitions=f"{RESULTS}/transitions/transitions.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_alluvial.py"),
    output:
        **figure_files("alluvial", "2 Transitions"),
    log:
        f"{SHOWN}/logs/draw_alluvial.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing how the scores flow."
    script:
        "../../scripts/draw_alluvial.py"


rule draw_paired_slopes:
    input:
        transitions=f"{RESULTS}/transitions/transitions.csv",
        lesions=f"{RESULTS}/transitions/lesions.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_paired_slopes.py"),
    output:
        **figure_files("paired_slopes", "2 Transitions"),
    log:
        f"{SHOWN}/logs/draw_paired_slopes.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
        threshold=SETTINGS["criterion"]["threshold"],
    message:
        "Drawing the score of each patient and lesion before and after."
    script:
        "../../scripts/draw_paired_slopes.py"


rule draw_waterfall:
    input:
        transitions=f"{RESULTS}/transitions/transitions.csv",
        lesions=f"{RESULTS}/transitions/lesions.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_waterfall.py"),
    output:
        **figure_files("waterfall", "2 Transitions"),
    log:
        f"{SHOWN}/logs/draw_waterfall.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
        limits=SETTINGS["sensitivity"]["repeatability"],
    message:
        "Drawing the change of SUVmax."
    script:
        "../../scripts/draw_waterfall.py"


rule draw_gain_by_mib1:
    input:
        transitions=f"{RESULTS}/transitions/transitions.csv",
        patients=f"{RESULTS}/cohort/patients.csv",
        curves=shown("predictions/curves.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_gain_by_mib1.py"),
    output:
        **figure_files("gain_by_mib1", "3 Uptake gain"),
    log:
        f"{SHOWN}/logs/draw_gain_by_mib1.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
        mib1_floor=SETTINGS["mib1_floor"],
    message:
        "Drawing uptake gain against MIB1."
    script:
        "../../scripts/draw_gain_by_mib1.py"


rule draw_predicted:
    input:
        curves=shown("predictions/curves.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_predicted.py"),
    output:
        **figure_files("predicted", "4 Models"),
    log:
        f"{SHOWN}/logs/draw_predicted.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing the predicted scores."
    script:
        "../../scripts/draw_predicted.py"


rule draw_forest:
    input:
        statistics=shown("statistics.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_forest.py"),
    output:
        **figure_files("forest", "4 Models"),
    log:
        f"{SHOWN}/logs/draw_forest.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing the terms of the models."
    script:
        "../../scripts/draw_forest.py"


rule draw_timeline:
    input:
        patients=f"{RESULTS}/cohort/patients.csv",
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_timeline.py"),
    output:
        **figure_files("timeline", "1 Participants"),
    log:
        f"{SHOWN}/logs/draw_timeline.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing when each patient was treated and scanned."
    script:
        "../../scripts/draw_timeline.py"


rule draw_sensitivity:
    input:
        statistics=shown("statistics.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_sensitivity.py"),
    output:
        **figure_files("sensitivity", "4 Models"),
    log:
        f"{SHOWN}/logs/draw_sensitivity.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing the primary contrast under every alternative."
    script:
        "../../scripts/draw_sensitivity.py"


rule draw_regression_to_mean:
    input:
        statistics=shown("statistics.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_regression_to_mean.py"),
    output:
        **figure_files("regression_to_mean", "3 Uptake gain"),
    log:
        f"{SHOWN}/logs/draw_regression_to_mean.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing the gain beside what noise and selection would give."
    script:
        "../../scripts/draw_regression_to_mean.py"


rule draw_diagnostics:
    input:
        model=f"{RESULTS}/models/model.krenning.json",
        patients=f"{RESULTS}/cohort/patients.csv",
        statistics=shown("statistics.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_diagnostics.py"),
    output:
        **figure_files("diagnostics", "4 Models"),
    log:
        f"{SHOWN}/logs/draw_diagnostics.log",
    conda:
        "../envs/analysis.yaml"
    params:
        profile=PROFILE,
        min_count=MIN_COUNT,
    message:
        "Drawing how the primary model fits, and what is not known."
    script:
        "../../scripts/draw_diagnostics.py"


# Asked for where the config puts figures together (figures: panels).
rule draw_panels:
    input:
        **{name: f"{SHOWN}/figures/{name}.csv" for name in IN_PANELS},
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("draw_panels.py"),
        modules=[path for name in IN_PANELS for path in needs(f"draw_{name}.py")],
    output:
        **figure_files("panels", "5 Composite"),
    log:
        f"{SHOWN}/logs/draw_panels.log",
    conda:
        "../envs/analysis.yaml"
    params:
        panels=PANELS,
        profile=PROFILE,
    message:
        "Putting figures together."
    script:
        "../../scripts/draw_panels.py"


rule write_panels_caption:
    input:
        **{name: f"{SHOWN}/figures/{name}.txt" for name in IN_PANELS},
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("write_panels_caption.py"),
    output:
        f"{SHOWN}/figures/panels.txt",
    log:
        f"{SHOWN}/logs/write_panels_caption.log",
    conda:
        "../envs/analysis.yaml"
    params:
        panels=PANELS,
    message:
        "Writing the caption of the figures that stand together."
    script:
        "../../scripts/write_panels_caption.py"


rule write_captions:
    input:
        **{name: workflow.source_path(f"../report/{name}.rst") for name in FIGURES},
        **{f"{name}_csv": f"{SHOWN}/figures/{name}.csv" for name in FIGURES},
        statistics=shown("statistics.csv"),
        sources=f"{RESULTS}/cohort/sources.csv",
        code=needs("write_captions.py"),
    output:
        **{name: f"{SHOWN}/figures/{name}.txt" for name in FIGURES},
    log:
        f"{SHOWN}/logs/write_captions.log",
    conda:
        "../envs/analysis.yaml"
    params:
        figures=list(FIGURES),
        criterion=SETTINGS["criterion"],
    message:
        "Writing the captions."
    script:
        "../../scripts/write_captions.py"


rule figures:
    input:
        [
            f"{SHOWN}/figures/{name}.{kind}"
            for name in [*FIGURES, *(["panels"] if PANELS else [])]
            for kind in ("pdf", "svg", "png", "tiff", "csv", "txt")
        ],
