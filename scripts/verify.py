"""Check the chain of events and every byte of each frozen data cut."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import cuts

    print(cuts.verified(snakemake.params.results))
