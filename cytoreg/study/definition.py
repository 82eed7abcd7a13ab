"""`study.yaml`: what a study consists of, where its files are, and how it is to be gated, linked and analysed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from cytoreg.batch.sheet import Tube, read_samples
from cytoreg.compensation import SingleStains
from cytoreg.errors import StudyError, suggest
from cytoreg.gating.binding import Choices
from cytoreg.gating.read_compensation import parse_compensation
from cytoreg.gating.template import Template
from cytoreg.gating.uncertainty import LLOQ, LOD, REPLICATES
from cytoreg.interop import load_template
from cytoreg.study.absolute import Counting, read_absolute
from cytoreg.study.imported import Brought, bring, files_of
from cytoreg.yamlfile import StrictModel, YamlDocument, load_yaml, validate

if TYPE_CHECKING:
    from cytoreg.clinical.tables import Rules, Source

__all__ = ["Study", "load_study", "matrix_files"]

FILE = "study.yaml"


@dataclass(frozen=True)
class Study:
    """A study whose files are known. folder: where study.yaml stands; relative paths start there.

    templates: panel -> template. clinical: table -> where it stands. rules: how clinical cells are read. choices: by sample id. absolute: panel -> how its tubes
    get cells per microlitre. populations: tables of percentages counted elsewhere, and brought: what they hold; then no tube is gated.
    """

    name: str
    folder: Path
    file: Path
    samples: Path | None
    tubes: tuple[Tube, ...]
    templates: Mapping[str, Template]
    choices: Mapping[str, Choices]
    clinical: Mapping[str, Source] = field(default_factory=dict)
    rules: Rules | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    windows: Mapping[str, Any] = field(default_factory=dict)
    plan: Path | None = None
    seed: int = 0
    document: YamlDocument | None = None
    absolute: Mapping[str, Counting] = field(default_factory=dict)
    populations: tuple[Path, ...] = ()
    brought: Brought | None = None

    @property
    def linked_tubes(self) -> tuple[Tube, ...]:
        """The tubes whose percentages are joined to the clinic's tables, whoever counted them."""
        return self.brought.tubes if self.brought is not None else self.tubes

    def inputs(self) -> dict[str, Path]:
        """Every file that the numbers come from, by the name to show."""
        files = [self.file, self.samples, *(source.path for source in self.clinical.values()), self.plan]
        files += [path for choice in self.choices.values() for path in matrix_files(choice.compensation)]
        for template in self.templates.values():
            files += [*matrix_files(self.matrix_of(template)), _file_of(template)]
        files += [tube.path for tube in self.tubes]
        files += files_of(self.populations)
        shown = {}
        for path in files:
            if path is not None:
                shown[os.path.relpath(path, self.folder)] = path
        return shown

    def matrix_of(self, template: Template) -> Path | SingleStains | None:
        """The compensation matrix that a template names, where it names a file, or the single stains it is made of."""
        said = template.compensation
        return None if said in ("none", "from_file") else said if isinstance(said, SingleStains) else Path(said)

    def single_stains(self) -> list[SingleStains]:
        """The sets of controls that matrices of this study are made of, each once."""
        said = [choice.compensation for choice in self.choices.values()]
        said += [template.compensation for template in self.templates.values()]
        return list(dict.fromkeys(item for item in said if isinstance(item, SingleStains)))


def matrix_files(said: object) -> list[Path]:
    """The files that a choice of compensation is made of; none of a word such as `from_file`."""
    if isinstance(said, SingleStains):
        return said.files()
    return [said] if isinstance(said, Path) else []


def _file_of(template: Template) -> Path | None:
    """The file of a template of the study's own; a shipped one goes by version and digest."""
    path = Path(template.where)
    return path if path.is_file() else None


class _Quality(StrictModel):
    remove: list[Literal["margin", "time", "rate"]] | None = None


class _Study(StrictModel):
    cytoreg: Literal[1]
    study: str = "study"
    fcs: str = "."
    samples: str | None = None
    template: str | None = None
    templates: dict[str, str] = Field(default_factory=dict)
    compensation: Any = None
    channels: dict[str, str] = Field(default_factory=dict)
    start: str | None = None
    rule: Literal["events", "flowjo"] | None = None
    quality: _Quality = Field(default_factory=_Quality)
    seed: int = 0
    bootstrap: int = Field(default=REPLICATES, ge=0, le=REPLICATES)
    lod: int = Field(default=LOD, ge=0)
    lloq: int = Field(default=LLOQ, ge=0)
    clinical: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    windows: dict[str, Any] = Field(default_factory=dict)
    absolute: dict[str, Any] = Field(default_factory=dict)
    populations: str | list[str] | None = None
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
    populations = _populations(document, schema, folder)
    brought = None
    if populations:
        brought = bring(populations, samples, schema.columns, lod=schema.lod, lloq=schema.lloq)
    elif samples is not None:
        tubes = read_samples(samples, folder / schema.fcs, schema.columns)
    elif not schema.clinical:
        raise StudyError(
            f"{document.name}: neither samples, populations nor clinical tables: there is nothing to do"
        )
    templates = _templates(document, schema, tubes, folder)
    clinical: dict[str, Source] = {}
    rules = None
    if schema.clinical:
        from cytoreg.clinical.tables import read_sources

        clinical, rules = read_sources(document.at("clinical"), folder)
    return Study(
        name=schema.study,
        folder=folder,
        file=file,
        samples=samples,
        tubes=tuple(tubes),
        templates=templates,
        choices={tube.sample_id: _choices(document, schema, tube, folder) for tube in tubes},
        clinical=clinical,
        rules=rules,
        columns=schema.columns,
        windows=schema.windows,
        plan=_existing(document, folder / schema.plan, ["plan"]) if schema.plan else None,
        seed=schema.seed,
        document=document,
        absolute=read_absolute(
            document, schema.absolute, tubes, templates, samples.name if samples else "", schema.templates
        ),
        populations=populations,
        brought=brought,
    )


def _populations(document: YamlDocument, schema: _Study, folder: Path) -> tuple[Path, ...]:
    """The tables that were counted elsewhere; a study that has them gates nothing itself."""
    said = [schema.populations] if isinstance(schema.populations, str) else schema.populations or []
    for key in ("template", "templates", "absolute"):
        if said and getattr(schema, key):
            raise StudyError(
                f"{document.where([key])}: a study with `populations` gates nothing; leave `{key}` out"
            )
    return tuple(_existing(document, folder / name, ["populations"]) for name in said)


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


def _matrix(path: Path) -> Path | SingleStains:
    return SingleStains(path) if path.is_dir() else path


def _choices(document: YamlDocument, schema: _Study, tube: Tube, folder: Path) -> Choices:
    stated = None
    if tube.compensation is None and schema.compensation is not None:
        stated = parse_compensation(document.at("compensation"), StudyError)
    said = tube.compensation or stated
    compensation: str | Path | SingleStains | None
    if isinstance(said, SingleStains):
        compensation = said.beside(folder)
    else:
        compensation = said if said in (None, "none", "from_file") else _matrix(folder / str(said))
    said_remove = schema.quality.remove
    return Choices(
        schema.channels or None,
        tube.start or schema.start,
        compensation,
        tube.rule or schema.rule,
        None if said_remove is None else tuple(dict.fromkeys(said_remove)),
        bootstrap=schema.bootstrap,
        seed=schema.seed,
        lod=schema.lod,
        lloq=schema.lloq,
    )


def _existing(document: YamlDocument, path: Path, key: list[str]) -> Path:
    if not path.is_file():
        raise StudyError(f"{document.where(key)}: there is no file {path}")
    return path


def _no_url(document: YamlDocument, fcs: str) -> None:
    if "://" in fcs:
        raise StudyError(f"{document.where(['fcs'])}: {fcs} is a URL; this version reads folders only")
