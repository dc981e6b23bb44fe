"""captem: somatostatin-receptor uptake before and after CAPTEM, from a cohort table to a paper.

    snakemake --cores 2                                     the example study
    snakemake --cores 2 --configfile my_study.yaml          yours
    snakemake --cores 2 check --configfile my_study.yaml    only read and check its tables
    snakemake --cores 2 template                            forms for collecting data
    snakemake --cores 2 preflight                           look over the figures before they are sent
    snakemake --cores 2 manuscript                          the text with the numbers of the run
    snakemake --cores 2 bundle --config audience=coauthor   what private, coauthor or public may have
    snakemake --cores 2 freeze                              keep this data cut for ever
    snakemake --cores 2 compare --config against=2026-08-01 what is other than in a frozen data cut
    snakemake --cores 1 verify                              check what was frozen
    snakemake --cores 1 lock_plan                           lock the plan, before there are data
    snakemake --cores 2 plan                                how many patients the next study needs
    snakemake --cores 2 calibrate                           how often intervals and tests keep their word
    snakemake --cores 1 withdraw --config withdraw=A12      take a patient out who withdrew consent

The settings are explained in config/README.md, the results in results/README.md.
"""

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"


report: f"workflow/report/workflow{'_synthetic' if SYNTHETIC else ''}.rst"


include: "workflow/rules/cohort.smk"
include: "workflow/rules/transitions.smk"
include: "workflow/rules/bias.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/disclosure.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/preflight.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/manuscript.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/cuts.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/bundle.smk"
include: "workflow/rules/planning.smk"
include: "workflow/rules/template.smk"
include: "workflow/rules/calibration.smk"


rule all:
    default_target: True
    input:
        rules.report.input,
        # Against the newest frozen data cut, where there is another one.
        rules.compare_cuts.output if COMPARED and not PUBLIC_COPY else [],


onstart:
    begin()


onsuccess:
    say_where_results_are()
    if "preflight" in workflow.dag_settings.targets:
        say_what_preflight_found()
    if "manuscript" in workflow.dag_settings.targets:
        say_what_the_manuscript_holds()
    say_what_planning_found()
    say_what_calibration_found()
    say_what_the_plan_says()
    say_what_was_frozen()


onerror:
    say_what_went_wrong(log)
