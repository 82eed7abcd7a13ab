"""Time and memory of one reading: an alarm, a ceiling on address space, and the peak of resident memory.

The peak is VmHWM of /proc/self/status, set back through /proc/self/clear_refs (proc(5)); where there is no such
file the peak is not judged, and the ceiling alone guards the machine.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["GUARD_BYTES", "SECONDS", "TookTooLong", "limited", "most_bytes"]

SECONDS = 5.0
GUARD_BYTES = (
    1 << 30
)  # above what is allowed: beyond it an allocation fails, so that the machine is not taken down
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

T = TypeVar("T")


class TookTooLong(BaseException):
    """The alarm; no Exception, so that nothing that is tested can swallow it."""


def most_bytes(file_bytes: int) -> int:
    """What reading a file may take: ten times the file and 50 MB."""
    return 10 * file_bytes + 50_000_000


def limited(read: Callable[[], T], file_bytes: int) -> tuple[T, int]:
    """The result of `read` and by how many bytes resident memory rose at its peak; 0 where that is not known.

    Raises TookTooLong after five seconds, MemoryError above the ceiling, and whatever `read` raises.
    """
    before = _start()
    was = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = _status("VmSize") + most_bytes(file_bytes) + GUARD_BYTES if STATUS.exists() else was[0]
    handler = signal.signal(signal.SIGALRM, _alarm)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, was[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        found = read()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, was)
        signal.signal(signal.SIGALRM, handler)
    return found, max(0, _status("VmHWM") - before) if before else 0


def _start() -> int:
    """Resident bytes now, with the peak set back to them; 0 where the system does not say."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return 0
    return _status("VmRSS")


def _status(name: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _alarm(signum: int, frame: object) -> None:
    raise TookTooLong
