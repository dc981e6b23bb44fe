"""How well text stands out from what is behind it (WCAG 2.2, contrast ratio)."""

from __future__ import annotations

from typing import Any

import numpy as np

# Colours that differ by less in each channel are one, as those at the edge of a letter are.
_ONE_COLOUR = 24
# What fills less of a text's box is a line that crosses it, or the edge of a letter.
_SHARE = 0.2


def luminance(colour: Any) -> Any:
    """Return the relative luminance (0 to 1) of sRGB colours, shape (..., 3), 0 to 255.

    Source: W3C, Web Content Accessibility Guidelines 2.2, "relative luminance".
    """
    share = np.asarray(colour, dtype=float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def ratio(one: Any, other: Any) -> Any:
    """Return the contrast ratio of two colours, from 1 (equal) to 21 (black on white).

    >>> float(ratio((0, 0, 0), (255, 255, 255)))
    21.0
    """
    a, b = luminance(one), luminance(other)
    return (np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05)


def backgrounds(pixels: np.ndarray, text: Any) -> list[np.ndarray]:
    """Return the colours behind a text: the commonest, and others that fill a fifth of its box.

    `pixels` (n, 3) are those of the box, the letters among them; `text` is their colour. Only the
    commonest colour may be that of the text, as where text has vanished into what is behind it.
    """
    bins = (pixels >> 3).astype(np.int64) @ np.array([1 << 10, 1 << 5, 1])
    names, counts = np.unique(bins, return_counts=True)
    found: list[np.ndarray] = []
    for i in np.argsort(-counts, kind="stable"):
        if found and counts[i] < _SHARE * len(pixels):
            break
        colour = pixels[bins == names[i]].mean(axis=0)
        if not found or not _alike(colour, text):
            found.append(colour)
    return found


def _alike(one: Any, other: Any) -> bool:
    return bool(np.abs(np.asarray(one, float) - np.asarray(other, float)).max() < _ONE_COLOUR)


def worst(pixels: np.ndarray, text: Any, opacity: float = 1) -> tuple[float, np.ndarray]:
    """Return the lowest contrast of a text with what is behind it, and that background.

    An opacity below 1 mixes the text with what is behind it.
    """
    found = []
    for behind in backgrounds(pixels, text):
        seen = opacity * np.asarray(text, dtype=float) + (1 - opacity) * behind
        found.append((float(ratio(seen, behind)), behind))
    return min(found, key=lambda pair: pair[0])


def hex_code(colour: Any) -> str:
    """Return a colour as people write it.

    >>> hex_code((255, 0, 10.2))
    '#FF000A'
    """
    return "#" + "".join(f"{round(float(channel)):02X}" for channel in colour)
