"""Whole processes: how long until a command answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.timing import interleave, table

EXAMPLE = Path(__file__).parents[1] / "example_fcs" / "fcs"


def main() -> int:
    """Time them."""
    tube = str(next(EXAMPLE.glob("*_treg.fcs")))
    gate = ["gate", tube, "-t", "treg_foxp3", "--format", "csv"]
    with tempfile.TemporaryDirectory() as folder:

        def process(code: str) -> Callable[[], Any]:
            return lambda: subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, cwd=folder
            )

        ways = {
            "python -c 'import numpy'": process("import numpy"),
            "cytoreg --help": process("from cytoreg.cli import main; main(['--help'])"),
            "cytoreg gate FILE --format csv": process(f"from cytoreg.cli import main; main({gate!r})"),
            "python -c 'import flowkit'": process("import flowkit"),
        }
        for way in ways.values():
            way()
        table("whole processes", interleave(ways, 5, at_most={"python -c 'import flowkit'": 2}))
    return 0
