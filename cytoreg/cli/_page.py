"""The page of `cytoreg inspect`: a Description as plain text of at most 100 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence

from cytoreg.fcs.channel import Problem
from cytoreg.fcs.describe import Acquisition, ChannelFacts, Description, Matrix
from cytoreg.fcs.fluorochrome import without_pulse

__all__ = ["WIDTH", "page"]

WIDTH = 100
LARGEST_TABLE = 12  # fluorochromes; of more, the largest coefficients are listed
LISTED = 10
_LABEL = 15
_OF_CHANNEL = re.compile(r"\$P\d+[A-Z]*")
_SHORTER = {  # for the heads of narrow columns
    r"alexa( fluor)?™? ?": "AF",
    r"bd horizon ": "",
    r"brilliant violet ?": "BV",
    r"pacific (blue?|or)\w*": r"Pac\1",
    r"percp-cy5[-.]?5": "PCP5.5",
    r"texas red": "TR",
    r"qdot ?": "Qd",
}
_KINDS = {"scatter": "(scatter)", "time": "(time)", "other": "(other)"}


def page(
    found: Description,
    *,
    panel: Mapping[str, int] | None = None,
    keywords: tuple[Mapping[str, str], Sequence[str]] | None = None,
) -> str:
    """All of a data set. panel: marker -> channel number. keywords: those to list, names of those held back."""
    parts = [
        _head(found, panel or {}),
        _channels(found.channels),
        _spillover(found.spillover),
        _problems(found),
    ]
    if keywords is not None:
        parts.append(_keywords(*keywords))
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts) + "\n"


def _head(found: Description, panel: Mapping[str, int]) -> list[str]:
    title = found.file
    if found.datasets > 1:
        title += f", data set {found.dataset} of {found.datasets} (counted from 0; --dataset shows another)"
    lines = [*textwrap.wrap(title, WIDTH), "=" * min(WIDTH, len(title))]
    version = re.sub(r"^FCS(?=\d)", "FCS ", found.version)
    lines += _entry("format", f"{version}, {found.storage}")
    lines += _entry("instrument", found.instrument or "not said")
    if found.software:
        lines += _entry("software", found.software)
    lines += _entry("acquired", _when(found.acquisition))
    lines += _entry("events", f"{found.events:,}")
    stains = sum(channel.kind in ("fluorescence", "mass") for channel in found.channels)
    what = "isotopes" if any(channel.kind == "mass" for channel in found.channels) else "fluorescence"
    lines += _entry("channels", f"{len(found.channels)}, {stains} of {what}")
    known = [f"{marker} #{number}" for marker, number in panel.items() if not re.match("FSC|SSC|Time", marker)]
    lines += _entry("known markers", ", ".join(known) or "none: templates need --channel MARKER=CHANNEL")
    checksum = {True: "agrees with the data", False: "!! does not agree with the data: the file is damaged"}
    if found.crc_matches is not None:
        lines += _entry("checksum", checksum[found.crc_matches])
    return lines


def _entry(label: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=" " * _LABEL)


def _when(acquired: Acquisition) -> str:
    times = " to ".join(time for time in (acquired.begin, acquired.end) if time)
    said = ", ".join(part for part in (acquired.date, times) if part) or "not said"
    channel, clock = acquired.time_channel_seconds, acquired.clock_seconds
    if channel is not None and clock is not None and abs(channel - clock) > max(2, 0.1 * clock):
        return f"{said}: {_duration(clock)} by the clock, {_duration(channel)} by the time channel"
    seconds = clock if channel is None else channel
    return said if seconds is None else f"{said} ({_duration(seconds)})"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min" + (f" {rest} s" if not hours and rest else "")


def _channels(channels: Sequence[ChannelFacts]) -> list[str]:
    """A table; what is the same for every channel is said once below it."""
    columns = {
        "#": [str(channel.number) for channel in channels],
        "channel": [channel.name for channel in channels],
        "marker": [_marker(channel) for channel in channels],
        "fluorochrome": [channel.fluorochrome or "" for channel in channels],
    }
    if all(channel.kind != "fluorescence" for channel in channels if channel.fluorochrome):
        columns["isotope"] = columns.pop("fluorochrome")
    details = {
        "volts": [f"{channel.voltage:g}" if channel.voltage is not None else "" for channel in channels],
        "gain": [f"{channel.gain:g}" for channel in channels],
        "amplifier": [_amplifier(channel) for channel in channels],
        "range": [f"{channel.range:,.0f}" for channel in channels],
        "bits": [str(channel.bits) for channel in channels],
    }
    same = {name: cells[0] for name, cells in details.items() if len(set(cells)) == 1}
    columns |= {name: cells for name, cells in details.items() if name not in same}
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    lines = _table(columns, left={"channel", "marker", "fluorochrome", "isotope", "amplifier"})
    words = [f"amplifier {same['amplifier']}"] if "amplifier" in same else []
    words += [f"gain {same['gain']}"] if "gain" in same else []
    words += [f"range {same['range']}"] if "range" in same else []
    words += [f"{same['volts']} volts" if same["volts"] else "no voltage given"] if "volts" in same else []
    return lines + ([f"every channel: {', '.join(words)}"] if words else [])


def _marker(channel: ChannelFacts) -> str:
    marker = channel.marker or channel.analyte or ""
    return f"{marker} {_KINDS.get(channel.kind, '')}".strip()


def _amplifier(channel: ChannelFacts) -> str:
    if channel.amplifier == "linear":
        return "linear"
    return f"log, {channel.decades:g} decades from {channel.offset:g}"


def _table(columns: Mapping[str, Sequence[str]], left: set[str]) -> list[str]:
    """Aligned columns; the widest of the text columns give way until a line fits."""
    widths = {name: max(len(name), *map(len, cells)) for name, cells in columns.items()}
    while sum(widths.values()) + 2 * (len(widths) - 1) > WIDTH:
        widest = max((name for name in widths if name in left), key=widths.__getitem__)
        widths[widest] -= 1
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    lines = []
    for row in rows:
        cells = [_short(cell, widths[name]) for name, cell in zip(columns, row, strict=True)]
        lines.append(
            "  ".join(
                f"{cell:<{widths[name]}}" if name in left else f"{cell:>{widths[name]}}"
                for name, cell in zip(columns, cells, strict=True)
            )
        )
    return [lines[0], "-" * min(WIDTH, sum(widths.values()) + 2 * (len(widths) - 1)), *lines[1:]]


def _short(text: str, width: int) -> str:
    """A text cut in its middle: detectors and pulses differ at the end."""
    if len(text) <= width:
        return text
    head = max(1, (width - 1) * 2 // 3)
    tail = width - 1 - head
    return text[:head] + "…" + (text[-tail:] if tail > 0 else "")


def _spillover(matrix: Matrix | None) -> list[str]:
    if matrix is None:
        return ["Spillover: none in the file"]
    size = f"{len(matrix.channels)} x {len(matrix.channels)}"
    if matrix.identity:
        return [f"Spillover: the file holds no compensation ({matrix.source}, {size}, is the identity)"]
    if len(matrix.channels) > LARGEST_TABLE:
        return _largest(matrix, size)
    label = min(22, max(len(name) for name in matrix.channels)) + 4
    width = min(11, (WIDTH - label) // len(matrix.channels))
    dyes = [without_pulse(name) for name in matrix.channels]
    if len(set(dyes)) < len(dyes):  # areas and heights of the same detectors
        dyes = list(matrix.channels)
    header = "".join(f"{_abbreviated(dye, width - 1):>{width}}" for dye in dyes)
    numbers = "".join(f"{f'#{number}':>{width}}" for number in matrix.numbers)
    lines = [
        f"Spillover ({matrix.source}), percent of each fluorochrome (row) seen in each detector (column)",
        " " * label + header,
        " " * label + numbers,
    ]
    for i, row in enumerate(matrix.matrix):
        name = f"{matrix.numbers[i]:>3} {_short(matrix.channels[i], label - 4)}"
        cells = "".join(f"{_percent(value):>{width}}" for value in row)
        lines.append(f"{name:<{label}}{cells}")
    return lines


def _abbreviated(dye: str, width: int) -> str:
    """A dye's name in few letters: as laboratories shorten it, then without what joins its parts."""
    if len(dye) > width:
        for long, short in _SHORTER.items():
            dye = re.sub(long, short, dye, flags=re.IGNORECASE)
    if len(dye) > width:
        dye = re.sub(r"[\s_-]", "", dye)
    return _short(dye, width)


def _percent(coefficient: float) -> str:
    """A coefficient in percent; exactly nothing is a dot, so that what there is stands out."""
    percent = 100 * coefficient
    if percent == 0:
        return "."
    if 0 < percent < 0.05:
        return "<0.1"
    return f"{percent:.0f}" if percent == 100 else f"{percent:.1f}"


def _largest(matrix: Matrix, size: str) -> list[str]:
    """The strongest pairs of a matrix that no page has room for."""
    pairs = [(value, i, j) for i, row in enumerate(matrix.matrix) for j, value in enumerate(row) if i != j]
    pairs = sorted((pair for pair in pairs if pair[0]), key=lambda pair: -abs(pair[0]))
    odd = [matrix.channels[i] for i, row in enumerate(matrix.matrix) if row[i] != 1]
    lines = [
        f"Spillover ({matrix.source}), {size}, the largest of {len(pairs)} pairs that are not zero, in percent"
        " (all: --json)"
    ]
    if len(pairs) <= LISTED:
        lines = [f"Spillover ({matrix.source}), {size}, every pair that is not zero, in percent"]
    for value, i, j in pairs[:LISTED]:
        source, detector = (f"{matrix.channels[k]} (#{matrix.numbers[k]})" for k in (i, j))
        lines.append(f"{_percent(value):>7}  of {_short(source, 36)} in {_short(detector, 36)}")
    if odd:
        lines += textwrap.wrap(f"not 100 % in their own detector: {', '.join(odd)}", WIDTH)
    return lines


def _problems(found: Description) -> list[str]:
    if not found.problems:
        return ["Problems: none"]
    grave = sum(problem.affects_numbers for problem in found.problems)
    count = f"Problems: {len(found.problems)}"
    lines = [f"{count}, of which {grave} may affect numbers (!!)" if grave else f"{count}, none affects a number"]
    for problem, likewise in _together(found.problems):
        sign = "!! " if problem.affects_numbers else "-  "
        text = f"{problem.where}: {problem.what}; {problem.assumed}" + (
            f"; likewise {likewise}" if likewise else ""
        )
        text = "".join(c if c.isprintable() else "?" for c in text)
        lines += textwrap.wrap(text, WIDTH, initial_indent=sign, subsequent_indent="   ")
    return lines


def _together(problems: Sequence[Problem]) -> list[tuple[Problem, str]]:
    """The first of all problems that differ only in whose channel they are, and the keywords of the others."""
    alike: dict[tuple[str, str, str, bool], list[tuple[Problem, str]]] = {}
    for problem in problems:
        key = _OF_CHANNEL.search(problem.what)
        what = _OF_CHANNEL.sub("$Pn", problem.what, count=1)
        same = alike.setdefault((what, problem.where, problem.assumed, problem.affects_numbers), [])
        same.append((problem, key.group() if key else ""))
    merged = []
    for same in alike.values():
        others = [key for _, key in same[1:] if key]
        more = f" and {len(others) - LISTED} more" if len(others) > LISTED else ""
        merged.append((same[0][0], ", ".join(others[:LISTED]) + more))
    return merged


def _keywords(shown: Mapping[str, str], held_back: Sequence[str]) -> list[str]:
    width = min(24, max((len(key) for key in shown), default=0))
    lines = ["Technical keywords"]
    for key, value in shown.items():
        room = WIDTH - width - 2
        lines.append(f"{_short(key, width):<{width}}  {_short(value, room)}")
    if held_back:
        lines += ["", f"{len(held_back)} other keywords, whose values are not shown since they may name a person"]
        lines += textwrap.wrap("; ".join(held_back), WIDTH, break_on_hyphens=False)
    return lines
