"""Write a synthetic cohort, two sources of two sheets each, into a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from captem.errors import CaptemError
from captem.files import write_text
from captem.synthetic import DEFAULT_PATIENTS, DEFAULT_SEED, generate, render


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, draw the cohort, write its files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=DEFAULT_PATIENTS, help="how many patients")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the random stream")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    options = parser.parse_args(arguments)
    try:
        texts = render(generate(options.patients, options.seed))
    except CaptemError as error:
        parser.error(str(error))
    for name, text in texts.items():
        write_text(options.out / name, text)


if __name__ == "__main__":
    main()
