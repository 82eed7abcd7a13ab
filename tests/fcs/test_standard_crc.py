"""The CRC word after the last segment: FCS 3.0 and 3.1, section 3.5."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of import fcs_bytes, floats, integers, packed, with_offsets, written
from said_of import conforming, one_line

from cytoreg import read_fcs

ROWS = [[1.5, -2.0], [3.25, 4.0]]
PLAIN = fcs_bytes(ROWS, floats("A", "B"))


def crc_of(content: bytes) -> int:
    """x^16 + x^12 + x^5 + 1, bits of a byte from the lowest, from 0: bit by bit, as section 3.5 describes it."""
    register = 0
    for byte in content:
        for i in range(8):
            out = (register ^ (byte >> i)) & 1
            register >>= 1
            if out:
                register ^= 0x8408  # bits 12, 5 and 0 of the polynomial, the bits of the word turned round
    return register


def test_the_crc_of_the_published_examples() -> None:
    """Numerical Recipes in C, 2nd edition, section 20.3, the row "CCITT", to which section 3.5 refers."""
    assert crc_of(b"T") == 0x14A1
    assert crc_of(b"CatMouse987654321") == 0xC28D


@pytest.mark.parametrize("version", ["FCS3.0", "FCS3.1", "FCS3.2"])
def test_a_crc_that_is_right(tmp_path: Path, version: str) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), version=version)
    sample = conforming(written(tmp_path, content + f"{crc_of(content):08d}".encode()))
    assert sample.crc_matches() is True
    assert sample.to_numpy().tolist() == ROWS


@pytest.mark.parametrize("layout", ["{:08d}", "{:>8d}", "{:<8d}"])
def test_a_crc_is_right_however_its_eight_bytes_are_filled_up(tmp_path: Path, layout: str) -> None:
    path = written(tmp_path, PLAIN + layout.format(crc_of(PLAIN)).encode())
    assert read_fcs(path).crc_matches() is True


@pytest.mark.parametrize("at", [7, 30, 100, len(PLAIN) - 1], ids=["HEADER gap", "HEADER", "TEXT", "DATA"])
def test_a_changed_byte_is_found_by_the_crc(tmp_path: Path, at: int) -> None:
    """Bytes 6 to 9 are spaces, of which a reader may take no notice otherwise."""
    damaged = bytearray(PLAIN + f"{crc_of(PLAIN):08d}".encode())
    if at == 30:  # an offset with a leading zero instead of a space is the same number
        damaged[at : at + 1] = b"0"
    elif at == 100:
        where = PLAIN.index(b"$PAR")
        damaged[where : where + 4] = b"$par"
    else:
        damaged[at] ^= 1
    path = written(tmp_path, bytes(damaged))
    assert read_fcs(path).crc_matches() is False
    assert "CRC" in one_line(path, strict=True)


def test_a_crc_that_is_wrong_stops_strict_reading_only(tmp_path: Path) -> None:
    path = written(tmp_path, PLAIN + f"{crc_of(PLAIN) ^ 1:08d}".encode())
    sample = read_fcs(path)
    assert sample.to_numpy().tolist() == ROWS
    assert sample.crc_matches() is False
    assert "CRC" in one_line(path, strict=True)


@pytest.mark.parametrize("after", [b"", b"00000000", b"        ", b"00000000" + b" " * 20, bytes(8)])
def test_a_crc_that_was_not_computed_says_nothing(tmp_path: Path, after: bytes) -> None:
    """Eight characters 0 stand for none; older files have none at all."""
    path = written(tmp_path, PLAIN + after)
    assert read_fcs(path).crc_matches() is None
    assert read_fcs(path, strict=True).to_numpy().tolist() == ROWS


@pytest.mark.parametrize("name", ["ANALYSIS", "STEXT"])
def test_the_crc_covers_all_up_to_the_last_byte_of_the_last_segment(tmp_path: Path, name: str) -> None:
    segment = b"/$CS1NUM/3456/" if name == "ANALYSIS" else b"/$COM/after/"
    place = {f"$BEGIN{name}": "0" * 8, f"$END{name}": "0" * 8}
    at = len(fcs_bytes(ROWS, floats("A", "B"), keywords=place))
    last = at + len(segment) - 1
    place = {f"$BEGIN{name}": f"{at:08d}", f"$END{name}": f"{last:08d}"}
    content = fcs_bytes(ROWS, floats("A", "B"), keywords=place)
    if name == "ANALYSIS":
        content = with_offsets(content, "analysis", at, last)
    content += segment
    right = written(tmp_path, content + f"{crc_of(content):08d}".encode())
    assert read_fcs(right, strict=True).crc_matches() is True
    damaged = content.replace(b"3456", b"3457").replace(b"after", b"aftes")
    assert read_fcs(written(tmp_path, damaged + f"{crc_of(content):08d}".encode(), "b.fcs")).crc_matches() is False


def test_the_crc_covers_a_segment_of_another_maker(tmp_path: Path) -> None:
    """The final segment may be an OTHER one (3.6), whose offsets follow byte 57 of HEADER."""
    other = b"13572468 anything"
    content = fcs_bytes(ROWS, floats("A", "B"), text_at=256)
    place = f"{len(content):>8d}{len(content) + len(other) - 1:>8d}".encode()
    content = content[:58] + place + content[58 + len(place) :] + other
    sample = conforming(written(tmp_path, content + f"{crc_of(content):08d}".encode()))
    assert sample.crc_matches() is True


def test_the_crc_follows_data_that_is_longer_than_its_events(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), header_data=(0, 12), text_data=(0, 12)) + b"123456789012"
    sample = read_fcs(written(tmp_path, content + f"{crc_of(content):08d}".encode()))
    assert sample.to_numpy().tolist() == ROWS
    assert sample.crc_matches() is True


def test_the_crc_follows_packed_values_that_end_within_a_byte(tmp_path: Path) -> None:
    rows = [[1023], [1], [512]]
    parameters = integers("X", bits=10)
    content = fcs_bytes(rows, parameters, kind="I", version="FCS3.0", data=packed(rows, [10]))
    sample = conforming(written(tmp_path, content + f"{crc_of(content):08d}".encode()))
    assert sample.crc_matches() is True


def test_each_data_set_has_its_own_crc(tmp_path: Path) -> None:
    length = len(fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": "0" * 8})) + 8
    first = fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": f"{length:08d}"})
    path = written(tmp_path, first + f"{crc_of(first):08d}".encode() + PLAIN + f"{crc_of(PLAIN) ^ 1:08d}".encode())
    assert [read_fcs(path, dataset=i).crc_matches() for i in (0, 1)] == [True, False]


def test_the_crc_of_a_file_of_many_blocks(tmp_path: Path) -> None:
    rows = [[float(i), float(-i)] for i in range(20_000)]
    content = fcs_bytes(rows, floats("A", "B"))
    assert read_fcs(written(tmp_path, content + f"{crc_of(content):08d}".encode())).crc_matches() is True
