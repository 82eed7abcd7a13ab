"""The words of GatingML 2.0 that its reader and its writer share: namespaces, and our own note in custom_info."""

from __future__ import annotations

__all__ = ["DATATYPES", "GATING", "NOTE", "TRANSFORMS", "ascending"]

GATING = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
TRANSFORMS = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
DATATYPES = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
NOTE = "urn:cytoreg:gating"  # what an id of XML cannot say: names with blanks, `+` or `/`


def ascending(distance_square: float) -> float:
    """A distance whose square is at least the given one, so that no event on the surface is lost to rounding."""
    import math

    distance = math.sqrt(distance_square)
    return distance if distance * distance >= distance_square else math.nextafter(distance, math.inf)
