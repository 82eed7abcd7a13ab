"""A first study from nothing but FCS files: sheet, channels, template and study.yaml, which pass check and run."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cytoreg.errors import CytoregError, StudyError
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample
from cytoreg.gating.binding import Choices, bind
from cytoreg.interop import load_template
from cytoreg.markers import find_channel
from cytoreg.resources import template_paths
from cytoreg.study.definition import FILE

__all__ = ["Started", "start_study"]

GENERAL = ("treg_foxp3", "treg_cd127", "tbnk")  # in the order in which they are tried
SUFFIXES = (".fcs", ".lmd")
Signature = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Started:
    """written: files made. panels: panel -> template. left_out: files that could not be read, and why."""

    folder: Path
    written: tuple[Path, ...]
    panels: dict[str, str]
    samples: int
    left_out: tuple[str, ...]


def start_study(folder: Path, *, force: bool = False) -> Started:
    """Look at the FCS files in a folder and below it, and write a first study there.

    Raises StudyError where there are none, or files of that name stand there already (unless `force`).
    """
    if not folder.is_dir():
        raise StudyError(f"{folder}: there is no such folder")
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and "results" not in path.relative_to(folder).parts
    )
    if not files:
        raise StudyError(f"{folder}: holds no FCS files (*.fcs, *.lmd)")
    samples, left_out = [], []
    for path in files:
        try:
            samples.append((path, read_fcs(path)))
        except CytoregError as problem:
            left_out.append(str(problem))
    if not samples:
        raise StudyError(f"{folder}: none of {len(files)} FCS files can be read; first: {left_out[0]}")
    panels: dict[Signature, list[tuple[Path, Sample]]] = defaultdict(list)
    for path, sample in sorted(samples, key=lambda item: bool(_lacking_marker(item[0].stem, item[1]))):
        panels[_panel_of(path, sample, panels)].append((path, sample))
    content: dict[str, Any] = {}
    rows, channels, chosen = [], [], {}
    for number, group in enumerate(panels.values(), start=1):
        panel = f"panel{number}" if len(panels) > 1 else "panel"
        template = _template_for(group[0][1])
        if template is None:
            template = f"{panel}.yaml"
            content[template] = _starter(group[0][1], panel)
        chosen[panel] = template
        rows += [_row(path.relative_to(folder), panel, sample) for path, sample in group]
        channels += [[panel, c.name, c.marker or "", f"{c.range:g}"] for c in group[0][1].channels]
    content["samples.csv"] = [
        ["file", "sample_id", "subject_id", "visit", "panel", "tube", "batch"],
        *_unique(rows),
    ]
    content["channels.csv"] = [["panel", "channel", "marker", "range"], *channels]
    content[FILE] = {
        "cytoreg": 1,
        "study": folder.resolve().name,
        "fcs": ".",
        "samples": "samples.csv",
        "templates": chosen,
    }
    targets = {folder / name: value for name, value in content.items()}
    standing = [path for path in targets if path.exists()]
    if standing and not force:
        raise StudyError(f"{standing[0]}: is there already; --force writes it again")
    for path, value in targets.items():
        _write(path, value)
    return Started(folder, tuple(targets), chosen, len(samples), tuple(left_out))


def _panel_of(path: Path, sample: Sample, panels: Collection[Signature]) -> Signature:
    """What tells panels apart: channels and markers. An FMO control may leave its marker blank."""
    own = tuple((channel.name, channel.marker or "") for channel in sample.channels)
    if own not in panels and _lacking_marker(path.stem, sample):
        for other in panels:
            pairs = zip(own, other, strict=False)
            if len(own) == len(other) and all(a[0] == b[0] and a[1] in ("", b[1]) for a, b in pairs):
                return other
    return own


def _template_for(sample: Sample) -> str | None:
    """The first general template that this panel can carry, its lymphocytes and T cells included."""
    available = template_paths()
    for name in GENERAL:
        if name in available:
            try:
                bind(sample, load_template(name), Choices())
            except CytoregError:
                continue
            return name
    return None


def _starter(sample: Sample, panel: str) -> dict[str, Any]:
    """A template for a panel that no shipped one fits: cells, singlets, live, and each marker's positive cells."""
    fallback = {"quantile": {"on": "FSC-A", "percentile": 2}}
    cells = {"valley": {"on": "FSC-A", "between": "first", "apart": 0.4, "fallback": fallback}}
    live = {"tail": {"on": "viability", "keep": "below", "spreads": 4}}
    populations: dict[str, Any] = {
        "cells": {"gate": cells, "if_missing": "skip"},
        "singlets": {"parent": "cells", "gate": {"singlets": {"on": ["FSC-A", "FSC-H"]}}, "if_missing": "skip"},
        "live": {"parent": "singlets", "gate": live, "if_missing": "skip"},
    }
    viability = find_channel("viability", sample)
    markers: dict[str, Any] = {}
    report = []
    for channel in sample.channels:
        if channel.is_scatter_or_time or (viability is not None and channel.index == viability.index):
            continue
        name = re.sub(r"[/\\]", "_", channel.marker or channel.name).strip()
        if (
            name in markers
            or sum((c.marker or c.name) == (channel.marker or channel.name) for c in sample.channels) > 1
        ):
            name = channel.name
        if name in markers:
            continue
        markers[name] = {"aliases": [channel.name]}
        population = f"{re.sub('[/]', '_', name)}+"
        gate = {"valley": {"on": name, "fallback": {"tail": {"on": name}}}}
        populations[population] = {"parent": "live", "gate": gate, "if_missing": "skip"}
        report.append(f"{population} % of live")
    return {
        "cytoreg": 1,
        "name": panel,
        "description": "Written by `cytoreg init` for a panel that no shipped template fits; edit it.",
        "markers": markers,
        "transforms": {"default": {"logicle": {"W": 1.0}}},
        "populations": populations,
        "report": report,
    }


def _row(path: Path, panel: str, sample: Sample) -> list[str]:
    """A row of the sheet; the kind of control is guessed from the file's name."""
    stem = path.stem
    tube = "full"
    if marker := _lacking_marker(stem, sample):
        tube = f"fmo:{marker}"
    elif re.search(r"unstained", stem, re.IGNORECASE):
        tube = "unstained"
    elif re.search(r"isotype", stem, re.IGNORECASE):
        tube = "isotype"
    elif found := re.match(r"comp(?:ensation)?[\s_-]+(.+)", stem, re.IGNORECASE):
        tube = f"single:{found.group(1)}"
    return [path.as_posix(), stem, "", "", panel, tube, ""]


def _lacking_marker(stem: str, sample: Sample) -> str:
    """The marker beside the letters FMO in a file's name: one of the panel before one that only looks like it."""
    words = [word for word in re.split(r"[\s_.,()]+|(?<=FMO)-|-(?=FMO)", stem, flags=re.IGNORECASE) if word]
    folded = [word.casefold() for word in words]
    if "fmo" not in folded:
        return ""
    at = folded.index("fmo")
    beside = [words[i] for i in (at + 1, at - 1) if 0 <= i < len(words)]
    known = [word for word in beside if find_channel(word, sample) is not None]
    likely = [word for word in beside if re.match(r"^(CD\d+\w*|FOXP3|KI-?67|HLA.*)$", word, re.IGNORECASE)]
    return next(iter((*known, *likely, *beside)), "")


def _unique(rows: Sequence[list[str]]) -> list[list[str]]:
    """Sample ids that tell files of one name in two folders apart."""
    stems = [row[1] for row in rows]
    return [
        [row[0], row[1] if stems.count(row[1]) == 1 else Path(row[0]).with_suffix("").as_posix(), *row[2:]]
        for row in rows
    ]


def _write(path: Path, value: Any) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".csv":
                csv.writer(file, lineterminator="\n").writerows(value)
            else:
                yaml.safe_dump(value, file, sort_keys=False, allow_unicode=True, width=110)
    except OSError as problem:
        raise StudyError(f"{path}: cannot be written: {problem.strerror or problem}") from None
