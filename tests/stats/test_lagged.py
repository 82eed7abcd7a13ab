"""Which value moves first: the robust variance against clubSandwich, and what makes no lead where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.stats import analyse
from cytoreg.stats.cluster_robust import cluster_robust
from tests.stats.test_within_between import investments

VISITS = ("baseline", "month1", "month3", "month6")


def wide(name: str) -> pd.DataFrame:
    return investments().pivot_table(index="subject_id", columns="visit", values=name)


def test_the_variance_is_that_of_clubsandwich() -> None:
    """coef_test(lm(dy ~ ...), vcov = "CR2", cluster = firm, test = "Satterthwaite"), clubSandwich 0.5.8, Grunfeld's data."""
    x, y = wide("worth"), wide("invest")
    later = (y.shift(-1, axis=1) - y).to_numpy()
    for seen, own, expected in (
        (x.diff(axis=1), y.diff(axis=1), (-0.01512614599, 0.01673814984, 2.006584889, 0.4612707402)),
        (x, y, (0.004055804409, 0.01463966138, 2.53001997, 0.8027986514)),
    ):
        keep = np.isfinite(later) & seen.notna().to_numpy() & own.notna().to_numpy()
        firm, year = np.nonzero(keep)
        years = np.eye(later.shape[1])[:, np.unique(year)][year]
        design = np.column_stack([seen.to_numpy()[keep], own.to_numpy()[keep], years])
        found = cluster_robust(later[keep], design, firm)
        assert (found.estimate, found.se, found.df, found.p_value) == pytest.approx(expected, rel=1e-6)


def test_the_answer_by_instruments_is_that_of_ivreg(monkeypatch: pytest.MonkeyPatch) -> None:
    """AER 1.2.10's ivreg(later ~ dx + dy + year | x0 + y0 + year) with clubSandwich 0.5.8 as above, Grunfeld's data.

    The conditional F by its definition, from statsmodels: what the instruments tell of dx beyond dy.
    """
    import statsmodels.formula.api as smf

    monkeypatch.setattr("cytoreg.stats.lagged.LEAST_DF", 1.0)  # eleven firms are few: 2.5 degrees of freedom
    plan = {"analyses": {"q": {"type": "lagged", "x": "worth", "y": "invest"}}}
    row = analyse({"linked": investments()}, plan).results.iloc[0]
    assert [row["estimate"], row["se"], row["df"], row["p_value"]] == pytest.approx(
        [-0.164783269231, 0.332879527408, 2.51370226868, 0.660551707135], rel=1e-9
    )
    x, y = wide("worth"), wide("invest")
    steps = pd.concat(
        pd.DataFrame(
            {"dx": x[b] - x[a], "dy": y[b] - y[a], "x0": x[a], "y0": y[a], "year": b, "later": y[c] - y[b]}
        )
        for a, b, c in zip(x.columns, x.columns[1:], x.columns[2:], strict=False)
    )
    steps["dy_told"] = smf.ols("dy ~ x0 + y0 + C(year)", steps).fit().fittedvalues
    two_stage = smf.ols("dx ~ dy_told + C(year)", steps).fit()
    steps["apart"] = steps["dx"] - (
        two_stage.fittedvalues + two_stage.params["dy_told"] * (steps["dy"] - steps["dy_told"])
    )
    whole, none = (smf.ols(f"apart ~ {words} C(year)", steps).fit() for words in ("x0 + y0 +", ""))
    strength = (none.ssr - whole.ssr) / (whole.ssr / whole.df_resid)
    assert f"conditional F {strength:.1f}," in row["note"]


def cohort(
    lead: float, *, traits: float = 0.0, visits: int = 4, seed: int = 3, subjects: int = 120
) -> pd.DataFrame:
    """y moves by `lead` for each unit that x moved a visit before; lasting levels correlate by `traits`."""
    draw = np.random.default_rng(seed)
    own = draw.multivariate_normal([0, 0], [[1, traits], [traits, 1]], subjects) * 2
    x, y = draw.normal(size=(2, subjects, visits))
    y[:, 1:] += lead * x[:, :-1]
    rows = [
        (
            f"P{i}",
            VISITS[t],
            30.0 * t,
            "MSC" if i % 2 else "DMARD",
            x[i, t] + own[i, 0] + t * (i % 2),
            y[i, t] + own[i, 1],
        )
        for i in range(subjects)
        for t in range(visits)
    ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "treg", "activity"])


PLAN = {"analyses": {"q": {"type": "lagged", "x": "treg", "y": "activity"}}}


def test_a_planted_lead_is_found_one_way_and_not_the_other() -> None:
    found = analyse({"linked": cohort(-0.6)}, PLAN)
    forth, back, *others = (row for _, row in found.results.iterrows())
    assert found.results["primary"].tolist() == [True] + [False] * 7
    assert forth["ci_high"] < 0
    assert forth["p_value"] < 0.005 < back["p_value"]
    assert (forth["n_subjects"], forth["n_observations"]) == (120, 240)
    assert all(row["note"].startswith("sensitivity") for row in others)
    assert found.sentences["q"].startswith("A rise of treg was followed by a fall of activity 1 visit later")
    assert "no proof of causing" in found.sentences["q"]


def test_least_squares_of_changes_by_hand() -> None:
    """The same from statsmodels' formulas; its coefficient, our data as made."""
    import statsmodels.formula.api as smf

    table = cohort(-0.3, seed=5)
    x, y = (
        table.pivot_table(index="subject_id", columns="visit", values=n)[list(VISITS)]
        for n in ("treg", "activity")
    )
    arm = table.drop_duplicates("subject_id").set_index("subject_id")["arm"].reindex(x.index)
    steps = pd.concat(
        pd.DataFrame(
            {
                "later": y[VISITS[t + 1]] - y[VISITS[t]],
                "seen": x[VISITS[t]] - x[VISITS[t - 1]],
                "own": y[VISITS[t]] - y[VISITS[t - 1]],
                "cell": f"{t} " + arm,
            }
        )
        for t in (1, 2)
    )
    expected = smf.ols("later ~ seen + own + C(cell)", steps).fit().params["seen"]
    assert analyse({"linked": table}, PLAN).results["estimate"].iloc[4] == pytest.approx(expected)


def test_lasting_differences_between_subjects_are_no_lead() -> None:
    """20 cohorts whose levels go together and nothing moves first: by levels many lead, by changes one in twenty."""
    hits = np.zeros(2)
    for seed in range(20):
        rows = analyse({"linked": cohort(0.0, traits=0.8, seed=seed, subjects=60)}, PLAN).results
        hits += rows["p_value"].iloc[[0, 6]].to_numpy() < 0.05
    assert hits[0] <= 5  # P(more) is below 0.001 at 5 %
    assert hits[1] > 8


def moved_together(keeps: tuple[float, float], seed: int) -> pd.DataFrame:
    """Both values autoregressive over four visits, moved by what they share (r = 0.6); neither first."""
    draw = np.random.default_rng(seed)
    moves = draw.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], (120, 4))
    values = moves.copy()
    for t in range(1, 4):
        values[:, t] = keeps * values[:, t - 1] + np.sqrt(1 - np.square(keeps)) * moves[:, t]
    table = cohort(0.0)
    return table.assign(treg=values[:, :, 0].ravel(), activity=values[:, :, 1].ravel())


def test_a_value_that_wavers_longer_is_no_lead_by_instruments() -> None:
    """20 cohorts, nothing first: by least squares of changes most lead, and the note warns; by instruments one in twenty."""
    hits = np.zeros(2)
    for seed in range(20):
        rows = analyse({"linked": moved_together((0.9, 0.2), seed)}, PLAN).results.iloc[[0, 4]]
        hits += rows["p_value"].to_numpy() < 0.05
        assert "one wavers longer than the other" in rows["note"].iloc[1]
        assert "wavers" not in rows["note"].iloc[0]
    assert hits[0] <= 5  # P(more) is below 0.001 at 5 %
    assert hits[1] >= 12


def test_errors_of_measurement_look_like_a_lead_but_not_by_earlier_instruments() -> None:
    """20 cohorts of 7 visits, both values kept 0.8 and moved together, measured with half as much error: the note says so."""
    hits = np.zeros(2)
    for seed in range(20):
        draw = np.random.default_rng(seed)
        moves = draw.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], (172, 27))
        for t in range(1, 27):
            moves[:, t] += 0.8 * moves[:, t - 1]
        seen = (moves + 0.5 * draw.normal(size=moves.shape))[:, -7:].reshape(-1, 2)
        table = pd.DataFrame(
            [(f"P{i}", f"v{t}", 30.0 * t, "MSC" if i % 2 else "DMARD") for i in range(172) for t in range(7)],
            columns=["subject_id", "visit", "day", "arm"],
        ).assign(treg=seen[:, 0], activity=seen[:, 1])
        rows = analyse({"linked": table}, PLAN).results.iloc[[0, 2]]
        hits += rows["p_value"].to_numpy() < 0.05
        assert "errors of measurement" in rows["note"].iloc[0]
    assert hits[0] >= 5
    assert hits[1] <= 5  # P(more) is below 0.001 at 5 %


def test_too_few_for_instruments_is_no_answer_rather_than_a_lead_by_least_squares() -> None:
    rows = analyse({"linked": cohort(0.0, subjects=5, visits=4)}, PLAN).results
    assert rows["primary"].iloc[0] and np.isnan(rows["p_value"].iloc[0])
    assert "degrees of freedom" in rows["note"].iloc[0]
    assert all(note.startswith("sensitivity") for note in rows["note"].iloc[2:])


def test_weak_instruments_are_said() -> None:
    """Random walks: where a value was tells nothing of where it goes."""
    table = cohort(0.0, seed=1)
    steps = np.random.default_rng(2).normal(size=(2, 120, 4)).cumsum(axis=2)
    table = table.assign(treg=steps[0].ravel(), activity=steps[1].ravel())
    assert "weak instruments" in analyse({"linked": table}, PLAN).results["note"].iloc[0]


def test_two_visits_answer_by_levels_and_say_what_that_cannot_tell() -> None:
    rows = analyse({"linked": cohort(0.0, visits=2)}, PLAN).results
    assert len(rows) == 2
    assert "earlier level" in rows["term"].iloc[0]
    assert "a lasting difference between subjects can look like" in rows["note"].iloc[0]


def test_too_few_give_a_reason() -> None:
    rows = analyse({"linked": cohort(0.0, subjects=3)}, PLAN).results
    assert rows["estimate"].isna().all()
    assert "at least 4" in rows["note"].iloc[0]
