"""The gate of each population of an openCyto template, and sentences for what has no equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import Gate, Not, Nothing
from cytoreg.gating.spec import GateSpec, drawn, parse_gate
from cytoreg.gating.template import ROOT
from cytoreg.interop.opencyto.gates import boolean_of, gates_of
from cytoreg.interop.opencyto.methods import family_of, one_axis, quadrants, several_axes
from cytoreg.interop.opencyto.r_objects import RSyntaxError
from cytoreg.interop.opencyto.rows import Node, Row
from cytoreg.yamlfile import YamlDocument

__all__ = ["SCALE", "Builder"]

# Of drawn gates: a template does not say the scale that it was drawn on; this is the usual one of its programs.
SCALE = {"logicle": {"T": 262144.0, "W": 0.5, "M": 4.5, "A": 0.0}}
BY_HAND = ("pp_cyto_gate_draw", "pp_gate_draw", "pp_gate_manual")


class Builder:
    """Makes the gates. lost: what could not be carried over. drawn: whether a gate is geometry of another program."""

    def __init__(self, nodes: Sequence[Node], ids: Sequence[str]) -> None:
        self.nodes = nodes
        self.ids = {node.path: key for node, key in zip(nodes, ids, strict=True)}
        self.lost: list[str] = []
        self.drawn = False

    def id_of(self, path: tuple[str, ...]) -> str:
        """The id of a population by its path; the root has the empty one."""
        return self.ids[path] if path else ROOT

    def spec(self, node: Node) -> GateSpec:
        """The gate of a population. Raises TemplateError with the row."""
        row = node.row
        self._preprocessing(row)
        try:
            if node.kind == "drawn":
                return self._drawn(node)
            if node.kind == "unknown":
                reason = f"{row.method or 'an empty gating_method'} of openCyto has no equal here"
                self._say(row, f"population {node.path[-1]!r}: {reason}; it is not placed")
                return GateSpec("not placed", geometry=Nothing(reason))
            return self._parsed(row, self._data(node))
        except RSyntaxError as problem:
            row.fail(f"gating_args: {problem}")

    def _data(self, node: Node) -> Any:
        """A gate as a template writes it."""
        row = node.row
        if node.owner is not None:
            return {"not": self.id_of(node.owner.path)}
        if node.kind == "boolean":
            said = self._boolean(row, boolean_of(row.text), node)
            return {"not": said} if node.signs == ("-",) else said
        if node.kind == "quadrant":
            said, left = quadrants(row.method, node.on, "".join(node.signs), row.arguments)
            self._left(row, left)
            return said
        if node.kind == "signs":
            parts = [self._signed(cut, sign) for cut, sign in zip(node.cuts, node.signs, strict=True)]
            return {"all": parts}
        if node.kind == "reference":
            return self._reference(node)
        if family_of(row.method) == "everything":
            return {"range": {"on": node.on[0]}}
        if node.kind == "cut":
            return self._cut(node, node.on[0], node.signs[0], None)
        return _negated(self._whole(node), node.signs[0])

    def _cut(self, node: Node, on: str, sign: str, source: str | None) -> Any:
        """The cut of a row on one axis; source: where it is placed, if not on the parent."""
        row, family = node.row, family_of(node.row.method)
        if family in ("boundary", "singlets"):
            if family == "singlets":
                row.fail("dims: singletGate needs two axes, found one")
            said, left = several_axes(family, (on,), row.arguments)
            self._left(row, left)
            return _negated(said, sign)
        by = self._by(row)
        keep = "above" if sign == "+" else "below"
        said, left = one_axis(family, on, keep, row.arguments, source, by)
        if family == "mixture" and "valley" in said:
            self._say(
                row, f"{row.method} on one axis, shared or referred to, becomes the valley between two peaks"
            )
            left = [item for item in left if not item.startswith("K =")]
        if family == "tail" and "tol" in row.arguments:
            self._say(
                row, f"{row.method}: the cut is 2.5 spreads from the mode, not where the density falls to tol"
            )
            left = [item for item in left if not item.startswith("tol =")]
        self._left(row, left)
        return said

    def _whole(self, node: Node) -> Any:
        said, left = several_axes(family_of(node.row.method), node.on, node.row.arguments)
        self._left(node.row, left)
        return said

    def _by(self, row: Row) -> str | None:
        if not row.collapse or row.group_by == "name":
            return None
        if row.group_by:
            self._say(row, f"samples grouped by {row.group_by!r}: the cut is placed in each sample by itself")
            return None
        self._say(row, "samples put together: the cut is that of the study (`by: study`), not of pooled events")
        return "study"

    def _signed(self, node: Node, sign: str) -> Any:
        return self.id_of(node.path) if sign == node.signs[0] else {"not": self.id_of(node.path)}

    def _reference(self, node: Node) -> Any:
        """refGate: the cuts of other populations, applied to this one's parent."""
        row, parent = node.row, node.path[:-1]
        found = [self._find(row, name, node) for name in row.text.split(":")]
        dims = row.dims or found[0].on
        if len(found) == 1 and len(dims) != 1:
            return _negated(self._elsewhere(found[0], parent, row), node.signs[0])
        if len(found) == 1 and len(found[0].on) == 1:
            return self._cut_of(found[0], dims[0], node.signs[0], parent)
        if len(found) != len(dims) or len(node.signs) != len(dims):
            row.fail(f"gating_args: {len(found)} references and {len(node.signs)} signs for {len(dims)} axes")
        parts = []
        for place, (dim, sign) in enumerate(zip(dims, node.signs, strict=True)):
            fits = [other for other in found if [name.casefold() for name in other.on] == [dim.casefold()]]
            parts.append(self._cut_of(fits[0] if fits else found[place], dim, sign, parent))
        return {"all": parts}

    def _cut_of(self, node: Node, dim: str, sign: str, parent: tuple[str, ...]) -> Any:
        """The cut of another population on one axis, for events of `parent`."""
        node = node.owner or node
        if node.path[:-1] == parent and node.kind in ("cut", "drawn", "reference"):
            return self._signed(node, sign)
        if node.kind == "drawn":
            return _negated(self._geometry(node).describe(), sign)
        if node.kind != "cut":
            node.row.fail(f"{node.path[-1]!r} is referred to for a cut on {dim}, and has none of its own")
        return self._cut(node, dim, sign, self.id_of(node.path[:-1]))

    def _elsewhere(self, node: Node, parent: tuple[str, ...], row: Row) -> Any:
        """A gate of several axes, for events of another population."""
        if node.kind == "drawn":
            return self._geometry(node).describe()
        if node.path[:-1] != parent:
            self._say(
                row, f"refGate of {node.path[-1]!r}: its events are taken, not its gate among those of the parent"
            )
        return self.id_of(node.path)

    def _boolean(self, row: Row, tree: Any, node: Node) -> Any:
        if isinstance(tree, str):
            return self.id_of(self._find(row, tree, node).path)
        kind, parts = tree
        inner = [self._boolean(row, part, node) for part in parts]
        return {"not": inner[0]} if kind == "not" else {kind: inner}

    def _find(self, row: Row, name: str, node: Node) -> Node:
        """A population by its name or path: beside this one, else the only one of that end."""
        steps = tuple(step for step in name.strip().split("/") if step and step != ROOT)
        beside = [other for other in self.nodes if other.path == (*node.path[:-1], *steps)]
        found = beside or [other for other in self.nodes if steps and other.path[-len(steps) :] == steps]
        found = [other for other in found if other.path != node.path]
        if not found:
            known = [other.path[-1] for other in self.nodes]
            row.fail(f"gating_args: unknown population {name.strip()!r}; {suggest(name.strip(), known)}")
        if len(found) > 1:
            choices = ", ".join("/".join(other.path) for other in found)
            row.fail(f"gating_args: {name.strip()!r} is one of {choices}; say which by its path")
        return found[0]

    def _drawn(self, node: Node) -> GateSpec:
        geometry = self._geometry(node)
        if not self.drawn:
            self._say(
                node.row, "drawn gates: the scale is not in the file; logicle T 262144, W 0.5, M 4.5, A 0 is taken"
            )
        self.drawn = True
        whole = Not(geometry) if node.signs == ("-",) else geometry
        return self._parsed(node.row, drawn(whole).describe())

    def _geometry(self, node: Node) -> Gate:
        row = node.row
        if "gate" not in row.arguments:
            row.fail(f"gating_args: {row.method} holds no gate")
        gates = gates_of(row.arguments["gate"], row.dims)
        if len(gates) != node.of:
            row.fail(f"gating_args: {len(gates)} gates for {node.of} populations ({row.alias})")
        return gates[node.place]

    def _parsed(self, row: Row, data: Any) -> GateSpec:
        spec = parse_gate(YamlDocument(row.where, data))
        if not isinstance(spec, GateSpec):
            raise TemplateError(f"{row.where}: expected one gate")
        return spec

    def _preprocessing(self, row: Row) -> None:
        if row.preprocessing and row.preprocessing not in BY_HAND:
            self._say(row, f"preprocessing by {row.preprocessing} is not carried over")

    def _left(self, row: Row, left: Sequence[str]) -> None:
        if left:
            self._say(row, f"{row.method}: {', '.join(left)} is not carried over")

    def _say(self, row: Row, sentence: str) -> None:
        whole = f"row {row.number} ({row.alias}): {sentence}"
        if whole not in self.lost:
            self.lost.append(whole)


def _negated(data: Any, sign: str) -> Any:
    return {"not": data} if sign == "-" else data
