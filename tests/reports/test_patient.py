"""What a patient's page says of the own correlation, of remission and of what is not known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from made_results import TREGS
from scipy import stats

from cytoreg.reports.flags import flags_of
from cytoreg.reports.patient import own_correlations, patient_page
from cytoreg.reports.results import read_results
from cytoreg.tables import write_tables

Make = Callable[..., Path]


def page_of(folder: Path, subject: str) -> dict:
    results = read_results(folder)
    return patient_page(results, subject, own_correlations(results), flags_of(results))


def rewrite(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    linked = pd.read_parquet(folder / "linked.parquet").drop(columns="schema_version")
    write_tables(folder, {"linked": change(linked)})


def test_a_correlation_of_three_points_is_said_to_be_of_three(make_trial: Make) -> None:
    folder = make_trial()
    said = " ".join(page_of(folder, "P5")["correlation"]["sentences"])
    linked = pd.read_parquet(folder / "linked.parquet")
    own = linked[linked["subject_id"] == "P5"]
    expected = stats.spearmanr(own[TREGS], own["das28_crp"]).statistic
    assert (
        f"Over the 3 visits with both, {TREGS} and DAS28-CRP correlate at {expected:.2f}".replace(
            "-0", "−0"
        ).replace("-1.0", "−1.0")
        in said
    )
    assert "only 3 points" in said
    assert "1 of 3 patients" in said  # two of the 3! = 6 orders are perfect


def test_where_it_lies_among_the_others_adds_up(make_trial: Make) -> None:
    folder = make_trial()
    results = read_results(folder)
    table = own_correlations(results).dropna(subset=["spearman"]).set_index("subject_id")["spearman"]
    own = table["P5"]
    others = table.drop("P5").round(9)
    below, same, above = (
        (others < round(own, 9)).sum(),
        (others == round(own, 9)).sum(),
        (others > round(own, 9)).sum(),
    )
    said = page_of(folder, "P5")["correlation"]["sentences"][-1].replace("\xa0", " ")
    assert said == (
        f"Of the {len(others)} other patients with one, {below} have a lower correlation, {same} the same and {above} a higher one."
    )


def test_too_few_visits_give_no_correlation_and_say_so(make_trial: Make) -> None:
    said = page_of(make_trial(), "P2")["correlation"]["sentences"]  # month1 was not measured
    assert [words.replace("\xa0", " ") for words in said] == [
        f"A correlation of {TREGS} and DAS28-CRP could not be computed: 2 visits with both, and at least 3 are needed."
    ]


@pytest.mark.parametrize(("score", "said"), [(2.59, "yes"), (2.6, "no"), (float("nan"), "not known")])
def test_remission_is_a_das28_below_2_6(make_trial: Make, score: float, said: str) -> None:
    folder = make_trial()

    def at_border(linked: pd.DataFrame) -> pd.DataFrame:
        chosen = (linked["subject_id"] == "P3") & (linked["visit"] == "month3")
        return linked.assign(das28_crp=linked["das28_crp"].mask(chosen, score))

    rewrite(folder, at_border)
    row = page_of(folder, "P3")["visits"][-1]
    assert row["remission"] == said
    assert (row["score"] == "not measured") == (said == "not known")


def test_responses_at_baseline_are_named_so_and_later_gaps_are_not_known(make_trial: Make) -> None:
    folder = make_trial()
    rewrite(folder, lambda linked: linked.assign(acr20=pd.array([None, True, False] * 12, dtype="boolean")))
    rows = page_of(folder, "P6")["visits"]
    assert [row["acr20"] for row in rows] == ["baseline", "yes", "no"]
    rewrite(folder, lambda linked: linked.assign(acr20=pd.array([None] * 36, dtype="boolean")))
    assert [row["acr20"] for row in page_of(folder, "P6")["visits"]] == ["baseline", "not known", "not known"]


def test_a_visit_without_a_sample_says_that(make_trial: Make) -> None:
    folder = make_trial()

    def no_sample(linked: pd.DataFrame) -> pd.DataFrame:
        chosen = (linked["subject_id"] == "P7") & (linked["visit"] == "month1")
        return linked.assign(samples=linked["samples"].mask(chosen), **{TREGS: linked[TREGS].mask(chosen)})

    rewrite(folder, no_sample)
    row = page_of(folder, "P7")["visits"][1]
    assert (row["value"], row["why"]) == ("not measured", "no sample of this visit")


def test_a_study_without_days_keeps_the_order_of_visits(make_trial: Make) -> None:
    folder = make_trial()
    rewrite(folder, lambda linked: linked.drop(columns="day").sample(frac=1, random_state=1))
    content = page_of(folder, "P4")
    assert [row["visit"] for row in content["visits"]] == ["baseline", "month1", "month3"]
    assert not content["has"]["day"]
    assert len(content["figures"]) == 2  # for a desk and for a phone


def test_a_flag_that_a_whole_panel_shares_is_said_once(make_trial: Make) -> None:
    folder = make_trial(n=4)
    quality = pd.read_parquet(folder / "quality.parquet").drop(columns="schema_version")
    write_tables(folder, {"quality": quality.assign(flags="no_control;" + quality["flags"].fillna(""))})
    flags = flags_of(read_results(folder))
    assert set(flags.shared["treg"]) == {"no_control"}
    assert all("no_control" not in codes for codes in flags.by_sample.values())
    assert flags.words("P3_month1") == [f"the automatic gate may be misplaced ({TREGS})"]
