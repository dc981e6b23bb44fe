"""Fail where preflight.csv holds what a journal may send back; the last lines say what."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import preflight_rows
    from captem.errors import CaptemError

    rows = preflight_rows.read(snakemake.input.preflight)
    text = preflight_rows.as_text(rows)
    if preflight_rows.failing(rows):
        raise CaptemError(text)
    print(text)
