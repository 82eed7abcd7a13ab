"""SAS transport files: IBM numbers by hand, a narrow table to its last row, and what is no such file."""

from __future__ import annotations

import datetime as dt
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from cytoreg.errors import LinkError
from cytoreg.tables.xport import ibm_floats, read_xport

# TS-140, section "numeric data fields": 1 is 0x4110..., -118.625 is 0xC276A0... (the worked example of IBM's format)
BY_HAND = {
    "4110000000000000": 1.0,
    "C276A00000000000": -118.625,
    "4019999999999999": 0.1,
    "0000000000000000": 0.0,
    "0010000000000000": 16.0**-65,  # the smallest normal number, not zero
    "2E00000000000000": math.nan,
    "4100000000000000": math.nan,  # .A
    "5F00000000000000": math.nan,  # ._
}


def test_ibm_numbers_by_hand() -> None:
    cells = np.frombuffer(bytes.fromhex("".join(BY_HAND)), np.uint8).reshape(-1, 8)
    found = ibm_floats(cells)
    assert found.tolist() == pytest.approx(list(BY_HAND.values()), rel=1e-15, abs=0, nan_ok=True)
    assert found[3] == 0
    assert ibm_floats(cells[:2, :3]).tolist() == [1.0, -118.625]  # numbers that were stored with three bytes


def header(kind: str, tail: str = "0" * 30) -> bytes:
    return f"HEADER RECORD*******{kind:<8}HEADER RECORD!!!!!!!{tail}  ".encode()


def transport(variables: list[tuple[str, bool, int, str]], rows: list[bytes]) -> bytes:
    """A file put together after TS-140. variables: name, whether a number, length, format."""
    start = header("LIBRARY") + b" " * 160
    start += header("MEMBER", "000000000000000001600000000140") + header("DSCRPTR") + b" " * 160
    start += header("NAMESTR", f"000000{len(variables):04d}00000000000000000000")
    names, position = b"", 0
    for number, (name, numeric, length, form) in enumerate(variables, 1):
        kind = 1 if numeric else 2
        names += struct.pack(
            ">hhhh8s40s8shhh2s8shhl52s",
            *(kind, 0, length, number, name.ljust(8).encode(), b" " * 40, form.ljust(8).encode()),
            *(0, 0, 0, b"", b" " * 8, 0, 0, position, b""),
        )
        position += length
    names += b" " * (-len(names) % 80)
    body = b"".join(rows)
    return start + names + header("OBS") + body + b" " * (-len(body) % 80)


def test_a_narrow_table_is_read_to_its_last_row(tmp_path: Path) -> None:
    one, seven = bytes.fromhex("4110000000000000"), bytes.fromhex("4470000000000000")  # 1 and 7 * 16^3 = 28672
    rows = [b"P1      " + one + b"        ", b"P2      " + seven + b"yes     ", b"        " + one + b"        "]
    path = tmp_path / "narrow.xpt"
    path.write_bytes(transport([("ID", False, 8, ""), ("ADT", True, 8, "DATE"), ("FLAG", False, 8, "")], rows))
    cells = read_xport(path, LinkError)
    assert cells["ID"] == ["P1", "P2", None]
    assert cells["ADT"] == [dt.date(1960, 1, 2), dt.date(2038, 7, 2), dt.date(1960, 1, 2)]
    assert cells["FLAG"] == [None, "yes", None]


def test_what_is_no_transport_file_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.xpt"
    good = transport([("ID", False, 8, ""), ("AVAL", True, 8, "")], [b"P1      " + bytes(8)])
    for content, expected in (
        (b"subject_id,visit\n", "found no SAS transport header of version 5"),
        (good + good[240:], "found 2 datasets, expected one"),
        (good[:600], "is damaged or cut short"),
        (good[:-70], "the last row is cut short"),
    ):
        path.write_bytes(content)
        with pytest.raises(LinkError, match=expected):
            read_xport(path, LinkError)
