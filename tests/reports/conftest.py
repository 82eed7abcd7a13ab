"""Results folders: a trial, gating alone, and a dose study without patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_results import (
    ARMS,
    PLAN,
    TREGS,
    TREND_PLAN,
    VISITS,
    percentage_row,
    picture,
    provenance,
    quality_row,
)

from cytoreg.clinical.linker import link
from cytoreg.clinical.tables import Clinical
from cytoreg.stats import analyse
from cytoreg.tables import safe_name, write_json, write_tables

Make = Callable[..., Path]


@pytest.fixture
def make_trial(tmp_path: Path) -> Make:
    """A trial of two arms and three visits; the second patient's month1 could not be measured."""

    def make(
        n: int = 12, name: str = "P1", population: str = "CD4+", marker: str = "CD4", pictures: int = 2
    ) -> Path:
        folder = tmp_path / "results"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(5)
        subjects = [name, *(f"P{i}" for i in range(2, n + 1))]
        arms = [ARMS[i % 2] for i in range(n)]
        percentages, quality, visits = [], [], []
        for i, subject in enumerate(subjects):
            for t, (visit, day) in enumerate(VISITS.items()):
                sample = f"{subject}_{visit}"
                share = 0.04 + 0.012 * t * (i % 2) + rng.normal(0, 0.006)
                missing = i == 1 and visit == "month1"
                count = -1 if missing else int(5000 * share)
                flags = "no_control;not_placed" if missing else "doubt" if i == 2 else ""
                percentages.append(percentage_row(sample, subject, visit, count, 5000, flags))
                quality.append(quality_row(sample, subject, visit, flags))
                score = 5.5 - 40 * (share - 0.04) + rng.normal(0, 0.3)
                visits.append((subject, visit, day + i % 3 if t else 0, round(score, 2)))
        clinical = Clinical(
            subjects=pd.DataFrame({"subject_id": subjects, "arm": arms, "age": 50.0, "sex": "F"}),
            visits=pd.DataFrame(visits, columns=["subject_id", "visit", "day", "das28_crp"]),
            infusions=pd.DataFrame(
                {"subject_id": subjects, "day": 0.0, "dose_cells": 4e7, "product": [f"{arm} bag" for arm in arms]}
            ),
        )
        tables = {"percentages": pd.DataFrame(percentages), "quality": pd.DataFrame(quality)}
        joined = link(tables["quality"], tables["percentages"], clinical)
        found = analyse({"linked": joined.table}, PLAN)
        assert clinical.infusions is not None
        tables |= {
            "linked": joined.table,
            "associations": found.results,
            "infusions": clinical.infusions,
            "unmatched": pd.DataFrame(
                [("visits", "P2", "month9", "", "visit 'month9' is in no sample of this subject")],
                columns=["side", "subject_id", "visit", "sample_id", "reason"],
            ),
            "failures": pd.DataFrame(
                [("P2_month9", "P2", "month9", "treg", "x.fcs", "read", "x.fcs: the file ends in DATA")],
                columns=["sample_id", "subject_id", "visit", "panel", "file", "stage", "error"],
            ),
        }
        write_tables(folder, tables)
        notes = [f"control not declared: '{ARMS[0]}' is taken as the reference"]
        write_json(folder / "provenance.json", provenance(PLAN, dict(found.sentences), notes))
        for sample in tables["quality"]["sample_id"]:
            drawn = [picture(population, marker, flat=k % 2 == 1) for k in range(pictures)]
            write_json(
                folder / "pictures" / f"{safe_name(sample)}.json",
                {"sample_id": sample, "panel": "treg", "pictures": drawn},
            )
        return folder

    return make


@pytest.fixture
def gating_alone(tmp_path: Path) -> Path:
    """Three tubes and a control, without subjects, visits, clinic or plan."""
    folder = tmp_path / "alone"
    folder.mkdir()
    names = ["tube_a", "tube_b", "tube_c"]
    control = {**quality_row("fmo_cd25", "", ""), "tube": "fmo:CD25"}
    counts = zip(names, (100, 200, 300), strict=True)
    write_tables(
        folder,
        {
            "percentages": pd.DataFrame([percentage_row(name, "", "", count, 4000) for name, count in counts]),
            "quality": pd.DataFrame(
                [
                    *(quality_row(name, "", "", "few_events") for name in names[:1]),
                    *(quality_row(name, "", "") for name in names[1:]),
                    control,
                ]
            ),
        },
    )
    return folder


@pytest.fixture
def dose_study(tmp_path: Path) -> Path:
    """Files as units: a dose and a stimulus a file, no visits, no patients; populations imported, no pictures."""
    folder = tmp_path / "dose"
    folder.mkdir()
    doses = [0.0, 0.05, 0.5] * 4
    names = [f"file{i}" for i in range(12)]
    counts = [int(100 + 600 * dose + 7 * (i % 5)) for i, dose in enumerate(doses)]
    percentages = pd.DataFrame(
        [percentage_row(name, name, "", count, 3000) for name, count in zip(names, counts, strict=True)]
    )
    linked = pd.DataFrame(
        {
            "subject_id": names,
            "visit": "",
            "dose": doses,
            "stimulus": [f"Stim-{'ABCD'[i // 3]}" for i in range(12)],
            "samples": names,
            TREGS: percentages["value"],
            f"{TREGS} count": percentages["count"],
            f"{TREGS} of": percentages["ancestor_count"],
            f"{TREGS} ci_low": percentages["ci_low"],
            f"{TREGS} ci_high": percentages["ci_high"],
        }
    )
    found = analyse({"linked": linked}, TREND_PLAN)
    write_tables(folder, {"percentages": percentages, "linked": linked, "associations": found.results})
    write_json(folder / "provenance.json", provenance(TREND_PLAN, dict(found.sentences), []))
    return folder
