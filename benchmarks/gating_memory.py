"""Anonymous memory of a whole process at its highest, above that of a bare interpreter. Needs Linux's `/proc`.

Pages of files (libraries, what is mapped) are not counted: the kernel keeps those as it likes. There is no high-water mark
of anonymous memory alone, so two figures are taken, and the larger counts: what was seen by looking every millisecond,
and the high-water mark of all resident memory (VmHWM) less the file pages at the end, when all libraries are in.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["anonymous_mb"]

_AT_THE_END = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(open("/proc/self/status").read()))
"""


def anonymous_mb(command: Sequence[str]) -> float:
    """MB (10^6 bytes) of `[python, "-c", code]` above `[python, "-c", "pass"]`."""
    return (_peak(command) - _peak([sys.executable, "-c", "pass"])) / 1e6


def _peak(command: Sequence[str]) -> int:
    python, flag, code = command
    process = subprocess.Popen(
        [python, flag, _AT_THE_END + code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    status, seen = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        seen = max(seen, _bytes(status.read_text(), "RssAnon"))
        time.sleep(0.001)
    assert process.stderr is not None
    said = process.stderr.read()
    if process.returncode:
        raise RuntimeError(f"{code}: {said.splitlines()[-1]}")
    return max(seen, _bytes(said, "VmHWM") - _bytes(said, "RssFile"))


def _bytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
