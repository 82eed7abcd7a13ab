"""Open an FCS file: HEADER and TEXT are parsed, DATA is left for when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem
from cytoreg.fcs.data import FileSource
from cytoreg.fcs.header import HEADER_BYTES, parse_header
from cytoreg.fcs.layout import find_channels, find_layout
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import find_spillover
from cytoreg.fcs.text import number, parse_text

__all__ = ["read_fcs"]

MAX_DATASETS = 10_000


def read_fcs(path: str | os.PathLike[str], *, dataset: int = 0, strict: bool = False) -> Sample:
    """Open a data set of an FCS 2.0 to 3.2 file.

    dataset: which one, from 0, where a file holds several ($NEXTDATA). strict: raise on any departure
    from the standard instead of noting it in `sample.problems`.
    Raises FCSError where the file is not FCS, is truncated, or cannot be read beyond doubt.
    """
    path = Path(path)
    where = path.name
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            sample = _open(file, path, stat, dataset, where)
    except FileNotFoundError:
        raise FCSError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise FCSError(f"{path}: is a folder, not an FCS file") from None
    except OSError as problem:
        raise FCSError(f"{path}: cannot be read: {problem.strerror or problem}") from None
    if strict and sample.problems:
        raise FCSError(f"{where}: {sample.problems[0]}")
    return sample


def _open(file: BinaryIO, path: Path, stat: os.stat_result, dataset: int, where: str) -> Sample:
    base = 0
    for step in range(MAX_DATASETS):
        file.seek(base)
        header = parse_header(file.read(HEADER_BYTES), where)
        begin, end = header.text
        if base + end >= stat.st_size:
            raise FCSError(
                f"{where}: the file is truncated: TEXT should end at byte {base + end} of {stat.st_size}"
            )
        text, problems = parse_text(_read(file, base + begin, end - begin + 1), where)
        following = int(number(text, "$NEXTDATA", where, default=0) or 0)
        if step == dataset:
            break
        if following <= 0 or base + following >= stat.st_size:
            raise FCSError(f"{where}: there is no data set {dataset}; the file holds {step + 1}, counted from 0")
        base += following
    else:
        raise FCSError(f"{where}: more than {MAX_DATASETS} data sets")
    if dataset == 0 and 0 < following < stat.st_size:
        problems.append(Problem("the file holds further data sets", "$NEXTDATA", "the first was read"))
    problems += _supplement(file, text, base, begin, stat.st_size, where)
    channels, found = find_channels(text, header.version, where)
    problems += found
    layout, found = find_layout(text, header, channels, base, stat.st_size, where)
    problems += found
    spillover, found = find_spillover(text, channels)
    problems += found
    return Sample(
        name=path.name,
        version=header.version,
        n_events=layout.n_events,
        channels=channels,
        text=text,
        spillover=spillover,
        problems=problems,
        source=FileSource(path, layout, channels, stat.st_size, stat.st_mtime_ns),
    )


def _supplement(
    file: BinaryIO, text: dict[str, str], base: int, primary: int, size: int, where: str
) -> list[Problem]:
    """Add the keywords of the supplemental TEXT segment; those of the primary one stay (3.2.6)."""
    begin = int(number(text, "$BEGINSTEXT", where, default=0) or 0)
    end = int(number(text, "$ENDSTEXT", where, default=0) or 0)
    if begin <= 0 or end <= begin or begin == primary:
        return []
    if base + end >= size:
        return [
            Problem("the supplemental TEXT segment lies outside the file", "$BEGINSTEXT", "it was left out", True)
        ]
    try:
        more, problems = parse_text(_read(file, base + begin, end - begin + 1), where)
    except FCSError:
        return [Problem("the supplemental TEXT segment holds no keywords", "$BEGINSTEXT", "it was left out", True)]
    for key, value in more.items():
        text.setdefault(key, value)
    return problems


def _read(file: BinaryIO, begin: int, length: int) -> bytes:
    file.seek(begin)
    return file.read(length)
