"""Put figures of the study together into one, with panel letters."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from importlib import import_module

    from captem import figure_rows, origin
    from captem.figures import export, panels
    from captem.files import read_frame, write_frame
    from captem.profiles import Profile

    chosen = snakemake.params.panels
    names = list(panels.letters(chosen))
    rows = {name: figure_rows.read(snakemake.input[name]) for name in names}
    # The rule names the modules of the chosen figures among its inputs.
    modules = {name: import_module(f"captem.figures.{name}") for name in names}
    profile, data = (
        Profile.of(snakemake.params.profile),
        origin.data_kind(read_frame(snakemake.input.sources)),
    )
    figure = panels.compose(chosen, modules, rows, profile, data)
    export.save(figure, {kind: snakemake.output[kind] for kind in export.FORMATS}, profile)
    write_frame(snakemake.output.csv, panels.listing(chosen, rows, data))
