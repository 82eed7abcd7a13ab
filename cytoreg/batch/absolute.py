"""Absolute counts: cells per microlitre of blood of each population of the tubes that can bear them.

Three ways: counting beads in the tube (single platform), a haematology analyser's count of the same visit (dual
platform), or a population's share here of one that another tube of the visit counted (`carried`), which is how
Tregs of a permeabilised tube get a number. How the errors add is in `concentration.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cytoreg.batch.concentration import (
    UNKNOWN,
    Factor,
    cells_per_bead,
    gate_error,
    product,
    share,
    with_cv,
)
from cytoreg.gating.template import ROOT, Template

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BEADS",
    "CARRIED",
    "FLAG_PREFIX",
    "HAEMATOLOGY",
    "SHEET_COLUMNS",
    "Source",
    "counted_populations",
    "fill_counts",
    "population_id",
]

BEADS, HAEMATOLOGY, CARRIED = "beads", "haematology", "carried"
FLAG_PREFIX = "cells_per_ul:"
_OF_THE_PANEL = ("step_skipped", "not_in_panel")
FEW_BEADS = 1000  # fewer add more than 3.2 % of counting error of their own, 1 / sqrt(1000)
# Columns of the samples sheet that say for one tube what `absolute:` of study.yaml says for its panel.
SHEET_COLUMNS = (
    "preparation",
    "beads_per_tube",
    "beads_per_ul",
    "beads_volume_ul",
    "sample_volume_ul",
    "bead_lot",
)


@dataclass(frozen=True)
class Source:
    """Where the absolute counts of one tube come from.

    method: beads, haematology or carried. population: id of the beads, of what the analyser counted, or of what
    the other tube counted. beads_added: in the tube. sample_ul: blood in the tube. per_ul: the analyser's count.
    cv: coefficient of variation that is declared, of pipetting and beads or of the analyser. from_sample: the
    other tube; from_population: the id of the population there. problem, reason: why there is no number, known
    before any gating. flags: about the pair. identity: columns that say which sample it is.
    """

    method: str
    population: str
    preparation: str = ""
    beads_added: float = math.nan
    sample_ul: float = math.nan
    lot: str = ""
    per_ul: float = math.nan
    cv: float = 0.0
    from_sample: str = ""
    from_population: str = ""
    problem: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    identity: Mapping[str, str] = field(default_factory=dict)


def population_id(template: Template, name: str) -> str | None:
    """The id of a population by its id or by a name that only one has; None where there is none."""
    if name in template.populations:
        return name
    named = [key for key, step in template.populations.items() if step.name == name]
    return named[0] if len(named) == 1 else None


def counted_populations(template: Template, method: str, population: str) -> set[str]:
    """Ids of the populations that a method gives cells per microlitre of.

    With beads: all but the beads, what is cut out of them, and what holds them. Else: the population itself and
    all that are cut out of it.
    """
    if method == BEADS:
        above = {population, *template.ancestors(population)}
        return {
            key for key in template.populations if key not in above and population not in template.ancestors(key)
        }
    return {key for key in template.populations if population in (key, *template.ancestors(key))}


@dataclass(frozen=True)
class _Tube:
    """The rows of one tube. rows: by id of the population. parents: id -> id of the parent, `root` at the top."""

    rows: Mapping[str, Mapping[str, Any]]
    parents: Mapping[str, str]
    shares: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def line(self, key: str) -> list[str]:
        """A population and those above it, up to the root."""
        line = [key]
        while line[-1] != ROOT:
            line.append(self.parents.get(line[-1], ROOT))
        return line

    def count(self, key: str) -> int:
        return int(self.rows[key]["count"])

    def gates(self, key: str, above: str) -> Iterator[Factor]:
        """The errors of gate placement of the steps from a population down to another; of both together where
        a percentage of the table holds it.
        """
        whole = self.shares.get((key, above))
        if whole is not None and math.isfinite(_number(whole, "ci_gate_low")):
            yield gate_error(*(_number(whole, name) for name in ("value", "ci_gate_low", "ci_gate_high")))
            return
        line = self.line(key)
        for step in line[: line.index(above)]:
            row = self.rows[step]
            yield gate_error(*(_number(row, name) for name in ("percent_parent", "ci_gate_low", "ci_gate_high")))


def fill_counts(
    tables: Mapping[str, pd.DataFrame], sources: Mapping[str, Source], templates: Mapping[str, Template]
) -> dict[str, pd.DataFrame]:
    """The tables with `cells_per_ul` and its limits in `populations` and `percentages`, and a table `absolute`.

    tables: `populations`, `percentages` and `quality` of the contract. sources: by sample id, of full tubes.
    templates: by sample id. A tube without a number has a flag and a reason; no other row is touched.
    """
    import pandas as pd

    populations, percentages = (tables.get(name, pd.DataFrame()) for name in ("populations", "percentages"))
    tubes = _tubes(populations, percentages, sources, templates)
    found: dict[tuple[str, str], Factor] = {}
    flags: dict[str, tuple[str, ...]] = {}
    about: list[dict[str, Any]] = []
    measured_first = sorted(sources, key=lambda name: sources[name].method == CARRIED)
    for sample_id in measured_first:
        source = sources[sample_id]
        counts, row, codes = _count(source, tubes.get(sample_id), found)
        if source.method == CARRIED:
            codes += [code.removeprefix(FLAG_PREFIX) for code in flags.get(source.from_sample, ())]
            codes += _doubts(tubes.get(source.from_sample), source.from_population)
            codes = list(dict.fromkeys(codes))
        found.update({(sample_id, key): factor for key, factor in counts.items()})
        flags[sample_id] = tuple(f"{FLAG_PREFIX}{code}" for code in codes)
        about.append({**source.identity, "sample_id": sample_id, **row, "flags": ";".join(flags[sample_id])})
    filled = dict(tables)
    for name, key_of in (("populations", _id_of_row), ("percentages", _id_of_share)):
        if name in tables and len(tables[name]):
            filled[name] = _filled(tables[name], key_of, found, flags, sources, templates)
    if "quality" in tables and len(tables["quality"]):
        filled["quality"] = _flagged(tables["quality"], flags)
    order = {sample_id: place for place, sample_id in enumerate(sources)}
    about.sort(key=lambda row: order[row["sample_id"]])
    filled["absolute"] = pd.DataFrame(about)
    return filled


def _count(
    source: Source, tube: _Tube | None, found: Mapping[tuple[str, str], Factor]
) -> tuple[dict[str, Factor], dict[str, Any], list[str]]:
    """Counts by population, the tube's row of `absolute` without its identity, and flags."""
    row: dict[str, Any] = {
        "method": source.method,
        "preparation": source.preparation,
        "reference_population": source.population if source.method != BEADS else "",
        "beads_added": source.beads_added,
        "sample_volume_ul": source.sample_ul,
        "bead_lot": source.lot,
        "from_sample": source.from_sample,
        "cv_percent": 100 * source.cv,
        "reason": source.reason,
    }
    codes = list(source.flags)
    if source.problem:
        return {}, row, [source.problem, *codes]
    if tube is None or source.population not in tube.rows:
        row["reason"] = (
            "the tube could not be gated" if tube is None else f"the tube has no population '{source.population}'"
        )
        return {}, row, ["no_count", *codes]
    if source.method == BEADS:
        return _by_beads(source, tube, row, codes)
    if source.method == HAEMATOLOGY:
        reference = with_cv(source.per_ul, source.cv)
    else:
        reference = found.get((source.from_sample, source.from_population), UNKNOWN)
        if math.isnan(reference.value):
            row["reason"] = f"{source.from_sample} gave no cells per microlitre of '{source.from_population}'"
            return {}, row, ["no_count", *codes]
    row |= {
        f"reference_per_ul{end}": number
        for end, number in zip(("", "_low", "_high"), _limits(reference), strict=True)
    }
    total = tube.count(source.population)
    counts = {source.population: reference} if total else {}
    for key in tube.rows:
        if source.population in tube.line(key)[1:] and _is_measured(tube.rows[key]):
            part = share(tube.count(key), total)
            counts[key] = product([reference, part, *tube.gates(key, source.population)])
    return counts, row, codes


def _by_beads(
    source: Source, tube: _Tube, row: dict[str, Any], codes: list[str]
) -> tuple[dict[str, Factor], dict[str, Any], list[str]]:
    beads = tube.count(source.population)
    row["beads"] = beads
    if beads == 0:
        row["reason"] = f"no event is in '{source.population}'"
        return {}, row, ["no_beads", *codes]
    if beads > source.beads_added:
        row["reason"] = f"{beads} events are in '{source.population}', and {source.beads_added:g} beads were added"
        return {}, row, ["too_many_beads", *codes]
    if beads < FEW_BEADS:
        codes.append("few_beads")
    per_bead = with_cv(source.beads_added / source.sample_ul, source.cv)
    bead_line = tube.line(source.population)
    counts = {}
    for key in tube.rows:
        line = tube.line(key)
        if key in bead_line or source.population in line or not _is_measured(tube.rows[key]):
            continue
        shared = next(step for step in line if step in bead_line)
        bead_gates = [_turned(factor) for factor in tube.gates(source.population, shared)]
        counts[key] = product(
            [cells_per_bead(tube.count(key), beads), per_bead, *tube.gates(key, shared), *bead_gates]
        )
    return counts, row, codes


def _doubts(tube: _Tube | None, population: str) -> list[str]:
    """Whether the population that a count is carried from has flags that say more than what the panel lacks."""
    given = str(tube.rows[population]["flags"] or "") if tube is not None and population in tube.rows else ""
    codes = {code.removeprefix("above:") for code in given.split(";") if code}
    own = {code for code in codes if not code.startswith((FLAG_PREFIX, *_OF_THE_PANEL))}
    return ["source_flagged"] if own else []


def _turned(factor: Factor) -> Factor:
    """The error of a count as that of what is divided by it."""
    return Factor(1.0, 1 / factor.high, 1 / factor.low if factor.low > 0 else math.inf)


def _is_measured(row: Mapping[str, Any]) -> bool:
    """A population whose gate could not be placed, or whose parent is empty, has no count."""
    return math.isfinite(_number(row, "percent_parent"))


def _tubes(
    populations: pd.DataFrame,
    percentages: pd.DataFrame,
    sources: Mapping[str, Source],
    templates: Mapping[str, Template],
) -> dict[str, _Tube]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in populations.to_dict("records") if len(populations) else ():
        if row["sample_id"] in sources:
            rows.setdefault(row["sample_id"], []).append({str(key): value for key, value in row.items()})
    shares: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for row in percentages.to_dict("records") if len(percentages) else ():
        if row["sample_id"] in rows:
            name, _, of = str(row["percentage"]).partition(" % of ")
            ids = [population_id(templates[row["sample_id"]], word) for word in (name, of)]
            if all(ids):
                shares.setdefault(row["sample_id"], {})[ids[0] or "", ids[1] or ""] = {
                    str(key): value for key, value in row.items()
                }
    tubes = {}
    for sample_id, own in rows.items():
        path = {row["population"]: _id_of_row(row, templates[sample_id]) for row in own}
        by_id = {path[row["population"]]: row for row in own}
        parents = {key: path.get(row["parent"], ROOT) for key, row in by_id.items()}
        tubes[sample_id] = _Tube(by_id, parents, shares.get(sample_id, {}))
    return tubes


def _id_of_row(row: Mapping[str, Any], template: Template) -> str:
    return str(row["population_id"]).removeprefix(f"{template.name}:")


def _id_of_share(row: Mapping[str, Any], template: Template) -> str:
    return population_id(template, str(row["percentage"]).partition(" % of ")[0]) or ""


def _filled(
    table: pd.DataFrame,
    key_of: Any,
    found: Mapping[tuple[str, str], Factor],
    flags: Mapping[str, Sequence[str]],
    sources: Mapping[str, Source],
    templates: Mapping[str, Template],
) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("cells_per_ul", "cells_per_ul_low", "cells_per_ul_high", "cells_per_ul_by", "flags")
    }
    borne = {
        (template.name, source.method, source.population): counted_populations(
            template, source.method, source.population
        )
        for sample_id, source in sources.items()
        for template in (templates[sample_id],)
    }
    for row in table.to_dict("records"):
        sample_id, given = row["sample_id"], str(row.get("flags") or "")
        source = sources.get(sample_id)
        limits: tuple[float, float, float] = _limits(UNKNOWN)
        by, codes = "", [given] if given else []
        if source is not None:
            template = templates[sample_id]
            key = key_of({str(name): value for name, value in row.items()}, template)
            if key in borne[template.name, source.method, source.population]:
                by = source.method
                limits = _limits(found.get((sample_id, key), UNKNOWN))
                codes += flags[sample_id]
        for name, value in zip(columns, (*limits, by, ";".join(codes)), strict=True):
            columns[name].append(value)
    return table.assign(**columns)


def _flagged(quality: pd.DataFrame, flags: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    joined = [
        ";".join([*([str(given)] if given else []), *flags.get(sample_id, ())])
        for sample_id, given in zip(quality["sample_id"], quality["flags"], strict=True)
    ]
    return quality.assign(flags=joined)


def _limits(factor: Factor) -> tuple[float, float, float]:
    return factor.value, factor.low, factor.high


def _number(row: Mapping[str, Any], column: str) -> float:
    value = row.get(column)
    return math.nan if value is None else float(value)
