"""The kernel on a tree of 60 populations and on more and more events, as ratios: time must grow no faster than either.

`python -m benchmarks.kernel_trees`. Rectangles, polygons, ellipses and booleans on 13 compensated logicle channels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.kernel_chain import N_CHANNELS, N_COMPENSATED, plan, simulate
from cytoreg.gating.gates import Any_, Ellipse, Gate, Not, Polygon, Rectangle, Reference
from cytoreg.gating.kernel import Plan, Population, decide

N_POPULATIONS = 60


def tree() -> Plan:
    """A forest of 60: each population hangs on one of the ten before it, in turn of five kinds."""
    rng = np.random.default_rng(2)
    angle = np.linspace(0, 2 * np.pi, 8)[:-1]
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    populations: list[Population] = []
    for i in range(N_POPULATIONS):
        on = tuple(f"f{k}" for k in rng.choice(N_COMPENSATED, 2, replace=False))
        center = rng.uniform(1.5, 3.0, 2)
        gate: Gate
        if i % 5 == 0:
            gate = Rectangle(on, tuple(center - 1.5), tuple(center + 1.5))
        elif i % 5 in (1, 2):
            gate = Polygon(on, tuple(map(tuple, (center + ring * 1.6).tolist())))
        elif i % 5 == 3:
            gate = Ellipse(on, tuple(center), ((1.0, 0.2), (0.2, 1.0)), 1.7)
        else:
            gate = Not(Any_((Reference(f"p{i - 1}"), Reference(f"p{i - 2}"))))
        parent = f"p{int(rng.integers(max(0, i - 10), i))}" if i >= 5 else None
        populations.append(Population(f"p{i}", gate, parent))
    return Plan(N_CHANNELS, plan().axes, populations)


def seconds(work: Callable[[], Any], rounds: int = 7) -> float:
    """Median processor seconds of this process, which other processes disturb less than the clock."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times)


def main() -> None:
    """Print both."""
    events, forest, chain = simulate(1_000_000), tree(), plan()
    found = decide(forest, events, kernel="native")
    same = (found.masks == decide(forest, events, kernel="numpy").masks).all()
    decisions = sum(
        len(events) if p.parent is None else found.counts[found.names.index(p.parent)] for p in forest.populations
    )
    print(f"60 populations, {decisions:,} decisions, equal to NumPy: {bool(same)}, left to it: {found.n_exact}")
    native = seconds(lambda: decide(forest, events, threads=1, kernel="native"))
    plain = seconds(lambda: decide(forest, events, threads=1, kernel="numpy"), 3)
    print(f"  native {native * 1000:.0f} ms, NumPy {plain * 1000:.0f} ms of processor: x {plain / native:.1f}")
    print("12 chained polygons, processor time of a million events:")
    for n in (10_000, 100_000, 1_000_000, 4_000_000):
        some = events[:n] if n <= len(events) else np.tile(events, (n // len(events), 1))
        taken = seconds(lambda some=some: decide(chain, some, threads=1, kernel="native"))
        print(f"  {n:>10,} events: {taken * 1e9 / n:.0f} ms")


if __name__ == "__main__":
    main()
