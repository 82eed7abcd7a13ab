"""Automatic methods, one a file, found by name. Each has `Params` (its schema) and `fit`.

`fit(view, params)` looks at the events of the parent population through `view` and returns a `Fit`: a
concrete gate, what it was placed on, and the reasons to doubt it. It raises `CannotFit` where it has
nothing to stand on; the template's fallback is then used. Other packages may bring methods (`_plug_ins.py`).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Any

from cytoreg.errors import TemplateError
from cytoreg.gating.methods._control import CONTROLS
from cytoreg.gating.methods._fit import (
    CannotFit,
    Fit,
    NoControl,
    View,
    cut_range,
    enough,
    few,
    finite,
    graded,
    looked_at,
)
from cytoreg.gating.methods._plug_ins import checked_fit, plug_in, plug_in_names, provider_of
from cytoreg.lazy import lazily
from cytoreg.yamlfile import YamlDocument

if TYPE_CHECKING:
    from cytoreg.gating.methods._params import ThresholdParams

__all__ = [
    "CONTROLS",
    "CannotFit",
    "Fit",
    "NoControl",
    "ThresholdParams",
    "View",
    "cut_range",
    "enough",
    "few",
    "finite",
    "fit",
    "graded",
    "is_method",
    "looked_at",
    "method_names",
    "params_of",
    "plug_in_names",
    "provider_of",
    "read_params",
    "recut_of",
]

__getattr__ = lazily(__name__, {"ThresholdParams": "_params"})  # pydantic loads with it


@cache
def method_names() -> tuple[str, ...]:
    """The methods there are, by the names of their files."""
    return tuple(sorted(item.name for item in pkgutil.iter_modules(__path__) if not item.name.startswith("_")))


def is_method(kind: str) -> bool:
    """Whether there is a method of this name: one of ours, or of an installed package."""
    return kind in method_names() or kind in plug_in_names()


def params_of(kind: str) -> Any:
    """The schema of a method's parameters. Raises TemplateError for a plug-in that cannot be used."""
    return _module(kind).Params


def read_params(kind: str, document: YamlDocument) -> Any:
    """A method's parameters as a template writes them. Raises TemplateError with file, line and key."""
    from cytoreg.strictmodel import validate  # pydantic: a template with drawn gates alone does without it

    try:
        schema = params_of(kind)
    except TemplateError as problem:  # of a plug-in
        raise TemplateError(f"{document.where(())}: {problem}") from None
    return validate(schema, document, TemplateError)


def fit(kind: str, view: View, params: Any) -> Fit:
    """Place a gate. Raises CannotFit with the reason where it cannot be placed; TemplateError where a plug-in fails."""
    if kind in method_names():
        placed: Fit = _module(kind).fit(view, params)
        return placed
    return checked_fit(f"gating method {kind!r} of {provider_of(kind)}", _module(kind), view, params)


def recut_of(kind: str) -> Any:
    """`recut` of a method that cuts one axis: the same cut on each row of a histogram; None where there is none."""
    return getattr(_module(kind), "recut", None)


def _module(kind: str) -> Any:
    return importlib.import_module(f"{__name__}.{kind}") if kind in method_names() else plug_in(kind)
