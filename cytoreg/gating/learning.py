"""A gate learned from a sample: drawn there, or from labels, and written into the template with where its parent's cells
lie, so that the method `reference` can carry it to other samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.gating.binding import Choices
from cytoreg.gating.gate import gate
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle
from cytoreg.gating.learned_shapes import best_shape, f1_of
from cytoreg.gating.methods._em import fit_mixture, thinned
from cytoreg.gating.methods._landmarks import landmarks_of
from cytoreg.gating.spec import GateSpec, parse_gate
from cytoreg.gating.template import ROOT, Population, Template
from cytoreg.yamlfile import YamlDocument

__all__ = ["Learned", "learn_gate", "learn_prior"]

_NONE = Template("", {})
ALIGN = ("peaks", "shift", "quantiles", "none")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Learned:
    """The template with the gate as `reference`, and how well the gate fits what it was learned from.

    shape: of the gate. parent_count: events of the parent. members: labelled events in it; outside: labelled events
    that lie in none of its events. f1: of the gate on the sample itself; f1_validated: by cross-validation; both
    not-a-number for a drawn gate.
    """

    template: Template
    shape: str
    parent_count: int
    members: int = 0
    outside: int = 0
    f1: float = float("nan")
    f1_validated: float = float("nan")


def learn_gate(
    sample: Sample,
    template: Template,
    population: str,
    members: Mask | None = None,
    *,
    on: Sequence[str] = (),
    parent: str | None = None,
    shape: str = "auto",
    align: str = "peaks",
    choices: Choices | None = None,
) -> Learned:
    """The template in which one population's gate is a `reference` of this sample.

    members: (n_events,) which events of the file belong to it; without them its gate is drawn in the template. on: its
    axes; else those of its gate where that is drawn, else of its picture. parent: another parent than the
    template's. shape: `auto`, `rectangle`, `ellipse` or `polygon`. align: as the method `reference` takes it.
    Raises TemplateError.
    """
    if population not in template.populations:
        raise TemplateError(f"learn: no population {population!r}; {suggest(population, template.populations)}")
    if align not in ALIGN:
        raise TemplateError(f"learn: unknown align {align!r}; there are: {', '.join(ALIGN)}")
    said = template.populations[population]
    above = said.parent if parent is None else parent
    if above != ROOT and (above not in template.populations or above == population):
        known = [ROOT, *(key for key in template.populations if key != population)]
        raise TemplateError(f"learn: no parent {above!r} for {population}; {suggest(above, known)}")
    axes = _axes(said, tuple(on), drawn=members is None)
    index, columns, good = _cells(sample, template, population, above, axes, choices)
    inner = [column[good] for column in columns]
    for axis, column in zip(axes, inner, strict=True):
        if not len(column) or np.ptp(column) == 0:
            raise TemplateError(f"learn: {sample.name}: {above} has no events with two values on {axis}")
    if members is None:
        geometry = said.gate.geometry
        assert geometry is not None  # _axes has looked
        learned = Learned(template, geometry.kind, len(index))
    else:
        geometry, learned = _from_labels(sample, members, index, good, axes, inner, shape)
        learned = replace(learned, template=template, parent_count=len(index))
    where = {
        axis: {"peaks": _short(marks.peaks), "main": _short([marks.main])[0], "quantiles": _short(marks.quantiles)}
        for axis, column in zip(axes, inner, strict=True)
        for marks in [landmarks_of(column)]
    }
    asked = {
        "on": axes[0] if len(axes) == 1 else list(axes),
        "gate": _without_axes(geometry),
        "landmarks": where,
        "align": align,
        "sample": sample.name,
    }
    made = replace(said, parent=above, gate=_spec({"reference": asked}), plot=said.plot or axes[:2])
    others = [item for key, item in template.populations.items() if key != population]
    return replace(learned, template=template.with_populations([*others, made]))


def learn_prior(
    samples: Sequence[Sample],
    template: Template,
    population: str,
    *,
    strength: float = 0.2,
    choices: Choices | None = None,
) -> Learned:
    """The template in which the mixture of a population expects what it finds in some samples, pooled.

    Each sample counts the same, whatever number of events it has. strength: how much the expectation weighs, as a share of
    a tube's events. Raises TemplateError where the population's gate is no mixture, or it cannot be fitted.
    """
    if population not in template.populations:
        raise TemplateError(f"learn: no population {population!r}; {suggest(population, template.populations)}")
    said = template.populations[population]
    params = said.gate.params
    if said.gate.kind != "mixture":
        raise TemplateError(f"learn: the gate of {population} is {said.gate.kind!r}; a prior is for a mixture")
    if not samples:
        raise TemplateError("learn: no samples to learn a prior from")
    pooled, count = [], 0
    for sample in samples:
        index, columns, good = _cells(sample, template, population, said.parent, params.axes, choices)
        count += len(index)
        if int(good.sum()) < params.min_events:
            raise TemplateError(f"learn: {sample.name}: {int(good.sum())} events, needs {params.min_events}")
        pooled.append(thinned([column[good] for column in columns]))
    least = min(map(len, pooled))
    events = np.concatenate([part[np.linspace(0, len(part) - 1, least).astype(np.intp)] for part in pooled])
    df = params.df if params.family == "t" else np.inf
    found = fit_mixture(events[np.lexsort(events.T)], params.components, df)
    if found is None or not found.settled:
        raise TemplateError(f"learn: the mixture of {population} cannot be fitted to these samples")
    prior = {
        "means": [_short(mean) for mean in found.means.tolist()],
        "covariances": [[_short(row) for row in matrix] for matrix in found.covariances.tolist()],
        "weights": _short(found.weights.tolist()),
        "strength": strength,
    }
    asked = said.gate.describe()
    asked["mixture"]["prior"] = prior
    made = replace(said, gate=_spec(asked))
    others = [item for key, item in template.populations.items() if key != population]
    return Learned(template.with_populations([*others, made]), "prior", count)


def _cells(
    sample: Sample, template: Template, population: str, above: str, axes: tuple[str, ...], choices: Choices | None
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.float64]], Mask]:
    """The events that a population is cut from: positions, display values of some axes, and which are numbers.

    The sample is gated down to the parent only: what the population was before does not matter. Raises TemplateError
    where the parent needs the population itself.
    """
    if _needs(template, above, population):
        raise TemplateError(f"learn: {above} needs {population}, which cannot be learned in it")
    said = template.populations[population]
    look = replace(said, parent=above, gate=_spec(_everything(axes)), requires=axes)
    kept = [item for key, item in template.populations.items() if _needs(template, above, key)]
    result = gate(
        sample,
        replace(template, report=()).with_populations([*kept, look]),
        replace(choices or Choices(), bootstrap=0),
    )
    node = result.nodes[result.resolve(above)]
    columns = [result.events.display(node, axis) for axis in axes]
    good = np.logical_and.reduce([np.isfinite(column) for column in columns])
    return node.index, columns, good


def _from_labels(
    sample: Sample,
    members: Mask,
    index: npt.NDArray[np.int64],
    good: Mask,
    axes: tuple[str, ...],
    columns: list[npt.NDArray[np.float64]],
    shape: str,
) -> tuple[Gate, Learned]:
    """The gate, and how it fits; the rest of what was learned is filled in later."""
    members = np.asarray(members)
    if members.dtype != np.bool_ or members.shape != (sample.n_events,):
        raise TemplateError(
            f"learn: {sample.name}: expected one true or false for each of {sample.n_events} events, "
            f"found {members.dtype} of shape {members.shape}"
        )
    here = members[index][good]
    geometry, validated = best_shape(axes, columns, here, shape)
    found = geometry.contains(columns)  # type: ignore[union-attr]
    held = int(here.sum())
    outside = int(members.sum()) - held
    return geometry, Learned(_NONE, geometry.kind, 0, held, outside, f1_of(found, here), validated)


def _axes(said: Population, on: tuple[str, ...], *, drawn: bool) -> tuple[str, ...]:
    shape = said.gate.geometry
    if drawn:
        if not isinstance(shape, Range | Rectangle | Polygon | Ellipse):
            raise TemplateError(
                f"learn: the gate of {said.id} is not drawn in the template; draw it there, or say which events "
                "are its members"
            )
        if on and tuple(on) != shape.on:
            raise TemplateError(f"learn: the gate of {said.id} is drawn on {', '.join(shape.on)}")
        return shape.on
    axes = on or (shape.on if shape is not None else ()) or said.plot or said.gate.on
    if not axes:
        raise TemplateError(f"learn: {said.id} has neither a picture nor axes; say on which to learn it")
    if len(set(axes)) < len(axes):
        raise TemplateError(f"learn: an axis is named twice: {', '.join(axes)}")
    return tuple(axes)


def _needs(template: Template, key: str, population: str) -> bool:
    """Whether a population is another, or hangs on it or refers to it, or to one that does."""
    waiting, asked = [key], set()
    while waiting:
        step = waiting.pop()
        if step == population:
            return True
        if step == ROOT or step in asked:
            continue
        asked.add(step)
        item = template.populations[step]
        waiting.extend((item.parent, *item.gate.populations()))
    return False


def _spec(data: dict[str, object]) -> GateSpec:
    spec = parse_gate(YamlDocument("learn", data))
    assert isinstance(spec, GateSpec)  # neither shape is a quadrant
    return spec


def _short(numbers: Sequence[float]) -> list[float]:
    """To seven digits, far below what a landmark is sure to."""
    return [float(f"{number:.7g}") for number in numbers]


def _everything(axes: tuple[str, ...]) -> dict[str, object]:
    open_sides = [None] * len(axes)
    return {"rectangle": {"on": list(axes), "min": open_sides, "max": open_sides}}


def _without_axes(geometry: Gate) -> dict[str, object]:
    said: dict[str, dict[str, object]] = geometry.describe()  # type: ignore[assignment]
    (kind, inner), *_ = said.items()
    return {kind: {key: value for key, value in inner.items() if key != "on"}}
