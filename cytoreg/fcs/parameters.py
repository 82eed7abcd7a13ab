"""The channels of a data set, from their keywords $PnN, $PnS, $PnB, $PnR, $PnE, $PnG (FCS 3.1, section 3.2.20)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import isfinite

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Channel, Problem, quoted
from cytoreg.fcs.text import number

__all__ = ["TIME_NAMES", "find_channels"]

MOST_CHANNELS = 10_000
FLOAT_BITS = {"F": 32, "D": 64}
EXACT_BITS = 53  # of a 64-bit float
TIME_NAMES = frozenset({"time", "hdr-t", "hdr-tm"})


def find_channels(text: Mapping[str, str], version: str, where: str) -> tuple[tuple[Channel, ...], list[Problem]]:
    """The parameters of a data set, in order. Raises FCSError where a keyword is missing or wrong."""
    problems: list[Problem] = []
    par = number(text, "$PAR", where, required=True)
    if par is None or par < 1 or par != int(par) or par > MOST_CHANNELS:
        raise FCSError(f"{where}: keyword $PAR: expected a whole number of channels, found {quoted(text['$PAR'])}")
    mode = text.get("$MODE", "L").strip().upper() or "L"
    if mode != "L":
        raise FCSError(f"{where}: keyword $MODE is {quoted(mode)}: only list mode (L) is read, histograms are not")
    kind = text.get("$DATATYPE", "").strip().upper()
    if not kind:
        kind = "I"
        problems.append(Problem("$DATATYPE is absent", "TEXT", "integers were assumed", affects_numbers=True))
    own = [key for i in range(1, int(par) + 1) if (key := f"$P{i}DATATYPE") in text]
    if own and version != "FCS3.2":
        problems.append(
            Problem(f"{own[0]}, which FCS 3.2 brought, in a file of {version}", "TEXT", "it was not used", True)
        )
        own = []
    channels = []
    absent = [f"$P{i}E" for i in range(1, int(par) + 1) if f"$P{i}E" not in text]
    if absent:
        what = f"{absent[0]} is absent" + (f" and {len(absent) - 1} more $PnE" if len(absent) > 1 else "")
        problems.append(Problem(what, "TEXT", "linear amplifiers were assumed", affects_numbers=kind == "I"))
    for i in range(1, int(par) + 1):
        key = f"$P{i}DATATYPE"
        its_kind = text[key].strip().upper() if key in own else kind
        if its_kind not in ("I", "F", "D"):
            raise FCSError(
                f"{where}: $DATATYPE is {quoted(its_kind)}: expected I, F or D (ASCII values are not read)"
            )
        channels.append(_channel(text, i, its_kind, version, where, problems))
    twice = sorted(name for name, times in Counter(channel.name for channel in channels).items() if times > 1)
    if twice:
        problems.append(Problem(f"channel name {twice[0]!r} stands twice", "TEXT", "such channels go by number"))
    return tuple(channels), problems


def _channel(
    text: Mapping[str, str], i: int, kind: str, version: str, where: str, problems: list[Problem]
) -> Channel:
    key = f"$P{i}"
    if not any(f"{key}{letter}" in text for letter in "NBR"):
        raise FCSError(
            f"{where}: keyword $PAR is {quoted(text['$PAR'].strip())}, but TEXT does not describe channel {i}"
        )
    name = text.get(f"{key}N", "").strip()
    if not name:
        name = text.get(f"{key}S", "").strip() or f"P{i}"
        gained = text.get(f"{key}G", "").strip() not in ("", "1", "1.0")  # which a time channel does not use
        assumed = f"the channel is called {name[:40]!r}"
        optional = version in ("FCS2.0", "FCS3.0") and f"{key}N" not in text
        problems.append(Problem(f"{key}N is absent or blank", "TEXT", assumed, gained, is_departure=not optional))
    marker = text.get(f"{key}S", "").strip() or None
    if marker is not None and marker.casefold() == name.casefold():
        marker = None
    bits = _bits(text, key, kind, where, problems)
    top = number(text, f"{key}R", where)
    if top is None or not 0 < top < 1e300:
        top = float(2**bits) if kind == "I" else 262144.0
        problems.append(Problem(f"{key}R is not a positive number", "TEXT", f"{top:g} was assumed", True))
    elif kind == "I" and top > 2**bits:
        what = f"{key}R is {top:g}, more than {bits} bits can hold"
        logarithmic = text.get(f"{key}E", "0,0").strip() != "0,0"  # then the range is the amplifier's
        problems.append(Problem(what, "TEXT", "all bits were used", affects_numbers=logarithmic or bits % 8 > 0))
    elif kind == "I" and (top <= 1 < bits or top != int(top)):
        assumed = "all bits were used" if top <= 1 else "the bits up to it were used"
        problems.append(Problem(f"{key}R is {top:g} for {bits} bits", "TEXT", assumed, affects_numbers=True))
    if kind == "I" and bits > EXACT_BITS and top > 2**EXACT_BITS:
        what = f"channel {i} may hold integers above 2^{EXACT_BITS}, which no 64-bit float does exactly"
        problems.append(Problem(what, "TEXT", "the stored numbers (raw=True) are exact", is_departure=False))
    decades, offset = _amplifier(text, key, kind, problems)
    gain = number(text, f"{key}G", where, default=None if f"{key}G" in text else 1.0)
    if gain is None or gain <= 0:
        what = f"{key}G is {quoted(text.get(key + 'G', ''))}"
        problems.append(Problem(what, "TEXT", "a gain of 1 was assumed", True))
        gain = 1.0
    if decades and gain != 1.0:
        problems.append(Problem(f"{key}G beside a logarithmic amplifier", "TEXT", "the gain was not used"))
    if name.casefold() in TIME_NAMES and gain != 1.0:
        problems.append(
            Problem(f"{key}G of a time channel", "TEXT", "ticks were kept as stored", is_departure=False)
        )
    if decades or name.casefold() in TIME_NAMES:
        gain = 1.0  # a gain is defined for linear amplifiers only (3.2.20), and time has no amplifier
    return Channel(i - 1, name, marker, bits, top, gain, decades, offset, kind)


def _bits(text: Mapping[str, str], key: str, kind: str, where: str, problems: list[Problem]) -> int:
    bits = number(text, f"{key}B", where)
    if kind != "I":
        if bits != FLOAT_BITS[kind]:
            what = f"{key}B is {quoted(text.get(key + 'B', ''))} for type {kind}"
            problems.append(Problem(what, "TEXT", f"{FLOAT_BITS[kind]} bits were assumed", True))
        return FLOAT_BITS[kind]
    if bits is None or bits != int(bits) or not 1 <= bits <= 64:
        found = text.get(f"{key}B", "nothing")
        raise FCSError(f"{where}: keyword {key}B: expected a number of bits from 1 to 64, found {quoted(found)}")
    return int(bits)


def _amplifier(text: Mapping[str, str], key: str, kind: str, problems: list[Problem]) -> tuple[float, float]:
    """Decades and offset of $PnE; 0, 0 on a linear amplifier."""
    value = text.get(f"{key}E", "0,0").strip()
    if value == "0,0":
        return 0.0, 0.0
    if not value:
        problems.append(Problem(f"{key}E is blank", "TEXT", "a linear amplifier was assumed", kind == "I"))
        return 0.0, 0.0
    try:
        decades, offset = (float(part) for part in value.split(","))
    except ValueError:
        decades = offset = float("nan")
    if not (isfinite(decades) and isfinite(offset) and abs(decades) < 30 and abs(offset) < 1e9):
        problems.append(Problem(f"{key}E is {quoted(value)}", "TEXT", "a linear amplifier was assumed", True))
        return 0.0, 0.0
    if decades == 0:
        if offset != 0:
            problems.append(Problem(f"{key}E is {quoted(value)}", "TEXT", "a linear amplifier was assumed"))
        return 0.0, 0.0
    if kind != "I" or decades < 0:
        what = f"{key}E is {quoted(value)} for values of type {kind}"
        problems.append(Problem(what, "TEXT", "values are linear", True))
        return 0.0, 0.0
    if offset <= 0:
        what = "an offset of 0" if offset == 0 else f"an offset of {offset:g}"
        problems.append(
            Problem(f"{key}E has {what}", "TEXT", "1 was assumed, as FCS 3.1 tells readers to", offset < 0)
        )
        offset = 1.0
    return decades, offset
