"""What the standard has and this reader has not, and what a file says of itself that its numbers belie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from bytes_of import Parameter, fcs_bytes, floats, integers, written
from said_of import conforming, noted, one_line

from cytoreg import read_fcs

RNG = np.random.default_rng(11)
INTENSITIES = RNG.lognormal(6, 1.5, (400, 4)).astype(np.float32).tolist()
CHANNELS = floats("FSC-A", "SSC-A", "FL1-A", "FL2-A")


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1"])
@pytest.mark.parametrize(("bits", "data"), [("4", b"1023  12"), ("*", b"1023,12\n")])
def test_ascii_values_are_refused(tmp_path: Path, version: str, bits: str, data: bytes) -> None:
    """FCS 3.0, 3.2.20, $DATATYPE/A; deprecated in FCS 3.1."""
    parameters = [{"N": "A", "B": "8", "R": "1024"}, {"N": "B", "B": "8", "R": "1024"}]
    keywords = {"$P1B": bits, "$P2B": bits}
    content = fcs_bytes([[0, 0]], parameters, kind="A", version=version, data=data, keywords=keywords)
    message = one_line(written(tmp_path, content))
    assert "ASCII" in message
    assert "$DATATYPE" in message


@pytest.mark.parametrize("mode", ["C", "U", "c", "u", " U "])
@pytest.mark.parametrize("kind", ["I", "F"])
def test_histograms_are_refused(tmp_path: Path, mode: str, kind: str) -> None:
    """FCS 3.0, 3.2.20, $MODE: C and U."""
    parameters = integers("A", bits=32, top=4) if kind == "I" else floats("A")
    content = fcs_bytes([[1], [2], [3], [4]], parameters, kind=kind, keywords={"$MODE": mode}, version="FCS3.0")
    message = one_line(written(tmp_path, content))
    assert "$MODE" in message
    assert "histogram" in message


@pytest.mark.parametrize("mode", ["X", "LIST", "1"])
def test_a_mode_that_is_none_is_refused_or_noted(tmp_path: Path, mode: str) -> None:
    assert "$MODE" in one_line(written(tmp_path, fcs_bytes(INTENSITIES, CHANNELS, keywords={"$MODE": mode})))


@pytest.mark.parametrize("kind", ["X", "FLOAT", "i f", "1"])
def test_a_type_of_data_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    content = fcs_bytes(INTENSITIES, CHANNELS, keywords={"$DATATYPE": kind})
    assert "$DATATYPE" in one_line(written(tmp_path, content))


@pytest.mark.parametrize("kind", ["f", " F "])
def test_a_type_of_data_may_be_in_small_letters(tmp_path: Path, kind: str) -> None:
    content = fcs_bytes(INTENSITIES, CHANNELS, keywords={"$DATATYPE": kind})
    assert read_fcs(written(tmp_path, content)).to_numpy().tolist() == INTENSITIES


@pytest.mark.parametrize("version", ["FCS1.0", "FCS4.0", "FCS9.9", "FCS   ", "FCSab\n"])
def test_another_version_is_refused_and_the_message_names_those_read(tmp_path: Path, version: str) -> None:
    message = one_line(written(tmp_path, fcs_bytes(INTENSITIES, CHANNELS, version=version)))
    assert "FCS3.1" in message
    assert version.strip() in message


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"])
def test_the_versions_read(tmp_path: Path, version: str) -> None:
    sample = conforming(written(tmp_path, fcs_bytes(INTENSITIES, CHANNELS, version=version)))
    assert sample.version == version
    assert sample.to_numpy().tolist() == INTENSITIES


PLAUSIBLE = {
    "intensities": INTENSITIES,
    "compensated, with negative values": (np.array(INTENSITIES) - 500).tolist(),
    "all zero": [[0.0] * 4] * 400,
    "small fractions": (np.array(INTENSITIES) / 1e6).tolist(),
    "one outlier": [*INTENSITIES[:-1], [1e30, 1.0, 1.0, 1.0]],
    "some not a number": [*INTENSITIES[:-1], [float("nan"), 1.0, float("inf"), 1.0]],
    "whole numbers": RNG.integers(0, 262144, (400, 4)).astype(float).tolist(),
    "one event": INTENSITIES[:1],
}


@pytest.mark.parametrize("byteord", ["1,2,3,4", "4,3,2,1"])
@pytest.mark.parametrize("case", PLAUSIBLE)
def test_plausible_floats_are_not_doubted(tmp_path: Path, case: str, byteord: str) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(PLAUSIBLE[case], CHANNELS, byteord=byteord)))
    sample.to_numpy()
    assert [str(problem) for problem in sample.problems if problem.affects_numbers] == []


@pytest.mark.parametrize(("stored", "said"), [("4,3,2,1", "1,2,3,4"), ("1,2,3,4", "4,3,2,1")])
@pytest.mark.parametrize("kind", ["F", "D"])
@pytest.mark.parametrize("case", ["intensities", "compensated, with negative values", "whole numbers"])
def test_floats_stored_in_another_byte_order_than_the_file_says_are_noted(
    tmp_path: Path, case: str, kind: str, stored: str, said: str
) -> None:
    """Turned round, intensities become numbers of 1e-40 or 1e30: nobody measured those."""
    parameters: list[Parameter] = [{**channel, "B": "64"} for channel in CHANNELS] if kind == "D" else CHANNELS
    content = fcs_bytes(PLAUSIBLE[case], parameters, kind=kind, byteord=stored, keywords={"$BYTEORD": said})
    sample = read_fcs(written(tmp_path, content))
    sample.to_numpy()
    noted(sample, "$BYTEORD", affects_numbers=True)


def test_a_doubted_byte_order_is_noted_when_one_channel_is_read(tmp_path: Path) -> None:
    content = fcs_bytes(INTENSITIES, CHANNELS, byteord="4,3,2,1", keywords={"$BYTEORD": "1,2,3,4"})
    sample = read_fcs(written(tmp_path, content))
    sample["FL1-A"]
    noted(sample, "$BYTEORD", affects_numbers=True)
    one_line(written(tmp_path, content, "strict.fcs"), strict=True)


def test_integers_in_another_byte_order_set_bits_above_their_range(tmp_path: Path) -> None:
    """10-bit values in 16 bits turned round have bits that $PnR says they cannot have."""
    rows = RNG.integers(0, 1024, (400, 2)).tolist()
    data = b"".join(struct.pack(">2H", *row) for row in rows)
    content = fcs_bytes(rows, integers("A", "B", top=1024), kind="I", data=data)
    sample = read_fcs(written(tmp_path, content))
    sample.to_numpy()
    noted(sample, "$PnR", affects_numbers=True)


def test_bits_above_the_range_in_one_value_are_noted(tmp_path: Path) -> None:
    rows = [[5, 5]] * 399 + [[5, 0xF005]]
    sample = read_fcs(written(tmp_path, fcs_bytes(rows, integers("A", "B", top=1024), kind="I")))
    assert sample["B"].tolist() == [5.0] * 400
    noted(sample, "$PnR", "'B'")
    assert not [problem for problem in sample.problems if "'A'" in str(problem)]


def test_integers_within_their_range_are_not_doubted(tmp_path: Path) -> None:
    rows = RNG.integers(0, 1024, (400, 2)).tolist()
    for byteord in ("1,2,3,4", "4,3,2,1"):
        conforming(written(tmp_path, fcs_bytes(rows, integers("A", "B", top=1024), kind="I", byteord=byteord)))
