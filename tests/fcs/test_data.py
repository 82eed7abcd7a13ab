"""DATA: every width, byte order, bit mask and amplifier of the standard, from bytes set down here."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from bytes_of import fcs_bytes, floats, written

from cytoreg import FCSError, read_fcs
from cytoreg.fcs import sample_from_array

LITTLE, BIG, MIXED = "1,2,3,4", "4,3,2,1", "3,4,1,2"


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1"])
@pytest.mark.parametrize("byteord", [LITTLE, BIG, MIXED])
def test_floats_in_any_version_and_byte_order(tmp_path: Path, version: str, byteord: str) -> None:
    rows = [[0.1, -1e10], [float("inf"), 2.0**-130]]
    content = fcs_bytes(rows, floats("FITC-A", "PE-A"), version=version, byteord=byteord)
    sample = read_fcs(written(tmp_path, content))
    assert sample.version == version
    expected = [[struct.unpack("f", struct.pack("f", value))[0] for value in row] for row in rows]
    assert sample.to_numpy().tolist() == expected
    assert sample["FITC-A"].dtype == np.float32


@pytest.mark.parametrize("byteord", [LITTLE, BIG])
def test_doubles_stay_doubles(tmp_path: Path, byteord: str) -> None:
    parameters = [{"N": "X", "B": "64", "R": "262144"}]
    sample = read_fcs(written(tmp_path, fcs_bytes([[1 / 3], [-1e300]], parameters, kind="D", byteord=byteord)))
    assert sample["X"].tolist() == [1 / 3, -1e300]
    assert sample["X"].dtype == np.float64


def test_a_logarithmic_amplifier_gives_linear_values(tmp_path: Path) -> None:
    """FCS 3.1, 3.2.20, $PnE: 10^(f1 * channel / range) * f2; its example of 4 decades over 1024 channels."""
    parameters = [{"N": "FL1-H", "B": "16", "R": "1024", "E": "4.0,0.1"}]
    sample = read_fcs(written(tmp_path, fcs_bytes([[0], [256], [512], [768]], parameters, kind="I")))
    assert sample["FL1-H"].tolist() == pytest.approx([0.1, 1.0, 10.0, 100.0])
    assert sample.columns([0], raw=True)[0].tolist() == [0, 256, 512, 768]
    assert sample.channels[0].top == pytest.approx(1000.0)


def test_one_channel_is_that_column_of_all_and_may_not_be_written_to(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(500, 7)).astype(np.float32)
    sample = read_fcs(written(tmp_path, fcs_bytes(rows.tolist(), floats(*"ABCDEFG"))))
    whole = sample.to_numpy()
    np.testing.assert_array_equal(whole, rows)
    for i, name in enumerate("ABCDEFG"):
        np.testing.assert_array_equal(sample[name], whole[:, i])
        np.testing.assert_array_equal(sample[i], whole[:, i])
        with pytest.raises(ValueError, match="read-only"):
            sample[name][0] = 1.0


def test_a_file_larger_than_a_block_is_read_whole(tmp_path: Path) -> None:
    n = 300_000
    rows = np.arange(2 * n, dtype="<f4").reshape(n, 2)
    head = fcs_bytes([], floats("A", "B"), keywords={"$TOT": str(n)}, drop=["$ENDDATA", "$BEGINDATA"])
    content = bytearray(head + rows.tobytes())
    content[26:42] = f"{len(head):>8d}{len(content) - 1:>8d}".encode()
    sample = read_fcs(written(tmp_path, bytes(content)))
    np.testing.assert_array_equal(sample["B"], rows[:, 1])
    np.testing.assert_array_equal(sample.to_numpy(), rows)


def test_an_unknown_name_lists_what_there_is_and_an_ambiguous_one_the_choices(tmp_path: Path) -> None:
    parameters = [
        {"N": "FL1-H", "S": "CD4", "B": "32", "R": "1024"},
        {"N": "FL2-H", "S": "CD4", "B": "32", "R": "1024"},
        {"N": "FL3-H", "S": "CD8", "B": "32", "R": "1024"},
    ]
    sample = read_fcs(written(tmp_path, fcs_bytes([[1.0, 2.0, 3.0]], parameters)))
    assert sample["cd8"].tolist() == [3.0]
    assert sample["fl2-h"].tolist() == [2.0]
    assert sample[np.int64(2)].tolist() == [3.0]
    with pytest.raises(FCSError, match=r"fits several channels: 0 \(CD4 \(FL1-H\)\), 1 \(CD4 \(FL2-H\)\)"):
        sample["CD4"]
    with pytest.raises(FCSError, match=r"no channel or marker 'CD9'.*CD8.*FL1-H"):
        sample["CD9"]
    with pytest.raises(FCSError, match="there are 3, from 0"):
        sample[3]


def test_events_in_memory_are_copied_and_must_fit_their_channels() -> None:
    events = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])
    sample = sample_from_array(events, ["A", "B"])
    column = sample["A"]
    events[0, 0] = 99.0
    assert column.tolist() == [1.0, 3.0]
    assert sample_from_array(np.array([[1], [2]]), ["A"])["A"].dtype == np.float64
    with pytest.raises(FCSError, match="2 channels need as many columns"):
        sample_from_array(np.zeros((3, 3)), ["A", "B"])
