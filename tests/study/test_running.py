"""The whole chain: what a run leaves, that it is the same however it was run, and that only changes are gated again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from cytoreg.batch.sheet import read_samples
from cytoreg.errors import AnalysisError, StudyError
from cytoreg.provenance import file_hash
from cytoreg.study import Run, analyse, load_study, run
from cytoreg.tables.schema import SAFETY, TABLES


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")


def test_every_table_of_the_contract_is_there_in_three_forms(finished: Run) -> None:
    with duckdb.connect(str(finished.folder / "results.duckdb"), read_only=True) as database:
        stored = {
            name for (name,) in database.execute("SELECT table_name FROM information_schema.tables").fetchall()
        }
        absent = {"imputed", *SAFETY}  # the plan declares no imputation, the study has no adverse events
        assert {name for name in TABLES if not (finished.folder / f"{name}.parquet").is_file()} == absent
        for name, columns in TABLES.items():
            if name in absent:
                continue
            frame = table(finished.folder, name)
            assert set(columns) <= set(frame.columns)
            assert (frame["schema_version"] == 1).all()
            assert len(pd.read_csv(finished.folder / f"{name}.csv")) == len(frame)
            assert name in stored
            assert database.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (len(frame),)


def test_two_panels_of_a_visit_stand_in_one_row_of_linked(finished: Run, simulated: Path) -> None:
    linked = table(finished.folder, "linked")
    visits = pd.read_csv(simulated / "visits.csv")
    assert len(linked) == len(visits)
    assert linked["Tregs % of CD4+"].notna().all()
    assert linked["B cells % of lymphocytes"].notna().all()


def test_treg_percentages_lie_near_the_truth(finished: Run, simulated: Path) -> None:
    found = table(finished.folder, "percentages").set_index(["sample_id", "percentage"])["value"]
    truth = pd.read_csv(simulated / "truth" / "percentages.csv").set_index(["sample_id", "percentage"])["value"]
    full = table(finished.folder, "quality").query("tube == 'full' and panel == 'treg'")["sample_id"].tolist()
    for text, points, share in (("CD4+ % of CD3+", 0.5, 0.02), ("Tregs % of CD4+", 1.0, 0.15)):
        error = np.array([abs(found[(s, text)] - truth[(s, text)]) for s in full])
        allowed = np.array([points + share * truth[(s, text)] for s in full])
        assert (error < allowed).all(), text
        assert np.median(error / allowed) < 0.5, text


def test_the_result_does_not_depend_on_processes_or_order_of_the_sheet(
    finished: Run, simulated: Path, tmp_path: Path
) -> None:
    other = tmp_path / "study"
    shutil.copytree(simulated, other)
    sheet = pd.read_csv(other / "samples.csv", dtype=str)
    sheet.sample(frac=1, random_state=3).to_csv(other / "samples.csv", index=False)
    again = run(other, jobs=1)
    keys = ["sample_id", "population"]
    one, two = (
        table(f, "populations").sort_values(keys).reset_index(drop=True) for f in (finished.folder, again.folder)
    )
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(table(finished.folder, "associations"), table(again.folder, "associations"))


def test_only_what_changed_is_gated_again(simulated: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(simulated, study)
    first = run(study, jobs=2)
    assert (first.gated, first.kept) == (first.tubes, 0)
    before = table(first.folder, "populations")
    second = run(study, jobs=2)
    assert (second.gated, second.kept) == (0, first.tubes)
    pd.testing.assert_frame_equal(before, table(second.folder, "populations"))
    sheet = pd.read_csv(study / "samples.csv", dtype=str)
    tubes = read_samples(study / "samples.csv", study / "fcs")
    changed = next(tube for tube in tubes if tube.panel == "treg" and tube.tube == "full")
    other = next(
        tube for tube in tubes if tube.batch == changed.batch and tube.panel == "treg" and tube is not changed
    )
    shutil.copy(other.path, changed.path)
    third = run(study, jobs=2)
    together = sheet[(sheet["panel"] == "treg") & (sheet["batch"] == changed.batch)]
    assert third.gated == len(together)
    assert run(study, jobs=2, fresh=True).gated == first.tubes


def test_cuts_are_fixed_by_batch_and_come_from_the_fmo_controls(finished: Run, simulated: Path) -> None:
    batches = pd.read_csv(simulated / "samples.csv", dtype=str).set_index("sample_id")["batch"]
    gates = json.loads((finished.folder / "gates.json").read_text(encoding="utf-8"))
    cuts: dict[str, set[float]] = {}
    for sample in gates:
        for gate in sample["gates"]:
            if gate["population"].endswith("/Tregs"):
                assert gate["source"] == "control"
                assert gate["scope"] == "batch"
                cuts.setdefault(batches[sample["sample_id"]], set()).add(gate["gate"]["range"]["min"])
    assert len(cuts) == 2
    assert all(len(values) == 1 for values in cuts.values())
    assert len(set.union(*cuts.values())) == 2


def test_controls_stand_in_quality_and_in_no_other_table(finished: Run) -> None:
    quality = table(finished.folder, "quality")
    controls = set(quality[quality["tube"] != "full"]["sample_id"])
    assert controls
    for name in ("populations", "percentages", "intensities"):
        assert not controls & set(table(finished.folder, name)["sample_id"])


def test_provenance_names_every_input_with_its_hash(finished: Run, simulated: Path) -> None:
    provenance = json.loads((finished.folder / "provenance.json").read_text(encoding="utf-8"))
    study = load_study(simulated)
    for name in (
        "study.yaml",
        "samples.csv",
        "visits.csv",
        "analysis.yaml",
        study.tubes[0].path.relative_to(simulated),
    ):
        assert provenance["inputs"][str(name)] == file_hash(simulated / name)
    assert len(provenance["inputs"]) == len(study.tubes) + 6
    assert provenance["templates"]["treg"]["digest"] == study.templates["treg"].digest
    assert provenance["plan_hash"]


def test_a_run_without_controls_falls_back_and_flags_every_treg_number(simulated: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(simulated, study)
    sheet = pd.read_csv(study / "samples.csv", dtype=str)
    sheet[(sheet["tube"] == "full") & (sheet["panel"] == "treg")].to_csv(study / "samples.csv", index=False)
    done = run(study, jobs=2)
    tregs = table(done.folder, "percentages").query("percentage == 'Tregs % of CD4+'")
    assert tregs["value"].between(0.5, 20).all()
    assert tregs["flags"].str.contains("no_control").all()
    assert tregs["flags"].str.contains("fallback:internal").all()


def test_analyse_answers_another_plan_from_the_tables_that_are_there(finished: Run, simulated: Path) -> None:
    plan = {
        "cytoreg": 1,
        "treatment": {"arm": "arm", "control": "DMARD"},
        "analyses": {
            "nk": {
                "type": "paired_change",
                "value": "NK cells % of lymphocytes",
                "from": "baseline",
                "to": "month3",
            }
        },
    }
    tables = {"linked": table(finished.folder, "linked")}
    assert set(analyse(tables, plan).results["analysis"]) == {"nk"}
    wrong = {**plan, "analyses": {"x": {**plan["analyses"]["nk"], "value": "NK cell % of lymphocytes"}}}
    with pytest.raises(AnalysisError, match="did you mean 'NK cells % of lymphocytes'"):
        analyse(tables, wrong)


def test_analyse_of_a_study_that_was_never_run_says_so(simulated: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no tables yet"):
        analyse(simulated, out=tmp_path / "nothing")


def test_clinical_tables_alone_are_analysed_without_a_single_tube(simulated: Path, tmp_path: Path) -> None:
    for name in ("subjects.csv", "visits.csv", "infusions.csv"):
        shutil.copy(simulated / name, tmp_path / name)
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nclinical: {subjects: subjects.csv, visits: visits.csv, infusions: infusions.csv}\nplan: analysis.yaml\n",
        encoding="utf-8",
    )
    (tmp_path / "analysis.yaml").write_text(
        "cytoreg: 1\nanalyses:\n  falls: {type: paired_change, value: das28_crp, from: baseline, to: month3}\n",
        encoding="utf-8",
    )
    done = run(tmp_path)
    assert done.tubes == 0
    assert table(done.folder, "associations")["estimate"].notna().any()


def test_a_changed_matrix_that_a_template_names_is_gated_again(root: Path, tmp_path: Path) -> None:
    """The template's text stays the same; its numbers do not."""
    shutil.copy(root / "example_fcs" / "fcs" / "P001_baseline_treg.fcs", tmp_path / "tube.fcs")
    (tmp_path / "samples.csv").write_text("file\ntube.fcs\n", encoding="utf-8")
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nsamples: samples.csv\ntemplate: mine.yaml\n", encoding="utf-8"
    )
    (tmp_path / "mine.yaml").write_text(
        "cytoreg: 1\nname: mine\ncompensation: matrix.csv\npopulations:\n  CD25+: {gate: {range: {on: CD25, min: 2}}}\n",
        encoding="utf-8",
    )
    counts = []
    for spill in (0.0, 0.9):
        matrix = f"PE-Cy7-A,APC-A\n1,{spill}\n{spill / 2},1\n"
        (tmp_path / "matrix.csv").write_text(matrix, encoding="utf-8")
        done = run(tmp_path, jobs=1)
        assert (done.gated, done.kept) == (1, 0)
        counts.append(int(table(done.folder, "populations")["count"].iloc[0]))
    assert counts[0] != counts[1]
    inputs = json.loads((done.folder / "provenance.json").read_text(encoding="utf-8"))["inputs"]
    assert {"matrix.csv", "mine.yaml", "study.yaml", "samples.csv", "tube.fcs"} == set(inputs)


def test_responses_are_measured_from_the_baseline_that_the_plan_declares(tmp_path: Path) -> None:
    (tmp_path / "subjects.csv").write_text("subject_id,arm,randomised\nP1,A,2020-01-01\n", encoding="utf-8")
    (tmp_path / "infusions.csv").write_text("subject_id,date,product\nP1,2020-01-20,cells\n", encoding="utf-8")
    visits = (
        "subject_id,visit,date,das28_crp\nP1,v0,2020-01-01,5.88\nP1,v1,2020-01-15,4.58\nP1,v2,2020-02-20,4.20\n"
    )
    (tmp_path / "visits.csv").write_text(visits, encoding="utf-8")
    study = "cytoreg: 1\nclinical: {subjects: subjects.csv, visits: visits.csv, infusions: infusions.csv}\nplan: plan.yaml\n"
    (tmp_path / "study.yaml").write_text(study, encoding="utf-8")
    question = "analyses: {falls: {type: paired_change, value: das28_crp, from: baseline, to: v2}}\n"
    found = []
    for rule in ("last_on_or_before: randomised", "last_on_or_before: first_infusion"):
        (tmp_path / "plan.yaml").write_text(f"cytoreg: 1\nbaseline: {{{rule}}}\n{question}", encoding="utf-8")
        linked = table(run(tmp_path).folder, "linked").set_index("visit")
        found.append(linked.loc["v2", "eular_response"])
    assert found == ["moderate", "none"]  # improved by 1.68 from v0 and by 0.38 from v1, to 4.20


def test_another_plan_is_the_one_that_provenance_and_report_show(simulated: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(simulated, study)
    run(study, jobs=2)
    question = "{type: paired_change, value: NK cells % of lymphocytes, from: baseline, to: month3}"
    (tmp_path / "other.yaml").write_text(f"cytoreg: 1\nanalyses: {{only_this: {question}}}\n", encoding="utf-8")
    analyse(study, tmp_path / "other.yaml")
    provenance = json.loads((study / "results" / "provenance.json").read_text(encoding="utf-8"))
    assert list(provenance["plan"]["analyses"]) == ["only_this"]
    page = (study / "results" / "report" / "index.html").read_text(encoding="utf-8")
    assert "only_this" in page and "treg_vs_das28" not in page
