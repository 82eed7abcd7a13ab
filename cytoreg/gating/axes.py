"""An axis that a template states: which channel or ratio, how compensated, on which scale.

A gate that says `on: CD4` looks at the marker CD4 on the template's scale. A gate of another program may look
at one channel on several scales, with and without compensation, or at a ratio: such an axis has a name of its
own, and says what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cytoreg.transforms import Transform

__all__ = ["AxisSpec", "Ratio"]


@dataclass(frozen=True)
class Ratio:
    """A * (x - B) / (y - C) of two channels, compensated as their axis says (GatingML 2.0, section 6.6, fratio).

    of: (x, y). What is divided by zero is an infinity, or not a number where both are zero.
    """

    of: tuple[str, str]
    A: float = 1.0
    B: float = 0.0
    C: float = 0.0

    def describe(self) -> dict[str, Any]:
        """The ratio as a template would say it."""
        return {"of": list(self.of), "A": self.A, "B": self.B, "C": self.C}


@dataclass(frozen=True)
class AxisSpec:
    """One axis of a template.

    channel: $PnN, marker, or fluorochrome of its matrix; the axis' own name where neither it nor a ratio is
    given. compensation: `none`, `from_file`, or a matrix of the template; None is the template's own.
    transform: the scale; None is the template's. exact: only the whole of $PnN or $PnS is the channel, as in
    formats that name channels and not markers. bins, low, high: the display in linear values and the bins it is
    cut into, for the counting rule `flowjo`; None is that of the file and scale. kept: whole channels that events
    were kept in before they were binned, as FlowJo 9 did.
    """

    name: str
    channel: str | None = None
    ratio: Ratio | None = None
    compensation: str | None = None
    transform: Transform | None = None
    exact: bool = False
    bins: int = 256
    low: float | None = None
    high: float | None = None
    kept: int | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels it looks at: one, or the two of a ratio."""
        return self.ratio.of if self.ratio else (self.channel or self.name,)

    def describe(self) -> dict[str, Any]:
        """The axis as a template would say it, without what is as it would be anyway."""
        said: dict[str, Any] = {}
        if self.channel is not None:
            said["channel"] = self.channel
        if self.ratio is not None:
            said["ratio"] = self.ratio.describe()
        if self.compensation is not None:
            said["compensation"] = self.compensation
        if self.transform is not None:
            said["transform"] = self.transform.describe()
        if self.exact:
            said["exact"] = True
        if self.bins != 256:
            said["bins"] = self.bins
        said.update({key: value for key in ("low", "high", "kept") if (value := getattr(self, key)) is not None})
        return said
