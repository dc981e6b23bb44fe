"""The gate: fail where problems.csv holds what stops the run, so that nothing else starts."""

from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem import problems
    from captem.errors import CaptemError
    from captem.files import write_text

    found = problems.read(snakemake.input.problems)
    if stopping := problems.stopping(found, snakemake.params.on_problem):
        raise CaptemError(problems.as_text(stopping))
    # Of one width, whatever the terminal: the file is to be the same everywhere.
    write_text(snakemake.output.passed, problems.as_text(found, width=100) + "\n")
