"""Names, paths and ids of populations: how a path is written and read, and ids for trees that repeat names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["PART", "RESERVED", "escape", "ids_of", "path_of", "steps_of", "template_name"]

RESERVED = ("root", "total")
PART = "\x1f"  # parts a population's id from the number of a part of its gate; no id may hold it


def escape(name: str) -> str:
    r"""A name as a step of a path.

    >>> print(escape("CD4/CD8"))
    CD4\/CD8
    """
    return name.replace("\\", "\\\\").replace("/", "\\/")


def path_of(names: Sequence[str]) -> str:
    """Names from the first step down, as one path."""
    return "/".join(map(escape, names))


def steps_of(path: str) -> tuple[str, ...]:
    r"""The names in a path; a name that ends a path is a path too.

    >>> steps_of(r"T/CD4\/CD8")
    ('T', 'CD4/CD8')
    """
    pieces = re.findall(r"((?:\\.|[^\\/]|\\$)*)(/|$)", path)
    steps = [piece for piece, _ in pieces[: 1 + sum(end == "/" for _, end in pieces)]]
    return tuple(re.sub(r"\\(.)", r"\1", step) for step in steps)


def template_name(text: str) -> str:
    """A name that a template may have, as like the text as can be: letters, digits and `_ . + -`.

    >>> template_name("My study (2)")
    'My_study_2_'
    """
    return re.sub(r"[^\w.+-]+", "_", text) or "template"


def ids_of(paths: Sequence[Sequence[str]]) -> list[str]:
    """An id for each population of a tree: its name where no other has it, else the shortest end of its path.

    paths: the names from the first step down, one sequence a population. Of two with the same whole path the
    second gets ` (2)`.

    >>> ids_of([["T"], ["T", "CD4"], ["B"], ["B", "CD4"]])
    ['T', 'T/CD4', 'B', 'B/CD4']
    """
    longest = max((len(path) for path in paths), default=0)
    found: list[str | None] = [None] * len(paths)
    for length in range(1, longest + 1):
        ends = [path_of(path[-length:]) for path in paths]
        counts = Counter(ends)
        for i, end in enumerate(ends):
            if found[i] is None and (counts[end] == 1 or length >= len(paths[i])):
                found[i] = end
        if all(item is not None for item in found):
            break
    ids: list[str] = []
    taken = set(RESERVED)
    for whole in found:
        base = (whole or "population").replace(" % of ", " %of ").replace(PART, " ")
        one, number = base, 1
        while one in taken:
            number += 1
            one = f"{base} ({number})"
        taken.add(one)
        ids.append(one)
    return ids
