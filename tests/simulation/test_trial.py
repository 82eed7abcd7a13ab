"""The model trial has the effects it was given for as long as it was told, and its partial nulls have none of theirs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from cytoreg.clinical.linker import link
from cytoreg.clinical.tables import clinical_from_frames
from cytoreg.errors import StudyError
from cytoreg.simulation import simulate_samples, simulate_study
from cytoreg.simulation.course import TRIALS, Course
from cytoreg.simulation.trial import TREGS, Trial, simulate_trial
from cytoreg.simulation.trial_claims import CLAIMS
from cytoreg.simulation.trial_plan import PRIMARY, trial_plan
from cytoreg.simulation.trial_planted import trial_planted
from cytoreg.simulation.trial_tables import clinic_tables
from cytoreg.stats.plan import read_plan
from cytoreg.stats.questions import TYPES


@pytest.fixture(scope="module")
def large() -> Trial:
    return simulate_trial(2000, "trial", seed=3)


def wide(trial: Trial, column: str) -> pd.DataFrame:
    table = trial.linked(attended_only=False).pivot_table(index="subject_id", columns="visit", values=column)
    return table.loc[trial.ids, list(trial.day_of)]


def test_the_short_way_to_a_linked_table_gives_what_linking_the_tables_gives() -> None:
    trial = simulate_trial(40, "trial", seed=5)
    clinic = clinic_tables(trial)
    frames = {"subjects": clinic.subjects, "visits": clinic.visits, "infusions": clinic.infusions}
    nothing = (
        pd.DataFrame(columns=["sample_id", "subject_id"]),
        pd.DataFrame(columns=["sample_id", "percentage", "value"]),
    )
    long_way = link(*nothing, clinical_from_frames(frames)).table
    both = trial.linked().merge(
        long_way, on=["subject_id", "visit"], suffixes=("", " linked"), validate="one_to_one"
    )
    assert len(both) == len(long_way) == int(trial.followed.attended.sum())
    for column in ("day", "das28_crp", "haq_di", "infusions_so_far", "first_infusion_day", "tnf_alpha", "il6"):
        np.testing.assert_allclose(
            both[column], both[f"{column} linked"].astype(float), atol=0.051 if "il6" in column else 1e-9
        )
    for column in ("acr20", "acr50"):
        assert both[column].isna().equals(both[f"{column} linked"].isna())
        assert (both[column] == both[f"{column} linked"])[both[column].notna()].all()
    for name in ("tnf_alpha", "il6"):
        assert (both[f"{name} censored"] == both[f"{name} censored linked"]).all()
        assert (both[f"{name} censored"] == "<").any()


def test_the_benefit_comes_lasts_some_months_and_goes() -> None:
    first_only = simulate_trial(2000, replace(TRIALS["trial"], reinfusion="none"), seed=3)
    cells = first_only.followed.latent.arm == 1
    for column, away in (("das28_crp", -1.5), ("haq_di", -0.5)):
        table = wide(first_only, column).to_numpy()
        change = (table - table[:, :1])[cells].mean(axis=0)
        assert change[3] < away < 0.6 * away < change[-1]  # month 3 of 8
        assert abs((table - table[:, :1])[~cells].mean(axis=0)).max() < 0.12
    treg = np.log(wide(first_only, TREGS).to_numpy())[cells].mean(axis=0)
    assert treg[1] - treg[0] > 0.35
    assert treg[-1] - treg[0] < 0.15
    half_gone = 0.5 * first_only.course.das28_fall_cells
    fall = wide(first_only, "das28_crp").to_numpy()[cells]
    assert (
        (fall[:, 0] - fall[:, 4]).mean() > half_gone > (fall[:, 0] - fall[:, 5]).mean()
    )  # between months 4 and 6


def test_a_second_infusion_follows_a_relapse_in_the_arm_with_cells_and_helps_again(large: Trial) -> None:
    second = large.followed.second
    again = ~np.isnan(second)
    assert not again[large.followed.latent.arm == 0].any()
    das28, when = large.followed.latent.das28, np.flatnonzero(again)
    at = [int(np.flatnonzero(large.day[i] + 1 == second[i])[0]) for i in when]
    assert (das28[when, at] > large.course.relapse_das28).all()
    no_help = simulate_trial(2000, replace(TRIALS["trial"], second_strength=0.0), seed=3)
    after = [t + 1 for t in at]
    gain = das28[when, after] - no_help.followed.latent.das28[when, after]
    assert gain.mean() < -0.8


def test_partial_nulls_lack_what_they_lack_and_have_their_traps() -> None:
    unlinked = simulate_trial(2000, "trial_unlinked", seed=4)
    treg, das28 = np.log(wide(unlinked, TREGS).to_numpy()), wide(unlinked, "das28_crp").to_numpy()
    dx, dy, arm = treg[:, 3] - treg[:, 0], das28[:, 3] - das28[:, 0], unlinked.followed.latent.arm
    for index in (0, 1):
        assert abs(np.corrcoef(dx[arm == index], dy[arm == index])[0, 1]) < 0.11
    assert np.corrcoef(dx, dy)[0, 1] < -0.25
    selected = wide(simulate_trial(800, "trial_selected", seed=4), "das28_crp").to_numpy()
    assert selected[:, 0].min() > 5.08
    assert (selected[:, 1:] - selected[:, :1]).mean() < -0.3  # better, and nothing was done
    relapse = simulate_trial(800, "trial_relapse", seed=4)
    das28, second = relapse.followed.latent.das28, relapse.followed.second
    when = np.flatnonzero(~np.isnan(second))
    at = np.array([int(np.flatnonzero(relapse.day[i] + 1 == second[i])[0]) for i in when])
    assert (das28[when, at + 1] - das28[when, at]).mean() < -0.2
    null = wide(simulate_trial(2000, "trial_null", seed=4), "das28_crp").to_numpy()
    assert abs(null.mean(axis=0) - null.mean()).max() < 0.06


@pytest.mark.parametrize("how", ["last", "present"])
def test_who_is_worse_leaves_more_often_where_that_is_declared(how: str) -> None:
    course = replace(TRIALS["trial_null"], dropout=0.08, dropout_goes_with=how, missed=0.0)  # type: ignore[arg-type]
    trial = simulate_trial(3000, course, seed=2)
    das28, there = trial.followed.latent.das28, trial.followed.attended
    seen_last, leaves = there[:, :-1].ravel(), ~there[:, 1:].ravel()
    score = (das28[:, :-1] if how == "last" else das28[:, 1:]).ravel()[seen_last]
    assert score[leaves[seen_last]].mean() > score[~leaves[seen_last]].mean() + 0.3
    assert (np.diff(there.astype(int), axis=1) <= 0).all()  # who has left stays away


def test_planted_values_agree_with_regression_in_another_large_trial() -> None:
    trial = simulate_trial(6000, "trial", seed=17)
    planted = (
        trial_planted("trial", patients=20_000).set_index(["analysis", "arm", "contrast"])["planted"].sort_index()
    )
    table = pd.DataFrame(wide(trial, "das28_crp")).assign(arm=trial.followed.latent.arm)
    fit = smf.ols("month3 ~ arm + baseline", table).fit()
    between = "UC-MSC - DMARD"
    assert fit.params["arm"] == pytest.approx(
        planted["arms_differ", "UC-MSC", between], abs=3.5 * fit.bse["arm"] + 0.02
    )
    linked = trial.linked(attended_only=False)
    at = linked[linked["visit"] == "month3"].assign(
        yes=lambda t: t["acr20"].astype(float), cells=lambda t: (t["arm"] == "UC-MSC") * 1.0
    )
    odds = smf.logit("yes ~ cells", at).fit(disp=0)
    assert odds.params["cells"] == pytest.approx(
        planted["acr_arms", "UC-MSC", between], abs=3.5 * odds.bse["cells"] + 0.03
    )
    nothing = trial_planted("trial_null", patients=20_000)
    assert nothing["planted"].abs().max() < 0.1
    assert set(nothing["analysis"]) <= {*read_plan(_plan()).plan.analyses, "adverse_events"}


def _plan() -> dict[str, object]:
    import yaml

    plan: dict[str, object] = yaml.safe_load(trial_plan())
    return plan


def test_the_plan_asks_every_type_of_question_and_its_family_holds_the_claims() -> None:
    plan = read_plan(_plan()).plan
    assert {question.type for question in plan.analyses.values()} == set(TYPES)
    assert {claim.analysis for claim in CLAIMS} - {"again"} <= set(PRIMARY)


def test_safety_tables_have_no_serious_event_unless_it_was_planted() -> None:
    clinic = clinic_tables(simulate_trial(80, "trial", seed=1))
    assert clinic.adverse_events is not None
    assert clinic.labs is not None
    assert set(clinic.adverse_events["serious"]) == {"N"}
    ends = clinic.adverse_events[["start", "end"]].apply(pd.to_datetime)
    assert (ends["end"] > ends["start"]).all()
    assert len(clinic.labs) == 8 * len(clinic.visits)
    assert (clinic.labs["low"] < clinic.labs["high"]).all()
    unsafe = clinic_tables(simulate_trial(80, replace(TRIALS["trial"], serious=1.0), seed=1)).adverse_events
    assert unsafe is not None
    assert (unsafe["serious"] == "Y").sum() > 20


def test_a_trial_is_written_as_a_study_and_has_a_tube_for_each_visit(tmp_path: Path) -> None:
    simulate_study(tmp_path / "t", subjects=4, events=60, scenario="trial", seed=2, tbnk=False)
    visits = pd.read_csv(tmp_path / "t" / "visits.csv")
    sheet = pd.read_csv(tmp_path / "t" / "samples.csv")
    assert (sheet["tube"] == "full").sum() == len(visits)
    assert (tmp_path / "t" / "labs.csv").is_file()
    assert read_plan(tmp_path / "t" / "analysis.yaml").plan.treatment.control == "DMARD"
    tubes = [
        s
        for s in simulate_samples(clinic_tables(simulate_trial(4, "trial", seed=2)), events=60, tbnk=False)
        if s.subject_id
    ]
    assert len(tubes) == len(visits)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scenario": "trial_nul"}, "did you mean 'trial_null'"),
        ({"n_subjects": 3}, "expected at least 4"),
        ({"seed": -1}, "seed -1"),
        ({"visits": {"a": 0, "b": 5}}, "later ones apart"),
        ({"scenario": Course(entry_das28=14.0)}, "hardly a patient"),
    ],
)
def test_what_makes_no_trial_is_said_in_one_line(how: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        simulate_trial(**{"n_subjects": 20, **how})  # type: ignore[arg-type]
