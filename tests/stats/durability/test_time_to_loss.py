"""Time to loss of response: the rules of time zero, loss and re-infusion by hand, and what is made of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse, read_plan
from cytoreg.stats.durability.risk import risk_intervals
from cytoreg.stats.durability.weighting import reinfusion_weights
from cytoreg.stats.questions import TYPES
from cytoreg.stats.values import Data

DAYS = [0, 30, 60, 90, 120, 180]
KEPT, LOST, REINFUSED, UNCONFIRMED = 0, 1, 2, 3


def course(
    answers: str, infused: tuple[float, ...] = (0.0,), name: str = "A", arm: str = "UC-MSC"
) -> pd.DataFrame:
    """A subject's visits: `+` response, `-` none, `.` not known; treg is 10 plus the place of the visit."""
    rows = []
    for place, (day, answer) in enumerate(zip(DAYS, answers, strict=True)):
        behind = [given for given in infused if given < day]
        response = {"+": True, "-": False, ".": None}[answer]
        since = day - behind[-1] if behind else math.nan
        rows.append(
            (name, f"d{day}" if day else "baseline", float(day), arm, response, 10.0 + place, len(behind), since)
        )
    names = ["subject_id", "visit", "day", "arm", "acr20", "treg", "infusions_so_far", "days_since_infusion"]
    return pd.DataFrame(rows, columns=names).astype({"acr20": "boolean", "infusions_so_far": float})


def plan(**keys: object) -> dict:
    question = {"type": "time_to_loss", "outcome": "acr20", "covariate": "treg"} | keys
    return {"treatment": {"control": "DMARD"}, "analyses": {"q": question}}


def intervals(table: pd.DataFrame) -> list[tuple[float, float, int, float]]:
    data = Data(table, read_plan(plan()), "q")
    found = risk_intervals(data, "acr20", table["treg"]).table
    return list(zip(found["start"], found["stop"], found["end"], found["value"], strict=True))


@pytest.mark.parametrize(
    ("answers", "infused", "expected"),
    [
        # response at day 30; lost at day 90, the first of two failures; the value is that of the visit before
        ("-++--+", (0,), [(0, 30, KEPT, 11), (30, 60, LOST, 12)]),
        # a single failure is no loss
        ("-+-++-", (0,), [(0, 30, KEPT, 11), (30, 60, KEPT, 12), (60, 90, KEPT, 13), (90, 150, UNCONFIRMED, 14)]),
        # a visit that is missing neither breaks a run of failures nor is one
        ("-+-.-+", (0,), [(0, 30, LOST, 11)]),
        # infused again at day 75 while responding
        ("-+++--", (0, 75), [(0, 30, KEPT, 11), (30, 45, REINFUSED, 12)]),
        # infused again after one failure: no later visit can confirm it
        ("-+-+++", (0, 70), [(0, 30, UNCONFIRMED, 11)]),
        # on the day of a visit, after the blood was drawn
        ("-+++--", (0, 60), [(0, 30, REINFUSED, 11)]),
        # a response before baseline does not count, nor a subject never seen again
        ("+----+", (0,), []),
        ("------", (0,), []),
    ],
)
def test_the_rules_on_courses_put_together_by_hand(
    answers: str, infused: tuple[float, ...], expected: list[tuple[float, float, int, float]]
) -> None:
    assert intervals(course(answers, infused)) == expected


def test_without_the_day_an_infusion_is_put_on_the_day_of_the_visit_before_it() -> None:
    table = course("-+++--", (0, 75)).drop(columns="days_since_infusion")
    assert intervals(table) == [(0, 30, REINFUSED, 11)]


def test_a_missing_value_is_carried_forward_and_never_back() -> None:
    table = course("-+++++")
    table.loc[[1, 2], "treg"] = math.nan
    assert [row[3] for row in intervals(table)] == [10, 10, 13, 14]


def trial(n: int = 60, slope: float = -0.8, seed: int = 1) -> pd.DataFrame:
    """Responses are lost at each visit with a hazard that falls with treg; half of those who fail once are infused."""
    draw = np.random.default_rng(seed)
    parts = []
    for number in range(n):
        arm = "UC-MSC" if number % 2 else "DMARD"
        treg = draw.normal(0, 1, len(DAYS))
        answers, gone = ["-", "+"], False
        for place in range(2, len(DAYS)):
            gone = gone or draw.random() < 1 - math.exp(-0.35 * math.exp(slope * treg[place - 1]))
            answers.append("-" if gone else "+")
        again = (100.0,) if arm == "UC-MSC" and draw.random() < 0.3 else ()
        parts.append(course("".join(answers), (0.0, *again), f"P{number}", arm).assign(treg=treg))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("reinfusion", ["event", "censor", "weight"])
def test_each_estimand_has_one_answer_and_the_rows_beside_it(reinfusion: str) -> None:
    analysis = analyse({"linked": trial(150)}, plan(reinfusion=reinfusion))
    rows = analysis.results
    answer = rows[rows["primary"]]
    assert len(answer) == 1
    assert answer.iloc[0]["estimate"] == pytest.approx(-0.8, abs=3 * answer.iloc[0]["se"])
    assert answer.iloc[0]["ci_high"] < 0
    between = rows[rows["term"].str.contains("Weibull")].iloc[0]
    assert between["estimate"] == pytest.approx(-0.8, abs=3 * between["se"])
    medians = rows[rows["term"].str.startswith("median")]
    assert medians["arm"].tolist() == ["DMARD", "UC-MSC", ""]
    contrast = rows[rows["contrast"] == "UC-MSC - DMARD"].iloc[0]
    assert "not randomised" in contrast["note"]
    assert "lost more slowly" in analysis.sentences["q"]
    assert "infusion" in analysis.sentences["q"]


def test_one_interval_by_hand() -> None:
    """Four lost of ten at the first visit, two of six at the second: 0.6 and 0.4 still respond."""
    courses = ["-+----"] * 4 + ["-++---"] * 2 + ["-+++++"] * 4
    table = pd.concat([course(c, (), f"P{i}", None) for i, c in enumerate(courses)], ignore_index=True)
    rows = analyse({"linked": table}, plan(covariate=None, at_days=[30, 60])).results.set_index("term")["estimate"]
    assert rows["share still responding at 30 days"] == pytest.approx(0.6)
    assert rows["share still responding at 60 days"] == pytest.approx(0.4)
    assert rows["median days to loss (Kaplan-Meier)"] == 60


def test_without_a_covariate_the_arms_answer_and_one_arm_a_duration() -> None:
    analysis = analyse({"linked": trial(100)}, plan(covariate=None))
    assert analysis.results[analysis.results["primary"]]["contrast"].tolist() == ["UC-MSC - DMARD"]
    assert "not randomised" in analysis.sentences["q"]
    one = trial(100).query("arm == 'DMARD'").reset_index(drop=True)
    alone = analyse({"linked": one}, plan(covariate=None) | {"treatment": {}})
    assert alone.results[alone.results["primary"]]["term"].tolist() == ["median days to loss (Kaplan-Meier)"]
    assert "half had lost it" in alone.sentences["q"]


def test_too_few_losses_are_a_reason() -> None:
    table = pd.concat([course("-+++++", name=f"P{i}") for i in range(9)], ignore_index=True)
    analysis = analyse({"linked": table}, plan())
    assert analysis.sentences["q"].startswith("No answer: 0 losses: at least 5 are needed")
    assert analyse({"linked": table.assign(acr20=False)}, plan()).results["p_value"].isna().all()


def test_an_outcome_that_is_no_yes_or_no_is_refused() -> None:
    with pytest.raises(AnalysisError, match=r"acr20.*holds 2, expected yes or no"):
        analyse({"linked": course("-+++++").assign(acr20=2.0)}, plan())


def test_weights_stand_in_for_those_infused_again() -> None:
    """Half of the cases with a low value are infused again: those of them who are not weigh twice as much."""
    draw = np.random.default_rng(3)
    value = np.repeat([0.0, 1.0], 400)
    again = (value == 0) & (draw.random(800) < 0.5)
    table = pd.DataFrame(
        {
            "subject": [f"P{i}" for i in range(800)],
            "arm": "A",
            "start": 0.0,
            "end": np.where(again, 2, 0),
            "failing": False,
            "value": value,
        }
    )
    weight = reinfusion_weights(table).weight
    low, high = weight[(value == 0) & ~again], weight[value == 1]
    assert low[0] / high[0] == pytest.approx(400 / (400 - again.sum()), rel=0.03)


def test_the_question_takes_the_keys_of_the_contract() -> None:
    asked = TYPES["time_to_loss"](type="time_to_loss", outcome="acr20", covariate="x", reinfusion="censor")
    assert asked.model_dump()["last_failure"] == "event"
