"""FlowKit as the second engine: the concrete gates of a result applied by it, and every event it decides otherwise.

FlowKit and what it imports load here, when asked for, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.compensation import Compensation
from cytoreg.gating.engine import unplaced
from cytoreg.gating.events import Axis
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Nothing, Polygon, Range, Rectangle, Reference
from cytoreg.gating.result import Result
from cytoreg.transforms import Arcsinh, Biexponential, Hyperlog, Linear, Log, Logicle, Transform

__all__ = ["Difference", "compare", "membership"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Difference:
    """An event that the two engines decide otherwise. values: display units of the gate's axes."""

    population: str
    event: int
    ours: bool
    values: tuple[float, ...]

    def __str__(self) -> str:
        side = "in here, out there" if self.ours else "out here, in there"
        return f"{self.population}, event {self.event}: {side}, at {', '.join(f'{v:.12g}' for v in self.values)}"


def compare(result: Result) -> list[Difference]:
    """Every event whose membership of a population differs from FlowKit's, population by population."""
    theirs = membership(result)
    differences = []
    for name, mask in theirs.items():
        ours = result.mask(name)
        axes = result.gates[name].gate.on
        root = result.nodes["root"]
        for event in np.flatnonzero(ours != mask):
            values = tuple(
                float(result.events.display(root, axis)[np.searchsorted(root.index, event)])
                for axis in axes
                if axis in result.bound.axes
            )
            differences.append(Difference(name, int(event), bool(ours[event]), values))
    return differences


def membership(result: Result) -> dict[str, Mask]:
    """Which events FlowKit's gates and transforms put in each population.

    The channels go to FlowKit raw; compensation is its own matrix product, transforms and gates its own
    classes. Booleans over gates are put together from its answers, since FlowKit has no names for parts.
    """
    columns = _display_columns(result)
    found: dict[str, Mask] = {"root": result.mask("root")}
    if result.bound.start is not None:
        found[result.bound.start] = found["root"]
    gates = {name: applied.gate for name, applied in result.gates.items()}
    for name, applied in result.gates.items():
        if unplaced(applied.gate, gates):
            found[name] = np.zeros(result.n_events, dtype=bool)
            continue
        inside = _inside(applied.gate, columns, found, result.n_events)
        found[name] = inside & found[result.bound.parents[name]]
    return {name: found[name] for name in result.gates}


def _display_columns(result: Result) -> dict[str, npt.NDArray[np.float64]]:
    """Display values of each axis, by FlowKit's compensation and transforms."""
    linear = _Linear(result)
    columns = {}
    for name, axis in result.bound.axes.items():
        ratio = axis.spec.ratio if axis.spec is not None else None
        values = linear.of(axis, 0)
        if ratio is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = ratio.A * (values - ratio.B) / (linear.of(axis, 1) - ratio.C)
        columns[name] = np.asarray(_on_scale(axis.transform, np.ascontiguousarray(values)), dtype=np.float64)
    return columns


class _Linear:
    """Compensated linear values, by the linear solver that FlowKit compensates with, a matrix at a time."""

    def __init__(self, result: Result) -> None:
        self.channels = {channel.name: channel.index for channel in result.bound.sample.channels}
        self.raw = result.bound.sample.to_numpy().astype(np.float64)
        self._solved: dict[int, npt.NDArray[np.float64]] = {}

    def of(self, axis: Axis, part: int) -> npt.NDArray[np.float64]:
        """The column of an axis, or of one part of a ratio."""
        matrix, wanted = axis.compensation, axis.wanted[part]
        if matrix is None or wanted not in matrix.fluorochromes:
            index = self.channels.get(wanted, axis.channel.index) if part == 0 else self.channels[wanted]
            return self.raw[:, index]
        return self._unmixed(matrix)[:, matrix.fluorochromes.index(wanted)]

    def _unmixed(self, matrix: Compensation) -> npt.NDArray[np.float64]:
        if id(matrix) not in self._solved:
            seen = self.raw[:, list(matrix.indices)]
            if len(matrix.fluorochromes) == len(matrix.indices):
                from flowutils.compensate import compensate  # type: ignore[import-untyped]

                # what flowkit.Matrix.apply calls; a flowkit.Sample of an array would round it to 32 bits first
                self._solved[id(matrix)] = compensate(seen, matrix.matrix)
            else:  # FlowKit takes square matrices only
                self._solved[id(matrix)] = np.linalg.lstsq(matrix.matrix.T, seen.T, rcond=None)[0].T
        return self._solved[id(matrix)]


def _on_scale(scale: Transform, values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Display units by FlowKit's transforms, which end at 1 where ours end at M."""
    from flowkit import transforms

    theirs: Any
    match scale:
        case Logicle(T=t, W=w, M=m, A=a) | Hyperlog(T=t, W=w, M=m, A=a):
            kind = transforms.LogicleTransform if isinstance(scale, Logicle) else transforms.HyperlogTransform
            theirs = kind(param_t=t, param_w=w, param_m=m, param_a=a)
            return np.asarray(theirs.apply(values) * m)
        case Log(T=t, M=m, clip=True):
            theirs = transforms.WSPLogTransform(offset=t / 10**m, decades=m)
            return np.asarray(theirs.apply(values) * m)
        case Log(T=t, M=m):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(transforms.LogTransform(param_t=t, param_m=m).apply(values) * m)
        case Arcsinh(cofactor=cofactor):
            return np.arcsinh(values / cofactor)
        case Biexponential(T=t, positive=positive, negative=negative, width=width, length=4096):
            theirs = transforms.WSPBiexTransform(negative=negative, width=width, positive=positive, max_value=t)
            return np.asarray(theirs.apply(values))
        case Linear():
            return values
    return scale.forward(values)  # a scale that FlowKit does not have


def _inside(gate: Gate, columns: dict[str, Any], found: dict[str, Mask], n: int) -> Mask:
    match gate:
        case All(parts=parts):
            return np.logical_and.reduce([_inside(part, columns, found, n) for part in parts])
        case Any_(parts=parts):
            return np.logical_or.reduce([_inside(part, columns, found, n) for part in parts])
        case Not(part=part):
            return ~_inside(part, columns, found, n)
        case Reference(population=population):
            return found[population]
        case Nothing():
            return np.zeros(n, dtype=bool)
        case _:
            return _geometry(gate, columns)


def _geometry(gate: Range | Rectangle | Polygon | Ellipse, columns: dict[str, Any]) -> Mask:
    import pandas as pd
    from flowkit import Dimension, gates

    frame = pd.DataFrame({axis: columns[axis] for axis in gate.on})
    match gate:
        case Range(on=on, min=low, max=high):
            theirs: Any = gates.RectangleGate(
                "gate", [Dimension(on[0], range_min=_limit(low), range_max=_limit(high))]
            )
        case Rectangle(on=on, min=low, max=high):
            dims = [
                Dimension(a, range_min=_limit(x), range_max=_limit(y))
                for a, x, y in zip(on, low, high, strict=True)
            ]
            theirs = gates.RectangleGate("gate", dims)
        case Polygon(on=on, vertices=vertices):
            theirs = gates.PolygonGate(
                "gate", [Dimension(axis) for axis in on], vertices=[list(v) for v in vertices]
            )
        case Ellipse(on=on):
            theirs = gates.EllipsoidGate(
                "gate",
                [Dimension(axis) for axis in on],
                coordinates=list(gate.center),
                covariance_matrix=[list(row) for row in gate.covariance],
                distance_square=gate.distance**2,
            )
    inside: Mask = np.asarray(theirs.apply(frame), dtype=bool)
    return inside


def _limit(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
