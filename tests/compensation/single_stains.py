"""Made-up single-stain controls of known spillover: cells of two kinds with debris and doublets, or beads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cytoreg.fcs import write_fcs

Array = npt.NDArray[np.float64]

DETECTORS = ["FITC-A", "PE-A", "PE-Cy7-A", "APC-A", "APC-Cy7-A"]
CHANNELS = ["FSC-A", "FSC-H", "SSC-A", *DETECTORS]
TRUTH = np.array(
    [
        [1, 0.22, 0.01, 0.002, 0.0],
        [0.012, 1, 0.05, 0.003, 0.001],
        [0.002, 0.03, 1, 0.004, 0.09],
        [0.001, 0.002, 0.01, 1, 0.11],
        [0.002, 0.004, 0.07, 0.06, 1],
    ]
)
STAINS = {"FITC": 0, "PE": 1, "PE-Cy7": 2, "APC": 3, "APC-Cy7": 4}


def scatter(random: np.random.Generator, n: int, *, beads: bool = False) -> tuple[Array, npt.NDArray[np.bool_]]:
    """FSC-A, FSC-H, SSC-A of n events, and which are large cells with much autofluorescence."""
    kind = random.choice(3, size=n, p=[0.0, 1.0, 0.0] if beads else [0.3, 0.6, 0.1])
    centre = np.array([[9_000, 9_000], [35_000, 150_000] if beads else [80_000, 30_000], [140_000, 110_000]])
    wide = np.array([[0.4, 0.4], [0.03, 0.03] if beads else [0.1, 0.15], [0.12, 0.15]])
    area = centre[kind, 0] * np.exp(wide[kind, 0] * random.normal(size=n))
    side = centre[kind, 1] * np.exp(wide[kind, 1] * random.normal(size=n))
    height = area / 1.1 * random.normal(1, 0.02, n)
    doublets = random.random(n) < 0.05
    area[doublets] *= 1.6
    return np.column_stack([area, height, side]), kind == 2


def control(
    random: np.random.Generator,
    stain: int | None,
    *,
    n: int = 8_000,
    share: float = 0.4,
    bright: float = 20_000.0,
    beads: bool = False,
) -> Array:
    """Events (n, 8): autofluorescence, a stain seen through TRUTH, photons (Poisson) and the noise of the detectors."""
    shape, large = scatter(random, n, beads=beads)
    own = (
        (20.0 if beads else 100.0) * np.where(large, 8.0, 1.0)[:, None] * np.exp(0.3 * random.normal(size=(n, 1)))
    )
    light = own * np.array([1.0, 0.8, 0.5, 0.3, 0.2])
    if stain is not None:
        amount = bright * np.exp(0.35 * random.normal(size=n)) * (random.random(n) < share)
        light = light + amount[:, None] * TRUTH[stain]
    return np.column_stack([shape, 2.0 * random.poisson(light / 2.0) + random.normal(0, 15, light.shape)])


def write_control(path: Path, events: Array, voltage: str = "500", channels: list[str] | None = None) -> None:
    names = channels or CHANNELS
    keywords = {f"$P{i + 1}V": voltage for i in range(len(names))}
    write_fcs(path, events.astype(np.float32), names, ranges=[262144.0] * len(names), keywords=keywords)


def write_set(folder: Path, *, seed: int = 1, unstained: bool = True, beads: bool = False) -> Path:
    """A folder of one file a stain, and an unstained tube."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for name, place in STAINS.items():
        write_control(folder / f"Comp {name}.fcs", control(random, place, beads=beads))
    if unstained:
        write_control(folder / "Comp Unstained.fcs", control(random, None, beads=beads))
    return folder
