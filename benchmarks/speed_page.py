"""The tables of `docs/explanation/speed.md`, made from what `benchmarks/results/` holds: `python -m benchmarks.speed_page`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import UnionType
from typing import Any, get_type_hints

from benchmarks import gating_page
from benchmarks.gating_page import AIMS, GATING, AimRow, GatingRow
from benchmarks.readers import ALL, ONE

__all__ = ["MEMORY", "PAGE", "TIMES", "Aim", "MemoryRow", "TimeRow", "aims", "read_rows", "render", "update"]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "speed.md"
TIMES = ROOT / "benchmarks" / "results" / "reading.csv"
MEMORY = ROOT / "benchmarks" / "results" / "reading_memory.csv"


@dataclass(frozen=True)
class TimeRow:
    """A reader on the files of a case: median milliseconds; ratios to the plain read and to cytoreg, all channels."""

    case: str
    reader: str
    rounds: int = 0
    milliseconds: float = 0.0
    plain: float = 0.0
    plain_low: float = 0.0
    plain_high: float = 0.0
    cytoreg: float = 0.0
    cytoreg_low: float = 0.0
    cytoreg_high: float = 0.0
    equal: bool = False
    note: str = ""


@dataclass(frozen=True)
class MemoryRow:
    """Peak memory of a read in MB; least: that of the values asked for. limit: the aim, where there is one."""

    case: str
    what: str
    resident_mb: float
    traced_mb: float
    least_mb: float
    limit_mb: float | None = None

    @property
    def within(self) -> bool:
        """Whether both measures keep the aim."""
        return self.limit_mb is None or max(self.resident_mb, self.traced_mb) <= self.limit_mb


@dataclass(frozen=True)
class Aim:
    """One of the aims the reader was given, and what was found."""

    what: str
    found: str
    met: bool


def aims(times: Sequence[TimeRow], memory: Sequence[MemoryRow]) -> list[Aim]:
    """The aims for float files, by the medians; those of which nothing was measured are left out."""
    found = {(row.case, row.reader): row for row in times if row.equal}
    listed = []
    for case in dict.fromkeys(row.case for row in times if row.case.startswith("float")):
        for reader, what, ratio, aim in (
            (ALL, "all events in at most 1.5 times the plain read", "plain", -1.5),
            (ONE, "one channel of 20 in at most 0.6 of the time of all", "cytoreg", -0.6),
            ("fcsparser", "at least 5 times faster than fcsparser", "cytoreg", 5),
            ("FlowKit", "at least 40 times faster than FlowKit", "cytoreg", 40),
        ):
            row = found.get((case, reader))
            if row and (case, ALL) in found:
                value = getattr(row, ratio)
                listed.append(Aim(f"{case}: {what}", _number(value), value <= -aim if aim < 0 else value >= aim))
    for line in memory:
        if line.limit_mb is not None:
            most = max(line.resident_mb, line.traced_mb)
            text = (
                f"{line.case}: {line.what} in at most twice its size and a block of 1 MB: {line.limit_mb:.1f} MB"
            )
            listed.append(Aim(text, f"{most:.1f} MB", line.within))
    return listed


def render(times: Sequence[TimeRow], memory: Sequence[MemoryRow], setting: str) -> dict[str, str]:
    """Markdown of each part of the page that figures stand in."""
    lines = ["| aim | found | |", "| --- | --- | --- |"]
    lines += [
        f"| {aim.what} | {aim.found} | {'met' if aim.met else '**missed**'} |" for aim in aims(times, memory)
    ]
    tables = {"aims": "\n".join(lines)}
    blocks = []
    for case, rows in groupby(times, key=lambda row: row.case):
        lines = [
            f"**{case}**",
            "",
            "| reader | times the plain read | times cytoreg | rounds |",
            "| --- | --- | --- | --- |",
        ]
        for row in rows:
            lines.append(_time_line(row))
        blocks.append("\n".join(lines))
    tables["times"] = "\n\n".join(blocks)
    lines = ["| file | read | the values | resident | traced |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row.case} | {row.what} | {row.least_mb:.1f} MB | {row.resident_mb:.1f} MB | {row.traced_mb:.1f} MB |"
        for row in memory
    ]
    tables["memory"] = "\n".join(lines)
    tables["setting"] = f"The run: {setting}."
    return tables


def update() -> None:
    """Put the figures of `benchmarks/results/` in the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def filled(page: str) -> str:
    """The page with the figures of `benchmarks/results/` between its marks."""
    times, setting = read_rows(TIMES, TimeRow)
    memory, _ = read_rows(MEMORY, MemoryRow)
    gating, gating_setting = read_rows(GATING, GatingRow)
    gating_aims, _ = read_rows(AIMS, AimRow)
    parts = {**render(times, memory, setting), **gating_page.render(gating, gating_aims, gating_setting)}
    for part, text in parts.items():
        begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"{PAGE.name}: expected {begin.strip()} and {end} once each")
        page = f"{page.partition(begin)[0]}{begin}\n{text}\n\n{end}{page.partition(end)[2]}"
    return page


def read_rows(path: Path, kind: Any) -> tuple[list[Any], str]:
    """Rows of a results file as they were kept, and the line above them: when, on what, which versions."""
    types = get_type_hints(kind)
    with path.open(encoding="utf-8", newline="") as file:
        setting = file.readline().removeprefix("#").strip()
        rows = [
            kind(**{name: _cell(cell, types[name]) for name, cell in row.items()}) for row in csv.DictReader(file)
        ]
    return rows, setting


def _cell(cell: str, kind: Any) -> Any:
    if kind is bool:
        return cell == "True"
    if isinstance(kind, UnionType):  # a number or nothing
        return float(cell) if cell else None
    return kind(cell)


def _time_line(row: TimeRow) -> str:
    if not row.equal:
        return f"| {row.reader or 'skipped'} | {row.note} | | |"
    name = f"{row.reader} ({row.note})" if row.note else row.reader
    return (
        f"| {name} | {_spread(row.plain, row.plain_low, row.plain_high)} "
        f"| {_spread(row.cytoreg, row.cytoreg_low, row.cytoreg_high)} | {row.rounds} |"
    )


def _spread(median: float, low: float, high: float) -> str:
    if low == high:
        return _number(median)
    return f"{_number(median)} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    update()
