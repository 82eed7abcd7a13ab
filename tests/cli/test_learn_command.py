"""`cytoreg learn`: labels or a drawn gate in, a template out that gates other files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

import cytoreg
from cytoreg.cli.main import main
from cytoreg.fcs import write_fcs

TEMPLATE = """
cytoreg: 1
name: t
transforms: {default: linear}
populations:
  cells: {gate: {range: {on: A, min: -1000}}}
  rare: {parent: cells, gate: {rectangle: {on: [A, B], min: [400, 400], max: [null, null]}}, plot: [A, B]}
  big: {parent: cells, gate: {mixture: {on: [A, B], components: 2}}}
"""


def events(seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rare = rng.random(5000) < 0.05
    points = np.where(rare[:, None], [600.0, 650.0], [0.0, 0.0]) + rng.normal(0, 90, (5000, 2)) + shift
    return points.astype(np.float32), rare


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, np.ndarray]:
    (tmp_path / "t.yaml").write_text(TEMPLATE, encoding="utf-8")
    first, rare = events(1)
    second, truth = events(2, shift=150.0)
    write_fcs(tmp_path / "first.fcs", first, ["A", "B"])
    write_fcs(tmp_path / "rare.fcs", first[rare], ["A", "B"])
    write_fcs(tmp_path / "second.fcs", second, ["A", "B"])
    return tmp_path, truth


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def test_labels_become_a_template_that_gates_another_file(
    files: tuple[Path, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, truth = files
    new = folder / "new.yaml"
    words = ("learn", folder / "first.fcs", "-t", folder / "t.yaml", "-p", "rare", "-o", new)
    assert run(*words, "--members", folder / "rare.fcs", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["members"] == events(1)[1].sum()
    assert said["f1_validated"] > 0.95
    mask = cytoreg.gate(folder / "second.fcs", new).mask("rare")
    assert f1_score(truth, mask) > 0.97
    assert run(*words) == 1
    assert "is there already" in capsys.readouterr().err
    assert run(*words, "--force") == 0  # the drawn gate
    assert "a rectangle from 5000 events" in capsys.readouterr().out
    assert f1_score(truth, cytoreg.gate(folder / "second.fcs", new).mask("rare")) > 0.97


def test_the_prior_of_a_mixture_comes_from_several_files_and_a_gate_from_one(
    files: tuple[Path, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = files
    both = (folder / "first.fcs", folder / "first.fcs")
    assert (
        run("learn", *both, "-t", folder / "t.yaml", "-p", "big", "-o", folder / "p.yaml", "--strength", 0.5) == 0
    )
    prior = cytoreg.load_template(folder / "p.yaml").populations["big"].gate.params.prior
    assert prior.strength == 0.5
    assert np.abs(np.asarray(prior.means)).min(axis=0).max() < 15
    assert run("learn", *both, "-t", folder / "t.yaml", "-p", "rare", "-o", folder / "q.yaml") == 1
    assert "learned from one FILE" in capsys.readouterr().err
    assert run("learn", both[0], "-t", folder / "t.yaml", "-p", "rare", "-o", folder / "q.fcs") == 1
    assert "written as .yaml" in capsys.readouterr().err
