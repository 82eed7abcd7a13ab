"""cytoreg works from its wheel, away from the checkout, and templates and example come along."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def installed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=root, check=True, capture_output=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys, cytoreg; print(cytoreg.__file__, file=sys.stderr); from cytoreg.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_shipped_templates_come_along(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "templates")
    assert str(installed) in done.stderr.splitlines()[0]
    for name in ("treg_foxp3", "treg_cd127", "tbnk", "mouse_activation"):
        assert f"{name}\n" in done.stdout


def test_the_example_study_runs_to_a_report(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "demo", "demo", "--example", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    report = tmp_path / "demo" / "results" / "report" / "index.html"
    assert str(report) in done.stdout
    assert "Simulated UC-MSC trial" in report.read_text(encoding="utf-8")
    assert (tmp_path / "demo" / "results" / "results.duckdb").is_file()


def test_the_wheel_holds_the_package_and_no_tests(installed: Path) -> None:
    top = {path.name for path in installed.iterdir()}
    assert "cytoreg" in top
    assert not top & {"tests", "benchmarks", "docs", "gating_templates", "example_fcs"}
