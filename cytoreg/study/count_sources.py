"""Where each tube's absolute count comes from: its own beads, the analyser's count, or the one partner of its visit.

All that can be known before any gating is found here, so that `check` says it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cytoreg.batch.absolute import (
    BEADS,
    CARRIED,
    HAEMATOLOGY,
    Source,
    counted_populations,
    fill_counts,
    population_id,
)
from cytoreg.batch.sheet import Tube
from cytoreg.errors import CytoregError
from cytoreg.fcs.read import read_fcs
from cytoreg.study.absolute import Counting
from cytoreg.study.definition import Study
from cytoreg.study.haematology import cells_per_ul_of
from cytoreg.study.intracellular import LOST, intracellular_in

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["count_notes", "expected_counts", "sources_of", "with_counts"]


def with_counts(study: Study, tables: Mapping[str, pd.DataFrame], clinical: Any) -> dict[str, pd.DataFrame]:
    """The tables of a run with the absolute counts that the study declares, and the table `absolute`."""
    templates = {tube.sample_id: study.templates[tube.panel] for tube in study.tubes}
    return fill_counts(tables, sources_of(study, clinical), templates)


def expected_counts(study: Study, tube: Tube, percentage: str) -> str:
    """The method by which a percentage's population will have cells per microlitre in a tube; empty for none."""
    counting = study.absolute.get(tube.panel)
    if counting is None:
        return ""
    template = study.templates[tube.panel]
    key = population_id(template, percentage.partition(" % of ")[0])
    return counting.method if key in counted_populations(template, counting.method, counting.population) else ""


def count_notes(study: Study) -> Iterator[str]:
    """What the intervals of the counts do not hold, as nobody declared it."""
    for panel, counting in study.absolute.items():
        what = {BEADS: "of pipetting and of the beads", HAEMATOLOGY: "of the haematology analyser"}
        if counting.method in what and counting.cv == 0:
            yield (
                f"absolute counts of panel {panel or '-'}: the error {what[counting.method]} is not declared (cv) and is "
                "taken as 0; the intervals hold counting and gates only"
            )


def sources_of(study: Study, clinical: Any) -> dict[str, Source]:
    """Where the count of each full tube comes from, by sample id; a tube that has none says why.

    clinical: the clinical tables, in which a haematology count may stand.
    """
    by_visit: dict[tuple[str, str, str], list[Tube]] = {}
    for tube in study.tubes:
        if tube.tube == "full":
            by_visit.setdefault((tube.panel, tube.subject_id, tube.visit), []).append(tube)
    sources = {}
    for tube in study.tubes:
        counting = study.absolute.get(tube.panel)
        if counting is None or tube.tube != "full":
            continue
        source = counting.tubes[tube.sample_id]
        if source.method == BEADS and not source.problem:
            source = _looked_into(source, tube)
        elif source.method == HAEMATOLOGY:
            per_ul, problem, reason = cells_per_ul_of(
                tube, clinical, counting.column, counting.test, counting.unit
            )
            source = replace(source, per_ul=per_ul, problem=problem, reason=reason)
        elif source.method == CARRIED:
            source = _paired(
                source, tube, by_visit.get((counting.from_panel, tube.subject_id, tube.visit), []), counting
            )
        sources[tube.sample_id] = source
    return sources


def _looked_into(source: Source, tube: Tube) -> Source:
    """What the file itself says: a tube with an intracellular marker was permeabilised, whatever was declared."""
    try:
        marker = intracellular_in([channel.marker or channel.name for channel in read_fcs(tube.path).channels])
    except CytoregError:
        return source  # a failure of its own
    if not marker:
        return source
    reason = f"the file has {marker}, which is stained in permeabilised cells: {LOST}"
    return replace(source, problem="beads_refused", reason=reason)


def _paired(source: Source, tube: Tube, others: Sequence[Tube], counting: Counting) -> Source:
    """The one tube of the same subject and visit that counts; none, or two, is no pair."""
    panel = counting.from_panel or "-"
    reason = ""
    if not tube.subject_id:
        reason = "the tube has no subject, so that no other tube can be its partner"
    elif not others:
        reason = f"there is no full tube of panel {panel} for this subject's visit"
    elif len(others) > 1:
        names = ", ".join(other.sample_id for other in others)
        reason = f"there are {len(others)} full tubes of panel {panel} for this subject's visit: {names}"
    if reason:
        return replace(source, problem="no_count", reason=reason)
    other = others[0]
    days = {day for day in (tube.drawn_at[:10], other.drawn_at[:10]) if day}
    apart = ("drawn_apart",) if len(days) > 1 else ()
    said = f"drawn on {tube.drawn_at[:10]}, and {other.sample_id} on {other.drawn_at[:10]}" if apart else ""
    return replace(source, from_sample=other.sample_id, flags=apart, reason=said)
