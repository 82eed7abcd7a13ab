"""Events at the ends of a detector's scale, and doublets: what one event tells by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Channel

__all__ = ["at_bottom", "at_top", "doublets_percent"]

FEWEST = 100  # events that the ratio of area to height is judged by
MOST_LOOKED_AT = 20_000  # evenly through the tube
WIDER = 4.0  # robust SDs of the ratio


def at_top(channel: Channel, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which events are at the top of the scale, where a detector can tell no more: its last 0.1 % or last step."""
    last = min(0.999, 1 - 1 / channel.range) if channel.kind == "I" else 0.999
    top = channel.offset * 10.0 ** (channel.decades * last) if channel.decades else channel.top * last
    return np.asarray(values >= top)


def at_bottom(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which events pile up at the lowest value there is: where an amplifier cuts, at zero or below it.

    The lowest of values that are all different is no pile, nor is a channel that never moves.
    """
    lowest = np.asarray(values == np.fmin.reduce(values)) if len(values) else np.zeros(0, dtype=bool)
    return lowest if 1 < np.count_nonzero(lowest) < len(values) else np.zeros(len(values), dtype=bool)


def doublets_percent(columns: Mapping[Channel, npt.NDArray[Any]]) -> float:
    """Percent of the events whose area of forward scatter is too large for its height; not-a-number without both.

    The ratio of area to height is held against its median; the spread is that of the side below the median, where
    no doublet lies. Events below a tenth of the median height are left out as debris.
    """
    named = {channel.name.casefold(): values for channel, values in columns.items()}
    area, height = named.get("fsc-a"), named.get("fsc-h")
    if area is None or height is None:
        return float("nan")
    step = max(1, len(area) // MOST_LOOKED_AT)
    area, height = area[::step], height[::step]
    usable = np.isfinite(area) & np.isfinite(height) & (area > 0) & (height > 0)
    if np.count_nonzero(usable) < FEWEST:
        return float("nan")
    usable &= height > 0.1 * np.median(height[usable])
    ratio = area[usable] / height[usable].astype(np.float64)
    middle = float(np.median(ratio))
    spread = 1.4826 * float(np.median(middle - ratio[ratio <= middle]))
    return 100 * float(np.count_nonzero(ratio > middle + max(WIDER * spread, 0.05 * middle))) / len(area)
