"""FlowJo's exported table: a row a sample, columns such as `Lymphocytes/CD4+ | Freq. of Parent (%)` and `... | Count`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cytoreg.errors import LinkError
from cytoreg.tables.imported.grid import Grid

__all__ = ["SUMMARY_ROWS", "Asked", "is_flowjo", "statistics_of"]

SUMMARY_ROWS = ("mean", "sd", "cv", "median", "geometric mean", "min", "max")  # what FlowJo puts below the samples
STATISTIC = re.compile(
    r"^(?P<path>.*?)\s*\|\s*(?P<what>Count|Freq\. of (?P<of>[^|]+?))\s*(?:\(%\))?$", re.IGNORECASE
)
RELATIVE = {"parent": 1, "grandparent": 2}


@dataclass(frozen=True)
class Asked:
    """A percentage of the table: the column of its value, and those of its two counts where there are any.

    again: columns that say the same percentage in other words, as `Freq. of Parent` and `Freq. of CD4+` of one population.
    """

    name: str
    value: int
    count: int | None
    of: int | None
    again: tuple[int, ...] = ()


def is_flowjo(grid: Grid) -> bool:
    """Whether some column is a frequency or count as FlowJo writes them."""
    return any(STATISTIC.match(title) for title in grid.titles)


def statistics_of(grid: Grid) -> tuple[list[Asked], list[str]]:
    """The percentages of a table, named as here (`CD25+ % of CD4+`), and the titles of columns that are something else.

    A frequency of total is of `root`. Where two populations have one name in different places, their paths are the
    names. Raises LinkError for a frequency of an ancestor that is not on the path, and a title that is there twice.
    """
    counts: dict[str, int] = {}
    wanted: list[tuple[int, str, str]] = []
    others: list[str] = []
    for place, title in enumerate(grid.titles):
        found = STATISTIC.match(title)
        if not found:
            if "|" in title:
                others.append(title)
            continue
        path = found["path"].strip("/ ")
        if found["of"] is None:
            counts[path] = place
        else:
            wanted.append((place, path, _ancestor(grid, place, path, found["of"].strip())))
    return list(_named(grid, wanted, counts)), others


def _ancestor(grid: Grid, place: int, path: str, of: str) -> str:
    steps = _steps(path)
    if of.casefold() == "total":
        return ""
    up = RELATIVE.get(of.casefold())
    if up is not None:
        return "/".join(steps[: max(len(steps) - up, 0)])
    for end in range(len(steps) - 1, 0, -1):
        if steps[end - 1] == of or "/".join(steps[:end]) == of:
            return "/".join(steps[:end])
    raise LinkError(f"{grid.place(1, place)}: '{of}' is not above '{path}'")


def _named(grid: Grid, wanted: list[tuple[int, str, str]], counts: Mapping[str, int]) -> Iterator[Asked]:
    paths = {path for _, path, _ in wanted} | set(counts) | {above for _, _, above in wanted if above}
    ends: dict[str, set[str]] = {}
    for path in paths:
        ends.setdefault(_last(path), set()).add(path)
    asked: dict[str, Asked] = {}
    for place, path, above in wanted:
        name, ancestor = (_last(p) if p and len(ends[_last(p)]) == 1 else p for p in (path, above))
        text = f"{name} % of {ancestor or 'root'}"
        first = asked.get(text)
        if first is None:
            asked[text] = Asked(text, place, counts.get(path), counts.get(above))
        elif any(grid.titles[place] == grid.titles[other] for other in (first.value, *first.again)):
            raise LinkError(f"{grid.place(1, place)}: '{text}' stands in {grid.place(1, first.value)} already")
        else:
            asked[text] = replace(first, again=(*first.again, place))
    yield from asked.values()


def _steps(path: str) -> list[str]:
    """The populations of a path; a slash within a name is doubled or has a backslash before it."""
    return [step.replace("\x1f", "/") for step in path.replace("\\/", "\x1f").replace("//", "\x1f").split("/")]


def _last(path: str) -> str:
    return _steps(path)[-1] if path else ""
