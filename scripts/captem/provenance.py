"""What a run was made from: inputs and code by their SHA-256, settings, versions."""

from __future__ import annotations

import hashlib
import platform
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from captem.errors import CaptemError

# The packages whose version can change a number or a drawing.
PACKAGES = ("matplotlib", "numpy", "openpyxl", "pandas", "pandera", "pillow", "pyarrow",
            "pypandoc-binary", "pyreadstat", "python-docx", "scipy", "snakemake", "statsmodels",
            "typst")  # fmt: skip


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, as `sha256sum` prints it."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def unchanged(seen: Mapping[str, str], when: str) -> None:
    """Check that files are what they were.

    Parameters
    ----------
    seen : SHA-256 by path, as it was.
    when : since when, in words.

    Raises
    ------
    CaptemError
        Naming each file that was changed or is gone.
    """
    changed = [
        path for path, digest in seen.items()
        if not Path(path).is_file() or sha256(path) != digest
    ]  # fmt: skip
    if changed:
        raise CaptemError(
            f"{', '.join(changed)} was changed {when}, so that the results would be of neither the "
            "old nor the new. Save and close it, let a transfer end, and run again."
        )


def sha256_of_all(paths: Iterable[str | Path]) -> str:
    """Return one SHA-256 over the contents of several files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def record(
    config: Mapping[str, Any],
    sources: Iterable[str],
    code: Iterable[str],
    pyproject: str | Path,
    lock: str | Path,
) -> dict[str, Any]:
    """Return the content of `provenance.json`; it names no machine, no user and no time.

    Parameters
    ----------
    config : the resolved settings.
    sources : files of the study, as the config names them.
    code : files of the pipeline that the results depend on.
    pyproject, lock : where the version stands, and the versions of all packages.
    """
    project = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))["project"]
    return {
        "study": config["study"],
        "cut": config["cut"],
        "inputs": {path: sha256(path) for path in sources},
        "config": dict(config),
        "code": {
            "version": project["version"],
            "sha256": sha256_of_all(code),
            "lock": sha256(lock),
        },
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "seeds": {"simulations and permutations": config["seed"]},
    }
