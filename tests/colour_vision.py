"""How colours look to others: colour blindness simulated, distances as an eye sees them.

Machado GM, Oliveira MM, Fernandes LAF. A physiologically-based model for simulation of color vision
deficiency. IEEE Trans Vis Comput Graph 2009;15:1291-1298 (table of matrices, severity 1.0, applied
to linear sRGB). Lightness and distances: CIE 1976 L*a*b*, D65.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

VISIONS = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# IEC 61966-2-1: linear sRGB to XYZ.
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def seen(colours: Any, vision: str) -> np.ndarray:
    """Return colours, or a picture, of shape (..., 3) and from 0 to 1, as others see them."""
    linear = _linear(_rgb(colours)) @ VISIONS[vision].T
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def lab(colours: Any) -> np.ndarray:
    """Return L*, a*, b* of colours, shape (..., 3)."""
    share = _linear(_rgb(colours)) @ _TO_XYZ.T / _TO_XYZ.sum(axis=1)
    bent = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lightness(colour: Any) -> float:
    """Return L*, from 0 (black) to 100 (white): what is left of a colour in greyscale."""
    return float(lab(colour)[0])


def distance(one: Any, other: Any, vision: str = "normal") -> float:
    """Return how far apart two colours look (CIE 1976 colour difference)."""
    return float(np.linalg.norm(lab(seen(one, vision)) - lab(seen(other, vision))))


def _rgb(colours: Any) -> np.ndarray:
    return np.array(to_rgb(colours)) if isinstance(colours, str) else np.asarray(colours, float)


def _linear(share: np.ndarray) -> np.ndarray:
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
