"""The words of a composite: the letters of its panels, its caption and its alt text."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence

from captem.captions import ALT_TEXT


def letters(panels: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the letter of each figure, in the order of reading.

    >>> letters([["forest"], ["flow", "alluvial"]])
    {'forest': 'A', 'flow': 'B', 'alluvial': 'C'}
    """
    names = [name for row in panels for name in row]
    return dict(zip(names, string.ascii_uppercase, strict=False))


def joined(
    panels: Sequence[Sequence[str]], written: Mapping[str, tuple[str, str]], mark: str
) -> str:
    """Return caption and alt text of the composite: each figure's own behind its letter.

    Parameters
    ----------
    written : caption and alt text of each figure.
    mark : what captions of synthetic data begin with, or empty text; said once.
    """
    named = letters(panels)
    captions = [
        f"({letter}) {written[name][0].removeprefix(f'{mark}. ')}" for name, letter in named.items()
    ]
    alts = [f"({letter}) {written[name][1]}" for name, letter in named.items()]
    begun = [f"{mark}."] if mark else []
    return f"{' '.join([*begun, *captions])}\n\n{ALT_TEXT} {' '.join(alts)}\n"
