"""`compensation: {single_stains: ...}` of a template or study gates as the matrix made of them does."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytoreg
from cytoreg.compensation import from_controls
from cytoreg.errors import StudyError, TemplateError
from cytoreg.study import load_study, run
from cytoreg.study.checking import check
from cytoreg.tables import read_json

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "compensation"))
from single_stains import control, write_control, write_set

TEMPLATE = """
cytoreg: 1
name: pe
compensation: {compensation}
transforms: {{default: {{logicle: {{}}}}}}
populations:
  PE+: {{parent: root, gate: {{range: {{on: PE-A, min: 1.5}}}}}}
report: [PE+ % of total]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_set(tmp_path / "singles")
    random = np.random.default_rng(3)
    for name, stain in (("a.fcs", 0), ("b.fcs", 1)):
        write_control(tmp_path / name, control(random, stain, n=2000))
    (tmp_path / "samples.csv").write_text("file\na.fcs\nb.fcs\n", encoding="utf-8")
    write_study(tmp_path, "compensation: {single_stains: singles}")
    (tmp_path / "pe.yaml").write_text(TEMPLATE.format(compensation="none"), encoding="utf-8")
    return tmp_path


def write_study(folder: Path, line: str) -> None:
    text = f"cytoreg: 1\nsamples: samples.csv\ntemplate: pe.yaml\n{line}\n"
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def counts(folder: Path) -> dict[str, int]:
    return pd.read_parquet(folder / "populations.parquet").set_index("sample_id")["count"].to_dict()


def expected(study: Path, method: str = "median") -> dict[str, int]:
    matrix, _ = from_controls(study / "singles", method=method)
    return {
        name: cytoreg.gate(study / f"{name}.fcs", study / "pe.yaml", compensation=matrix).count("PE+")
        for name in ("a", "b")
    }


def test_a_study_gates_as_the_matrix_does(study: Path) -> None:
    plain = cytoreg.gate(study / "a.fcs", study / "pe.yaml", compensation="none").count("PE+")
    assert expected(study)["a"] < plain  # FITC in PE, taken out
    done = run(study, jobs=1)
    assert counts(done.folder) == expected(study)
    inputs = read_json(done.folder / "provenance.json")["inputs"]
    assert {"singles/Comp PE.fcs", "singles/Comp Unstained.fcs"} <= set(inputs)


def test_the_method_may_be_said_and_a_folder_alone_will_do(study: Path) -> None:
    write_study(study, "compensation: {single_stains: singles, method: regression}")
    assert counts(run(study, jobs=1).folder) == expected(study, "regression")
    write_study(study, "compensation: singles")
    assert counts(run(study, jobs=1).folder) == expected(study)


def test_a_template_names_controls_that_lie_beside_it(study: Path) -> None:
    (study / "own.yaml").write_text(TEMPLATE.format(compensation="{single_stains: singles}"), encoding="utf-8")
    found = cytoreg.gate(study / "a.fcs", study / "own.yaml").count("PE+")
    assert found == expected(study)["a"]


def test_another_control_gates_the_tubes_again(study: Path) -> None:
    assert run(study, jobs=1).gated == 2
    assert run(study, jobs=1).gated == 0
    write_control(study / "singles" / "Comp FITC.fcs", control(np.random.default_rng(77), 0))
    assert run(study, jobs=1).gated == 2


def test_a_wrong_control_stops_the_run_with_one_line(study: Path) -> None:
    write_control(study / "singles" / "Comp PE.fcs", control(np.random.default_rng(2), 3))
    with pytest.raises(TemplateError, match=r"single-stain controls: Comp PE\.fcs") as caught:
        run(study, jobs=1)
    assert "\n" not in str(caught.value)
    found = [finding.message for finding in check(load_study(study)) if finding.grave]
    assert len(found) == 1  # not once for each tube
    assert found[0].startswith("samples.csv, row 2 and 1 more: ")


def test_what_is_odd_is_noted_with_the_run(study: Path) -> None:
    write_control(study / "singles" / "Comp PE.fcs", control(np.random.default_rng(2), 1, share=0.04))
    notes = run(study, jobs=1).notes
    assert any(note.startswith("single stains singles: Comp PE.fcs: only ") for note in notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compensation: {single_stain: singles}", "unknown key 'single_stain'; did you mean 'single_stains'"),
        ("compensation: {single_stains: singles, method: mean}", "method"),
        ("compensation: [singles]", "expected from_file, none, a matrix file"),
    ],
)
def test_a_wrong_word_is_one_line(study: Path, line: str, message: str) -> None:
    write_study(study, line)
    with pytest.raises(StudyError) as caught:
        load_study(study)
    assert message in str(caught.value)
    assert "study.yaml, line 4, key compensation" in str(caught.value)
