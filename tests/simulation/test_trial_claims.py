"""The abstract, claim by claim, from rows written by hand and from trials as tables."""

from __future__ import annotations

import pandas as pd
import pytest

from cytoreg.simulation.trial import simulate_trial
from cytoreg.simulation.trial_claims import CLAIMS, claims_of_trial
from cytoreg.simulation.trial_plan import trial_plan
from cytoreg.simulation.trial_planted import trial_planted


def row(
    analysis: str, term: str, arm: str, contrast: str, estimate: float, p: float, outcome: str = ""
) -> dict[str, object]:
    ends = {"ci_low": estimate - 0.1, "ci_high": estimate + 0.1}
    named = {
        "analysis": analysis,
        "term": term,
        "arm": arm,
        "contrast": contrast,
        "outcome": outcome,
        "primary": True,
    }
    return {**named, "estimate": estimate, **ends, "p_value": p, "p_adjusted": float("nan")}


def test_a_claim_needs_its_direction_and_its_adjusted_p() -> None:
    rows = [
        row("treg_rises", "difference of mean changes, log odds", "UC-MSC", "UC-MSC - DMARD", 0.4, 0.001),
        row("treg_rises", "equivalence (TOST), mean change, log odds", "DMARD", "month1 - baseline", 0.01, 0.01),
        row("activity_falls", "difference of mean changes", "UC-MSC", "UC-MSC - DMARD", 1.0, 0.001),
        {
            **row("function_improves", "difference of mean changes", "UC-MSC", "UC-MSC - DMARD", -0.5, 0.001),
            "p_adjusted": 0.2,
        },
    ]
    planted = trial_planted("trial", patients=2000)
    table = claims_of_trial(pd.DataFrame(rows), planted=planted, serious=0, years=50.0).set_index("claim")
    assert table.loc["Treg % of CD4+ rises", "verdict"] == "claimed"
    assert table.loc["no such change of Treg % in controls", "verdict"] == "claimed"
    assert table.loc["DAS28 falls", "verdict"] == "not claimed"  # it rose
    assert table.loc["HAQ-DI falls", "verdict"] == "not claimed"  # its family takes it back
    assert table.loc["a second infusion helps again", "verdict"] == "no answer"
    safe = table.loc["no serious adverse event (rate for a patient-year)"]
    assert (safe["verdict"], safe["estimate"]) == ("none seen", 0)
    assert safe["ci_high"] == pytest.approx(3.6889 / 50, abs=1e-4)  # Poisson, none seen: -ln(0.025), Garwood 1936


def test_what_is_planted_is_claimed_and_what_is_not_is_not() -> None:
    import yaml

    from cytoreg.stats import analyse

    plan = yaml.safe_load(trial_plan())
    names = ("treg_rises", "activity_falls", "function_improves", "cytokines_fall", "acr_arms")
    plan["analyses"] = {name: plan["analyses"][name] for name in names}
    plan["multiplicity"]["families"]["abstract"] = list(names)
    verdicts = {}
    for scenario in ("trial", "trial_null", "trial_selected"):
        found = analyse({"linked": simulate_trial(172, scenario, seed=7).linked()}, plan).results
        table = claims_of_trial(found, scenario, planted=trial_planted(scenario, patients=4000))
        verdicts[scenario] = table[table["analysis"].isin(names)].set_index("claim")
    true = verdicts["trial"]
    assert (true["verdict"] == "claimed").all()
    effects = true[true["planted"].abs() > 0.1]
    assert len(effects) == 6
    for scenario in ("trial_null", "trial_selected"):
        table = verdicts[scenario]
        false = table[~table["true"].astype(bool)]
        assert len(false) == 6
        assert (false["verdict"] == "not claimed").all()


def test_every_claim_is_true_in_the_trial_and_none_of_an_effect_without_effects() -> None:
    empty = pd.DataFrame(
        columns=["analysis", "term", "arm", "contrast", "outcome", "primary", "p_value", "p_adjusted"]
    ).astype({"term": str})
    planted = trial_planted("trial", patients=500)
    assert claims_of_trial(empty, "trial", planted=planted)["true"].all()
    null = claims_of_trial(empty, "trial_null", planted=planted)
    assert set(null.loc[null["true"], "claim"]) == {claim.words for claim in CLAIMS if claim.direction == "none"}
