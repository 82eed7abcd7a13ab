"""Byte orders and floating point: FCS 3.0, 3.2.20, $BYTEORD and $DATATYPE; FCS 3.2, $PnDATATYPE."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from bytes_of import fcs_bytes, floats, integers, written
from said_of import conforming, noted, one_line

from cytoreg import FCSError, read_fcs

# 0x0A0B0C0D0E0F1011 and its shorter beginnings as each order stores them: a number within an order says which
# byte of the word, counted from the least significant, stands there. Two-byte words keep the order within the
# word, and eight bytes are two words in the order that the halves of a word have.
STORED = {
    "1,2,3,4": {16: "0B0A", 32: "0D0C0B0A", 64: "11100F0E0D0C0B0A"},
    "4,3,2,1": {16: "0A0B", 32: "0A0B0C0D", 64: "0A0B0C0D0E0F1011"},
    "3,4,1,2": {16: "0B0A", 32: "0B0A0D0C", 64: "0B0A0D0C0F0E1110"},
    "2,1,4,3": {16: "0A0B", 32: "0C0D0A0B", 64: "10110E0F0C0D0A0B"},
}
VALUE = {16: 0x0A0B, 32: 0x0A0B0C0D, 64: 0x0A0B0C0D0E0F1011}


@pytest.mark.parametrize("byteord", STORED)
@pytest.mark.parametrize("bits", [16, 32, 64])
def test_the_bytes_of_an_integer_go_by_their_significance(tmp_path: Path, bits: int, byteord: str) -> None:
    data = bytes.fromhex(STORED[byteord][bits]) * 2
    content = fcs_bytes(
        [[0], [0]], integers("X", bits=bits), kind="I", byteord=byteord, version="FCS2.0", data=data
    )
    assert read_fcs(written(tmp_path, content)).columns([0], raw=True)[0].tolist() == [VALUE[bits]] * 2


@pytest.mark.parametrize("byteord", ["3,4,1,2", "2,1,4,3"])
def test_channels_of_16_and_32_bits_side_by_side_in_an_odd_order(tmp_path: Path, byteord: str) -> None:
    data = bytes.fromhex(STORED[byteord][16] + STORED[byteord][32] + STORED[byteord][16])
    parameters = [*integers("A"), *integers("B", bits=32), *integers("C")]
    content = fcs_bytes([[0, 0, 0]], parameters, kind="I", byteord=byteord, version="FCS2.0", data=data)
    sample = read_fcs(written(tmp_path, content))
    assert [column.tolist() for column in sample.columns([0, 1, 2], raw=True)] == [
        [VALUE[16]],
        [VALUE[32]],
        [VALUE[16]],
    ]


@pytest.mark.parametrize("byteord", ["3,4,1,2", "2,1,4,3"])
def test_floats_in_an_odd_order(tmp_path: Path, byteord: str) -> None:
    values = [1.5, -3.25e7, 2.0**-120]
    order = [int(place) - 1 for place in byteord.split(",")]
    data = b"".join(bytes(struct.pack("<f", value)[place] for place in order) for value in values)
    content = fcs_bytes([[0], [0], [0]], floats("X"), byteord=byteord, version="FCS2.0", data=data)
    sample = read_fcs(written(tmp_path, content))
    assert sample["X"].tolist() == values
    assert sample["X"].dtype == np.float32


def test_doubles_in_the_order_of_a_pdp_11(tmp_path: Path) -> None:
    """Each 16-bit word with its low byte first, the most significant word first."""
    big = struct.pack(">d", 1 / 3)
    data = b"".join(big[i : i + 2][::-1] for i in range(0, 8, 2))
    parameters = [{"N": "X", "B": "64", "R": "1"}]
    content = fcs_bytes([[0]], parameters, kind="D", byteord="3,4,1,2", version="FCS2.0", data=data)
    assert read_fcs(written(tmp_path, content))["X"].tolist() == [1 / 3]


@pytest.mark.parametrize("byteord", ["3,4,1,2", "2,1,4,3"])
def test_fcs_3_1_allows_two_byte_orders_and_another_is_noted(tmp_path: Path, byteord: str) -> None:
    """FCS 3.1, 3.2.20, $BYTEORD: 1,2,3,4 or 4,3,2,1."""
    content = fcs_bytes([[0x0A0B]], integers("X", bits=32), kind="I", byteord=byteord)
    sample = read_fcs(written(tmp_path, content))
    assert sample.columns([0], raw=True)[0].tolist() == [0x0A0B]
    noted(sample, "$BYTEORD")


@pytest.mark.parametrize(("byteord", "first"), [("1,2", "<"), ("2,1", ">")])
def test_a_byte_order_of_two_bytes_holds_for_words_of_four(tmp_path: Path, byteord: str, first: str) -> None:
    data = struct.pack(f"{first}IH", 0x0A0B0C0D, 0x0E0F)
    parameters = [*integers("A", bits=32), *integers("B")]
    content = fcs_bytes([[0, 0]], parameters, kind="I", byteord=byteord, version="FCS2.0", data=data)
    sample = read_fcs(written(tmp_path, content))
    assert [column.tolist() for column in sample.columns([0, 1], raw=True)] == [[0x0A0B0C0D], [0x0E0F]]


@pytest.mark.parametrize("byteord", ["3,4,1,2", "2,1,4,3"])
@pytest.mark.parametrize("bits", [10, 24])
def test_an_odd_order_says_nothing_of_values_that_fill_no_words(tmp_path: Path, bits: int, byteord: str) -> None:
    parameters = integers("X", bits=bits)
    content = fcs_bytes(
        [[0]] * 8, parameters, kind="I", byteord=byteord, version="FCS2.0", data=bytes(8 * bits // 8)
    )
    assert "$BYTEORD" in one_line(written(tmp_path, content))


@pytest.mark.parametrize("byteord", ["1,1,1,1", "1,2,3", "4,3,2", "0,1,2,3", "little", "1234", "5,4,3,2"])
def test_a_byte_order_that_is_none_is_refused(tmp_path: Path, byteord: str) -> None:
    content = fcs_bytes([[1.0]], floats("X"), keywords={"$BYTEORD": byteord})
    assert "$BYTEORD" in one_line(written(tmp_path, content))


MIXED = [
    {"N": "Time", "B": "32", "R": "4294967296", "DATATYPE": "I"},
    {"N": "FSC-A", "B": "32", "R": "262144", "DATATYPE": "F"},
    {"N": "CD4", "B": "64", "R": "262144", "DATATYPE": "D"},
    {"N": "Flags", "B": "16", "R": "1024", "DATATYPE": "I"},
]


@pytest.mark.parametrize("byteord", ["1,2,3,4", "4,3,2,1"])
@pytest.mark.parametrize("default", ["I", "F", "D"])
def test_fcs_3_2_mixes_integers_floats_and_doubles_in_one_event(
    tmp_path: Path, byteord: str, default: str
) -> None:
    """FCS 3.2, $PnDATATYPE: it takes the place of $DATATYPE for that parameter."""
    rows = [[4_000_000_000, 0.1, 1 / 3, 1023], [7, -2.5, -12345.678901234567, 0]]
    parameters = [
        {key: value for key, value in parameter.items() if key != "DATATYPE" or value != default}
        for parameter in MIXED
    ]
    content = fcs_bytes(rows, parameters, kind=default, version="FCS3.2", byteord=byteord)
    sample = conforming(written(tmp_path, content))
    assert sample["Time"].tolist() == [4e9, 7.0]
    assert sample["FSC-A"].tolist() == [float(np.float32(0.1)), -2.5]
    assert sample["CD4"].tolist() == [1 / 3, -12345.678901234567]
    assert sample["Flags"].tolist() == [1023.0, 0.0]
    assert [sample[i].dtype for i in range(4)] == [np.float64, np.float32, np.float64, np.float32]
    assert [channel.kind for channel in sample.channels] == ["I", "F", "D", "I"]


def test_pndatatype_before_fcs_3_2_is_noted_and_numbers_may_be_affected(tmp_path: Path) -> None:
    """The keyword came with FCS 3.2; whichever way such a file is read, somebody must look at it."""
    content = fcs_bytes([[1.0, 2]], MIXED[1:2] + MIXED[3:], version="FCS3.1")
    path = written(tmp_path, content)
    try:
        sample = read_fcs(path)
    except FCSError:
        assert "DATATYPE" in one_line(path)
    else:
        noted(sample, "DATATYPE", affects_numbers=True)
    one_line(written(tmp_path, content, "strict.fcs"), strict=True)


def test_pndatatype_may_not_be_ascii(tmp_path: Path) -> None:
    content = fcs_bytes([[1.0]], floats("X"), version="FCS3.2", keywords={"$P1DATATYPE": "A"})
    assert "DATATYPE" in one_line(written(tmp_path, content))


@pytest.mark.parametrize(("kind", "right", "wrong"), [("F", 32, 64), ("F", 32, 16), ("D", 64, 32)])
def test_the_width_of_a_float_is_that_of_its_type(tmp_path: Path, kind: str, right: int, wrong: int) -> None:
    """FCS 3.1, 3.2.20, $PnB: 32 for F, 64 for D."""
    parameters = [{"N": "X", "B": str(right), "R": "1024"}]
    content = fcs_bytes([[1.5], [2.5]], parameters, kind=kind, keywords={"$P1B": str(wrong)})
    sample = read_fcs(written(tmp_path, content))
    assert sample["X"].tolist() == [1.5, 2.5]
    noted(sample, "$P1B", affects_numbers=True)


@pytest.mark.parametrize(
    ("kind", "bits", "top", "dtype"),
    [
        ("F", 32, 1, np.float32),
        ("D", 64, 1, np.float64),
        ("I", 8, 256, np.float32),
        ("I", 16, 65536, np.float32),
        ("I", 24, 2**24, np.float32),
        ("I", 32, 2**32, np.float64),
        ("I", 40, 2**40, np.float64),
    ],
)
def test_values_are_float32_unless_that_would_lose_digits(
    tmp_path: Path, kind: str, bits: int, top: int, dtype: type
) -> None:
    parameters = [{"N": "X", "B": str(bits), "R": str(top)}]
    sample = read_fcs(written(tmp_path, fcs_bytes([[1]], parameters, kind=kind)))
    assert sample["X"].dtype == dtype
    assert sample.to_numpy().dtype == dtype
    assert sample["X"].tolist() == [1.0]
