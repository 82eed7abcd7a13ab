"""Formats of the outside world, one file each: gates become the one template, events go from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.interop.conversion import Conversion, convert, convert_folder
    from cytoreg.interop.learning import learn_gate, learn_prior
    from cytoreg.interop.load import load_template
    from cytoreg.interop.opening import gate

__all__ = ["Conversion", "convert", "convert_folder", "gate", "learn_gate", "learn_prior", "load_template"]

__getattr__ = lazily(
    __name__,
    {
        "Conversion": "conversion",
        "convert": "conversion",
        "convert_folder": "conversion",
        "gate": "opening",
        "learn_gate": "learning",
        "learn_prior": "learning",
        "load_template": "load",
    },
)
