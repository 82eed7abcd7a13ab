"""The results of `make calibrate`: results/calibration.json and the tables of docs/explanation/calibration.md."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.calibration_design import GROUPS, NULLS, is_null, truth_of_null

__all__ = ["rejections", "summarise", "write"]

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "calibration.json"
PAGE = ROOT / "docs" / "explanation" / "calibration.md"
START, END = "<!-- calibration: start -->", "<!-- calibration: end -->"
KEYS = ("analysis", "term", "arm", "visit", "contrast", "predictor", "outcome")
LEAST = 100  # trials below which a figure is shown but not judged
Z = 1.96


def collected(chunks: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(scenario, group, row) -> its values over all trials, and how many trials were run."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    trials: dict[tuple[str, str], int] = {}
    for chunk in chunks:
        where = (chunk["scenario"], chunk["group"])
        trials[where] = trials.get(where, 0) + 25
        for named, row in chunk["rows"].items():
            key = re.sub(r"F\([^)]*\)\|", "|", named)  # degrees of freedom differ from trial to trial
            kept = rows.setdefault((*where, key), {"values": [], "primary": row["primary"], "note": row["note"]})
            kept["values"] += [values for values in row["values"] if values is not None]
    for (scenario, group, _), row in rows.items():
        row["trials"] = trials[scenario, group]
    return rows


def rejections(values: list[list[float | None]], truth: float) -> dict[str, float]:
    """Shares of the trials that gave a p-value or an interval: rejected at 5 %, interval holds the truth; bias."""
    p = [row[0] for row in values if row[0] is not None]
    ends = [(row[2], row[3]) for row in values if row[2] is not None and row[3] is not None]
    estimates = [row[1] for row in values if row[1] is not None]
    covered = [low <= truth <= high for low, high in ends if low is not None and high is not None]
    return {
        "tests": len(p),
        "rejected": sum(q < 0.05 for q in p) / len(p) if p else math.nan,
        "intervals": len(covered),
        "covered": sum(covered) / len(covered) if covered else math.nan,
        "bias": sum(estimates) / len(estimates) - truth if estimates else math.nan,
    }


def summarise(chunks: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A row an estimate and scenario: trials, share rejected, share of intervals that hold the truth, bias, judgement."""
    planted: dict[str, pd.DataFrame] = {}
    found = []
    for (scenario, group, key), row in collected(chunks).items():
        parts = dict(zip(KEYS, key.split("|"), strict=True))
        if row["note"].startswith(("descriptive", "sensitivity")):
            continue
        null = is_null(scenario, parts["analysis"], parts["term"], parts["arm"], parts["predictor"])
        truth = truth_of_null(parts["term"]) if null else _planted(scenario, parts, planted)
        if scenario in NULLS and (not null or all(values[0] is None for values in row["values"])):
            continue  # no test: the mean of an arm, a share
        if math.isnan(truth) and not row["primary"]:
            continue
        figures = rejections(row["values"], truth)
        judged = _judge(figures, GROUPS[group].kind, null, math.isnan(truth), scenario)
        found.append({"scenario": scenario, "group": group, **parts, "null": null, "truth": truth, "trials": row["trials"], **figures, "judgement": judged})  # fmt: skip
    return pd.DataFrame(found)


def _planted(scenario: str, parts: Mapping[str, str], tables: dict[str, pd.DataFrame]) -> float:
    from benchmarks.calibration_design import SCENARIOS
    from cytoreg.simulation.trial_planted import trial_planted

    if scenario in NULLS:
        return math.nan
    if scenario not in tables:
        tables[scenario] = trial_planted(SCENARIOS[scenario])
    table = tables[scenario]
    rows = table[(table["analysis"] == parts["analysis"]) & (table["arm"] == parts["arm"])]
    rows = rows[
        (rows["outcome"] == parts["outcome"])
        & ((rows["contrast"] == parts["contrast"]) | (rows["contrast"] == ""))
    ]
    rows = rows[[parts["term"].startswith(quantity) for quantity in rows["quantity"]]]
    return float(rows["planted"].iloc[0]) if len(rows) else math.nan


def _judge(figures: Mapping[str, float], kind: str, null: bool, no_truth: bool, scenario: str) -> str:
    """Within its limits, widened by 1.96 Monte Carlo standard errors; what is too few to judge is said."""
    if max(figures["tests"], figures["intervals"]) < LEAST:
        return "too few trials"
    wrong = []
    if null and not math.isnan(figures["rejected"]):
        low, high = (0.0, 0.057) if kind == "at most" else (0.04, 0.06)
        if not _within(figures["rejected"], low, high, figures["tests"]):
            wrong.append("rejects")
    if not no_truth and not math.isnan(figures["covered"]) and kind != "power":
        top = 1.0 if kind == "at most" else 0.965
        if not _within(figures["covered"], 0.935, top, figures["intervals"]):
            wrong.append("covers")
    if scenario.endswith("mnar"):
        return "bias reported"
    return "outside: " + ", ".join(wrong) if wrong else "within"


def _within(share: float, low: float, high: float, n: float) -> bool:
    def error(rate: float) -> float:
        return Z * math.sqrt(rate * (1 - rate) / n)

    return low - error(low) <= share <= high + error(high)


def write(chunks: list[dict[str, Any]]) -> int:
    """Write the results and the page's tables; status 1 where one lies outside its limits."""
    table = summarise(chunks)
    if not len(table):
        print("nothing was run")
        return 0
    RESULTS.parent.mkdir(exist_ok=True)
    records = json.loads(table.round(5).to_json(orient="records"))
    RESULTS.write_text(json.dumps({"rows": records}, indent=1) + "\n", encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{START}\n\n{_tables(table)}\n{END}{after}", encoding="utf-8")
    outside = table["judgement"].str.startswith("outside")
    print(table[outside][["scenario", "analysis", "term", "tests", "rejected", "covered"]].to_string(index=False))
    return int(outside.any())


def _tables(table: pd.DataFrame) -> str:
    lines = []
    titles = (
        ("Where a null is true", table["null"]),
        ("Where there is an effect: power, coverage, bias", ~table["null"]),
    )
    for title, chosen in titles:
        part = table[chosen]
        if not len(part):
            continue
        last = "rejected %" if title.startswith("Where a null") else "power %"
        lines += [f"### {title}", "", f"| scenario | analysis | estimate | trials | {last} | covered % | bias | |"]
        lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
        for row in part.to_dict("records"):
            term = " ".join(
                word
                for word in (
                    row["term"],
                    row["arm"],
                    row["outcome"] if row["analysis"] == "cytokines_fall" else "",
                )
                if word
            )
            bias = "" if math.isnan(row["bias"]) else f"{row['bias']:.3f}"
            lines.append(
                f"| {row['scenario']} | {row['analysis']} | {term} | {row['trials']} | {_percent(row['rejected'])} "
                f"| {_percent(row['covered'])} | {bias} | {row['judgement']} |"
            )
        lines.append("")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f}"
