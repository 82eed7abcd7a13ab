"""The gates that were applied to a sample, as a template that gates it again without any method."""

from __future__ import annotations

from cytoreg.compensation import Compensation, Matrix
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.engine import unplaced
from cytoreg.gating.events import Axis
from cytoreg.gating.result import Result
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import ROOT, Population, Template

__all__ = ["concrete_template"]


def concrete_template(result: Result) -> Template:
    """Every population of a gated sample with the geometry that was placed, on axes that name the file's channels.

    Applied to the same file it gives the same events. A population whose gate could not be placed is not in it,
    nor is what stands below one or refers to one; of a file exported from a population (`start`), that is the
    root.
    """
    bound = result.bound
    gates = {key: applied.gate for key, applied in result.gates.items()}
    populations: dict[str, Population] = {}
    for key in result.names:
        if key not in gates or unplaced(gates[key], gates):
            continue
        spec = drawn(gates[key])
        parent = bound.parents[key] if bound.parents[key] != bound.start else ROOT
        if any(other not in populations for other in (parent, *spec.populations()) if other != ROOT):
            continue
        said = bound.template.populations[key]
        plot = tuple(axis for axis in said.plot if axis in bound.axes)
        populations[key] = Population(key, parent, spec, name=said.name, plot=plot, meaning=said.meaning)
    used = dict.fromkeys(axis for item in populations.values() for axis in (*item.gate.axes(), *item.plot))
    matrices: dict[str, Matrix] = {}
    axes = {name: _stated(bound.axes[name], matrices, result) for name in used}
    report = tuple(
        text
        for text in bound.template.report
        if all(word in (*populations, ROOT, "total") for word in text.split(" % of "))
    )
    return Template(
        name=bound.template.name,
        populations=populations,
        description=bound.template.description,
        reference=bound.template.reference,
        validation=bound.template.validation,
        compensation="none",
        axes=axes,
        matrices=matrices,
        rule=bound.rule,
        remove=bound.remove,
        report=report,
        intensities=tuple(axis for axis in bound.template.intensities if axis in axes),
        where=bound.template.where,
    )


def _stated(axis: Axis, matrices: dict[str, Matrix], result: Result) -> AxisSpec:
    ratio = axis.spec.ratio if axis.spec is not None else None
    return AxisSpec(
        name=axis.name,
        channel=None if ratio else axis.wanted[0],
        ratio=Ratio((axis.wanted[0], axis.wanted[1]), ratio.A, ratio.B, ratio.C) if ratio else None,
        compensation=_compensation(axis.compensation, matrices, result),
        transform=axis.transform,
        exact=True,
        bins=axis.spec.bins if axis.spec else 256,
        low=axis.spec.low if axis.spec else None,
        high=axis.spec.high if axis.spec else None,
        kept=axis.spec.kept if axis.spec else None,
    )


def _compensation(used: Compensation | None, matrices: dict[str, Matrix], result: Result) -> str:
    """`none`, `from_file`, or the name of a matrix that is put among those of the template."""
    if used is None:
        return "none"
    if used.name == "from_file":
        return used.name
    name = used.name or "matrix"
    while name in ("none", "from_file"):
        name += " "
    detectors = tuple(result.bound.sample.channels[index].name for index in used.indices)
    matrices[name] = Matrix(name, detectors, used.fluorochromes, tuple(map(tuple, used.matrix.tolist())))
    return name
