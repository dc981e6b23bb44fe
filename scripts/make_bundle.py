"""Pack what an audience may have of a study into one file."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import json

    from captem import bundle, origin
    from captem.files import read_frame

    about = bundle.About(
        audience=snakemake.params.audience,
        min_count=snakemake.params.min_count,
        data=origin.data_kind(read_frame(snakemake.input.sources)),
        listing=snakemake.params.listing,
        released=bundle.released(snakemake.input.citation),
    )
    packed = bundle.make(
        about,
        bundle.read_all(snakemake.params.results, snakemake.input.results),
        bundle.read_all(snakemake.params.workflow, snakemake.input.workflow),
        json.loads(bundle.read_all(["record"], [snakemake.input.provenance])["record"]),
        read_frame(snakemake.input.patients)["patient_id"].dropna(),
    )
    bundle.write(snakemake.output[0], packed)
