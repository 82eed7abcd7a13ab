"""The 47 pairs of intramural pH and PaCO2 (kPa) of 8 subjects of Boyd et al. (Lancet 1993;341:142-146).

As printed in Bland & Altman, BMJ 1995;310:446 (table I), and in the documentation of the R package rmcorr.
"""

from __future__ import annotations

import pandas as pd

PH = {
    1: [6.68, 6.53, 6.43, 6.33],
    2: [6.85, 7.06, 7.13, 7.17],
    3: [7.40, 7.42, 7.41, 7.37, 7.34, 7.35, 7.28, 7.30, 7.34],
    4: [7.36, 7.33, 7.29, 7.30, 7.35],
    5: [7.35, 7.30, 7.30, 7.37, 7.27, 7.28, 7.32, 7.32],
    6: [7.38, 7.30, 7.29, 7.33, 7.31, 7.33],
    7: [6.86, 6.94, 6.92],
    8: [7.19, 7.29, 7.21, 7.25, 7.20, 7.19, 6.77, 6.82],
}
PACO2 = {
    1: [3.97, 4.12, 4.09, 3.97],
    2: [5.27, 5.37, 5.41, 5.44],
    3: [5.67, 3.64, 4.32, 4.73, 4.96, 5.04, 5.22, 4.82, 5.07],
    4: [5.67, 5.10, 5.53, 4.75, 5.51],
    5: [4.28, 4.44, 4.32, 3.23, 4.46, 4.72, 4.75, 4.99],
    6: [4.78, 4.73, 5.12, 4.93, 5.03, 4.93],
    7: [6.85, 6.44, 6.52],
    8: [5.28, 4.56, 4.34, 4.32, 4.41, 3.69, 6.09, 5.58],
}


def table() -> pd.DataFrame:
    """subject_id, visit (the order of measurement), ph, paco2: one row a pair."""
    rows = [
        (str(subject), f"visit{index + 1}", ph, PACO2[subject][index])
        for subject, values in PH.items()
        for index, ph in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "ph", "paco2"])
