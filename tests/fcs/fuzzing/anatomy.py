"""Where HEADER, TEXT and DATA of an FCS file lie, and the values in it, found without cytoreg's reader.

FCS 3.1, sections 3.1 (HEADER) and 3.2 (TEXT), in the plainest reading that the real files allow; whatever cannot be
read so is left to the reader, and then only its crashes are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

HEADER_BYTES = 58
OFFSET_KEYS = (
    *("$BEGINDATA", "$ENDDATA", "$BEGINSTEXT", "$ENDSTEXT", "$BEGINANALYSIS", "$ENDANALYSIS"),
    "$NEXTDATA",
)


@dataclass(frozen=True)
class Pair:
    """A keyword of TEXT: its name in capitals, its value, and where both stand in the file."""

    key: str
    value: str
    name_at: tuple[int, int]
    value_at: tuple[int, int]


@dataclass(frozen=True)
class Anatomy:
    """A file in its parts.

    header: the six offsets, 0 where blank. pairs, more: the keywords of primary and of supplemental TEXT. data: first
    byte of DATA and the byte after it, or None where that cannot be told. row_bits: bits of an event, 0 without data.
    """

    content: bytes
    header: tuple[int, ...]
    delimiter: bytes
    pairs: tuple[Pair, ...]
    more: tuple[Pair, ...]
    data: tuple[int, int] | None
    n_events: int
    row_bits: int

    @cached_property
    def words(self) -> dict[str, str]:
        """Keywords and values, the first where one stands twice."""
        return {pair.key: pair.value for pair in reversed((*self.pairs, *self.more))}

    @property
    def version(self) -> str:
        """As HEADER gives it."""
        return self.content[:6].decode("latin-1")

    @property
    def text(self) -> tuple[int, int]:
        """First byte of TEXT and the byte after it."""
        return self.header[0], self.header[1] + 1

    def pair(self, key: str) -> Pair | None:
        """The keyword of that name."""
        return next((pair for pair in self.pairs if pair.key == key), None)

    def rows_of(self, edited: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
        """Events, shape (n_events,), of which a byte lies in one of the edited stretches; an insertion edits its row."""
        touched = np.zeros(self.n_events, dtype=bool)
        if self.data is None or not self.n_events:
            return touched
        begin, stop = self.data
        for first, last in edited:
            if last < begin or first >= stop:
                continue
            start = max(first, begin) - begin
            end = max(start + 1, min(last, stop) - begin)
            touched[start * 8 // self.row_bits : (end * 8 - 1) // self.row_bits + 1] = True
        return touched


def dissect(content: bytes) -> Anatomy | None:
    """The parts of the first data set; None where HEADER or TEXT make no sense."""
    if len(content) < HEADER_BYTES or not content.startswith(b"FCS"):
        return None
    header = tuple(header_number(content, field) for field in range(6))
    begin, end = header[:2]
    if not HEADER_BYTES <= begin < end < len(content):
        return None
    pairs = split_text(content, begin, end)
    words = {pair.key: pair.value for pair in pairs}
    data, n_events, row_bits = _find_data(content, header, words)
    more_at = (whole(words, "$BEGINSTEXT") or 0, whole(words, "$ENDSTEXT") or 0)
    more = split_text(content, *more_at) if HEADER_BYTES <= more_at[0] < more_at[1] < len(content) else ()
    if more_at[0] == begin:
        more = ()
    return Anatomy(content, header, content[begin : begin + 1], pairs, more, data, n_events, row_bits)


def header_number(content: bytes, field: int) -> int:
    """One of the six offsets of HEADER; 0 where it is blank or no number."""
    digits = content[10 + 8 * field : 18 + 8 * field].strip(b" \x00")
    return int(digits) if digits.isdigit() else 0


def split_text(content: bytes, begin: int, end: int) -> tuple[Pair, ...]:
    """The pairs of a TEXT segment; doubled delimiters belong to values, unless values are rather left empty."""
    mark = re.escape(content[begin : begin + 1])
    best: tuple[Pair, ...] = ()
    for piece in (rb"((?:[^%b]|%b%b)*)(?:%b|\Z)" % (mark, mark, mark, mark), rb"([^%b]*)(?:%b|\Z)" % (mark, mark)):
        found = [match.span(1) for match in re.finditer(piece, content[begin + 1 : end + 1], re.DOTALL)]
        spans = [(start + begin + 1, stop + begin + 1) for start, stop in found]
        pairs = tuple(
            Pair(_string(content, name).strip(" ").upper(), _string(content, value).strip(" \x00"), name, value)
            for name, value in zip(spans[::2], spans[1::2], strict=False)
        )
        if sum(pair.key.startswith("$") for pair in pairs) > sum(pair.key.startswith("$") for pair in best):
            best = pairs
    return best


def _string(content: bytes, at: tuple[int, int]) -> str:
    return content[at[0] : at[1]].decode("latin-1")


def whole(words: Mapping[str, str], key: str) -> int | None:
    """The whole number of a keyword, in plain digits; None else."""
    value = words.get(key, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value.lstrip("0")) < 19 else None


def widths(words: Mapping[str, str]) -> list[int] | None:
    """$PnB of each channel; None where one is no number from 1 to 64."""
    count = whole(words, "$PAR")
    if not count or count > 10_000:
        return None
    bits = [whole(words, f"$P{i}B") or 0 for i in range(1, count + 1)]
    return bits if all(1 <= width <= 64 for width in bits) else None


def _find_data(
    content: bytes, header: tuple[int, ...], words: Mapping[str, str]
) -> tuple[tuple[int, int] | None, int, int]:
    """DATA where offsets, $TOT and $PnB agree but for a byte; in HEADER or in TEXT."""
    bits, total = widths(words), whole(words, "$TOT")
    if bits is None or not total:
        return None, 0, 0
    packed, filled = sum(bits), sum((width + 7) // 8 * 8 for width in bits)
    fits = []
    for row_bits in {packed, filled}:
        size = (total * row_bits + 7) // 8
        for begin, end in (
            (whole(words, "$BEGINDATA") or 0, whole(words, "$ENDDATA") or 0),
            (header[2], header[3]),
        ):
            overlaps = begin <= header[1] and end >= header[0]
            if begin >= HEADER_BYTES and abs(end - begin + 1 - size) <= 1 and begin + size <= len(content):
                fits.append((overlaps, abs(end - begin + 1 - size), begin, size, row_bits))
    if not fits or min(fits)[0]:
        return None, 0, 0
    _, _, begin, size, row_bits = min(fits)
    return (begin, begin + size), total, row_bits


def stored_values(
    words: Mapping[str, str], data: bytes, row_bits: int, *, masked: bool = True
) -> npt.NDArray[Any] | None:
    """The stored numbers, shape (n_events, n_channels), of values that fill whole bytes; None for others.

    row_bits: bits of an event, by which packed values are told from those that fill bytes. masked: only the bits of an integer that $PnR needs ($PnR in FCS 3.1, 3.2.20).
    """
    bits, kind = widths(words), words.get("$DATATYPE", "").strip().upper()
    if bits is None or kind not in ("I", "F", "D") or (kind != "I" and set(bits) != {32 if kind == "F" else 64}):
        return None
    sizes = [(width + 7) // 8 for width in bits]
    orders = [significance(words.get("$BYTEORD", ""), size) for size in sizes]
    row = sum(sizes)
    if row * 8 != row_bits:
        return None
    rows = np.frombuffer(data, dtype=np.uint8, count=len(data) // row * row).reshape(-1, row)
    columns, first = [], 0
    for i, (size, order) in enumerate(zip(sizes, orders, strict=True)):
        if order is None:
            return None
        part = rows[:, first : first + size][:, np.argsort(order)]
        first += size
        if kind == "I":
            column = np.zeros(len(rows), dtype=np.uint64)
            for place in range(size):
                column |= part[:, place].astype(np.uint64) << np.uint64(8 * place)
            top = whole(words, f"$P{i + 1}R")
            if masked and top and top > 1 and (top - 1).bit_length() < bits[i]:
                column &= np.uint64((1 << (top - 1).bit_length()) - 1)
        else:
            column = np.ascontiguousarray(part).view(f"<f{size}")[:, 0]
        columns.append(column)
    return np.column_stack(columns)


def significance(byteord: str, size: int) -> list[int] | None:
    """The significance of each byte of a value, from 0; None where $BYTEORD does not say it for that many bytes."""
    parts = [part.strip() for part in byteord.split(",")]
    order = [int(part) - 1 for part in parts if part.isascii() and part.isdigit()]
    if len(order) != len(parts) or sorted(order) != list(range(len(order))):
        return None
    if size == 1 or len(order) == size:
        return [0] if size == 1 else order
    if len(order) > 1 and order in (sorted(order), sorted(order, reverse=True)):
        return list(range(size)) if order[0] == 0 else list(range(size))[::-1]
    return None
