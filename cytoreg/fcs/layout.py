"""Where the events of a data set lie and how each value is stored (FCS 3.1, sections 3.2.18 to 3.2.20)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from cytoreg.errors import FCSError
from cytoreg.fcs.byte_order import check_byte_order, read_byte_order
from cytoreg.fcs.channel import Channel, Problem, quoted
from cytoreg.fcs.header import Header
from cytoreg.fcs.text import whole_number

__all__ = ["Layout", "find_layout"]

MOST_IN_HEADER = 99_999_999
Reaches = Callable[[int], bool]


@dataclass(frozen=True)
class Layout:
    """Events as rows of bits.

    begin: first byte of DATA in the file. n_events: rows. row_bits: bits of a row. offsets, widths: first bit
    and number of bits of each channel in a row. byte_order: the significance of the bytes of a word as
    $BYTEORD gives it, from 1. masks: bits of an integer that count, 0 for all.
    """

    begin: int
    n_events: int
    row_bits: int
    offsets: tuple[int, ...]
    widths: tuple[int, ...]
    byte_order: tuple[int, ...]
    masks: tuple[int, ...]

    @cached_property
    def whole_bytes(self) -> bool:
        """Whether each value fills bytes of its own."""
        return not any(bits % 8 for bits in (self.row_bits, *self.offsets, *self.widths))

    @property
    def n_bytes(self) -> int:
        """Bytes of DATA that hold events."""
        return self.end_of(self.n_events) - self.begin

    def end_of(self, n: int) -> int:
        """The byte of the file after the first n events."""
        return self.begin - (-n * self.row_bits // 8)


def find_layout(
    text: Mapping[str, str], header: Header, channels: Sequence[Channel], base: int, reaches: Reaches, where: str
) -> tuple[Layout, list[Problem]]:
    """Where the events are. base: first byte of the data set; reaches: whether the file has so many bytes.

    Raises FCSError where DATA reaches past the end of the file, or cannot be found.
    """
    problems: list[Problem] = []
    total = _total(text, header.version, problems)
    stored = tuple(channel.bits for channel in channels)
    segment = _Segment(text, header, total, sum(stored), lambda end: reaches(base + end), where)
    begin, length = segment.find(problems)
    widths, row_bits = _packing(channels, header.version, total, length, problems)
    n_events = _event_count(total, length, row_bits, problems)
    order = read_byte_order(text, header.version, where, problems)
    check_byte_order(order, (row_bits, *widths) if row_bits % 8 else widths, where, problems)
    layout = Layout(
        begin=base + begin,
        n_events=n_events,
        row_bits=row_bits,
        offsets=tuple(accumulate(widths, initial=0))[:-1],
        widths=widths,
        byte_order=order,
        masks=tuple(_mask(channel, width) for channel, width in zip(channels, widths, strict=True)),
    )
    if n_events and reaches(layout.end_of(n_events)) and not reaches(base + begin + length - 1):
        what = f"DATA should end at {begin + length - 1}, where the file has ended"
        problems.append(Problem(what, "offsets", f"all {n_events} events were read", affects_numbers=True))
    if n_events and not reaches(layout.end_of(n_events)):
        there = bisect_left(range(1, n_events + 1), True, key=lambda n: not reaches(layout.end_of(n)))
        raise FCSError(f"{where}: the file is truncated: it should hold {n_events} events and ends after {there}")
    return layout, problems


@dataclass(frozen=True)
class _Segment:
    """Finds DATA: of HEADER and TEXT, the one that agrees with $TOT where they differ."""

    text: Mapping[str, str]
    header: Header
    total: int | None
    row_bits: int
    reaches: Reaches
    where: str

    def find(self, problems: list[Problem]) -> tuple[int, int]:
        """First byte, from the start of the data set, and length."""
        candidates = []
        stated = (whole_number(self.text, "$BEGINDATA"), whole_number(self.text, "$ENDDATA"))
        if stated[0] is not None and stated[1] is not None and 0 < stated[0] <= stated[1] + 1:
            candidates.append(("TEXT", stated[0], stated[1]))
        elif any(key in self.text and value is None for key, value in zip(_OFFSETS, stated, strict=True)):
            problems.append(Problem("$BEGINDATA or $ENDDATA is not a number", "TEXT", "HEADER was followed"))
        elif stated[0]:
            what = f"DATA is at {stated[0]} to {stated[1]}"
            problems.append(Problem(what, "TEXT", "HEADER was followed"))
        if 0 < self.header.data[0] <= self.header.data[1] + 1:
            candidates.append(("HEADER", *self.header.data))
        if not candidates:
            if self.total == 0:
                return 0, 0
            raise FCSError(f"{self.where}: neither HEADER nor TEXT says where DATA is")
        if len(candidates) == 1 and self._should_stand_twice(candidates[0][2]):
            problems.append(
                Problem("the offsets of DATA stand nowhere else", candidates[0][0], "they were followed")
            )
        if len(candidates) == 2 and candidates[0][1:] != candidates[1][1:]:
            candidates.sort(key=lambda found: self._misfit(found[1], found[2]))
            first, other = candidates
            problems.append(
                Problem(
                    f"DATA is at {first[1]} to {first[2]} by {first[0]}, {other[1]} to {other[2]} by {other[0]}",
                    "HEADER and TEXT",
                    f"{first[0]} was followed, which agrees best with $TOT, TEXT and the end of the file",
                    affects_numbers=first[1] != other[1],
                )
            )
        _, begin, end = candidates[0]
        if self._in_text(begin, end):
            problems.append(
                Problem(f"DATA, at {begin} to {end}, lies within TEXT", "HEADER", "it was read from there", True)
            )
        return begin, end - begin + 1

    def _should_stand_twice(self, end: int) -> bool:
        """From FCS 3.0 on in HEADER and TEXT; in TEXT alone where they do not fit HEADER."""
        return self.header.version != "FCS2.0" and end <= MOST_IN_HEADER and self.total != 0

    def _in_text(self, begin: int, end: int) -> bool:
        return begin <= self.header.text[1] and end >= self.header.text[0]

    def _misfit(self, begin: int, end: int) -> tuple[bool, bool, int, bool, bool]:
        """How badly offsets fit, worst first: DATA inside TEXT, past the end of the file, too long or short, not
        right after TEXT, not at the end of the file, where a CRC may follow."""
        length = end - begin + 1
        expected = -(-self.total * self.row_bits // 8) if self.total else length
        last = any(self.reaches(end + 1 + n) and not self.reaches(end + 2 + n) for n in (0, 8))
        return (
            self._in_text(begin, end),
            not self.reaches(begin + min(length, expected)),
            abs(length - expected),
            begin != self.header.text[1] + 1,
            not last,
        )


_OFFSETS = ("$BEGINDATA", "$ENDDATA")


def _total(text: Mapping[str, str], version: str, problems: list[Problem]) -> int | None:
    """$TOT, or None where it says nothing; FCS 2.0 does not ask for it."""
    total = whole_number(text, "$TOT")
    if version == "FCS2.0" and "$TOT" not in text:
        what = "$TOT, which FCS 2.0 does not ask for, is absent"
        problems.append(Problem(what, "TEXT", "events were counted by the size of DATA", is_departure=False))
        return None
    if total is None or total < 0:
        found = quoted(text["$TOT"]) if "$TOT" in text else "absent"
        problems.append(Problem(f"$TOT is {found}", "TEXT", "events were counted by the size of DATA", True))
        return None
    return total


def _packing(
    channels: Sequence[Channel], version: str, total: int | None, length: int, problems: list[Problem]
) -> tuple[tuple[int, ...], int]:
    """The bits that each value takes in a row, and those of a row.

    By the standard values follow each other without padding, whatever their width. Files that fill whole
    bytes with each value, or with each event, are told by the size of DATA.
    """
    stored = tuple(channel.bits for channel in channels)
    filled = tuple(-(-bits // 8) * 8 for bits in stored)
    if stored == filled:
        return stored, sum(stored)
    row = sum(stored)
    readings = (
        ("the values follow each other bit by bit", stored, row),
        ("each value fills whole bytes", filled, sum(filled)),
        ("each event fills whole bytes", stored, -(-row // 8) * 8),
    )
    odd = next(channel for channel in channels if channel.bits % 8)
    for slack in (0, 1):
        for reading, widths, row_bits in readings:
            if total is not None and abs(length - -(-total * row_bits // 8)) == slack:
                if row_bits != row or version in ("FCS3.1", "FCS3.2"):  # which want whole bytes
                    padded = row_bits != row and widths is stored  # which no file that we know does
                    what = f"channel {odd.name!r} has {odd.bits} bits"
                    problems.append(Problem(what, "$PnB", reading, affects_numbers=padded))
                return widths, row_bits
    problems.append(
        Problem(f"channel {odd.name!r} has {odd.bits} bits and DATA another size", "$PnB", readings[0][0], True)
    )
    return stored, row


def _event_count(total: int | None, length: int, row_bits: int, problems: list[Problem]) -> int:
    held = length * 8 // row_bits
    if total is None:
        return held
    over = -(-total * row_bits // 8) - length
    if over == 0:
        return total
    if total and abs(over) == 1:
        more = "fewer" if over > 0 else "more"
        problems.append(Problem(f"DATA has one byte {more} than $TOT needs", "offsets", f"all {total} were read"))
        return total
    n = min(total, held)
    what = f"$TOT is {total}, DATA has room for {held}" + ("" if length * 8 % row_bits == 0 else " and a part")
    problems.append(Problem(what, "TEXT", f"{n} events were read", affects_numbers=max(total, held) > 0))
    return n


def _mask(channel: Channel, width: int) -> int:
    """The bits that count in an integer: those that $PnR needs (FCS 3.1, 3.2.20, $PnR), and no more than $PnB."""
    if channel.kind != "I":
        return 0
    needed = channel.bits
    if channel.range > 1:
        needed = min(needed, (int(channel.range) - 1).bit_length())
    return (1 << needed) - 1 if needed < width else 0
