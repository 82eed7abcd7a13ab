"""`cytoreg gate` with control tubes, and what `cytoreg check` says of controls in a sheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from cytoreg.cli import main
from cytoreg.fcs import write_fcs
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.study import load_study
from cytoreg.study.checking import check

TEMPLATE = """
cytoreg: 1
name: t
populations:
  small: {gate: {range: {on: SSC-A, max: 60000}}}
  T: {parent: small, gate: {valley: {on: CD3}}}
  CD25: {parent: T, gate: {isotype: {on: CD25, percentile: 95, fallback: {tail: {on: CD25}}}}}
  FOXP3: {parent: T, gate: {fmo: {on: FOXP3, percentile: 95, by: subject, fallback: {tail: {on: FOXP3}}}}}
report: [CD25 % of T]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, seed, without in (("full", 1, None), ("isotype", 2, "CD25"), ("fmo", 3, "FOXP3")):
        tube = simulate_tube("treg", Composition(), 3000, np.random.default_rng(seed), without=without)
        path = tmp_path / f"{name}.fcs"
        write_fcs(path, tube.events, tube.channels, tube.markers, ranges=tube.ranges, spillover=tube.spillover)
    (tmp_path / "t.yaml").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def called(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_gate_takes_controls_of_every_kind(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["gate", folder / "full.fcs", "--template", folder / "t.yaml", "--format", "csv"]
    flags = {}
    for given in (
        [],
        ["--control", f"isotype={folder / 'isotype.fcs'}", "--fmo", f"FOXP3={folder / 'fmo.fcs'}"],
        ["--control", f"isotype={folder / 'isotype.fcs'}", "--control", f"fmo:FOXP3={folder / 'fmo.fcs'}"],
    ):
        status, out, err = called(capsys, *command, *given)
        assert status == 0, err
        rows = {row["name"]: row for row in csv.DictReader(io.StringIO(out))}
        flags[len(flags)] = [rows[name]["flags"] for name in ("CD25", "FOXP3")]
        counts = [rows[name]["count"] for name in ("CD25", "FOXP3")]
    assert all("no_control" in said and "fallback:tail" in said for said in flags[0])
    assert flags[1] == flags[2] == ["", "doubt"]  # of T cells hardly more lie above than the 5 % of the control
    assert all(int(count) > 0 for count in counts)


@pytest.mark.parametrize("word", ["isotope", "fmo", "fmo:", "isotype:CD25", "beads"])
def test_a_word_that_is_no_control_is_refused_in_one_line(
    folder: Path, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "full.fcs"
    status, _, err = called(capsys, "gate", file, "--template", folder / "t.yaml", "--control", f"{word}={file}")
    assert status == 1
    assert len(err.strip().splitlines()) == 1
    assert "isotype" in err and "fmo:MARKER" in err


def test_check_says_which_controls_are_missing_and_which_serve_nothing(folder: Path) -> None:
    rows = [
        "file,sample_id,subject_id,tube,batch,panel",
        "full.fcs,a,p1,full,b1,t",
        "isotype.fcs,i,,isotype,b2,t",
        "fmo.fcs,f,p1,fmo:CD4,b1,t",
    ]
    (folder / "samples.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    (folder / "study.yaml").write_text("cytoreg: 1\nsamples: samples.csv\ntemplate: t.yaml\n", encoding="utf-8")
    said = [finding.message for finding in check(load_study(folder))]
    assert any("no isotype control for CD25 in batch b1" in message for message in said)
    assert any("no FMO control for FOXP3 in subject p1" in message for message in said)
    assert any("fmo.fcs: template t takes no cut from a control 'fmo:CD4'" in message for message in said)
    assert not any("isotype.fcs" in message for message in said)
