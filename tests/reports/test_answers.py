"""Answers of every kind of analysis: numbers in their own units, figures, what is blinded, claims beside what was planted."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_results import provenance
from pages_read import Page
from sklearn.metrics import roc_auc_score

from cytoreg import reports
from cytoreg.reports.cohort import cohort_page
from cytoreg.reports.quantities import KINDS, draw_interval, estimate_text, kind_of, ranges_of
from cytoreg.reports.questions import Answer, answers_of
from cytoreg.reports.results import read_results
from cytoreg.simulation.trial import TREGS, simulate_trial
from cytoreg.stats import analyse
from cytoreg.stats.plot_points import points
from cytoreg.tables import write_json, write_tables

PLAN: dict[str, Any] = {
    "cytoreg": 1,
    "outcome": {"response": "acr20", "activity": "das28_crp"},
    "treatment": {"arm": "arm", "control": "DMARD", "infusions": "infusions"},
    "analyses": {
        "rises": {"type": "paired_change", "value": TREGS, "to": "month1", "by": "arm", "scale": "logit"}
        | {"equivalence": [-0.25, 0.25]},
        "arms": {
            "type": "arm_by_visit",
            "value": TREGS,
            "contrast_visit": "month3",
            "scale": "logit",
            "model": "ancova",
        },
        "acr_arms": {"type": "responder", "outcome": "acr20", "at": "month3"},
        "lasts": {"type": "time_to_loss", "outcome": "acr20", "covariate": TREGS, "scale": "logit"},
        "again": {"type": "repeat_infusion", "value": "das28_crp"},
        "first": {"type": "lagged", "x": TREGS, "y": "das28_crp", "scale": "logit"},
        "tells": {"type": "roc", "value": TREGS, "value_as": "change", "outcome": "acr20", "at": "month3"},
        "carried": {"type": "mediation", "mediator": TREGS, "outcome": "das28_crp", "scale": "logit"}
        | {"mediator_at": "month1", "outcome_at": "month3"},
        "dose": {"type": "trend", "value": TREGS, "on": "infusions_so_far", "block": "subject_id"},
        "enough": {"type": "power", "analysis": "arms", "effect": 0.3},
        "go": {"type": "change_correlation", "x": TREGS, "y": "das28_crp", "to": "month3"},
    },
    "multiplicity": {"families": {"main": ["rises", "arms"]}},
}
PLANTED = {"rises": {"UC-MSC": 0.42, "DMARD": 0.0}}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated trial of all these questions, analysed, with a truth beside it."""
    study = tmp_path_factory.mktemp("study")
    folder = study / "results"
    folder.mkdir()
    linked = simulate_trial(32, "trial", 3).linked()
    linked.loc[linked["subject_id"] == linked["subject_id"].iloc[0], "acr20"] = float("nan")
    found = analyse({"linked": linked}, PLAN)
    unmatched = pd.DataFrame(
        [("infusions", "nobody", "", "", "no such subject"), ("visits", "P9x", "", "", "no such subject")],
        columns=["side", "subject_id", "visit", "sample_id", "reason"],
    )
    tables = {"linked": found.linked, "associations": found.results, "claims": found.claims}
    write_tables(folder, {**tables, "unmatched": unmatched})
    said = provenance(PLAN, dict(found.sentences), [])
    write_json(
        folder / "provenance.json",
        {**said, "estimands": dict(found.estimands), "study_file": "../study.yaml", "study": "Made"},
    )
    rows = [
        ("rises", arm, "month1 - baseline", "mean change of logit", value)
        for arm, value in PLANTED["rises"].items()
    ]
    (study / "truth").mkdir()
    pd.DataFrame(rows, columns=["analysis", "arm", "contrast", "quantity", "planted"]).to_csv(
        study / "truth" / "planted.csv", index=False
    )
    return folder


@pytest.fixture(scope="module")
def answers(trial: Path) -> dict[str, Answer]:
    return {answer.name: answer for answer in answers_of(read_results(trial))}


@pytest.fixture(scope="module")
def blinded(trial: Path) -> dict[str, Answer]:
    return {answer.name: answer for answer in answers_of(read_results(trial, blinded=True))}


def drawn(kind: str, ends: tuple[float, float, float]) -> ET.Element:
    scale = ranges_of([(kind, "", ends)])[kind, ""]
    return ET.fromstring(str(draw_interval(kind, ends, scale, "words", primary=False)))


def test_no_effect_is_a_half_for_an_area_and_nothing_for_a_correlation() -> None:
    for kind, low, null in (("area", 0.0, 0.5), ("correlation", -1.0, 0.0), ("odds", -1.2, 0.0)):
        drawing = drawn(kind, (0.7, 0.4, 1.2 if kind == "odds" else 0.9))
        upright = [line for line in drawing.iter("line") if line.attrib["x1"] == line.attrib["x2"]]
        span = {"area": 1.0, "correlation": 2.0, "odds": 2.4}[kind]
        assert float(upright[0].attrib["x1"]) == pytest.approx(6 + 128 * (null - low) / span)
        circle = drawing.find("circle")
        assert circle is not None
        assert float(circle.attrib["cx"]) == pytest.approx(6 + 128 * (0.7 - low) / span, abs=0.01)


def test_a_level_a_share_and_days_have_no_line_of_no_effect() -> None:
    for kind in ("share", "level", "percent", "days", "count"):
        lines = list(drawn(kind, (0.7, 0.4, 0.9)).iter("line"))
        assert [line for line in lines if line.attrib["x1"] == line.attrib["x2"]] == [], kind


def test_rows_of_other_units_do_not_share_a_scale() -> None:
    scales = ranges_of([("slope", "a per b", (1.0, 0.5, 2.0)), ("slope", "b per a", (0.01, -0.02, 0.03))])
    assert (scales["slope", "a per b"].high, scales["slope", "b per a"].high) == (2.0, 0.03)


def test_each_number_is_written_as_what_it_is(trial: Path, answers: dict[str, Answer]) -> None:
    found = pd.read_parquet(trial / "associations.parquet")
    shown = [row for answer in answers.values() for row in answer.rows]
    assert len(shown) == len(found)
    assert {row.kind for row in shown} <= set(KINDS)
    for row, (_, kept) in zip(
        [row for name in PLAN["analyses"] for row in answers[name].rows],
        pd.concat([found[found["analysis"] == name] for name in PLAN["analyses"]]).iterrows(),
        strict=True,
    ):
        value, term = float(kept["estimate"]), str(kept["term"])
        if math.isnan(value):
            assert row.estimate == ""
        elif term.startswith("median days"):
            assert row.estimate.startswith(f"{value:.0f} ") and row.estimate.endswith("days")
        elif term.startswith(("share still", "area", "sensitivity", "power", "share with")):
            assert row.estimate.split()[0] == f"{value:.2f}"
        elif term.startswith("mean at"):  # on the log-odds scale
            percent = 100 * math.exp(value) / (1 + math.exp(value))
            assert float(row.estimate.split("\xa0")[0]) == pytest.approx(percent, abs=0.0051)
        elif term.startswith("log hazard"):
            assert row.estimate.startswith("hazard × ")
        elif term.startswith("subjects for"):
            assert row.estimate.endswith(" subjects")


def test_the_units_of_a_slope_are_those_of_its_scale(answers: dict[str, Answer]) -> None:
    there, back = answers["first"].rows[:2]
    assert there.estimate.endswith(f"points per unit of log odds of {TREGS}")
    assert back.estimate.endswith("log odds per unit of DAS28-CRP")
    paths = {row.term: row.estimate for row in answers["carried"].rows}
    assert paths[f"effect of treatment on {TREGS}"].startswith("odds × ")
    assert paths["whole effect"].endswith("points")


def test_every_analysis_of_these_has_a_figure_that_says_its_numbers(answers: dict[str, Answer]) -> None:
    for name in ("first", "tells", "carried"):
        figure = str(answers[name].figure)
        assert "<svg" in figure and answers[name].caption
        ET.fromstring(figure)
        assert answers[name].rows[0].estimate in figure.replace("&#39;", "'")
    first = ET.fromstring(str(answers["first"].figure))
    assert (
        len([node for node in first.iter() if node.tag in ("rect", "circle")]) == 8
    )  # two directions, four ways each


def test_the_area_under_the_drawn_corners_is_the_area(trial: Path) -> None:
    linked = pd.read_parquet(trial / "linked.parquet")
    corners = points("tells", linked, PLAN)
    crude = corners[corners["arm"].isna()]
    area = sum(
        (b - a) * (c + d) / 2
        for a, b, c, d in zip(
            crude["x"].iloc[:-1], crude["x"].iloc[1:], crude["y"].iloc[:-1], crude["y"].iloc[1:], strict=True
        )
    )
    wide = linked.pivot_table(index="subject_id", columns="visit", values=TREGS, observed=True)
    truth = linked[linked["visit"] == "month3"].set_index("subject_id")["acr20"].astype(float)
    both = pd.DataFrame({"change": wide["month3"] - wide["baseline"], "acr20": truth}).dropna()
    assert area / 1e4 == pytest.approx(roc_auc_score(both["acr20"], both["change"]), abs=1e-9)


def test_a_blinded_report_holds_no_answer_that_tells_the_arms_or_the_infused_apart(
    trial: Path, blinded: dict[str, Answer]
) -> None:
    for name in ("arms", "acr_arms", "again", "carried", "dose", "enough"):
        assert blinded[name].hidden and not blinded[name].sentence, name
        assert blinded[name].rows == () and not blinded[name].figure, name
    assert blinded["rises"].hidden
    assert {row.arm for row in blinded["rises"].rows} == {""}
    assert blinded["go"].sentence and blinded["go"].rows  # within the arms; stays
    for row in blinded["tells"].rows:  # the counts of each arm are no part of it
        assert not re.search(r"with and \d+ without, \d+ with|\d arms", row.note)
    page = Page(reports.build(trial, blinded=True))
    assert "UC-MSC" not in page.text and "DMARD" not in page.text
    assert "nobody" not in page.text  # an infusion without a partner
    assert "P9x" in page.text
    assert not any("Planted" in row for row in page.cells)


def test_a_joint_row_of_three_arms_is_hidden_when_blinded(tmp_path: Path) -> None:
    linked = simulate_trial(36, "trial", 5).linked()
    third = linked["subject_id"].map({subject: i % 3 for i, subject in enumerate(linked["subject_id"].unique())})
    linked["arm"] = third.map({0: "a1", 1: "b2", 2: "c3"})
    plan = {
        **PLAN,
        "treatment": {"arm": "arm", "control": "a1"},
        "analyses": {"joint": PLAN["analyses"]["acr_arms"], "rises": PLAN["analyses"]["rises"]},
        "multiplicity": {},
    }
    found = analyse({"linked": linked}, plan)
    joint = found.results[found.results["term"].str.startswith("arms differ")]
    assert len(joint) >= 1 and (joint["arm"] == "").all()
    write_tables(tmp_path, {"linked": linked, "associations": found.results, "claims": found.claims})
    write_json(tmp_path / "provenance.json", provenance(plan, dict(found.sentences), []))
    open_, hidden = (answers_of(read_results(tmp_path, blinded=blind)) for blind in (False, True))
    assert any("arms differ" in row.term for row in open_[0].rows)
    assert not any("differ" in row.term for answer in hidden for row in answer.rows)
    assert "differ" not in hidden[0].sentence


def test_claims_stand_beside_what_was_planted(trial: Path) -> None:
    page = Page(reports.build(trial))
    found = pd.read_parquet(trial / "associations.parquet")
    rises = found[(found["analysis"] == "rises") & found["term"].str.startswith("mean change")].set_index("arm")
    start = next(i for i, row in enumerate(page.cells) if row and row[0] == "Question")
    assert page.cells[start][-3:] == ["Planted", "In the interval", "Verdict"]
    rows = [row for row in page.cells[start + 1 :] if len(row) == 8]
    kept = next(row for row in rows if row[1] == "UC-MSC" and row[0].endswith("mean change"))
    assert kept[5] == f"odds × {math.exp(0.42):.2f}"
    inside = rises.loc["UC-MSC", "ci_low"] <= 0.42 <= rises.loc["UC-MSC", "ci_high"]
    assert kept[6] == ("yes" if inside else "no")
    assert kept[7] == "claimed, upwardstrue"
    apart = next(row for row in rows if "the arms' changes differ" in row[0])
    assert apart[5] == f"odds × {math.exp(0.42):.2f}"  # 0.42 - 0
    absent = next(row for row in rows if row[1] == "DMARD" and "no change beyond" in row[0])
    assert absent[5] == "odds × 1.00"
    assert absent[7] in ("claimedtrue", "not claimedmissed")
    assert absent[2].startswith(estimate_text("odds", float(rises.loc["DMARD", "estimate"]), math.nan, math.nan))


def test_a_study_that_is_not_simulated_has_no_column_of_truth(trial: Path, tmp_path: Path) -> None:
    for name in ("linked", "associations", "claims"):
        (tmp_path / f"{name}.parquet").write_bytes((trial / f"{name}.parquet").read_bytes())
    (tmp_path / "provenance.json").write_bytes((trial / "provenance.json").read_bytes())
    page = cohort_page(read_results(tmp_path))
    assert page["claims"] and not page["has_truth"]
    assert cohort_page(read_results(trial))["has_truth"]


def test_each_analysis_says_its_standing_who_is_left_out_and_its_estimand(
    trial: Path, answers: dict[str, Answer]
) -> None:
    linked = pd.read_parquet(trial / "linked.parquet")
    total = linked["subject_id"].nunique()
    at = linked[linked["visit"] == "month3"]
    conduct = answers["acr_arms"].conduct
    assert conduct is not None
    lost = total - int(at["acr20"].notna().sum())
    said = "; ".join(conduct.left_out).replace("\xa0", " ")
    assert f"{total - lost} of {total} patients are in it, {lost} left out" in said
    assert f"{total - len(at)} patient" in said and "1 patient with the visit and without the value" in said
    assert conduct.standing.startswith("declared in the plan, in no family")
    standing = answers["rises"].conduct
    assert standing is not None and standing.standing == "confirmatory: declared in the plan, in the family “main”"
    for name, answer in answers.items():
        assert answer.conduct is not None
        assert [words for words, _ in answer.conduct.estimand][:1] == ["Treatment"], name
        assert len(answer.conduct.estimand) >= 5, name


def test_what_is_outside_the_plan_is_called_exploratory(trial: Path, tmp_path: Path) -> None:
    found = pd.read_parquet(trial / "associations.parquet")
    found.loc[found["analysis"] == "go", "status"] = "exploratory"
    write_tables(tmp_path, {"linked": pd.read_parquet(trial / "linked.parquet"), "associations": found})
    said = {**provenance(PLAN, {}, []), "exploratory": {"go": "not in the plan declared on 2021-01-01"}}
    write_json(tmp_path / "provenance.json", said)
    answer = next(answer for answer in answers_of(read_results(tmp_path)) if answer.name == "go")
    assert answer.conduct is not None
    assert answer.conduct.standing == (
        "exploratory, outside the declared plan: not in the plan declared on 2021-01-01"
    )


def test_kinds_by_term() -> None:
    cases = {
        ("agreement", "share of variance (intraclass correlation): visit"): "share",
        ("change_correlation", "reliability of the change of x"): "share",
        ("roc", "area under the curve, within arms"): "area",
        ("cytokines", "share that fell, of pairs that can be ordered (sign test)"): "area",
        ("responder", "risk difference, p by Fisher's exact test"): "risk",
        ("trend", "slope per unit of dose"): "slope",
        ("arm_by_visit", "mean at month3"): "level",
        ("power", "subjects for a power of 80 %"): "count",
    }
    for (kind, term), wanted in cases.items():
        assert kind_of({"type": kind, "term": term, "estimate": 0.5}, "linear") == wanted
