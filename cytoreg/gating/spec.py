"""What a template may write under `gate:`: geometry, booleans over gates and populations, automatic methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, FiniteFloat, field_validator, model_validator

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle
from cytoreg.gating.methods import method_names, params_of
from cytoreg.yamlfile import StrictModel, YamlDocument, validate

__all__ = ["GateSpec", "parse_gate"]

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


def parse_gate(document: YamlDocument) -> GateSpec | dict[str, GateSpec]:
    """The gate of a population; of a quadrant without `keep`, its four parts by name.

    Raises TemplateError with file, line, key and the nearest valid word.
    """
    if _kind_of(document) == "quadrant" and not _has_key(document.data["quadrant"], "keep"):
        return validate(_Quadrant, document.at("quadrant"), TemplateError).four()
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
        geometry = validate(_GEOMETRY[kind], inner, TemplateError).gate()
        return GateSpec(kind, geometry=geometry, on=geometry.on)
    fallback = None
    if _has_key(inner.data, "fallback"):
        fallback = _parse(inner.at("fallback"), depth + 1)
    params = validate(params_of(kind), inner, TemplateError)
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


class _Range(StrictModel):
    on: str
    min: float = -INFINITY
    max: float = INFINITY

    @model_validator(mode="after")
    def _some_width(self) -> _Range:
        if not self.min < self.max:
            raise ValueError(f"expected min below max, found {self.min:g} and {self.max:g}")
        return self

    def gate(self) -> Gate:
        return Range((self.on,), self.min, self.max)


class _Rectangle(StrictModel):
    on: list[str] = Field(min_length=1)
    min: list[float | None]
    max: list[float | None]

    @model_validator(mode="after")
    def _one_each(self) -> _Rectangle:
        if not len(self.on) == len(self.min) == len(self.max):
            raise ValueError(
                f"{len(self.on)} axes need as many min and max, found {len(self.min)}, {len(self.max)}"
            )
        for axis, low, high in zip(self.on, *self._limits(), strict=True):
            if not low < high:
                raise ValueError(f"expected min below max on {axis}, found {low:g} and {high:g}")
        return self

    def gate(self) -> Gate:
        return Rectangle(tuple(self.on), *self._limits())

    def _limits(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        low = tuple(-INFINITY if value is None else value for value in self.min)
        high = tuple(INFINITY if value is None else value for value in self.max)
        return low, high


class _Polygon(StrictModel):
    on: tuple[str, str]
    vertices: list[tuple[FiniteFloat, FiniteFloat]] = Field(min_length=3)

    def gate(self) -> Gate:
        return Polygon(self.on, tuple(self.vertices))


class _Ellipse(StrictModel):
    on: list[str] = Field(min_length=1)
    center: list[FiniteFloat]
    covariance: list[list[FiniteFloat]]
    distance: FiniteFloat = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _positive_definite(self) -> _Ellipse:
        import numpy as np

        k = len(self.on)
        if len(self.center) != k or len(self.covariance) != k or any(len(row) != k for row in self.covariance):
            raise ValueError(f"{k} axes need a center of {k} numbers and a covariance of {k} x {k}")
        matrix = np.asarray(self.covariance)
        if not np.allclose(matrix, matrix.T) or np.linalg.eigvalsh(matrix).min() <= 0:
            raise ValueError("the covariance must be symmetric and positive definite")
        return self

    def gate(self) -> Gate:
        covariance = tuple(tuple(row) for row in self.covariance)
        return Ellipse(tuple(self.on), tuple(self.center), covariance, self.distance)


class _Quadrant(StrictModel):
    on: tuple[str, str]
    at: tuple[FiniteFloat, FiniteFloat]
    keep: str | None = None

    @field_validator("keep")
    @classmethod
    def _a_quadrant(cls, value: str | None) -> str | None:
        if value is not None and value not in ("++", "+-", "-+", "--"):
            raise ValueError(f"expected one of ++, +-, -+, --, found {value!r}")
        return value

    def gate(self) -> Gate:
        return self._part(self.keep or "++")

    def four(self) -> dict[str, GateSpec]:
        x, y = self.on
        parts = {f"{x}{keep[0]}{y}{keep[1]}": self._part(keep) for keep in ("++", "+-", "-+", "--")}
        return {name: GateSpec("quadrant", geometry=gate, on=self.on) for name, gate in parts.items()}

    def _part(self, keep: str) -> Rectangle:
        low = tuple(cut if sign == "+" else -INFINITY for sign, cut in zip(keep, self.at, strict=True))
        high = tuple(INFINITY if sign == "+" else cut for sign, cut in zip(keep, self.at, strict=True))
        return Rectangle(self.on, low, high)


_GEOMETRY: dict[str, Any] = {
    "range": _Range,
    "rectangle": _Rectangle,
    "polygon": _Polygon,
    "ellipse": _Ellipse,
    "quadrant": _Quadrant,
}
