"""FlowJo workspaces: those of FlowJo 10 in and out, the older XML of FlowJo 9 in.

`workspace` and `workspace9` read the two XML forms into the same plain records (`records`); `reading` makes the
template of them, with the scales of `axes` and the shapes of `shapes`; `writing` makes a workspace of a template.
What does the work loads when it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cytoreg.interop.xmlfile import root_of

if TYPE_CHECKING:
    from cytoreg.gating.result import Result
    from cytoreg.gating.template import Template

__all__ = ["groups_of", "load", "read", "recognises", "write"]


def recognises(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a FlowJo workspace."""
    return root_of(head).rpartition(":")[2] == "Workspace"


def read(path: Path) -> tuple[Template, list[str]]:
    """The template of a workspace, and a sentence for each thing that it could not carry over."""
    from cytoreg.interop.flowjo.reading import read as read_workspace

    return read_workspace(path)


def load(path: Path) -> Template:
    """The same template, which makes the gates of a sample when they are asked for."""
    from cytoreg.interop.flowjo.reading import load as load_workspace

    return load_workspace(path)


def groups_of(path: Path) -> dict[str, tuple[str, ...]]:
    """The groups of a workspace: name -> its samples, by the names that `Template.samples` has."""
    from cytoreg.interop.flowjo.reading import groups_of as groups_of_workspace

    return groups_of_workspace(path)


def write(source: Template | Result, path: Path) -> list[str]:
    """Write a workspace; a sentence for each thing that it could not carry over."""
    from cytoreg.interop.flowjo.writing import write as write_workspace

    return write_workspace(source, path)
