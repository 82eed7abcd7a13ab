"""`cytoreg.learn_gate`: a gate drawn or labelled on one file, written into a template that carries it to others.

Labels are FCS files of member events, exported byte by byte as rows of the file, or a column of 0 and 1 in a CSV file.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover
from cytoreg.gating import learning
from cytoreg.gating.binding import Choices
from cytoreg.gating.learning import Learned
from cytoreg.gating.template import Template
from cytoreg.interop.load import load_template

__all__ = ["learn_gate", "learn_prior", "members_of"]

File = str | os.PathLike[str]
Mask = npt.NDArray[np.bool_]
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no", "")


def learn_gate(
    sample: Sample | File,
    template: Template | File,
    population: str,
    members: Mask | File | Sequence[File] | None = None,
    *,
    on: Sequence[str] = (),
    parent: str | None = None,
    shape: str = "auto",
    align: str = "peaks",
    channels: Mapping[str, str] | None = None,
    start: str | None = None,
    compensation: File | Spillover | None = None,
) -> Learned:
    """The template in which a population's gate is a `reference` of this sample.

    members: one bool for each event of the file, or files as `members_of` takes them; without them the gate is the one
    that is drawn in the template. on, parent: the axes to learn it on and the population to learn it in, in place of
    the template's. shape: `auto`, `rectangle`, `ellipse` or `polygon`. align: how the gate is carried, as the method
    `reference` says. channels, start, compensation: as `gate` takes them.
    Raises FCSError or TemplateError with one line.
    """
    opened = _opened(sample)
    mask = members
    if members is not None and not isinstance(members, np.ndarray):
        files = [members] if isinstance(members, str | os.PathLike) else members
        mask = members_of(opened, files)
    return learning.learn_gate(
        opened,
        _template(template),
        population,
        mask,  # type: ignore[arg-type]
        on=on,
        parent=parent,
        shape=shape,
        align=align,
        choices=_choices(channels, start, compensation),
    )


def learn_prior(
    samples: Sequence[Sample | File],
    template: Template | File,
    population: str,
    *,
    strength: float = 0.2,
    channels: Mapping[str, str] | None = None,
    start: str | None = None,
    compensation: File | Spillover | None = None,
) -> Learned:
    """The template in which the mixture of a population expects what it finds in some samples, pooled.

    strength: how much that weighs, as a share of a tube's events. channels, start, compensation: as `gate` takes them.
    Raises FCSError or TemplateError with one line.
    """
    return learning.learn_prior(
        [_opened(sample) for sample in samples],
        _template(template),
        population,
        strength=strength,
        choices=_choices(channels, start, compensation),
    )


def _opened(sample: Sample | File) -> Sample:
    return sample if isinstance(sample, Sample) else read_fcs(sample)


def _template(template: Template | File) -> Template:
    return template if isinstance(template, Template) else load_template(template)


def _choices(
    channels: Mapping[str, str] | None, start: str | None, compensation: File | Spillover | None
) -> Choices:
    named = compensation is None or compensation in ("none", "from_file") or isinstance(compensation, Spillover)
    matrix = compensation if named else Path(os.fspath(compensation))  # type: ignore[arg-type]
    return Choices(channels, start, matrix)  # type: ignore[arg-type]


def members_of(sample: Sample, files: Sequence[File]) -> Mask:
    """Which events of a sample some files name, (n_events,); of several files the events of any.

    files: FCS files whose rows are rows of the sample, or CSV files with a row an event; `labels.csv:Tregs` names a
    column. Raises TemplateError where rows are not found or the numbers of rows differ.
    """
    mask = np.zeros(sample.n_events, dtype=bool)
    for file in files:
        name = os.fspath(file)
        path, _, column = name.rpartition(":") if ".csv:" in name.casefold() else (name, "", "")
        table = path.casefold().endswith(".csv")
        mask |= _of_table(sample, Path(path), column) if table else _of_rows(sample, Path(path))
    return mask


def _of_rows(sample: Sample, path: Path) -> Mask:
    labelled = read_fcs(path)
    names = [channel.name for channel in sample.channels]
    theirs = [channel.name for channel in labelled.channels]
    if set(names) != set(theirs):
        odd = next(iter(set(names) ^ set(theirs)))
        raise TemplateError(f"{path}: channel {odd!r} is not in both it and {sample.name}: not exported from it")
    whole, part = sample.to_numpy(raw=True), labelled.to_numpy(raw=True)[:, [theirs.index(name) for name in names]]
    wanted = {row.tobytes() for row in np.ascontiguousarray(part.astype(whole.dtype))}
    rows = [row.tobytes() for row in np.ascontiguousarray(whole)]
    if missing := len(wanted.difference(rows)):
        raise TemplateError(f"{path}: {missing} of {len(wanted)} rows are not rows of {sample.name}")
    return np.fromiter((row in wanted for row in rows), dtype=bool, count=len(rows))


def _of_table(sample: Sample, path: Path, column: str) -> Mask:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise TemplateError(f"{path}: cannot be read as a table ({problem})") from None
    header = [cell.strip() for cell in header]
    if not column and len(header) != 1:
        raise TemplateError(f"{path}: has {len(header)} columns; say which as {path.name}:COLUMN")
    if column and column not in header:
        raise TemplateError(f"{path}: no column {column!r}; {suggest(column, header)}")
    place = header.index(column) if column else 0
    if len(rows) != sample.n_events:
        raise TemplateError(
            f"{path}: {len(rows)} rows below the header, {sample.name} has {sample.n_events} events"
        )
    mask = np.zeros(len(rows), dtype=bool)
    for i, row in enumerate(rows):
        word = row[place].strip().casefold() if place < len(row) else ""
        if word not in (*_TRUE, *_FALSE):
            raise TemplateError(f"{path}, row {i + 2}: expected 0 or 1, found {word!r}")
        mask[i] = word in _TRUE
    return mask
