"""YAML files read with the line of every key, so that an error can say where it is.

Templates, studies and plans are all read here. Schemas of templates are in `schema`, those of the others
in `strictmodel`, whose two names are here too and load it when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cytoreg.errors import CytoregError
from cytoreg.lazy import lazily

__all__ = ["YamlDocument", "document_of", "kind_of", "load_yaml", "shown"]

__getattr__ = lazily(
    "cytoreg", {"StrictModel": "strictmodel", "validate": "strictmodel"}
)  # pydantic loads with them

KeyPath = tuple[str | int, ...]
MAX_DEPTH = 100
MAX_KEYS = 100_000  # aliases of aliases can make a small file a huge one


_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same rules in C, where PyYAML was built with it


class _Loader(_Safe):
    """The safe loader, with the words of YAML 1.2: only true and false are booleans, so `on` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class YamlDocument:
    """What a YAML file holds, and on which line each key stands (counted from 1)."""

    name: str
    data: Any
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    prefix: KeyPath = ()

    def at(self, *path: str | int) -> YamlDocument:
        """The part of the document under a key; its messages still name the whole way down."""
        data = self.data
        for step in path:
            data = data[step]
        return YamlDocument(self.name, data, self.lines, (*self.prefix, *path))

    def line(self, path: Sequence[str | int]) -> int | None:
        """The line of a key, or of the nearest key above it that has one."""
        key = (*self.prefix, *path)
        while key:
            if key in self.lines:
                return self.lines[key]
            key = key[:-1]
        return self.lines.get((), None)

    def where(self, path: Sequence[str | int]) -> str:
        """`file, line N, key a.b.c`: how every message about this file begins."""
        parts = [self.name]
        if (line := self.line(path)) is not None:
            parts.append(f"line {line}")
        if whole := (*self.prefix, *path):
            parts.append("key " + ".".join(str(step) for step in whole))
        return ", ".join(parts)


def load_yaml(source: Path | str, error: type[CytoregError], *, name: str | None = None) -> YamlDocument:
    """Read a YAML file (a Path) or YAML text (a str), with the line of every key.

    Raises `error` where the file is not there, is not YAML, or holds a key twice.
    """
    if isinstance(source, Path):
        name = name or str(source)
        try:
            text = source.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise error(f"{name}: there is no such file") from None
        except (OSError, UnicodeDecodeError) as problem:
            raise error(f"{name}: cannot be read as text ({problem})") from None
    else:
        text, name = source, name or "<text>"
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[KeyPath, int] = {}
        if node is not None:
            _note_lines(node, (), lines, error, name)
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise error(f"{name}{line}: not valid YAML: {problem.problem or problem.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise error(f"{name}: not valid YAML: {str(problem).splitlines()[0]}") from None
    finally:
        if loader is not None:
            loader.dispose()
    return YamlDocument(name=name, data=data, lines=lines)


def document_of(source: Path | str | Mapping[str, Any], error: type[CytoregError], name: str) -> YamlDocument:
    """A document of a file, of YAML text, or of a mapping made in Python (then called `name`)."""
    if isinstance(source, Mapping):
        return YamlDocument(name=name, data=dict(source))
    return load_yaml(source, error)


def _note_lines(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], error: type[CytoregError], name: str
) -> None:
    if len(path) > MAX_DEPTH:
        raise error(f"{name}, line {node.start_mark.line + 1}: nested more than {MAX_DEPTH} deep")
    if len(lines) > MAX_KEYS:
        raise error(f"{name}, line {node.start_mark.line + 1}: more than {MAX_KEYS} keys and values")
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in seen:
                raise error(f"{name}, line {line}: key '{key}' stands twice, first on line {seen[key]}")
            seen[key] = line
            lines[(*path, key)] = line
            _note_lines(value_node, (*path, key), lines, error, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, index), lines, error, name)


def kind_of(value: Any) -> str:
    """What a value of YAML is, in words."""
    names = {type(None): "nothing", list: "a list", str: "text", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """A value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
