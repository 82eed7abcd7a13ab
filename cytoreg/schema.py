"""Which keys a mapping may hold and what each must be: read off the annotations of a class, with no library.

Templates are read here. Pydantic (`strictmodel`), which reads studies, plans and the parameters of automatic methods,
takes longer to load than a file takes to gate. What is accepted and what is said of the rest is as there: numbers may
be written as text (YAML reads 1e3 as such), an unknown key is an error that names the nearest valid one.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from cytoreg.errors import CytoregError, suggest
from cytoreg.yamlfile import YamlDocument, kind_of, shown

__all__ = ["Finite", "Limits", "Positive", "Schema", "read_schema"]

Step = str | int
Reader = Callable[[Any], Any]
Made = TypeVar("Made", bound="Schema")


class Limits(NamedTuple):
    """What a value must keep to, beside being of its type; None: anything goes.

    above, below: a number, itself left out; least, most: itself too. finite: neither an infinity nor not a number. shortest, longest: of a list or
    text. pattern: that the whole of a text matches.
    """

    above: float | None = None
    below: float | None = None
    least: float | None = None
    most: float | None = None
    finite: bool = False
    shortest: int | None = None
    longest: int | None = None
    pattern: str | None = None


Finite = Annotated[float, Limits(finite=True)]
Positive = Annotated[float, Limits(above=0)]


class Schema:
    """A class whose annotations are the keys; a key with a value in the class may be left out.

    Only `read_schema` makes instances; nothing changes them.
    """

    @classmethod
    def prepared(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is written, before its keys are looked at; a class may allow a shorter way to write it."""
        return data

    @classmethod
    def known(cls) -> tuple[str, ...]:
        """The keys there are."""
        return tuple(_readers_of(cast(Any, cls)))

    def said(self) -> dict[str, Any]:
        """Each key with its value, also where it was left out."""
        return {key: getattr(self, key) for key in self.known()}

    def check(self) -> None:
        """Raises ValueError where keys that are right by themselves do not go together."""


def read_schema(schema: type[Made], document: YamlDocument, error: type[CytoregError]) -> Made:
    """The document as an instance of its schema, or `error` with one line that says where it departs from it."""
    if not isinstance(document.data, Mapping):
        raise error(f"{document.where(())}: expected keys and values, found {kind_of(document.data)}")
    try:
        made: Made = _mapping_of(cast(Any, schema))(document.data)
        return made
    except _Fault as fault:
        raise error(f"{document.where(fault.path)}: {fault.message}") from None


class _Fault(Exception):
    """What is wrong, and the keys down to where it stands, which are put before it on the way up."""

    def __init__(self, message: str, *path: Step) -> None:
        super().__init__(message)
        self.message, self.path = message, path


def _not(expected: str, value: Any) -> _Fault:
    return _Fault(f"input should be {expected}, found {shown(value)}")


def _below(step: Step, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except _Fault as fault:
        raise _Fault(fault.message, step, *fault.path) from None


@cache
def _readers_of(schema: Any) -> dict[str, Reader]:
    return {key: _reader(hint) for key, hint in get_type_hints(schema, include_extras=True).items()}


@cache
def _mapping_of(schema: Any) -> Reader:
    readers = _readers_of(schema)

    def read(data: Any) -> Schema:
        if not isinstance(data, Mapping):
            raise _not("a valid dictionary", data)
        for key in data:
            if key not in readers:
                raise _Fault(f"unknown key '{key}'; {suggest(key, readers)}", str(key))
        data = schema.prepared(data)
        made = schema()
        for key, reader in readers.items():
            if key in data:
                setattr(made, key, _below(key, reader, data[key]))
            elif not hasattr(schema, key):
                raise _Fault("is required and is not there", key)
        try:
            made.check()
        except ValueError as problem:
            raise _Fault(str(problem)) from None
        return made

    return read


@cache
def _reader(hint: Any) -> Reader:
    """What turns a value of YAML into a value of a type. Raises _Fault where it is none."""
    kind, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: value
    if kind is Annotated:
        return _limited(_reader(arguments[0]), arguments[1])
    if kind in (Union, UnionType):
        return _one_of([item for item in arguments if item is not NoneType], NoneType in arguments)
    if kind is Literal:
        return _literal(arguments)
    if kind is tuple and arguments[-1] is Ellipsis:
        return _many(_reader(arguments[0]))
    if kind is tuple:
        return _each([_reader(item) for item in arguments])
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return _named(_reader(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, Schema):
        return _mapping_of(cast(Any, hint))
    return _PLAIN[hint]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _not("a valid string", value)


def _number(value: Any) -> float:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise _not("a valid number, unable to parse string as a number", value) from None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _not("a valid number", value) from None


def _whole(value: Any) -> int:
    if isinstance(value, str | float):
        number = _number(value) if isinstance(value, str) else value
        if not math.isfinite(number):
            raise _not("a finite number", value)
        if number != int(number):
            raise _not("a valid integer, got a number with a fractional part", value)
        return int(number)
    try:
        return operator.index(value)
    except TypeError:
        raise _not("a valid integer", value) from None


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.casefold() in _TRUTHS:
        return _TRUTHS[value.casefold()]
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise _not("a valid boolean", value)


_TRUTHS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
_TRUTHS |= dict.fromkeys(("false", "f", "no", "n", "off", "0"), False)
_PLAIN: dict[Any, Reader] = {str: _text, float: _number, int: _whole, bool: _truth}


def _limited(read: Reader, limits: Limits) -> Reader:
    def keep(value: Any) -> Any:
        made = read(value)
        if limits.finite and not math.isfinite(made):
            raise _not("a finite number", value)
        if limits.above is not None and not made > limits.above:
            raise _not(f"greater than {limits.above:g}", value)
        if limits.below is not None and not made < limits.below:
            raise _not(f"less than {limits.below:g}", value)
        if limits.least is not None and not made >= limits.least:
            raise _not(f"greater than or equal to {limits.least:g}", value)
        if limits.most is not None and not made <= limits.most:
            raise _not(f"less than or equal to {limits.most:g}", value)
        if limits.shortest is not None and len(made) < limits.shortest:
            raise _not(f"at least {limits.shortest} long, not {len(made)}", value)
        if limits.longest is not None and len(made) > limits.longest:
            raise _not(f"at most {limits.longest} long, not {len(made)}", value)
        if limits.pattern is not None and not re.fullmatch(limits.pattern, made):
            raise _Fault(f"string should match pattern '{limits.pattern}', found {shown(value)}")
        return made

    return keep


def _one_of(kinds: list[Any], nothing: bool) -> Reader:
    """The first type that a value is; what is said of one that is none is what its last type says."""
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any) -> Any:
        if value is None and nothing:
            return None
        for reader in readers[:-1]:
            try:
                return reader(value)
            except _Fault:
                continue
        return readers[-1](value)

    return read


def _literal(words: tuple[Any, ...]) -> Reader:
    expected = " or ".join(filter(None, (", ".join(map(repr, words[:-1])), repr(words[-1]))))

    def read(value: Any) -> Any:
        if any(type(value) is type(word) and value == word for word in words):
            return value
        raise _not(expected, value)

    return read


def _many(read: Reader) -> Reader:
    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _not("a valid list", value)
        return tuple([_below(i, read, item) for i, item in enumerate(value)])

    return read_all


def _each(readers: list[Reader]) -> Reader:
    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _not("a valid list", value)
        if len(value) < len(readers):
            raise _Fault("is required and is not there", len(value))
        if len(value) > len(readers):
            raise _not(f"at most {len(readers)} long, not {len(value)}", value)
        return tuple([_below(i, read, item) for i, (read, item) in enumerate(zip(readers, value, strict=True))])

    return read_all


def _named(read: Reader) -> Reader:
    def read_all(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _not("a valid dictionary", value)
        for key in value:
            _below(key if isinstance(key, str | int) else str(key), _text, key)
        return {key: _below(key, read, item) for key, item in value.items()}

    return read_all
