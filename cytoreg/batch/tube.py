"""One tube in a worker process: open, bind, gate as far as settled cuts allow, and turn what was found into rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cytoreg.batch.sheet import TubeFile
from cytoreg.errors import CytoregError, FCSError
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample
from cytoreg.gating.binding import Choices, bind
from cytoreg.gating.engine import one_pass
from cytoreg.gating.gate import as_full, controls_of, events_of, replicates_of, scale_offers
from cytoreg.gating.gates import Range
from cytoreg.gating.picture import pictures_of
from cytoreg.gating.placed import Placed, Proposal
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.quality import Quality, quality_of
from cytoreg.transforms.choosing import Offer

__all__ = ["Job", "Outcome", "do_tube", "rows_of"]


@dataclass(frozen=True)
class Job:
    """What a worker needs to know: never whose tube it is, who was given what, nor how they fared.

    siblings: full tubes of the same panel, those of the same batch first, which say what a control leaves out: on
    which channel a marker is, and the matrix. against_flowkit: a full tube's concrete gates also go through FlowKit.
    offering: only tell what scales could be chosen from; nothing is gated.
    """

    tube: TubeFile
    template: Template
    choices: Choices
    siblings: tuple[Path, ...] = ()
    settled: Mapping[str, Placed] = field(default_factory=dict)
    against_flowkit: bool = False
    offering: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of one pass over one tube.

    error, stage: where it failed. placed, proposals: what was found so far while shared cuts are open. awaited: keys
    of shared cuts that the tube will propose later. scales: what it tells of scales that are to be chosen. tables: name -> rows, gates and pictures, once the tube is done.
    """

    sample_id: str
    error: str = ""
    stage: str = ""
    placed: Mapping[str, Placed] = field(default_factory=dict)
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    tables: Mapping[str, Any] | None = None
    scales: Mapping[str, Offer] = field(default_factory=dict)


def do_tube(job: Job) -> Outcome:
    """Gate one tube; a failure becomes an Outcome with one clear line."""
    stage = "read"
    try:
        sample = read_fcs(job.tube.path)
        stage = "gate"
        if job.tube.tube != "full" and job.tube.tube.partition(":")[0] not in controls_of(job.template):
            row = _quality_row(job.tube, quality_of(sample, {}), {}, ())
            return Outcome(job.tube.sample_id, tables={"quality": [row]})
        bound = bind(sample, job.template, _choices(job, sample))
        events = events_of(bound)
        if job.offering:
            return Outcome(job.tube.sample_id, scales=scale_offers(bound, events))
        found = one_pass(bound, events, tube=job.tube.tube, settled=job.settled, alone=False)
        replicates = replicates_of(bound, events, found, job.choices, job.tube.tube)
        if found.proposals:
            return Outcome(
                job.tube.sample_id, placed=found.placed, proposals=found.proposals, awaited=found.awaited
            )
        result = Result(bound, events, found, replicates)
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
    """The choices for a tube; what a control does not say itself is as in the first full tube that opens."""
    if job.tube.tube == "full":
        return job.choices
    for path in job.siblings:
        try:
            return as_full(job.tube.tube, sample, read_fcs(path), job.template, job.choices)
        except FCSError:
            continue  # that tube is a failure of its own
    return job.choices


def rows_of(result: Result, tube: TubeFile) -> dict[str, Any]:
    """The rows that a gated tube adds to each table; a control adds to `quality` only.

    A row says which sample it is of, and not whose: the runner adds that.
    """
    identity = {"sample_id": tube.sample_id}
    quality = result.events.quality
    # what stands in no unstained or isotype tube is no doubt about it
    gated = tube.tube == "full" or tube.tube.startswith("fmo:")
    doubts = [flag for name in result.names for flag in result.flags_of(name)] if gated else []
    scores = least_sure(result) if gated else (math.nan, "")
    row = _quality_row(tube, quality, result.skipped, doubts)
    rows: dict[str, Any] = {"quality": [row | {"score": scores[0], "least_sure": scores[1]}]}
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
    if result.bound.template.not_carried:
        rows["not_carried"] = list(result.bound.template.not_carried)
    rows["pictures"] = {"sample_id": tube.sample_id, "panel": tube.panel, "pictures": pictures_of(result)}
    if quality.course is not None:
        rows["pictures"]["course"] = quality.course
    return rows


_INTERVALS = ("ci_low", "ci_high", "ci_count_low", "ci_count_high", "ci_gate_low", "ci_gate_high")


def _quality_row(
    tube: TubeFile, quality: Quality, skipped: Mapping[str, str], doubts: Sequence[str]
) -> dict[str, Any]:
    return {
        "sample_id": tube.sample_id,
        "tube": tube.tube,
        "file": tube.file,
        "events": quality.events,
        "events_removed": quality.events_removed,
        "removed_why": quality.removed_why,
        "margin_percent": quality.margin_percent,
        "margin_channel": quality.margin_channel,
        "bottom_percent": quality.bottom_percent,
        "bottom_channel": quality.bottom_channel,
        "doublets_percent": quality.doublets_percent,
        "unsteady_percent": quality.unsteady_percent,
        "unsteady_channels": quality.unsteady_channels,
        "rate_percent": quality.rate_percent,
        "clog_percent": quality.clog_percent,
        "problems": quality.problems,
        "skipped": "; ".join(f"{name} {why}" for name, why in skipped.items()),
        "flags": ";".join(dict.fromkeys((*quality.flags, *doubts))),
    }


def least_sure(result: Result) -> tuple[float, str]:
    """The lowest score among the gates that were fitted, and the population; not-a-number where none was."""
    scores = [
        (part.score, result.bound.path(name))
        for name, applied in result.gates.items()
        for part in applied.parts
        if part.score is not None
    ]
    return min(scores, key=lambda item: item[0], default=(math.nan, ""))


def _gate_row(result: Result, name: str) -> dict[str, Any]:
    applied = result.gates[name]
    parts = applied.parts
    return {
        "population": result.bound.path(name),
        "population_id": name,
        "gate": applied.gate.describe(),
        "axes": applied.axes,
        "method": ", ".join(dict.fromkeys(part.method for part in parts)) or "boolean",
        "source": ", ".join(dict.fromkeys(part.source for part in parts)),
        "scope": ", ".join(dict.fromkeys(part.scope for part in parts)),
        "fitted_on": max((part.fitted_on for part in parts), default=0),
        "score": min((part.score for part in parts if part.score is not None), default=None),
        "reasons": [reason for part in parts for reason in part.reasons],
        "flags": list(result.flags_of(name)),
        "parts": [part_row(part) for part in parts],
    }


def part_row(part: Placed) -> dict[str, Any]:
    """One placed part of a gate as `gates.json` says it; an open end of an interval is null."""
    said: dict[str, Any] = {
        "method": part.method,
        "source": part.source,
        "scope": part.scope,
        "gate": part.gate.describe(),
        "fitted_on": part.fitted_on,
        "score": part.score,
        "reasons": list(part.reasons),
        "flags": list(part.flags),
    }
    if part.interval is not None:
        said["interval"] = [limit if math.isfinite(limit) else None for limit in part.interval]
    if part.steps:
        said["steps"] = list(part.steps)
    if part.own is not None:
        said["own"] = part.own.describe()
    if part.group is not None:
        group = {key: value for key, value in asdict(part.group).items() if value not in ("", ())}
        said["group"] = {key: list(value) if isinstance(value, tuple) else value for key, value in group.items()}
    return said


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
