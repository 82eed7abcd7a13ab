"""What the simulated cells are: the kinds, how much of each marker they carry, a blood sample.

Numbers are linear units of an instrument whose scale ends at 262,144, chosen to look like published human
stainings: Treg fractions I to III after Miyara et al., Immunity 2009;30:899 (I CD45RA+ Foxp3 low, II CD45RA-
Foxp3 high, III CD45RA- Foxp3 low and not suppressive); CD127 low on Tregs after Liu et al., J Exp Med
2006;203:1701; leukocyte shares of adult blood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "TREG_KINDS", "Composition", "FloatArray", "expression", "scatter"]

FloatArray = NDArray[np.float64]

KINDS: tuple[str, ...] = (
    "debris",
    "CD4 naive",
    "CD4 memory",
    "CD4 activated",
    "Treg I",
    "Treg II",
    "Treg III",
    "CD8 naive",
    "CD8 memory",
    "T double negative",
    "B",
    "NK",
    "monocyte",
    "granulocyte",
)
TREG_KINDS: tuple[str, ...] = ("Treg I", "Treg II", "Treg III")

_BACKGROUND = (12.0, 0.6)  # antibody that sticks to any cell: median and log standard deviation
_T = ("CD4 naive", "CD4 memory", "CD4 activated", *TREG_KINDS, "CD8 naive", "CD8 memory", "T double negative")
_CD4 = _T[:6]

# marker -> kind -> (median in linear units, standard deviation of the natural logarithm)
_EXPRESSION: dict[str, dict[str, tuple[float, float]]] = {
    "CD45": {
        **dict.fromkeys((*_T, "B", "NK"), (21000.0, 0.20)),
        "monocyte": (12500.0, 0.25),
        "granulocyte": (5200.0, 0.28),
        "debris": (60.0, 0.9),
    },
    "CD3": {
        **dict.fromkeys(_T, (11500.0, 0.27)),
        "CD8 memory": (9500.0, 0.32),
        "T double negative": (17000.0, 0.35),
        "monocyte": (35.0, 0.7),
    },
    "CD4": {
        **dict.fromkeys(_CD4, (15000.0, 0.23)),
        "monocyte": (1500.0, 0.5),
        "T double negative": (25.0, 1.0),
    },
    "CD8": {
        "CD8 naive": (21000.0, 0.28),
        "CD8 memory": (17000.0, 0.42),
        "NK": (220.0, 1.6),
        "T double negative": (240.0, 1.5),
    },
    "CD25": {
        "CD4 naive": (110.0, 0.75),
        "CD4 memory": (330.0, 0.95),
        "CD4 activated": (1900.0, 0.65),
        "Treg I": (3600.0, 0.42),
        "Treg II": (6000.0, 0.42),
        "Treg III": (3300.0, 0.50),
        "CD8 naive": (30.0, 0.8),
        "CD8 memory": (55.0, 0.9),
        "T double negative": (60.0, 0.9),
        "B": (190.0, 0.8),
        "NK": (40.0, 0.8),
        "monocyte": (60.0, 0.8),
    },
    "CD127": {
        "CD4 naive": (4300.0, 0.42),
        "CD4 memory": (3900.0, 0.60),
        "CD4 activated": (2400.0, 0.65),
        "Treg I": (900.0, 0.60),
        "Treg II": (520.0, 0.60),
        "Treg III": (1100.0, 0.65),
        "CD8 naive": (3800.0, 0.45),
        "CD8 memory": (1700.0, 0.95),
        "T double negative": (1500.0, 0.9),
        "B": (40.0, 0.7),
        "NK": (220.0, 0.9),
    },
    "FOXP3": {
        "CD4 naive": (6.0, 0.65),
        "CD4 memory": (8.0, 0.80),
        "CD4 activated": (24.0, 0.65),
        "Treg I": (470.0, 0.50),
        "Treg II": (1450.0, 0.55),
        "Treg III": (440.0, 0.55),
        "CD8 memory": (16.0, 0.7),
        "monocyte": (30.0, 0.8),
    },
    "CD45RA": {
        "CD4 naive": (9500.0, 0.38),
        "CD4 memory": (230.0, 1.20),
        "CD4 activated": (150.0, 0.90),
        "Treg I": (6500.0, 0.42),
        "Treg II": (130.0, 0.80),
        "Treg III": (190.0, 0.90),
        "CD8 naive": (12000.0, 0.35),
        "CD8 memory": (1300.0, 1.50),
        "T double negative": (1500.0, 1.3),
        "B": (11000.0, 0.40),
        "NK": (8000.0, 0.55),
        "monocyte": (250.0, 0.8),
    },
    "CD19": {"B": (6500.0, 0.30)},
    "CD16+CD56": {
        "NK": (9000.0, 0.60),
        "granulocyte": (7000.0, 0.45),
        "monocyte": (260.0, 1.3),
        "CD8 memory": (45.0, 1.3),
        "T double negative": (60.0, 1.4),
    },
    "viability": {
        "debris": (700.0, 1.3),
        **dict.fromkeys((*_T, "B", "NK", "monocyte", "granulocyte"), (150.0, 0.45)),
    },
}

# kind -> (FSC-A median, log sd, SSC-A median, log sd, autofluorescence relative to a lymphocyte)
_SCATTER: dict[str, tuple[float, float, float, float, float]] = {
    **dict.fromkeys((*_T, "NK"), (72000.0, 0.105, 22000.0, 0.20, 1.0)),
    "CD4 activated": (79000.0, 0.12, 25000.0, 0.22, 1.1),
    "B": (68000.0, 0.11, 21500.0, 0.21, 1.0),
    "debris": (13000.0, 0.55, 9000.0, 0.75, 0.35),
    "monocyte": (117000.0, 0.13, 64000.0, 0.24, 2.8),
    "granulocyte": (113000.0, 0.13, 150000.0, 0.22, 3.4),
}


@dataclass(frozen=True)
class Composition:
    """The white cells of one blood sample, as fractions from 0 to 1; arrays broadcast for whole cohorts.

    The defaults are a middle-aged adult; `treg_of_cd4` counts Miyara's three fractions together.
    """

    treg_of_cd4: float | FloatArray = 0.045
    activated_of_cd4: float | FloatArray = 0.045
    naive_of_rest: float | FloatArray = 0.45
    treg_naive: float | FloatArray = 0.27
    treg_nonsuppressive: float | FloatArray = 0.23
    cd4_of_cd3: float | FloatArray = 0.64
    cd8_of_rest: float | FloatArray = 0.84
    cd8_naive: float | FloatArray = 0.40
    cd3_of_lymphocytes: float | FloatArray = 0.73
    b_of_rest: float | FloatArray = 0.45
    lymphocytes: float | FloatArray = 0.29
    monocytes: float | FloatArray = 0.07


def expression(marker: str) -> tuple[FloatArray, FloatArray]:
    """Of a marker on each of `KINDS`: ln of the median, and standard deviation of ln; (14,) each."""
    table = _EXPRESSION[marker]
    levels = np.array([table.get(kind, _BACKGROUND) for kind in KINDS])
    return np.log(levels[:, 0]), levels[:, 1]


def scatter() -> FloatArray:
    """(14, 5): ln FSC-A, its sd, ln SSC-A, its sd, relative autofluorescence, for each of `KINDS`."""
    table = np.array([_SCATTER[kind] for kind in KINDS])
    table[:, [0, 2]] = np.log(table[:, [0, 2]])
    return table
