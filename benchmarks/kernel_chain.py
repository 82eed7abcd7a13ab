"""The kernel beside FlowKit: 12 chained polygons on 1,000,000 x 20 events, as ratios of interleaved rounds.

`python -m benchmarks.kernel_chain [--events N] [--rounds N] [--no-flowkit]`. Thirteen compensated channels, ten
gates in logicle space, none axis-parallel, 6 to 12 vertices each. The same events, matrix and gates go to FlowKit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import Polygon
from cytoreg.gating.kernel import Axis, Decided, Plan, Population, Sweep, decide
from cytoreg.transforms import Linear, Logicle

N_CHANNELS, N_COMPENSATED, FIRST = 20, 13, 6
GATES = 12


def simulate(n: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """Scatter on channels 0 to 5, mixed populations on 13 fluorescent ones, time on the last; compensated values
    become spilled ones."""
    rng = np.random.default_rng(seed)
    events = np.empty((n, N_CHANNELS), dtype=np.float32)
    events[:, :FIRST] = rng.normal(90_000, 30_000, (n, FIRST))
    lineage = rng.random(n) < 0.75
    true = np.empty((n, N_COMPENSATED), dtype=np.float32)
    for channel in range(N_COMPENSATED):
        bright = lineage if channel % 2 else rng.random(n) < 0.8
        true[:, channel] = np.where(bright, rng.lognormal(8.5, 0.7, n), rng.normal(0, 150, n))
    events[:, FIRST : FIRST + N_COMPENSATED] = true @ spill().astype(np.float32)
    events[:, -1] = np.arange(n)
    return events


def spill() -> npt.NDArray[np.float64]:
    """Spillover of 13 detectors, up to 15 percent between neighbours."""
    rng = np.random.default_rng(7)
    matrix = rng.uniform(0.0, 0.03, (N_COMPENSATED, N_COMPENSATED))
    for i in range(N_COMPENSATED - 1):
        matrix[i, i + 1] = 0.15
    np.fill_diagonal(matrix, 1.0)
    return matrix


def plan() -> Plan:
    """Two scatter gates and ten gates of two fluorescent channels each, in one chain."""
    inverse = np.linalg.inv(spill())
    axes = {f"s{i}": Axis(((i, 1.0),), Linear()) for i in range(FIRST)}
    for k in range(N_COMPENSATED):
        sources = tuple((FIRST + i, float(inverse[i, k])) for i in range(N_COMPENSATED))
        axes[f"f{k}"] = Axis(sources, Logicle(T=262144, W=0.5, M=4.5, A=0))
    rng = np.random.default_rng(3)
    populations = []
    for g in range(GATES):
        corners = 6 + g % 7
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + 0.3 + rng.uniform(-0.1, 0.1, corners)
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        if g < 2:
            on, vertices = (f"s{2 * g}", f"s{2 * g + 1}"), 90_000 + ring * 48_000
        else:
            on = (f"f{(g - 2) % N_COMPENSATED}", f"f{(g - 1) % N_COMPENSATED}")
            vertices = np.array([2.45, 2.45]) + ring * [1.75, 1.75]
        populations.append(
            Population(f"g{g}", Polygon(on, tuple(map(tuple, vertices.tolist()))), f"g{g - 1}" if g else None)
        )
    return Plan(N_CHANNELS, axes, populations)


def flowkit_gating(gated: Plan, events: npt.NDArray[np.float32]) -> Callable[[], Any]:
    """The same for FlowKit: a strategy, and a sample that holds the events; returns what applies it."""
    import flowkit

    labels = [f"C{i}" for i in range(N_CHANNELS)]
    sample = flowkit.Sample(events.astype(np.float64), channel_labels=labels, sample_id="bench")
    strategy = flowkit.GatingStrategy()
    fluorescent = labels[FIRST : FIRST + N_COMPENSATED]
    strategy.add_comp_matrix("m", flowkit.Matrix(spill(), fluorescent))
    strategy.add_transform("lgcl", flowkit.transforms.LogicleTransform(262144, 0.5, 4.5, 0))
    path: tuple[str, ...] = ("root",)
    for population in gated.populations:
        polygon = population.gate
        dims, scale = [], 1.0
        for axis in polygon.on:
            if axis.startswith("s"):
                dims.append(flowkit.Dimension(f"C{axis[1:]}"))
            else:
                scale = 4.5
                dims.append(flowkit.Dimension(f"C{FIRST + int(axis[1:])}", "m", "lgcl"))
        vertices = [(x / scale, y / scale) for x, y in polygon.vertices]
        strategy.add_gate(flowkit.gates.PolygonGate(population.name, dims, vertices), path)
        path = (*path, population.name)
    return lambda: strategy.gate_sample(sample)


def from_file(path: Path, gated: Plan, n: int) -> Decided:
    """Read and gate block by block on two threads; no more than two blocks are in memory."""
    sweep, rows = Sweep(gated, n), 64 * 256
    starts = iter(range(0, n, rows))

    def work() -> None:
        buffer = np.zeros((rows, N_CHANNELS), dtype=np.float32)
        with path.open("rb", buffering=0) as file:
            for start in starts:
                block = buffer[: min(rows, n - start)]
                file.seek(start * buffer.itemsize * N_CHANNELS)
                file.readinto(memoryview(block.reshape(-1).view(np.uint8)))
                sweep.take(start, block)

    other = threading.Thread(target=work)
    other.start()
    work()
    other.join()
    return sweep.finish()


def anonymous_mb(path: Path, n: int, how: str) -> float:
    """Anonymous memory that a process has more than a bare interpreter after gating the file, at its highest."""
    program = f"""
import re
def anon(what):
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read()).group(1))
bare = anon("RssAnon")
from pathlib import Path
from benchmarks import kernel_chain as bench
import numpy as np
gated = bench.plan()
if {how!r} == "file":
    found = bench.from_file(Path({str(path)!r}), gated, {n})
else:
    events = np.fromfile({str(path)!r}, dtype=np.float32).reshape({n}, -1)
    found = bench.decide(gated, events)
print((anon("RssAnon") - bare) / 1024)
"""
    return float(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )


def main() -> None:
    """Print seconds of each and the ratios of the rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-flowkit", action="store_true")
    options = parser.parse_args()
    events, gated = simulate(options.events), plan()
    work: dict[str, Callable[[], Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.bin"
        events.tofile(path)
        buffer = np.zeros(events.nbytes, dtype=np.uint8)

        def readinto() -> None:
            with path.open("rb", buffering=0) as file:
                file.readinto(memoryview(buffer))

        work["readinto"] = readinto
        work["file to masks, 2 threads"] = lambda: from_file(path, gated, options.events)
        work["native, 1 thread"] = lambda: decide(gated, events, threads=1, kernel="native")
        work["native, 2 threads"] = lambda: decide(gated, events, threads=2, kernel="native")
        work["NumPy"] = lambda: decide(gated, events, kernel="numpy")
        if not options.no_flowkit:
            work["FlowKit"] = flowkit_gating(gated, events)
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(options.rounds):
            for name, run in work.items():
                start = time.perf_counter()
                found = run()
                seconds[name].append(time.perf_counter() - start)
                if name == "FlowKit":
                    theirs = found
        memory = {how: anonymous_mb(path, options.events, how) for how in ("file", "array")}
    ours = {name: decide(gated, events, kernel=name) for name in ("native", "numpy")}
    print(f"decisions {options.events + int(ours['numpy'].counts[:-1].sum()):,}; counts {ours['numpy'].counts}")
    print(f"left to NumPy by the kernel: {ours['native'].n_exact} events")
    print("native equals NumPy:", bool((ours["native"].masks == ours["numpy"].masks).all()))
    print("anonymous memory above a bare interpreter:", {how: f"{mb:.0f} MB" for how, mb in memory.items()})
    for name, times in seconds.items():
        times, base = times[1:], seconds["readinto"][1:]
        line = f"{name:<20}{median(times) * 1000:9.1f} ms   readinto x {median(a / b for a, b in zip(times, base, strict=True)):.1f}"
        if "FlowKit" in seconds:
            line += f"   FlowKit / this {median(b / a for a, b in zip(times, seconds['FlowKit'][1:], strict=True)):.1f}"
        print(line)
    if not options.no_flowkit:
        differences = 0
        for i, population in enumerate(gated.populations):
            mask = theirs.get_gate_membership(population.name)
            differences += int((mask != ours["native"].mask(population.name)).sum())
            assert i < GATES
        print("events that FlowKit decides otherwise:", differences)


if __name__ == "__main__":
    main()
