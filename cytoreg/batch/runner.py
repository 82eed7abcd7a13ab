"""Gates many tubes over processes. Cuts that tubes share are settled between passes; one failure is one row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cytoreg.batch.doubt import mark_far, mark_like_control
from cytoreg.batch.sheet import Tube
from cytoreg.batch.tube import Job, Outcome, do_tube
from cytoreg.gating.binding import Choices
from cytoreg.gating.placed import Placed, Proposal
from cytoreg.gating.scales import auto_axes, choose_scales, with_scales
from cytoreg.gating.shared import settle_each
from cytoreg.gating.template import Template
from cytoreg.transforms.choosing import Offer

__all__ = ["Gated", "Progress", "gate_tubes", "usable_cores"]

Progress = Callable[[int, int, str], None]
MOST_SIBLINGS = 20
Group = tuple[str, str, str, str]  # panel, key of the cut, kind of scope, which of that kind


@dataclass(frozen=True)
class Gated:
    """tables: sample id -> rows by table. failures: rows of the `failures` table."""

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: Sequence[Mapping[str, str]] = ()


def usable_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gate_tubes(
    tubes: Sequence[Tube],
    templates: Mapping[str, Template],
    choices: Mapping[str, Choices],
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    against_flowkit: bool = False,
) -> Gated:
    """Gate tubes, each with its panel's template. choices: by sample id.

    jobs: processes, as many as there are processors where it is not given. The result does not depend on
    their number, nor on the order of the tubes. against_flowkit: a full tube's tables also hold `flowkit`, a sentence
    for each event that FlowKit decides otherwise.
    """
    workers = min(jobs or usable_cores(), len(tubes)) or 1
    by_id = {tube.sample_id: tube for tube in tubes}
    full = sorted((tube for tube in tubes if tube.tube == "full"), key=lambda tube: tube.sample_id)
    pending = {
        tube.sample_id: Job(
            tube.blind,
            templates[tube.panel],
            choices[tube.sample_id],
            () if tube.tube == "full" else _siblings(tube, full),
            against_flowkit=against_flowkit,
        )
        for tube in tubes
    }
    tables: dict[str, Mapping[str, Any]] = {}
    failures: list[dict[str, str]] = []
    done = 0
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None
    with pool or nullcontext():
        pending = _with_scales(pool, pending, by_id)
        while pending:
            open_: dict[str, Outcome] = {}
            for outcome in _each(pool, list(pending.values())):
                tube = by_id[outcome.sample_id]
                if outcome.proposals:
                    open_[outcome.sample_id] = outcome
                    continue
                done += 1
                if outcome.error:
                    failures.append(
                        {**tube.identity, "file": tube.file, "stage": outcome.stage, "error": outcome.error}
                    )
                elif outcome.tables is not None:
                    tables[outcome.sample_id] = _identified(outcome.tables, tube)
                if progress:
                    progress(done, len(tubes), tube.file)
            pending = _next_jobs(pending, open_, by_id)
    order = {tube.sample_id: i for i, tube in enumerate(tubes)}
    failures.sort(key=lambda row: order[row["sample_id"]])
    mark_far(tables, {name: (by_id[name].panel, by_id[name].scope("batch")) for name in tables})
    mark_like_control(tables, {name: templates[by_id[name].panel] for name in tables})
    return Gated({name: tables[name] for name in order if name in tables}, failures)


def _with_scales(
    pool: ProcessPoolExecutor | None, jobs: Mapping[str, Job], tubes: Mapping[str, Tube]
) -> dict[str, Job]:
    """The jobs with the scales that their templates leave to the data, chosen from the full tubes that share them."""
    asked = [job for name, job in jobs.items() if tubes[name].tube == "full" and auto_axes(job.template)]
    groups: dict[tuple[str, str, str], list[Mapping[str, Offer]]] = {}
    for outcome in _each(pool, [replace(job, offering=True) for job in asked]):
        if outcome.scales:
            groups.setdefault(_sharing(jobs, tubes[outcome.sample_id]), []).append(outcome.scales)
    chosen = {group: choose_scales(told, group[0]) for group, told in groups.items()}
    return {
        name: replace(job, template=with_scales(job.template, chosen.get(_sharing(jobs, tubes[name]), {})))
        for name, job in jobs.items()
    }


def _sharing(jobs: Mapping[str, Job], tube: Tube) -> tuple[str, str, str]:
    """Which tubes share scales with this one: those of its panel, and of its batch where the template says so."""
    by = jobs[tube.sample_id].template.choose
    return by, tube.panel, tube.sample_id if by == "sample" else tube.scope(by)


def _siblings(control: Tube, full: Sequence[Tube]) -> tuple[Path, ...]:
    """Full tubes of a control's panel, those of its batch first, then of its subject."""
    own = [tube for tube in full if tube.panel == control.panel]
    own.sort(
        key=lambda tube: (tube.scope("batch") != control.scope("batch"), tube.subject_id != control.subject_id)
    )
    return tuple(tube.path for tube in own[:MOST_SIBLINGS])


def _identified(tables: Mapping[str, Any], tube: Tube) -> dict[str, Any]:
    """A tube's rows with the columns that say whose they are, which the worker did not know."""
    who = tube.identity
    found = dict(tables)
    for name in ("populations", "percentages", "intensities", "quality"):
        if name in found:
            more = {"batch": tube.batch} if name == "quality" else {}
            found[name] = [{**who, **row, **more} for row in found[name]]
    return found


def _each(pool: ProcessPoolExecutor | None, jobs: Sequence[Job]) -> Iterable[Outcome]:
    if pool is None:
        yield from map(do_tube, jobs)
        return
    try:
        futures = {pool.submit(do_tube, job): job for job in jobs}
    except BrokenProcessPool:
        yield from (_died(job) for job in jobs)
        return
    for future in as_completed(futures):
        try:
            yield future.result()
        except BrokenProcessPool:
            yield _died(futures[future])


def _died(job: Job) -> Outcome:
    message = f"{job.tube.file}: a worker process was killed (too little memory?); run again with fewer --jobs"
    return Outcome(job.tube.sample_id, error=message, stage="gate")


def _next_jobs(
    jobs: Mapping[str, Job], waiting: Mapping[str, Outcome], tubes: Mapping[str, Tube]
) -> dict[str, Job]:
    """The tubes that wait, each with what is settled now.

    A cut is settled once, when all tubes of its scope that will propose it have done so.
    """
    offers: dict[Group, dict[str, tuple[str, Proposal]]] = {}
    for sample_id in sorted(waiting):
        tube = tubes[sample_id]
        for key, proposal in waiting[sample_id].proposals.items():
            group = (tube.panel, key, proposal.scope, tube.scope(proposal.scope))
            offers.setdefault(group, {})[sample_id] = (tube.tube, proposal)
    early = {
        group
        for group in offers
        for sample_id, outcome in waiting.items()
        if group[1] in outcome.awaited
        and (tubes[sample_id].panel, tubes[sample_id].scope(group[2])) == (group[0], group[3])
    }
    cuts: dict[str, dict[str, Placed]] = {sample_id: {} for sample_id in waiting}
    for group in [group for group in offers if group not in early] or list(offers):
        for sample_id, placed in settle_each(offers[group]).items():
            cuts[sample_id][group[1]] = placed
    return {
        sample_id: replace(
            jobs[sample_id], settled={**outcome.placed, **jobs[sample_id].settled, **cuts[sample_id]}
        )
        for sample_id, outcome in waiting.items()
    }
