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

from cytoreg.batch.sheet import Tube
from cytoreg.batch.tube import Job, Outcome, do_tube
from cytoreg.gating.binding import Choices
from cytoreg.gating.engine import Placed
from cytoreg.gating.shared import settle
from cytoreg.gating.template import Template

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
    siblings: dict[str, tuple[Path, ...]] = {}
    for tube in tubes:
        if tube.tube == "full":
            siblings[tube.panel] = (*siblings.get(tube.panel, ()), tube.path)[:MOST_SIBLINGS]
    pending = {
        tube.sample_id: Job(
            tube,
            templates[tube.panel],
            choices[tube.sample_id],
            siblings.get(tube.panel, ()),
            against_flowkit=against_flowkit,
        )
        for tube in tubes
    }
    tables: dict[str, Mapping[str, Any]] = {}
    failures: list[dict[str, str]] = []
    settled: dict[Group, Placed] = {}
    done = 0
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None
    with pool or nullcontext():
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
                    tables[outcome.sample_id] = outcome.tables
                if progress:
                    progress(done, len(tubes), tube.file)
            pending = _next_jobs(pending, open_, by_id, settled)
    order = {tube.sample_id: i for i, tube in enumerate(tubes)}
    failures.sort(key=lambda row: order[row["sample_id"]])
    return Gated({name: tables[name] for name in order if name in tables}, failures)


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
    jobs: Mapping[str, Job],
    waiting: Mapping[str, Outcome],
    tubes: Mapping[str, Tube],
    settled: dict[Group, Placed],
) -> dict[str, Job]:
    """The tubes that wait, each with what is settled now. A cut is settled once for all tubes of its scope."""
    offers: dict[Group, list[tuple[str, Placed]]] = {}
    for sample_id, outcome in waiting.items():
        tube = tubes[sample_id]
        for key, proposal in outcome.proposals.items():
            group = (tube.panel, key, proposal.scope, tube.scope(proposal.scope))
            offers.setdefault(group, []).append((sample_id, proposal.placed))
    cuts: dict[str, dict[str, Placed]] = {sample_id: {} for sample_id in waiting}
    for group, offered in offers.items():
        if group not in settled:
            settled[group] = settle((tubes[name].tube, placed) for name, placed in offered)
        for sample_id, _ in offered:
            cuts[sample_id][group[1]] = settled[group]
    return {
        sample_id: replace(
            jobs[sample_id], settled={**outcome.placed, **jobs[sample_id].settled, **cuts[sample_id]}
        )
        for sample_id, outcome in waiting.items()
    }
