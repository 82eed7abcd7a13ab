"""How often the acquisition checks find a planted drift, jump, other stretch or clog, and how often they see what is not there.

Usage: python benchmarks/acquisition.py [SEEDS]. Tubes have ten channels of light, each with a negative peak and positive
cells that spread by a third of themselves, and a clock with Poisson arrivals; one channel is disturbed.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.sample import sample_from_array
from cytoreg.quality import Quality, quality_of

NAMES = ("FSC-A", "SSC-A", *(f"FL{i}-A" for i in range(1, 9)))
Mask = npt.NDArray[np.bool_]


def tube(
    seed: int, n: int, *, shape: str = "", size: float = 0.0, start: float = 0.5, stop: float = 0.6
) -> tuple[npt.NDArray[np.float32], Mask]:
    """Events (n, 11) with time last, and which were disturbed, (n,).

    shape: `drift` (to the end, `size` SDs of the logarithm), `jump` (by that from `start` on), `stretch` (from start to
    stop), `clog` (a rate of `size` times the usual from start to stop of the time), `gap`.
    """
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(rng.exponential(1.0, n))
    seconds /= seconds[-1]
    if shape == "clog":
        inside = (seconds >= start) & (seconds < stop)
        kept = ~inside | (rng.random(n) < size)
        missing = int((~kept).sum())
        more = rng.random(missing) * (1 - stop + start)
        seconds = np.sort(np.concatenate([seconds[kept], np.where(more < start, more, more + stop - start)]))
    place = (np.arange(n) + 0.5) / n
    events = np.empty((n, len(NAMES) + 1))
    for i in range(len(NAMES)):
        positive = rng.random(n) < rng.uniform(0.1, 0.9)
        spread = rng.normal(0, 0.33, n)
        if i == 3:
            shift = {"drift": place, "jump": place >= start, "stretch": (place >= start) & (place < stop)}
            spread += 0.33 * size * np.asarray(shift.get(shape, np.zeros(n)), dtype=np.float64)
        events[:, i] = np.where(positive, 20_000, 1_500) * np.exp(spread) + rng.normal(0, 120, n)
    events[:, -1] = np.floor(seconds * 12_000)
    touched = np.zeros(n, dtype=bool)
    if shape == "jump":
        touched = place >= start if start > 0.5 else place < start
    elif shape == "stretch":
        touched = (place >= start) & (place < stop)
    elif shape == "clog":
        touched = (seconds >= start) & (seconds < stop)
    return events.astype(np.float32), touched


def judged(events: npt.NDArray[np.float32], remove: tuple[str, ...] = ()) -> Quality:
    """The tube judged by all its channels."""
    sample = sample_from_array(events, [*NAMES, "Time"])
    return quality_of(
        sample, dict(zip(sample.channels, sample.columns(range(len(sample.channels))), strict=True)), remove
    )


def main(seeds: int) -> None:
    """Print a line a case."""
    print(
        f"{seeds} seeds; flagged: tubes with a flag of this kind; of the touched events: found; of the others: taken too"
    )
    cases: list[tuple[str, float, float, float]] = [("", 0, 0, 0)]
    cases += [("drift", size, 0, 0) for size in (0.5, 1.0, 1.5, 2.0, 3.0)]
    cases += [("jump", size, 0.7, 1) for size in (0.5, 0.75, 1.0, 1.5, 2.0)]
    cases += [("stretch", size, 0.4, stop) for size in (1.0, 1.5, 2.0) for stop in (0.45, 0.5)]
    cases += [("clog", size, 0.4, stop) for size in (0.0, 0.1, 0.5) for stop in (0.42, 0.5)]
    for n in (3_000, 10_000, 50_000, 300_000):
        for shape, size, start, stop in cases:
            remove = ("rate",) if shape == "clog" else ("time",)
            flagged, found, others = 0, [], []
            for seed in range(seeds):
                events, touched = tube(seed, n, shape=shape, size=size, start=start, stop=stop)
                quality = judged(events, remove)
                wanted = (
                    {"clog"}
                    if shape == "clog"
                    else {"drift", "jump"}
                    if shape
                    else {"drift", "jump", "clog", "flow_rate"}
                )
                flagged += bool(wanted & set(quality.flags))
                gone = ~quality.kept if quality.kept is not None else np.zeros(n, dtype=bool)
                found += [gone[touched].mean()] if touched.any() else []
                others += [gone[~touched].mean()] if shape != "drift" else []
            said = f"{n:7,} events {shape or 'steady':8} size {size:4.2f} {start:.2f}-{stop:.2f} flagged {flagged / seeds:6.1%}"
            said += f"  found {np.mean(found):6.1%}" if found else ""
            print(said + (f"  taken too {np.mean(others):7.3%}" if others else ""), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
