"""Take a patient who withdrew consent out of every result and every frozen data cut."""

import os
from typing import TYPE_CHECKING

from captem.running import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    from captem.identity import KEY_VARIABLE, hashed
    from captem.withdrawal import withdraw

    code = snakemake.params.code
    codes = [code]
    if snakemake.params.hashed:
        codes.append(hashed(code, os.environ[KEY_VARIABLE]))
    print(withdraw(snakemake.params.results, codes))
