"""The table of docs/explanation/real_files.md: every public FCS file, read by us and by three others.

`python -m benchmarks.real_files` writes it again, from ../shared/real or the folder that it is given;
tests/real/test_real_files_table.py holds the page to it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from cytoreg.errors import FCSError
from cytoreg.fcs import Problem, count_datasets, read_fcs
from cytoreg.fcs.describe import describe
from cytoreg.interop.readers import READERS, Opinion, compare_readers

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explanation" / "real_files.md"
REAL = ROOT.parent / "shared" / "real"
BEGIN, END = "<!-- begin: python -m benchmarks.real_files -->", "<!-- end -->"
SAYS_SOMETHING = 4  # letters that names must share to stand for all of them
CLOSED = "does not open it"
HEAD = ("file", "instrument", "version", "events x channels", "values", "found", "flowio", "fcsparser", "FlowKit")


@dataclass(frozen=True)
class Row:
    """One data set, or several files that differ in nothing but their number of events."""

    folder: str
    names: tuple[str, ...]
    instrument: str
    version: str
    events: tuple[int, ...]
    channels: int
    storage: str
    found: str
    opinions: tuple[str, ...]

    @property
    def alike(self) -> tuple[object, ...]:
        """What files of one row share."""
        same = (self.folder, self.instrument, self.version, self.channels, self.storage, self.found)
        return (*same, self.opinions, Path(self.names[0]).suffix)

    def cells(self) -> tuple[str, ...]:
        """The row as the page has it."""
        if not self.version:
            return (self.label(), "", "", "", "", self.found, *self.opinions)
        low, high = min(self.events), max(self.events)
        events = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        shape = f"{events} x {self.channels}"
        return (self.label(), self.instrument, self.version, shape, self.storage, self.found, *self.opinions)

    def label(self) -> str:
        """The file, or how many there are and how their names begin."""
        if len(self.names) == 1:
            return f"{self.folder}/ {self.names[0]}"
        letters = takewhile(lambda pair: pair[0] == pair[1], zip(min(self.names), max(self.names), strict=False))
        beginning = "".join(first for first, _ in letters)
        if len(beginning) < SAYS_SOMETHING:
            return f"{self.folder}/ {', '.join(self.names)}"
        return f"{self.folder}/ {len(self.names)} files {beginning}…"


def files(real: Path) -> list[Path]:
    """Every FCS file in the folder and below it."""
    return sorted(path for path in real.rglob("*") if path.suffix.lower() in (".fcs", ".lmd"))


def rows(real: Path) -> list[Row]:
    """A row for each data set of each file, those that are alike put together."""
    together: dict[tuple[object, ...], Row] = {}
    for path in files(real):
        for row in _rows_of(path, path.parent.relative_to(real).as_posix()):
            if row.alike in together:
                first = together[row.alike]
                row = replace(first, names=(*first.names, *row.names), events=(*first.events, *row.events))
            together[row.alike] = row
    return list(together.values())


def table(found: Sequence[Row]) -> str:
    """The rows as Markdown, under a sentence that counts them."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line(row.cells()) for row in found]
    return "\n".join([_counts(found), "", *lines])


def _counts(found: Sequence[Row]) -> str:
    read = [row for row in found if row.version]
    refused = sum(len(row.names) for row in found if not row.version)
    datasets = sum(len(row.names) for row in read)
    said = []
    for i, reader in enumerate(HEAD[-len(READERS) :]):
        opened = sum(len(row.names) for row in read if row.opinions[i] != CLOSED)
        equal = sum(len(row.names) for row in read if row.opinions[i].startswith("equal"))
        said.append(f"{reader} opens {opened}, all values equal in {equal}")
    return f"{datasets} data sets are read, {refused} files refused. Of those read, {'; '.join(said)}."


def written(page: str, block: str) -> str:
    """The page with its table replaced."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{rest.partition(END)[2]}"


def _rows_of(path: Path, folder: str) -> Iterable[Row]:
    try:
        count = count_datasets(path)
        for dataset in range(count):
            yield _row(path, folder, dataset, count)
    except FCSError as problem:
        said = str(problem).removeprefix(f"{path.name}: ")
        yield Row(folder, (path.name,), "", "", (), 0, "", _plain(f"refused: {said}"), ("",) * len(READERS))


def _row(path: Path, folder: str, dataset: int, count: int) -> Row:
    found = describe(read_fcs(path, dataset=dataset), datasets=count, dataset=dataset)
    name = path.name if count == 1 else f"{path.name}, data set {dataset}"
    opinions = compare_readers(path, READERS, datasets=[dataset])
    bits = "/".join(str(bits) for bits in found.storage.bits)
    return Row(
        folder=folder,
        names=(name,),
        instrument=_plain(found.instrument or "not said"),
        version=found.version.removeprefix("FCS"),
        events=(found.events,),
        channels=len(found.channels),
        storage=f"{found.storage.type} {bits}",
        found=_found(found.problems),
        opinions=tuple(_verdict(opinion) for opinion in opinions),
    )


def _found(problems: Sequence[Problem]) -> str:
    """Problems in few words, each kind once; `!` where a number may be affected."""
    said: dict[str, int] = {}
    for problem in problems:
        words = re.sub(r"\d+ to \d+", "…", problem.what)
        words = re.sub(r"all \d+|\$P\d+", lambda found: "all" if found.group()[0] == "a" else "$Pn", words)
        words = ("! " if problem.affects_numbers else "") + words
        words = re.sub(r"(\$Pn\w*)(?:, \1)+(?: and \d+ more)?", r"\1", words)
        said[words] = said.get(words, 0) + 1
    return "; ".join(_plain(words) for words in said) or "nothing"


def _plain(text: str) -> str:
    """Text for a cell: what is quoted from a file is kept short, and left out where it is not words."""
    quoted = re.compile(r"'([^']*)'")
    text = quoted.sub(
        lambda found: f"'{found[1]}'" if re.fullmatch(r"[ -\[\]-~]{0,20}", found[1]) else "'…'", text
    )
    return text.replace("|", "/").replace("<", "&lt;")


def _verdict(opinion: Opinion) -> str:
    if not opinion.opened:
        return CLOSED
    told = f", {opinion.how}" if opinion.how else ""
    if opinion.equal:
        return f"equal{told}"
    return f"{opinion.different:,} of {opinion.compared:,} differ{told}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the table into the page."""
    real = Path(sys.argv[1]) if len(sys.argv) > 1 else REAL
    if not real.is_dir():
        sys.exit(f"{real}: there is no such folder")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), table(rows(real))), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: written")


if __name__ == "__main__":
    main()
