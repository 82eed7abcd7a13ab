"""Studies of real data that several tests analyse."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def auranofin(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The auranofin trial as a study of its one table, without pages; its `plan.yaml` is the test's to write."""
    monkeypatch.setattr("cytoreg.reports.build", lambda folder: folder)
    (tmp_path / "trial.csv").symlink_to(real / "clinical_tables" / "ra_auranofin_trial.csv")
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nstudy: auranofin\nclinical:\n  visits: trial.csv\n"
        "  columns: {id: subject_id, trt: arm, time: visit, y: self_assessment}\nplan: plan.yaml\n"
    )
    return tmp_path
