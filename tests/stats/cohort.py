"""A small simulated trial with a known link between Treg % and DAS28, as a linked table."""

from __future__ import annotations

import numpy as np
import pandas as pd

TREGS = "Tregs % of CD4+"
CELLS = 5000


def linked(seed: int = 1, subjects: int = 60, treg_effect: float = 0.8, link: float = -0.6) -> pd.DataFrame:
    """Two arms; after baseline Treg % rises by `treg_effect` points in UC-MSC, DAS28 by `link` for each point."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(subjects):
        arm = "UC-MSC" if number % 2 else "DMARD"
        treg, das28 = draw.normal(5, 1.2), draw.normal(5.5, 0.8)
        for place, (visit, day) in enumerate((("baseline", 0), ("month1", 30), ("month3", 90))):
            rise = treg_effect * (arm == "UC-MSC") * (place > 0) + draw.normal(0, 0.6)
            count = int(draw.binomial(CELLS, np.clip((treg + rise) / 100, 0.001, 1)))
            activity = das28 + link * rise - 0.5 * (place > 0) + draw.normal(0, 0.4)
            rows.append((f"P{number:03d}", visit, day, arm, 100 * count / CELLS, count, CELLS, activity))
    names = ["subject_id", "visit", "day", "arm", TREGS, f"{TREGS} count", f"{TREGS} of", "das28_crp"]
    return pd.DataFrame(rows, columns=names)
