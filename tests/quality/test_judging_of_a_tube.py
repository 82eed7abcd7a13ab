"""What is noted of a tube's acquisition: too few events, events at the top of a detector, odd files."""

from __future__ import annotations

import numpy as np
import pytest

from cytoreg.fcs import Channel, Problem, Sample
from cytoreg.fcs.data import ArraySource
from cytoreg.quality import Quality, quality_of


def tube(events: np.ndarray, channel: Channel, problems: tuple[Problem, ...] = ()) -> Sample:
    return Sample(
        name="t.fcs",
        version="FCS3.1",
        n_events=len(events),
        channels=(channel,),
        text={},
        spillover=None,
        problems=problems,
        source=ArraySource(events[:, None]),
    )


def judged(channel: Channel, values: np.ndarray, **more: tuple[Problem, ...]) -> Quality:
    return quality_of(tube(values, channel, **more), {channel: values})


FLOAT = Channel(0, "FITC-A", "CD3", 32, 262144.0)


def test_a_tube_with_nothing_wrong_has_no_flag() -> None:
    found = judged(FLOAT, np.random.default_rng(0).permutation(np.linspace(0, 200_000, 2000)))
    assert (found.events, found.events_removed, found.flags) == (2000, 0, ())
    assert found.margin_percent == 0


def test_events_at_the_top_of_the_scale_are_counted_and_many_are_flagged() -> None:
    values = np.full(2000, 1000.0)
    values[::10] = 262143.0
    found = judged(FLOAT, values)
    assert found.margin_percent == pytest.approx(10.0)
    assert found.margin_channel == "FITC-A"
    assert found.flags == ("margin",)
    values[::20] = 0
    values[10::40] = 0
    assert judged(FLOAT, values).margin_percent == pytest.approx(2.5)
    assert judged(FLOAT, values).flags == ()


def test_the_top_of_a_channel_with_a_gain_is_divided_by_it() -> None:
    channel = Channel(0, "SSC-A", None, 32, 262144.0, gain=4.0)
    values = np.full(2000, 65_535.9)
    assert judged(channel, values).margin_percent == 100
    assert judged(channel, values / 2).margin_percent == 0


@pytest.mark.parametrize(("bits", "top"), [(10, 1024), (8, 256)])
def test_the_top_of_a_logarithmic_amplifier_is_its_last_step(bits: int, top: int) -> None:
    """Four decades over 1024 channels end just below 10^4, which is far above $PnR."""
    channel = Channel(0, "FL1-H", None, bits, float(top), decades=4.0, offset=1.0, kind="I")
    stored = np.repeat([0.3 * top, 0.6 * top, top - 2, top - 1], 500)
    linear = 10 ** (4 * stored / top)
    assert (linear > top).mean() >= 0.5
    assert judged(channel, linear).margin_percent == 25


def test_the_last_step_of_an_8_bit_channel_is_its_top() -> None:
    channel = Channel(0, "X", None, 8, 256.0, kind="I")
    assert judged(channel, np.repeat([10.0, 254.0, 255.0, 255.0], 500)).margin_percent == 50


def test_few_events_and_an_odd_file_are_flagged_and_time_is_not_judged() -> None:
    problem = Problem("$TOT is absent", "TEXT", "DATA holds 10 events", affects_numbers=True)
    harmless = Problem("odd", "TEXT", "nothing")
    found = judged(FLOAT, np.ones(10), problems=(problem, harmless))
    assert found.flags == ("few_events", "file_problem")
    assert found.problems == str(problem)
    time = Channel(0, "Time", None, 32, 100.0)
    assert judged(time, np.full(2000, 100.0)).margin_percent == 0
    assert judged(FLOAT, np.array([])).margin_percent == 0


def test_events_piled_up_at_the_lowest_value_are_counted() -> None:
    values = np.random.default_rng(1).uniform(10, 1000, 2000)
    values[::8] = -111.0
    found = judged(FLOAT, values)
    assert (found.bottom_percent, found.bottom_channel) == (12.5, "FITC-A")
    assert judged(FLOAT, np.random.default_rng(1).permutation(np.arange(2000.0))).bottom_percent == 0
