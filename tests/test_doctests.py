"""The examples in the docstrings give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import captem
import captem.figures
import pytest

MODULES = sorted(
    module.name
    for package in (captem, captem.figures)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
)
# What a notebook calls has an example each.
CALLED = ("signed_rank", "sign_test", "net_improvement", "win_odds", "suvmax_ratio", "mcnemar",
          "difference", "directions")  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", CALLED)
def test_every_paired_function_has_an_example(name):
    function = getattr(importlib.import_module("captem.paired"), name)
    assert doctest.DocTestFinder().find(function)[0].examples
