"""A template by its shipped name or from a file of any supported format, recognised by its content."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from cytoreg.compensation import SingleStains
from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.read_template import parse_template
from cytoreg.gating.template import Template
from cytoreg.interop.xmlfile import root_of
from cytoreg.resources import template_paths
from cytoreg.yamlfile import load_yaml

__all__ = ["load_template", "read_template"]

# Each has `recognises(head) -> bool` and `read(path) -> (template, what could not be carried over)`; one that may hold
# hundreds of samples also `load(path) -> template`, which makes of each only what is asked for.
FORMATS = ("gatingml", "diva", "opencyto", "flowjo")
PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16 is full of zeros
_HEAD = 65_536  # a licence may stand before the root element


def load_template(source: str | os.PathLike[str]) -> Template:
    """A shipped template by name, or one from a file: YAML, GatingML 2.0, FlowJo, FACSDiva, openCyto.

    A workspace makes the gates of a sample when they are asked for. Raises TemplateError where there is neither, or
    the file is not a template.
    """
    return _read(source, whole=False)[0]


def read_template(source: str | os.PathLike[str]) -> tuple[Template, list[str]]:
    """The same with all it holds, and a sentence for each thing of the file that it could not carry over."""
    return _read(source, whole=True)


def _read(source: str | os.PathLike[str], *, whole: bool) -> tuple[Template, list[str]]:
    shipped = template_paths()
    name = os.fspath(source)
    if name in shipped:
        return parse_template(load_yaml(shipped[name], TemplateError, name=f"{name}.yaml")), []
    path = Path(source)
    if path.is_file():
        reader = _reader_for(path)
        if reader is not None and not whole and hasattr(reader, "load"):
            return reader.load(path), []
        if reader is not None:
            template, lost = reader.read(path)
            return template, lost
        return _with_matrix(parse_template(load_yaml(path, TemplateError)), path.parent), []
    if path.suffix or path.parent != Path():
        raise TemplateError(f"{path}: there is no such template file")
    raise TemplateError(f"unknown template '{name}'; {suggest(name, shipped)}")


def _reader_for(path: Path) -> Any:
    """The module that recognises a file's first bytes; None for our own YAML."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as problem:
        raise TemplateError(f"{path}: cannot be read ({problem.strerror or problem})") from None
    if (packed := next((kind for magic, kind in PACKED.items() if head.startswith(magic)), None)) is not None:
        raise TemplateError(f"{path}: is a {packed} file, expected gates; unpack it first")
    if head.startswith((b"FCS2.", b"FCS3.")):
        raise TemplateError(f"{path}: is an FCS file, expected gates")
    if b"\0" in head and not head.startswith(WIDE):
        raise TemplateError(f"{path}: is no text: byte {head.index(0)} is zero; expected YAML, CSV or XML")
    modules = (importlib.import_module(f"cytoreg.interop.{name}") for name in FORMATS)
    found = next((module for module in modules if module.recognises(head)), None)
    if found is None and (root := root_of(head)):
        raise TemplateError(f"{path}: is XML with the root element {root!r}, which is no gate format that is read")
    if found is None and head.startswith(WIDE):
        raise TemplateError(f"{path}: is UTF-16 text, expected UTF-8; save it as UTF-8")
    return found


def _with_matrix(template: Template, folder: Path) -> Template:
    """A compensation matrix that a template names lies beside it, unless there is none there."""
    if isinstance(template.compensation, SingleStains):
        return replace(template, compensation=template.compensation.beside(folder))
    if template.compensation in template.matrices:
        return template
    beside = folder / template.compensation
    return replace(template, compensation=str(beside)) if beside.is_file() else template
