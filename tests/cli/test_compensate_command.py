"""`cytoreg compensate`: what it writes, what it says, and when it writes nothing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from cytoreg.cli.main import main
from cytoreg.compensation import read_matrix
from cytoreg.fcs import read_fcs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "compensation"))
from single_stains import TRUTH, control, write_control, write_set


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["compensate", *map(str, words)])
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("singles") / "controls")


def test_the_matrix_is_read_back_and_the_page_stands_alone(
    controls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "matrix.csv"
    assert call(controls, "--out", out) == 0
    np.testing.assert_allclose(read_matrix(out).matrix, TRUTH, atol=0.004)
    said = capsys.readouterr()
    assert "Comp PE-Cy7.fcs: PE-Cy7 (by file name)" in said.err
    assert "next: cytoreg gate" in said.out
    page = (tmp_path / "matrix_pairs.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 5 * 4
    assert page.count("data:image/png;base64,") == 2 * 5 * 4
    assert not re.search(r"(?:src|href)=\"https?:", page)


def test_the_matrix_is_what_gate_takes(controls: Path, tmp_path: Path) -> None:
    from cytoreg.compensation import compensation_for

    assert call(controls, "--out", tmp_path / "m.csv", "--no-pictures", "-q") == 0
    assert not (tmp_path / "m_pairs.html").exists()
    tube = read_fcs(controls / "Comp PE.fcs")
    taken_out = compensation_for(tube, tmp_path / "m.csv")
    assert taken_out is not None
    assert taken_out.fluorochromes[1] == "PE-A"


def test_json_holds_the_matrix_and_nothing_else_is_printed(
    controls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(controls, "--out", tmp_path / "m.csv", "--json", "--method", "regression") == 0
    said = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(said["matrix"], TRUTH, atol=0.004)
    assert said["findings"] == []
    assert [row["stained"] > 1000 for row in said["controls"]] == [True] * 5


def test_a_wrong_tube_writes_nothing_unless_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path / "c")
    write_control(tmp_path / "c" / "Comp PE.fcs", control(np.random.default_rng(2), 3))
    (tmp_path / "c" / "Comp FITC.fcs").write_bytes(b"")
    out = tmp_path / "m.csv"
    assert call(tmp_path / "c", "--out", out) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("!!")]
    assert any("Comp FITC.fcs" in line for line in lines)
    assert any("Comp PE.fcs" in line for line in lines)
    assert not out.exists()
    assert call(tmp_path / "c", "--out", out, "--anyway") == 0
    assert read_matrix(out).matrix[0].tolist() == [1, 0, 0, 0, 0]


def test_what_is_there_is_not_replaced(controls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.csv"
    out.write_text("mine", encoding="utf-8")
    assert call(controls, "--out", out) == 1
    assert "is there already" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "mine"
    assert call(controls, "--out", out, "--force", "-q") == 0


@pytest.mark.parametrize("where", ["absent", "."])
def test_no_controls_is_one_line(tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path / where, "--out", tmp_path / "m.csv") == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_spectra_come_as_a_table_or_as_the_words_of_a_template(controls: Path, tmp_path: Path) -> None:
    from cytoreg.gating import parse_template
    from cytoreg.yamlfile import YamlDocument

    assert call(controls, "--out", tmp_path / "s.csv", "--unmix", "-q") == 1  # six spectra, five detectors
    assert call(controls, "--out", tmp_path / "s.csv", "--unmix", "--no-autofluorescence", "-q") == 0
    header, *rows = (tmp_path / "s.csv").read_text(encoding="utf-8").splitlines()
    assert header == ",FITC-A,PE-A,PE-Cy7-A,APC-A,APC-Cy7-A"
    assert [row.partition(",")[0] for row in rows] == ["APC-Cy7", "APC", "FITC", "PE-Cy7", "PE"]
    assert call(controls, "--out", tmp_path / "s.yaml", "--unmix", "--no-autofluorescence", "-q") == 0
    said = yaml.safe_load((tmp_path / "s.yaml").read_text(encoding="utf-8"))
    gate = {"parent": "root", "gate": {"range": {"on": "PE", "min": 1.0}}}
    template = parse_template(YamlDocument("t", {"cytoreg": 1, "name": "t", **said, "populations": {"PE+": gate}}))
    from cytoreg.interop import gate as gated

    result = gated(read_fcs(controls / "Comp PE.fcs"), template)
    assert 0.3 < result.count("PE+") / 8000 < 0.5
