"""Open the files of every figure; write what a journal may send back as preflight.csv.

It never fails: `judge_figures.py` does, so that the list survives.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import pandas as pd
    from captem import preflight
    from captem.files import write_frame
    from captem.preflight_rows import COLUMNS, as_records
    from captem.profiles import Profile

    folder = Path(snakemake.input.files[0]).parent
    profile = Profile.of(snakemake.params.profile)
    rows = as_records(preflight.inspect(snakemake.params.figures, folder, profile))
    write_frame(snakemake.output.preflight, pd.DataFrame(rows, columns=list(COLUMNS)))
