"""Gating beside FlowKit and a plain read of the same bytes, in one run: a chain, a study, a forest, a large file.

Files are made in a temporary folder and removed; they need 1.8 GB of disk. FlowKit gets the same files and the same
gates as objects of its own (`gating_flowkit`), and its membership is compared event by event. The figures go to
`benchmarks/results/gating.csv` and `gating_aims.csv`, and from there to `docs/explanation/speed.md`.
"""

from __future__ import annotations

import csv
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import cytoreg
from benchmarks import readers, speed_page
from benchmarks.gating_files import FOREST, write_chain, write_events, write_forest
from benchmarks.gating_flowkit import strategy_of
from benchmarks.gating_memory import anonymous_mb
from benchmarks.gating_page import AIMS, GATING, AimRow, GatingRow
from benchmarks.timing import Ratio, Seconds, interleave, ratio
from cytoreg.gating import Result, kernel
from cytoreg.gating.gates import Polygon

ROOT = Path(__file__).parents[1]
MB = 1_000_000
EVENTS, LARGE = 1_000_000, 10_000_000
STUDY_FILES, STUDY_EVENTS, STUDY_PEERS = 40, 300_000, 3
ROUNDS, PEER_ROUNDS = 7, 2
PLAIN, WARM, OPEN = "readinto", "cytoreg, from the file", "cytoreg, an open sample"
FLOWKIT, FLOWKIT_ALONE = "FlowKit, load and gate_sample", "FlowKit, gate_sample alone"
PROCESS, FLOWKIT_PROCESS = "cytoreg gate FILE --format csv", "a script with FlowKit"
SHOWN = 20  # differing events printed one by one, of a population


def main() -> int:
    """Measure, print, keep; status 1 where FlowKit decided an event otherwise, never for being slow."""
    load = f"; load {os.getloadavg()[0]:.1f} before the run" if hasattr(os, "getloadavg") else ""
    rows: list[GatingRow] = []
    aims: list[AimRow] = []
    differing = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template, million = write_chain(folder / "chain.yaml"), folder / "million.fcs"
        write_events(million, EVENTS)
        differing += _same(million, template, "12 gates", aims)
        rows += _chain(million, template, aims)
        differing += _forest(million, write_forest(folder / "forest.yaml"), rows, aims)
        _large(folder, million, template, rows, aims)
        million.unlink()
        differing += _study(folder, template, rows, aims)
    _keep(rows, aims, load)
    return int(differing > 0)


def _chain(path: Path, template: Path, aims: list[AimRow]) -> list[GatingRow]:
    """Twelve gates on one file: within a process, and as processes."""
    import flowkit

    loaded = cytoreg.load_template(template)
    opened, theirs = cytoreg.read_fcs(path), flowkit.Sample(path)
    strategy = strategy_of(template, theirs)
    plain = readers.plain_read(path.stat().st_size)
    case = "12 gates, 1,000,000 x 20 events, one process"
    seconds = interleave(
        {
            PLAIN: lambda: plain.read(path),
            WARM: lambda: cytoreg.gate(path, loaded),
            OPEN: lambda: cytoreg.gate(opened, loaded),
            f"{OPEN}, one thread": _forced(opened, loaded, threads=1),
            f"{OPEN}, two threads": _forced(opened, loaded, threads=2),
            f"{OPEN}, by NumPy": _forced(opened, loaded, kernel="numpy"),
            FLOWKIT: lambda: _flowkit(path, template),
            FLOWKIT_ALONE: lambda: strategy.gate_sample(theirs),
        },
        ROUNDS,
        at_most={
            FLOWKIT: PEER_ROUNDS,
            FLOWKIT_ALONE: PEER_ROUNDS,
            f"{OPEN}, by NumPy": 3,
        },
    )
    rows = _rows(case, seconds, FLOWKIT)
    whole = ratio(seconds[FLOWKIT], seconds[WARM])
    alone = ratio(seconds[FLOWKIT_ALONE], seconds[OPEN])
    _aim(aims, "12 gates, file to counts: at least 40 times FlowKit's load and gate", whole, 40)
    _aim(aims, "12 gates, gating alone on an open sample: at least 40 times FlowKit's gate_sample", alone, 40)
    _aim(aims, "12 gates, file to counts: within 12 times readinto", ratio(seconds[WARM], seconds[PLAIN]), -12)
    ours = _cli(path, template)
    script = [sys.executable, "-m", "benchmarks.gating_flowkit", str(path), str(template)]
    processes = interleave(
        {
            "python -c 'import numpy'": _process([sys.executable, "-c", "import numpy"]),
            PROCESS: _process(ours),
            f"{PROCESS}, by NumPy": _process(ours, CYTOREG_KERNEL="numpy"),
            FLOWKIT_PROCESS: _process(script),
        },
        5,
        at_most={FLOWKIT_PROCESS: PEER_ROUNDS, f"{PROCESS}, by NumPy": 3},
    )
    rows += _rows("12 gates, 1,000,000 x 20 events, whole processes", processes, FLOWKIT_PROCESS)
    _aim(
        aims,
        "12 gates, whole process: at least 20 times the script with FlowKit",
        ratio(processes[FLOWKIT_PROCESS], processes[PROCESS]),
        20,
    )
    _memory("12 gates, 1,000,000 events", ours, 12, EVENTS, aims)
    return rows


def _forest(path: Path, template: Path, rows: list[GatingRow], aims: list[AimRow]) -> int:
    """A tree of 60 populations of all kinds on the same file."""
    differing = _same(path, template, f"{FOREST} populations", aims)
    loaded = cytoreg.load_template(template)
    seconds = interleave(
        {
            WARM: lambda: cytoreg.gate(path, loaded),
            "cytoreg, from the file, one thread": _forced(path, loaded, threads=1),
            "cytoreg, from the file, by NumPy": _forced(path, loaded, kernel="numpy"),
            FLOWKIT: lambda: _flowkit(path, template),
        },
        3,
        at_most={FLOWKIT: 1, "cytoreg, from the file, by NumPy": 1},
    )
    rows += _rows("60 populations, 1,000,000 x 20 events, one process", seconds, FLOWKIT)
    _memory("60 populations, 1,000,000 events", _cli(path, template), FOREST, EVENTS, aims)
    return differing


def _large(folder: Path, million: Path, template: Path, rows: list[GatingRow], aims: list[AimRow]) -> None:
    """Ten million events in one file beside one million in another: ours only."""
    case = "12 gates, 10,000,000 x 20 events in one file"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    free = shutil.disk_usage(folder).free
    if free < 1200 * MB or 0 < memory < 4000 * MB:
        why = f"needs 1,200 MB of disk and 4,000 MB of memory, found {free / MB:.0f} and {memory / MB:.0f}"
        rows.append(GatingRow(case, "skipped", note=why))
        print(f"\n{case}: skipped: {why}")
        return
    path = folder / "large.fcs"
    write_events(path, LARGE)
    loaded, plain = cytoreg.load_template(template), readers.plain_read(path.stat().st_size)
    small = "cytoreg, 1,000,000 events, from the file"
    seconds = interleave(
        {
            PLAIN: lambda: plain.read(path),
            WARM: lambda: cytoreg.gate(path, loaded),
            small: lambda: cytoreg.gate(million, loaded),
        },
        5,
    )
    rows += _rows(case, seconds, None)
    growth = ratio(seconds[WARM], seconds[small])
    _aim(aims, "ten times the events: at most ten times the time", growth, -LARGE / EVENTS)
    _aim(
        aims,
        "10,000,000 events, file to counts: within 12 times readinto",
        ratio(seconds[WARM], seconds[PLAIN]),
        -12,
    )
    _memory("12 gates, 10,000,000 events", _cli(path, template), 12, LARGE, aims)
    path.unlink()


def _study(folder: Path, template: Path, rows: list[GatingRow], aims: list[AimRow]) -> int:
    """Forty files, one after the other in one process; FlowKit does three, and its time is scaled up."""
    paths = [folder / f"{i}.fcs" for i in range(STUDY_FILES)]
    for i, path in enumerate(paths):
        write_events(path, STUDY_EVENTS, shift=i * 1000)
    loaded = cytoreg.load_template(template)
    plain = readers.plain_read(paths[0].stat().st_size)
    seconds = interleave(
        {
            PLAIN: lambda: [plain.read(path) for path in paths] and None,
            WARM: lambda: [cytoreg.gate(path, loaded).rows() for path in paths],
            FLOWKIT: lambda: [_flowkit(path, template).report for path in paths[:STUDY_PEERS]],
        },
        3,
        at_most={FLOWKIT: 1},
    )
    seconds[FLOWKIT] *= STUDY_FILES / STUDY_PEERS
    note = f"{STUDY_PEERS} of the files, scaled"
    case = "12 gates, 40 files of 300,000 x 20 events"
    rows += _rows(case, seconds, FLOWKIT, {FLOWKIT: note})
    _aim(
        aims,
        f"40 files of 300,000 events: at least 40 times FlowKit ({note})",
        ratio(seconds[FLOWKIT], seconds[WARM]),
        40,
    )
    return sum(_differing(cytoreg.gate(path, loaded), _flowkit(path, template)) for path in paths[:1])


def _flowkit(path: Path, template: Path) -> Any:
    import flowkit

    sample = flowkit.Sample(path)
    return strategy_of(template, sample).gate_sample(sample)


def _forced(sample: Any, template: Any, **how: Any) -> Callable[[], Result]:
    def gated() -> Result:
        with _kernel(**how):
            return cytoreg.gate(sample, template)

    return gated


@contextmanager
def _kernel(**how: Any) -> Iterator[None]:
    """The same engine with another number of threads, or with NumPy in place of the kernel."""
    with mock.patch.object(kernel, "decide", partial(kernel.decide, **how)):
        yield


def _cli(path: Path, template: Path) -> list[str]:
    call = f"from cytoreg.cli.main import main; main(['gate', {str(path)!r}, '-t', {str(template)!r}, '--format', 'csv'])"
    return [sys.executable, "-c", call]


def _process(command: Sequence[str], **environment: str) -> Callable[[], Any]:
    """As after an install: modules may be kept compiled, whatever this shell says of it; run once to have them so."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run() -> Any:
        return subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**kept, **environment})

    run()
    return run


def _same(path: Path, template: Path, what: str, aims: list[AimRow]) -> int:
    """Print how many decisions the gates ask for, and each event that FlowKit decides otherwise."""
    result = cytoreg.gate(path, template)
    with _kernel(kernel="numpy"):
        plain = cytoreg.gate(path, template)
    unlike = sum(int((result.mask(name) != plain.mask(name)).sum()) for name in result.names)
    decisions = sum(result.count(result.bound.parents[name]) for name in result.names)
    print(f"\n{what}, {result.n_events:,} events: {decisions:,} event-gate decisions; {unlike} by NumPy otherwise")
    differing = _differing(result, _flowkit(path, template))
    print(f"  decided otherwise by FlowKit: {differing}")
    text = f"{what}: membership equal to FlowKit's and to NumPy's, of {decisions:,} decisions"
    aims.append(AimRow(text, f"{differing} and {unlike} differ", not differing and not unlike))
    return differing + unlike


def _differing(result: Result, theirs: Any) -> int:
    """Events that FlowKit has in or out of a population otherwise; each printed, with its distance to the edge."""
    differing = 0
    for name in result.names:
        ours = result.mask(name)
        events = np.flatnonzero(ours != np.asarray(theirs.get_gate_membership(name)))
        differing += len(events)
        for event in events[:SHOWN]:
            gate = result.gates[name].gate
            at = [float(result.events.display(result.nodes["root"], axis)[event]) for axis in gate.on]
            far = f"{_distance(at, gate):.3g} from the edge" if isinstance(gate, Polygon) else "no polygon"
            print(f"  {name}, event {event}: {'in' if ours[event] else 'out'} here, at {at}, {far}")
        if len(events) > SHOWN:
            print(f"  {name}: and {len(events) - SHOWN} more")
    return differing


def _distance(at: Sequence[float], gate: Polygon) -> float:
    """From a point to the nearest edge, in display units."""
    start = np.array(gate.vertices)
    along = np.roll(start, -1, axis=0) - start
    part = np.clip(((at - start) * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
    return float(np.linalg.norm(start + part[:, None] * along - at, axis=1).min())


def _memory(what: str, command: Sequence[str], populations: int, events: int, aims: list[AimRow]) -> None:
    if not Path("/proc/self/status").exists():
        return
    found, limit = anonymous_mb(command), 100 + populations * events / 8 / MB
    text = f"{what}, whole process: at most {limit:.1f} MB of anonymous memory above the bare interpreter"
    aims.append(AimRow(text, f"{found:.1f} MB", found <= limit))
    print(f"  {text}: {found:.1f} MB")


def _rows(
    case: str, seconds: Mapping[str, Seconds], peer: str | None, notes: Mapping[str, str] | None = None
) -> list[GatingRow]:
    print(f"\n{case}")
    rows = []
    for way, taken in seconds.items():
        rival = FLOWKIT_ALONE if way.startswith(OPEN) else peer  # what does the same work
        over = ratio(seconds[rival], taken) if rival else None
        plain = ratio(taken, seconds[PLAIN]) if PLAIN in seconds else None
        row = GatingRow(
            *(case, way, int(np.isfinite(taken).sum()), float(np.nanmedian(taken) * 1000)),
            *_three(over),
            *_three(plain),
            note=(notes or {}).get(way, ""),
        )
        rows.append(row)
        faster = (
            f"   FlowKit takes x {row.flowkit:7.2f} ({row.flowkit_low:.1f} to {row.flowkit_high:.1f})"
            if over
            else ""
        )
        times = f"   x {row.plain:6.2f} of readinto ({row.plain_low:.1f} to {row.plain_high:.1f})" if plain else ""
        print(f"  {way:<46} {row.milliseconds:9.1f} ms{faster}{times}   {row.note}", flush=True)
    return rows


def _three(found: Ratio | None) -> tuple[float | None, float | None, float | None]:
    return (found.median, found.low, found.high) if found else (None, None, None)


def _aim(aims: list[AimRow], what: str, found: Ratio, limit: float) -> None:
    """limit: at least so much; at most, where it is negative."""
    met = found.median <= -limit if limit < 0 else found.median >= limit
    aims.append(AimRow(what, f"{found.median:.1f} ({found.low:.1f} to {found.high:.1f})", met))


def _keep(rows: Sequence[GatingRow], aims: Sequence[AimRow], load: str) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    setting = (
        f"{datetime.date.today():%Y-%m-%d}; {cores} cores, {platform.machine()}, {platform.system()}{load}; "
        f"Python {platform.python_version()}; {readers.versions()}; kernel {kernel.status()}"
    )
    for path, kind, kept in ((GATING, GatingRow, rows), (AIMS, AimRow, aims)):
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(f"# {setting}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field.name for field in fields(kind)])
            writer.writerows(
                [f"{cell:.3f}" if isinstance(cell, float) else cell for cell in astuple(row)]  # type: ignore[call-overload]
                for row in kept
            )
    speed_page.update()
    print("\naims")
    for aim in aims:
        print(f"  {aim.what}: {aim.found} ({'met' if aim.met else 'missed'})")
    print(f"\nkept in {GATING}, {AIMS} and {speed_page.PAGE}")
