"""Write caption and alt text of every figure, with the numbers of this study."""

from pathlib import Path
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import captions, figure_rows, origin
    from captem.files import read_frame, write_text
    from captem.lesions import RULE_WORDS

    statistics = read_frame(snakemake.input.statistics)
    data_kind = origin.data_kind(read_frame(snakemake.input.sources))
    criterion = snakemake.params.criterion
    for name in snakemake.params.figures:
        template = Path(snakemake.input[name]).read_text(encoding="utf-8")
        text = captions.render(
            name,
            template,
            statistics,
            data_kind,
            figure_rows.read(snakemake.input[f"{name}_csv"]),
            threshold=criterion["threshold"],
            rule_words=RULE_WORDS[criterion["rule"]],
        )
        write_text(snakemake.output[name], text)
