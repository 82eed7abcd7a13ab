"""Reads a sheet that a lab or clinic brings (CSV, TSV, XLSX, Parquet, SAS transport) as cells with the row a person sees."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import math
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cytoreg.errors import CytoregError, LinkError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "Sheet",
    "as_date",
    "as_number",
    "as_text",
    "clean",
    "padded_lines",
    "raw_lines",
    "read_sheet",
    "sheet_of",
]

# "none" is not among them: it is an answer (no response, no relation to treatment)
MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "nat", "null", ".", "-", "missing"})
FORMATS = (".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".xpt")
SNIFFED = 4096  # characters of a header looked at to tell comma from semicolon


@dataclass(frozen=True)
class Sheet:
    """Cells by column, missing ones None; `rows` holds each line's number in the sheet (header = row 1).

    error: what a departure raises, by what the sheet is for. padded: by column, the lines whose text had blanks
    around it, which are taken off. origin: by column, the row each cell stands in, where that is not its line's.
    """

    name: str
    cells: dict[str, list[Any]]
    rows: list[int]
    decimal_comma: bool = False
    error: type[CytoregError] = LinkError
    padded: Mapping[str, Sequence[int]] = field(default_factory=dict)
    origin: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> list[str]:
        return list(self.cells)

    def place(self, line: int, column: str) -> str:
        """`visits.csv, row 5, column esr`: where a cell is, for a message."""
        return f"{self.name}, row {self.origin.get(column, self.rows)[line]}, column {column}"

    def kept(self, lines: Sequence[int]) -> Sheet:
        """The same columns, these lines only, each with the row it stands in."""
        place = {line: at for at, line in enumerate(lines)}
        return replace(
            self,
            cells={column: [values[line] for line in lines] for column, values in self.cells.items()},
            rows=[self.rows[line] for line in lines],
            padded={
                column: [place[line] for line in were if line in place] for column, were in self.padded.items()
            },
            origin={column: [rows[line] for line in lines] for column, rows in self.origin.items()},
        )

    def with_cells(self, **columns: list[Any]) -> Sheet:
        """The same lines, some columns new or others."""
        return replace(self, cells={**self.cells, **columns})

    def renamed(self, names: dict[str, str]) -> Sheet:
        """The same cells, some columns under another name. Raises `LinkError` where that name is taken."""
        cells: dict[str, list[Any]] = {}
        for column, values in self.cells.items():
            name = names.get(column, column)
            if name in cells or (name != column and name in self.cells and name not in names):
                raise self.error(f"{self.name}: column '{column}' cannot be read as '{name}', which is there too")
            cells[name] = values
        return replace(
            self,
            cells=cells,
            padded={names.get(column, column): lines for column, lines in self.padded.items()},
            origin={names.get(column, column): rows for column, rows in self.origin.items()},
        )


def read_sheet(path: Path, error: type[CytoregError] = LinkError, *, sheet: str | None = None) -> Sheet:
    """A table by its extension: .csv (comma or semicolon), .tsv or .txt (tab), .xlsx (the first sheet, or `sheet`),
    .parquet, .xpt (SAS transport).

    Blank lines are passed over and rows keep their numbers. Raises `error` where there is no such file,
    it cannot be read, a column has no name or one that another has, or a row has more cells than the header.
    """
    path = Path(path)
    if path.suffix.lower() == ".parquet" and path.is_file():
        return sheet_of(_parquet(path, error), path.name, error)
    if path.suffix.lower() == ".xpt" and path.is_file():
        cells = _xport(path, error)
        n_rows = len(next(iter(cells.values()), []))
        clean_cells = {column: [clean(value) for value in values] for column, values in cells.items()}
        return Sheet(
            path.name, clean_cells, list(range(1, n_rows + 1)), error=error
        )  # SAS counts observations from 1
    lines, comma = raw_lines(path, error, sheet=sheet)
    return _sheet_of_lines(lines, path.name, comma, error)


def raw_lines(
    path: Path, error: type[CytoregError] = LinkError, *, sheet: str | None = None
) -> tuple[Iterator[tuple[int, Sequence[Any]]], bool]:
    """The lines of a table with their row numbers, as they stand, and whether decimals may have a comma.

    sheet: of a workbook, by name; the first if not given. Of a Parquet file the first line is its header.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise error(f"{path.name}: found the extension '{suffix}', expected one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise error(f"{path}: there is no such file")
    if sheet is not None and suffix != ".xlsx":
        raise error(f"{path.name}: a sheet '{sheet}' is asked for, but only .xlsx files have sheets")
    if suffix == ".parquet":
        frame = _parquet(path, error)
        return enumerate([list(frame.columns), *frame.to_numpy(dtype=object).tolist()], start=1), False
    if suffix == ".xpt":
        columns = _xport(path, error)
        return enumerate([list(columns), *zip(*columns.values(), strict=True)]), False
    if suffix == ".xlsx":
        return _xlsx_lines(path, error, sheet), False
    text = _text_of(path, error)
    header = text[:SNIFFED].partition("\n")[0]
    delimiter, comma = "\t" if suffix in {".tsv", ".txt"} else ",", False
    if suffix == ".csv" and header.count(";") > header.count(","):
        delimiter, comma = ";", True
    return _csv_lines(text, delimiter, path.name, error), comma


def sheet_of(frame: pd.DataFrame, name: str, error: type[CytoregError] = LinkError) -> Sheet:
    """A DataFrame as a sheet, its first line being row 2 as if a header stood above it."""
    if frame.columns.map(str).has_duplicates:
        raise error(f"{name}: two columns have the same name")
    raw = {str(column): frame[column].tolist() for column in frame.columns}
    cells = {column: [clean(value) for value in values] for column, values in raw.items()}
    return Sheet(name, cells, list(range(2, len(frame) + 2)), error=error, padded=padded_lines(raw))


def padded_lines(cells: Mapping[str, Sequence[Any]]) -> dict[str, list[int]]:
    """By column, the lines whose text has blanks before or behind it; a column without such text is left out."""
    found = {
        column: [
            line for line, value in enumerate(values) if isinstance(value, str) and value != value.strip() != ""
        ]
        for column, values in cells.items()
    }
    return {column: lines for column, lines in found.items() if lines}


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
        if isinstance(text, str) and "_" in text:  # which float() passes over: 1_2 is no 12 in a clinic's table
            raise ValueError
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


def clean(value: Any) -> Any:
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
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # a spreadsheet's "Unicode text"
        return content.decode("utf-16", errors="replace")
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


def _parquet(path: Path, error: type[CytoregError]) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as problem:
        raise error(f"{path.name}: cannot be read as Parquet ({_first_line(problem)})") from None


def _xport(path: Path, error: type[CytoregError]) -> dict[str, list[Any]]:
    from cytoreg.tables.xport import read_xport

    return read_xport(path, error)


def _xlsx_lines(
    path: Path, error: type[CytoregError], sheet: str | None = None
) -> Iterator[tuple[int, Sequence[Any]]]:
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of extensions such as printing areas, which hold no cells
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        except Exception as problem:  # openpyxl lets zip, XML and key errors through
            raise error(f"{path.name}: cannot be read as a spreadsheet ({_first_line(problem)})") from None
        try:
            if sheet is not None and sheet not in book.sheetnames:
                raise error(f"{path.name}: has no sheet '{sheet}'; {suggest(sheet, book.sheetnames)}")
            chosen = book.worksheets[0] if sheet is None else book[sheet]
            lines = list(enumerate(chosen.iter_rows(values_only=True), start=1))
        finally:
            book.close()
    yield from lines


def _sheet_of_lines(
    lines: Iterator[tuple[int, Sequence[Any]]], name: str, comma: bool, error: type[CytoregError]
) -> Sheet:
    header: list[str | None] = []
    cells: list[list[Any]] = []
    raw: list[list[Any]] = []
    rows: list[int] = []
    for row, line in lines:
        values = [clean(value) for value in line]
        if all(value is None for value in values):
            continue
        if not header:
            header = [as_text(value) for value in values]
            while header[-1] is None:
                header.pop()
            cells = [[] for _ in header]
            raw = [[] for _ in header]
            continue
        beyond = [value for value in values[len(header) :] if value is not None]
        if beyond:
            raise error(f"{name}, row {row}: found {len(values)} cells, expected the header's {len(header)}")
        for index, column in enumerate(cells):
            column.append(values[index] if index < len(values) else None)
            raw[index].append(line[index] if index < len(line) else None)
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
    padded = padded_lines({title: raw[index] for index, title in enumerate(header) if title is not None})
    return Sheet(name=name, cells=named, rows=rows, decimal_comma=comma, error=error, padded=padded)


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]
