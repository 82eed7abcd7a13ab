"""`convert` for gates: a template of any format that is read, written as GatingML, a FlowJo workspace or YAML."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cytoreg.errors import StoreError, TemplateError, suggest
from cytoreg.fcs.atomic import may_be_written, write_whole
from cytoreg.gating.concrete import concrete_template
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop import flowjo, gatingml, opencyto
from cytoreg.interop.left_behind import not_placed
from cytoreg.interop.load import read_template
from cytoreg.interop.opening import gate
from cytoreg.resources import template_paths

__all__ = ["WRITERS", "TemplateConversion", "convert_template", "is_template"]

File = str | os.PathLike[str]
READ = (".yaml", ".yml", ".xml", ".wsp")


@dataclass(frozen=True)
class TemplateConversion:
    """What a conversion of gates did. lost: what the new file does not carry, in sentences."""

    source: str
    target: str
    populations: int
    samples: int
    lost: tuple[str, ...] = ()


def is_template(source: File) -> bool:
    """Whether something is a shipped template's name, or a file that holds gates and not events."""
    name = os.fspath(source)
    path = Path(name)
    if name in template_paths() or path.suffix.lower() in READ:
        return True
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open("rb") as stream:
        return opencyto.recognises(stream.read(4096))


def convert_template(
    source: File, target: File, *, fcs: File | None = None, sample: str | None = None, force: bool = False
) -> TemplateConversion:
    """Write the gates of a template as GatingML 2.0 (.xml), a FlowJo workspace (.wsp) or YAML (.yaml).

    fcs: a file to place automatic gates on first; without one, gates that are not drawn cannot be said in other
    formats. sample: of a workspace, whose gates to take; without it those of all samples.
    Raises TemplateError or StoreError with one line.
    """
    path = Path(target)
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise StoreError(
            f"{path}: {path.suffix or 'no extension'} is not written as gates; {suggest('', WRITERS)}"
        )
    may_be_written(path, [source, *([fcs] if fcs is not None else [])], replace=force)
    template, lost = read_template(source)
    groups = template.groups
    if sample is not None:
        template = template.for_sample(sample)
    elif template.samples and fcs is None and path.suffix.lower() == ".xml":
        if len(template.samples) > 1:
            names = ", ".join(list(template.samples)[:12])
            raise TemplateError(
                f"{source}: holds the gates of several samples; say --sample NAME, one of: {names}"
            )
        template = template.for_sample(next(iter(template.samples)))
    if fcs is None:
        found = write(template, path)
    else:
        result = gate(fcs, template)
        template = concrete_template(result)
        found = [*not_placed(result, template), *write(result, path)]
    if template.remove and path.suffix.lower() in (".xml", ".wsp"):
        why = ", ".join(template.remove)
        lost = [*lost, f"quality, remove: [{why}]: the new file's gates count the events that are left out here"]
    if groups and not template.groups:
        lost = [*lost, f"the groups {', '.join(groups)}: the new file holds the gates of one sample"]
    trees = [item.template for item in template.samples.values()] or [template]
    return TemplateConversion(
        source=os.fspath(source),
        target=str(path),
        populations=sum(len(tree.populations) for tree in trees),
        samples=len(template.samples),
        lost=tuple(dict.fromkeys((*lost, *found))),
    )


def _drawn(source: Template | Result) -> Template:
    return concrete_template(source) if isinstance(source, Result) else source


def _write_yaml(source: Template | Result, path: Path) -> list[str]:
    write_whole(path, [template_to_yaml(_drawn(source)).encode("utf-8")])
    return []


def _write_gatingml(source: Template | Result, path: Path) -> list[str]:
    return gatingml.write(_drawn(source), path)


# Each writes the gates of a template, or those that were placed on a sample, and says what it could not.
WRITERS: dict[str, Callable[[Template | Result, Path], list[str]]] = {
    ".xml": _write_gatingml,
    ".wsp": flowjo.write,
    ".yaml": _write_yaml,
    ".yml": _write_yaml,
}
