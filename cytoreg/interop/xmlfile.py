"""XML files of other programs, read safely: no entities, nothing fetched, no endless nesting; lines are kept.

Every XML format is read through here.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NoReturn

from cytoreg.errors import TemplateError

__all__ = ["XmlFile", "local_name", "root_of"]

MAX_DEPTH = 600
_CHUNK = 1 << 16
_NAME = re.compile(r"[A-Za-z_][\w.:-]*")


def root_of(head: bytes) -> str:
    """The name of the root element with its prefix, of the first bytes of a file; empty where it is not XML.

    >>> root_of(b'<?xml version="1.0"?><!-- a <b> --><gating:Gating-ML xmlns:gating="x">')
    'gating:Gating-ML'
    """
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = head.decode(encoding, errors="ignore").lstrip()
    if not text.startswith("<"):
        return ""
    at = 0
    while (at := text.find("<", at)) >= 0:
        if found := _NAME.match(text, at + 1):
            return found.group()
        at = _end_of(text, at)
    return ""


def _end_of(text: str, at: int) -> int:
    """Where a comment, a declaration or an instruction that begins at `at` ends; each sign is looked at once."""
    if text.startswith("<!--", at):
        return _after(text, "-->", at + 4)
    if text.startswith("<?", at):
        return _after(text, "?>", at + 2)
    end = _after(text, ">", at)
    inner = text.find("[", at, end)
    if inner < 0 or not text.startswith("<!DOCTYPE", at):
        return end
    return _after(text, ">", _after(text, "]", inner))  # what stands in brackets holds `>` of its own


def _after(text: str, sign: str, at: int) -> int:
    found = text.find(sign, at)
    return len(text) if found < 0 else found + len(sign)


def local_name(element: Any) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


class XmlFile:
    """A parsed file. root: its element; every element has the line it starts on as `line`.

    Raises TemplateError where it is not there, is not well-formed, or holds entities.
    """

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        self.name = name or str(path)
        self.root = _parsed(path, self.name)

    def where(self, element: Any) -> str:
        """`file, line N, element`: how every message about this file begins."""
        return f"{self.name}, line {element.line}, {local_name(element)}"

    def fail(self, element: Any, message: str) -> NoReturn:
        """Raise TemplateError about an element."""
        raise TemplateError(f"{self.where(element)}: {message}")

    def number(self, element: Any, text: str | None, what: str) -> float:
        """A number that is written there; infinities are numbers. Raises TemplateError for anything else."""
        if text is None:
            self.fail(element, f"{what} is required and is not there")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isnan(value) or "_" in text:
            self.fail(element, f"{what}: expected a number, found {text.strip()[:40]!r}")
        return value

    def finite(self, element: Any, text: str | None, what: str) -> float:
        """The same, and not an infinity."""
        value = self.number(element, text, what)
        if math.isinf(value):
            self.fail(element, f"{what}: expected a finite number, found {str(text).strip()!r}")
        return value


def _parsed(path: Path, name: str) -> Any:
    from defusedxml import (
        DefusedXmlException,
        DTDForbidden,
        EntitiesForbidden,
        ExternalReferenceForbidden,
    )
    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    class Parser(DefusedXMLParser):
        """Notes the line of each element; ends where elements nest without end."""

        depth = 0

        def _start(self, *args: Any) -> Any:
            element = super()._start(*args)
            element.line = self.parser.CurrentLineNumber
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise TemplateError(f"{name}, line {element.line}: elements nest more than {MAX_DEPTH} deep")
            return element

        def _end(self, *args: Any) -> Any:
            self.depth -= 1
            return super()._end(*args)

    parser = Parser(forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                parser.feed(chunk)
        return parser.close()
    except FileNotFoundError:
        raise TemplateError(f"{name}: there is no such file") from None
    except OSError as problem:
        raise TemplateError(f"{name}: cannot be read ({problem.strerror or problem})") from None
    except EntitiesForbidden as problem:
        raise TemplateError(f"{name}: defines the entity {problem.name!r}; entities are not read") from None
    except (ExternalReferenceForbidden, DTDForbidden, DefusedXmlException):
        raise TemplateError(f"{name}: refers to another file, which is not read") from None
    except (ParseError, LookupError, ValueError) as problem:
        line = f", line {position[0]}" if (position := getattr(problem, "position", None)) else ""
        reason = str(problem).partition(": line")[0].splitlines()[0]
        raise TemplateError(f"{name}{line}: not well-formed XML: {reason}") from None
