"""Placing all gates of `treg_foxp3` with the default bootstrap, beside FlowKit applying the same geometry to the same file.

Files come from the simulator. FlowKit gets the concrete gates that were placed, as GatingML, which it reads itself; its
counts are compared with ours. Both go from the file to counts, in turns. Wall time is what a user waits; processor
time is less moved by what else the machine does. Run it with and without OMP_NUM_THREADS=1: the figures of each go to
`benchmarks/results/placing.csv`.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cytoreg
from cytoreg.fcs import write_fcs
from cytoreg.gating.concrete import concrete_template
from cytoreg.interop.gatingml.writing import write_gatingml
from cytoreg.simulation import simulate_tube
from cytoreg.simulation.biology import Composition

RESULTS = Path(__file__).parent / "results"
EVENTS = (50_000, 300_000, 1_000_000)
ROUNDS = 7
THREADS = os.environ.get("OMP_NUM_THREADS", "default")  # of linear algebra
PLAIN, BOTH, FLOWKIT = "cytoreg, gates placed", "cytoreg, gates placed and bootstrap", "FlowKit, the same geometry"


def main() -> int:
    """Measure, print, keep; status 1 where FlowKit counted otherwise, never for being slow."""
    import flowkit

    template = cytoreg.load_template("treg_foxp3")
    rows: list[dict[str, Any]] = []
    differing = 0
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with tempfile.TemporaryDirectory() as name:
        for n in EVENTS:
            file, gates = Path(name) / f"{n}.fcs", Path(name) / f"{n}.xml"
            tube = simulate_tube("treg", Composition(), n, np.random.default_rng(1))
            write_fcs(file, tube.events, list(tube.channels), markers=list(tube.markers),
                      ranges=list(tube.ranges), spillover=tube.spillover)  # fmt: skip
            placed = cytoreg.gate(file, template, bootstrap=0)
            write_gatingml(concrete_template(placed), gates)
            strategy = flowkit.parse_gating_xml(str(gates))

            def theirs(file: Path = file, strategy: Any = strategy) -> Any:
                return strategy.gate_sample(flowkit.Sample(str(file)))

            report = theirs().report
            ours = sorted(placed.count(key) for key in placed.names)
            differing += ours != sorted(int(count) for count in report["count"])
            ways: dict[str, Callable[[], Any]] = {
                PLAIN: lambda file=file: cytoreg.gate(file, template, bootstrap=0),
                BOTH: lambda file=file: cytoreg.gate(file, template),
                FLOWKIT: theirs,
            }
            seconds = _interleaved(ways)
            for way, (wall, busy) in seconds.items():
                ratio, busy_ratio = wall / seconds[FLOWKIT][0], busy / seconds[FLOWKIT][1]
                rows.append({
                    "threads": THREADS, "events": n, "way": way, "rounds": ROUNDS, "load": round(load, 1),
                    "wall_ms": round(1000 * float(np.median(wall)), 1), "cpu_ms": round(1000 * float(np.median(busy)), 1),
                    "wall_over_flowkit": round(float(np.median(ratio)), 2),
                    "cpu_over_flowkit": round(float(np.median(busy_ratio)), 2),
                })  # fmt: skip
                print(rows[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    rows = [*_kept(), *rows]
    with (RESULTS / "placing.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return int(differing > 0)


def _kept() -> list[dict[str, Any]]:
    """What was measured before with another number of threads."""
    table = RESULTS / "placing.csv"
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as handle:
        return [row for row in csv.DictReader(handle) if row.get("threads") not in (None, THREADS)]


def _interleaved(ways: dict[str, Callable[[], Any]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Wall and processor seconds of each way in each round; the order turns round."""
    found = {name: (np.empty(ROUNDS), np.empty(ROUNDS)) for name in ways}
    for turn in range(ROUNDS):
        for name in list(ways) if turn % 2 == 0 else list(reversed(ways)):
            wall, busy = time.perf_counter(), time.process_time()
            ways[name]()
            found[name][0][turn], found[name][1][turn] = time.perf_counter() - wall, time.process_time() - busy
    return found


if __name__ == "__main__":
    raise SystemExit(main())
