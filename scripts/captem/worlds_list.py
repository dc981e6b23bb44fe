"""The names of the scenarios of `captem.worlds`, and the size of a block, for the Snakefile."""

from __future__ import annotations

NAMES = (
    "no_change", "no_mib1", "mib1", "entry_low", "ssa_shift", "noisy_baseline", "cycles_follow",
)  # fmt: skip
# Studies that share a random stream: a job takes whole blocks.
BLOCK = 50
