"""Write what more patients would do to the intervals of the current data cut."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import more_patients
    from captem.files import read_frame, write_frame

    params = snakemake.params
    found = more_patients.rows(
        read_frame(snakemake.input.patients),
        read_frame(snakemake.input.transitions),
        params.settings["more_patients"],
        params.mib1_floor,
        params.settings["replicates"],
        params.seed,
    )
    write_frame(snakemake.output[0], found)
