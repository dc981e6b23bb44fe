"""Write down what planned studies are drawn from, or say what is missing for it."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import planning_world
    from captem.errors import CaptemError
    from captem.files import read_frame, write_json

    patients = read_frame(snakemake.input.patients)
    params = snakemake.params
    found, missing = planning_world.world(patients, params.settings, params.mib1_floor)
    if missing:
        raise CaptemError("\n".join(missing))
    write_json(snakemake.output.world, found.as_json())
