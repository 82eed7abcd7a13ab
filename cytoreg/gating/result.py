"""What gating one sample gave: counts, percentages with their intervals, masks, and the gates applied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.binding import Bound
from cytoreg.gating.engine import Pass, Placed, unplaced
from cytoreg.gating.events import Events
from cytoreg.gating.gates import Gate
from cytoreg.gating.naming import PART, steps_of
from cytoreg.gating.template import ROOT
from cytoreg.gating.uncertainty import Limits, limits

if TYPE_CHECKING:
    import pandas as pd

    from cytoreg.gating.uncertainty.bootstrap import Replicates

__all__ = ["AppliedGate", "Percentage", "Result"]

FAILED = 0.1  # of the replicates
COUNTED = ("below_lod", "below_lloq", "unsteady")


@dataclass(frozen=True)
class Percentage:
    """A population in percent of one above it, with 95 % limits.

    ci_low, ci_high: counting and gate placement together. ci_count_*: counting alone (Wilson). ci_gate_*:
    placement alone, by the bootstrap; not-a-number where no gate on the way was fitted, or without a bootstrap:
    together is then counting.
    """

    text: str
    value: float
    count: int
    ancestor_count: int
    ci_low: float
    ci_high: float
    ci_count_low: float
    ci_count_high: float
    ci_gate_low: float
    ci_gate_high: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class AppliedGate:
    """A concrete gate of a sample: its geometry and what each automatic part of it was placed on."""

    population: str
    gate: Gate
    parts: tuple[Placed, ...]
    axes: Mapping[str, Mapping[str, Any]]


class Result:
    """The gated sample. The engine's own arrays; DataFrames are built when they are asked for."""

    def __init__(self, bound: Bound, events: Events, found: Pass, replicates: Replicates | None = None) -> None:
        self.bound = bound
        self.events = events
        self.nodes = found.nodes
        self._applied = found.applied
        self._placed = found.placed
        self.replicates = replicates
        self.names = tuple(name for name in bound.parents if name in found.nodes)

    def __repr__(self) -> str:
        return f"<Result {self.bound.sample.name}: {len(self.names)} populations by {self.bound.template.name}>"

    @property
    def n_events(self) -> int:
        """Events of the file."""
        return self.bound.sample.n_events

    @property
    def skipped(self) -> Mapping[str, str]:
        """Steps that the panel did not allow, and why."""
        return self.bound.skipped

    @cached_property
    def gates(self) -> dict[str, AppliedGate]:
        """The concrete gates that were applied, by the id of their population."""
        gates = {}
        for name in self.names:
            if name in self._applied:
                gate = self._applied[name]
                axes = {axis: self.bound.axes[axis].describe() for axis in gate.on if axis in self.bound.axes}
                gates[name] = AppliedGate(name, gate, self._parts(name), axes)
        return gates

    def count(self, name: str) -> int:
        """Events in a population, by its id, name or path; `root` or `total` is the whole file, what was left out too."""
        return self.n_events if name in (ROOT, "total") else self.nodes[self.resolve(name)].count

    def mask(self, population: str) -> npt.NDArray[np.bool_]:
        """One bool per event of the file. Any suffix of a path that is unique will do."""
        mask = np.zeros(self.n_events, dtype=bool)
        mask[self.nodes[self.resolve(population)].index] = True
        return mask

    def resolve(self, population: str) -> str:
        """The id of a population given by id, name, path, or unique end of a path."""
        if population in ("root", "total"):
            return ROOT
        if population in self.nodes:
            return population
        wanted = steps_of(population)
        found = [key for key in self.names if self._steps(key)[-len(wanted) :] == wanted]
        if len(found) == 1:
            return found[0]
        sample = self.bound.sample.name
        if len(found) > 1:
            choices = ", ".join(self.bound.path(key) for key in found)
            raise TemplateError(f"{sample}: population {population!r} is one of {choices}; say which by its path")
        if population in self.bound.skipped:
            raise TemplateError(
                f"{sample}: population {population!r} was skipped: it {self.bound.skipped[population]}"
            )
        known = [self.bound.path(key) if "/" in population else self.bound.name(key) for key in self.names]
        raise TemplateError(f"{sample}: no population {population!r}; {suggest(population, known, limit=30)}")

    def _steps(self, key: str) -> tuple[str, ...]:
        return tuple(self.bound.name(step) for step in self.bound.line(key))

    def flags_of(self, name: str) -> tuple[str, ...]:
        """Doubts about a population's own gate, and about the steps above it (`above:`)."""
        own = [flag for part in self._parts(name) for flag in part.flags]
        if self._unplaced(name):
            own.append("not_placed")
        parent = self.bound.parents.get(name, ROOT)
        if parent != self.bound.template.populations[name].parent and name != self.bound.start:
            own.append("step_skipped")
        if self.count(parent) == 0:
            own.append("empty_parent")
        return tuple(dict.fromkeys(own))

    def percent(self, text: str) -> Percentage:
        """`Tregs % of CD4+`: any population in any above it, whatever stands between."""
        name, separator, of = text.partition(" % of ")
        if not separator:
            raise TemplateError(f"expected 'POPULATION % of ANCESTOR', found {text!r}")
        for word in (name, of):
            if word in self.bound.skipped:
                return Percentage(text, *_nothing(), flags=("not_in_panel",))
        return self.share(self.resolve(name), self.resolve(of), text)

    def share(self, child: str, ancestor: str, text: str = "") -> Percentage:
        """A population in percent of one above it, both by id. Raises TemplateError where it is not above."""
        text = text or f"{self.bound.name(child)} % of {self.bound.name(ancestor)}"
        line = [child]
        while line[-1] != ROOT:
            line.append(self.bound.parents[line[-1]])
        if ancestor not in line[1:]:
            above = ", ".join(self.bound.name(step) for step in line[1:])
            raise TemplateError(
                f"{self.bound.name(ancestor)!r} does not stand above {self.bound.name(child)!r}; above it are {above}"
            )
        flags = tuple(dict.fromkeys(flag for step in line if step != ROOT for flag in self.flags_of(step)))
        if any(self._unplaced(step) for step in line[: line.index(ancestor)]):
            return Percentage(text, *_nothing(), flags=flags)
        count, total = self.count(child), self.count(ancestor)
        value = 100 * count / total if total else math.nan
        found = self._limits(child, ancestor, count, total)
        flags = (*flags, *self._few(count), *self._unsteady(line))
        return Percentage(text, value, count, total, *found.both, *found.count, *found.gate, flags)

    def _limits(self, child: str, ancestor: str, count: int, total: int) -> Limits:
        again = self.replicates
        if again is None or child not in again.fitted:
            return limits(count, total)
        counts = again.counts[child]
        totals = np.full(again.b, total) if ancestor == ROOT else again.counts[ancestor]
        placed = (counts >= 0) & (totals >= 0)
        sways, step = np.zeros(again.b), child
        while step != ancestor:
            sways = sways + again.sways.get(step, 0.0)
            step = self.bound.parents[step]
        return limits(count, total, counts[placed], totals[placed], sways[placed])

    def _few(self, count: int) -> tuple[str, ...]:
        """Whether too few events were counted to say that there are any, or how many."""
        if count < self.bound.lod:
            return ("below_lod",)
        return ("below_lloq",) if count < self.bound.lloq else ()

    def _unsteady(self, line: list[str]) -> tuple[str, ...]:
        """Whether a gate on the way could not be placed in many of the replicates."""
        again = self.replicates
        failed = again is not None and any(again.failed(step) > FAILED for step in line)
        return ("unsteady",) if failed else ()

    @property
    def percentages(self) -> list[Percentage]:
        """Those that the template's `report` asks for; what a start further down leaves out is left out."""
        known = {*self.names, *self.bound.skipped, ROOT, "total"}
        asked = [text.partition(" % of ") for text in self.bound.template.report]
        return [self.percent(f"{name} % of {of}") for name, _, of in asked if name in known and of in known]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the `populations` table, without the columns that say which sample it is."""
        rows = []
        for name in self.names:
            parent = self.bound.parents[name]
            share = self.share(name, parent)
            total = self.share(name, ROOT).value
            above = [flag for step in self.bound.line(name)[:-1] for flag in self.flags_of(step)]
            here = [flag for flag in share.flags if flag in COUNTED]
            flags = (*self.flags_of(name), *here, *dict.fromkeys(f"above:{flag}" for flag in above))
            rows.append(
                {
                    "population": self.bound.path(name),
                    "population_id": f"{self.bound.template.name}:{name}",
                    "name": self.bound.name(name),
                    "count": self.count(name),
                    "parent": "" if parent == ROOT else self.bound.path(parent),
                    "parent_count": self.count(parent),
                    "percent_parent": share.value,
                    "percent_total": total,
                    "ci_low": share.ci_low,
                    "ci_high": share.ci_high,
                    "ci_count_low": share.ci_count_low,
                    "ci_count_high": share.ci_count_high,
                    "ci_gate_low": share.ci_gate_low,
                    "ci_gate_high": share.ci_gate_high,
                    "cells_per_ul": math.nan,
                    "flags": ";".join(flags),
                }
            )
        return rows

    @property
    def populations(self) -> pd.DataFrame:
        """A row a population: path, count, percent of parent and of total, intervals, flags."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def _parts(self, name: str) -> tuple[Placed, ...]:
        return self._placed_of.get(name, ())

    @cached_property
    def _placed_of(self) -> dict[str, tuple[Placed, ...]]:
        """The parts of each population's gate that were placed."""
        found: dict[str, tuple[Placed, ...]] = {}
        for key, placed in self._placed.items():
            name = key.partition(PART)[0]
            found[name] = (*found.get(name, ()), placed)
        return found

    def _unplaced(self, name: str) -> bool:
        return name in self._applied and unplaced(self._applied[name], self._applied)


def _nothing() -> tuple[float, int, int, float, float, float, float, float, float]:
    nan = math.nan
    return nan, 0, 0, nan, nan, nan, nan, nan, nan
