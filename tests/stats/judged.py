"""Figures of R that the tests judge by: `make judge` runs the scripts of benchmarks/judge again beside them."""

from __future__ import annotations

import json
from pathlib import Path


def judged(script: str) -> dict[str, float]:
    """The figures of a script, by name."""
    text = (Path(__file__).parent / "judged.json").read_text(encoding="utf-8")
    figures: dict[str, float] = json.loads(text)[script]["figures"]
    return figures
