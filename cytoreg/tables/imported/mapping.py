"""The map that says what the columns and populations of tables from elsewhere are here (`populations.yaml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cytoreg.errors import LinkError
from cytoreg.yamlfile import StrictModel, load_yaml, validate

__all__ = ["ImportMap", "Percentage", "Shared", "TableMap", "read_map"]

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Percentage(StrictModel):
    """Where a percentage stands: as a value, or as counts. Several populations of `count` are added up."""

    value: str | None = None
    count: Names | None = None
    of: str | None = None

    @field_validator("count", mode="before")
    @classmethod
    def _one_or_several(cls, given: object) -> object:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _value_or_counts(self) -> Percentage:
        if (self.count is None) != (self.of is None):
            raise ValueError("count and of belong together")
        if self.value is None and self.count is None:
            raise ValueError("expected value, or count and of")
        return self


class TableMap(StrictModel):
    """One table. columns: our name -> theirs. percentages: our name -> where it stands.

    A long table has `population` (the column of population names) and `count` or `value` (the column of numbers);
    its percentages then name populations. A wide one has none of them, and its percentages name columns.
    """

    file: str
    sheet: str | None = None
    header: tuple[int, ...] = (1,)
    columns: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    fill_down: tuple[str, ...] = ()
    recode: dict[str, dict[str, str]] = Field(default_factory=dict)
    leave_out: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    population: str | None = None
    count: str | None = None
    value: str | None = None
    unit: Literal["percent", "fraction"] = "percent"
    decimal_comma: bool = False
    percentages: dict[str, Percentage] = Field(default_factory=dict)

    @field_validator("header", mode="before")
    @classmethod
    def _one_or_several(cls, given: object) -> object:
        return (given,) if isinstance(given, int) else given

    @model_validator(mode="after")
    def _fits_together(self) -> TableMap:
        for key in ("fill_down", "recode", "leave_out"):
            unknown = sorted(set(getattr(self, key)) - set(self.columns))
            if unknown:
                raise ValueError(f"{key} names '{unknown[0]}', which is not among columns")
        both = sorted(set(self.columns) & set(self.constants))
        if both:
            raise ValueError(f"'{both[0]}' is in columns and in constants")
        if not self.header or min(self.header) < 1 or list(self.header) != sorted(set(self.header)):
            raise ValueError("header: expected row numbers from 1, in their order")
        if self.population is None and (self.count or self.value):
            raise ValueError("count and value of a table need population, the column of population names")
        if self.population is not None and not (self.count or self.value):
            raise ValueError("a long table needs count or value, the column of numbers")
        if self.population is not None:
            for name, where in self.percentages.items():
                if (where.count and not self.count) or (where.value and not self.value):
                    column = "count" if where.count and not self.count else "value"
                    raise ValueError(f"percentage '{name}' needs the table's `{column}` column")
        return self


class Shared(StrictModel):
    """Columns that a table lacks are taken from rows of the other tables that have the same key."""

    key: str
    columns: Names


class ImportMap(StrictModel):
    """A whole map."""

    cytoreg: Literal[1]
    tables: Annotated[tuple[TableMap, ...], Field(min_length=1)]
    shared: Shared | None = None


def read_map(path: Path) -> ImportMap:
    """Read and check a map. Raises LinkError with file, line and key."""
    path = Path(path)
    if not path.is_file():
        raise LinkError(f"{path}: there is no such file")
    return validate(ImportMap, load_yaml(path, LinkError, name=path.name), LinkError)
