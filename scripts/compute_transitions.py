"""Compute each patient's and lesion's transition, and how often uptake changed."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import transition_rows, transitions
    from captem.files import read_frame, write_frame

    patients = read_frame(snakemake.input.patients)
    lesions = read_frame(snakemake.input.lesions)
    threshold, rule = snakemake.params.criterion["threshold"], snakemake.params.criterion["rule"]
    boundaries = snakemake.params.surrogate
    changes = transitions.patient_transitions(patients, lesions, threshold, rule, boundaries)
    lesion_changes = transitions.lesion_transitions(lesions, threshold, patients, boundaries)
    rows = transition_rows.estimate(
        patients,
        changes,
        lesion_changes,
        snakemake.params.confirmatory_sources,
        boundaries,
        snakemake.params.seed,
    )
    write_frame(snakemake.output.transitions, changes)
    write_frame(snakemake.output.lesions, lesion_changes)
    write_frame(snakemake.output.matrix, transitions.matrix(patients))
    write_frame(snakemake.output.statistics, rows)
