"""R objects written as text (what R's deparse and dput give), read as data: nothing is evaluated.

Covers literals, `c`, `list`, `structure`, `matrix`, `new`, `function () NULL`, ranges such as 1:3, and names. The
grammar is that of the R Language Definition, section 10, as far as data need it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

__all__ = ["RCall", "RName", "RSyntaxError", "array_of", "parse_arguments", "parse_r", "strings_of", "vector_of"]

MAX_DEPTH = 60
LITERALS: Mapping[str, Any] = {
    "TRUE": True,
    "FALSE": False,
    "T": True,
    "F": False,
    "NULL": None,
    "NA": None,
    "Inf": math.inf,
    "NaN": math.nan,
}
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<name>`[^`]*`|[A-Za-z.][\w.]*)
  | (?P<sign>::|<-|==|!=|<=|>=|[-+*/^:=,(){}\[\]~!&|<>$@;])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


class RSyntaxError(ValueError):
    """Text that is not data in R's syntax; the message says where and what."""


@dataclass(frozen=True)
class RName:
    """A name that stands for something that is not written here."""

    name: str


@dataclass(frozen=True)
class RCall:
    """A call that was written and is not carried out. arguments: (name or empty, value) in order."""

    name: str
    arguments: tuple[tuple[str, Any], ...]

    def get(self, *names: str) -> Any:
        """The first argument that has one of these names, or None."""
        return next((value for key, value in self.arguments if key in names), None)

    @property
    def unnamed(self) -> tuple[Any, ...]:
        """The values without a name."""
        return tuple(value for key, value in self.arguments if not key)

    @property
    def of_class(self) -> str:
        """The class of `new('class', ...)`, else the name of the call."""
        first = next(iter(self.unnamed), None)
        return first if self.name == "new" and isinstance(first, str) else self.name


def parse_r(text: str) -> Any:
    """One value: a number, string, bool, None, RName or RCall. Raises RSyntaxError."""
    reader = _Reader(text)
    value = reader.value()
    reader.end()
    return value


def parse_arguments(text: str) -> list[tuple[str, Any]]:
    """What may stand between the brackets of a call: `K = 2, target = c(1e5, 5e4)`. Raises RSyntaxError.

    >>> parse_arguments("K = 2, side = 'left'")
    [('K', 2.0), ('side', 'left')]
    """
    reader = _Reader(text)
    found = list(reader.arguments(""))
    reader.end()
    return found


def vector_of(value: Any) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names (empty where there are none) and numbers of a vector: `c(a = 1, 2)`, `structure(..)`, a number.

    Raises RSyntaxError where it is not a vector of numbers.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("",), (float(value),)
    if isinstance(value, RCall) and value.name == "structure":
        data, names = vector_of(_data(value)), value.get(".Names", "names")
        return (strings_of(names) if names is not None else data[0]), data[1]
    if isinstance(value, RCall) and value.name in ("c", "list", "setNames"):
        items: list[tuple[str, float]] = []
        for key, item in value.arguments:
            names, numbers = vector_of(item)
            items += [(key or name, number) for name, number in zip(names, numbers, strict=True)]
        return tuple(name for name, _ in items), tuple(number for _, number in items)
    if isinstance(value, RCall) and value.name == ":":
        first, last = (_whole(part, "the end of a range") for part in value.unnamed)
        if abs(last - first) > 100_000:
            raise RSyntaxError(f"the range {first}:{last} is too long")
        steps = range(first, last + 1) if first <= last else range(first, last - 1, -1)
        return ("",) * len(steps), tuple(map(float, steps))
    raise RSyntaxError(f"expected numbers, found {_shown(value)}")


def strings_of(value: Any) -> tuple[str, ...]:
    """The strings of `c('a', 'b')` or of one string. Raises RSyntaxError."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, RCall) and value.name in ("c", "list"):
        return tuple(text for _, item in value.arguments for text in strings_of(item))
    raise RSyntaxError(f"expected text, found {_shown(value)}")


def array_of(value: Any) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """A matrix and the names of its columns: `structure(c(..), .Dim = .., .Dimnames = ..)` or `matrix(..)`.

    Raises RSyntaxError where it is not a matrix of numbers.
    """
    if not isinstance(value, RCall) or value.name not in ("structure", "matrix", "cbind"):
        raise RSyntaxError(f"expected a matrix, found {_shown(value)}")
    if value.name == "cbind":
        columns = [vector_of(item)[1] for _, item in value.arguments]
        if len({len(column) for column in columns}) != 1:
            raise RSyntaxError("the columns of cbind are not of one length")
        return np.array(columns, dtype=np.float64).T, tuple(key for key, _ in value.arguments)
    numbers = np.array(vector_of(_data(value))[1], dtype=np.float64)
    if value.name == "structure":
        shape = tuple(_whole(number, ".Dim") for number in vector_of(value.get(".Dim", "dim"))[1])
    else:
        said = [value.get("nrow"), value.get("ncol")]
        rows, columns_ = (None if item is None else _whole(item, "nrow or ncol") for item in said)
        count = len(numbers)
        wide = columns_ if columns_ is not None else max(1, count // rows) if rows else 1
        shape = (rows if rows is not None else count // max(wide, 1), wide)
    if len(shape) != 2 or min(shape) < 0 or shape[0] * shape[1] != len(numbers):
        raise RSyntaxError(f"{len(numbers)} numbers do not make a matrix of {' x '.join(map(str, shape))}")
    by_row = value.name == "matrix" and value.get("byrow") is True
    matrix = numbers.reshape(shape, order="C" if by_row else "F")
    names = value.get(".Dimnames", "dimnames")
    labels = [item for _, item in names.arguments] if isinstance(names, RCall) and names.name == "list" else []
    return matrix, (strings_of(labels[1]) if len(labels) == 2 and labels[1] is not None else ())


def _data(call: RCall) -> Any:
    """The first argument of `structure` or `matrix`."""
    value = call.get(".Data", "data")
    if value is None:
        value = next(iter(call.unnamed), None)
    return value


def _whole(value: Any, what: str) -> int:
    """A whole number. Raises RSyntaxError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RSyntaxError(f"{what}: expected a whole number, found {_shown(value)}")
    return int(value)


def _shown(value: Any) -> str:
    if isinstance(value, RCall):
        return f"{value.of_class}(...)"
    return value.name if isinstance(value, RName) else "nothing" if value is None else repr(value)[:40]


class _Reader:
    """Tokens from left to right; position says where a message points."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                start = at + len(text[at:]) - len(text[at:].lstrip())
                raise RSyntaxError(f"character {start + 1}: {text[start : start + 12]!r} is not R")
            kind = found.lastgroup or ""
            self.tokens.append((kind, found.group(kind), found.start(kind)))
            at = found.end()
        self.place = 0
        self.depth = 0

    def end(self) -> None:
        if self.place < len(self.tokens):
            self._fail("expected the end")

    def value(self) -> Any:
        """A value, with `:` and signs."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RSyntaxError(f"brackets within brackets more than {MAX_DEPTH} deep")
        value = self._signed()
        if self._next_is(":"):
            self.place += 1
            value = RCall(":", (("", value), ("", self._signed())))
        self.depth -= 1
        return value

    def arguments(self, closing: str) -> Iterator[tuple[str, Any]]:
        """Arguments up to the closing bracket, which stays; empty ones are left out."""
        while self.place < len(self.tokens) and not (closing and self._next_is(closing)):
            if self._next_is(","):
                self.place += 1
                continue
            kind, text, _ = self.tokens[self.place]
            named = kind in ("name", "string") and self._next_is("=", 1)
            if named:
                self.place += 2
            empty = named and (self.place >= len(self.tokens) or self._next_is(",") or self._next_is(closing))
            yield _unquoted(text) if named else "", None if empty else self.value()
            if (
                self.place < len(self.tokens)
                and not self._next_is(",")
                and not (closing and self._next_is(closing))
            ):
                self._fail("expected a comma")

    def _signed(self) -> Any:
        sign = 1.0
        signed = False
        while self._next_is("-") or self._next_is("+"):
            signed = True
            sign = -sign if self.tokens[self.place][1] == "-" else sign
            self.place += 1
        value = self._single()
        if not signed:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fail("expected a number after the sign")
        return sign * value

    def _single(self) -> Any:
        if self.place >= len(self.tokens):
            raise RSyntaxError("ends before it is whole")
        kind, text, _ = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            return float(text.rstrip("L"))
        if kind == "string":
            return _unquoted(text)
        if kind == "name" and text == "function":
            return self._function()
        if kind == "name":
            while self._next_is("::"):
                self.place += 1
                text = self._name()
            if self._next_is("("):
                return self._call(_unquoted(text))
            return LITERALS[text] if text in LITERALS else RName(_unquoted(text))
        if text == "(":
            value = self.value()
            self._take(")")
            return value
        self.place -= 1
        raise self._problem("expected a value")

    def _call(self, name: str) -> RCall:
        self._take("(")
        found = tuple(self.arguments(")"))
        self._take(")")
        return RCall(name, found)

    def _function(self) -> RCall:
        """`function (x) NULL`: its body is skipped, it is never run."""
        self._take("(")
        list(self.arguments(")"))
        self._take(")")
        if self._next_is("{"):
            depth = 0
            while self.place < len(self.tokens):
                depth += {"{": 1, "}": -1}.get(self.tokens[self.place][1], 0)
                self.place += 1
                if not depth:
                    return RCall("function", ())
            raise RSyntaxError("ends within the body of a function")
        self.value()
        return RCall("function", ())

    def _name(self) -> str:
        if self.place >= len(self.tokens) or self.tokens[self.place][0] != "name":
            self._fail("expected a name")
        self.place += 1
        return self.tokens[self.place - 1][1]

    def _take(self, sign: str) -> None:
        if not self._next_is(sign):
            self._fail(f"expected {sign!r}")
        self.place += 1

    def _next_is(self, sign: str, ahead: int = 0) -> bool:
        place = self.place + ahead
        return bool(sign) and place < len(self.tokens) and self.tokens[place][:2] == ("sign", sign)

    def _fail(self, message: str) -> NoReturn:
        raise self._problem(message)

    def _problem(self, message: str) -> RSyntaxError:
        if self.place >= len(self.tokens):
            return RSyntaxError(f"{message}, found the end")
        _, text, at = self.tokens[self.place]
        return RSyntaxError(f"character {at + 1}: {message}, found {text[:20]!r}")


def _unquoted(text: str) -> str:
    if text[:1] == "`":
        return text.strip("`")
    if text[:1] not in ("'", '"'):
        return text
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(1)), text[1:-1])
