"""`study.yaml`: what a study consists of, where its files are, and how it is to be gated, linked and analysed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cytoreg.batch.sheet import Tube, read_samples
from cytoreg.errors import StudyError, suggest
from cytoreg.gating.binding import Choices
from cytoreg.gating.template import Template
from cytoreg.interop import load_template
from cytoreg.yamlfile import StrictModel, YamlDocument, load_yaml, validate

__all__ = ["Study", "load_study"]

FILE = "study.yaml"
CLINICAL = ("subjects", "visits", "infusions", "adverse_events", "labs")


@dataclass(frozen=True)
class Study:
    """A study whose files are known. folder: where study.yaml stands; relative paths start there.

    templates: panel -> template. clinical: table -> file. choices: by sample id.
    """

    name: str
    folder: Path
    file: Path
    samples: Path | None
    tubes: tuple[Tube, ...]
    templates: Mapping[str, Template]
    choices: Mapping[str, Choices]
    clinical: Mapping[str, Path] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    windows: Mapping[str, Any] = field(default_factory=dict)
    plan: Path | None = None
    seed: int = 0
    document: YamlDocument | None = None

    def inputs(self) -> dict[str, Path]:
        """Every file that the numbers come from, by the name to show."""
        files = [self.file, self.samples, *self.clinical.values(), self.plan]
        files += [Path(c.compensation) for c in self.choices.values() if isinstance(c.compensation, Path)]
        files += [
            path for template in self.templates.values() for path in (self.matrix_of(template), _file_of(template))
        ]
        files += [tube.path for tube in self.tubes]
        shown = {}
        for path in files:
            if path is not None:
                shown[os.path.relpath(path, self.folder)] = path
        return shown

    def matrix_of(self, template: Template) -> Path | None:
        """The compensation matrix that a template names, where it names a file."""
        said = template.compensation
        return None if said in ("none", "from_file") else Path(said)


def _file_of(template: Template) -> Path | None:
    """The file of a template of the study's own; a shipped one goes by version and digest."""
    path = Path(template.where)
    return path if path.is_file() else None


class _Study(StrictModel):
    cytoreg: Literal[1]
    study: str = "study"
    fcs: str = "."
    samples: str | None = None
    template: str | None = None
    templates: dict[str, str] = Field(default_factory=dict)
    compensation: str | None = None
    channels: dict[str, str] = Field(default_factory=dict)
    start: str | None = None
    rule: Literal["events", "flowjo"] | None = None
    seed: int = 0
    clinical: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    windows: dict[str, Any] = Field(default_factory=dict)
    plan: str | None = None


def load_study(path: str | os.PathLike[str] = ".") -> Study:
    """A study from its folder or its file.

    Raises StudyError, or TemplateError for a template of it, with file, line and key.
    """
    file = Path(path)
    if file.is_dir():
        file = file / FILE
    if not file.is_file():
        raise StudyError(f"{file}: there is no such study; `cytoreg init FOLDER` writes a first one")
    document = load_yaml(file, StudyError, name=file.name)
    schema = validate(_Study, document, StudyError)
    folder = file.parent
    _no_url(document, schema.fcs)
    tubes: list[Tube] = []
    samples = folder / schema.samples if schema.samples else None
    if samples is not None:
        tubes = read_samples(samples, folder / schema.fcs, schema.columns)
    elif not schema.clinical:
        raise StudyError(f"{document.name}: neither samples nor clinical tables: there is nothing to do")
    templates = _templates(document, schema, tubes, folder)
    clinical = {}
    for table, name in schema.clinical.items():
        if table not in CLINICAL:
            raise StudyError(f"{document.where(['clinical', table])}: unknown table; {suggest(table, CLINICAL)}")
        clinical[table] = _existing(document, folder / name, ["clinical", table])
    return Study(
        name=schema.study,
        folder=folder,
        file=file,
        samples=samples,
        tubes=tuple(tubes),
        templates=templates,
        choices={tube.sample_id: _choices(schema, tube, folder) for tube in tubes},
        clinical=clinical,
        columns=schema.columns,
        windows=schema.windows,
        plan=_existing(document, folder / schema.plan, ["plan"]) if schema.plan else None,
        seed=schema.seed,
        document=document,
    )


def _templates(document: YamlDocument, schema: _Study, tubes: list[Tube], folder: Path) -> dict[str, Template]:
    panels = list(dict.fromkeys(tube.panel for tube in tubes))
    if not panels:
        return {}
    if schema.template and schema.templates:
        raise StudyError(f"{document.where(['templates'])}: expected template or templates, found both")
    if schema.template:
        template = _load(schema.template, folder)
        return dict.fromkeys(panels, template)
    if not schema.templates:
        raise StudyError(f"{document.name}: there is no template: expected `template:` or `templates:`")
    for tube in tubes:
        if tube.panel not in schema.templates:
            raise StudyError(
                f"{schema.samples}, row {tube.row}, column panel: {tube.panel!r} has no template in {document.name}; "
                f"{suggest(tube.panel, schema.templates)}"
            )
    return {panel: _load(schema.templates[panel], folder) for panel in panels}


def _load(name: str, folder: Path) -> Template:
    beside = folder / name
    return load_template(beside if beside.is_file() else name)


def _choices(schema: _Study, tube: Tube, folder: Path) -> Choices:
    said = tube.compensation or schema.compensation
    compensation = said if said in (None, "none", "from_file") else folder / str(said)
    return Choices(schema.channels or None, tube.start or schema.start, compensation, tube.rule or schema.rule)


def _existing(document: YamlDocument, path: Path, key: list[str]) -> Path:
    if not path.is_file():
        raise StudyError(f"{document.where(key)}: there is no file {path}")
    return path


def _no_url(document: YamlDocument, fcs: str) -> None:
    if "://" in fcs:
        raise StudyError(f"{document.where(['fcs'])}: {fcs} is a URL; this version reads folders only")
