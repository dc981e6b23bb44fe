"""Write environment.yml and workflow/envs/analysis.yaml from requirements.lock.

    python tools/pin_environments.py

The versions stand in pyproject.toml (ranges) and requirements.lock (pins); the conda files only
repeat the pins, under `pip:`, because Snakemake copies them to a place from which a path to the
lock would lead nowhere. A test fails when the three differ.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {
    "environment.yml": "The conda way in: conda env create -f environment.yml",
    "workflow/envs/analysis.yaml": "The environment of the rules, for snakemake --sdm conda",
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+==[^\s;\\]+)( ; [^\\]+)?", re.MULTILINE)


def pins(lock: str) -> list[str]:
    """Return the pins of a lock with their markers, without hashes."""
    return [f"{pin}{(marker or '').rstrip()}" for pin, marker in _PIN.findall(lock)]


def environment(found: list[str], heading: str) -> str:
    """Return the text of a conda environment file with these pins."""
    lines = [
        f"# {heading}",
        "# Made by tools/pin_environments.py from requirements.lock; do not edit.",
        "name: captem",
        "channels: [conda-forge]",
        "dependencies:",
        "  - python=3.12",
        "  - pip",
        "  - pip:",
        *(f'      - "{pin}"' for pin in found),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    found = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    for name, heading in FILES.items():
        (ROOT / name).write_text(environment(found, heading), encoding="utf-8")


if __name__ == "__main__":
    main()
