"""One place for versions: pyproject.toml gives ranges, the lock pins, the conda files repeat."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pin_environments import FILES, environment, pins
from studies import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def locked() -> dict[str, str]:
    found = {}
    for pin in pins(LOCK):
        requirement = Requirement(pin)
        (version,) = [spec.version for spec in requirement.specifier]
        found[canonicalize_name(requirement.name)] = version
    return found


def test_every_dependency_is_locked_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [text for group in project["dependency-groups"].values() for text in group]
    wanted = project["project"]["dependencies"] + groups
    for text in [text for text in wanted if isinstance(text, str)]:
        requirement = Requirement(text)
        version = locked()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), text


def test_the_lock_has_hashes_and_no_addresses():
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(LOCK)) > 50
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK


@pytest.mark.parametrize("name", FILES)
def test_conda_files_repeat_the_lock(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == environment(pins(LOCK), FILES[name])
    (listed,) = [part for part in yaml.safe_load(text)["dependencies"] if isinstance(part, dict)]
    versions = {}
    for pin in listed["pip"]:
        requirement = Requirement(pin)
        (versions[canonicalize_name(requirement.name)],) = [
            spec.version for spec in requirement.specifier
        ]
    assert versions == locked()


def test_the_lock_serves_every_python_from_3_11():
    for pin in pins(LOCK):
        if marker := Requirement(pin).marker:
            assert "python_version" not in str(Marker(str(marker)))


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == project["version"]
    assert f"## {project['version']}" in changelog
