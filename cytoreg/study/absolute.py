"""`absolute:` of study.yaml: which panels give cells per microlitre, from what, and how their tubes were prepared.

Beads count only where nothing was lost after they were added: in tubes that were lysed and not washed. In a washed
tube cells and beads are lost, and not in the same share; a tube that was permeabilised was washed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import Field

from cytoreg.batch.absolute import BEADS, CARRIED, HAEMATOLOGY, SHEET_COLUMNS, Source, population_id
from cytoreg.batch.sheet import Tube
from cytoreg.errors import StudyError, suggest
from cytoreg.gating.template import Template
from cytoreg.study.haematology import unit_factor
from cytoreg.study.intracellular import LOST, intracellular_in
from cytoreg.yamlfile import StrictModel, YamlDocument, validate

__all__ = ["Counting", "read_absolute"]

NO_WASH = "lyse_no_wash"
PREPARATIONS = (NO_WASH, "washed", "permeabilised")


class _Beads(StrictModel):
    population: str = "beads"
    per_tube: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    per_ul: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    volume_ul: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    sample_volume_ul: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    lot: str = ""
    lots: dict[str, float] = Field(default_factory=dict)
    cv: float = Field(default=0.0, ge=0, lt=1)


class _Haematology(StrictModel):
    population: str = "lymphocytes"
    column: str = ""
    test: str = ""
    unit: str = ""
    cv: float = Field(default=0.0, ge=0, lt=1)


class _Carry(StrictModel):
    panel: str
    population: str = "CD4+"
    here: str = ""


class _Panel(StrictModel):
    preparation: Literal["lyse_no_wash", "washed", "permeabilised"] | None = None
    beads: _Beads | None = None
    haematology: _Haematology | None = None
    carry: _Carry | None = None


@dataclass(frozen=True)
class Counting:
    """How a panel's tubes get their absolute counts.

    method: beads, haematology or carried. population: id, in the panel's template, of the beads or of the
    population whose count is given. from_panel, from_population: where a carried count is measured. tubes: what
    is known of each full tube before the clinical tables are read, by sample id.
    """

    method: str
    population: str
    cv: float = 0.0
    column: str = ""
    test: str = ""
    unit: str = ""
    from_panel: str = ""
    from_population: str = ""
    tubes: Mapping[str, Source] = field(default_factory=dict)


def read_absolute(
    document: YamlDocument,
    data: Mapping[str, Any],
    tubes: Sequence[Tube],
    templates: Mapping[str, Template],
    sheet: str,
    panels_named: Collection[str] = (),
) -> dict[str, Counting]:
    """The declared absolute counts by panel.

    templates: of the panels that have tubes. sheet: the name of the samples sheet, for messages. panels_named: further
    panels of the study, which have no tube yet.

    Raises StudyError for beads in a panel that is washed, permeabilised, or whose preparation is not declared,
    and for a population, panel, number or unit that is wrong.
    """
    found: dict[str, Counting] = {}
    flat = bool(data) and set(data) <= set(_Panel.model_fields)
    panels = dict.fromkeys(templates, ()) if flat else {panel: (panel,) for panel in data}
    declared: dict[str, tuple[_Panel, list[str]]] = {}
    for panel, below in panels.items():
        where = ["absolute", *below]
        if panel not in (known := {*templates, *panels_named}):
            raise StudyError(f"{document.where(where)}: unknown panel {panel!r}; {suggest(panel, known)}")
        schema = validate(_Panel, document.at(*where), StudyError)
        declared[panel] = schema, where
        methods = [name for name in ("beads", "haematology", "carry") if getattr(schema, name) is not None]
        if len(methods) > 1:
            raise StudyError(
                f"{document.where(where)}: expected one of beads, haematology and carry, found {' and '.join(methods)}"
            )
    for panel, (schema, where) in declared.items():
        if panel not in templates:
            continue
        template = templates[panel]
        own = [tube for tube in tubes if tube.panel == panel and tube.tube == "full"]
        if schema.beads is not None:
            found[panel] = _beads(document, where, schema, schema.beads, template, own, sheet)
        elif schema.haematology is not None:
            found[panel] = _haematology(document, where, schema, schema.haematology, template, own, sheet)
        elif schema.carry is not None:
            found[panel] = _carried(document, where, schema, schema.carry, templates, panel, own, sheet, declared)
    return found


def _beads(
    document: YamlDocument,
    where: list[str],
    schema: _Panel,
    beads: _Beads,
    template: Template,
    tubes: Sequence[Tube],
    sheet: str,
) -> Counting:
    place = document.where([*where, "beads"])
    population = _population(document, [*where, "beads", "population"], template, beads.population)
    prepared = {tube.sample_id: _preparation(tube, schema, sheet) for tube in tubes}
    if schema.preparation in ("washed", "permeabilised"):
        raise StudyError(
            f"{place}: beads cannot count in a tube that was {schema.preparation}: {LOST}; expected a panel with "
            f"preparation: {NO_WASH}"
        )
    names = [*template.markers, *(axis for step in template.populations.values() for axis in step.gate.axes())]
    if marker := intracellular_in(names):
        raise StudyError(
            f"{place}: beads cannot count in a panel with {marker}, which is stained in permeabilised cells: {LOST}; "
            f"expected a panel with preparation: {NO_WASH}"
        )
    silent = next((tube for tube in tubes if not prepared[tube.sample_id]), None)
    if silent is not None:
        raise StudyError(
            f"{place}: beads need the preparation of the tubes, which is not declared: expected `preparation: {NO_WASH}` "
            "beside beads, true only where nothing was washed after the beads were added"
        )
    found = {}
    for tube in tubes:
        preparation = prepared[tube.sample_id]
        source = _identified(Source(BEADS, population, preparation, cv=beads.cv), tube)
        if preparation != NO_WASH:
            reason = f"the samples sheet says that the tube was {preparation}: {LOST}"
            found[tube.sample_id] = replace(source, problem="beads_refused", reason=reason)
            continue
        lot = tube.extra.get("bead_lot") or beads.lot
        found[tube.sample_id] = replace(
            source,
            beads_added=_beads_added(beads, lot, tube, place, sheet),
            sample_ul=_needed(tube, "sample_volume_ul", beads.sample_volume_ul, place, sheet),
            lot=lot,
        )
    return Counting(BEADS, population, beads.cv, tubes=found)


def _beads_added(beads: _Beads, lot: str, tube: Tube, place: str, sheet: str) -> float:
    """Of the tube's own row, else of its lot, else of the panel: a number per tube, or concentration x volume."""
    own = _cell(tube, "beads_per_tube", sheet)
    if own is not None:
        return own
    per_ul, volume = _cell(tube, "beads_per_ul", sheet), _cell(tube, "beads_volume_ul", sheet)
    if per_ul is None and volume is None:
        if beads.lots and lot:
            if lot not in beads.lots:
                raise StudyError(
                    f"{sheet}, row {tube.row}: bead lot {lot!r} is not in {place}.lots; {suggest(lot, beads.lots)}"
                )
            return float(beads.lots[lot])
        if beads.per_tube is not None:
            return beads.per_tube
    per_ul, volume = per_ul or beads.per_ul, volume or beads.volume_ul
    if per_ul is None or volume is None:
        raise StudyError(
            f"{place}: how many beads were added is not known ({sheet}, row {tube.row}): expected per_tube, or per_ul and "
            "volume_ul, or lots with a lot"
        )
    return per_ul * volume


def _haematology(
    document: YamlDocument,
    where: list[str],
    schema: _Panel,
    said: _Haematology,
    template: Template,
    tubes: Sequence[Tube],
    sheet: str,
) -> Counting:
    key = [*where, "haematology"]
    population = _population(document, [*key, "population"], template, said.population)
    if bool(said.column) == bool(said.test):
        raise StudyError(
            f"{document.where(key)}: expected either `column` (of the samples sheet or the visits table) or `test` (of "
            f"the labs table), found {'both' if said.test else 'neither'}"
        )
    if not said.unit and not said.test:
        raise StudyError(
            f"{document.where(key)}: the unit is not declared: expected `unit: 10^9/L` or `unit: cells/uL`"
        )
    if said.unit:
        unit_factor(said.unit, document.where([*key, "unit"]))
    found = {
        tube.sample_id: _identified(
            Source(HAEMATOLOGY, population, _preparation(tube, schema, sheet), cv=said.cv), tube
        )
        for tube in tubes
    }
    return Counting(HAEMATOLOGY, population, said.cv, said.column, said.test, said.unit, tubes=found)


def _carried(
    document: YamlDocument,
    where: list[str],
    schema: _Panel,
    said: _Carry,
    templates: Mapping[str, Template],
    panel: str,
    tubes: Sequence[Tube],
    sheet: str,
    declared: Mapping[str, tuple[_Panel, list[str]]],
) -> Counting:
    key = [*where, "carry"]
    giving = None if said.panel == panel else declared.get(said.panel)
    if giving is None or (giving[0].beads is None and giving[0].haematology is None):
        raise StudyError(
            f"{document.where([*key, 'panel'])}: panel {said.panel!r} has no counts of its own to carry: expected another "
            "panel, with beads or haematology declared for it"
        )
    there = said.population
    if said.panel in templates:
        there = _population(document, [*key, "population"], templates[said.panel], there)
    here = _population(document, [*key, "here"], templates[panel], said.here or said.population)
    found = {
        tube.sample_id: _identified(
            Source(CARRIED, here, _preparation(tube, schema, sheet), from_population=there), tube
        )
        for tube in tubes
    }
    return Counting(CARRIED, here, from_panel=said.panel, from_population=there, tubes=found)


def _identified(source: Source, tube: Tube) -> Source:
    return replace(source, identity=tube.identity)


def _population(document: YamlDocument, key: list[str], template: Template, name: str) -> str:
    found = population_id(template, name)
    if found is None:
        raise StudyError(
            f"{document.where(key)}: template {template.name} has no population {name!r}; "
            f"{suggest(name, template.populations)}"
        )
    return found


def _preparation(tube: Tube, schema: _Panel, sheet: str) -> str:
    """What the tube's own row says, else the panel; empty where neither does."""
    given = tube.extra.get("preparation", "")
    said = given.casefold().replace("-", "_").replace(" ", "_").replace("permeabilized", "permeabilised")
    if given and said not in PREPARATIONS:
        raise StudyError(
            f"{sheet}, row {tube.row}, column preparation: found {given!r}, expected {', '.join(PREPARATIONS)}"
        )
    return said or schema.preparation or ""


def _needed(tube: Tube, column: str, otherwise: float | None, place: str, sheet: str) -> float:
    value = _cell(tube, column, sheet)
    if value is None and otherwise is None:
        raise StudyError(
            f"{place}: {column} is not known ({sheet}, row {tube.row}): expected it here or in the sheet"
        )
    return value if value is not None else float(otherwise or math.nan)


def _cell(tube: Tube, column: str, sheet: str) -> float | None:
    """A number above 0 of the tube's row. A comma is refused: it may be a decimal point or part thousands."""
    assert column in SHEET_COLUMNS
    given = tube.extra.get(column, "")
    if not given:
        return None
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise StudyError(
            f"{sheet}, row {tube.row}, column {column}: found {given!r}, expected a number above 0 such as 49850"
        )
    return value
