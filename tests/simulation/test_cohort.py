"""A simulated cohort has the effects and the link it was given, in tables such as a clinic sends."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from cytoreg.clinical.components import COMPONENTS
from cytoreg.clinical.scores import das28_crp
from cytoreg.errors import StudyError
from cytoreg.simulation.cohort import Cohort, simulate_cohort
from cytoreg.simulation.disease import SCENARIOS, Effects


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(600, "effects", seed=3)


def wide(cohort: Cohort, column: str) -> np.ndarray:
    table = cohort.truth.pivot_table(index="subject_id", columns="visit", values=column)
    return table[list(cohort.day_of)].to_numpy()


def test_das28_computed_from_the_components_is_the_latent_one(cohort: Cohort) -> None:
    parts = {part: cohort.visits[part] for part in ("tender28", "swollen28", "crp", "patient_global")}
    gap = das28_crp(**parts) - cohort.truth["das28_latent"].to_numpy()
    assert np.quantile(np.abs(gap), 0.99) < 0.011  # half a mm of the patient's global is 0.007
    assert abs(gap.mean()) < 0.005


def test_every_component_is_within_its_range_and_whole_where_it_is_counted(cohort: Cohort) -> None:
    for name, component in COMPONENTS.items():
        values = cohort.visits[name].to_numpy(dtype=float)
        assert all(component.problem(value) is None for value in values), name
    assert (cohort.visits["tender68"] >= cohort.visits["tender28"]).all()
    assert (cohort.visits["swollen66"] >= cohort.visits["swollen28"]).all()
    assert (cohort.visits["haq_di"] * 8 % 1 == 0).all()


def test_arms_are_balanced_in_blocks_of_four_and_start_alike(cohort: Cohort) -> None:
    arms = (cohort.subjects["arm"] == "UC-MSC").to_numpy()
    assert (arms.reshape(-1, 4).sum(axis=1) == 2).all()
    das28 = wide(cohort, "das28_latent")[:, 0]
    error = np.sqrt(das28[arms].var() / arms.sum() + das28[~arms].var() / (~arms).sum())
    assert abs(das28[arms].mean() - das28[~arms].mean()) < 3.5 * error
    six = simulate_cohort(6, seed=5).subjects["arm"]
    assert six[4:].nunique() == 2


def test_cells_arm_gains_tregs_and_loses_activity_and_cytokines(cohort: Cohort) -> None:
    arms = (cohort.subjects["arm"] == "UC-MSC").to_numpy()
    share = wide(cohort, "Tregs % of CD4+") / 100
    logit, das28 = np.log(share / (1 - share)), wide(cohort, "das28_latent")
    reached = 1 - np.exp(-90 / 20)
    effects = SCENARIOS["effects"]
    for values, cells, control in (
        (logit, effects.treg_rise_cells, effects.treg_rise_control),
        (das28, -effects.das28_fall_cells, -effects.das28_fall_control),
    ):
        change = values[:, -1] - values[:, 0]
        for arm, effect in ((arms, cells), (~arms, control)):
            error = change[arm].std() / np.sqrt(arm.sum())
            assert change[arm].mean() == pytest.approx(effect * reached, abs=3.5 * error)
    falls = cohort.visits.merge(cohort.subjects).groupby(["arm", "visit"])[["tnf_alpha", "il6"]].median()
    assert (falls.loc[("UC-MSC", "month3")] < 0.75 * falls.loc[("UC-MSC", "baseline")]).all()
    assert (falls.loc[("DMARD", "month3")] > 0.80 * falls.loc[("DMARD", "baseline")]).all()


def test_disease_falls_where_tregs_rise_within_a_patient_by_the_slope_given(cohort: Cohort) -> None:
    share = wide(cohort, "Tregs % of CD4+") / 100
    arm = cohort.latent.arm
    x, y = np.log(share / (1 - share)), wide(cohort, "das28_latent").copy()
    for values in (x, y):
        for index in (0, 1):
            values[arm == index] -= values[arm == index].mean(axis=0)
        values -= values.mean(axis=1, keepdims=True)
    slope = (x * y).sum() / (x * x).sum()
    assert slope == pytest.approx(SCENARIOS["effects"].das28_per_logit, abs=0.12)


def test_null_changes_nothing_and_shared_trend_changes_without_a_link() -> None:
    for scenario, differs in (("null", False), ("shared_trend", True)):
        cohort = simulate_cohort(2000, scenario, seed=4)
        arm = cohort.latent.arm
        x, y = np.log(cohort.latent.treg), cohort.latent.das28
        dx, dy = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
        assert (abs(dx[arm == 1].mean()) > 0.2) == differs
        assert (dy[arm == 1].mean() - dy[arm == 0].mean() < -0.5) == differs
        for index in (0, 1):
            assert abs(np.corrcoef(dx[arm == index], dy[arm == index])[0, 1]) < 0.11
        crude = np.corrcoef(x.ravel(), y.ravel())[0, 1]
        assert (crude < -0.15) == differs  # the trap: arms and visits make a correlation of their own


def test_visits_come_near_their_day_and_the_first_infusion_is_not_before_baseline(cohort: Cohort) -> None:
    first = {row.subject_id: dt.date.fromisoformat(row.date) for row in cohort.infusions.itertuples()}
    for row in cohort.visits.itertuples():
        day = (dt.date.fromisoformat(row.date) - first[row.subject_id]).days
        assert abs(day - cohort.day_of[row.visit]) <= (0 if row.visit == "baseline" else 6)
    dose = cohort.infusions.merge(cohort.subjects)
    assert set(dose.loc[dose["arm"] == "UC-MSC", "dose_cells"]) == {40_000_000}
    assert set(dose.loc[dose["arm"] == "DMARD", "product"]) == {"medium"}


def test_missed_visits_are_missing_from_the_table_but_baseline_never_is() -> None:
    cohort = simulate_cohort(300, seed=2, missed=0.2)
    there = cohort.visits["visit"].value_counts()
    assert there["baseline"] == 300
    assert 200 < there["month3"] < 270
    assert len(cohort.truth) == 900
    assert cohort.truth["attended"].sum() == len(cohort.visits)


def test_own_visits_and_own_effects() -> None:
    cohort = simulate_cohort(4, Effects(das28=4.0), seed=1, visits={"d0": 0, "d14": 14})
    assert list(cohort.visits["visit"].unique()) == ["d0", "d14"]
    assert cohort.scenario == "custom"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scenario": "nul"}, "did you mean 'null'"),
        ({"n_subjects": 1}, "1 subjects, expected at least 2"),
        ({"visits": {"month1": 30, "month3": 90}}, "expected day 0"),
        ({"visits": {"a": 0, "b": 30, "c": 30}}, "later ones in order"),
        ({"missed": 1.0}, "missed=1.0"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_what_makes_no_cohort_is_said_in_one_line(how: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        simulate_cohort(**how)  # type: ignore[arg-type]
