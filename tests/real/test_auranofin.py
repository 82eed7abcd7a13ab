"""A real trial of 302 patients with rheumatoid arthritis: auranofin against placebo, self-assessment of 1 to 5.

The data of Bombardier et al. (Am J Med 1986;81:565-578) as in the R package multgee: self-assessment (5 is
best) at baseline and months 1, 3 and 5; that auranofin was better than placebo is the trial's published
result.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from cytoreg.clinical import link, read_clinical
from cytoreg.stats import analyse

PLAN = {
    "treatment": {"control": "placebo"},
    "analyses": {
        "arms_differ": {
            "type": "arm_by_visit",
            "value": "self_assessment",
            "contrast_visit": "month5",
            "covariance": "compound_symmetry",  # a random intercept, which statsmodels has too
        },
        "improves": {"type": "paired_change", "value": "self_assessment", "to": "month5", "by": "arm"},
    },
}
NOTHING = pd.DataFrame(columns=["sample_id", "subject_id", "percentage", "value"])


@pytest.fixture(scope="module")
def trial(real: Path) -> pd.DataFrame:
    return pd.read_csv(real / "clinical_tables" / "ra_auranofin_trial.csv")


@pytest.fixture(scope="module")
def linked(trial: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The trial as a clinic would hand it in: a table of patients and one of visits, with empty cells."""
    folder = tmp_path_factory.mktemp("auranofin")
    patients = trial.drop_duplicates("id")
    arm = patients["trt"].map({1: "placebo", 2: "auranofin"})
    patients.assign(arm=arm)[["id", "arm", "age", "sex"]].to_csv(folder / "subjects.csv", index=False)
    first = patients[["id", "baseline"]].rename(columns={"baseline": "y"}).assign(time=0)
    visits = pd.concat([first, trial[["id", "time", "y"]]])
    visits["visit"] = visits["time"].map({0: "baseline", 1: "month1", 3: "month3", 5: "month5"})
    visits.drop(columns="time").to_csv(folder / "visits.csv", index=False)
    paths = {name: folder / f"{name}.csv" for name in ("subjects", "visits")}
    clinical = read_clinical(paths, columns={"id": "subject_id", "y": "self_assessment"})
    return link(NOTHING, NOTHING, clinical).table


def test_every_visit_of_302_patients_is_linked_and_missing_values_stay_missing(linked: pd.DataFrame) -> None:
    assert len(linked) == 302 * 4
    assert linked["subject_id"].nunique() == 302
    assert linked["self_assessment"].isna().sum() == 18
    assert linked.drop_duplicates("subject_id")["arm"].value_counts().to_dict() == {
        "auranofin": 153,
        "placebo": 149,
    }


def test_auranofin_is_better_than_placebo_at_month_5(linked: pd.DataFrame, trial: pd.DataFrame) -> None:
    results = analyse({"linked": linked}, PLAN).results
    found = results[results["primary"] & (results["analysis"] == "arms_differ")].iloc[0]
    assert found["contrast"] == "auranofin - placebo"
    assert found["estimate"] > 0
    assert found["p_value"] < 0.001
    assert found["n_observations"] == 906 - 18

    rows = trial.dropna(subset=["y", "baseline"]).assign(active=lambda t: (t["trt"] == 2).astype(float))
    model = smf.mixedlm("y ~ (baseline + active) * C(time, Treatment(5))", rows, groups="id").fit()
    assert found["estimate"] == pytest.approx(model.params["active"], rel=1e-3)
    assert found["se"] == pytest.approx(model.bse["active"], rel=1e-3)


def test_both_arms_improve_by_what_the_file_says(linked: pd.DataFrame, trial: pd.DataFrame) -> None:
    results = analyse({"linked": linked}, PLAN).results
    last = trial[trial["time"] == 5]
    change = (last["y"] - last["baseline"]).groupby(last["trt"]).mean()
    means = results[results["term"] == "mean change"].set_index("arm")["estimate"]
    assert [means["placebo"], means["auranofin"]] == pytest.approx([change[1], change[2]])
    assert np.isfinite(means[""])
