"""Reads a sheet that a lab or clinic brings (CSV, TSV, XLSX, Parquet) as cells with the row number a person sees."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cytoreg.errors import CytoregError, LinkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Sheet", "as_date", "as_number", "as_text", "read_sheet", "sheet_of"]

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "nat", "none", "null", ".", "-", "missing"})
FORMATS = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
SNIFFED = 4096  # characters of a header looked at to tell comma from semicolon


@dataclass(frozen=True)
class Sheet:
    """Cells by column, missing ones None; `rows` holds each line's number in the sheet (header = row 1).

    error: what a departure raises, by what the sheet is for.
    """

    name: str
    cells: dict[str, list[Any]]
    rows: list[int]
    decimal_comma: bool = False
    error: type[CytoregError] = LinkError

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> list[str]:
        return list(self.cells)

    def place(self, line: int, column: str) -> str:
        """`visits.csv, row 5, column esr`: where a cell is, for a message."""
        return f"{self.name}, row {self.rows[line]}, column {column}"

    def renamed(self, names: dict[str, str]) -> Sheet:
        """The same cells, some columns under another name. Raises `LinkError` where that name is taken."""
        cells: dict[str, list[Any]] = {}
        for column, values in self.cells.items():
            name = names.get(column, column)
            if name in cells or (name != column and name in self.cells and name not in names):
                raise self.error(f"{self.name}: column '{column}' cannot be read as '{name}', which is there too")
            cells[name] = values
        return replace(self, cells=cells)


def read_sheet(path: Path, error: type[CytoregError] = LinkError) -> Sheet:
    """A table by its extension: .csv (comma or semicolon), .tsv or .txt (tab), .xlsx (first sheet), .parquet.

    Blank lines are passed over and rows keep their numbers. Raises `error` where there is no such file,
    it cannot be read, a column has no name or one that another has, or a row has more cells than the header.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise error(f"{path.name}: found the extension '{suffix}', expected one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise error(f"{path}: there is no such file")
    if suffix == ".parquet":
        try:
            return sheet_of(pd.read_parquet(path), path.name, error)
        except (OSError, ValueError) as problem:
            raise error(f"{path.name}: cannot be read as Parquet ({_first_line(problem)})") from None
    comma = False
    if suffix == ".xlsx":
        lines = _xlsx_lines(path, error)
    else:
        text = _text_of(path, error)
        header = text[:SNIFFED].partition("\n")[0]
        delimiter = "\t" if suffix in {".tsv", ".txt"} else ","
        if suffix == ".csv" and header.count(";") > header.count(","):
            delimiter, comma = ";", True
        lines = _csv_lines(text, delimiter, path.name, error)
    return _sheet_of_lines(lines, path.name, comma, error)


def sheet_of(frame: pd.DataFrame, name: str, error: type[CytoregError] = LinkError) -> Sheet:
    """A DataFrame as a sheet, its first line being row 2 as if a header stood above it."""
    cells = {str(column): [_clean(value) for value in frame[column].tolist()] for column in frame.columns}
    if len(cells) != frame.shape[1]:
        raise error(f"{name}: two columns have the same name")
    return Sheet(name=name, cells=cells, rows=list(range(2, len(frame) + 2)), error=error)


def as_text(value: Any) -> str | None:
    """A cell as text: trailing blanks off, 7.0 of a spreadsheet as '7'; None where it is missing."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def as_number(value: Any, place: str, *, decimal_comma: bool = False) -> float:
    """A cell as a float, NaN where it is missing. Raises `LinkError` for anything that is not a number."""
    if value is None:
        return math.nan
    text = value.replace(",", ".") if decimal_comma and isinstance(value, str) else value
    try:
        number = float(text)
    except (TypeError, ValueError):
        raise LinkError(f"{place}: found '{value}', expected a number") from None
    if math.isinf(number):
        raise LinkError(f"{place}: found '{value}', expected a finite number")
    return number


def as_date(value: Any, place: str) -> dt.date | None:
    """A cell as a date, None where it is missing. Raises `LinkError` for anything but an ISO 8601 date."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.datetime.fromisoformat(str(value).strip()).date()
    except ValueError:
        raise LinkError(f"{place}: found '{value}', expected an ISO date such as 2021-04-30") from None


def _clean(value: Any) -> Any:
    """None for what stands for a missing value, text without blanks around it, all else as it is."""
    if isinstance(value, str):
        text = value.strip()
        return None if text.casefold() in MISSING_WORDS else text
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value


def _text_of(path: Path, error: type[CytoregError]) -> str:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # what a spreadsheet of western Europe saves


def _csv_lines(
    text: str, delimiter: str, name: str, error: type[CytoregError]
) -> Iterator[tuple[int, Sequence[Any]]]:
    try:
        yield from enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), start=1)
    except csv.Error as problem:
        raise error(f"{name}: cannot be read as a table ({problem})") from None


def _xlsx_lines(path: Path, error: type[CytoregError]) -> Iterator[tuple[int, Sequence[Any]]]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as problem:  # openpyxl lets zip, XML and key errors through
        raise error(f"{path.name}: cannot be read as a spreadsheet ({_first_line(problem)})") from None
    try:
        yield from enumerate(book.worksheets[0].iter_rows(values_only=True), start=1)
    finally:
        book.close()


def _sheet_of_lines(
    lines: Iterator[tuple[int, Sequence[Any]]], name: str, comma: bool, error: type[CytoregError]
) -> Sheet:
    header: list[str | None] = []
    cells: list[list[Any]] = []
    rows: list[int] = []
    for row, line in lines:
        values = [_clean(value) for value in line]
        if all(value is None for value in values):
            continue
        if not header:
            header = [as_text(value) for value in values]
            while header[-1] is None:
                header.pop()
            cells = [[] for _ in header]
            continue
        beyond = [value for value in values[len(header) :] if value is not None]
        if beyond:
            raise error(f"{name}, row {row}: found {len(values)} cells, expected the header's {len(header)}")
        for index, column in enumerate(cells):
            column.append(values[index] if index < len(values) else None)
        rows.append(row)
    if not header:
        raise error(f"{name}: the table is empty, expected a header row")
    named: dict[str, list[Any]] = {}
    for index, (title, column) in enumerate(zip(header, cells, strict=True), start=1):
        if title is None:
            if any(value is not None for value in column):
                raise error(f"{name}, row 1: column {index} has values and no name")
            continue
        if title in named:
            raise error(f"{name}, row 1: column '{title}' stands twice")
        named[title] = column
    return Sheet(name=name, cells=named, rows=rows, decimal_comma=comma, error=error)


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]
