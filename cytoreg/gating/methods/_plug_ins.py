"""Gating methods that other packages bring: entry points of the group `cytoreg.gating_methods`.

They are looked for only where a template names a method that is not one of ours. An entry point gives a module, or
anything else, with `Params` and `fit` as our own methods have them (`docs/guides/own_method.md`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cytoreg.errors import TemplateError
from cytoreg.gating.gates import Ellipse, Polygon, Range, Rectangle
from cytoreg.gating.methods._fit import CannotFit, Fit, View

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "checked_fit", "plug_in", "plug_in_names", "provider_of"]

GROUP = "cytoreg.gating_methods"


@cache
def _entry_points() -> dict[str, tuple[EntryPoint, ...]]:
    import importlib.metadata  # slow to load, and few templates name a plug-in

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def plug_in_names() -> tuple[str, ...]:
    """The names of the methods that installed packages bring; none of them is loaded."""
    return tuple(sorted(_entry_points()))


def provider_of(kind: str) -> str:
    """The package and version that bring a method; empty for one of ours."""
    points = _entry_points().get(kind, ())
    return ", ".join(sorted({_package(point) for point in points}))


@cache
def plug_in(kind: str) -> Any:
    """The method of an installed package. Raises TemplateError with one line where it cannot be used."""
    points = _entry_points()[kind]
    whose = f"gating method {kind!r} of {provider_of(kind)}"
    if len({point.value for point in points}) > 1:
        raise TemplateError(f"{whose}: several packages bring one of this name; uninstall all but one")
    try:
        found = points[0].load()
    except Exception as problem:  # whatever stands in a stranger's module
        raise TemplateError(f"{whose}: cannot be loaded: {_line(problem)}") from None
    if not callable(getattr(found, "fit", None)):
        raise TemplateError(f"{whose}: has no function fit(view, params)")
    fields = getattr(getattr(found, "Params", None), "model_fields", None)
    if not isinstance(fields, dict) or "on" not in fields:
        raise TemplateError(f"{whose}: has no Params, a pydantic model with the field `on`")
    return found


def checked_fit(whose: str, method: Any, view: View, params: Any) -> Fit:
    """What a stranger's method placed, if it is what one may place.

    Raises CannotFit as the method does, TemplateError with one line where it fails or gives anything else.
    """
    try:
        found = method.fit(view, params)
    except CannotFit:
        raise
    except Exception as problem:  # whatever stands in a stranger's module
        raise TemplateError(f"{whose}: failed: {_line(problem)}") from None
    if not isinstance(found, Fit):
        raise TemplateError(f"{whose}: expected a Fit, found {type(found).__name__}")
    if not isinstance(found.gate, Range | Rectangle | Polygon | Ellipse):
        raise TemplateError(f"{whose}: expected a gate with a shape, found {type(found.gate).__name__}")
    if not is_whole(found.gate):
        raise TemplateError(f"{whose}: placed a {found.gate.kind} with a number that is none")
    return found


def is_whole(gate: Range | Rectangle | Polygon | Ellipse) -> bool:
    """Whether each number of a gate is one; the sides of a range or rectangle may be open."""
    match gate:
        case Range(min=low, max=high):
            return not np.isnan([low, high]).any()
        case Rectangle(min=lows, max=highs):
            return not np.isnan([*lows, *highs]).any()
        case Polygon(vertices=vertices):
            return bool(np.isfinite(vertices).all())
        case Ellipse(center=center, covariance=covariance, distance=distance):
            return bool(np.isfinite([*center, *np.ravel(covariance), distance]).all())


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"


def _line(problem: BaseException) -> str:
    return " ".join(f"{type(problem).__name__}: {problem}".split())[:300]
