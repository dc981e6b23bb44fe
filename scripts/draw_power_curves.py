"""Draw the power over the number of patients, and write the caption."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    import pandas as pd
    from captem import origin, planning_words
    from captem.figures import export, power_curves
    from captem.files import read_frame, write_text

    settings = snakemake.params.settings
    rows = power_curves.data(pd.read_csv(snakemake.input.power), settings["target"])
    sources = read_frame(snakemake.input.sources)
    export.write(power_curves, rows, snakemake.output, snakemake.params.profile, sources)
    kind = origin.data_kind(sources)
    write_text(snakemake.output.txt, planning_words.caption(rows, settings, kind))
