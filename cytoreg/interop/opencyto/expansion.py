"""openCyto gating templates (CSV) in, with the gates that CytoExploreR writes into them.

Finak G et al. PLoS Comput Biol 2014;10:e1003806, and openCyto's own description of the columns. A row is expanded as
openCyto does it: `+/-` into two populations, a pattern of two axes into a cut on each and their combinations.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.naming import ids_of, template_name
from cytoreg.gating.template import LONGEST_LINE, ROOT, Population, Template
from cytoreg.interop.opencyto.build import SCALE, Builder
from cytoreg.interop.opencyto.methods import family_of
from cytoreg.interop.opencyto.rows import COLUMNS, Node, Row, shortened

__all__ = ["read"]

MOST_ROWS = 5_000


def read(path: Path) -> tuple[Template, list[str]]:
    """The template of a CSV file, and what could not be carried over.

    Raises TemplateError with file, row (the first below the header is row 2) and column.
    """
    path = Path(path)
    rows = _rows(path)
    nodes: list[Node] = []
    for row in rows:
        for parent in [part.strip() for part in row.parent.split(",")]:
            _expand(row, _parent(row, parent, nodes), nodes)
    ids = ids_of([node.path for node in nodes])
    builder = Builder(nodes, ids)
    populations = [
        Population(key, builder.id_of(node.path[:-1]) if len(node.path) > 1 else ROOT, spec, name=node.path[-1])
        for key, node in zip(ids, nodes, strict=True)
        if (spec := builder.spec(node)) is not None
    ]
    template = Template(
        template_name(path.stem),
        {},
        description="openCyto gating template",
        transforms={"default": SCALE} if builder.drawn else {},
        where=str(path),
        not_carried=tuple(builder.lost),
    )
    return template.with_populations(populations), builder.lost


def _rows(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TemplateError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise TemplateError(f"{path}: cannot be read as text ({problem})") from None
    try:
        table = list(csv.reader(io.StringIO(text), strict=False))
    except csv.Error as problem:
        raise TemplateError(f"{path}: not a CSV table: {problem}") from None
    if not table or not any(cell.strip() for cell in table[0]):
        raise TemplateError(f"{path}: expected a row of column names, found none")
    header = [cell.strip() for cell in table[0]]
    for column in COLUMNS:
        if column not in header:
            raise TemplateError(f"{path}: {shortened(f'no column {column!r}; {suggest(column, header)}')}")
    if len(table) > MOST_ROWS:
        raise TemplateError(f"{path}: more than {MOST_ROWS} rows")
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            raise TemplateError(f"{path}, row {number}: {len(cells)} cells, the header has {len(header)}")
        said = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        rows.append(Row.of(f"{path}, row {number}", number, said))
    if not rows:
        raise TemplateError(f"{path}: holds no row below the header")
    return rows


def _parent(row: Row, said: str, nodes: Sequence[Node]) -> tuple[str, ...]:
    steps = [step for step in said.split("/") if step]
    if steps[:1] == ["root"]:
        steps = steps[1:]
    if not steps:
        if not said:
            row.fail("parent: expected a population or root, found nothing")
        return ()
    whole = [node for node in nodes if list(node.path) == steps]
    found = whole or [node for node in nodes if list(node.path[-len(steps) :]) == steps]
    if not found:
        row.fail(f"parent: unknown population {said!r}; {suggest(said, [node.path[-1] for node in nodes])}")
    if len(found) > 1:
        choices = ", ".join("/".join(node.path) for node in found)
        row.fail(f"parent: {said!r} is one of {choices}; say which by its path")
    return found[0].path


_SIGN = r"\+/-|-/\+|\+|-"


def _signs(row: Row) -> list[str]:
    """The sign of each axis, or one for the gate: `+`, `-` or `+/-`. Names in old patterns (`CD4+`) are left out."""
    pattern = row.pop
    for dim in sorted(row.dims, key=len, reverse=True):
        pattern = re.sub(re.escape(dim), "", pattern, flags=re.IGNORECASE)
    found = re.findall(_SIGN, pattern)
    if not re.fullmatch(f"({_SIGN})*", pattern) and len(found) > max(len(row.dims), 1):
        found = found[-len(row.dims) :] if row.dims else found[-1:]
    if len(found) > 2 or (len(found) == 2 and len(row.dims) != 2):
        row.fail(f"pop: {row.pop!r} does not fit {len(row.dims)} axes; expected such as +, -, +/-, ++ or +/-+/-")
    return ["+/-" if sign == "-/+" else sign for sign in found] or ["+"]


# The order in which openCyto's quadrant methods give their four gates.
_QUADRANTS = (("-", "+"), ("+", "+"), ("+", "-"), ("-", "-"))


def _expand_quadrants(row: Row, add: Callable[..., Node]) -> None:
    """The four populations of a quadrant method: called as in `alias`, with commas, else after the axes."""
    if len(row.dims) != 2:
        row.fail(f"dims: {row.method} needs two axes, found {len(row.dims)}")
    names = [name.strip() for name in row.alias.split(",")]
    if len(names) not in (1, 4):
        row.fail(f"alias: {len(names)} names for the four parts of {row.method}")
    for place, signs in enumerate(_QUADRANTS):
        own = "".join(f"{dim}{sign}" for dim, sign in zip(row.dims, signs, strict=True))
        add(names[place] if len(names) == 4 else own, "quadrant", signs=signs)


def _expand(row: Row, parent: tuple[str, ...], nodes: list[Node]) -> None:
    """Add the populations of one row."""
    family = family_of(row.method)
    if len(parent) >= LONGEST_LINE:
        row.fail(f"parent: more than {LONGEST_LINE} gates in a row")

    def add(name: str, kind: str, **more: Any) -> Node:
        if not name:
            row.fail("alias is required and is not there")
        node = Node(row, (*parent, name), kind, **more)
        if any(other.path == node.path for other in nodes):
            row.fail(f"alias: there is a population {name!r} below {'/'.join(parent) or ROOT} already")
        nodes.append(node)
        return node

    if family == "everything" and any(node.path == (*parent, row.alias) for node in nodes):
        return  # CytoExploreR lists again, as dummies, the populations of a gate that gives several
    if family == "boolean":
        add(row.alias, "boolean", signs=(("-",) if row.pop.endswith("-") else ("+",)))
        return
    if not row.dims and family != "reference":
        row.fail(f"dims: {row.method or 'a gate'} needs one axis or two, found none")
    if len(row.dims) > 2:
        row.fail(f"dims: expected one axis or two, found {len(row.dims)}")
    if row.pop == "*" and family != "quadrants":
        names = [name.strip() for name in row.alias.split(",")]
        for place, name in enumerate(names):
            add(name, "drawn" if row.is_drawn else "unknown", place=place, of=len(names))
        return
    if family == "quadrants":
        _expand_quadrants(row, add)
        return
    signs = ["+/-", "+/-"] if row.pop == "*" else _signs(row)
    if row.is_drawn or not family:
        add(row.alias, "drawn" if row.is_drawn else "unknown", signs=(signs[0],))
        return
    choices = [("+", "-") if sign == "+/-" else (sign,) for sign in signs]
    several = any(len(choice) > 1 for choice in choices) or row.alias == "*"
    if len(signs) == 1:
        stem = row.dims[0] if len(row.dims) == 1 else row.alias
        kind = "reference" if family == "reference" else "cut" if len(row.dims) == 1 else "whole"
        first: Node | None = None
        for sign in choices[0]:
            node = add(f"{stem}{sign}" if several else row.alias, kind, signs=(sign,), owner=first)
            first = first or (node if several else None)
        return
    cuts: tuple[Node, ...] = ()
    if family != "reference":
        known = {node.path: node for node in nodes}
        cuts = tuple(
            known.get((*parent, f"{dim}+")) or add(f"{dim}+", "cut", signs=("+",), dims=(dim,)) for dim in row.dims
        )
    for combination in product(*choices):
        name = "".join(f"{dim}{sign}" for dim, sign in zip(row.dims, combination, strict=True))
        add(name if several else row.alias, "reference" if not cuts else "signs", signs=combination, cuts=cuts)
