"""Reads a table of a database (any that SQLAlchemy knows) as a sheet; its URL may hold `${NAMES}` of the environment."""

from __future__ import annotations

import os
import re
from typing import Any

from cytoreg.errors import CytoregError, LinkError, MissingDependency, suggest
from cytoreg.tables.sheets import Sheet, clean, padded_lines

__all__ = ["is_url", "read_database", "shown_url"]

COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
READING = re.compile(rf"^{COMMENTS}\(?\s*(?:select|with|values)\b", re.IGNORECASE | re.DOTALL)


def is_url(where: object) -> bool:
    """Whether a table's place is the URL of a database, `dialect://...`, and not a file."""
    return isinstance(where, str) and re.match(r"^[a-z][a-z0-9+]*://", where, re.IGNORECASE) is not None


def shown_url(url: str) -> str:
    """The URL as a message may show it: the user's name and password left out.

    >>> shown_url("postgresql://anna:secret@host/clinic")
    'postgresql://***@host/clinic'
    """
    return re.sub(r"//[^/]*@", "//***@", url)


def read_database(
    url: str, table: str, *, query: str | None = None, error: type[CytoregError] = LinkError
) -> Sheet:
    """A table, or what a query of reading gives, as a sheet; its first row is row 2, as if a header stood above it.

    url: `sqlite:///clinic.db`, `postgresql+psycopg://user:${CLINIC_PASSWORD}@host/db`, .... Raises `MissingDependency` without
    SQLAlchemy or the database's driver, and `error` where there is no such database or table.
    """
    try:
        import sqlalchemy as sql
    except ImportError:
        raise MissingDependency(
            "reading a clinical table from a database needs SQLAlchemy, which is not installed: pip install 'cytoreg[sql]'"
        ) from None
    name = f"{shown_url(url)} {'query' if query else table}"
    if query is not None and not READING.match(query):
        raise error(
            f"{name}: found '{query.strip()[:40]}', expected a query that only reads: select ... or with ..."
        )
    try:
        engine = sql.create_engine(os.path.expandvars(url), poolclass=sql.pool.NullPool)
    except ImportError as problem:
        raise MissingDependency(f"{shown_url(url)}: its driver is not installed ({problem})") from None
    except sql.exc.ArgumentError:
        raise error(
            f"{shown_url(url)}: found no URL of a database, expected such as sqlite:///clinic.db"
        ) from None
    database = engine.url.database
    if engine.dialect.name == "sqlite" and database and not os.path.exists(database):  # noqa: PTH110
        raise error(f"{shown_url(url)}: there is no such file")  # SQLite would make an empty one
    try:
        with engine.connect() as connection:
            there = sql.inspect(connection)
            schema, _, bare = table.rpartition(".")
            known = [*there.get_table_names(schema=schema or None), *there.get_view_names(schema=schema or None)]
            if query is None and bare not in known:
                raise error(f"{shown_url(url)}: has no table '{table}'; {suggest(table, known)}")
            chosen: Any = (
                sql.text(query)
                if query is not None
                else sql.select(sql.text("*")).select_from(sql.table(bare, schema=schema or None))
            )
            found = connection.execute(chosen)
            columns, rows = [str(column) for column in found.keys()], found.fetchall()  # noqa: SIM118
    except sql.exc.SQLAlchemyError as problem:
        said = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        raise error(f"{name}: cannot be read ({shown_url(said)})") from None
    finally:
        engine.dispose()
    if len(set(columns)) != len(columns):
        raise error(f"{name}: two columns have the same name")
    raw = {column: [_plain(row[index]) for row in rows] for index, column in enumerate(columns)}
    return Sheet(
        name=name,
        cells={column: [clean(value) for value in values] for column, values in raw.items()},
        rows=list(range(2, len(rows) + 2)),
        error=error,
        padded=padded_lines(raw),
    )


def _plain(value: Any) -> Any:
    """A database's decimal as a float; all else as it is."""
    return float(value) if type(value).__name__ == "Decimal" else value
