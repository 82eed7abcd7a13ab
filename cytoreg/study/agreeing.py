"""From tables of gatings to their agreement, or a control chart: read, compute, write, draw (`cytoreg agree`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cytoreg.errors import AnalysisError, LinkError, suggest
from cytoreg.tables import prepare_folder, read_table, write_json

if TYPE_CHECKING:
    import pandas as pd

    from cytoreg.stats.agreement.compare import Agreement
    from cytoreg.stats.agreement.control_chart import Chart

__all__ = ["chart_of", "read_gatings", "write_agreement", "write_chart"]

LABELS = ("run", "day", "date", "visit", "batch", "sample_id", "file")
SAME = {"subject_id": "subject", "centre": "center"}


def read_gatings(
    paths: Sequence[Path], value: str | None = None, where: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, str, tuple[str, ...]]:
    """The tables as one: a row a measurement with `value`; the name of the value; what to tell about reading.

    paths: maps (.yaml), tables that FlowJo exported, results folders, or tables with a column of values. Of several
    tables without a column `method`, each is a method by its file's name. value: a column, or a percentage by name.
    where: column -> the text that it must have.

    Raises AnalysisError or LinkError, naming file, row and column.
    """
    import pandas as pd

    frames, told, names = [], [], []
    for path in paths:
        frame, notes = _table(Path(path))
        frame = frame.rename(
            columns={k: v for k, v in SAME.items() if k in frame.columns and v not in frame.columns}
        )
        frame, name = _with_value(frame, value, Path(path).name)
        if len(paths) > 1 and "method" not in frame.columns:
            frame = frame.assign(method=Path(path).stem)
        frames.append(frame)
        names.append(name)
        told += notes
    table = pd.concat(frames, ignore_index=True)
    for column, text in (where or {}).items():
        if column not in table.columns:
            raise AnalysisError(
                f"--where {column}={text}: there is no column '{column}'; {suggest(column, table.columns)}"
            )
        table = table[table[column].astype(str) == text]
        if table.empty:
            raise AnalysisError(f"--where {column}={text}: no row has that; nothing is left")
    dropped = table["value"].isna()
    if dropped.any():
        told.append(f"{int(dropped.sum())} rows have no value and are left out")
    table = table[~dropped].reset_index(drop=True)
    if table.empty:
        raise AnalysisError("agreement: the tables hold no value")
    return table, next(iter(dict.fromkeys(names))), tuple(told)


def chart_of(
    table: pd.DataFrame,
    *,
    target: float | None = None,
    sd: float | None = None,
    first: int | None = None,
    label: str | None = None,
    beside: str | None = None,
) -> tuple[Chart, list[float] | None]:
    """A control chart of the rows in their order, and the numbers of the column `beside`."""
    from cytoreg.stats.agreement.control_chart import levey_jennings
    from cytoreg.tables.sheets import as_number

    for column in filter(None, (label, beside)):
        if column not in table.columns:
            raise AnalysisError(f"control chart: there is no column '{column}'; {suggest(column, table.columns)}")
    name = label or next((c for c in LABELS if c in table.columns), None)
    labels = [str(text) for text in (table[name] if name else range(1, len(table) + 1))]
    if name and label is None and len(set(labels)) < len(labels):
        raise AnalysisError(
            f"control chart: '{labels[0]}' stands several times in {name}; name the runs with --label"
        )
    counted = {"count", "ancestor_count"} <= set(table.columns)
    chart = levey_jennings(
        table["value"].to_numpy(float),
        labels,
        target=target,
        sd=sd,
        first=first,
        counts=table["count"] if counted else None,
        totals=table["ancestor_count"] if counted else None,
    )
    if beside is None:
        return chart, None
    return chart, [
        as_number(cell, f"control chart, row {i}, column {beside}") for i, cell in enumerate(table[beside], 1)
    ]


def write_agreement(folder: Path, found: Agreement, told: Sequence[str]) -> Path:
    """Write the tables (CSV), `agreement.json` and the page; gives the page."""
    from cytoreg.reports.agreement import agreement_page

    folder = prepare_folder(Path(folder))
    tables = found.tables()
    for name, table in tables.items():
        _write_csv(folder / f"{name}.csv", table)
    write_json(folder / "agreement.json", as_data(found, told))
    return agreement_page(folder / "agreement.html", found, told)


def write_chart(
    folder: Path, name: str, chart: Chart, told: Sequence[str], beside: tuple[str, Sequence[float]] | None = None
) -> Path:
    """Write the points (CSV), `control_chart.json` and the page; gives the page."""
    import pandas as pd

    from cytoreg.reports.agreement import chart_page

    folder = prepare_folder(Path(folder))
    points = pd.DataFrame([{**asdict(point), "rules": ";".join(point.rules)} for point in chart.points])
    if beside is not None:
        points[beside[0]] = list(beside[1])
    _write_csv(folder / "control_chart.csv", points)
    write_json(folder / "control_chart.json", {"value": name, **asdict(chart), "told": list(told)})
    return chart_page(folder / "control_chart.html", name, chart, told, beside)


def as_data(found: Agreement, told: Sequence[str]) -> dict[str, Any]:
    """All of it as plain data."""
    tables = {name.removeprefix("agreement_"): t.to_dict("records") for name, t in found.tables().items()}
    head = {"value": found.value, "n": found.n, "methods": list(found.methods), "n_rated": found.n_rated}
    return {**head, **tables, "notes": list(found.notes), "told": list(told)}


def _table(path: Path) -> tuple[pd.DataFrame, list[str]]:
    from cytoreg.tables.imported import import_populations
    from cytoreg.tables.imported.flowjo_table import is_flowjo
    from cytoreg.tables.imported.grid import read_grid

    if path.is_dir():
        found = read_table(path, "percentages")
        if found is None:
            raise AnalysisError(f"{path}: holds no table of percentages; is it a results folder?")
        return found, []
    if path.suffix.lower() in {".yaml", ".yml"}:
        imported = import_populations(path)
    else:
        grid = read_grid(path)
        if not is_flowjo(grid):
            return _plain(path), []
        imported = import_populations(path)
    return imported.table, [*imported.reasons(), *imported.notes]


def _plain(path: Path) -> pd.DataFrame:
    """A table of a column of values and columns of text, with the row of each."""
    import pandas as pd

    from cytoreg.tables.sheets import read_sheet

    sheet = read_sheet(path, LinkError)
    return pd.DataFrame({**sheet.cells, "row": sheet.rows, "table": path.name})


def _with_value(frame: pd.DataFrame, wanted: str | None, name: str) -> tuple[pd.DataFrame, str]:
    """The table with the asked value as the number column `value`."""
    from cytoreg.tables.sheets import as_number, as_text

    if "percentage" in frame.columns and "value" in frame.columns and wanted != "value":
        there = list(dict.fromkeys(str(text) for text in frame["percentage"]))
        if wanted is None and len(there) > 1:
            raise AnalysisError(
                f"{name}: holds several percentages, name one with --value; there are: {', '.join(there)}"
            )
        chosen = wanted or (there[0] if there else "")
        if chosen not in there:
            raise AnalysisError(f"{name}: there is no percentage '{chosen}'; {suggest(chosen, there)}")
        frame, column = frame[frame["percentage"].astype(str) == chosen], "value"
    else:
        column = chosen = wanted or "value"
        if column not in frame.columns:
            said = "" if wanted else "; name the column of values with --value"
            raise AnalysisError(f"{name}: there is no column '{column}'{said}; {suggest(column, frame.columns)}")
    numbers = {}
    for each in dict.fromkeys((column, *(c for c in ("count", "ancestor_count") if c in frame.columns))):
        numbers["value" if each == column else each] = [
            as_number(cell, f"{name}, row {row}, column {each}")
            for cell, row in zip(
                frame[each], frame["row"] if "row" in frame.columns else range(2, len(frame) + 2), strict=True
            )
        ]
    texts = {
        c: [as_text(cell) or "" for cell in frame[c]] for c in frame.columns if c not in (*numbers, column, "row")
    }
    import pandas as pd

    keep = {"row": frame["row"].tolist()} if "row" in frame.columns else {}
    return pd.DataFrame({**texts, **numbers, **keep}), chosen


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    from functools import partial

    from cytoreg.fcs.atomic import replace_whole

    replace_whole(path, partial(table.to_csv, index=False))
