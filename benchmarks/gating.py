"""A simulated Treg tube: all gates fitted and applied by cytoreg, the same geometry applied by FlowKit."""

from __future__ import annotations

import cytoreg
from benchmarks.timing import interleave, table
from cytoreg.interop.flowkit import compare, membership
from cytoreg.simulation import simulate_cohort, simulate_samples

EVENTS = 300_000


def main() -> int:
    """Time both, and count the events that FlowKit decides otherwise; status 1 where there are any."""
    cohort = simulate_cohort(4, "effects", 1)
    tube = next(s for s in simulate_samples(cohort, events=EVENTS) if s.row["tube"] == "full").acquired
    sample = tube.to_sample("tube")
    template = cytoreg.load_template("treg_foxp3")
    result = cytoreg.gate(sample, template)
    ways = {
        "cytoreg, fit and apply": lambda: cytoreg.gate(sample, template),
        "FlowKit, apply the same geometry": lambda: membership(result),
    }
    table(
        f"{len(result.gates)} gates on {EVENTS:,} events",
        interleave(ways, 5, at_most={"FlowKit, apply the same geometry": 3}),
    )
    otherwise = len(compare(result))
    print(f"  events decided otherwise by FlowKit: {otherwise}")
    return int(otherwise > 0)
