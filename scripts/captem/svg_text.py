"""The texts of an SVG: their words, sizes in print, fonts, colours and places.

Read are the ways in which matplotlib, Inkscape and the like set text: style or attributes, those
of groups too, transforms, `tspan` with places of their own. Style sheets with classes are not read.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_PT = {"pt": 1.0, "px": 0.75, "": 0.75, "mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0, "pc": 12.0}
_MM_A_PT = 25.4 / 72
_INHERITED = (
    "fill", "fill-opacity", "font", "font-size", "font-family", "font-weight", "font-style",
    "text-anchor",
)  # fmt: skip
_NOT_INHERITED = ("opacity", "display", "visibility")
_ANCHORS = {"middle": 0.5, "end": 1.0}
# From the baseline, in sizes of the font.
_ASCENT, _DESCENT = 0.78, 0.22
# Points that are looked at across the height of a text.
_ROWS = 20


@dataclass(frozen=True)
class SvgText:
    """One run of text in one size.

    `place` (3 x 3) leads from the text's own units, its start on the baseline at (0, 0), to shares
    of the figure's width and height from its upper left corner.
    """

    words: str
    size: float
    width: float
    size_pt: float
    colour: tuple[float, float, float]
    opacity: float
    families: tuple[str, ...]
    raised: bool
    place: np.ndarray

    def points(self) -> np.ndarray:
        """Return points all over the box of the text (n, 2), as shares of width and height."""
        columns = min(max(round(_ROWS * self.width / self.size), 6), 600)
        x = np.linspace(-0.05 * self.size, self.width + 0.05 * self.size, columns)
        y = np.linspace(-_ASCENT * self.size, _DESCENT * self.size, _ROWS)
        grid = np.stack([*(axis.ravel() for axis in np.meshgrid(x, y)), np.ones(len(x) * len(y))])
        return (self.place @ grid)[:2].T


@dataclass(frozen=True)
class Svg:
    """Size and texts of an SVG; `outlined` is the number of texts that are curves."""

    width_mm: float
    height_mm: float
    texts: tuple[SvgText, ...]
    outlined: int


def read(path: str | Path) -> Svg:
    """Read an SVG.

    Raises
    ------
    ValueError, OSError
        If it is none, or does not say how large it is; `xml.etree.ElementTree.ParseError` is raised
        where it ends early.
    """
    root = ET.parse(path).getroot()
    if _name(root) != "svg":
        raise ValueError("it is no svg")
    width, height = (_length_pt(root.get(side)) for side in ("width", "height"))
    box = [
        float(number) for number in re.split(r"[\s,]+", root.get("viewBox", "").strip()) if number
    ]
    x0, y0, across, down = box if len(box) == 4 else (0.0, 0.0, width / 0.75, height / 0.75)
    if min(across, down, width, height) <= 0:
        raise ValueError("it has no size")
    to_shares = np.array([[1 / across, 0, -x0 / across], [0, 1 / down, -y0 / down], [0, 0, 1]])
    texts = [
        text
        for element, matrix, style in _texts(root, np.eye(3), {})
        for text in _runs(element, to_shares @ matrix, style, width, height)
    ]
    return Svg(width * _MM_A_PT, height * _MM_A_PT, tuple(texts), _outlined(root))


def _name(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _length_pt(text: str | None) -> float:
    match = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", text or "")
    if not match or match[2] not in _PT:
        raise ValueError(f"its size is {text!r}")
    return float(match[1]) * _PT[match[2]]


def _texts(
    element: ET.Element, matrix: np.ndarray, style: Mapping[str, str]
) -> Iterator[tuple[ET.Element, np.ndarray, dict[str, str]]]:
    """Yield every `text` with its transform and its style, inherited ones included."""
    if _name(element) == "defs":
        return
    own = _style(element)
    if own.get("display") == "none" or own.get("visibility") == "hidden":
        return
    kept = {**style, **{key: own[key] for key in _INHERITED if key in own}}
    opacity = _share(style.get("opacity")) * _share(own.get("opacity"))
    kept["opacity"] = str(opacity)
    matrix = matrix @ _transform(element.get("transform", ""))
    if _name(element) == "text":
        yield element, matrix, kept
        return
    for child in element:
        yield from _texts(child, matrix, kept)


def _style(element: ET.Element) -> dict[str, str]:
    """Return style and presentation attributes; `font: 7px A, B` is taken apart."""
    asked = (*_INHERITED, *_NOT_INHERITED)
    found = {key: value for key, value in element.attrib.items() if key in asked}
    for part in element.get("style", "").split(";"):
        key, _, value = part.partition(":")
        if value.strip():
            found[key.strip()] = value.strip()
    if match := re.search(r"([\d.]+)(?:px|pt)?(?:/\S+)?\s+(.+)$", found.get("font", "")):
        found |= {"font-size": match[1], "font-family": match[2]}
        if re.search(r"\b(bold|[6-9]00)\b", found["font"][: match.start()]):
            found["font-weight"] = "bold"
    return found


def _share(text: str | None) -> float:
    return min(max(float(text), 0.0), 1.0) if text else 1.0


def _transform(text: str) -> np.ndarray:
    matrix = np.eye(3)
    for kind, numbers in re.findall(r"(\w+)\s*\(([^)]*)\)", text):
        values = [float(number) for number in re.split(r"[\s,]+", numbers.strip()) if number]
        matrix = matrix @ _one_transform(kind, values)
    return matrix


def _one_transform(kind: str, values: list[float]) -> np.ndarray:
    if kind == "matrix" and len(values) == 6:
        a, b, c, d, e, f = values
        return np.array([[a, c, e], [b, d, f], [0, 0, 1]])
    if kind == "translate" and values:
        return _shift(values[0], values[1] if len(values) > 1 else 0.0)
    if kind == "scale" and values:
        return np.diag([values[0], values[-1], 1.0])
    if kind == "rotate" and values:
        turn = np.radians(values[0])
        cos, sin = np.cos(turn), np.sin(turn)
        turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        x, y = values[1:3] if len(values) == 3 else (0.0, 0.0)
        return _shift(x, y) @ turned @ _shift(-x, -y)
    raise ValueError(f"its transform {kind!r} is not understood")


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=float)


def _runs(
    element: ET.Element, place: np.ndarray, style: dict[str, str], width: float, height: float
) -> Iterator[SvgText]:
    """Yield the runs of one `text`: signs of one size on one line, in the order of reading."""
    pieces = list(_pieces(element, style))
    runs: dict[tuple[float, float], list[dict[str, Any]]] = {}
    for piece in pieces:
        runs.setdefault((piece["size"], piece["y"]), []).append(piece)
    largest = max((size for size, _ in runs), default=0.0)
    lines = {y for size, y in runs if size == largest}
    for (size, y), found in runs.items():
        found.sort(key=lambda piece: piece["x"])
        first, last = found[0], found[-1]
        words = "".join(piece["words"] for piece in found)
        opacity = _share(first["style"].get("opacity")) * _share(first["style"].get("fill-opacity"))
        colour = _colour(first["style"].get("fill", "#000000"))
        if not words.strip() or colour is None or not opacity or size <= 0:
            continue
        across = last["x"] + last["width"] - first["x"]
        start = first["x"] - _ANCHORS.get(first["style"].get("text-anchor", ""), 0.0) * across
        there = place @ _shift(start, y)
        # The height of one unit in print; text that is turned has its height in both directions.
        unit_pt = float(np.hypot(there[0, 1] * width, there[1, 1] * height))
        yield SvgText(
            words=" ".join(words.split()), size=size, width=across, size_pt=size * unit_pt,
            colour=colour, opacity=opacity, families=_families(first["style"]),
            raised=size < largest and y not in lines, place=there,
        )  # fmt: skip


def _pieces(element: ET.Element, style: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what stands in a `text` and its `tspan`; a sign with a place of its own is alone."""
    if element.text and element.text.strip(" \n\t"):
        yield from _placed(element, style, element.text.strip("\n\t"))
    for child in element:
        own = {**style, **_style(child)}
        own["opacity"] = str(_share(style.get("opacity")) * _share(_style(child).get("opacity")))
        yield from _placed(child, own, child.text or "")


def _placed(element: ET.Element, style: dict[str, str], words: str) -> Iterator[dict[str, Any]]:
    if not words:
        return
    size = float(re.sub(r"(px|pt)$", "", style.get("font-size", "16")))
    places = {
        axis: [float(n) for n in re.split(r"[\s,]+", element.get(axis, "0"))] for axis in "xy"
    }
    signs = list(words) if len(places["x"]) > 1 else [words]
    for i, sign in enumerate(signs):
        yield {
            "words": sign, "size": size, "style": style, "width": _advance(sign, size, style),
            "x": places["x"][min(i, len(places["x"]) - 1)],
            "y": places["y"][min(i, len(places["y"]) - 1)],
        }  # fmt: skip


def _colour(text: str) -> tuple[float, float, float] | None:
    """Return a colour as 0 to 255; None where nothing is painted."""
    from matplotlib.colors import to_rgb

    if text == "none":
        return None
    if match := re.fullmatch(r"rgb\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*\)", text):
        return (float(match[1]), float(match[2]), float(match[3]))
    red, green, blue = to_rgb(text)
    return (255 * red, 255 * green, 255 * blue)


def _families(style: Mapping[str, str]) -> tuple[str, ...]:
    names = style.get("font-family", "").split(",")
    return tuple(name.strip(" '\"") for name in names if name.strip(" '\""))


def _advance(words: str, size: float, style: Mapping[str, str]) -> float:
    """Return how wide words are, in the units of `size`."""
    font = _font(
        _families(style), style.get("font-weight", "400"), style.get("font-style", "normal")
    )
    return float(font.getlength(words)) / 100 * size


@cache
def _font(families: tuple[str, ...], weight: str, slant: Any) -> Any:
    from matplotlib.font_manager import FontProperties, findfont
    from PIL import ImageFont

    known = FontProperties(family=list(families) or ["sans-serif"])
    known.set_style(slant)
    known.set_weight(int(weight) if weight.isdigit() else weight)
    return ImageFont.truetype(findfont(known), 100)


def _outlined(root: ET.Element) -> int:
    """Count the groups that matplotlib names after a text and that hold curves in its place."""
    groups = [
        element for element in root.iter() if re.fullmatch(r"text_\d+", element.get("id", ""))
    ]
    return sum(
        not any(_name(inner) == "text" for inner in group.iter()) and _holds_curves(group)
        for group in groups
    )


def _holds_curves(group: ET.Element) -> bool:
    # The plate behind a text, and the arrow of an annotation, are groups of their own.
    return any(
        _name(child) in ("path", "use") or (_name(child) == "g" and _holds_curves(child))
        for child in group
        if not child.get("id", "").startswith("patch")
    )
