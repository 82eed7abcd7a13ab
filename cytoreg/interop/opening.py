"""`cytoreg.gate`: what a caller has at hand, file names and all, turned into what the engine takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cytoreg import gating
from cytoreg.errors import TemplateError
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover
from cytoreg.gating.binding import Choices
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.gating.uncertainty import REPLICATES
from cytoreg.interop.load import load_template

__all__ = ["gate"]

File = str | os.PathLike[str]


def gate(
    sample: Sample | File,
    template: Template | File,
    *,
    channels: Mapping[str, str] | None = None,
    start: str | None = None,
    compensation: File | Spillover | None = None,
    controls: Mapping[str, Sample | File] | None = None,
    rule: str | None = None,
    gates_of: str | None = None,
    seed: int = 0,
    bootstrap: int = REPLICATES,
) -> Result:
    """Place every gate of a template on a sample and apply it.

    sample: an opened sample or an FCS file. template: a Template, a shipped name or a file. channels:
    marker -> channel, in place of what the file says. start: the population whose events the file holds,
    for a file exported from it. compensation: `from_file`, `none`, a matrix file or a Spillover, in place of
    the template's. controls: marker -> the FMO tube that lacks it; `isotype` or
    `unstained` -> that control. rule: how events are counted; `events`
    decides each against the gate's true shape; the template's where it is not given. gates_of: the sample of a workspace
    whose gates are taken, where the file is called otherwise. bootstrap: replicates that say how sure the
    placement of gates is, 16 to 64, or 0 for none; the counts do not depend on it. seed: of what is drawn for them.

    Raises FCSError or TemplateError with one clear line.
    """
    named = compensation is None or compensation in ("none", "from_file") or isinstance(compensation, Spillover)
    matrix = compensation if named else Path(os.fspath(compensation))  # type: ignore[arg-type]
    read = template if isinstance(template, Template) else load_template(template)
    if gates_of is not None:
        if not read.samples:
            raise TemplateError(
                f"{read.name}: has the same gates for all samples, found the sample {gates_of!r} asked for"
            )
        read = read.for_sample(gates_of)
    return gating.gate(
        _opened(sample),
        read,
        Choices(channels, start, matrix, bootstrap=bootstrap, seed=seed),  # type: ignore[arg-type]
        controls={marker: _opened(control) for marker, control in (controls or {}).items()},
        rule=rule,
    )


def _opened(sample: Sample | File) -> Sample:
    return sample if isinstance(sample, Sample) else read_fcs(sample)
