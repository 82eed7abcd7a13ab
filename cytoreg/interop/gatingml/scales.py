"""GatingML's transformations (section 6) and ours: its coordinates, 0 to 1 for most, and our display units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.axes import Ratio
from cytoreg.transforms import Arcsinh, Hyperlog, Linear, Log, Logicle, Transform

__all__ = ["PARAMETERS", "Scale", "scale_of", "words_of"]

TEN = math.log(10.0)
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "flin": ("T", "A"),
    "flog": ("T", "M"),
    "fasinh": ("T", "M", "A"),
    "logicle": ("T", "W", "M", "A"),
    "hyperlog": ("T", "W", "M", "A"),
    "fratio": ("A", "B", "C"),
}


@dataclass(frozen=True)
class Scale:
    """A scale of ours, and where a coordinate v of GatingML lies on it: factor * v + shift."""

    transform: Transform
    factor: float = 1.0
    shift: float = 0.0

    def place(self, value: float) -> float:
        """Display units of a GatingML coordinate."""
        return self.factor * value + self.shift

    def places(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The same of many, any shape."""
        return self.factor * values + self.shift

    def back(self, display: float) -> float:
        """The GatingML coordinate of display units."""
        return (display - self.shift) / self.factor


def scale_of(kind: str, p: Mapping[str, float]) -> Scale:
    """The scale of a GatingML transformation. Raises ValueError for parameters it cannot have."""
    match kind:
        case "flin":  # (x + A) / (T + A)
            if not (0 < p["T"] < math.inf and 0 <= p["A"] <= p["T"]):
                raise ValueError(f"flin needs T > 0 and 0 <= A <= T, found T {p['T']:g}, A {p['A']:g}")
            return Scale(Linear(), p["T"] + p["A"], -p["A"])
        case "flog":  # log10(x / T) / M + 1
            return Scale(Log(p["T"], p["M"]), p["M"])
        case "fasinh":  # (asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10)
            if not 0 <= p["A"] <= p["M"]:
                raise ValueError(f"fasinh needs 0 <= A <= M, found M {p['M']:g}, A {p['A']:g}")
            return Scale(Arcsinh.from_top(p["T"], p["M"]), (p["M"] + p["A"]) * TEN, -p["A"] * TEN)
        case "logicle":
            return Scale(Logicle(p["T"], p["W"], p["M"], p["A"]), p["M"])
        case "hyperlog":
            return Scale(Hyperlog(p["T"], p["W"], p["M"], p["A"]), p["M"])
    raise ValueError(f"no scale is called {kind!r}")


def words_of(transform: Transform) -> tuple[str, Mapping[str, float], Scale] | None:
    """GatingML's word, parameters and scale for a scale of ours; None where it has none.

    A linear scale is not transformed (an empty word).
    """
    said: dict[str, Any]
    match transform:
        case Linear():
            return "", {}, Scale(transform)
        case Log(T=top, M=decades, clip=False):
            said = {"T": top, "M": decades}
            return "flog", said, Scale(transform, decades)
        case Arcsinh(cofactor=cofactor):
            decades = 5.0  # any would do: what differs is only where 1 lies
            said = {"T": cofactor * math.sinh(decades * TEN), "M": decades, "A": 0.0}
            return "fasinh", said, Scale(transform, decades * TEN)
        case Logicle() | Hyperlog():
            said = {"T": transform.T, "W": transform.W, "M": transform.M, "A": transform.A}
            kind = "logicle" if isinstance(transform, Logicle) else "hyperlog"
            return kind, said, Scale(transform, transform.M)
    return None


def ratio_words(ratio: Ratio) -> Mapping[str, float]:
    """The parameters of fratio."""
    return {"A": ratio.A, "B": ratio.B, "C": ratio.C}
