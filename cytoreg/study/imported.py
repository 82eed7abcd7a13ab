"""The populations of a study that were counted elsewhere (key `populations`), as if its tubes had been gated here.

A FlowJo table says nothing of patients: whose a sample is stands in the samples sheet, or in columns `subject_id` and
`visit` of the table itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cytoreg.batch.sheet import COLUMNS, Tube
from cytoreg.errors import StudyError, suggest
from cytoreg.gating.uncertainty.counting import wilson
from cytoreg.tables.sheets import as_text, read_sheet

if TYPE_CHECKING:
    import pandas as pd

    from cytoreg.tables.imported import Imported

__all__ = ["Brought", "bring", "files_of"]

IDENTITY = ("sample_id", "subject_id", "visit", "panel")
OURS = (*IDENTITY, "batch", "drawn_at")


@dataclass(frozen=True)
class Brought:
    """tubes: a full tube for each sample of the tables (or row of the sheet), without a file that could be gated.

    percentages: as the contract has them; limits are those of counting, empty where a table has no counts.
    left_out: side, subject_id, visit, sample_id, reason of each row that gave no value. notes: what a reader should know.
    """

    tubes: tuple[Tube, ...]
    percentages: pd.DataFrame
    left_out: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of a run that it stands for, by name."""
        return {"percentages": self.percentages}


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The tables and maps, and the tables that the maps name."""
    found = []
    for path in paths:
        found.append(path)
        if path.suffix.lower() in {".yaml", ".yml"}:
            from cytoreg.tables.imported.mapping import read_map

            found += [path.parent / table.file for table in read_map(path).tables]
    return list(dict.fromkeys(found))


def bring(
    paths: Sequence[Path], sheet: Path | None, columns: Mapping[str, str], *, lod: int, lloq: int
) -> Brought:
    """Read tables from elsewhere, and the sheet that says whose their samples are.

    columns: our name -> the sheet's, as in study.yaml. lod, lloq: fewer events than these are flagged.
    Raises LinkError or StudyError with file, row and column.
    """
    from cytoreg.tables.imported import import_populations

    listed = _listed(sheet, columns) if sheet is not None else None
    tubes: dict[str, Tube] = {tube.sample_id: tube for tube in listed or ()}
    named = {_bare(tube.file or tube.sample_id): tube.sample_id for tube in listed or ()}
    rows: list[dict[str, Any]] = []
    left: list[dict[str, str]] = []
    notes: list[str] = []
    for path in paths:
        found = import_populations(path)
        notes += found.notes
        left += [_left(line["table"], line["row"], line["reason"]) for line in found.left_out.to_dict("records")]
        _needs(path, found, sheet is not None)
        for record in found.table.to_dict("records"):
            line = {str(key): value for key, value in record.items()}
            tube = _tube(path, line)
            if listed is None:
                tube = tubes.setdefault(tube.sample_id, tube)
            else:
                known = tubes.get(tube.sample_id) or tubes.get(named.get(_bare(tube.sample_id), ""))
                tube = known or tube  # one that the sheet lacks is told by the link
            rows.append(_percentage(tube, line, lod, lloq))
    if not rows:
        raise StudyError(f"{', '.join(path.name for path in paths)}: holds no percentage of any sample")
    import pandas as pd

    from cytoreg.tables import TABLES

    percentages = pd.DataFrame(rows, columns=list(TABLES["percentages"]))
    notes.insert(
        0, "populations were counted elsewhere: their limits are those of counting alone, and no gate was seen"
    )
    return Brought(tuple(tubes.values()), percentages, tuple(left), tuple(notes))


def _needs(path: Path, found: Imported, has_sheet: bool) -> None:
    have = list(found.table.columns)
    needed = ("sample_id",) if has_sheet else ("subject_id", "visit")
    for column in needed:
        if column not in have:
            way = (
                ""
                if has_sheet
                else "; or give a samples sheet (key `samples`) with sample_id, subject_id and visit"
            )
            raise StudyError(
                f"{path.name}: its rows have no column '{column}'; {suggest(column, have)}{way} "
                "(a map's `columns:` says which column is which)"
            )


def _tube(path: Path, line: Mapping[str, Any]) -> Tube:
    cells: dict[str, Any] = {column: str(line.get(column) or "") for column in OURS}
    further = {
        str(column): str(value)
        for column, value in line.items()
        if column not in (*OURS, "percentage", "value", "count", "ancestor_count", "table", "row", "file")
    }
    name = cells.pop("sample_id") or " ".join(
        filter(None, (cells[key] for key in ("subject_id", "visit", "panel")))
    )
    file = str(line.get("file") or "")
    return Tube(path=path, file=file, sample_id=name, row=int(line["row"]), extra=further, **cells)


def _listed(path: Path, columns: Mapping[str, str]) -> list[Tube]:
    """The rows of a samples sheet whose files need not be there: sample_id or file, subject_id, visit, ..."""
    sheet = read_sheet(path, StudyError)
    sheet = sheet.renamed({theirs: ours for theirs, ours in columns.items() if ours in COLUMNS})
    if not {"sample_id", "file"} & set(sheet.columns):
        raise StudyError(
            f"{sheet.name}: there is no column 'sample_id' or 'file'; {suggest('sample_id', sheet.columns)}"
        )
    tubes: list[Tube] = []
    first: dict[str, int] = {}
    for line, row in enumerate(sheet.rows):
        cells = {column: as_text(sheet.cells[column][line]) or "" for column in sheet.columns}
        name = cells.get("sample_id") or Path(cells.get("file", "")).stem
        if not name:
            raise StudyError(f"{sheet.name}, row {row}: expected a sample_id or the name of a file, found nothing")
        if name in first:
            raise StudyError(f"{sheet.name}, row {row}: {name!r} stands in row {first[name]} already")
        first[name] = row
        said: dict[str, Any] = {key: cells.get(key, "") for key in (*OURS[1:], "file")}
        tube = (cells.get("tube") or "full").lower()
        further = {column: value for column, value in cells.items() if column not in COLUMNS}
        tubes.append(Tube(path=path, sample_id=name, tube=tube, row=row, extra=further, **said))
    return tubes


def _bare(name: str) -> str:
    """A sample's name without folders and the ending of its file: FlowJo shows the file, a sheet may not."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return last[:-4] if last.lower().endswith(".fcs") else last


def _percentage(tube: Tube, line: Mapping[str, Any], lod: int, lloq: int) -> dict[str, Any]:
    count, total = float(line["count"]), float(line["ancestor_count"])
    low = high = math.nan
    flags: tuple[str, ...] = ()
    if not (math.isnan(count) or math.isnan(total)):
        low, high = wilson(int(count), int(total))
        flags = ("below_lod",) if count < lod else ("below_lloq",) if count < lloq else ()
    limits = {"ci_low": low, "ci_high": high, "ci_count_low": low, "ci_count_high": high}
    numbers = {key: line[key] for key in ("percentage", "value", "count", "ancestor_count")}
    return {**tube.identity, **numbers, **limits, "flags": ";".join(flags)}


def _left(table: str, row: int, reason: str) -> dict[str, str]:
    who = {"subject_id": "", "visit": "", "sample_id": ""}
    return {"side": "populations", **who, "reason": f"{table}, row {row}: {reason}"}
