"""How a command says its options, and how a plain line of words is read without typer.

Typer takes longer to load than a file takes to gate. It is there for help and for what is wrong with a line: a line of
known options with values of their kind is read here, any other by typer, which alone says what it expects. A command
that raises typer's exceptions, or needs its checks, declares its options with typer and is always read by it.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

__all__ = ["Argument", "Option", "application", "read_line"]

Command = Callable[..., None]


class Argument:
    """A word that stands by its place; as `typer.Argument`."""

    def __init__(self, **said: Any) -> None:
        self.said = said


class Option:
    """A word with dashes, and its value unless it is a flag; as `typer.Option`."""

    def __init__(self, *names: str, **said: Any) -> None:
        self.names, self.said = names, said


class _Parameter(NamedTuple):
    """One parameter of a command. several: it may be given more than once."""

    name: str
    kind: Any
    several: bool
    told: Any


def application(command: Command) -> Any:
    """The command as typer runs it."""
    import typer

    @functools.wraps(command)
    def called(**given: Any) -> None:
        command(**given)

    hints = {name: _for_typer(hint) for name, hint in get_type_hints(command, include_extras=True).items()}
    signature = inspect.signature(command)
    parameters = [item.replace(annotation=hints[name]) for name, item in signature.parameters.items()]
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = hints
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(help=command.__doc__)(called)
    return app


def read_line(command: Command, words: Sequence[str]) -> dict[str, Any] | None:
    """What a plain line gives to a command, by parameter; None where typer must read it."""
    parameters = list(_parameters(command))
    if not all(isinstance(item.told, Argument | Option) for item in parameters):
        return None
    places = [item for item in parameters if isinstance(item.told, Argument)]
    options = {name: item for item in parameters if isinstance(item.told, Option) for name in item.told.names}
    given: dict[str, Any] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        item, value = options.get(word), True
        if item is not None and item.kind is not bool:
            if not waiting or waiting[0].startswith("-"):
                return None
            value = _value(item.kind, waiting.pop(0))
        elif item is None:
            if word.startswith("-") or not places:
                return None
            item = places.pop(0)
            value = _value(item.kind, word)
        if value is None:
            return None
        given[item.name] = [*given.get(item.name, []), value] if item.several else value
    needed = {item.name for item in inspect.signature(command).parameters.values() if item.default is item.empty}
    return given if needed <= given.keys() else None


def _parameters(command: Command) -> Iterator[_Parameter]:
    for name, hint in get_type_hints(command, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, told = get_args(hint)[:2]
            if get_origin(kind) in (Union, UnionType):
                kind = next(item for item in get_args(kind) if item is not NoneType)
            several = get_origin(kind) is list
            yield _Parameter(name, get_args(kind)[0] if several else kind, several, told)
        elif name != "return":
            yield _Parameter(name, hint, False, None)


def _value(kind: Any, word: str) -> Any:
    """A word as its kind; None where it is none, or where only typer knows."""
    if kind in (str, Path):
        return kind(word)
    if kind is int and re.fullmatch("[0-9]+", word):
        return int(word)
    if issubclass(kind, Enum):
        return next((item for item in kind if item.value == word), None)
    return None


def _for_typer(hint: Any) -> Any:
    if get_origin(hint) is not Annotated:
        return hint
    import typer

    kind, told = get_args(hint)[:2]
    if isinstance(told, Argument):
        told = typer.Argument(**told.said)
    elif isinstance(told, Option):
        told = typer.Option(*told.names, **told.said)
    return Annotated[kind, told]
