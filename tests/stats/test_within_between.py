"""Slopes within and between subjects against lme4, lmerTest and pbkrtest on published data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from cytoreg.stats import analyse
from cytoreg.stats.mmrm import NotConverged
from cytoreg.stats.random_slopes import fit_random
from tests.stats import sleepstudy


def investments() -> pd.DataFrame:
    """Grunfeld's 11 firms over 20 years, as bundled with statsmodels: value and investment."""
    table = sm.datasets.grunfeld.load_pandas().data
    table = table.rename(columns={"firm": "subject_id", "value": "worth"})
    table["visit"], table["day"] = table["year"].astype(int).astype(str), table["year"] * 365.0
    return table


def asked(**keys: object) -> pd.DataFrame:
    question = {"type": "within_between", "x": "worth", "y": "invest"} | keys
    return analyse({"linked": investments()}, {"analyses": {"q": question}}).results


def test_random_slopes_are_those_of_lme4() -> None:
    """lmer(Reaction ~ Days + (Days | Subject), sleepstudy), summary(ddf = "Kenward-Roger"): lme4 1.1.31, lmerTest 3.1.3."""
    table = sleepstudy.table()
    design = np.column_stack([np.ones(180), table["days"]])
    model = fit_random(table["reaction"], design, table["subject_id"], design)
    slope, level = model.slope([0, 1]), model.slope([1, 0])
    assert (slope.estimate, slope.se) == pytest.approx((10.467286, 1.54578964), rel=1e-5)
    assert (level.estimate, level.se) == pytest.approx((251.405105, 6.82459669), rel=1e-5)
    assert (slope.df, level.df) == pytest.approx((17, 17), rel=1e-6)
    assert slope.p_value == pytest.approx(3.263808e-06, rel=1e-4)
    assert model.log_likelihood == pytest.approx(-871.814136, abs=1e-5)
    assert np.sqrt(np.diag(model.own)) == pytest.approx([24.7406580, 5.9221377], rel=1e-4)
    assert np.sqrt(model.residual) == pytest.approx(25.5917957, rel=1e-5)


def test_unbalanced_random_slopes_are_those_of_lme4() -> None:
    """Seven rows left out and x moved by subject, so that nothing is balanced; the same packages.

    s <- sleepstudy[-c(3,17,18,44,90,91,120),]; s$x <- s$Days + as.numeric(s$Subject) %% 5; s$b <- ave(s$x, s$Subject);
    s$w <- s$x - s$b; lmer(Reaction ~ w + b + (w | Subject), s)
    """
    table = sleepstudy.table()
    order = {name: i + 1 for i, name in enumerate(sorted(set(table["subject_id"]), key=int))}
    table = table.drop(index=[i - 1 for i in (3, 17, 18, 44, 90, 91, 120)])
    x = table["days"] + table["subject_id"].map(order) % 5
    mean = x.groupby(table["subject_id"]).transform("mean")
    ones, within = np.ones(len(x)), x - mean
    model = fit_random(
        table["reaction"],
        np.column_stack([within, mean, ones]),
        table["subject_id"],
        np.column_stack([ones, within]),
    )
    inner, outer = model.slope([1, 0, 0]), model.slope([0, 1, 0])
    assert (inner.estimate, inner.se, inner.df) == pytest.approx((10.56822110, 1.53206822, 16.9861902), rel=2e-5)
    assert (outer.estimate, outer.se, outer.df) == pytest.approx((2.72682613, 6.06392247, 15.9239388), rel=2e-4)


def test_a_common_slope_is_that_of_lmer() -> None:
    """d$vb <- ave(d$value, d$firm); d$vw <- d$value - d$vb; lmer(invest ~ vw + vb + factor(year) + (1 | firm), d)."""
    rows = asked(slopes="common")
    assert rows["primary"].tolist() == [True, False, False, False]
    within, between = rows.iloc[0], rows.iloc[1]
    assert (within["estimate"], within["se"]) == pytest.approx((0.181853358, 0.0193767406), rel=1e-6)
    assert (between["estimate"], between["se"]) == pytest.approx((0.137781216, 0.0182280012), rel=1e-6)
    assert (within["df"], between["df"]) == pytest.approx((189, 9), rel=1e-6)
    assert between["p_value"] == pytest.approx(3.47255666e-05, rel=1e-5)
    assert rows["estimate"].iloc[2] == pytest.approx(between["estimate"] - within["estimate"])


def test_slopes_of_their_own_are_those_of_lmer() -> None:
    """The same with (vw | firm), vw and vb in thousands, invest in hundreds, optimizer = "bobyqa"."""
    within, between = (row for _, row in asked().iloc[:2].iterrows())
    assert within["estimate"] * 10 == pytest.approx(0.8309314511, rel=1e-5)
    assert within["se"] * 10 == pytest.approx(0.492843561, rel=1e-5)
    assert within["df"] == pytest.approx(7.62090118, rel=1e-4)
    assert between["estimate"] * 10 == pytest.approx(1.1269673829, rel=1e-5)
    assert between["df"] == pytest.approx(5.53000205, rel=1e-4)


def test_the_unadjusted_slope_only_describes() -> None:
    """Days are the visits: with visits taken out nothing is left; the descriptive row holds lme4's 10.467."""
    question = {"type": "within_between", "x": "days", "y": "reaction", "adjust": []}
    found = analyse({"linked": sleepstudy.table()}, {"analyses": {"q": question}})
    answer, crude = found.results.iloc[0], found.results.iloc[-1]
    assert answer["primary"] and np.isnan(answer["estimate"])
    assert "explains x wholly" in answer["note"] or "one mean of x" in answer["note"]
    assert not crude["primary"] and crude["note"].startswith("descriptive")
    assert found.sentences["q"].startswith("No answer")


def test_too_few_give_a_reason() -> None:
    table = investments().query("subject_id in ['IBM', 'Chrysler']")
    question = {"type": "within_between", "x": "worth", "y": "invest"}
    row = analyse({"linked": table}, {"analyses": {"q": question}}).results.iloc[0]
    assert row["note"] == "2 subjects with two visits or more: at least 4 are needed"
    assert np.isnan(row["p_value"])


def test_a_model_that_cannot_be_told_says_so() -> None:
    ones = np.ones((8, 1))
    with pytest.raises(NotConverged, match="more terms"):
        fit_random(np.arange(8.0), np.hstack([ones, ones]), np.arange(8) // 2, ones)
