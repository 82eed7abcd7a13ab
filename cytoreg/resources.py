"""Finds the shipped templates and the example study, in an installed wheel and in a checkout."""

from __future__ import annotations

from pathlib import Path

from cytoreg.errors import StudyError

__all__ = ["example_folder", "template_paths", "templates_folder"]

_PACKAGE = Path(__file__).resolve().parent


def templates_folder() -> Path:
    """The folder of shipped gating templates."""
    return _shipped("gating_templates")


def example_folder() -> Path:
    """The folder of the example study."""
    return _shipped("example_fcs")


def template_paths() -> dict[str, Path]:
    """The shipped templates by name."""
    return {path.stem: path for path in sorted(templates_folder().glob("*.yaml"))}


def _shipped(name: str) -> Path:
    for folder in (_PACKAGE / "_shipped" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise StudyError(f"this installation of cytoreg lacks its folder {name}; install it again")
