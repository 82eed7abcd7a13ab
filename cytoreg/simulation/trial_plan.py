"""The analysis plan of the model trial: every type of question, asked of what the abstract claims and of its doubts."""

from __future__ import annotations

from cytoreg.simulation.trial import TREGS

__all__ = ["PRIMARY", "trial_plan"]

PRIMARY = (
    "treg_rises",
    "activity_falls",
    "function_improves",
    "cytokines_fall",
    "acr_arms",
    "arms_differ",
    "durability",
)
"""The analyses of the abstract's claims, in one family."""

_PLAN = """\
cytoreg: 1
outcome: {response: acr20, activity: das28_crp, function: haq_di}
treatment: {arm: arm, control: DMARD, infusions: infusions}
baseline: {last_on_or_before: first_infusion, otherwise: randomised}
analyses:
  # the claims of the abstract
  treg_rises:        {type: paired_change, value: TREGS, to: month1, by: arm, scale: logit, equivalence: [-0.25, 0.25]}
  activity_falls:    {type: paired_change, value: das28_crp, to: month3, by: arm, equivalence: [-0.6, 0.6]}
  function_improves: {type: paired_change, value: haq_di, to: month3, by: arm, equivalence: [-0.22, 0.22]}
  cytokines_fall:    {type: cytokines, values: [tnf_alpha, il6], to: month1, by: arm}
  arms_differ:       {type: arm_by_visit, value: das28_crp, contrast_visit: month3}
  acr_arms:          {type: responder, outcome: acr20, at: month3}
  durability:        {type: time_to_loss, outcome: acr20, covariate: TREGS, scale: logit, reinfusion: censor}
  again:             {type: repeat_infusion, value: das28_crp}
  # whether Tregs go with the disease
  treg_arms:         {type: arm_by_visit, value: TREGS, scale: logit, contrast_visit: month3}
  treg_vs_das28:     {type: change_correlation, x: TREGS, y: das28_crp, to: month3, adjust: [arm, baseline]}
  within_patient:    {type: repeated_correlation, x: TREGS, y: das28_crp, adjust: [visit*arm]}
  apart:             {type: within_between, x: TREGS, y: das28_crp, scale: logit, slopes: common}
  which_first:       {type: lagged, x: TREGS, y: das28_crp, scale: logit}
  responders:        {type: responder, value: TREGS, outcome: acr20, at: month3, scale: logit}
  acr_over_visits:   {type: responder, outcome: acr20}
  treg_cutoff:       {type: roc, value: TREGS, value_as: change, outcome: acr20, at: month3}
  carried:           {type: mediation, mediator: TREGS, outcome: das28_crp, mediator_at: month1, outcome_at: month3, scale: logit}
  # what else is to be known of the measurement and the size of the trial
  infusions:         {type: trend, value: TREGS, on: infusions_so_far, block: subject_id}
  variation:         {type: agreement, value: TREGS, components: [subject_id, visit]}
  enough:            {type: power, analysis: arms_differ, effect: -0.6}
multiplicity: {method: holm, families: {abstract: [FAMILY]}}
"""


def trial_plan() -> str:
    """The `analysis.yaml` of a simulated trial."""
    return _PLAN.replace("TREGS", TREGS).replace("FAMILY", ", ".join(PRIMARY))
