"""The HEADER segment: version and the byte offsets of TEXT, DATA and ANALYSIS (FCS 3.1, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem

__all__ = ["Header", "parse_header"]

HEADER_BYTES = 58
MOST_HEADER_BYTES = 256  # with the offsets of other segments
_FIELDS = ("begin of TEXT", "end of TEXT", "begin of DATA", "end of DATA", "begin of ANALYSIS", "end of ANALYSIS")
KNOWN_VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")


@dataclass(frozen=True)
class Header:
    """First and last byte of each segment, counted from the start of the data set; 0 means not given.

    others: of the segments that a maker has added (3.1).
    """

    version: str
    text: tuple[int, int]
    data: tuple[int, int]
    analysis: tuple[int, int]
    others: tuple[tuple[int, int], ...] = ()


def parse_header(raw: bytes, where: str) -> tuple[Header, list[Problem]]:
    """The HEADER from the first 58 bytes of a data set.

    Raises FCSError where the bytes are not those of an FCS file.
    """
    if not raw:
        raise FCSError(f"{where}: the file is empty")
    if not raw.startswith(b"FCS"):
        start = raw[:6].decode("latin-1")
        raise FCSError(f"{where}: not an FCS file: it begins with {start!r}, an FCS file with 'FCS3.1' or alike")
    if len(raw) < HEADER_BYTES:
        raise FCSError(f"{where}: the file ends inside its HEADER, after {len(raw)} of {HEADER_BYTES} bytes")
    version = raw[:6].decode("latin-1").strip()
    if version not in KNOWN_VERSIONS:
        raise FCSError(f"{where}: FCS version {version!r} is not one of {', '.join(KNOWN_VERSIONS)}")
    fields = [_offset(raw[10 + 8 * i : 18 + 8 * i]) for i in range(6)]
    text_begin, text_end = fields[0], fields[1]
    if not text_begin or not text_end or text_end <= text_begin:
        found = raw[10:26].decode("latin-1").split()
        raise FCSError(f"{where}: HEADER does not say where TEXT is: expected two offsets, found {found}")
    broken = [name for name, field in zip(_FIELDS, fields, strict=True) if field is None]
    problems = []
    if broken:
        problems.append(Problem(f"{', '.join(broken)} is no number", "HEADER", "TEXT was asked instead"))
    header = Header(
        version=version,
        text=(text_begin, text_end),
        data=(fields[2] or 0, fields[3] or 0),
        analysis=(fields[4] or 0, fields[5] or 0),
        others=_others(raw[HEADER_BYTES : min(text_begin, len(raw))]),
    )
    return header, problems


def _others(raw: bytes) -> tuple[tuple[int, int], ...]:
    """Pairs of offsets between those of the standard and TEXT, as far as they are numbers."""
    pairs = []
    for at in range(0, len(raw) - 15, 16):
        begin, end = _offset(raw[at : at + 8]), _offset(raw[at + 8 : at + 16])
        if not begin or not end or begin > end:
            break
        pairs.append((begin, end))
    return tuple(pairs)


def _offset(field: bytes) -> int | None:
    """An offset right-justified in 8 bytes, 0 where it is blank; None where it is not a number."""
    digits = field.decode("latin-1").strip("\x00 ")
    if not digits:
        return 0
    return int(digits) if digits.isdecimal() and digits.isascii() else None
