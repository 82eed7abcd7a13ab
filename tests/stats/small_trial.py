"""Made-up values of 14 patients of two arms with visits missing; benchmarks/judge/arms.R holds the same."""

from __future__ import annotations

import math

import pandas as pd

ROWS = """
 1 a 5.1 5.3 5.1 5.4
 2 b 6.0 4.8 3.7 3.5
 3 a 4.4 3.9 - 3.4
 4 b 5.5 5.0 4.7 -
 5 a 6.3 6.4 5.5 6.1
 6 b 4.9 4.1 2.6 2.5
 7 a 5.8 - 5.3 4.9
 8 b 6.6 6.5 6.0 4.8
 9 a 5.0 4.5 4.8 -
10 b 5.3 5.4 - 4.2
11 a 4.7 4.2 3.6 3.7
12 b 5.9 4.4 4.1 2.9
13 a 6.1 5.7 6.1 5.4
14 b 4.6 3.1 2.4 2.8
"""


def linked() -> pd.DataFrame:
    """A row a subject's visit: subject_id, visit, day, arm, score; the baseline visit is day 0."""
    rows = []
    for line in ROWS.split("\n")[1:-1]:
        subject, arm, *values = line.split()
        for place, value in enumerate(values):
            visit = f"v{place}" if place else "baseline"
            rows.append((f"P{subject}", visit, 30.0 * place, arm, math.nan if value == "-" else float(value)))
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "score"])
