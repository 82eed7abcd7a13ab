"""From stored numbers to linear ones, and time: FCS 3.1, 3.2.20, $PnE, $PnG, $PnR and $TIMESTEP."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bytes_of import Parameter, fcs_bytes, floats, written
from said_of import conforming, noted

from cytoreg import read_fcs
from cytoreg.fcs import Sample


def one_channel(folder: Path, stored: list[float], *, kind: str = "I", bits: int = 16, **keywords: str) -> Sample:
    """A file of one channel X, with what $P1E, $P1G ... say of it."""
    parameter: Parameter = {"N": "X", "B": str(bits), "R": "1024", **keywords}
    drop = [f"$P1{letter}" for letter, value in keywords.items() if value == "absent"]
    rows = [[value] for value in stored]
    return read_fcs(written(folder, fcs_bytes(rows, [parameter], kind=kind, drop=drop)))


# linear = 10^(f1 * stored / range) * f2
AMPLIFIERS = [
    ("4.0,1.0", 1024, {0: 1.0, 256: 10.0, 512: 100.0, 768: 1000.0}),
    ("4,0.1", 1024, {0: 0.1, 256: 1.0, 1023: 10 ** (4 * 1023 / 1024 - 1)}),
    ("3.5,0.1", 1024, {0: 0.1, 512: 10 ** (1.75 - 1), 1023: 10 ** (3.5 * 1023 / 1024 - 1)}),
    ("5, 0.01", 65536, {0: 0.01, 32768: 10**0.5, 65535: 10 ** (5 * 65535 / 65536 - 2)}),
    (" 2.0 , 1 ", 1000, {0: 1.0, 500: 10.0, 250: 10**0.5}),
    ("4.0,1e0", 256, {128: 100.0}),
    ("4.0,0.01", 1024, {512: 1.0}),
]


@pytest.mark.parametrize(("amplifier", "top", "values"), AMPLIFIERS)
def test_a_logarithmic_amplifier_gives_linear_values(
    tmp_path: Path, amplifier: str, top: int, values: dict[int, float]
) -> None:
    sample = one_channel(tmp_path, list(values), E=amplifier, R=str(top))
    assert sample["X"].tolist() == pytest.approx(list(values.values()), rel=1e-6)
    assert sample["X"].dtype == np.float32
    assert sample.columns([0], raw=True)[0].tolist() == list(values)
    assert sample.to_numpy(raw=True)[:, 0].tolist() == list(values)
    assert sample.problems == ()


@pytest.mark.parametrize("amplifier", ["4,0", "4.0,0.0", "3.5,0"])
def test_an_offset_of_zero_is_taken_as_one_and_noted(tmp_path: Path, amplifier: str) -> None:
    """3.2.20, $PnE: f2 = 0 with f1 > 0 is no valid entry, yet found often; "should be handled as f2 = 1"."""
    decades = float(amplifier.split(",")[0])
    sample = one_channel(tmp_path, [0, 512, 1023], E=amplifier)
    expected = [10 ** (decades * x / 1024) for x in (0, 512, 1023)]
    assert sample["X"].tolist() == pytest.approx(expected, rel=1e-6)
    noted(sample, "$P1E")


@pytest.mark.parametrize("amplifier", ["0,0", "0.0,0.0", "0, 0", "0.00,0.00"])
def test_zeros_are_a_linear_amplifier(tmp_path: Path, amplifier: str) -> None:
    sample = one_channel(tmp_path, [0, 7, 1023], E=amplifier)
    assert sample["X"].tolist() == [0.0, 7.0, 1023.0]
    assert sample.problems == ()


@pytest.mark.parametrize(
    "amplifier", ["absent", "", "4", "4;1", "-4,1", "log", "inf,1", "4,nan", "nan,1", "4,inf", "1e300,1", "a,b"]
)
def test_an_amplifier_that_is_none_is_noted_and_values_stay_linear(tmp_path: Path, amplifier: str) -> None:
    sample = one_channel(tmp_path, [0, 512, 1023], E=amplifier)
    assert sample["X"].tolist() == [0.0, 512.0, 1023.0]
    noted(sample, "$P1E")


@pytest.mark.parametrize(("kind", "bits"), [("F", 32), ("D", 64)])
def test_floats_are_linear_and_another_amplifier_is_noted(tmp_path: Path, kind: str, bits: int) -> None:
    """3.2.20, $PnE: 0,0 for $DATATYPE F and D."""
    sample = one_channel(tmp_path, [1.5, 512.0], kind=kind, bits=bits, E="4,1")
    assert sample["X"].tolist() == [1.5, 512.0]
    noted(sample, "$P1E", affects_numbers=True)


@pytest.mark.parametrize(("kind", "bits"), [("F", 32), ("D", 64), ("I", 16)])
@pytest.mark.parametrize(("gain", "expected"), [("10.0", 50.0), ("0.5", 1000.0), ("1", 500.0), ("absent", 500.0)])
def test_a_gain_divides_linear_values(tmp_path: Path, kind: str, bits: int, gain: str, expected: float) -> None:
    """3.2.20, $PnG: x / gain. Optional, so its absence is nothing to note."""
    sample = one_channel(tmp_path, [500, 0], kind=kind, bits=bits, G=gain)
    assert sample["X"].tolist() == [expected, 0.0]
    assert sample.to_numpy()[:, 0].tolist() == [expected, 0.0]
    assert sample.columns([0], raw=True)[0].tolist() == [500, 0]
    assert sample.problems == ()


@pytest.mark.parametrize("gain", ["0", "-2", "nan", "high", "inf"])
def test_a_gain_that_is_none_is_noted_and_taken_as_one(tmp_path: Path, gain: str) -> None:
    sample = one_channel(tmp_path, [500], G=gain)
    assert sample["X"].tolist() == [500.0]
    noted(sample, "$P1G", affects_numbers=True)


def test_a_gain_beside_a_logarithmic_amplifier_is_ignored_and_noted(tmp_path: Path) -> None:
    """3.2.20, $PnG is for linear amplifiers; with both, the values would be scaled twice."""
    sample = one_channel(tmp_path, [0, 512], E="4,1", G="10")
    assert sample["X"].tolist() == pytest.approx([1.0, 100.0])
    noted(sample, "$P1G")


@pytest.mark.parametrize("top", ["0", "-1024", "many", "nan", "absent"])
@pytest.mark.parametrize("amplifier", ["4,1", "0,0"])
def test_a_range_that_is_none_is_noted(tmp_path: Path, top: str, amplifier: str) -> None:
    sample = one_channel(tmp_path, [0, 512], E=amplifier, R=top)
    assert np.isfinite(sample["X"]).all()
    noted(sample, "$P1R", affects_numbers=True)


@pytest.mark.parametrize("name", ["Time", "TIME", "time"])
@pytest.mark.parametrize("gain", ["100", "0.01"])
def test_time_is_ticks_and_its_step_gives_seconds(tmp_path: Path, name: str, gain: str) -> None:
    """3.2.20, $TIMESTEP: seconds are the stored number times the step; $PnG has no part in it."""
    parameters = [*floats("FSC-A"), {"N": name, "B": "32", "R": "262144", "G": gain}]
    content = fcs_bytes([[1.0, 0.0], [1.0, 250.0]], parameters, keywords={"$TIMESTEP": "0.01"})
    sample = read_fcs(written(tmp_path, content))
    assert sample[name].tolist() == [0.0, 250.0]
    assert sample.timestep == 0.01
    seconds = sample.seconds()
    assert seconds is not None
    assert seconds.dtype == np.float64
    assert seconds.tolist() == pytest.approx([0.0, 2.5])


def test_time_in_32_bits_keeps_every_tick(tmp_path: Path) -> None:
    parameters = [{"N": "Time", "B": "32", "R": "4294967296"}]
    content = fcs_bytes([[4_000_000_000], [4_000_000_001]], parameters, kind="I", keywords={"$TIMESTEP": "0.001"})
    seconds = conforming(written(tmp_path, content)).seconds()
    assert seconds is not None
    assert seconds.tolist() == pytest.approx([4e6, 4e6 + 0.001], rel=1e-15)


def test_without_a_step_or_without_time_there_are_no_seconds(tmp_path: Path) -> None:
    without_step = read_fcs(written(tmp_path, fcs_bytes([[1.0]], floats("Time"))))
    assert without_step.timestep is None
    assert without_step.seconds() is None
    content = fcs_bytes([[1.0]], floats("FSC-A"), keywords={"$TIMESTEP": "0.01"})
    without_time = read_fcs(written(tmp_path, content, "b.fcs"))
    assert without_time.timestep == 0.01
    assert without_time.seconds() is None


@pytest.mark.parametrize("step", ["0", "-0.01", "tick", "nan", "inf"])
def test_a_step_that_is_none_is_noted(tmp_path: Path, step: str) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes([[1.0]], floats("Time"), keywords={"$TIMESTEP": step})))
    assert sample.timestep is None
    assert sample.seconds() is None
    noted(sample, "$TIMESTEP")
