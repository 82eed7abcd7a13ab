"""A display scale as a template writes it: its word, its parameters, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cytoreg.errors import TemplateError, suggest
from cytoreg.schema import Limits, Positive, Schema, read_schema
from cytoreg.transforms import Transform, transform_of
from cytoreg.transforms.choosing import AUTO, CHOOSABLE
from cytoreg.yamlfile import YamlDocument

__all__ = ["parse_scale", "parse_transform"]


class _Log(Schema):
    T: Positive | None = None
    M: Positive = 4.5
    clip: bool = False


class _Logicle(Schema):
    T: Positive | None = None
    W: Annotated[float, Limits(least=0)] = 0.5
    M: Positive = 4.5
    A: float = 0.0


class _Hyperlog(Schema):
    T: Positive | None = None
    W: Positive = 0.5
    M: Positive = 4.5
    A: float = 0.0


class _Arcsinh(Schema):
    cofactor: Positive = 150.0


class _Biexponential(Schema):
    T: Positive = 262144.0
    positive: Positive = 4.418540
    negative: Annotated[float, Limits(least=0)] = 0.0
    width: Annotated[float, Limits(below=0)] = -10.0
    length: Annotated[int, Limits(least=16)] = 4096


_SCHEMAS: dict[str, type[Schema]] = {
    "linear": Schema,
    "log": _Log,
    "arcsinh": _Arcsinh,
    "logicle": _Logicle,
    "hyperlog": _Hyperlog,
    "biexponential": _Biexponential,
}


def parse_transform(document: YamlDocument) -> Any:
    """`linear`, or {kind: parameters} with what was left out filled in; T may stay open, for the channel's top, and the
    width of a logicle or the cofactor of an arcsinh may be `auto`.

    Raises TemplateError with file, line and key.
    """
    data = document.data
    kind = data if isinstance(data, str) else next(iter(data), "") if isinstance(data, Mapping) else ""
    if kind not in _SCHEMAS or (isinstance(data, Mapping) and len(data) != 1):
        raise TemplateError(
            f"{document.where(())}: unknown transform {str(data)!r}; {suggest(str(kind), _SCHEMAS)}"
        )
    if isinstance(data, str):
        return data
    inner = document.at(kind)
    inner = YamlDocument(inner.name, inner.data or {}, inner.lines, inner.prefix)
    chosen = {
        key: AUTO
        for key in CHOOSABLE.get(kind, ())[:1]
        if isinstance(inner.data, Mapping) and inner.data.get(key) == AUTO
    }
    if chosen:
        data = {key: value for key, value in inner.data.items() if key not in chosen}
        inner = YamlDocument(inner.name, data, inner.lines, inner.prefix)
    params = read_schema(_SCHEMAS[kind], inner, TemplateError)
    given = {key: value for key, value in params.said().items() if value is not None}
    try:
        transform_of(kind, given)
    except ValueError as problem:
        raise TemplateError(f"{document.where(())}: {problem}") from None
    return {kind: {**given, **chosen}}


def parse_scale(document: YamlDocument) -> Transform:
    """The scale itself, for an axis that states it; its top must be stated too, since no channel lends one."""
    said = parse_transform(document)
    kind, params = (said, {}) if isinstance(said, str) else next(iter(said.items()))
    if AUTO in params.values():
        raise TemplateError(f"{document.where(())}: the scale of an axis is stated; `auto` stands in `transforms`")
    if "T" in _SCHEMAS[kind].known() and "T" not in params:
        raise TemplateError(f"{document.where(())}: the scale of an axis needs T, the top in linear values")
    return transform_of(kind, params)
