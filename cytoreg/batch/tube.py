"""One tube in a worker process: open, bind, gate as far as settled cuts allow, and turn what was found into rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cytoreg.batch.sheet import Tube
from cytoreg.errors import CytoregError, FCSError
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample
from cytoreg.gating.binding import Choices, bind
from cytoreg.gating.engine import Placed, Proposal, one_pass
from cytoreg.gating.gate import events_of, lacking, names_its_marker
from cytoreg.gating.gates import Range
from cytoreg.gating.picture import pictures_of
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.quality import quality_of

__all__ = ["Job", "Outcome", "do_tube", "rows_of"]


@dataclass(frozen=True)
class Job:
    """What a worker needs to know: never who was given what, nor how they fared.

    siblings: full tubes of the same panel, which say on which channel an FMO control lacks its marker.
    against_flowkit: a full tube's concrete gates also go through FlowKit.
    """

    tube: Tube
    template: Template
    choices: Choices
    siblings: tuple[Path, ...] = ()
    settled: Mapping[str, Placed] = field(default_factory=dict)
    against_flowkit: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of one pass over one tube.

    error, stage: where it failed. placed, proposals: what was found so far while shared cuts are open.
    tables: name -> rows, gates and pictures, once the tube is done.
    """

    sample_id: str
    error: str = ""
    stage: str = ""
    placed: Mapping[str, Placed] = field(default_factory=dict)
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    tables: Mapping[str, Any] | None = None


def do_tube(job: Job) -> Outcome:
    """Gate one tube; a failure becomes an Outcome with one clear line."""
    stage = "read"
    try:
        sample = read_fcs(job.tube.path)
        stage = "gate"
        if job.tube.tube != "full" and not job.tube.tube.startswith("fmo:"):
            return Outcome(job.tube.sample_id, tables={"quality": [_quality_row(job.tube, sample, {}, {}, ())]})
        bound = bind(sample, job.template, _choices(job, sample))
        events = events_of(bound)
        found = one_pass(bound, events, tube=job.tube.tube, settled=job.settled, alone=False)
        if found.proposals:
            return Outcome(job.tube.sample_id, placed=found.placed, proposals=found.proposals)
        result = Result(bound, events, found)
        rows = rows_of(result, job.tube)
        if job.against_flowkit and job.tube.tube == "full":
            from cytoreg.interop.flowkit import compare

            rows["flowkit"] = [str(difference) for difference in compare(result)]
        return Outcome(job.tube.sample_id, tables=rows)
    except CytoregError as problem:
        return Outcome(job.tube.sample_id, error=str(problem), stage=stage)
    except MemoryError:
        return Outcome(job.tube.sample_id, error=f"{job.tube.file}: not enough memory", stage=stage)
    except Exception as problem:  # one sample's failure is a row, not a stop
        kind = f"{type(problem).__name__}: {problem}".splitlines()[0]
        return Outcome(
            job.tube.sample_id, error=f"{job.tube.file}: unexpected {kind} (please report this)", stage=stage
        )


def _choices(job: Job, sample: Sample) -> Choices:
    """The choices for a tube; a control that no longer names its marker asks the first full tube that opens."""
    if job.tube.tube == "full" or names_its_marker(job.tube.tube, sample, job.template, job.choices):
        return job.choices
    for path in job.siblings:
        try:
            return lacking(job.tube.tube, sample, read_fcs(path), job.template, job.choices)
        except FCSError:
            continue  # that tube is a failure of its own
    return job.choices


def rows_of(result: Result, tube: Tube) -> dict[str, Any]:
    """The rows that a gated tube adds to each table; a control adds to `quality` only."""
    identity = tube.identity
    raw = {axis.channel: result.events.raw(name) for name, axis in result.bound.axes.items()}
    doubts = [flag for name in result.names for flag in result.flags_of(name)]
    rows: dict[str, Any] = {"quality": [_quality_row(tube, result.bound.sample, raw, result.skipped, doubts)]}
    if tube.tube != "full":
        return rows
    rows["populations"] = [{**identity, **row} for row in result.rows()]
    rows["percentages"] = [
        {
            **identity,
            "percentage": share.text,
            "value": share.value,
            "count": share.count,
            "ancestor_count": share.ancestor_count,
            **{key: getattr(share, key) for key in _INTERVALS},
            "flags": ";".join(share.flags),
        }
        for share in result.percentages
    ]
    rows["intensities"] = [{**identity, **row} for row in _intensities(result)]
    rows["gates"] = {
        "sample_id": tube.sample_id,
        "panel": tube.panel,
        "template": result.bound.template.name,
        "gates": [_gate_row(result, name) for name in result.gates],
    }
    rows["pictures"] = {"sample_id": tube.sample_id, "panel": tube.panel, "pictures": pictures_of(result)}
    return rows


_INTERVALS = ("ci_low", "ci_high", "ci_count_low", "ci_count_high", "ci_gate_low", "ci_gate_high")


def _quality_row(
    tube: Tube, sample: Sample, raw: Mapping[Channel, Any], skipped: Mapping[str, str], doubts: Sequence[str]
) -> dict[str, Any]:
    quality = quality_of(sample, raw)
    return {
        **tube.identity,
        "tube": tube.tube,
        "batch": tube.batch,
        "file": tube.file,
        "events": quality.events,
        "events_removed": quality.events_removed,
        "removed_why": quality.removed_why,
        "margin_percent": quality.margin_percent,
        "margin_channel": quality.margin_channel,
        "problems": quality.problems,
        "skipped": "; ".join(f"{name} {why}" for name, why in skipped.items()),
        "flags": ";".join(dict.fromkeys((*quality.flags, *doubts))),
    }


def _gate_row(result: Result, name: str) -> dict[str, Any]:
    applied = result.gates[name]
    parts = applied.parts
    return {
        "population": result.bound.path(name),
        "gate": applied.gate.describe(),
        "axes": applied.axes,
        "method": ", ".join(dict.fromkeys(part.method for part in parts)) or "boolean",
        "source": ", ".join(dict.fromkeys(part.source for part in parts)),
        "scope": ", ".join(dict.fromkeys(part.scope for part in parts)),
        "fitted_on": max((part.fitted_on for part in parts), default=0),
        "reasons": [reason for part in parts for reason in part.reasons],
        "flags": list(result.flags_of(name)),
    }


def _intensities(result: Result) -> list[dict[str, Any]]:
    """Compensated linear intensities of each population on the markers that the template names."""
    wanted = result.bound.template.intensities
    axes = [axis for axis in wanted if axis in result.bound.axes]
    rows = []
    for name in result.names:
        node = result.nodes[name]
        for axis in axes:
            values = result.events.linear(node, axis)
            rows.append(
                {
                    "population": result.bound.path(name),
                    "marker": axis,
                    "channel": result.bound.axes[axis].channel.name,
                    "count": len(values),
                    **_summary(values),
                    "percent_above": _percent_above(result, name, axis),
                }
            )
    return rows


def _summary(values: np.ndarray) -> dict[str, float]:
    """Median, geometric mean (of values above 0), robust SD (half the 15.87 to 84.13 percentile range) and CV."""
    if not len(values):
        return dict.fromkeys(("median", "geometric_mean", "robust_sd", "robust_cv"), math.nan)
    low, middle, high = np.percentile(values, [15.87, 50, 84.13])
    positive = values[values > 0]
    spread = float(high - low) / 2
    return {
        "median": float(middle),
        "geometric_mean": float(np.exp(np.log(positive).mean())) if len(positive) else math.nan,
        "robust_sd": spread,
        "robust_cv": 100 * spread / float(middle) if middle > 0 else math.nan,
    }


def _percent_above(result: Result, name: str, axis: str) -> float:
    """Percent of a population above the first cut of the template that parts a marker's positive cells off."""
    cuts = [
        part.gate.min
        for applied in result.gates.values()
        for part in applied.parts
        if isinstance(part.gate, Range) and part.gate.on == (axis,) and math.isfinite(part.gate.min)
    ]
    node = result.nodes[name]
    if not cuts or not node.count:
        return math.nan
    return 100 * float(np.mean(result.events.display(node, axis) >= cuts[0]))
