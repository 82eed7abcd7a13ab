"""The rows of an openCyto template, and the populations that they stand for, as plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from cytoreg.errors import TemplateError
from cytoreg.interop.opencyto.r_objects import RCall, RSyntaxError, parse_arguments

__all__ = ["COLUMNS", "Node", "Row", "shortened"]

COLUMNS = ("alias", "pop", "parent", "dims", "gating_method", "gating_args")
EMPTY = ("", "NA")
LONGEST_MESSAGE = 400
TEXT_ARGUMENTS = ("boolgate", "refgate", "dummy", "dummy_gate")
# Methods that draw a gate by hand: openCyto's own, and those of CytoExploreR and of its forerunners.
DRAWN = (
    "cyto_gate_draw",
    "gate_draw",
    "gt_gate_draw",
    "drawgate",
    "gate_manual",
    "gate_manual_draw",
    "cyto_gate_manual",
)


def shortened(text: str) -> str:
    """A message as one line; a damaged file may hold names of a page."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 4]} ..."


@dataclass(frozen=True)
class Row:
    """One row. where: `file, row N`. arguments: of gating_args by name, where they are R and not populations."""

    where: str
    number: int
    alias: str
    pop: str
    parent: str
    dims: tuple[str, ...]
    method: str
    text: str
    arguments: Mapping[str, Any]
    collapse: bool = False
    group_by: str = ""
    preprocessing: str = ""

    @classmethod
    def of(cls, where: str, number: int, said: Mapping[str, str]) -> Row:
        """A row from its cells by column. Raises TemplateError where gating_args is not R."""

        def cell(name: str) -> str:
            value = " ".join(said.get(name, "").split())  # a name is one line
            return "" if value in EMPTY else value

        method, text = cell("gating_method"), cell("gating_args")
        arguments: dict[str, Any] = {}
        if text and method.casefold() not in TEXT_ARGUMENTS:
            try:
                arguments = {key or str(place): value for place, (key, value) in enumerate(parse_arguments(text))}
            except RSyntaxError as problem:
                raise TemplateError(f"{where}, gating_args: cannot be read: {shortened(str(problem))}") from None
        return cls(
            where,
            number,
            cell("alias"),
            cell("pop") or "+",
            cell("parent"),
            tuple(dim.strip() for dim in cell("dims").split(",") if dim.strip()),
            method,
            text,
            arguments,
            cell("collapseDataForGating").casefold() in ("true", "t", "1"),
            cell("groupBy"),
            cell("preprocessing_method"),
        )

    @property
    def is_drawn(self) -> bool:
        """Whether the row holds its gate, or should."""
        return self.method.casefold() in DRAWN or isinstance(self.arguments.get("gate"), RCall)

    def fail(self, message: str) -> NoReturn:
        """Raise TemplateError about this row."""
        raise TemplateError(f"{self.where}, {shortened(message)}")


@dataclass(frozen=True)
class Node:
    """A population of a row. path: names from the first step down.

    kind: how its gate comes about (`cut`, `whole`, `signs`, `quadrant`, `reference`, `boolean`, `drawn`, `unknown`). signs: of each
    axis, or of the gate. dims: in place of the row's. owner: the population whose complement this is. cuts: those
    that `signs` combine. place, of: which of several gates in one row.
    """

    row: Row
    path: tuple[str, ...]
    kind: str
    signs: tuple[str, ...] = ("+",)
    dims: tuple[str, ...] = ()
    owner: Node | None = None
    cuts: tuple[Node, ...] = ()
    place: int = 0
    of: int = 1

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of its gate."""
        return self.dims or self.row.dims
