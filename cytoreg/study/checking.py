"""Everything that would go wrong in a run, found before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cytoreg.errors import CytoregError
from cytoreg.fcs.read import read_fcs
from cytoreg.gating.binding import bind
from cytoreg.gating.gate import controls_of
from cytoreg.gating.methods import CONTROLS
from cytoreg.gating.template import Template
from cytoreg.markers import means
from cytoreg.study.blindness import warnings_of
from cytoreg.study.count_sources import count_notes, sources_of
from cytoreg.study.definition import Study
from cytoreg.study.rehearsal import rehearse

__all__ = ["Finding", "check"]


@dataclass(frozen=True)
class Finding:
    """grave: the run would lose a tube or stop. Otherwise it goes on, and the report says so."""

    grave: bool
    message: str


def check(study: Study) -> list[Finding]:
    """Open every tube, bind its template, read the clinical tables and the plan. Gates nothing."""
    return [*_tubes(study), *_controls(study), *_brought(study), *_clinical(study)]


def _tubes(study: Study) -> Iterator[Finding]:
    skipped: Counter[str] = Counter()
    sheet = study.samples.name if study.samples else "samples"
    failed: dict[str, list[int]] = {}  # what several tubes have in common, such as bad controls, is said once
    for tube in study.tubes:
        where = f"{sheet}, row {tube.row}"
        try:
            sample = read_fcs(tube.path)
            if tube.tube == "full":
                bound = bind(sample, study.templates[tube.panel], study.choices[tube.sample_id])
                skipped.update(
                    f"panel {tube.panel or '-'}: {name} is skipped: it {why}"
                    for name, why in bound.skipped.items()
                )
                left = bound.template.not_carried
                skipped.update(f"template {bound.template.name}: not carried over: {said}" for said in left)
        except CytoregError as problem:
            failed.setdefault(str(problem), []).append(tube.row)
            continue
        for departure in sample.problems:
            if departure.affects_numbers:
                yield Finding(False, f"{where}: {sample.name}: {departure}")
        if sample.n_events == 0:
            yield Finding(False, f"{where}: {sample.name} holds no events")
    for message, rows in failed.items():
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        yield Finding(True, f"{sheet}, row {rows[0]}{more}: {message}")
    for message, n in skipped.items():
        yield Finding(False, f"{message} ({n} tubes)")


def _controls(study: Study) -> Iterator[Finding]:
    """Markers whose cut asks for a control that some batch (or subject) lacks; controls that no cut asks for."""
    for panel, template in study.templates.items():
        tubes = [tube for tube in study.tubes if tube.panel == panel]
        asked = {
            (spec.kind, spec.on[0], spec.by)
            for step in template.populations.values()
            for spec in step.gate.walk()
            if spec.kind in CONTROLS
        }
        for kind, marker, by in sorted(asked):
            having = {tube.scope(by) for tube in tubes if _is_control(tube.tube, kind, marker, template)}
            lacking = sorted({tube.scope(by) for tube in tubes if tube.tube == "full"} - having)
            if lacking:
                named = ", ".join(scope or f"(no {by})" for scope in lacking[:5]) + (
                    " ..." if len(lacking) > 5 else ""
                )
                yield Finding(
                    False,
                    f"panel {panel or '-'}: no {CONTROLS[kind]} control for {marker} in {by} {named}: the template's "
                    "fallback places the cut, and its percentages are flagged",
                )
        known = controls_of(template)
        for tube in tubes:
            kind = tube.tube.partition(":")[0]
            if kind in CONTROLS and not any(
                _is_control(tube.tube, kind, marker, template) for marker in known.get(kind, ())
            ):
                yield Finding(
                    False,
                    f"panel {panel or '-'}: {tube.file}: template {template.name} takes no cut from a control {tube.tube!r}",
                )


def _brought(study: Study) -> Iterator[Finding]:
    """Rows of tables from elsewhere that give no value, and what the tables are silent about."""
    if study.brought is not None:
        yield from (Finding(False, note) for note in study.brought.notes)
        yield from (Finding(False, line["reason"]) for line in study.brought.left_out)


def _is_control(tube: str, kind: str, marker: str, template: Template) -> bool:
    mine, _, lacked = tube.partition(":")
    return mine == kind and (kind != "fmo" or means(lacked, marker, template.markers))


def _clinical(study: Study) -> Iterator[Finding]:
    if not study.clinical:
        yield from (Finding(False, said) for said in warnings_of(study.linked_tubes, None))
        yield from _counts(study, None)
        return
    from cytoreg.clinical import read_clinical
    from cytoreg.stats.plan import read_plan

    try:
        clinical = read_clinical(
            study.clinical, columns=study.columns or None, windows=study.windows or None, rules=study.rules
        )
        plan = read_plan(study.plan) if study.plan else None
        linked = rehearse(study, clinical, plan)
    except CytoregError as problem:
        yield Finding(True, str(problem))
        return
    warnings = warnings_of(study.linked_tubes, linked.table, plan.plan if plan is not None else None)
    yield from (Finding(False, said) for said in warnings)
    yield from _counts(study, clinical)
    if study.linked_tubes:
        for row in linked.unmatched.to_dict("records"):
            who = " ".join(str(row[key]) for key in ("subject_id", "visit", "sample_id") if row[key])
            yield Finding(False, f"{row['side']}: {who}: {row['reason']}")


def _counts(study: Study, clinical: Any) -> Iterator[Finding]:
    """Tubes that will have no absolute count, each with its reason, and what the intervals do not hold."""
    yield from (Finding(False, said) for said in count_notes(study))
    try:
        sources = sources_of(study, clinical)
    except CytoregError as problem:
        yield Finding(True, str(problem))
        return
    for sample_id, source in sources.items():
        if source.reason:
            number = "no cells per microlitre" if source.problem else "cells per microlitre in doubt"
            yield Finding(False, f"{sample_id}: {number}: {source.reason}")
