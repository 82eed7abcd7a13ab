"""Gate objects of flowCore in an openCyto template, as CytoExploreR writes them: R text to geometry.

Coordinates are those of the data that were gated: scatter as it is, fluorescence on R's logicle scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle
from cytoreg.interop.opencyto.r_objects import RCall, RSyntaxError, array_of, strings_of, vector_of

__all__ = ["boolean_of", "gates_of"]

# Of a quadrant drawn in CytoExploreR, in the order in which it names them: bottom left, bottom right, top right, top left.
QUADRANTS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def gates_of(value: Any, dims: Sequence[str]) -> list[Gate]:
    """The gates of a `filters` list, or of one gate; a quadrant gives four.

    dims: the axes that the row names, for objects that do not. Raises RSyntaxError where it is not a gate.
    """
    if not isinstance(value, RCall):
        raise RSyntaxError("expected a gate object")
    if value.of_class in ("filters", "filterList", "list", "filtersList"):
        items = value.get(".Data") if value.name == "new" else value
        if not isinstance(items, RCall):
            raise RSyntaxError(f"{value.of_class} holds no list of gates")
        return [gate for _, item in items.arguments for gate in gates_of(item, dims)]
    if value.of_class == "quadGate":
        names, at = _named(value.get("boundary", ".boundary", ".gate"), dims)
        if len(at) != 2:
            raise RSyntaxError(f"quadGate: expected 2 dividers, found {len(at)}")
        return [_quadrant(names, at, signs) for signs in QUADRANTS]
    return [_gate(value, dims)]


def _gate(value: RCall, dims: Sequence[str]) -> Gate:
    kind = value.of_class
    if kind == "polygonGate":
        return _polygon(value, dims)
    if kind == "rectangleGate":
        return _rectangle(value, dims)
    if kind == "ellipsoidGate":
        return _ellipse(value, dims)
    inner = value.get("filters", ".Data")
    if kind in ("intersectFilter", "unionFilter", "complementFilter") and isinstance(inner, RCall):
        parts = tuple(gates_of(inner, dims))
        if not parts:
            raise RSyntaxError(f"{kind} holds no gate")
        if kind == "complementFilter":
            return Not(parts[0])
        return All(parts) if kind == "intersectFilter" else Any_(parts)
    raise RSyntaxError(f"{kind} is not a gate that can be read")


def _polygon(value: RCall, dims: Sequence[str]) -> Gate:
    corners, names = array_of(value.get("boundaries", ".gate", "boundary"))
    axes = _axes(value, names, dims, corners.shape[1])
    if corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
        raise RSyntaxError(f"polygonGate: expected 3 finite points or more on 2 axes, found {corners.shape}")
    return Polygon((axes[0], axes[1]), tuple((float(x), float(y)) for x, y in corners))


def _rectangle(value: RCall, dims: Sequence[str]) -> Gate:
    matrix = value.get(".gate")
    low: Sequence[float]
    high: Sequence[float]
    if matrix is not None:
        limits, names = array_of(matrix)
        if limits.shape[0] != 2:
            raise RSyntaxError(f"rectangleGate: expected 2 rows of limits, found {limits.shape[0]}")
        low, high = limits[0].tolist(), limits[1].tolist()
    else:
        names, low = _named(value.get("min"), ())
        upper_names, high = _named(value.get("max"), ())
        if len(low) != len(high) or (all(names) and all(upper_names) and names != upper_names):
            raise RSyntaxError("rectangleGate: min and max are not of the same axes")
    axes = _axes(value, names, dims, len(low))
    for axis, least, most in zip(axes, low, high, strict=True):
        if not least <= most:
            raise RSyntaxError(f"rectangleGate: expected min below max on {axis}, found {least:g} and {most:g}")
    if len(axes) == 1:
        return Range((axes[0],), low[0], high[0])
    return Rectangle(tuple(axes), tuple(low), tuple(high))


def _ellipse(value: RCall, dims: Sequence[str]) -> Gate:
    names, center = _named(value.get("mean"), ())
    covariance, columns = array_of(value.get("cov"))
    k = len(center)
    axes = _axes(value, names if all(names) else columns, dims, k)
    if covariance.shape != (k, k) or not np.allclose(covariance, covariance.T):
        raise RSyntaxError(f"ellipsoidGate: {k} axes need a symmetric covariance of {k} x {k}")
    if columns and set(columns) == set(axes):
        order = [columns.index(axis) for axis in axes]
        covariance = covariance[np.ix_(order, order)]
    if not np.isfinite(covariance).all() or np.linalg.eigvalsh(covariance).min() <= 0:
        raise RSyntaxError("ellipsoidGate: the covariance is not positive definite")
    distance = value.get("distance")
    size = 1.0 if distance is None else vector_of(distance)[1][0]
    if not (0 < size <= 1e154):
        raise RSyntaxError(f"ellipsoidGate: expected a distance above 0 and at most 1e154, found {size:g}")
    return Ellipse(tuple(axes), center, tuple(tuple(map(float, row)) for row in covariance), size)


def _quadrant(names: Sequence[str], at: Sequence[float], signs: tuple[int, int]) -> Gate:
    low = tuple(cut if sign > 0 else -math.inf for cut, sign in zip(at, signs, strict=True))
    high = tuple(math.inf if sign > 0 else cut for cut, sign in zip(at, signs, strict=True))
    return Rectangle(tuple(names), low, high)


def _named(value: Any, dims: Sequence[str]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    names, numbers = vector_of(value)
    if any(math.isnan(number) for number in numbers):
        raise RSyntaxError("expected numbers, found NaN")
    return (names if all(names) or len(dims) != len(numbers) else tuple(dims)), numbers


def _axes(value: RCall, names: Sequence[str], dims: Sequence[str], k: int) -> list[str]:
    """Names of the axes: those of the numbers, else of `parameters`, else of the row."""
    if len(names) == k and all(names):
        axes = list(names)
    elif (told := _parameters(value.get("parameters"))) and len(told) == k:
        axes = told
    else:
        axes = list(dims)
    if len(axes) != k or len(set(axes)) != k:
        raise RSyntaxError(f"{value.of_class} of {k} axes is on {', '.join(axes) or 'none that it names'}")
    return axes


def _parameters(value: Any) -> list[str]:
    """The channel of each transform in a list of `parameters`."""
    if not isinstance(value, RCall):
        return []
    own = value.get("parameters")
    if isinstance(own, str):
        return [own]
    inner = value.get(".Data")
    if isinstance(inner, RCall) and inner.name == "list":
        return [name for _, item in inner.arguments for name in _parameters(item)]
    if value.name == "c":
        return list(strings_of(value))
    return []


def boolean_of(text: str) -> Any:
    """`A & !B | (C)` over population names, which may hold + - / and spaces, as nested ("any"|"all"|"not", [..]) or a name.

    Precedence is that of R: not, and, or. Raises RSyntaxError.

    >>> boolean_of("CD19&!CD20")
    ('all', ['CD19', ('not', ['CD20'])])
    """
    reader = _Boolean(text)
    found = reader.either()
    if reader.at < len(reader.pieces):
        raise RSyntaxError(f"expected the end, found {reader.pieces[reader.at]!r}")
    return found


class _Boolean:
    def __init__(self, text: str) -> None:
        pieces: list[str] = [""]
        for sign in text:
            if sign in "&|!()":
                pieces += [sign, ""]
            else:
                pieces[-1] += sign
        self.pieces = [piece.strip() for piece in pieces if piece.strip()]
        self.at = 0
        if self.pieces.count("(") > 50 or len(self.pieces) > 1000:
            raise RSyntaxError("more than 50 brackets or 1000 terms")

    def either(self) -> Any:
        return self._line("|", lambda: self._line("&", self._term, "all"), "any")

    def _line(self, sign: str, part: Any, kind: str) -> Any:
        parts = [part()]
        while self.at < len(self.pieces) and self.pieces[self.at] == sign:
            while self.at < len(self.pieces) and self.pieces[self.at] == sign:  # && is & here
                self.at += 1
            parts.append(part())
        return parts[0] if len(parts) == 1 else (kind, parts)

    def _term(self) -> Any:
        negated = False
        while self.at < len(self.pieces) and self.pieces[self.at] == "!":
            negated, self.at = not negated, self.at + 1
        if self.at >= len(self.pieces):
            raise RSyntaxError("ends where a population is expected")
        piece = self.pieces[self.at]
        self.at += 1
        if piece == "(":
            found = self.either()
            if self.at >= len(self.pieces) or self.pieces[self.at] != ")":
                raise RSyntaxError("a bracket is not closed")
            self.at += 1
        elif piece in "&|)":
            raise RSyntaxError(f"expected a population, found {piece!r}")
        else:
            found = piece
        return ("not", [found]) if negated else found
