"""A small simulated study of two batches and two panels, run once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytoreg.simulation import simulate_study
from cytoreg.study import Run, run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "study"
    simulate_study(folder, subjects=8, events=5000, seed=5)
    return folder


@pytest.fixture(scope="session")
def finished(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(simulated, out=tmp_path_factory.mktemp("results"), jobs=2)
