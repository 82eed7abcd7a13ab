"""A template by its shipped name or from a file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.template import Template, parse_template
from cytoreg.resources import template_paths
from cytoreg.yamlfile import load_yaml

__all__ = ["load_template"]


def load_template(source: str | os.PathLike[str]) -> Template:
    """A shipped template by name, or one from a YAML file.

    Raises TemplateError where there is neither, or the file is not a template.
    """
    shipped = template_paths()
    name = os.fspath(source)
    if name in shipped:
        return parse_template(load_yaml(shipped[name], TemplateError, name=f"{name}.yaml"))
    path = Path(source)
    if path.is_file():
        return _with_matrix(parse_template(load_yaml(path, TemplateError)), path.parent)
    if path.suffix or path.parent != Path():
        raise TemplateError(f"{path}: there is no such template file")
    raise TemplateError(f"unknown template '{name}'; {suggest(name, shipped)}")


def _with_matrix(template: Template, folder: Path) -> Template:
    """A compensation matrix that a template names lies beside it, unless there is none there."""
    beside = folder / template.compensation
    return replace(template, compensation=str(beside)) if beside.is_file() else template
