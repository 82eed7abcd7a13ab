"""FlowJo's axes as those of a template: which channel, how compensated, on which scale, over which range.

FlowJo writes gates in linear values of its own: stored values that $PnG does not divide (unless the cytometer's
settings say so), and Time in seconds by the gain of its axis. Ours are divided by $PnG (FCS 3.1, 3.2.20), and Time
is as stored; what differs is converted here. A scale is converted with the values, so that it does not matter
which compensation is taken.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cytoreg.compensation import Matrix
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.interop.flowjo.records import SampleRecord, Scale
from cytoreg.interop.xmlfile import XmlFile
from cytoreg.transforms import Arcsinh, Biexponential, Hyperlog, Linear, Log, Logicle, Transform

__all__ = ["NotCarried", "SampleAxes", "scale_of"]

KINDS = ("linear", "log", "biex", "fasinh", "logicle", "hyperlog")
KEPT_BY_FLOWJO_9 = 4096


class NotCarried(Exception):
    """Something of a gate that a template cannot say; the message is the reason."""


def scale_of(file: XmlFile, scale: Scale, parameter: str) -> tuple[Transform, float | None, float | None]:
    """A written scale, and the linear values at the ends of its display where it states them.

    Raises NotCarried for a kind that is not known, TemplateError for impossible numbers.
    """

    def number(key: str) -> float:
        return file.finite(scale.element, scale.params.get(key), f"{parameter}: {key}")

    try:
        match scale.kind:
            case "linear":
                return Linear(), number("minRange"), number("maxRange")
            case "log":
                return Log.from_offset(number("offset"), number("decades")), None, None
            case "biex":
                width = number("width")
                if -(10**0.5) < width <= -1:  # FlowJo shows no less than half a decade about zero
                    width = -(10**0.5)
                return Biexponential(number("maxRange"), number("pos"), max(0.0, number("neg")), width), None, None
            case "fasinh":
                arcsinh = Arcsinh.from_top(number("T"), number("M"))
                below = arcsinh.cofactor * math.sinh(number("A") * math.log(10.0))
                return arcsinh, -below, number("T")
            case "logicle":
                return Logicle(number("T"), number("W"), number("M"), number("A")), None, None
            case "hyperlog":
                return Hyperlog(number("T"), number("W"), number("M"), number("A")), None, None
    except (ValueError, OverflowError) as problem:
        file.fail(scale.element, f"{parameter}: {problem}")
    raise NotCarried(f"{parameter}: unknown scale {scale.kind!r}; known are {', '.join(KINDS)}")


class SampleAxes:
    """The axes that the gates of one sample look at, found as they are asked for.

    axes: by the names that gates use. matrices: those that they need.
    """

    def __init__(self, file: XmlFile, sample: SampleRecord, *, version: int, uses_gain: bool) -> None:
        self.file = file
        self.sample = sample
        self.version = version
        self.uses_gain = uses_gain
        self.axes: dict[str, AxisSpec] = {}
        self.matrices: dict[str, Matrix] = {}
        self._gains = _gains(sample)
        self._names = [name for key, name in sample.keywords.items() if key.endswith("N")]
        self._units: dict[str, float] = {}

    def name(self, parameter: str, *, bins: int = 256, linear: bool = False) -> str:
        """The axis of a parameter; with other bins, or on a linear scale, it is another axis.

        Raises NotCarried for a derived parameter whose formula is not a ratio, and for a scale that is not known.
        """
        key = parameter + (f" ({bins} bins)" if bins != 256 else "") + (" (linear)" if linear else "")
        if key not in self.axes:
            self.axes[key] = self._made(parameter, key, bins, linear=linear)
        return key

    def display(self, axis: str, values: list[float]) -> list[float]:
        """FlowJo's linear values in display units of an axis."""
        transform = self.axes[axis].transform
        assert transform is not None
        ours = np.array(values, dtype=np.float64) * self._units[axis]
        return [float(value) for value in transform.forward(ours)]

    def shows(self, axis: str, value: float) -> bool:
        """Whether a linear value lies within an axis' scale, so that its display value says where it is."""
        transform = self.axes[axis].transform
        assert transform is not None
        ours = value * self._units[axis]
        back = float(transform.inverse(transform.forward(np.array([ours])))[0])
        return math.isfinite(back) and abs(back - ours) <= 1e-6 * max(1.0, abs(ours))

    def _made(self, parameter: str, key: str, bins: int, *, linear: bool) -> AxisSpec:
        scale, low, high = self._scale(parameter)
        kept = KEPT_BY_FLOWJO_9 if self.version == 9 else None
        spec = AxisSpec(key, transform=Linear() if linear else scale, exact=True, bins=bins, kept=kept)
        derived = self.sample.derived.get(parameter)
        if derived is not None:
            if derived.ratio is None:
                raise NotCarried(f"the parameter {parameter!r} is derived by a formula that is not a ratio")
            (above, matrix), (below, other) = (self._channel(part) for part in derived.ratio)
            if matrix != other:
                raise NotCarried(f"the ratio {parameter!r} divides a compensated parameter by one that is not")
            gain = 1.0 if self.uses_gain else self._divided(below) / self._divided(above)
            self._units[key] = 1.0
            ratio = Ratio((above, below), A=derived.factor / gain)
            return replace(spec, ratio=ratio, compensation=matrix, low=low, high=high)
        channel, compensation = self._channel(parameter)
        unit = self._unit(parameter, channel)
        if unit != 1.0 and not linear:
            spec = replace(spec, transform=_in_unit(scale, unit))
        self._units[key] = unit
        low, high = (None if value is None else value * unit for value in (low, high))
        if low is not None and high is not None and not low < high:
            low = high = None
        return replace(spec, channel=channel, compensation=compensation, low=low, high=high)

    def _scale(self, parameter: str) -> tuple[Transform, float | None, float | None]:
        scales = self.sample.scales
        plain = self._plain(parameter) or parameter
        both = (parameter, plain, f"{self.sample.prefix}{parameter}{self.sample.suffix}")
        scale = next((scales[name] for name in both if name in scales), None)
        return (Linear(), None, None) if scale is None else scale_of(self.file, scale, parameter)

    def _plain(self, parameter: str) -> str | None:
        """A parameter's name without what says that it is compensated, or None where nothing says so."""
        before, after = self.sample.prefix, self.sample.suffix
        if not (before or after) or not (parameter.startswith(before) and parameter.endswith(after)):
            return None
        return parameter[len(before) : len(parameter) - len(after)] or None

    def _channel(self, parameter: str) -> tuple[str, str]:
        """A parameter's channel, and the name of its compensation."""
        matrix, plain = self.sample.matrix, self._plain(parameter)
        if isinstance(matrix, Matrix) and plain in matrix.fluorochromes:
            if matrix.name not in self.matrices:
                self.matrices[matrix.name] = self._stored(matrix)
            return plain, matrix.name
        known = self._names
        if plain is not None and matrix == "from_file" and (plain in known or parameter not in known):
            return self._in_file(plain), "from_file"
        if plain is not None and matrix is None and plain in known and parameter not in known:
            return plain, "from_file"
        return self._in_file(parameter), "none"

    def _in_file(self, parameter: str) -> str:
        """The channel's name in the file: FlowJo writes `_` for `/`."""
        if parameter in self._names:
            return parameter
        alike = [name for name in self._names if name.replace("/", "_") == parameter]
        return alike[0] if len(alike) == 1 else parameter

    def _stored(self, matrix: Matrix) -> Matrix:
        """A matrix for our values, which $PnG divides: what comes out of it is FlowJo's value divided as well."""
        names = tuple(self._in_file(name) for name in matrix.detectors)
        if self.uses_gain:
            return Matrix(matrix.name, names, matrix.fluorochromes, matrix.values)
        gains = [self._gains.get(name, 1.0) for name in names]
        rows = tuple(
            tuple(value * divided / gain for value, gain in zip(row, gains, strict=True))
            for divided, row in zip(map(self._divided, matrix.fluorochromes), matrix.values, strict=True)
        )
        return Matrix(matrix.name, names, matrix.fluorochromes, rows)

    def _divided(self, channel: str) -> float:
        """What divides a channel in our values; of a fluorochrome of a square matrix, what divides its place."""
        matrix = self.sample.matrix
        if isinstance(matrix, Matrix) and channel in matrix.fluorochromes and channel not in matrix.detectors:
            square = len(matrix.fluorochromes) == len(matrix.detectors)
            channel = matrix.detectors[matrix.fluorochromes.index(channel)] if square else channel
        return self._gains.get(self._in_file(channel), 1.0)

    def _unit(self, parameter: str, channel: str) -> float:
        """What FlowJo's linear values are multiplied with to be ours."""
        scale = self.sample.scales.get(parameter)
        gain = 1.0
        if scale is not None and scale.kind == "linear" and "gain" in scale.params:
            gain = self.file.finite(scale.element, scale.params["gain"], f"{parameter}: gain")
            if gain <= 0:
                self.file.fail(scale.element, f"{parameter}: gain: expected a number above 0, found {gain:g}")
        if channel.casefold() == "time":
            return 1.0 / gain
        divided = self._divided(channel)
        by_flowjo = gain if gain != 1.0 else divided if self.uses_gain else 1.0
        return by_flowjo / divided


def _in_unit(scale: Transform, unit: float) -> Transform:
    """A scale of FlowJo's values as one of ours, which are `unit` times those: the display values are the same."""
    match scale:
        case Log() | Biexponential() | Logicle() | Hyperlog():
            return replace(scale, T=scale.T * unit)
        case Arcsinh():
            return replace(scale, cofactor=scale.cofactor * unit)
    return scale


def _gains(sample: SampleRecord) -> dict[str, float]:
    """$PnG by channel name, where it is a number above 0 and not 1."""
    found = {}
    for key, text in sample.keywords.items():
        if key.endswith("G"):
            name = sample.keywords.get(f"{key[:-1]}N", "")
            try:
                gain = float(text)
            except ValueError:
                continue
            if name.casefold() != "time" and 0 < gain < math.inf and gain != 1.0:
                found[name] = gain
    return found
