"""Compute each patient's and lesion's transition, and how often uptake changed."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import transitions
    from captem.files import read_frame, write_frame

    patients = read_frame(snakemake.input.patients)
    lesions = read_frame(snakemake.input.lesions)
    threshold, rule = snakemake.params.criterion["threshold"], snakemake.params.criterion["rule"]
    changes = transitions.patient_transitions(patients, lesions, threshold, rule)
    lesion_changes = transitions.lesion_transitions(lesions, threshold)
    confirmatory = snakemake.params.confirmatory_sources
    rows = transitions.estimate(patients, changes, lesion_changes, confirmatory)
    write_frame(snakemake.output.transitions, changes)
    write_frame(snakemake.output.lesions, lesion_changes)
    write_frame(snakemake.output.matrix, transitions.matrix(patients))
    write_frame(snakemake.output.statistics, rows)
