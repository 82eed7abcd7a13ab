"""Integers and mixed types as written: every value exact or refused, and what other readers make of them."""

from __future__ import annotations

from pathlib import Path

import fcsparser
import flowio
import flowkit
import numpy as np
import pytest

from cytoreg import FCSError, read_fcs
from cytoreg.fcs import write_fcs

NAMES = ["A", "B", "C"]


def borders(bits: int, top: int | None = None) -> list[int]:
    most = (top or 2**bits) - 1
    return [0, 1, most // 2, most // 2 + 1, most - 1, most]


@pytest.mark.parametrize("version", ["FCS3.1", "FCS3.2"])
@pytest.mark.parametrize("bits", [8, 16, 32])
def test_integers_at_their_borders_are_the_same_in_every_reader(tmp_path: Path, version: str, bits: int) -> None:
    events = np.array([borders(bits), borders(bits)[::-1], [0] * 6], dtype=np.uint64).T
    path = tmp_path / "x.fcs"
    write_fcs(path, events, NAMES, kind="I", bits=bits, version=version)
    assert path.stat().st_size == read_fcs(path).n_events * 3 * bits // 8 + int(path.read_bytes()[26:34]) + 8
    np.testing.assert_array_equal(read_fcs(path, strict=True).to_numpy(raw=True), events)
    np.testing.assert_array_equal(np.reshape(flowio.FlowData(str(path)).events, (-1, 3)), events)
    np.testing.assert_array_equal(fcsparser.parse(path, dtype=None)[1].to_numpy(), events)
    np.testing.assert_array_equal(flowkit.Sample(str(path)).get_events(source="raw"), events)


def test_integers_of_64_bits_are_exact_where_others_do_not_read_them(tmp_path: Path) -> None:
    """flowio and FlowKit have no 64-bit integers; fcsparser takes $PnR as a float, which is exact up to 2^53."""
    path = tmp_path / "x.fcs"
    events = np.array([borders(64), borders(53), borders(40)], dtype=np.uint64).T
    write_fcs(path, events, NAMES, kind="I", bits=64)
    assert [channel.range for channel in read_fcs(path).channels] == [2.0**64] * 3
    np.testing.assert_array_equal(read_fcs(path, strict=True).to_numpy(raw=True), events)
    begin = int(path.read_bytes()[26:34])
    stored = np.frombuffer(path.read_bytes()[begin : begin + events.nbytes], "<u8").reshape(-1, 3)
    np.testing.assert_array_equal(stored, events)
    write_fcs(path, events[:, 1:], NAMES[1:], kind="I", bits=64, ranges=[2**53, 2**40])
    np.testing.assert_array_equal(fcsparser.parse(path, dtype=None)[1].to_numpy(), events[:, 1:])


def test_channels_take_the_fewest_bits_that_hold_range_and_values(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    events = np.array([[255, 256, 1, 0, 2**32]], dtype=np.int64)
    write_fcs(path, events, list("ABCDE"), kind="I", ranges=[None, None, 1024, 2**18, None])
    sample = read_fcs(path, strict=True)
    assert [channel.bits for channel in sample.channels] == [8, 16, 16, 32, 64]
    assert [channel.range for channel in sample.channels] == [256, 65536, 1024, 262144, 2.0**64]
    np.testing.assert_array_equal(sample.to_numpy(raw=True), events)
    write_fcs(path, events[:, :4], list("ABCD"), kind="I", bits=[None, 32, 8, 16], ranges=[None, None, 2, 1])
    assert [channel.bits for channel in read_fcs(path).channels] == [8, 32, 8, 16]
    np.testing.assert_array_equal(read_fcs(path).to_numpy(raw=True), events[:, :4])
    np.testing.assert_array_equal(np.reshape(flowio.FlowData(str(path)).events, (-1, 4)), events[:, :4])
    np.testing.assert_array_equal(fcsparser.parse(path, dtype=None)[1].to_numpy().tolist(), events[:, :4])


def test_no_events_are_integers_too(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.empty((0, 2)), ["A", "B"], kind="I", ranges=[1024, None])
    assert [(c.bits, c.range) for c in read_fcs(path, strict=True).channels] == [(16, 1024), (8, 256)]
    assert flowkit.Sample(str(path)).get_events(source="raw").shape == (0, 2)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([0, 1, -1], {}, r"event 2 \(from 0\): -1 cannot be stored as an integer"),
        ([0.0, 0.5, -1], {}, r"event 1 \(from 0\): 0.5 cannot be stored"),
        ([np.nan, 1, 2], {}, r"event 0 \(from 0\): nan cannot be stored"),
        ([1, np.inf, 2], {}, r"event 1 \(from 0\): inf cannot be stored"),
        ([1, 1024, 2], {"ranges": [1024]}, r"event 1 .*: 1024 cannot be stored .* from 0 to 1023"),
        ([1, 2, 256], {"bits": 8}, r"event 2 .*: 256 cannot be stored .* from 0 to 255"),
        ([1, 2.0**64, 2], {}, "event 1 .*: 1.8446744073709552e.19 cannot be stored"),
        ([2**53 + 1, 2**53 + 3, 9], {"ranges": [2**53 + 3]}, f"event 1 .*: {2**53 + 3} cannot be stored"),
        ([1, 2, 3], {"bits": 8, "ranges": [1024]}, "range .* of 1024, more than 8 bits can hold"),
        ([1, 2, 3], {"bits": 24}, "bits 24: expected 8, 16, 32 or 64"),
        ([1, 2, 3], {"bits": [8, 8]}, "one of them for each channel"),
        ([1, 2, 3], {"ranges": [2.5]}, r"of 2.5: expected a whole number from 1 to 2\^64"),
        ([1, 2, 3], {"ranges": [2**65]}, r"expected a whole number from 1 to 2\^64"),
        ([1, 2, 3], {"amplifiers": [("4,0", None)]}, "'4,0' and .* decades and an offset above 0"),
        ([1, 2, 3], {"amplifiers": [("4,1", "2.5")]}, "'4,1' and .PnG '2.5'"),
        ([1, 2, 3], {"amplifiers": [("linear", None)]}, "PnE 'linear'"),
        ([1, 2, 3], {"amplifiers": [("0,0", "-1")]}, "PnG '-1'"),
    ],
)
def test_a_number_that_would_wrap_or_be_masked_is_refused(
    tmp_path: Path, values: list[float], options: dict[str, object], message: str
) -> None:
    with pytest.raises(FCSError, match=message) as raised:
        write_fcs(tmp_path / "x.fcs", np.array(values)[:, None], ["CD4"], kind="I", **options)  # type: ignore[arg-type]
    assert "CD4" in str(raised.value) or "bits" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_the_first_offending_event_is_named_beyond_the_first_block(tmp_path: Path) -> None:
    events = np.zeros((400_000, 2), np.int32)
    events[[300_123, 399_999], 1] = -5
    with pytest.raises(FCSError, match=r"channel 'B', event 300123 "):
        write_fcs(tmp_path / "x.fcs", events, ["A", "B"], kind="I")
    floats = np.zeros((400_000, 2))
    floats[350_000, 1] = 1e300
    with pytest.raises(FCSError, match=r"channel 'B', event 350000 "):
        write_fcs(tmp_path / "x.fcs", floats, ["A", "B"])
    assert list(tmp_path.iterdir()) == []


def test_stored_integers_keep_their_amplifiers(tmp_path: Path) -> None:
    """The formulas of 3.2.20: 10^(decades * x / range) * offset, and x / gain; FlowKit computes the same."""
    path = tmp_path / "x.fcs"
    events = np.array([[0, 512, 1023], [1023, 7, 40]]).T
    amplifiers = [("4,1", None), ("0,0", "2.5")]
    write_fcs(path, events, ["A", "B"], kind="I", ranges=[1024, 1024], amplifiers=amplifiers)
    sample = read_fcs(path, strict=True)
    np.testing.assert_array_equal(sample.to_numpy(raw=True), events)
    expected = np.column_stack([10 ** (4 * events[:, 0] / 1024), events[:, 1] / 2.5])
    np.testing.assert_allclose(sample.to_numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(flowkit.Sample(str(path)).get_events(source="raw"), expected, rtol=1e-12)
    assert "$P1G" not in sample.text


def test_types_of_their_own_for_each_channel_of_fcs_3_2(tmp_path: Path) -> None:
    """No peer reads $PnDATATYPE (flowio and fcsparser take all for $DATATYPE), so the bytes are taken apart here."""
    path = tmp_path / "x.fcs"
    events = np.array([[0.1, 1 / 3, 65535, 7, 0.2], [np.nan, 1e300, 0, 255, -np.inf]])
    write_fcs(path, events, list("ABCDE"), kind="FDIIF", bits=[None, None, 16, 8, None], version="FCS3.2")
    content = path.read_bytes()
    begin, end = int(content[26:34]), int(content[34:42])
    stored = np.frombuffer(content[begin : end + 1], "<f4,<f8,<u2,u1,<f4")
    for i, column in enumerate(events.T):
        np.testing.assert_array_equal(stored[f"f{i}"], column.astype(stored[f"f{i}"].dtype))
    text = flowio.FlowData(str(path), only_text=True).text
    types = {key: text[key] for key in text if "datatype" in key}
    assert types == {"datatype": "F", "p2datatype": "D", "p3datatype": "I", "p4datatype": "I"}
    assert [text[f"p{i}b"] for i in range(1, 6)] == ["32", "64", "16", "8", "32"]
    sample = read_fcs(path)
    assert [channel.kind for channel in sample.channels] == list("FDIIF")
    for i in range(5):
        np.testing.assert_array_equal(sample[i], stored[f"f{i}"])
    write_fcs(path, events[:, [0, 4]], ["A", "E"], kind=["F", "F"])  # letters that are all the same are one type
    assert read_fcs(path).version == "FCS3.1"
