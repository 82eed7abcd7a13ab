"""BD FACSDiva experiments in: the gates of each tube with its compensation and scales, as one template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cytoreg.interop.xmlfile import root_of

if TYPE_CHECKING:
    from cytoreg.gating.template import Template

__all__ = ["read", "recognises"]


def recognises(head: bytes) -> bool:
    """Whether a file that begins like this is an experiment of FACSDiva."""
    return root_of(head) == "bdfacs"


def read(path: Path, *, bins: bool = True) -> tuple[Template, list[str]]:
    """As `cytoreg.interop.diva.experiment.read`, which is loaded when it is asked for."""
    from cytoreg.interop.diva.experiment import read as read_diva

    return read_diva(path, bins=bins)
