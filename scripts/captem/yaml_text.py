"""YAML that people write by hand, read strictly: what YAML passes over in silence is an error."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from captem.errors import CaptemError

# A plan or a list of reasons has three levels at most.
_DEEPEST = 50


def decoded(data: bytes, path: str) -> str:
    """Return the text of a file.

    Raises
    ------
    CaptemError
        Where it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CaptemError(
            f"{path}, line {line}: this is not UTF-8 text. Save the file as UTF-8, and run again."
        ) from None


def loaded(text: str, path: str, hint: str = "") -> Any:
    """Return what a text holds.

    Parameters
    ----------
    path : of the file, for messages.
    hint : what to do, behind a message.

    Raises
    ------
    CaptemError
        Naming the line where it is no YAML, a key stands twice or is no text.
    """
    try:
        return yaml.load(text, _Strict)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        said = error.said if isinstance(error, _Refused) else "this is not YAML"
        raise CaptemError(f"{path}{where}: {said}.{hint and ' ' + hint}") from None
    except (ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        # A date that is none, such as 2026-13-45, or a number of thousands of digits.
        raise CaptemError(
            f"{path}: a value cannot be read ({error}).{hint and ' ' + hint}"
        ) from None


class _Refused(yaml.MarkedYAMLError):
    def __init__(self, said: str, mark: yaml.Mark) -> None:
        super().__init__(problem_mark=mark)
        self.said = said


class _Strict(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Refused("brackets in brackets without an end", self.peek_event().start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                shown = getattr(key, "value", "")
                shown = f" {shown}" if isinstance(shown, str) else ""
                raise _Refused(
                    f"the key{shown} is no text; put it in quotation marks", key.start_mark
                )
            if key.value in first:
                raise _Refused(
                    f"the key {key.value} stands here and in line {first[key.value]}; one of the "
                    "two has to go",
                    key.start_mark,
                )
            first[key.value] = line
        return super().construct_mapping(node, deep)
