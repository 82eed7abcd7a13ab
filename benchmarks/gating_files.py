"""The files and templates that gating is timed on: simulated events of known spillover, a chain of gates, a forest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from cytoreg.fcs import Spillover, write_fcs
from cytoreg.gating.gates import Any_, Ellipse, Gate, Not, Polygon, Rectangle, Reference

__all__ = ["CHAIN", "DECADES", "FOREST", "NAMES", "write_chain", "write_events", "write_forest"]

SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W")
COLOURS = tuple(f"F{i}-A" for i in range(13))
NAMES = (*SCATTER, *COLOURS, "Time")
TOP, DECADES = 262144, 4.5
SCALE = {"logicle": {"T": TOP, "W": 0.5, "M": DECADES, "A": 0}}
CHAIN, FOREST = 12, 60
BLOCK = 1_000_000


def write_events(path: Path, n: int, *, shift: int = 0) -> None:
    """A file of n events. shift: turns the events round, so that no two files are the same.

    Beyond a million, the same million again and again: what is measured is time, not biology.
    """
    block = np.roll(_simulate(min(n, BLOCK)), shift, axis=0)
    events = block if len(block) == n else np.tile(block, (-(-n // len(block)), 1))[:n]
    write_fcs(path, events, list(NAMES), ranges=[float(TOP)] * len(NAMES), spillover=Spillover(COLOURS, _spill()))


def write_chain(path: Path) -> Path:
    """Twelve polygons of 6 to 12 vertices, none axis-parallel, each below the one before: two on scatter, ten on
    two compensated channels each in logicle space."""
    rng = np.random.default_rng(3)
    gates: list[tuple[Gate, str | None]] = []
    for g in range(CHAIN):
        corners = 6 + g % 7
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + 0.3 + rng.uniform(-0.1, 0.1, corners)
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        if g < 2:
            on, vertices = SCATTER[3 * g : 3 * g + 2], 90_000 + ring * 48_000
        else:
            on, vertices = COLOURS[g - 2 : g], np.array([2.45, 2.45]) + ring * 1.75
        gates.append((Polygon(on, tuple(map(tuple, vertices.tolist()))), f"g{g - 1}" if g else None))
    return _write(path, "chain", "g", gates)


def write_forest(path: Path) -> Path:
    """Sixty populations, each on one of the ten before it: rectangles, polygons, ellipses and booleans in turn."""
    rng = np.random.default_rng(2)
    angle = np.linspace(0, 2 * np.pi, 8)[:-1] + 0.1
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    gates: list[tuple[Gate, str | None]] = []
    for i in range(FOREST):
        on = tuple(str(name) for name in rng.choice(COLOURS, 2, replace=False))
        center = rng.uniform(1.5, 3.0, 2)
        gate: Gate
        if i % 5 == 0:
            gate = Rectangle(on, tuple((center - 1.5).tolist()), tuple((center + 1.5).tolist()))
        elif i % 5 in (1, 2):
            gate = Polygon(on, tuple(map(tuple, (center + ring * 1.6).tolist())))
        elif i % 5 == 3:
            gate = Ellipse(on, tuple(center.tolist()), ((1.0, 0.2), (0.2, 1.0)), 1.7)
        else:
            gate = Not(Any_((Reference(f"p{i - 1}"), Reference(f"p{i - 2}"))))
        gates.append((gate, f"p{int(rng.integers(max(0, i - 10), i))}" if i >= 5 else None))
    return _write(path, "forest", "p", gates)


def _simulate(n: int) -> npt.NDArray[np.float32]:
    """Scatter, mixed populations on 13 colours with their spillover, and time; shape (n, 20)."""
    rng = np.random.default_rng(1)
    events = np.empty((n, len(NAMES)), dtype=np.float32)
    events[:, : len(SCATTER)] = rng.normal(90_000, 30_000, (n, len(SCATTER)))
    lineage = rng.random(n) < 0.75
    true = np.empty((n, len(COLOURS)), dtype=np.float32)
    for colour in range(len(COLOURS)):
        bright = lineage if colour % 2 else rng.random(n) < 0.8
        true[:, colour] = np.where(bright, rng.lognormal(8.5, 0.7, n), rng.normal(0, 150, n))
    events[:, len(SCATTER) : -1] = true @ _spill().astype(np.float32)
    events[:, -1] = np.arange(n)
    return events


def _spill() -> npt.NDArray[np.float64]:
    """Up to 3 percent between any two, 15 between neighbours."""
    matrix = np.random.default_rng(7).uniform(0.0, 0.03, (len(COLOURS), len(COLOURS)))
    matrix[np.arange(len(COLOURS) - 1), np.arange(1, len(COLOURS))] = 0.15
    np.fill_diagonal(matrix, 1.0)
    return np.round(matrix, 6)


def _write(path: Path, name: str, letter: str, gates: list[tuple[Gate, str | None]]) -> Path:
    populations = {
        f"{letter}{i}": {**({"parent": parent} if parent else {}), "gate": gate.describe()}
        for i, (gate, parent) in enumerate(gates)
    }
    said = {"cytoreg": 1, "name": name, "transforms": {"default": SCALE}, "populations": populations}
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return path
