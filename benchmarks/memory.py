"""How much memory a read takes, in a process of its own: `python -m benchmarks.memory FILE all|one` prints bytes.

Two figures, since each misses something. Resident: how far the peak of the process's resident memory (VmHWM of
`/proc/self/status`, set back just before) rises above what it held after importing everything and reading a small
file. It sees what the kernel gave, whole huge pages too, and would miss memory that an import had left free. DATA
is read into buffers, not mapped, so the file's own pages are no part of it. Traced: the peak of what Python and
NumPy asked for (`tracemalloc`). Without `/proc` there is only the second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

__all__ = ["peak_memory"]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory(path: Path, what: str) -> dict[str, int]:
    """Bytes by measure (`resident`, `traced`) that reading "all" or "one" channel of a file needs at its peak."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(path), what],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    return {name: int(value) for name, value in (line.split() for line in done.stdout.splitlines())}


def _field(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Read once to have everything loaded, once for each measure."""
    from benchmarks.readers import ALL, ONE, OURS
    from cytoreg.fcs import write_fcs

    path, what = Path(sys.argv[1]), {"all": ALL, "one": ONE}[sys.argv[2]]
    read = next(reader.read for reader in OURS if reader.name == what)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.fcs"
        write_fcs(small, np.ones((100, 20), dtype=np.float32), [f"C{i}-A" for i in range(20)])
        read(small)
    if STATUS.exists():
        RESET.write_text("5")
        before = _field("VmRSS")
        kept = read(path)
        print("resident", _field("VmHWM") - before)
        del kept
    tracemalloc.start()
    kept = read(path)
    print("traced", tracemalloc.get_traced_memory()[1])
    del kept


if __name__ == "__main__":
    main()
