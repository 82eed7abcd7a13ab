"""Events as CSV, TSV and Parquet, a column a channel; Parquet also carries markers, ranges, TEXT and spillover."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import StoreError
from cytoreg.fcs.atomic import replace_whole
from cytoreg.fcs.spillover import Spillover
from cytoreg.interop.events import Events, described, unique_names

__all__ = ["METADATA_KEY", "read_events_csv", "read_events_parquet", "write_events_csv", "write_events_parquet"]

METADATA_KEY = b"cytoreg"
Array = npt.NDArray[Any]


def write_events_csv(events: Events, path: Path) -> list[str]:
    """Write a row of channel names and a row an event, tabs between them in a .tsv file; every digit is there.

    The sentences say what was left behind.
    """
    from pyarrow import csv as arrow_csv

    names, lost = _column_names(events)
    table = _table(events, names)
    tab = path.suffix.lower() == ".tsv"
    options = arrow_csv.WriteOptions(include_header=False, delimiter="\t" if tab else ",")
    header = io.StringIO()
    csv.writer(header, delimiter="\t" if tab else ",", lineterminator="\n").writerow(names)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(header.getvalue().encode("utf-8"))
            arrow_csv.write_csv(table, file, options)

    replace_whole(path, write)
    if any(channel.marker for channel in events.channels):
        lost.append("markers ($PnS) stay behind: CSV has channel names only")
    if events.spillover is not None:
        lost.append("the spillover matrix stays behind")
    if events.text:
        lost.append("keywords (TEXT) stay behind, ranges ($PnR) among them")
    return lost


def read_events_csv(path: Path) -> Events:
    """Events from CSV or TSV: channel names in the first row, numbers below (semicolons go with decimal commas).

    A column whose numbers are those of 32-bit floats becomes 32-bit, one of whole numbers beyond 2^53 stays whole,
    others are 64-bit floats; the notes say where these had to round a whole number.
    Raises StoreError that names row and column for a cell that is not a number.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names, lines, delimiter, encoding = _header(path)
    numbered = [str(i) for i in range(len(names))]

    def read(wanted: Sequence[str], kind: Any) -> Any:
        return arrow_csv.read_csv(
            str(path),
            read_options=arrow_csv.ReadOptions(column_names=numbered, skip_rows=lines, encoding=encoding),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, kind),
                include_columns=wanted,
                null_values=[],
                decimal_point="," if delimiter == ";" else ".",
            ),
        )

    try:
        columns = [column.to_numpy() for column in read(numbered, pa.float64()).columns]
        large = [i for i, column in enumerate(columns) if _has_large_whole(column)]
        cells = read([numbered[i] for i in large], pa.string()).columns if large else []
    except (pa.ArrowException, ValueError) as problem:
        raise StoreError(_first_bad_cell(path, names, delimiter, encoding) or f"{path}: {problem}") from None
    except OSError as problem:
        raise StoreError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    notes = []
    for i, text in zip(large, cells, strict=True):
        whole = _whole(text)
        if whole is not None:
            columns[i] = whole
        elif _loses_digits(text, columns[i]):
            notes.append(f"channel {names[i]!r}: whole numbers above 2^53 are rounded to 64-bit floats")
    kept = tuple(_narrowed(column) if column.dtype.kind == "f" else column for column in columns)
    return Events(path.name, kept, described(names, kept), {}, notes=tuple(notes))


def write_events_parquet(events: Events, path: Path) -> list[str]:
    """Write a column a channel; TEXT, markers, ranges and spillover as JSON under the schema's key `cytoreg`."""
    from pyarrow import parquet

    names, lost = _column_names(events)
    table = _table(events, names)
    known = {
        "schema": 1,
        "version": events.version,
        "channels": [
            {
                "column": column,
                "name": c.name,
                "marker": c.marker,
                "range": c.range,
                "bits": c.bits,
                "kind": c.kind,
            }
            for column, c in zip(names, events.channels, strict=True)
        ],
        "text": dict(events.text),
        "spillover": None
        if events.spillover is None
        else {
            "channels": events.spillover.channels,
            "matrix": events.spillover.matrix.tolist(),
            "source": events.spillover.source,
        },
    }
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(known, ensure_ascii=False).encode("utf-8")})
    replace_whole(path, lambda temporary: parquet.write_table(table, temporary))
    return lost


def read_events_parquet(path: Path) -> Events:
    """Events from Parquet; any file of numbers will do, one that cytoreg wrote brings markers, ranges, TEXT, spillover.

    Raises StoreError for a column that does not hold numbers, or has empty cells.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except FileNotFoundError:
        raise StoreError(f"{path}: there is no such file") from None
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise StoreError(f"{path}: is not a Parquet file: {str(problem).splitlines()[0]}") from None
    metadata = table.schema.metadata or {}
    known = _known(path, metadata.get(METADATA_KEY))
    of_column = {item["column"]: item for item in known["channels"]}
    index = [name for name in _index_of_pandas(table.column_names, metadata) if name not in of_column]
    table = table.drop_columns(index)
    columns = tuple(
        _numbers(path, name, column) for name, column in zip(table.column_names, table.columns, strict=True)
    )
    if not columns:
        raise StoreError(f"{path}: holds no columns: expected one for each channel")
    notes = tuple(f"column {name!r} is an index of pandas, not a channel: it is left out" for name in index)
    items = [of_column.get(name, {}) for name in table.column_names]
    names = [item.get("name", column) for item, column in zip(items, table.column_names, strict=True)]
    channels = described(names, columns, [i.get("marker") for i in items], [i.get("range") for i in items])
    return Events(
        path.name, columns, channels, known["text"], _spillover(known["spillover"], names), known["version"], notes
    )


def _column_names(events: Events) -> tuple[list[str], list[str]]:
    names = [channel.name for channel in events.channels]
    unique = unique_names(names)
    lost = [
        f"channel {old!r} stands twice: its column is called {new!r}"
        for old, new in zip(names, unique, strict=True)
        if old != new
    ]
    return unique, lost


def _table(events: Events, names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table([pa.array(_native(column)) for column in events.columns], names=list(names))


def _native(column: Array) -> Array:
    return column if column.dtype.isnative else column.astype(column.dtype.newbyteorder("="))


def _header(path: Path) -> tuple[list[str], int, str, str]:
    """Channel names, lines they take, delimiter and encoding. Raises StoreError where the first row has no names."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                first = file.readline()
                delimiter = _delimiter(path, first)
                file.seek(0)
                reader = csv.reader(file, delimiter=delimiter)
                names, lines = [name.strip() for name in next(reader, [])], reader.line_num
            break
        except UnicodeDecodeError:
            continue
        except FileNotFoundError:
            raise StoreError(f"{path}: there is no such file") from None
        except (OSError, csv.Error) as problem:
            raise StoreError(f"{path}: cannot be read: {problem}") from None
    else:
        raise StoreError(f"{path}: row 1: is neither UTF-8 nor Windows Latin-1 text")
    if not any(names):
        raise StoreError(f"{path}: row 1: expected the names of the channels, found nothing")
    if "" in names:
        raise StoreError(f"{path}: row 1, column {names.index('') + 1}: the channel has no name")
    if all(_is_number(name, delimiter) for name in names):
        raise StoreError(f"{path}: row 1: expected the names of the channels, found numbers: {names[0]}, ...")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise StoreError(f"{path}: row 1: the channel {twice!r} stands twice")
    return names, lines, delimiter, "utf-8" if encoding == "utf-8-sig" else "cp1252"


def _delimiter(path: Path, line: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(",;\t", key=lambda delimiter: (line.count(delimiter), delimiter == ","))


def _is_number(cell: str, delimiter: str) -> bool:
    try:
        float(cell.replace(",", ".") if delimiter == ";" else cell)
    except ValueError:
        return False
    return "_" not in cell


def _first_bad_cell(path: Path, names: Sequence[str], delimiter: str, encoding: str) -> str:
    """What is wrong with the first row that does not fit, or nothing."""
    with path.open(
        encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="", errors="replace"
    ) as file:
        reader = csv.reader(file, delimiter=delimiter)
        next(reader, None)
        for row in reader:
            where = f"{path}: row {reader.line_num}"
            if not row:
                continue
            if len(row) != len(names):
                return f"{where}: expected {len(names)} cells, found {len(row)}"
            for name, cell in zip(names, row, strict=True):
                if not _is_number(cell, delimiter):
                    found = repr(cell[:40]) if cell.strip() else "an empty cell"
                    return f"{where}, column {name!r}: expected a number, found {found}"
    return ""


def _has_large_whole(values: Array) -> bool:
    """Whether there is a number above 2^53, from where on 64-bit floats leave out whole numbers."""
    return bool((np.isfinite(values) & (np.abs(values) >= 2.0**53)).any())


def _whole(text: Any) -> Array | None:
    """Cells as whole numbers of 64 bits, or None where one is no such number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for kind in (pa.int64(), pa.uint64()):
        try:
            values: Array = pc.cast(pc.utf8_trim_whitespace(text), kind).to_numpy()
            return values
        except pa.ArrowException:
            continue
    return None


def _loses_digits(text: Any, values: Array) -> bool:
    """Whether a cell of digits alone is not what its 64-bit float is written as."""
    places = np.flatnonzero(np.isfinite(values) & (np.abs(values) >= 2.0**53))
    cells = ((text[int(i)].as_py().strip(), float(values[i])) for i in places)
    return any(re.fullmatch(r"[-+]?\d+", cell) and Decimal(cell) != Decimal(repr(value)) for cell, value in cells)


def _narrowed(values: Array) -> Array:
    """32-bit floats where these are what the numbers were written from, in the shortest way or with 9 digits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        narrow = values.astype(np.float32)
        back = narrow.astype(np.float64)
        left = np.flatnonzero(~((back == values) | np.isnan(values)))
        for some in (left[:1000], left):  # most columns that are not 32-bit show it at once
            v, x = values[some], back[some]
            scale = 10.0 ** (8 - np.floor(np.log10(np.abs(x))))
            nine = np.abs(np.rint(x * scale) / scale - v) <= np.abs(v) * 2.0**-50
            shortest = pc.cast(pc.cast(pa.array(narrow[some]), pa.string()), pa.float64()).to_numpy(
                zero_copy_only=False
            )
            if not (nine | (shortest == v)).all():
                return values
    return narrow


def _numbers(path: Path, name: str, column: Any) -> Array:
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise StoreError(f"{path}: column {name!r}: expected numbers, found {kind}")
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
        raise StoreError(f"{path}: column {name!r}, row {row}: expected a number, found an empty cell")
    values: Array = column.to_numpy()
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _index_of_pandas(names: Sequence[str], metadata: Mapping[bytes, bytes]) -> list[str]:
    """The columns in which pandas keeps the index of a frame (its `index_columns`, those without a name by number)."""
    try:
        said = json.loads(metadata.get(b"pandas", b"{}"))["index_columns"]
    except (ValueError, KeyError, TypeError):
        said = []
    return [name for name in names if name in said or re.fullmatch(r"__index_level_\d+__", name)]


def _known(path: Path, raw: bytes | None) -> dict[str, Any]:
    if raw is None:
        return {"channels": [], "text": {}, "spillover": None, "version": "FCS3.1"}
    try:
        known = json.loads(raw)
        found: dict[str, Any] = {key: known[key] for key in ("channels", "text", "spillover", "version")}
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{path}: the metadata of the schema under 'cytoreg' cannot be read") from None
    return found


def _spillover(known: dict[str, Any] | None, names: Sequence[str]) -> Spillover | None:
    """The matrix, unless a column that it names is gone."""
    if known is None or not set(known["channels"]) <= set(names):
        return None
    return Spillover(tuple(known["channels"]), np.array(known["matrix"], dtype=np.float64), known["source"])
