"""The whole chain: gate what has changed, link, analyse, report, and write down where each number came from."""

from __future__ import annotations

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cytoreg.batch.runner import Gated, Progress, gate_tubes
from cytoreg.batch.sheet import Tube
from cytoreg.compensation import SingleStains
from cytoreg.errors import StudyError
from cytoreg.provenance import ENGINE_VERSION, digest_of, file_hash, versions
from cytoreg.study.blindness import warnings_of
from cytoreg.study.count_sources import count_notes, with_counts
from cytoreg.study.definition import Study, load_study, matrix_files
from cytoreg.study.imported import Brought
from cytoreg.study.plan_lock import answered, declare, first_declared, shown
from cytoreg.study.rehearsal import baseline_of, rehearse, samples_of
from cytoreg.study.safety import safety_of
from cytoreg.tables import SCHEMA_VERSION, TABLES, prepare_folder, read_json, read_table, safe_name, write_json
from cytoreg.tables import write_tables as store_tables
from cytoreg.tables.schema import SAFETY

if TYPE_CHECKING:
    import pandas as pd

    from cytoreg.stats.analysis import Analysis
    from cytoreg.stats.plan import ReadPlan

__all__ = [
    "SAMPLE_TABLES",
    "Run",
    "analyse",
    "clinical_of",
    "link_and_analyse",
    "results_folder",
    "run",
    "tables_of",
    "unit_of",
]

LINKED = ("linked", "unmatched", "associations", "claims", "imputed", "infusions", *SAFETY)
SAMPLE_TABLES = ("populations", "percentages", "intensities", "quality")


@dataclass(frozen=True)
class Run:
    """A finished run. folder: the results. report: its first page. gated, kept: tubes gated now, and taken
    over from the last run. imported: samples counted elsewhere. failures: rows of the table of that name. notes: what a reader should know.
    """

    folder: Path
    report: Path
    tubes: int
    gated: int
    kept: int
    imported: int
    failures: tuple[Mapping[str, str], ...]
    unmatched: int
    sentences: Mapping[str, str]
    notes: tuple[str, ...]


def results_folder(study: Study, out: str | os.PathLike[str] | None = None) -> Path:
    """Where results go: `results/` in the study unless said otherwise."""
    return Path(out) if out is not None else study.folder / "results"


def run(
    study: Study | str | os.PathLike[str],
    *,
    jobs: int | None = None,
    fresh: bool = False,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Run:
    """Gate what has changed since the last run (all with `fresh`), link, analyse and report.

    Raises CytoregError where the study cannot be run at all; a tube that fails is a row of `failures`.
    """
    study = study if isinstance(study, Study) else load_study(study)
    folder = prepare_folder(results_folder(study, out))
    clinical = clinical_of(study)  # before any gating, so that a wrong table is known at once
    plan = plan_of(study)
    if study.clinical:
        rehearse(study, clinical, plan)
    locked = declare(study, folder, plan) if plan is not None else ""  # before anything is looked at
    hashes = hashes_of(study)
    stains = _single_stains(study)
    gated, n_gated = _gate(study, folder, hashes, jobs=jobs, fresh=fresh, progress=progress)
    brought = study.brought
    tables = with_counts(study, tables_of(gated), clinical) if brought is None else _instead(brought, folder)
    store_tables(folder, {**tables, "failures": _frame(gated.failures)})
    write_json(folder / "gates.json", [rows["gates"] for rows in gated.tables.values() if "gates" in rows])
    _pictures(folder, gated)
    if study.tubes and not gated.tables:
        first = gated.failures[0]["error"] if gated.failures else ""
        raise StudyError(
            f"none of {len(study.tubes)} tubes could be gated (see {folder / 'failures.csv'}); first: {first}"
        )
    analysis, unmatched, notes = link_and_analyse(study, folder, tables, clinical, plan)
    if analysis is not None:
        locked = locked or answered(study, folder, analysis.plan_hash)
    notes = (*notes, *stains, *_not_carried(gated), *filter(None, [locked]))
    write_json(folder / "provenance.json", _provenance(study, folder, hashes, plan, analysis, notes, command))
    from cytoreg import reports

    report = reports.build(folder)
    return Run(
        folder=folder,
        report=report,
        tubes=len(study.tubes),
        gated=n_gated,
        kept=len(study.tubes) - n_gated,
        imported=len(brought.tubes) if brought is not None else 0,
        failures=tuple(gated.failures),
        unmatched=unmatched,
        sentences=analysis.sentences if analysis else {},
        notes=notes,
    )


def _single_stains(study: Study) -> list[str]:
    """Matrices from single stains, made before any tube is gated; what is odd about the controls, as notes."""
    from cytoreg.compensation import spillover_of

    found = [(stains.path.name, spillover_of(stains)[1]) for stains in study.single_stains()]
    return [f"single stains {name}: {finding.message}" for name, findings in found for finding in findings]


def _not_carried(gated: Gated) -> list[str]:
    """What the templates of other programs hold and could not be taken over, and in how many tubes."""
    lost = Counter(line for rows in gated.tables.values() for line in rows.get("not_carried", ()))
    return [f"not carried over from the template: {line} ({n} tubes)" for line, n in lost.items()]


def analyse(tables: Any, plan: Any = None, *, out: str | os.PathLike[str] | None = None) -> Analysis:
    """Answer an analysis plan.

    tables: a mapping of name -> DataFrame (`linked`, or `samples`, `percentages`, `subjects`, `visits`,
    `infusions`), or a study (its folder, file or Study), whose results folder holds the tables already.
    plan: a mapping or a file; a study's own where it is not given. For a study the `linked`, `unmatched` and
    `associations` tables and the report are written again.
    """
    from cytoreg.stats import analyse as answer
    from cytoreg.stats.plan import read_plan

    if isinstance(tables, Mapping):
        if plan is None:
            raise StudyError("analyse: tables need a plan")
        return answer(tables, plan)
    study = tables if isinstance(tables, Study) else load_study(tables)
    folder = prepare_folder(results_folder(study, out))
    if study.brought is not None:
        found = _instead(study.brought, folder)
        store_tables(folder, found)
    else:
        found = {name: table for name in SAMPLE_TABLES if (table := read_table(folder, name)) is not None}
    if study.tubes and "percentages" not in found:
        raise StudyError(f"{folder}: holds no tables yet; `cytoreg run {study.folder}` makes them")
    chosen = read_plan(plan) if plan is not None else plan_of(study)
    if chosen is None:
        raise StudyError(f"{study.folder / 'study.yaml'}: there is no plan to answer (key `plan`)")
    locked = [declare(study, folder, own)] if (own := plan_of(study)) is not None else []
    if plan is not None:
        locked.append(declare(study, folder, chosen, other=True))
    analysis, _, notes = link_and_analyse(study, folder, found, clinical_of(study), chosen)
    if analysis is not None:
        locked.append(answered(study, folder, analysis.plan_hash))
    notes = (*notes, *filter(None, locked))
    write_json(
        folder / "provenance.json",
        _provenance(study, folder, hashes_of(study), chosen, analysis, notes, "cytoreg analyse"),
    )
    from cytoreg import reports

    reports.build(folder)
    if analysis is None:
        raise StudyError(f"{study.folder}: there are no clinical tables to analyse")
    return analysis


def clinical_of(study: Study) -> Any:
    """The clinical tables of a study, read and checked."""
    from cytoreg.clinical import read_clinical
    from cytoreg.clinical.tables import Clinical

    if not study.clinical:
        return Clinical()
    return read_clinical(
        study.clinical, columns=study.columns or None, windows=study.windows or None, rules=study.rules
    )


def plan_of(study: Study) -> ReadPlan | None:
    if study.plan is None:
        return None
    from cytoreg.stats.plan import read_plan

    return read_plan(study.plan)


def hashes_of(study: Study) -> dict[str, str]:
    """SHA-256 of each input that is there; a tube that is not will be a failure of its own."""
    return {name: file_hash(path) for name, path in study.inputs().items() if path.is_file()}


def _gate(
    study: Study,
    folder: Path,
    hashes: Mapping[str, str],
    *,
    jobs: int | None,
    fresh: bool,
    progress: Progress | None,
) -> tuple[Gated, int]:
    """Gate the units that changed and take the others over. A unit is the tubes that share cuts."""
    cache = folder / "cache"
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    units: dict[str, list[Tube]] = defaultdict(list)
    for tube in study.tubes:
        units[unit_of(study, tube)].append(tube)
    digests = {unit: _digest(study, tubes, hashes) for unit, tubes in units.items()}
    kept: dict[str, Mapping[str, Any]] = {}
    changed: list[Tube] = []
    for unit, tubes in units.items():
        stored = cache / f"{digests[unit]}.json"
        if stored.is_file():
            kept.update(read_json(stored))
        else:
            changed += tubes
    gated = (
        gate_tubes(changed, study.templates, study.choices, jobs=jobs, progress=progress) if changed else Gated()
    )
    for unit, tubes in units.items():
        rows = {tube.sample_id: gated.tables[tube.sample_id] for tube in tubes if tube.sample_id in gated.tables}
        if len(rows) == len(tubes):  # a unit with a failure is tried again next time
            write_json(cache / f"{digests[unit]}.json", rows)
    for old in cache.glob("*.json") if cache.is_dir() else ():
        if old.stem not in digests.values():
            old.unlink()
    tables = {**kept, **gated.tables}
    ordered = {tube.sample_id: tables[tube.sample_id] for tube in study.tubes if tube.sample_id in tables}
    return Gated(ordered, gated.failures), len(changed)


def unit_of(study: Study, tube: Tube) -> str:
    """The tubes that can move each other's gates or flags: those of a batch where cuts are shared by batch at most."""
    template = study.templates[tube.panel]
    scopes = {spec.by for step in template.populations.values() for spec in step.gate.walk()}
    scopes = (scopes | ({template.choose} if template.has_auto else set())) - {"sample"}
    return f"{tube.panel}/{tube.scope('batch')}" if scopes <= {"batch"} else tube.panel


def _digest(study: Study, tubes: Sequence[Tube], hashes: Mapping[str, str]) -> str:
    parts = []
    for tube in sorted(tubes, key=lambda tube: tube.sample_id):
        choice = study.choices[tube.sample_id]
        matrix = choice.compensation or study.matrix_of(study.templates[tube.panel])
        files = [hashes.get(os.path.relpath(file, study.folder)) for file in matrix_files(matrix)]
        shown = [matrix.method, files] if isinstance(matrix, SingleStains) else files[0] if files else matrix
        row = {**asdict(tube), "path": hashes.get(os.path.relpath(tube.path, study.folder)), "row": 0}
        intervals = [choice.bootstrap, choice.seed, choice.lod, choice.lloq]
        parts.append([row, choice.channels, choice.start, choice.rule, choice.remove, shown, intervals])
    digests = sorted({study.templates[tube.panel].digest for tube in tubes})
    return digest_of(ENGINE_VERSION, SCHEMA_VERSION, digests, parts)


def _instead(brought: Brought, folder: Path) -> dict[str, pd.DataFrame]:
    """The tables that were counted elsewhere; those of an earlier run that gated here hold other numbers, and go."""
    _forget(folder, [name for name in (*SAMPLE_TABLES, "absolute") if name not in brought.tables])
    return brought.tables


def tables_of(gated: Gated) -> dict[str, pd.DataFrame]:
    """The tables that have a sample in each row."""
    return {
        name: _frame([row for rows in gated.tables.values() for row in rows.get(name, ())])
        for name in SAMPLE_TABLES
    }


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))


def _pictures(folder: Path, gated: Gated) -> None:
    target = folder / "pictures"
    wanted = {
        f"{safe_name(name)}.json": rows["pictures"] for name, rows in gated.tables.items() if "pictures" in rows
    }
    for name, content in wanted.items():
        write_json(target / name, content)
    for old in target.glob("*.json") if target.is_dir() else ():
        if old.name not in wanted:
            old.unlink()


def link_and_analyse(
    study: Study, folder: Path, tables: Mapping[str, pd.DataFrame], clinical: Any, plan: Any
) -> tuple[Analysis | None, int, tuple[str, ...]]:
    """Write `linked`, `unmatched`, `infusions`, `associations`, `claims` and `imputed`; what they need may be missing."""
    notes = (*count_notes(study), *(study.brought.notes if study.brought is not None else ()))
    if not study.clinical:
        _forget(folder, LINKED)
        return None, 0, (*notes, *warnings_of(study.linked_tubes, None))
    import pandas as pd

    from cytoreg.clinical import link

    percentages = tables.get("percentages")
    if percentages is None or percentages.empty:
        percentages = pd.DataFrame(columns=list(TABLES["percentages"]))
    linked = link(samples_of(study), percentages, clinical, baseline=baseline_of(plan))
    found = {"linked": linked.table, "unmatched": linked.unmatched}
    if study.brought is not None and study.brought.left_out:
        found["unmatched"] = pd.concat([linked.unmatched, pd.DataFrame(study.brought.left_out)], ignore_index=True)
    if clinical.infusions is not None:
        found["infusions"] = clinical.infusions
    analysis = None
    if plan is not None:
        from cytoreg.stats import analyse as answer

        analysis = answer(found, plan, declared=first_declared(study, folder))
        found["associations"] = analysis.results
        found["claims"] = analysis.claims
        if analysis.imputed is not None:
            found["imputed"] = analysis.imputed
    if (safety := safety_of(clinical, plan)) is not None:
        found |= safety.tables
        told = set(zip(linked.unmatched["side"], linked.unmatched["subject_id"], strict=True))
        fresh = [
            pair not in told for pair in zip(safety.unmatched["side"], safety.unmatched["subject_id"], strict=True)
        ]
        found["unmatched"] = pd.concat([found["unmatched"], safety.unmatched[fresh]], ignore_index=True)
        notes = (*notes, *safety.notes)
    _forget(folder, LINKED)
    store_tables(folder, found)
    notes += tuple(warnings_of(study.linked_tubes, linked.table, plan.plan if plan is not None else None))
    notes = tuple(dict.fromkeys((*notes, *linked.notes, *(analysis.notes if analysis else ()))))
    return analysis, len(found["unmatched"]), notes


def _forget(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        for suffix in ("csv", "parquet"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def _provenance(
    study: Study,
    folder: Path,
    hashes: Mapping[str, str],
    plan: ReadPlan | None,
    analysis: Analysis | None,
    notes: Sequence[str],
    command: str,
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "study": study.name,
        "study_file": os.path.relpath(study.file, folder),
        "cytoreg": versions()["cytoreg"],
        "engine_version": ENGINE_VERSION,
        "command": command,
        "seed": study.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": dict(hashes),
        "templates": {
            panel: {
                "name": template.name,
                "digest": template.digest,
                "description": template.description,
                "reference": template.reference,
                "validation": template.validation,
                "meanings": {name: step.meaning for name, step in template.populations.items()},
            }
            for panel, template in study.templates.items()
        },
        "plan": plan.document.data if plan is not None else None,
        "plan_hash": analysis.plan_hash if analysis else None,
        "plan_lock": dict(shown(study, folder)),
        "exploratory": dict(analysis.exploratory) if analysis else {},
        "estimands": {name: dict(said) for name, said in analysis.estimands.items()} if analysis else {},
        "sentences": dict(analysis.sentences) if analysis else {},
        "packages": versions(),
        "notes": list(notes),
    }
