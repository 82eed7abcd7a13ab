"""What a study declares of its clinical tables: where each is, and which departures from the plain form are put right.

Nothing is repaired that is not declared here; what is met undeclared is an error, or a note, that names file, row and column.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from cytoreg.clinical.tables.dates import read_form
from cytoreg.clinical.tables.model import TABLES
from cytoreg.errors import LinkError, StudyError, suggest
from cytoreg.tables.database import is_url
from cytoreg.yamlfile import StrictModel, YamlDocument, validate

__all__ = ["Correction", "Rules", "Source", "read_rules", "read_sources"]

Cell = str | int | float | bool | None


class Correction(StrictModel):
    """One declared correction: the rows it is of, and what is put into them, or why they are left out.

    row: as the sheet shows it. where: what the row must hold, so that a file that has changed is noticed.
    """

    table: str = ""
    row: int | None = None
    where: dict[str, Cell] = Field(default_factory=dict)
    put: dict[str, Cell] = Field(default_factory=dict, alias="set")
    leave_out: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Correction:
        if self.row is None and not self.where:
            raise ValueError("expected `row` or `where`: which rows are meant")
        if bool(self.put) == bool(self.leave_out):
            raise ValueError("expected `set` (what the rows hold instead) or `leave_out` (why they are left out)")
        return self


def _kind_of(given: Any) -> str:
    return "[row]" if isinstance(given, Mapping | Correction) else "[word]"


# Told apart by what they are, so that a message is of the one that was meant.
Repair = Annotated[
    Annotated[Literal["blanks", "visit_case"], Tag("[word]")] | Annotated[Correction, Tag("[row]")],
    Discriminator(_kind_of),
]


class Rules(StrictModel):
    """How cells are read. decimal: `,` or both `,` and `.`. missing: words for no value. dates: forms beside ISO.

    units: column -> the unit its values are in. repair: `blanks` (around ids and names), `visit_case` (visit names that
    differ in case are one), and corrections of single rows. columns: theirs -> ours.
    """

    columns: dict[str, str] = Field(default_factory=dict)
    decimal: list[Literal[",", "."]] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    dates: list[str] = Field(default_factory=list)
    units: dict[str, str] = Field(default_factory=dict)
    repair: list[Repair] = Field(default_factory=list)

    @field_validator("decimal", "missing", "dates", mode="before")
    @classmethod
    def _one_is_a_list(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given

    @field_validator("repair", mode="before")
    @classmethod
    def _one_repair_is_a_list(cls, given: Any) -> Any:
        return [given] if isinstance(given, str | Mapping) else given

    @field_validator("dates")
    @classmethod
    def _known_forms(cls, given: list[str]) -> list[str]:
        for form in given:
            read_form(form)
        return given

    def corrections(self, table: str) -> list[Correction]:
        return [item for item in self.repair if isinstance(item, Correction) and item.table in ("", table)]

    def repairs(self, what: str) -> bool:
        return what in self.repair

    def of(self, table: str, own: Rules | None) -> Rules:
        """These rules with a table's own before them."""
        if own is None:
            return self
        mine = [item for item in own.repair if not isinstance(item, Correction)]
        return Rules(
            columns={**self.columns, **own.columns},
            decimal=own.decimal or self.decimal,
            missing=[*self.missing, *own.missing],
            dates=own.dates or self.dates,
            units={**self.units, **own.units},
            repair=[
                *self.repair,
                *mine,
                *(item.model_copy(update={"table": table}) for item in own.corrections(table)),
            ],
        )


class _Table(Rules):
    file: str
    sheet: str | None = None
    table: str | None = None
    query: str | None = None


@dataclass(frozen=True)
class Source:
    """Where a table stands: a file (of a workbook, which sheet), or a database's URL with its table or query; its rules."""

    place: Path | str
    sheet: str | None = None
    table: str | None = None
    query: str | None = None
    rules: Rules | None = None

    @property
    def path(self) -> Path | None:
        """The file, None for a database."""
        return self.place if isinstance(self.place, Path) else None


def read_rules(given: Rules | Mapping[str, Any] | None) -> Rules:
    """Rules from a mapping, as the `clinical` block of study.yaml writes them. Raises LinkError for a wrong key or value."""
    if isinstance(given, Rules):
        return given
    rules = validate(Rules, YamlDocument("rules", dict(given or {})), LinkError)
    _known_tables(rules.repair, YamlDocument("rules", given), LinkError)
    return rules


def read_sources(document: YamlDocument, folder: Path) -> tuple[dict[str, Source], Rules]:
    """The `clinical` block of a study: table -> where it stands, and the rules that hold for all its tables.

    Raises StudyError with file, line and key for an unknown table or key, and for a file that is not there.
    """
    data = document.data if isinstance(document.data, Mapping) else {}
    common = {key: value for key, value in data.items() if key in Rules.model_fields}
    rules = validate(Rules, YamlDocument(document.name, common, document.lines, document.prefix), StudyError)
    _known_tables(rules.repair, document, StudyError)
    sources = {}
    for table, said in data.items():
        if table in common:
            continue
        if table not in TABLES:
            hint = suggest(str(table), [*TABLES, *Rules.model_fields])
            raise StudyError(f"{document.where([table])}: unknown table; {hint}")
        sources[table] = _source(document, table, said, folder)
    return sources, rules


def _source(document: YamlDocument, table: str, said: Any, folder: Path) -> Source:
    own = None
    if isinstance(said, Mapping):
        own = validate(_Table, document.at(table), StudyError)
        place = own.file
    elif isinstance(said, str):
        place = said
    else:
        raise StudyError(
            f"{document.where([table])}: found {said!r}, expected a file, a database's URL, or `{{file: ...}}`"
        )
    chosen = {"sheet": own.sheet, "table": own.table, "query": own.query} if own is not None else {}
    if is_url(place):
        return Source(_beside(place, folder), rules=own, **chosen)
    if own is not None and (own.table or own.query):
        raise StudyError(
            f"{document.where([table])}: `table` and `query` are of a database, found the file {place}"
        )
    path = folder / place
    if not path.is_file():
        raise StudyError(f"{document.where([table])}: there is no file {path}")
    return Source(path, rules=own, **chosen)


def _beside(url: str, folder: Path) -> str:
    """The URL of an SQLite file that lies in the study's folder, wherever the command is given."""
    kind, mark, file = url.partition(":///")
    if mark and kind.partition("+")[0] == "sqlite" and file and not os.path.isabs(os.path.expandvars(file)):  # noqa: PTH117
        return f"{kind}:///{folder.resolve() / file}"
    return url


def _known_tables(repairs: Iterable[Any], document: YamlDocument, error: Any) -> None:
    for index, item in enumerate(repairs):
        if isinstance(item, Correction) and item.table not in TABLES:
            said = f"found '{item.table}'" if item.table else "found no table"
            raise error(f"{document.where(['repair', index, 'table'])}: {said}; {suggest(item.table, TABLES)}")
