"""How often the 95 % interval of one sample's percentage holds the truth, over a grid of difficulty.

Truth is given in two ways: (a) what the same method makes of millions of events of the same blood, its population limit;
(b) the share of cells that truly belong. An interval claims (a). A method whose cut is not where the two kinds of
cells weigh the same has a bias against (b), which no number of events takes away; it is listed beside.
The figures go to `benchmarks/results/placement_coverage.csv`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.template import Template
from cytoreg.simulation import simulate_tube
from cytoreg.simulation.biology import Composition
from cytoreg.yamlfile import load_yaml

TABLE = Path(__file__).parent / "results" / "placement_coverage.csv"
LIMIT_EVENTS, LIMIT_TUBES = 1_000_000, 8
GRID = {"valley": (0.05, 0.2, 0.4), "tail": (0.005, 0.01, 0.05)}
SEPARATIONS, EVENTS = (4.0, 6.0), (2_000, 20_000, 200_000)
TREG = ("Tregs % of CD4+", "CD4+ % of CD3+", "CD4+ % of lymphocytes", "Fraction II % of CD4+")


def cells(share: float, apart: float, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two kinds of cells `apart` SDs from each other on `a`, within a parent that is cut on `b`; and who is positive."""
    positive, outside = rng.random(n) < share, rng.random(n) < 0.4
    events = rng.standard_normal((n, 2))
    events[:, 0] += apart * positive
    events[:, 1] += 5.0 * ~outside
    return events, positive & ~outside


def template_of(method: str) -> Template:
    """A parent cut at a valley, and a child cut by the method."""
    text = (
        "cytoreg: 1\nname: c\ntransforms: {default: linear}\npopulations:\n"
        f"  p: {{gate: {{valley: {{on: b}}}}}}\n  q: {{parent: p, gate: {{{method}: {{on: a}}}}}}\nreport: [q % of p]\n"
    )
    return parse_template(load_yaml(text, TemplateError))


@cache
def limit_of(method: str, share: float, apart: float) -> float:
    """The mean of LIMIT_TUBES tubes of a million events: one alone would be off by a good part of an interval at 200,000."""
    template = template_of(method)
    found = []
    for seed in range(LIMIT_TUBES):
        events, _ = cells(share, apart, LIMIT_EVENTS, np.random.default_rng(10**6 + seed))
        tube = sample_from_array(events, ["a", "b"], name="x")
        found.append(cytoreg.gate(tube, template, bootstrap=0).percent("q % of p").value)
    return float(np.mean(found))


def of_cells(method: str, share: float, apart: float, n: int, tubes: int) -> dict[str, Any]:
    """One cell of the grid."""
    template = template_of(method)
    limit = limit_of(method, share, apart)
    found = []
    for seed in range(tubes):
        events, _ = cells(share, apart, n, np.random.default_rng(seed))
        found.append(cytoreg.gate(sample_from_array(events, ["a", "b"], name="x"), template).percent("q % of p"))
    return {"what": method, "share": share, "apart": apart, "events": n, **_row(found, limit, 100 * share)}


def of_tregs(n: int, tubes: int) -> Iterator[dict[str, Any]]:
    """The shipped template on simulated blood, one staining."""
    template = cytoreg.load_template("treg_foxp3")

    def tube(events: int, seed: int) -> Any:
        return simulate_tube("treg", Composition(), events, np.random.default_rng(seed), staining_spread=0.0)

    big = [tube(LIMIT_EVENTS, 10**6 + seed) for seed in range(3)]
    limits = [cytoreg.gate(one.to_sample("x"), template, bootstrap=0) for one in big]
    gated = [cytoreg.gate(tube(n, seed).to_sample("x"), template) for seed in range(tubes)]
    for text in TREG:
        limit = float(np.mean([result.percent(text).value for result in limits]))
        truth = float(np.mean([one.percent(text) for one in big]))
        row = _row([result.percent(text) for result in gated], limit, truth)
        yield {"what": text, "share": "", "apart": "", "events": n, **row}


def _row(found: list[Any], limit: float, truth: float) -> dict[str, Any]:
    known = [p for p in found if np.isfinite(p.ci_low)]
    values = np.array([p.value for p in known]) if known else np.array([np.nan])

    def held(true: float, low: str = "ci_low", high: str = "ci_high") -> float:
        if not np.isfinite(true) or not known:
            return float("nan")  # a million events have no such gate: there is no limit to hold
        return round(100 * float(np.mean([getattr(p, low) <= true <= getattr(p, high) for p in known])), 1)

    return {
        "tubes": len(known),
        "not_placed": len(found) - len(known),
        "mean_percent": round(float(values.mean()), 3),
        "limit_percent": round(limit, 3),
        "true_percent": round(truth, 3),
        "bias_of_limit": round(limit - truth, 3),
        "covers_limit": held(limit),
        "covers_limit_by_counting": held(limit, "ci_count_low", "ci_count_high"),
        "covers_truth": held(truth),
    }


def main() -> int:
    """Run the grid, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tubes", type=int, default=800)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
        TABLE.parent.mkdir(exist_ok=True)
        with TABLE.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    for row in of_tregs(20_000, given.tubes):
        keep(row)
    for n in EVENTS:
        for method, shares in GRID.items():
            for share in shares:
                for apart in SEPARATIONS:
                    keep(of_cells(method, share, apart, n, given.tubes))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
