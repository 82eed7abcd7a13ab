"""A real study all the way: mouse T cells against dose of antigen, from FCS files to a trend and a report.

Files: CytoExploreRData (public repository DillonHammill/CytoExploreRData), its published spillover matrix and
its details sheet. Judged by what the experiment is known to show: CD69 on CD4 T cells rises with dose.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

import cytoreg

STAINED = (1, 5, 7, 9, 13, 15, 17, 21, 23, 25, 31)
CD4, CD8 = "CD69+ CD4 T cells % of CD4 T cells", "CD69+ CD8 T cells % of CD8 T cells"


@pytest.fixture(scope="module")
def run(real: Path, tmp_path_factory: pytest.TempPathFactory) -> cytoreg.Run:
    source = real / "mouse_activation"
    folder = tmp_path_factory.mktemp("mouse")
    rows = [f"Activation_{n}.fcs,A{n},Activation_{n}.fcs,full" for n in STAINED]
    sheet = "\n".join(["file,sample_id,subject_id,tube", *rows, "Activation_33.fcs,A33,,unstained", ""])
    (folder / "samples.csv").write_text(sheet, encoding="utf-8")
    study = {
        "cytoreg": 1,
        "study": "Mouse T-cell activation",
        "fcs": str(source),
        "samples": "samples.csv",
        "template": "mouse_activation",
        "compensation": str(source / "compensation" / "Compensation-Spillover-Matrix.csv"),
        "clinical": {"subjects": str(source / "Activation-Experiment-Details.csv")},
        "columns": {"name": "subject_id"},
        "plan": "analysis.yaml",
    }
    plan = {
        "cytoreg": 1,
        "analyses": {
            "dose_cd4": {"type": "trend", "value": CD4, "on": "OVA_Conc", "block": "Treatment"},
            "dose_cd8": {"type": "trend", "value": CD8, "on": "OVA_Conc", "block": "Treatment"},
        },
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    (folder / "analysis.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    return cytoreg.run(folder, jobs=2)


def test_all_eleven_stained_files_are_gated_in_one_batch(run: cytoreg.Run) -> None:
    assert not run.failures
    populations = pd.read_parquet(run.folder / "populations.parquet")
    assert populations["sample_id"].nunique() == len(STAINED)
    assert (populations["count"] > 0).all()


def test_what_the_details_sheet_names_and_nobody_acquired_is_reported(run: cytoreg.Run) -> None:
    unmatched = pd.read_parquet(run.folder / "unmatched.parquet")
    missing = unmatched[unmatched["side"] == "subjects"]
    acquired = {f"Activation_{n}.fcs" for n in STAINED}
    assert set(missing["subject_id"]) == {f"Activation_{n}.fcs" for n in range(1, 33)} - acquired
    assert len(missing) == 21


def test_cd69_on_cd4_t_cells_rises_with_dose(run: cytoreg.Run) -> None:
    found = pd.read_parquet(run.folder / "associations.parquet")
    rows = found[(found["analysis"] == "dose_cd4") & found["p_value"].notna()]
    assert len(rows) >= 2  # by linear dose and by ranks
    assert (rows["p_value"] < 0.05).all()
    primary = rows[rows["primary"].astype(bool)].iloc[0]
    assert primary["estimate"] > 0
    assert primary["ci_low"] > 0


def test_the_trend_equals_an_independent_least_squares_fit(run: cytoreg.Run) -> None:
    import statsmodels.formula.api as smf

    linked = pd.read_parquet(run.folder / "linked.parquet").rename(columns={CD4: "y"}).dropna(subset=["y"])
    assert len(linked) == len(STAINED)
    fit = smf.ols("y ~ OVA_Conc + C(Treatment)", linked).fit()
    found = pd.read_parquet(run.folder / "associations.parquet")
    linear = found[(found["analysis"] == "dose_cd4") & found["se"].notna()].iloc[0]
    assert linear["estimate"] == pytest.approx(fit.params["OVA_Conc"], rel=1e-9)
    assert linear["p_value"] == pytest.approx(fit.pvalues["OVA_Conc"], rel=1e-9)


def test_the_cut_of_cd69_is_one_for_the_whole_study(run: cytoreg.Run) -> None:
    gates = json.loads((run.folder / "gates.json").read_text(encoding="utf-8"))
    cuts = {
        gate["gate"]["range"]["min"]
        for sample in gates
        for gate in sample["gates"]
        if gate["population"].endswith("CD69+ CD4 T cells")
    }
    assert len(cuts) == 1


def test_the_report_is_one_file_without_anything_from_elsewhere(run: cytoreg.Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    assert "Mouse T-cell activation" in page
    assert 'src="http' not in page and 'href="http' not in page
