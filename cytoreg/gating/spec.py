"""What a template may write under `gate:`: geometry, booleans over gates and populations, automatic methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import All, Any_, Gate, Not, Reference
from cytoreg.gating.geometry import GEOMETRY, Quadrant
from cytoreg.gating.methods import is_method, method_names, plug_in_names, read_params
from cytoreg.schema import read_schema
from cytoreg.yamlfile import YamlDocument

__all__ = ["GateSpec", "drawn", "parse_gate"]

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

    @property
    def is_fitted(self) -> bool:
        """Whether an automatic method places it, or a part of it."""
        return self.params is not None or any(part.is_fitted for part in self.parts)

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
    """The gate of a population; of a quadrant or quadrants without `keep`, the four parts by name.

    Raises TemplateError with file, line, key and the nearest valid word.
    """
    if isinstance(document.data, str):
        return _parse(document, 0)  # the same events as another population, within another parent
    if _kind_of(document) == "quadrant" and not _has_key(document.data["quadrant"], "keep"):
        four = read_schema(Quadrant, document.at("quadrant"), TemplateError).parts()
        return {name: drawn(part) for name, part in four.items()}
    if _kind_of(document) == "quadrants" and not _has_key(document.data["quadrants"], "keep"):
        return _four(document)
    return _parse(document, 0)


def _four(document: YamlDocument) -> dict[str, GateSpec]:
    """The four populations of quadrants that place themselves: the same gate, each keeping another part."""
    from cytoreg.gating.methods.quadrants import names_of

    inner = document.at("quadrants")
    on = read_params("quadrants", inner).on
    return {
        name: _parse(replace(document, data={"quadrants": {**inner.data, "keep": keep}}), 0)
        for name, keep in names_of(on).items()
    }


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
    if kind in GEOMETRY:
        return drawn(read_schema(GEOMETRY[kind], inner, TemplateError).gate())
    fallback = None
    if _has_key(inner.data, "fallback"):
        fallback = _parse(inner.at("fallback"), depth + 1)
    params = read_params(kind, inner)
    _usable_fallback(inner, fallback, getattr(params, "by", "sample"))
    on = (params.on,) if isinstance(params.on, str) else tuple(params.on)
    return GateSpec(kind, params=params, fallback=fallback, on=on)


def _usable_fallback(document: YamlDocument, fallback: GateSpec | None, by: str) -> None:
    """A fallback is a method or a geometry; that of a cut which tubes share is one cut on one axis."""
    if fallback is None:
        return
    shared = by != "sample"
    if fallback.parts or fallback.population:
        raise TemplateError(
            f"{document.where(['fallback'])}: expected an automatic method or a geometry, "
            f"found {fallback.population or fallback.kind!r}"
        )
    said: set[str] = getattr(fallback.params, "model_fields_set", set()) & {"by", "pool", "pull", "weigh"}
    if said and (said != {"by"} or fallback.by != by):
        word = min(said)
        raise TemplateError(
            f"{document.where(['fallback', fallback.kind, word])}: a fallback is shared as the gate is that it stands in "
            f"for (by: {by}); leave {word} out"
        )
    if shared and fallback.kind in GEOMETRY and fallback.kind != "range":
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
    known = [*GEOMETRY, "all", "any", "not", *method_names()]
    if not isinstance(document.data, Mapping) or len(document.data) != 1:
        raise TemplateError(
            f"{document.where(())}: expected one gate, such as {{range: {{on: CD4, min: 2}}}}, "
            f"found {str(document.data)[:60]!r}"
        )
    kind = str(next(iter(document.data)))
    if kind not in known and not is_method(kind):
        known += plug_in_names()
        raise TemplateError(f"{document.where([kind])}: unknown gate '{kind}'; {suggest(kind, known, limit=30)}")
    return kind
