"""A mixture whose likelihood is flat: its interval is that of gates fitted anew, not of a straight line that leaves it."""

from __future__ import annotations

import numpy as np

import cytoreg
from cytoreg.fcs import sample_from_array
from cytoreg.simulation import simulate_tube
from cytoreg.simulation.biology import Composition

ASKED = "lymphocytes % of singlets"


def logit(percent: float) -> float:
    return float(np.log(percent / (100 - percent)))


def test_the_interval_is_as_wide_as_events_drawn_again_make_it() -> None:
    """In this tube three quarters of the linearly moved mixtures had weights or covariances that cannot be."""
    template = cytoreg.load_template("treg_foxp3")
    sample = simulate_tube("treg", Composition(), 5000, np.random.default_rng(1)).to_sample("x")
    result = cytoreg.gate(sample, template)
    assert "unsteady" not in result.flags_of("lymphocytes")
    share = result.percent(ASKED)
    names = [channel.name for channel in sample.channels]
    values = np.column_stack([sample[name] for name in names])
    markers = [channel.marker for channel in sample.channels]
    draw = np.random.default_rng(5)
    drawn = []
    for _ in range(30):
        rows = values[draw.integers(0, len(values), len(values))]
        again = sample_from_array(rows, names, markers=markers, name="x")
        drawn.append(logit(cytoreg.gate(again, template, bootstrap=0, compensation="none").percent(ASKED).value))
    expected = 2 * np.std(drawn)  # counting and placement together, half of the interval
    found = (logit(share.ci_high) - logit(share.ci_low)) / 2
    assert 0.5 * expected < found < 2 * expected
