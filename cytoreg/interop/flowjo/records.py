"""What a FlowJo workspace says, as plain records: the same for the XML of FlowJo 9 and 10."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cytoreg.compensation import Matrix

__all__ = [
    "Combined",
    "Derived",
    "Dimension",
    "Drawn",
    "Listed",
    "PopulationRecord",
    "SampleRecord",
    "Scale",
    "Unknown",
    "Workspace",
]

Point = tuple[float, float]


@dataclass(frozen=True)
class Dimension:
    """One axis of a gate: a parameter's name, and for rectangles its limits in linear values."""

    name: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Drawn:
    """A gate that somebody drew.

    kind: rectangle, rectangle9 (by its corners), range9, polygon, ellipse (foci and edge points in bins of the
    display), ellipse9 (four ends of its axes in linear values) or curly. points: vertices in linear values, or
    edge points. inside: False keeps what is outside. magnetic: FlowJo moves it to the cells of each sample.
    """

    kind: str
    dimensions: tuple[Dimension, ...]
    points: tuple[Point, ...] = ()
    foci: tuple[Point, ...] = ()
    inside: bool = True
    resolution: int = 256
    magnetic: bool = False


@dataclass(frozen=True)
class Combined:
    """A boolean over populations, by the text that names each. kind: all, any or not.

    expression: FlowJo 9's, over G0, G1, ...; empty where kind says it all.
    """

    kind: str
    of: tuple[str, ...]
    expression: str = ""


@dataclass(frozen=True)
class Unknown:
    """A gate of a kind that is not known. reason: what was found, and what is known."""

    reason: str


@dataclass(frozen=True)
class PopulationRecord:
    """A population: the names from the first step down to it, its gate, and the count that was saved."""

    path: tuple[str, ...]
    gate: Drawn | Combined | Unknown
    count: int | None
    element: Any = field(compare=False, repr=False)


@dataclass(frozen=True)
class Scale:
    """A display scale as written: its kind, and its numbers as text."""

    kind: str
    params: Mapping[str, str]
    element: Any = field(compare=False, repr=False)


@dataclass(frozen=True)
class Derived:
    """A parameter made of others. ratio: numerator and denominator, None where the formula is something else."""

    name: str
    formula: str
    ratio: tuple[str, str] | None
    factor: float = 1.0


@dataclass(frozen=True)
class SampleRecord:
    """One sample. names: what it may be called, the best one first.

    keywords: $PnN, $PnG and $TIMESTEP only. matrix: what compensated it, None for nothing; prefix and suffix
    make the name of a compensated parameter of that of its fluorochrome. scales: by parameter name.
    """

    id: str
    names: tuple[str, ...]
    keywords: Mapping[str, str]
    scales: Mapping[str, Scale]
    matrix: Matrix | str | None
    prefix: str
    suffix: str
    populations: tuple[PopulationRecord, ...]
    derived: Mapping[str, Derived]
    element: Any = field(compare=False, repr=False)


@dataclass(frozen=True)
class Listed:
    """A sample by its id and what it may be called. record: reads the rest of it."""

    id: str
    names: tuple[str, ...]
    record: Callable[[], SampleRecord]


@dataclass(frozen=True)
class Workspace:
    """The samples of a workspace, and the sample ids of each group.

    gated_alone: groups that have gates and no samples. version: 9 or 10. uses_gain: $PnG divides the values, as FlowJo was told for this cytometer.
    """

    version: int
    samples: tuple[Listed, ...]
    groups: Mapping[str, tuple[str, ...]]
    gated_alone: tuple[str, ...] = ()
    uses_gain: bool = False
