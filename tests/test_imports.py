"""The modules that a script needs, found from its imports."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from captem.imports import module_files
from studies import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))


def read(path):
    file = ROOT / "scripts" / path
    return file.read_text(encoding="utf-8") if file.is_file() else None


def test_a_chain_of_imports_is_followed():
    files = {
        "run.py": "from captem import a\n",
        "captem/__init__.py": "",
        "captem/a.py": "def f():\n    import captem.sub.b as b\n",
        "captem/sub/__init__.py": "from captem.sub.c import x\n",
        "captem/sub/b.py": "import os, pandas\nfrom captem.errors import E\n",
        "captem/sub/c.py": "from captem.sub import b\n",
        "captem/errors.py": "class E: ...\n",
        "captem/unused.py": "",
    }
    assert module_files("run.py", files.get) == [
        "captem/__init__.py", "captem/a.py", "captem/errors.py", "captem/sub/__init__.py",
        "captem/sub/b.py", "captem/sub/c.py",
    ]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_found_is_what_python_loads(script):
    """Run the script's imports alone and compare with what Python itself has loaded."""
    nodes = [
        node
        for node in ast.walk(ast.parse(read(script)))
        if isinstance(node, ast.Import)
        or (isinstance(node, ast.ImportFrom) and not str(node.module).startswith(("snake", "__")))
    ]
    show = "print(*(name for name in sys.modules if name.split('.')[0] == 'captem'))"
    program = "\n".join(["import sys", *map(ast.unparse, nodes), show])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = {name.replace(".", "/") for name in done.stdout.split()}
    found = {
        path.removesuffix(".py").removesuffix("/__init__") for path in module_files(script, read)
    }
    # What is imported inside a function is found too, though Python has not loaded it yet.
    assert loaded
    assert loaded <= found


def test_the_package_itself_is_empty():
    assert read("captem/__init__.py") == ""
