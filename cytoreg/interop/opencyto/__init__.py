"""openCyto gating templates (CSV) in, with the gates that CytoExploreR writes into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cytoreg.gating.template import Template

__all__ = ["read", "recognises"]


def recognises(head: bytes) -> bool:
    """Whether a file that begins like this is a CSV template of openCyto."""
    first = head.decode("utf-8-sig", errors="replace").partition("\n")[0].casefold()
    words = {word.strip().strip('"') for word in first.split(",")}
    return {"alias", "parent", "gating_method"} <= words or {"alias", "pop", "parent"} <= words


def read(path: Path) -> tuple[Template, list[str]]:
    """As `cytoreg.interop.opencyto.expansion.read`, which is loaded when it is asked for."""
    from cytoreg.interop.opencyto.expansion import read as read_opencyto

    return read_opencyto(path)
