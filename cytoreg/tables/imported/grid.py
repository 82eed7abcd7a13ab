"""A table as it stands on a sheet: several header rows, columns without names, merged cells, rows between the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cytoreg.errors import LinkError, suggest
from cytoreg.tables.sheets import as_text, clean, raw_lines

__all__ = ["Grid", "letters", "read_grid"]

BY_LETTER = re.compile(r"column ([A-Za-z]{1,3})$")
BETWEEN = " | "


@dataclass(frozen=True)
class Grid:
    """name: for messages. titles: of each column, of its group and its own joined by ` | `, empty where it has none.

    lines: row number and cells, missing ones None; every row below the header, blank ones too.
    """

    name: str
    titles: tuple[str, ...]
    header: tuple[int, ...]
    lines: tuple[tuple[int, tuple[Any, ...]], ...]
    decimal_comma: bool = False

    def column(self, wanted: str) -> int:
        """The place of a column: its whole title, its own title, or `column K` by its letter.

        Raises LinkError where there is none, or several; line breaks and runs of blanks in titles count as one blank.
        """
        given = _plain(wanted)
        letter = BY_LETTER.match(given)
        if letter:
            place = _number(letter[1])
            if place >= len(self.titles):
                raise LinkError(
                    f"{self.name}: there is no {given}, the last is column {letters(len(self.titles) - 1)}"
                )
            return place
        own = [title.split(BETWEEN)[-1] for title in self.titles]
        for titles in (self.titles, own):
            found = [place for place, title in enumerate(titles) if title == given]
            if len(found) == 1:
                return found[0]
            if found:
                places = " and ".join(f"column {letters(place)}" for place in found)
                raise LinkError(f"{self.name}: '{given}' stands in {places}; name one of them by its letter")
        raise LinkError(f"{self.name}: there is no column '{given}'; {suggest(given, filter(None, self.titles))}")

    def place(self, row: int, column: int) -> str:
        """`sheet.xlsx, row 12, column K (total Treg)`: where a cell is, for a message."""
        title = self.titles[column] if column < len(self.titles) else ""
        return f"{self.name}, row {row}, column {letters(column)}" + (f" ({title})" if title else "")


def read_grid(path: Path, *, sheet: str | None = None, header: Sequence[int] = (1,)) -> Grid:
    """Read a table with the header in the given rows (from 1). Of several, those above the last name groups of columns.

    Raises LinkError where the file cannot be read or the header is not there.
    """
    path = Path(path)
    lines, comma = raw_lines(path, LinkError, sheet=sheet)
    rows = [(number, tuple(clean(value) for value in line)) for number, line in lines]
    name = path.name if sheet is None else f"{path.name} [{sheet}]"
    known = dict(rows)
    for number in header:
        if not any(value is not None for value in known.get(number, ())):
            raise LinkError(f"{name}: row {number} is empty or not there, expected the header")
    width = max((len(line) for _, line in rows), default=0)
    while width and all(len(line) < width or line[width - 1] is None for _, line in rows):
        width -= 1
    parts = [_titles(known[number], width, grouped=number != header[-1]) for number in header]
    titles = tuple(BETWEEN.join(filter(None, cells)) if cells[-1] else "" for cells in zip(*parts, strict=True))
    body = tuple((number, (line + (None,) * width)[:width]) for number, line in rows if number > max(header))
    return Grid(name, titles, tuple(header), body, comma)


def letters(place: int) -> str:
    """The name of a column on a sheet, places counted from 0.

    >>> letters(0), letters(25), letters(26)
    ('A', 'Z', 'AA')
    """
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _number(text: str) -> int:
    place = 0
    for letter in text.upper():
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1


def _titles(line: Sequence[Any], width: int, *, grouped: bool) -> list[str]:
    """The texts of a header row; one of groups goes on to the right until the next."""
    titles: list[str] = []
    for place in range(width):
        text = _plain(as_text(line[place]) or "") if place < len(line) else ""
        titles.append(text or (titles[-1] if grouped and titles else ""))
    return titles


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
