"""Time, rate and signal of a tube: what was planted is found where it was planted, and nothing where nothing was."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.acquisition import NAMES, judged, tube
from cytoreg.fcs.sample import sample_from_array
from cytoreg.quality import quality_of
from cytoreg.quality.clock import clock_of
from cytoreg.quality.rate import rate_of
from cytoreg.quality.signal import course_of

TIMED = {"drift", "jump", "clog", "flow_rate", "time_backwards", "time_disordered"}


def left_out(events: np.ndarray, why: str) -> np.ndarray:
    kept = judged(events, (why,)).kept
    return np.zeros(len(events), dtype=bool) if kept is None else ~kept


@pytest.mark.parametrize("n", [3_000, 20_000])
def test_a_steady_tube_has_no_flag_of_time(n: int) -> None:
    found = [judged(tube(seed, n)[0]) for seed in range(15)]
    assert all(not TIMED & set(quality.flags) for quality in found)
    assert all(quality.unsteady_percent == 0 and quality.clog_percent == 0 for quality in found)


@pytest.mark.parametrize(("shape", "flag", "size", "start", "stop"), [
    ("drift", "drift", 2.0, 0.0, 1.0),
    ("jump", "jump", 1.0, 0.7, 1.0),
    ("stretch", "jump", 1.5, 0.4, 0.5),
])  # fmt: skip
def test_a_moved_signal_is_flagged_on_its_own_channel(
    shape: str, flag: str, size: float, start: float, stop: float
) -> None:
    for seed in range(5):
        quality = judged(tube(100 + seed, 20_000, shape=shape, size=size, start=start, stop=stop)[0])
        assert flag in quality.flags
        assert quality.unsteady_channels == NAMES[3]
        assert {"clog", "flow_rate"}.isdisjoint(quality.flags)


def test_a_stretch_that_differs_is_left_out_when_asked_for_and_little_else() -> None:
    found, others = [], []
    for seed in range(5):
        events, touched = tube(200 + seed, 20_000, shape="stretch", size=1.5, start=0.4, stop=0.5)
        gone = left_out(events, "time")
        found.append(gone[touched].mean())
        others.append(gone[~touched].mean())
    assert min(found) > 0.85
    assert max(others) < 0.02


def test_the_shorter_side_of_a_jump_is_the_odd_one() -> None:
    events, touched = tube(7, 20_000, shape="jump", size=1.5, start=0.3)
    gone = left_out(events, "time")
    assert gone[touched].mean() > 0.95
    assert gone[~touched].mean() < 0.03


@pytest.mark.parametrize(("size", "stop"), [(0.0, 0.45), (0.1, 0.5)])
def test_a_clog_is_found_where_it_was(size: float, stop: float) -> None:
    events, touched = tube(3, 20_000, shape="clog", size=size, start=0.4, stop=stop)
    quality = judged(events)
    assert "clog" in quality.flags
    assert quality.clog_percent == pytest.approx(100 * (stop - 0.4), abs=1.01)
    gone = left_out(events, "rate")
    assert not touched.any() or gone[touched].mean() > 0.9
    assert gone[~touched].mean() < 0.001


def test_half_the_rate_is_no_clog() -> None:
    assert "clog" not in judged(tube(3, 20_000, shape="clog", size=0.5, start=0.4, stop=0.5)[0]).flags


def test_how_far_the_signal_moved_is_the_share_of_a_normal_that_a_shift_passes() -> None:
    """A normal moved by 1 SD in a tenth of the tube: there its median stands where Phi(1) of the others lie below."""
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, 64_000)
    values[:6_400] += 1.0
    course = course_of([values])
    assert course is not None
    assert course.bad.mean() == pytest.approx(0.1, abs=0.02)
    expected = []
    for cut in np.percentile(values, [10, 25, 50, 75, 90]):
        whole = (values > cut).mean()
        between = (values[:6_400] > cut).mean() - (values[6_400:] > cut).mean()
        expected.append(0.5 * between / np.sqrt(whole * (1 - whole)))
    assert expected[2] == pytest.approx(norm.cdf(1) - 0.5, abs=0.04)
    assert course.reach[0] == pytest.approx(max(expected), rel=0.1)


def test_the_scale_of_a_channel_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    values = np.exp(rng.normal(0, 1, 20_000)) + np.where(np.arange(20_000) > 14_000, 1.0, 0.0)
    linear, logarithm = course_of([values]), course_of([np.log(values)])
    assert linear is not None
    assert logarithm is not None
    assert linear.bad.any()
    assert (linear.bad == logarithm.bad).all()


def test_a_counter_that_wraps_goes_on_and_a_second_acquisition_is_put_behind_the_first() -> None:
    true = np.arange(0.0, 3000.0, 0.5)
    clock = clock_of(true % 1024, 1024.0)
    assert clock is not None
    assert (clock.wraps, clock.restarts, clock.disordered) == (2, 0, False)
    assert clock.ticks.tolist() == true.tolist()
    twice = clock_of(np.concatenate([true[:1000], true[:1000]]), 262144.0)
    assert twice is not None
    assert (twice.wraps, twice.restarts) == (0, 1)
    assert twice.span == pytest.approx(2 * true[999])


def test_events_in_no_order_of_time_are_judged_in_order_and_left_out_where_they_stand() -> None:
    events, touched = tube(5, 20_000, shape="stretch", size=2.0, start=0.4, stop=0.5)
    mixed = np.random.default_rng(0).permutation(len(events))
    quality = judged(events[mixed], ("time",))
    assert "time_disordered" in quality.flags
    assert quality.kept is not None
    gone = ~quality.kept
    assert gone[touched[mixed]].mean() > 0.85
    assert gone[~touched[mixed]].mean() < 0.03
    assert "time_disordered" not in judged(events).flags


def test_small_steps_back_are_how_events_are_stored_and_no_disorder() -> None:
    ticks = np.arange(10_000.0)
    ticks[1::2] -= 1.5
    clock = clock_of(ticks, 262144.0)
    assert clock is not None
    assert (clock.wraps, clock.restarts, clock.disordered) == (0, 0, False)
    assert (np.diff(clock.ticks) >= 0).all()


@pytest.mark.parametrize("values", [
    np.zeros(0), np.zeros(1), np.ones(5000), np.full(5000, np.nan), np.array([1.0, np.nan] * 2000),
    np.full(5000, np.inf), np.arange(3.0), np.arange(9.0), np.repeat([0.0, 1.0], 3000),
])  # fmt: skip
def test_nothing_crashes_on_empty_tiny_constant_or_broken_columns(values: np.ndarray) -> None:
    sample = sample_from_array(
        np.column_stack([values, values, values, values]), ["FSC-A", "FSC-H", "FL1-A", "Time"]
    )
    columns = dict(zip(sample.channels, sample.columns(range(4)), strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quality = quality_of(sample, columns, ("margin", "time", "rate"))
        without = quality_of(sample, dict(list(columns.items())[:3]), ("margin", "time", "rate"))
        assert quality_of(sample, {}).flags == (("few_events",) if len(values) < 1000 else ())
    assert 0 <= quality.events_removed <= len(values)
    assert not {"clog", "flow_rate"} & set(without.flags)
    if np.isfinite(values).all():
        assert rate_of(np.sort(values)) is None  # fewer events, or different times, than a rate needs


def test_doublets_by_area_and_height() -> None:
    rng = np.random.default_rng(4)
    height = rng.normal(60_000, 6_000, 20_000)
    area = height * rng.normal(1.3, 0.03, 20_000)
    doublet = rng.random(20_000) < 0.1
    area[doublet] *= rng.uniform(1.6, 2.0, doublet.sum())
    sample = sample_from_array(np.column_stack([area, height]), ["FSC-A", "FSC-H"])
    quality = quality_of(sample, dict(zip(sample.channels, sample.columns([0, 1]), strict=True)))
    assert quality.doublets_percent == pytest.approx(100 * doublet.mean(), abs=0.5)
