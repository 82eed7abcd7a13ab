"""A page of single-stain controls: every pair of channels before and after compensation, the matrix, what is odd.

One self-contained file that needs no network. Pictures hold counts of events, never names of patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from cytoreg.compensation.estimate import Estimate, Stain
from cytoreg.compensation.positives import robust_sd
from cytoreg.reports.pages import _environment
from cytoreg.reports.png import density_uri
from cytoreg.reports.svg import element, line, text

__all__ = ["compensation_page"]

Array = npt.NDArray[np.float64]

BINS = 72
SIZE = 150.0  # of a picture, in user units
MARGIN = 14.0


@dataclass(frozen=True)
class Pair:
    """Two pictures of one control: a detector against the stained one, before and after. slant: of the medians
    that is left, in percent of the stained channel's rise, before and after."""

    detector: str
    coefficient: float
    error: float
    before: Markup
    after: Markup
    slant: tuple[float, float]


def compensation_page(found: Estimate, title: str) -> str:
    """The page. title: what the controls are called."""
    inverse = np.linalg.inv(found.spillover.matrix)
    channels = found.spillover.channels
    controls = [
        {
            "name": stain.tube.name,
            "channel": channels[stain.place],
            "gated": len(stain.events),
            "of": stain.tube.events,
            "positive": int(stain.positive.sum()),
            "peak": stain.peak,
            "reference": "its own unstained events" if stain.reference == "own" else stain.reference,
            "pairs": [_pair(found, stain, j, inverse) for j in range(len(channels)) if j != stain.place],
        }
        for stain in found.stains
    ]
    return (
        _environment()
        .get_template("compensation.html")
        .render(
            title=title,
            method=found.method,
            findings=found.findings,
            channels=channels,
            matrix=found.spillover.matrix,
            spread=found.spread,
            controls=controls,
        )
    )


def _pair(found: Estimate, stain: Stain, j: int, inverse: Array) -> Pair:
    events, negative = stain.events, stain.negative
    after, blank = events @ inverse[:, [stain.place, j]], negative @ inverse[:, [stain.place, j]]
    pictures, slants = [], []
    names = found.spillover.channels
    views = (("before", events[:, [stain.place, j]], negative[:, [stain.place, j]]), ("after", after, blank))
    for when, shown, reference in views:
        medians = np.median(shown[stain.positive], axis=0), np.median(reference, axis=0)
        rise = medians[0] - medians[1]
        slants.append(100 * float(rise[1] / rise[0]) if rise[0] else float("nan"))
        words = f"Density of {names[j]} against {names[stain.place]}, {when} compensation."
        pictures.append(_picture(shown, reference, medians, words))
    return Pair(
        found.spillover.channels[j],
        float(found.spillover.matrix[stain.place, j]),
        float(found.errors[stain.place, j]),
        pictures[0],
        pictures[1],
        (slants[0], slants[1]),
    )


def _picture(shown: Array, reference: Array, medians: tuple[Array, Array], words: str) -> Markup:
    """Counts on arcsinh axes that are linear within the negative's spread; lines at the medians of both sides."""
    scale = np.array([3.0 * max(robust_sd(reference[:, i]), 1e-9) for i in (0, 1)])
    both = np.arcsinh(np.vstack([shown, reference]) / scale)
    low, high = np.percentile(both, [0.1, 99.9], axis=0)
    pad = 0.05 * np.maximum(high - low, 1e-6)
    low, high = low - pad, high + pad
    across, up = np.arcsinh(shown / scale).T
    counts, *_ = np.histogram2d(across, up, bins=BINS, range=((low[0], high[0]), (low[1], high[1])))
    image = element(
        "image",
        x=MARGIN,
        y=0.0,
        width=SIZE,
        height=SIZE,
        href=density_uri(np.minimum(counts.T, 65_535).astype(np.uint16)),
        preserveAspectRatio="none",
        style="image-rendering: pixelated",
    )
    frame = element("rect", x=MARGIN, y=0.0, width=SIZE, height=SIZE, fill="none", stroke="#C3CAD2")
    marks = []
    for median, colour in zip(medians, ("#D55E00", "#6B7480"), strict=True):
        share = float((np.arcsinh(median[1] / scale[1]) - low[1]) / (high[1] - low[1]))
        y = SIZE * (1.0 - min(max(share, 0.0), 1.0))
        marks.append(line((MARGIN, y), (MARGIN + SIZE, y), stroke=colour, stroke_width=1.2))
    zero = float(-low[1] / (high[1] - low[1]))
    if 0 < zero < 1:
        marks.append(text(MARGIN - 4, SIZE * (1 - zero) + 3, "0", anchor="end", class_="gate-tick"))
    box = f"0 -1 {SIZE + MARGIN + 2:g} {SIZE + 2:g}"
    return element("svg", image, frame, *marks, viewBox=box, role="img", aria_label=words, class_="chart")
