"""A finished run repeated, whole or in part: whether its inputs, its rows and each of its numbers are still the same."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cytoreg.batch.runner import Progress, gate_tubes
from cytoreg.batch.sheet import Tube
from cytoreg.errors import CytoregError, MissingDependency, StudyError
from cytoreg.provenance import ENGINE_VERSION, file_hash, versions
from cytoreg.study.count_sources import with_counts
from cytoreg.study.definition import Study, load_study
from cytoreg.study.gates_table import gates_table
from cytoreg.study.running import SAMPLE_TABLES, clinical_of, link_and_analyse, tables_of, unit_of
from cytoreg.tables import read_json, read_table, write_json, write_tables

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLOSE", "CellDifference", "Verification", "verify"]

CLOSE = 1e-9  # relative; other processors and other versions of NumPy may differ in the last digits
KEYS = {
    "populations": ("sample_id", "population_id"),
    "percentages": ("sample_id", "percentage"),
    "intensities": ("sample_id", "population", "marker"),
    "quality": ("sample_id",),
    "absolute": ("sample_id",),
    "failures": ("sample_id",),
    "linked": ("subject_id", "visit"),
    "gates": ("sample_id", "population", "entry"),
}
LINKED = ("linked", "unmatched", "infusions", "associations", "claims", "imputed")


@dataclass(frozen=True)
class CellDifference:
    """A cell that is not what it was. column: empty where a whole row is there no more, or new."""

    table: str
    row: str
    column: str
    was: str
    found: str

    def __str__(self) -> str:
        if not self.column:
            return f"{self.table}, {self.row}: {self.found}"
        return f"{self.table}, {self.row}, {self.column}: was {self.was or 'empty'}, is {self.found or 'empty'}"


@dataclass(frozen=True)
class Verification:
    """What came of repeating a run.

    tubes, of: gated again, and in the study. rows, cells: compared. close: cells that are numbers equal to 1e-9 and
    not to the bit. changed: a sentence for each input that is not what the run saw. differences: cells beyond
    1e-9. flowkit: a sentence for each event that FlowKit decides otherwise; None where it was not asked. notes: what a
    reader should know.
    """

    folder: Path
    tubes: int
    of: int
    rows: int
    cells: int
    close: int
    changed: tuple[str, ...]
    differences: tuple[CellDifference, ...]
    flowkit: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether inputs and every number are the same, and FlowKit, where it was asked, agrees."""
        return not (self.changed or self.differences or self.flowkit)


def verify(
    results: str | os.PathLike[str],
    *,
    study: str | os.PathLike[str] | None = None,
    sample: int | None = None,
    against_flowkit: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Gate the tubes of a results folder again, link and analyse again, and compare every row and gate. Writes nothing there.

    study: where the study is; where the run's provenance says if not given. sample: only so many full tubes, the
    same ones each time, with those that share cuts with them. Raises CytoregError where the run cannot be repeated.
    """
    if against_flowkit and importlib.util.find_spec("flowkit") is None:
        raise MissingDependency("--against flowkit needs FlowKit, which is not installed: pip install flowkit")
    folder = Path(results)
    if not (folder / "provenance.json").is_file() and (folder / "results" / "provenance.json").is_file():
        folder = folder / "results"  # the study was named
    said = read_json(folder / "provenance.json")
    loaded = _study(folder, said, study)
    tubes = _chosen(loaded, sample)
    changed = tuple(_changed(loaded, said, None if sample is None else tubes))
    gated = gate_tubes(
        tubes, loaded.templates, loaded.choices, jobs=jobs, progress=progress, against_flowkit=against_flowkit
    )
    names = {tube.sample_id for tube in tubes} if sample is not None else None
    stored = {
        name: table
        for name in (*SAMPLE_TABLES, "absolute", "failures")
        if (table := read_table(folder, name)) is not None
    }
    compared = []
    with tempfile.TemporaryDirectory() as temporary:
        import pandas as pd

        again = Path(temporary)
        if loaded.brought is not None:
            counted = loaded.brought.tables
        else:
            counted = _counted(loaded, tables_of(gated), stored if sample is not None else {})
        write_tables(again, {**counted, "failures": pd.DataFrame(list(gated.failures))})
        for name, table in stored.items():
            found = read_table(again, name)
            found = found if found is not None else table.iloc[:0]
            compared.append(_compare(name, _of(table, names), _of(found, names)))
        if (kept := folder / "gates.json").is_file():
            placed = [rows["gates"] for rows in gated.tables.values() if "gates" in rows]
            write_json(again / "gates.json", placed)  # read again as what it is compared with was
            was, now = (gates_table(read_json(path), path) for path in (kept, again / "gates.json"))
            compared.append(_compare("gates", _of(was, names), _of(now, names)))
        source = again if sample is None else folder
        tables = {name: table for name in SAMPLE_TABLES if (table := read_table(source, name)) is not None}
        try:
            link_and_analyse(loaded, again, tables, clinical_of(loaded), _plan(said))
        except CytoregError as problem:
            unmade = CellDifference("associations", "the analysis", "", "", f"cannot be made again: {problem}")
            compared.append(_Compared(0, 0, 0, (unmade,)))
        for name in LINKED:
            was, now = read_table(folder, name), read_table(again, name)
            if was is not None and now is not None:
                compared.append(_compare(name, was, now))
            elif was is not None:
                compared.append(_compare(name, was, was.iloc[:0]))
            elif now is not None:
                compared.append(_compare(name, now.iloc[:0], now))
    return Verification(
        folder=folder,
        tubes=len(tubes),
        of=len(loaded.tubes),
        rows=sum(table.rows for table in compared),
        cells=sum(table.cells for table in compared),
        close=sum(table.close for table in compared),
        changed=changed,
        differences=tuple(difference for table in compared for difference in table.differences),
        flowkit=tuple(
            f"{sample_id}: {line}" for sample_id, rows in gated.tables.items() for line in rows.get("flowkit", ())
        )
        if against_flowkit
        else None,
        notes=tuple(_notes(loaded, said, tubes, sample, against_flowkit)),
    )


def _study(folder: Path, said: Mapping[str, Any], study: str | os.PathLike[str] | None) -> Study:
    if study is not None:
        return load_study(study)
    file = folder / str(said.get("study_file", Path("..") / "study.yaml"))
    if not file.is_file():
        raise StudyError(f"{folder}: its study is not at {file}; say where it is with --study STUDY")
    return load_study(Path(os.path.normpath(file)))


def _counted(
    study: Study, tables: Mapping[str, pd.DataFrame], stored: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """The tables with their absolute counts; a tube that was not gated again counts for its partner as it did."""
    import pandas as pd

    if not study.absolute:
        return with_counts(study, tables, None)
    whole = dict(tables)
    for name in ("populations", "percentages"):
        was, own = stored.get(name), tables[name]
        if was is not None and len(own):
            others = was[~was["sample_id"].isin(own["sample_id"])]
            whole[name] = pd.concat([own, others], ignore_index=True) if len(others) else own
    return with_counts(study, whole, clinical_of(study))


def _plan(said: Mapping[str, Any]) -> Any:
    """The plan that the results answer, which need not be the study's own."""
    from cytoreg.stats.plan import read_plan

    return read_plan(said["plan"]) if said.get("plan") else None


def _chosen(study: Study, sample: int | None) -> list[Tube]:
    """All tubes, or so many full ones drawn by the study's seed and all that can move their gates."""
    full = [tube for tube in study.tubes if tube.tube == "full"]
    if sample is None or sample >= len(full):
        return list(study.tubes)
    drawn = np.random.default_rng(study.seed).choice(len(full), size=sample, replace=False)
    chosen = [full[i] for i in drawn]
    units = {unit_of(study, tube) for tube in chosen if _shares_cuts(study, tube)}
    alone = {tube.sample_id for tube in chosen}
    return [tube for tube in study.tubes if tube.sample_id in alone or unit_of(study, tube) in units]


def _shares_cuts(study: Study, tube: Tube) -> bool:
    """Whether other tubes of its batch move its cuts, or its flags: what is fitted is held against theirs."""
    steps = study.templates[tube.panel].populations.values()
    return any(spec.params is not None for step in steps for spec in step.gate.walk())


def _changed(study: Study, said: Mapping[str, Any], tubes: Sequence[Tube] | None) -> Iterator[str]:
    """A sentence for each input that the run did not see as it is now. tubes: look at no other FCS files."""
    inputs, recorded = study.inputs(), said.get("inputs", {})
    unseen: set[str] = set()
    if tubes is not None:
        looked_at = {tube.sample_id for tube in tubes}
        unseen = {
            os.path.relpath(tube.path, study.folder) for tube in study.tubes if tube.sample_id not in looked_at
        }
    for name in (name for name in dict.fromkeys((*recorded, *inputs)) if name not in unseen):
        path = study.folder / name
        if not path.is_file():
            if name in recorded:
                yield f"{name}: is there no more"
        elif name not in recorded:
            yield f"{name}: was no input of the run"
        elif (now := file_hash(path)) != recorded[name]:
            yield f"{name}: changed since the run (SHA-256 was {recorded[name][:12]}, is {now[:12]})"
    for panel, was in said.get("templates", {}).items():
        template = study.templates.get(panel)
        if template is not None and template.digest != was["digest"]:
            yield f"template {template.name}: changed since the run (was {was['digest'][:12]}, is {template.digest[:12]})"


def _notes(
    study: Study, said: Mapping[str, Any], tubes: Sequence[Tube], sample: int | None, against_flowkit: bool
) -> Iterator[str]:
    if said.get("engine_version") != ENGINE_VERSION:
        yield f"the run was made by engine {said.get('engine_version')}, this is {ENGINE_VERSION}: numbers may differ"
    here = versions()
    other = [
        f"{name} {was} (here {here[name]})"
        for name, was in said.get("packages", {}).items()
        if name in here and here[name] != was
    ]
    if other:
        yield f"the run was made with {', '.join(other)}"
    full = sum(tube.tube == "full" for tube in tubes)
    if sample is not None and full > sample:
        yield f"full tubes asked for: {sample}; gated again: {full}, since tubes share cuts"
    rules = {study.choices[tube.sample_id].rule or study.templates[tube.panel].rule for tube in tubes}
    if against_flowkit and "flowjo" in rules:
        yield "FlowKit decides by true shapes, and so otherwise near edges where the rule is flowjo"


@dataclass(frozen=True)
class _Compared:
    rows: int
    cells: int
    close: int
    differences: tuple[CellDifference, ...]


def _of(table: pd.DataFrame, names: set[str] | None) -> pd.DataFrame:
    return table if names is None else table[table["sample_id"].isin(names)]


def _compare(name: str, was: pd.DataFrame, now: pd.DataFrame) -> _Compared:
    """Every cell of two tables, row by row as their keys say; by position where a table has no key."""
    rows_was, rows_now = _places(name, was), _places(name, now)
    gone = [CellDifference(name, row, "", "", "is there no more") for row in rows_was if row not in rows_now]
    new = [CellDifference(name, row, "", "", "is new") for row in rows_now if row not in rows_was]
    shared = [row for row in rows_was if row in rows_now]
    left, right = (
        table.iloc[[places[row] for row in shared]].reset_index(drop=True)
        for table, places in ((was, rows_was), (now, rows_now))
    )
    close, found = 0, [*gone, *new]
    columns = list(dict.fromkeys((*was.columns, *now.columns)))
    for column in columns:
        if column not in left or column not in right:
            found.append(
                CellDifference(
                    name, f"column {column}", "", "", "is new" if column in right else "is there no more"
                )
            )
            continue
        same, near = _alike(left[column], right[column])
        close += int((near & ~same).sum())
        found += [
            CellDifference(name, shared[i], column, _text(left[column][i]), _text(right[column][i]))
            for i in np.flatnonzero(~(same | near))
        ]
    return _Compared(len(shared), len(shared) * len(columns), close, tuple(found))


def _places(name: str, table: pd.DataFrame) -> dict[str, int]:
    """The position of each row by what it is called; a name that comes again gets its number."""
    keys = [key for key in KEYS.get(name, ()) if key in table]
    places: dict[str, int] = {}
    for i, cells in enumerate(
        table[keys].itertuples(index=False) if keys else [(f"row {i + 1}",) for i in range(len(table))]
    ):
        row = called = " ".join(str(cell) for cell in cells)
        number = 1
        while row in places:
            number += 1
            row = f"{called} ({number})"
        places[row] = i
    return places


def _alike(was: pd.Series[Any], now: pd.Series[Any]) -> tuple[Any, Any]:
    """Where two columns are the same to the bit, and where they are numbers within CLOSE; bools, shape (rows,)."""
    import pandas as pd

    empty = (was.isna() & now.isna()).to_numpy()
    if all(pd.api.types.is_numeric_dtype(column) for column in (was, now)):
        x, y = was.to_numpy(dtype=np.float64, na_value=np.nan), now.to_numpy(dtype=np.float64, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            near = np.abs(x - y) <= CLOSE * np.maximum(np.abs(x), np.abs(y))
        return empty | (x == y), near
    same = np.array([_text(x) == _text(y) for x, y in zip(was, now, strict=True)], dtype=bool)
    return empty | same, np.zeros(len(was), dtype=bool)


def _text(cell: Any) -> str:
    import pandas as pd

    return "" if pd.isna(cell) else repr(cell.item()) if isinstance(cell, np.generic) else str(cell)
