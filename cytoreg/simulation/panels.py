"""The two simulated tubes: which dye is on which detector, what spills where, what the truth is called."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cytoreg.simulation.biology import KINDS, TREG_KINDS, Composition, FloatArray

__all__ = ["MEMBERS", "PANELS", "PARENTS", "Detector", "Panel", "kind_shares"]

# panel -> true population -> the population it is part of, named as in the shipped templates
PARENTS: dict[str, dict[str, str]] = {
    "treg": {
        "cells": "root",
        "singlets": "cells",
        "live": "singlets",
        "lymphocytes": "live",
        "CD3+": "lymphocytes",
        "CD4+": "CD3+",
        "CD4-": "CD3+",
        "CD8+": "CD3+",
        "Tregs": "CD4+",
        "Fraction I": "Tregs",
        "Fraction II": "Tregs",
        "Fraction III": "Tregs",
    },
    "tbnk": {
        "cells": "root",
        "singlets": "cells",
        "lymphocytes": "singlets",
        "CD3+": "lymphocytes",
        "CD4+": "CD3+",
        "CD8+": "CD3+",
        "CD3-": "lymphocytes",
        "B cells": "CD3-",
        "NK cells": "CD3-",
    },
}
# population -> the kinds of living single cell in it
MEMBERS: dict[str, tuple[str, ...]] = {
    "CD3+": tuple(kind for kind in KINDS if kind.startswith(("CD4", "CD8", "T"))),
    "CD4+": tuple(kind for kind in KINDS if kind.startswith(("CD4", "Treg"))),
    "CD4-": ("CD8 naive", "CD8 memory", "T double negative"),
    "CD8+": ("CD8 naive", "CD8 memory"),
    "CD3-": ("B", "NK"),
    "B cells": ("B",),
    "NK cells": ("NK",),
    "Tregs": TREG_KINDS,
    "Fraction I": ("Treg I",),
    "Fraction II": ("Treg II",),
    "Fraction III": ("Treg III",),
}


@dataclass(frozen=True)
class Detector:
    """One fluorescence channel of a panel: what is on it and how the light is counted."""

    channel: str
    """Its `$PnN`."""
    marker: str
    """Its `$PnS`."""
    autofluorescence: float
    """Median autofluorescence of a lymphocyte, in linear units."""
    photoelectron: float
    """Linear units that one photoelectron gives: the larger, the more a signal spreads."""
    noise: float
    """Standard deviation of electronic noise, in linear units."""
    brightness: float = 1.0
    """How bright this fluorochrome is against the one that the marker's numbers are for."""


@dataclass(frozen=True)
class Panel:
    """A tube's reagents, its spillover, and what the preparation of the blood does to it."""

    name: str
    detectors: tuple[Detector, ...]
    spill: tuple[tuple[str, str, float], ...]
    """(source channel, detector channel, share of the source's signal); the same channel is 1."""
    recovery: tuple[float, float, float]
    """Share of blood lymphocytes, monocytes and granulocytes that reach the tube."""
    debris: float
    dead: float
    doublets: float
    margin: float
    """Shares of events that are debris, dead cells, doublets, and off the scale."""

    @property
    def spillover(self) -> FloatArray:
        """(k, k), rows are sources and columns detectors, in the order of `detectors`."""
        order = {detector.channel: i for i, detector in enumerate(self.detectors)}
        matrix = np.eye(len(order))
        for source, detector, share in self.spill:
            matrix[order[source], order[detector]] = share
        return matrix


def kind_shares(panel: Panel, blood: Composition) -> FloatArray:
    """Expected share of each of `KINDS` among the particles of a tube: shape (..., 14), last axis sums to 1.

    >>> shares = kind_shares(PANELS["treg"], Composition())
    >>> shares.shape, round(float(shares.sum()), 12)
    ((14,), 1.0)
    """
    b = blood
    lymphocytes = b.lymphocytes * panel.recovery[0]
    monocytes = b.monocytes * panel.recovery[1]
    granulocytes = (1 - b.lymphocytes - b.monocytes) * panel.recovery[2]
    scale = (1 - panel.debris) / (lymphocytes + monocytes + granulocytes)
    t = lymphocytes * b.cd3_of_lymphocytes
    cd4 = t * b.cd4_of_cd3
    other_t = t - cd4
    cd8 = other_t * b.cd8_of_rest
    treg = cd4 * b.treg_of_cd4
    activated = (cd4 - treg) * b.activated_of_cd4
    rest = cd4 - treg - activated
    not_t = lymphocytes - t
    shares = (
        panel.debris / scale,
        rest * b.naive_of_rest,
        rest * (1 - b.naive_of_rest),
        activated,
        treg * b.treg_naive,
        treg * (1 - b.treg_naive - b.treg_nonsuppressive),
        treg * b.treg_nonsuppressive,
        cd8 * b.cd8_naive,
        cd8 * (1 - b.cd8_naive),
        other_t - cd8,
        not_t * b.b_of_rest,
        not_t * (1 - b.b_of_rest),
        monocytes,
        granulocytes,
    )
    return np.stack(
        np.broadcast_arrays(*(np.asarray(share * scale, dtype=np.float64) for share in shares)), axis=-1
    )


_TREG = Panel(
    name="treg",
    detectors=(
        Detector("APC-H7-A", "Viability", 70, 10, 35),
        Detector("BUV395-A", "CD3", 150, 6, 28),
        Detector("PerCP-Cy5-5-A", "CD4", 75, 7, 28),
        Detector("BV510-A", "CD8", 330, 4, 25),
        Detector("PE-Cy7-A", "CD25", 55, 7, 28),
        Detector("BV421-A", "CD127", 190, 3, 22),
        Detector("APC-A", "FOXP3", 120, 7, 30),
        Detector("FITC-A", "CD45RA", 300, 3, 22),
    ),
    spill=(
        ("APC-H7-A", "APC-A", 0.030),
        ("APC-H7-A", "PE-Cy7-A", 0.015),
        ("BUV395-A", "BV421-A", 0.012),
        ("BUV395-A", "BV510-A", 0.006),
        ("PerCP-Cy5-5-A", "PE-Cy7-A", 0.055),
        ("PerCP-Cy5-5-A", "APC-A", 0.012),
        ("PerCP-Cy5-5-A", "APC-H7-A", 0.045),
        ("BV510-A", "BV421-A", 0.090),
        ("BV510-A", "FITC-A", 0.008),
        ("BV510-A", "BUV395-A", 0.010),
        ("PE-Cy7-A", "APC-H7-A", 0.050),
        ("PE-Cy7-A", "PerCP-Cy5-5-A", 0.020),
        ("PE-Cy7-A", "APC-A", 0.003),
        ("BV421-A", "BV510-A", 0.120),
        ("BV421-A", "BUV395-A", 0.020),
        ("APC-A", "APC-H7-A", 0.110),
        ("APC-A", "PerCP-Cy5-5-A", 0.008),
        ("FITC-A", "BV510-A", 0.015),
        ("FITC-A", "PerCP-Cy5-5-A", 0.012),
    ),
    recovery=(1.0, 0.65, 0.02),
    debris=0.09,
    dead=0.055,
    doublets=0.06,
    margin=0.003,
)

_TBNK = Panel(
    name="tbnk",
    detectors=(
        Detector("PerCP-Cy5-5-A", "CD45", 60, 7, 28),
        Detector("FITC-A", "CD3", 160, 3, 22, 0.9),
        Detector("PE-Cy7-A", "CD4", 45, 6, 28, 1.1),
        Detector("APC-Cy7-A", "CD8", 60, 8, 32, 0.8),
        Detector("APC-A", "CD19", 70, 5, 28),
        Detector("PE-A", "CD16+CD56", 90, 3, 25),
    ),
    spill=(
        ("FITC-A", "PE-A", 0.150),
        ("FITC-A", "PerCP-Cy5-5-A", 0.020),
        ("PE-A", "FITC-A", 0.010),
        ("PE-A", "PerCP-Cy5-5-A", 0.130),
        ("PE-A", "PE-Cy7-A", 0.015),
        ("PerCP-Cy5-5-A", "PE-Cy7-A", 0.060),
        ("PerCP-Cy5-5-A", "APC-A", 0.012),
        ("PerCP-Cy5-5-A", "APC-Cy7-A", 0.030),
        ("PE-Cy7-A", "PE-A", 0.020),
        ("PE-Cy7-A", "APC-Cy7-A", 0.050),
        ("APC-A", "APC-Cy7-A", 0.090),
        ("APC-Cy7-A", "APC-A", 0.030),
        ("APC-Cy7-A", "PE-Cy7-A", 0.030),
    ),
    recovery=(1.0, 1.0, 1.0),
    debris=0.12,
    dead=0.01,
    doublets=0.03,
    margin=0.003,
)

PANELS: dict[str, Panel] = {"treg": _TREG, "tbnk": _TBNK}
"""`treg`: fixed and permeabilised mononuclear cells. `tbnk`: lysed whole blood, not washed, six colours."""
