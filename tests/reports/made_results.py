"""The rows and files of a results folder as a run leaves them, made here for the pages to be drawn from."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from cytoreg.gating.uncertainty import wilson

TREGS = "Tregs % of CD4+"
VISITS = {"baseline": 0, "month1": 30, "month3": 90}
ARMS = ("Placebovia", "Cellmabine")  # names that stand nowhere else
PLAN: dict[str, Any] = {
    "cytoreg": 1,
    "outcome": {"activity": "das28_crp"},
    "treatment": {"arm": "arm", "control": ARMS[0], "infusions": "infusions"},
    "analyses": {
        "rises": {"type": "paired_change", "value": TREGS, "to": "month3", "by": "arm", "scale": "logit"},
        "differ": {"type": "arm_by_visit", "value": "das28_crp", "contrast_visit": "month3"},
        "changes": {"type": "change_correlation", "x": TREGS, "y": "das28_crp", "to": "month3"},
        "within": {"type": "repeated_correlation", "x": TREGS, "y": "das28_crp"},
    },
    "multiplicity": {"families": {"primary": ["changes", "differ"]}},
}
TREND_PLAN: dict[str, Any] = {
    "cytoreg": 1,
    "analyses": {"dose": {"type": "trend", "value": TREGS, "on": "dose", "block": "stimulus"}},
}


def percentage_row(sample: str, subject: str, visit: str, count: int, of: int, flags: str = "") -> dict[str, Any]:
    """A row of `percentages`; a negative count is a value that was not measured."""
    low, high = wilson(count, of) if count >= 0 else (np.nan, np.nan)
    return {
        "sample_id": sample,
        "subject_id": subject,
        "visit": visit,
        "panel": "treg",
        "percentage": TREGS,
        "value": 100 * count / of if count >= 0 else np.nan,
        "count": max(count, 0),
        "ancestor_count": of if count >= 0 else 0,
        "ci_low": low,
        "ci_high": high,
        "flags": flags,
    }


def picture(population: str = "CD4+", marker: str = "CD4", *, flat: bool = False) -> dict[str, Any]:
    """A picture of the contract with a known grid: one dark bin in the corner of low x and low y."""
    grid = np.zeros((1 if flat else 8, 8), dtype="<u2")
    grid[0, 0] = 500
    grid[-1, -1] = 3
    axis = {"label": marker, "min": 0.0, "max": 4.0, "ticks": [[1.0, "10"], [3.0, "1K"]]}
    shapes: list[dict[str, Any]] = [{"kind": "line", "axis": "x", "at": 2.0}]
    if not flat:
        shapes.append({"kind": "polygon", "points": [[1, 1], [3, 1], [3, 9]], "closed": True})
    return {
        "population": population,
        "parent": "root",
        "path": population,
        "title": f"{population} in all events",
        "x": axis,
        "y": None if flat else dict(axis),
        "nx": 8,
        "ny": 1 if flat else 8,
        "grid": base64.b64encode(zlib.compress(grid.tobytes())).decode(),
        "shapes": shapes,
        "count": 1234,
        "parent_count": 5678,
        "percent": 100 * 1234 / 5678,
        "ci_low": wilson(1234, 5678)[0],
        "ci_high": wilson(1234, 5678)[1],
        "method": "valley",
        "flags": ["doubt"],
        "reasons": ["the valley is shallow: 61% of the lower peak"],
    }


def quality_row(sample: str, subject: str, visit: str, flags: str = "") -> dict[str, Any]:
    return {
        "sample_id": sample,
        "subject_id": subject,
        "visit": visit,
        "panel": "treg",
        "tube": "full",
        "batch": "B1",
        "file": f"{sample}.fcs",
        "events": 20_000,
        "margin_percent": 0.1,
        "flags": flags,
    }


def provenance(plan: dict[str, Any] | None, sentences: dict[str, str], notes: list[str]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "study": "A study of <cells> & patients",
        "cytoreg": "0.1.0",
        "engine_version": 1,
        "command": "cytoreg run .",
        "seed": 0,
        "created": "2021-06-01T12:00:00+00:00",
        "inputs": {"fcs/P1_baseline.fcs": "ab" * 32},
        "templates": {
            "treg": {
                "name": "treg_foxp3",
                "digest": "cd" * 32,
                "description": "Regulatory T cells.",
                "reference": "Santegoets SJ et al. 2015",
                "meanings": {"Tregs": "Regulatory T cells."},
            }
        },
        "plan": plan,
        "plan_hash": "ef" * 32,
        "sentences": sentences,
        "packages": {"numpy": "2.0"},
        "notes": notes,
    }
