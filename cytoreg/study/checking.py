"""Everything that would go wrong in a run, found before it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cytoreg.errors import CytoregError
from cytoreg.fcs.read import read_fcs
from cytoreg.gating.binding import bind
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
    return [*_tubes(study), *_controls(study), *_clinical(study)]


def _tubes(study: Study) -> Iterator[Finding]:
    skipped: Counter[str] = Counter()
    for tube in study.tubes:
        where = f"{study.samples.name if study.samples else 'samples'}, row {tube.row}"
        try:
            sample = read_fcs(tube.path)
            if tube.tube == "full":
                bound = bind(sample, study.templates[tube.panel], study.choices[tube.sample_id])
                skipped.update(
                    f"panel {tube.panel or '-'}: {name} is skipped: it {why}"
                    for name, why in bound.skipped.items()
                )
        except CytoregError as problem:
            yield Finding(True, f"{where}: {problem}")
            continue
        for departure in sample.problems:
            if departure.affects_numbers:
                yield Finding(False, f"{where}: {sample.name}: {departure}")
        if sample.n_events == 0:
            yield Finding(False, f"{where}: {sample.name} holds no events")
    for message, n in skipped.items():
        yield Finding(False, f"{message} ({n} tubes)")


def _controls(study: Study) -> Iterator[Finding]:
    """Markers whose cut asks for an FMO control that some batch does not have."""
    for panel, template in study.templates.items():
        tubes = [tube for tube in study.tubes if tube.panel == panel]
        asked = {
            spec.on[0] for step in template.populations.values() for spec in step.gate.walk() if spec.kind == "fmo"
        }
        for marker in sorted(asked):
            having = {tube.scope("batch") for tube in tubes if tube.tube.casefold() == f"fmo:{marker}".casefold()}
            lacking = sorted({tube.scope("batch") for tube in tubes if tube.tube == "full"} - having)
            if lacking:
                named = ", ".join(batch or "(no batch)" for batch in lacking[:5]) + (
                    " ..." if len(lacking) > 5 else ""
                )
                yield Finding(
                    False,
                    f"panel {panel or '-'}: no FMO control for {marker} in batch {named}: the template's fallback "
                    "places the cut, and its percentages are flagged",
                )


def _clinical(study: Study) -> Iterator[Finding]:
    if not study.clinical:
        return
    from cytoreg.clinical import read_clinical
    from cytoreg.stats.plan import read_plan

    try:
        clinical = read_clinical(study.clinical, columns=study.columns or None, windows=study.windows or None)
        linked = rehearse(study, clinical, read_plan(study.plan) if study.plan else None)
    except CytoregError as problem:
        yield Finding(True, str(problem))
        return
    if study.tubes:
        for row in linked.unmatched.to_dict("records"):
            who = " ".join(str(row[key]) for key in ("subject_id", "visit", "sample_id") if row[key])
            yield Finding(False, f"{row['side']}: {who}: {row['reason']}")
