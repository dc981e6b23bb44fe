"""What a sheet was taken for, as a table for the terminal: a line or a few a column of the file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from captem.proposal import DOUBTFUL, DROPPED, Proposal, Seen, shown

_TITLES = ("taken for", "how", "filled", "read", "to mend")
_LEAST = 60


def table_text(proposal: Proposal, width: int) -> str:
    """Return the columns as a table of `width` signs, a line or a few a column of the file."""
    blocks = []
    for table in dict.fromkeys(seen.table for seen in proposal.columns):
        own = [seen for seen in proposal.columns if seen.table == table]
        lines = [(f"heading of the {table}", *_TITLES), *map(_line, own)]
        blocks.append(_block(lines, max(width, _LEAST)))
    return "\n\n".join(blocks)


def _line(seen: Seen) -> tuple[str, ...]:
    how = f"{seen.how}: {seen.note}" if seen.note else seen.how
    if seen.certain == DOUBTFUL:
        how += ", doubtful"
    read = "" if seen.read is None else str(seen.read)
    said = seen.said or ("-" if seen.how != DROPPED else "")
    return (shown(seen.heading)[1:-1], said, how, str(seen.filled), read,
            str(seen.faults) if seen.faults else "")  # fmt: skip


def _block(lines: Sequence[tuple[str, ...]], width: int) -> str:
    numbers = [max(len(line[i]) for line in lines) for i in (3, 4, 5)]
    room = width - sum(numbers) - 2 * 5
    longest = [max(len(line[i]) for line in lines) for i in range(3)]
    widths = _shared(room, longest)
    result = []
    for line in lines:
        texts = [
            textwrap.wrap(text, size, break_on_hyphens=False) or [""]
            for text, size in zip(line[:3], widths, strict=True)
        ]
        for i in range(max(map(len, texts))):
            cells = [(own[i] if i < len(own) else "").ljust(size)
                     for own, size in zip(texts, widths, strict=True)]  # fmt: skip
            cells += [(text if i == 0 else "").rjust(size)
                      for text, size in zip(line[3:], numbers, strict=True)]  # fmt: skip
            result.append("  ".join(cells).rstrip())
    rule = "  ".join("-" * size for size in (*widths, *numbers))
    return "\n".join([result[0], rule, *result[1:]])


def _shared(room: int, longest: Sequence[int]) -> list[int]:
    """Share the room among the texts: what is shorter than its share leaves the rest to others."""
    widths = [0] * len(longest)
    order = sorted(range(len(longest)), key=lambda i: longest[i])
    for left, i in zip(range(len(order), 0, -1), order, strict=True):
        widths[i] = min(longest[i], room // left)
        room -= widths[i]
    return widths
