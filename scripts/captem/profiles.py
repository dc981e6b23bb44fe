"""Figure profiles: width, font, sizes of text and lines, resolution. A profile is data.

Those that ship are `workflow/figure_profiles.yaml`; a study may add its own in its config. What a
profile does not say is as in `generic`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from captem.errors import CaptemError

GENERIC = "generic"
_MM_AN_INCH = 25.4
# The sizes in which figures were designed; those of other profiles are told in terms of it.
_DESIGNED_PT = 7.0
# What every figure can be read at, with text of that size.
_NARROWEST_MM = 80


@dataclass(frozen=True)
class Profile:
    """How figures are sized and set; the keys are explained in `workflow/figure_profiles.yaml`."""

    name: str
    narrow_mm: float
    wide_mm: float
    tallest_mm: float
    font: tuple[str, ...]
    size_pt: float
    small_pt: float
    heading_pt: float
    line_pt: float
    thin_pt: float
    marker_pt: float
    dpi: int
    preview_dpi: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Profile:
        """Return the profile of settings that `resolve` returned."""
        return cls(**(dict(settings) | {"font": tuple(settings["font"])}))

    @property
    def scale(self) -> float:
        """How much larger text is than at the size in which the figures were designed."""
        return self.size_pt / _DESIGNED_PT

    def width_mm(self, wide: bool) -> float:
        """Return the width of a figure in print."""
        return self.wide_mm if wide else self.narrow_mm

    def mm(self, designed: float) -> float:
        """Return a height that grows with the text, such as that of a row, in mm."""
        return designed * self.scale


def resolve(figures: Mapping[str, Any], shipped: Mapping[str, Any]) -> dict[str, Any]:
    """Return the profile that a study asks for, whole.

    Parameters
    ----------
    figures : `profile`, the name, and `profiles`, the study's own by name (config key `figures`).
    shipped : the content of `workflow/figure_profiles.yaml`.

    Raises
    ------
    CaptemError
        If there is no profile of that name, or its sizes contradict each other.
    """
    own, name = figures.get("profiles", {}), figures.get("profile", GENERIC)
    known = [*shipped, *(other for other in own if other not in shipped)]
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise CaptemError(f"figures: there is no profile {name!r}; {hint}")
    found = {"name": name} | shipped[GENERIC] | shipped.get(name, {}) | own.get(name, {})
    _check(found)
    return {field.name: found[field.name] for field in fields(Profile)}


def _check(profile: Mapping[str, Any]) -> None:
    where = f"figures, profile {profile['name']!r}"
    if profile["narrow_mm"] > profile["wide_mm"]:
        raise CaptemError(
            f"{where}: narrow_mm ({profile['narrow_mm']:g}) is above wide_mm "
            f"({profile['wide_mm']:g}); a figure of one column is not wider than one of two"
        )
    if profile["small_pt"] > profile["size_pt"]:
        raise CaptemError(
            f"{where}: small_pt ({profile['small_pt']:g}) is above size_pt "
            f"({profile['size_pt']:g}); give both"
        )


def check_panels(panels: Sequence[Sequence[str]], profile: Profile) -> None:
    """See that figures may be put together like this (config key `figures: panels`).

    Raises
    ------
    CaptemError
        If a figure stands twice, or a row holds more than can be read at the profile's width.
    """
    names = [name for row in panels for name in row]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CaptemError(f"figures, panels: {twice[0]} stands twice; name each figure once")
    least = min(profile.mm(_NARROWEST_MM), profile.narrow_mm)
    most = max(int(profile.wide_mm / least), 1)
    for number, row in enumerate(panels, start=1):
        if len(row) > most:
            raise CaptemError(
                f"figures, panels: row {number} has {len(row)} figures, which would be "
                f"{profile.wide_mm / len(row):.0f} mm wide each; in the profile {profile.name} "
                f"({profile.wide_mm:g} mm) at most {most} can be read in a row: begin another row"
            )


def inches(mm: float) -> float:
    """Return millimetres as inches."""
    return mm / _MM_AN_INCH
