"""Reading FCS files beside flowio, fcsparser, FlowKit and a plain read of the same bytes, in one run.

Files are made in a temporary folder and removed; they need 1 GB of disk at a time. Every reader's values are
compared with those the files were made of, which also brings the files into the page cache; then all take turns.
The figures go to `benchmarks/results/`, and from there to `docs/explanation/speed.md`.
"""

from __future__ import annotations

import csv
import datetime
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks import readers, speed_page
from benchmarks.files import CHANNELS, Files, compressed, float_files, integer_file
from benchmarks.memory import peak_memory
from benchmarks.readers import ALL, CHANNEL, ONE, Reader
from benchmarks.speed_page import MEMORY, TIMES, MemoryRow, TimeRow
from benchmarks.timing import interleave, ratio

MB = 1_000_000
BLOCK_BYTES = 1 << 20  # the "one block" of the aim for memory


@dataclass(frozen=True)
class Case:
    """rounds, peer_rounds: for us and the plain read, and for the other readers, which are slow.

    peer_files: how many of the files the others read; their time is scaled up. disk, memory: bytes needed.
    """

    name: str
    make: Callable[[Path], Files]
    disk: int
    memory: int
    rounds: int
    peer_rounds: int
    peer_files: int = 1


CASES = (
    Case("float, 80 MB", lambda folder: float_files(folder, 1_000_000), 80 * MB, 1000 * MB, 21, 5),
    Case("float, 800 MB", lambda folder: float_files(folder, 10_000_000), 800 * MB, 8000 * MB, 7, 1),
    Case("16-bit integers, 40 MB", lambda folder: integer_file(folder, 1_000_000), 40 * MB, 1000 * MB, 21, 5),
    Case(
        "200 files of 5 MB", lambda folder: float_files(folder, 62_500, files=200), 1000 * MB, 500 * MB, 7, 3, 40
    ),
    Case("gzip of 80 MB", lambda folder: compressed(folder, 1_000_000), 160 * MB, 1000 * MB, 3, 0),
)


def main() -> int:
    """Measure, print, keep; status 1 where a reader of ours gave wrong values or took too much memory."""
    load = f"; load {os.getloadavg()[0]:.1f} before the run" if hasattr(os, "getloadavg") else ""
    times: list[TimeRow] = []
    memory: list[MemoryRow] = []
    for case in CASES:
        print(f"\n{case.name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            why = _too_small(case, Path(folder))
            if why:
                times.append(TimeRow(case.name, "", note=why))
                print(f"  skipped: {why}")
                continue
            files = case.make(Path(folder))
            rows = measure(case, files)
            times += rows
            for row in rows:
                print("  " + _line(row), flush=True)
            if case.name.startswith("float"):
                found = _memory(case.name, files)
                memory += found
                for line in found:
                    print(
                        f"  memory of {line.what}: resident {line.resident_mb:.1f} MB, traced {line.traced_mb:.1f} MB"
                    )
    _keep(times, memory, load)
    print("\naims")
    for aim in speed_page.aims(times, memory):
        print(f"  {aim.what}: {aim.found} ({'met' if aim.met else 'missed'})")
    wrong = [
        f"{row.case}, {row.reader}: {row.note}" for row in times if row.reader in (ALL, ONE) and not row.equal
    ]
    wrong += [f"{line.case}, {line.what}: too much memory" for line in memory if not line.within]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return int(bool(wrong))


def measure(case: Case, files: Files) -> list[TimeRow]:
    """Check every reader on these files, then time those that could read them."""
    size = max(path.stat().st_size for path in files.paths)
    contenders: list[Reader] = [readers.plain_read(size), *readers.OURS, *readers.PEERS]
    if files.paths[0].suffix == ".gz":
        contenders = [readers.GUNZIP, *readers.OURS]
    elif len(files.paths) > 1:
        contenders = [reader for reader in contenders if reader.name != ONE]
    base, peers = contenders[0].name, {reader.name for reader in readers.PEERS}
    share = {
        reader.name: files.paths[: case.peer_files] if reader.name in peers else files.paths
        for reader in contenders
    }
    notes = {reader.name: _difference(reader, files, share[reader.name]) for reader in contenders}
    seconds = interleave(
        {reader.name: _loop(reader, share[reader.name]) for reader in contenders if not notes[reader.name]},
        case.rounds,
        at_most=dict.fromkeys(peers, case.peer_rounds) if case.peer_rounds else None,
    )
    rows = []
    for reader in contenders:
        if notes[reader.name]:
            rows.append(TimeRow(case.name, reader.name, note=notes[reader.name]))
            continue
        scale = len(files.paths) / len(share[reader.name])
        taken = seconds[reader.name] * scale
        plain = ratio(taken, seconds[base])
        ours = ratio(taken, seconds[ALL]) if ALL in seconds else plain
        note = f"{len(share[reader.name])} of the files, scaled" if scale != 1 else ""
        rows.append(
            TimeRow(
                *(case.name, reader.name, int(np.isfinite(taken).sum()), float(np.nanmedian(taken) * 1000)),
                *(plain.median, plain.low, plain.high, ours.median, ours.low, ours.high),
                equal=True,
                note=note,
            )
        )
    return rows


def _loop(reader: Reader, paths: Sequence[Path]) -> Callable[[], object]:
    def read_all() -> object:
        kept = None
        for path in paths:
            kept = reader.read(path)
        return kept

    return read_all


def _difference(reader: Reader, files: Files, paths: Sequence[Path]) -> str:
    """What is wrong with a reader's values; empty where they are those the files were made of."""
    for number, path in enumerate(paths):
        try:
            values = reader.values(reader.read(path))
        except Exception as problem:  # any of the peers' errors
            return f"could not read it: {type(problem).__name__}: {problem}".splitlines()[0]
        if values is not None and not files.hold(number, values, CHANNEL):
            return "gave other values"
    return ""


def _memory(case: str, files: Files) -> list[MemoryRow]:
    channel = files.n_events * files.base.itemsize
    rows = []
    for what, least, limit in (
        ("one channel", channel, 2 * channel + BLOCK_BYTES),
        ("all channels", channel * CHANNELS, None),
    ):
        peak = peak_memory(files.paths[0], what.split()[0])
        resident = peak.get("resident", peak["traced"])
        rows.append(
            MemoryRow(case, what, resident / MB, peak["traced"] / MB, least / MB, limit / MB if limit else None)
        )
    return rows


def _too_small(case: Case, folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free < 1.5 * case.disk:
        return f"needs {1.5 * case.disk / MB:.0f} MB of free disk, found {free / MB:.0f}"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if memory < case.memory:
            return f"needs {case.memory / MB:.0f} MB of memory, found {memory / MB:.0f}"
    return ""


def _keep(times: Sequence[TimeRow], memory: Sequence[MemoryRow], load: str) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    setting = (
        f"{datetime.date.today():%Y-%m-%d}; {cores} cores, {platform.machine()}, {platform.system()}{load}; "
        f"Python {platform.python_version()}; {readers.versions()}"
    )
    TIMES.parent.mkdir(exist_ok=True)
    for path, kind, rows in ((TIMES, TimeRow, times), (MEMORY, MemoryRow, memory)):
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(f"# {setting}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field.name for field in fields(kind)])
            writer.writerows(
                [f"{cell:.3f}" if isinstance(cell, float) else cell for cell in astuple(row)] for row in rows
            )
    speed_page.update()
    print(f"\nkept in {TIMES}, {MEMORY} and {speed_page.PAGE}")


def _line(row: TimeRow) -> str:
    if not row.equal:
        return f"{row.reader:<22} {row.note}"
    return (
        f"{row.reader:<22} {row.milliseconds:9.1f} ms   x {row.plain:7.2f} of the plain read "
        f"({row.plain_low:.2f} to {row.plain_high:.2f})   x {row.cytoreg:7.2f} of cytoreg "
        f"({row.cytoreg_low:.2f} to {row.cytoreg_high:.2f})   {row.note}"
    )
