"""Reads population tables made elsewhere into rows of one percentage of one sample, and tells of every row left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cytoreg.errors import LinkError, suggest
from cytoreg.tables.imported.flowjo_table import SUMMARY_ROWS, is_flowjo, statistics_of
from cytoreg.tables.imported.grid import Grid, read_grid
from cytoreg.tables.imported.mapping import ImportMap, Percentage, Shared, TableMap, read_map
from cytoreg.tables.sheets import as_number, as_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NUMBERS", "Imported", "import_populations"]

NUMBERS = ("percentage", "value", "count", "ancestor_count")
DISAGREE = 0.006  # of a percentage and its counts, relative: three figures that were rounded
ROUNDED = 0.06  # percentage points: one figure behind the point
Row = dict[str, Any]
Left = dict[str, Any]


@dataclass(frozen=True)
class Imported:
    """table: a row a percentage of a sample: the columns that the map names (`subject_id`, `center`, ...), percentage,
    value (percent), count, ancestor_count (NaN where the table has none), and `table`, `row`: where it stands.

    left_out: table, row, reason, for each row below a header that gave no value. notes: what a reader should know.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    notes: tuple[str, ...]

    def reasons(self) -> list[str]:
        """`12 rows of FILE: reason (rows 5 to 8, 31 ...)`, the reasons in the order met."""
        lines = []
        for (name, reason), rows in self.left_out.groupby(["table", "reason"], sort=False)["row"]:
            lines.append(f"{len(rows)} rows of {name}: {reason} (row {_ranges(rows.tolist())})")
        return lines


def import_populations(path: Path | str) -> Imported:
    """Read what a map (.yaml) names, or one of FlowJo's exported tables (CSV, TSV, XLSX), which needs none.

    Raises LinkError, naming file, row and column, for a column or population that is missing, text in place of a
    number, a percentage outside 0 to 100, counts that cannot be, and a percentage of a sample that stands twice.
    """
    import pandas as pd

    path = Path(path)
    left: list[Left] = []
    notes: list[str] = []
    if path.suffix.lower() in {".yaml", ".yml"}:
        plan = read_map(path)
        rows = [row for table in plan.tables for row in _read(path.parent / table.file, table, left, notes)]
        if plan.shared is not None:
            _share(rows, plan.shared, notes)
        keys = _keys(plan)
    else:
        rows = list(_read(path, TableMap(file=path.name), left, notes))
        keys = ["sample_id"]
    _each_once(rows, keys)
    identity = list(dict.fromkeys(key for row in rows for key in row if key not in (*NUMBERS, "table", "row")))
    frame = pd.DataFrame(rows, columns=[*identity, *NUMBERS, "table", "row"])
    return Imported(frame, pd.DataFrame(left, columns=["table", "row", "reason"]), tuple(notes))


def _read(path: Path, table: TableMap, left: list[Left], notes: list[str]) -> Iterator[Row]:
    grid = read_grid(path, sheet=table.sheet, header=table.header)
    if table.population is not None:
        yield from _long(grid, table, left)
    elif is_flowjo(grid) and not table.percentages:
        yield from _flowjo(grid, table, left, notes)
    elif table.percentages:
        yield from _wide(grid, table, left)
    else:
        raise LinkError(
            f"{grid.name}: is not a table that FlowJo exported (no column such as 'CD4+ | Freq. of Parent'); say in a "
            "map (.yaml) what its columns are"
        )


def _wide(grid: Grid, table: TableMap, left: list[Left]) -> Iterator[Row]:
    places = {
        name: [None if text is None else grid.column(text) for text in (where.value, where.of)]
        + [grid.column(text) for text in where.count or ()]
        for name, where in table.percentages.items()
    }
    for row, cells, who in _rows(grid, table, left):
        given = False
        for name, (value, of, *counts) in places.items():
            said = _number(grid, row, cells, value, table)
            parent, *parts = (_number(grid, row, cells, place, table, count=True) for place in (of, *counts))
            found = _percentage(grid.name, row, name, said, sum(parts) if parts else math.nan, parent, table)
            if found is not None:
                given = True
                yield {**who, **found, "table": grid.name, "row": row}
        if not given:
            left.append({"table": grid.name, "row": row, "reason": "holds none of the values asked for"})


def _flowjo(grid: Grid, table: TableMap, left: list[Left], notes: list[str]) -> Iterator[Row]:
    asked, others = statistics_of(grid)
    if not asked:
        raise LinkError(f"{grid.name}: has counts but no column such as 'CD4+ | Freq. of Parent'")
    if others:
        notes.append(
            f"{grid.name}: passed over {len(others)} columns that are not percentages, such as '{others[0]}'"
        )
    first = {} if "sample_id" in table.columns else {"sample_id": "column A"}
    plain = (
        {title: title for place, title in enumerate(grid.titles) if place and title and "|" not in title}
        if not table.columns
        else {}
    )
    columns = {**first, **plain, **table.columns}
    declared = table.model_copy(update={"columns": columns})
    for row, cells, who in _rows(grid, declared, left):
        sample = str(who.get("sample_id") or "")
        if not sample or sample.casefold() in SUMMARY_ROWS:
            reason = f"FlowJo's summary row ({sample})" if sample else "has no sample name"
            left.append({"table": grid.name, "row": row, "reason": reason})
            continue
        given = False
        for want in asked:
            value = _number(grid, row, cells, want.value, declared)
            count, of = (_number(grid, row, cells, place, declared, count=True) for place in (want.count, want.of))
            for place in want.again:
                other = _number(grid, row, cells, place, declared)
                rounding = ROUNDED / 100 if declared.unit == "fraction" else ROUNDED
                if abs(other - value) > max(DISAGREE * max(abs(other), abs(value)), rounding):
                    stands = f"'{want.name}' is {value:g} in {grid.place(row, want.value)}"
                    raise LinkError(f"{grid.place(row, place)}: found {other:g}, but {stands}")
                value = other if math.isnan(value) else value
            found = _percentage(grid.name, row, want.name, value, count, of, declared)
            if found is not None:
                given = True
                yield {**who, **found, "table": grid.name, "row": row}
        if not given:
            left.append({"table": grid.name, "row": row, "reason": "holds no percentage"})


def _long(grid: Grid, table: TableMap, left: list[Left]) -> Iterator[Row]:
    """Rows are gathered by sample first; a percentage takes the populations it names."""
    name_at = grid.column(str(table.population))
    number_at = {key: grid.column(text) for key, text in (("count", table.count), ("value", table.value)) if text}
    used = {
        population
        for where in table.percentages.values()
        for population in (where.value, where.of, *(where.count or ()))
        if population is not None
    }
    samples: dict[tuple[Any, ...], dict[str, Any]] = {}
    known: set[str] = set()
    for row, cells, who in _rows(grid, table, left):
        population = as_text(cells[name_at]) or ""
        known.add(population)
        if population not in used:
            left.append({"table": grid.name, "row": row, "reason": f"population '{population}' is not asked for"})
            continue
        sample = samples.setdefault(tuple(who.values()), {"who": who, "row": row, "of": {}})
        if population in sample["of"]:
            first = sample["of"][population]["row"]
            raise LinkError(
                f"{grid.name}, row {row}: population '{population}' of this sample stands in row {first} already"
            )
        numbers = {
            key: _number(grid, row, cells, place, table, count=key == "count") for key, place in number_at.items()
        }
        sample["of"][population] = {"row": row, **numbers}
    for population in sorted(used - known):
        raise LinkError(f"{grid.name}: there is no population '{population}'; {suggest(population, known)}")
    for sample in samples.values():
        for name, where in table.percentages.items():
            found = _of_populations(grid.name, sample, name, where, table)
            if found is not None:
                yield {**sample["who"], **found, "table": grid.name, "row": sample["row"]}
            else:
                reason = f"'{name}' is not to be had: a population of it is missing in this sample"
                left.append({"table": grid.name, "row": sample["row"], "reason": reason})


def _of_populations(
    table_name: str, sample: Mapping[str, Any], name: str, where: Percentage, table: TableMap
) -> Row | None:
    have = sample["of"]
    if any(p is not None and p not in have for p in (where.value, where.of, *(where.count or ()))):
        return None
    value = have[where.value]["value"] if where.value else math.nan
    count = sum(have[p]["count"] for p in where.count) if where.count else math.nan
    of = have[where.of]["count"] if where.of else math.nan
    return _percentage(table_name, sample["row"], name, value, count, of, table)


def _rows(grid: Grid, table: TableMap, left: list[Left]) -> Iterator[tuple[int, tuple[Any, ...], Row]]:
    """Each row of a sample with the columns that say which it is; the others go to `left`."""
    places = {ours: grid.column(theirs) for ours, theirs in table.columns.items()}
    above: dict[str, str] = {}
    for row, cells in grid.lines:
        if all(value is None for value in cells):
            left.append({"table": grid.name, "row": row, "reason": "blank"})
            continue
        who: Row = {}
        for ours, place in places.items():
            text = as_text(cells[place]) or ""
            if ours in table.fill_down:
                text = above[ours] = text or above.get(ours, "")
            who[ours] = text
        declared = next((k for k, words in table.leave_out.items() if who[k] in words), None)
        if declared is not None:
            left.append(
                {
                    "table": grid.name,
                    "row": row,
                    "reason": f"{declared} is '{who[declared]}', declared as no sample",
                }
            )
            continue
        for ours, names in table.recode.items():
            who[ours] = names.get(who[ours], who[ours])
        yield row, cells, {**who, **table.constants}


def _number(
    grid: Grid, row: int, cells: Sequence[Any], place: int | None, table: TableMap, *, count: bool = False
) -> float:
    """A cell as a number, NaN where it is missing; a count is whole and not below zero."""
    if place is None or cells[place] is None or (isinstance(cells[place], str) and cells[place] in table.missing):
        return math.nan
    given = cells[place]
    if isinstance(given, str):
        given = given.removesuffix("%").strip()
    number = as_number(given, grid.place(row, place), decimal_comma=table.decimal_comma or grid.decimal_comma)
    if count and not math.isnan(number) and (number < 0 or not number.is_integer()):
        raise LinkError(f"{grid.place(row, place)}: found {number:g}, expected a count: a whole number from 0")
    return number


def _percentage(
    table_name: str, row: int, name: str, value: float, count: float, of: float, table: TableMap
) -> Row | None:
    """The value in percent and its counts, checked against each other; None where there is no value."""
    place = f"{table_name}, row {row}, '{name}'"
    if table.unit == "fraction":
        value *= 100
    if not (math.isnan(count) or math.isnan(of)):
        if count > of:
            raise LinkError(
                f"{place}: found {count:g} cells of {of:g}, expected at most as many as their parent has"
            )
        counted = 100 * count / of if of else math.nan
        if math.isnan(value):
            value = counted
        elif abs(value - counted) > max(DISAGREE * counted, ROUNDED):
            raise LinkError(
                f"{place}: found {value:g} %, expected {counted:.4g} % by the counts {count:g} of {of:g}"
            )
        else:
            value = counted
    else:
        count = of = math.nan
    if math.isnan(value):
        return None
    if not 0 <= value <= 100:
        raise LinkError(f"{place}: found {value:g} %, expected 0 to 100")
    return {"percentage": name, "value": value, "count": count, "ancestor_count": of}


def _share(rows: list[Row], shared: Shared, notes: list[str]) -> None:
    known: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row.get(shared.key)
        for column in shared.columns if key else ():
            if not row.get(column):
                continue
            before = known.setdefault((str(key), column), row)
            if before[column] != row[column]:
                raise LinkError(
                    f"{row['table']}, row {row['row']}: {shared.key} '{key}' has {column} '{row[column]}', and "
                    f"'{before[column]}' in {before['table']}, row {before['row']}"
                )
    alone: dict[str, int] = {}
    for row in rows:
        for column in shared.columns:
            if row.get(column):
                continue
            source = known.get((str(row.get(shared.key)), column))
            row[column] = source[column] if source is not None else ""
            if source is None:
                alone[f"{row['table']}: {column}"] = alone.get(f"{row['table']}: {column}", 0) + 1
    notes += [
        f"{name} of {n} rows is not known: no other table has that {shared.key}" for name, n in alone.items()
    ]


def _keys(plan: ImportMap) -> list[str]:
    """The columns that tell samples apart: all that any table names."""
    return list(dict.fromkeys(name for table in plan.tables for name in (*table.columns, *table.constants)))


def _each_once(rows: Iterable[Row], keys: Sequence[str]) -> None:
    seen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = (*(row.get(name, "") for name in keys), row["percentage"])
        if key in seen:
            first = seen[key]
            who = ", ".join(f"{name} {row[name]}" for name in keys if row.get(name))
            raise LinkError(
                f"{row['table']}, row {row['row']}: '{row['percentage']}' of {who or 'a sample'} stands in "
                f"{first['table']}, row {first['row']} already"
            )
        seen[key] = row


def _ranges(rows: Sequence[int], most: int = 6) -> str:
    """`5 to 8, 31`, at most six parts."""
    parts: list[list[int]] = []
    for row in sorted(set(rows)):
        if parts and row == parts[-1][1] + 1:
            parts[-1][1] = row
        else:
            parts.append([row, row])
    said = [str(a) if a == b else f"{a} to {b}" for a, b in parts]
    return ", ".join(said[:most]) + (" ..." if len(said) > most else "")
