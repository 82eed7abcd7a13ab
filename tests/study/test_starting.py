"""A first study from nothing but FCS files: what `init` writes passes `check` and `run` unedited."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytoreg.errors import StudyError
from cytoreg.fcs import read_fcs, write_fcs
from cytoreg.study import check, load_study, run, start_study


def test_shipped_templates_are_chosen_by_panel(root: Path, tmp_path: Path) -> None:
    for path in sorted((root / "example_fcs" / "fcs").glob("P001_*")):
        shutil.copy(path, tmp_path / path.name)
    started = start_study(tmp_path)
    assert set(started.panels.values()) == {"treg_foxp3", "tbnk"}
    study = load_study(tmp_path)
    assert not [finding for finding in check(study) if finding.grave]
    done = run(study, jobs=2)
    assert not done.failures
    assert done.report.is_file()


@pytest.mark.parametrize("name", ["FMO CD25 day1", "B01_fmo_CD25", "CD25-FMO", "day1.FMO-CD25"])
@pytest.mark.parametrize("blank", [False, True], ids=["named", "nameless"])
def test_fmo_controls_are_guessed_from_file_names(root: Path, tmp_path: Path, name: str, blank: bool) -> None:
    """Whatever stands on the other side of FMO, and with $PnS left blank on the detector as labs do."""
    source = root / "example_fcs" / "fcs"
    control = read_fcs(next(path for path in sorted(source.iterdir()) if "fmo_CD25" in path.name))
    markers = [None if blank and channel.marker == "CD25" else channel.marker for channel in control.channels]
    names = [channel.name for channel in control.channels]
    write_fcs(tmp_path / f"{name}.fcs", control.to_numpy(), names, markers, spillover=control.spillover)
    shutil.copy(source / "P001_baseline_treg.fcs", tmp_path / "patient.fcs")
    started = start_study(tmp_path)
    assert list(started.panels.values()) == ["treg_foxp3"]
    sheet = pd.read_csv(tmp_path / "samples.csv", dtype=str).set_index("sample_id")
    assert sheet.loc[name, "tube"] == "fmo:CD25"
    assert sheet.loc["patient", "tube"] == "full"


def test_a_panel_that_no_template_fits_gets_one_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    events = rng.lognormal(7, 1, (3000, 5)).astype(np.float32)
    write_fcs(
        tmp_path / "odd.fcs",
        events,
        ["FSC-A", "SSC-A", "A-A", "B-A", "C-A"],
        [None, None, "IgD", "IgM/x", "IgM/x"],
    )
    started = start_study(tmp_path)
    assert started.panels == {"panel": "panel.yaml"}
    study = load_study(tmp_path)
    assert not [finding for finding in check(study) if finding.grave]
    assert not run(study, jobs=1).failures


def test_files_that_cannot_be_read_are_left_out_and_named(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "example_fcs" / "fcs" / "P001_baseline_treg.fcs", tmp_path / "good.fcs")
    (tmp_path / "bad.fcs").write_bytes(b"not an FCS file")
    started = start_study(tmp_path)
    assert len(started.left_out) == 1 and "bad.fcs" in started.left_out[0]
    assert started.samples == 1


def test_nothing_is_written_over(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "example_fcs" / "fcs" / "P001_baseline_treg.fcs", tmp_path / "good.fcs")
    start_study(tmp_path)
    with pytest.raises(StudyError, match="is there already"):
        start_study(tmp_path)
    start_study(tmp_path, force=True)
