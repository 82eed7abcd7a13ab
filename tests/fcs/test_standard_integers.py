"""Integers of list mode: FCS 3.0 and 3.1, 3.2.20, $DATATYPE/I, $PnB and $PnR; 3.3 on bit masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bytes_of import fcs_bytes, integers, packed, written
from said_of import conforming, noted, one_line

from cytoreg import FCSError, read_fcs

LITTLE, BIG = "1,2,3,4", "4,3,2,1"
ORDERS = [LITTLE, BIG]
PATTERN = 0x9E3779B97F4A7C15F39CC0605CEDC834


def of_widths(widths: list[int], n: int = 11) -> list[list[int]]:
    """Rows of values that use every bit of their widths."""
    rows = [
        [(PATTERN >> (7 * row + 3 * column)) % 2**bits for column, bits in enumerate(widths)] for row in range(n)
    ]
    rows[0] = [0 for _ in widths]
    rows[1] = [2**bits - 1 for bits in widths]
    rows[2] = [2 ** (bits - 1) for bits in widths]
    rows[3] = [1 for _ in widths]
    return rows


def of_bits(widths: list[int], rows: list[list[int]], data: bytes, **choices: Any) -> bytes:
    """A file of integers whose DATA is given; FCS 3.0, which lets values be of any width."""
    parameters = [{"N": f"P{i}", "B": str(bits), "R": str(2**bits)} for i, bits in enumerate(widths)]
    return fcs_bytes(rows, parameters, kind="I", data=data, **{"version": "FCS3.0", **choices})


@pytest.mark.parametrize("byteord", ORDERS)
@pytest.mark.parametrize("bits", range(1, 65))
def test_an_integer_may_have_any_width_from_1_to_64_bits(tmp_path: Path, bits: int, byteord: str) -> None:
    rows = of_widths([bits])
    content = of_bits([bits], rows, packed(rows, [bits], byteord), byteord=byteord)
    sample = conforming(written(tmp_path, content))
    assert sample.n_events == len(rows)
    assert sample.columns([0], raw=True)[0].tolist() == [row[0] for row in rows]
    values = sample["P0"]
    assert values.dtype == (np.float64 if bits > 24 else np.float32)
    assert values.tolist() == [float(row[0]) for row in rows]


MIXED_WIDTHS = [
    [10, 10, 10],
    [12, 4, 8],
    [1, 2, 3, 5, 7],
    [16, 10, 32, 3],
    [8, 24, 40, 48, 56],
    [63, 1, 17],
    [33, 64, 9],
    [20] * 8,
]


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0"])
@pytest.mark.parametrize("byteord", [*ORDERS, "1,2", "2,1"])
@pytest.mark.parametrize("widths", MIXED_WIDTHS, ids=str)
def test_values_of_mixed_widths_are_a_continuous_bit_stream(
    tmp_path: Path, widths: list[int], byteord: str, version: str
) -> None:
    """FCS 3.0, 3.2.20, $DATATYPE: no delimiters, and $PnB "enables tight packing" of values and of events."""
    rows = of_widths(widths)
    content = of_bits(widths, rows, packed(rows, widths, byteord), byteord=byteord, version=version)
    sample = conforming(written(tmp_path, content))
    columns = sample.columns(range(len(widths)), raw=True)
    assert [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)] == rows


def test_the_bit_stream_of_a_published_width_set_down_by_hand(tmp_path: Path) -> None:
    """1023, 1 and 512 of 10 bits each: 1111111111 0000000001 1000000000, and the same from the lowest bit up."""
    rows = [[1023], [1], [512]]
    for byteord, data in ((BIG, b"\xff\xc0\x18\x00"), (LITTLE, b"\xff\x07\x00\x20")):
        sample = read_fcs(written(tmp_path, of_bits([10], rows, data, byteord=byteord), f"{byteord[0]}.fcs"))
        assert sample.columns([0], raw=True)[0].tolist() == [1023, 1, 512]


@pytest.mark.parametrize("byteord", ORDERS)
@pytest.mark.parametrize("n", [1, 5000, 70_001])
def test_packed_events_that_begin_within_a_byte_are_found(tmp_path: Path, byteord: str, n: int) -> None:
    """Events of 33 bits begin at every place in a byte, and many blocks of the file are read."""
    rng = np.random.default_rng(n)
    rows = np.column_stack([rng.integers(0, 2**bits, n) for bits in (11, 9, 13)]).tolist()
    sample = read_fcs(
        written(tmp_path, of_bits([11, 9, 13], rows, packed(rows, [11, 9, 13], byteord), byteord=byteord))
    )
    np.testing.assert_array_equal(sample.to_numpy(raw=True), rows)
    chosen = np.arange(n)[::7][::-1]
    np.testing.assert_array_equal(
        sample.columns([1], raw=True, events=chosen)[0], np.array([row[1] for row in rows])[chosen]
    )


@pytest.mark.parametrize("byteord", ORDERS)
def test_packed_data_that_lacks_its_last_byte_is_truncated(tmp_path: Path, byteord: str) -> None:
    """11 values of 10 bits are 14 bytes, the last with 2 bits unused: without it there are 10 values and a part."""
    rows = of_widths([10])
    content = of_bits([10], rows, packed(rows, [10], byteord), byteord=byteord)
    assert "truncated" in one_line(written(tmp_path, content[:-1]))
    assert read_fcs(written(tmp_path, content)).columns([0], raw=True)[0].tolist() == [row[0] for row in rows]


def whole_bytes(values: list[int], widths: list[int], byteord: str) -> bytes:
    order = "little" if byteord == LITTLE else "big"
    return b"".join(
        value.to_bytes((bits + 7) // 8, order)
        for value, bits in zip(values, widths, strict=True)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("byteord", ORDERS)
@pytest.mark.parametrize("widths", [[10, 10, 10], [10, 20, 8], [12, 12], [3]], ids=str)
def test_values_that_each_fill_whole_bytes_are_read_and_noted(
    tmp_path: Path, widths: list[int], byteord: str
) -> None:
    """As Beckman FC500 files do, which say 10 bits and store 16. $TOT and the size of DATA show it."""
    rows = of_widths(widths, 40)
    data = b"".join(whole_bytes(row, widths, byteord) for row in rows)
    sample = read_fcs(written(tmp_path, of_bits(widths, rows, data, byteord=byteord)))
    assert sample.to_numpy(raw=True).tolist() == rows
    noted(sample, "bits", "bytes")
    one_line(written(tmp_path, of_bits(widths, rows, data, byteord=byteord), "strict.fcs"), strict=True)


@pytest.mark.parametrize("byteord", ORDERS)
@pytest.mark.parametrize("widths", [[10, 10, 10], [4, 5, 9], [12, 7, 9]], ids=str)
def test_events_that_each_fill_whole_bytes_are_read_and_noted(
    tmp_path: Path, widths: list[int], byteord: str
) -> None:
    rows = of_widths(widths, 40)
    data = b"".join(packed([row], widths, byteord) for row in rows)
    sample = read_fcs(written(tmp_path, of_bits(widths, rows, data, byteord=byteord)))
    assert sample.to_numpy(raw=True).tolist() == rows
    noted(sample, "event", "bytes")


def test_packed_values_where_fcs_3_1_asks_for_whole_bytes_are_noted(tmp_path: Path) -> None:
    """FCS 3.1, 3.2.20, $PnB: for integers a multiple of 8."""
    rows = of_widths([10, 10])
    sample = read_fcs(written(tmp_path, of_bits([10, 10], rows, packed(rows, [10, 10]), version="FCS3.1")))
    assert sample.to_numpy(raw=True).tolist() == rows
    noted(sample, "10 bits")


def test_data_that_fits_no_reading_of_its_widths_is_not_read_as_if_it_did(tmp_path: Path) -> None:
    """20 events of 3 x 10 bits: 75 bytes packed, 80 by event, 120 by value; here there are 97."""
    rows = of_widths([10, 10, 10], 20)
    path = written(tmp_path, of_bits([10, 10, 10], rows, bytes(97)))
    try:
        sample = read_fcs(path)
    except FCSError:
        one_line(path)
    else:
        assert any(problem.affects_numbers for problem in sample.problems)


@pytest.mark.parametrize(
    ("bits", "top", "mask"),
    [
        (16, 1024, 0x3FF),
        (16, 1000, 0x3FF),
        (16, 1025, 0x7FF),
        (16, 65536, 0xFFFF),
        (16, 65535, 0xFFFF),
        (8, 256, 0xFF),
        (32, 262144, 0x3FFFF),
        (32, 2**32, 0xFFFFFFFF),
        (32, 2**32 - 1, 0xFFFFFFFF),
        (64, 2**20, 0xFFFFF),
        (64, 2**64, 2**64 - 1),
        (24, 2**18, 0x3FFFF),
    ],
)
@pytest.mark.parametrize("byteord", ORDERS)
def test_bits_above_the_range_are_masked(tmp_path: Path, bits: int, top: int, mask: int, byteord: str) -> None:
    """FCS 3.0, 3.3: a bit mask, so that nothing is read from the bits that $PnR does not use."""
    stored = [0, 1, mask, 2**bits - 1, (PATTERN >> 5) % 2**bits]
    content = fcs_bytes(
        [[value] for value in stored], integers("X", bits=bits, top=top), kind="I", byteord=byteord
    )
    sample = read_fcs(written(tmp_path, content))
    assert sample.columns([0], raw=True)[0].tolist() == [value & mask for value in stored]
    if mask != 2**bits - 1:
        noted(sample, "$PnR", "'X'")


def test_masks_hold_for_packed_values_too(tmp_path: Path) -> None:
    rows = [[0xFFF, 0x7FF], [0x123, 0x400]]
    parameters = [{"N": "A", "B": "12", "R": "1024"}, {"N": "B", "B": "11", "R": "1024"}]
    content = fcs_bytes(rows, parameters, kind="I", version="FCS3.0", data=packed(rows, [12, 11]))
    sample = read_fcs(written(tmp_path, content))
    assert sample.to_numpy(raw=True).tolist() == [[0x3FF, 0x3FF], [0x123, 0]]


def test_a_range_wider_than_the_bits_masks_nothing_and_is_noted(tmp_path: Path) -> None:
    content = fcs_bytes([[255], [7]], integers("X", bits=8, top=1024), kind="I")
    sample = read_fcs(written(tmp_path, content))
    assert sample.columns([0], raw=True)[0].tolist() == [255, 7]
    noted(sample, "P1R")


@pytest.mark.parametrize("bits", ["0", "65", "-8", "1e2", "8.5", "", "*"])
def test_a_width_that_is_none_is_refused(tmp_path: Path, bits: str) -> None:
    content = fcs_bytes([[1]], integers("X"), kind="I", keywords={"$P1B": bits})
    assert "$P1B" in one_line(written(tmp_path, content))
