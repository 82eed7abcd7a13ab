"""Which file of a set of single stains is which control: from a sheet, or guessed from names and shown."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.fluorochrome import fluorochrome_of, without_pulse

__all__ = ["OWN", "Control", "SingleStains", "channel_for", "controls_of"]

FILE, CHANNEL, NEGATIVE = ("file", "name", "filename"), ("channel", "fluorochrome", "marker"), ("negative",)
UNSTAINED = frozenset({"unstained", "unst", "negative", "universal negative", "nil", "blank", "none"})
OWN = "own"  # said of a negative: the control's own unstained events
_NEGATIVE_NAME = re.compile(r"(?<![a-z])(unstained|unst|negative|nil|blank)(?![a-z])", re.IGNORECASE)
# dyes that a cytometer sees in one detector, so that a control may bear one name and the channel the other
_ALIKE = (
    ("fitc", "alexafluor488", "af488", "bb515", "gfp", "egfp", "cfse"),
    ("apc", "alexafluor647", "af647", "efluor660"),
    ("alexafluor700", "af700", "r718"),
    ("apccy7", "apch7", "apcfire750", "apcefluor780", "apcvio770"),
    ("percp", "percpcy55", "percpcy5.5", "7aad", "percpefluor710", "bb700"),
    ("petexasred", "pecf594", "pedazzle594", "ecd", "peefluor610"),
    ("pecy7", "pc7", "pevio770"),
    ("pecy5", "pc5"),
    ("bv421", "pacificblue", "alexafluor405", "af405", "efluor450", "v450", "vioblue"),
    ("bv510", "v500", "amcyan", "alexafluor430", "af430"),
    ("bv605", "qdot605", "qd605"),
)


@dataclass(frozen=True)
class Control:
    """One single-stain control.

    channel: the stained channel, or a dye or marker of it; empty for an unstained tube. negative: the file of
    its negative, `own` for its own unstained events, empty for the unstained tube of the set. guessed: how the
    channel was found where nobody said it.
    """

    path: Path
    channel: str = ""
    negative: str = ""
    guessed: str = ""

    @property
    def is_negative(self) -> bool:
        return not self.channel


@dataclass(frozen=True, repr=False)
class SingleStains:
    """`compensation: {single_stains: ...}` of a template or study: the folder or sheet, and how to use it."""

    path: Path
    method: str = "median"

    def __repr__(self) -> str:
        return repr(str(self.path))

    def beside(self, folder: Path) -> SingleStains:
        """The same where a path that is relative starts in a folder."""
        return SingleStains(folder / self.path, self.method)

    def describe(self) -> dict[str, str]:
        """As a template would say it."""
        said = {"single_stains": str(self.path)}
        return said if self.method == "median" else said | {"method": self.method}

    def files(self) -> list[Path]:
        """What the matrix is computed from: the sheet, where there is one, and every control."""
        sheet = [self.path] if self.path.is_file() else _sheets(self.path)
        return [*sheet, *(control.path for control in controls_of(self.path))]


def controls_of(source: Path) -> list[Control]:
    """The controls of a folder or a sheet, in the order of the sheet or of the file names.

    A folder's one CSV with a column of files and one of channels is its sheet. A sheet has the columns `file` (or
    `name`), `channel` (or `fluorochrome`, `marker`; `unstained` for a negative) and perhaps `negative`.
    Raises TemplateError where there are no controls, or the sheet has no such columns or a wrong row.
    """
    source = Path(source)
    if source.is_file():
        return _from_sheet(source)
    if not source.is_dir():
        raise TemplateError(f"{source}: there is no such folder or sheet of single-stain controls")
    sheets = _sheets(source)
    if len(sheets) > 1:
        names = ", ".join(path.name for path in sheets)
        raise TemplateError(f"{source}: several sheets of controls ({names}); name the one to use")
    if sheets:
        return _from_sheet(sheets[0])
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in (".fcs", ".lmd"))
    if not files:
        raise TemplateError(f"{source}: holds no FCS files, expected one of each single stain")
    return [_guessed(path) for path in files]


def channel_for(word: str, channels: Sequence[Channel]) -> Channel | None:
    """The fluorescence channel that a word names: $PnN, $PnS, the dye, or a dye seen in the same detector."""
    wanted = [channel for channel in channels if not channel.is_scatter_or_time]
    folded = word.strip().casefold()
    tests = (
        lambda c: c.name.casefold() == folded,
        lambda c: (c.marker or "").casefold() == folded,
        lambda c: _plain(without_pulse(c.name)) == _plain(word),
        lambda c: _plain(fluorochrome_of(c.name, c.marker) or "-") == _plain(word),
        lambda c: _alike(_plain(without_pulse(c.name)), _plain(word)),
        lambda c: _alike(_plain(fluorochrome_of(c.name, c.marker) or "-"), _plain(word)),
    )
    for test in tests:
        found = [channel for channel in wanted if test(channel)]
        area = [channel for channel in found if channel.name.casefold().endswith("-a")]
        if len(found) == 1 or len(area) == 1:
            return (area or found)[0]
    return None


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.casefold())


def _alike(one: str, other: str) -> bool:
    return any(one in group and other in group for group in _ALIKE)


def _guessed(path: Path) -> Control:
    """A control by its file name: unstained, or the dye that the name holds."""
    if _NEGATIVE_NAME.search(path.stem):
        return Control(path, guessed="file name")
    dye = fluorochrome_of("", re.sub(r"[_ ]+", " ", path.stem))
    return Control(path, channel=dye or "?", guessed="file name" if dye else "brightest channel")


def _sheets(folder: Path) -> list[Path]:
    """The tables of a folder that have a column of files and one of channels."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".csv", ".tsv") and path.is_file():
            header = next(iter(_rows(path)), (1, []))[1]
            if _column(header, FILE) is not None and _column(header, CHANNEL) is not None:
                found.append(path)
    return found


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    folded = [cell.strip().casefold() for cell in header]
    return next((folded.index(name) for name in names if name in folded), None)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows of a CSV or TSV with the number a person sees. Raises TemplateError where it is not text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise TemplateError(f"{path}: cannot be read as a table of text (CSV or TSV)") from None
    head = text.partition("\n")[0]
    delimiter = "\t" if "\t" in head else ";" if ";" in head else ","
    for number, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1):
        if any(cell.strip() for cell in row):
            yield number, [cell.strip() for cell in row]


def _from_sheet(path: Path) -> list[Control]:
    rows = list(_rows(path))
    header = rows[0][1] if rows else []
    columns = {"file": _column(header, FILE), "channel": _column(header, CHANNEL)}
    for name, at in columns.items():
        if at is None:
            raise TemplateError(f"{path.name}: there is no column '{name}'; {suggest(name, filter(None, header))}")
    negative = _column(header, NEGATIVE)
    found: list[Control] = []
    seen: dict[str, int] = {}
    for number, row in rows[1:]:
        cells: Mapping[str, str] = {
            name: row[at] if at is not None and at < len(row) else ""
            for name, at in {**columns, "negative": negative}.items()
        }
        where = f"{path.name}, row {number}"
        if not cells["file"]:
            raise TemplateError(f"{where}, column file: expected the name of an FCS file, found nothing")
        if cells["file"] in seen:
            raise TemplateError(f"{where}: {cells['file']!r} stands in row {seen[cells['file']]} already")
        if not cells["channel"]:
            raise TemplateError(f"{where}, column channel: expected a channel, or unstained, found nothing")
        seen[cells["file"]] = number
        unstained = cells["channel"].casefold() in UNSTAINED
        found.append(
            Control(path.parent / cells["file"], "" if unstained else cells["channel"], cells["negative"])
        )
    if not found:
        raise TemplateError(f"{path.name}: the sheet has a header and no rows")
    for number, control in zip((n for n, _ in rows[1:]), found, strict=True):
        if control.negative and control.negative != OWN and control.negative not in seen:
            where = f"{path.name}, row {number}, column negative"
            raise TemplateError(
                f"{where}: {control.negative!r} is no file of this sheet; {suggest(control.negative, [OWN, *seen])}"
            )
    return found
