"""Which modules of the package a script uses, found from the imports themselves."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache

PACKAGE = "captem"


def module_files(script: str, read: Callable[[str], str | None]) -> list[str]:
    """Return the package files that `script` imports, directly or through other modules.

    `script` and the result are paths relative to `scripts/` (`compute_transitions.py`,
    `captem/transitions.py`). `read` returns the text of such a path, or None where there is no
    file. The order is alphabetical, so that a rule's inputs do not depend on the order of imports.
    Imports inside functions count as well; an import by a computed name is not seen.
    """
    found: set[str] = set()
    seen, waiting = {script}, [script]
    while waiting:
        path = waiting.pop()
        text = read(path)
        if text is None:
            continue
        if path != script:
            found.add(path)
        new = {file for name in _imported(text) for file in _candidates(name)} - seen
        seen |= new
        waiting += new
    return sorted(found)


@cache
def _imported(text: str) -> frozenset[str]:
    names: set[str] = set()
    for node in _statements(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.split(".")[0] == PACKAGE)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement; an expression holds no import, and most of a file is expressions."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, ())
            waiting += inner if isinstance(inner, list) else ()


def _candidates(name: str) -> list[str]:
    """A module is a file or a package, and its parents' `__init__.py` run with it."""
    parts = name.split(".")
    parents = ["/".join([*parts[:i], "__init__.py"]) for i in range(1, len(parts) + 1)]
    return [*parents, "/".join(parts) + ".py"]
