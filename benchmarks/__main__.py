"""`make bench`: reading, gating and start-up beside the other tools, as ratios within one run.

These are first measurements; the machines are noisy, so only the ratios are worth quoting.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import cytoreg
from cytoreg.fcs import write_fcs
from cytoreg.interop.flowkit import compare, membership
from cytoreg.simulation import simulate_cohort, simulate_samples

RUNS = 5


def timed(work: Callable[[], Any], runs: int = RUNS) -> float:
    """Median seconds of several runs after one that is not counted."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def table(title: str, rows: dict[str, float]) -> None:
    """Seconds, and how many times the first row."""
    first = next(iter(rows.values()))
    print(f"\n{title}")
    for name, seconds in rows.items():
        print(f"  {name:<46} {seconds * 1000:9.1f} ms   x {seconds / first:.1f}")


def reading(folder: Path) -> None:
    """All events, and one channel of 20, of a float file."""
    import fcsparser
    import flowio
    import flowkit

    path = folder / "big.fcs"
    rng = np.random.default_rng(1)
    write_fcs(path, rng.normal(1000, 300, (500_000, 20)).astype(np.float32), [f"C{i}-A" for i in range(20)])
    buffer = np.zeros(path.stat().st_size, dtype=np.uint8)

    def bytes_only() -> None:
        with path.open("rb", buffering=0) as file:
            file.readinto(memoryview(buffer))

    table(
        f"reading {path.stat().st_size / 1e6:.0f} MB, 500,000 events x 20 float channels",
        {
            "the bytes (readinto a touched buffer)": timed(bytes_only),
            "cytoreg, all channels": timed(lambda: cytoreg.read_fcs(path).to_numpy()),
            "cytoreg, one channel": timed(lambda: cytoreg.read_fcs(path)["C7-A"]),
            "fcsparser": timed(lambda: fcsparser.parse(str(path), reformat_meta=True)),
            "flowio": timed(lambda: np.reshape(flowio.FlowData(str(path)).events, (-1, 20))),
            "FlowKit": timed(lambda: flowkit.Sample(str(path)), runs=2),
        },
    )


def gating() -> None:
    """A simulated Treg tube: all gates fitted and applied by us, the same geometry applied by FlowKit."""
    cohort = simulate_cohort(4, "effects", 1)
    tube = next(s for s in simulate_samples(cohort, events=300_000) if s.row["tube"] == "full").acquired
    sample = tube.to_sample("tube")
    template = cytoreg.load_template("treg_foxp3")
    result = cytoreg.gate(sample, template)
    table(
        f"{len(result.gates)} gates on 300,000 events",
        {
            "cytoreg, fit and apply": timed(lambda: cytoreg.gate(sample, template)),
            "FlowKit, apply the same geometry": timed(lambda: membership(result), runs=2),
        },
    )
    print(f"  events decided otherwise by FlowKit: {len(compare(result))}")


def starting(folder: Path) -> None:
    """Whole processes."""

    def process(*arguments: str) -> Callable[[], Any]:
        return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=folder)

    tube = next((Path(__file__).parents[1] / "example_fcs" / "fcs").glob("*_treg.fcs"))
    table(
        "whole processes",
        {
            "python -c 'import numpy'": timed(process("-c", "import numpy")),
            "cytoreg --help": timed(process("-c", "from cytoreg.cli import main; main(['--help'])")),
            "cytoreg gate FILE --format csv": timed(
                process(
                    "-c",
                    f"from cytoreg.cli import main; main(['gate', {str(tube)!r}, '-t', 'treg_foxp3', '--format', 'csv'])",
                )
            ),
            "python -c 'import flowkit'": timed(process("-c", "import flowkit"), runs=2),
        },
    )


def main() -> None:
    """Run all of it."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        reading(Path(folder))
        gating()
        starting(Path(folder))


if __name__ == "__main__":
    main()
