"""What a template may write under `gate:`: geometry, booleans over gates and populations, automatic methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle, Reference, is_definite
from cytoreg.gating.methods import method_names, read_params
from cytoreg.schema import Finite, Limits, Schema, read_schema
from cytoreg.yamlfile import YamlDocument

__all__ = ["GateSpec", "drawn", "parse_gate"]

INFINITY = float("inf")
MAX_DEPTH = 30


@dataclass(frozen=True)
class GateSpec:
    """One gate as the template asks for it.

    kind: the word in the template. geometry: the gate itself where the template draws it. params: of
    an automatic method. parts: of a boolean. population: of a reference. fallback: what to do where
    the method cannot be fitted or has no control.
    """

    kind: str
    geometry: Gate | None = None
    params: Any = None
    parts: tuple[GateSpec, ...] = ()
    population: str | None = None
    fallback: GateSpec | None = None
    on: tuple[str, ...] = field(default=())

    @property
    def by(self) -> str:
        """Over which tubes an automatic cut is shared: sample, batch, subject or study."""
        return getattr(self.params, "by", "sample")

    def walk(self) -> Iterator[GateSpec]:
        """This spec and all within it, fallbacks included."""
        yield self
        for part in (*self.parts, *((self.fallback,) if self.fallback else ())):
            yield from part.walk()

    def describe(self) -> Any:
        """The gate as a template would say it."""
        if self.population is not None:
            return self.population
        if self.kind == "not":
            return {"not": self.parts[0].describe()}
        if self.parts:
            return {self.kind: [part.describe() for part in self.parts]}
        if self.geometry is not None:
            return self.geometry.describe()
        said = _plain(self.params.model_dump(by_alias=True, exclude_unset=True))
        return {self.kind: said | ({"fallback": self.fallback.describe()} if self.fallback else {})}

    def axes(self) -> tuple[str, ...]:
        """Every marker that placing or applying this gate needs."""
        return tuple(dict.fromkeys(axis for spec in self.walk() for axis in spec.on))

    def required(self) -> tuple[str, ...]:
        """The markers without which the gate cannot be placed at all, its fallbacks counted on."""
        own = self.fallback.required() if self.fallback is not None else self.on
        return tuple(dict.fromkeys((*own, *(axis for part in self.parts for axis in part.required()))))

    def populations(self) -> tuple[str, ...]:
        """Other populations that must be gated first."""
        named = [spec.population for spec in self.walk() if spec.population]
        named += [source for spec in self.walk() if (source := getattr(spec.params, "source", None))]
        return tuple(dict.fromkeys(named))


def drawn(geometry: Gate) -> GateSpec:
    """The spec of a gate that is there already: of geometry, of a population, or a boolean over such."""
    match geometry:
        case Reference(population=population):
            return GateSpec("population", population=population)
        case All(parts=parts) | Any_(parts=parts):
            return GateSpec(geometry.kind, parts=tuple(map(drawn, parts)))
        case Not(part=part):
            return GateSpec("not", parts=(drawn(part),))
        case _:
            return GateSpec(geometry.kind, geometry=geometry, on=geometry.on)


def parse_gate(document: YamlDocument) -> GateSpec | dict[str, GateSpec]:
    """The gate of a population; of a quadrant without `keep`, its four parts by name.

    Raises TemplateError with file, line, key and the nearest valid word.
    """
    if isinstance(document.data, str):
        return _parse(document, 0)  # the same events as another population, within another parent
    if _kind_of(document) == "quadrant" and not _has_key(document.data["quadrant"], "keep"):
        return read_schema(_Quadrant, document.at("quadrant"), TemplateError).parts()
    return _parse(document, 0)


def _parse(document: YamlDocument, depth: int) -> GateSpec:
    if depth > MAX_DEPTH:
        raise TemplateError(f"{document.where(())}: gates within gates more than {MAX_DEPTH} deep")
    if isinstance(document.data, str):
        return GateSpec("population", population=document.data)
    kind = _kind_of(document)
    inner = document.at(kind)
    if kind in ("all", "any"):
        if not isinstance(inner.data, list) or not inner.data:
            raise TemplateError(f"{inner.where(())}: expected a list of gates or population names")
        return GateSpec(kind, parts=tuple(_parse(inner.at(i), depth + 1) for i in range(len(inner.data))))
    if kind == "not":
        return GateSpec(kind, parts=(_parse(inner, depth + 1),))
    if kind in _GEOMETRY:
        return drawn(read_schema(_GEOMETRY[kind], inner, TemplateError).gate())
    fallback = None
    if _has_key(inner.data, "fallback"):
        fallback = _parse(inner.at("fallback"), depth + 1)
    params = read_params(kind, inner)
    _usable_fallback(inner, fallback, shared=getattr(params, "by", "sample") != "sample")
    on = (params.on,) if isinstance(params.on, str) else tuple(params.on)
    return GateSpec(kind, params=params, fallback=fallback, on=on)


def _usable_fallback(document: YamlDocument, fallback: GateSpec | None, *, shared: bool) -> None:
    """A fallback is a method or a geometry; that of a cut which tubes share is one cut on one axis."""
    if fallback is None:
        return
    if fallback.parts or fallback.population:
        raise TemplateError(
            f"{document.where(['fallback'])}: expected an automatic method or a geometry, "
            f"found {fallback.population or fallback.kind!r}"
        )
    if shared and fallback.kind in _GEOMETRY and fallback.kind != "range":
        raise TemplateError(
            f"{document.where(['fallback'])}: a cut that tubes share needs a method or a range, found {fallback.kind!r}"
        )


def _plain(value: Any) -> Any:
    """Tuples as lists, so that YAML and JSON can say it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _has_key(data: Any, key: str) -> bool:
    return isinstance(data, Mapping) and key in data


def _kind_of(document: YamlDocument) -> str:
    known = [*_GEOMETRY, "all", "any", "not", *method_names()]
    if not isinstance(document.data, Mapping) or len(document.data) != 1:
        raise TemplateError(
            f"{document.where(())}: expected one gate, such as {{range: {{on: CD4, min: 2}}}}, "
            f"found {str(document.data)[:60]!r}"
        )
    kind = str(next(iter(document.data)))
    if kind not in known:
        raise TemplateError(f"{document.where([kind])}: unknown gate '{kind}'; {suggest(kind, known, limit=30)}")
    return kind


class _Range(Schema):
    on: str
    min: float = -INFINITY
    max: float = INFINITY

    def check(self) -> None:
        if not self.min <= self.max:  # equal: a gate that holds nothing, as programs may draw it
            raise ValueError(f"expected min below max, found {self.min:g} and {self.max:g}")

    def gate(self) -> Gate:
        return Range((self.on,), self.min, self.max)


_Axes = Annotated[tuple[str, ...], Limits(shortest=1)]


class _Rectangle(Schema):
    on: _Axes
    min: tuple[float | None, ...]
    max: tuple[float | None, ...]

    def check(self) -> None:
        if not len(self.on) == len(self.min) == len(self.max):
            raise ValueError(
                f"{len(self.on)} axes need as many min and max, found {len(self.min)}, {len(self.max)}"
            )
        for axis, low, high in zip(self.on, *self._limits(), strict=True):
            if not low <= high:
                raise ValueError(f"expected min below max on {axis}, found {low:g} and {high:g}")

    def gate(self) -> Gate:
        return Rectangle(self.on, *self._limits())

    def _limits(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        low = tuple(-INFINITY if value is None else value for value in self.min)
        high = tuple(INFINITY if value is None else value for value in self.max)
        return low, high


class _Polygon(Schema):
    on: tuple[str, str]
    vertices: Annotated[tuple[tuple[Finite, Finite], ...], Limits(shortest=3)]

    def gate(self) -> Gate:
        return Polygon(self.on, self.vertices)


class _Ellipse(Schema):
    on: _Axes
    center: tuple[Finite, ...]
    covariance: tuple[tuple[Finite, ...], ...]
    distance: Annotated[float, Limits(finite=True, above=0, most=1e154)] = 1.0  # its square is compared with
    definite: bool = True

    def check(self) -> None:
        import numpy as np

        k = len(self.on)
        if len(self.center) != k or len(self.covariance) != k or any(len(row) != k for row in self.covariance):
            raise ValueError(f"{k} axes need a center of {k} numbers and a covariance of {k} x {k}")
        if self.definite and not is_definite(self.covariance):
            raise ValueError("the covariance must be symmetric and positive definite")
        if np.linalg.matrix_rank(np.asarray(self.covariance)) < k:
            raise ValueError("the covariance cannot be inverted")

    def gate(self) -> Gate:
        return Ellipse(self.on, self.center, self.covariance, self.distance)


class _Quadrant(Schema):
    """Dividers on each axis, and which of the parts between them is kept.

    at: one divider an axis, or an ascending list of them. keep: `++` and so on for one divider on each of two
    axes; else a number an axis, counted from 0 for what lies below the first divider, null for anywhere.
    """

    on: Annotated[tuple[str, ...], Limits(shortest=2)]
    at: tuple[tuple[Finite, ...], ...]
    keep: str | tuple[int | None, ...] | None = None

    @classmethod
    def prepared(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """One divider of an axis may stand without a list."""
        cuts = data.get("at")
        if not isinstance(cuts, list):
            return data
        return {**data, "at": [cut if isinstance(cut, list) else [cut] for cut in cuts]}

    def check(self) -> None:
        if len(self.at) != len(self.on):
            raise ValueError(f"{len(self.on)} axes need dividers at {len(self.on)} places, found {len(self.at)}")
        for axis, cuts in zip(self.on, self.at, strict=True):
            if not cuts or any(left >= right for left, right in pairwise(cuts)):
                raise ValueError(f"expected ascending dividers on {axis}, found {list(cuts)}")
        if isinstance(self.keep, str):
            if not self._is_plain() or self.keep not in _SIGNS:
                raise ValueError(f"expected one of {', '.join(_SIGNS)}, found {self.keep!r}")
        elif self.keep is not None:
            if len(self.keep) != len(self.on):
                raise ValueError(
                    f"{len(self.on)} axes need {len(self.on)} numbers to keep, found {len(self.keep)}"
                )
            for axis, cuts, place in zip(self.on, self.at, self.keep, strict=True):
                if place is not None and not 0 <= place <= len(cuts):
                    raise ValueError(f"{axis} has the parts 0 to {len(cuts)}, found {place}")
        elif not self._is_plain():
            raise ValueError("keep is required: which part between the dividers of each axis")

    def gate(self) -> Gate:
        if isinstance(self.keep, str):
            return self._part([sign == "+" for sign in self.keep])
        return self._part(self.keep or ())

    def parts(self) -> dict[str, GateSpec]:
        """The four of one divider on each of two axes, by name."""
        x, y = self.on
        return {f"{x}{k[0]}{y}{k[1]}": drawn(self._part([sign == "+" for sign in k])) for k in _SIGNS}

    def _is_plain(self) -> bool:
        return len(self.on) == 2 and all(len(cuts) == 1 for cuts in self.at)

    def _part(self, keep: Sequence[int | None]) -> Rectangle:
        edges = [(-INFINITY, *cuts, INFINITY) for cuts in self.at]
        low = tuple(-INFINITY if i is None else edge[i] for i, edge in zip(keep, edges, strict=True))
        high = tuple(INFINITY if i is None else edge[i + 1] for i, edge in zip(keep, edges, strict=True))
        return Rectangle(self.on, low, high)


_SIGNS = ("++", "+-", "-+", "--")
_GEOMETRY: dict[str, Any] = {
    "range": _Range,
    "rectangle": _Rectangle,
    "polygon": _Polygon,
    "ellipse": _Ellipse,
    "quadrant": _Quadrant,
}
