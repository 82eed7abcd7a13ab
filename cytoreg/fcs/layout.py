"""Where the events of a data set lie and how each value is stored (FCS 3.1, sections 3.2.18 to 3.2.20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Channel, Problem
from cytoreg.fcs.header import Header
from cytoreg.fcs.text import number

__all__ = ["Layout", "find_channels", "find_layout"]


@dataclass(frozen=True)
class Layout:
    """Events as rows of bytes.

    begin: first byte of DATA in the file. n_events: rows. row_bytes: bytes of a row. offsets, widths:
    first byte and number of bytes of each channel in a row. byte_order: the significance of the bytes
    of a 4-byte word as $BYTEORD gives it. masks: bits of an integer that count, 0 for all.
    """

    begin: int
    n_events: int
    row_bytes: int
    offsets: tuple[int, ...]
    widths: tuple[int, ...]
    byte_order: tuple[int, ...]
    masks: tuple[int, ...]


def find_channels(text: Mapping[str, str], version: str, where: str) -> tuple[tuple[Channel, ...], list[Problem]]:
    """The parameters of a data set, in order. Raises FCSError where a keyword is missing or wrong."""
    problems: list[Problem] = []
    par = number(text, "$PAR", where, required=True)
    if par is None or par < 1 or par != int(par) or par > 100_000:
        raise FCSError(f"{where}: keyword $PAR: expected a whole number of channels, found {text['$PAR']!r}")
    default_kind = text.get("$DATATYPE", "").strip().upper()
    if not default_kind:
        default_kind = "I"
        problems.append(Problem("$DATATYPE is absent", "TEXT", "integers were assumed", affects_numbers=True))
    mode = text.get("$MODE", "L").strip().upper() or "L"
    if mode != "L":
        raise FCSError(f"{where}: keyword $MODE is {mode!r}: only list mode (L) is read, histograms are not")
    channels = []
    for i in range(1, int(par) + 1):
        kind = text.get(f"$P{i}DATATYPE", default_kind).strip().upper() if version == "FCS3.2" else default_kind
        if kind not in ("I", "F", "D"):
            raise FCSError(f"{where}: $DATATYPE is {kind!r}: expected I, F or D (ASCII values are not read)")
        channels.append(_channel(text, i, kind, where, problems))
    names = [channel.name for channel in channels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(Problem(f"channel name {twice[0]!r} stands twice", "TEXT", "such channels go by number"))
    return tuple(channels), problems


def _channel(text: Mapping[str, str], i: int, kind: str, where: str, problems: list[Problem]) -> Channel:
    key = f"$P{i}"
    name = text.get(f"{key}N", "").strip()
    if not name:
        name = text.get(f"{key}S", "").strip() or f"P{i}"
        problems.append(Problem(f"{key}N is absent or blank", "TEXT", f"the channel is called {name!r}"))
    marker = text.get(f"{key}S", "").strip() or None
    if marker is not None and marker.casefold() == name.casefold():
        marker = None
    bits = number(text, f"{key}B", where, default={"F": 32, "D": 64}.get(kind))
    if bits is None or bits != int(bits) or not 1 <= bits <= 64:
        found = text.get(f"{key}B", "nothing")
        raise FCSError(f"{where}: keyword {key}B: expected a number of bits from 1 to 64, found {found!r}")
    if kind in "FD" and bits != {"F": 32, "D": 64}[kind]:
        assumed = {"F": 32, "D": 64}[kind]
        problems.append(
            Problem(f"{key}B is {bits:g} for type {kind}", "TEXT", f"{assumed} bits were assumed", True)
        )
        bits = assumed
    top = number(text, f"{key}R", where)
    if top is None or not 0 < top < float("inf"):
        top = float(2 ** int(bits)) if kind == "I" else 262144.0
        problems.append(Problem(f"{key}R is not a positive number", "TEXT", f"{top:g} was assumed", True))
    decades, offset = _amplifier(text, key, kind, problems)
    gain = number(text, f"{key}G", where, default=1.0)
    if gain is None or not 0 < gain < float("inf"):
        problems.append(Problem(f"{key}G is {text.get(key + 'G')!r}", "TEXT", "a gain of 1 was assumed", True))
        gain = 1.0
    if decades or name.casefold() in ("time", "hdr-t", "hdr-tm"):
        gain = 1.0  # a gain is defined for linear amplifiers only (3.2.20), and time has no amplifier
    return Channel(i - 1, name, marker, int(bits), top, gain, decades, offset, kind)


def _amplifier(text: Mapping[str, str], key: str, kind: str, problems: list[Problem]) -> tuple[float, float]:
    """Decades and offset of $PnE; 0, 0 on a linear amplifier."""
    value = text.get(f"{key}E", "0,0").strip() or "0,0"
    try:
        decades, offset = (float(part) for part in value.split(","))
    except ValueError:
        decades = offset = float("nan")
    if not (isfinite(decades) and isfinite(offset) and decades < 100):
        problems.append(Problem(f"{key}E is {value!r}", "TEXT", "a linear amplifier was assumed", True))
        return 0.0, 0.0
    if decades <= 0:
        return 0.0, 0.0
    if kind != "I":
        problems.append(
            Problem(f"{key}E is {value!r} for values of type {kind}", "TEXT", "values are linear", True)
        )
        return 0.0, 0.0
    if offset <= 0:
        offset = 1.0
        problems.append(
            Problem(f"{key}E has an offset of 0", "TEXT", "1 was assumed, as FCS 3.1 tells readers to")
        )
    return decades, offset


def find_layout(
    text: Mapping[str, str], header: Header, channels: Sequence[Channel], base: int, size: int, where: str
) -> tuple[Layout, list[Problem]]:
    """Where the events are. base: first byte of the data set; size: bytes of the file.

    Raises FCSError where DATA reaches past the end of the file, or values are not stored in whole bytes.
    """
    problems: list[Problem] = []
    widths = tuple((channel.bits + 7) // 8 for channel in channels)
    row_bytes = sum(widths)
    begin, length = _data_segment(text, header, row_bytes, size - base, where, problems)
    _whole_bytes(text, channels, length, row_bytes, where, problems)
    n_events = _event_count(text, length, row_bytes, where, problems)
    needed = begin + n_events * row_bytes
    if n_events and needed > size - base:
        there = max(0, size - base - begin) // row_bytes
        raise FCSError(f"{where}: the file is truncated: it should hold {n_events} events and ends after {there}")
    layout = Layout(
        begin=base + begin,
        n_events=n_events,
        row_bytes=row_bytes,
        offsets=tuple(accumulate(widths, initial=0))[:-1],
        widths=widths,
        byte_order=_byte_order(text, where, problems),
        masks=tuple(_mask(channel) for channel in channels),
    )
    return layout, problems


def _data_segment(
    text: Mapping[str, str], header: Header, row_bytes: int, size: int, where: str, problems: list[Problem]
) -> tuple[int, int]:
    """First byte and length of DATA; of HEADER and TEXT, the one that agrees with $TOT where they differ."""
    candidates = []
    stated_begin, stated_end = number(text, "$BEGINDATA", where), number(text, "$ENDDATA", where)
    if stated_begin is not None and stated_end is not None and stated_begin > 0:
        candidates.append(("TEXT", int(stated_begin), int(stated_end)))
    if header.data[0] > 0:
        candidates.append(("HEADER", *header.data))
    if not candidates:
        if number(text, "$TOT", where) == 0:
            return 0, 0
        raise FCSError(f"{where}: neither HEADER nor TEXT says where DATA is")
    total = number(text, "$TOT", where)
    if len(candidates) == 2 and candidates[0][1:] != candidates[1][1:]:
        candidates.sort(key=lambda found: _misfit(found[1], found[2], total, row_bytes, size, header.text))
        first, other = candidates
        problems.append(
            Problem(
                f"DATA is at {first[1]} to {first[2]} by {first[0]}, {other[1]} to {other[2]} by {other[0]}",
                "HEADER and TEXT",
                f"{first[0]} was followed, which agrees best with $TOT and with where TEXT lies",
                affects_numbers=first[1] != other[1],
            )
        )
    _, begin, end = candidates[0]
    return begin, max(0, end - begin + 1)


def _whole_bytes(
    text: Mapping[str, str],
    channels: Sequence[Channel],
    length: int,
    row_bytes: int,
    where: str,
    problems: list[Problem],
) -> None:
    """Accept values of, say, 10 bits where the size of DATA shows that each fills whole bytes."""
    odd = [channel for channel in channels if channel.bits % 8]
    if not odd:
        return
    name, bits = odd[0].name, odd[0].bits
    total = number(text, "$TOT", where, default=0) or 0
    if abs(length - total * row_bytes) > 1:
        raise FCSError(
            f"{where}: channel {name!r} has {bits} bits a value: only whole bytes are read in this version"
        )
    problems.append(Problem(f"channel {name!r} has {bits} bits", "$PnB", "each value fills whole bytes"))


def _misfit(
    begin: int, end: int, total: float | None, row_bytes: int, size: int, segment: tuple[int, int]
) -> tuple[bool, bool, int]:
    """How badly offsets fit, worst first: DATA inside the TEXT segment, past the end of the file, too long or short."""
    length = end - begin + 1
    expected = int(total * row_bytes) if total else length
    overlaps = begin <= segment[1] and end >= segment[0]
    return overlaps, begin + min(length, expected) > size, abs(length - expected)


def _event_count(text: Mapping[str, str], length: int, row_bytes: int, where: str, problems: list[Problem]) -> int:
    total = number(text, "$TOT", where)
    held = length // row_bytes
    if total is None or total < 0 or total != int(total):
        problems.append(Problem("$TOT is absent or not a number", "TEXT", f"DATA holds {held} events", True))
        return held
    n = int(total)
    if n * row_bytes - length in (0, 1) or (n and length == 0):
        return n  # ends that count one byte less are so common that nothing is lost by accepting them
    if n > held:
        problems.append(
            Problem(
                f"$TOT is {n}, DATA has room for {held}",
                "TEXT",
                f"{held} events were read",
                affects_numbers=True,
            )
        )
        return held
    if length - n * row_bytes >= row_bytes:
        problems.append(
            Problem(
                f"$TOT is {n}, DATA has room for {held}",
                "TEXT",
                f"{n} events were read",
                affects_numbers=True,
            )
        )
    return n


def _byte_order(text: Mapping[str, str], where: str, problems: list[Problem]) -> tuple[int, ...]:
    value = text.get("$BYTEORD", "").strip()
    try:
        order = tuple(int(part) for part in value.split(","))
    except ValueError:
        order = ()
    if sorted(order) == list(range(1, len(order) + 1)) and len(order) in (1, 2, 4, 8):
        return order
    if order:
        raise FCSError(f"{where}: keyword $BYTEORD: expected an order such as 1,2,3,4, found {value!r}")
    problems.append(Problem("$BYTEORD is absent", "TEXT", "1,2,3,4 was assumed", affects_numbers=True))
    return (1, 2, 3, 4)


def _mask(channel: Channel) -> int:
    """The bits that count in an integer: those that $PnR needs (FCS 3.1, 3.2.20, $PnR)."""
    if channel.kind != "I" or channel.range <= 1:
        return 0
    needed = (int(channel.range) - 1).bit_length()
    return (1 << needed) - 1 if needed < channel.bits else 0
