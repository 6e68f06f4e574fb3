"""What a file held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nurbs_diff._splines import Curve, Surface, Volume

if TYPE_CHECKING:
    from collections.abc import Mapping

Spline = Curve | Surface | Volume
_MOST_NAMES = 25


@dataclass(frozen=True, eq=False, repr=False)
class Contents:
    """The splines of a file, in its order, and what else stood there.

    Attributes:
        curves: float64, as are all.
        surfaces: untrimmed.
        volumes: from geomdl's JSON alone.
        unit: of length: "mm", "cm", "m", "km", "um", "inch", "ft", "mile", "mil" or the file's own word; None
            where the format says nothing. Coordinates are as the file gives them.
        unread: what was left aside: the names of entities that are no B-splines, and how many of each.

    >>> import torch
    >>> from nurbs_diff import Curve, uniform_knots
    >>> contents = Contents(curves=(Curve(torch.rand(5, 3), uniform_knots(5, degree=3)),), unread={"LINE": 2})
    >>> contents
    Contents(1 curve; not read: LINE 2)
    >>> contents.only().control_points.shape
    torch.Size([5, 3])
    """

    curves: tuple[Curve, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    volumes: tuple[Volume, ...] = ()
    unit: str | None = None
    unread: Mapping[str, int] = field(default_factory=Counter)

    @property
    def splines(self) -> tuple[Spline, ...]:
        """Curves, then surfaces, then volumes."""
        return (*self.curves, *self.surfaces, *self.volumes)

    def only(self) -> Spline:
        """The spline, where there is exactly one.

        Raises:
            ValueError: there are several.
        """
        if len(self.splines) != 1:
            raise ValueError(
                f"the file holds {counted(self)}, not one spline. Choose from `curves`, `surfaces` and "
                "`volumes`."
            )
        return self.splines[0]

    def __repr__(self) -> str:
        unit = "" if self.unit is None else f" in {self.unit}"
        unread = f"; not read: {listed(self.unread)}" if self.unread else ""
        return f"Contents({counted(self)}{unit}{unread})"


def counted(contents: Contents) -> str:
    """Such as "2 curves, 1 surface"."""
    kinds = (("curve", contents.curves), ("surface", contents.surfaces), ("volume", contents.volumes))
    words = [f"{len(found)} {kind}{'s' if len(found) > 1 else ''}" for kind, found in kinds if found]
    return ", ".join(words) or "no spline"


def listed(names: Mapping[str, int]) -> str:
    """Such as "LINE 2, PLANE 1"; a file may hold any number of names of any length, a message not."""
    words = [f"{name[:60]} {count}" for name, count in sorted(names.items())]
    return ", ".join(words[:_MOST_NAMES]) + (
        f" and {len(words) - _MOST_NAMES} more" * (len(words) > _MOST_NAMES)
    )


def gathered(splines: list[Spline], *, unit: str | None, unread: Mapping[str, int]) -> Contents:
    """The contents of a file.

    Raises:
        ValueError: there is no spline among them.
    """
    if not splines:
        there = f"It holds {listed(unread)}." if unread else "It is empty."
        raise ValueError(f"there is no B-spline curve or surface in it. {there}")
    return Contents(
        curves=tuple(spline for spline in splines if isinstance(spline, Curve)),
        surfaces=tuple(spline for spline in splines if isinstance(spline, Surface)),
        volumes=tuple(spline for spline in splines if isinstance(spline, Volume)),
        unit=unit,
        unread=dict(unread),
    )
