"""Adverse events and laboratory values of a simulated trial: alike in both arms, none serious unless asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["adverse_events", "labs"]

# body system, term, events for a patient-year
_EVENTS = (
    ("Infections and infestations", "Nasopharyngitis", 0.35),
    ("Infections and infestations", "Urinary tract infection", 0.12),
    ("Gastrointestinal disorders", "Nausea", 0.30),
    ("Gastrointestinal disorders", "Diarrhoea", 0.15),
    ("General disorders and administration site conditions", "Pyrexia", 0.20),
    ("General disorders and administration site conditions", "Fatigue", 0.18),
    ("Nervous system disorders", "Headache", 0.28),
    ("Skin and subcutaneous tissue disorders", "Rash", 0.10),
)
_SERIOUS = ("Infections and infestations", "Pneumonia")
_SEVERITY = ("mild", "moderate", "severe")

# test, unit, lower and upper limit of the reference range, median, sd between patients and within, of the logarithm
_LABS = (
    ("ALT", "U/L", 7.0, 40.0, 19.0, 0.28, 0.16),
    ("AST", "U/L", 8.0, 40.0, 20.0, 0.22, 0.14),
    ("bilirubin", "mg/dL", 0.2, 1.2, 0.55, 0.25, 0.18),
    ("creatinine", "mg/dL", 0.5, 1.1, 0.75, 0.14, 0.07),
    ("haemoglobin", "g/dL", 11.5, 16.0, 13.0, 0.07, 0.03),
    ("neutrophils", "10^9/L", 1.8, 7.5, 4.4, 0.25, 0.18),
    ("lymphocytes", "10^9/L", 1.0, 4.0, 1.8, 0.22, 0.14),
    ("platelets", "10^9/L", 125.0, 400.0, 270.0, 0.18, 0.09),
)


def adverse_events(
    ids: Sequence[str], last_day: NDArray[np.intp], serious: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Events of each subject from day 0 to its last day (n,): subject_id, soc, term, start, end (study days),
    severity, serious, related, treatment_emergent. serious: serious events for a patient-year.
    """
    kinds = [(*event, False) for event in _EVENTS] + [(*_SERIOUS, serious, True)]
    rows = []
    for soc, term, rate, is_serious in kinds:
        for subject, number in enumerate(rng.poisson(rate * last_day / 365.25)):
            for start in np.sort(rng.integers(1, last_day[subject] + 1, number)) if number else ():
                severity = "severe" if is_serious else _SEVERITY[int(rng.choice(3, p=(0.70, 0.28, 0.02)))]
                rows.append(
                    {
                        "subject_id": ids[subject],
                        "soc": soc,
                        "term": term,
                        "start": int(start),
                        "end": int(start + rng.integers(1, 12)),
                        "severity": severity,
                        "serious": "Y" if is_serious else "N",
                        "related": "Y" if rng.random() < 0.2 else "N",
                        "treatment_emergent": "Y",
                    }
                )
    columns = ["subject_id", "soc", "term", "start", "end", "severity", "serious", "related", "treatment_emergent"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["subject_id", "start", "term"], kind="stable", ignore_index=True)


def labs(
    ids: Sequence[str], visits: Sequence[str], attended: NDArray[np.bool_], rng: np.random.Generator
) -> pd.DataFrame:
    """A row a test of an attended visit (n, v): subject_id, visit, test, value, unit, low, high."""
    parts = []
    rows, columns = np.nonzero(attended)
    for test, unit, low, high, median, between, within in _LABS:
        logs = between * rng.standard_normal((attended.shape[0], 1)) + within * rng.standard_normal(attended.shape)
        values = np.round(median * np.exp(logs), 2 if median < 10 else 0)[rows, columns]
        parts.append(
            pd.DataFrame(
                {
                    "subject_id": [ids[i] for i in rows],
                    "visit": [visits[t] for t in columns],
                    "test": test,
                    "value": values,
                    "unit": unit,
                    "low": low,
                    "high": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
