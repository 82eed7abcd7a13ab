"""The abstract, claim by claim: on a simulated trial from its FCS files on, and on many trials as tables only.

`python -m benchmarks.claims files --subjects 60 --events 8000` simulates, gates, links and analyses one trial.
`python -m benchmarks.claims tables --seeds 100` counts over seeds and scenarios how often each claim is made. Both add to
results/claims.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cytoreg.simulation.course import TRIALS
from cytoreg.simulation.trial import simulate_trial
from cytoreg.simulation.trial_claims import claims_of_trial
from cytoreg.simulation.trial_plan import PRIMARY, trial_plan
from cytoreg.simulation.trial_planted import trial_planted
from cytoreg.stats import analyse
from cytoreg.stats.plan import read_plan

RESULTS = Path(__file__).parent / "results" / "claims.json"
PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "calibration.md"
START, END = "<!-- claims: start -->", "<!-- claims: end -->"
FIRST_SEED = 90_000


def plan_of_claims() -> dict[str, Any]:
    """The plan of the trial, only the analyses that a claim rests on; their family is as it is."""
    plan: dict[str, Any] = yaml.safe_load(trial_plan())
    names = (*PRIMARY, "again")
    return {**plan, "analyses": {name: plan["analyses"][name] for name in names}}


def from_files(subjects: int, events: int, seed: int, scenario: str = "trial") -> pd.DataFrame:
    """The claims on one trial: FCS files written, read, gated with FMO controls, linked, analysed."""
    from cytoreg.batch.runner import gate_tubes, usable_cores
    from cytoreg.clinical import link, read_clinical
    from cytoreg.simulation import simulate_study
    from cytoreg.study import load_study

    with tempfile.TemporaryDirectory() as folder:
        simulate_study(
            Path(folder) / "s", subjects=subjects, events=events, scenario=scenario, seed=seed, tbnk=False
        )
        study = load_study(Path(folder) / "s")
        gated = gate_tubes(study.tubes, study.templates, study.choices, jobs=usable_cores())
        percentages = pd.DataFrame([row for rows in gated.tables.values() for row in rows.get("percentages", ())])
        samples = pd.DataFrame([{**tube.identity, "tube": tube.tube} for tube in study.tubes])
        clinical = read_clinical(study.clinical, windows=study.windows)
        linked = link(samples, percentages, clinical).table
        events_table = pd.read_csv(Path(folder) / "s" / "adverse_events.csv")
    treated = linked[linked["arm"] == "UC-MSC"].groupby("subject_id")["day"].max()
    serious = int((events_table["subject_id"].isin(treated.index) & (events_table["serious"] == "Y")).sum())
    found = analyse({"linked": linked}, plan_of_claims()).results
    return claims_of_trial(found, scenario, serious=serious, years=float(treated.sum()) / 365.25)


def from_tables(scenario: str, seeds: int, subjects: int = 172) -> pd.DataFrame:
    """How often each claim is made over trials without FCS files: claim, true, trials, claimed."""
    planted, plan = trial_planted(scenario, patients=4000), read_plan(plan_of_claims())
    tables = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        found = analyse({"linked": simulate_trial(subjects, scenario, seed).linked()}, plan).results
        tables.append(claims_of_trial(found, scenario, planted=planted).assign(seed=seed))
    table = pd.concat(tables)
    table["claimed"] = table["verdict"] == "claimed"
    told = table.groupby("claim", sort=False).agg(
        true=("true", "first"), trials=("seed", "size"), claimed=("claimed", "sum")
    )
    absent = table["claim"].str.startswith("no such")
    false = table[table["claimed"] & ~table["true"] & ~absent].groupby("seed").size()
    any_false = {"claim": "any claim that is not true", "true": False, "trials": seeds, "claimed": len(false)}
    return pd.concat([told.reset_index(), pd.DataFrame([any_false])], ignore_index=True).assign(scenario=scenario)


def write_page(kept: dict[str, Any]) -> None:
    """The tables of docs/explanation/calibration.md."""
    lines = [START, ""]
    if "files" in kept:
        how = kept["files"]
        lines += [
            f"One trial of {how['subjects']} patients from its FCS files ({how['events']} events a tube, seed {how['seed']}; "
            "`python -m benchmarks.claims files`), gated with `treg_foxp3`:",
            "",
            "| claim | estimate | 95 % interval | p | planted | true | verdict |",
            "| --- | ---: | --- | ---: | ---: | --- | --- |",
        ]
        for row in how["claims"]:
            ends = f"{_said(row['ci_low'])} to {_said(row['ci_high'])}"
            lines.append(
                f"| {row['claim']} | {_said(row['estimate'])} | {ends} | {_p(row['p'])} | {_said(row['planted'])} "
                f"| {'yes' if row['true'] else 'no'} | {row['verdict']} |"
            )
        lines.append("")
    tables = kept.get("tables", {})
    if tables:
        names = list(tables)
        counts = ", ".join(f"{tables[name][-1]['trials']} of `{name}`" for name in names)
        lines += [
            f"Over trials as tables, how many made each claim ({counts}; `python -m benchmarks.claims tables`); in brackets where "
            "it is true:",
            "",
            f"| claim | {' | '.join(names)} |",
            f"| --- |{' ---: |' * len(names)}",
        ]
        for place, row in enumerate(tables[names[0]]):
            cells = [tables[name][place] for name in names]
            told = [f"({cell['claimed']})" if cell["true"] else str(cell["claimed"]) for cell in cells]
            lines.append(f"| {row['claim']} | {' | '.join(told)} |")
        lines.append("")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    PAGE.write_text(before + "\n".join([*lines, END]) + rest.partition(END)[2], encoding="utf-8")


def _p(value: float | None) -> str:
    return "< 0.001" if value is not None and value < 0.0005 else _said(value)


def _said(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def main() -> int:
    """Run, print, keep; status 1 where what is not true is claimed more often than 5.7 % and chance allow."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=("files", "tables"))
    parser.add_argument("--subjects", type=int, default=172)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenarios", nargs="*", default=list(TRIALS), choices=list(TRIALS))
    given = parser.parse_args()
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    wrong = False
    if given.how == "files":
        table = from_files(given.subjects, given.events, given.seed)
        how = {"subjects": given.subjects, "events": given.events, "seed": given.seed}
        kept["files"] = {**how, "claims": json.loads(table.round(4).to_json(orient="records"))}
        print(table.round(3).to_string(index=False))
    for scenario in given.scenarios if given.how == "tables" else ():
        table = from_tables(scenario, given.seeds)
        kept.setdefault("tables", {})[scenario] = json.loads(table.to_json(orient="records"))
        print(table.to_string(index=False), flush=True)
        share, n = table["claimed"].iloc[-1] / given.seeds, given.seeds
        wrong |= bool(share > 0.057 + 1.96 * (0.057 * 0.943 / n) ** 0.5)
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    write_page(kept)
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
