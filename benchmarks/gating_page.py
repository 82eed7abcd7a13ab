"""The part of `docs/explanation/speed.md` on gating, made from `benchmarks/results/gating.csv` and `gating_aims.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

__all__ = ["AIMS", "GATING", "AimRow", "GatingRow", "render"]

RESULTS = Path(__file__).parent / "results"
GATING, AIMS = RESULTS / "gating.csv", RESULTS / "gating_aims.csv"


@dataclass(frozen=True)
class GatingRow:
    """A way to gate the files of a case: median milliseconds; FlowKit's time over its own; its own over readinto's."""

    case: str
    way: str
    rounds: int = 0
    milliseconds: float = 0.0
    flowkit: float | None = None
    flowkit_low: float | None = None
    flowkit_high: float | None = None
    plain: float | None = None
    plain_low: float | None = None
    plain_high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class AimRow:
    """An aim, and what was found."""

    what: str
    found: str
    met: bool


def render(rows: Sequence[GatingRow], aims: Sequence[AimRow], setting: str) -> dict[str, str]:
    """Markdown of each part on gating that figures stand in."""
    lines = ["| aim | found | |", "| --- | --- | --- |"]
    lines += [f"| {aim.what} | {aim.found} | {'met' if aim.met else '**missed**'} |" for aim in aims]
    blocks = []
    for case, ways in groupby(rows, key=lambda row: row.case):
        block = [f"**{case}**", "", "| way | FlowKit takes so many times as long | times readinto | rounds |"]
        block.append("| --- | --- | --- | --- |")
        for row in ways:
            name = f"{row.way} ({row.note})" if row.note else row.way
            block.append(
                f"| {name} | {_spread(row.flowkit, row.flowkit_low, row.flowkit_high)} "
                f"| {_spread(row.plain, row.plain_low, row.plain_high)} | {row.rounds or ''} |"
            )
        blocks.append("\n".join(block))
    return {
        "gating aims": "\n".join(lines),
        "gating setting": f"The run: {setting}.",
        "gating times": "\n\n".join(blocks),
    }


def _spread(median: float | None, low: float | None, high: float | None) -> str:
    if median is None or low is None or high is None:
        return ""
    if low == high:
        return _number(median)
    return f"{_number(median)} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
