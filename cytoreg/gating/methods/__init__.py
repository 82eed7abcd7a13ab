"""Automatic methods, one a file, found by name. Each has `Params` (its schema) and `fit`.

`fit(view, params)` looks at the events of the parent population through `view` and returns a `Fit`: a
concrete gate, what it was placed on, and the reasons to doubt it. It raises `CannotFit` where it has
nothing to stand on; the template's fallback is then used.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from cytoreg.errors import TemplateError
from cytoreg.gating.methods._fit import CannotFit, Fit, View
from cytoreg.yamlfile import YamlDocument

__all__ = ["CannotFit", "Fit", "View", "fit", "method_names", "params_of", "read_params"]


@cache
def method_names() -> tuple[str, ...]:
    """The methods there are, by the names of their files."""
    return tuple(sorted(item.name for item in pkgutil.iter_modules(__path__) if not item.name.startswith("_")))


def params_of(kind: str) -> Any:
    """The schema of a method's parameters."""
    return _module(kind).Params


def read_params(kind: str, document: YamlDocument) -> Any:
    """A method's parameters as a template writes them. Raises TemplateError with file, line and key."""
    from cytoreg.strictmodel import validate  # pydantic: a template with drawn gates alone does without it

    return validate(params_of(kind), document, TemplateError)


def fit(kind: str, view: View, params: Any) -> Fit:
    """Place a gate. Raises CannotFit with the reason where it cannot be placed."""
    placed: Fit = _module(kind).fit(view, params)
    return placed


def _module(kind: str) -> Any:
    return importlib.import_module(f"{__name__}.{kind}")
