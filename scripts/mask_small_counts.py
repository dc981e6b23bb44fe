"""Write copies of the results in which small counts, and what would give them away, are masked."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import disclosure
    from captem.files import read_frame, write_frame

    names = (
        "statistics", "matrix", "flow", "curves", "sources", "eligibility", "problems", "repairs",
    )  # fmt: skip
    frames = {name: read_frame(snakemake.input[name]) for name in names}
    least, confirmatory = snakemake.params.min_count, snakemake.params.confirmatory
    copies = disclosure.mask(**frames, min_count=least, confirmatory=confirmatory)
    print(disclosure.summary(copies, least))
    for path, frame in copies.files.items():
        write_frame(snakemake.output[Path(path).stem], frame)
    write_frame(snakemake.output.masked, copies.log)
