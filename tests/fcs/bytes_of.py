"""FCS files put together byte by byte, so that what the reader is judged by is not our own writer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Rows = Sequence[Sequence[float]]
Parameter = Mapping[str, str]


def fcs_bytes(
    rows: Rows,
    parameters: Sequence[Parameter],
    *,
    kind: str = "F",
    version: str = "FCS3.1",
    byteord: str = "1,2,3,4",
    keywords: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    delimiter: str = "/",
    arrange: Callable[[list[str]], list[str]] = list,
    text_data: tuple[int, int] = (0, 0),
    header_data: tuple[int, int] = (0, 0),
    missing_bytes: int = 0,
) -> bytes:
    """HEADER, TEXT and DATA of one data set.

    rows: values as they are stored. parameters: of each channel its keywords without `$Pn` (N, B, R, E, S,
    G). drop: keywords to leave out. arrange: puts the keywords in another order. text_data, header_data:
    how far the offsets given in TEXT and in HEADER are off. missing_bytes: how much is cut from the end.
    """
    widths = [int(parameter["B"]) // 8 for parameter in parameters]
    data = b"".join(
        _stored(value, kind, width, byteord) for row in rows for value, width in zip(row, widths, strict=True)
    )
    words = {
        "$BYTEORD": byteord,
        "$DATATYPE": kind,
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(parameters)),
        "$TOT": str(len(rows)),
        "$BEGINDATA": "0" * 8,
        "$ENDDATA": "0" * 8,
    }
    for number, parameter in enumerate(parameters, start=1):
        words |= {f"$P{number}{letter}": value for letter, value in {"E": "0,0", **parameter}.items()}
    words |= keywords or {}
    order = arrange([key for key in words if key not in drop])
    begin = 58 + 1 + sum(len(f"{key}{delimiter}{words[key]}{delimiter}".encode()) for key in order)
    end = begin + len(data) - 1
    if "$BEGINDATA" not in (keywords or {}):
        words |= {"$BEGINDATA": f"{begin + text_data[0]:>8d}", "$ENDDATA": f"{end + text_data[1]:>8d}"}
    text = delimiter + "".join(f"{key}{delimiter}{words[key]}{delimiter}" for key in order)
    offsets = (58, begin - 1, begin + header_data[0], end + header_data[1], 0, 0)
    header = f"{version}    " + "".join(f"{offset:>8d}" for offset in offsets)
    whole = header.encode() + text.encode() + data
    return whole[: len(whole) - missing_bytes]


def _stored(value: float, kind: str, width: int, byteord: str) -> bytes:
    """One value; byteord names the significance of each byte in turn, 1 the least."""
    little = (
        int(value).to_bytes(width, "little") if kind == "I" else struct.pack("<f" if width == 4 else "<d", value)
    )
    order = [int(place) - 1 for place in byteord.split(",")]
    if len(order) == width:
        return bytes(little[place] for place in order)
    return little if order[0] == 0 else little[::-1]


def integers(*names: str, bits: int = 16, top: int | None = None) -> list[Parameter]:
    """Parameters of that many bits and, unless said otherwise, of the whole range they can hold."""
    return [{"N": name, "B": str(bits), "R": str(top or 2**bits)} for name in names]


def floats(*names: str) -> list[Parameter]:
    """Parameters of type F with the usual range of 2^18."""
    return [{"N": name, "B": "32", "R": "262144"} for name in names]


def written(folder: Path, content: bytes, name: str = "tube.fcs") -> Path:
    """The bytes as a file."""
    path = folder / name
    path.write_bytes(content)
    return path
