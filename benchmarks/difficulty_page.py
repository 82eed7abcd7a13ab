"""The page docs/explanation/difficulty.md out of the figures that `benchmarks.difficulty` kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.difficulty import GRID, NAMES, RESULTS, STEPS, Case

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "difficulty.md"
TITLES = {
    "rare": "Rarity: percent of all events",
    "apart": "Distance between negative and positive cells, in SDs",
    "shift": "Batch shift: gain of the tube against the reference, in SDs of the positive cells",
    "spill": "Spillover of a bright dye into the axis, compensated; its photon noise stays",
    "drift": "Drift of the gain from the first event to the last, in SDs",
    "events": "Events in the tube",
}
HEAD = """\
# Easy and hard

Which method finds what, from easy tubes to hard ones, on cells whose membership is known. The figures below come from
`make difficulty` ({seeds} tubes a case; medians). The page is written by it; do not edit it by hand.

A tube has the markers A and B and a bright dye that spills into A. Wanted are the cells that are A+ B+. Both populations of
A are normal on the display scale. Gain, drift and spilt light act on the linear signal. Unless a table says otherwise: {case}.
B parts well everywhere (7 SDs).

- F1 is the harmonic mean of precision and recall, event by event. Bias is found minus true, in percent of all events.
- `valley`, `tail`, `internal`, `fmo` and `mixture, cut` place one cut on A within B+. `internal` and `fmo` take the 99.9th percentile of the
  B- cells and of a control without A. The other methods of ours look at both axes at once.
- `reference` is a gate learned from labels on one other tube without shift or drift, and carried over. `fixed gate` is the same gate applied
  as it is, which is what FlowKit and every program of drawn gates do.
- `scikit-learn mixture` is a Gaussian mixture of three components; the one that is highest on A counts.
- An asterisk: in more than half of the tubes the gate was in doubt, or was not placed, and flagged so.

Read it with two things in mind. The cells are simulated, and kinder than blood: two normal populations on an axis, no debris, no dead
cells. And the rarest case is unkind on purpose: 0.1 % of 2,000 events are two cells.
"""
END = """\
## What follows

- A **valley** is accurate where it is found. Where the rare peak drowns in the negative cells it is not placed, and says so.
  It does not make up a number; a fallback must be named. At 1 % and 6 SDs it is at its limit: in 200,000 events it took a ripple for the
  valley in most tubes, and was in doubt.
- **Mixtures** without a prior are for populations that are a fair share of their parent. A population of 1 % is not a component that
  fits well, neither ours nor scikit-learn's; an **ellipse** of the wrong component is the worst failure here. It is
  in doubt where another component might as well have been chosen. Use them for lymphocytes in scatter, not for rare cells.
- **fmo** and **internal** hardly mind rarity and number of events, since they look at the negative cells. Their percentile is their bias: of the
  negative cells 0.1 % lie above it.
- A **reference** follows a shift of the tube, which a fixed gate does not: with 3 SDs the one stays at F1 {reference:.2f}, the other falls to {fixed:.2f}. Where
  nothing shifts the fixed gate is as good, and for few events a little better.
- **tail** takes 0.1 to 0.4 points too many, with drift more, where the negative cells are not symmetric on the display scale, and no flag says so.
"""


def write() -> str:
    """Write the page from the kept figures, and say where it is."""
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
    return str(PAGE)


def page(kept: dict[str, Any]) -> str:
    """The text of the page."""
    known = {Case(**item["case"]): item["methods"] for item in kept["cases"]}
    tubes = kept["seeds"]
    middle = Case()
    said = f"{middle.rare:g} % wanted cells, {middle.apart:g} SDs apart, {middle.events:,} events, no shift, spillover or drift"
    parts = [HEAD.format(seeds=tubes, case=said)]
    for word, steps in STEPS.items():
        columns = {f"{step:,g}" if step < 1e4 else f"{int(step):,}": _case(word, step) for step in steps}
        parts.append(f"## {TITLES[word]}\n\n{_table(columns, known, tubes)}")
    parts.append("## Rarity, distance and events together\n\nF1 of each method.\n")
    for rare in GRID["rare"]:
        columns = {
            f"{apart:g} SDs, {int(events):,}": Case(rare, apart, events=int(events))
            for apart in GRID["apart"]
            for events in GRID["events"]
        }
        parts.append(f"### {rare:g} % wanted cells\n\n{_table(columns, known, tubes, bias=False)}")
    last = known[Case(shift=STEPS["shift"][-1])]
    parts.append(END.format(reference=last["reference"]["f1"], fixed=last["fixed gate"]["f1"]))
    return "\n".join(parts)


def _case(word: str, step: float) -> Case:
    return Case(**{word: int(step) if word == "events" else step})


def _table(columns: dict[str, Case], known: dict[Case, Any], tubes: int, *, bias: bool = True) -> str:
    head = ["F1 (bias in points)" if bias else "F1", *columns]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for name in NAMES:
        cells = []
        for case in columns.values():
            row = known[case][name]
            flagged = 2 * (tubes - row["placed"] + row["doubted"]) > tubes
            amount = f" ({row['bias']:+.2f})" if bias and row["placed"] else ""
            cells.append(f"{row['f1']:.2f}{amount}" if row["placed"] else "not placed")
            cells[-1] += "*" if flagged else ""
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
