"""Nothing that fits a gate sees arm, visit or outcome; and where batches go with them, `check` and report say so."""

from __future__ import annotations

import ast
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import contingency

from cytoreg import reports
from cytoreg.batch import runner, tube
from cytoreg.batch.sheet import TubeFile
from cytoreg.simulation import simulate_study
from cytoreg.study import check, load_study, run
from cytoreg.study.blindness import confounding, cramers_v

PACKAGE = Path(runner.__file__).parents[1]
HIDDEN = {"visit", "arm", "extra", "drawn_at", "outcome", "response", "identity"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two arms, two batches with their controls, and automatic gates by batch."""
    folder = tmp_path_factory.mktemp("small") / "study"
    simulate_study(folder, subjects=4, events=3000, seed=3, visits={"baseline": 0, "month1": 30}, tbnk=False)
    sheet = pd.read_csv(folder / "samples.csv", dtype=str, keep_default_na=False)
    second = sheet["subject_id"].isin(["P003", "P004"])
    assert second.any()
    sheet.loc[second, "batch"] = "B02"
    sheet.to_csv(folder / "samples.csv", index=False)
    text = (folder / "study.yaml").read_text(encoding="utf-8").replace("plan: analysis.yaml\n", "")
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder


def test_gates_are_the_same_whatever_arm_visit_and_outcome_the_tables_say(small: Path, tmp_path: Path) -> None:
    """Every column but ids, file, panel, tube and batch is dealt out anew; subjects stay, as cuts may be shared by them."""
    study = tmp_path / "study"
    shutil.copytree(small, study)
    rng = np.random.default_rng(2)
    dealt = []
    for name in ("samples.csv", "subjects.csv", "visits.csv"):
        sheet = pd.read_csv(study / name, dtype=str)
        keep = {"subject_id", "file", "sample_id", "panel", "tube", "batch"}
        keep |= {"visit"} if name == "visits.csv" else set()
        for column in sheet.columns.difference(list(keep)):
            before = sheet[column].copy()
            sheet[column] = sheet[column].to_numpy()[::-1] if column == "arm" else rng.permutation(sheet[column])
            dealt += [column] if not sheet[column].equals(before) else []
        sheet.to_csv(study / name, index=False)
    assert {"visit", "arm", "crp", "tender28", "drawn_at"} <= set(dealt)
    (study / "infusions.csv").write_text("subject_id,date,product\n", encoding="utf-8")
    was, now = ((run(folder, jobs=1).folder / "gates.json").read_bytes() for folder in (small, study))
    assert was == now
    found = json.loads(now)
    assert len(found) == 8
    assert {"batch"} <= {gate["scope"] for sample in found for gate in sample["gates"]}


def test_what_fits_gates_cannot_know_visit_arm_or_any_further_column() -> None:
    """The rooms that fit cannot import the clinic (test_architecture). A worker gets a tube without such fields, and only
    the runner, which has gates settled and places none, writes them beside the rows that come back.
    """
    assert not HIDDEN & {field.name for field in dataclasses.fields(TubeFile)}
    assert {field.name: field.type for field in dataclasses.fields(tube.Job)}["tube"] == "TubeFile"
    files = [*(PACKAGE / "gating").rglob("*.py"), Path(runner.__file__), Path(tube.__file__)]
    seen = set()
    for file in files:
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                seen |= {
                    (file.name, function.name, node.attr)
                    for node in ast.walk(function)
                    if isinstance(node, ast.Attribute) and node.attr in HIDDEN
                }
    assert seen == {("runner.py", name, "identity") for name in ("gate_tubes", "_identified")}


def pairs_of(table: dict[str, dict[str, int]]) -> list[tuple[str, str]]:
    return [(batch, level) for batch, row in table.items() for level, n in row.items() for _ in range(n)]


def test_batches_that_hold_one_arm_each_are_said_with_their_counts() -> None:
    said = confounding("arm", pairs_of({"B1": {"DMARD": 4}, "B2": {"UC-MSC": 4}, "B3": {"DMARD": 3}}))
    assert said.startswith("batch and arm cannot be told apart: every batch holds one arm only")
    assert "B1: 4 DMARD; B2: 4 UC-MSC; B3: 3 DMARD" in said


def test_balanced_batches_are_not_said() -> None:
    assert confounding("arm", pairs_of({f"B{i}": {"a": 2, "b": 2} for i in range(6)})) == ""
    assert confounding("arm", pairs_of({"B1": {"a": 9, "b": 9}})) == ""
    assert confounding("arm", pairs_of({"B1": {"a": 9}, "B2": {"a": 9}})) == ""


def test_a_strong_but_not_complete_association_is_said_and_a_weak_one_is_not() -> None:
    """8 and 2 against 2 and 8: Fisher's exact p 0.0230 (by hand: 2 x (2025 + 100 + 1) / 184756)."""
    said = confounding("arm", pairs_of({"B1": {"a": 8, "b": 2}, "B2": {"a": 2, "b": 8}}))
    assert "p 0.023" in said
    assert "B1: 8 a, 2 b; B2: 2 a, 8 b" in said
    assert confounding("arm", pairs_of({"B1": {"a": 6, "b": 4}, "B2": {"a": 4, "b": 6}})) == ""
    large_and_weak = {"B1": {"a": 550, "b": 450}, "B2": {"a": 450, "b": 550}}  # p < 0.001, V 0.1
    assert confounding("arm", pairs_of(large_and_weak)) == ""


def test_batches_by_chance_are_rarely_said() -> None:
    """60 subjects dealt to 10 batches at random: the association must be strong and unlikely."""
    rng = np.random.default_rng(4)
    arms = np.array(["a", "b"] * 30)
    found = sum(
        bool(confounding("arm", [(f"B{i % 10}", str(arm)) for i, arm in enumerate(rng.permutation(arms))]))
        for _ in range(300)
    )
    assert found / 300 < 0.08


def test_cramers_v_is_bergsmas() -> None:
    """phi2 = 10/16 of a 4 x 2 table of 16: (0.625 - 3/15) / (min(4 - 9/15, 2 - 1/15) - 1) = 0.425 / 0.9333."""
    table = np.array([[4, 0], [3, 1], [0, 4], [1, 3]])
    assert cramers_v(table) == pytest.approx(np.sqrt(0.425 / (2 - 1 / 15 - 1)))
    large = table * 10_000  # where the correction vanishes
    assert cramers_v(large) == pytest.approx(contingency.association(large, method="cramer"), abs=1e-3)


def test_one_subject_a_batch_is_said_for_what_it_is() -> None:
    said = confounding("arm", [(f"B{i}", "ab"[i % 2]) for i in range(10)])
    assert said.startswith("each of 10 batches holds one subject only")


def test_check_warns_and_the_report_carries_it_and_a_blinded_one_does_not_tell(
    small: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    shutil.copytree(small, study)
    arms = pd.read_csv(study / "subjects.csv", dtype=str).set_index("subject_id")["arm"]
    sheet = pd.read_csv(study / "samples.csv", dtype=str, keep_default_na=False)
    sheet = sheet[sheet["tube"] == "full"]
    sheet["batch"] = ["day of " + arms[subject] for subject in sheet["subject_id"]]
    sheet.to_csv(study / "samples.csv", index=False)
    findings = check(load_study(study))
    [said] = [finding for finding in findings if "batch and arm cannot be told apart" in finding.message]
    assert not said.grave
    assert "day of DMARD: 2 DMARD; day of UC-MSC: 2 UC-MSC" in said.message
    assert not any("batch and visit" in finding.message for finding in findings)
    done = run(study, jobs=1)
    assert said.message in done.notes
    page = (done.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "batch and arm cannot be told apart" in page
    blinded = reports.build(done.folder, blinded=True).read_text(encoding="utf-8")
    assert "told apart" not in blinded


def test_a_balanced_study_is_not_warned_of(simulated: Path) -> None:
    words = ("told apart", "go together", "batches holds one")
    assert not [finding for finding in check(load_study(simulated)) if any(w in finding.message for w in words)]


def test_a_study_without_a_clinic_is_warned_of_visits(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "study")
    study = tmp_path / "study" / "study.yaml"
    sheet = pd.read_csv(tmp_path / "study" / "samples.csv", dtype=str, keep_default_na=False)
    sheet["batch"] = "day of " + sheet["visit"]
    sheet[sheet["tube"] == "full"].to_csv(tmp_path / "study" / "samples.csv", index=False)
    study.write_text(
        "cytoreg: 1\nfcs: fcs\nsamples: samples.csv\ntemplates: {treg: treg_foxp3}\n", encoding="utf-8"
    )
    found = [finding.message for finding in check(load_study(study))]
    assert any("batch and visit cannot be told apart: every batch holds one visit only" in said for said in found)
