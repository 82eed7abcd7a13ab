"""GatingML 2.0: a file becomes a template, and a template with drawn gates becomes a file.

Spidlen J, Moore W, ISAC Data Standards Task Force. ISAC's Gating-ML 2.0 data exchange standard for gating
description. Cytometry A 2015;87A:683-687. What does the work loads when it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cytoreg.interop.xmlfile import root_of

if TYPE_CHECKING:
    from cytoreg.gating.template import Template

__all__ = ["read", "recognises", "write"]


def recognises(head: bytes) -> bool:
    """Whether a file that begins like this is GatingML."""
    return root_of(head).rpartition(":")[2] == "Gating-ML"


def read(path: Path) -> tuple[Template, list[str]]:
    """The template of a GatingML 2.0 file, and a sentence for each thing that could not be carried over.

    Raises TemplateError with file, line and element.
    """
    from cytoreg.interop.gatingml.reading import read_gatingml

    return read_gatingml(path)


def write(template: Template, path: Path) -> list[str]:
    """Write a template's drawn gates; a sentence for each thing that could not be carried over.

    Raises TemplateError where there is nothing to write, StoreError where the file cannot be written.
    """
    from cytoreg.interop.gatingml.writing import write_gatingml

    return write_gatingml(template, path)
