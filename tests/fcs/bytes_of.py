"""FCS files put together byte by byte, so that what the reader is judged by is not our own writer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

Rows = Sequence[Sequence[float]]
Parameter = Mapping[str, str]

HEADER_FIELDS = {"text": 10, "data": 26, "analysis": 42}


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
    data: bytes | None = None,
    tail: str = "",
    text_at: int = 58,
) -> bytes:
    """HEADER, TEXT and DATA of one data set.

    rows: values as they are stored. parameters: of each channel its keywords without `$Pn` (N, B, R, E, S,
    G, DATATYPE). drop: keywords to leave out. arrange: puts the keywords in another order. text_data,
    header_data: how far the offsets given in TEXT and in HEADER are off. missing_bytes: how much is cut
    from the end. data: the bytes of DATA, where they are not the rows in whole bytes. tail: what TEXT ends
    with after its keywords. text_at: first byte of TEXT, spaces before it.
    """
    widths = [int(parameter["B"]) // 8 for parameter in parameters]
    kinds = [parameter.get("DATATYPE", kind) for parameter in parameters]
    if data is None:
        data = b"".join(
            _stored(value, of, width, byteord)
            for row in rows
            for value, of, width in zip(row, kinds, widths, strict=True)
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
    if version != "FCS2.0":
        words |= {"$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0"}
    if version == "FCS3.2":
        words["$CYT"] = "none"
    for number, parameter in enumerate(parameters, start=1):
        words |= {f"$P{number}{letter}": value for letter, value in {"E": "0,0", **parameter}.items()}
    words |= keywords or {}
    order = arrange([key for key in words if key not in drop])
    pairs = "".join(f"{key}{delimiter}{words[key]}{delimiter}" for key in order)
    begin = text_at + len(_encoded(delimiter + pairs + tail))
    end = begin + len(data) - 1
    if "$BEGINDATA" not in (keywords or {}):
        words |= {"$BEGINDATA": f"{begin + text_data[0]:>8d}", "$ENDDATA": f"{end + text_data[1]:>8d}"}
    text = delimiter + "".join(f"{key}{delimiter}{words[key]}{delimiter}" for key in order) + tail
    offsets = (text_at, begin - 1, begin + header_data[0], end + header_data[1], 0, 0)
    header = f"{version}    " + "".join(f"{offset:>8d}" for offset in offsets)
    whole = header.ljust(text_at).encode() + _encoded(text) + data
    return whole[: len(whole) - missing_bytes]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def spelt(text: str, encoding: str) -> str:
    """A keyword's value that will stand in the file in that encoding."""
    return text.encode(encoding).decode("ascii", "surrogateescape")


def _stored(value: float, kind: str, width: int, byteord: str) -> bytes:
    """One value; byteord names the significance of each byte in turn, 1 the least."""
    little = (
        int(value).to_bytes(width, "little") if kind == "I" else struct.pack("<f" if width == 4 else "<d", value)
    )
    order = [int(place) - 1 for place in byteord.split(",")]
    if len(order) == width:
        return bytes(little[place] for place in order)
    if order not in (sorted(order), sorted(order, reverse=True)) and width > 1:
        raise ValueError(f"{width} bytes in the order {byteord}: set them down with data=")
    return little if order[0] == 0 else little[::-1]


def packed(rows: Sequence[Sequence[int]], widths: Sequence[int], byteord: str = "1,2,3,4") -> bytes:
    """Values of so many bits each as one stream of bits (FCS 3.0, 3.2.20, $DATATYPE and $PnB).

    Big-endian: the most significant bit comes first. Little-endian: the least significant one takes the
    lowest free bit of the byte. Zeros fill the last byte.
    """
    stream = [(int(value), width) for row in rows for value, width in zip(row, cycle(widths), strict=False)]
    if byteord.startswith("1"):
        number = at = 0
        for value, width in stream:
            number |= value << at
            at += width
        return number.to_bytes(-(-at // 8), "little")
    bits = "".join(f"{value:0{width}b}" for value, width in stream)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def with_offsets(content: bytes, segment: str, first: int | str, last: int | str) -> bytes:
    """The same file with other offsets of a segment (text, data, analysis) in its HEADER."""
    at = HEADER_FIELDS[segment]
    return content[:at] + f"{first:>8}{last:>8}".encode() + content[at + 16 :]


def data_begin(content: bytes) -> int:
    """First byte of DATA as HEADER gives it."""
    return int(content[26:34])


def integers(*names: str, bits: int = 16, top: int | None = None) -> list[Parameter]:
    """Parameters of that many bits and, unless said otherwise, of the whole range they can hold."""
    return [{"N": name, "B": str(bits), "R": str(top or 2**bits)} for name in names]


def floats(*names: str) -> list[Parameter]:
    """Parameters of type F with the usual range of 2^18."""
    return [{"N": name, "B": "32", "R": "262144"} for name in names]


def written(folder: Path, content: bytes, name: str = "tube.fcs") -> Path:
    """The bytes as a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
